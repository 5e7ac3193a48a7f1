"""The commands ``miyabi history`` and ``miyabi incidents``: what happened, and what is still open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from miyabi.cli_fleet import (
    FleetOfClone,
    as_json,
    clock,
    fleet_of_clone,
    opened_history,
    print_json,
    show,
)
from miyabi.cli_options import plainly
from miyabi.history_view import causes_table, incidents_table, timeline_table
from miyabi.records import Decided, IncidentChanged, Record, Recovered, RunEnded, RunStarted, Signalled
from miyabi.target_name import TargetName, name_target
from miyabi.timeline import event_json, events_of, together
from miyabi.units import parse_duration
from miyabi.words import clock_time, iso

if TYPE_CHECKING:
    from miyabi.history import History

# Rows of one kind that are read at most.
_MOST = 20_000

_EVENTS: tuple[type[Record], ...] = (RunStarted, Recovered, Decided, Signalled, IncidentChanged)


def _since(_context: click.Context, _parameter: click.Parameter, value: str) -> float:
    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r}; allowed: {error}") from None


@click.command(short_help="What happened, the newest first.")
@click.argument("target", required=False, metavar="[HOST|TARGET]")
@click.option("--since", default="24h", show_default=True, metavar="DURATION", callback=_since, help="How far back.")
@click.option("--causes", is_flag=True, help="Count what failures came from instead, and their shares.")
@click.option("--limit", "most", default=40, show_default=True, type=click.IntRange(min=1), help="How many lines.")
@as_json
@plainly
def history(target: str | None, since: float, most: int, *, causes: bool, is_json: bool) -> None:
    """What happened: recoveries, what the gate held, runs, signals and incidents, the newest first.

    With HOST or TARGET (written as for `miyabi pause`) only what concerns it. What says the same again and again is one
    line here, and each for itself with --json.
    """
    if causes and target is not None:
        raise click.UsageError("--causes counts the whole fleet: leave the TARGET out")
    fleet, now = fleet_of_clone(), clock()
    with opened_history(fleet, now) as remembered:
        if causes:
            _print_causes(remembered.shares_by_cause(now - since, now + 1), now - since, now, is_json=is_json)
            return
        about = None if target is None else _about(target, fleet, remembered)
        records: list[Record] = []
        for kind in _EVENTS:
            records += remembered.records(kind, since=now - since, limit=_MOST)
        ends = {each.run: each for each in remembered.records(RunEnded, since=now - since, limit=_MOST)}
    events = events_of(records, ends, about)
    if is_json:
        print_json(
            {"since": iso(now - since), "until": iso(now), "events": [event_json(each) for each in events[:most]]}
        )
        return
    told = together(events)
    if not told:
        click.echo(f"nothing happened since {clock_time(now - since, now)}")
        return
    show(lambda _: timeline_table(told[:most], now))
    if len(told) > most:
        click.echo(f"\n{len(told) - most} older lines: --limit {len(told)}")


def _about(target: str, fleet: FleetOfClone, remembered: History) -> TargetName:
    """The target that is meant; it may be gone from the spec."""
    more: dict[str, set[str]] = {}
    recovered, decided = remembered.records(Recovered, limit=_MOST), remembered.records(Decided, limit=_MOST)
    for host, known in [(each.host, each.target) for each in recovered] + [
        (each.host, each.target) for each in decided
    ]:
        more.setdefault(host, set()).add(known)
    return name_target(target, fleet.known({host: tuple(sorted(targets)) for host, targets in more.items()}))


def _print_causes(shares: Mapping[str, int], since: float, now: float, *, is_json: bool) -> None:
    total = sum(shares.values())
    if is_json:
        print_json(
            {
                "since": iso(since),
                "until": iso(now),
                "failures": total,
                "causes": [
                    {"cause": cause, "failures": number, "share": round(number / total, 4)}
                    for cause, number in shares.items()
                ],
            }
        )
    elif not total:
        click.echo(f"nothing failed since {clock_time(since, now)}")
    else:
        show(lambda _: causes_table(shares))


@click.command(short_help="What a human was told of and is not over.")
@click.option("--all", "is_all", is_flag=True, help="Closed ones, too.")
@click.option("--limit", "most", default=40, show_default=True, type=click.IntRange(min=1), help="How many.")
@as_json
@plainly
def incidents(most: int, *, is_all: bool, is_json: bool) -> None:
    """What a human was told of and is not over: each incident once, the latest first."""
    fleet, now = fleet_of_clone(), clock()
    with opened_history(fleet, now) as remembered:
        found = _all_incidents(remembered) if is_all else list(remembered.open_incidents())
    found.sort(key=lambda each: each.opened_at, reverse=True)
    if is_json:
        print_json({"at": iso(now), "incidents": [_incident_json(each) for each in found[:most]]})
    elif not found:
        click.echo(
            "no incident was ever opened" if is_all else "no incident is open; closed ones: miyabi incidents --all"
        )
    else:
        show(lambda _: incidents_table(found[:most], now))
        if len(found) > most:
            click.echo(f"\n{len(found) - most} older ones: --limit {len(found)}")


def _all_incidents(remembered: History) -> list[IncidentChanged]:
    """How each incident stands, or ended: its last record counts."""
    last: dict[str, IncidentChanged] = {}
    for each in remembered.records(IncidentChanged, limit=_MOST):
        last.setdefault(each.incident, each)
    return list(last.values())


def _incident_json(incident: IncidentChanged) -> dict[str, Any]:
    told = asdict(incident)
    moments = {name: iso(told[name]) for name in ("at", "opened_at", "told_at", "healthy_since")}
    known = {name: value for name, value in told.items() if name not in {"event", *moments}}
    return {**known, **moments, "is_open": incident.change != "closed"}
