"""What an agent's own transcript says last: JSON lines of Claude Code or of Codex. Pure.

An agent quotes much in what it says and prints; its transcript tells its service's errors from that.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

# error: its service refused, in these words. retrying: it did, and is asked again. ended: the turn is over. open: it
# goes on: a human or a tool has answered, or the agent has said only a part.
Last = Literal["error", "retrying", "ended", "open"]

_LONGEST = 200_000
# Entries that say nothing of the turn.
_ASIDE = frozenset(
    {
        "token_count",
        "rate_limits",
        "session_meta",
        "turn_context",
        "world_state",
        "item_completed",
        "thread_name_updated",
    }
)


@dataclass(frozen=True, slots=True)
class LastEntry:
    """The last entry that says something of the turn.

    + text: of an error, as the agent shows it
    + status: the HTTP status of an error; None when it is not told
    + error: its name, such as ``rate_limit``, "" when it has none
    + at: when it was written, in seconds since the epoch; None when it does not say
    """

    last: Last
    text: str = ""
    status: int | None = None
    error: str = ""
    at: float | None = None


def last_entry(lines: Iterable[str]) -> LastEntry | None:
    """The last entry of a transcript that says something of the turn.

    + lines: the last ones of the file; the first may be cut off

    Returns None when none does. Entries of agents that this one started are passed over.
    """
    for line in reversed(list(lines)):
        entry = _object(line)
        if entry is None:
            continue
        found = _codex(entry) if isinstance(entry.get("payload"), dict) else _claude(entry)
        if found is not None:
            return found
    return None


def _object(line: str) -> dict[str, Any] | None:
    if not line.lstrip().startswith("{") or len(line) > _LONGEST:
        return None
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _claude(entry: dict[str, Any]) -> LastEntry | None:
    if entry.get("isSidechain") is True or entry.get("isMeta") is True:
        return None
    at, kind = _time(entry.get("timestamp")), entry.get("type")
    given = entry.get("message")
    message: dict[str, Any] = given if isinstance(given, dict) else {}
    if kind == "assistant":
        if entry.get("isApiErrorMessage") is True:
            return LastEntry(
                "error", _text(message), _whole(entry.get("apiErrorStatus")), _word(entry.get("error")), at
            )
        ended = message.get("stop_reason") in {"end_turn", "stop_sequence", "max_tokens", "refusal"}
        return LastEntry("ended" if ended else "open", at=at)
    if kind == "user":
        interrupted = _text(message).startswith("[Request interrupted")
        return LastEntry("ended" if interrupted else "open", at=at)
    if kind == "system":
        return _claude_system(entry, at)
    return None


def _claude_system(entry: dict[str, Any], at: float | None) -> LastEntry | None:
    text = str(entry.get("content") or "")[:1000]
    if entry.get("subtype") == "api_error":
        return LastEntry("retrying", text, at=at)
    if entry.get("subtype") == "informational" and "limit reached" in text:
        return LastEntry("error", text, 429, "rate_limit", at)
    return None


def _codex(entry: dict[str, Any]) -> LastEntry | None:
    payload: dict[str, Any] = entry["payload"]
    at, kind = _time(entry.get("timestamp")), payload.get("type")
    if kind in _ASIDE or entry.get("type") in _ASIDE:
        return None
    error = payload.get("error")
    if kind in {"error", "turn_failed"} or (kind in {"task_complete", "turn_complete"} and isinstance(error, dict)):
        told: dict[str, Any] = error if isinstance(error, dict) else payload
        info = told.get("codex_error_info")
        return LastEntry("error", str(told.get("message") or "")[:1000], None, _word(info), at)
    if kind == "stream_error":
        return LastEntry("retrying", str(payload.get("message") or "")[:1000], at=at)
    if kind in {"task_complete", "turn_complete", "turn_aborted", "thread_rolled_back"}:
        return LastEntry("ended", at=at)
    return LastEntry("open", at=at)


def _text(message: dict[str, Any]) -> str:
    """What a message says."""
    content = message.get("content")
    if isinstance(content, str):
        return content[:1000]
    parts = content if isinstance(content, list) else []
    texts = [each["text"] for each in parts if isinstance(each, dict) and isinstance(each.get("text"), str)]
    return " ".join(texts)[:1000]


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _word(value: object) -> str:
    if isinstance(value, dict):
        return next((str(each)[:80] for each in value), "")
    return value[:80] if isinstance(value, str) else ""


def _time(value: object) -> float | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        # One without a zone is meant as UTC.
        return None if moment is None else (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
