"""Sends word of a report through the channels of inventory/alerts.yaml."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from miyabi.alert_rules import AlertRules
from miyabi.alert_text import Alert
from miyabi.channels import tell
from miyabi.delivery import SENT
from miyabi.records import Severity
from miyabi.reports.phrasing import words
from miyabi.reports.report import Report

if TYPE_CHECKING:
    from miyabi.history import History

# A report goes where what needs a look goes: LOW would reach the log alone, and nobody is to be woken.
SEVERITY: Severity = "MEDIUM"
_WORST = 3


def report_alert(report: Report, where: str) -> Alert:
    """What the channels get: how it was, the three worst things, and where all of it is.

    + where: the file, or the command that prints it
    """
    sentence = words(report.sentence)
    worst = [
        f"- {words(each.about)}: {words(each.say)} ({words(each.reason)})" for each in report.recommendations[:_WORST]
    ]
    missing = ", ".join(words(each.source) for each in report.missing)
    lines = [
        f"REPORT {report.span.name}: {sentence}",
        *(worst or ["nothing asks for a human"]),
        *([f"not known: {words(missing, 300)}"] if missing else []),
        f"all of it: {where}",
    ]
    return Alert(
        incident="",
        change="report",
        severity=SEVERITY,
        host="",
        target="",
        kind="report",
        cause="unknown",
        summary=sentence,
        at=report.at,
        since=report.span.since,
        line=words(f"REPORT {report.span.name}: {sentence}; all of it: {where}", 200),
        text="\n".join(lines),
    )


def send_report(  # noqa: PLR0913 - what is sent, by which rules, and what is known
    alert: Alert,
    rules: AlertRules,
    history: History,
    *,
    folder: Path,
    run: str,
    say: Callable[[str], None],
) -> dict[str, str]:
    """Send it to every channel that alerts which need a look go to; it is remembered as they are.

    + folder: of the memory
    + run: what this is remembered as
    + say: takes a text for the console

    Returns ``sent``, or why not, by channel. No failure of a channel is an error. Raises ``HistoryError``.
    """
    delivered = tell(
        [alert],
        rules,
        folder=folder,
        run=run,
        now=alert.at,
        say=say,
        earlier=history.open_incidents(),
        breakers=history.breakers(),
    )
    history.write(delivered.records)
    return dict(delivered.results)


def not_sent(results: dict[str, str]) -> tuple[str, ...]:
    """What is to be said of the channels that took no report, a line each."""
    return tuple(f"note: channel {name} took no report: {words(why)}" for name, why in results.items() if why != SENT)
