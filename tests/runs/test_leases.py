"""Two controllers with one memory, and some that are killed: one acts at a time, and nothing is held for long."""

from __future__ import annotations

import random
import subprocess
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from miyabi.gate import Try
from miyabi.history import History, open_history
from miyabi.records import Decided, Recovered
from tests.fleet.control import Fleet
from tests.fleet.sshd import SshHost
from tests.fleet.waiting import wait_until
from tests.recovery.operating import kill, named_panes
from tests.recovery.playbook import EAGER, write_spec
from tests.recovery.test_two_controllers import start
from tests.runs import agents

SPEC: dict[str, Any] = {
    "session_name": "work",
    "windows": [{"window_name": "main", "panes": [agents.steady(name) for name in ("kaede", "sakura", "botan")]}],
    # One run after the other breaks the same things.
    "gate": EAGER,
}


@pytest.fixture
def inventory(ssh_fleet: Fleet, ssh_host: SshHost) -> Path:
    """One host, built."""
    spec = write_spec(ssh_fleet.control.root, SPEC)
    made = ssh_fleet.write_inventory({ssh_host.name: {"spec": str(spec)}})
    done = ssh_fleet.pyinfra(made, "deploys/recover.py", "-y")
    assert done.code == 0, done.output
    return made


def memory(fleet: Fleet) -> Path:
    return fleet.control.home / ".local" / "state" / "miyabi"


def history(fleet: Fleet) -> closing[History]:
    return closing(open_history(memory(fleet), now=time.time()))


@pytest.mark.slow
def test_one_acts_and_the_other_is_held_or_finds_it_done(ssh_fleet: Fleet, ssh_host: SshHost, inventory: Path) -> None:
    sakura = named_panes(ssh_host.tmux)["sakura"]
    kill(ssh_host.tmux, "kaede")
    running = [start(ssh_fleet, inventory) for _ in range(2)]
    said = [each.communicate(timeout=60)[0] for each in running]
    assert 0 in [each.returncode for each in running], said
    # One that had looked before the other acted finds the panes changed, and does nothing.
    acted = ["L1 Restarting pane" in each and "the panes have changed" not in each for each in said]
    assert acted.count(True) == 1, "\n=====\n".join(said)
    assert named_panes(ssh_host.tmux)["sakura"] == sakura
    with history(ssh_fleet) as known:
        allowed = [each for each in known.records(Decided, target="work:main.kaede") if each.allowed]
        assert len(allowed) <= 2
        assert known.leases(time.time()) == {}


def other_machine(fleet: Fleet, seconds: float) -> None:
    with history(fleet) as known:
        now = time.time()
        assert known.take_lease("mugen", "elsewhere:4711", now + seconds, now) is None


@pytest.mark.slow
def test_another_machine_s_lease_holds_until_it_expires(ssh_fleet: Fleet, ssh_host: SshHost, inventory: Path) -> None:
    kill(ssh_host.tmux, "kaede")
    other_machine(ssh_fleet, 500)
    held = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y")
    assert held.code == 1
    assert "elsewhere:4711 recovers its host" in held.output
    assert "kaede" not in named_panes(ssh_host.tmux)
    other_machine(ssh_fleet, 0.5)
    with history(ssh_fleet) as known:
        wait_until(lambda: known.leases(time.time()) == {}, what="the lease's end")
    done = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y")
    assert done.code == 0, done.output


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_controller_that_is_killed_leaves_nothing_held(ssh_fleet: Fleet, ssh_host: SshHost, inventory: Path) -> None:
    moments = random.Random(4)  # noqa: S311 - only to be the same in every run
    began = time.monotonic()
    assert ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y").code == 0
    whole = time.monotonic() - began
    cut_short = 0
    for _ in range(12):
        kill(ssh_host.tmux, "kaede")
        run = start(ssh_fleet, inventory)
        # From its first look to the moment in which it would be done: a repair takes longer than a look.
        with suppress(subprocess.TimeoutExpired):
            run.wait(whole * moments.uniform(0.6, 2.0))
        run.kill()
        run.communicate()
        done = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y")
        assert done.code == 0, done.output
        assert "recovers its host" not in done.output
        assert named_panes(ssh_host.tmux).keys() == {"kaede", "sakura", "botan"}
        with history(ssh_fleet) as known:
            cut_short = sum(end is None for _, end in known.runs())
        if cut_short >= 2:
            break
    assert cut_short
    with history(ssh_fleet) as known:
        allowed = [each for each in known.records(Decided, target="work:main.kaede") if each.allowed]
        past = known.target_histories("mugen", ["work:main.kaede"], time.time())["work:main.kaede"]
        proved = {each.run for each in known.records(Recovered, target="work:main.kaede")}
        assert known.runs()[0][1] is not None
    # Whatever was allowed counts, also where nobody lived to say what came of it.
    tries = [each for each in allowed if each.cause != "missing"]
    assert len(past.tries) == len(tries)
    cut = [each for each in tries if each.run not in proved]
    assert sum(each.restored is None for each in past.tries) == len(cut)
    assert all(isinstance(each, Try) for each in past.tries)
