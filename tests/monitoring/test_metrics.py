"""The exposition: what Prometheus's own parser reads in it, and that it says nothing that nobody knows."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, strategies as st
from prometheus_client.parser import text_string_to_metric_families

from miyabi import metrics
from miyabi.figures import HostCard, Overview
from miyabi.metrics import exposition, exposition_without_history
from miyabi.records import RunEnded
from tests.monitoring.lint import problems
from tests.monitoring.overviews import EMPTY, HOSTILE, HOSTS, MUGEN, NOW, STALE, an_overview

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def series_of(text: str) -> Series:
    """All samples that Prometheus's parser finds, by name and labels."""
    found: Series = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found
            assert sample.timestamp is None
            found[key] = sample.value
    return found


def told(overview: Overview) -> Series:
    text = exposition(overview, NOW)
    assert list(problems(text)) == []
    return series_of(text)


def value(series: Series, name: str, **labels: str) -> float | None:
    """The value of one series; None where there is none."""
    return series.get((name, tuple(sorted(labels.items()))))


def test_it_says_how_each_host_stands() -> None:
    series = told(an_overview())
    assert value(series, "miyabi_host_health", host="mugen", health="drift") == 1
    assert value(series, "miyabi_host_health", host="mugen", health="healthy") == 0
    assert value(series, "miyabi_host_health", host="cloud-1", health="unreachable") == 1
    assert value(series, "miyabi_hosts", health="healthy") == 1
    assert value(series, "miyabi_host_drifts", host="mugen") == 1
    assert value(series, "miyabi_host_held_drifts", host="mugen") == 1
    assert value(series, "miyabi_host_drifts", host="control") == 0
    assert value(series, "miyabi_host_last_look_timestamp_seconds", host="mugen") == NOW - 40
    assert value(series, "miyabi_disk_used_ratio", host="mugen") == pytest.approx(0.835)
    assert value(series, "miyabi_limit_ratio", host="mugen", measure="disk_used") == pytest.approx(0.9)


def test_agents_are_counted_by_condition_and_what_is_none_is_other() -> None:
    series = told(an_overview())
    agents = {
        dict(labels)["condition"]: number
        for (name, labels), number in series.items()
        if name == "miyabi_host_agents" and dict(labels)["host"] == "mugen"
    }
    assert {condition: number for condition, number in agents.items() if number} == {
        "exited": 1,
        "working": 1,
        "other": 1,
    }
    # What is not there now is 0, so that an alert may wait for it.
    assert agents["dead"] == 0


def test_what_cannot_be_told_has_no_series() -> None:
    series = told(an_overview())
    for host in ("pixel", "cloud-1", "macbook"):
        names = {name for name, labels in series if ("host", host) in labels}
        assert names <= {
            "miyabi_host_health",
            "miyabi_host_since_timestamp_seconds",
            "miyabi_host_last_look_timestamp_seconds",
            "miyabi_host_availability_ratio",
        }
    # It was well when somebody looked, long ago.
    assert value(series, "miyabi_host_health", host="macbook", health="unknown") == 1
    assert value(series, "miyabi_host_health", host="macbook", health="healthy") == 0
    # It slept all the time: nothing of it counts.
    assert value(series, "miyabi_host_availability_ratio", host="pixel") is None
    assert (
        value(series, "miyabi_predicted_crossing_timestamp_seconds", host="mugen", measure="memory_available") is None
    )
    assert value(series, "miyabi_window_recovery_duration_seconds", level="L4", statistic="median") is None
    assert value(series, "miyabi_recovery_budget_seconds", level="upkeep") is None


def test_a_host_that_nobody_ever_looked_at_is_unknown_and_was_never_seen() -> None:
    series = told(an_overview(hosts=(HostCard("new", "unknown", 0.0, 0.0, "no run has looked", is_stale=True),)))
    assert value(series, "miyabi_host_health", host="new", health="unknown") == 1
    assert value(series, "miyabi_host_last_look_timestamp_seconds", host="new") is None
    assert value(series, "miyabi_host_since_timestamp_seconds", host="new") is None


def test_recoveries_availability_budget_and_the_last_run() -> None:
    series = told(an_overview())
    assert value(series, "miyabi_window_seconds") == 7 * 86400
    assert value(series, "miyabi_window_recoveries", level="L1", outcome="restored") == 38
    assert value(series, "miyabi_window_recoveries", level="L4", outcome="failed") == 1
    assert value(series, "miyabi_window_recoveries_first_try", level="L2") == 1
    assert value(series, "miyabi_window_recovery_duration_seconds", level="L1", statistic="p90") == 2.9
    assert value(series, "miyabi_recovery_budget_seconds", level="L2") == 30
    assert value(series, "miyabi_host_availability_ratio", host="mugen") == pytest.approx(0.984)
    assert value(series, "miyabi_availability_ratio") == pytest.approx(0.992)
    assert value(series, "miyabi_error_budget_left_ratio") == pytest.approx(0.2)
    assert value(series, "miyabi_incidents_open", severity="HIGH") == 1
    assert value(series, "miyabi_incidents_open", severity="CRITICAL") == 0
    assert value(series, "miyabi_last_run_outcome", outcome="failed") == 1
    assert value(series, "miyabi_last_run_duration_seconds") == 6.2
    assert (
        value(series, "miyabi_predicted_crossing_timestamp_seconds", host="mugen", measure="disk_used")
        == NOW + 13 * 3600
    )


def test_causes_are_told_without_their_exit_status_and_never_more_than_there_are() -> None:
    series = told(an_overview())
    causes = {
        dict(labels)["cause"]: number for (name, labels), number in series.items() if name == "miyabi_window_failures"
    }
    assert causes == {"permission": 2, "killed": 1, "failed": 4, "other": 4}


def test_a_run_that_goes_on_is_unfinished() -> None:
    run = an_overview().run
    assert run is not None
    series = told(an_overview(run=replace(run, outcome="", seconds=None)))
    assert value(series, "miyabi_last_run_outcome", outcome="unfinished") == 1
    assert value(series, "miyabi_last_run_duration_seconds") is None


def test_every_outcome_of_a_run_is_known() -> None:
    declared = get_args(RunEnded.__dataclass_fields__["outcome"].type) or RunEnded.__annotations__["outcome"]
    assert all(f"'{each}'" in str(declared) for each in metrics.OUTCOMES[:-1])
    assert str(declared).count("'") == 2 * len(metrics.OUTCOMES[:-1])


def test_nothing_at_all_is_no_mistake() -> None:
    series = told(EMPTY)
    assert value(series, "miyabi_history_readable") == 1
    assert value(series, "miyabi_hosts", health="healthy") == 0
    assert value(series, "miyabi_availability_ratio") is None
    assert value(series, "miyabi_error_budget_left_ratio") is None
    assert value(series, "miyabi_last_run_timestamp_seconds") is None


def test_a_history_that_cannot_be_read_says_so_and_nothing_else() -> None:
    text = exposition_without_history(NOW)
    assert list(problems(text)) == []
    names = {name for name, _ in series_of(text)}
    assert names == {"miyabi_build_info", "miyabi_history_readable", "miyabi_written_timestamp_seconds"}
    assert value(series_of(text), "miyabi_history_readable") == 0
    assert value(told(an_overview(trouble="the database is away")), "miyabi_history_readable") == 0


@pytest.mark.parametrize("value_of", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_has_no_series(value_of: float) -> None:
    card = replace(MUGEN, since=value_of, seen_at=value_of, load=value_of, disk_used=value_of)
    series = told(an_overview(hosts=(card,)))
    assert all(math.isfinite(each) for each in series.values())
    assert value(series, "miyabi_host_load1", host="mugen") is None


def test_a_hostile_name_stays_a_label() -> None:
    text = exposition(an_overview(hosts=(replace(MUGEN, host=HOSTILE), replace(MUGEN, host="\ud800"), *HOSTS)), NOW)
    assert list(problems(text)) == []
    text.encode()
    assert "\x1b" not in text
    assert "\u202e" not in text
    series = series_of(text)
    assert "miyabi_fake" not in {name for name, _ in series}
    hosts = {dict(labels)["host"] for name, labels in series if name == "miyabi_host_drifts"}
    assert hosts == {HOSTILE.encode("unicode_escape").decode().replace("\\\\", "\\"), "\\ud800", "mugen", "control"}


def test_two_hosts_that_look_the_same_are_no_duplicate() -> None:
    series = told(an_overview(hosts=(replace(MUGEN, host="\x1b"), replace(STALE, host="\\x1b"), MUGEN, MUGEN)))
    assert value(series, "miyabi_host_drifts", host="\\x1b") == 1


_NUMBERS = st.one_of(st.none(), st.floats())
_CARDS = st.builds(
    HostCard,
    host=st.text(max_size=8),
    health=st.one_of(st.sampled_from(metrics.HEALTHS), st.text(max_size=3)),
    since=st.floats(),
    seen_at=st.floats(),
    is_stale=st.booleans(),
    agents=st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3),
    disk_used=_NUMBERS,
    memory_available=_NUMBERS,
    load=_NUMBERS,
    uptime=_NUMBERS,
)


@given(st.lists(_CARDS, max_size=4), st.dictionaries(st.text(max_size=4), st.integers(0, 99), max_size=3))
def test_whatever_is_in_it_it_can_be_parsed(cards: list[HostCard], causes: dict[str, int]) -> None:
    series = told(an_overview(hosts=tuple(cards), causes=causes))
    assert all(math.isfinite(each) for each in series.values())
    assert sum(value(series, "miyabi_hosts", health=each) or 0 for each in metrics.HEALTHS) == len(cards)


def test_fifty_hosts_with_a_hundred_agents_each_stay_within_bounds() -> None:
    agents = {f"s{n}:w.p": f"strange {n}" for n in range(100)}
    series = told(an_overview(hosts=tuple(replace(MUGEN, host=f"host-{n}", agents=agents) for n in range(50))))
    assert len(series) < 50 * 40
