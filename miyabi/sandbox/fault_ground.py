"""Faults of what the sessions stand on: sshd, servers, logs, configuration, the disk, temporary files, services."""

from __future__ import annotations

from pathlib import Path

from miyabi.sandbox.fleet import Sandbox, SandboxError, SandboxHost
from miyabi.sandbox.inside import run_on
from miyabi.sandbox.lifecycle import answers
from miyabi.sandbox.processes import arguments_of, end, name_of, processes_of, wait_for

LOG = ".miyabi/logs/agents.log"
LOG_SIZE = 1_000_000


def running(sandbox: Sandbox, host: SandboxHost, *words: str) -> set[int]:
    """The host's processes whose command line has all of these words in it."""
    lines = {pid: " ".join(arguments_of(pid)) for pid in processes_of(sandbox.folder, host.name)}
    return {pid for pid, line in lines.items() if all(word in line for word in words)}


def _listeners(sandbox: Sandbox, host: SandboxHost, configuration: str) -> set[int]:
    found = running(sandbox, host, configuration)
    return {pid for pid in found if name_of(pid).startswith("sshd")}


def kill_sshd(sandbox: Sandbox, host: SandboxHost) -> str:
    """Kill the sshd that the spec names; on pixel with runit, on macbook Remote Login is switched off."""
    if not answers(host, host.port):
        return f"nobody answers on port {host.port} already"
    how = "its sshd was killed"
    if host.name == "pixel":
        end(running(sandbox, host, "runsv"))
        run_on(host, 'rm -rf "$PREFIX/var/service/sshd/supervise"')
        how = "its sshd was killed, and runit with it"
    if host.name == "macbook":
        (host.outside(host.etc) / "remote-login").unlink(missing_ok=True)
        how = "Remote Login was switched off"
    end(_listeners(sandbox, host, "sshd_config"))
    wait_for(lambda: not answers(host, host.port), 10, f"{host.name}: port {host.port} still answers")
    return f"{how}: port {host.port} does not answer"


def kill_mcp(sandbox: Sandbox, host: SandboxHost) -> str:
    """Kill the MCP server."""
    servers = servers_of(sandbox, host)
    end(servers)
    return "the MCP server was killed" if servers else "the MCP server is dead already"


def leave_orphan(sandbox: Sandbox, host: SandboxHost) -> str:
    """Leave a process of an earlier generation of the MCP server, that does not listen."""
    if not orphans_of(sandbox, host):
        run_on(host, f"nohup miyabi-mcp-server {host.mcp_port} silent >/dev/null 2>&1 </dev/null &")
        wait_for(lambda: orphans_of(sandbox, host), 10, "the orphan does not start")
    return f"an orphan of the MCP server runs and does not listen (pid {min(orphans_of(sandbox, host))})"


def servers_of(sandbox: Sandbox, host: SandboxHost) -> set[int]:
    """The MCP server's processes, orphans left out."""
    return running(sandbox, host, "mcp_server.py") - orphans_of(sandbox, host)


def orphans_of(sandbox: Sandbox, host: SandboxHost) -> set[int]:
    """The orphans of the MCP server."""
    return running(sandbox, host, "mcp_server.py", "silent")


def corrupt_config(_: Sandbox, host: SandboxHost) -> str:
    """Cut the configuration file off in the middle, and empty the other one."""
    (host.home / ".miyabi/config.json").write_text('{"fleet": "sandb')
    if host.name != "mugen":
        return "~/.miyabi/config.json is cut off"
    (host.home / ".miyabi/agents.toml").write_text("")
    return "~/.miyabi/config.json is cut off, ~/.miyabi/agents.toml is empty"


def flood_log(sandbox: Sandbox, host: SandboxHost) -> str:
    """Fill a log over its size; its writer holds it open and never stops."""
    log = host.home / LOG
    if not running(sandbox, host, "log-writer"):
        run_on(host, f"nohup log-writer ~/{LOG} >/dev/null 2>&1 </dev/null &")
    elif log.stat().st_size < LOG_SIZE:
        with log.open("a") as more:
            more.write("a line of a log that nobody reads\n" * 35_000)
    wait_for(lambda: log.exists() and log.stat().st_size > LOG_SIZE, 30, f"{log} does not grow")
    return f"~/{LOG} has {log.stat().st_size // 1000} kB, and is being written to"


def stop_writer(sandbox: Sandbox, host: SandboxHost) -> str:
    """Stop the writer of the log."""
    end(running(sandbox, host, "log-writer"))
    return "the writer of the log has stopped"


def fill_disk(_: Sandbox, host: SandboxHost) -> str:
    """Fill the host's small disk."""
    if not host.isolated:
        raise SandboxError(f"disk-full is not to be had on {host.name}: small disks are mounted by root alone")
    run_on(host, "dd if=/dev/zero of=$HOME/scratch/cache-$$ bs=65536 2>/dev/null; :")
    rows = run_on(host, "df -Pk ~/scratch").stdout.split("\n")
    return f"~/scratch is full ({rows[1].split()[4]} used)"


def litter(_: Sandbox, host: SandboxHost) -> str:
    """Leave temporary files of three days ago."""
    if host.name not in {"pixel", "mugen"}:
        raise SandboxError(f"temp is not to be had on {host.name}: its spec has no temp")
    run_on(host, "for each in 1 2 3; do touch -d '3 days ago' \"$TMPDIR/claude-old-$each\"; done")
    return "three temporary files are three days old"


def log_out(_: Sandbox, host: SandboxHost) -> str:
    """Log the agents out of GitHub."""
    if host.name != "mugen":
        raise SandboxError(f"integration is not to be had on {host.name}: its spec has no integrations")
    (host.home / ".config/gh/hosts.yml").unlink(missing_ok=True)
    return "gh is logged out of GitHub"


def api_folder(host: SandboxHost) -> Path:
    """Where the imitation of Termux:API writes down its calls."""
    if host.name != "pixel":
        raise SandboxError(f"termux-api is not to be had on {host.name}: it is no phone")
    return host.outside(host.etc) / "termux-api"


def hang_termux_api(_: Sandbox, host: SandboxHost) -> str:
    """Make every termux-* command hang for ever, and take the wake lock away."""
    api_folder(host).mkdir(exist_ok=True)
    # A lock that is noted as taken is not taken again in the same boot.
    for lock in (api_folder(host) / "wake-lock", host.home / ".local/state/miyabi/wake-lock"):
        lock.unlink(missing_ok=True)
    (api_folder(host) / "hang").touch()
    return "every termux-* command hangs"


def mend_termux_api(_: Sandbox, host: SandboxHost) -> str:
    """Let the termux-* commands answer again."""
    (api_folder(host) / "hang").unlink(missing_ok=True)
    return "the termux-* commands answer"
