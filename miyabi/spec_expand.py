"""What the user wrote, as the spec that the program works on: shorthands, defaults and inheritance resolved.

The rules are tmuxp's, but for one: ``~`` and ``$NAME`` in directories, values and commands stay as they are, because
they are the host's, and a spec is read on another machine. Pure: no file is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from miyabi.instance_rules import InstanceRules
from miyabi.levels import Level
from miyabi.orchestration.rules import Orchestration, StateLimits
from miyabi.spec import (
    Agent,
    Command,
    Pane,
    Recovery,
    Session,
    Spec,
    TmuxServer,
    Window,
)
from miyabi.spec_cockpit import Attached, Cockpit
from miyabi.spec_gate_schema import expand_gate
from miyabi.spec_host_schema import InstanceModel, RecoveryModel
from miyabi.spec_identity import pane_identity, window_identities
from miyabi.spec_orchestration_schema import OrchestrationModel
from miyabi.spec_paths import dotted_pairs, join, joined, script_line
from miyabi.spec_schema import (
    AgentModel,
    PaneModel,
    SessionModel,
    SpecModel,
    WindowModel,
    WorkspaceModel,
)
from miyabi.spec_task_schema import TaskModel, WorkspacesModel
from miyabi.spec_tasks import Task, Workspaces
from miyabi.spec_upkeep_expand import expand_upkeep

_Around = tuple[SessionModel, WindowModel, PaneModel]


def expand_spec(model: SpecModel | WorkspaceModel, *, source: str, digest: str, base_directory: str) -> Spec:
    """The spec that a file describes.

    + model: what the file says
    + source: the file's path
    + digest: a hash of the file's content
    + base_directory: where relative paths begin: an absolute path, or ``~`` for the host's home
    """
    sessions = [model] if isinstance(model, WorkspaceModel) else model.sessions
    return Spec(
        source=source,
        digest=digest,
        sessions=tuple(_session(session, base_directory) for session in sessions),
        tmux=TmuxServer(model.tmux.socket_name, joined(model.tmux.config_file, base_directory)),
        recovery=_recovery(model.recovery, base_directory),
        availability=model.availability,
        grace=model.grace,
        gate=expand_gate(model.gate),
        l4=_instance_rules(model.l4),
        maintenance=model.maintenance,
        cockpit=None if model.cockpit is None else Cockpit(model.cockpit.session_name),
        tasks=tuple(_task(task, base_directory) for task in model.tasks),
        workspaces=_workspaces(model.workspaces, base_directory),
        orchestration=tuple(_orchestration(each, base_directory) for each in model.orchestration),
        **expand_upkeep(model, base_directory),
    )


def _session(model: SessionModel, base_directory: str) -> Session:
    directory = joined(model.start_directory, base_directory)
    names = window_identities([window.window_name for window in model.windows])
    focused = _last([window.focus for window in model.windows])
    return Session(
        session_name=model.session_name,
        start_directory=directory,
        environment=dotted_pairs(model.environment, base_directory),
        options=dotted_pairs(model.options, base_directory),
        global_options=dotted_pairs(model.global_options, base_directory),
        before_script=script_line(model.before_script, base_directory),
        windows=tuple(
            _window(window, name, model, base_directory, focus=position == focused)
            for position, (window, name) in enumerate(zip(model.windows, names, strict=True))
        ),
        maintenance=model.maintenance,
        attached=None if model.attached is None else Attached(model.attached.read_only),
    )


def _last(focus: Sequence[bool]) -> int | None:
    """The position of the one that is selected last; the focus of the others has no effect."""
    return max((position for position, wanted in enumerate(focus) if wanted), default=None)


def _window(model: WindowModel, name: str, session: SessionModel, base_directory: str, *, focus: bool) -> Window:
    # A window without panes has one blank pane.
    panes = model.panes or [PaneModel()]
    focused = _last([pane.focus for pane in panes])
    return Window(
        name=name,
        window_name=model.window_name or None,
        window_index=model.window_index,
        layout=model.layout,
        options=dotted_pairs(model.options, base_directory),
        options_after=tuple(model.options_after.items()),
        focus=focus,
        panes=tuple(
            _pane(
                pane.name or pane_identity(session.session_name, name, position + 1),
                (session, model, pane),
                base_directory,
                shell=_shell(pane, model, first=position == 0),
                focus=position == focused,
            )
            for position, pane in enumerate(panes)
        ),
    )


def _pane(name: str, around: _Around, base_directory: str, *, shell: str | None, focus: bool) -> Pane:
    _, window, pane = around
    environment = pane.environment if "environment" in pane.model_fields_set else window.environment
    return Pane(
        name=name,
        commands=tuple(_commands(around)),
        shell=shell,
        start_directory=_start_directory(around, base_directory),
        environment=dotted_pairs(environment, base_directory),
        suppress_history=next(
            (m.suppress_history for m in reversed(around) if "suppress_history" in m.model_fields_set), True
        ),
        focus=focus,
        restart=pane.restart if "restart" in pane.model_fields_set or pane.agent is None else "on-failure",
        agent=None if pane.agent is None else _agent(pane.agent, base_directory),
        maintenance=pane.maintenance,
    )


def _agent(model: AgentModel, base_directory: str) -> Agent:
    return Agent(
        role=model.role,
        kind=model.kind,
        resume=model.resume,
        stall_after=model.stall_after,
        nudge="" if model.nudge is False else model.nudge,
        compact=model.compact,
        trust=model.trust,
        task=model.task or "",
        worktree=joined(model.worktree, base_directory),
        parallel=model.parallel,
    )


def _task(model: TaskModel, base_directory: str) -> Task:
    return Task(
        id=model.id,
        prompt=model.prompt,
        agent=model.agent or "",
        role=model.role or "",
        worktree=joined(model.worktree, base_directory),
        branch=model.branch,
        needs=tuple(dict.fromkeys(model.needs)),
        parallel=model.parallel,
        done_when=model.done_when,
    )


def _workspaces(model: WorkspacesModel, base_directory: str) -> Workspaces:
    repositories = tuple(join(base_directory, each) for each in model.repositories)
    return Workspaces(repositories, model.orphans, model.older_than)


def _orchestration(model: OrchestrationModel, base_directory: str) -> Orchestration:
    told = model.model_dump(exclude={"workspace", "limits"})
    limits = StateLimits(**model.limits.model_dump())
    return Orchestration(join(base_directory, model.workspace), limits=limits, **told)


def _start_directory(around: _Around, base_directory: str) -> str | None:
    """The pane's directory, else its window's, else its session's; each is relative to the one around it."""
    directory = None
    for model in around:
        directory = joined(model.start_directory, directory or base_directory) or directory
    return directory


def _shell(pane: PaneModel, window: WindowModel, *, first: bool) -> str | None:
    """The shell as tmuxp's builder picks it: an empty one means the default shell, but the window's in a first pane."""
    if "shell" in pane.model_fields_set and not (first and pane.shell == ""):
        return pane.shell or None
    return window.window_shell or None


def _commands(around: _Around) -> Iterator[Command]:
    """What is typed into a pane. As in tmuxp, a command's enter and pauses hold for those after it, too."""
    pane = around[-1]
    before = [command for model in around for command in model.shell_command_before.shell_command]
    enter, sleep_before, sleep_after = pane.enter, pane.sleep_before, pane.sleep_after
    for command in (*before, *pane.shell_command):
        said = command.model_fields_set
        enter = command.enter if "enter" in said else enter
        sleep_before = command.sleep_before if "sleep_before" in said else sleep_before
        sleep_after = command.sleep_after if "sleep_after" in said else sleep_after
        yield Command(command.cmd, enter, sleep_before or 0.0, sleep_after or 0.0)


def _recovery(model: RecoveryModel, base_directory: str) -> Recovery:
    budgets = tuple((level, float(getattr(model.budgets, level.name))) for level in Level)
    script = script_line(model.setup_script, base_directory)
    return Recovery(Level[model.max_level], script, model.guardian, budgets, model.learn)


def _instance_rules(model: InstanceModel) -> InstanceRules:
    return InstanceRules(
        run_command=model.run_command,
        start=model.start,
        reboot=model.reboot,
        stop_start=model.stop_start,
        replace=model.replace,
        launch_template=model.launch_template or "",
        accept=tuple(dict.fromkeys(model.accept)),
        self_healing=model.self_healing,
    )
