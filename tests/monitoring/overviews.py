"""Overviews made by hand, for what is made of one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from miyabi.figures import (
    Availability,
    Budget,
    CardDrift,
    Chart,
    Deed,
    HostCard,
    IncidentStory,
    LastRun,
    LevelFigures,
    Overview,
)

# A Saturday, 12:00 UTC.
NOW = 1_795_262_400.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

# What a host, a pane or a program may print to harm who shows it.
HOSTILE = 'evil\n"} miyabi_fake 1\x1b[31m\u202e<script>\\'

MUGEN = HostCard(
    host="mugen",
    health="drift",
    since=NOW - 12 * MINUTE,
    seen_at=NOW - 40,
    reason="1 drift",
    level="L2",
    drifts=(
        CardDrift(
            "work:main.kaede", "L2", "exited with status 1", "permission", NOW - 12 * MINUTE,
            "5 restarts within an hour", NOW + 40 * MINUTE,
        ),
    ),
    incidents=1,
    agents={"work:main.kaede": "exited", "work:main.sakura": "working", "work:main.tsubaki": "juggling"},
    sessions=2,
    windows=5,
    panes=11,
    disk_used=83.5,
    memory_available=41.0,
    load=1.5,
    uptime=9 * DAY,
    availability=98.4,
)  # fmt: skip
WELL = HostCard(
    host="control",
    health="healthy",
    since=NOW - 3 * DAY,
    seen_at=NOW - 40,
    agents={"watch:main.ume": "idle"},
    sessions=1,
    windows=1,
    panes=1,
    disk_used=41.0,
    memory_available=63.0,
    load=0.2,
    uptime=30 * DAY,
    availability=100.0,
)
ASLEEP = HostCard(host="pixel", health="asleep", since=NOW - 5 * HOUR, seen_at=NOW - 40, reason="not connected")
UNREACHABLE = HostCard(
    host="cloud-1", health="unreachable", since=NOW - 7 * MINUTE, seen_at=NOW - 40, reason="connection timed out"
)
STALE = replace(WELL, host="macbook", seen_at=NOW - 9 * HOUR, is_stale=True, availability=None)
HOSTS = (MUGEN, WELL, ASLEEP, UNREACHABLE, STALE)

STORY = IncidentStory(
    incident="i-1",
    host="mugen",
    target="work:main.kaede",
    kind="not-restored",
    severity="HIGH",
    summary="exited with status 1 again, 1 s after each start",
    cause="permission",
    opened_at=NOW - 11 * MINUTE,
)
DEEDS = (
    Deed(NOW - 2 * MINUTE, "mugen", "work:main.kaede", "L2", "held", "5 restarts within an hour", "permission"),
    Deed(NOW - 11 * MINUTE, "mugen", "work:main.kaede", "L2", "failed", "exited again", "permission", 4.0),
    Deed(NOW - 12 * MINUTE, "mugen", "work:main.kaede", "L1", "failed", "exited again", "permission", 3.2),
    Deed(NOW - 3 * HOUR, "control", "watch:main.ume", "L1", "restored", "", "killed", 0.4),
)
LEVELS = (
    LevelFigures("L1", 10.0, 40, 38, 2, 36, 38, 0.4, 2.9, 8.1),
    LevelFigures("L2", 30.0, 4, 2, 2, 1, 2, 3.0, 4.0, 4.0),
    LevelFigures("upkeep", None, 3, 3, 0, 3, 0, 1.2, 2.0, 2.0),
    LevelFigures("L4", 300.0, 1, 0, 1, 0, 0, None, None, None),
)
CHARTS = (
    Chart(
        "mugen",
        "disk_used",
        [(NOW - (48 - n) * HOUR, 60 + n / 2, 61 + n / 2) for n in range(48)],
        90.0,
        [(NOW + n * HOUR, 84 + n / 2, 83 + n / 2, 85 + n / 2) for n in range(24)],
        NOW + 13 * HOUR,
        "reaches 90 % in 13 h (11 h to 16 h); 4 of 4 earlier ones came true",
    ),
    Chart("mugen", "memory_available", [(NOW - n * HOUR, 41.0, 40.0) for n in range(9, 0, -1)], words="no trend"),
)


def an_overview(**values: Any) -> Overview:
    """An overview of a fleet with something of everything; ``values`` replace its own."""
    hosts = values.get("hosts", HOSTS)
    usual = Overview(
        at=NOW,
        sequence=7,
        hosts=hosts,
        by_health=Counter(each.health for each in hosts),
        run=LastRun("deploys/recover.py", NOW - 40, "failed", 6.2),
        open_incidents=(STORY,),
        timeline=(STORY,),
        deeds=DEEDS,
        levels=LEVELS,
        causes={"permission": 2, "killed": 1, "failed 137": 3, "failed 1": 1, HOSTILE: 4},
        charts=CHARTS,
        availability={"mugen": Availability(984.0, 16.0, 0.0), "control": Availability(1000.0, 0.0, 0.0),
                      "pixel": Availability(0.0, 0.0, 1000.0)},
        fleet_availability=Availability(1984.0, 16.0, 1000.0),
        budget=Budget(99.0, 30 * DAY, 20.0, 16.0),
        days=7.0,
    )  # fmt: skip
    return replace(usual, **values)


EMPTY = Overview(
    at=NOW,
    sequence=0,
    hosts=(),
    by_health={},
    run=None,
    open_incidents=(),
    timeline=(),
    deeds=(),
    levels=(),
    causes={},
    charts=(),
    availability={},
    fleet_availability=Availability(),
    budget=Budget(99.0, 30 * DAY, 0.0, 0.0),
    days=7.0,
)
