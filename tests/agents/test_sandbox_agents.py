"""What becomes of the sandbox's agents: each fault of one, the literal command, and what it did and left alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from time import monotonic
from typing import Any

import pytest

from miyabi.sandbox import lifecycle
from miyabi.sandbox.fault_agent import process_of
from miyabi.sandbox.faults import FAULTS, inject, mend
from miyabi.sandbox.fleet import Sandbox
from tests.fleet.control import REPOSITORY
from tests.fleet.leaks import TestRun
from tests.fleet.machine import Machine
from tests.fleet.programs import required
from tests.fleet.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

# All agents of the sandbox, by their host.
AGENTS = {
    "pixel": ("status",),
    "mugen": ("kaede", "tsubaki", "sakura", "botan", "ayame", "hinata"),
    "macbook": ("yuri", "momiji", "worker-1"),
}

# Seconds, as the specs of its agents that stand still say.
_STALL_AFTER = 3.0


class Seen:
    """What the agents of a sandbox have written down themselves."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def events(self, name: str, *kinds: str) -> list[dict[str, Any]]:
        """What an agent has written down, through all of its lives."""
        host = next(host for host, names in AGENTS.items() if name in names)
        log = self.sandbox.host(host).home / ".miyabi-agent" / f"{name}.log"
        events = [json.loads(line) for line in log.read_text().splitlines()]
        return [event for event in events if event["event"] in kinds]

    def lives(self) -> dict[str, int]:
        """How often each was started."""
        return {name: len(self.events(name, "start")) for names in AGENTS.values() for name in names}

    def keys(self) -> dict[str, str]:
        """What was typed into each."""
        names = [name for names in AGENTS.values() for name in names]
        return {name: "".join(event["keys"] for event in self.events(name, "keys")) for name in names}

    def changed(self, lives: dict[str, int], keys: dict[str, str]) -> tuple[set[str], dict[str, str]]:
        """Who was started since, and what was typed into whom since."""
        now = self.keys()
        typed = {name: text[len(keys[name]) :] for name, text in now.items() if text != keys[name]}
        return {name for name, times in self.lives().items() if times != lives[name]}, typed

    def assert_resumed(self, name: str) -> None:
        """Its last life goes on with the conversation of the one before, with all of its turns."""
        before, after = self.events(name, "start")[-2:]
        turns = [event["turns"] for event in self.events(name, "turn") if event["pid"] == before["pid"]]
        assert (after["session"], after["resumed"]) == (before["session"], True), name
        assert after["turns"] == max(turns, default=before["turns"]), name


@pytest.fixture(scope="module")
def sandbox(test_run: TestRun) -> Iterator[Sandbox]:
    """A sandbox without a cloud, recovered twice: the second run registers what Codex leads."""
    required("sshd")
    parent = test_run.new_folder("sandbox")
    control = Machine.build(test_run, "control")
    sandbox = lifecycle.up(parent / "s", cloud=False)
    for _ in range(2):
        _recover(control, sandbox)
    yield sandbox
    lifecycle.down(parent / "s")
    control.remove()
    parent.rmdir()


@pytest.fixture
def whole(sandbox: Sandbox) -> Sandbox:
    """The sandbox after what only a human mends was mended."""
    for name, fault in FAULTS.items():
        if (
            name.startswith("agent-")
            and fault.mend
            and any(fault.seen(sandbox, sandbox.host(at)) for at in fault.hosts)
        ):
            list(mend(sandbox, name))
    return sandbox


def _recover(machine: Machine, sandbox: Sandbox) -> str:
    """What the literal command prints; it must not fail."""
    done = machine.run("pyinfra", str(sandbox.inventory), "deploys/recover.py", "-y", cwd=REPOSITORY)
    assert done.code == 0, done.output
    return done.output


def _recover_what_stands_still(machine: Machine, sandbox: Sandbox) -> str:
    """What the second of two commands prints, the first of which has marked what each screen shows."""
    _recover(machine, sandbox)
    until = monotonic() + _STALL_AFTER + 0.5
    wait_until(lambda: monotonic() >= until, what="the agent has stood still for long enough")
    return _recover(machine, sandbox)


def _is_seen(sandbox: Sandbox, name: str) -> bool:
    fault = FAULTS[name]
    return any(fault.seen(sandbox, sandbox.host(where)) for where in fault.hosts)


def _break(sandbox: Sandbox, *names: str) -> None:
    for name in names:
        list(inject(sandbox, name))
        assert _is_seen(sandbox, name), name


def _assert_nothing_more(machine: Machine, seen: Seen) -> None:
    """Another run starts nobody, types nothing, and changes nothing."""
    lives, keys = seen.lives(), seen.keys()
    printed = _recover(machine, seen.sandbox)
    assert seen.changed(lives, keys) == (set(), {})
    results = printed.partition("--> Results:")[2].partition("Grand total")[2].split("\n")[0].split()
    # Hosts, changed, failed, unchanged.
    assert results[1:3] == ["-", "-"], printed


def test_what_has_ended_goes_on_with_its_conversation(whole: Sandbox, machine: Machine) -> None:
    seen = Seen(whole)
    lives, keys = seen.lives(), seen.keys()
    broken = {"agent-crash": "botan", "agent-oom": "ayame", "agent-exit": "yuri", "agent-kill": "kaede"}
    _break(whole, *broken)
    _recover(machine, whole)
    assert seen.changed(lives, keys) == (set(broken.values()), {})
    for fault, name in broken.items():
        assert not _is_seen(whole, fault)
        seen.assert_resumed(name)
    _assert_nothing_more(machine, seen)


def test_what_can_go_on_is_told_to_once(whole: Sandbox, machine: Machine) -> None:
    seen = Seen(whole)
    lives, keys = seen.lives(), seen.keys()
    _break(whole, "agent-limit-over", "agent-context")
    printed = _recover(machine, whole)
    started, typed = seen.changed(lives, keys)
    assert started == set()
    assert {name: text.split() for name, text in typed.items()} == {
        "hinata": ["continue"],
        "tsubaki": ["/compact"],
    }, printed
    for fault in ("agent-limit-over", "agent-context"):
        assert not _is_seen(whole, fault), fault
    _assert_nothing_more(machine, seen)


def test_what_waits_is_told_of_and_left_alone(whole: Sandbox, machine: Machine) -> None:
    seen = Seen(whole)
    lives, keys = seen.lives(), seen.keys()
    waits = {
        "agent-limit": "mugen:miyabi:tests.hinata",
        "agent-prompt": "mugen:miyabi:codegen.tsubaki",
        "agent-trust": "mugen:miyabi:review.sakura",
        "agent-login": "mugen:miyabi:tests.ayame",
    }
    _break(whole, *waits)
    for _ in range(2):
        printed = _recover(machine, whole)
        for fault, target in waits.items():
            assert target.partition(":")[2] in printed, (fault, printed)
            assert _is_seen(whole, fault)
    assert seen.changed(lives, keys) == (set(), {})


def test_what_does_the_same_again_and_again_is_left_to_a_human(whole: Sandbox, machine: Machine) -> None:
    seen = Seen(whole)
    lives, keys = seen.lives(), seen.keys()
    _break(whole, "agent-loop")
    _recover(machine, whole)
    assert "miyabi:tests.hinata" in _recover(machine, whole)
    assert seen.changed(lives, keys) == (set(), {})
    assert _is_seen(whole, "agent-loop")


def test_one_whose_service_is_overloaded_is_told_to_go_on_once_or_later(whole: Sandbox, machine: Machine) -> None:
    seen = Seen(whole)
    lives, keys = seen.lives(), seen.keys()
    _break(whole, "agent-overload")
    _recover(machine, whole)
    printed = _recover(machine, whole)
    started, typed = seen.changed(lives, keys)
    assert started == set(), printed
    assert {name: text.split() for name, text in typed.items()} in ({}, {"sakura": ["continue"]}), printed
    # Either it goes on, or the service is left alone, and that is said.
    assert _is_seen(whole, "agent-overload") == ("anthropic is overloaded" in printed)


def test_what_hangs_is_started_again_in_its_conversation(whole: Sandbox, machine: Machine) -> None:
    seen = Seen(whole)
    lives, keys = seen.lives(), seen.keys()
    _break(whole, "agent-hang")
    printed = _recover_what_stands_still(machine, whole)
    assert seen.changed(lives, keys) == ({"tsubaki"}, {}), printed
    assert not _is_seen(whole, "agent-hang")
    seen.assert_resumed("tsubaki")
    assert process_of(whole.host("mugen"), "tsubaki") == seen.events("tsubaki", "start")[-1]["pid"]
    _assert_nothing_more(machine, seen)


def test_what_was_stopped_is_let_go_on_and_not_ended(whole: Sandbox, machine: Machine) -> None:
    seen = Seen(whole)
    lives, keys = seen.lives(), seen.keys()
    _break(whole, "agent-stop")
    printed = _recover_what_stands_still(machine, whole)
    assert seen.changed(lives, keys) == (set(), {}), printed
    assert not _is_seen(whole, "agent-stop"), printed
    _assert_nothing_more(machine, seen)
