"""What was foretold, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from miyabi.forecast.backtest import Backtest
from miyabi.forecast.crossing import SEEN, Forecast
from miyabi.forecast.failures import Restarts
from miyabi.forecast.usage_limits import UsageLimit
from miyabi.words import clock_time, counted, lasting

# Fewer crossings than this say nothing of how sure it is.
_TELLING = 1


def crossing_words(subject: str, told: Forecast, error: Mapping[str, Any], now: float, *, falling: bool) -> str:
    """A crossing, such as ``disk reaches 90 % on Tue 04:10 (between Mon 22:00 and Tue 11:00); never tested here``."""
    does = "falls below" if falling else "reaches"
    if told.outcome == "too-few-samples":
        return f"{subject}: nothing is foretold, {told.why}"
    if told.crosses_at is None:
        return f"{subject} does not reach {told.limit:g} % as far as can be told: {told.why}"
    if told.method == SEEN:
        return f"{subject} is at {told.value:.0f} %, beyond {told.limit:g} % already"
    between = interval_words(told.earliest, told.latest, now)
    return f"{subject} {does} {told.limit:g} % {_on(told.crosses_at, now)}{between}; {sure(error)}"


def failure_words(subject: str, told: Restarts, error: Mapping[str, Any], now: float) -> str:
    """What restarts foretell, in words."""
    if told.outcome == "too-few-samples":
        return f"{subject}: nothing is foretold, {told.why or 'too few restarts yet'}"
    times = f"{counted(told.recent, 'restart')} in the last day"
    usual = "" if told.usual is None else f", {told.usual:.1f} a day before"
    if told.next_at is None:
        return f"{subject}: {times}{usual}: nothing unusual"
    between = interval_words(told.earliest, told.latest, now)
    return f"{subject} fails {told.why}: {times}{usual}; next {_on(told.next_at, now)}{between}; {sure(error)}"


def usage_words(subject: str, told: UsageLimit, error: Mapping[str, Any], now: float) -> str:
    """When an agent hits its usage limit, in words."""
    if told.hits_at is None:
        return f"{subject}: nothing is foretold, {told.why}"
    worked = f"it worked {lasting(told.worked)} since the last one, usually {lasting(told.usual or 0)}"
    between = interval_words(told.earliest, told.latest, now)
    return f"{subject} hits its usage limit {_on(told.hits_at, now)}{between}: {worked}; {sure(error)}"


def interval_words(earliest: float | None, latest: float | None, now: float) -> str:
    """Such as `` (between Mon 22:00 and Tue 11:00)``; "" when nobody can tell."""
    if earliest is None or latest is None:
        return ""
    return f" (between {clock_time(earliest, now)} and {clock_time(latest, now)})"


def sure(error: Mapping[str, Any]) -> str:
    """How the method did on this subject's own past."""
    cases, false = int(error.get("cases") or 0), int(error.get("false_alarms") or 0)
    if cases < _TELLING and not false:
        return "it has not happened here before, so nobody knows how sure that is"
    alarms = counted(false, "false alarm")
    if cases < _TELLING:
        return f"no earlier one, {alarms}"
    return f"{error.get('foretold', 0)} of {cases} earlier ones were foretold, {alarms}"


def rates(told: Backtest) -> str:
    """A back-test on one line."""
    if not told.cases and not told.alarms:
        return f"nothing crossed and nothing was said in {told.days:.0f} days"
    words = (
        f"{told.foretold} of {counted(told.cases, 'crossing')} foretold, {counted(told.false_alarms, 'false alarm')}"
    )
    return f"{words} in {told.days:.0f} days"


def _on(at: float, now: float) -> str:
    when = clock_time(at, now)
    return f"at {when}" if when[0].isdigit() and "-" not in when else f"on {when}"
