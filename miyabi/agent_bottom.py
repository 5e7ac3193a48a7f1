"""The lower end of an agent's screen: its input line, or the question in its place. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from miyabi.agent_marks import (
    BOTTOM,
    BULLET,
    CHOSEN,
    FRAME,
    HINT,
    MODE,
    OPTION,
    OUTPUT,
    POINTED,
    PROMPT,
    SIDES,
    SPINNER,
    TOP,
)

# How many of the last lines that are not empty are searched; a question may be higher on a narrow screen.
_LATEST, _HIGHEST = 15, 30


@dataclass(slots=True)
class Bottom:
    """The lower end of the screen: where it begins, and what is in it."""

    start: int
    status: range = range(0)
    dialog: tuple[str, ...] = ()
    composer: bool = False
    drafted: bool = False


def bottom_of(lines: list[str], input_form: re.Pattern[str] | None) -> Bottom:
    """What the lines end with.

    + lines: clean ones, the last of them not empty
    + input_form: of a line in which a human types, as the kind of agent has it; None for none of its own
    """
    composer = _bare_input(lines, input_form) or _framed_input(lines)
    if composer is None:
        return _dialog(lines) or Bottom(len(lines))
    first, after = composer
    dialog = _dialog(lines, composer) or _lonely_choice(lines, first)
    if dialog is not None:
        return dialog
    draft = " ".join(lines[first:after]).strip().strip("│┃ ").lstrip("❯>› ").strip()  # noqa: RUF001 - prompts
    start = first - 1 if first and FRAME.fullmatch(lines[first - 1]) else first
    return Bottom(start, range(after, len(lines)), composer=True, drafted=bool(draft))


def _framed_input(lines: list[str]) -> tuple[int, int] | None:
    """The lines of an input between two rules, or in a box; None when there is none."""
    frames = [at for at in range(len(lines)) if FRAME.fullmatch(lines[at])]
    lower = next((at for at in reversed(frames) if at in _upwards(lines, _LATEST)), None)
    upper = next((at for at in reversed(frames) if lower is not None and lower - 40 < at < lower - 1), None)
    if lower is None or upper is None or _is_box(lines[upper], TOP) != _is_box(lines[lower], BOTTOM):
        return None
    if _is_box(lines[upper], BOTTOM) or any(_stands_alone(line) for line in lines[upper + 1 : lower]):
        return None
    inside = SIDES.fullmatch(lines[upper + 1])
    first = inside["inner"] if inside else lines[upper + 1]
    return (upper + 1, lower) if PROMPT.match(first) or MODE.match(first) else None


def _is_box(line: str, form: re.Pattern[str]) -> bool:
    return form.match(line) is not None


def _stands_alone(line: str) -> bool:
    """Whether a line is the agent's: no draft has its marks at its edge."""
    return bool(BULLET.match(line) or OUTPUT.match(line) or (SPINNER.match(line) and "…" in line))


def _bare_input(lines: list[str], form: re.Pattern[str] | None) -> tuple[int, int] | None:
    """The lines of an input without a frame: a prompt with nothing below it but its draft and a status."""
    for at in _upwards(lines, _LATEST):
        line = lines[at]
        if PROMPT.match(line) or (form and form.search(f"{line} ")):
            return at, _end_of_draft(lines, at)
        if not line[:1].isspace() or OUTPUT.match(line) or BULLET.match(line.strip()):
            return None
    return None


def _end_of_draft(lines: list[str], at: int) -> int:
    return next((end for end in range(at + 1, len(lines)) if not lines[end].strip()), len(lines))


def _upwards(lines: list[str], most: int) -> list[int]:
    """Where the last lines that are not empty are, the newest first."""
    return [at for at in range(len(lines) - 1, -1, -1) if lines[at].strip()][:most]


def _dialog(lines: list[str], composer: tuple[int, int] | None = None) -> Bottom | None:
    """The question that is open at the bottom of the screen; None when none is."""
    latest = _upwards(lines, _HIGHEST)
    bare = {at: (found["inner"] if (found := SIDES.fullmatch(lines[at])) else lines[at]) for at in latest}
    options = [(at, found) for at in latest if (found := OPTION.match(bare[at]))]
    pointed = [at for at, found in options if found["pointer"]]
    hinted = [at for at in latest[:4] if HINT.match(bare[at])]
    pointers = [at for at in latest[:_LATEST] if POINTED.match(bare[at])]
    is_menu = len(options) > 1 and bool(pointed) and _close(lines, options[0][0], 8)
    is_list = bool(hinted) and bool(pointers or options)
    if not (is_menu or is_list) or _typed(lines, composer, options):
        return None
    chosen = [*hinted, *pointers[-1:], *(at for at, _ in options)]
    if any(_newer(line) for line in lines[max(chosen) + 1 :]):
        return None
    top = min(chosen)
    start = next((at for at in range(top - 1, max(top - 24, -1), -1) if _above(lines[at])), max(top - 24, -1))
    return Bottom(start + 1, dialog=tuple(bare[at].strip() for at in reversed(latest) if at > start))


def _lonely_choice(lines: list[str], at: int) -> Bottom | None:
    """A pointer at a yes or a no in the very last line: what is above it is not seen, or has no numbers."""
    if at == len(lines) - 1 and CHOSEN.fullmatch(lines[at]):
        above = [line.strip() for line in lines[max(at - 3, 0) : at] if line.strip()]
        return Bottom(at, dialog=(*above, lines[at].strip()))
    return None


def _typed(lines: list[str], composer: tuple[int, int] | None, options: list[tuple[int, re.Match[str]]]) -> bool:
    """Whether there is an input line, below all options: what looks like a question is text then."""
    if composer is None:
        return False
    first, after = composer
    if OPTION.match(lines[first]) or POINTED.match(lines[first]):
        # A pointer at one of several options looks like an input line.
        inside = [at for at, _ in options if at >= first]
        below = [line for line in lines[after:] if HINT.match(line)]
        return len(inside) < 2 and not below
    return True


def _close(lines: list[str], at: int, most: int) -> bool:
    return sum(1 for line in lines[at + 1 :] if line.strip()) <= most


def _newer(line: str) -> bool:
    """Whether a line below a question says that it is over: the agent works, or speaks again."""
    return SPINNER.match(line) is not None or BULLET.match(line) is not None


def _above(line: str) -> bool:
    """Whether a question ends below this line: at a rule, at what the agent said, at a tool's output."""
    return bool(FRAME.fullmatch(line) or BULLET.match(line) or OUTPUT.match(line) or TOP.match(line))
