"""A question that is open in the place of an agent's input line: what it is about, and what says yes to it. Pure."""

from __future__ import annotations

import re

from miyabi.agent_kind import AgentKind, Pattern
from miyabi.agent_lines import Row, Screen, without_bullet
from miyabi.agent_state import AgentCondition
from miyabi.agent_texts import Hit, Reading, compiled, read_text

# What it is about, whose own words count most: a permission's, whatever its command may mention.
_QUESTIONS: tuple[AgentCondition, ...] = ("permission", "limited", "login", "trust")
# How many of its lines are shown.
_MOST_LINES = 12
# A word beside a menu that is not recognised as one; a question that nobody knows.
_LOOSE, _SOME_QUESTION = 0.85, 0.75
# Below this, words say that there is a question, and not which one.
_VAGUE = 0.8

_CHOICE = re.compile(r"(?P<pointer>[❯>›▶→]\s{0,3})?(?:\d{1,2}[.)]\s?)?(?P<word>Yes|No)\b")  # noqa: RUF001 - prompts
_LEADING = re.compile(r"(?:[❯>›▶→]\s{0,3})?(?:\d{1,2}[.)]\s?)?")  # noqa: RUF001 - prompts


def question(kind: AgentKind, screen: Screen, shown_at: float, offset: int) -> Reading:
    """What the open question is about. A human answers it, whatever it is.

    + screen: one with a dialog
    + shown_at: since when it is shown, in seconds since the epoch
    + offset: the host's zone, seconds east of UTC
    """
    lines = screen.dialog
    # A narrow screen breaks sentences.
    texts = [" ".join(lines[at : at + 3]) for at in range(len(lines))]
    found = [
        pattern
        for pattern in kind.patterns
        if pattern.where == "dialog" and any(compiled(pattern.text).search(text) for text in texts)
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


def loose_question(kind: AgentKind, screen: Screen, hits: list[Hit]) -> Reading | None:
    """A question's words at the very end, where no input line and no menu is seen."""
    if screen.composer or any(hit.pattern.sign == "working" for hit in hits):
        return None
    found = [
        (pattern, row)
        for row in screen.rows[-4:]
        if row.role in {"own", "status"}
        for pattern in kind.patterns
        if pattern.where == "dialog" and compiled(pattern.text).match(_LEADING.sub("", row.bare, count=1))
    ]
    if not found:
        return None
    pattern, row = min(found, key=lambda each: _question_rank(each[0]))
    return Reading(_condition(pattern), pattern.confidence * _LOOSE, (row.text,), detail=row.text[:200], menu=True)
