"""The whole story: bring the sandbox up, break it, recover it by the literal command, take it down."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from miyabi.levels import DEFAULT_BUDGETS, Level
from miyabi.sandbox import lifecycle
from miyabi.sandbox.display import Display
from miyabi.sandbox.faults import ALL, FAULTS, inject
from miyabi.sandbox.fleet import Sandbox, SandboxError
from miyabi.sandbox.processes import handled
from miyabi.sandbox.run import HostProgress, Progress, run

_PREFIX, _LOCK, _SANDBOX = "miyabi-demo-", "lock", "s"

# Seconds that the recovery of a phone may take; when its turn comes, other hosts on slow networks decide, too.
_PIXEL = 30


def demo(display: Display, *, plain: bool = False) -> int:
    """Play it; the answer is the exit code: 0 when all was healed in time, and the second run changed nothing.

    + plain: no root folders of the hosts' own, even as root
    """
    started = time.monotonic()
    _remove_killed(display)
    with _ended_by_signals(), _own_folder() as folder:
        try:
            failures = _story(display, folder, plain=plain)
            display.title("Taking it down")
        finally:
            # Who is impatient with Ctrl-C must not be left with half a sandbox.
            with handled(signal.SIG_IGN, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                lifecycle.down(folder)
    display.say(f"nothing is left of it; {time.monotonic() - started:.0f} s in all")
    for failure in failures:
        display.say(f"NOT AS IT SHOULD BE: {failure}")
    return 1 if failures else 0


@contextmanager
def _own_folder() -> Iterator[Path]:
    """A folder for a sandbox; a lock beside it tells as long as this program lives."""
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as parent, (Path(parent) / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Path(parent).resolve() / _SANDBOX


def _remove_killed(display: Display) -> None:
    """What demos that were killed have left."""
    for parent in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError), (parent / _LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if parent.stat().st_uid == os.geteuid():
                display.say(f"removing what a demo that was killed has left in {parent}")
                lifecycle.down(parent / _SANDBOX)
                shutil.rmtree(parent)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """A demo that is ended takes its sandbox down first; one that must go on after its terminal (nohup) does."""

    def end(number: int, frame: object) -> None:
        del frame
        raise SystemExit(128 + number)

    numbers = (signal.SIGTERM, signal.SIGHUP)
    with handled(end, *(number for number in numbers if signal.getsignal(number) != signal.SIG_IGN)):
        yield


def _story(display: Display, folder: Path, *, plain: bool) -> list[str]:
    display.title(
        "Hosts on this machine's loopback, each with a real sshd and tmux; pixel, macbook and the cloud are imitations"
    )
    sandbox = lifecycle.up(folder, plain=plain, cloud=True, say=display.say)
    display.title(f"First run: {sandbox.command}")
    _, failures = _run(display, sandbox)
    if failures:
        return [f"the first run: {each}" for each in failures]
    display.title("Breaking it")
    for line in inject(sandbox, "all"):
        display.say(line)
    broken = _broken(sandbox)
    display.title(f"The run that heals: {sandbox.command}")
    progress, failures = _run(display, sandbox)
    failures += _times(display, progress)
    left = _broken(sandbox)
    failures += [f"{where}: {FAULTS[name].summary}, still" for name, where in left]
    display.say(f"healed, as seen from outside: {len(broken) - len(left)} of {len(broken)}")
    display.title("The same again: nothing is left to do")
    progress, more = _run(display, sandbox)
    changed = [f"{name} changed {', '.join(host.changed)}" for name, host in progress.hosts.items() if host.changed]
    display.say("No changes" if not changed else "; ".join(changed))
    return failures + [f"the second run: {each}" for each in more + changed]


def _run(display: Display, sandbox: Sandbox) -> tuple[Progress, list[str]]:
    """Run the command once; the answer is how it went, and what was not right."""
    progress = Progress({name: HostProgress() for name in sandbox.hosts})
    code: int | None = None
    lines = []
    with display.watching(progress) as watch, closing(run(sandbox, progress)) as printed:
        for line in printed:
            if isinstance(line, int):
                code = line
            else:
                lines.append(line)
                watch(line)
    for name, host in progress.hosts.items():
        display.say(f"{name:<8} {host.outcome or 'no word of it'}")
    if code != 0:
        for line in lines:
            display.say(line)
        return progress, [f"exit code {code}"]
    return progress, [f"{name} failed" for name, host in progress.hosts.items() if host.failed]


def _times(display: Display, progress: Progress) -> list[str]:
    """Show what each level took; the answer is what took too long."""
    late = []
    for name, host in progress.hosts.items():
        for operation, seconds in host.changed.items():
            level = operation.split(" ", maxsplit=1)[0]
            budget = DEFAULT_BUDGETS[Level[level]] if level in Level.__members__ else None
            within = f" of {budget:.0f} s" if budget is not None else ""
            display.say(f"{name:<8} {operation}: {seconds:.1f} s{within}")
            if budget is not None and seconds > budget:
                late.append(f"{name}: {operation} took {seconds:.1f} s, {budget:.0f} s are allowed")
        if host.changed:
            display.say(f"{name:<8} was whole again {host.whole_after:.1f} s after the run began")
    pixel = sum(progress.hosts["pixel"].changed.values())
    return late if pixel < _PIXEL else [*late, f"pixel took {pixel:.1f} s, {_PIXEL} s are allowed"]


def _broken(sandbox: Sandbox) -> list[tuple[str, str]]:
    """Which faults are in effect where, of those that a recovery heals."""
    found = []
    for name in ALL:
        fault = FAULTS[name]
        for where in [each for each in fault.hosts if each in sandbox.hosts]:
            try:
                if name != "slow-network" and fault.seen(sandbox, sandbox.host(where)):
                    found.append((name, where))
            except SandboxError:
                found.append((name, where))
    return found
