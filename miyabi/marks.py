"""The names that a spec gives to what is there already: what `adopt` and `restore` write into tmux options. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from miyabi import state
from miyabi.tmux_command import TmuxCommand
from miyabi.tmux_listing import PANE_NAME_OPTION, SESSION_NAME_OPTION, WINDOW_NAME_OPTION


@dataclass(frozen=True, slots=True)
class Mark:
    """One name for one session, window or pane.

    + kind: which of the three
    + target: tmux's id
    + sign: what tells that the id still means the same: when the session was created, the pane's pid; "" for a window
    + name: the spec's name for it
    + supervised: for a pane, whether its death is to be kept visible
    """

    kind: str
    target: str
    sign: str
    name: str
    supervised: bool = False


def marks_to_json(marks: tuple[Mark, ...]) -> str:
    """The marks as JSON; ``marks_from_json`` reads it."""
    return json.dumps([asdict(mark) for mark in marks])


def marks_from_json(text: str) -> tuple[Mark, ...]:
    """The marks that ``marks_to_json`` wrote; raises ``ValueError`` when the text is anything else."""
    try:
        return tuple(Mark(**each) for each in json.loads(text))
    except TypeError as error:
        raise ValueError(f"no marks: {error}") from error


def changed_since(marks: tuple[Mark, ...], tmux: state.Tmux) -> str | None:
    """What of ``marks`` is not there any more; None when everything is."""
    there = {(kind, target): sign for kind, target, sign, _ in _present(tmux)}
    for mark in marks:
        if there.get((mark.kind, mark.target)) != mark.sign:
            return f"{mark.kind} {mark.target} ({mark.name})"
    return None


def marking(marks: tuple[Mark, ...], tmux: state.Tmux) -> tuple[TmuxCommand, ...]:
    """The tmux commands that write the names which are not there yet."""
    there = {(kind, target): name for kind, target, _, name in _present(tmux)}
    return tuple(
        command
        for mark in marks
        for command in _commands(mark)
        if there.get((mark.kind, mark.target)) != mark.name or mark.supervised
    )


def _commands(mark: Mark) -> Iterator[TmuxCommand]:
    if mark.kind == "session":
        yield ("set-option", "-t", f"{mark.target}:", SESSION_NAME_OPTION, mark.name)
    elif mark.kind == "window":
        yield ("set-option", "-w", "-t", mark.target, WINDOW_NAME_OPTION, mark.name)
    else:
        yield ("set-option", "-p", "-t", mark.target, PANE_NAME_OPTION, mark.name)
        if mark.supervised:
            yield ("set-option", "-p", "-t", mark.target, "remain-on-exit", "on")


def _present(tmux: state.Tmux) -> Iterator[tuple[str, str, str, str | None]]:
    """(kind, id, sign, the spec's name) of everything that is there."""
    for session in tmux.sessions:
        yield "session", session.session_id, str(session.created), session.name
        for window in session.windows:
            yield "window", window.window_id, "", window.name
            for pane in window.panes:
                yield "pane", pane.pane_id, str(pane.pid), pane.name
