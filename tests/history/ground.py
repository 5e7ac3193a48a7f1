"""What tests of the history stand on: a folder, a database, and short ways to make records."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from miyabi.history import History, open_history
from miyabi.history_migrations import MIGRATIONS, Migration
from miyabi.predicted import Predicted
from miyabi.records import (
    BreakerChanged,
    Decided,
    DriftSeen,
    IncidentChanged,
    Observation,
    Record,
    Recovered,
    RunStarted,
)

# The moment at which these tests happen.
NOW = 1_790_000_000.0
HOUR = 3600.0
DAY = 86400.0

R = TypeVar("R", bound=Record)

_EVENTS = count(1)


@dataclass(frozen=True, slots=True)
class Ground:
    """A memory's folder and the address of its database; None is a file in the folder."""

    folder: Path
    url: str | None

    @property
    def file(self) -> Path:
        """The file of a SQLite database."""
        return self.folder / "history.db"

    def open(self, now: float = NOW, migrations: Sequence[Migration] = MIGRATIONS) -> History:
        """The history, opened at ``now``."""
        return open_history(self.folder, self.url, now=now, migrations=migrations)

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a statement, asked without any of our own code."""
        if self.url is None:
            import sqlite3  # noqa: PLC0415

            with closing(sqlite3.connect(self.file)) as lite:
                return list(lite.execute(statement))
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SET search_path TO miyabi")
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


def make(kind: type[R], at: float = NOW, /, *, run: str = "run", **values: Any) -> R:
    """A record with what a test does not care about filled in."""
    usual: dict[type[Record], dict[str, Any]] = {
        RunStarted: {"command": "deploys/recover.py", "controller": "control:1"},
        Observation: {"host": "mugen", "health": "healthy", "fleet": True},
        DriftSeen: {"host": "mugen", "target": "work:main.kaede", "kind": "pane-dead", "level": "L1", "reason": "died"},
        Decided: {"host": "mugen", "target": "work:main.kaede", "does": "restore", "level": "L1", "allowed": True},
        Recovered: {
            "host": "mugen",
            "target": "work:main.kaede",
            "does": "restore",
            "level": "L1",
            "outcome": "restored",
            "seconds": 0.4,
        },
        IncidentChanged: {
            "incident": "first",
            "change": "opened",
            "host": "mugen",
            "target": "work:main.kaede",
            "kind": "not-restored",
            "severity": "HIGH",
            "summary": "kaede does not come back",
            "opened_at": at,
            "told_at": at,
        },
        BreakerChanged: {"subject": "host mugen", "failures": 1},
        Predicted: {"host": "mugen", "subject": "disk", "kind": "crossing", "outcome": "no-trend"},
    }
    return kind(**{"event": f"{run}.{next(_EVENTS)}", "run": run, "at": at, **usual.get(kind, {}), **values})
