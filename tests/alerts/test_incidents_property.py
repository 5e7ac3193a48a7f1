"""Whatever happens in whatever order, and whatever the clock does: nobody is told twice, and nothing stays open."""

from __future__ import annotations

from hypothesis import given, strategies as st

from miyabi.alert_rules import Stop
from miyabi.incidents import is_told
from miyabi.severity import SEVERITIES, rank
from miyabi.verdict import Verdict, case_of, covered
from tests.alerts.telling import Telling

HEALTHY_AFTER = 600.0
STILL_OPEN = 3600.0
HOSTS = ("a", "b", "")
TARGETS = ("", "s", "s:w.p")
KINDS = ("repaired", "held", "not-restored", "unreachable", "unknown", "threshold", "storm")

places = st.tuples(st.sampled_from(HOSTS), st.sampled_from(TARGETS))
verdicts = st.builds(
    lambda place, kind, severity, covers: Verdict(
        host=place[0], target=place[1], kind=kind, severity=severity, summary=kind, covers=covers
    ),
    places,
    st.sampled_from(KINDS),
    st.sampled_from((None, *SEVERITIES)),
    st.lists(places.map(lambda place: covered(*place)).filter(bool), max_size=3).map(tuple) | st.just(()),
)
runs = st.tuples(
    # Seconds since the run before; now and then the clock is set.
    st.floats(0, 900) | st.floats(-7200, 7200) | st.just(0.0),
    st.lists(verdicts, max_size=4),
    st.sets(places, max_size=4),
)


@given(st.lists(runs, max_size=40))
def test_never_opened_twice_never_told_too_often_and_closed_in_the_end(
    history: list[tuple[float, list[Verdict], set[tuple[str, str]]]],
) -> None:
    telling = Telling(healthy_after=HEALTHY_AFTER, still_open=STILL_OPEN, stop=Stop(2, 1800))
    now = 1e9
    # The time that has gone forward since each incident was last told, and how loud it was then.
    since: dict[str, tuple[float, int]] = {}
    for seconds, wrong, well in history:
        now += seconds
        since = {name: (gone + max(0.0, seconds), loud) for name, (gone, loud) in since.items()}
        before = {case_of(each) for each in telling.open}
        for change in telling.changes(now, wrong, well):
            if change.change == "opened":
                assert change.incident not in since
                assert case_of(change) not in before
                assert is_told(change)
            else:
                assert change.incident in since
            if is_told(change) and change.change == "still-open":
                assert since[change.incident][0] >= STILL_OPEN - 1e-3
            if is_told(change) and change.change == "changed":
                assert rank(change.severity) > since[change.incident][1]
            if is_told(change):
                since[change.incident] = (0.0, rank(change.severity))
        assert len({case_of(each) for each in telling.open}) == len(telling.open)
    everything = {(host, target) for host in HOSTS for target in TARGETS}
    telling.run(now, well=everything)
    telling.run(now + HEALTHY_AFTER, well=everything)
    # The emergency stop begins to be well when nothing is critical any more.
    telling.run(now + 2 * HEALTHY_AFTER, well=everything)
    assert telling.open == ()
    opened = [each.incident for each in telling.all if each.change == "opened"]
    closed = [each.incident for each in telling.all if each.change == "closed"]
    assert sorted(opened) == sorted(closed)
    assert len({each.event for each in telling.all}) == len(telling.all)
