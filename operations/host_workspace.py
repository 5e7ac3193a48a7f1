"""A workspace of a host, as ``miyabi.state_repair`` looks at it, reads it and writes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from io import BytesIO
from shlex import quote
from typing import TYPE_CHECKING
from uuid import uuid4

from pyinfra.api import StringCommand

from facts.observation import Unknown, forget
from facts.probe import keyed_section
from facts.workspace import WORKSPACE, contents_section
from miyabi.masking import shown
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.state_write_script import BUSY, upload_folder_script, upload_path
from miyabi.orchestration.workspace import SeenWorkspace
from miyabi.orchestration.workspace_listing import read_workspace
from miyabi.orchestration.workspace_script import workspace_script
from miyabi.state_material import Contents, Wanted, Wish, Written
from miyabi.state_writing import contents_of, places_of, wish_script, written
from operations.quiet import ask_quietly

if TYPE_CHECKING:
    from pyinfra.api import Host

# Seconds for one script: a large state is copied, and compared, several times.
PATIENCE = 300

_CODE = "##miyabi:code "


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a script: its exit code, and the last line that it said."""

    code: int
    reason: str


def run(host: Host, script: str) -> Ran:
    """Run a script that changes a workspace on ``host``; pyinfra tells of an exit code only whether it is 0."""
    _, output = host.run_shell_command(
        StringCommand(f"( {script}\n) 2>&1; echo '{_CODE}'$?"), _timeout=PATIENCE, print_output=False
    )
    *said, last = output.stdout.splitlines() or [""]
    if not last.startswith(_CODE):
        return Ran(BUSY, f"the host did not say how it ended{f': {shown(said[-1])}' if said else ''}")
    return Ran(int(last.removeprefix(_CODE)), shown(next((line for line in reversed(said) if line.strip()), "")))


@dataclass(slots=True)
class HostWorkspace:
    """A workspace of a host, as ``miyabi.state_material.Workspace``.

    + path: absolute on the host, once it was looked at
    + seen_at: when it was looked at last, seconds since the epoch on the host
    + takes_uploads: whether the folder is made in which contents are put
    """

    host: Host
    rules: Orchestration
    path: str = ""
    seen_at: float = 0.0
    takes_uploads: bool = False

    def look(self, pids: Sequence[int] = ()) -> SeenWorkspace:
        """What is there now, without any content."""
        folder = self.rules.workspace
        script = workspace_script(folder, (), pids, contents=False)
        section = keyed_section(WORKSPACE, script, partial(read_workspace, workspace=folder, pids=tuple(pids)))
        forget(self.host, WORKSPACE)
        seen = ask_quietly(self.host, section)
        if isinstance(seen, Unknown):
            return SeenWorkspace(folder, 0.0, trouble=seen.reason)
        self.path, self.seen_at = seen.path, seen.now
        return seen

    def contents(self, wanted: Wanted) -> Contents:
        """What the files hold now; those that cannot be read are left out."""
        paths = tuple(places_of(wanted))
        if not paths:
            return Contents()
        section = contents_section(self.rules.workspace, paths)
        forget(self.host, section.title)
        found = ask_quietly(self.host, section)
        files = {} if isinstance(found, Unknown) else found
        return contents_of(wanted, {path: file.content for path, file in files.items() if file.content is not None})

    def write(self, wish: Wish) -> Written:
        """Replace a session's file, put it into the quarantine, or release its lock."""
        left: list[str] = []
        try:
            script = wish_script(self.path, wish, self.rules.backups, partial(self._uploaded, left), self.seen_at)
        except OSError as error:
            return Written("failed", f"it cannot be written: {error}")
        removing = f"; rm -f {' '.join(map(quote, left))}" if left else ""
        ran = run(self.host, f"( {script}\n); code=$?{removing}; exit $code")
        return written(wish, ran.code, ran.reason)

    def _uploaded(self, left: list[str], content: bytes) -> str:
        """Put a content where a script takes it from. Raises ``OSError`` when that fails.

        + left: gets its path
        """
        if not self.takes_uploads:
            made = run(self.host, upload_folder_script(self.path))
            if made.code != 0:
                raise OSError(made.reason)
            self.takes_uploads = True
        path = upload_path(self.path, sha256(content).hexdigest(), uuid4().hex)
        left.append(path)
        if not self.host.put_file(BytesIO(content), path):
            raise OSError("it could not be uploaded")
        return path
