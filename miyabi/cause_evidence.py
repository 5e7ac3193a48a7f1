"""What is left of something that was damaged, gathered from what was seen of its host. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from miyabi import state
from miyabi.drift import Drift
from miyabi.last_words import LastWords, Screen
from miyabi.records import Observation

# Seconds between the kernel's word and a death that belong together; without the time of death, how old it may be.
_TOGETHER, _RECENT = 5.0, 600.0

KERNEL_OOM = re.compile(r"out of memory|oom[-_ ]kill|oom_reaper", re.IGNORECASE)
EXIT_CODE = re.compile(r"\bexit(?:ed with status| code) (\d{1,3})\b")
_DIED_BY = re.compile(r"died by signal (\w+)")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is left of something that was damaged.

    + kind: of the drift, or ``upkeep``, or ``unreachable``
    + subject: of upkeep, such as ``server mcp``
    + error: what an operation, a probe or a finding said, in words
    + status, signal: how its process ended; a signal is a number, or a name as macOS prints it
    + screen: the last lines that its pane shows
    + kernel: what the kernel says of it
    + oom_counted: whether the kernel has counted ends for want of memory around it, and says no more
    + rebooted: whether the machine was started anew since it was well
    + server_running: whether its tmux server runs
    + seen_before: whether the host was ever seen well
    + disk_used, memory_available: in percent
    + timed_out: whether something took longer than it may

    None is unknown.
    """

    kind: str = ""
    subject: str = ""
    error: str = ""
    status: int | None = None
    signal: str | None = None
    screen: tuple[str, ...] = ()
    kernel: tuple[str, ...] = ()
    oom_counted: bool = False
    rebooted: bool | None = None
    server_running: bool | None = None
    seen_before: bool = True
    disk_used: float | None = None
    memory_available: float | None = None
    timed_out: bool = False


def evidence_of_drift(
    drift: Drift, seen: state.Host, words: LastWords | None = None, before: Observation | None = None
) -> Evidence:
    """What speaks for the cause of a drift.

    + seen: the host as it was when the drift was found
    + words: what was asked of its damaged panes; None when nothing was
    + before: how the host was when it was last well; None when nobody knows
    """
    pane = find_pane(drift, seen)
    screen = words.screens.get(pane.pane_id) if pane is not None and words is not None else None
    said_signal, said_status = _DIED_BY.search(drift.reason), EXIT_CODE.search(drift.reason)
    signal = pane.dead_signal if pane is not None else said_signal and said_signal[1]
    status = pane.dead_status if pane is not None else said_status and int(said_status[1])
    return Evidence(
        kind=drift.kind,
        error=drift.reason if drift.kind == "agent-stalled" else "",
        status=status if drift.kind == "pane-dead" else None,
        signal=signal if drift.kind == "pane-dead" else None,
        screen=screen.lines if screen else (),
        kernel=_kernel_words(words, pane, screen) if words is not None and drift.kind == "pane-dead" else (),
        oom_counted=words is not None and words.kernel is None and bool(words.oom_kills),
        rebooted=_rebooted(seen, before),
        server_running=None if seen.tmux is None else seen.tmux.running,
        seen_before=before is not None,
        disk_used=None if seen.disk is None else seen.disk.used_percent,
        memory_available=None if seen.memory is None else seen.memory.available_percent,
    )


def evidence_of_finding(
    subject: str, reason: str, seen: state.Host | None = None, *, timed_out: bool = False
) -> Evidence:
    """What speaks for the cause of something that upkeep has found.

    + subject: such as ``server mcp``
    + reason: what is wrong with it, in words
    + seen: the host at that time; None when it was not looked at
    """
    return Evidence(
        kind="upkeep",
        subject=subject,
        error=reason,
        disk_used=seen.disk.used_percent if seen and seen.disk else None,
        memory_available=seen.memory.available_percent if seen and seen.memory else None,
        timed_out=timed_out,
    )


def find_pane(drift: Drift, seen: state.Host) -> state.Pane | None:
    """The pane that a drift is about, as it was seen; None when it is about none, or the pane is not there.

    One that was not yet given its name is found when it is the only dead one of its window.
    """
    if not drift.target.pane or seen.tmux is None:
        return None
    sessions = seen.tmux.sessions
    named = (p for session in sessions for window in session.windows for p in window.panes)
    found = next((pane for pane in named if pane.name == drift.target.pane), None)
    if found is not None or drift.kind != "pane-dead":
        return found
    dead = [
        pane
        for session in sessions
        if (session.name or session.session_name) == drift.target.session
        for window in session.windows
        if (window.name or window.window_name) == drift.target.window
        for pane in window.panes
        if pane.dead and pane.name is None
    ]
    return dead[0] if len(dead) == 1 else None


def _rebooted(seen: state.Host, before: Observation | None) -> bool | None:
    if seen.boot is None or before is None or before.boot_id is None:
        return None
    return seen.boot.boot_id != before.boot_id


def _kernel_words(words: LastWords, pane: state.Pane | None, screen: Screen | None) -> tuple[str, ...]:
    """The kernel's lines that are about this pane: they name its pid, or were written when it died."""
    return tuple(
        line.text for line in words.kernel or () if _is_about(line.text, words.now - line.age, words, pane, screen)
    )


def _is_about(text: str, at: float, words: LastWords, pane: state.Pane | None, screen: Screen | None) -> bool:
    if pane is not None and pane.pid is not None and re.search(rf"(?:process |pid=|\[){pane.pid}\b", text):
        return True
    if not KERNEL_OOM.search(text):
        return False
    died_at = screen.died_at if screen else None
    return words.now - at <= _RECENT if died_at is None else abs(at - died_at) <= _TOGETHER
