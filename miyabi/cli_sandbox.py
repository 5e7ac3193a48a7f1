"""``miyabi sandbox``: a fleet on this machine's loopback, to look at, to break and to see recover."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from miyabi.errors import MiyabiError

if TYPE_CHECKING:
    from miyabi.cli_fleet import FleetOfClone
    from miyabi.sandbox.fleet import Sandbox

_folder = click.option(
    "--folder", type=click.Path(path_type=Path), help="Where it is; $XDG_STATE_HOME/miyabi/sandbox unless given."
)
_plain = click.option("--plain", is_flag=True, help="No root folders of the hosts' own, even as root.")


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong is told in a line."""
    try:
        yield
    except MiyabiError as error:
        raise click.ClickException(str(error)) from None
    except BrokenPipeError:
        raise
    except OSError as error:
        raise click.ClickException(f"{error.filename or 'the sandbox'}: {error.strerror}") from None


def _at(folder: Path | None) -> Path:
    from miyabi.sandbox.fleet import default_folder, resolved  # noqa: PLC0415 - only a command that runs pays for it

    return resolved(folder or default_folder())


def _there(folder: Path | None) -> Sandbox:
    from miyabi.sandbox.fleet import Sandbox  # noqa: PLC0415

    place = _at(folder)
    found = Sandbox.load(place)
    if found is None:
        raise click.ClickException(f"there is no sandbox in {place}: miyabi sandbox up")
    return found


def _fleet_of(there: Sandbox) -> FleetOfClone:
    """Its hosts, and what its runs remember of them."""
    from miyabi.cli_fleet import FleetOfClone  # noqa: PLC0415
    from miyabi.fleet_file import read_fleet_file  # noqa: PLC0415

    hosts: dict[str, dict[str, object]] = {name: {} for name in there.hosts}
    return FleetOfClone(hosts, {}, read_fleet_file(there.folder / "fleet.yaml"), there.folder / "state" / "miyabi")


@click.group()
def sandbox() -> None:
    """A fleet on this machine's loopback: pixel (like Termux), mugen (Linux), macbook (like macOS), EC2 instances."""


@sandbox.command()
@_folder
@_plain
def up(folder: Path | None, *, plain: bool) -> None:
    """Bring it up, and print the command that recovers it."""
    from miyabi.sandbox import lifecycle  # noqa: PLC0415

    with _told():
        brought = lifecycle.up(_at(folder), plain=plain, cloud=True, say=click.echo)
    click.echo(f"\nin a clone of the repository:\n    {brought.command}\n\nto look around:")
    click.echo(f"    ssh -F {brought.ssh_config} pixel\n    miyabi sandbox dashboard, or miyabi sandbox top\n")
    click.echo("to break something: miyabi sandbox faults")


@sandbox.command()
@_folder
def down(folder: Path | None) -> None:
    """End everything that runs in it, and remove its folder."""
    from miyabi.sandbox import lifecycle  # noqa: PLC0415

    with _told():
        click.echo("the sandbox is gone" if lifecycle.down(_at(folder)) else "there is no sandbox")


@sandbox.command()
@_folder
def status(folder: Path | None) -> None:
    """Tell how its hosts are, and what of them is an imitation."""
    from miyabi.sandbox import lifecycle  # noqa: PLC0415

    there = _there(folder)
    with _told():
        click.echo("\n".join(lifecycle.status(there)))


@sandbox.command(short_help="Watch it in a browser, as `miyabi dashboard` shows a fleet.")
@_folder
@click.option("--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="0 is one that is free.")
def dashboard(folder: Path | None, port: int) -> None:
    """Serve the sandbox as one page that keeps itself up to date, until Ctrl-C; see miyabi dashboard."""
    from miyabi.cli_dashboard import serve  # noqa: PLC0415

    with _told():
        serve(_fleet_of(_there(folder)), port=port)


@sandbox.command(short_help="Watch it in the terminal, as `miyabi top` shows a fleet.")
@_folder
@click.option("--once", "is_once", is_flag=True, help="Print it once; so it is when this is no terminal.")
def top(folder: Path | None, *, is_once: bool) -> None:
    """Show how the sandbox stands by what runs have seen, until q or Ctrl-C; see miyabi top."""
    from miyabi.cli_top import show  # noqa: PLC0415

    with _told():
        show(_fleet_of(_there(folder)), 2.0, is_once=is_once)


@sandbox.command()
def faults() -> None:
    """List what can be broken."""
    from miyabi.sandbox.faults import ALL, FAULTS  # noqa: PLC0415

    for fault in FAULTS.values():
        mended = f"  (ends with: miyabi sandbox mend {fault.name})" if fault.mend else ""
        click.echo(f"{fault.name:<16} {fault.summary}; {', '.join(fault.hosts)}{mended}")
    click.echo(f"{'all':<16} {', '.join(ALL)}")


@sandbox.command("break")
@click.argument("fault")
@click.argument("host", required=False)
@_folder
def break_(fault: str, host: str | None, folder: Path | None) -> None:
    """Break something: FAULT on HOST, or where it is at home; see miyabi sandbox faults."""
    from miyabi.sandbox.faults import inject  # noqa: PLC0415

    there = _there(folder)
    with _told():
        for line in inject(there, fault, host):
            click.echo(line)


@sandbox.command()
@click.argument("fault")
@click.argument("host", required=False)
@_folder
def mend(fault: str, host: str | None, folder: Path | None) -> None:
    """Take back what no recovery heals: slow-network, offline, termux-api, log-flood, and what an agent waits for."""
    from miyabi.sandbox.faults import mend as mended  # noqa: PLC0415

    there = _there(folder)
    with _told():
        for line in mended(there, fault, host):
            click.echo(line)


@sandbox.command()
@_plain
def demo(*, plain: bool) -> None:
    """Bring up a sandbox, break it, recover it, and take it down; exit code 0 when all of it was healed."""
    from miyabi.sandbox.demo import demo as played  # noqa: PLC0415
    from miyabi.sandbox.display import Display  # noqa: PLC0415

    with _told():
        code = played(Display(), plain=plain)
    raise SystemExit(code)
