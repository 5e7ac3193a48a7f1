"""The command ``miyabi trace``: recoveries as OpenTelemetry's traces."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from miyabi.cli_fleet import FleetOfClone, as_json, clock, fleet_of_clone, opened_history, print_json
from miyabi.cli_options import duration, plainly
from miyabi.errors import TargetError
from miyabi.masking import shown
from miyabi.words import clock_time, counted, iso

if TYPE_CHECKING:
    from miyabi.traces import Span


@click.command(short_help="Recoveries as OpenTelemetry's traces.")
@click.argument("run", required=False)
@click.option("--since", default="1h", show_default=True, metavar="DURATION", callback=duration, help="How far back.")
@click.option("--since-last", "is_since_last", is_flag=True, help="What ended after the last export with this.")
@click.option("--endpoint", metavar="URL", help="A collector; without, as $OTEL_EXPORTER_OTLP_ENDPOINT says.")
@as_json
@plainly
def trace(run: str | None, since: float, endpoint: str | None, *, is_since_last: bool, is_json: bool) -> None:
    """Send what runs have repaired to a collector of OpenTelemetry, over OTLP/HTTP (docs/monitoring.md).

    RUN is a run's name, as `miyabi history --json` has it; without, all that ended within the time that --since says.
    With --json they are printed, and sent nowhere. Exit code: 1 when the collector did not take them, within 5 seconds.
    """
    from miyabi.trace_export import endpoint_of, keep_mark, last_export, send  # noqa: PLC0415 - dear

    if run is not None and is_since_last:
        raise click.UsageError("--since-last is about all runs: leave the RUN out")
    where = endpoint_of(os.environ, endpoint)
    if where is None and not is_json:
        raise click.UsageError("name a collector: --endpoint http://localhost:4318, or $OTEL_EXPORTER_OTLP_ENDPOINT")
    fleet, now = fleet_of_clone(), clock()
    begin = last_export(fleet.folder, now) if is_since_last else now - since
    spans = _asked(fleet, run, begin, now)
    if is_json or where is None:
        print_json({"since": iso(begin), "until": iso(now), "spans": [_span_json(each) for each in spans]})
        return
    if not spans:
        click.echo(f"nothing was repaired since {clock_time(begin, now)}")
    send(spans, where)
    if is_since_last:
        keep_mark(fleet.folder, now)
    if spans:
        traces = counted(len({each.trace_id for each in spans}), "trace")
        click.echo(f"{traces} of {counted(len(spans), 'span')} sent to {shown(where)}")


def _asked(fleet: FleetOfClone, run: str | None, begin: float, now: float) -> Sequence[Span]:
    """The spans that are meant."""
    from miyabi.trace_export import spans_of_run, spans_since  # noqa: PLC0415 - as above

    with opened_history(fleet, now) as history:
        if run is None:
            return spans_since(history, begin, now)
        spans = spans_of_run(history, run)
    if not spans:
        raise TargetError(f"{shown(run)}: no run of that name has repaired anything; miyabi history --json names them")
    return spans


def _span_json(span: Span) -> dict[str, Any]:
    told = asdict(span)
    events = [{**asdict(each), "at": iso(each.at)} for each in span.events]
    return {**told, "start": iso(span.start), "end": iso(span.end), "seconds": span.end - span.start, "events": events}
