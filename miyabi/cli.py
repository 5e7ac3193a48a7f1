"""The ``miyabi`` command.

Each command imports what it needs when it runs, so that ``miyabi --help`` answers at once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import replace
from errno import EPIPE
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from typing_extensions import override

from miyabi.errors import MiyabiError, SpecError
from miyabi.spec import Spec
from miyabi.spec_file import SUFFIXES, known_specs, load_spec, resolve_spec

_SPECS = Path("inventory") / "specs"
_FLEET = Path("inventory") / "fleet.yaml"
_ALERTS = Path("inventory") / "alerts.yaml"
_EC2 = Path("inventory") / "ec2.yaml"
_AGENTS = Path("inventory") / "agents"


# Commands of their own modules, each imported when it is asked for.
_COMMANDS: dict[str, str] = {
    "run": "miyabi.cli_run",
    "adopt": "miyabi.cli_snapshot",
    "snapshot": "miyabi.cli_snapshot",
    "sandbox": "miyabi.cli_sandbox",
    "status": "miyabi.cli_status",
    "explain": "miyabi.cli_status",
    "recover": "miyabi.cli_recover",
    "signal": "miyabi.cli_signal",
    "history": "miyabi.cli_history",
    "incidents": "miyabi.cli_history",
    "pause": "miyabi.cli_pause",
    "resume": "miyabi.cli_pause",
    "ec2": "miyabi.cli_ec2",
    "cockpit": "miyabi.cli_cockpit",
    "dashboard": "miyabi.cli_dashboard",
    "tasks": "miyabi.cli_tasks",
    "state": "miyabi.cli_state",
    "predict": "miyabi.cli_predict",
    "report": "miyabi.cli_report",
    "metrics": "miyabi.cli_metrics",
    "trace": "miyabi.cli_trace",
    "top": "miyabi.cli_top",
}


class _Program(click.Group):
    """A group of commands that ends without a traceback when its output cannot be written."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_COMMANDS})

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return super().get_command(ctx, cmd_name)
        command: click.Command = getattr(import_module(_COMMANDS[cmd_name]), cmd_name)
        return command

    @override
    def main(self, *args: Any, **options: Any) -> Any:
        try:
            try:
                return super().main(*args, **options)
            finally:
                sys.stdout.flush()
        except OSError as error:
            with suppress(OSError):
                # Or Python would try to write the rest at its end.
                sys.stdout.close()
            if error.errno != EPIPE:
                click.echo(f"Error: cannot write the output: {error.strerror}", err=True)
            raise SystemExit(1) from None


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Keep a fleet of tmux sessions and their coding agents alive."""
    for stream in (sys.stdout, sys.stderr):
        # Names may hold what the terminal's encoding has not.
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")


@main.group()
def spec() -> None:
    """Look at the desired state of hosts."""


@spec.command()
@click.argument("files", nargs=-1, metavar="[FILE]...")
def check(files: tuple[str, ...]) -> None:
    """Say whether specs are right, and everything that is wrong with them.

    Without FILE every spec in inventory/specs is checked, and inventory/fleet.yaml, alerts.yaml and ec2.yaml. Exit
    code: 0 when all are right, 1 when one is not.
    """
    specs = _all_specs()
    paths = list(files) or [str(path) for path in [*specs, *_OTHERS] if path in specs or path.exists()]
    if not paths:
        raise click.UsageError(f"{_SPECS} holds no spec; name a FILE, or run this in a clone of the repository")
    bad = False
    for path in paths:
        try:
            good = _check(path)
        except SpecError as error:
            bad = True
            click.echo(str(error), err=True)
        else:
            click.echo(f"ok  {path}  ({good})")
    if bad:
        raise SystemExit(1)


@spec.command()
def schema() -> None:
    """Print the JSON Schema of specs, for editors."""
    from miyabi.spec_schema import json_schema  # noqa: PLC0415 - see the module's docstring

    click.echo(json.dumps(json_schema(), indent=2))


@spec.command()
@click.argument("host")
@click.option("--reveal", is_flag=True, help="Show the values of environments, which often are secrets.")
def show(host: str, *, reveal: bool) -> None:
    """Print the spec of HOST with every default filled in.

    HOST is a host of the inventory, the name of a spec in inventory/specs, or the path of one. Durations are seconds,
    sizes are bytes.
    """
    import yaml  # noqa: PLC0415 - see the module's docstring

    from miyabi.spec_view import spec_to_mapping  # noqa: PLC0415

    try:
        shown = _spec_of(host)
    except MiyabiError as error:
        raise click.ClickException(str(error)) from None
    mapping = spec_to_mapping(shown, reveal=reveal)
    click.echo(yaml.safe_dump(mapping, sort_keys=False, allow_unicode=True, width=120), nl=False)


def _check(path: str) -> str:
    """What a file holds. Raises ``SpecError`` with everything that is wrong with it."""
    if Path(path) in _OTHERS:
        return _OTHERS[Path(path)]()
    return _size(load_spec(_named(path), base_directory="~"))


def _check_fleet() -> str:
    from miyabi.fleet_file import read_fleet_file  # noqa: PLC0415 - see the module's docstring

    read_fleet_file(_FLEET)
    return "what holds for all hosts"


def _check_alerts() -> str:
    from miyabi.alerts_file import read_alerts_file  # noqa: PLC0415 - see the module's docstring

    rules = read_alerts_file(_ALERTS)
    return f"who hears of what: {', '.join(channel.name for channel in rules.channels) or 'nobody'}"


def _check_ec2() -> str:
    from miyabi.ec2_file import read_ec2_file  # noqa: PLC0415 - see the module's docstring

    settings = read_ec2_file(_EC2)
    if settings.regions:
        try:
            resolve_spec(settings.spec, _SPECS)
        except SpecError as error:
            told = [
                replace(each, file=f"{_EC2}", path="spec", found=f"{each.found} {each.file}") for each in error.problems
            ]
            raise SpecError(told) from None
    return f"EC2 instances in {', '.join(settings.regions) or 'no region'}"


def _check_agents() -> str:
    from miyabi.agent_kinds import agent_kinds_in  # noqa: PLC0415 - see the module's docstring

    return f"what is known of {', '.join(agent_kinds_in(_AGENTS))}"


# What of the inventory is no spec: how each is checked, and what it holds.
_OTHERS: dict[Path, Callable[[], str]] = {
    _FLEET: _check_fleet,
    _ALERTS: _check_alerts,
    _EC2: _check_ec2,
    _AGENTS: _check_agents,
}


def _all_specs() -> list[Path]:
    try:
        return sorted(path for path in _SPECS.iterdir() if path.suffix in SUFFIXES)
    except OSError:
        return []


def _named(path: str) -> Path:
    with suppress(OSError, ValueError):
        if Path(path).is_file():
            return Path(path)
    return resolve_spec(path, _SPECS)


def _size(checked: Spec) -> str:
    windows = [window for session in checked.sessions for window in session.windows]
    counts = {
        "session": len(checked.sessions),
        "window": len(windows),
        "pane": sum(len(window.panes) for window in windows),
    }
    return ", ".join(f"{count} {what}{'s' * (count != 1)}" for what, count in counts.items())


def _spec_of(host: str) -> Spec:
    if "/" in host or host.endswith(SUFFIXES):
        return _load(resolve_spec(host, _SPECS), local=True)
    hosts = inventory_hosts()
    if host in hosts:
        reference = hosts[host].get("spec")
        if reference is None:
            raise MiyabiError(f"{host}: its data in inventory/ names no spec")
        return _load(resolve_spec(str(reference), _SPECS), local=host.startswith("@local"))
    if host in known_specs(_SPECS):
        return _load(resolve_spec(host, _SPECS), local=False)
    raise MiyabiError(
        f"{host}: no such host or spec; hosts: {', '.join(sorted(hosts)) or 'none'}; "
        f"specs in {_SPECS}: {', '.join(known_specs(_SPECS)) or 'none'}"
    )


def _load(path: Path, *, local: bool) -> Spec:
    # What a spec says of its own folder holds where that folder is.
    return load_spec(path, base_directory=str(path.resolve().parent) if local else "~")


def inventory_hosts() -> dict[str, dict[str, object]]:
    """The hosts of the inventory in the working directory, with their data."""
    if not (Path("inventory") / "__init__.py").is_file():
        return {}
    sys.path.insert(0, str(Path.cwd()))
    try:
        with redirect_stdout(sys.stderr):
            inventory = import_module("inventory")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it is the user's own code
        raise MiyabiError(f"inventory: cannot be read: {type(error).__name__}: {error}") from None
    return hosts_of(vars(inventory))


def hosts_of(inventory: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """The hosts of an inventory, with their data.

    + inventory: what its file defines, by name
    """
    return {name: data for group, value in inventory.items() if group[0] != "_" for name, data in _hosts(value)}


def _hosts(value: object) -> Iterator[tuple[str, dict[str, object]]]:
    """The hosts of a list as pyinfra reads it: names, or names with data."""
    for item in value if isinstance(value, list) else []:
        if isinstance(item, str):
            yield item, {}
        elif isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], dict):
            yield str(item[0]), item[1]
