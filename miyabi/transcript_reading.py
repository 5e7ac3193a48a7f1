"""What an agent's transcript adds to what its screen says: its own errors are told from quoted ones there. Pure."""

from __future__ import annotations

from dataclasses import replace

from miyabi.agent_kind import AgentKind
from miyabi.agent_state import AgentCondition, AgentPane
from miyabi.agent_texts import Reading, read_text
from miyabi.transcript import LastEntry, last_entry

# How much later the screen may have changed than the transcript that it still agrees with.
_LATER = 60.0
# How sure it is when both agree; when only one of them says something; when they contradict each other.
_AGREED, _ALONE, _TORN = 0.97, 0.85, 0.7

_NAMES: tuple[tuple[AgentCondition, frozenset[str]], ...] = (
    ("login", frozenset({"authentication_failed", "unauthorized", "oauth_org_not_allowed"})),
    ("limited", frozenset({"usage_limit_exceeded", "billing_error"})),
    ("context-full", frozenset({"context_window_exceeded"})),
    ("overloaded", frozenset({"rate_limit", "server_error", "overloaded", "server_overloaded"})),
)


def with_transcript(reading: Reading, seen: AgentPane, kind: AgentKind, *, offset: int, now: float) -> Reading:
    """A screen's verdict, and what the transcript makes of it.

    + offset: the host's zone, seconds east of UTC
    + now: the host's clock, in seconds since the epoch

    What is seen to work or to ask is not in a transcript yet: then the screen alone counts.
    """
    if reading.condition in {"working", "permission", "trust"} or reading.menu or seen.transcript is None:
        return reading
    entry = last_entry(seen.transcript.lines)
    if entry is None:
        return reading
    is_older = seen.same_since is not None and seen.same_since - seen.transcript.changed_at > _LATER
    if is_older and not (entry.last == "error" and reading.condition in {"idle", "unknown"}):
        return reading
    told = _from_entry(entry, kind, offset=offset, now=now)
    return _against(reading, entry) if told is None else _together(reading, told)


def _together(reading: Reading, told: Reading) -> Reading:
    if reading.condition == told.condition:
        until = told.until if told.until is not None else reading.until
        return replace(reading, confidence=max(reading.confidence, _AGREED), until=until)
    confidence = _ALONE if reading.condition == "unknown" else _TORN
    return replace(told, confidence=confidence, drafted=reading.drafted, composer=reading.composer)


def _against(reading: Reading, entry: LastEntry) -> Reading:
    """A screen that tells of a trouble of which the newest transcript knows nothing."""
    # That its context is full only its screen says.
    if entry.last == "error" or reading.condition in {"idle", "unknown", "context-full"}:
        return reading
    detail = f"its screen says {reading.condition}, its transcript says nothing of it"
    return replace(reading, confidence=min(reading.confidence, _TORN), detail=detail)


def _from_entry(entry: LastEntry, kind: AgentKind, *, offset: int, now: float) -> Reading | None:
    """What an error in the transcript says; None when the last entry is none."""
    if entry.last == "retrying":
        return Reading("overloaded", 0.9, (entry.text,), detail="tries again by itself", retrying=True)
    if entry.last != "error":
        return None
    said_at = entry.at if entry.at is not None else now
    read = read_text(kind, entry.text, said_at=said_at, offset=offset, exact=entry.at is not None)
    condition = read.condition if read else _named(entry)
    if read is not None or condition is None:
        return read
    return Reading(condition, 0.9, (entry.text,) if entry.text else (), detail=entry.text[:200] or entry.error)


def _named(entry: LastEntry) -> AgentCondition | None:
    """The condition that an error's status or name means."""
    if entry.status in {401, 403}:
        return "login"
    by_name = next((condition for condition, names in _NAMES if entry.error in names), None)
    return by_name or ("overloaded" if entry.status == 429 or (entry.status or 0) >= 500 else None)
