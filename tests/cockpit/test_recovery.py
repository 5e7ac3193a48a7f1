"""The cockpit and the recovery: it is kept by runs, and is in the way of none."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml

from tests.cockpit.ground import Ground, session
from tests.fleet.sshd import SshHost
from tests.fleet.waiting import wait_until
from tests.recovery.operating import kill, named_panes
from tests.recovery.playbook import recover, write_spec
from tests.recovery.test_cost import DEAR

pytestmark = pytest.mark.slow

AGENT = {"name": "kaede", "shell_command": "exec sleep 1000", "agent": True}
SPEC = {"sessions": [session("miyabi", windows=[{"panes": [AGENT, {"name": "shell"}]}])]}


@pytest.fixture
def mugen(ground: Ground) -> SshHost:
    """A host with an agent, whose session is shown in a cockpit."""
    host = ground.host("mugen", *SPEC["sessions"])
    assert not recover(host.machine, write_spec(host.machine.root, SPEC)).failed
    ground.up()
    ground.wait_for("mugen:miyabi", "attached")
    return host


def test_a_cockpit_in_which_nobody_types_holds_nothing(ground: Ground, mugen: SshHost) -> None:
    spec = write_spec(mugen.machine.root, SPEC)
    # It has just attached, which for a human's client would be a sign of life.
    kill(mugen.tmux, "kaede")
    run = recover(mugen.machine, spec)
    assert not run.failed
    assert "kaede" in named_panes(mugen.tmux)
    ground.wait_for("mugen:miyabi", "attached")

    attached_at = int(mugen.tmux.run("list-clients", "-F", "#{client_created}"))
    activity = ("list-clients", "-F", "#{client_activity}")
    # Whoever types in it is at work there: a key within the first seconds is taken for the terminal's own answers.
    wait_until(
        lambda: (
            ground.tmux.run("send-keys", "-t", ground.pane("mugen:miyabi"), "Space")
            or int(mugen.tmux.run(*activity)) > attached_at + 2
        ),
        what="a key has come later",
    )
    kill(mugen.tmux, "kaede")
    held = recover(mugen.machine, spec)
    assert held.failed
    assert held.commands == []


def test_a_session_that_is_rebuilt_from_nothing_is_shown_again(ground: Ground, mugen: SshHost) -> None:
    mugen.tmux.run("kill-server")
    assert not recover(mugen.machine, write_spec(mugen.machine.root, SPEC)).failed
    wait_until(lambda: mugen.tmux.run("list-clients", check=False), 15.0, what="the cockpit has attached again")
    ground.wait_for("mugen:miyabi", "attached")


def test_runs_keep_the_cockpit_of_the_control_machine(ground: Ground) -> None:
    fleet = ground.fleet
    ground.host("mugen", *SPEC["sessions"])
    ground.wants("@local", {"cockpit": True, "sessions": [{"session_name": "work", "windows": [{}]}]})
    inventory = fleet.control.root / "fleet.py"
    recovered = ("deploys/recover.py", "-y", "--limit", "@local")

    first = fleet.pyinfra(inventory, *recovered)
    assert first.code == 0, first.output
    assert "Making mugen:miyabi" in first.output
    # The host is not recovered yet; the operation has done its part.
    assert ground.wait_for("mugen:miyabi", "waiting")["why"] == "there is no such session"
    pid = ground.tmux.run("display-message", "-p", "-t", ground.pane("mugen:miyabi"), "#{pane_pid}")

    second = fleet.pyinfra(inventory, *recovered)
    assert second.code == 0, second.output
    assert "Making" not in second.output
    assert ground.tmux.run("display-message", "-p", "-t", ground.pane("mugen:miyabi"), "#{pane_pid}") == pid
    # What a human makes by hand is the same.
    assert ground.up() == "nothing changed: 1 window in cockpit\n"

    # A run about this machine alone removes nothing of the others.
    ground.wants("pixel", SPEC)
    assert ground.up() == "made pixel:miyabi\n"
    del ground.data["pixel"]
    fleet.write_inventory(ground.data)
    third = fleet.pyinfra(inventory, *recovered)
    assert third.code == 0, third.output
    assert "pixel:miyabi" in ground.tmux.run("list-windows", "-t", "=cockpit:", "-F", "#{window_name}")


def test_a_cockpit_that_is_left_alone_stays_away(ground: Ground) -> None:
    ground.wants("@local", {"cockpit": True, "maintenance": "I am at it", "sessions": [session("work")]})
    done = ground.fleet.pyinfra(ground.fleet.control.root / "fleet.py", "deploys/upkeep.py", "-y")
    assert "I am at it" in done.output
    assert "cockpit" not in ground.tmux.run("list-sessions", check=False).replace("cockpit: ", "")


def test_a_human_s_own_session_of_that_name_is_left_alone(ground: Ground) -> None:
    ground.tmux.start("cockpit", "sleep 1000")
    ground.wants("@local", {"cockpit": True, "sessions": [session("work")]})
    done = ground.fleet.pyinfra(ground.fleet.control.root / "fleet.py", "deploys/upkeep.py", "-y")
    assert done.code == 1
    assert "cockpit: the session cockpit in tmux is another's; rename it" in done.output
    assert ground.tmux.run("list-panes", "-s", "-t", "=cockpit:", "-F", "#{pane_start_command}") == '"sleep 1000"'


def test_another_host_keeps_none(ground: Ground) -> None:
    ground.host("mugen")
    ground.wants("mugen", {"cockpit": True}, ssh_config_file=str(ground.fleet.ssh_config))
    done = ground.fleet.pyinfra(ground.fleet.control.root / "fleet.py", "deploys/upkeep.py", "-y")
    assert done.code == 0, done.output
    assert "a cockpit is kept only on the machine that runs go out from" in done.output


def test_a_look_at_the_cockpit_is_cheap() -> None:
    script = "import sys, operations.cockpit, facts.cockpit; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert not set(done.stdout.split()) & DEAR, yaml.safe_dump(sorted(set(done.stdout.split()) & DEAR))
