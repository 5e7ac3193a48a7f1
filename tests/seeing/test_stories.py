"""An incident is told with what was done about it, and with nothing else."""

from __future__ import annotations

import pytest

from miyabi.history import History
from miyabi.history_figures import incident_stories
from miyabi.records import Decided, IncidentChanged, Record, Recovered
from tests.history.ground import DAY, HOUR, NOW, Ground, make
from tests.seeing.seeded import seed

KAEDE, MOMIJI = "work:main.kaede", "work:main.momiji"


def closed(at: float, **values: object) -> IncidentChanged:
    return make(IncidentChanged, at, run="closing", change="closed", opened_at=NOW, told_at=NOW, **values)


def done(history: History, *records: Record) -> list[tuple[str, str, float]]:
    """What the only incident's story tells to have been done: what, to which target, so many seconds after NOW."""
    history.write(records)
    [story] = incident_stories(history, NOW - DAY, NOW + DAY)
    return [(each.what, each.target, each.at - NOW) for each in story.done]


def test_from_the_run_that_opened_it_to_its_end(ground: Ground) -> None:
    with ground.open() as history:
        assert done(
            history,
            make(Recovered, NOW - 900, run="before", outcome="failed"),
            make(Recovered, NOW - 5, run="opening", outcome="failed", reason="it died again"),
            make(IncidentChanged, NOW, run="opening"),
            make(Decided, NOW + 60, run="next", allowed=False, rule="backoff"),
            make(Decided, NOW + 120, run="one more", allowed=False, rule="backoff"),
            make(Recovered, NOW + 180, run="closing", first_try=False),
            closed(NOW + 780),
            make(Recovered, NOW + 900, run="after"),
        ) == [("failed", KAEDE, -5), ("held", KAEDE, 60), ("restored", KAEDE, 180)]
        [story] = incident_stories(history, NOW - DAY, NOW + DAY)
    assert (story.opened_at, story.closed_at) == (NOW, NOW + 780)
    assert story.done[0].why == "it died again"


def test_what_was_held_long_before_it_was_opened(ground: Ground) -> None:
    """That it is held for long is why some incidents are opened: the hold began before."""
    holds = [make(Decided, NOW + at, run=f"run {at}", allowed=False, rule="pause") for at in range(-3000, 900, 300)]
    with ground.open() as history:
        assert done(history, *holds, make(IncidentChanged, NOW, run="run 0")) == [("held", KAEDE, -3000)]


@pytest.mark.parametrize(
    ("target", "is_told"),
    [
        (KAEDE, True),
        ("work:main", True),
        ("work", True),
        (MOMIJI, False),
        ("workshop", False),
        ("server mcp", False),
        (f"agent {KAEDE}", True),
    ],
)
def test_what_it_is_about(sqlite_ground: Ground, target: str, is_told: bool) -> None:
    with sqlite_ground.open() as history:
        found = done(history, make(IncidentChanged, NOW), make(Recovered, NOW + 9, run="next", target=target))
    assert bool(found) is is_told


def test_a_whole_host_is_all_that_is_on_it(sqlite_ground: Ground) -> None:
    with sqlite_ground.open() as history:
        assert done(
            history,
            make(IncidentChanged, NOW, target="", kind="unreachable"),
            make(Recovered, NOW + 9, run="next", target="instance", level="L4", does="reboot"),
            make(Recovered, NOW + 19, run="next", target=KAEDE),
            make(Recovered, NOW + 20, run="next", target=KAEDE, host="pixel"),
        ) == [("restored", "instance", 9), ("restored", KAEDE, 19)]


def test_a_storm_is_what_it_covers(sqlite_ground: Ground) -> None:
    with sqlite_ground.open() as history:
        assert done(
            history,
            make(IncidentChanged, NOW, host="", target="", kind="storm", covers=(f"mugen:{KAEDE}", "pixel")),
            make(Recovered, NOW + 9, run="next", target=KAEDE),
            make(Recovered, NOW + 10, run="next", target=MOMIJI),
            make(Recovered, NOW + 11, run="next", target=MOMIJI, host="pixel"),
            make(Recovered, NOW + 12, run="next", target=KAEDE, host="macbook"),
        ) == [("restored", KAEDE, 9), ("restored", MOMIJI, 11)]


def test_a_fleet_s_own_incident_is_nobody_s_repair(sqlite_ground: Ground) -> None:
    with sqlite_ground.open() as history:
        stop = make(IncidentChanged, NOW, host="", target="", kind="emergency-stop")
        assert done(history, stop, make(Recovered, NOW + 9, run="next")) == []


def test_as_they_stood_at_the_end_of_the_time(ground: Ground) -> None:
    with ground.open() as history:
        history.write(
            [
                make(IncidentChanged, NOW, incident="worse"),
                make(IncidentChanged, NOW + 60, incident="worse", change="changed", severity="CRITICAL", opened_at=NOW),
                closed(NOW + HOUR, incident="worse"),
                make(IncidentChanged, NOW + 30, incident="later", target=MOMIJI),
            ]
        )
        early = incident_stories(history, NOW - DAY, NOW + 10)
        meanwhile = incident_stories(history, NOW - DAY, NOW + 90)
        late = incident_stories(history, NOW + 2 * HOUR, NOW + DAY)
        newest = incident_stories(history, NOW - DAY, NOW + DAY, limit=1)
    assert [(each.incident, each.severity, each.closed_at) for each in early] == [("worse", "HIGH", None)]
    assert [(each.incident, each.severity, each.closed_at) for each in meanwhile] == [
        ("later", "HIGH", None),
        ("worse", "CRITICAL", None),
    ]
    assert [each.incident for each in late] == ["later"]
    assert [each.incident for each in newest] == ["later"]


def test_the_incidents_of_a_seeded_history(ground: Ground) -> None:
    made = seed(ground.folder, hosts=2, days=2, every=300, url=ground.url, trouble_every=60)
    with ground.open() as history:
        stories = incident_stories(history, made.since, made.until + HOUR)
    assert len(stories) == 3
    for story in stories:
        assert [each.what for each in story.done] == ["failed", "held", "restored"]
        assert story.closed_at == story.opened_at + 890
