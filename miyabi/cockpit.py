"""The operator's cockpit: one tmux session on the control machine, with a window for each session to look at. Pure.

A window of ours is known by what tmux started in its pane (``miyabi.cockpit_loop``): whoever starts something else in
it has made it theirs.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import quote, unquote
from zlib import crc32

from miyabi.cockpit_loop import CONNECTING, LOOP, PROGRAM, RUN, STATE_OPTION, attach_text
from miyabi.cockpit_way import Way, way_to
from miyabi.masking import shown
from miyabi.spec import Spec, TmuxServer
from miyabi.spec_cockpit import Attached

# The mark of the session that is a cockpit.
MARK = "@miyabi_cockpit"

# missing: not there. starting: too new to tell. connecting: on its way. waiting: until it tries again. detached: by a
# human. refused: until a human has seen to it. down: it cannot be reached by any way. ended: its loop has.
Condition = Literal["attached", "connecting", "starting", "waiting", "detached", "refused", "down", "ended", "missing"]
_SAID: Mapping[str, Condition] = {
    "waiting": "waiting", "detached": "detached", "refused": "refused", "down": "down",
}  # fmt: skip

_OURS = f"#{{m:*{PROGRAM}*,#{{pane_start_command}}}}"
# As much of it as any key needs: the rest is the loop itself.
_LONGEST = 2000
# The panes of all cockpits of a server; what tmux started in one is shown in one line, whatever it holds.
LISTING: tuple[str, ...] = (
    "list-panes", "-a", "-f", _OURS, "-F",
    "|".join(
        (
            "C", "#{pane_id}", "#{window_id}", "#{session_id}", "#{pane_pid}", "#{pane_dead}", "#{pane_dead_status}",
            "#{pane_dead_signal}", f"#{{==:#{{pane_title}},{CONNECTING}}}", f"#{{{STATE_OPTION}}}",
            f"#{{={_LONGEST}:pane_start_command}}",
        )
    ),
)  # fmt: skip
_STARTED = re.compile(rf'sh -c .*? {PROGRAM} "?(?P<key>[!-~]+?)"? "?(?P<digest>[0-9a-f]+)"? ')


@dataclass(frozen=True, slots=True)
class CockpitWindow:
    """A window that a cockpit must have.

    + host, session: what it shows
    + command: the words that attach to it; () when nothing does
    + advice: what a human may do where they do not attach, or why nothing does
    """

    host: str
    session: str
    command: tuple[str, ...]
    advice: str

    @property
    def label(self) -> str:
        """What it is called: ``mugen:miyabi``."""
        return shown(f"{self.host}:{self.session}")

    def key(self, cockpit: str) -> str:
        """By which it is known in a cockpit of that name, however anything is written."""
        return "/".join(quote(each, safe="").replace("~", "%7E") for each in (cockpit, self.host, self.session))

    @property
    def digest(self) -> str:
        """Another one when it would be attached in another way."""
        return f"{crc32(repr((LOOP, self.command, self.advice)).encode(errors='replace')):08x}"

    def start(self, cockpit: str) -> tuple[str, ...]:
        """The words that tmux runs in its pane; no shell reads them."""
        return ("sh", "-c", RUN, PROGRAM, self.key(cockpit), self.digest, LOOP, self.label, self.advice, *self.command)


@dataclass(frozen=True, slots=True)
class CockpitPane:
    """A pane in which a loop of ours was started.

    + key, digest: of the window that it was started for
    + dead: in words, how the loop has ended; "" when it runs
    + connecting: whether its session is not shown yet, should it be on its way
    + said: what it said of itself last; "" when nothing, or when another process said it
    + since, until: of that, in seconds since the epoch; 0 is none
    + why: in words
    """

    pane_id: str
    window_id: str
    session_id: str
    key: str
    digest: str
    dead: str = ""
    connecting: bool = False
    said: str = ""
    since: float = 0.0
    until: float = 0.0
    why: str = ""

    def is_of(self, cockpit: str) -> bool:
        """Whether it is a pane of the cockpit of that name."""
        return _parts(self.key)[0] == cockpit

    @property
    def condition(self) -> Condition:
        """How it stands."""
        if self.dead:
            return "ended"
        if self.said == "trying":
            return "connecting" if self.connecting else "attached"
        return _SAID.get(self.said, "starting")


@dataclass(frozen=True, slots=True)
class WindowStatus:
    """How a window of the cockpit stands, by what it is called."""

    label: str
    condition: Condition
    since: float | None = None
    until: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class CockpitPlan:
    """What is to be done so that a cockpit is as it must be.

    + make: windows that are missing
    + rerun: loops that have ended, or would attach in another way by now, with their panes
    + remove: panes of windows that are wanted no more
    """

    make: tuple[CockpitWindow, ...] = ()
    rerun: tuple[tuple[CockpitPane, CockpitWindow], ...] = ()
    remove: tuple[CockpitPane, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.make or self.rerun or self.remove)


def cockpit_windows(
    hosts: Iterable[tuple[str, Mapping[str, object], Spec]],
    cockpit: str,
    server: TmuxServer,
    expanded: Callable[[str], str],
) -> Iterator[CockpitWindow]:
    """The windows that a cockpit has for the sessions of a fleet that are ``attached``.

    + hosts: names, data in the inventory and specs, in the order of the windows
    + cockpit, server: the cockpit's own name and tmux server: it is not shown in itself
    + expanded: gives a path with ``~`` as this machine reads it
    """
    for host, data, wanted in hosts:
        way: Way | None = None
        for session in wanted.sessions:
            if session.attached is None:
                continue
            way = way or way_to(host, data, expanded)
            there = _server(data, wanted)
            if way.is_local and (session.session_name, there.socket_name) == (cockpit, server.socket_name):
                yield CockpitWindow(host, session.session_name, (), "it is the cockpit itself")
                continue
            yield _window(host, session.session_name, session.attached, there, way)


def _window(host: str, session: str, attached: Attached, server: TmuxServer, way: Way) -> CockpitWindow:
    if way.why_not:
        return CockpitWindow(host, session, (), way.why_not)
    text = attach_text(session, server, read_only=attached.read_only)
    if way.is_local:
        return CockpitWindow(host, session, ("sh", "-c", text), way.advice)
    return CockpitWindow(host, session, (*way.ssh, f"sh -c {shlex.quote(text)}"), way.advice)


def _server(data: Mapping[str, object], wanted: Spec) -> TmuxServer:
    """The server that the host's sessions live in: its data's wins over its spec's, as in a run."""
    told = data.get("tmux")
    name = told.get("socket_name") if isinstance(told, dict) else wanted.tmux.socket_name
    return TmuxServer(name if isinstance(name, str) else None)


def parse_listing(lines: Iterable[str]) -> tuple[CockpitPane, ...]:
    """The panes that ``LISTING`` tells of; one in a linked window is told once."""
    found: dict[str, CockpitPane] = {}
    for line in lines:
        fields = line.split("|", 10)
        started = _STARTED.match(fields[10]) if len(fields) == 11 and fields[0] == "C" else None
        if started is not None:
            _, pane_id, window_id, session_id, pid, dead, status, signal, connecting, state, _ = fields
            ended = f"signal {signal}" if signal else f"exit code {status}" if status else "nobody knows how"
            pane = CockpitPane(
                pane_id,
                window_id,
                session_id,
                key=started["key"],
                digest=started["digest"],
                dead=ended if dead == "1" else "",
                connecting=connecting == "1",
            )
            found[pane_id] = _with_words(pane, state, pid)
    return tuple(found.values())


def _with_words(pane: CockpitPane, state: str, pid: str) -> CockpitPane:
    """The pane with what its loop has said; with nothing when that was an earlier one in the same pane."""
    fields = state.split(" ", 4)
    if len(fields) != 5 or fields[3] != pid or not (fields[1].isdigit() and fields[2].isdigit()):
        return pane
    said, since, until, _, why = fields
    return replace(pane, said=said, since=float(since), until=float(until), why=why.removesuffix("."))


def plan_cockpit(
    wanted: Sequence[CockpitWindow],
    panes: Iterable[CockpitPane],
    cockpit: str,
    kept: Callable[[str], bool] | None = None,
) -> CockpitPlan:
    """What is to be done.

    + panes: all that there are
    + kept: whether the windows of a host stay though they are not wanted; None is that all of them stay
    """
    windows = {window.key(cockpit): window for window in wanted}
    ours = [pane for pane in panes if pane.is_of(cockpit)]
    # Of several for one session the first that lives stays.
    by_key: dict[str, CockpitPane] = {}
    for pane in sorted(ours, key=lambda pane: bool(pane.dead)):
        by_key.setdefault(pane.key, pane)
    return CockpitPlan(
        make=tuple(window for key, window in windows.items() if key not in by_key),
        rerun=tuple(
            (pane, windows[key]) for key, pane in by_key.items() if key in windows and _again(pane, windows[key])
        ),
        remove=tuple(
            pane
            for pane in ours
            if kept is not None
            and (by_key[pane.key] is not pane or (pane.key not in windows and not kept(_parts(pane.key)[1])))
        ),
    )


def _again(pane: CockpitPane, window: CockpitWindow) -> bool:
    """Whether a loop has to be run again; one that is attached is left alone, by whatever way it came there."""
    return bool(pane.dead) or (pane.digest != window.digest and pane.condition != "attached")


def cockpit_status(
    wanted: Sequence[CockpitWindow], panes: Iterable[CockpitPane], cockpit: str
) -> tuple[WindowStatus, ...]:
    """How each window of a cockpit stands: those that are wanted in their order, then those that are not any more."""
    windows = {window.key(cockpit): window for window in wanted}
    there = {pane.key: pane for pane in panes if pane.is_of(cockpit)}
    found = [
        _status(window.label, there[key]) if key in there else WindowStatus(window.label, "missing")
        for key, window in windows.items()
    ]
    left = [pane for key, pane in there.items() if key not in windows]
    return (*found, *(replace(_status(label_of(pane), pane), why="it is not wanted any more") for pane in left))


def _status(label: str, pane: CockpitPane) -> WindowStatus:
    return WindowStatus(label, pane.condition, pane.since or None, pane.until or None, pane.dead or pane.why)


def label_of(pane: CockpitPane) -> str:
    """What the window of a pane is called."""
    return shown(":".join(_parts(pane.key)[1:]))


def _parts(key: str) -> list[str]:
    """The cockpit, the host and the session of a key."""
    parts = [unquote(each) for each in key.split("/")]
    return parts if len(parts) == 3 else ["", "", ""]
