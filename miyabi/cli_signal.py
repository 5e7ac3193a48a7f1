"""The command ``miyabi signal``: somebody else says that something is wrong, and so it is looked at."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

import click

from miyabi.cli_fleet import (
    FleetOfClone,
    as_json,
    clock,
    fleet_of_clone,
    history_if_any,
    keep,
    new_run,
    print_json,
    say,
    show,
    working,
)
from miyabi.cli_options import plainly
from miyabi.cli_recover import Order, outcomes_of, run_order
from miyabi.errors import RunError, TargetError
from miyabi.fleet_look import look_at
from miyabi.gate_pauses import is_within
from miyabi.host_status import DriftStatus, HostStatus, drift_json
from miyabi.journal import set_attention
from miyabi.levels import Level
from miyabi.masking import shown
from miyabi.records import IncidentChanged, Signalled
from miyabi.run_outcome import exit_code, outcome_json
from miyabi.run_view import outcome_table
from miyabi.signals import INCOMING
from miyabi.target_name import TargetName, name_target
from miyabi.words import both_clocks, iso


@click.command(short_help="Tell that something is wrong, so that it is looked at.")
@click.argument("name", metavar="SIGNAL", type=click.Choice(list(INCOMING)))
@click.argument("target")
@as_json
@plainly
def signal(name: str, target: str, *, is_json: bool) -> None:
    """Tell that something is wrong with TARGET: it is looked at, and what is damaged is recovered through the gate.

    SIGNAL is agent-unresponsive or agent-timeout (L1), session-crash (L2) or instance-failure (L4). TARGET is written
    as for `miyabi pause`. A signal makes the tool look; it ends nothing that lives. Exit code: as of `miyabi recover`.
    """
    fleet, now = fleet_of_clone(), clock()
    named = name_target(target, fleet.known())
    if not named.host:
        raise TargetError("all: a signal is about one host; name it")
    run = new_run(now)
    keep(fleet, Signalled(event=f"{run}.s", run=run, at=now, signal=name, host=named.host, target=named.target))
    with working(f"looking at {named.host}", is_json=is_json):
        looked = look_at(fleet, [named.host], now)
    alarm = _Alarm(named, INCOMING[name], run, is_json)
    [status] = looked.statuses
    if alarm.level is not Level.L4:
        _recover(fleet, alarm, status)
    elif fleet.hosts[named.host].get("instance_id"):
        # What its instance needs, and may be done to it, is found out there.
        _run(fleet, alarm, Level.L4, [drift_json(each) for each in status.drifts])
    else:
        _no_instance(fleet, alarm, status, now)


@dataclass(frozen=True, slots=True)
class _Alarm:
    """What is told: of which target, the level that answers it, by which run, and how it is to be answered."""

    named: TargetName
    level: Level
    run: str
    is_json: bool


def _recover(fleet: FleetOfClone, alarm: _Alarm, status: HostStatus) -> None:
    """Recover the host when something is wrong with the target, as far as that takes."""
    named, is_json = alarm.named, alarm.is_json
    if status.health in {"unknown", "unreachable", "asleep"}:
        raise RunError(f"{shown(named.host)} is {status.health}: {shown(status.reason)}; nothing is done to it")
    wrong = [each for each in status.drifts if _is_about(each, named)]
    if not wrong:
        _tell_well(named, status, is_json=is_json)
        return
    needed = max([alarm.level, *(Level[each.level] for each in wrong if each.level in Level.__members__)])
    if not is_json:
        for each in wrong:
            click.echo(f"{shown(named.host)}:{shown(each.found.target)}: {shown(each.found.reason)}")
    _run(fleet, alarm, needed, [drift_json(each) for each in wrong])


def _run(fleet: FleetOfClone, alarm: _Alarm, needed: Level, found: list[dict[str, Any]]) -> NoReturn:
    """Recover the host as far as a level, and end as ``miyabi recover`` does."""
    named, is_json = alarm.named, alarm.is_json
    order = Order(alarm.run, (named.host,), "auto", needed.name)
    code = run_order(fleet, order, is_json=is_json)
    outcomes = outcomes_of(fleet, order)
    ended = exit_code(outcomes, code)
    if is_json:
        hosts = [outcome_json(each) for each in outcomes]
        print_json({**_head(named), "found": found, "max_level": needed.name, "exit_code": ended, "hosts": hosts})
    else:
        show(lambda _: outcome_table(outcomes, clock()))
    raise SystemExit(ended)


def _is_about(drift: DriftStatus, named: TargetName) -> bool:
    """Whether a drift is the target's own, of something in it, or of what holds it."""
    return is_within(drift.found.target, named.target) or is_within(named.target, drift.found.target)


def _tell_well(named: TargetName, status: HostStatus, *, is_json: bool) -> None:
    if is_json:
        print_json({**_head(named), "found": [], "max_level": None, "exit_code": 0, "hosts": []})
        return
    click.echo(f"{shown(str(named))} is as its spec says: nothing was done, a signal ends nothing that lives")
    if status.drifts:
        click.echo(f"elsewhere on {shown(status.host)} something has drifted: miyabi status --limit {status.host}")


def _head(named: TargetName) -> dict[str, Any]:
    return {"host": named.host, "target": named.target}


def _no_instance(fleet: FleetOfClone, alarm: _Alarm, status: HostStatus, now: float) -> None:
    """Say what is known of a host of which an instance's failure is told, and which is none."""
    named = alarm.named
    answers = status.health not in {"unreachable", "asleep"}
    since = "" if status.since is None else f" since {both_clocks(status.since)}"
    words = f"it answers, and is {status.health}" if answers else f"it is not reached{since}: {shown(status.reason)}"
    incident = None if answers else _open(fleet, alarm, now, words)
    if alarm.is_json:
        told: dict[str, Any] = {"found": [], "max_level": None, "exit_code": 1, "hosts": [], "answers": answers}
        print_json({**_head(named), **told, "since": iso(status.since), "reason": words, "incident": incident})
    else:
        say(f"{shown(named.host)}: {words}")
        say(f"{shown(named.host)} is no EC2 instance of inventory/ec2.yaml (L4): nothing was done")
        if incident is not None:
            say(f"incident {incident} is open: miyabi incidents")
    raise SystemExit(1)


def _open(fleet: FleetOfClone, alarm: _Alarm, now: float, words: str) -> str:
    """Open an incident about a host that is not reached, unless one is open; its name."""
    named, run = alarm.named, alarm.run
    with history_if_any(fleet, now) as history:
        known = () if history is None else history.open_incidents()
    for each in known:
        if (each.host, each.target, each.kind) == (named.host, "", "unreachable"):
            return each.incident
    incident = IncidentChanged(
        event=f"{run}.i",
        run=run,
        at=now,
        incident=f"{run}.i",
        change="opened",
        host=named.host,
        target="",
        kind="unreachable",
        severity="HIGH",
        summary=f"an instance's failure is told of {named.host}: {words}",
        opened_at=now,
        # Told here, to whoever called: the channels hear of it from the next run, as of what is still open.
        told_at=0.0,
    )
    keep(fleet, incident)
    with suppress(OSError):
        # Else a run that finds all well would not ask whether anything is open, and never close it.
        set_attention(fleet.folder, wanted=True)
    return incident.incident
