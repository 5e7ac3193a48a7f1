"""When a usage limit ends, from the words in which an agent says it. Pure: the clock and the host's zone are given.

A time of day is the moment that is nearest: ``resets 8pm``, read at 20:05, was five minutes ago, and read at 09:00 is
today. When it is known exactly when the words were said, it is the next such moment after that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone, tzinfo

_PAST = 12 * 3600.0
_HALF_A_YEAR = timedelta(days=183)
# What is further away is a slip of the reading.
_FURTHEST = 400 * 86400.0

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Hours east of UTC. Letters that several zones share are those that the agents' makers mean.
_LETTERS = {
    "utc": 0.0,
    "gmt": 0.0,
    "z": 0.0,
    "pst": -8.0,
    "pdt": -7.0,
    "mst": -7.0,
    "mdt": -6.0,
    "cst": -6.0,
    "cdt": -5.0,
    "est": -5.0,
    "edt": -4.0,
    "bst": 1.0,
    "cet": 1.0,
    "cest": 2.0,
    "jst": 9.0,
}

_ISO = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})[T ](?P<time>\d{2}:\d{2}(?::\d{2})?)(?:\.\d{1,9})?\s?(?P<zone>Z|[+-]\d{2}:?\d{2})?"
)
_EPOCH = re.compile(r"\s*(1[5-9]\d{8}|[2-3]\d{9})(?!\d)")
_PART = re.compile(
    r"(\d{1,5}(?:\.\d{1,3})?)\s{0,2}(d|h|m|s)(?:ay|our|in|inute|ec|econd|r)?s?(?![A-Za-z])", re.IGNORECASE
)
_CLOCK = re.compile(
    r"(?<![\d:])(?P<hour>\d{1,2})(?:[:.](?P<minute>\d{2}))?(?::\d{2})?\s?(?P<half>[ap])\.?\s?m\b"
    r"|(?<![\d:])(?P<hour24>\d{1,2})[:h](?P<minute24>\d{2})(?!\d)|\b(?P<noon>noon|midnight)\b",
    re.IGNORECASE,
)
_MONTH = r"(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?:,?\s{1,3}(?P<year>20\d{2}))?"
_DATES = (
    re.compile(rf"\b{_MONTH}\s{{1,3}}{_DAY}\b(?!:){_YEAR}", re.IGNORECASE),
    re.compile(rf"\b{_DAY}\s{{1,3}}{_MONTH}{_YEAR}", re.IGNORECASE),
)
_WEEKDAY = re.compile(r"\b(mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}\b", re.IGNORECASE)
_ZONE = re.compile(r"\(?\b(?P<name>[A-Za-z]{2,20}(?:/[A-Za-z0-9_+-]{1,30}){1,2})\b\)?")
_OFFSET = re.compile(r"\b(?:UTC|GMT)\s?(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?\b", re.IGNORECASE)
_SHORT_ZONE = re.compile(rf"\b({'|'.join(_LETTERS)})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Clock:
    hour: int
    minute: int


def reset_time(text: str, shown_at: float, offset: int = 0, *, exact: bool = False) -> float | None:
    """When a usage limit ends.

    + text: such as ``8pm (America/New_York)``, ``Jul 18 at 4am``, ``3:51 PM``, ``in 2 hours 5 minutes``
    + shown_at: when the text came up, or was read, in seconds since the epoch
    + offset: the zone of the host, where the text names none, in seconds east of UTC
    + exact: whether the text was said at that very moment

    Returns seconds since the epoch; it may be over. None when the text tells no time, or a zone that is not known.

    .. code:: python

        reset_time("1pm (UTC)", 1_790_000_000.0)  # 1790082000.0
    """
    text = text[:200]
    try:
        found = _absolute(text, offset)
        if found is None:
            found = _relative(text, shown_at)
        if found is None:
            zone = _zone(text, offset)
            found = None if zone is None else _of_day(text, shown_at, zone, 60.0 if exact else _PAST)
    except (ValueError, OverflowError, OSError):
        return None
    return found if found is not None and abs(found - shown_at) <= _FURTHEST else None


def _absolute(text: str, offset: int) -> float | None:
    """The moment that a text names with its date, or in seconds since the epoch."""
    if found := _EPOCH.match(text):
        return float(found[1])
    if not (found := _ISO.search(text)):
        return None
    moment = datetime.fromisoformat(f"{found['date']}T{found['time']}{found['zone'] or ''}")
    if moment.tzinfo is None:
        zone = _zone(text[found.end() :], offset)
        if zone is None:
            return None
        moment = moment.replace(tzinfo=zone)
    return moment.timestamp()


def _relative(text: str, shown_at: float) -> float | None:
    """``in 2 hours 5 minutes``, ``19h14m47s``, ``45 seconds``: the parts that follow each other."""
    seconds, end = 0.0, None
    for part in _PART.finditer(text):
        if end is not None and text[end : part.start()].strip(" ,").lower() not in {"", "and"}:
            break
        seconds += float(part[1]) * {"d": 86400, "h": 3600, "m": 60, "s": 1}[part[2].lower()]
        end = part.end()
    return None if end is None else shown_at + seconds


def _zone(text: str, offset: int) -> tzinfo | None:
    """The zone that a text names, else the host's; None when it names one that is not known here."""
    if found := _OFFSET.search(text):
        east = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"] or 0))
        return timezone(-east if found["sign"] == "-" else east)
    if found := _ZONE.search(text):
        # Only a limit that names a zone needs the table of all zones.
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415

        try:
            return ZoneInfo(found["name"])
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return None
    if found := _SHORT_ZONE.search(text):
        return timezone(timedelta(hours=_LETTERS[found[1].lower()]))
    return timezone(timedelta(seconds=offset))


def _of_day(text: str, shown_at: float, zone: tzinfo, past: float) -> float | None:
    """The moment that a text names by a time of day, with or without a date."""
    clock = _clock(text)
    shown = datetime.fromtimestamp(shown_at, zone)
    dated = next((found for form in _DATES if (found := form.search(text))), None)
    if dated:
        day = _date(dated, shown.date())
        return None if day is None else _at(day, clock or _Clock(0, 0), zone)
    if clock is None:
        return None
    if found := _WEEKDAY.search(text):
        days = (_DAYS.index(found[1].lower()) - shown.weekday()) % 7
        moment = _at(shown.date() + timedelta(days=days), clock, zone)
        return moment if moment > shown_at - past else _at(shown.date() + timedelta(days=7), clock, zone)
    if re.search(r"\btomorrow\b", text, re.IGNORECASE):
        return _at(shown.date() + timedelta(days=1), clock, zone)
    moments = (_at(shown.date() + timedelta(days=days), clock, zone) for days in (-1, 0, 1, 2))
    return next((moment for moment in moments if moment > shown_at - past), None)


def _clock(text: str) -> _Clock | None:
    found = _CLOCK.search(text)
    if found is None:
        return None
    if found["noon"]:
        return _Clock(12 if found["noon"].lower() == "noon" else 0, 0)
    if found["half"]:
        hour, minute = int(found["hour"]), int(found["minute"] or 0)
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if found["half"].lower() == "p" else 0)
    else:
        hour, minute = int(found["hour24"]), int(found["minute24"])
    return _Clock(hour, minute) if hour < 24 and minute < 60 else None


def _date(found: re.Match[str], near: date) -> date | None:
    """The date that a text names, in the year that is nearest when it names none; None when there is no such day."""
    month, day = _MONTHS.index(found["month"].lower()) + 1, int(found["day"])
    if found["year"]:
        return date(int(found["year"]), month, day)
    years = [near.year + each for each in (0, 1, -1)]
    dates = [_day(year, month, day) for year in years]
    return next((each for each in dates if each and abs(each - near) <= _HALF_A_YEAR), None)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _at(day: date, clock: _Clock, zone: tzinfo) -> float:
    return datetime(day.year, day.month, day.day, clock.hour, clock.minute, tzinfo=zone).timestamp()
