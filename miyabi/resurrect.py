"""Save files of tmux-resurrect, as snapshots. Pure.

Rows are fields between tabs, in the forms that the plugin has written since its first version:

    pane  SESSION INDEX [:NAME] ACTIVE :FLAGS PANE [TITLE] :FOLDER ACTIVE COMMAND :FULL COMMAND
    window  SESSION INDEX [:NAME] ACTIVE :FLAGS LAYOUT [AUTOMATIC-RENAME]
    grouped_session  SESSION ORIGINAL :ALTERNATE :ACTIVE
    state  SESSION LAST SESSION
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from miyabi.errors import SnapshotError
from miyabi.masking import masked, plain, shown
from miyabi.snapshot_model import PaneRecord, SessionRecord, Snapshot, WindowRecord

# A row of a kind that is not known here may come from a newer version: it is passed over.
_KINDS = ("pane", "window", "grouped_session", "state")
_STEM = re.compile(r"tmux_resurrect_(\d{8}T\d{6})")
_SHELLS = re.compile(r"-?(?:\S*/)?(?:ba|z|da|a|k|mk|fi|tc|c|ya)?sh")


@dataclass(slots=True)
class _Window:
    """A window while its rows are read."""

    index: int
    name: str = ""
    active: bool = False
    layout: str = ""
    automatic: bool = False
    zoomed: bool = False
    panes: list[PaneRecord] = field(default_factory=list)


def read_resurrect(content: bytes, source: str) -> Snapshot:
    """The snapshot that a save file of tmux-resurrect holds.

    + source: the file's path, for errors

    Raises ``SnapshotError`` with the line for a file that is empty, cut off, or something else.
    """
    text = content.decode(errors="replace")
    if not text.strip():
        raise SnapshotError(f"{source}: empty; tmux-resurrect keeps older files beside it: name one of those")
    if not text.endswith("\n"):
        line = text.count("\n") + 1
        raise SnapshotError(f"{source}:{line}: the file is cut off here; name an older one")
    sessions: dict[str, dict[int, _Window]] = {}
    panes = 0
    for number, row in enumerate(text.split("\n"), start=1):
        fields = row.split("\t")
        if fields[0] not in _KINDS:
            if "\t" not in row and row.strip():
                raise _refusal(source, number, row)
            continue
        try:
            if fields[0] == "pane":
                panes += 1
                _pane(sessions, fields, panes)
            elif fields[0] == "window":
                _window(sessions, fields)
        except (ValueError, IndexError):
            raise _refusal(source, number, row) from None
    windows = {name: {index: each for index, each in found.items() if each.panes} for name, found in sessions.items()}
    if not any(windows.values()):
        raise SnapshotError(f"{source}: holds no pane; name another save file of tmux-resurrect")
    stem = _STEM.search(source.rpartition("/")[2])
    return Snapshot(
        host="",
        taken=f"{stem[1]}" if stem else "",
        sessions=tuple(
            SessionRecord(f"${number}", name, 0, min(found), windows=_records(found, number * 10_000))
            for number, (name, found) in enumerate(windows.items())
            if found
        ),
    )


def _refusal(source: str, number: int, row: str) -> SnapshotError:
    return SnapshotError(
        f"{source}:{number}: found {shown(row[:60])!r}; allowed: a row of a save file of tmux-resurrect "
        f"({', '.join(_KINDS)}, with tabs between the fields)"
    )


def _at(sessions: dict[str, dict[int, _Window]], session: str, index: str) -> _Window:
    return sessions.setdefault(session, {}).setdefault(int(index), _Window(int(index)))


def _after_colon(text: str) -> str:
    if not text.startswith(":"):
        raise ValueError(text)
    return text[1:]


def _pane(sessions: dict[str, dict[int, _Window]], fields: list[str], number: int) -> None:
    _, session, index, *rest = fields
    window = _at(sessions, session, index)
    if rest[0].startswith(":"):
        # Up to version 3: the window's name, and no title.
        window.name = _after_colon(rest[0])
        active, flags, pane_index, folder, is_active, _, full = rest[1:8]
    else:
        active, flags, pane_index, _, folder, is_active, _, full = rest[:8]
    window.active = window.active or int(active) % 2 == 1
    window.zoomed = "Z" in _after_colon(flags)
    command = plain(_after_colon(full))
    hidden = masked(command)
    if _SHELLS.fullmatch(command.strip()):
        command = hidden = ""
    window.panes.append(
        PaneRecord(
            pane_id=f"%{number}",
            pane_index=int(pane_index),
            pid=None,
            active=is_active == "1",
            # The plugin puts a backslash in front of a space.
            path=_after_colon(folder).replace("\\ ", " "),
            command=hidden,
            certain=hidden == command,
        )
    )


def _window(sessions: dict[str, dict[int, _Window]], fields: list[str]) -> None:
    _, session, index, *rest = fields
    window = _at(sessions, session, index)
    if rest[0].startswith(":"):
        window.name = _after_colon(rest.pop(0))
    active, flags, layout, *automatic = rest
    window.active = int(active) % 2 == 1
    window.zoomed = "Z" in _after_colon(flags)
    window.layout = layout
    window.automatic = automatic[:1] == ["on"]


def _records(found: dict[int, _Window], base: int) -> tuple[WindowRecord, ...]:
    return tuple(
        WindowRecord(
            window_id=f"@{base + index}",
            window_index=index,
            window_name=each.name,
            active=each.active,
            layout=each.layout,
            automatic=each.automatic,
            zoomed=each.zoomed,
            panes=tuple(sorted(each.panes, key=lambda pane: pane.pane_index)),
        )
        for index, each in sorted(found.items())
    )
