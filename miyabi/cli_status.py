"""The commands ``miyabi status`` and ``miyabi explain``: how the fleet stands, and why something is judged as it is."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import replace

import click

from miyabi.cli_fleet import (
    FleetOfClone,
    as_json,
    clock,
    fleet_of_clone,
    history_if_any,
    print_json,
    show,
    width_of_output,
    working,
)
from miyabi.cli_options import plainly
from miyabi.ec2_hosts import ssh_words
from miyabi.errors import TargetError
from miyabi.explanation import Case, case_json, concerns, explain as parts_of, newest
from miyabi.fleet_look import FleetLook, look_at
from miyabi.gate import TargetHistory
from miyabi.host_status import exit_code, in_order, status_json
from miyabi.masking import masked, shown
from miyabi.records import DriftSeen, Recovered, Signalled
from miyabi.status_view import next_step, status_table, summed_up
from miyabi.target_name import TargetName, name_target
from miyabi.words import counted, iso

# Records of one target that an explanation goes by, at most.
_MOST = 50

# The widest text that is easily read, and the column in which it begins.
_WIDEST = 110
_MARGIN = 10


@click.command(short_help="How the fleet stands now, and what the gate says.")
@click.option("--limit", "limits", multiple=True, metavar="HOST", help="Only this host, group or pattern; repeatable.")
@as_json
@plainly
def status(limits: tuple[str, ...], *, is_json: bool) -> None:
    """Look at the fleet now: each host, what is wrong with it, since when, and what the gate says to its repair.

    Nothing is changed, and nothing that is seen counts as a try. Exit code: 0 when all is as the specs say (a phone or
    a laptop may be asleep), 2 when something has drifted, 1 when a host cannot be reached or judged.
    """
    fleet = fleet_of_clone()
    hosts = fleet.chosen(limits)
    with working(f"looking at {counted(len(hosts), 'host')}", is_json=is_json):
        looked = look_at(fleet, hosts, clock())
    # Of instances that nobody knows of nobody can tell, either.
    code = 1 if fleet.unknown_regions and not limits else exit_code(looked.statuses)
    if is_json:
        print_json(_as_json(looked, code, fleet.unknown_regions))
    else:
        _print(looked, fleet.not_known)
    raise SystemExit(code)


def _print(looked: FleetLook, not_known: str) -> None:
    show(lambda width: status_table(looked.statuses, looked.now, width))
    summary = summed_up(looked.statuses, len(looked.outlook.remembered.incidents)) + not_known
    click.echo("\n" + textwrap.fill(summary, width_of_output()))
    if hint := next_step(looked.statuses):
        click.echo(hint)


def _as_json(looked: FleetLook, code: int, unknown_regions: Sequence[str]) -> dict[str, object]:
    return {
        "at": iso(looked.now),
        "exit_code": code,
        "is_remembered": looked.is_remembered,
        "unknown_regions": list(unknown_regions),
        "open_incidents": len(looked.outlook.remembered.incidents),
        "hosts": [status_json(each) for each in in_order(looked.statuses)],
    }


@click.command(short_help="Why something is judged as it is, and what comes next.")
@click.argument("target")
@as_json
@plainly
def explain(target: str, *, is_json: bool) -> None:
    """Say why TARGET is judged as it is: the evidence, its history, what the gate says, and what comes next.

    TARGET is HOST, HOST:SESSION:WINDOW.PANE, HOST:SUBJECT such as 'mugen:server mcp', or a pane's name when only one
    has it. Nothing is changed. Exit code: 0 when it is as its spec says, 2 when it has drifted, 1 when nobody can tell.
    """
    fleet = fleet_of_clone()
    named = name_target(target, fleet.known())
    if not named.host:
        raise TargetError("all: an explanation is about one host, or something on it; for the fleet: miyabi status")
    with working(f"looking at {named.host}", is_json=is_json):
        case = _case(fleet, named, look_at(fleet, [named.host], clock()))
    if is_json:
        print_json({**case_json(case), "exit_code": _code(case)})
    else:
        _print_parts(case)
    raise SystemExit(_code(case))


def _case(fleet: FleetOfClone, named: TargetName, looked: FleetLook) -> Case:
    """All that is known of a target."""
    [status] = looked.statuses
    about = named.target
    drifts = tuple(each for each in status.drifts if concerns(each.found.target, about))
    told = tuple(each for each in (*status.unknown, *status.warnings) if concerns(each.target, about))
    wanted = looked.specs.get(named.host)
    holds = looked.outlook.holds(named.host, drifts[0].found, wanted) if drifts and wanted else ()
    data = fleet.hosts.get(named.host, {})
    is_instance = bool(data.get("instance_id"))
    ssh = ssh_words(data) if is_instance else ()
    case = Case(named, status, wanted, looked.now, drifts, told, holds=holds, is_instance=is_instance, ssh=ssh)
    with history_if_any(fleet, looked.now) as history:
        if history is None:
            return case
        known = history.target_histories(named.host, [about], looked.now).get(about, TargetHistory())
        seen = history.records(DriftSeen, host=named.host, limit=_MOST * 20)
        recovered = history.records(Recovered, host=named.host, limit=_MOST * 20)
        is_task = about.startswith("task ")
        signals = history.records(Signalled, host=named.host, limit=_MOST * 20) if is_task else []
    is_damaged = any(each.found.kind != "unmarked" for each in drifts)
    if case.is_judged:
        known = replace(known, sightings=(*known.sightings, (looked.now, is_damaged)))
    return replace(
        case,
        history=known,
        seen=tuple(newest(seen, about, _MOST)),
        recovered=tuple(newest(recovered, about, _MOST)),
        chosen=tuple(each for each in signals if each.target == about),
        incidents=tuple(
            each
            for each in looked.outlook.remembered.incidents
            if f"{named}" in each.covers or (each.host == named.host and concerns(each.target, about))
        ),
    )


def _code(case: Case) -> int:
    if not case.is_judged or (not case.drifts and any(each.kind == "unknown" for each in case.told)):
        return 0 if case.status.health == "asleep" else 1
    return 2 if case.drifts else 0


def _print_parts(case: Case) -> None:
    width = min(width_of_output(), _WIDEST)
    for label, lines in parts_of(case):
        for number, line in enumerate(lines):
            text = shown(masked(line))
            if not label:
                click.secho(text, bold=True)
                continue
            head = f"{label if number == 0 else '':<{_MARGIN}}"
            click.echo(_wrapped(text, head, width))


def _wrapped(text: str, head: str, width: int) -> str:
    """A line of words is wrapped; a command stays in one piece, to be copied, and what it is for may go below it."""
    command, mark, comment = text.partition("    # ")
    if mark and len(head + text) > width:
        return f"{head}{command}\n{' ' * _MARGIN}  # {comment}"
    if mark or text.startswith("|"):
        return head + text
    wrapped = textwrap.wrap(text, max(20, width - _MARGIN), break_on_hyphens=False, break_long_words=False)
    return head + f"\n{' ' * _MARGIN}".join(wrapped or [""])
