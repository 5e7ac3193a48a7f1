"""A history as a fleet writes it over months, made in seconds: a million looks, with troubles, tries and incidents.

Everything is reckoned from the number of the look, so that the same wishes make the same history.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, text

from miyabi.history import open_history
from miyabi.history_engine import make_engine, place_of, writing
from miyabi.history_migrations import lock
from miyabi.records import Decided, DriftSeen, IncidentChanged, Record, Recovered, RunEnded, RunStarted
from tests.history.ground import NOW, make

DAY = 86400.0

# What breaks in turn: kind, level, target, cause, and the seconds that its repair takes; None is that it does not hold.
TROUBLES: tuple[tuple[str, str, str, str, float | None], ...] = (
    ("pane-dead", "L1", "work:main.kaede", "oom", 2.5),
    ("agent-exited", "L1", "work:main.momiji", "crashed", 4.0),
    ("session-missing", "L2", "work", "closed", 12.0),
    ("pane-dead", "L1", "work:main.kaede", "killed", None),
    ("window-missing", "L3", "work:tests", "server-lost", 48.0),
    ("upkeep", "upkeep", "server mcp", "mcp-down", 1.5),
)
AGENTS = (
    {"work:main.kaede": "working", "work:main.momiji": "working"},
    {"work:main.kaede": "working", "work:main.momiji": "idle"},
    {"work:main.kaede": "limited", "work:main.momiji": "working"},
)


@dataclass(frozen=True, slots=True)
class Seeded:
    """What was made.

    + since: when the first look was; the last one is less than ``every`` before ``until``
    """

    hosts: tuple[str, ...]
    since: float
    until: float
    every: float
    looks: int
    troubles: int


def seed(
    folder: Path,
    hosts: int | Sequence[str] = 5,
    days: float = 30.0,
    every: float = 300.0,
    *,
    until: float = NOW,
    url: str | None = None,
    trouble_every: int = 500,
) -> Seeded:
    """Fill the history in ``folder``, which is made, with the looks of some days.

    Disks fill by 0.3 percent a day, faster on each further host, and are emptied when they are at 80; memory goes up
    and down with the day; two agents work on each host.

    + hosts: their names, or how many: ``host-1`` and so on
    + every: seconds from a run to the next; it looks at all hosts
    + url: of a PostgreSQL; None is a file in ``folder``
    + trouble_every: every so many-th look finds something wrong; 0 is never
    """
    names = tuple(f"host-{number}" for number in range(1, hosts + 1)) if isinstance(hosts, int) else tuple(hosts)
    ticks = int(days * DAY // every)
    made = Seeded(
        names, until - ticks * every, until, every, ticks * len(names), _troubles(ticks * len(names), trouble_every)
    )
    with open_history(folder, url, now=until) as history:
        history.write(record for tick in range(ticks) for record in _run(made, tick))
        history.write(record for number in range(made.troubles) for record in _trouble(made, number, trouble_every))
    engine = make_engine(place_of(folder, url))
    try:
        with writing(engine).begin() as connection:
            lock(connection)
            _insert_looks(connection, made, ticks, trouble_every)
    finally:
        engine.dispose()
    return made


def _run(made: Seeded, tick: int) -> Iterator[Record]:
    at, run = made.since + tick * made.every, _name(tick)
    yield make(RunStarted, at, run=run)
    yield make(RunEnded, at + 2, run=run, outcome="clean", seconds=2 + tick % 10 / 10, hosts=len(made.hosts))


def _name(tick: int) -> str:
    return f"run-{10_000_000 + tick}"


def _troubles(looks: int, trouble_every: int) -> int:
    return looks // trouble_every if trouble_every else 0


def _trouble(made: Seeded, number: int, trouble_every: int) -> Iterator[Record]:
    """What one look has found, what was tried, and the incident when that did not hold."""
    place = (number + 1) * trouble_every - 1
    tick, host = divmod(place, len(made.hosts))
    at, run, name = made.since + tick * made.every, _name(tick), made.hosts[host]
    kind, level, target, cause, seconds = TROUBLES[number % len(TROUBLES)]
    about = {"host": name, "target": target, "level": level, "cause": cause}
    yield make(DriftSeen, at, run=run, kind=kind, reason="it is gone", **about)
    yield make(Decided, at + 0.1, run=run, does="restore", allowed=True, **about)
    took = 9.0 if seconds is None else seconds + number % 5 / 10
    outcome = "failed" if seconds is None else "restored"
    yield make(Recovered, at + 0.1 + took, run=run, outcome=outcome, seconds=took, first_try=number % 7 != 0, **about)
    if seconds is None:
        yield from _incident(at, run, about)


def _incident(at: float, run: str, about: dict[str, str]) -> Iterator[Record]:
    """An incident: opened, held by two looks, brought back by a third, and closed after a quarter of an hour."""
    told = {
        "incident": f"incident-{run}-{about['host']}",
        "host": about["host"],
        "target": about["target"],
        "cause": about["cause"],
        "opened_at": at + 10,
    }
    yield make(IncidentChanged, at + 10, run=run, **{**told, "told_at": at + 10})
    for later in (60.0, 120.0):
        held = {"does": "restore", "allowed": False, "rule": "backoff", "reason": f"in {180 - later:.0f} s"}
        yield make(Decided, at + later, run=f"{run}+{later:.0f}", **held, **about)
    last = f"{run}+180"
    yield make(Decided, at + 180, run=last, does="restore", allowed=True, **about)
    yield make(Recovered, at + 183, run=last, outcome="restored", seconds=3.0, first_try=False, does="restore", **about)
    yield make(IncidentChanged, at + 900, run=last, change="closed", **{**told, "told_at": at + 10})


# Rows that are made by one statement: PostgreSQL gives none more than 10 seconds.
_PORTION = 100_000


_LOOKS = """
INSERT INTO observations (event, run, at, host, health, reason, fleet, upkeep, boot_id, uptime, disk_used,
                          memory_available, load, sessions, windows, panes, agents)
WITH RECURSIVE
    looks(n) AS (SELECT CAST(:first AS BIGINT) UNION ALL SELECT n + 1 FROM looks WHERE n + 1 < :last),
    names(number, name) AS (VALUES {names}),
    placed AS (SELECT n, n / :hosts AS tick, n % :hosts AS place FROM looks)
SELECT 'look-' || CAST(10000000000 + n AS TEXT),
       'run-' || CAST(10000000 + tick AS TEXT),
       :since + tick * :every,
       name,
       CASE WHEN :troubles > 0 AND (n + 1) % :trouble_every = 0 THEN 'drift' ELSE 'healthy' END,
       '', TRUE, TRUE, 'boot', tick * :every,
       20.0 + (number * 300 + CAST(tick * :every / 864 AS INTEGER) * (30 + 5 * number) / 100) % 6000 / 100.0
           + n * 7919 % 100 / 200.0,
       30.0 + abs(CAST(tick * :every AS INTEGER) % 86400 - 43200) / 1440.0 + n * 104729 % 100 / 100.0,
       0.5 + n % 7 / 10.0, 1, 2, 8,
       {agents}
FROM placed JOIN names ON names.number = place
ORDER BY n
"""


def _insert_looks(connection: Connection, made: Seeded, ticks: int, trouble_every: int) -> None:
    is_lite = connection.dialect.name == "sqlite"
    cases = " ".join(f"WHEN {place} THEN :agents{place}" for place in range(len(AGENTS)))
    agents = f"CASE tick * {made.every:.0f} / 86400 % {len(AGENTS)} {cases} END"
    names = ", ".join(f"({place}, :name{place})" for place in range(len(made.hosts)))
    statement = text(_LOOKS.format(names=names, agents=agents if is_lite else f"CAST({agents} AS JSON)"))
    told = {
        **{f"name{place}": name for place, name in enumerate(made.hosts)},
        **{f"agents{place}": json.dumps(each) for place, each in enumerate(AGENTS)},
        "hosts": len(made.hosts),
        "since": made.since,
        "every": float(made.every),
        "troubles": made.troubles,
        "trouble_every": max(trouble_every, 1),
    }
    looks = ticks * len(made.hosts)
    for first in range(0, looks, _PORTION):
        connection.execute(statement, {**told, "first": first, "last": min(first + _PORTION, looks)})
