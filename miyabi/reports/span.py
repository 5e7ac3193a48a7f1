"""The day, week or month that a report is about, on the reader's calendar. Pure.

A day is from midnight to midnight where the reader is, and may have 23 or 25 hours; a week is ISO's, Monday to Sunday.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from miyabi.monitoring import Period

_HOUR = 3600.0
# Calendars and clocks of all platforms agree on these.
FIRST, LAST = date(1971, 1, 1), date(9000, 12, 31)


@dataclass(frozen=True, slots=True)
class Span:
    """One of them.

    + label: ``2026-11-20``, ``2026-W47`` or ``2026-11``
    + first, after: its first day, and the day after its last
    + since, until: when it begins and ends, in seconds since the epoch
    """

    period: Period
    label: str
    first: date
    after: date
    since: float
    until: float

    @property
    def name(self) -> str:
        """What its report is called: ``weekly-2026-W47``."""
        return f"{self.period}-{self.label}"


def span_of(period: Period, day: date, zone: tzinfo | None = None) -> Span:
    """The span that contains a day.

    + day: from ``FIRST`` to ``LAST``
    + zone: of the reader; None is this machine's
    """
    if period == "daily":
        first, after, label = day, day + timedelta(1), f"{day:%Y-%m-%d}"
    elif period == "weekly":
        year, week, weekday = day.isocalendar()
        first = day - timedelta(weekday - 1)
        after, label = first + timedelta(7), f"{year}-W{week:02}"
    else:
        first = day.replace(day=1)
        after, label = (first + timedelta(32)).replace(day=1), f"{day:%Y-%m}"
    return Span(period, label, first, after, midnight(first, zone), midnight(after, zone))


def before(span: Span, zone: tzinfo | None = None) -> Span:
    """The span before."""
    return span_of(span.period, span.first - timedelta(1), zone)


def last_over(period: Period, now: float, zone: tzinfo | None = None) -> Span:
    """The last one that is over."""
    return before(span_of(period, day_of(now, zone), zone), zone)


def due_at(span: Span, minutes: int, zone: tzinfo | None = None) -> float:
    """From when on its report is due.

    + minutes: after midnight, as the clock on the wall counts them
    """
    return _moment(span.after, time(minutes // 60, minutes % 60), zone)


def day_of(at: float, zone: tzinfo | None = None) -> date:
    """The day on which a moment is."""
    return datetime.fromtimestamp(at, UTC).astimezone(zone).date()


def midnight(day: date, zone: tzinfo | None = None) -> float:
    """When a day begins, in seconds since the epoch; where clocks leap over midnight, when they have."""
    return _moment(day, time(), zone)


def stretches(span: Span, zone: tzinfo | None = None) -> tuple[tuple[str, float, float], ...]:
    """What it is drawn by: the hours of a day, the days of a week or month, each with its name, beginning and end."""
    if span.period == "daily":
        hours = round((span.until - span.since) / _HOUR)
        edges = [span.since + _HOUR * number for number in range(hours)] + [span.until]
        begun = [datetime.fromtimestamp(at, UTC).astimezone(zone) for at in edges]
        return tuple((f"{begun[n]:%H:%M}", edges[n], edges[n + 1]) for n in range(hours))
    days = [span.first + timedelta(number) for number in range((span.after - span.first).days)]
    return tuple((f"{day:%a %d}", midnight(day, zone), midnight(day + timedelta(1), zone)) for day in days)


def _moment(day: date, clock: time, zone: tzinfo | None) -> float:
    # Without a zone Python takes the machine's own, as it was or will be on that day.
    return datetime.combine(day, clock, tzinfo=zone).timestamp()
