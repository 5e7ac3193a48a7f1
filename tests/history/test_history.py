"""What is written is told again, on both databases alike."""

from __future__ import annotations

import dataclasses
import math
import random

import pytest

from miyabi.gate import TargetHistory, Try
from miyabi.history_queries import NEWEST
from miyabi.journal import SKIPPED, append, journal_size
from miyabi.levels import Level
from miyabi.predicted import Predicted
from miyabi.records import (
    AlertSent,
    BreakerChanged,
    Decided,
    DriftSeen,
    IncidentChanged,
    Observation,
    Record,
    Recovered,
    RunEnded,
    RunStarted,
    Signalled,
    record_kinds,
    to_line,
)
from miyabi.subjects import is_subject
from tests.history.ground import DAY, HOUR, NOW, Ground, make

KAEDE = "work:main.kaede"

ONE_OF_EACH: list[Record] = [
    make(RunStarted),
    make(RunEnded, outcome="held", seconds=1.5, hosts=3),
    make(
        Observation,
        health="drift",
        reason="2 panes",
        upkeep=True,
        boot_id="b",
        uptime=5.0,
        disk_used=40.5,
        memory_available=7.0,
        load=16.25,
        sessions=1,
        windows=2,
        panes=8,
        agents={KAEDE: "running"},
    ),
    make(DriftSeen, cause="oom", evidence="line 1\nline 2"),
    make(Decided, allowed=False, rule="backoff", reason="10 s", again_at=NOW + 10, climbing=True, cause="oom"),
    make(Recovered, first_try=False, cause="oom", reason=""),
    make(IncidentChanged, healthy_since=NOW, covers=("a", "b"), told_severity="HIGH"),
    make(AlertSent, incident="i", change="opened", severity="HIGH", text="text", channels={"file": "sent"}),
    make(Signalled, signal="HEALTH_OK", details={"panes": [1, 2], "deep": {"a": None, "b": True}}),
    make(BreakerChanged, opened_at=NOW),
    make(Predicted, crosses_at=NOW, forecast=([NOW, 80.5, 79.0, 82.0],), error={"cases": 3}),
]


def test_every_kind_comes_back_as_it_went_in(ground: Ground) -> None:
    assert {type(each) for each in ONE_OF_EACH} == set(record_kinds().values())
    append(ground.folder, ONE_OF_EACH)
    with ground.open() as history:
        for record in ONE_OF_EACH:
            assert history.records(type(record)) == [record]
        assert history.messages == []
    assert journal_size(ground.folder) == 0


def test_the_least_of_every_kind(ground: Ground) -> None:
    """What may be None is None again, and not 0 or ""."""
    seen = make(Observation, host="pixel", health="asleep", fleet=False)
    with ground.open() as history:
        history.write([seen, closed := make(BreakerChanged)])
        assert history.records(Observation) == [seen]
        assert history.breakers() == {"host mugen": (closed.failures, None)}


def test_the_same_event_twice_is_one_row(ground: Ground) -> None:
    first = make(Decided)
    append(ground.folder, [first, first])
    with ground.open() as history:
        assert history.write([first, dataclasses.replace(first, reason="another")]) == 0
        append(ground.folder, [first, second := make(Decided)])
        assert history.take_in() == 1
        assert history.records(Decided) == [second, first]


def test_lines_that_make_no_sense_are_counted_and_kept(ground: Ground) -> None:
    append(ground.folder, [make(RunStarted)])
    newer_table = '{"table":"dreams","event":"x.1","run":"x","at":1.0}'
    newer_column = to_line(known := make(RunStarted, run="later"))[:-1] + ',"mood":"good"}'
    wrong = [
        '{"table":"runs","event":"x.2","ru',
        '{"table":"runs","event":"x.3","run":"x","at":"noon","command":"","controller":""}',
        '{"table":"runs","event":"x.4","run":"x","at":NaN,"command":"","controller":""}',
        '{"table":"run_ends","event":"x.5","run":"x","at":1.0,"outcome":"clean","seconds":1,"hosts":1e400}',
        '{"table":"runs","event":"' + "x" * 5000 + '","run":"x","at":1.0,"command":"","controller":""}',
        "[" * 100_000,
        "null",
        "\x00\x00",
    ]
    strange = [newer_table, newer_column, *wrong]
    with (ground.folder / "journal.jsonl").open("a") as journal:
        journal.writelines(f"{line}\n" for line in strange)
    append(ground.folder, [make(RunStarted)])
    with ground.open() as history:
        assert len(history.records(RunStarted)) == 3
        assert known in history.records(RunStarted)
        [message] = history.messages
        assert message.startswith(f"{len(strange)} lines of the journal ")
    kept = (ground.folder / SKIPPED).read_text().splitlines()
    assert newer_table in kept
    assert newer_column in kept


def test_what_no_database_takes_does_not_keep_the_rest_out(ground: Ground) -> None:
    odd = "a\0b\udcff'\"\\;--\N{SNOWMAN}\U0001f600"
    records = [
        make(DriftSeen, reason=odd, evidence=odd, target=odd),
        make(Signalled, signal="x", details={odd: [odd, math.inf, 2**80], "n": {"m": -math.inf}}),
        make(Decided, target="x" * 3000),
        make(RunEnded, outcome="clean", seconds=1.0, hosts=2**70),
        last := make(RunStarted),
    ]
    append(ground.folder, records)
    with ground.open() as history:
        [drift] = history.records(DriftSeen)
        assert drift.reason == "a\N{REPLACEMENT CHARACTER}b?'\"\\;--\N{SNOWMAN}\U0001f600"
        [signal] = history.records(Signalled)
        assert signal.details[drift.reason] == [drift.reason, None, 2**80]
        assert history.records(Decided) == []
        assert history.records(RunStarted) == [last]
        assert history.messages[0].startswith("2 lines of the journal ")


def test_names_as_long_as_they_may_be(ground: Ground) -> None:
    """What cannot be compressed either fits into the indexes of a database."""
    run, host, target = ("".join(random.choices("0123456789abcdef", k=800)) for _ in range(3))  # noqa: S311
    with ground.open() as history:
        history.write([record := make(Decided, run=run, event=run, host=host, target=target)])
        assert history.records(Decided, target=target) == [record]


def test_records_are_told_in_the_order_of_their_arrival(ground: Ground) -> None:
    """Also when the clock was set back an hour between them."""
    ours = [make(RunStarted, at) for at in (NOW, NOW + 60, NOW - HOUR, NOW - HOUR + 60)]
    with ground.open() as history:
        history.write(ours)
        assert history.records(RunStarted) == ours[::-1]
        assert history.records(RunStarted, limit=2) == [ours[3], ours[2]]
        assert history.records(RunStarted, since=NOW, until=NOW + 60) == [ours[0]]


def test_records_of_a_host_a_target_a_run(ground: Ground) -> None:
    with ground.open() as history:
        history.write(
            [
                make(Decided, run="a"),
                wanted := make(Decided, run="b"),
                make(Decided, run="b", target="sshd"),
                make(Decided, run="b", host="pixel"),
            ]
        )
        assert history.records(Decided, run="b", host="mugen", target=KAEDE) == [wanted]
        assert len(history.records(Decided, host="mugen")) == 3
        assert history.records(BreakerChanged, host="mugen") == []


def test_runs_and_their_ends(ground: Ground) -> None:
    begun = [make(RunStarted, run=name) for name in ("a", "b", "c")]
    end = make(RunEnded, run="b", outcome="clean", seconds=1.0, hosts=1)
    with ground.open() as history:
        history.write([*begun, end])
        assert history.runs() == [(begun[2], None), (begun[1], end), (begun[0], None)]
        assert history.runs(2) == [(begun[2], None), (begun[1], end)]


def test_the_last_observation_of_each_host(ground: Ground) -> None:
    with ground.open() as history:
        history.write([make(Observation), pixel := make(Observation, host="pixel", health="asleep")])
        history.write([mugen := make(Observation, NOW - HOUR, health="drift")])
        assert history.last_observations() == {"mugen": mugen, "pixel": pixel}


def test_the_last_look_that_could_tell_however_long_ago(ground: Ground) -> None:
    seen = make(Observation, run="1", health="drift")
    asleep = [make(Observation, run=f"a{number}", health="asleep") for number in range(70)]
    own = make(Observation, run="now", health="healthy")
    with ground.open() as history:
        assert history.last_judged(seen.host) is None
        history.write([seen, *asleep, own])
        assert history.last_judged(seen.host, "now") == seen
        assert history.last_judged(seen.host) == own
        assert history.last_judged("nobody") is None


def test_incidents_that_are_open(ground: Ground) -> None:
    """The last word counts, in the order of arrival: the second was closed after the clock had been set back."""
    with ground.open() as history:
        history.write(
            [
                make(IncidentChanged, NOW, incident="a"),
                make(IncidentChanged, NOW, incident="b"),
                make(IncidentChanged, NOW, incident="c"),
                make(IncidentChanged, NOW - HOUR, incident="b", change="closed"),
                last := make(IncidentChanged, NOW + 1, incident="a", change="still-open"),
                make(IncidentChanged, NOW + 1, incident="c", change="closed"),
                again := make(IncidentChanged, NOW + 2, incident="c", change="opened"),
            ]
        )
        assert history.open_incidents() == (last, again)


def test_breakers(ground: Ground) -> None:
    with ground.open() as history:
        history.write([make(BreakerChanged, failures=5, opened_at=NOW), make(BreakerChanged, subject="service ec2")])
        assert history.breakers() == {"host mugen": (5, NOW), "service ec2": (1, None)}
        history.write([make(BreakerChanged, NOW - HOUR, failures=0)])
        assert history.breakers()["host mugen"] == (0, None)


# --- What the gate wants to know ------------------------------------------------------------------------------------


def test_a_target_that_nobody_knows(ground: Ground) -> None:
    with ground.open() as history:
        assert history.target_histories("mugen", [KAEDE], NOW) == {KAEDE: TargetHistory()}
        assert history.target_histories("mugen", [], NOW) == {}


def test_sightings(ground: Ground) -> None:
    """Only looks that judged the fleet count, each once, and what was damaged in them was damaged."""
    with ground.open() as history:
        history.write(
            [
                make(Observation, 10 + NOW, run="a"),
                make(Observation, 20 + NOW, run="b", health="drift"),
                make(DriftSeen, 20 + NOW, run="b"),
                make(DriftSeen, 20 + NOW, run="b", reason="twice"),
                make(Observation, 30 + NOW, run="c", health="drift"),
                make(DriftSeen, 30 + NOW, run="c", target="work:main.hinoki"),
                make(DriftSeen, 30 + NOW, run="c", host="pixel"),
                make(Observation, 40 + NOW, run="d", health="unknown"),
                make(Observation, 50 + NOW, run="e", health="unreachable", fleet=False),
                make(Observation, 60 + NOW, run="f", fleet=False, upkeep=True),
                make(Observation, 70 + NOW, run="g", host="pixel"),
                make(Observation, 80 + NOW, run="h", health="drift"),
                make(DriftSeen, 80 + NOW, run="h", kind="unmarked", level="L1"),
            ]
        )
        found = history.target_histories("mugen", [KAEDE, "work:main.hinoki"], NOW)
    times = (10, 20, 30, 80)
    assert found[KAEDE].sightings == tuple((at + NOW, at == 20) for at in times)
    assert found["work:main.hinoki"].sightings == tuple((at + NOW, at == 30) for at in times)


@pytest.mark.parametrize(
    ("drift", "target", "damaged"),
    [
        ("work", KAEDE, True),
        ("work:main", KAEDE, True),
        ("work:main", "work:main", True),
        ("work:a.b", "work:a.b.kaede", True),
        (KAEDE, "work:main", False),
        (KAEDE, "work", False),
        ("workshop", KAEDE, False),
        ("work:ma", KAEDE, False),
        ("work:main.kae", KAEDE, False),
    ],
)
def test_a_pane_of_what_is_missing_is_not_there(ground: Ground, drift: str, target: str, damaged: bool) -> None:
    with ground.open() as history:
        history.write([make(Observation, health="drift"), make(DriftSeen, target=drift)])
        assert history.target_histories("mugen", [target], NOW)[target].sightings == ((NOW, damaged),)


def test_subjects_were_seen_by_runs_with_upkeep(ground: Ground) -> None:
    subject = "log ~/.miyabi/logs/a.log: b"
    with ground.open() as history:
        history.write(
            [
                make(Observation, NOW, run="a"),
                make(Observation, NOW + 1, run="b", upkeep=True, fleet=False, health="drift"),
                make(DriftSeen, NOW + 1, run="b", target=subject, level="upkeep", kind="upkeep"),
                make(Observation, NOW + 2, run="c", upkeep=True),
            ]
        )
        found = history.target_histories("mugen", [subject, "work", "disk"], NOW)
        assert found[subject].sightings == ((NOW + 1, True), (NOW + 2, False))
        assert found["work"].sightings == ((NOW, False), (NOW + 2, False))
        # A session of that name is another thing.
        assert [at for at, _ in found["disk"].sightings] == [NOW + 1, NOW + 2]
        as_session = history.target_histories("mugen", ["disk"], NOW, subjects=False)
        assert [at for at, _ in as_session["disk"].sightings] == [NOW, NOW + 2]


@pytest.mark.parametrize(
    ("target", "expected"),
    [("sshd", True), ("server mcp", True), ("wake lock", True), ("temp /tmp/x:y.z", True), ("server", False)],
)
def test_what_a_subject_is(target: str, expected: bool) -> None:
    assert is_subject(target) is expected


def test_tries(ground: Ground) -> None:
    with ground.open() as history:
        history.write(
            [
                make(Decided, 1 + NOW, run="a"),
                make(Recovered, 2 + NOW, run="a", outcome="failed"),
                make(Decided, 3 + NOW, run="a", level="L2", does="interrupt", climbing=True),
                make(Recovered, 4 + NOW, run="a", level="L2", outcome="failed"),
                make(Recovered, 5 + NOW, run="a", level="L2", outcome="restored"),
                make(Decided, 6 + NOW, run="b", allowed=False, rule="backoff"),
                make(Decided, 7 + NOW, run="c", does="adopt"),
                make(Decided, 8 + NOW, run="d"),
                make(Recovered, 8 + NOW, run="d", host="pixel"),
                make(Decided, 9 + NOW, run="e", target="sshd", level="upkeep"),
                make(Recovered, 9 + NOW, run="e", target="sshd", level="upkeep"),
            ]
        )
        found = history.target_histories("mugen", [KAEDE, "sshd"], NOW)
    assert found[KAEDE].tries == (
        Try(1 + NOW, Level.L1, restored=False),
        Try(3 + NOW, Level.L2, restored=True, does="interrupt"),
        Try(8 + NOW, Level.L1, None),
    )
    assert found["sshd"].tries == (Try(9 + NOW, None, restored=True),)


def test_each_remedy_of_an_instance_has_its_own_outcome(ground: Ground) -> None:
    """A run that was ended while the second was under way has learnt nothing of it from the first."""
    tried = {"level": "L4", "target": "instance", "run": "a"}
    with ground.open() as history:
        history.write(
            [
                make(Decided, 1 + NOW, does="reboot", **tried),
                make(Recovered, 2 + NOW, does="reboot", outcome="failed", **tried),
                make(Decided, 3 + NOW, does="stop-start", climbing=True, **tried),
            ]
        )
        found = history.target_histories("mugen", ["instance"], NOW)
    assert found["instance"].tries == (
        Try(1 + NOW, Level.L4, restored=False, does="reboot"),
        Try(3 + NOW, Level.L4, restored=None, does="stop-start"),
    )


def test_an_instance_was_looked_at_when_its_host_was_not_reached(ground: Ground) -> None:
    with ground.open() as history:
        history.write(
            [
                make(Observation, 1 + NOW, run="a", health="healthy", upkeep=True),
                make(Observation, 2 + NOW, run="b", health="unreachable"),
                make(DriftSeen, 2 + NOW, run="b", target="instance"),
                make(Observation, 3 + NOW, run="c", health="asleep"),
            ]
        )
        found = history.target_histories("mugen", ["instance", "sshd", KAEDE], NOW)
    assert found["instance"].sightings == ((1 + NOW, False), (2 + NOW, True))
    assert [at for at, _ in found["sshd"].sightings] == [1 + NOW]
    assert [at for at, _ in found[KAEDE].sightings] == [1 + NOW]


def test_the_newest_are_told_and_nothing_of_months_ago(ground: Ground) -> None:
    """After the clock was set back an hour, the newest still come last."""
    old = NOW - 31 * DAY
    times = [*(NOW + 60 * number for number in range(NEWEST + 10)), NOW - HOUR]
    with ground.open() as history:
        history.write([make(Observation, old), make(Decided, old), make(Decided, NOW, run="other", target="work")])
        history.write([make(Observation, at, run=f"r{at}") for at in times])
        history.write([make(Decided, at, run=f"r{at}") for at in times])
        found = history.target_histories("mugen", [KAEDE, "work"], max(times))
        then = history.target_histories("mugen", [KAEDE], NOW)
    assert [at for at, _ in found[KAEDE].sightings] == times[-NEWEST:]
    assert [each.at for each in found[KAEDE].tries] == times[-NEWEST:]
    # What seems to lie ahead was tried, at the latest, when it was first looked at with the right clock.
    assert {each.at for each in then[KAEDE].tries} == {NOW - HOUR}
    assert [each.at for each in found["work"].tries] == [NOW]


def test_thousands_of_targets_in_one_question(ground: Ground) -> None:
    targets = [f"work:main.pane-{number}" for number in range(40_000)]
    with ground.open() as history:
        history.write([make(Observation), make(DriftSeen, target=targets[7]), make(Decided, target=targets[7])])
        found = history.target_histories("mugen", targets, NOW)
    assert len(found) == len(targets)
    assert found[targets[7]] == TargetHistory(((NOW, True),), (Try(NOW, Level.L1, None),))


@pytest.mark.parametrize(
    ("host", "target", "expected"),
    [
        ("mugen", KAEDE, NOW),
        ("mugen", "work:main", NOW),
        ("mugen", "work", NOW),
        ("mugen", "", NOW),
        ("", "", NOW),
        ("pixel", KAEDE, None),
        ("mugen", "work:main.kae", None),
        ("mugen", "sshd", None),
    ],
)
def test_what_people_let_through(ground: Ground, host: str, target: str, expected: float | None) -> None:
    with ground.open() as history:
        history.write(
            [
                make(Signalled, NOW - 60, signal="resume", host=host, target=target),
                make(Signalled, NOW, signal="resume", host=host, target=target),
                make(Signalled, NOW + 60, signal="agent-timeout", host=host, target=target),
            ]
        )
        assert history.target_histories("mugen", [KAEDE], NOW)[KAEDE].resumed_at == expected


# --- Causes ---------------------------------------------------------------------------------------------------------


def test_the_shares_of_causes(ground: Ground) -> None:
    """Seen in three looks in a row it is one; healthy in between, another cause, another target are others."""
    looks: list[Record] = []
    for number, causes in enumerate(["oom", "oom", "oom", "", "oom", "killed", "killed", "", ""]):
        run, at = f"r{number}", NOW + 60 * number
        looks.append(make(Observation, at, run=run, health="drift" if causes else "healthy"))
        if causes:
            looks.append(make(DriftSeen, at, run=run, cause=causes))
        # Hosts take turns.
        looks.append(make(Observation, at, run=run, host="pixel"))
    looks += [
        make(DriftSeen, NOW + 60, run="r1", target="sshd", level="upkeep", cause="oom"),
        make(DriftSeen, NOW + 60, run="r1", kind="unmarked", target="x", cause="unknown"),
        make(DriftSeen, NOW + 61, run="no look", target="x", cause="git"),
        make(DriftSeen, NOW + 62, run="r1", target="new", cause="missing"),
    ]
    with ground.open() as history:
        history.write(looks)
        assert list(history.shares_by_cause(0, NOW + HOUR).items()) == [("oom", 3), ("git", 1), ("killed", 1)]
        assert history.shares_by_cause(NOW + 300, NOW + HOUR) == {"killed": 1}
        assert history.shares_by_cause(0, NOW) == {}


# --- Leases ---------------------------------------------------------------------------------------------------------


def test_a_lease(ground: Ground) -> None:
    with ground.open() as history, ground.open() as other:
        assert history.take_lease("mugen", "a:1", NOW + 600, NOW) is None
        assert other.take_lease("mugen", "b:1", NOW + 600, NOW + 1) == ("a:1", NOW + 600)
        assert other.take_lease("pixel", "b:1", NOW + 600, NOW + 1) is None
        # Ours is prolonged; another's is not given back.
        assert history.take_lease("mugen", "a:1", NOW + 700, NOW + 100) is None
        other.release_lease("mugen", "b:1")
        assert history.leases(NOW + 100) == {"mugen": ("a:1", NOW + 700), "pixel": ("b:1", NOW + 600)}
        history.release_lease("mugen", "a:1")
        assert other.take_lease("mugen", "b:1", NOW + 600, NOW + 1) is None


@pytest.mark.parametrize(
    ("now", "is_free"),
    [(NOW + 599, False), (NOW + 600, True), (NOW + HOUR, True), (NOW - HOUR, True), (NOW - 60, False)],
)
def test_a_lease_expires_also_when_the_clock_was_set_back(ground: Ground, now: float, is_free: bool) -> None:
    with ground.open() as history:
        history.take_lease("mugen", "a:1", NOW + 600, NOW)
        assert bool(history.leases(now)) is not is_free
        expected = None if is_free else ("a:1", NOW + 600)
        assert history.take_lease("mugen", "b:1", now + 600, now) == expected


# --- How long it is kept --------------------------------------------------------------------------------------------


def test_what_is_old_is_removed_but_not_what_is_open(ground: Ground) -> None:
    old, new = NOW - 91 * DAY, NOW - 89 * DAY
    with ground.open() as history:
        history.write([make(kind, at) for at in (old, new) for kind in (RunStarted, Observation, DriftSeen, Decided)])
        opened = make(IncidentChanged, old, incident="open")
        history.write([make(IncidentChanged, old, incident="over"), opened])
        history.write([make(IncidentChanged, old, incident="over", change="closed")])
        history.write([make(BreakerChanged, old, failures=4), make(BreakerChanged, old, failures=5, opened_at=old)])
        history.take_lease("mugen", "a:1", old, old)
        assert history.prune(NOW) == 8
        for kind in (RunStarted, Observation, DriftSeen, Decided):
            assert [each.at for each in history.records(kind)] == [new]
        assert history.records(IncidentChanged) == [opened]
        assert history.breakers() == {"host mugen": (5, old)}
        assert history.prune(NOW) == 0


def test_it_is_done_once_a_day(ground: Ground) -> None:
    def left(now: float) -> int:
        with ground.open(now) as history:
            return len(history.records(RunStarted))

    with ground.open(NOW) as history:
        history.write(make(RunStarted, NOW - (90.5 - number) * DAY) for number in range(3))
    assert left(NOW + 0.9 * DAY) == 3
    assert left(NOW + DAY) == 1


def test_a_clock_that_leaps_does_not_empty_it(ground: Ground) -> None:
    def left(now: float) -> int:
        with ground.open(now) as history:
            return len(history.records(RunStarted))

    with ground.open(NOW) as history:
        history.write(make(RunStarted, NOW - number * DAY) for number in range(89))
    for now in (NOW + 10 * 365 * DAY, NOW + 10 * 365 * DAY + HOUR, NOW + HOUR, NOW - HOUR, NOW - 20 * 365 * DAY, NOW):
        assert left(now) >= 75
    assert left(NOW + DAY) >= 75
