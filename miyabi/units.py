"""Durations, sizes and percentages as people write them."""

from __future__ import annotations

import re

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES = {
    "": 1,
    "B": 1,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "TB": 1000**4,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
    "TiB": 1024**4,
}
_BYTES_BY_LOWER = {unit.lower(): factor for unit, factor in _BYTES.items()}

DURATION_FORM = "a number of seconds, or numbers with the units d, h, m, s, such as 10s, 5m or 1h30m"
SIZE_FORM = (
    "a number of bytes, or a number with KB, MB, GB, TB (of 1000) or KiB, MiB, GiB, TiB (of 1024), such as 100MB"
)
PERCENTAGE_FORM = "a number from 0 to 100, with or without %, such as 85%"

# Beyond these a value is a slip, and shell arithmetic on the hosts could overflow.
LONGEST_DURATION = 36500 * 86400
LARGEST_SIZE = 2**62

# Bounded, so that no text, however long, is slow or beyond what int() takes.
_NUMBER = r"\d{1,20}(?:\.\d{1,9})?"
_PLAIN = re.compile(_NUMBER, re.ASCII)
_DURATION = re.compile(rf"(?:({_NUMBER})d)?(?:({_NUMBER})h)?(?:({_NUMBER})m)?(?:({_NUMBER})s)?", re.ASCII)
_SIZE = re.compile(rf"({_NUMBER})\s*([A-Za-z]*)", re.ASCII)
_PERCENTAGE = re.compile(rf"({_NUMBER})\s*%?", re.ASCII)


def parse_duration(value: str | float) -> float:
    """Read a duration.

    + value: seconds as a number, or text such as ``10s``, ``5m``, ``2h``, ``7d``, ``1h30m``, ``1.5s``

    Returns seconds: ``parse_duration("1h30m")`` is ``5400.0``. Raises ``ValueError`` that says what is allowed.
    """
    text = _as_text(value)
    if _PLAIN.fullmatch(text):
        return _bounded(float(text), LONGEST_DURATION, DURATION_FORM)
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        raise ValueError(DURATION_FORM)
    seconds = sum(
        float(count) * factor
        for count, factor in zip((match[4], match[3], match[2], match[1]), _SECONDS.values(), strict=True)
        if count is not None
    )
    return _bounded(float(seconds), LONGEST_DURATION, DURATION_FORM)


def parse_size(value: str | float) -> int:
    """Read a size.

    + value: bytes as a number, or text such as ``100MB`` (1000 * 1000), ``64KiB`` (64 * 1024), ``1.5GB``

    Returns bytes: ``parse_size("64KiB")`` is ``65536``. Raises ``ValueError`` that says what is allowed.
    """
    match = _SIZE.fullmatch(_as_text(value))
    factor = None if match is None else _BYTES_BY_LOWER.get(match[2].lower())
    if match is None or factor is None:
        raise ValueError(SIZE_FORM)
    size = int(match[1]) * factor if match[1].isdigit() else round(float(match[1]) * factor)
    _bounded(size, LARGEST_SIZE, SIZE_FORM)
    return size


def parse_percentage(value: str | float) -> float:
    """Read a percentage.

    + value: a number from 0 to 100, or text such as ``85%`` or ``85``

    Returns percent: ``parse_percentage("85%")`` is ``85.0``. Raises ``ValueError`` that says what is allowed.
    """
    match = _PERCENTAGE.fullmatch(_as_text(value))
    if match is None:
        raise ValueError(PERCENTAGE_FORM)
    return _bounded(float(match[1]), 100, PERCENTAGE_FORM)


def _as_text(value: str | float) -> str:
    if isinstance(value, str):
        return value.strip()
    # Never "1e-05", and of what is no number a word: the patterns know neither.
    return str(value) if isinstance(value, int) else f"{value:f}"


def _bounded(number: float, largest: int, form: str) -> float:
    if number > largest:
        raise ValueError(f"{form}, and at most {largest}")
    return number
