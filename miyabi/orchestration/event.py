"""One event of an orchestration, as a line of JSON tells it. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from miyabi.orchestration.session_json import depth
from miyabi.orchestration.values import moment, text

# A line of a log that is longer is no event: a state of 50 MB in a checkpoint is the largest thing there may be.
_LONGEST_LINE = 64_000_000
_LARGEST_NUMBER = 2**62

# What is nested more deeply is no event: nothing of a state is.
_DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    + type: such as ``task_created``
    + data: what the type says more of it
    + at: seconds since the epoch; None when it is not told
    + timestamp: the same as it was written; None when it is no moment
    + sequence: its number; None when it has none
    + file, line: where it stands
    """

    type: str
    data: dict[str, Any]
    id: str = ""
    session_id: str = ""
    correlation_id: str = ""
    at: float | None = None
    timestamp: str | int | float | None = None
    sequence: int | None = None
    file: str = ""
    line: int = 0

    @property
    def place(self) -> str:
        """Where it stands, as ``file:line``."""
        return f"{self.file}:{self.line}"


def is_session(name: str, session_id: str) -> bool:
    """Whether both name the same session; a file's name has ``session-`` before it, and an id may have."""
    return bool(name) and name.removeprefix("session-") == session_id.removeprefix("session-")


def is_called(file: str, session_id: str) -> bool:
    """Whether a file of events is called after a session, such as ``events/session-7.jsonl`` after ``7``."""
    stem = file.rpartition("/")[2].partition(".")[0]
    return is_session(stem.removeprefix("events-"), session_id) or is_session(stem.removesuffix("-events"), session_id)


def read_object(line: bytes) -> dict[str, Any] | None:
    """The JSON object that a line is; None when it is none."""
    if len(line) > _LONGEST_LINE or _is_too_deep(line):
        return None
    try:
        found = json.loads(line.strip(b" \t\r\x00"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _is_too_deep(line: bytes) -> bool:
    brackets = line.count(b"{") + line.count(b"[")
    return brackets > _DEEPEST and depth(line) > _DEEPEST


def event_of(found: dict[str, Any], file: str = "", line: int = 0) -> Event:
    """The event that a JSON object is; what it does not say, or says in another type, is left out."""
    data = found.get("data")
    sequence = found.get("sequence")
    is_number = isinstance(sequence, int) and not isinstance(sequence, bool) and 0 <= sequence < _LARGEST_NUMBER
    timestamp = found.get("timestamp")
    happened_at = moment(timestamp)
    return Event(
        type=text(found.get("type")),
        data=data if isinstance(data, dict) else {},
        id=text(found.get("id")),
        session_id=text(found.get("session_id")),
        correlation_id=text(found.get("correlation_id")),
        at=happened_at,
        timestamp=None if happened_at is None else timestamp,
        sequence=sequence if is_number else None,
        file=file,
        line=line,
    )
