"""How the page says things: text from anywhere made harmless, moments, shares, durations. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from math import floor, isfinite

from markupsafe import Markup

from miyabi.levels import Level
from miyabi.masking import shown
from miyabi.words import iso, lasting

# Characters of a text that are shown, and of a name.
LONGEST_TEXT = 400
LONGEST_NAME = 80

_LEVELS = {level.name: level.title.partition("_")[2].lower() for level in Level}

# What the conditions of agents come to; any other one is unknown.
_AGENT_MOODS = {
    "working": "ok",
    "running": "ok",
    "idle": "idle",
    "permission": "warn",
    "trust": "warn",
    "login": "warn",
    "waiting": "warn",
    "limited": "warn",
    "overloaded": "warn",
    "context-full": "warn",
    "looping": "bad",
    "stalled": "bad",
    "exited": "bad",
    "dead": "bad",
    "missing": "bad",
}


def cut(text: str, most: int = LONGEST_TEXT) -> str:
    r"""The text on one line and not endless; what cannot be seen becomes an escape such as ``\u202e``."""
    line = shown(" ".join(text[: 4 * most].split()))
    return line if len(line) <= most and len(text) <= 4 * most else f"{line[: most - 1]}…"


def said(text: str, most: int = LONGEST_TEXT) -> Markup:
    """A text from anywhere, which neither marks up nor turns the direction of what stands around it."""
    return Markup("<bdi>{}</bdi>").format(cut(text, most))


def named(text: str) -> Markup:
    """The same for a name."""
    return said(text, LONGEST_NAME)


def when(at: float, how: str = "both") -> Markup:
    """A moment on this machine's clock; the page's script says it on the reader's, with how long ago that was.

    + how: ``both``; one of them alone: ``clock`` or ``age``; ``full`` is the clock with the date, ``for`` how long it
      lasts by now
    """
    try:
        local = datetime.fromtimestamp(at, UTC).astimezone()
        machine = iso(at)
    except (ValueError, OverflowError, OSError):
        return Markup("at an unknown time")
    told = f"{'since ' if how == 'for' else ''}{local:%Y-%m-%d %H:%M}"
    return Markup('<time datetime="{}" data-how="{}">{}</time>').format(machine, how, told)


def took(seconds: float) -> str:
    """How long something took: tenths of a second as long as they matter."""
    if not isfinite(seconds):
        return "an unknown time"
    return f"{max(0.0, seconds):.1f} s" if seconds < 10 else lasting(seconds)


def percent(value: float | None, digits: int = 1) -> str:
    """A share that is never said to be more than it is: 99.999 is no 100."""
    if value is None or not isfinite(value):
        return "unknown"
    scale = 10**digits
    whole = floor(value * scale + 1e-6) / scale
    return f"{whole:.{digits}f} %"


def share(part: float, whole: float) -> float:
    """A part in percent of the whole, between 0 and 100; 0 of nothing."""
    if not isfinite(part) or not isfinite(whole) or whole <= 0:
        return 0.0
    return round(min(100.0, max(0.0, 100 * part / whole)), 2)


def level_title(level: str) -> str:
    """Such as ``L2 session``; ``upkeep`` stays."""
    return f"{level} {_LEVELS[level]}" if level in _LEVELS else cut(level, LONGEST_NAME)


def agent_mood(condition: str) -> str:
    """What an agent's condition comes to: ``ok``, ``idle``, ``warn``, ``bad``, ``unknown``."""
    return _AGENT_MOODS.get(condition, "unknown")
