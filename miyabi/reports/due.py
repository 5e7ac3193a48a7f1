"""Writes the reports that are due, sends word of them, and removes the oldest."""

from __future__ import annotations

from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from miyabi.errors import MiyabiError, ReportError
from miyabi.monitoring import Reports, monitoring_of
from miyabi.reports.shelf import KEPT, is_kept, prune, shelf_of, write_report
from miyabi.reports.span import Span, due_at, last_over

if TYPE_CHECKING:
    from miyabi.cli_fleet import FleetOfClone
    from miyabi.history import History

ALERTS = Path("inventory") / "alerts.yaml"


def due_reports(reports: Reports, shelf: Path, now: float, zone: tzinfo | None = None) -> tuple[Span, ...]:
    """What is due: the last day, week and month that is over, when its hour has come and it is not there.

    + shelf: where reports are kept
    + zone: of the reader; None is this machine's
    """
    last = (last_over(period, now, zone) for period in reports.periods)
    return tuple(span for span in last if now >= due_at(span, reports.at, zone) and not is_kept(shelf, span.name))


def write_due_reports(fleet: FleetOfClone, history: History, now: float, zone: tzinfo | None = None) -> list[Path]:
    """Write every report that is due as Markdown and as HTML, and send word of it.

    + now: seconds since the epoch
    + zone: of the reader; None is this machine's

    Returns the files. What keeps one report from being made keeps no other from it; ``ReportError`` says so at the end.
    """
    reports = monitoring_of(fleet.file.monitoring).reports
    shelf = shelf_of(reports, fleet.folder)
    written: list[Path] = []
    troubles = []
    for span in due_reports(reports, shelf, now, zone):
        try:
            written += _write(fleet, history, span, shelf, now, zone)
        except MiyabiError as error:
            troubles.append(f"report {span.name}: {error}")
        prune(shelf, span.period, reports.keep)
    if troubles:
        raise ReportError("; ".join(troubles))
    return written


def _write(  # noqa: PLR0913, PLR0917 - what, of whom, where and when
    fleet: FleetOfClone, history: History, span: Span, shelf: Path, now: float, zone: tzinfo | None
) -> list[Path]:
    from miyabi.alerts_file import read_alerts_file  # noqa: PLC0415 - mostly nothing is due
    from miyabi.cli_fleet import new_run, say  # noqa: PLC0415
    from miyabi.reports.making import make_report  # noqa: PLC0415
    from miyabi.reports.printing import printed  # noqa: PLC0415
    from miyabi.reports.sending import not_sent, report_alert, send_report  # noqa: PLC0415

    report = make_report(fleet, history, span, now, zone)
    files = [shelf / f"{span.name}.{form}" for form in KEPT]
    for form, path in zip(KEPT, files, strict=True):
        write_report(path, printed(report, form, zone))
    results = send_report(
        report_alert(report, str(files[0])),
        read_alerts_file(ALERTS),
        history,
        folder=fleet.folder,
        run=new_run(now),
        say=say,
    )
    for line in not_sent(results):
        say(line)
    return files
