"""Every figure is as it is when it is reckoned another way, on both databases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import count
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from miyabi.availability import LONGEST_LOOK, Proof, proved_at
from miyabi.figures import MEASURES, Availability, Deed, Measure, Series
from miyabi.history import History
from miyabi.history_figures import (
    agent_times,
    availability_of_hosts,
    deeds,
    last_predictions,
    learned,
    level_figures,
    usage_series,
)
from miyabi.history_repair_figures import SAME_HOLD, nearest_rank
from miyabi.predicted import Predicted
from miyabi.records import Decided, DriftSeen, Observation, Record, Recovered
from tests.history.ground import DAY, HOUR, NOW, Ground, make
from tests.seeing.seeded import seed

KAEDE, MOMIJI, SERVER = "work:main.kaede", "work:main.momiji", "server mcp"
HOSTS = ("mugen", "pixel")
# What happens in an example, in seconds from where it begins.
SPAN = 4000

# Each example has a time of its own: to make a database for each takes too long.
_EXAMPLES = count()
_anew = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def beginning() -> float:
    """Where the time of the next example begins."""
    return NOW + 100_000 * next(_EXAMPLES)


@st.composite
def looks(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Looks as they arrive, in no order of time, with what their runs found and did."""
    conditions = st.dictionaries(st.sampled_from([KAEDE, MOMIJI]), st.sampled_from(["working", "idle", "dead"]))
    tries = st.tuples(st.sampled_from([KAEDE, MOMIJI, "work"]), st.booleans(), st.integers(-20, 1000))
    look = st.fixed_dictionaries(
        {
            "host": st.sampled_from(HOSTS),
            "at": st.integers(-1500, SPAN + 500),
            "health": st.sampled_from(["healthy", "drift", "drift", "unknown", "asleep", "unreachable"]),
            "agents": conditions,
            "wrong": st.lists(
                st.tuples(st.sampled_from([KAEDE, MOMIJI, SERVER]), st.sampled_from(["oom", "missing"])), max_size=2
            ),
            "tries": st.lists(tries, max_size=3),
        }
    )
    return draw(st.lists(look, max_size=9))


def written(start: float, told: Sequence[dict[str, Any]]) -> list[Record]:
    """The records of some looks, each of a run of its own."""
    found: list[Record] = []
    for place, each in enumerate(told):
        run, host, at = f"run-{start}-{place}", each["host"], start + each["at"]
        found.append(make(Observation, at, run=run, host=host, health=each["health"], agents=each["agents"]))
        found += [make(DriftSeen, at, run=run, host=host, target=name, cause=cause) for name, cause in each["wrong"]]
        for target, is_restored, after in each["tries"]:
            outcome = "restored" if is_restored else "failed"
            found.append(make(Recovered, at + after, run=run, host=host, target=target, outcome=outcome))
    return found


def look_at(told: Sequence[dict[str, Any]], host: str, second: int) -> dict[str, Any] | None:
    """The look that holds in one second: the last one that was taken; None when nobody knows."""
    before = [(each["at"], place) for place, each in enumerate(told) if each["host"] == host and each["at"] <= second]
    if not before or second - max(before)[0] >= LONGEST_LOOK:
        return None
    return told[max(before)[1]]


def stands(look: dict[str, Any] | None, second: int) -> str:
    """How a host stands in one second."""
    if look is None or look["health"] == "unknown":
        return "uncounted"
    if look["health"] == "asleep":
        return "asleep"
    if look["health"] != "drift":
        return "up" if look["health"] == "healthy" else "down"
    proofs = [Proof(target, restored, look["at"] + after) for target, restored, after in look["tries"]]
    proved = proved_at([target for target, _ in look["wrong"]], proofs)
    if proved is not None and proved <= second:
        return "up"
    # What it never had was not lost.
    return "uncounted" if {cause for _, cause in look["wrong"]} == {"missing"} else "down"


def approximately(seen: Availability) -> Any:
    return pytest.approx((seen.up, seen.down, seen.uncounted), abs=1e-3)


@_anew
@given(told=looks(), since=st.integers(0, SPAN // 2), over=st.integers(0, SPAN // 2))
def test_availability_second_by_second(ground: Ground, told: list[dict[str, Any]], since: int, over: int) -> None:
    start = beginning()
    with ground.open() as history:
        history.write(written(start, told))
        found = availability_of_hosts(history, start + since, start + since + over)
    for host in HOSTS:
        seconds: dict[str, int] = defaultdict(int)
        for second in range(since, since + over):
            seconds[stands(look_at(told, host, second), second)] += 1
        if host in found:
            asleep = seconds["asleep"]
            assert (seconds["up"], seconds["down"], seconds["uncounted"] + asleep) == approximately(found[host])
            assert asleep == pytest.approx(found[host].asleep, abs=1e-3)
        else:
            assert seconds["uncounted"] == over


@_anew
@given(told=looks(), parts=st.lists(st.integers(0, SPAN), min_size=3, max_size=3))
def test_times_that_follow_one_another_add_up(ground: Ground, told: list[dict[str, Any]], parts: list[int]) -> None:
    start = beginning()
    first, middle, last = (start + each for each in sorted(parts))
    with ground.open() as history:
        history.write(written(start, told))
        whole = availability_of_hosts(history, first, last)
        halves = [availability_of_hosts(history, first, middle), availability_of_hosts(history, middle, last)]
    for host, seen in whole.items():
        up = sum(half.get(host, Availability()).up for half in halves)
        down = sum(half.get(host, Availability()).down for half in halves)
        assert (up, down) == pytest.approx((seen.up, seen.down), abs=1e-3)


@_anew
@given(told=looks(), since=st.integers(0, SPAN // 2), over=st.integers(0, SPAN // 2))
def test_agents_second_by_second(ground: Ground, told: list[dict[str, Any]], since: int, over: int) -> None:
    start = beginning()
    with ground.open() as history:
        history.write(written(start, told))
        found = agent_times(history, start + since, start + since + over)
    seconds: dict[tuple[str, str], dict[str, float]] = defaultdict(lambda: defaultdict(int))
    for host in HOSTS:
        for second in range(since, since + over):
            look = look_at(told, host, second)
            for target, condition in (look["agents"] if look else {}).items():
                seconds[host, target][condition] += 1
    assert [(each.host, each.target) for each in found] == sorted(seconds)
    for each in found:
        assert dict(each.seconds) == pytest.approx(dict(seconds[each.host, each.target]), abs=1e-3)


def minutes_of(history: History, *looked: tuple[float, str], until: float) -> tuple[float, float, float]:
    """Minutes up, down and uncounted, by looks at so many minutes."""
    history.write(make(Observation, NOW + 60 * at, run=f"run {at} {health}", health=health) for at, health in looked)
    seen = availability_of_hosts(history, NOW, NOW + 60 * until)["mugen"]
    return round(seen.up / 60, 3), round(seen.down / 60, 3), round(seen.uncounted / 60, 3)


@pytest.mark.parametrize(
    ("looked", "came"),
    [
        pytest.param([(0, "healthy"), (5, "healthy"), (10, "healthy")], (20, 0, 0), id="all the time"),
        pytest.param([(-5, "healthy"), (5, "unreachable"), (10, "healthy")], (15, 5, 0), id="one look away"),
        pytest.param([(-30, "healthy"), (15, "healthy")], (5, 0, 15), id="nobody looked"),
        pytest.param([(0, "healthy")], (15, 0, 5), id="a look holds for a quarter of an hour"),
        pytest.param([(10, "healthy"), (10, "unreachable")], (0, 10, 10), id="of two at once the last that arrived"),
        pytest.param([(10, "healthy"), (0, "unreachable"), (5, "healthy")], (15, 5, 0), id="the first came late"),
        pytest.param([(0, "healthy"), (15, "healthy"), (8, "healthy")], (20, 0, 0), id="a clock was set back"),
        pytest.param([(0, "healthy"), (99, "healthy"), (10, "healthy")], (20, 0, 0), id="a clock was ahead"),
        pytest.param([(0, "asleep"), (10, "unknown")], (0, 0, 20), id="neither"),
    ],
)
def test_some_looks(ground: Ground, looked: list[tuple[float, str]], came: tuple[float, float, float]) -> None:
    with ground.open() as history:
        assert minutes_of(history, *looked, until=20) == came


def test_two_controllers_count_once(ground: Ground) -> None:
    """What one found broken, and the other saw whole again a minute later, was down for a minute."""
    with ground.open() as history:
        history.write(
            [
                make(Observation, NOW, run="one", health="drift"),
                make(DriftSeen, NOW, run="one"),
                make(Observation, NOW + 60, run="other", health="healthy"),
                make(Recovered, NOW + 90, run="one"),
                make(Observation, NOW + 300, run="one again", health="healthy"),
            ]
        )
        assert approximately(availability_of_hosts(history, NOW, NOW + 600)["mugen"]) == (540, 60, 0)


def test_typing_that_did_not_help_leaves_a_repair_as_it_is(ground: Ground) -> None:
    with ground.open() as history:
        history.write(
            [
                make(Observation, NOW, health="drift"),
                make(DriftSeen, NOW),
                make(Recovered, NOW + 10),
                make(Recovered, NOW + 30, target=f"agent {MOMIJI}", level="upkeep", does="nudge", outcome="failed"),
            ]
        )
        assert approximately(availability_of_hosts(history, NOW, NOW + 100)["mugen"]) == (90, 10, 0)


def test_no_time_is_no_availability(ground: Ground) -> None:
    with ground.open() as history:
        history.write([make(Observation, NOW, health="healthy")])
        assert availability_of_hosts(history, NOW, NOW) == {}
        assert availability_of_hosts(history, NOW + 100, NOW) == {}
        assert agent_times(history, NOW + 100, NOW) == ()


measured = st.lists(
    st.tuples(
        st.sampled_from(HOSTS),
        st.integers(0, SPAN),
        st.one_of(st.none(), st.integers(0, 100).map(float)),
        st.one_of(st.none(), st.integers(0, 100).map(float)),
    ),
    max_size=30,
)


@_anew
@given(told=measured, step=st.sampled_from([60, 300, 900, 7200]), since=st.integers(0, SPAN))
def test_usage_in_stretches(
    ground: Ground, told: list[tuple[str, int, float | None, float | None]], step: int, since: int
) -> None:
    start = beginning()
    values: dict[tuple[str, Measure], dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for host, at, *both in told:
        for measure, value in zip(MEASURES, both, strict=True):
            if value is not None and at >= since:
                values[host, measure][(start + at) // step * step].append(value)
    with ground.open() as history:
        history.write(
            make(Observation, start + at, host=host, disk_used=disk, memory_available=memory)
            for host, at, disk, memory in told
        )
        found = usage_series(history, start + since, start + SPAN + 1, step)
        alone = usage_series(history, start + since, start + SPAN + 1, step, ["pixel"])
    assert found.keys() == values.keys()
    assert alone.keys() == {each for each in values if each[0] == "pixel"}
    for named, stretches in values.items():
        assert_series(found[named], stretches)


def assert_series(series: Series, stretches: dict[float, list[float]]) -> None:
    assert list(series.at) == sorted(stretches)
    assert list(series.low) == [min(stretches[at]) for at in series.at]
    assert list(series.mean) == pytest.approx([fmean(stretches[at]) for at in series.at])
    assert list(series.high) == [max(stretches[at]) for at in series.at]
    assert list(series.count) == [len(stretches[at]) for at in series.at]


@pytest.mark.parametrize("step", [3600, DAY, 10 * DAY])
def test_usage_over_weeks(ground: Ground, step: float) -> None:
    made = seed(ground.folder, hosts=2, days=23, every=3 * HOUR, url=ground.url, trouble_every=0)
    values: dict[tuple[str, Measure], dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    with ground.open() as history:
        for each in history.records(Observation, since=made.since + DAY):
            assert each.disk_used is not None
            assert each.memory_available is not None
            values[each.host, "disk_used"][each.at // step * step].append(each.disk_used)
            values[each.host, "memory_available"][each.at // step * step].append(each.memory_available)
        found = usage_series(history, made.since + DAY, made.until, step)
    assert found.keys() == values.keys()
    for named, stretches in values.items():
        assert_series(found[named], stretches)


came = st.lists(
    st.fixed_dictionaries(
        {
            "level": st.sampled_from(["L1", "L2", "L3", "L4", "upkeep"]),
            "outcome": st.sampled_from(["restored", "restored", "failed"]),
            "seconds": st.integers(-2, 400).map(float),
            "first_try": st.booleans(),
            "cause": st.sampled_from(["oom", "crashed", "missing"]),
            "target": st.sampled_from([KAEDE, "instance"]),
        }
    ),
    max_size=30,
)


@_anew
@given(told=came)
def test_levels_as_their_records_say(ground: Ground, told: list[dict[str, Any]]) -> None:
    start = beginning()
    with ground.open() as history:
        history.write(make(Recovered, start + place, **each) for place, each in enumerate(told))
        found = {each.level: each for each in level_figures(history, start, start + SPAN)}
        assert level_figures(history, start + SPAN, start + 2 * SPAN) == ()
    budgets = {"L1": 10, "L2": 30, "L3": 60, "L4": 300}
    tried = [each for each in told if each["cause"] != "missing"]
    assert list(found) == [level for level in (*budgets, "upkeep") if any(each["level"] == level for each in tried)]
    for level, seen in found.items():
        own = [each for each in tried if each["level"] == level]
        held = [each for each in own if each["outcome"] == "restored"]
        times = [each["seconds"] for each in held if each["seconds"] >= 0]
        assert seen.budget == budgets.get(level)
        assert (seen.tries, seen.restored, seen.failed) == (len(own), len(held), len(own) - len(held))
        assert seen.first_try == len([each for each in held if each["first_try"]])
        assert seen.within == (len(held) if level == "upkeep" else len([each for each in times if each <= seen.budget]))
        if times:
            assert seen.median == pytest.approx(np.median(times))
            assert seen.slowest_tenth == np.percentile(times, 90, method="inverted_cdf")
            assert seen.longest == max(times)
        else:
            assert (seen.median, seen.slowest_tenth, seen.longest) == (None, None, None)


@given(st.lists(st.integers(0, 50), min_size=1), st.integers(0, 100))
def test_percentiles_are_values_that_were(values: list[int], percent: int) -> None:
    found = nearest_rank(sorted(values), percent)
    assert found in values
    assert sum(each <= found for each in values) * 100 >= percent * len(values)


@_anew
@given(told=came, kinds=st.lists(st.sampled_from([None, "pane-dead", "agent-exited"]), min_size=30, max_size=30))
def test_what_was_learned(ground: Ground, told: list[dict[str, Any]], kinds: list[str | None]) -> None:
    start = beginning()
    records: list[Record] = []
    seen: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for place, (each, kind) in enumerate(zip(told, kinds, strict=False)):
        run = f"run-{start}-{place}"
        if kind:
            records.append(make(DriftSeen, start, run=run, target=each["target"], kind=kind))
        records.append(make(DriftSeen, start, run=run, target="another", kind="window-missing"))
        records.append(make(Recovered, start + 1, run=run, **each))
        if each["cause"] != "missing":
            named = kind or ("instance" if each["target"] == "instance" else "unknown")
            seen[named, each["cause"], each["level"]].append(each)
    with ground.open() as history:
        history.write(records)
        found = learned(history, start, start + SPAN)
    assert {(each.kind, each.cause, each.level) for each in found} == set(seen)
    assert [each.tries for each in found] == sorted((each.tries for each in found), reverse=True)
    for lesson in found:
        own = seen[lesson.kind, lesson.cause, lesson.level]
        times = [one["seconds"] for one in own if one["outcome"] == "restored" and one["seconds"] >= 0]
        assert (lesson.tries, lesson.restored) == (len(own), sum(one["outcome"] == "restored" for one in own))
        assert lesson.median == (pytest.approx(np.median(times)) if times else None)


def test_the_first_of_two_kinds_counts(ground: Ground) -> None:
    with ground.open() as history:
        history.write([make(DriftSeen, kind="pane-dead"), make(DriftSeen, kind="agent-exited"), make(Recovered)])
        assert [each.kind for each in learned(history, NOW, NOW + 1)] == ["pane-dead"]


def test_the_end_itself_is_not_meant(ground: Ground) -> None:
    with ground.open() as history:
        for at in (NOW, NOW + 60):
            history.write([make(Observation, at, disk_used=40.0), make(Recovered, at), make(DriftSeen, at)])
        assert list(usage_series(history, NOW, NOW + 60, 60)["mugen", "disk_used"].count) == [1]
        assert [each.tries for each in level_figures(history, NOW, NOW + 60)] == [1]
        assert [each.tries for each in learned(history, NOW, NOW + 60)] == [1]
        assert [each.at for each in deeds(history, NOW, NOW + 60)] == [NOW]


decided = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.integers(0, 80_000),
            "target": st.sampled_from([KAEDE, MOMIJI]),
            "level": st.sampled_from(["L1", "L2"]),
            "rule": st.sampled_from(["backoff", "pause", ""]),
        }
    ),
    max_size=20,
)


def is_same(told: Sequence[dict[str, Any]], place: int) -> bool:
    """Whether a hold is the same that was said before: the last one of its kind, near enough, and no try between."""
    own = told[place]
    for each in reversed(told[:place]):
        if each["target"] == own["target"] and not each["rule"]:
            return False
        if each == {**own, "at": each["at"]}:
            return bool(own["at"] - each["at"] <= SAME_HOLD)
    return False


@_anew
@given(told=decided)
def test_the_same_hold_is_one_deed(ground: Ground, told: list[dict[str, Any]]) -> None:
    start = beginning()
    with ground.open() as history:
        history.write(
            make(Decided, start + each["at"], allowed=not each["rule"], **{k: v for k, v in each.items() if k != "at"})
            for each in told
        )
        found = deeds(history, start, start + 90_000)
        newest = deeds(history, start, start + 90_000, limit=3)
    held = [
        (start + each["at"], each["target"], each["level"], each["rule"])
        for place, each in enumerate(told)
        if each["rule"] and not is_same(told, place)
    ]
    assert sorted((each.at, each.target, each.level, each.why) for each in found) == sorted(held)
    assert [each.at for each in found] == sorted((each.at for each in found), reverse=True)
    assert newest == found[:3]
    assert {each.what for each in found} <= {"held"}


def test_what_was_done(ground: Ground) -> None:
    with ground.open() as history:
        history.write(
            [
                make(Decided, NOW, allowed=False, rule="backoff", reason="for 10 s", cause="oom"),
                make(Decided, NOW + 60, allowed=True),
                make(Recovered, NOW + 61, outcome="failed", reason="it died again", seconds=1.0, cause="oom"),
                make(Recovered, NOW + 120, seconds=-3.0),
            ]
        )
        first, second, third = deeds(history, NOW, NOW + HOUR)
    assert (first.what, first.seconds, first.why) == ("restored", None, "")
    assert second == Deed(NOW + 61, "mugen", KAEDE, "L1", "failed", "it died again", "oom", 1.0)
    assert third == Deed(NOW, "mugen", KAEDE, "L1", "held", "backoff: for 10 s", "oom")


def test_the_last_prediction_of_a_subject_counts(ground: Ground) -> None:
    with ground.open() as history:
        history.write(
            [
                make(Predicted, NOW - 2 * DAY, subject="memory"),
                make(Predicted, NOW, subject="disk", summary="first"),
                make(Predicted, NOW - 60, subject="disk", summary="last to arrive"),
                make(Predicted, NOW, subject="disk", host="pixel"),
            ]
        )
        found = last_predictions(history, NOW - DAY)
    assert {named: each.summary for named, each in found.items()} == {
        ("mugen", "disk"): "last to arrive",
        ("pixel", "disk"): "",
    }


def test_a_seeded_history_is_the_same_on_both(ground: Ground) -> None:
    """The seeder's own figures are known: each trouble is down for as long as its repair took."""
    made = seed(ground.folder, hosts=3, days=1, every=300, url=ground.url, trouble_every=100)
    assert (made.looks, made.troubles, made.hosts) == (864, 8, ("host-1", "host-2", "host-3"))
    with ground.open() as history:
        found = availability_of_hosts(history, made.since, made.until)
        assert len(history.records(Observation)) == made.looks
        failed = [each for each in history.records(Recovered) if each.outcome == "failed"]
        assert len(failed) == 1
        down = sum(each.down for each in found.values())
        repairs = [each for each in history.records(Recovered) if each.outcome == "restored" and "+" not in each.run]
        assert down == pytest.approx(sum(each.seconds + 0.1 for each in repairs) + 300, abs=1e-3)
        assert sum(each.uncounted for each in found.values()) == pytest.approx(0, abs=1e-3)
        series = usage_series(history, made.since, made.until, 3600)
        assert {named[0] for named in series} == set(made.hosts)
        assert all(sum(each.count) == 288 for each in series.values())
        assert all(0 <= value <= 100 for each in series.values() for value in each.high)
