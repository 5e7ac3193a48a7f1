"""Agents: what is observed of one, and what is made of it. None is unknown, as everywhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from miyabi.state import Observed

# permission, trust and login wait for a human. limited: until a time. overloaded: its service is, it tries again by
# itself or has given up. exited: its process has ended by itself, or only a shell is left; dead: a signal ended it.
AgentCondition = Literal[
    "working",
    "idle",
    "permission",
    "trust",
    "login",
    "limited",
    "overloaded",
    "context-full",
    "looping",
    "stalled",
    "exited",
    "dead",
    "unknown",
]

# What else is known of a verdict. resume-refused: the conversation is open elsewhere. no-conversation: there is none
# of that id. out-of-memory: its own heap was full. interrupted: Ctrl-C ended it.
AgentCause = Literal["", "resume-refused", "no-conversation", "out-of-memory", "interrupted"]


@dataclass(frozen=True, slots=True)
class Conversation(Observed):
    """The conversation that an agent leads, as it is registered on its host.

    + session_id: as the agent's own program calls it
    + kind: of agent, such as ``claude``
    + since: when it was registered, in seconds since the epoch on the host
    """

    session_id: str
    kind: str = ""
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class TranscriptFile(Observed):
    """A file in which an agent keeps a conversation.

    + path: on the host
    + session_id: told by its name, "" when it does not tell
    + changed_at: seconds since the epoch on the host
    + lines: its last ones, each a JSON document, the first may be cut off; () when they were not asked for
    + head: how it begins, cut off after some 2000 bytes; "" when that was not asked for
    """

    path: str
    session_id: str = ""
    changed_at: float = 0.0
    lines: tuple[str, ...] = ()
    head: str = ""


@dataclass(frozen=True, slots=True)
class AgentPane(Observed):
    """What one look saw of the pane of an agent.

    + pane_id: tmux's ``%N``
    + name: the spec's name for it
    + lines: its last lines, wrapped ones joined, without escape sequences, trailing blanks and secrets; empty ones stay
    + digest: of the screen and the lines just above it: the same for the same screen
    + same_since: since when the screen is the same, in seconds since the epoch on the host: at an earlier look it was
      the same already; None when it is not, or nobody has looked before
    + nudged_for: what it was last nudged for, as the mark on the pane says; "" when it was not
    + conversation: what is registered for the name; None when nothing is
    + transcript: the registered conversation's file with its last lines; None when there is none
    + candidates: where no conversation is registered: the newest conversations of its folder, newest first
    """

    pane_id: str
    name: str
    lines: tuple[str, ...] = ()
    digest: str = ""
    same_since: float | None = None
    nudged_for: str = ""
    conversation: Conversation | None = None
    transcript: TranscriptFile | None = None
    candidates: tuple[TranscriptFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Agents(Observed):
    """What one look saw of the agents of a host.

    + panes: those that are there; one that vanished meanwhile is left out
    + conversations: all that are registered, by the spec's name of the pane, whether or not that is there
    + now: the host's clock, seconds since the epoch
    + offset: the host's own time zone, seconds east of UTC
    """

    panes: tuple[AgentPane, ...] = ()
    conversations: dict[str, Conversation] = field(default_factory=dict)
    now: float = 0.0
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Heartbeat(Observed):
    """What the processes of a pane did within a moment.

    + seconds: how long that was
    + busy: seconds of processor time that they used in it, all together
    + stopped: the pids that are stopped by a signal
    + born_at: when the oldest of them began, seconds since the epoch on the host; None when the host does not tell
    """

    seconds: float
    busy: float
    stopped: tuple[int, ...] = ()
    born_at: float | None = None


@dataclass(frozen=True, slots=True)
class Judgement(Observed):
    """What is made of one agent.

    + condition: the verdict; ``unknown`` whenever the signs do not suffice
    + confidence: from 0 to 1
    + lines: those that decided
    + until: when it ends by itself, seconds since the epoch, such as a usage limit's reset; None when nobody can tell
    + detail: in words for the user: the exit status, what is waited for, the attempt
    + confirmed: whether two looks agree; what is done about an agent is done only then
    + suspect: whether it would be ``stalled`` if its heartbeat (which was not asked for) said so, too
    + retrying: whether an overloaded one tries again by itself
    + menu: whether a question is open in which any key is an answer: nothing may be typed then
    + keys: those that say yes to the question about trust that is open, as tmux names them; () when nobody can tell
    + cause: what else is known, for whoever decides what to do
    """

    condition: AgentCondition
    confidence: float = 1.0
    lines: tuple[str, ...] = ()
    until: float | None = None
    detail: str = ""
    confirmed: bool = False
    suspect: bool = False
    retrying: bool = False
    menu: bool = False
    keys: tuple[str, ...] = ()
    cause: AgentCause = ""
