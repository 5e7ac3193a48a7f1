"""Servers started over a real connection, by a real pyinfra that may be killed or not alone."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.control import REPOSITORY, Fleet
from tests.fleet.processes import alive
from tests.fleet.sshd import SshHost
from tests.fleet.waiting import wait_until
from tests.upkeep.servers import arguments_for, begin, pids, stop


def write_deploy(fleet: Fleet, server: dict[str, Any]) -> tuple[Path, Path]:
    deploy = fleet.control.root / "deploy.py"
    deploy.write_text(
        "import json\nfrom operations import processes\n"
        f"processes.running(name='Server', **json.loads({json.dumps(server)!r}))\n"
    )
    return fleet.write_inventory(), deploy


def test_a_server_outlives_the_connection_and_sshd(ssh_fleet: Fleet, ssh_host: SshHost) -> None:
    machine = ssh_host.machine
    server = arguments_for(machine)
    inventory, deploy = write_deploy(ssh_fleet, server)
    done = ssh_fleet.pyinfra(inventory, deploy, "-y")
    assert done.code == 0, done.output
    [pid] = pids(machine, server)
    ssh_host.stop_sshd()
    assert alive(pid)
    with socket.create_connection(("127.0.0.1", server["port"])):
        pass
    ssh_host.start_sshd()
    again = ssh_fleet.pyinfra(inventory, deploy, "-y")
    assert again.code == 0, again.output
    assert "No Change" in again.output
    assert pids(machine, server) == [pid]


@pytest.mark.slow
def test_two_controllers_at_once_start_one(ssh_fleet: Fleet, ssh_host: SshHost) -> None:
    machine = ssh_host.machine
    server = arguments_for(machine)
    # Two of them could listen, and would show.
    server["start"] = f"echo >>~/starts; {server['start']}"
    inventory, deploy = write_deploy(ssh_fleet, server)
    with ThreadPoolExecutor() as pool:
        runs = list(pool.map(lambda _: ssh_fleet.pyinfra(inventory, deploy, "-y"), range(3)))
    assert [run.code for run in runs] == [0, 0, 0], "\n".join(run.output for run in runs)
    assert (machine.home / "starts").read_text() == "\n"
    assert len(pids(machine, server)) == 1


def test_a_killed_controller_leaves_what_the_next_run_completes(ssh_fleet: Fleet, ssh_host: SshHost) -> None:
    machine = ssh_host.machine
    server = arguments_for(machine)
    server["start"] = f"echo >>~/starts; {server['start']}"
    inventory, deploy = write_deploy(ssh_fleet, server)
    controller = begin(ssh_fleet.control, "pyinfra", str(inventory), str(deploy), "-y", folder=REPOSITORY)
    wait_until((machine.home / ".local/state/miyabi/locks").exists, 30, what="the start")
    stop(controller)
    done = ssh_fleet.pyinfra(inventory, deploy, "-y")
    assert done.code == 0, done.output
    assert (machine.home / "starts").read_text() == "\n"
    assert len(pids(machine, server)) == 1
