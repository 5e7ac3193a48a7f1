"""The commands ``miyabi pause`` and ``miyabi resume``: people who want something to be left alone."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

import click

from miyabi.cli_fleet import (
    FleetOfClone,
    as_json,
    clock,
    fleet_of_clone,
    keep,
    new_run,
    print_json,
)
from miyabi.cli_options import duration, plainly
from miyabi.errors import RunError
from miyabi.gate import Pause
from miyabi.masking import shown
from miyabi.pauses import add_pause, clear_pauses, read_pauses
from miyabi.records import Signalled
from miyabi.target_name import TargetName, covers, name_target
from miyabi.words import both_clocks, iso, lasting

DEFAULT_PAUSE = "24h"


@click.command(short_help="Have something left alone for a while.")
@click.argument("target", required=False)
@click.option(
    "--for",
    "seconds",
    default=DEFAULT_PAUSE,
    show_default=True,
    metavar="DURATION",
    callback=duration,
    help="How long, such as 30m or 2h.",
)
@click.option("--reason", default="", metavar="TEXT", help="Why, for whoever wonders.")
@as_json
@plainly
def pause(target: str | None, seconds: float, reason: str, *, is_json: bool) -> None:
    """Have TARGET left alone: nothing is repaired, restarted or tidied there until the pause is over.

    TARGET is HOST, HOST:SESSION, HOST:SESSION:WINDOW.PANE, HOST:SUBJECT such as 'mugen:server mcp', the name of a pane
    when only one has it, or `all`. A pause of a session covers all that is in it. Without TARGET: what is paused now.
    """
    fleet, now = fleet_of_clone(), clock()
    if target is None:
        _print_pauses(read_pauses(fleet.folder, now), now, is_json=is_json)
        return
    named = name_target(target, fleet.known())
    added = Pause(named.host, named.target, now + seconds, _one_line(reason), now)
    add_pause(fleet.folder, added)
    if is_json:
        print_json({"paused": _pause_json(added)})
        return
    click.echo(f"{_shown(named)} is left alone until {both_clocks(added.until)}{_because(added)}")
    click.echo(f"over before: miyabi resume {_argument(named)}")


@click.command(short_help="End a pause, and forget earlier tries.")
@click.argument("target")
@as_json
@plainly
def resume(target: str, *, is_json: bool) -> None:
    """End what was paused of TARGET, and let the gate forget its earlier tries: the next run may act on it at once.

    TARGET is written as for `miyabi pause`. Pauses of TARGET and of what is in it end. A wider one stays, because it is
    about more: exit code 1, and what it is called.
    """
    fleet, now = fleet_of_clone(), clock()
    pauses = read_pauses(fleet.folder, now)
    more: dict[str, tuple[str, ...]] = {}
    for each in pauses:
        # What was paused may be gone from the spec.
        more[each.host] = (*more.get(each.host, ()), each.target)
    named = name_target(target, fleet.known(more))
    ended = [each for each in pauses if covers(named, _name(each))]
    wider = [each for each in pauses if covers(_name(each), named) and each not in ended]
    for each in ended:
        clear_pauses(fleet.folder, each.host, each.target)
    _forget(fleet, named, now)
    if is_json:
        print_json(
            {
                "resumed": {"host": named.host, "target": named.target},
                "ended": [_pause_json(each) for each in ended],
                "still_paused": [_pause_json(each) for each in wider],
            }
        )
    else:
        for each in ended:
            click.echo(f"the pause of {_shown(_name(each))} is over{_because(each)}")
        click.echo(f"{_shown(named)}: what was tried before does not count any more; the next run may act on it")
    if wider:
        raise RunError("\n".join(_still(each, named) for each in wider))


def _forget(fleet: FleetOfClone, named: TargetName, now: float) -> None:
    """Have the tries before this moment not count any more, for the gate and for whoever reads the history."""
    run = new_run(now)
    keep(fleet, Signalled(event=f"{run}.1", run=run, at=now, signal="resume", host=named.host, target=named.target))


def _still(wider: Pause, named: TargetName) -> str:
    name = _name(wider)
    return (
        f"{_shown(named)} is still paused, as a part of {_shown(name)}, until {both_clocks(wider.until)}"
        f"{_because(wider)}; to end that: miyabi resume {_argument(name)}"
    )


def _print_pauses(pauses: Iterable[Pause], now: float, *, is_json: bool) -> None:
    known = sorted(pauses, key=lambda each: each.until)
    if is_json:
        print_json({"pauses": [_pause_json(each) for each in known]})
        return
    for each in known:
        left = lasting(each.until - now)
        click.echo(f"{_shown(_name(each))}  until {both_clocks(each.until)}, for {left} more{_because(each)}")
    if not known:
        click.echo("nothing is paused")


def _pause_json(pause: Pause) -> dict[str, object]:
    return {
        "host": pause.host,
        "target": pause.target,
        "since": iso(pause.since),
        "until": iso(pause.until),
        "reason": pause.reason,
    }


def _name(pause: Pause) -> TargetName:
    return TargetName(pause.host, pause.target)


def _shown(named: TargetName) -> str:
    return "the whole fleet" if not named.host else shown(str(named))


def _argument(named: TargetName) -> str:
    return shlex.quote(str(named))


def _because(pause: Pause) -> str:
    return f": {shown(pause.reason)}" if pause.reason else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())
