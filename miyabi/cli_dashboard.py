"""The command ``miyabi dashboard``: the fleet in a browser, or as one file."""

from __future__ import annotations

import os
import sys
from errno import EISDIR
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NoReturn

import click

from miyabi.cli_fleet import FleetOfClone, clock, fleet_of_clone, opened_history
from miyabi.cli_options import plainly
from miyabi.dashboard.settings import Settings
from miyabi.errors import DashboardError
from miyabi.fleet_file import history_address
from miyabi.whole_file import write_whole

# Where it is served by default.
PORT = 8765

# What the server needs of memory is worth more than the speed of several threads' own heaps.
_FRUGAL = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "131072"}


@click.command(short_help="The fleet in a browser, live; or as one file.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(0, 65535), help="0 is one that is free.")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where it listens.")
@click.option("--days", default=7.0, show_default=True, type=click.FloatRange(0.1, 366), help="How far back it shows.")
@click.option("--token", "is_guarded", is_flag=True, help="Take the token on loopback, too.")
@click.option("--new-token", "is_new_token", is_flag=True, help="Make another token; the old one opens nothing more.")
@click.option("--export", metavar="FILE", help="Write it as one file instead; - is the standard output.")
@plainly
def dashboard(  # noqa: PLR0913 - each is an option
    port: int, host: str, days: float, export: str | None, *, is_guarded: bool, is_new_token: bool
) -> None:
    """Serve the fleet as one page that keeps itself up to date, until Ctrl-C.

    Only to this machine, unless --host names another address: then it takes a token, which the URL that is printed
    brings along. Nothing can be changed there. /metrics is what Prometheus scrapes, /api/overview all of it as JSON.
    """
    fleet = fleet_of_clone()
    if export is not None:
        _export(fleet, export, days)
        return
    serve(fleet, days=days, host=host, port=port, is_guarded=is_guarded, is_new_token=is_new_token)


def serve(fleet: FleetOfClone, **asked: Any) -> NoReturn:
    """Let this process be the server, with nothing else in it: what reads inventories needs twice its memory.

    + asked: what of ``Settings`` is not the fleet's, such as ``port``
    """
    settings = Settings(
        folder=str(fleet.folder.absolute()),
        url=history_address(fleet.file, os.environ),
        keep=fleet.file.keep,
        monitoring=dict(fleet.file.monitoring),
        hosts=tuple(fleet.hosts),
        **asked,
    )
    # Neither a command line nor an environment that others may see: the database's URL may hold a password.
    with TemporaryFile("w+", encoding="utf-8") as file:
        file.write(settings.to_json())
        file.seek(0)
        os.set_inheritable(file.fileno(), True)  # noqa: FBT003 - it takes no name
        sys.stdout.flush()
        words = [sys.executable, "-m", "miyabi.dashboard", str(file.fileno())]
        try:
            os.execve(sys.executable, words, _FRUGAL | os.environ)  # noqa: S606 - the point: no shell reads the words
        except OSError as error:
            raise DashboardError(f"{sys.executable}: the server cannot be started: {error.strerror}") from None


def _export(fleet: FleetOfClone, to: str, days: float) -> None:
    """Write the page as one file."""
    from miyabi.dashboard.rendering import export_page  # noqa: PLC0415 - only who exports pays for it
    from miyabi.monitoring import monitoring_of  # noqa: PLC0415
    from miyabi.overview_reader import read_overview  # noqa: PLC0415

    now = clock()
    with opened_history(fleet, now) as history:
        overview = read_overview(history, monitoring_of(fleet.file.monitoring), now, days, tuple(fleet.hosts))
    page = export_page(overview)
    if to == "-":
        click.echo(page, nl=False)
        return
    path = Path(to).absolute()
    try:
        _write(path, page)
    except OSError as error:
        raise DashboardError(
            f"{path}: the page cannot be written: {error.strerror}; name a file that you may write"
        ) from None
    click.echo(f"{path}: the fleet as one file; open {path.as_uri()}")


def _write(path: Path, page: str) -> None:
    """Put a page in its place at once, for its owner alone: it tells more of a fleet than others need to know."""
    if path.is_dir():
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR), str(path))
    write_whole(path, page, errors="replace")
