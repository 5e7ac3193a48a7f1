"""The rules of a spec that look at more than one value.

They read the values as they stand in the file and pass over what is malformed, so that they report what they find
together with what the models refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from miyabi.errors import SpecProblem
from miyabi.spec_document import Document, nearest, shown
from miyabi.spec_found import Broken, Found, repeated
from miyabi.spec_host_rules import HOST_RULES
from miyabi.spec_identity import pane_identity, window_identities
from miyabi.spec_task_rules import TASK_RULES
from miyabi.spec_values import layout_cells

_BLANK = (None, "blank", "pane")


def is_workspace(value: dict[str, object]) -> bool:
    """Whether a file's mapping is a tmuxp workspace, and not a spec with ``sessions``."""
    return "sessions" not in value and ("session_name" in value or "windows" in value)


def broken_rules(document: Document) -> Iterator[SpecProblem]:
    """Every broken rule of a document whose value is a mapping."""
    if not isinstance(document.value, dict):
        return
    root = Found((), document.value)
    sessions = [root] if is_workspace(root.value) else root.children("sessions")
    for rule in (*_RULES, *HOST_RULES, *TASK_RULES):
        for place, found, allowed in rule(document, root, sessions):
            yield document.problem(place, found, f"allowed: {allowed}")


def _session_names(document: Document, _: Found, sessions: list[Found]) -> Broken:
    yield from repeated(document, sessions, "session_name", "each session once")


def _window_indexes(document: Document, _: Found, sessions: list[Found]) -> Broken:
    for session in sessions:
        yield from repeated(document, session.children("windows"), "window_index", "each index once in a session")


def _pane_names(document: Document, _: Found, sessions: list[Found]) -> Broken:
    panes = [pane for window in _windows(sessions) for pane in window.children("panes")]
    yield from repeated(document, panes, "name", "each pane name once in a spec, or no name")


def _layouts(_: Document, __: Found, sessions: list[Found]) -> Broken:
    for window in _windows(sessions):
        cells = layout_cells(window.text("layout") or "")
        panes = window.value.get("panes")
        if cells is not None and isinstance(panes, list) and len(panes) > cells:
            found = f"found a layout for {cells} of the window's {len(panes)} panes"
            yield (*window.place, "layout"), found, "a layout string with room for each pane"


def _supervised_panes(_: Document, __: Found, sessions: list[Found]) -> Broken:
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


def _supervising_key(pane: Found) -> str | None:
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


def _guardian(_: Document, root: Found, sessions: list[Found]) -> Broken:
    recovery = root.child("recovery")
    guardian = None if recovery is None else recovery.text("guardian")
    if recovery is None or guardian is None:
        return
    names = _all_pane_names(sessions)
    if guardian not in names:
        found = f"found {shown(guardian)}, which no pane is called"
        yield (*recovery.place, "guardian"), found, f"a pane's name{nearest(guardian, names)}"


def _all_pane_names(sessions: list[Found]) -> list[str]:
    names = []
    for session in sessions:
        windows = session.value.get("windows")
        windows = windows if isinstance(windows, list) else []
        found = [Found((), window if isinstance(window, dict) else {}) for window in windows]
        identities = window_identities([window.text("window_name") for window in found])
        for window, identity in zip(found, identities, strict=True):
            panes = window.value.get("panes")
            for number, pane in enumerate(panes if isinstance(panes, list) and panes else [None], start=1):
                name = Found((), pane).text("name") if isinstance(pane, dict) else None
                names.append(name or pane_identity(session.text("session_name") or "", identity, number))
    return names


def _windows(sessions: list[Found]) -> list[Found]:
    return [window for session in sessions for window in session.children("windows")]


_RULES: tuple[Callable[[Document, Found, list[Found]], Broken], ...] = (
    _session_names,
    _window_indexes,
    _pane_names,
    _layouts,
    _supervised_panes,
    _guardian,
)
