"""The command ``miyabi metrics``: how the fleet stands, for Prometheus."""

from __future__ import annotations

from pathlib import Path

import click

from miyabi.cli_fleet import FleetOfClone, clock, fleet_of_clone, opened_history, say
from miyabi.cli_options import plainly
from miyabi.errors import HistoryError


@click.command(short_help="How the fleet stands, for Prometheus.")
@click.option(
    "--textfile",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write them there, for node_exporter's textfile collector; its name must end in .prom.",
)
@plainly
def metrics(textfile: Path | None) -> None:
    """Print how the fleet stands by the history, as Prometheus reads it (docs/monitoring.md).

    No host is looked at. Exit code: 1 when the history cannot be read; `miyabi_history_readable` is 0 then, and nothing
    else is said of the fleet.
    """
    from miyabi.metrics_textfile import write_textfile  # noqa: PLC0415 - whoever asks for help does not pay for it

    now = clock()
    text, trouble = _asked(fleet_of_clone(), now)
    if textfile is None:
        click.echo(text, nl=False)
    else:
        write_textfile(textfile.expanduser(), text)
    if trouble is not None:
        say(f"Error: {trouble}")
        raise SystemExit(1)


def _asked(fleet: FleetOfClone, now: float) -> tuple[str, HistoryError | None]:
    """The metrics, and what kept them from being all."""
    from miyabi.metrics import exposition, exposition_without_history  # noqa: PLC0415 - dear, as the two below
    from miyabi.monitoring import monitoring_of  # noqa: PLC0415
    from miyabi.overview_reader import read_overview  # noqa: PLC0415

    try:
        with opened_history(fleet, now) as history:
            overview = read_overview(history, monitoring_of(fleet.file.monitoring), now, hosts=tuple(fleet.hosts))
    except HistoryError as error:
        return exposition_without_history(now), error
    return exposition(overview, now), None
