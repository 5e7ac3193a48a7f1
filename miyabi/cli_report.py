"""The command ``miyabi report``: a day, a week or a month, as one reads it."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

import click

from miyabi.cli_fleet import FleetOfClone, clock, fleet_of_clone, new_run, opened_history, say, working
from miyabi.cli_options import plainly
from miyabi.monitoring import PERIODS, Period, monitoring_of
from miyabi.reports.due import ALERTS, due_reports, write_due_reports
from miyabi.reports.shelf import FORMATS, Format, place_for, shelf_of, write_report
from miyabi.reports.span import FIRST, LAST, Span, last_over, span_of

if TYPE_CHECKING:
    from miyabi.history import History
    from miyabi.reports.report import Report

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _day(_context: click.Context, _parameter: click.Parameter, value: str | None) -> date | None:
    if value is None:
        return None
    try:
        day = date.fromisoformat(value) if _DATE.fullmatch(value) else None
    except ValueError:
        day = None
    if day is None or not FIRST <= day <= LAST:
        raise click.BadParameter(f"{value!r}; allowed: a day such as 2026-11-20")
    return day


@click.command(short_help="How a day, a week or a month was.")
@click.argument("period", required=False, type=click.Choice(PERIODS))
@click.option("--date", "day", metavar="YYYY-MM-DD", callback=_day, help="The period that contains this day.")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="md", show_default=True, help="How it is printed."
)
@click.option("--output", metavar="FILE", help="Write it there, or into that folder, instead of printing it.")
@click.option("--send", "is_sent", is_flag=True, help="Send word of it through the channels of inventory/alerts.yaml.")
@click.option(
    "--due", "is_due", is_flag=True, help="Write and send those that inventory/fleet.yaml asks for and are due."
)
@plainly
def report(  # noqa: PLR0913 - one for each option
    period: Period | None, day: date | None, form: Format, output: str | None, *, is_sent: bool, is_due: bool
) -> None:
    """How a day, a week or a month was: the last one that is over, or the one that contains --date.

    Availability, recoveries, incidents, agents, disks, costs, commits and what a human might do, beside the period
    before. A source that cannot be asked is named.
    """
    if is_due:
        if period is not None or day is not None or output is not None or is_sent:
            raise click.UsageError("--due takes nothing else: inventory/fleet.yaml says which reports are written")
        _write_due()
        return
    if period is None:
        raise click.UsageError(f"which one? miyabi report {'|'.join(PERIODS)}")
    now = clock()
    span = last_over(period, now) if day is None else span_of(period, day)
    if span.since >= now:
        raise click.BadParameter(f"{span.label} has not begun", param_hint="--date")
    # A place that cannot be meant is said before anything is asked.
    place = None if output is None else place_for(output, span.name, form)
    fleet = fleet_of_clone()
    with working("asking the history, git and GitHub", is_json=form == "json"), opened_history(fleet, now) as history:
        from miyabi.reports.making import make_report  # noqa: PLC0415 - the history's own library is dear
        from miyabi.reports.printing import printed  # noqa: PLC0415

        made = make_report(fleet, history, span, now)
        text = printed(made, form)
        if place is not None:
            write_report(place, text)
        if is_sent:
            _send(fleet, history, made, _command(span) if place is None else str(place.absolute()))
    click.echo(text if place is None else f"{place}", nl=place is not None)


def _command(span: Span) -> str:
    return f"miyabi report {span.period} --date {span.first}"


def _send(fleet: FleetOfClone, history: History, made: Report, where: str) -> None:
    from miyabi.alerts_file import read_alerts_file  # noqa: PLC0415 - who sends nothing does not pay for it
    from miyabi.reports.sending import not_sent, report_alert, send_report  # noqa: PLC0415

    rules = read_alerts_file(ALERTS)
    results = send_report(report_alert(made, where), rules, history, folder=fleet.folder, run=new_run(made.at), say=say)
    for line in not_sent(results):
        say(line)


def _write_due() -> None:
    fleet, now = fleet_of_clone(), clock()
    reports = monitoring_of(fleet.file.monitoring).reports
    if not due_reports(reports, shelf_of(reports, fleet.folder), now):
        return
    with opened_history(fleet, now) as history:
        for path in write_due_reports(fleet, history, now):
            click.echo(f"{path}")
