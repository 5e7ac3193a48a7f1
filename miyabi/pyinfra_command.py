"""pyinfra as a program: how the ``miyabi`` command asks a host, and has something done on it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from miyabi.errors import RunError
from miyabi.snapshot_model import Snapshot, snapshot_from_json

# Seconds for one question: the probe itself ends after 60, connecting may be slow.
_ANSWER_TIMEOUT = 180

_SNAPSHOT = "facts.snapshot.HostSnapshot"

# Seconds that pyinfra may take to end after it was asked to.
_PATIENCE = 10.0

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_OF_HOST = re.compile(r"^\s*\[(?P<host>[^\]]+)\]\s+(?P<words>\S.*)$")


@dataclass(frozen=True, slots=True)
class Target:
    """A host that pyinfra is run on.

    + host: a name of the inventory, ``@local``, or anything that pyinfra takes
    + is_known: whether the inventory has it
    + data: what is given to pyinfra with ``--data``, such as ``ssh_port=2222``
    """

    host: str
    is_known: bool
    data: Sequence[str] = ()

    def arguments(self) -> list[str]:
        """The arguments of pyinfra up to what it has to do."""
        place = ["inventory", "--limit", self.host] if self.is_known else [self.host]
        return [*place, *(word for each in self.data for word in ("--data", each))]


def take_snapshot(target: Target) -> Snapshot:
    """What is on a host now; without sessions when there are certainly none. Raises ``RunError`` when unknown."""
    done = _run(["--json", *target.arguments(), "fact", _SNAPSHOT], target)
    try:
        answer = json.loads(done.stdout)[_SNAPSHOT]
    except (ValueError, KeyError, TypeError):
        answer = {}
    # One host was asked; pyinfra may call it otherwise than the user.
    seen = next(iter(answer.values())) if isinstance(answer, dict) and len(answer) == 1 else None
    if seen is None:
        raise RunError(f"{target.host}: what is there is unknown, nothing is done\n{_said(done)}".rstrip())
    return snapshot_from_json(json.dumps(seen).encode(), target.host)


def run_deploy(target: Target, deploy: str, data: Mapping[str, str], *, quiet: bool) -> None:
    """Run a deploy of this repository on a host. Raises ``RunError`` when it fails.

    + data: paths and other text for the deploy
    + quiet: whether pyinfra's own output is shown only when it fails
    """
    # pyinfra reads values that look like JSON as such.
    words = [word for name, value in data.items() for word in ("--data", f"{name}={value}")]
    arguments = [*target.arguments(), deploy, "-y", *words]
    done = _run(arguments, target, shown=not quiet)
    if done.returncode != 0:
        raise RunError(f"{target.host}: {deploy} failed\n{_said(done)}".rstrip())


@dataclass(frozen=True, slots=True)
class Answers:
    """What the hosts of a fleet said to one question.

    + facts: by host what it told; a host that told nothing is left out
    + said: by host what pyinfra said of it, in order
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    said: Mapping[str, Sequence[str]] = field(default_factory=dict)


def ask_fleet(hosts: Sequence[str], fact: str, data: Sequence[str] = (), arguments: Sequence[str] = ()) -> Answers:
    """Ask hosts of the inventory for a fact, all at the same time; a host that does not answer stops no other.

    + hosts: their names
    + fact: such as ``facts.fleet_health.Drifts``
    + data: host data for pyinfra, such as ``ssh_port=2222``
    + arguments: the fact's own, such as ``path=~/app``

    Raises ``RunError`` when there was no run at all.
    """
    limits = [word for each in hosts for word in ("--limit", each)]
    words = [word for each in data for word in ("--data", each)]
    target = Target("the fleet", is_known=True)
    done = _run(["--json", "inventory", *limits, *words, "fact", fact, *arguments], target)
    told = _said_of_hosts(done.stderr or "")
    try:
        # pyinfra names a fact together with its arguments.
        [answers] = json.loads(done.stdout).values()
    except (ValueError, AttributeError):
        answers = None
    if not isinstance(answers, dict):
        if not told:
            raise RunError(f"the fleet could not be asked\n{_said(done)}".rstrip())
        # Nobody could be reached: pyinfra ends before it asks.
        answers = {}
    return Answers({host: answer for host, answer in answers.items() if answer is not None}, told)


def _said_of_hosts(output: str) -> dict[str, list[str]]:
    said: dict[str, list[str]] = {}
    for line in _COLOUR.sub("", output).splitlines():
        found = _OF_HOST.match(line)
        if found is not None:
            said.setdefault(found["host"], []).append(found["words"].strip())
    return said


def stream_pyinfra(arguments: Sequence[str], environment: Mapping[str, str], tell: Callable[[str], None]) -> int:
    """Run pyinfra and hand on each line that it says.

    + arguments: pyinfra's
    + environment: what its environment has beside this program's
    + tell: gets each line, without colours and without its newline

    Returns its exit code. Ctrl-C, or a signal that asks to end, ends pyinfra first, and is then raised here as
    ``KeyboardInterrupt``.
    """
    sys.stdout.flush()
    try:
        process = subprocess.Popen(  # noqa: S603 - the program is ours, and no shell reads the arguments
            [sys.executable, "-m", "pyinfra", *arguments],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            # A group of its own: a terminal's Ctrl-C reaches this program alone, which ends pyinfra once and in order.
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise RunError(f"pyinfra cannot be started: {error}") from None
    with process, _interruptible():
        try:
            for line in process.stdout or ():
                tell(_COLOUR.sub("", line).rstrip("\r\n"))
            return process.wait()
        finally:
            _end(process)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let signals that ask to end come as Ctrl-C does: what pyinfra has begun must not go on alone."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    asking = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) != signal.SIG_IGN]
    before = [(number, signal.signal(number, interrupt)) for number in asking]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _end(process: subprocess.Popen[str]) -> None:
    """End pyinfra and what it has started on this machine, should it still run."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        try:
            os.killpg(process.pid, number)
            process.wait(_PATIENCE)
        except (ProcessLookupError, subprocess.TimeoutExpired, KeyboardInterrupt):
            # Whoever asks again is in a hurry.
            continue


def require_clone() -> None:
    """Raise ``RunError`` unless the working directory is a clone of the repository."""
    if not (Path("deploys") / "restore.py").is_file() or not Path("config.py").is_file():
        raise RunError(f"{Path.cwd()}: not a clone of the repository; change to one, then try again")


def _run(arguments: list[str], target: Target, *, shown: bool = False) -> subprocess.CompletedProcess[str]:
    if target.host.startswith("-"):
        raise RunError(f"{target.host!r}: allowed: the name of a host")
    output = None if shown else subprocess.PIPE
    sys.stdout.flush()
    try:
        return subprocess.run(  # noqa: S603 - the program is ours, and no shell reads the arguments
            [sys.executable, "-m", "pyinfra", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=None if shown else _ANSWER_TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        raise RunError(f"{target.host}: no answer within {_ANSWER_TIMEOUT} s") from None
    except (OSError, ValueError) as error:
        raise RunError(f"pyinfra cannot be started: {error}") from None


def _said(done: subprocess.CompletedProcess[str]) -> str:
    """What a run said of what went wrong, without what every run says."""
    lines = [line.strip() for line in (done.stderr or "").splitlines()]
    usual = ("Connected", "Success", "No changes", "Ready: ")
    told = [
        line for line in lines if line and not (line.startswith("[") and line.endswith(usual)) and "Ready: " not in line
    ]
    errors = [line for line in told if not line.startswith(("-->", "Loading: ", "Operation", "Grand total"))]
    chosen = errors or [line for line in told if line.startswith("-->")]
    return "\n".join(f"  {line}" for line in chosen[-12:])
