"""Which lines of an agent's screen count, and as what. Pure.

From the bottom: what stands below the input line, the input line with what a human drafts in it, or a question in its
place; above it what the agent says, what its tools print, what was asked before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from miyabi.agent_bottom import bottom_of
from miyabi.agent_marks import (
    BULLET,
    CALL,
    CLOCK,
    FENCE,
    FRAME,
    GREETING,
    HEADING,
    LISTED,
    LONGEST,
    OUTPUT,
    PROMPT,
    QUOTE,
    SHELL,
    SPINNER,
    SPOKEN,
    clean,
)

# own: a line of its own, such as a spinner or a banner. said: the agent speaks. notice: marked as a tool's output, but
# no tool is above it. status: below the input line. The others never count: a tool and what it printed, what a human
# asked, what he drafts, code, frames.
Role = Literal["own", "said", "notice", "status", "dialog", "tool", "quoted", "asked", "input", "frame"]

# How many of the last lines that are not empty are believed: what stands further up may be long over.
LATEST = 15
# Into how many lines a sentence may be broken by a narrow screen.
_MOST_JOINED = 8


@dataclass(frozen=True, slots=True)
class Row:
    """A sentence of the screen: a line, or several that a narrow screen made of one.

    + at: which line of the screen it begins in, from 0
    + text: without indentation
    + bare: without its bullet, too
    + first: whether it begins a paragraph
    """

    at: int
    text: str
    role: Role
    first: bool = True

    @property
    def bare(self) -> str:
        """The text without the bullet or the mark in front of it."""
        return without_bullet(self.text)


@dataclass(frozen=True, slots=True)
class Screen:
    """What a screen shows.

    + rows: the latest, the newest last, without empty ones
    + dialog: the lines of the question that is open; () when none is
    + composer: whether there is an input line
    + drafted: whether something stands in it
    """

    rows: tuple[Row, ...] = ()
    dialog: tuple[str, ...] = ()
    composer: bool = False
    drafted: bool = False


def without_bullet(text: str) -> str:
    """A text without the bullet, or the mark of a tool's output, in front of it."""
    return BULLET.sub("", text.lstrip("⎿└ "), count=1)


def screen_of(lines: Iterable[str], input_line: str = "", quoted_line: str = "") -> Screen:
    """What the lines of a screen are.

    + lines: the last ones of a pane, the newest last
    + input_line, quoted_line: regular expressions of the kind of agent, "" for none
    """
    shown = [clean(line) for line in lines]
    while shown and not shown[-1].strip():
        shown.pop()
    forms = (_form(input_line), _form(quoted_line))
    bottom = bottom_of(shown, forms[0])
    rows = _rows(shown[: bottom.start], forms)
    last = [at for at in bottom.status if shown[at].strip() and not FRAME.fullmatch(shown[at])]
    below = [Row(at, shown[at].strip(), "status") for at in last]
    if len(below) > 1:
        # A narrow screen breaks these lines, too.
        below.append(Row(below[-1].at, " ".join(row.text for row in below)[:LONGEST], "status"))
    rows += below
    # What a human drafts may be long, and what is still to be done: they hide nothing.
    lines_left = (at for at in (*range(bottom.start), *bottom.status) if shown[at].strip())
    counted = [at for at in lines_left if not LISTED.match(shown[at])]
    oldest = max(counted[-LATEST] if len(counted) > LATEST else 0, _drawn_from(shown, bottom.start))
    return Screen(
        rows=tuple(row for row in rows if row.at >= oldest),
        dialog=tuple(bottom.dialog),
        composer=bottom.composer,
        drafted=bottom.drafted,
    )


def body_of(lines: Iterable[str]) -> list[str]:
    """The lines of a screen above its input line and its spinner."""
    shown = [clean(line) for line in lines]
    while shown and not shown[-1].strip():
        shown.pop()
    start = bottom_of(shown, None).start
    body = shown[_drawn_from(shown, start) : start]
    turning = [at for at in range(max(len(body) - LATEST, 0), len(body)) if _works(body[at])]
    return body[: turning[-1]] if turning else body


def _drawn_from(lines: list[str], end: int) -> int:
    """The line with which the latest drawing begins, of those before ``end``.

    An agent that was started again, or whose window has got another size, leaves in the scrollback what it had drawn
    before, spinner and all: what stands above its greeting, or above an older input box, says nothing of it now.
    """
    for at in range(end - 1, -1, -1):
        if GREETING.match(lines[at]):
            return at
        box = lines[at : min(at + 3, end)]
        if len(box) == 3 and PROMPT.match(box[1]) and all(FRAME.fullmatch(each) for each in (box[0], box[2])):
            return at + 3
    return 0


@cache
def _form(expression: str) -> re.Pattern[str] | None:
    return re.compile(expression) if expression else None


def _rows(lines: list[str], forms: tuple[re.Pattern[str] | None, re.Pattern[str] | None]) -> list[Row]:
    reader = _Reader(*forms)
    fenced = _fenced(lines)
    last = max((at for at, line in enumerate(lines) if line.strip()), default=-1)
    for at, line in enumerate(lines):
        if at == last and HEADING.fullmatch(line):
            # The bullet of a heading of work may be off at the moment that it is looked at.
            reader.rows.append(Row(at, line.strip(), "own"))
        else:
            reader.read(at, line, "".join(lines[at + 1 : at + 2]), fenced=at in fenced)
    return reader.rows


def _fenced(lines: list[str]) -> set[int]:
    """Which lines stand between fences; a fence that nobody closed was none."""
    inside: set[int] = set()
    opened: int | None = None
    for at, line in enumerate(lines):
        if not FENCE.match(line):
            continue
        if opened is None:
            opened = at
        else:
            inside |= set(range(opened, at + 1))
            opened = None
    return inside


def _turns(line: str) -> bool:
    """Whether a line is a spinner, or what a spinner leaves when it has ended."""
    return bool(SPINNER.match(line)) and ("…" in line or "..." in line or " for " in line)


def _works(line: str) -> bool:
    return _turns(line) or CLOCK.match(line) is not None or HEADING.fullmatch(line) is not None


class _Reader:
    """Tells line by line what each is, from what stands before it."""

    def __init__(self, input_form: re.Pattern[str] | None, quoted_form: re.Pattern[str] | None) -> None:
        self.rows: list[Row] = []
        self._input, self._quoted = input_form, quoted_form
        self._block: Role = "own"
        self._indent = 0
        self._gap = True
        self._for_shell = False
        self._joined = 0

    def read(self, at: int, line: str, following: str, *, fenced: bool) -> None:
        """Take the next line."""
        if not line.strip():
            self._gap = True
            return
        role, head = self._role(line, following)
        if fenced or (self._quoted and self._quoted.search(line)):
            role, head = "quoted", True
        self._add(at, line.strip(), role, head=head)
        self._gap = False

    def _add(self, at: int, text: str, role: Role, *, head: bool) -> None:
        """Keep the line, as a part of the sentence before it when a narrow screen broke that."""
        last = self.rows[-1] if self.rows else None
        if not head and not self._gap and last and last.role == role and self._joined < _MOST_JOINED:
            self.rows[-1] = Row(last.at, f"{last.text} {text}"[:LONGEST], role, last.first)
            self._joined += 1
            return
        self.rows.append(
            Row(at, text, role, head and (self._gap or role != "own" or last is None or last.role != "own"))
        )
        self._joined = 0

    def _role(self, line: str, following: str) -> tuple[Role, bool]:
        """What a line is, and whether it begins something new."""
        indent = len(line) - len(line.lstrip())
        if LISTED.match(line):
            return "input", True
        if OUTPUT.match(line) and not FRAME.fullmatch(line):
            return self._output(indent, line)
        if self._is_asked(line):
            self._block = "asked"
            self._for_shell = line.lstrip("❯>› ").startswith("!")  # noqa: RUF001 - prompts
            return "asked", True
        is_frame = bool(FRAME.fullmatch(line))
        if is_frame or (indent <= 1 and _turns(line)):
            self._block = "own"
            return ("frame" if is_frame else "own"), True
        bullet = BULLET.match(line.lstrip())
        if bullet and indent <= 1:
            return self._bulleted(line, following, bullet["bullet"])
        return self._plain(line, indent)

    def _is_asked(self, line: str) -> bool:
        return bool(PROMPT.match(line) or SHELL.match(line) or (self._input and self._input.search(f"{line} ")))

    def _plain(self, line: str, indent: int) -> tuple[Role, bool]:
        """A line without a mark: a part of what stands above it, or one of its own."""
        if indent <= 1 and not (self._block == "quoted" and not self._gap and indent):
            self._block = "own"
        if self._block == "own":
            return ("quoted", True) if QUOTE.match(line) else ("own", True)
        return ("quoted" if self._block == "tool" else self._block), False

    def _bulleted(self, line: str, following: str, bullet: str) -> tuple[Role, bool]:
        if bullet not in SPOKEN:
            self._block = "own"
            return "own", True
        if LISTED.match(following):
            return "input", True
        is_tool = bool(CALL.match(line.lstrip()) or OUTPUT.match(following)) and not CLOCK.match(line.lstrip())
        self._block = "tool" if is_tool else "said"
        return self._block, True

    def _output(self, indent: int, line: str) -> tuple[Role, bool]:
        """A line marked as output: a tool's when one is above it, else something that the agent itself says."""
        is_first = self._block == "tool" or (self._block == "said" and not self._gap)
        is_first = is_first or (self._block == "asked" and self._for_shell)
        is_deeper = self._block == "quoted" and indent > self._indent >= 0
        if is_first or is_deeper or line.lstrip().startswith("└"):
            if not is_deeper:
                self._indent = indent
            self._block = "quoted"
        else:
            self._block, self._indent = "notice", indent
        return self._block, True
