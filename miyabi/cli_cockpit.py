"""``miyabi cockpit``: the operator's own tmux session, with a window for each session of the fleet that is attached."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from miyabi.cli_fleet import as_json, clock, fleet_of_clone, print_json, say, show
from miyabi.cli_options import plainly
from miyabi.cockpit import CockpitWindow, WindowStatus, cockpit_status, cockpit_windows, plan_cockpit
from miyabi.cockpit_tmux import CockpitTmux
from miyabi.errors import InventoryError, MiyabiError, RunError
from miyabi.spec import Spec, TmuxServer
from miyabi.spec_cockpit import Cockpit
from miyabi.words import age, clock_time, counted, iso

if TYPE_CHECKING:
    from rich.table import Table

_ACTIONS = ("up", "status", "down", "attach")

_STYLES = {
    "attached": "green",
    "detached": "dim",
    "connecting": "cyan",
    "starting": "cyan",
    "waiting": "yellow",
    "down": "yellow",
    "refused": "bold red",
    "ended": "bold red",
    "missing": "bold red",
}
# What needs nobody: shown, or left by a human on purpose.
_WELL = frozenset({"attached", "detached"})


@dataclass(frozen=True, slots=True)
class _Fleet:
    """The hosts that have a spec, and whose windows stay though none is wanted: of which nobody knows enough."""

    hosts: tuple[tuple[str, Mapping[str, object], Spec], ...]
    kept: Callable[[str], bool]


@click.command(short_help="Your own tmux session with a window for each session that is attached.")
@click.argument("action", type=click.Choice(_ACTIONS), required=False)
@click.option("--session", "name", metavar="NAME", help="Its name; as the control machine's spec says, or cockpit.")
@click.option(
    "--inventory", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Another inventory's hosts."
)
@as_json
@plainly
def cockpit(action: str | None, name: str | None, inventory: Path | None, *, is_json: bool) -> None:
    """Show all sessions of the fleet whose spec says `attached: true` in one tmux session, a window each.

    Without an action it is made as it must be, and you are taken there. up only makes it: windows that are missing or
    whose loop has ended, and removes those of hosts that have left the inventory. status tells how each window stands,
    down ends what was made here. Windows that you make in it are yours.

    Exit code of status: 0 when all are attached, or detached by you; 2 when one is not; 1 when nobody can tell.
    """
    if is_json and action != "status":
        raise click.UsageError("--json is for status")
    fleet = _of_file(inventory) if inventory else _of_clone()
    there = _cockpit(fleet, name)
    wanted = tuple(
        cockpit_windows(fleet.hosts, there.name, TmuxServer(_own_socket(there)), lambda path: str(_expanded(path)))
    )
    match action:
        case "status":
            _status(there, wanted, is_json=is_json)
        case "down":
            _down(there)
        case "attach":
            _attach(there)
        case _:
            _up(there, wanted, fleet)
            if action is None:
                _attach(there)


def _own_socket(there: CockpitTmux) -> str | None:
    return None if there.socket == "default" else there.socket


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def _up(there: CockpitTmux, wanted: tuple[CockpitWindow, ...], fleet: _Fleet) -> None:
    panes = there.panes()
    plan = plan_cockpit(wanted, panes, there.name, fleet.kept)
    if not wanted and not plan:
        raise RunError("no session of the fleet says attached: true, so there is nothing to show (docs/cockpit.md)")
    if not plan:
        say(f"nothing changed: {counted(len(wanted), 'window')} in {there.name}")
        return
    there.apply(plan, say)
    there.wait_until_started(plan)


def _down(there: CockpitTmux) -> None:
    ours = [pane for pane in there.panes() if pane.is_of(there.name)]
    if not ours:
        say(f"nothing changed: {there.name} is not there")
        return
    left = there.end(ours)
    more = f"; the session {there.name} stays, with what you made in it" if left else ""
    say(f"ended {counted(len(ours), 'window')}{more}")


def _attach(there: CockpitTmux) -> None:
    if there.session_id() is None:
        raise RunError(f"{there.name} is not there: miyabi cockpit up")
    inside = os.environ.get("TMUX", "").partition(",")[0]
    if inside:
        there.switch(inside)
        return
    words = there.attach_words()
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        raise RunError(f"this is no terminal; in one: {shlex.join(words)}")
    sys.stdout.flush()
    os.execvp(shutil.which("tmux") or "tmux", words)  # noqa: S606 - the point: no shell reads the words


def _status(there: CockpitTmux, wanted: tuple[CockpitWindow, ...], *, is_json: bool) -> None:
    there.session_id()
    now = clock()
    statuses = cockpit_status(wanted, there.panes(), there.name)
    code = 0 if all(each.condition in _WELL for each in statuses) else 2
    if is_json:
        print_json(
            {"at": iso(now), "session": there.name, "exit_code": code, "windows": [_as_json(s) for s in statuses]}
        )
    elif statuses:
        show(lambda _: _table(statuses, now))
    else:
        say("no session of the fleet says attached: true (docs/cockpit.md)")
    raise SystemExit(code)


def _as_json(status: WindowStatus) -> dict[str, object]:
    return {
        "window": status.label,
        "state": status.condition,
        "since": iso(status.since),
        "next_try": iso(status.until),
        "why": status.why,
    }


def _table(statuses: tuple[WindowStatus, ...], now: float) -> Table:
    from rich.table import Table  # noqa: PLC0415 - who prints no table does not pay for rich
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for title in ("WINDOW", "STATE", "SINCE"):
        table.add_column(title, no_wrap=True)
    table.add_column("WHY", ratio=1, overflow="fold")
    for each in statuses:
        since = "" if each.since is None else f"{clock_time(each.since, now)} ({age(now - each.since)})"
        state = Text(each.condition, style=_STYLES[each.condition])
        table.add_row(Text(each.label, style="bold"), state, since, Text("; ".join(_why(each, now))))
    return table


def _why(status: WindowStatus, now: float) -> Iterator[str]:
    if status.why:
        yield status.why
    if status.until is not None:
        yield f"next try {clock_time(status.until, now)}"
    if status.condition in {"missing", "ended"}:
        yield "miyabi cockpit up makes it again"


def _cockpit(fleet: _Fleet, name: str | None) -> CockpitTmux:
    """The cockpit, as the control machine's spec has it, in the tmux server that it says."""
    control = next((spec for host, _, spec in fleet.hosts if host.startswith("@local")), None)
    chosen = name or ((control and control.cockpit) or Cockpit()).session_name
    if not chosen.isprintable() or set(chosen) & set(".:\\") or chosen[:1] in "$@%=- " or chosen != chosen.strip():
        raise click.BadParameter(
            f"{chosen!r}; allowed: a name as tmux has it, without . : and \\", param_hint="--session"
        )
    return CockpitTmux(chosen, control.tmux if control else TmuxServer())


def _of_clone() -> _Fleet:
    """The hosts of the clone; those of regions that did not answer may be there all the same."""
    fleet = fleet_of_clone()
    specs = {host: fleet.spec(host) for host in fleet.hosts}
    hosts = tuple((host, data, spec) for host, data in fleet.hosts.items() if (spec := specs[host]) is not None)
    unknown = {host for host, spec in specs.items() if spec is None}
    for host in sorted(unknown):
        say(f"note: {host} has no spec that can be read: its windows stay as they are")
    return _Fleet(hosts, lambda host: bool(fleet.unknown_regions) or host in unknown)


def _of_file(file: Path) -> _Fleet:
    """The hosts of one inventory file: there may be others, whose windows stay."""
    from miyabi.cli import hosts_of  # noqa: PLC0415 - the program's entry imports this when asked
    from miyabi.spec_cache import cached_spec  # noqa: PLC0415
    from miyabi.spec_file import resolve_spec  # noqa: PLC0415

    found = []
    named = hosts_of(_run(file))
    for host, data in named.items():
        if "spec" in data:
            path = resolve_spec(str(data["spec"]), Path("inventory") / "specs")
            base = str(path.resolve().parent) if host.startswith("@local") else "~"
            found.append((host, data, cached_spec(path, base)))
    return _Fleet(tuple(found), lambda host: host not in named)


def _run(file: Path) -> dict[str, object]:
    import runpy  # noqa: PLC0415 - only for an inventory of one's own

    try:
        return runpy.run_path(str(file))
    except MiyabiError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it is the user's own code
        raise InventoryError(f"{file}: cannot be read: {type(error).__name__}: {error}") from None
