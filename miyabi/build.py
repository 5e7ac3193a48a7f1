"""tmux commands that make sessions, windows and panes as the spec has them. Pure.

A new session or window is addressed by its active pane, because the ids of what one client call makes are not known
while that call is written: each new pane is made active, and what follows is about it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import NamedTuple

from miyabi.conversation import file_name
from miyabi.layout import resolve_layout
from miyabi.shell import HostText, Secret, Word, pattern
from miyabi.spec import Pairs, Pane, Session, Window
from miyabi.tmux_command import TmuxCommand, unformatted
from miyabi.tmux_listing import PANE_NAME_OPTION, SESSION_NAME_OPTION, WINDOW_NAME_OPTION

# A place for the window that a new session cannot do without, until the first real one stands.
_OUT_OF_THE_WAY = 9999

# Without a layout, so many panes fit into the smallest usual window by halving the last one again and again.
_HALVING_FITS = 4


class Size(NamedTuple):
    """Width and height of a window, in cells."""

    width: int
    height: int

    @classmethod
    def of_layout(cls, layout: str) -> Size:
        """The size that a layout string such as ``65a5,80x24,0,0,4`` begins with; 80x24 when it does not tell."""
        found = re.match(r"[0-9a-f]+,(\d+)x(\d+),", layout)
        return cls(int(found[1]), int(found[2])) if found else cls(80, 24)


def adopt(pane: Pane, target: str) -> Iterator[TmuxCommand]:
    """Give the pane at ``target`` the spec's name and, when it is supervised, keep its death visible."""
    yield ("set-option", "-p", "-t", target, PANE_NAME_OPTION, pane.name)
    if pane.supervised:
        yield ("set-option", "-p", "-t", target, "remain-on-exit", "on")


def typed(pane: Pane, target: str) -> Iterator[TmuxCommand]:
    """Type a pane's commands into the shell at ``target``."""
    commands = pane.commands
    if pane.agent is not None and pane.agent.begin is not None and not pane.agent.is_begun:
        commands = (*commands[:-1], replace(commands[-1], text=pane.agent.begin))
    for command in commands:
        text = f" {command.text}" if pane.suppress_history else command.text
        if command.sleep_before:
            yield ("run-shell", "-d", str(command.sleep_before))
        yield ("send-keys", "-t", target, "-l", "--", text)
        if command.enter:
            yield ("send-keys", "-t", target, "Enter")
        if command.sleep_after:
            yield ("run-shell", "-d", str(command.sleep_after))


def pane_start(pane: Pane) -> list[Word]:
    """The arguments by which new-window, split-window and respawn-pane start the pane's process.

    A supervised pane's process is its commands, run by the user's login shell, which tmux names in SHELL; a plain
    pane's is its ``shell`` or tmux's default.
    """
    words: list[Word] = []
    if pane.start_directory:
        words += ["-c", unformatted(HostText(pane.start_directory))]
    words += _environment(pane.environment)
    if pane.agent is not None:
        # By these an agent, or a hook of its, finds where it may leave word of itself.
        checkpoint = HostText(f"MIYABI_CHECKPOINT=$MIYABI_AGENTS/{file_name(pane.name)}.json")
        words += ["-e", f"MIYABI_AGENT={pane.name}", "-e", checkpoint]
    if pane.supervised:
        words += ["--", "sh", "-c", *_supervised(pane)]
    elif pane.shell:
        words += ["--", pane.shell]
    return words


def _supervised(pane: Pane) -> list[Word]:
    """The script of a supervised pane and its arguments: it ends as the user's login shell with the commands."""
    start = 'exec "$SHELL" -l -c "$1"'
    lines = [command.text for command in pane.commands]
    script = "\n".join(lines)
    if pane.agent is None or pane.agent.begin is None or not pane.agent.kept:
        return [start, "miyabi", script]
    # Only the moment of the start tells, whoever starts it, whether there is a conversation to take up.
    choice = f'for t in {pattern(pane.agent.kept)}; do [ -e "$t" ] || set -- "$2" "$2"; done; '
    return [choice + start, "miyabi", script, "\n".join([*lines[:-1], pane.agent.begin])]


def _environment(pairs: Pairs) -> list[Word]:
    words: list[Word] = []
    for name, value in pairs:
        words += ["-e", Secret(HostText(value), prefix=f"{name}=")]
    return words


def split(pane: Pane, anchor: str, *, before: bool, window: str) -> Iterator[TmuxCommand]:
    """Make a missing pane beside the pane ``anchor`` of an existing window, and make it the active one."""
    yield ("split-window", *(["-b"] if before else []), "-t", anchor, *pane_start(pane))
    yield from _dress(pane, window)


def _dress(pane: Pane, target: str) -> Iterator[TmuxCommand]:
    """Make the pane that was just made the spec's, and type into it when it is a plain one."""
    yield from adopt(pane, target)
    if not pane.supervised:
        yield from typed(pane, target)


def build_window(window: Window, target: str, only: Collection[str] | None = None) -> Iterator[TmuxCommand]:
    """Make a window at ``target`` (``$3:5``) of an existing session without bringing it to the front.

    + only: the names of the panes to make; None makes all
    """
    panes = [pane for pane in window.panes if only is None or pane.name in only]
    yield ("new-window", "-d", "-t", target, *_window_arguments(window, panes[0]))
    yield from _fill_window(window, panes, target)


def _window_arguments(window: Window, first: Pane) -> list[Word]:
    name: list[Word] = ["-n", unformatted(window.window_name)] if window.window_name is not None else []
    return name + pane_start(first)


def _fill_window(window: Window, panes: list[Pane], target: str) -> Iterator[TmuxCommand]:
    yield ("set-option", "-w", "-t", target, WINDOW_NAME_OPTION, window.name)
    for name, value in window.options:
        yield ("set-option", "-w", "-t", target, name, HostText(value))
    # Tiled panes can always be split again; a layout with a large main pane leaves no room for the next one.
    tiles = [("select-layout", "-t", target, "tiled")] if window.layout or len(panes) > _HALVING_FITS else []
    for number, pane in enumerate(panes):
        if number:
            yield from tiles
            yield ("split-window", "-t", target, *pane_start(pane))
        yield from _dress(pane, target)
    if window.layout is not None:
        yield ("select-layout", "-t", target, resolve_layout(window.layout, len(panes)))
    elif tiles:
        yield from tiles
    for name, value in window.options_after:
        yield ("set-option", "-w", "-t", target, name, HostText(value))
    behind = next((len(panes) - 1 - number for number, pane in reversed(list(enumerate(panes))) if pane.focus), 0)
    if behind:
        # The last pane is active: the one to look at is that many panes before it.
        yield ("select-pane", "-t", f"{target}.-{behind}")


def build_session(session: Session, elsewhere: Collection[str] = ()) -> Iterator[TmuxCommand]:
    """Make a whole session.

    + elsewhere: the names of panes that already live in another session and are not made again

    Options and environment are there before the first real window, so that its shell sees them.
    """
    here = f"={session.session_name}:"
    yield (
        "new-session", "-d", "-s", unformatted(session.session_name),
        *(["-c", unformatted(HostText(session.start_directory))] if session.start_directory else []),
        "--", "sleep", "60",
    )  # fmt: skip
    yield ("set-option", "-t", here, SESSION_NAME_OPTION, session.session_name)
    yield ("move-window", "-s", here, "-t", f"{here}{_OUT_OF_THE_WAY}")
    for name, value in session.options:
        yield ("set-option", "-t", here, name, HostText(value))
    for name, value in session.global_options:
        yield ("set-option", "-g", name, HostText(value))
    for name, value in session.environment:
        yield ("set-environment", "-t", here, name, Secret(HostText(value)))
    wanted = [
        (window, panes)
        for window in session.windows
        if (panes := [pane for pane in window.panes if pane.name not in elsewhere])
    ]
    looked_at = next((window for window, _ in reversed(wanted) if window.focus), wanted[0][0])
    for number, (window, panes) in enumerate(wanted):
        place = here if window.window_index is None else f"{here}{window.window_index}"
        yield ("new-window", "-t", place, *_window_arguments(window, panes[0]))
        if not number:
            yield ("kill-window", "-t", f"{here}{_OUT_OF_THE_WAY}")
        yield from _fill_window(window, panes, here)
        if window is looked_at:
            yield ("select-pane", "-m", "-t", here)
    # The mark is the one way to come back to a window whose index depends on the user's configuration.
    yield ("select-window", "-t", "{marked}")
    yield ("select-pane", "-M")
