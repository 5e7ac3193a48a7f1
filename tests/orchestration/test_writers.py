"""Two controllers and a live writer on one session: no update is lost, whatever way the writer has of writing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from miyabi.orchestration.state_write_script import BUSY, CHANGED, replace_script, upload_path
from tests.fleet.machine import Machine

# How many rounds the live writer writes in the tests; more of them are a measurement.
ROUNDS = int(os.environ.get("MIYABI_TEST_ROUNDS", "200"))

# Adds 1 to its own counter in the file, round after round, in one of three ways, and pauses between, now and then for
# longer. What others have in the file it keeps. It takes the lock as any program might: by making it, with its pid.
WRITER = """import json, os, random, sys, time
file, way, rounds, pause = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
lock, temporary = file + ".lock", file + ".tmp"
written = 0
while written < rounds:
    if way == "lock":
        try: descriptor = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError: time.sleep(0.001); continue
        os.write(descriptor, str(os.getpid()).encode()); os.close(descriptor)
    with open(file, "rb") as opened: state = json.load(opened)
    state["writer"] += 1
    text = json.dumps(state)
    if way == "inside":
        with open(file, "r+") as opened: opened.write(text); opened.truncate(len(text))
    else:
        with open(temporary, "w") as opened: opened.write(text)
        os.rename(temporary, file)
    written += 1
    print(written, state["writer"], flush=True)
    if way == "lock": os.unlink(lock)
    time.sleep(random.random() * pause if random.random() < 0.95 else random.random() * pause * 100)
"""


class Controller:
    """Adds 1 to its own counter by what it has read, and only if nobody wrote meanwhile."""

    def __init__(self, machine: Machine, workspace: Path, name: str) -> None:
        self.machine, self.workspace, self.name = machine, workspace, name
        self.file = workspace / ".claude" / "state" / "session-a.json"
        self.answers: Counter[int] = Counter()
        self.uploads = 0

    def once(self) -> subprocess.Popen[bytes] | None:
        """Begin one write; None when the file is in the middle of being written."""
        content = self.file.read_bytes()
        try:
            state = json.loads(content)
        except ValueError:
            return None
        state[self.name] += 1
        new = json.dumps(state).encode()
        self.uploads += 1
        upload = Path(upload_path(str(self.workspace), sha256(new).hexdigest(), f"{self.name}{self.uploads}"))
        upload.write_bytes(new)
        script = replace_script(str(self.workspace), "session-a.json", sha256(content).hexdigest(), str(upload))
        return subprocess.Popen(["/bin/sh", "-c", script], env=self.machine.environment, stderr=subprocess.DEVNULL)


@pytest.fixture
def workspace(machine: Machine) -> Path:
    folder = machine.home / "app"
    (folder / ".claude" / "state").mkdir(parents=True)
    (folder / ".claude" / "recovery" / "incoming").mkdir(parents=True)
    start = {"writer": 0, "one": 0, "two": 0, "text": "x" * 5000}
    (folder / ".claude" / "state" / "session-a.json").write_text(json.dumps(start))
    return folder


@contextmanager
def writing(machine: Machine, workspace: Path, way: str, rounds: int, pause: float) -> Iterator[subprocess.Popen[str]]:
    file = workspace / ".claude" / "state" / "session-a.json"
    command = [sys.executable, "-c", WRITER, str(file), way, str(rounds), str(pause)]
    with subprocess.Popen(command, env=machine.environment, stdout=subprocess.PIPE, text=True) as writer:
        try:
            yield writer
        finally:
            writer.kill()


def contend(machine: Machine, workspace: Path, way: str, pause: float) -> tuple[dict[str, int], list[Controller]]:
    """Let both controllers write for as long as the writer does; what the file says at the end, and the controllers."""
    controllers = [Controller(machine, workspace, name) for name in ("one", "two")]
    running: dict[str, subprocess.Popen[bytes]] = {}
    with writing(machine, workspace, way, ROUNDS, pause) as writer:
        while writer.poll() is None or running:
            for each in controllers:
                if each.name in running:
                    continue
                begun = each.once() if writer.poll() is None else None
                if begun is not None:
                    running[each.name] = begun
            for each in controllers:
                if each.name in running:
                    each.answers[running.pop(each.name).wait(60)] += 1
        assert writer.stdout is not None
        lines = [line.split() for line in writer.stdout]
    assert writer.returncode == 0
    # What it wrote was always one more than what it wrote before: nobody ever took an update of its own away.
    assert [int(counted) for _, counted in lines] == list(range(1, ROUNDS + 1))
    told = json.loads((workspace / ".claude" / "state" / "session-a.json").read_text())
    if ROUNDS >= 1000:
        answers = {each.name: (told[each.name], dict(each.answers)) for each in controllers}
        sys.stderr.write(f"{way}: the writer {told['writer']}, controllers {answers}\n")
    return told, controllers


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_who_takes_the_lock_and_two_controllers_lose_no_update(machine: Machine, workspace: Path) -> None:
    told, controllers = contend(machine, workspace, "lock", 0.015)
    assert told["writer"] == ROUNDS
    for each in controllers:
        assert told[each.name] == each.answers[0]
        assert set(each.answers) <= {0, BUSY, CHANGED}
    assert sum(each.answers[0] for each in controllers) > 0


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("way", ["rename", "inside"])
def test_a_writer_without_a_lock_loses_no_update(machine: Machine, workspace: Path, way: str) -> None:
    """What it read before a controller wrote, and writes after it, wins: the controller's next look shows that."""
    told, controllers = contend(machine, workspace, way, 0.015)
    assert told["writer"] == ROUNDS
    for each in controllers:
        assert told[each.name] <= each.answers[0]
        assert set(each.answers) <= {0, BUSY, CHANGED}
    assert sum(each.answers[0] for each in controllers) > 0


@pytest.mark.parametrize("way", ["rename", "inside"])
def test_beside_a_writer_that_never_stops_nothing_is_written(machine: Machine, workspace: Path, way: str) -> None:
    controller = Controller(machine, workspace, "one")
    with writing(machine, workspace, way, 10**9, 0.0) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        for _ in range(3):
            begun = None
            while begun is None:
                begun = controller.once()
            controller.answers[begun.wait(60)] += 1
    assert set(controller.answers) <= {CHANGED}
    file = workspace / ".claude" / "state" / "session-a.json"
    leftovers = {path.name for path in file.parent.iterdir()} - {"session-a.json", "session-a.json.tmp"}
    assert leftovers == set()
