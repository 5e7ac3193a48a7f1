"""The commands ``miyabi status`` and ``miyabi explain``: how the fleet stands, and why something is judged as it is."""

from __future__ import annotations

import click

from miyabi.cli_fleet import as_json, clock, console, fleet_of_clone, plainly, print_json, working
from miyabi.fleet_look import FleetLook, look_at
from miyabi.host_status import exit_code, in_order, status_json
from miyabi.status_view import next_step, status_table, summed_up
from miyabi.words import counted, iso


@click.command()
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
    code = exit_code(looked.statuses)
    if is_json:
        print_json(_as_json(looked, code))
    else:
        _print(looked)
    raise SystemExit(code)


def _print(looked: FleetLook) -> None:
    console().print(status_table(looked.statuses, looked.now))
    click.echo(f"\n{summed_up(looked.statuses, len(looked.outlook.remembered.incidents))}")
    if hint := next_step(looked.statuses):
        click.echo(hint)


def _as_json(looked: FleetLook, code: int) -> dict[str, object]:
    return {
        "at": iso(looked.now),
        "exit_code": code,
        "is_remembered": looked.is_remembered,
        "open_incidents": len(looked.outlook.remembered.incidents),
        "hosts": [status_json(each) for each in in_order(looked.statuses)],
    }
