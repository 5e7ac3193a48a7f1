"""Faults of the sessions: agents, panes, windows, sessions, the tmux server."""

from __future__ import annotations

from miyabi.sandbox.fleet import Sandbox, SandboxError, SandboxHost
from miyabi.sandbox.inside import tmux_on
from miyabi.sandbox.processes import alive, below, end

AGENT = {"pixel": "status", "mugen": "kaede", "macbook": "momiji", "cloud": "kaede"}
PANE = {"pixel": "pixel-shell", "mugen": "codegen-shell", "macbook": "review-shell", "cloud": "agents-shell"}
WINDOW = {
    "pixel": ("monitor", "notes"),
    "mugen": ("miyabi", "review"),
    "macbook": ("miyabi", "review"),
    "cloud": ("miyabi", "agents"),
}
SESSION = {"pixel": "monitor", "mugen": "orchestra", "macbook": "orchestra", "cloud": "miyabi"}


def _tmux(host: SandboxHost, *arguments: str) -> str:
    return tmux_on(host, *arguments) or ""


def pane_of(host: SandboxHost, name: str) -> tuple[str, int, bool] | None:
    """Id, pid and whether it is dead, of the pane that a recovery has named so; None when there is none."""
    wanted = "#{pane_id} #{pane_pid} #{pane_dead} #{@miyabi_pane}"
    for line in _tmux(host, "list-panes", "-a", "-F", wanted).split("\n"):
        fields = line.split(" ", 3)
        if len(fields) == 4 and fields[3] == name:
            return fields[0], int(fields[1]), fields[2] == "1"
    return None


def wanted_pane(host: SandboxHost, name: str) -> tuple[str, int, bool] | None:
    """The same, and an error when the host has no sessions at all."""
    if not _tmux(host, "list-sessions"):
        raise SandboxError(f"{host.name} has no tmux sessions yet: recover the sandbox once, then break it")
    return pane_of(host, name)


def kill_agent(_: Sandbox, host: SandboxHost) -> str:
    """Kill an agent with signal 9; its pane stays, dead."""
    name = AGENT[host.kind]
    pane = wanted_pane(host, name)
    if pane is None or pane[2]:
        return f"agent {name} is dead already"
    end({pane[1], *below(pane[1])})
    return f"agent {name} (pid {pane[1]}) was killed"


def kill_pane(_: Sandbox, host: SandboxHost) -> str:
    """Close a pane."""
    name = PANE[host.kind]
    pane = wanted_pane(host, name)
    if pane is None:
        return f"pane {name} is not there already"
    _tmux(host, "kill-pane", "-t", pane[0])
    return f"pane {name} was closed"


def kill_window(_: Sandbox, host: SandboxHost) -> str:
    """Close a window with all that runs in it."""
    session, window = WINDOW[host.kind]
    wanted_pane(host, "")
    there = _tmux(host, "list-windows", "-t", f"={session}", "-F", "#{window_name}").split("\n")
    if window not in there:
        return f"window {session}:{window} is not there already"
    _tmux(host, "kill-window", "-t", f"={session}:={window}")
    return f"window {session}:{window} was closed"


def kill_session(_: Sandbox, host: SandboxHost) -> str:
    """Close a session with all of its windows."""
    session = SESSION[host.kind]
    wanted_pane(host, "")
    if session not in _tmux(host, "list-sessions", "-F", "#{session_name}").split("\n"):
        return f"session {session} is not there already"
    _tmux(host, "kill-session", "-t", f"={session}")
    return f"session {session} was closed"


def kill_server(_: Sandbox, host: SandboxHost) -> str:
    """Kill the tmux server with signal 9: its socket stays, nobody answers."""
    answer = _tmux(host, "display-message", "-p", "#{pid}")
    if not answer.isdigit() or not alive(int(answer)):
        return "no tmux server runs already"
    pid = int(answer)
    panes = below(pid)
    end({pid})
    end(panes)
    return f"the tmux server (pid {pid}) was killed with {len(panes)} processes in it"
