"""Series of somebody's own, from text: a moment and a value to a line. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from math import isfinite

from miyabi.errors import MiyabiError

_FORM = "allowed: MOMENT,VALUE with a moment in seconds since the epoch or as ISO 8601, and a number"
# What is told of a line that is wrong.
_WIDTH = 60
# The years 1970 to 9999.
_LATEST = 253_402_300_799.0


def read_series(text: str, name: str) -> tuple[list[float], list[float]]:
    """The moments and values of a series, as they stand there.

    + text: lines of ``at,value``; the first one may be a header; a value that is missing (``2026-11-21T10:00Z,``, or
      ``nan``) is a look that saw nothing. A moment without a zone is UTC
    + name: of the file, for what is wrong with it

    Raises ``MiyabiError`` with the line.
    """
    at: list[float] = []
    values: list[float] = []
    for number, moment, value in _read(text, name):
        if value is None:
            continue
        if not 0 <= moment <= _LATEST:
            raise MiyabiError(f"{name}:{number}: {moment:g} is no moment; {_FORM}")
        at.append(moment)
        values.append(value)
    if not at:
        raise MiyabiError(f"{name}: it holds no values; {_FORM}")
    return at, values


def _read(text: str, name: str) -> Iterator[tuple[int, float, float | None]]:
    is_first = True
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        words = [each.strip().strip('"') for each in line.split(",")]
        if not any(words):
            continue
        moment = _moment(words[0])
        value = _value(words[1]) if len(words) == 2 else None
        if len(words) != 2 or moment is None or value is None:
            if is_first and moment is None:
                is_first = False
                continue
            shown = ascii(line if len(line) <= _WIDTH else line[:_WIDTH] + "...")
            raise MiyabiError(f"{name}:{number}: {shown} is no look; {_FORM}")
        is_first = False
        yield number, moment, value if isfinite(value) else None


def _moment(word: str) -> float | None:
    try:
        found = float(word)
    except ValueError:
        try:
            there = datetime.fromisoformat(word)
        except ValueError:
            return None
        return (there if there.tzinfo else there.replace(tzinfo=UTC)).timestamp()
    return found if isfinite(found) else None


def _value(word: str) -> float | None:
    """The value of a word; what is no number at all is None, and what is missing is nan."""
    if not word:
        return float("nan")
    try:
        return float(word)
    except ValueError:
        return None
