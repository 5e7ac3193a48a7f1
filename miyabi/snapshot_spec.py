"""A snapshot's sessions and windows as the mappings of a spec. Pure.

What differs between a spec to keep (`adopt`) and one to bring back what is gone (`restore`), the panes, is the
caller's.
"""

from __future__ import annotations

import re
from typing import Any

from miyabi.masking import shown
from miyabi.snapshot_model import SessionRecord, Snapshot, WindowRecord

_VARIABLE = re.compile(r"\$\{?[A-Za-z_]")
_BLANK = ("blank", "pane")

Mapping = dict[str, Any]


def window_mapping(
    window: WindowRecord, name: str, panes: list[Mapping], index: int | None, notes: list[str]
) -> Mapping:
    """A window of a spec.

    + index: its ``window_index``; None leaves it to the order
    + panes: in their order; those that say nothing become the shortest form
    """
    from miyabi.spec_values import layout_cells  # noqa: PLC0415 - imports pydantic

    mapping: Mapping = {"window_name": name}
    if index is not None:
        mapping["window_index"] = index
    if window.active:
        mapping["focus"] = True
    if len(panes) > 1 and window.layout:
        cells = layout_cells(window.layout)
        if cells is not None and cells >= len(panes):
            mapping["layout"] = window.layout
        else:
            notes.append(f"window {shown(name)}: its layout is not known, it comes back tiled")
            mapping["layout"] = "tiled"
    if window.automatic:
        mapping["options_after"] = {"automatic-rename": "on"}
    return mapping | {"panes": [pane_value(pane) for pane in panes]}


def pane_value(mapping: Mapping) -> Mapping | str | None:
    """A pane in the shortest way that means the same."""
    if not mapping:
        return None
    command = mapping.get("shell_command")
    if len(mapping) == 1 and isinstance(command, str) and command not in _BLANK:
        return command
    return mapping


def directory(path: str, home: str, where: str, notes: list[str]) -> str | None:
    """A folder as a spec writes it, with ``~`` for the home; None when it cannot stand there.

    + where: whose folder, for the note
    """
    if not path:
        return None
    if not path.startswith("/") or not path.isprintable() or "\ufffd" in path or _VARIABLE.search(path):
        notes.append(f"{where}: its folder {shown(path)} cannot stand in a spec; it begins in the session's")
        return None
    if home and home != "/" and (path == home or path.startswith(f"{home}/")):
        return f"~{path[len(home) :]}"
    return path


def common_directory(session: Mapping, panes: list[Mapping]) -> None:
    """Let the session say the folder that most of its panes have; where one has none of its own, each keeps its own."""
    folders = [pane.get("start_directory") for pane in panes]
    if None in folders:
        return
    common = max(dict.fromkeys(folders), key=folders.count)
    session["start_directory"] = common
    for pane in panes:
        if pane["start_directory"] == common:
            del pane["start_directory"]


def gapless(session: SessionRecord) -> bool:
    """Whether the windows stand where a spec without indexes would put them."""
    indexes = [window.window_index for window in session.windows]
    return indexes == list(range(session.base_index, session.base_index + len(indexes)))


def server_mapping(snapshot: Snapshot) -> Mapping:
    """What a spec says of the tmux server."""
    values = {"socket_name": snapshot.socket_name, "config_file": snapshot.config_file}
    said = {key: value for key, value in values.items() if value}
    return {"tmux": said} if said else {}
