"""What a wish about a session's file is on its machine: the script for it, and what its exit code means. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from miyabi.masking import shown
from miyabi.orchestration.archive import archive_lines
from miyabi.orchestration.state_write_script import (
    BUSY,
    CHANGED,
    REFUSED,
    quarantine_script,
    release_script,
    replace_script,
)
from miyabi.orchestration.workspace import EVENTS_FOLDER, RECOVERY_FOLDER, STATE_FOLDER
from miyabi.state_material import NO_FILE, Contents, Wanted, Wish, WriteOutcome, Written, digest_of

_OUTCOMES: Mapping[int, WriteOutcome] = {0: "written", CHANGED: "changed", BUSY: "busy", REFUSED: "refused"}


def wish_script(workspace: str, wish: Wish, keep: int, upload: Callable[[bytes], str], now: float) -> str:
    """The shell text that fulfils a wish.

    + workspace: absolute, as ``SeenWorkspace.path`` has it
    + keep: how many backups of the file stay
    + upload: puts a content beside the state, and says where it is; what it raises ends this
    + now: seconds since the epoch, for the archive
    """
    if wish.content is None:
        return quarantine_script(workspace, wish.name, wish.expected)
    if wish.expected == digest_of(wish.content) and not wish.archived:
        # Whoever writes takes the lock of a dead process over; here that is all there is to do.
        return release_script(workspace, wish.name)
    content = upload(wish.content)
    archive = upload(archive_lines(wish.archived, now)) if wish.archived else None
    is_there = wish.expected != NO_FILE
    return replace_script(workspace, wish.name, wish.expected, content, archive, keep, make_backup=is_there)


def written(wish: Wish, code: int, reason: str) -> Written:
    """What came of a wish, by how its script ended.

    + reason: the last line that it said
    """
    outcome = _OUTCOMES.get(code, "failed")
    # Its first word is the file's name, which is told beside it anyhow.
    why = shown(reason.removeprefix(f"{wish.name}: ")) or f"it ended with exit code {code}"
    return Written(outcome, "" if outcome == "written" else why)


def places_of(wanted: Wanted) -> dict[str, tuple[str, str]]:
    """Where the wanted files lie below their workspace: by path the list of ``Contents``, and the name in it."""
    backups = {name: name if name.startswith("backup-") else f"backups/{name}" for name in wanted.backups}
    return {
        **{f"{STATE_FOLDER}/{name}": ("sessions", name) for name in wanted.sessions},
        **{f"{EVENTS_FOLDER}/{name}": ("events", name) for name in wanted.events},
        **{f"{RECOVERY_FOLDER}/{place}": ("backups", name) for name, place in backups.items()},
    }


def contents_of(wanted: Wanted, found: Mapping[str, bytes]) -> Contents:
    """What was read, in its lists.

    + found: by the path below the workspace; what could not be read is left out
    """
    read: dict[str, dict[str, bytes]] = {"sessions": {}, "events": {}, "backups": {}}
    for path, (kind, name) in places_of(wanted).items():
        if path in found:
            read[kind][name] = found[path]
    return Contents(**read)
