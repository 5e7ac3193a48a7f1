"""The state: what was observed on one host. Everywhere here, None means unknown, never "absent" and never "healthy"."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from miyabi.agent_state import Agents

Platform = Literal["linux", "termux", "macos"]


@dataclass(frozen=True, slots=True)
class Observed:
    """The base of what facts return: a plain record that pyinfra can print as JSON."""

    def to_json(self) -> dict[str, Any]:
        """The record as plain dicts and lists."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Pane(Observed):
    """One tmux pane.

    + pane_id: tmux's ``%N``, stable for the life of the pane
    + pid: the pane's own process; stale when ``dead``
    + name: the spec's name for it (``@miyabi_pane``); None when it is not managed
    + dead: whether its process has ended and tmux kept the pane (remain-on-exit)
    + dead_status: the exit status; None when it was a signal, or tmux does not tell
    + dead_signal: the signal as tmux prints it, a number on Linux, a name on macOS; None when there was none
    + in_mode: whether it is in copy mode or another mode that swallows keys
    + command: the foreground command as tmux sees it; for showing, not for deciding
    + path: its current directory, "" when tmux does not know
    """

    pane_id: str
    pane_index: int
    pid: int | None
    active: bool
    name: str | None = None
    dead: bool = False
    dead_status: int | None = None
    dead_signal: str | None = None
    in_mode: bool = False
    command: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Window(Observed):
    """One tmux window.

    + name: the spec's name for it (``@miyabi_window``); None when it is not managed
    + layout_mark: the name and the string of the layout that was applied last; None when none was
    """

    window_id: str
    window_index: int
    window_name: str
    active: bool
    layout: str
    zoomed: bool = False
    name: str | None = None
    layout_mark: str | None = None
    panes: tuple[Pane, ...] = ()


@dataclass(frozen=True, slots=True)
class Session(Observed):
    """One tmux session.

    + name: the spec's name for it (``@miyabi_session``); None when it is not managed
    + attached: how many clients look at it
    + created: seconds since the epoch
    + base_index: where the user's configuration starts to count its windows
    """

    session_id: str
    session_name: str
    attached: int
    created: int
    base_index: int = 0
    name: str | None = None
    group: str | None = None
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True)
class Client(Observed):
    """Somebody who is attached: the window that is shown, and the seconds since the last key."""

    window_id: str
    idle: int


@dataclass(frozen=True, slots=True)
class Tmux(Observed):
    """One tmux server.

    + version: such as ``3.3a``
    + running: False when there is certainly no server: no socket, or nobody behind it
    """

    version: str
    running: bool
    sessions: tuple[Session, ...] = ()
    clients: tuple[Client, ...] = ()


@dataclass(frozen=True, slots=True)
class Process(Observed):
    """One process: its pid, its parent's pid and its command line (bytes outside ASCII are shown as ``?``)."""

    pid: int
    parent: int
    arguments: str


@dataclass(frozen=True, slots=True)
class Sshd(Observed):
    """What answers on the ssh port.

    + port: the port that was asked
    + answering: whether an SSH banner came back
    + banner: such as ``SSH-2.0-OpenSSH_9.2p1``; "" when none came
    + spoke: what a port said that took the connection and gave no banner, "" when silent; None when nobody took it
    """

    port: int
    answering: bool
    banner: str = ""
    spoke: str | None = None


@dataclass(frozen=True, slots=True)
class Disk(Observed):
    """The file system that holds ``path``: sizes in bytes, ``used_percent`` is the share that is not available."""

    path: str
    mount: str
    size: int
    used: int
    available: int
    used_percent: float


@dataclass(frozen=True, slots=True)
class Memory(Observed):
    """Memory and swap in bytes; ``available`` is what can be had without swapping, not what is free."""

    total: int
    available: int
    available_percent: float
    swap_total: int
    swap_used: int


@dataclass(frozen=True, slots=True)
class Load(Observed):
    """Load averages over 1, 5 and 15 minutes, and the number of processors (None when the host does not tell)."""

    one: float
    five: float
    fifteen: float
    processors: int | None = None


@dataclass(frozen=True, slots=True)
class Boot(Observed):
    """Which boot this is.

    + boot_id: different after every boot, the same within one
    + uptime: seconds since then; None when the platform does not tell
    """

    boot_id: str
    uptime: float | None = None


@dataclass(frozen=True, slots=True)
class Network(Observed):
    """Addresses of the host without loopback, and the interface of the default route (None when there is none)."""

    addresses: tuple[str, ...]
    default_interface: str | None = None


@dataclass(frozen=True, slots=True)
class Host(Observed):
    """Everything that one probe saw on a host.

    + home: the user's home directory there
    + agents: what was seen of its spec's agents; None, too, when the spec has none
    + unknown: for each subject that is None, why it could not be told
    """

    platform: Platform | None = None
    hostname: str = ""
    user: str = ""
    home: str = ""
    boot: Boot | None = None
    tmux: Tmux | None = None
    processes: tuple[Process, ...] | None = None
    sshd: Sshd | None = None
    disk: Disk | None = None
    memory: Memory | None = None
    load: Load | None = None
    network: Network | None = None
    agents: Agents | None = None
    unknown: dict[str, str] = field(default_factory=dict)
