"""The spec: the desired state of one host, in the form that the rest of the program works on.

Everything here is fully expanded: shorthands are resolved, defaults are filled in, what a window or a session
says for its panes stands in each pane. Durations are seconds, sizes are bytes, percentages are numbers from 0 to 100.
``miyabi.spec_schema`` holds what a user may write, ``miyabi.spec_expand`` turns the one into the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from miyabi.gate_rules import Rules
from miyabi.instance_rules import InstanceRules
from miyabi.levels import DEFAULT_BUDGETS, Level
from miyabi.orchestration.rules import Orchestration, StateLimits  # noqa: F401 - spec_json knows the parts of a spec from here
from miyabi.spec_cockpit import Attached, Cockpit
from miyabi.spec_integration import Integration
from miyabi.spec_tasks import Task, Workspaces

RestartPolicy = Literal["always", "on-failure", "never"]
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Command:
    """One line to type into a plain pane.

    + text: typed literally, whatever it holds
    + enter: whether Enter follows
    + sleep_before, sleep_after: pauses around it, in seconds
    """

    text: str
    enter: bool = True
    sleep_before: float = 0.0
    sleep_after: float = 0.0


@dataclass(frozen=True, slots=True)
class Agent:
    """What is known of the coding agent in a pane.

    + role: what it does, such as ``CodeGen``
    + kind: of agent, as inventory/agents names it; "" is told by its program
    + resume: the command that takes up its conversation again, with ``{session_id}`` in it; None is the kind's own
    + stall_after: seconds without output after which it may be called stalled; None is never
    + nudge: what is typed once when its limit is over; None is the kind's own, "" is nothing
    + compact: whether it may be told to shorten a full context
    + trust: whether its question about trust may be answered with yes
    + task: the id of the task that is its own; "" is none, or one that its ``tasks`` entry gives it
    + worktree: the folder it works in when its task names none
    + parallel: whether other agents may work in that folder at the same time
    + session_id: of the conversation that a start begins or takes up, for the host's register; "" is that the
      registered one is over, None that nothing is registered. No spec says it, nor what follows
    + kept: a pattern for the file in which the host keeps that conversation; "" when nobody knows
    + begin: the command that begins it, for where no such file is; None when it can only be taken up
    + is_begun: whether it has been led before, as far as one look could tell
    """

    role: str = ""
    kind: str = ""
    resume: str | None = None
    stall_after: float | None = None
    nudge: str | None = None
    compact: bool = False
    trust: bool = False
    session_id: str | None = None
    task: str = ""
    worktree: str | None = None
    parallel: bool = False
    kept: str = ""
    begin: str | None = None
    is_begun: bool = True


@dataclass(frozen=True, slots=True)
class Pane:
    """A pane that must exist.

    + name: its identity, unique on the host
    + commands: what runs in it, ``shell_command_before`` of session, window and pane first
    + shell: the command that tmux runs instead of the default shell, None for the default shell
    + start_directory: may begin with ``~`` and hold ``$NAME``: both are the host's
    + environment: the pane's own, or else its window's
    + suppress_history: whether typed commands begin with a space, so that shells can leave them out of their history
    + maintenance: why it is left alone; None is that it is not
    """

    name: str
    commands: tuple[Command, ...] = ()
    shell: str | None = None
    start_directory: str | None = None
    environment: Pairs = ()
    suppress_history: bool = True
    focus: bool = False
    restart: RestartPolicy = "never"
    agent: Agent | None = None
    maintenance: str | None = None

    @property
    def supervised(self) -> bool:
        """Whether the commands are the pane's own process, kept running by its restart policy."""
        return self.agent is not None or self.restart != "never"


@dataclass(frozen=True, slots=True)
class Window:
    """A window that must exist.

    + name: its identity, unique in its session: ``window_name``, made unique where the spec repeats or omits it
    + window_name: the name shown; None leaves it to tmux
    + window_index: its index; None puts it where the order of the spec says
    + layout: one of tmux's layouts by name or a layout string; None leaves the splits as they fall
    """

    name: str
    window_name: str | None = None
    window_index: int | None = None
    layout: str | None = None
    options: Pairs = ()
    options_after: Pairs = ()
    focus: bool = False
    panes: tuple[Pane, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """A tmux session that must exist.

    + before_script: run on the host before the session is created; its failure stops that session's creation
    + maintenance: why it is left alone with all that is in it; None is that it is not
    + attached: how the cockpit shows it; None is that it does not
    """

    session_name: str
    start_directory: str | None = None
    environment: Pairs = ()
    options: Pairs = ()
    global_options: Pairs = ()
    before_script: str | None = None
    windows: tuple[Window, ...] = ()
    maintenance: str | None = None
    attached: Attached | None = None


@dataclass(frozen=True, slots=True)
class TmuxServer:
    """Which tmux server the sessions live in.

    + socket_name: as in ``tmux -L``; None is tmux's default
    + config_file: as in ``tmux -f``, read when the server is started; None is the user's own
    """

    socket_name: str | None = None
    config_file: str | None = None


@dataclass(frozen=True, slots=True)
class Recovery:
    """How far a recovery may go, and whom it tells.

    + max_level: the last level of the ladder on this host
    + setup_script: run on the host after L3 created something
    + guardian: the name of the pane that status lines are sent to
    + budgets: seconds that a level may take
    + learn: whether a repair begins at the level that has held so far, where the first one mostly has not
    """

    max_level: Level = Level.L3
    setup_script: str | None = None
    guardian: str | None = None
    budgets: tuple[tuple[Level, float], ...] = tuple(DEFAULT_BUDGETS.items())
    learn: bool = False

    def budget(self, level: Level) -> float:
        """Seconds that ``level`` may take on this host."""
        return dict(self.budgets)[level]


@dataclass(frozen=True, slots=True)
class Sshd:
    """An ssh server that must answer.

    + port: None is the platform's own: 8022 in Termux, else 22
    + start: the command that starts it; None is the platform's own way
    """

    port: int | None = None
    start: str | None = None


@dataclass(frozen=True, slots=True)
class McpServer:
    """An MCP server, or any other daemon, and how it is recognised.

    + match: text in the command line of its process
    + expected: whether it should run; one that should not is left alone
    + orphans: what to do with processes of an earlier generation that nobody owns any more
    """

    name: str
    start: str
    cwd: str | None = None
    match: str | None = None
    port: int | None = None
    expected: Literal["up", "down"] = "up"
    environment: Pairs = ()
    orphans: Literal["report", "reap"] = "report"


@dataclass(frozen=True, slots=True)
class Log:
    """Logs to rotate: ``max_size`` in bytes, ``keep`` old ones."""

    path: str
    max_size: int
    keep: int


@dataclass(frozen=True, slots=True)
class Temp:
    """Files to prune when they are older than ``older_than`` seconds."""

    path: str
    older_than: float


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A file that must exist and parse, with ``backups`` copies kept."""

    path: str
    format: Literal["json", "yaml", "toml"]
    backups: int


@dataclass(frozen=True, slots=True)
class Relief:
    """One thing that may be done when a resource is critical.

    + does: remove files (``prune``), rotate logs whatever their size (``rotate``), restart one of the ``mcp_servers``
    + target: a path or pattern, or the server's name
    + older_than: seconds, for ``prune``
    + keep: how many old logs stay, for ``rotate``
    """

    does: Literal["prune", "rotate", "restart"]
    target: str
    older_than: float = 0.0
    keep: int = 3


@dataclass(frozen=True, slots=True)
class DiskLimit:
    """Used space in percent at which the disk that holds ``path`` is a warning, or critical.

    + prevent: seconds before it is foretold to be critical from which it is relieved already; None is never
    """

    path: str = "~"
    warning: float = 85.0
    critical: float = 90.0
    relief: tuple[Relief, ...] = ()
    prevent: float | None = None


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """Available memory in percent below which it is a warning, or critical; ``prevent`` as of ``DiskLimit``."""

    warning: float = 15.0
    critical: float = 10.0
    relief: tuple[Relief, ...] = ()
    prevent: float | None = None


@dataclass(frozen=True, slots=True)
class ProcessLimit:
    """How many processes of the user are a warning, or critical: Android ends what is above its 32."""

    warning: int = 24
    critical: int = 32


@dataclass(frozen=True, slots=True)
class Limits:
    """The resources that a host must stay within.

    + processes: None is Android's limit in Termux, and none elsewhere
    + clock_skew: seconds that the host's clock may differ from the control machine's
    """

    disk: DiskLimit = field(default_factory=DiskLimit)
    memory_available: MemoryLimit = field(default_factory=MemoryLimit)
    processes: ProcessLimit | None = None
    clock_skew: float = 30.0


@dataclass(frozen=True, slots=True)
class Termux:
    """What an Android phone is asked for: to stay awake, and to show how a recovery ended."""

    wake_lock: bool = False
    notifications: bool = False


@dataclass(frozen=True, slots=True)
class Spec:
    """The desired state of one host.

    + source: the file that it was read from
    + digest: a hash of that file, the same for the same content
    + availability: whether the host is always there, or comes and goes as a phone does
    + grace: seconds that the first run after an absence waits before it judges agents
    + gate: what holds recoveries back
    + l4: what may be done to the host's instance
    + maintenance: why the whole host is left alone; None is that it is not
    + tasks: what the agents work on, in the order in which they are begun
    + orchestration: workspaces in which an orchestration keeps its state
    """

    source: str
    digest: str
    sessions: tuple[Session, ...] = ()
    tmux: TmuxServer = field(default_factory=TmuxServer)
    recovery: Recovery = field(default_factory=Recovery)
    sshd: Sshd | None = None
    mcp_servers: tuple[McpServer, ...] = ()
    logs: tuple[Log, ...] = ()
    temp: tuple[Temp, ...] = ()
    config_files: tuple[ConfigFile, ...] = ()
    limits: Limits | None = None
    integrations: tuple[Integration, ...] = ()
    termux: Termux = field(default_factory=Termux)
    availability: Literal["always", "intermittent"] = "always"
    grace: float = 10.0
    gate: Rules = field(default_factory=Rules)
    l4: InstanceRules = field(default_factory=InstanceRules)
    maintenance: str | None = None
    cockpit: Cockpit | None = None
    tasks: tuple[Task, ...] = ()
    workspaces: Workspaces = field(default_factory=Workspaces)
    orchestration: tuple[Orchestration, ...] = ()
