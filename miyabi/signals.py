"""Signals: what a run tells to others, and what others may tell. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from miyabi.levels import Level
from miyabi.message import refuse_message
from miyabi.records import Signalled

OUTGOING = (
    "RECOVERY_COMPLETE",
    "RECOVERY_AGENTS_READY",
    "RECOVERY_REPORT",
    "HEALTH_OK",
    "recovery_status",
    "session_snapshot",
)

# What others may tell, and the level that begins then: it makes the tool look, and acts on what is wrong alone.
INCOMING: Mapping[str, Level] = {
    "agent-unresponsive": Level.L1,
    "agent-timeout": Level.L1,
    "session-crash": Level.L2,
    "instance-failure": Level.L4,
}

# What a pane takes as one message.
_LONGEST_LINE = 400


def recovery_complete(run: str, at: float, host: str, level: Level) -> Signalled:
    """A host is well again, and this was the highest level that it took."""
    return _signal("RECOVERY_COMPLETE", run, at, host, {"level": level.title})


def agents_ready(run: str, at: float, host: str, agents: Iterable[str]) -> Signalled:
    """The agents that were started again run.

    + agents: their targets
    """
    return _signal("RECOVERY_AGENTS_READY", run, at, host, {"agents": list(agents)})


def recovery_report(run: str, at: float, host: str, details: Mapping[str, Any]) -> Signalled:
    """How a recovery went, in words and numbers.

    + details: such as ``{"summary": "L2_SESSION restored in 0.4 s: work:main"}``
    """
    return _signal("RECOVERY_REPORT", run, at, host, details)


def health_ok(run: str, at: float, host: str = "") -> Signalled:
    """All is well.

    + host: "" is the whole fleet
    """
    return _signal("HEALTH_OK", run, at, host, {})


def recovery_status(  # noqa: PLR0913, PLR0917 - the fields of the signal
    run: str,
    at: float,
    host: str,
    level: Level | None,
    affected: Iterable[str],
    restored: bool,  # noqa: FBT001 - the signal's own field
    duration: float,
) -> Signalled:
    """What a recovery was about.

    + level: the highest that acted; None is upkeep alone
    + affected: targets
    + restored: whether all of them are well again
    + duration: seconds
    """
    details = {
        "level": level.title if level else "UPKEEP",
        "affected": list(affected),
        "restored": restored,
        "duration": f"{duration:.1f}s",
    }
    return _signal("recovery_status", run, at, host, details)


def session_snapshot(  # noqa: PLR0913, PLR0917 - the fields of the signal
    run: str, at: float, host: str, sessions: Iterable[str], windows: int, panes: int
) -> Signalled:
    """What there is on a host after a recovery: the names of its sessions, and how many windows and panes."""
    details = {"sessions": list(sessions), "windows": windows, "panes": panes}
    return _signal("session_snapshot", run, at, host, details)


def line_of(signal: Signalled) -> str:
    """A signal as one line, as a pane gets it: ``RECOVERY_COMPLETE: L2_SESSION (mugen)``."""
    # A signal that only is remembered needs none of this.
    from miyabi.masking import masked  # noqa: PLC0415

    text = signal.signal
    words = [_words(key, value) for key, value in signal.details.items()]
    if words:
        text += f": {', '.join(words)}"
    if signal.host:
        text += f" ({signal.host})"
    printable = "".join(each if each.isprintable() else " " for each in masked(text))
    line = printable if len(printable) <= _LONGEST_LINE else f"{printable[: _LONGEST_LINE - 3]}..."
    return line if refuse_message(line) is None else signal.signal


def _words(key: str, value: object) -> str:
    if key in {"level", "summary"}:
        return str(value)
    if isinstance(value, list | tuple):
        return f"{key} {' '.join(map(str, value)) or '-'}"
    return f"{key} {value}"


def _signal(signal: str, run: str, at: float, host: str, details: Mapping[str, Any]) -> Signalled:
    return Signalled(event=f"{run}:{signal}:{host}", run=run, at=at, signal=signal, host=host, details=details)
