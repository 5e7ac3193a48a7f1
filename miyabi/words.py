"""Moments and durations as people read them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

# What Python says of a moment before the year 1 or after 9999, and of what is no number.
_ON_NO_CALENDAR = (ValueError, OverflowError, OSError)


def lasting(seconds: float) -> str:
    """A duration in one or two units: ``41 s``, ``12 min``, ``3 h 5 min``, ``2 d 4 h``."""
    whole = max(0, round(seconds))
    if whole < 90:
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 90:
        return f"{minutes} min"
    hours, left = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {left} min" if left else f"{hours} h"
    days, rest = divmod(hours, 24)
    return f"{days} d {rest} h" if rest and days < 14 else f"{days} d"


def age(seconds: float) -> str:
    """How long something lasts by now: ``just now``, else as ``lasting`` says it."""
    return "just now" if seconds < 2 else lasting(seconds)


def made(seconds: float) -> str:
    """How old something is: ``made just now``, ``27 min old``."""
    told = age(seconds)
    return "made just now" if told == "just now" else f"{told} old"


def clock_time(at: float, now: float, zone: tzinfo | None = None) -> str:
    """A moment on the reader's clock: ``04:12`` today, ``Sat 04:12`` within a week, else with the date.

    + at: one that is on no calendar is ``an unknown time``
    + zone: None is the machine's own
    """
    try:
        there = datetime.fromtimestamp(at, UTC).astimezone(zone)
    except _ON_NO_CALENDAR:
        return "an unknown time"
    here = datetime.fromtimestamp(now, UTC).astimezone(zone)
    days = abs((there.date() - here.date()).days)
    if days == 0:
        return f"{there:%H:%M}" if abs(at - now) >= 600 else f"{there:%H:%M:%S}"
    return f"{there:%a %H:%M}" if days < 7 else f"{there:%Y-%m-%d %H:%M}"


def both_clocks(at: float, zone: tzinfo | None = None) -> str:
    """A moment on the reader's clock and in UTC: ``2026-11-21 06:12 CET (05:12 UTC)``."""
    universal = datetime.fromtimestamp(at, UTC)
    local = universal.astimezone(zone)
    if local.utcoffset() == universal.utcoffset():
        return f"{universal:%Y-%m-%d %H:%M} UTC"
    other = f"{universal:%H:%M}" if local.date() == universal.date() else f"{universal:%Y-%m-%d %H:%M}"
    return f"{local:%Y-%m-%d %H:%M %Z} ({other} UTC)"


def iso(at: float | None) -> str | None:
    """A moment in JSON: ISO 8601 in UTC, to the second; None stays None, and so is what is on no calendar."""
    if at is None:
        return None
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except _ON_NO_CALENDAR:
        return None


def counted(number: int, thing: str) -> str:
    """Such as ``1 drift`` and ``3 drifts``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
