"""The sessions of a workspace of this machine: looked at, read, and written by the scripts that hosts run, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from miyabi.errors import ParseError, StateError
from miyabi.local_workspace import Applied, apply, look, read_plain, uploaded
from miyabi.masking import shown
from miyabi.orchestration.analysis import Analysis, SessionReport, analyse, judge_session
from miyabi.orchestration.archive import archive_lines
from miyabi.orchestration.backup_script import backup_script
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.state_write_script import (
    BUSY,
    CHANGED,
    quarantine_script,
    release_script,
    replace_script,
)
from miyabi.orchestration.workspace import EVENTS_FOLDER, RECOVERY_FOLDER, STATE_FOLDER, SeenWorkspace
from miyabi.session_cache import keep_analyses, read_analyses
from miyabi.state_material import NO_FILE, Contents, Wanted, Wish, WriteOutcome, Written, digest_of

# What this machine is called where analyses are kept.
_HERE = "this machine"

_OUTCOMES: Mapping[int, WriteOutcome] = {0: "written", CHANGED: "changed", BUSY: "busy"}


@dataclass(slots=True)
class LocalState:
    """A workspace of this machine, as ``miyabi.state_material.Workspace``.

    + path: absolute
    """

    path: str
    rules: Orchestration

    def look(self, pids: Sequence[int] = ()) -> SeenWorkspace:
        """What is there now. Raises ``StateError`` when it cannot be looked at."""
        try:
            return look(self.path, (), pids, contents=False)
        except ParseError as error:
            raise StateError(shown(str(error))) from None

    def contents(self, wanted: Wanted) -> Contents:
        """What the files hold now; those that cannot be read are left out."""
        root = Path(self.path)
        backups = {name: name if name.startswith("backup-") else f"backups/{name}" for name in wanted.backups}
        return Contents(
            _read({name: root / STATE_FOLDER / name for name in wanted.sessions}),
            _read({name: root / EVENTS_FOLDER / name for name in wanted.events}),
            _read({name: root / RECOVERY_FOLDER / place for name, place in backups.items()}),
        )

    def write(self, wish: Wish) -> Written:
        """Replace a session's file, put it into the quarantine, or release its lock."""
        left: list[str] = []
        try:
            done = apply(self._script(wish, left))
        except OSError as error:
            return Written("refused", f"it cannot be written: {error.strerror or error}")
        finally:
            for each in left:
                with suppress(OSError):
                    Path(each).unlink(missing_ok=True)
        outcome = _OUTCOMES.get(done.code, "refused")
        return Written(outcome, "" if outcome == "written" else _reason(done, wish.name))

    def _script(self, wish: Wish, left: list[str]) -> str:
        """What is to be run; ``left`` gets the paths of what was uploaded for it."""
        if wish.content is None:
            return quarantine_script(self.path, wish.name, wish.expected)
        if wish.expected == digest_of(wish.content) and not wish.archived:
            return release_script(self.path, wish.name)
        upload = uploaded(self.path, wish.content)
        left.append(upload)
        archive = None
        if wish.archived:
            archive = uploaded(self.path, archive_lines(wish.archived, self.look().now))
            left.append(archive)
        keep, is_there = self.rules.backups, wish.expected != NO_FILE
        return replace_script(self.path, wish.name, wish.expected, upload, archive, keep, make_backup=is_there)

    def back_up(self, label: str = "") -> str:
        """Keep all of it as it is now; what the backup is called.

        + label: in place of the moment

        Raises ``StateError`` when it could not be made, or is not there afterwards.
        """
        try:
            done = apply(backup_script(self.path, label))
        except ValueError as error:
            raise StateError(str(error)) from None
        if done.code != 0:
            raise StateError(f"{shown(self.path)}: {shown(done.reason)}; nothing was changed")
        seen = self.look()
        if seen.sessions and not any(each.name.startswith(f"{done.reason}/") for each in seen.backups):
            raise StateError(f"{shown(self.path)}: the backup {shown(done.reason)} was made, and is not there")
        return done.reason

    def judged(self, tell: Callable[[int], None] = lambda _: None) -> tuple[SeenWorkspace, tuple[SessionReport, ...]]:
        """How the sessions are.

        + tell: hears how many have been looked into so far
        """
        known = read_analyses(_HERE, self.rules)
        try:
            seen = look(self.path, known)
        except ParseError as error:
            raise StateError(shown(str(error))) from None
        fresh: dict[str, Analysis] = {}
        for number, file in enumerate(seen.sessions):
            tell(number)
            if file.content is not None and file.digest not in known:
                fresh[file.digest] = analyse(file.content, file.changed_at, self.rules)
        found = {file.digest: each for file in seen.sessions if (each := (known | fresh).get(file.digest)) is not None}
        if fresh:
            keep_analyses(_HERE, self.rules, found)
        return self._with_processes(seen, [found.get(file.digest) for file in seen.sessions])

    def _with_processes(
        self, seen: SeenWorkspace, there: Sequence[Analysis | None]
    ) -> tuple[SeenWorkspace, tuple[SessionReport, ...]]:
        """Judge sessions by what they hold, and by whether the processes that they name run."""
        asked = sorted({pid for each in there if each is not None for pid in each.pids.values()})
        around = self.look(asked) if asked else seen
        around = replace(seen, now=around.now, locks=around.locks, asked=around.asked, running=around.running)
        judged = zip(seen.sessions, there, strict=True)
        return around, tuple(judge_session(file, known, around, self.rules) for file, known in judged)


def _read(paths: Mapping[str, Path]) -> dict[str, bytes]:
    return {name: content for name, path in paths.items() if (content := read_plain(path)) is not None}


def _reason(done: Applied, name: str) -> str:
    """Why nothing was written, without the name of the file in front of it."""
    return shown(done.reason.removeprefix(f"{name}: ")) or f"it ended with exit code {done.code}"
