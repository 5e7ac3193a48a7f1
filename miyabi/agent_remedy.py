"""What each condition of an agent needs, and nothing else: one table, the first row that fits is the answer. Pure.

What merely waits is never restarted, and no question of a program is answered for a human unless the spec says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from miyabi.agent_kind import AgentKind
from miyabi.agent_state import Judgement
from miyabi.spec import Agent
from miyabi.words import clock_time

# leave: nothing is to be done, or the levels do it. tell: a human hears of it. park: it ends by itself, later. type: a
# line is typed and sent. press: keys that answer its question. restart: it is ended, and started again.
AgentDoes = Literal["leave", "tell", "park", "type", "press", "restart"]

# How it is told, as in miyabi.severity. agent-waits: for a human. agent-stuck: it needs one to go on at all.
# agent-parked: it goes on by itself.
AgentTold = Literal["", "agent-waits", "agent-stuck", "agent-parked"]

# Seconds after the moment that a limit's text names until its end is believed.
MARGIN = 60.0

# Below this confidence nothing is typed and nothing is ended.
SURE = 0.8


@dataclass(frozen=True, slots=True)
class AgentCase:
    """All that decides about one agent.

    + nudged_for: what something was typed for last, as the mark on its pane says
    + now: seconds since the epoch
    """

    judged: Judgement
    agent: Agent
    kind: AgentKind | None
    nudged_for: str
    now: float

    @property
    def is_sure(self) -> bool:
        """Whether something may be done about it at all."""
        return self.judged.confirmed and self.judged.confidence >= SURE and not self.judged.menu

    @property
    def trust_keys(self) -> tuple[str, ...]:
        """What says yes to its question about trust: what the question itself shows, else what is known of its kind."""
        return self.judged.keys or (self.kind.trust if self.kind else ())

    @property
    def is_trustable(self) -> bool:
        """Whether its question about trust can be answered; a question is a menu, and was looked at twice."""
        is_known = bool(self.trust_keys) and self.judged.confirmed and self.judged.confidence >= SURE
        return is_known and not self.was_typed

    @property
    def mark(self) -> str:
        """What something that is typed now would be typed for: the same for the same trouble."""
        until = self.judged.until
        return self.judged.condition + (f" {until:.0f}" if until is not None else "")

    @property
    def is_over(self) -> bool:
        """Whether its limit has ended."""
        return self.judged.until is not None and self.judged.until + MARGIN <= self.now

    @property
    def was_typed(self) -> bool:
        """Whether something was typed for this trouble before."""
        return self.nudged_for == self.mark

    @property
    def nudge(self) -> str:
        """What makes it go on."""
        return self.agent.nudge if self.agent.nudge is not None else self.kind.nudge if self.kind else "continue"


@dataclass(frozen=True, slots=True)
class AgentRemedy:
    """What is to be done about an agent.

    + reason: why, in words
    + told: how it is told
    + text: what is typed
    + keys: what is pressed, as tmux names them
    + mark: what it is typed for
    + service: what must answer for it to be of use, as its breaker is called
    + again_at: when it ends by itself, or is looked at again
    """

    does: AgentDoes
    reason: str = ""
    told: AgentTold = ""
    text: str = ""
    keys: tuple[str, ...] = ()
    mark: str = ""
    service: str = ""
    again_at: float | None = None


_Row = tuple[str, Callable[[AgentCase], bool], Callable[[AgentCase], AgentRemedy]]

_LEAVE = AgentRemedy("leave")


def _leave(_: AgentCase) -> AgentRemedy:
    return _LEAVE


def _tells(words: str, told: AgentTold = "agent-waits") -> Callable[[AgentCase], AgentRemedy]:
    return lambda case: AgentRemedy("tell", _in_words(words, case), told)


def _in_words(words: str, case: AgentCase) -> str:
    return f"{words}: {case.judged.detail}" if case.judged.detail else words


def _types(words: str, text: Callable[[AgentCase], str]) -> Callable[[AgentCase], AgentRemedy]:
    def remedy(case: AgentCase) -> AgentRemedy:
        service = case.kind.service if case.kind and case.judged.condition == "overloaded" else ""
        return AgentRemedy("type", _in_words(words, case), text=text(case), mark=case.mark, service=service)

    return remedy


def _parked(case: AgentCase) -> AgentRemedy:
    until = case.judged.until
    if until is None:
        return AgentRemedy(
            "tell", _in_words("its usage limit is reached, and it does not say until when", case), "agent-stuck"
        )
    again_at = until + MARGIN
    words = f"its usage limit is reached: parked until {clock_time(again_at, case.now)}"
    return AgentRemedy("park", words, "agent-parked", again_at=again_at)


def _pressed(case: AgentCase) -> AgentRemedy:
    words = "it asks whether its folder is to be trusted, which its spec allows"
    return AgentRemedy("press", words, keys=case.trust_keys, mark=case.mark)


def _always(_: AgentCase) -> bool:
    return True


def _may_be_told_to_go_on(case: AgentCase) -> bool:
    return case.is_over and case.is_sure and bool(case.nudge)


def _stalled(case: AgentCase) -> AgentRemedy:
    return AgentRemedy("restart", _in_words("it does nothing any more", case), "agent-stuck")


_NUDGED = "it was told to go on once its limit was over, and does not"

TABLE: tuple[_Row, ...] = (
    ("permission", _always, _tells("it waits for a permission")),
    ("trust", lambda case: case.agent.trust and case.is_trustable, _pressed),
    ("trust", lambda case: case.was_typed, _tells("its question about trust was answered, and stays", "agent-stuck")),
    ("trust", _always, _tells("it asks whether its folder is to be trusted")),
    ("login", _always, _tells("it waits for a login", "agent-stuck")),
    (
        "limited",
        lambda case: case.judged.menu,
        _tells("its usage limit is reached, and its menu is open", "agent-stuck"),
    ),
    ("limited", lambda case: case.is_over and case.was_typed, _tells(_NUDGED, "agent-stuck")),
    ("limited", _may_be_told_to_go_on, _types("its usage limit is over", lambda case: case.nudge)),
    (
        "limited",
        lambda case: case.is_over and case.is_sure,
        _tells("its usage limit is over, and its spec has it not told so"),
    ),
    ("limited", _always, _parked),
    ("overloaded", lambda case: case.judged.retrying, _leave),
    (
        "overloaded",
        lambda case: case.is_sure and bool(case.nudge),
        _types("its service was overloaded", lambda case: case.nudge),
    ),
    ("overloaded", _always, _tells("its service is overloaded")),
    (
        "context-full",
        lambda case: case.was_typed,
        _tells("its context is full, and could not be shortened", "agent-stuck"),
    ),
    (
        "context-full",
        lambda case: case.agent.compact and case.is_sure and case.kind is not None and bool(case.kind.compact),
        _types("its context is full", lambda case: case.kind.compact if case.kind else ""),
    ),
    ("context-full", _always, _tells("its context is full", "agent-stuck")),
    ("looping", _always, _tells("it says the same again and again", "agent-stuck")),
    (
        "exited",
        lambda case: case.judged.cause == "resume-refused",
        _tells("its conversation runs in the background of its host: attach to it there, or end it", "agent-stuck"),
    ),
    ("stalled", lambda case: case.is_sure, _stalled),
    ("stalled", _always, _tells("it seems to do nothing any more", "agent-stuck")),
)


def remedy_for(case: AgentCase) -> AgentRemedy:
    """What an agent in its condition needs; what the table does not name is left alone, or is the levels' matter.

    .. code:: python

        remedy_for(AgentCase(Judgement("permission"), Agent(), None, "", now)).does  # "tell"
    """
    for condition, holds, remedy in TABLE:
        if condition == case.judged.condition and holds(case):
            return remedy(case)
    return _LEAVE
