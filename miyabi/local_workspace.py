"""Workspaces of this machine: looked at, and written by the same scripts as those of hosts."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from miyabi.bounded import BOUNDED
from miyabi.errors import ParseError
from miyabi.orchestration.state_write_script import BUSY, FAILED, upload_folder_script, upload_path
from miyabi.orchestration.workspace import SeenFile, SeenWorkspace
from miyabi.orchestration.workspace_listing import read_workspace
from miyabi.orchestration.workspace_script import workspace_script
from miyabi.shell import HOST_ENVIRONMENT

# Seconds for a look, and for a write: a large state is copied, and compared, several times.
_LOOK, _WRITE = 120, 300


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of a script.

    + code: 0, or one of those of ``state_write_script``
    + reason: its last line, "" when it said nothing
    """

    code: int
    reason: str


def look(
    path: str | Path, known: Collection[str] = (), pids: Sequence[int] = (), *, contents: bool = True
) -> SeenWorkspace:
    """A workspace of this machine, with the contents of its sessions, however large they are.

    + known: the digests of contents that are not read
    + contents: whether they are read at all

    Raises ``ParseError`` when it could not be looked at.
    """
    where = str(Path(path).absolute())
    script = (
        f"LC_ALL=C; export LC_ALL; {HOST_ENVIRONMENT}\n{BOUNDED}\n{workspace_script(where, (), pids, contents=False)}"
    )
    done = _run(script, _LOOK)
    if done.code != 0:
        raise ParseError(f"{where} could not be looked at: {done.reason or f'exit code {done.code}'}")
    seen = read_workspace(done.output.splitlines(), where, pids)
    if not contents:
        return seen
    folder = Path(seen.path) / ".claude" / "state"
    return replace(seen, sessions=tuple(_with_content(folder, each, known) for each in seen.sessions))


def _with_content(folder: Path, file: SeenFile, known: Collection[str]) -> SeenFile:
    if not file.digest or file.digest in known:
        return file
    content = read_plain(folder / file.name)
    if content is None:
        return file
    return replace(file, size=len(content), digest=sha256(content).hexdigest(), content=content)


def read_plain(path: Path) -> bytes | None:
    """What a plain file holds; None when it is a link, is no plain file, or may not be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            return file.read() if path.is_file() else None
    except (OSError, ValueError):
        return None


def uploaded(workspace: str, content: bytes) -> str:
    """Put a content where ``state_write_script.replace_script`` takes it from; its path.

    + workspace: as ``SeenWorkspace.path`` has it

    Raises ``OSError`` when it cannot be written.
    """
    done = _run(upload_folder_script(workspace), _WRITE)
    if done.code != 0:
        raise OSError(done.reason)
    path = upload_path(workspace, sha256(content).hexdigest(), f"{os.getpid()}{os.urandom(4).hex()}")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return path


def apply(script: str) -> Applied:
    """Run a script of ``state_write_script`` on this machine, to its end."""
    done = _run(script, _WRITE)
    return Applied(done.code, done.reason)


@dataclass(frozen=True, slots=True)
class _Done:
    code: int
    output: str
    reason: str


def _run(script: str, seconds: int) -> _Done:
    try:
        done = subprocess.run(  # noqa: S603 - the script's words are quoted where it is made
            ["sh", "-c", script],  # noqa: S607 - wherever the system has it
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        return _Done(BUSY, "", f"it took more than {seconds} s")
    except (OSError, ValueError) as error:
        return _Done(FAILED, "", f"the shell does not start: {getattr(error, 'strerror', None) or error}")
    said = done.stderr.decode(errors="replace").strip() or done.stdout.decode(errors="replace").strip()
    return _Done(done.returncode, done.stdout.decode(errors="replace"), said.rpartition("\n")[2] if said else "")
