"""Hooks run by pyinfra: on this machine, and over a real connection."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import pytest
from pyinfra.api.hiddenvalue import HiddenValue

from facts.hooks import hook_section
from facts.probe import probe_script, read_section, split_sections
from operations import hooks
from tests.facts.hosts import INSTALLED_SHELLS, SHELLS
from tests.fleet.control import Fleet
from tests.fleet.machine import Machine
from tests.fleet.sshd import SshHost
from tests.hooks.running import all_ended, history, hook, write
from tests.recovery.operating import Operated, operate


def ran(machine: Machine, path: str, **arguments: object) -> Operated:
    return operate(machine, hooks.ran, path=path, **arguments)


def said(run: Operated) -> str:
    return "\n".join(run.said)


def test_it_runs_with_data(machine: Machine) -> None:
    write(machine, '#!/bin/sh\ncat >~/data; echo "$CLAUDE_HOOK_SESSION_ID" >~/session; pwd >~/where\n')
    (machine.home / "work").mkdir()
    done = ran(machine, "~/hook.sh", data={"session_id": "s-1", "n": [1]}, cwd="~/work")
    assert not done.failed, said(done)
    assert json.loads((machine.home / "data").read_text()) == {"session_id": "s-1", "n": [1]}
    assert (machine.home / "session").read_text() == "s-1\n"
    assert (machine.home / "where").read_text() == f"{machine.home}/work\n"
    assert "hook ~/hook.sh: ran in " in said(done)
    assert all_ended(machine)


def test_a_failure_fails_the_host_in_one_line_and_shows_what_it_printed(machine: Machine) -> None:
    write(machine, "#!/bin/sh\necho 'export API_TOKEN=abc123def'; printf '\\033[31mred\\r\\n'; exit 4\n")
    done = ran(machine, "~/hook.sh --token hunter2hunter2", name="Hook")
    assert done.failed
    assert "hook ~/hook.sh: HOOK_EXECUTION_FAILED: exit code 4: red" in said(done)
    assert "API_TOKEN=********" in said(done)
    assert [word for word in ("abc123def", "hunter2hunter2", "\x1b", "Traceback") if word in said(done)] == []


def test_each_failure_has_its_code(machine: Machine) -> None:
    write(machine, "#!/bin/sh\n", "plain", 0o644)
    write(machine, "#!/bin/sh\nsleep 60\n", "slow")
    for path, code in (
        ("~/none", "HOOK_DEPENDENCY_MISSING"),
        ("~/plain", "HOOK_PERMISSION_DENIED"),
        ("false", "HOOK_EXECUTION_FAILED"),
        ("~/slow", "HOOK_TIMEOUT"),
    ):
        done = ran(machine, path, timeout=1)
        assert done.failed
        assert f": {code}: " in said(done)
    assert all_ended(machine)


def test_the_fourth_in_a_row_is_held_without_being_tried(machine: Machine) -> None:
    write(machine, "#!/bin/sh\necho >>~/ran\n")
    done = [ran(machine, "~/hook.sh") for _ in range(4)]
    assert [each.failed for each in done] == [False, False, False, True]
    assert "HOOK_INFINITE_LOOP: it ran 3 times in a row with the same data within 5 minutes" in said(done[-1])
    assert (machine.home / "ran").read_text() == "\n\n\n"


def test_data_and_environment_are_in_no_process_list(machine: Machine) -> None:
    secret = secrets.token_hex(8)
    write(machine, '#!/bin/sh\nps -A -ww -o args= >~/list; echo "$SECRET" >~/secret\n')
    done = ran(machine, "~/hook.sh", data=HiddenValue({"password": secret}), env={"SECRET": HiddenValue(secret)})
    assert not done.failed, said(done)
    assert (machine.home / "secret").read_text() == f"{secret}\n"
    assert secret not in (machine.home / "list").read_text()
    assert secret not in said(done)
    kept = history(machine, hook("~/hook.sh"))
    assert secret not in "".join(path.read_text() for path in kept.parent.iterdir())


@pytest.mark.parametrize("shell", INSTALLED_SHELLS)
def test_what_the_host_remembers_is_told(machine: Machine, shell: str) -> None:
    wanted = hook("~/hook.sh")
    write(machine, "#!/bin/sh\nexit 3\n")
    program, *options = SHELLS[shell]
    section = hook_section(wanted)

    def look() -> list[tuple[str, str]]:
        done = machine.run(program, *options, "-c", probe_script([section]))
        return [
            (run.digest, run.outcome) for run in read_section(section, split_sections(done.stdout.splitlines())).runs
        ]

    assert look() == []
    assert ran(machine, "~/hook.sh").failed
    assert look() == [(wanted.digest, "began"), (wanted.digest, "ended-3")]


def _deploy(fleet: Fleet, arguments: str) -> tuple[Path, Path]:
    deploy = fleet.control.root / "deploy.py"
    deploy.write_text(f"from operations import hooks\nhooks.ran(name='Hook', {arguments})\n")
    return fleet.write_inventory(), deploy


@pytest.mark.slow
def test_over_a_connection(ssh_fleet: Fleet, ssh_host: SshHost) -> None:
    write(ssh_host.machine, "#!/bin/sh\nwc -c >~/size; sleep 300 & yes | head -c 1000000; echo; exit 0\n")
    inventory, deploy = _deploy(ssh_fleet, "path='~/hook.sh', data={'much': 'é' * 200_000}, timeout=20")
    done = ssh_fleet.pyinfra(inventory, deploy, "-y", "-v")
    assert done.code == 0, done.output
    assert (ssh_host.home / "size").read_text().strip() == str(200_000 * 6 + len('{"much": ""}\n'))
    assert "and left 1 running" in done.output
    assert done.seconds < 15
    inventory, deploy = _deploy(ssh_fleet, "path='~/none.sh'")
    done = ssh_fleet.pyinfra(inventory, deploy, "-y")
    assert done.code == 1
    assert "HOOK_DEPENDENCY_MISSING" in done.output
    assert "Traceback" not in done.output
