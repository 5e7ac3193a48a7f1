"""What is made of a run's records: a tree of spans that holds together, whatever the records say."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, strategies as st

from miyabi.records import Decided, Observation, Record, Recovered, RunEnded, RunStarted
from miyabi.traces import Span, ended_within, spans_of
from tests.history.ground import NOW, make
from tests.monitoring.runs import HOST, PANE, WINDOW, a_run


def named(spans: tuple[Span, ...]) -> dict[str, Span]:
    """The spans by their names."""
    assert len({each.name for each in spans}) == len(spans)
    return {each.name: each for each in spans}


def test_a_run_is_a_tree_of_its_hosts_levels_and_tries() -> None:
    spans = spans_of(a_run("first", NOW))
    by_id = {each.span_id: each for each in spans}
    assert len(by_id) == len(spans) == 1 + 2 + 3 + 4
    [root] = [each for each in spans if each.parent_id is None]
    assert (root.name, root.start, root.end, root.is_failed) == ("recovery", NOW - 20, NOW, True)
    assert root.attributes["miyabi.run"] == "first"
    assert [each.name for each in root.events] == ["incident opened"]

    def way(span: Span) -> list[str]:
        return [] if span.parent_id is None else [*way(by_id[span.parent_id]), span.name]

    assert sorted(way(each) for each in spans) == [
        [],
        ["host cloud-1"],
        ["host cloud-1", "level L4"],
        ["host cloud-1", "level L4", "reboot instance"],
        [f"host {HOST}"],
        [f"host {HOST}", "level L1"],
        [f"host {HOST}", "level L1", f"restore {PANE}"],
        [f"host {HOST}", "level L2"],
        [f"host {HOST}", "level L2", f"restore {PANE}"],
        [f"host {HOST}", "level L2", f"restore {WINDOW}"],
    ]
    assert {each.trace_id for each in spans} == {root.trace_id}


def test_a_try_says_what_it_was_for_and_what_came_of_it() -> None:
    spans = spans_of(a_run("first", NOW))
    [first] = [
        each for each in spans if each.attributes.get("miyabi.level") == "L1" and "miyabi.does" in each.attributes
    ]
    assert (first.start, first.end) == (NOW - 17, NOW - 12)
    assert dict(first.attributes) == {
        "host.name": HOST,
        "miyabi.target": PANE,
        "miyabi.level": "L1",
        "miyabi.does": "restore",
        "miyabi.outcome": "failed",
        "miyabi.cause": "oom",
        "miyabi.kind": "pane-dead",
        "miyabi.reason": "died",
        "miyabi.first_try": True,
    }
    assert (first.is_failed, first.failure) == (True, "exited again, password=********")


def test_a_host_says_what_was_held_and_fails_only_when_the_last_try_did() -> None:
    spans = named(tuple(each for each in spans_of(a_run("first", NOW)) if each.name.startswith("host ")))
    assert not spans[f"host {HOST}"].is_failed
    assert spans["host cloud-1"].is_failed
    [held] = spans[f"host {HOST}"].events
    assert (held.name, held.attributes["miyabi.rule"], held.attributes["miyabi.reason"]) == (
        "held",
        "pause",
        "paused: I look at it",
    )


def test_the_same_run_is_the_same_trace_in_whatever_order_its_records_come() -> None:
    records = a_run("first", NOW)
    mixed = [*records, *records]
    random.Random(8).shuffle(mixed)  # noqa: S311 - not for a secret
    assert set(map(repr, spans_of(mixed))) == set(map(repr, spans_of(records)))
    other = spans_of(a_run("second", NOW))
    assert not {each.span_id for each in other} & {each.span_id for each in spans_of(records)}


def test_a_run_that_repaired_nothing_is_no_trace() -> None:
    quiet = [
        make(RunStarted, NOW),
        make(Observation, NOW),
        make(Decided, NOW, allowed=False),
        make(RunEnded, NOW, outcome="held", seconds=1.0, hosts=1),
    ]
    assert spans_of(quiet) == ()


def test_a_run_without_an_end_is_told_as_far_as_it_is_known() -> None:
    [root, *_] = spans_of(a_run("cut", NOW, is_ended=False))
    assert (root.attributes["miyabi.outcome"], root.end) == ("unfinished", NOW - 1)
    [alone, *_] = spans_of([make(Recovered, NOW, seconds=3.0)])
    assert (alone.start, alone.end) == (NOW - 3, NOW)


def test_texts_are_bounded_and_carry_no_secret_and_no_escape() -> None:
    spans = spans_of(
        [make(Recovered, NOW, target="x\x1b[31m\ud800", reason="token=abc " + "y" * 9000, outcome="failed")]
    )
    assert spans[-1].name == "restore x"
    assert spans[-1].failure.startswith("token=******** yyy")
    assert len(spans[-1].failure) == 1000


@pytest.mark.parametrize(
    ("since", "until", "chosen"),
    [
        (NOW - 10, NOW + 10, {"ended"}),
        (NOW, NOW + 10, set()),
        (NOW - 10, NOW - 1, set()),
        # One without an end counts as ended an hour after the last that is known of it.
        (NOW + 3590, NOW + 3610, {"cut"}),
    ],
)
def test_runs_are_chosen_by_their_end(since: float, until: float, chosen: set[str]) -> None:
    records = [*a_run("ended", NOW), *a_run("cut", NOW, is_ended=False)]
    assert {each.run for each in ended_within(records, since, until)} == chosen


_MOMENTS = st.floats(NOW - 1e6, NOW + 1e6)
_RECORDS = st.lists(
    st.one_of(
        st.builds(lambda at, run: make(RunStarted, at, run=run), _MOMENTS, st.sampled_from("ab")),
        st.builds(
            lambda at, run: make(RunEnded, at, run=run, outcome="clean", seconds=1.0, hosts=1),
            _MOMENTS,
            st.sampled_from("ab"),
        ),
        st.builds(
            lambda at, run, host, allowed: make(Decided, at, run=run, host=host, allowed=allowed),
            _MOMENTS,
            st.sampled_from("ab"),
            st.text(max_size=3),
            st.booleans(),
        ),
        st.builds(
            lambda at, run, host, level, seconds: make(Recovered, at, run=run, host=host, level=level, seconds=seconds),
            _MOMENTS,
            st.sampled_from("ab"),
            st.text(max_size=3),
            st.sampled_from(["L1", "L2", "upkeep"]),
            st.floats(-10, 1e5),
        ),
    ),
    max_size=12,
)


@given(_RECORDS)
def test_whatever_the_clock_did_each_span_lies_within_its_parent(records: list[Record]) -> None:
    spans = spans_of(records)
    by_id = {each.span_id: each for each in spans}
    assert len(by_id) == len(spans)
    known: set[str] = set()
    for each in spans:
        assert each.start <= each.end
        assert each.parent_id is None or each.parent_id in known
        known.add(each.span_id)
        if each.parent_id is not None:
            parent = by_id[each.parent_id]
            assert parent.trace_id == each.trace_id
            assert parent.start <= each.start
            assert each.end <= parent.end
