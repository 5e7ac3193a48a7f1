"""Overviews made by hand: a fleet in which everything happens at once, one that is empty, one that is large."""

from __future__ import annotations

from dataclasses import replace
from math import sin

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
from miyabi.overview import Figures, overview_of

NOW = 1_795_291_200.0
MINUTE = 60.0
HOUR = 3600.0
DAY = 86400.0

# Text as a host, a pane or a task may name itself.
HOSTILE: tuple[str, ...] = (
    "<img src=x onerror=window.__pwned=1>",
    "</script><script>window.__pwned=1</script>",
    "\"'><svg/onload=window.__pwned=1>",
    "javascript:window.__pwned=1",
    "{{ 7*7 }}{% raw %}${7*7}",
    "--><!--",
    "&lt;b&gt; &amp;amp; &#x3c;",
    "\u202eright to left\u202c \u200bzero\u200bwidth \U0001f469\u200d\U0001f4bb",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07\r\n\ttab",
    "\u2028line\u2029separators",
    "x" * 10_000,
)


def empty_overview(now: float = NOW) -> Overview:
    """A fleet that no run has ever looked at."""
    return overview_of((), Figures(), now=now, sequence=1, days=7.0)


def sample_overview(now: float = NOW, *, hosts: int = 6, is_hostile: bool = False) -> Overview:
    """A fleet with one host of each kind, and healthy ones up to ``hosts``.

    + is_hostile: with a host, a drift, an agent, an incident and a deed for each text of ``HOSTILE``
    """
    cards = [*_cards(now), *(_healthy(f"node-{number:02}", now) for number in range(6, hosts))]
    incidents, deeds = _incidents(now), _deeds(now)
    if is_hostile:
        cards += [_hostile_card(each, now) for each in HOSTILE]
        incidents += [_hostile_incident(number, each, now) for number, each in enumerate(HOSTILE)]
        deeds += [Deed(now - HOUR, each, each, "L1", "failed", each, each, 2.0) for each in HOSTILE]
    by_health: dict[str, int] = {}
    for each in cards:
        by_health[each.health] = by_health.get(each.health, 0) + 1
    available = {each.host: Availability(29.6 * DAY, 0.3 * DAY, 0.1 * DAY) for each in cards}
    return Overview(
        at=now,
        sequence=7,
        hosts=tuple(cards),
        by_health=by_health,
        run=LastRun("deploys/recover.py", now - 90, "held", 12.4),
        open_incidents=tuple(each for each in incidents if each.closed_at is None),
        timeline=tuple(incidents),
        deeds=tuple(deeds),
        levels=(
            LevelFigures("L1", 10, 41, 39, 2, 37, 39, 0.4, 2.1, 6.0),
            LevelFigures("L2", 30, 9, 8, 1, 7, 8, 1.9, 4.4, 5.2),
            LevelFigures("L3", 60, 3, 3, 0, 3, 2, 3.1, 71.0, 71.0),
            LevelFigures("L4", 300, 1, 0, 1, 0, 0, None, None, None),
            LevelFigures("upkeep", None, 12, 12, 0, 11, 12, 0.8, 3.0, 9.5),
        ),
        causes={"process": 22, "permission": 9, "disk-full": 4, "unknown": 3, "network": 2},
        charts=tuple(chart for each in cards for chart in _charts(each.host, now)),
        availability=available,
        fleet_availability=Availability(29.6 * DAY * len(cards), 0.3 * DAY * len(cards), 0.1 * DAY * len(cards)),
        budget=Budget(99.0, 30 * DAY, 0.299 * DAY * len(cards), 0.25 * DAY * len(cards)),
        days=7.0,
    )


def _cards(now: float) -> list[HostCard]:
    kaede = CardDrift(
        "work:main.kaede",
        "L1",
        "exited with status 1 again, 1 s after each start",
        "permission",
        now - 28 * MINUTE,
        "5 restarts within an hour",
        now + 32 * MINUTE,
    )
    server = CardDrift("server mcp", "upkeep", "nothing listens on port 8931", "unknown", now - 2 * MINUTE)
    mugen = replace(
        _healthy("mugen", now),
        health="drift",
        since=now - 28 * MINUTE,
        reason="work:main.kaede exited with status 1; server mcp: nothing listens on port 8931",
        level="L2",
        drifts=(kaede, server),
        incidents=1,
        agents={
            "work:main.kaede": "exited",
            "work:main.sakura": "working",
            "work:main.tsubaki": "limited",
            "work:review.botan": "waiting",
        },
        disk_used=91.5,
    )
    macbook = HostCard("macbook", "asleep", now - 9 * HOUR, now - 90, "offline, as it may be", availability=None)
    cloud = HostCard(
        "cloud-1",
        "unreachable",
        now - 7 * MINUTE,
        now - 90,
        "SSH error (timed out); the instance check fails since 11:48:13 UTC",
        level="L4",
        incidents=1,
        availability=97.1,
    )
    pixel = HostCard("pixel", "unknown", now - 4 * MINUTE, now - 90, "tmux did not answer within 10 s", availability=99)
    old = replace(_healthy("old-box", now), seen_at=now - 3 * DAY, since=now - 9 * DAY, is_stale=True)
    return [mugen, pixel, cloud, macbook, _healthy("@local", now), old]


def _healthy(host: str, now: float) -> HostCard:
    return HostCard(
        host,
        "healthy",
        now - 3 * DAY,
        now - 90,
        agents={"miyabi:codegen.kaede": "working", "miyabi:codegen.sakura": "idle"},
        sessions=1,
        windows=3,
        panes=7,
        disk_used=61.2,
        memory_available=43.0,
        load=0.7,
        uptime=12 * DAY,
        availability=99.2,
    )


def _hostile_card(text: str, now: float) -> HostCard:
    drift = CardDrift(text, "L1", text, text, now - HOUR, text, now + HOUR)
    card = replace(_healthy(text, now), health="drift", reason=text, level="L1", drifts=(drift,))
    return replace(card, agents={text: text}, incidents=1)


def _hostile_incident(number: int, text: str, now: float) -> IncidentStory:
    deed = Deed(now - HOUR, text, text, "L1", "held", text, text)
    return IncidentStory(f"H{number}", text, text, text, "HIGH", text, text, now - 2 * HOUR, None, (deed,))


def _incidents(now: float) -> list[IncidentStory]:
    opened = now - 28 * MINUTE
    tried = (
        Deed(opened - 3, "mugen", "work:main.kaede", "L1", "failed", "exited again", "permission", 2.4),
        Deed(opened - 1, "mugen", "work:main.kaede", "L2", "failed", "exited again", "permission", 4.0),
        Deed(opened + MINUTE, "mugen", "work:main.kaede", "L1", "held", "5 restarts within an hour", "permission"),
    )
    closed = now - 2 * DAY
    repaired = (Deed(closed - HOUR, "@local", "work", "L3", "restored", "", "process", 3.1),)
    return [
        IncidentStory(
            "I969c5080cc",
            "mugen",
            "work:main.kaede",
            "not-restored",
            "HIGH",
            "exited with status 1 again, 1 s after each start",
            "permission",
            opened,
            None,
            tried,
        ),
        IncidentStory(
            "I1aa0b7c9d2",
            "cloud-1",
            "",
            "unreachable",
            "CRITICAL",
            "not reached for 7 min: the instance check fails",
            "instance",
            now - 7 * MINUTE,
        ),
        IncidentStory(
            "I77b1c0ffee",
            "@local",
            "work",
            "not-restored",
            "MEDIUM",
            "the tmux server was gone",
            "process",
            closed - 2 * HOUR,
            closed,
            repaired,
        ),
    ]


def _deeds(now: float) -> list[Deed]:
    return [
        Deed(now - 27 * MINUTE, "mugen", "work:main.kaede", "L1", "held", "5 restarts within an hour", "permission"),
        Deed(now - 29 * MINUTE, "mugen", "work:main.kaede", "L2", "failed", "exited again", "permission", 4.0),
        Deed(now - 5 * HOUR, "@local", "miyabi:codegen", "L2", "restored", "", "process", 1.9),
    ]


def _charts(host: str, now: float) -> list[Chart]:
    moments = [now - 7 * DAY + number * 2 * HOUR for number in range(84)]
    disk = [(at, 60 + number / 4, 61 + number / 4) for number, at in enumerate(moments)]
    memory = [(at, 45 + 8 * sin(number / 2), 38 + 8 * sin(number / 2)) for number, at in enumerate(moments)]
    ahead = tuple((now + number * HOUR, 81 + number / 8, 80 + number / 9, 82 + number / 7) for number in range(73))
    words = "reaches 90 % in about 3 d (2 d 8 h to 4 d); 4 of 4 earlier crossings were foretold, no false alarm"
    return [
        Chart(host, "disk_used", disk, 90.0, ahead, now + 3 * DAY, words),
        Chart(host, "memory_available", memory, 10.0, (), None, "no trend"),
    ]
