"""The rules of a spec that look at more than one value.

They read the values as they stand in the file and pass over what is malformed, so that they report what they find
together with what the models refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from miyabi.errors import SpecProblem
from miyabi.spec import DiskLimit, MemoryLimit
from miyabi.spec_document import Document, Place, nearest, shown
from miyabi.spec_identity import pane_identity, window_identities
from miyabi.spec_values import layout_cells
from miyabi.units import parse_percentage

_BLANK = (None, "blank", "pane")


@dataclass(frozen=True, slots=True)
class _Found:
    """A mapping of the file, and where it stands."""

    place: Place
    value: dict[str, Any]

    def children(self, key: str) -> list[_Found]:
        """The mappings in the list ``key``."""
        items = self.value.get(key)
        if not isinstance(items, list):
            return []
        return [_Found((*self.place, key, i), item) for i, item in enumerate(items) if isinstance(item, dict)]

    def child(self, key: str) -> _Found | None:
        """The mapping ``key``."""
        value = self.value.get(key)
        return _Found((*self.place, key), value) if isinstance(value, dict) else None

    def text(self, key: str) -> str | None:
        """The text, or the number as it was written, at ``key``."""
        value = self.value.get(key)
        if isinstance(value, str):
            return value
        return getattr(value, "text", None)


def is_workspace(value: dict[str, object]) -> bool:
    """Whether a file's mapping is a tmuxp workspace, and not a spec with ``sessions``."""
    return "sessions" not in value and ("session_name" in value or "windows" in value)


def broken_rules(document: Document) -> Iterator[SpecProblem]:
    """Every broken rule of a document whose value is a mapping."""
    if not isinstance(document.value, dict):
        return
    root = _Found((), document.value)
    sessions = [root] if is_workspace(root.value) else root.children("sessions")
    for rule in _RULES:
        for place, found, allowed in rule(document, root, sessions):
            yield document.problem(place, found, f"allowed: {allowed}")


_Broken = Iterator[tuple[Place, str, str]]


def _session_names(document: Document, _: _Found, sessions: list[_Found]) -> _Broken:
    yield from _repeated(document, sessions, "session_name", "each session once")


def _server_names(document: Document, root: _Found, _: list[_Found]) -> _Broken:
    yield from _repeated(document, root.children("mcp_servers"), "name", "each server once")


def _window_indexes(document: Document, _: _Found, sessions: list[_Found]) -> _Broken:
    for session in sessions:
        yield from _repeated(document, session.children("windows"), "window_index", "each index once in a session")


def _pane_names(document: Document, _: _Found, sessions: list[_Found]) -> _Broken:
    panes = [pane for window in _windows(sessions) for pane in window.children("panes")]
    yield from _repeated(document, panes, "name", "each pane name once in a spec, or no name")


def _repeated(document: Document, owners: list[_Found], key: str, allowed: str) -> _Broken:
    first: dict[str, int] = {}
    for owner in owners:
        value = owner.text(key)
        if value is None:
            continue
        place = (*owner.place, key)
        if value in first:
            yield place, f"found {shown(value)} again (first at line {first[value]})", allowed
        else:
            first[value] = document.line(place)


def _layouts(_: Document, __: _Found, sessions: list[_Found]) -> _Broken:
    for window in _windows(sessions):
        cells = layout_cells(window.text("layout") or "")
        panes = window.value.get("panes")
        if cells is not None and isinstance(panes, list) and len(panes) > cells:
            found = f"found a layout for {cells} of the window's {len(panes)} panes"
            yield (*window.place, "layout"), found, "a layout string with room for each pane"


def _supervised_panes(_: Document, __: _Found, sessions: list[_Found]) -> _Broken:
    for window in _windows(sessions):
        for pane in window.children("panes"):
            key = _supervising_key(pane)
            if key is None:
                continue
            place = (*pane.place, key)
            if not _has_command(pane.value.get("shell_command")):
                yield place, f"found {key} in a pane without shell_command", "a shell_command, which is kept running"
            # As in tmuxp, an empty shell of the first pane leaves the window's in force.
            own = "shell" in pane.value and not (pane.place[-1] == 0 and pane.value["shell"] == "")
            shell = "shell" if own else "window_shell"
            if (pane if own else window).value.get(shell):
                allowed = "shell_command without another shell: it is run by the user's own"
                yield place, f"found {key} in a pane with {shell}", allowed


def _supervising_key(pane: _Found) -> str | None:
    """The key by which the pane's process is kept running."""
    if pane.value.get("agent", False) is not False:
        return "agent"
    return "restart" if pane.value.get("restart") in {"always", "on-failure"} else None


def _has_command(value: object) -> bool:
    items = value if isinstance(value, list) else [value]
    if len(items) == 1 and items[0] in _BLANK:
        return False
    texts = [item.get("cmd") if isinstance(item, dict) else item for item in items]
    return any(text is not None and str(text).strip() for text in texts)


def _guardian(_: Document, root: _Found, sessions: list[_Found]) -> _Broken:
    recovery = root.child("recovery")
    guardian = None if recovery is None else recovery.text("guardian")
    if recovery is None or guardian is None:
        return
    names = _all_pane_names(sessions)
    if guardian not in names:
        found = f"found {shown(guardian)}, which no pane is called"
        yield (*recovery.place, "guardian"), found, f"a pane's name{nearest(guardian, names)}"


def _all_pane_names(sessions: list[_Found]) -> list[str]:
    names = []
    for session in sessions:
        windows = session.value.get("windows")
        windows = windows if isinstance(windows, list) else []
        found = [_Found((), window if isinstance(window, dict) else {}) for window in windows]
        identities = window_identities([window.text("window_name") for window in found])
        for window, identity in zip(found, identities, strict=True):
            panes = window.value.get("panes")
            for number, pane in enumerate(panes if isinstance(panes, list) and panes else [None], start=1):
                name = _Found((), pane).text("name") if isinstance(pane, dict) else None
                names.append(name or pane_identity(session.text("session_name") or "", identity, number))
    return names


def _thresholds(_: Document, root: _Found, __: list[_Found]) -> _Broken:
    limits = root.child("limits")
    if limits is None:
        return
    for key, default, sign, wrong, allowed in (
        ("disk", DiskLimit(), 1, "above", "a warning at or below critical: used space grows"),
        ("memory_available", MemoryLimit(), -1, "below", "a warning at or above critical: available memory shrinks"),
    ):
        limit = limits.child(key)
        if limit is None:
            continue
        warning = _percentage(limit, "warning", default.warning)
        critical = _percentage(limit, "critical", default.critical)
        if warning is not None and critical is not None and warning * sign > critical * sign:
            yield limit.place, f"found warning {warning:g}% {wrong} critical {critical:g}%", allowed


def _percentage(limit: _Found, key: str, default: float) -> float | None:
    """The percentage at ``key``; None when it is malformed, which is reported elsewhere."""
    try:
        return parse_percentage(limit.value.get(key, default))
    except (TypeError, ValueError):
        return None


def _unrecognisable_servers(_: Document, root: _Found, __: list[_Found]) -> _Broken:
    for server in root.children("mcp_servers"):
        if "match" not in server.value and "port" not in server.value:
            yield server.place, "found no match and no port", "one of them, by which the running server is recognised"


def _broad_temp(_: Document, root: _Found, __: list[_Found]) -> _Broken:
    for temp in root.children("temp"):
        path = temp.text("path")
        if path is not None and _is_broad(path):
            allowed = "a path of its own below a directory, such as /tmp/claude-* or ~/tmp/*"
            yield (*temp.place, "path"), f"found {shown(path)}, which holds more than temporary files", allowed


def _is_broad(path: str) -> bool:
    """Whether removing what is old at ``path`` would reach into a system's or a home's own folders."""
    first, *rest = [step for step in path.split("/") if step not in {"", "."}] or [""]
    is_home = first.startswith(("~", "$"))
    steps = rest if is_home else [first, *rest]
    only_pattern = not steps or not steps[-1].strip("*?[]!")
    return ".." in steps or len(steps) < (1 if is_home else 2) + only_pattern


def _windows(sessions: list[_Found]) -> list[_Found]:
    return [window for session in sessions for window in session.children("windows")]


_RULES: tuple[Callable[[Document, _Found, list[_Found]], _Broken], ...] = (
    _session_names,
    _server_names,
    _window_indexes,
    _pane_names,
    _layouts,
    _supervised_panes,
    _guardian,
    _thresholds,
    _unrecognisable_servers,
    _broad_temp,
)
