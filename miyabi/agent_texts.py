"""The texts by which an agent's condition is told, found in the lines of its screen. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from miyabi.agent_kind import AgentKind, Pattern, Sign
from miyabi.agent_lines import Row, Screen
from miyabi.agent_state import AgentCause, AgentCondition

# On one line, the first of these is meant; a permission's own words come before what its command may mention.
_RANK: tuple[Sign, ...] = (
    "retrying",
    "resume-refused",
    "no-conversation",
    "reset",
    "limited",
    "login",
    "context-full",
    "overloaded",
    "permission",
    "trust",
    "working",
    "finished",
    "idle",
)
# How far around a line its company may stand.
_AROUND = 8


@dataclass(frozen=True, slots=True)
class Reading:
    """What a screen says.

    + certain: whether it is certainly a screen of work, and nothing that only looks like one
    + drafted: whether something stands in the input line
    + composer: whether there is an input line
    """

    condition: AgentCondition
    confidence: float = 0.5
    lines: tuple[str, ...] = ()
    until: float | None = None
    detail: str = ""
    retrying: bool = False
    menu: bool = False
    keys: tuple[str, ...] = ()
    cause: AgentCause = ""
    certain: bool = False
    drafted: bool = False
    composer: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """A line that says something: which one, by which pattern."""

    place: int
    row: Row
    pattern: Pattern
    match: re.Match[str]

    @property
    def rank(self) -> int:
        """How much it counts beside others in the same line: less is more."""
        return _RANK.index(self.pattern.sign)


@cache
def compiled(expression: str) -> re.Pattern[str]:
    """A pattern's expression, made once."""
    return re.compile(expression)


def hits_in(kind: AgentKind, screen: Screen) -> list[Hit]:
    """Every line of a screen that says something, and by which pattern; the same line may say several things."""
    rows = list(screen.rows)
    return [hit for place in range(len(rows)) for hit in _row_hits(kind, rows, place)]


def _row_hits(kind: AgentKind, rows: list[Row], place: int) -> list[Hit]:
    row = rows[place]
    if row.role not in {"own", "said", "notice", "status", "frame"}:
        return []
    if row.role == "said" and not row.first:
        return []
    found = []
    texts = _texts(rows, place)
    for pattern in kind.patterns:
        if not _counts(pattern, rows, place):
            continue
        match = next((match for text in texts if (match := compiled(pattern.text).search(text))), None)
        if match and _in_company(pattern, rows, place):
            found.append(Hit(place, row, pattern, match))
    return found


def _texts(rows: list[Row], place: int) -> tuple[str, ...]:
    """In what of a line the patterns are looked for."""
    row = rows[place]
    if row.role == "frame":
        return (row.text.strip("─━═— "),)
    if row.role != "own":
        return (row.text, row.bare)
    # A narrow screen breaks a line of its own, too; what is whole tells more.
    after = rows[place + 1 : place + 4]
    more = next((at for at, each in enumerate(after) if each.role != "own" or each.first), len(after))
    whole = " ".join([row.bare, *(each.text for each in after[:more])])
    return (whole, row.text, row.bare) if more else (row.text, row.bare)


def _counts(pattern: Pattern, rows: list[Row], place: int) -> bool:
    """Whether a pattern may be meant in a line, by where it stands."""
    role = rows[place].role
    if pattern.where == "dialog" or (role == "frame" and pattern.sign != "finished"):
        return False
    if role == "status":
        return pattern.where == "status"
    if role == "notice":
        return pattern.quoted or place > 0
    if pattern.sign == "working" and pattern.where == "status":
        # In the middle of a text, its words are talk.
        return role == "own" and place >= len(rows) - 3
    return True


def _in_company(pattern: Pattern, rows: list[Row], place: int) -> bool:
    if not pattern.with_text:
        return True
    around = rows[max(place - _AROUND, 0) : place + _AROUND + 1]
    return any(row.role not in {"asked", "input"} and compiled(pattern.with_text).search(row.text) for row in around)


def read_text(kind: AgentKind, text: str, *, said_at: float, offset: int = 0, exact: bool = False) -> Reading | None:
    """What one message of an agent says, such as an error from its transcript; None when it is none that is known."""
    row = Row(0, " ".join(text.split())[:500], "own")
    hits = [hit for hit in _row_hits(kind, [row], 0) if hit.pattern.sign not in {"working", "finished", "idle"}]
    return reading_of(min(hits, key=lambda hit: hit.rank), said_at, offset, exact=exact) if hits else None


def reading_of(hit: Hit, shown_at: float, offset: int, *, exact: bool = False) -> Reading:
    """What a line says by itself.

    + shown_at: since when it is shown, in seconds since the epoch; ``exact`` says that it was said just then
    + offset: the host's zone, seconds east of UTC
    """
    sign, confidence, text = hit.pattern.sign, hit.pattern.confidence, hit.row.bare[:200]
    lines = (hit.row.text,)
    if sign == "retrying":
        return Reading("overloaded", confidence, lines, detail="tries again by itself", retrying=True)
    if sign == "reset":
        return Reading("limited", confidence, lines, until=shown_at, detail="its limit is over")
    if sign == "resume-refused" or sign == "no-conversation":  # noqa: PLR1714 - mypy narrows this only
        return Reading("unknown", confidence, lines, detail=text, cause=sign)
    until = None
    if hit.pattern.until and hit.match[hit.pattern.until]:
        from miyabi.reset_time import reset_time  # noqa: PLC0415 - only a limited agent needs it

        until = reset_time(hit.match[hit.pattern.until], shown_at, offset, exact=exact)
    condition: AgentCondition = "idle" if sign == "finished" else sign
    return Reading(condition, confidence, lines, until, text)
