"""What a snapshot holds: the tmux sessions of one host at one moment, as records that are kept as JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from miyabi.errors import SnapshotError
from miyabi.state import Observed


@dataclass(frozen=True, slots=True)
class PaneRecord(Observed):
    """One pane.

    + name: the spec's name for it; None when it is not managed
    + command: what ran in it, as one line of shell; "" when that was an idle shell, or is unknown
    + certain: whether ``command`` is exactly what ran: no argument is masked, cut or guessed
    + agent: the coding agent that ran in it, such as ``claude``; "" when none did
    + processes: the command lines of its process tree, each indented by its depth
    + scrollback: its text, without colours
    """

    pane_id: str
    pane_index: int
    pid: int | None
    active: bool
    dead: bool = False
    name: str | None = None
    path: str = ""
    command: str = ""
    certain: bool = True
    agent: str = ""
    processes: tuple[str, ...] = ()
    scrollback: str = ""


@dataclass(frozen=True, slots=True)
class WindowRecord(Observed):
    """One window.

    + name: the spec's name for it; None when it is not managed
    + automatic: whether tmux names it after what runs in it
    + layout: as tmux prints it, "" when unknown
    """

    window_id: str
    window_index: int
    window_name: str
    active: bool
    layout: str
    automatic: bool = False
    zoomed: bool = False
    name: str | None = None
    panes: tuple[PaneRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionRecord(Observed):
    """One session; ``created`` is in seconds since the epoch, ``base_index`` where its windows begin to count."""

    session_id: str
    session_name: str
    created: int
    base_index: int = 0
    name: str | None = None
    group: str | None = None
    windows: tuple[WindowRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot(Observed):
    """The tmux sessions of one host at one moment.

    + host: the host's name in the inventory; "" until it is written
    + taken: when, in UTC, such as ``20261121T043000Z``
    + version: tmux's version, "" when no tmux was asked
    + server: tells one tmux server from the next; "" when none ran
    + home: the user's home directory on the host, "" when unknown
    + socket_name, config_file: which tmux server, as in ``tmux -L`` and ``tmux -f``
    """

    host: str
    taken: str
    version: str = ""
    server: str = ""
    home: str = ""
    socket_name: str | None = None
    config_file: str | None = None
    sessions: tuple[SessionRecord, ...] = ()
    format: Literal["miyabi-snapshot-1"] = "miyabi-snapshot-1"

    def windows(self) -> Iterator[tuple[SessionRecord, WindowRecord]]:
        """Every window with its session; one that several sessions share comes once."""
        seen: set[str] = set()
        for session in self.sessions:
            for window in session.windows:
                if window.window_id not in seen:
                    seen.add(window.window_id)
                    yield session, window

    def panes(self) -> Iterator[PaneRecord]:
        """Every pane once."""
        for _, window in self.windows():
            yield from window.panes


def snapshot_to_json(snapshot: Snapshot) -> bytes:
    """The snapshot as JSON; ``snapshot_from_json`` reads it."""
    return json.dumps(snapshot.to_json(), ensure_ascii=False, indent=1).encode(errors="replace")


def snapshot_from_json(content: bytes, source: str) -> Snapshot:
    """The snapshot that ``snapshot_to_json`` wrote; raises ``SnapshotError`` with the first thing that is wrong.

    + source: where it comes from, for the error
    """
    # Only those who read snapshots pay for the import.
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415

    try:
        return TypeAdapter(Snapshot).validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        size = "empty" if not content.strip() else "not a snapshot, or cut off"
        raise SnapshotError(f"{source}: {size} ({place}: {first['msg']}); take another one") from None


def without_scrollback(snapshot: Snapshot) -> Snapshot:
    """The snapshot without the text of its panes: what is left fits on a screen."""
    return replace(
        snapshot,
        sessions=tuple(
            replace(
                session,
                windows=tuple(
                    replace(window, panes=tuple(replace(pane, scrollback="") for pane in window.panes))
                    for window in session.windows
                ),
            )
            for session in snapshot.sessions
        ),
    )
