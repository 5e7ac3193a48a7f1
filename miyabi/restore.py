"""What brings back what is missing of a snapshot: a spec, names for what is there, and text to show. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from miyabi.build import Size
from miyabi.marks import Mark
from miyabi.masking import shown
from miyabi.pane_command import may_start_again
from miyabi.shell import quoted
from miyabi.snapshot_diff import Pairs, pair
from miyabi.snapshot_model import PaneRecord, SessionRecord, Snapshot, WindowRecord
from miyabi.snapshot_names import explicit, is_pane_name, living, spec_names, unique
from miyabi.snapshot_spec import Mapping, directory, server_mapping, window_mapping
from miyabi.spec_identity import pane_identity


@dataclass(slots=True)
class Restoration:
    """What brings back what is missing.

    + spec: as YAML would hold it; without sessions when nothing can be done
    + marks: names for what is there in the windows that lack something
    + scrollback: the text of all panes to restore, one after the other
    + notes: what cannot be brought back, or comes back otherwise, in words for the user
    """

    spec: Mapping = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    scrollback: str = ""
    notes: list[str] = field(default_factory=list)
    lines: int = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """What the user wants.

    + commands: whether commands are started again: those of managed panes, and those on the list
    + allowed: programs that the user adds to the list
    + text_file: where on the host the text will be; "" shows none
    """

    commands: bool = False
    allowed: frozenset[str] = frozenset()
    text_file: str = ""


def restoration(before: Snapshot, now: Snapshot, choice: Choice) -> Restoration:
    """What brings back what ``now`` lacks of ``before``; nothing that is there is in it but as a neighbour."""
    return _Restorer(before, now, choice).made()


class _Restorer:
    """One restoration on its way."""

    def __init__(self, before: Snapshot, now: Snapshot, choice: Choice) -> None:
        self.before = before
        self.now = now
        self.choice = choice
        self.pairs: Pairs = pair(before, now)
        self.names = spec_names(before)
        self.made_of = Restoration()
        self.taken = {pane.name for pane in now.panes() if pane.name}

    def made(self) -> Restoration:
        result = self.made_of
        own = {window.window_id: session for session, window in self.before.windows()}
        sessions = []
        for session in self.before.sessions:
            shared = [window for window in session.windows if own[window.window_id] is not session]
            windows = [window for window in session.windows if window not in shared]
            if shared and session.session_id not in self.pairs.sessions:
                result.notes.append(f"session {shown(session.session_name)} showed windows of another one: not again")
            if entry := self._session(session, [window for window in windows if self.pairs.lacks(window)]):
                sessions.append(entry)
        result.spec = {"sessions": sessions} | server_mapping(self.before)
        return result

    def _session(self, session: SessionRecord, windows: list[WindowRecord]) -> Mapping | None:
        there = self.pairs.sessions.get(session.session_id)
        name = (there.name if there else None) or self.names.sessions[session.session_id]
        if not windows:
            return None
        if name is None:
            self.made_of.notes.append(f"session {shown(session.session_name)}: its name cannot stand in a spec")
            return None
        mapping: Mapping = {"session_name": name}
        taken = set()
        if there is None:
            width, height = Size.of_layout(session.windows[0].layout)
            # Without a client to look at it, a window has this size: that of the time of the snapshot.
            mapping["options"] = {"default-size": f"{width}x{height}"}
        else:
            if there.name is None:
                self.made_of.marks.append(Mark("session", there.session_id, str(there.created), name))
            taken = {window.name for window in there.windows if window.name}
        entries = [entry for window in windows if (entry := self._window(name, window, taken))]
        return mapping | {"windows": entries} if entries else None

    def _window(self, session: str, window: WindowRecord, taken: set[str]) -> Mapping | None:
        there = self.pairs.windows.get(window.window_id)
        fresh = self.names.windows[window.window_id]
        name = there.name if there and there.name else unique(fresh, taken)
        taken.add(name)
        panes = self._panes(session, name, window)
        if not panes:
            return None
        if there is not None and there.name is None:
            self.made_of.marks.append(Mark("window", there.window_id, "", name))
        return window_mapping(window, name, panes, window.window_index, self.made_of.notes)

    def _panes(self, session: str, window_name: str, window: WindowRecord) -> list[Mapping]:
        entries: list[Mapping] = []
        for pane in living(window):
            there = self.pairs.panes.get(pane.pane_id)
            marked = there.name if there else None
            name = marked or self.names.panes[pane.pane_id]
            default = pane_identity(session, window_name, len(entries) + 1)
            if name != default and not is_pane_name(name):
                if marked:
                    # Only its own spec can write this name: it is a neighbour, as a human's pane is.
                    continue
                name = explicit(name) if pane.name else default
            if not marked and name in self.taken:
                name = unique(explicit(name), self.taken)
            self.taken.add(name)
            if there is not None and marked is None:
                self.made_of.marks.append(Mark("pane", there.pane_id, str(there.pid), name))
            entry: Mapping = {} if name == default else {"name": name}
            if there is None or there.dead:
                entry |= self._pane(pane, f"{shown(window_name)}.{pane.pane_index}")
            entries.append(entry)
        return entries

    def _pane(self, pane: PaneRecord, where: str) -> Mapping:
        """How a missing pane comes back."""
        mapping: Mapping = {}
        if folder := directory(pane.path, self.before.home, where, self.made_of.notes):
            mapping["start_directory"] = folder
        if shell := self._showing(pane):
            mapping["shell"] = shell
        if pane.active:
            mapping["focus"] = True
        if not pane.command:
            return mapping
        ran = shown(pane.command)
        if not self.choice.commands:
            self.made_of.notes.append(f"{where}: ran {ran}, not started again (--commands)")
        elif not pane.certain:
            self.made_of.notes.append(f"{where}: ran {ran}, which holds a secret or is not certain: not started again")
        elif pane.name is None and not may_start_again(pane.command, self.choice.allowed):
            program = ran.split()[0].rsplit("/", 1)[-1]
            self.made_of.notes.append(f"{where}: ran {ran}, not on the list: not started again (--allow {program})")
        else:
            mapping["shell_command"] = pane.command
        return mapping

    def _showing(self, pane: PaneRecord) -> str | None:
        """The command that shows a pane's old text and then becomes the login shell; None when there is no text."""
        text = pane.scrollback.strip("\n")
        if not text or not self.choice.text_file:
            return None
        result = self.made_of
        first = result.lines + 1
        result.lines += text.count("\n") + 1
        result.scrollback += f"{text}\n"
        script = f'sed -n {first},{result.lines}p "$1" 2>/dev/null; exec "${{SHELL:-/bin/sh}}" -l'
        return f"exec sh -c {quoted(script)} miyabi {quoted(self.choice.text_file)}"
