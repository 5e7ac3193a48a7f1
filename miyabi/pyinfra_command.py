"""pyinfra as a program: how the ``miyabi`` command asks a host, and has something done on it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from miyabi.errors import RunError
from miyabi.snapshot_model import Snapshot, snapshot_from_json

# Seconds for one question: the probe itself ends after 60, connecting may be slow.
_ANSWER_TIMEOUT = 180

_SNAPSHOT = "facts.snapshot.HostSnapshot"


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
