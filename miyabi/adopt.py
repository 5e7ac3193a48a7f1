"""A running session as a spec that changes nothing when it is applied. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from miyabi.errors import AdoptError
from miyabi.marks import Mark
from miyabi.masking import shown
from miyabi.pane_command import may_start_again
from miyabi.snapshot_model import PaneRecord, SessionRecord, Snapshot
from miyabi.snapshot_names import Names, is_pane_name, living, refuse_session, spec_names
from miyabi.snapshot_spec import (
    Mapping,
    common_directory,
    directory,
    gapless,
    server_mapping,
    window_mapping,
)
from miyabi.spec_identity import pane_identity


@dataclass(frozen=True, slots=True)
class Adopted:
    """A session as a spec.

    + text: the spec, as YAML
    + marks: the names that are not there yet
    + notes: what the spec does not hold, or holds otherwise, in words for the user
    """

    text: str
    marks: tuple[Mark, ...]
    notes: tuple[str, ...]
    windows: int
    panes: int
    agents: int


def adopt_session(
    snapshot: Snapshot, session_name: str | None, *, origin: str, allowed: frozenset[str] = frozenset()
) -> Adopted:
    """Write a spec from a session.

    + snapshot: what is there now
    + session_name: None is the only session
    + origin: what the spec is written from, for its first line
    + allowed: programs that may be started again, beside those that everybody's list holds

    Raises ``AdoptError`` when there is no such session, or it cannot stand in a spec.
    """
    session = _chosen(snapshot, session_name)
    others = {
        pane.name
        for each in snapshot.sessions
        for window in each.windows
        for pane in window.panes
        if each is not session and pane.name
    }
    names = spec_names(replace(snapshot, sessions=(session,)), others)
    spec_name = names.sessions[session.session_id]
    if spec_name is None:
        reason = refuse_session(session.name or session.session_name)
        raise AdoptError(
            f"session {shown(session.session_name)}: its name cannot stand in a spec; allowed: {reason}; "
            f"rename it with `tmux rename-session`"
        )
    if any(each is not session and each.name == spec_name for each in snapshot.sessions):
        raise AdoptError(
            f"session {shown(spec_name)}: another session is managed under this name already; "
            f"rename this one with `tmux rename-session`"
        )
    return _Writer(snapshot, session, spec_name, names, allowed).written(origin)


def _chosen(snapshot: Snapshot, session_name: str | None) -> SessionRecord:
    there = ", ".join(shown(each.session_name) for each in snapshot.sessions) or "none"
    if session_name is None:
        if len(snapshot.sessions) == 1:
            return snapshot.sessions[0]
        raise AdoptError(f"which session? there are: {there}")
    by_name = [session for session in snapshot.sessions if session.session_name == session_name]
    by_mark = [session for session in snapshot.sessions if session.name == session_name]
    if found := [*by_name, *by_mark]:
        return found[0]
    raise AdoptError(f"{shown(session_name)}: no such session; there are: {there}")


class _Writer:
    """One session on its way into a spec."""

    def __init__(
        self, snapshot: Snapshot, session: SessionRecord, name: str, names: Names, allowed: frozenset[str]
    ) -> None:
        self.snapshot = snapshot
        self.session = session
        self.name = name
        self.names = names
        self.allowed = allowed
        self.notes = names.notes
        self.marks: list[Mark] = []
        self.panes = 0
        self.agents = 0

    def written(self, origin: str) -> Adopted:
        mapping: Mapping = {"session_name": self.name}
        self._mark("session", self.session.session_id, str(self.session.created), self.name, self.session.name)
        windows = [window for _, window in replace(self.snapshot, sessions=(self.session,)).windows()]
        written = []
        for window in windows:
            name = self.names.windows[window.window_id]
            panes = [self._pane(name, number, pane) for number, pane in enumerate(living(window), start=1)]
            for pane in window.panes:
                if pane.dead:
                    self.notes.append(f"{shown(name)}.{pane.pane_index} is dead: it is left out")
            if not panes:
                continue
            self._mark("window", window.window_id, "", name, window.name)
            index = None if gapless(self.session) else window.window_index
            written.append((window, name, panes, index))
            self.panes += len(panes)
        if not written:
            raise AdoptError(f"session {shown(self.name)}: nothing runs in it any more")
        common_directory(mapping, [pane for _, _, panes, _ in written for pane in panes])
        entries = [window_mapping(*parts, self.notes) for parts in written]
        spec = {"sessions": [mapping | {"windows": entries}]} | server_mapping(self.snapshot)
        text = _yaml(spec, origin, self.notes)
        return Adopted(text, tuple(self.marks), tuple(self.notes), len(written), self.panes, self.agents)

    def _pane(self, window: str, number: int, pane: PaneRecord) -> Mapping:
        name = self.names.panes[pane.pane_id]
        default = pane_identity(self.name, window, number)
        where = f"{shown(window)}.{pane.pane_index}"
        mapping: Mapping = {}
        if name != default and is_pane_name(name):
            mapping["name"] = name
        if folder := directory(pane.path, self.snapshot.home, where, self.notes):
            mapping["start_directory"] = folder
        is_agent = bool(pane.agent) and pane.certain
        if is_agent or (pane.command and pane.certain and may_start_again(pane.command, self.allowed)):
            mapping["shell_command"] = pane.command
        elif pane.command:
            self.notes.append(f"{where}: {_left_out(pane)}")
        if is_agent:
            mapping["agent"] = True
            self.agents += 1
        if pane.active and len(self._siblings(pane)) > 1:
            mapping["focus"] = True
        self._mark("pane", pane.pane_id, str(pane.pid), name, pane.name, supervised=is_agent)
        return mapping

    def _siblings(self, pane: PaneRecord) -> tuple[PaneRecord, ...]:
        return next((window.panes for window in self.session.windows if pane in window.panes), ())

    def _mark(  # noqa: PLR0913 - a mark's fields
        self, kind: str, target: str, sign: str, name: str, present: str | None, *, supervised: bool = False
    ) -> None:
        if name != present or supervised:
            self.marks.append(Mark(kind, target, sign, name, supervised))


def _left_out(pane: PaneRecord) -> str:
    ran = shown(pane.command)
    if not pane.certain:
        return f"it ran {ran}, with a secret or an argument that is not certain: it comes back as a shell"
    return f"it ran {ran}; it comes back as a shell, unless you write shell_command there"


def _yaml(spec: Mapping, origin: str, notes: list[str]) -> str:
    import yaml  # noqa: PLC0415 - only those who write a spec pay for it

    head = [f"# {origin}", *(f"# - {note}" for note in notes)]
    body = yaml.safe_dump(spec, sort_keys=False, allow_unicode=True, width=10**6)
    return "\n".join(head) + "\n" + body
