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

from miyabi.masking import plain

# own: a line of its own, such as a spinner or a banner. said: the agent speaks. notice: marked as a tool's output, but
# no tool is above it. status: below the input line. The others never count: a tool and what it printed, what a human
# asked, what he drafts, code, frames.
Role = Literal["own", "said", "notice", "status", "dialog", "tool", "quoted", "asked", "input", "frame"]

# How many of the last lines that are not empty are believed: what stands further up may be long over.
LATEST = 15
# A question may be higher than that on a narrow screen.
_HIGHEST_DIALOG = 30
_LONGEST = 500
# Into how many lines a sentence may be broken by a narrow screen.
_MOST_JOINED = 8

_FRAME = re.compile(
    r"\s*[╭╰┌└├╞]?[─━═╌┄▔▁—▪\s]*[─━═╌┄▔▁—]{3}(?P<label>[^─━═╌┄▔▁—]{0,60})[─━═╌┄▔▁—]*[▪\s─]*[╮╯┐┘┤╡]?\s*"
)
_TOP = re.compile(r"\s*[╭┌][─━]{2}")
_BOTTOM = re.compile(r"\s*[╰└][─━]{2}.*[╯┘]\s*")
_SIDES = re.compile(r"\s*[│┃](?P<inner>.*)[│┃]\s*")
_FENCE = re.compile(r"\s*(?:```|~~~)(?P<language>\S?)")
_PROMPT = re.compile(r"\s{0,2}[❯>›](?:\s|$)")  # noqa: RUF001 - the prompts of agents
_SHELL = re.compile(r"\s{0,2}!\s")
_OUTPUT = re.compile(r"\s{0,8}[⎿└](?:\s|$)")
_QUOTE = re.compile(r"\s*(?:[│┃|▌▏┆]|\d+\s*[-+│|]\s|\d+[→:]\s|[-+]{1,3}\s|@@ |[-+]{3}$)")
_BULLET = re.compile(r"(?P<bullet>[⏺●•◦■▪⚠✗✘✖✓✔×※])\s{0,3}(?=\S)")  # noqa: RUF001 - marks of agents
_SPOKEN = frozenset("⏺●•◦")
_SPINNER = re.compile(r"\s{0,1}[✢✳✶✻✽✦✧✷✸✹✺∗·*◐-◓⠁-⣿]\s{1,3}\S")  # noqa: RUF001 - they turn
_CALL = re.compile(
    r"[⏺●•◦]\s{0,3}(?:[A-Z][\w.:-]{0,40}(?: [\w.:-]{1,40}){0,6}\((?!\d)|[\w.:-]{1,60} - [\w.:-]{1,60} \(MCP\)"
    r"|(?:Ran|Running|Explored|Exploring|Edited|Added|Deleted|Called|Calling|Read|Viewed|Searched|Updated Plan) )"
)
_OPTION = re.compile(r"\s*(?P<pointer>[❯>›▶→]\s{0,3})?(?P<number>\d{1,2})[.)]\s?\S")  # noqa: RUF001 - prompts
_HINT = re.compile(
    r"\W{0,6}(?:press )?(?:enter|return|esc(?:ape)?|tab|space|↑|↓|y/n).{0,60}"
    r"\b(?:confirm|cancel|select|continue|submit|navigate|amend|go back|exit|accept|choose|dismiss|toggle|explain)\b",
    re.IGNORECASE,
)
_POINTED = re.compile(r"\s*[❯›▶→]\s{1,3}\S")  # noqa: RUF001 - prompts


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
    return _BULLET.sub("", text.lstrip("⎿└ "), count=1)


def screen_of(lines: Iterable[str], input_line: str = "", quoted_line: str = "") -> Screen:
    """What the lines of a screen are.

    + lines: the last ones of a pane, the newest last
    + input_line, quoted_line: regular expressions of the kind of agent, "" for none
    """
    clean = [_clean(line) for line in lines]
    while clean and not clean[-1].strip():
        clean.pop()
    forms = (_form(input_line), _form(quoted_line))
    bottom = _bottom(clean, forms[0])
    rows = _rows(clean[: bottom.start], forms)
    rows += [Row(at, clean[at].strip(), "status") for at in bottom.status if clean[at].strip()]
    shown = [at for at, line in enumerate(clean) if line.strip()]
    oldest = shown[-LATEST] if len(shown) > LATEST else 0
    return Screen(
        rows=tuple(row for row in rows if row.at >= oldest),
        dialog=tuple(bottom.dialog),
        composer=bottom.composer,
        drafted=bottom.drafted,
    )


def _clean(line: str) -> str:
    return plain(line[: 4 * _LONGEST]).replace("\xa0", " ").expandtabs(4).rstrip()[:_LONGEST]


@cache
def _form(expression: str) -> re.Pattern[str] | None:
    return re.compile(expression) if expression else None


@dataclass(slots=True)
class _Bottom:
    """The lower end of the screen: where it begins, and what is in it."""

    start: int
    status: range = range(0)
    dialog: tuple[str, ...] = ()
    composer: bool = False
    drafted: bool = False


def _bottom(lines: list[str], input_form: re.Pattern[str] | None) -> _Bottom:
    composer = _framed_input(lines) or _bare_input(lines, input_form)
    if composer is None:
        return _dialog(lines) or _Bottom(len(lines))
    first, after = composer
    dialog = _dialog(lines, composer)
    if dialog is not None:
        return dialog
    draft = " ".join(lines[first:after]).strip().strip("│┃ ").lstrip("❯>› ").strip()  # noqa: RUF001 - prompts
    start = first - 1 if first and _FRAME.fullmatch(lines[first - 1]) else first
    return _Bottom(start, range(after, len(lines)), composer=True, drafted=bool(draft))


def _framed_input(lines: list[str]) -> tuple[int, int] | None:
    """The lines of an input between two rules, or in a box; None when there is none."""
    lower = next((at for at in _upwards(lines, LATEST) if _FRAME.fullmatch(lines[at])), None)
    if lower is None:
        return None
    upper = next((at for at in range(lower - 1, max(lower - 40, -1), -1) if _FRAME.fullmatch(lines[at])), None)
    if upper is None or upper + 1 >= lower:
        return None
    inside = _SIDES.fullmatch(lines[upper + 1])
    return (upper + 1, lower) if _PROMPT.match(inside["inner"] if inside else lines[upper + 1]) else None


def _bare_input(lines: list[str], form: re.Pattern[str] | None) -> tuple[int, int] | None:
    """The lines of an input without a frame: a prompt with nothing below it but its draft and a status."""
    for at in _upwards(lines, LATEST):
        line = lines[at]
        if _PROMPT.match(line) or (form and form.search(line)):
            return at, _end_of_draft(lines, at)
        if not line[:1].isspace() or _OUTPUT.match(line) or _BULLET.match(line.strip()):
            return None
    return None


def _end_of_draft(lines: list[str], at: int) -> int:
    return next((end for end in range(at + 1, len(lines)) if not lines[end].strip()), len(lines))


def _upwards(lines: list[str], most: int) -> list[int]:
    """Where the last lines that are not empty are, the newest first."""
    return [at for at in range(len(lines) - 1, -1, -1) if lines[at].strip()][:most]


def _dialog(lines: list[str], composer: tuple[int, int] | None = None) -> _Bottom | None:
    """The question that is open at the bottom of the screen; None when none is."""
    latest = _upwards(lines, _HIGHEST_DIALOG)
    bare = {at: (found["inner"] if (found := _SIDES.fullmatch(lines[at])) else lines[at]) for at in latest}
    options = [(at, found) for at in latest if (found := _OPTION.match(bare[at]))]
    pointed = [at for at, found in options if found["pointer"]]
    hinted = [at for at in latest[:4] if _HINT.match(bare[at])]
    pointers = [at for at in latest[:LATEST] if _POINTED.match(bare[at])]
    is_menu = len(options) > 1 and bool(pointed) and _close(lines, options[0][0], 8)
    is_list = bool(hinted) and bool(pointers or options)
    if not (is_menu or is_list) or _typed(lines, composer, options):
        return None
    chosen = [*hinted, *pointers[-1:], *(at for at, _ in options)]
    if any(_newer(line) for line in lines[max(chosen) + 1 :]):
        return None
    top = min(chosen)
    start = next((at for at in range(top - 1, max(top - 24, -1), -1) if _above(lines[at])), max(top - 24, -1))
    return _Bottom(start + 1, dialog=tuple(bare[at].strip() for at in reversed(latest) if at > start))


def _typed(lines: list[str], composer: tuple[int, int] | None, options: list[tuple[int, re.Match[str]]]) -> bool:
    """Whether there is an input line, below all options: what looks like a question is text then."""
    if composer is None:
        return False
    first, after = composer
    if _OPTION.match(lines[first]) or _POINTED.match(lines[first]):
        # A pointer at one of several options looks like an input line.
        inside = [at for at, _ in options if at >= first]
        below = [line for line in lines[after:] if _HINT.match(line)]
        return len(inside) < 2 and not below
    return True


def _close(lines: list[str], at: int, most: int) -> bool:
    return sum(1 for line in lines[at + 1 :] if line.strip()) <= most


def _newer(line: str) -> bool:
    """Whether a line below a question says that it is over: the agent works, or speaks again."""
    return bool(_SPINNER.match(line) or _BULLET.match(line)) or "to interrupt" in line


def _above(line: str) -> bool:
    """Whether a question ends below this line: at a rule, at what the agent said, at a tool's output."""
    return bool(_FRAME.fullmatch(line) or _BULLET.match(line) or _OUTPUT.match(line) or _TOP.match(line))


def _rows(lines: list[str], forms: tuple[re.Pattern[str] | None, re.Pattern[str] | None]) -> list[Row]:
    reader = _Reader(*forms)
    fenced = _fenced(lines)
    for at, line in enumerate(lines):
        reader.read(at, line, "".join(lines[at + 1 : at + 2]), fenced=at in fenced)
    return reader.rows


def _fenced(lines: list[str]) -> set[int]:
    """Which lines stand between fences; a fence that nobody closed was none."""
    inside: set[int] = set()
    opened: int | None = None
    for at, line in enumerate(lines):
        if not _FENCE.match(line):
            continue
        if opened is None:
            opened = at
        else:
            inside |= set(range(opened, at + 1))
            opened = None
    return inside


def _turns(line: str) -> bool:
    """Whether a line is a spinner, or what a spinner leaves when it has ended."""
    return bool(_SPINNER.match(line)) and ("…" in line or "..." in line or " for " in line)


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
            self.rows[-1] = Row(last.at, f"{last.text} {text}"[:_LONGEST], role, last.first)
            self._joined += 1
            return
        self.rows.append(
            Row(at, text, role, head and (self._gap or role != "own" or last is None or last.role != "own"))
        )
        self._joined = 0

    def _role(self, line: str, following: str) -> tuple[Role, bool]:
        """What a line is, and whether it begins something new."""
        indent = len(line) - len(line.lstrip())
        if _OUTPUT.match(line) and not _FRAME.fullmatch(line):
            return self._output(indent, line)
        if self._is_asked(line):
            self._block = "asked"
            self._for_shell = line.lstrip("❯>› ")[:1] in {"!", "/"}  # noqa: RUF001 - prompts
            return "asked", True
        is_frame = bool(_FRAME.fullmatch(line))
        if is_frame or (indent <= 1 and _turns(line)):
            self._block = "own"
            return ("frame" if is_frame else "own"), True
        bullet = _BULLET.match(line.lstrip())
        if bullet and indent <= 1:
            return self._bulleted(line, following, bullet["bullet"])
        return self._plain(line, indent)

    def _is_asked(self, line: str) -> bool:
        return bool(_PROMPT.match(line) or _SHELL.match(line) or (self._input and self._input.search(line)))

    def _plain(self, line: str, indent: int) -> tuple[Role, bool]:
        """A line without a mark: a part of what stands above it, or one of its own."""
        if indent <= 1 and not (self._block == "quoted" and not self._gap and indent):
            self._block = "own"
        if self._block == "own":
            return ("quoted", True) if _QUOTE.match(line) else ("own", True)
        return ("quoted" if self._block == "tool" else self._block), False

    def _bulleted(self, line: str, following: str, bullet: str) -> tuple[Role, bool]:
        if bullet not in _SPOKEN:
            self._block = "own"
            return "own", True
        is_tool = bool(_CALL.match(line.lstrip())) or (bool(_OUTPUT.match(following)) and "to interrupt" not in line)
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
