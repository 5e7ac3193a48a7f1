"""Hosts that come and go: offline is asleep, or a failure, as the spec says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.fleet.control import Fleet
from tests.recovery.operating import kill, named_panes
from tests.recovery.playbook import EAGER, write_spec

SESSIONS = [
    {
        "session_name": "small",
        "windows": [
            {"window_name": "one", "panes": [{"name": "kaede", "shell_command": "exec sleep 4242", "agent": True}]}
        ],
    }
]


@pytest.fixture
def inventory(ssh_fleet: Fleet) -> Path:
    """mugen, which is always there, and pixel, which comes and goes."""
    data = {}
    for name, availability in (("mugen", "always"), ("pixel", "intermittent")):
        folder = ssh_fleet.control.root / name
        folder.mkdir(exist_ok=True)
        spec = write_spec(folder, {"sessions": SESSIONS, "availability": availability, "grace": "3s", "gate": EAGER})
        ssh_fleet.add(name)
        data[name] = {"spec": str(spec)}
    return ssh_fleet.write_inventory(data)


@pytest.mark.slow
def test_offline_is_asleep_and_no_failure(ssh_fleet: Fleet, inventory: Path) -> None:
    pixel = ssh_fleet.hosts["pixel"]
    pixel.stop_sshd()
    first = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y")
    assert first.code == 0, first.output
    assert re.search(r"\[pixel\] +asleep, not reached since .* \(never reached from here\)", first.output)
    assert re.search(r"\[mugen\] +L3_FULL restored", first.output)
    summary = first.output.partition("--> Recovery summary:")[2]
    assert "[pixel] asleep, not reached since" in summary
    alone = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y", "--limit", "pixel")
    assert alone.code == 0, alone.output
    asked = ssh_fleet.pyinfra(inventory, "fact", "facts.tmux.Sessions")
    assert asked.code == 0, asked.output
    pixel.start_sshd()
    back = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y")
    assert back.code == 0, back.output
    assert re.search(r"\[pixel\] +L3_FULL restored", back.output)
    assert "asleep" not in back.output


@pytest.mark.slow
def test_a_host_that_is_always_there_fails_the_run_and_says_since_when(ssh_fleet: Fleet, inventory: Path) -> None:
    assert ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y").code == 0
    ssh_fleet.hosts["mugen"].stop_sshd()
    first = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y")
    assert first.code == 1
    again = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y")
    assert again.code == 1
    found = [
        re.search(r"\[mugen\] not reached since (\S+ \S+ UTC) \(last reached \S+ \S+ UTC\)", done.output)
        for done in (first, again)
    ]
    assert found[0]
    assert found[1]
    assert found[0][1] == found[1][1]
    assert "[pixel] healthy, nothing to do" in again.output
    lone = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y", "--limit", "mugen")
    assert lone.code == 1
    assert "not reached since" in lone.output
    assert "Traceback" not in lone.output


def test_a_host_that_does_not_let_us_in_is_not_asleep(ssh_fleet: Fleet, inventory: Path) -> None:
    (ssh_fleet.hosts["pixel"].machine.root / "authorized_keys").write_text("")
    done = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y")
    assert done.code == 1
    assert "asleep" not in done.output


@pytest.mark.slow
def test_after_an_absence_agents_get_a_grace(ssh_fleet: Fleet, inventory: Path) -> None:
    pixel = ssh_fleet.hosts["pixel"]
    assert ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y").code == 0
    pixel.stop_sshd()
    assert ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y").code == 0
    kill(pixel.tmux, "kaede")
    pixel.start_sshd()
    back = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y")
    assert back.code == 0, back.output
    assert re.search(r"\[pixel\] +it has just come back: it is judged \d s later", back.output)
    assert set(named_panes(pixel.tmux)) == {"kaede"}
    kill(pixel.tmux, "kaede")
    later = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y")
    assert later.code == 0, later.output
    assert "just come back" not in later.output
