"""Values of a state as other programs write them: moments, numbers and names in whatever form. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from miyabi.masking import shown
from miyabi.words import iso

# From which number on seconds since the epoch are milliseconds, microseconds or nanoseconds: the year 5138 as seconds.
_UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
_LONGEST_MOMENT = 64
_LONGEST_NAME = 60


def moment(value: object) -> float | None:
    """A moment in seconds since the epoch; None when ``value`` tells none.

    + value: ISO 8601, without a time zone it is UTC; or a number since the epoch of seconds, milli-, micro- or
      nanoseconds, also as a text

    .. code:: python

        moment("2026-11-21T05:00:00Z")  # 1795237200.0
        moment(1795237200000)           # 1795237200.0
        moment("yesterday")             # None
    """
    if isinstance(value, str):
        return _moment_of_text(value) if len(value) <= _LONGEST_MOMENT else None
    since = number(value)
    if since is None or not 0 < since < 1e20:
        return None
    return since / next((unit for least, unit in _UNITS if since >= least), 1.0)


def _moment_of_text(value: str) -> float | None:
    try:
        read = datetime.fromisoformat(value)
        since = (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return _moment_of_digits(value)
    return since if 0 < since < _UNITS[-1][0] else None


def _moment_of_digits(value: str) -> float | None:
    try:
        return moment(float(value)) if value.isascii() else None
    except ValueError:
        return None


def written_like(like: object, at: float) -> object:
    """The moment ``at`` as ``like`` is written: as a number in the same unit, else as ISO 8601 in UTC."""
    since = number(like)
    if since is None or moment(like) is None:
        return iso(at)
    return at * next((unit for least, unit in _UNITS if since >= least), 1.0)


def number(value: object) -> float | None:
    """A finite number; None when ``value`` is none, or is too large to count with."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        read = float(value)
    except OverflowError:
        return None
    return read if isfinite(read) else None


def text(value: object) -> str:
    """A text; "" when ``value`` is none."""
    return value if isinstance(value, str) else ""


def first(thing: Mapping[str, Any], keys: Sequence[str]) -> Any:
    """What ``thing`` says under the first of ``keys`` that it has and that is not null; None when it has none."""
    return next((thing[key] for key in keys if thing.get(key) is not None), None)


def names(value: object) -> Iterator[str]:
    """The names that ``value`` is, or holds as a list."""
    if isinstance(value, str):
        if value:
            yield value
    elif isinstance(value, list):
        yield from (each for each in value if isinstance(each, str) and each)


def is_same(one: object, other: object) -> bool:
    """Whether two JSON values are the same; what is nested too deeply to be compared is not."""
    try:
        return bool(one == other)
    except RecursionError:
        return False


def said(value: object) -> str:
    """A name or a small value as messages show it: on one line, not long, safe for a terminal."""
    if isinstance(value, dict | list):
        return kind_of(value)
    if isinstance(value, int | float) and number(value) is None:
        return "a number that cannot be"
    line = shown((value if isinstance(value, str) else f"{value}")[: 2 * _LONGEST_NAME])
    return line if len(line) <= _LONGEST_NAME else f"{line[: _LONGEST_NAME - 3]}..."


def kind_of(value: object) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    kinds: tuple[tuple[type, str], ...] = (
        (bool, "true or false"),
        (str, "a text"),
        (dict, "an object"),
        (list, "a list"),
    )
    return next((words for kind, words in kinds if isinstance(value, kind)), "a number")


def dotted(path: Sequence[str], *more: str) -> str:
    """A place in the state, as findings name it."""
    return ".".join((*path, *more))


def placed(path: Sequence[str]) -> str:
    """A place in the state, as messages show it."""
    return ".".join(map(said, path))
