"""Every fault breaks what it says, seen from outside, and twice is once."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from miyabi.cli import main
from miyabi.sandbox.damage import is_slow
from miyabi.sandbox.fault_network import DELAY_MILLISECONDS
from miyabi.sandbox.faults import ALL, FAULTS, inject, mend
from miyabi.sandbox.fleet import Sandbox, SandboxError
from tests.fleet.control import REPOSITORY
from tests.fleet.machine import Machine

_ENDS = ("agent-kill", "agent-crash", "agent-oom", "agent-exit")


@pytest.fixture
def reachable(sandbox: Sandbox) -> Sandbox:
    """The sandbox without the faults that no recovery heals."""
    for name, fault in FAULTS.items():
        if fault.mend:
            list(mend(sandbox, name))
    return sandbox


@pytest.fixture
def converged(reachable: Sandbox, machine: Machine) -> Sandbox:
    """The sandbox after a recovery: the faults of the sessions need sessions."""
    done = machine.run("pyinfra", str(reachable.inventory), "deploys/recover.py", "-y", cwd=REPOSITORY)
    assert done.code == 0, done.output
    return reachable


@pytest.mark.slow
def test_the_phone_shows_how_its_recovery_ended(converged: Sandbox, machine: Machine) -> None:
    list(inject(converged, "server"))
    done = machine.run("pyinfra", str(converged.inventory), "deploys/recover.py", "-y", cwd=REPOSITORY)
    assert done.code == 0, done.output
    pixel = converged.host("pixel")
    last = (pixel.outside(pixel.etc) / "termux-api" / "calls").read_text().splitlines()[-1]
    assert last.startswith(
        "termux-notification --id miyabi --title pixel: recovery complete --content L3_FULL restored"
    )


@pytest.mark.slow
def test_each_fault_is_seen_from_outside_and_twice_is_once(converged: Sandbox) -> None:
    sandbox = converged
    plain = not sandbox.host("mugen").isolated
    # What an agent that lives can show comes before its end, and a host is away last of all.
    there = [name for name, fault in FAULTS.items() if set(fault.hosts) <= set(sandbox.hosts)]
    for name in sorted(there, key=lambda name: (name in _ENDS, not name.startswith("agent-"), name == "offline")):
        fault = FAULTS[name]
        if name == "disk-full" and plain:
            with pytest.raises(SandboxError, match="mounted by root alone"):
                list(inject(sandbox, name))
            continue
        assert not any(fault.seen(sandbox, sandbox.host(where)) for where in fault.hosts), name
        said = list(inject(sandbox, name))
        assert [line.partition(":")[0] for line in said] == list(fault.hosts)
        assert all(fault.seen(sandbox, sandbox.host(where)) for where in fault.hosts), name
        list(inject(sandbox, name))
        assert all(fault.seen(sandbox, sandbox.host(where)) for where in fault.hosts), name
    for name, fault in FAULTS.items():
        if fault.mend and name != "log-flood":
            list(mend(sandbox, name))
            assert not any(fault.seen(sandbox, sandbox.host(where)) for where in fault.hosts), name


def test_a_slow_network_is_slow_and_still_a_network(reachable: Sandbox, machine: Machine) -> None:
    ssh = ("ssh", "-F", str(reachable.ssh_config), "macbook", "echo hello")
    fast = machine.run(*ssh)
    list(inject(reachable, "slow-network"))
    slow = machine.run(*ssh)
    assert (fast.stdout, slow.stdout) == ("hello\n", "hello\n")
    # A connection takes half a dozen exchanges.
    assert slow.seconds > fast.seconds + 6 * DELAY_MILLISECONDS / 1000
    list(mend(reachable, "slow-network"))
    assert not is_slow(reachable, reachable.host("macbook"))
    assert machine.run(*ssh).stdout == "hello\n"


def test_a_host_that_is_away_is_told_apart_from_a_slow_one(reachable: Sandbox) -> None:
    list(inject(reachable, "offline", "mugen"))
    with pytest.raises(SandboxError, match="mugen is out of reach: miyabi sandbox mend offline mugen"):
        list(inject(reachable, "slow-network", "mugen"))
    assert list(mend(reachable, "offline", "mugen")) == ["mugen: mugen can be reached"]


def test_mistakes_are_told_in_a_line(sandbox: Sandbox) -> None:
    folder = ("--folder", str(sandbox.folder))
    for words, said in (
        (("break", "nothing"), "nothing: no such fault; there are agent-kill, agent-crash, "),
        (("break", "pane", "ec2"), "ec2: the sandbox has no such host; there are pixel, mugen, macbook"),
        (("break", "temp", "macbook"), "temp is not to be had on macbook"),
        (("mend", "pane"), "pane: a recovery mends that: pyinfra "),
    ):
        done = CliRunner().invoke(main, ["sandbox", *words, *folder])
        assert done.exit_code == 1
        assert done.output.startswith(f"Error: {said}")


def test_the_list_of_faults_names_each() -> None:
    done = CliRunner().invoke(main, ["sandbox", "faults"])
    assert [line.split()[0] for line in done.output.splitlines()] == [*FAULTS, "all"]
    left_out = {"mcp-orphan", "termux-api", "offline", "instance-hang", "system-impaired", "sshd-dead-inside"}
    agents = {name for name in FAULTS if name.startswith("agent-")}
    assert set(FAULTS) - set(ALL) == left_out | (agents - set(_ENDS))
