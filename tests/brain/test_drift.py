"""What counts as drift, and at which level."""

from __future__ import annotations

from typing import Any

import pytest

from miyabi import spec, state
from miyabi.drift import Target, escalate, find_drift, reason_to_refuse
from miyabi.levels import Level
from miyabi.match import match_sessions
from tests.brain.fleet_state import agent, host, plain, seen_pane, seen_window, wanted, window


def drifts(spec_: spec.Spec, seen: state.Host) -> list[tuple[str, str, str]]:
    assert seen.tmux is not None
    found = find_drift(match_sessions(spec_, seen.tmux, seen.processes), seen)
    return [(drift.kind, str(drift.target), drift.level.name) for drift in found]


ONE_AGENT = wanted(window("w", agent("kaede"), plain("p")))


@pytest.mark.parametrize(
    ("restart", "death", "expected"),
    [
        ("on-failure", {"dead_status": 1}, "L1"),
        ("on-failure", {"dead_status": 0}, None),
        ("on-failure", {"dead_signal": "9"}, "L1"),
        ("on-failure", {"dead_signal": "SIGKILL"}, "L1"),
        ("on-failure", {}, "L1"),
        ("always", {"dead_status": 0}, "L1"),
        ("never", {"dead_status": 1}, None),
    ],
)
def test_a_dead_agent_and_its_restart_policy(
    restart: spec.RestartPolicy, death: dict[str, Any], expected: str | None
) -> None:
    spec_ = wanted(window("w", agent("kaede", restart=restart), plain("p")))
    seen = host(seen_window("w", seen_pane(0, "kaede", dead=True, **death), seen_pane(1, "p")))
    assert drifts(spec_, seen) == ([("pane-dead", "s:w.kaede", expected)] if expected else [])


@pytest.mark.parametrize(
    ("tree", "exited"),
    [
        ({0: "-bash"}, True),
        ({0: "/usr/bin/zsh -l"}, True),
        ({0: "bash --norc -i"}, True),
        ({0: "dash"}, True),
        ({0: "bash -l -c claude"}, False),
        ({0: "sh agent.sh"}, False),
        ({0: "sh -c while :; do sleep 1; done"}, False),
        ({0: "node /usr/bin/claude"}, False),
        ({0: "2.1.34"}, False),
        ({}, False),
    ],
)
def test_an_agent_has_exited_only_when_an_idle_shell_is_all_that_is_left(tree: dict[int, str], exited: bool) -> None:
    seen = host(seen_window("w", seen_pane(0, "kaede"), seen_pane(1, "p")), processes=tree)
    assert drifts(ONE_AGENT, seen) == ([("agent-exited", "s:w.kaede", "L1")] if exited else [])


def test_a_shell_with_a_child_is_not_idle() -> None:
    seen = host(seen_window("w", seen_pane(0, "kaede"), seen_pane(1, "p")), processes={0: "-bash"})
    child = state.Process(7, 1000, "claude")
    assert seen.processes is not None
    busy = state.Host(tmux=seen.tmux, processes=(*seen.processes, child))
    assert drifts(ONE_AGENT, busy) == []


@pytest.mark.parametrize(
    ("panes", "damaged", "level"),
    [(1, 1, "L1"), (2, 1, "L1"), (2, 2, "L2"), (3, 1, "L1"), (3, 2, "L2"), (4, 2, "L1"), (4, 3, "L2")],
)
def test_a_window_is_rebuilt_only_when_most_of_several_panes_are_damaged(panes: int, damaged: int, level: str) -> None:
    spec_ = wanted(window("w", *(plain(f"p{n}") for n in range(panes))))
    seen = host(seen_window("w", *(seen_pane(n, f"p{n}", dead=n < damaged, dead_status=1) for n in range(panes))))
    assert {level for _, _, level in drifts(spec_, seen)} == {level}


def test_missing_things_have_their_levels() -> None:
    spec_ = wanted(window("w", plain("a"), plain("b"), plain("c")), window("x", plain("d")))
    seen = host(seen_window("w", seen_pane(0, "a"), seen_pane(1, "c")))
    assert drifts(spec_, seen) == [("pane-missing", "s:w.b", "L1"), ("window-missing", "s:x", "L2")]
    assert drifts(spec_, host(seen_window("w", seen_pane(0)), session="t", managed=False)) == [
        ("session-missing", "s", "L3")
    ]
    assert drifts(spec_, host(running=False)) == [("session-missing", "s", "L3")]


def test_a_pane_that_a_human_moved_is_not_missing() -> None:
    spec_ = wanted(window("w", plain("a"), plain("b")))
    moved = host(seen_window("w", seen_pane(0, "a")), seen_window("mine", seen_pane(5, "b"), managed=False, index=3))
    assert drifts(spec_, moved) == []
    all_moved = host(seen_window("mine", seen_pane(0, "a"), seen_pane(5, "b"), managed=False, index=3))
    assert drifts(spec_, all_moved) == []


def test_renaming_and_renumbering_are_no_drift() -> None:
    spec_ = wanted(window("w", plain("a")))
    renamed = state.Window("@7", 9, "bash", active=True, layout="x", name="w", panes=(seen_pane(3, "a"),))
    assert drifts(spec_, host(renamed)) == []


def test_adoption_marks_what_is_there_and_takes_no_human_pane_for_an_agent() -> None:
    seen = host(
        seen_window("w", seen_pane(0), seen_pane(1), managed=False),
        managed=False,
        processes={0: "vim notes", 1: "node /opt/claude --resume"},
    )
    assert drifts(ONE_AGENT, seen) == [
        ("unmarked", "s", "L1"),
        ("unmarked", "s:w", "L1"),
        ("unmarked", "s:w.kaede", "L1"),
        ("unmarked", "s:w.p", "L1"),
    ]
    without = host(seen_window("w", seen_pane(0), managed=False), managed=False, processes={0: "vim notes"})
    assert ("pane-missing", "s:w.kaede", "L1") in drifts(ONE_AGENT, without)


def test_a_pane_beside_managed_ones_is_never_adopted() -> None:
    seen = host(seen_window("w", seen_pane(0, "kaede"), seen_pane(1)), processes={0: "claude", 1: "-bash"})
    assert drifts(ONE_AGENT, seen) == [("pane-missing", "s:w.p", "L1")]


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (state.Host(unknown={"tmux": "no answer within 5 s"}), "no answer within 5 s"),
        (state.Host(), "tmux was not observed"),
        (state.Host(tmux=state.Tmux("3.3a", running=False), unknown={"processes": "no ps"}), "processes: no ps"),
        (host(running=False), None),
    ],
)
def test_what_is_needed_must_be_known(seen: state.Host, reason: str | None) -> None:
    expected = None if reason is None else f"the tmux fleet is unknown, nothing is changed: {reason}"
    assert reason_to_refuse(ONE_AGENT, seen) == expected


def test_processes_are_needed_only_for_supervised_panes() -> None:
    seen = state.Host(tmux=state.Tmux("3.3a", running=False), unknown={"processes": "no ps"})
    assert reason_to_refuse(wanted(window("w", plain("p"))), seen) is None


def test_a_spec_without_sessions_needs_no_tmux() -> None:
    assert reason_to_refuse(spec.Spec("spec.yaml", "digest"), state.Host(unknown={"tmux": "not installed"})) is None


def test_what_did_not_hold_climbs_with_everything_inside_it() -> None:
    seen = host(seen_window("w", seen_pane(0, "kaede", dead=True, dead_status=7), seen_pane(1, "p")))
    assert seen.tmux is not None
    found = find_drift(match_sessions(ONE_AGENT, seen.tmux, seen.processes), seen)
    for attempts, level in [
        ({}, Level.L1),
        ({Target("s", "w", "kaede"): Level.L1}, Level.L2),
        ({Target("s", "w"): Level.L2}, Level.L3),
        ({Target("s"): Level.L3}, Level.L4),
        ({Target("s", "w", "p"): Level.L1, Target("t"): Level.L3}, Level.L1),
    ]:
        [climbed] = escalate(found, attempts)
        assert climbed.level == level
