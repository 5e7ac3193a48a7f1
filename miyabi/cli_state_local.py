"""``miyabi state`` on a workspace of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from miyabi.cli_fleet import print_json, working
from miyabi.errors import StateError
from miyabi.local_state import LocalState
from miyabi.masking import shown
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.workspace import SeenWorkspace
from miyabi.state_decisions import repairing, replaying, resetting, restoring
from miyabi.state_looked import Looked, found_backups
from miyabi.state_material import Decide, Wanted, agent_pids, backup_of
from miyabi.state_repair import Settled, look_and_decide, settle
from miyabi.state_view import settled_code, settled_json
from miyabi.words import counted

if TYPE_CHECKING:
    from miyabi.cli_fleet import Progress
    from miyabi.cli_state_act import Order
    from miyabi.cli_state_place import Place

# How often it is told how far a look is.
_EVERY = 25


def look_here(path: str, progress: Progress) -> Looked:
    """How the sessions of a folder are."""

    def tell(number: int) -> None:
        if number and number % _EVERY == 0:
            progress.now(f"looking at {shown(path)}: {counted(number, 'session')} so far")

    seen, reports = LocalState(path, _rules(path)).judged(tell)
    held = tuple(each.name for each in seen.locks if each.holder == "alive")
    return Looked(
        *(seen.path, seen.now, "", seen.trouble),
        *(tuple(each.to_json() for each in reports), found_backups(seen.backups), held, bool(seen.events)),
    )


def back_up_here(path: str, label: str) -> str:
    """Keep a folder's state as it is now; what the backup is called."""
    return LocalState(path, _rules(path)).back_up(label)


def change_here(place: Place, order: Order) -> int:
    """Do what a human wants in a folder, after it was shown and he has said yes; the exit code."""
    from miyabi.cli_state_act import allowed, finish, tell_settled  # noqa: PLC0415 - it imports this module

    there = LocalState(place.workspace, _rules(place.workspace))
    decide = _decide(order, there.rules)
    with working(f"looking at {place.words}", is_json=order.is_json):
        seen = there.look()
        if seen.trouble:
            raise StateError(f"{place.words}: {shown(seen.trouble)}")
        names = _names(place.sessions, seen, order)
        plan = look_and_decide(there, names, decide)
    code = settled_code(plan, is_plan=True)
    is_idle = all(each.outcome in {"nothing", "failed"} for each in plan)
    if order.dry or is_idle:
        code = code if order.dry else settled_code(plan, is_plan=False)
        if order.is_json:
            done = [settled_json(each) for each in plan]
            print_json({"action": order.action, "dry": order.dry, "exit_code": code, "sessions": done})
        else:
            tell_settled(plan, is_plan=True)
            click.echo("\nnothing was changed")
        return code
    if not (order.is_json or order.yes):
        tell_settled(plan, is_plan=True)
    if not allowed(order, [_around(there, seen, names)], place.words):
        return 1
    todo = [each.name for each in plan if each.outcome != "nothing"]
    kept = there.back_up() if order.action != "repair" else ""
    settled = _settle(there, todo, decide, order)
    return finish(order, place, settled, kept)


def _settle(there: LocalState, names: Sequence[str], decide: Decide, order: Order) -> tuple[Settled, ...]:
    with working(f"{order.action}: {counted(len(names), 'session')}", is_json=order.is_json) as progress:
        done: list[str] = []

        def tell(settled: Settled) -> None:
            done.append(settled.name)
            progress.now(f"{order.action}: {len(done)} of {counted(len(names), 'session')}")

        # A program that goes on with what was put back, or begins anew at once, is what was wanted.
        return settle(there, names, decide, tell, insist=order.action == "repair")


def _decide(order: Order, rules: Orchestration) -> Decide:
    if order.action == "repair":
        return repairing(rules)
    if order.action == "replay":
        return replaying(rules)
    return restoring(rules, order.backup) if order.action == "restore" else resetting()


def _names(wanted: Sequence[str], seen: SeenWorkspace, order: Order) -> list[str]:
    """The sessions that are meant; those that are gone can be put back, or rebuilt."""
    from miyabi.cli_state_place import require_sessions  # noqa: PLC0415 - as above

    there = [each.name for each in seen.sessions]
    if order.action in {"restore", "replay"}:
        there += sorted({name for each in seen.backups if (name := backup_of(each.name))} - set(there))
    if order.action == "replay" and seen.events:
        # Of a session whose file is gone, the log may be all that is left.
        return list(wanted or there)
    require_sessions(wanted, there)
    return list(wanted or there)


def _around(there: LocalState, seen: SeenWorkspace, names: Sequence[str]) -> Looked:
    """Which of some sessions a running program holds, and which have agents that run."""
    held = {each.name for each in seen.locks if each.holder == "alive"}
    contents = there.contents(Wanted(tuple(names))).sessions
    pids = {name: agent_pids(content) for name, content in contents.items()}
    asked = sorted({pid for each in pids.values() for pid in each.values()})
    around = there.look(asked) if asked else seen
    changed = {each.name: each.changed_at for each in seen.sessions}
    living = {
        name
        for name, each in pids.items()
        if any(around.is_gone(pid, changed.get(name, seen.now)) is False for pid in each.values())
    }
    locked, with_agents = (tuple(name for name in names if name in each) for each in (held, living - held))
    return Looked(seen.path, seen.now, held=locked, living=with_agents)


def _rules(path: str) -> Orchestration:
    return Orchestration(path)
