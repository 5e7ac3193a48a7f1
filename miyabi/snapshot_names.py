"""The names that a spec would give to what a snapshot holds. Pure.

What carries a spec's name keeps it. Everything else is named after what tmux calls it, changed where a spec's rules or
another thing of that name do not allow it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from miyabi.masking import shown
from miyabi.snapshot_model import PaneRecord, SessionRecord, Snapshot, WindowRecord
from miyabi.spec_identity import pane_identity


@dataclass(slots=True)
class Names:
    """Names by tmux's ids.

    + sessions: None for one whose name cannot stand in a spec
    + notes: what was changed, in words for the user
    """

    sessions: dict[str, str | None] = field(default_factory=dict)
    windows: dict[str, str] = field(default_factory=dict)
    panes: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def spec_names(snapshot: Snapshot, taken: Collection[str] = ()) -> Names:
    """The names for everything in ``snapshot``.

    + taken: names of panes elsewhere on the host
    """
    names = Names()
    used = set(taken)
    marks = {pane.name for pane in snapshot.panes() if pane.name}
    for session in snapshot.sessions:
        names.sessions[session.session_id] = _session_name(session, names.notes)
    for session, window in snapshot.windows():
        there = {names.windows[each.window_id] for each in session.windows if each.window_id in names.windows}
        name = unique(_window_name(session, window, names.notes), there)
        names.windows[window.window_id] = name
        for number, pane in enumerate(living(window), start=1):
            default = pane_identity(names.sessions[session.session_id] or "", name, number)
            wanted = pane.name if pane.name and (pane.name == default or is_pane_name(pane.name)) else default
            # A name that another pane carries is that pane's, whoever comes first.
            if wanted in used or (wanted in marks and wanted != pane.name):
                wanted = unique(explicit(wanted), used | marks)
            used.add(wanted)
            names.panes[pane.pane_id] = wanted
    return names


def living(window: WindowRecord) -> tuple[PaneRecord, ...]:
    """The panes of a window that something runs in."""
    return tuple(pane for pane in window.panes if not pane.dead)


def unique(name: str, taken: Collection[str]) -> str:
    """``name``, with a number behind it when it is taken."""
    number = 1
    candidate = name
    while candidate in taken:
        number += 1
        candidate = f"{name}#{number}"
    return candidate


def explicit(name: str) -> str:
    """A name made from another that a pane may have in a spec."""
    return "".join(each if each.isprintable() and each != ":" else " " for each in name).strip() or "pane"


def is_pane_name(name: str) -> bool:
    """Whether a pane may be called so in a spec."""
    from miyabi.spec_values import pane_name  # noqa: PLC0415 - imports pydantic

    return _is_allowed(pane_name, name)


def refuse_session(name: str) -> str | None:
    """Why a session of that name cannot stand in a spec; None when it can."""
    from miyabi.spec_values import session_name  # noqa: PLC0415 - imports pydantic

    return _refusal(session_name, name)


def _session_name(session: SessionRecord, notes: list[str]) -> str | None:
    name = session.name or session.session_name
    reason = refuse_session(name)
    if reason is not None:
        notes.append(f"session {shown(name)}: its name cannot stand in a spec; allowed: {reason}")
        return None
    if name != session.session_name:
        notes.append(f"session {name} is shown as {shown(session.session_name)}")
    return name


def _window_name(session: SessionRecord, window: WindowRecord, notes: list[str]) -> str:
    from miyabi.spec_values import window_name  # noqa: PLC0415 - imports pydantic

    # Half of a format may have left a window without any name.
    name = window.name or window.window_name or f"window-{window.window_index}"
    if _is_allowed(window_name, name):
        return name
    safe = re.sub(r"[#$]", "_", "".join(each if each.isprintable() else "_" for each in name))
    where = f"{shown(session.session_name)}:{window.window_index}"
    notes.append(f"window {where} is called {shown(name)}, which cannot stand in a spec: here it is {safe}")
    return safe


def _is_allowed(check: Callable[[str], str], name: str) -> bool:
    return _refusal(check, name) is None


def _refusal(check: Callable[[str], str], name: str) -> str | None:
    from pydantic_core import PydanticCustomError  # noqa: PLC0415

    if not name.isprintable() or "\ufffd" in name:
        return "a printable name"
    try:
        check(name)
    except PydanticCustomError as error:
        return str((error.context or {})["allowed"])
    return None
