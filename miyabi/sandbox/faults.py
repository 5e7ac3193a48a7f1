"""What can be broken in the sandbox, on purpose and for real."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from miyabi.sandbox import (
    damage,
    fault_agent as agent,
    fault_ground as ground,
    fault_instance as instance,
    fault_network,
    fault_state as state,
    fault_tmux as tmux,
)
from miyabi.sandbox.fleet import Sandbox, SandboxError, SandboxHost

Act = Callable[[Sandbox, SandboxHost], str]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break a host.

    + summary: what is broken, in a line
    + hosts: where, unless somebody says so
    + seen: whether it is broken now, as told from outside
    + inject: breaks it, and says what it did; again it changes nothing
    + mend: what takes it back, for what no recovery heals; None where a recovery does
    """

    name: str
    summary: str
    hosts: tuple[str, ...]
    inject: Act
    seen: Callable[[Sandbox, SandboxHost], bool]
    mend: Act | None = None


def _agent(
    name: str, summary: str, trouble: agent.Trouble, where: tuple[str, ...] = ("mugen",), *, mended: bool = False
) -> Fault:
    """A fault of an agent.

    + mended: whether no recovery heals it
    """
    inject, seen = partial(agent.bring, trouble), partial(agent.is_seen, trouble)
    return Fault(name, summary, where, inject, seen, partial(agent.relieve, trouble) if mended else None)


_DESKS = ("mugen", "macbook")
_SLOW = f"each byte to a host takes {fault_network.DELAY_MILLISECONDS} ms longer, each way"

_LIST = (
    Fault("agent-kill", "an agent is killed, its pane is dead", ("mugen",), tmux.kill_agent, damage.agent_is_down),
    _agent("agent-crash", "an agent crashes, its exit code is 1", agent.CRASH),
    _agent("agent-oom", "an agent runs out of memory", agent.OOM),
    _agent("agent-exit", "an agent ends with exit code 130, as after Ctrl-C", agent.EXIT, ("macbook",)),
    Fault("pane", "a pane is closed", ("macbook",), tmux.kill_pane, damage.pane_is_missing),
    Fault("window", "a window is closed", ("mugen",), tmux.kill_window, damage.window_is_missing),
    Fault("session", "a session is closed", ("macbook",), tmux.kill_session, damage.session_is_missing),
    Fault("server", "the tmux server is killed", ("pixel",), tmux.kill_server, damage.server_is_missing),
    Fault("sshd", "the spec's sshd is killed", ("pixel", "mugen"), ground.kill_sshd, damage.sshd_is_down),
    Fault("mcp", "an MCP server is killed", _DESKS, ground.kill_mcp, damage.mcp_is_down),
    Fault("config-corrupt", "a config file is cut off", _DESKS, ground.corrupt_config, damage.config_is_corrupt),
    Fault("state-torn", "the state of an orchestration is cut off", ("mugen",), state.tear, state.is_torn),
    Fault("state-zombie", "an agent is gone from it, with a task", ("macbook",), state.lose_agent, state.agent_is_lost),
    Fault("state-cycle", "its tasks wait for each other", ("macbook",), state.knot, state.is_knotted),
    Fault(
        "log-flood", "a log is over its size, its writer never stops", ("mugen",),
        ground.flood_log, damage.log_is_too_large, ground.stop_writer,
    ),
    Fault("disk-full", "a small disk is full (takes root)", ("mugen",), ground.fill_disk, damage.disk_is_full),
    Fault("temp", "old temporary files lie about", ("pixel",), ground.litter, damage.litter_is_there),
    Fault("integration", "gh is logged out of GitHub", ("mugen",), ground.log_out, damage.is_logged_out),
    Fault("slow-network", _SLOW, ("macbook",), fault_network.slow_down, damage.is_slow, fault_network.speed_up),
    Fault(
        "mcp-orphan", "an MCP server of an earlier generation is left; reaped when it is a minute old", ("pixel",),
        ground.leave_orphan, damage.orphan_is_there,
    ),
    _agent("agent-hang", "an agent hangs: its screen says busy and stands still", agent.HANG),
    _agent("agent-stop", "an agent is stopped: it lives and does nothing", agent.STOP),
    _agent("agent-limit-over", "an agent stands at a usage limit that is over", agent.LIMIT_OVER),
    _agent("agent-overload", "an agent's service has refused it", agent.OVERLOAD, mended=True),
    _agent("agent-context", "an agent has no room left in its context", agent.CONTEXT),
    _agent("agent-limit", "an agent has reached its usage limit, for an hour", agent.LIMIT, mended=True),
    _agent("agent-prompt", "an agent waits for a permission", agent.PROMPT, mended=True),
    _agent("agent-trust", "an agent asks whether to trust its folder", agent.TRUST, mended=True),
    _agent("agent-login", "an agent is logged out of its service", agent.LOGIN, mended=True),
    _agent("agent-loop", "an agent does the same again and again", agent.LOOP, mended=True),
    Fault(
        "termux-api", "every termux-* command hangs", ("pixel",),
        ground.hang_termux_api, damage.termux_api_hangs, ground.mend_termux_api,
    ),
    Fault(
        "offline", "a host is out of reach", ("macbook",),
        fault_network.go_away, damage.is_away, fault_network.come_back,
    ),
    Fault(
        "instance-hang", "an instance hangs: its check fails, its ssh is dead", ("cloud-1",),
        instance.hang, instance.is_hung,
    ),
    Fault("instance-stopped", "somebody stops an instance", ("cloud-2",), instance.stop, instance.is_stopped),
    Fault(
        "system-impaired", "the hardware below an instance is broken", ("cloud-1",),
        instance.break_hardware, instance.is_on_broken_hardware,
    ),
    Fault(
        "sshd-dead-inside", "an instance's only sshd is killed, its checks are fine", ("cloud-2",),
        instance.kill_ssh, instance.ssh_is_dead,
    ),
)  # fmt: skip

FAULTS = {fault.name: fault for fault in _LIST}

# What `all` leaves out: what only a human or time can mend, and what would make the demo longer.
_NOT_IN_ALL = (
    *("mcp-orphan", "termux-api", "offline"),
    *("agent-hang", "agent-stop", "agent-limit-over", "agent-overload", "agent-context"),
    *("agent-limit", "agent-prompt", "agent-trust", "agent-login", "agent-loop"),
    *("instance-hang", "system-impaired", "sshd-dead-inside"),
)
ALL = tuple(name for name in FAULTS if name not in _NOT_IN_ALL)


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
