"""Snapshots as text for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from miyabi.errors import SnapshotError
from miyabi.masking import plain, shown
from miyabi.snapshot_model import PaneRecord, SessionRecord, Snapshot, WindowRecord


def counts(snapshot: Snapshot) -> str:
    """Such as ``1 session, 2 windows, 4 panes``."""
    windows = list(snapshot.windows())
    numbers = (
        (len(snapshot.sessions), "session"),
        (len(windows), "window"),
        (sum(len(window.panes) for _, window in windows), "pane"),
    )
    return ", ".join(f"{number} {what}{'s' * (number != 1)}" for number, what in numbers)


def moment(taken: str) -> str:
    """When a snapshot was taken, for reading: ``2026-11-21 04:30:00 UTC``."""
    if len(taken) < 15:
        return "at an unknown time"
    zone = " UTC" if taken[15:16] == "Z" else ""
    return f"{taken[:4]}-{taken[4:6]}-{taken[6:8]} {taken[9:11]}:{taken[11:13]}:{taken[13:15]}{zone}"


def tree(snapshot: Snapshot, width: int = 120) -> str:
    """A snapshot as a tree of sessions, windows and panes, with folder and command of each pane.

    + width: longer lines are cut, in characters
    """
    title = f"{shown(snapshot.host) or 'now'}, {moment(snapshot.taken)}, {counts(snapshot)}"
    lines = [title if snapshot.taken or not snapshot.version else f"{shown(snapshot.host)}, now, {counts(snapshot)}"]
    for session in snapshot.sessions:
        lines += _session(session, snapshot.home)
    return "\n".join(line if len(line) <= width else f"{line[: width - 1]}…" for line in lines)


def _session(session: SessionRecord, home: str) -> Iterator[str]:
    group = f"  (shares windows with the group {shown(session.group)})" if session.group else ""
    yield f"{shown(session.session_name)}{_managed(session.name, session.session_name)}{group}"
    folders = [_folder(pane.path, home) for window in session.windows for pane in window.panes]
    widest = min(max(map(len, folders), default=0), 48)
    for number, window in enumerate(session.windows, start=1):
        last = number == len(session.windows)
        yield f"{'└─' if last else '├─'} {_window(window)}"
        for place, pane in enumerate(window.panes, start=1):
            branch = "└─" if place == len(window.panes) else "├─"
            yield f"{'   ' if last else '│  '}{branch} {_pane(pane, home, widest)}"


def _managed(name: str | None, shown_name: str) -> str:
    if name is None:
        return ""
    return "  (managed)" if name == shown_name else f"  (managed as {shown(name)})"


def _window(window: WindowRecord) -> str:
    marks = "*" * window.active + "Z" * window.zoomed
    name = _managed(window.name, window.window_name)
    return f"{window.window_index} {shown(window.window_name)}{f' {marks}' if marks else ''}{name}"


def _pane(pane: PaneRecord, home: str, widest: int) -> str:
    command = "(dead)" if pane.dead else shown(pane.command) or "a shell"
    agent = f"  [{pane.agent}]" if pane.agent else ""
    name = f"  ({shown(pane.name)})" if pane.name else ""
    active = "*" if pane.active else " "
    return f"{pane.pane_id:<4}{active} {_folder(pane.path, home):<{widest}}  {command}{agent}{name}"


def _folder(path: str, home: str) -> str:
    if home and home != "/" and (path == home or path.startswith(f"{home}/")):
        path = f"~{path[len(home) :]}"
    return shown(path) or "?"


def scrollback(snapshot: Snapshot, pane: str) -> str:
    """The kept text of one pane.

    + pane: tmux's id such as ``%3``, or the spec's name

    Raises ``SnapshotError`` that says which panes there are.
    """
    for each in snapshot.panes():
        if pane in {each.pane_id, each.pane_id.lstrip("%"), each.name}:
            return plain(each.scrollback)
    there = ", ".join(f"{each.pane_id}{f' ({shown(each.name)})' if each.name else ''}" for each in snapshot.panes())
    raise SnapshotError(f"no pane {shown(pane)} in this snapshot; there are: {there}")
