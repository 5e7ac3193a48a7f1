"""What a user may write in a spec about the host itself, besides its tmux sessions."""

# ruff: noqa: RUF012 - pydantic copies the defaults for each model
from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from miyabi.instance_rules import Accepted, InstanceRules
from miyabi.spec_gate_schema import GateModel, Maintenance, Pause
from miyabi.spec_orchestration_schema import OrchestrationModel
from miyabi.spec_task_schema import TaskModel, WorkspacesModel
from miyabi.spec_upkeep_schema import (
    ConfigFileModel,
    IntegrationModel,
    LimitsModel,
    LogModel,
    McpServerModel,
    SshdModel,
    TempModel,
    TermuxModel,
)
from miyabi.spec_values import Duration, FilledText, Model, SessionName, SocketName, TemplateName, Text, refused


class TmuxModel(Model):
    """The tmux server that the sessions live in."""

    socket_name: SocketName | None = None
    """As in ``tmux -L``. Without one tmux's default."""
    config_file: FilledText | None = None
    """As in ``tmux -f``, read when the server is started. Without one the user's own."""


Budget = Annotated[Duration, Field(gt=0)]


class BudgetsModel(Model):
    """How long each level may take, from its first action to its proof."""

    L1: Budget = 10
    """A pane."""
    L2: Budget = 30
    """A window or a session."""
    L3: Budget = 60
    """The whole tmux server."""
    L4: Budget = 300
    """The machine."""


class RecoveryModel(Model):
    """How far a recovery may go, and whom it tells."""

    max_level: Literal["L1", "L2", "L3", "L4"] = "L3"
    """The last level of the ladder on this host."""
    setup_script: FilledText | None = None
    """A command that is run on the host after level L3 made something."""
    guardian: Text | None = None
    """The name of the pane that status lines are sent to."""
    budgets: BudgetsModel = BudgetsModel()
    """How long each level may take."""
    learn: bool = False
    """Whether a repair begins at the level that has held so far, where the first one mostly has not."""


_UNTOUCHED = InstanceRules()


class InstanceModel(Model):
    """What may be done to the host's EC2 instance. Without it level L4 only plans and tells."""

    run_command: bool = _UNTOUCHED.run_command
    """Whether its Systems Manager agent may restart sshd and make room on the disk."""
    start: bool = _UNTOUCHED.start
    """Whether it may be started when it is stopped."""
    reboot: bool = _UNTOUCHED.reboot
    """Whether it may be rebooted."""
    stop_start: bool = _UNTOUCHED.stop_start
    """Whether it may be stopped and started again, which moves it to another machine."""
    replace: bool = _UNTOUCHED.replace
    """Whether another one may be launched when it is terminated."""
    launch_template: TemplateName | None = None
    """What another one is launched from: a template's name or id, and after a colon its version."""
    accept: list[Accepted] = []
    """What a stop may cost."""
    self_healing: Pause = _UNTOUCHED.self_healing
    """How long EC2 is given to mend a failure of the machine below the instance."""


class CockpitModel(Model):
    """The session in which the operator sees the fleet."""

    session_name: SessionName = "cockpit"
    """Its name. It is none of ``sessions``."""


def _cockpit(value: object) -> object:
    if value is None:
        raise refused("true, false, or a mapping with session_name")
    if isinstance(value, bool):
        return {} if value else None
    return value


class HostModel(Model):
    """What a spec says about its host, besides the sessions."""

    tmux: TmuxModel = TmuxModel()
    """The tmux server that the sessions live in."""
    sshd: SshdModel | None = None
    """The ssh server that must answer. Without it none is looked after."""
    mcp_servers: list[McpServerModel] = []
    """MCP servers and other daemons."""
    logs: list[LogModel] = []
    """Logs to rotate."""
    temp: list[TempModel] = []
    """Temporary files to remove."""
    config_files: list[ConfigFileModel] = []
    """Files that must exist and parse."""
    limits: LimitsModel | None = None
    """The resources that the host must stay within. Without it none is looked after."""
    integrations: list[IntegrationModel] = []
    """Services that the host's agents need."""
    termux: TermuxModel = TermuxModel()
    """What an Android phone is asked for."""
    availability: Literal["always", "intermittent"] = "always"
    """Whether the host is always there, or comes and goes as a phone or a laptop does."""
    grace: Duration = 10
    """How long the first run after an absence waits before it judges agents."""
    recovery: RecoveryModel = RecoveryModel()
    """How far a recovery may go, and whom it tells."""
    gate: GateModel = GateModel()
    """What holds recoveries back."""
    l4: InstanceModel = InstanceModel()
    """What may be done to the host's EC2 instance."""
    maintenance: Maintenance = None
    """Why the whole host is left alone: true, or a reason."""
    tasks: list[TaskModel] = []
    """What its agents work on, in the order in which it is begun."""
    workspaces: WorkspacesModel = WorkspacesModel()
    """The folders that its agents work in, besides those of the tasks."""
    orchestration: list[OrchestrationModel] = []
    """Workspaces in which an orchestration of agents keeps its state."""
    cockpit: Annotated[CockpitModel | None, BeforeValidator(_cockpit, json_schema_input_type=bool | CockpitModel)] = (
        None
    )
    """Whether runs keep the operator's cockpit here: on the machine that they go out from."""
