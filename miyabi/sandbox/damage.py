"""Whether a fault is in effect, as told from outside: not by what a recovery says, and not through its eyes."""

from __future__ import annotations

import json
import socket
import tomllib
from contextlib import suppress

from miyabi.sandbox.fault_ground import LOG, LOG_SIZE, api_folder, orphans_of
from miyabi.sandbox.fault_network import relays_of
from miyabi.sandbox.fault_tmux import AGENT, PANE, SESSION, WINDOW, pane_of
from miyabi.sandbox.fleet import PREFIX, Sandbox, SandboxHost
from miyabi.sandbox.inside import run_on, tmux_on
from miyabi.sandbox.lifecycle import answers

# Of a disk that is fuller than this, the spec says that it is critical.
_FULL = 85


def agent_is_down(_: Sandbox, host: SandboxHost) -> bool:
    """Whether the agent is dead."""
    pane = pane_of(host, AGENT[host.kind])
    return pane is None or pane[2]


def pane_is_missing(_: Sandbox, host: SandboxHost) -> bool:
    """Whether the pane is not there."""
    return pane_of(host, PANE[host.kind]) is None


def window_is_missing(_: Sandbox, host: SandboxHost) -> bool:
    """Whether the window is not there."""
    session, window = WINDOW[host.kind]
    there = tmux_on(host, "list-windows", "-t", f"={session}", "-F", "#{window_name}") or ""
    return window not in there.split("\n")


def session_is_missing(_: Sandbox, host: SandboxHost) -> bool:
    """Whether the session is not there."""
    return SESSION[host.kind] not in (tmux_on(host, "list-sessions", "-F", "#{session_name}") or "").split("\n")


def server_is_missing(_: Sandbox, host: SandboxHost) -> bool:
    """Whether no tmux server answers."""
    return tmux_on(host, "list-sessions") is None


def sshd_is_down(_: Sandbox, host: SandboxHost) -> bool:
    """Whether nobody answers on the port that the spec names."""
    return not answers(host, host.port)


def mcp_is_down(_: Sandbox, host: SandboxHost) -> bool:
    """Whether nobody listens on the MCP server's port."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", host.mcp_port), timeout=2):
        return False
    return True


def orphan_is_there(sandbox: Sandbox, host: SandboxHost) -> bool:
    """Whether an orphan of the MCP server runs."""
    return bool(orphans_of(sandbox, host))


def config_is_corrupt(_: Sandbox, host: SandboxHost) -> bool:
    """Whether a configuration file does not say what it said."""
    try:
        found = json.loads((host.home / ".miyabi/config.json").read_text())
        agents = tomllib.loads((host.home / ".miyabi/agents.toml").read_text())
    except (OSError, ValueError):
        return True
    return "agents" not in found or "kaede" not in agents


def log_is_too_large(_: Sandbox, host: SandboxHost) -> bool:
    """Whether the log is over its size."""
    log = host.home / LOG
    return log.exists() and log.stat().st_size > LOG_SIZE


def disk_is_full(_: Sandbox, host: SandboxHost) -> bool:
    """Whether the small disk is full."""
    if not host.isolated:
        return False
    rows = run_on(host, "df -Pk ~/scratch").stdout.split("\n")
    return int(rows[1].split()[4].removesuffix("%")) >= _FULL


def litter_is_there(_: Sandbox, host: SandboxHost) -> bool:
    """Whether the old temporary files are there."""
    return any(host.outside(f"{PREFIX}/tmp" if host.name == "pixel" else "/tmp").glob("claude-old-*"))  # noqa: S108


def is_logged_out(_: Sandbox, host: SandboxHost) -> bool:
    """Whether gh is logged out."""
    return not (host.home / ".config/gh/hosts.yml").exists()


def is_slow(sandbox: Sandbox, host: SandboxHost) -> bool:
    """Whether the network to the host is slow."""
    return bool(relays_of(sandbox, host))


def termux_api_hangs(_: Sandbox, host: SandboxHost) -> bool:
    """Whether the termux-* commands hang."""
    return (api_folder(host) / "hang").exists()


def is_away(_: Sandbox, host: SandboxHost) -> bool:
    """Whether the host is out of reach."""
    return not answers(host, host.way_in)
