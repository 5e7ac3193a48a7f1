"""What is gathered of a drift: its pane, its screen, and those of the kernel's lines that are about it."""

from __future__ import annotations

import pytest

from miyabi import state
from miyabi.cause import attribute, evidence_of_drift, evidence_of_finding, find_pane
from miyabi.drift import Drift, DriftKind, Target, find_drift
from miyabi.last_words import KernelLine, LastWords, Screen
from miyabi.levels import Level
from miyabi.match import match_sessions
from miyabi.records import Observation
from tests.brain.fleet_state import agent, host, seen_pane, seen_window, wanted, window

NOW = 1_800_000_000.0
OTHERS = "Out of memory: Killed process 77 (rustc) total-vm:9100412kB"
OWN = "oom-kill:constraint=CONSTRAINT_MEMCG,task_memcg=/user.slice,task=node,pid=1001,uid=1000"
BEFORE = Observation(event="e", run="r", at=NOW - 300, host="mugen", health="healthy", boot_id="one", sessions=1)


def drift(kind: DriftKind = "pane-dead", pane: str = "kaede", reason: str = "") -> Drift:
    return Drift(kind, Target("s", "w", pane), Level.L1, reason)


def seen(**more: object) -> state.Host:
    """A host whose pane kaede is dead by signal 9, unless something else is said of it."""
    return host(seen_window("w", seen_pane(1, "kaede", **({"dead": True, "dead_signal": "9"} | more))))


def words(*kernel: KernelLine, died_at: float | None = NOW - 60, lines: tuple[str, ...] = ()) -> LastWords:
    return LastWords({"%1": Screen("%1", lines, died_at=died_at)}, kernel, None, NOW)


@pytest.mark.parametrize(
    ("kernel", "died_at", "cause"),
    [
        ((), NOW - 60, "killed"),
        ((KernelLine(9000, OWN),), NOW - 60, "oom"),
        ((KernelLine(61, OTHERS),), NOW - 60, "oom"),
        ((KernelLine(70, OTHERS),), NOW - 60, "killed"),
        ((KernelLine(1, OTHERS),), NOW - 60, "killed"),
        ((KernelLine(300, OTHERS),), None, "oom"),
        ((KernelLine(900, OTHERS),), None, "killed"),
        ((KernelLine(60, "node[1001]: segfault at 74 ip 00007f49 error 4"),), NOW - 60, "killed"),
        ((KernelLine(60, "Killed process 10011 (node)"),), NOW - 60, "killed"),
    ],
)
def test_the_kernel_s_word_must_be_about_this_pane(
    kernel: tuple[KernelLine, ...], died_at: float | None, cause: str
) -> None:
    assert attribute(evidence_of_drift(drift(), seen(), words(*kernel, died_at=died_at), BEFORE)).name == cause


def test_a_crash_has_the_kernel_s_line() -> None:
    line = "node[1001]: segfault at 74 ip 00007f49 error 4"
    found = attribute(evidence_of_drift(drift(), seen(dead_signal="11"), words(KernelLine(60, line))))
    assert (found.name, found.lines) == ("crashed", (line,))


@pytest.mark.parametrize(
    ("kernel", "counted", "cause"),
    [(None, 3, "oom"), (None, 0, "killed"), (None, None, "killed"), ((), 3, "killed")],
)
def test_what_a_control_group_counts_is_believed_where_the_kernel_is_not_heard(
    kernel: tuple[KernelLine, ...] | None, counted: int | None, cause: str
) -> None:
    told = LastWords({}, kernel, counted, NOW)
    assert attribute(evidence_of_drift(drift(), seen(), told, BEFORE)).name == cause


def test_the_screen_of_the_pane_itself_counts() -> None:
    told = LastWords({"%1": Screen("%1", ("EACCES: permission denied",)), "%2": Screen("%2", ("API Error: 529",))})
    dead = seen(dead_signal=None, dead_status=1)
    assert attribute(evidence_of_drift(drift(), dead, told)).name == "permission"
    assert attribute(evidence_of_drift(drift(), dead)).name == "failed: exit 1"


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("died by signal 11", "crashed"),
        ("exited with status 3", "failed: exit 3"),
        ("died, tmux does not tell", "unknown"),
    ],
)
def test_without_the_pane_the_drift_s_own_words_count(reason: str, cause: str) -> None:
    assert attribute(evidence_of_drift(drift(reason=reason), host())).name == cause


def test_a_pane_without_its_name_is_found_when_it_is_the_only_dead_one() -> None:
    alone = host(seen_window("w", seen_pane(0, "a"), seen_pane(1, dead=True, dead_status=7)))
    assert (found := find_pane(drift(), alone)) is not None
    assert found.pane_id == "%1"
    two = host(seen_window("w", seen_pane(0, dead=True, dead_status=1), seen_pane(1, dead=True, dead_status=7)))
    assert find_pane(drift(), two) is None
    assert find_pane(drift("window-missing", ""), alone) is None
    assert find_pane(drift(), state.Host()) is None


def test_what_vanished() -> None:
    boot = state.Boot("one", 100.0)

    def cause(kind: DriftKind, seen: state.Host, before: Observation | None = BEFORE) -> str:
        return attribute(evidence_of_drift(drift(kind, ""), seen, None, before)).name

    running = state.Host(tmux=state.Tmux("3.3a", running=True), boot=boot)
    gone = state.Host(tmux=state.Tmux("3.3a", running=False), boot=boot)
    anew = state.Host(tmux=state.Tmux("3.3a", running=False), boot=state.Boot("two", 5.0))
    assert [cause("window-missing", each) for each in (running, gone, anew)] == ["closed", "server-lost", "rebooted"]
    assert [cause("session-missing", each, None) for each in (running, gone, anew)] == ["missing"] * 3
    assert cause("pane-missing", state.Host()) == "unknown"
    unknown_boot = state.Host(tmux=state.Tmux("3.3a", running=False))
    assert cause("session-missing", unknown_boot) == "server-lost"


def test_drifts_as_they_are_found() -> None:
    spec = wanted(window("w", agent("kaede"), agent("momiji")))
    there = host(seen_window("w", seen_pane(1, "kaede", dead=True, dead_status=127), seen_pane(2, "momiji")))
    assert there.tmux is not None
    (found,) = find_drift(match_sessions(spec, there.tmux, ()), there)
    assert attribute(evidence_of_drift(found, there, None, BEFORE)).name == "not-found"


def test_what_upkeep_found_of_a_host() -> None:
    disk = state.Disk("~", "/", 100, 99, 1, 99.5)
    there = state.Host(disk=disk)
    assert attribute(evidence_of_finding("integration x", "exit code 5", there)).name == "disk-full"
    assert attribute(evidence_of_finding("integration x", "exit code 5")).name == "failed: exit 5"
    assert attribute(evidence_of_finding("integration x", "it is odd", timed_out=True)).name == "timeout"
