"""What recoveries run of the user's runs as hooks do: setup scripts of L3, remedies of services."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from operations import integrations
from tests.fleet.control import Fleet
from tests.fleet.machine import Machine
from tests.fleet.sshd import SshHost
from tests.fleet.waiting import wait_until
from tests.hooks.running import history, hook, write
from tests.recovery.operating import operate
from tests.recovery.playbook import EAGER

SESSIONS = [{"session_name": "s", "windows": [{"panes": [None]}]}]


def _recover(fleet: Fleet, script: str) -> tuple[int, str]:
    path = fleet.control.root / "spec.yaml"
    recovery = {"setup_script": script, "budgets": {"L3": "2s"}}
    path.write_text(yaml.safe_dump({"sessions": SESSIONS, "recovery": recovery, "gate": EAGER}))
    inventory = fleet.write_inventory({name: {"spec": str(path)} for name in fleet.hosts})
    done = fleet.pyinfra(inventory, "deploys/recover.py", "-y")
    assert "Traceback" not in done.output
    return done.code, done.output


def _kept(host: SshHost, script: str) -> Path:
    return history(host.machine, hook(script))


@pytest.mark.slow
def test_a_setup_script_that_hangs_is_ended_with_all_that_it_has_started(ssh_fleet: Fleet, ssh_host: SshHost) -> None:
    write(ssh_host.machine, "#!/bin/sh\nsleep 4747 &\nsetsid sleep 4747 &\nsleep 4747\n", "setup.sh")
    code, said = _recover(ssh_fleet, "~/setup.sh")
    assert code == 1
    assert "setup script: ~/setup.sh: HOOK_TIMEOUT: no end within 2 s" in said
    wait_until(lambda: "4747" not in ssh_host.machine.sh("ps -A -o args= | grep '[s]leep 4747'").stdout)


def test_a_setup_script_that_is_not_there_is_told(ssh_fleet: Fleet, ssh_host: SshHost) -> None:
    code, said = _recover(ssh_fleet, "~/none.sh")
    assert code == 1
    assert f"HOOK_DEPENDENCY_MISSING: there is no {ssh_host.home}/none.sh on the host" in said


def test_a_setup_script_is_no_loop_when_it_ran_hours_ago(ssh_fleet: Fleet, ssh_host: SshHost) -> None:
    write(ssh_host.machine, "#!/bin/sh\ntmux list-sessions -F '#{session_name}' >>~/ran; env >~/env\n", "setup.sh")
    kept = _kept(ssh_host, "~/setup.sh")
    kept.parent.mkdir(parents=True)
    digest = hook("~/setup.sh").digest
    earlier = "".join(f"{1_795_000_000 + 3600 * each} {digest} began\n" for each in range(20))
    kept.write_text(earlier)
    code, said = _recover(ssh_fleet, "~/setup.sh")
    assert code == 0, said
    # It reaches the same tmux server.
    assert (ssh_host.home / "ran").read_text() == "s\n"
    assert "TERM=dumb\n" in (ssh_host.home / "env").read_text()


def test_a_remedy_runs_as_a_hook(machine: Machine) -> None:
    machine.environment["PYTHONPATH"] = "/nowhere"
    remedy = 'env >~/env; sleep 4748 & echo "$HOME; it\'s" >~/well'
    done = operate(machine, integrations.reachable, integration="notes", command='test -f "$HOME/well"', remedy=remedy)
    assert not done.failed, done.said
    assert (machine.home / "well").read_text() == f"{machine.home}; it's\n"
    assert "PYTHONPATH" not in (machine.home / "env").read_text()
    machine.stop()


def test_a_remedy_that_fails_is_told(machine: Machine) -> None:
    done = operate(machine, integrations.reachable, integration="notes", command="false", remedy="no-such-tool")
    assert done.failed
    assert any("its remedy did not help (exit code 127: it needs no-such-tool" in line for line in done.said), done.said
