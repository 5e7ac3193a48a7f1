"""Kinds of agents: what is known of one program, from inventory/agents/*.yaml. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from miyabi.agent_state import AgentCondition
from miyabi.match import program_name
from miyabi.spec import Pane

# What a line can say beside a condition. retrying: overloaded, and it tries again by itself. finished: it has ended its
# turn, however much the line looks like work. reset: a usage limit is over, and it waits to be told so. resume-refused,
# no-conversation: why a conversation could not be resumed.
Sign = Literal["retrying", "reset", "finished", "resume-refused", "no-conversation"] | AgentCondition

# Where a text says something. line: at the beginning of what the agent says, or on a line of its own. status: there, or
# below the input line. dialog: in a question that takes the place of the input line.
Place = Literal["line", "status", "dialog"]


@dataclass(frozen=True, slots=True)
class Pattern:
    """One text by which a condition is told.

    + sign: what it says
    + text: a regular expression, searched in one line
    + with_text: another one that must be in one of the lines around it; "" is none
    + where: it says something
    + quoted: whether it does so, too, in a line marked as a tool's output when no tool is seen above it
    + confidence: from 0 to 1
    + until: the name of the group in ``text`` that says when it ends; "" is none
    """

    sign: Sign
    text: str
    with_text: str = ""
    where: Place = "line"
    quoted: bool = False
    confidence: float = 0.9
    until: str = ""


@dataclass(frozen=True, slots=True)
class AgentKind:
    """What is known of one agent program.

    + name: such as ``claude``
    + version, dated: of what is known, for whoever wonders whether it is out of date
    + programs: the names of its program
    + patterns: in no order
    + input_line: a regular expression for a line in which a human types, or has typed
    + quoted_line: one for a line that quotes: a tool's output, a citation
    + ticks: whether its screen moves all the time while it works, so that one that stands still says something
    + pin: the command that starts a conversation whose id is given, from ``{command}`` and ``{session_id}``; None when
      the program gives the ids
    + resume: the command that takes a conversation up again, from the same
    + transcripts: where the conversation ``{session_id}`` is kept, a pattern; "" when nobody knows
    + candidates: where conversations that were begun in the folder ``{folder}`` are kept, a pattern; ``{folder}`` is
      the path with each character that is no letter or digit replaced by ``-``
    + service: what it needs, as its breaker is called, such as ``anthropic``; "" is nothing
    + nudge: what is typed to make it go on
    + compact: what is typed to make it shorten its context; "" when there is nothing
    + trust: the keys that say yes to its question about trust, as tmux names them; () when there are none
    """

    name: str
    version: str = ""
    dated: str = ""
    programs: tuple[str, ...] = ()
    patterns: tuple[Pattern, ...] = ()
    input_line: str = ""
    quoted_line: str = ""
    ticks: bool = False
    pin: str | None = None
    resume: str | None = None
    transcripts: str = ""
    candidates: str = ""
    service: str = ""
    nudge: str = "continue"
    compact: str = ""
    trust: tuple[str, ...] = ()


def kind_of(pane: Pane, kinds: Mapping[str, AgentKind]) -> AgentKind | None:
    """The kind of agent that a pane is for: what its spec says, else by its program; None when nobody knows it.

    + kinds: all that are known, by name
    """
    if pane.agent is not None and pane.agent.kind:
        return kinds.get(pane.agent.kind)
    program = program_name(pane)
    return next((kind for kind in kinds.values() if program in kind.programs), None)
