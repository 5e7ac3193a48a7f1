"""Days, weeks and months on the reader's calendar, also when clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from miyabi.monitoring import PERIODS, Period, Reports
from miyabi.reports.due import due_reports
from miyabi.reports.span import FIRST, LAST, Span, before, day_of, due_at, last_over, span_of, stretches

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600.0


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Europe/Berlin", date(2026, 6, 1), 24),
        ("America/New_York", date(2026, 3, 8), 23),
        ("Asia/Tokyo", date(2026, 3, 29), 24),
        # Clocks leap over midnight there: the day begins at one.
        ("Asia/Beirut", date(2026, 3, 29), 23),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
    ],
)
def test_a_day_may_have_23_or_25_hours(zone: str, day: date, hours: float) -> None:
    span = span_of("daily", day, ZoneInfo(zone))
    assert (span.until - span.since) / HOUR == hours
    drawn = stretches(span, ZoneInfo(zone))
    assert len(drawn) == int(hours)
    assert (drawn[0][1], drawn[-1][2]) == (span.since, span.until)


def test_a_week_is_isos() -> None:
    span = span_of("weekly", date(2026, 1, 1), BERLIN)
    assert (span.name, span.first, span.after) == ("weekly-2026-W01", date(2025, 12, 29), date(2026, 1, 5))
    assert (span.since, span.until) == (at("2025-12-29"), at("2026-01-05"))
    assert span_of("weekly", date(2027, 1, 3), BERLIN).label == "2026-W53"


def test_the_week_of_the_change_has_an_hour_less() -> None:
    span = span_of("weekly", date(2026, 3, 29), BERLIN)
    assert span.until - span.since == 7 * 24 * HOUR - HOUR
    assert [round((end - begin) / HOUR) for _, begin, end in stretches(span, BERLIN)] == [24] * 6 + [23]


@pytest.mark.parametrize(
    ("day", "label", "days"),
    [(date(2026, 2, 28), "2026-02", 28), (date(2028, 2, 1), "2028-02", 29), (date(2026, 12, 31), "2026-12", 31)],
)
def test_a_month(day: date, label: str, days: int) -> None:
    span = span_of("monthly", day, UTC)
    assert (span.label, (span.after - span.first).days) == (label, days)


@pytest.mark.parametrize(
    ("period", "now", "name"),
    [
        ("daily", "2026-11-21T00:00:00", "daily-2026-11-20"),
        ("daily", "2026-11-21T23:59:59", "daily-2026-11-20"),
        ("weekly", "2026-11-22T23:59:59", "weekly-2026-W46"),
        ("weekly", "2026-11-23T00:00:00", "weekly-2026-W47"),
        ("monthly", "2026-12-01T00:00:00", "monthly-2026-11"),
        ("monthly", "2027-01-31T12:00:00", "monthly-2026-12"),
    ],
)
def test_the_last_one_that_is_over(period: Period, now: str, name: str) -> None:
    assert last_over(period, at(now), BERLIN).name == name


@given(
    st.sampled_from(PERIODS),
    st.dates(FIRST + timedelta(40), LAST),
    st.sampled_from(["UTC", "Europe/Berlin", "America/Santiago", "Asia/Kathmandu", "Pacific/Apia"]),
)
def test_spans_lie_side_by_side(period: Period, day: date, zone: str) -> None:
    there = ZoneInfo(zone)
    span = span_of(period, day, there)
    earlier = before(span, there)
    assert span.first <= day < span.after
    assert (earlier.after, earlier.until) == (span.first, span.since)
    assert span_of(period, day_of(span.since, there), there) == span
    edges = [each[1] for each in stretches(span, there)] + [span.until]
    assert edges[0] == span.since
    assert edges == sorted(edges)


def _due(shelf: Path, now: str, **settings: object) -> list[str]:
    reports = Reports(**{"periods": PERIODS, "at": 7 * 60, **settings})  # type: ignore[arg-type]
    return [span.name for span in due_reports(reports, shelf, at(now), BERLIN)]


def _put(shelf: Path, *spans: str) -> None:
    for name in spans:
        for form in ("md", "html"):
            (shelf / f"{name}.{form}").write_text("there")


def test_what_is_due(tmp_path: Path) -> None:
    assert _due(tmp_path, "2026-11-23T06:59:59") == ["monthly-2026-10"], "the others come at seven"
    assert _due(tmp_path, "2026-11-23T07:00:00") == ["daily-2026-11-22", "weekly-2026-W47", "monthly-2026-10"]
    _put(tmp_path, "daily-2026-11-22", "monthly-2026-10")
    assert _due(tmp_path, "2026-11-23T12:00:00") == ["weekly-2026-W47"]
    assert _due(tmp_path, "2026-11-23T12:00:00", periods=("daily",)) == []
    assert _due(tmp_path, "2026-11-23T12:00:00", periods=()) == []


def test_a_missed_one_is_due_later_and_only_the_last(tmp_path: Path) -> None:
    _put(tmp_path, "daily-2026-11-01", "weekly-2026-W44", "monthly-2026-10")
    assert _due(tmp_path, "2026-11-21T09:00:00") == ["daily-2026-11-20", "weekly-2026-W46"]


def test_half_a_report_is_due(tmp_path: Path) -> None:
    _put(tmp_path, "daily-2026-11-22")
    (tmp_path / "daily-2026-11-22.html").unlink()
    assert _due(tmp_path, "2026-11-23T07:00:00", periods=("daily",)) == ["daily-2026-11-22"]


@pytest.mark.parametrize(
    ("day", "hour"), [("2026-03-30", "2026-03-30T07:00:00"), ("2026-10-26", "2026-10-26T07:00:00")]
)
def test_it_is_due_by_the_clock_on_the_wall(day: str, hour: str) -> None:
    span = before(span_of("daily", date.fromisoformat(day), BERLIN), BERLIN)
    assert due_at(span, 7 * 60, BERLIN) == at(hour)


def test_a_change_of_clocks_on_the_morning_itself() -> None:
    span: Span = span_of("daily", date(2026, 3, 28), BERLIN)
    assert due_at(span, 7 * 60, BERLIN) == at("2026-03-29T07:00:00")
    assert due_at(span, 7 * 60, BERLIN) - span.until == 6 * HOUR
