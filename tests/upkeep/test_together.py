"""All of upkeep together, in the real recover.py over a real sshd: what it costs, and that nothing stops anything."""

from __future__ import annotations

import re
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.control import Fleet
from tests.fleet.sshd import SshHost
from tests.fleet.waiting import wait_until
from tests.recovery.operating import named_panes
from tests.recovery.playbook import write_spec

SESSIONS = [
    {
        "session_name": "small",
        "windows": [
            {"window_name": "one", "panes": [{"name": "kaede", "shell_command": "exec sleep 4242", "agent": True}]}
        ],
    }
]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def everything(port: int) -> dict[str, Any]:
    """A spec that names something of every kind."""
    return {
        "sessions": SESSIONS,
        "sshd": {},
        "limits": {"disk": {"warning": "100%", "critical": "100%"}, "memory_available": {"warning": 0, "critical": 0}},
        "mcp_servers": [
            {"name": "web", "start": f"{sys.executable} -m http.server {port} --bind 127.0.0.1", "port": port},
            {"name": "resting", "start": "false", "match": "no such server", "expected": "down"},
        ],
        "logs": [{"path": "~/logs/*.log", "max_size": "1KB", "keep": 2}],
        "temp": [{"path": "~/old/claude-*", "older_than": "1h"}],
        "config_files": [{"path": "~/config.json", "format": "json", "backups": 2}],
        "integrations": [{"name": "web", "tcp": f"127.0.0.1:{port}"}, {"name": "self", "command": "true"}],
        "termux": {"wake_lock": True},
    }


def executions(host: SshHost) -> tuple[int, int]:
    """(connections, executions) that the host's sshd has seen."""
    log = host.sshd_log()
    return len(re.findall(r"Accepted publickey", log)), len(re.findall(r"Starting session", log))


def prepare(host: SshHost) -> None:
    """Give a host the files that the spec names, in order."""
    for folder in ("logs", "old"):
        (host.home / folder).mkdir()
    (host.home / "config.json").write_text('{"agents": 3}\n')


@pytest.fixture
def inventory(ssh_fleet: Fleet) -> Path:
    data = {}
    for name in ("mugen", "pixel"):
        folder = ssh_fleet.control.root / name
        folder.mkdir()
        data[name] = {"spec": str(write_spec(folder, everything(_free_port())))}
        prepare(ssh_fleet.add(name))
    return ssh_fleet.write_inventory(data)


def test_a_no_op_of_everything_is_one_connection_and_one_execution_and_one_for_services(
    ssh_fleet: Fleet, inventory: Path
) -> None:
    first = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y")
    assert first.code == 0, first.output
    assert "server web (started)" in first.output
    before = {name: executions(host) for name, host in ssh_fleet.hosts.items()}
    second = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y")
    assert second.code == 0, second.output
    assert "Success" not in second.output.split("--> Results:")[0], second.output
    assert second.output.count("healthy, nothing to do\n") == 2, second.output
    for name, host in ssh_fleet.hosts.items():
        connections, executed = executions(host)
        # The watched sshd is the one that is connected to, so asking it for its banner is a connection without a login.
        assert (connections - before[name][0], executed - before[name][1]) == (1, 2)


@pytest.mark.slow
def test_everything_at_once_is_healed_in_one_run(ssh_fleet: Fleet, inventory: Path) -> None:
    assert ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y").code == 0
    mugen = ssh_fleet.hosts["mugen"]
    mugen.tmux.stop()
    (mugen.home / "logs" / "agent.log").write_text("line\n" * 1000)
    (mugen.home / "old" / "claude-1").write_text("")
    mugen.machine.sh("touch -t 202001010000 old/claude-1")
    (mugen.home / "config.json").write_text('{"agents": ')
    mugen.machine.sh("touch -t 202001010000 config.json")
    healed = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y")
    assert healed.code == 0, healed.output
    assert "L3_FULL restored" in healed.output
    assert "[pixel] healthy, nothing to do" in healed.output
    assert (mugen.home / "config.json").read_text() == '{"agents": 3}\n'
    assert not (mugen.home / "old" / "claude-1").exists()
    assert len(list((mugen.home / "logs").glob("agent.log.*"))) == 1
    assert set(named_panes(mugen.tmux)) == {"kaede"}
    again = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y")
    assert again.code == 0, again.output
    assert "Success" not in again.output.split("--> Results:")[0], again.output


@pytest.mark.slow
def test_upkeep_that_fails_stops_neither_another_host_nor_the_levels(ssh_fleet: Fleet) -> None:
    broken = everything(_free_port()) | {
        "mcp_servers": [{"name": "weak", "start": "exit 3", "match": "no such server"}],
        "sshd": {"port": _free_port(), "start": "false"},
        "config_files": [{"path": "~/gone.json", "format": "json"}],
        "integrations": [{"name": "nobody", "tcp": f"127.0.0.1:{_free_port()}"}],
    }
    data = {}
    for name, spec in (("mugen", broken), ("pixel", everything(_free_port()))):
        folder = ssh_fleet.control.root / name
        folder.mkdir()
        data[name] = {"spec": str(write_spec(folder, spec))}
        prepare(ssh_fleet.add(name))
    done = ssh_fleet.pyinfra(ssh_fleet.write_inventory(data), "deploys/recover.py", "-y")
    assert done.code == 1
    assert "Traceback" not in done.output
    assert re.search(r"\[pixel\] +L3_FULL restored in .*; upkeep: .*server web", done.output), done.output
    [summary] = re.findall(r"\[mugen\] +(L3_FULL restored .*)", done.output)
    for reason in ("sshd: ", "server weak: ", "config ~/gone.json: ", "warning: integration nobody: "):
        assert reason in summary, summary
    for host in ssh_fleet.hosts.values():
        wait_until(lambda host=host: set(named_panes(host.tmux)) == {"kaede"})  # type: ignore[misc]


@pytest.mark.slow
def test_l3_starts_a_server_that_upkeep_could_not_start(ssh_fleet: Fleet) -> None:
    start = "tmux has-session -t =small && exec sleep 4343"
    spec = {"sessions": SESSIONS, "mcp_servers": [{"name": "late", "start": start, "match": "sleep 4343"}]}
    ssh_fleet.add("mugen")
    inventory = ssh_fleet.write_inventory({"mugen": {"spec": str(write_spec(ssh_fleet.control.root, spec))}})
    done = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y")
    assert done.code == 0, done.output
    assert "Error (ignored)" in done.output
    assert re.search(r"L3_FULL restored .*; upkeep: server late \(started\)", done.output), done.output


@pytest.mark.slow
def test_a_slow_service_keeps_no_agent_waiting(ssh_fleet: Fleet) -> None:
    spec = {"sessions": SESSIONS, "integrations": [{"name": "slow", "command": "sleep 30", "timeout": "2s"}]}
    ssh_fleet.add("mugen")
    inventory = ssh_fleet.write_inventory({"mugen": {"spec": str(write_spec(ssh_fleet.control.root, spec))}})
    done = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y")
    assert done.code == 0, done.output
    assert done.output.index("Starting operation: Integration") > done.output.index("L3 Creating session small")
    assert re.search(r"L3_FULL restored .*; warning: integration slow: .*no .* within 2 s", done.output), done.output


def test_upkeep_alone(ssh_fleet: Fleet, inventory: Path) -> None:
    done = ssh_fleet.pyinfra(inventory, "deploys/upkeep.py", "-y")
    assert done.code == 0, done.output
    assert "server web (started)" in done.output
    assert ssh_fleet.hosts["mugen"].tmux.pid() is None
    again = ssh_fleet.pyinfra(inventory, "deploys/upkeep.py", "-y")
    assert again.code == 0, again.output
    assert "Success" not in again.output.split("--> Results:")[0], again.output
