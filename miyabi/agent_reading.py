"""What an agent's screen says of its condition, by the patterns of its kind. Pure.

What stands below is newer. A question in the place of the input line comes first, then what works, then what failed in
the last turn, then the end of a turn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from miyabi.agent_kind import AgentKind, Pattern, Sign
from miyabi.agent_lines import Row, Screen, screen_of, without_bullet
from miyabi.agent_state import AgentCause, AgentCondition
from miyabi.reset_time import reset_time

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
_QUESTIONS: tuple[AgentCondition, ...] = ("permission", "limited", "login", "trust")
# How far around a line its company may stand, and how many lines are shown of what decided.
_AROUND = 8
_MOST_LINES = 12
# A word beside a menu that is not recognised as one; a question that nobody knows.
_LOOSE, _SOME_QUESTION = 0.85, 0.75
# Below this, words say that there is a question, and not which one.
_VAGUE = 0.8

_CHOICE = re.compile(r"(?P<pointer>[❯>›▶→]\s{0,3})?(?:\d{1,2}[.)]\s?)?(?P<word>Yes|No)\b")  # noqa: RUF001 - prompts
_LEADING = re.compile(r"(?:[❯>›▶→]\s{0,3})?(?:\d{1,2}[.)]\s?)?")  # noqa: RUF001 - prompts
_LEAVING = re.compile(r"[❯>›!\s]{0,4}/(?:login|clear|compact|new|resume|model)\b")  # noqa: RUF001 - prompts


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
class _Hit:
    """A line that says something: which one, by which pattern."""

    place: int
    row: Row
    pattern: Pattern
    match: re.Match[str]

    @property
    def rank(self) -> int:
        return _RANK.index(self.pattern.sign)


def read_screen(kind: AgentKind, lines: Iterable[str], *, shown_at: float, offset: int = 0) -> Reading:
    """What a screen says.

    + lines: the last ones of the pane, the newest last
    + shown_at: since when it shows that, or when it was read, in seconds since the epoch
    + offset: the host's zone, seconds east of UTC
    """
    screen = screen_of(lines, kind.input_line, kind.quoted_line)
    hits = _hits(kind, screen)
    if screen.dialog:
        return _question(kind, screen, shown_at, offset)
    loose = _loose_question(kind, screen, hits)
    return loose or _from_hits(screen, hits, shown_at, offset)


def read_text(kind: AgentKind, text: str, *, said_at: float, offset: int = 0, exact: bool = False) -> Reading | None:
    """What one message of an agent says, such as an error from its transcript; None when it is none that is known."""
    row = Row(0, " ".join(text.split())[:500], "own")
    hits = [hit for hit in _row_hits(kind, [row], 0) if hit.pattern.sign not in {"working", "finished", "idle"}]
    return _from_hit(min(hits, key=lambda hit: hit.rank), said_at, offset, exact=exact) if hits else None


@cache
def _compiled(expression: str) -> re.Pattern[str]:
    return re.compile(expression)


def _hits(kind: AgentKind, screen: Screen) -> list[_Hit]:
    rows = list(screen.rows)
    return [hit for place in range(len(rows)) for hit in _row_hits(kind, rows, place)]


def _row_hits(kind: AgentKind, rows: list[Row], place: int) -> list[_Hit]:
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
        match = next((match for text in texts if (match := _compiled(pattern.text).search(text))), None)
        if match and _in_company(pattern, rows, place):
            found.append(_Hit(place, row, pattern, match))
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
    return any(row.role not in {"asked", "input"} and _compiled(pattern.with_text).search(row.text) for row in around)


def _from_hits(screen: Screen, hits: list[_Hit], shown_at: float, offset: int) -> Reading:
    """What the newest lines that say something make together."""
    spoken = [
        place
        for place, row in enumerate(screen.rows)
        if row.role == "tool" or (row.role == "said" and row.first and not _at(hits, place))
    ]
    asked = [place for place, row in enumerate(screen.rows) if row.role == "asked" and _leads_on(row)]
    acted, turned = max(spoken, default=-1), max([*spoken, *asked], default=-1)
    busy = [hit for hit in hits if hit.pattern.sign == "working"]
    below = [hit for hit in busy if hit.row.role == "status"]
    work = [hit for hit in busy if hit.row.role != "status" and hit.place > acted]
    ended = [hit for hit in hits if hit.pattern.sign == "finished"]
    failed = [hit for hit in hits if hit.pattern.sign not in {"working", "finished", "idle"} and hit.place > turned]
    in_body = [hit for hit in failed if hit.row.role != "status"]
    newest_work, newest_end = _newest(work), _newest(ended)
    if newest_work and newest_end and newest_end.place > newest_work.place:
        newest_work = None
    trouble = _newest(in_body)
    if trouble and trouble.pattern.sign == "retrying":
        return _from_hit(trouble, shown_at, offset)
    if newest_work and not (trouble and trouble.place > newest_work.place):
        return _working(screen, newest_work)
    if below:
        return _working(screen, below[-1])
    trouble = trouble or _newest(failed)
    if trouble:
        return _with_screen(_from_hit(trouble, shown_at, offset), screen)
    return _at_rest(screen, newest_end, hits)


def _at(hits: list[_Hit], place: int) -> bool:
    return any(hit.place == place for hit in hits)


def _leads_on(row: Row) -> bool:
    """Whether what a human asked makes what stands above it old: a command of the agent's own seldom does."""
    command = row.text.lstrip("❯>› ").startswith("/")  # noqa: RUF001 - prompts
    return not command or bool(_LEAVING.match(row.text))


def _newest(hits: list[_Hit]) -> _Hit | None:
    return max(hits, key=lambda hit: (hit.place, -hit.rank, hit.pattern.confidence), default=None)


def _working(screen: Screen, hit: _Hit) -> Reading:
    certain = hit.pattern.confidence >= 0.9 and (screen.composer or hit.place >= len(screen.rows) - 3)
    return Reading("working", hit.pattern.confidence, (hit.row.text,), certain=certain, composer=screen.composer)


def _at_rest(screen: Screen, ended: _Hit | None, hits: list[_Hit]) -> Reading:
    detail = "something stands in its input line" if screen.drafted else ""
    if ended:
        return Reading("idle", ended.pattern.confidence, (ended.row.text,), detail=detail, drafted=screen.drafted)
    if screen.composer:
        return Reading("idle", 0.9, detail=detail, drafted=screen.drafted, composer=True)
    resting = _newest([hit for hit in hits if hit.pattern.sign == "idle"])
    if resting:
        return Reading("idle", resting.pattern.confidence, detail=detail)
    return Reading("unknown", 0.3, detail="its screen says nothing that is known")


def _with_screen(reading: Reading, screen: Screen) -> Reading:
    from dataclasses import replace  # noqa: PLC0415 - only an agent in trouble needs it

    return replace(reading, drafted=screen.drafted, composer=screen.composer)


def _from_hit(hit: _Hit, shown_at: float, offset: int, *, exact: bool = False) -> Reading:
    sign, confidence, text = hit.pattern.sign, hit.pattern.confidence, hit.row.bare
    lines = (hit.row.text,)
    if sign == "retrying":
        return Reading("overloaded", confidence, lines, detail="tries again by itself", retrying=True)
    if sign == "reset":
        return Reading("limited", confidence, lines, until=shown_at, detail="its limit is over")
    if sign == "resume-refused":
        return Reading("unknown", confidence, lines, detail=text[:200], cause="resume-refused")
    if sign == "no-conversation":
        return Reading("unknown", confidence, lines, detail=text[:200], cause="no-conversation")
    until = None
    if hit.pattern.until and hit.match[hit.pattern.until]:
        until = reset_time(hit.match[hit.pattern.until], shown_at, offset, exact=exact)
    condition: AgentCondition = "idle" if sign == "finished" else sign
    return Reading(condition, confidence, lines, until, text[:200])


def _question(kind: AgentKind, screen: Screen, shown_at: float, offset: int) -> Reading:
    """What the open question is about. A human answers it, whatever it is."""
    lines = screen.dialog
    # A narrow screen breaks sentences.
    texts = [" ".join(lines[at : at + 3]) for at in range(len(lines))]
    found = [
        pattern
        for pattern in kind.patterns
        if pattern.where == "dialog" and any(_compiled(pattern.text).search(text) for text in texts)
    ]
    known = [pattern for pattern in found if pattern.sign in _QUESTIONS]
    asked = min(known, key=_question_rank, default=None)
    condition = _condition(asked) if asked else "permission"
    confidence = asked.confidence if asked else _SOME_QUESTION
    shown = lines[-_MOST_LINES:]
    detail = next((line for line in lines if line.endswith("?")), "a question is open")[:200]
    until = _until_above(kind, screen, shown_at, offset) if condition == "limited" else None
    keys = _keys(lines) if condition == "trust" else ()
    return Reading(condition, confidence, shown, until, detail, menu=True, keys=keys)


def _question_rank(pattern: Pattern) -> tuple[bool, int]:
    """What a question is most likely about comes first: words that every question has come last."""
    return pattern.confidence < _VAGUE, _QUESTIONS.index(_condition(pattern))


def _condition(pattern: Pattern) -> AgentCondition:
    return next((each for each in _QUESTIONS if each == pattern.sign), "permission")


def _until_above(kind: AgentKind, screen: Screen, shown_at: float, offset: int) -> float | None:
    """When the limit ends that the lines above its menu tell of."""
    rows = [*screen.rows, *(Row(0, line, "own") for line in screen.dialog)]
    for row in reversed(rows):
        reading = read_text(kind, without_bullet(row.text), said_at=shown_at, offset=offset)
        if reading and reading.until is not None:
            return reading.until
    return None


def _keys(lines: tuple[str, ...]) -> tuple[str, ...]:
    """The keys that lead from the pointer to the only yes."""
    choices = [found for line in lines if (found := _CHOICE.match(line))]
    pointed = [at for at, found in enumerate(choices) if found["pointer"]]
    yes = [at for at, found in enumerate(choices) if found["word"] == "Yes"]
    if len(pointed) != 1 or len(yes) != 1:
        return ()
    steps = yes[0] - pointed[0]
    return (*(("Down",) * steps if steps > 0 else ("Up",) * -steps), "Enter")


def _loose_question(kind: AgentKind, screen: Screen, hits: list[_Hit]) -> Reading | None:
    """A question's words at the very end, where no input line and no menu is seen."""
    if screen.composer or any(hit.pattern.sign == "working" for hit in hits):
        return None
    found = [
        (pattern, row)
        for row in screen.rows[-4:]
        if row.role in {"own", "status"}
        for pattern in kind.patterns
        if pattern.where == "dialog" and _compiled(pattern.text).match(_LEADING.sub("", row.bare, count=1))
    ]
    if not found:
        return None
    pattern, row = min(found, key=lambda each: _question_rank(each[0]))
    return Reading(_condition(pattern), pattern.confidence * _LOOSE, (row.text,), detail=row.text[:200], menu=True)
