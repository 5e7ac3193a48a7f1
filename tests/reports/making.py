"""Histories of a few days that one can reckon by hand, and reports of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date
from pathlib import Path
from typing import Any

from miyabi.history import open_history
from miyabi.monitoring import DAY, Monitoring, Period
from miyabi.predicted import Predicted
from miyabi.records import Decided, DriftSeen, IncidentChanged, Observation, Record, Recovered, RunEnded, RunStarted
from miyabi.reports.gathering import gather
from miyabi.reports.past import Asked
from miyabi.reports.report import Report
from miyabi.reports.span import span_of
from tests.history.ground import make

# Midnight of Friday, 20 November 2026, in UTC.
MIDNIGHT = 1_795_132_800.0
TODAY = date(2026, 11, 20)
EVERY = 300.0
KAEDE = "work:main.kaede"


def looks(host: str = "mugen", since: float = MIDNIGHT, until: float = MIDNIGHT + DAY, **values: Any) -> list[Record]:
    """A run every five minutes that finds a host well; what ``values`` says of it replaces what is usual."""
    found: list[Record] = []
    for number in range(round((until - since) / EVERY)):
        at, run = since + number * EVERY, f"{host}-{since + number * EVERY:.0f}"
        found += [
            make(RunStarted, at, run=run),
            make(Observation, at, run=run, **{"host": host, "upkeep": True, **values}),
            make(RunEnded, at + 2, run=run, outcome="clean", seconds=2.0, hosts=1),
        ]
    return found


def repair(at: float, host: str = "mugen", *, held: bool = True, seconds: float = 2.0, **values: Any) -> list[Record]:
    """A try, by the run that looks at that moment; ``held`` is whether it did."""
    about = {"host": host, "target": KAEDE, "level": "L1", "cause": "oom", **values}
    run = f"{host}-{at:.0f}"
    kind = about.pop("kind", "pane-dead")
    first = about.pop("first_try", True)
    return [
        make(DriftSeen, at, run=run, kind=kind, reason="died", **about),
        make(Decided, at + 0.1, run=run, does="restore", allowed=True, **about),
        make(
            Recovered,
            at + 0.1 + seconds,
            run=run,
            outcome="restored" if held else "failed",
            seconds=seconds,
            first_try=first,
            **about,
        ),
    ]


def incident(name: str, at: float, closed: float | None = None, **values: Any) -> list[Record]:
    """An incident that was opened, and closed unless it is still open."""
    about = {"incident": name, "opened_at": at, "told_at": at, "cause": "oom", **values}
    records: list[Record] = [make(IncidentChanged, at, run=f"i-{name}", **about)]
    if closed is not None:
        records.append(make(IncidentChanged, closed, run=f"c-{name}", change="closed", **about))
    return records


def foretold(at: float, host: str = "mugen", subject: str = "disk", **values: Any) -> Predicted:
    """A disk that will be full in ten hours."""
    usual = {"outcome": "crosses", "crosses_at": at + 36000, "limit": 90.0, "summary": "disk reaches 90 % in 10 h"}
    return make(Predicted, at, host=host, subject=subject, **{**usual, **values})


def report_of(
    folder: Path,
    records: Iterable[Record],
    *,
    period: Period = "daily",
    day: date = TODAY,
    now: float = MIDNIGHT + DAY + 3600,
    asked: Asked | None = None,
    monitoring: Monitoring | None = None,
) -> Report:
    """The report of a history of these records, where the clocks show UTC."""
    with open_history(folder / "memory", None, now=now) as history:
        history.write(records)
        return gather(
            history, monitoring or Monitoring(), span_of(period, day, UTC), asked or Asked(), now=now, zone=UTC
        )
