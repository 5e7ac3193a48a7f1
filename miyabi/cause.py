"""Why something was damaged, from the evidence that is left of it. Pure.

Strong evidence comes first: what vanished with the machine or with the tmux server, then a signal with the kernel's
word, then what the program said, then its bare exit code. What contradicts the strongest stands in the detail.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from miyabi.cause_evidence import (
    EXIT_CODE,
    KERNEL_OOM,
    Evidence,
    evidence_of_drift,
    evidence_of_finding,
    find_pane,
)
from miyabi.cause_names import CAUSES
from miyabi.cause_patterns import Said, heap_said, said_in, signal_said, spoken

__all__ = ["CAUSES", "Cause", "Evidence", "attribute", "evidence_of_drift", "evidence_of_finding", "find_pane"]

_VANISHED = frozenset({"session-missing", "window-missing", "pane-missing"})

# How full a disk must be to explain what says nothing itself.
_FULL = 99.0

_BY_SUBJECT = {
    "sshd": "sshd-down",
    "server": "mcp-down",
    "log": "log-overgrown",
    "temp": "litter",
    "config": "config-broken",
    "orchestration": "state-damaged",
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


# What upkeep does where nothing is damaged, and what is left over from an earlier generation.
_NO_DAMAGE = re.compile(r"backed up\b|it should be down, but runs")
_ORPHANS = re.compile(r"nobody owns|of an earlier generation")


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


def _of_life(evidence: Evidence) -> Iterator[Cause]:
    """What lives, and does nothing any more."""
    if evidence.kind == "agent-stalled":
        yield Cause("stalled", evidence.error, evidence.screen[-3:])


def _of_subject(evidence: Evidence) -> Iterator[Cause]:
    kind = evidence.subject.partition(" ")[0]
    name = _BY_SUBJECT.get(kind)
    if name is None or _NOT_TOLD.match(evidence.error) or _NO_DAMAGE.match(evidence.error):
        return
    yield Cause("orphans" if kind == "server" and _ORPHANS.search(evidence.error) else name, evidence.error)


def _of_signal(evidence: Evidence) -> Iterator[Cause]:
    """A signal that tmux, an exit status or a shell tells of, with the kernel's word."""
    signal, how, lines = _signal(evidence)
    oom = [line for line in evidence.kernel if KERNEL_OOM.search(line)]
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
    told = EXIT_CODE.search(evidence.error)
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
    _of_life,
    _of_subject,
    _of_signal,
    _of_success,
    _of_text,
    _of_status,
)
