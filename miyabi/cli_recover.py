"""The commands ``miyabi recover`` and ``miyabi signal``: the same deploys, and what they came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from miyabi.cli_fleet import (
    FleetOfClone,
    as_json,
    clock,
    fleet_of_clone,
    history_if_any,
    new_run,
    print_json,
    say,
    show,
    working,
)
from miyabi.cli_options import plainly
from miyabi.fleet_look import FleetLook, look_at
from miyabi.host_status import exit_code as exit_code_of_look, in_order, status_json
from miyabi.levels import Level
from miyabi.masking import shown
from miyabi.pyinfra_command import stream_pyinfra
from miyabi.records import Decided, DriftSeen, Observation, Recovered
from miyabi.run_outcome import HostOutcome, Ran, exit_code, outcome_json, outcome_of, unfinished
from miyabi.run_view import Lines, outcome_table
from miyabi.status_view import status_table
from miyabi.words import counted, iso, lasting

SCOPES = ("auto", "agents", "communication", "performance", "integrations", "full")

_DEPLOY = "deploys/recover.py"
_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Order:
    """What a run is asked to do.

    + run: its name
    + max_level: the last level that it may use; None is what each host's spec says
    """

    run: str
    hosts: tuple[str, ...]
    scope: str = "auto"
    max_level: str | None = None
    dry: bool = False

    def arguments(self) -> list[str]:
        """Pyinfra's arguments."""
        limits = [word for host in self.hosts for word in ("--limit", host)]
        data = ["--data", f"scope={self.scope}"]
        if self.max_level is not None:
            data += ["--data", f"max_level={self.max_level}"]
        return ["inventory", *limits, *data, _DEPLOY, "--dry" if self.dry else "-y"]


@click.command(short_help="Bring the fleet back to its specs, and say what came of it.")
@click.option("--scope", type=click.Choice(SCOPES), default="auto", show_default=True, help="What is looked after.")
@click.option("--max-level", type=click.Choice([each.name for each in Level]), help="The last level that may be used.")
@click.option("--limit", "limits", multiple=True, metavar="HOST", help="Only this host, group or pattern; repeatable.")
@click.option("--dry", is_flag=True, help="Show the plan, and what the gate would say; change nothing.")
@as_json
@plainly
def recover(scope: str, max_level: str | None, limits: tuple[str, ...], *, dry: bool, is_json: bool) -> None:
    """Bring the fleet back to its specs, by `deploys/recover.py`, and say what came of it on each host.

    Exit code: 0 when all is as the specs say at the end, 2 when what is left waits for the gate (with --dry: when
    something has drifted), 1 when something did not hold, or a host could not be reached or judged.
    """
    fleet, started = fleet_of_clone(), clock()
    order = Order(new_run(started), fleet.chosen(limits), scope, max_level, dry)
    code = run_order(fleet, order, is_json=is_json)
    if dry:
        looked = _look(fleet, order.hosts, is_json=is_json)
        raise SystemExit(_tell_plan(looked, order, code, is_json=is_json))
    outcomes = outcomes_of(fleet, order)
    ended = exit_code(outcomes, code)
    if is_json:
        print_json(_as_json(order, outcomes, started, ended))
    else:
        _print(outcomes, clock() - started)
    raise SystemExit(ended)


def run_order(fleet: FleetOfClone, order: Order, *, is_json: bool) -> int:
    """Run pyinfra, showing what is worth it; its exit code."""
    lines = Lines()
    with working(f"recovering {counted(len(order.hosts), 'host')}", is_json=is_json) as progress:

        def tell(line: str) -> None:
            if (words := lines.worth(line)) is not None and not is_json:
                progress.line(words)
            if lines.doing:
                progress.now(lines.doing)

        try:
            return stream_pyinfra(order.arguments(), {"MIYABI_RUN": order.run}, tell)
        except KeyboardInterrupt:
            pass
    _say_what_was_left(fleet, order)
    raise SystemExit(_INTERRUPTED)


def _say_what_was_left(fleet: FleetOfClone, order: Order) -> None:
    say("interrupted: pyinfra was ended")
    ran = _ran(fleet, order)
    for begun in unfinished(ran):
        say(f"{shown(begun.host)}:{shown(begun.target)}: {begun.level} was begun, and what came of it is not known")
    for each in ran.recoveries:
        how = "restored it" if each.outcome == "restored" else "did not hold"
        say(f"{shown(each.host)}:{shown(each.target)}: {each.level} {how}")
    if not ran.decisions:
        say("nothing had been begun on any host")
    say("the next run looks again, and repairs what is left; nothing is done twice")


def _ran(fleet: FleetOfClone, order: Order) -> Ran:
    """What the run has written down."""
    with history_if_any(fleet, clock()) as history:
        if history is None:
            return Ran()
        return Ran(
            history.records(Observation, run=order.run)[::-1],
            history.records(DriftSeen, run=order.run)[::-1],
            history.records(Decided, run=order.run)[::-1],
            history.records(Recovered, run=order.run)[::-1],
        )


def outcomes_of(fleet: FleetOfClone, order: Order) -> list[HostOutcome]:
    """What a run came to on each of its hosts."""
    ran = _ran(fleet, order)
    return [outcome_of(host, ran) for host in order.hosts]


def _print(outcomes: Sequence[HostOutcome], seconds: float) -> None:
    show(lambda _: outcome_table(outcomes, clock()))
    click.echo(f"\n{counted(len(outcomes), 'host')} in {lasting(seconds)}")


def _as_json(order: Order, outcomes: Sequence[HostOutcome], started: float, code: int) -> dict[str, Any]:
    return {
        "run": order.run,
        "at": iso(started),
        "seconds": round(clock() - started, 1),
        "scope": order.scope,
        "max_level": order.max_level,
        "dry": False,
        "exit_code": code,
        "hosts": [outcome_json(each) for each in outcomes],
    }


def _look(fleet: FleetOfClone, hosts: Sequence[str], *, is_json: bool) -> FleetLook:
    with working(f"looking at {counted(len(hosts), 'host')}", is_json=is_json):
        return look_at(fleet, hosts, clock())


def _tell_plan(looked: FleetLook, order: Order, code: int, *, is_json: bool) -> int:
    ended = exit_code_of_look(looked.statuses)
    # A run that could not even plan is no clean one.
    ended = 1 if code and not ended else ended
    if is_json:
        hosts = [status_json(each) for each in in_order(looked.statuses)]
        plan = {"run": None, "at": iso(looked.now), "scope": order.scope, "max_level": order.max_level, "dry": True}
        print_json({**plan, "exit_code": ended, "hosts": hosts})
    else:
        show(lambda width: status_table(looked.statuses, looked.now, width))
        click.echo("\nnothing was changed")
    return ended
