"""The plan: which tmux commands remove which drift, level by level. Pure.

A plan never names a pane by anything but its id or, for one that it has just made, by its place in a window that it has
just made. Nothing here ends a process that runs: only dead panes, and idle shells whose agent could not be brought
back by L1, are closed, and only after their replacement stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from typing_extensions import override

from miyabi import state
from miyabi.build import Size, adopt, build_session, build_window, pane_start, split, typed
from miyabi.conversation import registrations
from miyabi.drift import Drift, Target
from miyabi.layout import resolve_layout
from miyabi.levels import Level
from miyabi.match import PaneMatch, SessionMatch, WindowMatch
from miyabi.tmux_command import TmuxCommand
from miyabi.tmux_listing import SESSION_NAME_OPTION, WINDOW_NAME_OPTION


@dataclass(frozen=True, slots=True)
class Action:
    """One step of a plan.

    + level: the level that it belongs to
    + does: what it does, such as ``Restarting pane``
    + target: to what
    + reason: because of which drift
    + commands: the tmux commands, to be run together
    + adopts: whether it does no more than to give its target the spec's name
    + closes: the ids of the panes that it closes
    + before: a script to run on the host first, with its working directory; the action is left out when it fails
    + first: shell text that is run before all that; whether it succeeds does not matter
    + ends: shell text that ends what is in the way; the commands are left out when it fails, or has found it at work
    """

    level: Level
    does: str
    target: Target
    reason: str
    commands: tuple[TmuxCommand, ...]
    adopts: bool = False
    closes: tuple[str, ...] = ()
    before: tuple[str, str | None] | None = None
    first: str = ""
    ends: str = ""

    @override
    def __str__(self) -> str:
        return f"{self.level.name} {self.does} {self.target} ({self.reason})"


@dataclass(slots=True)
class _Context:
    """What the planning of one level on one host needs to know."""

    level: Level
    drifts: dict[Target, Drift]
    taken: set[int] = field(default_factory=set)


def acted_on(actions: Iterable[Action], drifts: Iterable[Drift]) -> tuple[Drift, ...]:
    """The drifts that ``actions`` would remove."""
    levels = {action.target: action.level for action in actions}
    return tuple(drift for drift in drifts if any(levels.get(scope) == drift.level for scope in drift.target.scopes()))


def make_plan(matches: Iterable[SessionMatch], drifts: Iterable[Drift], level: Level) -> tuple[Action, ...]:
    """The actions by which ``level`` removes its drifts, in the order of the spec.

    + drifts: those of every level, already escalated; the others' are left alone
    """
    context = _Context(level, {drift.target: drift for drift in drifts if drift.level == level})
    return tuple(action for match in matches for action in _session_actions(match, context))


def _session_actions(match: SessionMatch, context: _Context) -> Iterator[Action]:
    target = Target(match.session.session_name)
    drift = context.drifts.get(target)
    if match.seen is None:
        if drift is not None:
            elsewhere = {pane.pane.name for window in match.windows for pane in window.panes if pane.seen is not None}
            script = match.session.before_script
            yield Action(
                context.level,
                "Creating session",
                target,
                drift.reason,
                tuple(build_session(match.session, elsewhere)),
                before=(script, match.session.start_directory) if script else None,
                first=registrations(
                    pane.pane for window in match.windows for pane in window.panes if pane.seen is None
                ),
            )
        return
    if drift is not None and drift.kind == "unmarked":
        option = ("set-option", "-t", f"{match.seen.session_id}:", SESSION_NAME_OPTION, target.session)
        yield Action(context.level, "Adopting session", target, drift.reason, (option,), adopts=True)
    context.taken = {window.window_index for window in match.seen.windows}
    previous = match.seen.base_index - 1
    for window in match.windows:
        yield from _window_actions(target, match.seen, window, previous, context)
        previous = window.seen.window_index if window.seen else previous


def _window_actions(
    session: Target, seen: state.Session, match: WindowMatch, previous: int, context: _Context
) -> Iterator[Action]:
    target = Target(session.session, match.window.name)
    drift = context.drifts.get(target)
    if match.seen is None:
        if drift is not None:
            index = _free_index(match, previous, context.taken)
            context.taken.add(index)
            missing = {pane.pane.name for pane in match.panes if pane.seen is None}
            yield Action(
                context.level,
                "Rebuilding window",
                target,
                drift.reason,
                tuple(build_window(match.window, f"{seen.session_id}:{index}", missing)),
                first=registrations(pane.pane for pane in match.panes if pane.seen is None),
            )
        return
    if drift is not None and drift.kind == "unmarked":
        option = ("set-option", "-w", "-t", match.seen.window_id, WINDOW_NAME_OPTION, match.window.name)
        yield Action(context.level, "Adopting window", target, drift.reason, (option,), adopts=True)
    damaged = [
        (pane, drift)
        for pane in match.panes
        if (drift := context.drifts.get(Target(session.session, match.window.name, pane.pane.name)))
    ]
    if context.level is Level.L1:
        for pane, drift in damaged:
            yield _repair_pane(match, match.seen, pane, drift)
    elif damaged:
        yield _rebuild_window(target, match, match.seen, damaged, context.level)


def _free_index(match: WindowMatch, previous: int, taken: set[int]) -> int:
    """Where a missing window goes: its own index, the place behind its predecessor, or the end."""
    wanted = previous + 1 if match.window.window_index is None else match.window.window_index
    return wanted if wanted not in taken else max(taken) + 1


def _repair_pane(window: WindowMatch, seen: state.Window, match: PaneMatch, drift: Drift) -> Action:
    pane, first = match.pane, registrations([match.pane])
    if match.seen is None:
        commands = _put_back(window, seen, match)
        return Action(Level.L1, "Restoring pane", drift.target, drift.reason, tuple(commands), first=first)
    pane_id = match.seen.pane_id
    if drift.kind == "unmarked":
        return Action(Level.L1, "Adopting pane", drift.target, drift.reason, tuple(adopt(pane, pane_id)), adopts=True)
    if drift.kind == "agent-exited":
        leave_mode = ("if-shell", "-F", "-t", pane_id, "#{pane_in_mode}", f"send-keys -t {pane_id} -X cancel")
        commands = [leave_mode, *typed(pane, pane_id)]
        return Action(Level.L1, "Restarting agent", drift.target, drift.reason, tuple(commands), first=first)
    commands = [
        # A pane whose own process has ended has lost its directory: it is told again.
        ("respawn-pane", "-t", pane_id, *pane_start(pane)),
        *(adopt(pane, pane_id) if not match.marked else ()),
        *(() if pane.supervised else typed(pane, pane_id)),
    ]
    return Action(Level.L1, "Restarting pane", drift.target, drift.reason, tuple(commands), first=first)


def _anchor(window: WindowMatch, seen: state.Window, match: PaneMatch) -> tuple[str, bool]:
    """The pane to split for a missing one, and whether the new one comes before it."""
    here = {pane.pane_id for pane in seen.panes}
    position = window.panes.index(match)
    for other in reversed(window.panes[:position]):
        if other.seen is not None and other.seen.pane_id in here:
            return other.seen.pane_id, False
    for other in window.panes[position + 1 :]:
        if other.seen is not None and other.seen.pane_id in here:
            return other.seen.pane_id, True
    return seen.panes[-1].pane_id, False


def _put_back(window: WindowMatch, seen: state.Window, match: PaneMatch) -> list[TmuxCommand]:
    """Split a missing pane back in, without taking the view from whoever looks at the window."""
    anchor, before = _anchor(window, seen, match)
    active = next((pane.pane_id for pane in seen.panes if pane.active), anchor)
    layout = _layout(window, seen, len(seen.panes) + sum(pane.seen is None for pane in window.panes))
    return [
        # A layout with a large main pane leaves no room for a split; it is applied again at once.
        *([_room(window, seen, anchor, Level.L1)] if layout else []),
        *split(match.pane, anchor, before=before, window=seen.window_id),
        *layout,
        *_look_at(seen, active),
    ]


def _look_at(seen: state.Window, pane_id: str) -> list[TmuxCommand]:
    """Make a pane the active one again, as large as it was: every split ends a zoom."""
    zoom: list[TmuxCommand] = [("resize-pane", "-Z", "-t", pane_id)] if seen.zoomed else []
    return [("select-pane", "-t", pane_id), *zoom]


def _is_shared(window: WindowMatch, seen: state.Window) -> bool:
    """Whether a human's pane is in the window: it is not to be moved."""
    known = {pane.seen.pane_id for pane in window.panes if pane.seen is not None}
    return any(pane.pane_id not in known for pane in seen.panes)


def _layout(window: WindowMatch, seen: state.Window, panes: int) -> list[TmuxCommand]:
    if window.window.layout is None or _is_shared(window, seen):
        return []
    width, height = Size.of_layout(seen.layout)
    return [("select-layout", "-t", seen.window_id, resolve_layout(window.window.layout, panes, width, height))]


def _room(window: WindowMatch, seen: state.Window, anchor: str, level: Level) -> TmuxCommand:
    """What makes room: a human's panes keep their places and only shrink, until nothing but L3 is left to try."""
    if _is_shared(window, seen) and level < Level.L3:
        return ("select-layout", "-E", "-t", anchor)
    return ("select-layout", "-t", seen.window_id, "tiled")


def _rebuild_window(
    target: Target, window: WindowMatch, seen: state.Window, damaged: list[tuple[PaneMatch, Drift]], level: Level
) -> Action:
    """Make every damaged pane of a window anew beside the healthy ones, then close what the new ones replace."""
    commands: list[TmuxCommand] = []
    closes: list[str] = []
    here = {pane.pane_id for pane in seen.panes}
    for match, _ in damaged:
        anchor, before = _anchor(window, seen, match)
        if match.seen is not None:
            closes.append(match.seen.pane_id)
            if match.seen.pane_id in here:
                anchor, before = match.seen.pane_id, False
        # Room first: a window full of small panes refuses a split.
        commands += [
            _room(window, seen, anchor, level),
            *split(match.pane, anchor, before=before, window=seen.window_id),
        ]
    commands += [("kill-pane", "-t", pane_id) for pane_id in closes]
    commands += _layout(window, seen, len(seen.panes) + len(damaged) - len(closes))
    active = next((pane.pane_id for pane in seen.panes if pane.active), None)
    if active is not None and active not in closes:
        commands += _look_at(seen, active)
    reason = "; ".join(f"{drift.target}: {drift.reason}" for _, drift in damaged)
    first = registrations(match.pane for match, _ in damaged)
    return Action(level, "Rebuilding window", target, reason, tuple(commands), closes=tuple(closes), first=first)
