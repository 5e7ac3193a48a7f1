"""Durations, sizes, percentages: what is read, what is refused, and that the refusal says what is allowed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from miyabi.units import (
    DURATION_FORM,
    PERCENTAGE_FORM,
    SIZE_FORM,
    parse_duration,
    parse_percentage,
    parse_size,
)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("10s", 10),
        ("5m", 300),
        ("2h", 7200),
        ("7d", 604800),
        ("1h30m", 5400),
        ("1d2h3m4s", 93784),
        ("1.5s", 1.5),
        (" 10s ", 10),
        ("90", 90),
        (90, 90),
        (0.25, 0.25),
        (0.00001, 0.00001),
        (0, 0),
    ],
)
def test_durations(value: str | float, seconds: float) -> None:
    assert parse_duration(value) == seconds


@pytest.mark.parametrize(
    "value",
    ["", "s", "-1", "-5m", -1, "nan", math.nan, math.inf, "inf", "1e3", "5 minutes", "30m1h", "5M", "1:30", True, "٣s"],
)
def test_durations_refused(value: str | float) -> None:
    with pytest.raises(ValueError, match="such as") as refused:
        parse_duration(value)
    assert str(refused.value) == DURATION_FORM


@pytest.mark.parametrize("value", ["1h 30m", "9" * 5000, "5w", "1..5s"])
def test_durations_of_other_forms(value: str) -> None:
    with pytest.raises(ValueError, match="such as"):
        parse_duration(value)


@pytest.mark.parametrize("value", ["36501d", 10**11, "99999999999999999999s"])
def test_durations_that_no_one_means(value: str | float) -> None:
    with pytest.raises(ValueError, match="at most 3153600000"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("100MB", 100_000_000),
        ("64KiB", 65536),
        ("1.5GB", 1_500_000_000),
        ("1MiB", 1024**2),
        ("1GiB", 1024**3),
        ("1TiB", 1024**4),
        ("2TB", 2 * 10**12),
        ("1kb", 1000),
        ("10 MB", 10_000_000),
        ("512B", 512),
        ("512", 512),
        (512, 512),
        (0, 0),
        ("4611686018427387903", 2**62 - 1),
    ],
)
def test_sizes(value: str | float, size: int) -> None:
    assert parse_size(value) == size


@pytest.mark.parametrize(
    "value", ["", "MB", "-1", -1, "100M", "100XB", "1e3", math.nan, math.inf, False, "0x10", "1 0"]
)
def test_sizes_refused(value: str | float) -> None:
    with pytest.raises(ValueError, match="such as") as refused:
        parse_size(value)
    assert str(refused.value) == SIZE_FORM


def test_sizes_beyond_what_shells_count() -> None:
    with pytest.raises(ValueError, match="at most"):
        parse_size("9999999999TiB")


@pytest.mark.parametrize(
    ("value", "percent"), [("85%", 85), (85, 85), ("85", 85), ("99.5 %", 99.5), (0, 0), ("100%", 100)]
)
def test_percentages(value: str | float, percent: float) -> None:
    assert parse_percentage(value) == percent


@pytest.mark.parametrize("value", ["", "%", "-1%", -1, "101%", 100.1, "85%%", "eighty", math.nan, True])
def test_percentages_refused(value: str | float) -> None:
    with pytest.raises(ValueError, match="such as") as refused:
        parse_percentage(value)
    assert str(refused.value).startswith(PERCENTAGE_FORM)


@given(st.text(), st.sampled_from([parse_duration, parse_size, parse_percentage]))
def test_any_text_is_read_or_refused(text: str, parse: object) -> None:
    assert callable(parse)
    try:
        value = parse(text)
    except ValueError:
        return
    assert math.isfinite(value)


@given(st.integers(0, 99), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_durations_add_up(days: int, hours: int, minutes: int, seconds: int) -> None:
    assert parse_duration(f"{days}d{hours}h{minutes}m{seconds}s") == ((days * 24 + hours) * 60 + minutes) * 60 + seconds
