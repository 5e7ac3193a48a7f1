"""The command ``miyabi top``: what the page shows, in the terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from miyabi.cli_fleet import FleetOfClone, clock, fleet_of_clone, width_of_output, working
from miyabi.cli_options import duration, plainly
from miyabi.fleet_file import history_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from miyabi.overview_reader import OverviewReader


@click.command(short_help="The fleet in the terminal, live, by what runs have seen.")
@click.option("--once", "is_once", is_flag=True, help="Print it once; so it is when this is no terminal.")
@click.option("--every", default="2s", show_default=True, callback=duration, help="How often it is looked for news.")
@plainly
def top(every: float, *, is_once: bool) -> None:
    """Show how the fleet stands by the history, and what has changed as soon as a run has written it down.

    No host is looked at: that does `miyabi status`. q or Ctrl-C ends it. NO_COLOR switches colours off.
    """
    show(fleet_of_clone(), every, is_once=is_once)


def show(fleet: FleetOfClone, every: float, *, is_once: bool) -> None:
    """Show a fleet until it is ended.

    + every: seconds between two looks for news
    + is_once: print it instead; so it is when this is no terminal
    """
    with working("reading the history"):
        reader = _reader(fleet)
    try:
        if is_once or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
            _print(reader)
        else:
            _watch(reader, every)
    finally:
        reader.close()


def _reader(fleet: FleetOfClone) -> OverviewReader:
    """Reads the history; it has been read once. Raises ``HistoryError``."""
    from miyabi.history import open_history  # noqa: PLC0415 - SQLAlchemy is dear
    from miyabi.monitoring import monitoring_of  # noqa: PLC0415 - as it is with what these import
    from miyabi.overview_reader import OverviewReader  # noqa: PLC0415

    reader = OverviewReader(
        lambda: open_history(fleet.folder, history_address(fleet.file, os.environ), now=clock(), keep=fleet.file.keep),
        monitoring_of(fleet.file.monitoring),
        hosts=tuple(fleet.hosts),
    )
    reader.read(clock())
    return reader


def _watch(reader: OverviewReader, every: float) -> None:
    from miyabi.top_screen import watch  # noqa: PLC0415 - dear, as rich is
    from miyabi.top_view import frame  # noqa: PLC0415

    # Asked now: rich puts something else in the place of stdout, which has no encoding.
    is_ascii = _is_ascii()

    def lines(size: tuple[int, int]) -> Sequence[Text]:
        return frame(reader.read(clock()), size, is_ascii=is_ascii)

    watch(lines, every)


def _print(reader: OverviewReader) -> None:
    from rich.console import Console  # noqa: PLC0415 - as above

    from miyabi.top_view import whole  # noqa: PLC0415

    lines = whole(reader.read(clock()), width_of_output(), is_ascii=_is_ascii())
    if not sys.stdout.isatty():
        click.echo("\n".join(line.plain.rstrip() for line in lines))
        return
    console = Console(highlight=False, emoji=False, markup=False)
    for line in lines:
        console.print(line, no_wrap=True, crop=True)


def _is_ascii() -> bool:
    """Whether the terminal's encoding has no blocks to draw curves with."""
    return "utf" not in (sys.stdout.encoding or "").lower()
