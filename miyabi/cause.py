"""Why something was damaged, from the evidence that is left of it. Pure.

Strong evidence comes first: what vanished with the machine or with the tmux server, then a signal with the kernel's
word, then what the program said, then its bare exit code. What contradicts the strongest stands in the detail.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from miyabi import state
from miyabi.cause_names import CAUSES
from miyabi.cause_patterns import Said, heap_said, said_in, signal_said, spoken
from miyabi.drift import Drift
from miyabi.last_words import LastWords, Screen
from miyabi.records import Observation

__all__ = ["CAUSES", "Cause", "Evidence", "attribute", "evidence_of_drift", "evidence_of_finding", "find_pane"]

_VANISHED = frozenset({"session-missing", "window-missing", "pane-missing"})

# How full a disk must be to explain what says nothing itself.
_FULL = 99.0

# Seconds between the kernel's word and a death that belong together; without the time of death, how old it may be.
_TOGETHER, _RECENT = 5.0, 600.0

_BY_SUBJECT = {
    "sshd": "sshd-down",
    "server": "mcp-down",
    "log": "log-overgrown",
    "temp": "litter",
    "config": "config-broken",
    "disk": "disk-full",
    "memory": "memory-low",
    "processes": "too-many-processes",
    "clock": "clock-off",
    "wake": "asleep",
    "network": "network",
}
_SIGNALS = {
    1: "HUP", 2: "INT", 3: "QUIT", 4: "ILL", 5: "TRAP", 6: "ABRT", 7: "BUS", 8: "FPE", 9: "KILL", 10: "USR1",
    11: "SEGV", 12: "USR2", 13: "PIPE", 14: "ALRM", 15: "TERM", 24: "XCPU", 25: "XFSZ", 31: "SYS",
}  # fmt: skip
_BY_SIGNAL = {"INT": "interrupted", "QUIT": "interrupted", "TERM": "terminated", "HUP": "terminated", "KILL": "killed"}
_BY_STATUS = {0: "finished", 124: "timeout", 126: "permission", 127: "not-found"}

# What is said of a subject that could not be looked at.
_NOT_TOLD = re.compile(
    r"(?:unknown: )?(?:no answer within|exit code \d+|unexpected output|the probe ended|the host did not)"
)
_EXIT_CODE = re.compile(r"\bexit(?:ed with status| code) (\d{1,3})\b")
_KERNEL_OOM = re.compile(r"out of memory|oom[-_ ]kill|oom_reaper", re.IGNORECASE)
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


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something was damaged.

    + name: one of ``CAUSES``; ``failed`` has the exit status behind it, as in ``failed: exit 1``
    + detail: what speaks for it, and what else was found, in words
    + lines: the lines that decided
    """

    name: str
    detail: str = ""
    lines: tuple[str, ...] = ()


def attribute(evidence: Evidence) -> Cause:
    """The cause that the evidence speaks for most; ``unknown`` when it speaks for none.

    .. code:: python

        attribute(Evidence(kind="pane-dead", status=1, screen=("write: No space left on device",))).name  # "disk-full"
    """
    found = [cause for look in _LOOKS for cause in look(evidence)]
    if not found:
        return Cause("unknown", evidence.error)
    first = found[0]
    others = {cause.name: cause for cause in found[1:] if cause.name.partition(":")[0] != first.name.partition(":")[0]}
    also = "; ".join(f"{each.name} ({each.detail})" if each.detail else each.name for each in others.values())
    return Cause(first.name, f"{first.detail}; also: {also}" if also else first.detail, first.lines)


def _of_place(evidence: Evidence) -> Iterator[Cause]:
    """What vanished with what it was in."""
    if evidence.kind == "unreachable":
        yield Cause("host-unreachable", evidence.error)
    if evidence.kind not in _VANISHED:
        return
    if evidence.rebooted:
        yield Cause("rebooted", "another boot than when it was well")
    elif not evidence.seen_before:
        yield Cause("missing", "the host was not seen before")
    elif evidence.server_running is False:
        yield Cause("server-lost", "no tmux server runs")
    elif evidence.server_running:
        yield Cause("closed", "its tmux server runs on")


def _of_subject(evidence: Evidence) -> Iterator[Cause]:
    name = _BY_SUBJECT.get(evidence.subject.partition(" ")[0])
    if name is not None and not _NOT_TOLD.match(evidence.error):
        yield Cause(name, evidence.error)


def _of_signal(evidence: Evidence) -> Iterator[Cause]:
    """A signal that tmux, an exit status or a shell tells of, with the kernel's word."""
    signal, how, lines = _signal(evidence)
    oom = [line for line in evidence.kernel if _KERNEL_OOM.search(line)]
    if oom and signal in {"KILL", ""} and evidence.status != 0:
        yield Cause("oom", "the kernel ended it for want of memory", tuple(oom[-3:]))
    heap = heap_said(spoken(evidence.screen, None)) if signal in {"KILL", "ABRT", "TRAP", "ILL"} else None
    if heap is not None:
        yield Cause("oom", f"{how}: its own heap was full", (heap.line,))
    if not oom and signal == "KILL" and evidence.oom_counted:
        detail = f"{how}, and its control group counts ends for want of memory; the kernel's own words may not be read"
        yield Cause("oom", detail)
    if signal:
        yield Cause(_BY_SIGNAL.get(signal, "crashed"), how, (*lines, *(() if oom else evidence.kernel[-1:])))


def _signal(evidence: Evidence) -> tuple[str, str, tuple[str, ...]]:
    """The signal's name, how that is known, and the lines that say so; "" when there was none."""
    if evidence.signal:
        told = evidence.signal.upper().removeprefix("SIG")
        name = _SIGNALS.get(int(told), f"number {told}") if told.isdigit() else told
        return name, f"signal {evidence.signal}" + (f" (SIG{name})" if told.isdigit() else ""), ()
    if evidence.status is not None and evidence.status - 128 in _SIGNALS:
        name = _SIGNALS[evidence.status - 128]
        return name, f"exit status {evidence.status} (SIG{name})", ()
    if evidence.status is None or evidence.status > 0:
        said = signal_said(spoken(evidence.screen))
        if said is not None:
            return said[0], f"its shell tells of SIG{said[0]}", (said[1],)
    return "", "", ()


def _of_success(evidence: Evidence) -> Iterator[Cause]:
    if evidence.status == 0 and not evidence.signal:
        yield Cause("finished", "exit status 0")


def _of_text(evidence: Evidence) -> Iterator[Cause]:
    said: Said | None = said_in([evidence.error[:1000]]) if evidence.error else None
    said = said or said_in(spoken(evidence.screen))
    if said is not None:
        yield Cause(said.cause, "it says so", (said.line,))


def _of_status(evidence: Evidence) -> Iterator[Cause]:
    """A bare exit code, and what could explain it."""
    if evidence.timed_out:
        yield Cause("timeout", evidence.error or "it took longer than it may")
    code = evidence.status
    told = _EXIT_CODE.search(evidence.error)
    if code is None and told is not None:
        code = int(told[1])
    if code is None or code == 0 or code - 128 in _SIGNALS:
        return
    if code in _BY_STATUS:
        yield Cause(_BY_STATUS[code], f"exit status {code}")
    elif evidence.disk_used is not None and evidence.disk_used >= _FULL:
        yield Cause("disk-full", f"exit status {code}, and {evidence.disk_used:.0f} % of the disk are used")
    else:
        last = spoken(evidence.screen)[-1:]
        yield Cause(f"failed: exit {code}", f"exit status {code}", tuple(last))


_LOOKS: tuple[Callable[[Evidence], Iterator[Cause]], ...] = (
    _of_place,
    _of_subject,
    _of_signal,
    _of_success,
    _of_text,
    _of_status,
)


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
    said_signal, said_status = _DIED_BY.search(drift.reason), _EXIT_CODE.search(drift.reason)
    signal = pane.dead_signal if pane is not None else said_signal and said_signal[1]
    status = pane.dead_status if pane is not None else said_status and int(said_status[1])
    return Evidence(
        kind=drift.kind,
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
    if not _KERNEL_OOM.search(text):
        return False
    died_at = screen.died_at if screen else None
    return words.now - at <= _RECENT if died_at is None else abs(at - died_at) <= _TOGETHER
