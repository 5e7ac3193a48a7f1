"""What a user may write in a spec about the state that orchestrations keep in workspaces."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from miyabi.orchestration.rules import Orchestration, StateLimits
from miyabi.spec_values import Duration, FilledText, Model, Size

_LIMITS = StateLimits()
_DEFAULT = Orchestration("")


class StateLimitsModel(Model):
    """From which size on something is too much: it is told, and what may be is archived."""

    session_size: Annotated[Size, Field(gt=0)] = _LIMITS.session_size
    """Of one session's file, such as ``10MB``."""
    sessions: Annotated[int, Field(gt=0)] = _LIMITS.sessions
    """Sessions of the workspace."""
    agents: Annotated[int, Field(gt=0)] = _LIMITS.agents
    """Active agents of one session."""
    queue: Annotated[int, Field(ge=50)] = _LIMITS.queue
    """Messages of one queue; from then on the 50 newest ordinary ones stay, with all that are more important."""
    events: Annotated[int, Field(gt=0)] = _LIMITS.events
    """Recent events that a session's state carries."""


class OrchestrationModel(Model):
    """A workspace in whose ``.claude/state`` an orchestration keeps its sessions."""

    workspace: FilledText
    """The folder; may begin with ``~``."""
    heal: Literal["repair", "report"] = _DEFAULT.heal
    """Whether what is sick is healed, or only told."""
    backups: Annotated[int, Field(ge=1, le=100)] = _DEFAULT.backups
    """How many states of each session are kept."""
    backup_every: Duration = _DEFAULT.backup_every
    """After how long a valid state that has changed is kept once more."""
    stale_after: Annotated[Duration, Field(gt=0)] = _DEFAULT.stale_after
    """After how long without activity a session is stale. A stale session is told, and never removed."""
    clean_after: Annotated[Duration, Field(ge=3600)] = _DEFAULT.clean_after
    """How old a completed task must be before it is archived from a state that is too large."""
    messages_after: Annotated[Duration, Field(ge=600)] = _DEFAULT.messages_after
    """How old a message must be before it is archived from a state that is too large."""
    end_children: bool = _DEFAULT.end_children
    """Whether the living child agents of a dead agent are ended."""
    limits: StateLimitsModel = StateLimitsModel()
    """From which size on something is too much."""
