"""Each test of the history runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.leaks import TestRun
from tests.history.ground import Ground
from tests.history.postgresql import Postgresql


@pytest.fixture(scope="session")
def postgresql(test_run: TestRun) -> Iterator[Postgresql]:
    """A PostgreSQL of our own."""
    server = Postgresql.start(test_run)
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    """A memory's folder, and a database of that kind."""
    folder = tmp_path / "memory"
    if request.param == "sqlite":
        yield Ground(folder, None)
        return
    server: Postgresql = request.getfixturevalue("postgresql")
    yield Ground(folder, server.url("postgres"))
    # Somebody who was killed may still be connected. A new database for each test would take three times as long.
    server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'miyabi'")
    server.execute("DROP SCHEMA IF EXISTS miyabi CASCADE")


@pytest.fixture
def sqlite_ground(tmp_path: Path) -> Ground:
    """A memory's folder, with a database in a file."""
    return Ground(tmp_path / "memory", None)
