"""What a spec allows and wants of an orchestration's state. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CleanUp = Literal["standard", "aggressive", "emergency"]

_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class StateLimits:
    """From which size on something is too much.

    + session_size: bytes of one session's state
    + sessions: of a workspace
    + agents: active ones of a session
    + queue: messages of one queue
    + events: recent ones that a state carries
    """

    session_size: int = 10_000_000
    sessions: int = 50
    agents: int = 10
    queue: int = 100
    events: int = 1000


@dataclass(frozen=True, slots=True)
class Orchestration:
    """A workspace whose orchestration's state is looked after.

    + workspace: the folder; may begin with ``~`` or ``$NAME`` of the host
    + heal: ``repair`` heals, ``report`` only tells
    + backups: how many of each session are kept
    + backup_every: seconds after which a valid state that has changed is kept
    + stale_after: seconds without activity after which a session is stale; it is told, and never removed
    + clean_after: seconds after which a completed task is archived when a state is too large
    + end_children: whether the living child agents of a dead agent are ended
    """

    workspace: str
    heal: Literal["repair", "report"] = "repair"
    backups: int = 5
    backup_every: float = _HOUR
    stale_after: float = 24 * _HOUR
    clean_after: float = 24 * _HOUR
    messages_after: float = 6 * _HOUR
    end_children: bool = False
    limits: StateLimits = StateLimits()
