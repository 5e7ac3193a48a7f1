"""A session's state as pydantic knows it: what is known of it has a type, and what is not known may be there. Pure.

Plain typed dictionaries: nothing is made of what is validated, and nothing in it is changed.
"""

from __future__ import annotations

from typing import Annotated, Any, Required

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from miyabi.orchestration.session_state import Priority, TaskStatus

_OPEN = ConfigDict(extra="allow", strict=True, use_attribute_docstrings=True)

Number = int | float
Name = str | None
Count = Annotated[int, Field(ge=0)]
Moment = Annotated[
    str | Number | None,
    Field(
        description="A moment: ISO 8601 (without a time zone it is UTC), or seconds or milliseconds since the epoch."
    ),
]
Names = list[str] | None
Anything = dict[str, Any]


@with_config(_OPEN)
class Lifecycle(TypedDict, total=False):
    """How far the session is."""

    status: Name
    """Such as active, paused or completed."""
    last_activity: Moment
    """When something last happened in it; a session without activity for long is stale."""


@with_config(_OPEN)
class Session(TypedDict, total=False):
    """Which session it is."""

    id: Required[str]
    """Its name; it never changes."""
    created_at: Moment
    """When it began."""
    mode: Name
    """What it is for, such as development, leadership, config or emergency."""
    user_context: Anything
    """What its program knows of the user."""
    lifecycle: Lifecycle
    """How far it is."""


@with_config(_OPEN)
class Organization(TypedDict, total=False):
    """Who works together on what."""

    teams: Anything
    """Teams by their names."""
    projects: Anything
    """Projects by their names."""


@with_config(_OPEN)
class Task(TypedDict, total=False):
    """A piece of work."""

    id: str
    """The key that it stands at."""
    type: Name
    """Such as feature or bug."""
    title: Name
    """For people."""
    status: Required[TaskStatus]
    """Where it is; a completed or cancelled one is not worked on any more."""
    priority: Priority | None
    """How important it is."""
    created_at: Moment
    """When it was made."""
    updated_at: Moment
    """When it changed last; a completed task's age is counted from here."""
    assignee: Name
    """The agent that works on it; null when nobody does."""
    dependencies: Names
    """The tasks that it waits for."""
    blocking: Names
    """The tasks that wait for it."""
    retry_count: Count | None
    """How often it was given back because its agent died."""


@with_config(_OPEN)
class AgentContext(TypedDict, total=False):
    """What an agent works with."""

    child_agents: Names
    """The agents that it began."""


@with_config(_OPEN)
class Agent(TypedDict, total=False):
    """An agent."""

    session_id: Name
    """The session that it belongs to."""
    agent_type: Name
    """What it can do."""
    spawned_at: Moment
    """When it began."""
    status: Name
    """Such as idle or busy; failed, crashed, dead and terminated ones do not live any more."""
    current_task: Name
    """The task that it works on."""
    pid: int | None
    """Its process on the session's host: when that has ended, the agent is dead."""
    context: AgentContext | None
    """What it works with."""
    retry_count: Count | None
    """How often it was begun again."""


@with_config(_OPEN)
class Agents(TypedDict, total=False):
    """The agents of the session."""

    active: dict[str, Agent]
    """Those that may have work, by their ids."""
    pool: dict[str, Agent | Anything]
    """Those that wait for some, by their ids."""


@with_config(_OPEN)
class Workflows(TypedDict, total=False):
    """What tasks are parts of."""

    active_sprints: list[Any]
    """The sprints that run."""
    epics: Anything
    """The epics by their names."""


@with_config(_OPEN)
class Execution(TypedDict, total=False):
    """The work and those who do it."""

    agents: Agents
    """Those who do it."""
    tasks: dict[str, Task]
    """The work, by its ids."""
    workflows: Workflows
    """What it is part of."""


Message = TypedDict(
    "Message",
    {
        "id": Annotated[str, Field(description="Its name.")],
        "timestamp": Annotated[Moment, Field(description="When it was sent.")],
        "from": Annotated[Name, Field(description="The agent that sent it; system for none.")],
        "to": Annotated[Name | list[str], Field(description="The agent that it is for, or several.")],
        "type": Annotated[Name, Field(description="Such as task_update.")],
        "priority": Annotated[
            Priority | None, Field(description="How often its delivery is tried: 10, 5, 3, 1 times.")
        ],
    },
    total=False,
)
Message.__doc__ = "A message between agents."
Message.__pydantic_config__ = ConfigDict(extra="allow", strict=True)  # type: ignore[attr-defined]


@with_config(_OPEN)
class Channels(TypedDict, total=False):
    """Messages that are for more than one agent."""

    broadcast: list[Message]
    """For all agents."""
    emergency: list[Message]
    """What cannot wait."""
    handoffs: list[Message]
    """Work that goes from one agent to another."""
    dead_letter: list[Message]
    """What could not be delivered, with ``failed_delivery``: recipient, failed_at and reason."""


@with_config(_OPEN)
class Lock(TypedDict, total=False):
    """Who has a resource to itself."""

    locked_by: Name
    """The agent that has it."""
    locked_at: Moment
    """Since when."""
    expires_at: Moment
    """Until when; it is released then."""


Edge = TypedDict(
    "Edge",
    {
        "from": Required[Annotated[str, Field(description="The task that comes first.")]],
        "to": Required[Annotated[str, Field(description="The task that waits for it.")]],
    },
    total=False,
)
Edge.__doc__ = "One task waits for another."
Edge.__pydantic_config__ = ConfigDict(extra="allow", strict=True)  # type: ignore[attr-defined]


@with_config(_OPEN)
class Graph(TypedDict, total=False):
    """Which task waits for which."""

    nodes: Anything
    """The tasks that take part, by their ids."""
    edges: list[Edge]
    """Which waits for which."""


@with_config(_OPEN)
class Dependencies(TypedDict, total=False):
    """What waits for what."""

    graph: Graph
    """Which task waits for which."""
    blocks: list[Any]
    """What stands in the way of tasks beside other tasks."""


@with_config(_OPEN)
class Coordination(TypedDict, total=False):
    """Who may go on."""

    locks: dict[str, Lock]
    """By the names of resources."""
    dependencies: Dependencies
    """What waits for what."""


@with_config(_OPEN)
class Communication(TypedDict, total=False):
    """What agents say to each other, and who waits for whom."""

    message_queues: dict[str, list[Message]]
    """Messages that an agent has not had yet, by the agent's id."""
    channels: Channels
    """Messages that are for more than one."""
    coordination: Coordination
    """Who may go on."""


@with_config(_OPEN)
class Events(TypedDict, total=False):
    """What happened last."""

    recent: list[Anything]
    """The newest events; all of them are in the event log."""
    event_stream_offset: Count
    """How many there were before."""


@with_config(_OPEN)
class Observability(TypedDict, total=False):
    """What its program measures."""

    metrics: Anything
    """Measured values."""
    events: Events
    """What happened last."""
    health: Anything
    """How its program finds itself."""


@with_config(_OPEN)
class Checkpoint(TypedDict, total=False):
    """When the state was written."""

    last_saved: Moment
    """When."""
    sequence: Number
    """The sequence number of the last event that is in it."""
    hash: Name
    """A checksum of its program's own."""
    size_bytes: Number
    """How large it was."""


@with_config(_OPEN)
class EventLog(TypedDict, total=False):
    """Where the session's events are."""

    current_offset: Number
    """How far they were read."""
    total_events: Number
    """How many there are."""
    log_files: list[Any]
    """The files, in ``.claude/state/events``."""


@with_config(_OPEN)
class Persistence(TypedDict, total=False):
    """How the state was written."""

    checkpoint: Checkpoint
    """When."""
    event_log: EventLog
    """Where its events are."""


@with_config(_OPEN)
class SessionState(TypedDict, total=False):
    """The state of an orchestration's session: ``WORKSPACE/.claude/state/session-*.json``.

    Keys that are not named here may stand anywhere, and are kept whatever is repaired.
    """

    version: str | Number | None
    """Of its form; any is read."""
    session: Required[Session]
    """Which session it is."""
    organization: Required[Organization]
    """Who works together on what."""
    execution: Required[Execution]
    """The work and those who do it."""
    communication: Required[Communication]
    """What agents say to each other, and who waits for whom."""
    observability: Required[Observability]
    """What its program measures."""
    persistence: Required[Persistence]
    """How the state was written."""
