"""What a user may write in a spec: tmuxp's workspace format, and what Miyabi adds to it.

The models describe the file as it is written: shorthands, defaults and inheritance are resolved by
``miyabi.spec_expand``. Rules that look at more than one value are in ``miyabi.spec_rules``.
"""

# ruff: noqa: RUF012 - pydantic copies the defaults for each model
from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, WithJsonSchema

from miyabi.spec_gate_schema import Maintenance
from miyabi.spec_host_schema import HostModel
from miyabi.spec_task_schema import TaskId
from miyabi.spec_values import (
    CommandText,
    Duration,
    Environment,
    FilledText,
    Layout,
    Model,
    Options,
    PaneName,
    SessionName,
    Text,
    Whole,
    WindowName,
    refused,
)

BLANK = (None, "blank", "pane")


class CommandModel(Model):
    """A command to type, with its own pauses. They hold for the commands after it, too, as in tmuxp."""

    cmd: CommandText
    """The line to type, literally."""
    enter: bool = True
    """Whether Enter follows."""
    sleep_before: Duration | None = None
    """The pause before it."""
    sleep_after: Duration | None = None
    """The pause after it."""


def _commands(value: object) -> object:
    """The shorthands of ``shell_command`` of tmuxp as a list of mappings."""
    if isinstance(value, dict):
        raise refused("text, a list of commands, blank, or nothing")
    items = value if isinstance(value, list) else [value]
    if len(items) == 1 and items[0] in BLANK:
        return []
    return [item if isinstance(item, dict) else {"cmd": item} for item in items]


_WrittenCommands = str | float | None | list[str | float | CommandModel | None]
Commands = Annotated[
    list[CommandModel],
    BeforeValidator(_commands, json_schema_input_type=_WrittenCommands),
]


class CommandsBefore(Model):
    """Commands that are typed before those of the panes."""

    shell_command: Commands = []
    """Text, or a list of texts and of mappings with ``cmd``."""


def _before(value: object) -> object:
    return value if isinstance(value, dict) else {"shell_command": value}


Before = Annotated[
    CommandsBefore,
    BeforeValidator(_before, json_schema_input_type=_WrittenCommands | CommandsBefore),
]


class AgentModel(Model):
    """The coding agent that the pane's command starts."""

    role: Text = ""
    """What it does, such as ``CodeGen``."""
    kind: Text = ""
    """Which kind of agent it is, as inventory/agents names them. Without one its program tells."""
    resume: FilledText | None = None
    """The command that takes up its conversation again, with ``{session_id}`` where its id belongs."""
    stall_after: Duration | None = None
    """Time without output, while its screen says that it works, after which it may be called stalled."""
    nudge: Text | Literal[False] | None = None
    """What is typed, once, when its usage limit is over; false is nothing. Without one its kind's own, "continue"."""
    compact: bool = False
    """Whether it may be told to shorten its context when that is full."""
    trust: bool = False
    """Whether its question whether it may trust its folder is answered with yes."""
    task: TaskId | None = None
    """The id of the one of the ``tasks`` that is its own."""
    worktree: FilledText | None = None
    """The folder that it works in when its task names none."""
    parallel: bool = False
    """Whether other agents may work in that folder at the same time."""


def _agent(value: object) -> object:
    if value is None:
        raise refused(f"true, false, or a mapping with {', '.join(AgentModel.model_fields)}")
    if isinstance(value, bool):
        return {} if value else None
    return value


class PaneModel(Model):
    """A pane."""

    name: PaneName | None = None
    """Its identity, once in the whole spec. Without one it is ``<session>:<window>.<number>``."""
    shell_command: Commands = []
    """What runs in it: text, or a list of texts and of mappings with ``cmd``."""
    shell_command_before: Before = CommandsBefore()
    """Commands before ``shell_command``, after those of the session and the window."""
    shell: Text | None = None
    """The command that tmux runs instead of the default shell."""
    start_directory: Text | None = None
    """Where it starts. A relative path is relative to the window's."""
    environment: Environment = {}
    """Its variables. They replace those of the window."""
    focus: bool = False
    """Whether it is the window's active pane."""
    suppress_history: bool = True
    """Whether typed commands begin with a space. Without a value the window's holds."""
    enter: bool = True
    """Whether Enter follows the commands."""
    sleep_before: Duration | None = None
    """The pause before each command."""
    sleep_after: Duration | None = None
    """The pause after each command."""
    restart: Literal["always", "on-failure", "never"] = "never"
    """When the pane's process is started again. With ``agent`` the default is ``on-failure``."""
    agent: Annotated[AgentModel | None, BeforeValidator(_agent, json_schema_input_type=bool | AgentModel)] = None
    """That a coding agent runs here: true, or what is known of it."""
    maintenance: Maintenance = None
    """Why it is left alone: true, or a reason."""


def _pane(value: object) -> object:
    return value if isinstance(value, dict) else {"shell_command": value}


Pane = Annotated[
    PaneModel,
    BeforeValidator(_pane, json_schema_input_type=_WrittenCommands | PaneModel),
]


class WindowModel(Model):
    """A window."""

    window_name: WindowName | None = None
    """Its name. Without one tmux names it."""
    window_index: Annotated[Whole, Field(ge=0, le=9999)] | None = None
    """Its index. Without one its place is that of the order here."""
    window_shell: Text | None = None
    """The command that tmux runs in its panes instead of the default shell."""
    layout: Layout | None = None
    """The name of a layout, or a layout string as ``tmux list-windows`` prints it."""
    start_directory: Text | None = None
    """Where its panes start. A relative path is relative to the session's."""
    environment: Environment = {}
    """Variables of its panes."""
    options: Options = {}
    """Window options that are set before the panes are made."""
    options_after: Options = {}
    """Window options that are set when the panes are there, such as ``synchronize-panes``."""
    focus: bool = False
    """Whether it is the session's current window."""
    suppress_history: bool = True
    """As in a pane. Without a value the session's holds."""
    shell_command_before: Before = CommandsBefore()
    """Commands before those of each pane."""
    panes: list[Pane] = []
    """Its panes. Without any it has one blank pane."""


def _plugins(value: list[object]) -> list[object]:
    if value:
        raise refused("none: plugins are Python code inside the tmuxp command, which is not run here; remove them")
    return value


class AttachedModel(Model):
    """How the operator's cockpit shows a session."""

    read_only: bool = False
    """Whether nothing can be typed into it from there."""


def _attached(value: object) -> object:
    if value is None:
        raise refused("true, false, or a mapping with read_only")
    if isinstance(value, bool):
        return {} if value else None
    return value


class SessionModel(Model):
    """A tmux session, as a tmuxp workspace."""

    session_name: SessionName
    """Its name."""
    start_directory: Text | None = None
    """Where its panes start. A relative path is relative to the spec's folder, or on a remote host to the home."""
    environment: Environment = {}
    """Variables of the session."""
    options: Options = {}
    """Session options."""
    global_options: Options = {}
    """Session options for the whole tmux server."""
    before_script: FilledText | None = None
    """A command that is run on the host before the session is made. If it fails, the session is not made."""
    suppress_history: bool = True
    """As in a pane."""
    shell_command_before: Before = CommandsBefore()
    """Commands before those of each pane."""
    windows: Annotated[list[WindowModel], Field(min_length=1)]
    """Its windows, at least one."""
    maintenance: Maintenance = None
    """Why it is left alone with all that is in it: true, or a reason."""
    attached: Annotated[
        AttachedModel | None, BeforeValidator(_attached, json_schema_input_type=bool | AttachedModel)
    ] = None
    """Whether it has a window in the operator's cockpit."""
    plugins: Annotated[list[object], AfterValidator(_plugins), WithJsonSchema({"type": "array", "maxItems": 0})] = []
    """Accepted when empty."""
    workspace_builder_options: dict[str, object] = {}
    """tmuxp's. Accepted and not used."""


class SpecModel(HostModel):
    """The desired state of one host."""

    sessions: list[SessionModel] = []
    """Its tmux sessions, each a tmuxp workspace."""


class WorkspaceModel(SessionModel, HostModel):
    """A tmuxp workspace file as a spec: one session, without ``sessions`` around it."""


def json_schema() -> dict[str, object]:
    """The JSON Schema of a spec, for editors."""
    adapter: TypeAdapter[SpecModel | WorkspaceModel] = TypeAdapter(SpecModel | WorkspaceModel)
    schema = adapter.json_schema()
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Miyabi Recovery spec"}
    return dialect | {"description": "The desired state of one host. See docs/spec.md."} | schema
