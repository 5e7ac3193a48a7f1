"""When a usage limit ends, from the words in which agents say it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from miyabi.reset_time import reset_time

ROOT = Path(__file__).parents[2]
# A Friday, 15:00 UTC: 11:00 in New York.
SHOWN = datetime(2026, 7, 17, 15, 0, tzinfo=UTC)
TOKYO = 9 * 3600


def ends(text: str, shown: datetime = SHOWN, *, offset: int = 0, exact: bool = False) -> str | None:
    found = reset_time(text, shown.timestamp(), offset, exact=exact)
    return None if found is None else datetime.fromtimestamp(found, UTC).strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8pm (America/New_York)", "2026-07-18 00:00:00"),
        ("3am (Europe/London)", "2026-07-18 02:00:00"),
        ("10:30am (Asia/Kolkata)", "2026-07-17 05:00:00"),
        ("1pm (UTC)", "2026-07-17 13:00:00"),
        ("Jul 18 at 4am", "2026-07-18 04:00:00"),
        ("Jul 18, 4am (America/New_York)", "2026-07-18 08:00:00"),
        ("July 18th at 4 AM", "2026-07-18 04:00:00"),
        ("18 Jul 04:00", "2026-07-18 04:00:00"),
        ("Oct 3, 9am (UTC)", "2026-10-03 09:00:00"),
        ("Jan 2 at 5pm", "2027-01-02 17:00:00"),
        ("Apr 7th, 2026 1:07 AM.", "2026-04-07 01:07:00"),
        ("Sep 26th, 2026 6:29 PM.", "2026-09-26 18:29:00"),
        ("3:51 PM.", "2026-07-17 15:51:00"),
        ("7pm · esc or type to cancel", "2026-07-17 19:00:00"),
        ("20:00", "2026-07-17 20:00:00"),
        ("12am", "2026-07-18 00:00:00"),
        ("12pm", "2026-07-17 12:00:00"),
        ("midnight", "2026-07-18 00:00:00"),
        ("Mon 12:00am", "2026-07-20 00:00:00"),
        ("Tuesday 9am", "2026-07-21 09:00:00"),
        ("Friday 9am", "2026-07-17 09:00:00"),
        ("Fri 2am", "2026-07-24 02:00:00"),
        ("tomorrow at 9am", "2026-07-18 09:00:00"),
        ("in 2 hours 5 minutes", "2026-07-17 17:05:00"),
        ("in 3 days, 4 hours and 1 minute", "2026-07-20 19:01:00"),
        ("19h14m47s.", "2026-07-18 10:14:47"),
        ("45 seconds", "2026-07-17 15:00:45"),
        ("2026-07-18T04:00:00Z", "2026-07-18 04:00:00"),
        ("2026-07-18 04:00:00+09:00", "2026-07-17 19:00:00"),
        ("2026-07-18 04:00 (Asia/Tokyo)", "2026-07-17 19:00:00"),
        ("1790200800", "2026-09-23 22:00:00"),
        ("5am (UTC+9)", "2026-07-17 20:00:00"),
        ("8:05 PM PDT", "2026-07-17 03:05:00"),
        ("8pm (Mars/Olympus)", None),
        ("8pm (../../etc/passwd)", None),
        ("later", None),
        ("99pm", None),
        ("25:00", None),
        ("Feb 30 at 4am", None),
        ("", None),
    ],
)
def test_every_way_in_which_it_is_said(text: str, expected: str | None) -> None:
    assert ends(text) == expected


def test_without_a_zone_it_is_the_host_s() -> None:
    assert ends("8pm", offset=TOKYO) == "2026-07-17 11:00:00"
    assert ends("Jul 18 at 4am", offset=TOKYO) == "2026-07-17 19:00:00"
    assert ends("8pm (UTC)", offset=TOKYO) == "2026-07-17 20:00:00"


@pytest.mark.parametrize(
    ("minutes", "hours"),
    [(-11 * 60, 11), (-180, 3), (-1, 1), (0, 0), (5, 0), (11 * 60 + 59, 0), (12 * 60 + 1, 12)],
)
def test_a_moment_up_to_twelve_hours_ago_is_over(minutes: int, hours: int) -> None:
    at_eight = datetime(2026, 7, 17, 20, 0, tzinfo=UTC)
    found = reset_time("8pm", (at_eight + timedelta(minutes=minutes)).timestamp())
    expected = at_eight if minutes <= 12 * 60 else at_eight + timedelta(days=1)
    assert found == expected.timestamp()


def test_a_text_that_was_said_at_that_very_moment_speaks_of_the_future() -> None:
    assert ends("3am", exact=True) == "2026-07-18 03:00:00"
    assert ends("3am") == "2026-07-18 03:00:00"
    assert ends("4am") == "2026-07-17 04:00:00"
    assert ends("4am", exact=True) == "2026-07-18 04:00:00"
    # In that very minute it has just been reached.
    assert ends("3pm", SHOWN + timedelta(seconds=30), exact=True) == "2026-07-17 15:00:00"


def test_the_clock_that_is_put_forward_or_back_is_heeded() -> None:
    # In New York it goes from 02:00 to 03:00 on 8 March 2026, and back on 1 November.
    before = datetime(2026, 3, 8, 5, 0, tzinfo=UTC)
    assert ends("8am (America/New_York)", before) == "2026-03-08 12:00:00"
    assert ends("1am (America/New_York)", before) == "2026-03-08 06:00:00"
    assert ends("2:30am (America/New_York)", before) == "2026-03-08 07:30:00"
    assert ends("8am (America/New_York)", datetime(2026, 11, 1, 4, 0, tzinfo=UTC)) == "2026-11-01 13:00:00"


def test_without_the_table_of_zones_nothing_is_guessed() -> None:
    code = (
        "import sys; sys.modules['tzdata'] = None\n"
        "from miyabi.reset_time import reset_time\n"
        "assert 'zoneinfo' not in sys.modules\n"
        "import zoneinfo; zoneinfo.reset_tzpath(())\n"
        "assert reset_time('8pm (America/New_York)', 1790000000.0) is None\n"
        "assert reset_time('8pm', 1790000000.0) is not None\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})


@given(st.text(max_size=60), st.floats(allow_nan=False, allow_infinity=False, width=32), st.integers(-99999, 99999))
def test_no_text_is_a_trouble(text: str, shown: float, offset: int) -> None:
    found = reset_time(text, shown, offset)
    assert found is None or abs(found - shown) <= 401 * 86400


@given(st.integers(0, 23), st.integers(0, 59), st.integers(0, 2_000_000_000), st.sampled_from([0, TOKYO, -18000]))
def test_a_time_of_day_is_the_nearest_one(hour: int, minute: int, shown: int, offset: int) -> None:
    found = reset_time(f"{hour:02}:{minute:02}", float(shown), offset)
    assert found is not None
    assert -43200 <= found - shown <= 43200
    assert (found + offset) % 86400 == hour * 3600 + minute * 60
