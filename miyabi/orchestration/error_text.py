"""Errors and guidance as text for a terminal, and the same as JSON. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from miyabi.masking import masked, shown
from miyabi.orchestration.error_words import ErrorWords, Places, filled_in
from miyabi.orchestration.guidance import Guidance
from miyabi.words import counted, lasting

# The column in which text begins, and the widest text that is easily read.
_MARGIN = 10
_WIDEST = 110
_NARROWEST = 24

Style = Literal["plain", "title", "command", "dim", "LOW", "MEDIUM", "HIGH", "CRITICAL"]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of output. A command is a line of its own and is never broken, so that it can be copied."""

    text: str
    style: Style = "plain"


def error_lines(words: ErrorWords, places: Places, width: int, details: Sequence[str] = ()) -> Iterator[Line]:
    """An error for a terminal.

    + width: in columns
    + details: what was found, a line each
    """
    yield from _wrapped("", f"{words.title} ({words.code})", width, "title")
    yield from _wrapped("", words.happened, width)
    for number, detail in enumerate(details):
        yield from _wrapped("found" if number == 0 else "", detail, width)
    for number, cause in enumerate(words.causes):
        yield from _wrapped("mostly" if number == 0 else "", f"- {cause}", width)
    for number, action in enumerate(words.actions):
        yield from _wrapped("to do" if number == 0 else "", f"{number + 1}. {action.text}", width)
        yield from _command(filled_in(action.command, places))
    yield from _wrapped("safe", words.safe, width)


def error_json(words: ErrorWords, places: Places, details: Sequence[str] = ()) -> dict[str, Any]:
    """An error as JSON; a command that cannot be filled in is None."""
    return {
        "code": words.code,
        "title": words.title,
        "happened": words.happened,
        "details": [masked(each) for each in details],
        "causes": list(words.causes),
        "actions": [{"text": each.text, "command": filled_in(each.command, places) or None} for each in words.actions],
        "safe": words.safe,
    }


def guidance_lines(told: Guidance, width: int) -> Iterator[Line]:
    """Guidance for a terminal.

    + width: in columns
    """
    if told.severity is None:
        yield from _wrapped("", told.why, width)
        return
    takes = f"about {lasting(told.seconds)}" if told.seconds else "as long as you need"
    yield from _wrapped("", f"{told.severity}: {takes}, risk {told.risk}", width, told.severity)
    yield from _wrapped("", told.why, width)
    for number, prerequisite in enumerate(told.prerequisites):
        yield from _wrapped("first" if number == 0 else "", prerequisite, width)
    for number, step in enumerate(told.steps):
        risk = f" (risk {step.risk})" if step.risk != "low" else ""
        yield from _wrapped("to do" if number == 0 else "", f"{number + 1}. {step.text}{risk}", width)
        yield from _command(step.command)


def guidance_json(told: Guidance) -> dict[str, Any]:
    """Guidance as JSON: the same that ``guidance_lines`` says."""
    return {
        "severity": told.severity,
        "seconds": told.seconds,
        "risk": told.risk,
        "why": told.why,
        "prerequisites": list(told.prerequisites),
        "steps": [
            {"text": each.text, "command": each.command or None, "seconds": each.seconds, "risk": each.risk}
            for each in told.steps
        ],
    }


def left_out(number: int, thing: str) -> str:
    """To be said of what is not listed; "" of nothing."""
    return f"and {counted(number, f'more {thing}')}" if number > 0 else ""


def _command(command: str) -> Iterator[Line]:
    if command:
        yield Line(f"{' ' * (_MARGIN + 3)}{command}", "command")


def _wrapped(label: str, text: str, width: int, style: Style = "plain") -> Iterator[Line]:
    margin = _MARGIN if label or style == "plain" else 0
    room = max(_NARROWEST, min(width, _WIDEST) - margin)
    safe = shown(masked(text))
    hanging = "   " if safe[:1].isdigit() and ". " in safe[:4] else "  " if safe.startswith("- ") else ""
    lines = textwrap.wrap(safe, room, subsequent_indent=hanging, break_on_hyphens=False) or [""]
    for number, line in enumerate(lines):
        head = f"{label if number == 0 else '':<{margin}}" if margin else ""
        yield Line(f"{head}{line}".rstrip(), style)
