"""What is taken out of a session's state, as the lines of its archive. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from miyabi.orchestration.findings import Archived
from miyabi.orchestration.session_json import Style, state_text
from miyabi.words import iso

_LINE = Style(indent=None, newline=True)


def archive_lines(archived: Iterable[Archived], now: float) -> bytes:
    """One JSON object a line: when it was archived, what it is, where it was, why it was taken out, and itself.

    + now: seconds since the epoch

    Nothing is rounded or left out: what is in a line can be put back as it was.
    """
    return b"".join(state_text({"archived_at": iso(now), **each.to_json()}, _LINE) for each in archived)
