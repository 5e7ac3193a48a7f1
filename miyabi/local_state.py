"""The sessions of a workspace of this machine: looked at, read, and written by the scripts that hosts run, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from miyabi.errors import ParseError, StateError
from miyabi.local_workspace import apply, look, read_plain, uploaded
from miyabi.masking import shown
from miyabi.orchestration.analysis import Analysis, SessionReport, analyse, judge_session
from miyabi.orchestration.backup_script import backup_script
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.workspace import SeenWorkspace
from miyabi.session_cache import keep_analyses, read_analyses
from miyabi.state_material import Contents, Wanted, Wish, Written
from miyabi.state_writing import contents_of, places_of, wish_script, written

# What this machine is called where analyses are kept.
_HERE = "this machine"


@dataclass(frozen=True, slots=True)
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
        read = {place: read_plain(root / place) for place in places_of(wanted)}
        return contents_of(wanted, {place: content for place, content in read.items() if content is not None})

    def write(self, wish: Wish) -> Written:
        """Replace a session's file, put it into the quarantine, or release its lock."""
        left: list[str] = []

        def upload(content: bytes) -> str:
            left.append(uploaded(self.path, content))
            return left[-1]

        try:
            now = self.look().now if wish.archived else 0.0
            done = apply(wish_script(self.path, wish, self.rules.backups, upload, now))
        except OSError as error:
            return Written("failed", f"it cannot be written: {shown(error.strerror or str(error))}")
        finally:
            for each in left:
                with suppress(OSError):
                    Path(each).unlink(missing_ok=True)
        return written(wish, done.code, done.reason)

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
        all_known = known | fresh
        found = {file.digest: all_known[file.digest] for file in seen.sessions if file.digest in all_known}
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
