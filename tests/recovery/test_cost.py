"""What a run that finds nothing to do costs: counted, not timed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.fleet.control import Fleet
from tests.fleet.sshd import SshHost
from tests.orchestration.states import a_session, a_task, an_agent, as_content
from tests.recovery.playbook import write_spec

SPEC = {
    "sessions": [
        {
            "session_name": "small",
            "windows": [
                {"window_name": "one", "panes": [None, {"shell_command": "exec sleep 999", "restart": "always"}]},
                {
                    "window_name": "agents",
                    "panes": [
                        {"name": name, "shell_command": "exec sleep 998", "agent": {"kind": kind}}
                        for name, kind in (("kaede", "claude"), ("sakura", "codex"))
                    ],
                },
            ],
        }
    ],
    "sshd": {},
    "orchestration": [{"workspace": "~/app"}],
}

# What a run may not import when nothing has to be done: each costs more than the rest of the run's own code.
DEAR = {"pydantic", "boto3", "sqlalchemy", "libtmux", "rich", "tenacity", "tmuxp", "miyabi.spec_schema"}


@pytest.fixture
def inventory(ssh_fleet: Fleet) -> Path:
    """Two hosts that are as their spec wants them."""
    spec = write_spec(ssh_fleet.control.root, SPEC)
    for name in ("mugen", "pixel"):
        state = ssh_fleet.add(name).machine.home / "app/.claude/state"
        state.mkdir(parents=True)
        (state / "session-a.json").write_bytes(as_content(a_session(tasks=[a_task("T1")], agents=[an_agent("A1")])))
    inventory = ssh_fleet.write_inventory({name: {"spec": str(spec)} for name in ssh_fleet.hosts})
    built = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y")
    assert built.code == 0, built.output
    return inventory


def _counts(host: SshHost) -> tuple[int, int]:
    """(connections, executions) that the host's sshd has seen."""
    log = host.sshd_log()
    return len(re.findall(r"Accepted publickey", log)), len(re.findall(r"Starting session", log))


@pytest.mark.parametrize(("options", "executions"), [(("-y",), 1), (("--dry",), 1)])
def test_a_no_op_is_one_connection_and_one_execution_per_host(
    ssh_fleet: Fleet, inventory: Path, options: tuple[str, ...], executions: int
) -> None:
    before = {name: _counts(host) for name, host in ssh_fleet.hosts.items()}
    done = ssh_fleet.pyinfra(inventory, "deploys/recover.py", *options)
    assert done.code == 0, done.output
    for name, host in ssh_fleet.hosts.items():
        connections, executed = _counts(host)
        assert (connections - before[name][0], executed - before[name][1]) == (1, executions)


def test_a_no_op_with_a_prompt_is_two_executions_per_host(ssh_fleet: Fleet, inventory: Path) -> None:
    before = {name: _counts(host) for name, host in ssh_fleet.hosts.items()}
    done = ssh_fleet.control.run("pyinfra", str(inventory), "deploys/recover.py", cwd=_checkout(), stdin="\n")
    assert done.code == 0, done.output
    for name, host in ssh_fleet.hosts.items():
        assert _counts(host)[1] - before[name][1] == 2


def test_a_no_op_imports_nothing_that_it_does_not_use(ssh_fleet: Fleet, inventory: Path) -> None:
    script = "import sys; sys.argv = ['pyinfra', *sys.argv[1:]]\nfrom pyinfra_cli import main\n"
    script += (
        "import atexit; atexit.register(lambda: print(*sorted(sys.modules)))\nfrom pyinfra_cli.main import main\nmain()"
    )
    done = ssh_fleet.control.run("python", "-c", script, str(inventory), "deploys/recover.py", "-y", cwd=_checkout())
    assert done.code == 0, done.output
    loaded = set(done.stdout.split())
    assert "miyabi.drift" in loaded
    assert not loaded & DEAR, (loaded & DEAR, done.output[:3000])


def _checkout() -> Path:
    return Path(__file__).resolve().parents[2]
