"""What an agent's screen says of its condition, by the patterns of its kind. Pure.

What stands below is newer. A question in the place of the input line comes first, then what works, then what failed in
the last turn, then the end of a turn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from miyabi.agent_kind import AgentKind
from miyabi.agent_lines import Row, Screen, screen_of
from miyabi.agent_question import loose_question, question
from miyabi.agent_texts import Hit, Reading, hits_in, reading_of

# What of a human's words makes what stands above it old, when it is a command of the agent's own.
_LEAVING = re.compile(r"[❯>›\s]{0,4}/(?:login|clear|compact|new|resume|model)\b")  # noqa: RUF001 - prompts
_OF_NO_TROUBLE = frozenset({"working", "finished", "idle"})


def read_screen(kind: AgentKind, lines: Iterable[str], *, shown_at: float, offset: int = 0) -> Reading:
    """What a screen says.

    + lines: the last ones of the pane, the newest last
    + shown_at: since when it shows that, or when it was read, in seconds since the epoch
    + offset: the host's zone, seconds east of UTC
    """
    screen = screen_of(lines, kind.input_line, kind.quoted_line)
    if screen.dialog:
        return question(kind, screen, shown_at, offset)
    hits = hits_in(kind, screen)
    return loose_question(kind, screen, hits) or _from_hits(screen, hits, shown_at, offset)


@dataclass(frozen=True, slots=True)
class _Turn:
    """Where the last turn begins.

    + acted: the last line in which the agent said or did something, that is no sign by itself; -1 for none
    + begun: the same, or the last line in which a human asked for something
    """

    acted: int
    begun: int


def _turn(screen: Screen, hits: list[Hit]) -> _Turn:
    signs = {hit.place for hit in hits}
    acted = asked = -1
    for place, row in enumerate(screen.rows):
        if row.role == "tool" or (row.role == "said" and row.first and place not in signs):
            acted = place
        elif row.role == "asked" and _leads_on(row):
            asked = place
    return _Turn(acted, max(acted, asked))


def _leads_on(row: Row) -> bool:
    """Whether what a human asked makes what stands above it old: a command of the agent's own seldom does."""
    command = row.text.lstrip("❯>› ").startswith("/")  # noqa: RUF001 - prompts
    return not command or bool(_LEAVING.match(row.text))


def _from_hits(screen: Screen, hits: list[Hit], shown_at: float, offset: int) -> Reading:
    """What the newest lines that say something make together."""
    turn = _turn(screen, hits)
    busy = [hit for hit in hits if hit.pattern.sign == "working"]
    below = [hit for hit in busy if hit.row.role == "status"]
    work = _newest(hit for hit in busy if hit.row.role != "status" and hit.place > turn.acted)
    ended = _newest(hit for hit in hits if hit.pattern.sign == "finished")
    if work and ended and ended.place > work.place:
        work = None
    failed = [hit for hit in hits if hit.pattern.sign not in _OF_NO_TROUBLE and hit.place > turn.begun]
    trouble = _newest(hit for hit in failed if hit.row.role != "status")
    if trouble and trouble.pattern.sign == "retrying":
        return reading_of(trouble, shown_at, offset)
    if work and not (trouble and trouble.place > work.place):
        return _working(screen, work)
    if below:
        return _working(screen, below[-1])
    trouble = trouble or _newest(failed)
    if trouble:
        return replace(reading_of(trouble, shown_at, offset), drafted=screen.drafted, composer=screen.composer)
    return _at_rest(screen, ended, hits)


def _newest(hits: Iterable[Hit]) -> Hit | None:
    return max(hits, key=lambda hit: (hit.place, -hit.rank, hit.pattern.confidence), default=None)


def _working(screen: Screen, hit: Hit) -> Reading:
    certain = hit.pattern.confidence >= 0.9 and (screen.composer or hit.place >= len(screen.rows) - 3)
    return Reading("working", hit.pattern.confidence, (hit.row.text,), certain=certain, composer=screen.composer)


def _at_rest(screen: Screen, ended: Hit | None, hits: list[Hit]) -> Reading:
    detail = "something stands in its input line" if screen.drafted else ""
    if ended:
        return Reading("idle", ended.pattern.confidence, (ended.row.text,), detail=detail, drafted=screen.drafted)
    if screen.composer:
        return Reading("idle", 0.9, detail=detail, drafted=screen.drafted, composer=True)
    resting = _newest(hit for hit in hits if hit.pattern.sign == "idle")
    if resting:
        return Reading("idle", resting.pattern.confidence, detail=detail)
    return Reading("unknown", 0.3, detail="its screen says nothing that is known")
