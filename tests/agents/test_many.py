"""Twenty agents on one host, in all conditions at once: exactly the broken ones are started again.

Agents write down each start and each key themselves: what is held against the runs is their own word.
"""

from __future__ import annotations

import os
import random
import re
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.agents.player import Agents, install
from tests.fleet.control import Fleet
from tests.fleet.sshd import SshHost
from tests.fleet.waiting import wait_until
from tests.recovery.operating import named_panes
from tests.recovery.playbook import EAGER, write_spec

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

NAMES = tuple(f"agent-{number:02}" for number in range(1, 21))

# What lives, whatever its screen says, and what a recovery starts again.
_WELL: tuple[tuple[str, dict[str, Any]], ...] = (
    ("working", {}),
    ("idle", {}),
    ("permission", {}),
    ("trust", {}),
    ("bypass", {}),
    ("login", {}),
    ("limited", {}),
    ("limited", {"how": "menu"}),
    ("looping", {}),
    ("context-full", {}),
    ("overloaded", {"how": "retrying", "seconds": 1000}),
    ("hang", {"how": "alive"}),
    ("draft", {}),
)
_BROKEN: tuple[tuple[str, dict[str, Any]], ...] = (
    ("crash", {}),
    ("crash", {"signal": 11}),
    ("exit", {}),
    ("oom", {}),
    ("oom", {"signal": 9}),
    ("shell", {}),
    ("hang", {}),
)


@dataclass(frozen=True, slots=True)
class Many:
    """A host with twenty agents, and the fleet that it is in."""

    fleet: Fleet
    host: SshHost
    agents: Agents
    inventory: Path

    def run(self) -> str:
        """What the literal command prints; it must not fail."""
        done = self.fleet.pyinfra(self.inventory, "deploys/recover.py", "-y")
        assert done.code == 0, done.output
        return done.output

    def lives(self) -> dict[str, int]:
        """How often each agent was started."""
        return {name: len(self.agents.starts(name)) for name in NAMES}

    def keys(self) -> dict[str, str]:
        """What was typed into each."""
        return {name: self.agents.keys(name) for name in NAMES}

    def pids(self) -> dict[str, int]:
        """The pids of their panes."""
        return {name: pid for name, (_, pid) in named_panes(self.host.tmux).items()}

    def executions(self) -> int:
        """How many commands the host's sshd has been asked for."""
        return len(re.findall(r"Starting session", self.host.sshd_log()))

    def damage(self, name: str, play: str, told: dict[str, Any]) -> None:
        """Bring an agent into a condition."""
        if play == "draft":
            self.agents.steered(name, "idle")
            self.host.tmux.run("send-keys", "-t", named_panes(self.host.tmux)[name][0], "-l", "a human's dra")
            wait_until(lambda: "dra" in self.agents.keys(name))
            return
        until = {"until": time.time() + 3600} if play == "limited" else {}
        pid = self.agents.starts(name)[-1]["pid"]
        self.agents.steered(name, play, **told, **until)
        if (play, told) in _BROKEN and play != "hang":
            wait_until(lambda: _is_gone(pid), what=f"{name} ends")


def _is_gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state == "Z" or b"imitations" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True


@pytest.fixture
def many(ssh_fleet: Fleet) -> Many:
    """Twenty agents in five windows, two of each kind in each, built and looked at again."""
    host = ssh_fleet.add("mugen")
    agents = install(host.machine)
    panes = [
        {"name": name, "shell_command": ("exec claude", "exec codex")[at % 2], "agent": {"stall_after": "2s"}}
        for at, name in enumerate(NAMES)
    ]
    windows = [
        {"window_name": f"w{at}", "layout": "tiled", "panes": panes[4 * at : 4 * at + 4]}
        for at in range(len(panes) // 4)
    ]
    spec = write_spec(host.machine.root, {"sessions": [{"session_name": "many", "windows": windows}], "gate": EAGER})
    host.tmux.configure("set -g default-size 200x60\n")
    inventory = ssh_fleet.write_inventory({"mugen": {"spec": str(spec)}})
    made = Many(ssh_fleet, host, agents, inventory)
    made.run()
    wait_until(lambda: all(times == 1 for times in made.lives().values()), 30, what="all agents play")
    # Now those whose ids nobody gave are found.
    made.run()
    return made


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_exactly_the_broken_ones_are_started_again(many: Many, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same mix each time
    broken = dict(zip(chance.sample(NAMES, 7), chance.sample(_BROKEN, 7), strict=True))
    rest = [name for name in NAMES if name not in broken]
    well = dict(zip(chance.sample(rest, 13), chance.sample(_WELL, 13), strict=True))
    led = {name: many.agents.starts(name)[-1]["session"] for name in NAMES}
    hanging = {name: each for name, each in broken.items() if each[0] == "hang"}
    for name, (play, told) in (well | hanging).items():
        many.damage(name, play, told)
    lives, keys, pids = many.lives(), many.keys(), many.pids()
    # That one stands still takes two looks, with the patience of the spec between them.
    many.run()
    for name in broken.keys() - hanging.keys():
        many.damage(name, *broken[name])
    many.run()
    started = {name for name, times in many.lives().items() if times != lives[name]}
    assert started == set(broken), {name: broken.get(name) or well[name] for name in started ^ set(broken)}
    assert all(times == 1 + (name in broken) for name, times in many.lives().items())
    assert many.keys() == keys
    now = many.pids()
    assert {name: now[name] for name in rest} == {name: pids[name] for name in rest}
    for name, how in broken.items():
        start = many.agents.starts(name)[-1]
        assert (start["session"], start["resumed"], start["turns"]) == (led[name], True, 1), (name, how)
    executed = many.executions()
    many.run()
    assert many.lives() == {name: 1 + (name in broken) for name in NAMES}
    assert many.keys() == keys
    # One look, and a second one of which those who wait may have been in need.
    assert many.executions() - executed <= 3


def test_forty_injections_are_healed_at_the_first_try(many: Many) -> None:
    chance = random.Random(4)  # noqa: S311 - the same damage each time
    # Whoever runs out of memory twice within an hour is held for a while, on purpose.
    ends = [each for each in _BROKEN if each[0] not in {"hang", "oom"}]
    healed = tried = 0
    for _ in range(4):
        victims = {name: chance.choice(ends) for name in chance.sample(NAMES, 10)}
        lives = many.lives()
        led = {name: many.agents.starts(name)[-1]["session"] for name in victims}
        for name, (play, told) in victims.items():
            many.damage(name, play, told)
        printed = many.run()
        more = {name: times - lives[name] for name, times in many.lives().items() if times != lives[name]}
        assert more.keys() <= victims.keys(), printed
        tried += len(victims)
        healed += sum(
            times == 1 and many.agents.starts(name)[-1]["session"] == led[name] for name, times in more.items()
        )
    assert tried == 40
    assert healed >= 0.95 * tried


def test_one_that_was_killed_by_hand_is_no_other(many: Many) -> None:
    victim, other = NAMES[0], NAMES[2]
    pid = many.agents.starts(victim)[-1]["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: _is_gone(pid))
    many.run()
    assert many.lives() == {name: 1 + (name == victim) for name in NAMES}
    assert many.agents.starts(victim)[-1]["session"] != many.agents.starts(other)[-1]["session"]
