"""Killed at any moment, or two at once: nothing is lost that was kept, nothing is double, and it opens again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys

import pytest

from miyabi.records import Decided
from tests.fleet.parameters import mostly_slow
from tests.history.ground import Ground
from tests.history.test_journal import REPOSITORY

# Says the number of each record as soon as that is kept: by the journal, or by the database.
KEEPING = """
import sys
from pathlib import Path
from miyabi.history import open_history
from miyabi.journal import append
from miyabi.records import Decided
folder, url, name, way = Path(sys.argv[1]), sys.argv[2] or None, sys.argv[3], sys.argv[4]
history = open_history(folder, url, now=1e9)
number = 0
print("ready", flush=True)
while number < int(sys.argv[5]):
    number += 1
    record = Decided(event=f"{name}.{number}", run=name, at=1e9, host="mugen", target="work", does="restore",
                     level="L1", allowed=True, reason="x" * 400)
    if way == "write":
        history.write([record])
    else:
        append(folder, [record])
        if number % 3 == 0:
            history.take_in()
    print(number, flush=True)
"""


def keeping(ground: Ground, name: str, way: str, most: int = 1_000_000) -> subprocess.Popen[str]:
    """A process that keeps records as fast as it can."""
    return subprocess.Popen(
        [sys.executable, "-c", KEEPING, str(ground.folder), ground.url or "", name, way, str(most)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("way", ["write", "take in"])
@pytest.mark.parametrize("seed", mostly_slow(range(3), (0,)))
def test_kill(ground: Ground, way: str, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - it only chooses moments
    said = 0
    for attempt in range(2):
        with keeping(ground, f"a{attempt}", way) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(chance.randint(2, 60))]
            process.send_signal(signal.SIGKILL)
            lines += process.stdout.read().splitlines()
        said = len([line for line in lines if line.strip().isdecimal()])
        with ground.open() as history:
            events = [each.event for each in history.records(Decided, run=f"a{attempt}")]
            numbers = sorted(int(event.partition(".")[2]) for event in events)
            # Each number once, none left out; one may have been kept and not been said.
            assert numbers == list(range(1, len(numbers) + 1))
            assert said <= len(numbers) <= said + 1
            assert history.messages == []
    if ground.url is None:
        assert ground.ask("PRAGMA integrity_check") == [("ok",)]
        assert not list(ground.folder.glob("history.db.broken*"))


def test_two_controllers_at_once(ground: Ground) -> None:
    """Both write, both take the same journal in."""
    ways = {"a": "take in", "b": "take in", "c": "write"}
    several = [keeping(ground, name, way, 120) for name, way in ways.items()]
    for each in several:
        said, _ = each.communicate(timeout=60)
        assert said.splitlines()[-1:] == ["120"]
        assert each.returncode == 0
    with ground.open() as history:
        events = [each.event for each in history.records(Decided)]
    assert sorted(events) == sorted(f"{name}.{number}" for name in ways for number in range(1, 121))
