"""What can be broken in the sandbox, on purpose and for real."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from miyabi.sandbox import fault_ground, fault_network, fault_tmux
from miyabi.sandbox.fleet import Sandbox, SandboxError, SandboxHost

Act = Callable[[Sandbox, SandboxHost], str]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break a host.

    + summary: what is broken, in a line
    + hosts: where, unless somebody says so
    + inject: breaks it, and says what it did; again it changes nothing
    + mend: what takes it back, for what no recovery heals; None where a recovery does
    """

    name: str
    summary: str
    hosts: tuple[str, ...]
    inject: Act
    mend: Act | None = None


_LIST = (
    Fault("agent-kill", "an agent is killed, its pane is dead", ("mugen",), fault_tmux.kill_agent),
    Fault("pane", "a pane is closed", ("macbook",), fault_tmux.kill_pane),
    Fault("window", "a window is closed", ("mugen",), fault_tmux.kill_window),
    Fault("session", "a session is closed", ("macbook",), fault_tmux.kill_session),
    Fault("server", "the tmux server is killed", ("pixel",), fault_tmux.kill_server),
    Fault("sshd", "the sshd that the spec names is killed", ("pixel", "mugen"), fault_ground.kill_sshd),
    Fault("mcp", "the MCP server is killed, an orphan of it stays", ("mugen", "macbook"), fault_ground.kill_mcp),
    Fault("config-corrupt", "a config file is cut off", ("macbook", "mugen"), fault_ground.corrupt_config),
    Fault(
        "log-flood", "a log is over its size, its writer never stops", ("mugen",), fault_ground.flood_log,
        fault_ground.stop_writer,
    ),
    Fault("disk-full", "a small disk is full (takes root)", ("mugen",), fault_ground.fill_disk),
    Fault("temp", "old temporary files lie about", ("pixel",), fault_ground.litter),
    Fault("integration", "the agents are logged out of GitHub", ("mugen",), fault_ground.log_out),
    Fault(
        "slow-network", "each byte to a host takes 150 ms longer, each way", ("macbook",), fault_network.slow_down,
        fault_network.speed_up,
    ),
    Fault(
        "agent-hang", "an agent is stopped: it lives and does nothing", ("mugen",), fault_tmux.hang_agent,
        fault_tmux.let_agent_go_on,
    ),
    Fault(
        "termux-api", "every termux-* command hangs", ("pixel",), fault_ground.hang_termux_api,
        fault_ground.mend_termux_api,
    ),
    Fault(
        "offline", "a host is out of reach", ("macbook",), fault_network.go_away, fault_network.come_back
    ),
)  # fmt: skip

FAULTS = {fault.name: fault for fault in _LIST}

# What `all` breaks: not what only a human or time can mend. A slow network is where a recovery has to work.
ALL = tuple(name for name, fault in FAULTS.items() if fault.mend is None or name in {"log-flood", "slow-network"})


def fault_named(name: str) -> Fault:
    """The fault, or an error that names those there are."""
    if name not in FAULTS:
        raise SandboxError(f"{name}: no such fault; there are {', '.join(FAULTS)}, and all")
    return FAULTS[name]


def inject(sandbox: Sandbox, name: str, host: str | None = None) -> Iterator[str]:
    """Break something, and say what was done, a line for each host.

    + name: of a fault, or ``all``
    + host: where; None is where the fault is at home
    """
    for fault in [FAULTS[each] for each in ALL] if name == "all" else [fault_named(name)]:
        for where in [host] if host else fault.hosts:
            try:
                yield f"{where}: {fault.inject(sandbox, sandbox.host(where))}"
            except SandboxError as error:
                if name != "all":
                    raise
                yield f"{where}: left out: {error}"


def mend(sandbox: Sandbox, name: str, host: str | None = None) -> Iterator[str]:
    """Take back a fault that no recovery heals, and say so, a line for each host."""
    fault = fault_named(name)
    if fault.mend is None:
        raise SandboxError(f"{name}: a recovery mends that: {sandbox.command}")
    for where in [host] if host else fault.hosts:
        yield f"{where}: {fault.mend(sandbox, sandbox.host(where))}"
