"""HEALTH_OK: one word for a fleet that is well, and one for each host that is well while another is not."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from miyabi.history import open_history
from miyabi.records import Signalled
from tests.fleet.control import Fleet
from tests.recovery.playbook import EAGER, write_spec

SESSIONS = [
    {
        "session_name": "small",
        "windows": [
            {"window_name": "one", "panes": [{"name": "kaede", "shell_command": "exec sleep 4242", "agent": True}]}
        ],
    }
]


def said(fleet: Fleet) -> list[str]:
    """The hosts of which the newest run said that they are well; "" is the fleet."""
    with open_history(fleet.control.home / ".local" / "state" / "miyabi", now=time.time()) as history:
        name = history.runs(1)[0][0].run
        found = history.records(Signalled, run=name)
    return sorted(each.host for each in found if each.signal == "HEALTH_OK")


@pytest.mark.slow
def test_each_host_that_is_well_says_so_when_another_is_not(ssh_fleet: Fleet) -> None:
    data = {}
    for name in ("mugen", "pixel", "macbook"):
        folder: Path = ssh_fleet.control.root / name
        folder.mkdir(exist_ok=True)
        ssh_fleet.add(name)
        data[name] = {"spec": str(write_spec(folder, {"sessions": SESSIONS, "gate": EAGER}))}
    inventory = ssh_fleet.write_inventory(data)
    first = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y")
    assert first.code == 0, first.output
    # All were made: nobody is left that is not well.
    assert said(ssh_fleet) == []
    assert ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y").code == 0
    assert said(ssh_fleet) == [""]
    ssh_fleet.hosts["pixel"].stop_sshd()
    assert ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y").code == 1
    assert said(ssh_fleet) == ["macbook", "mugen"]
    ssh_fleet.hosts["pixel"].start_sshd()
    assert ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y").code == 0
    assert said(ssh_fleet) == [""]
