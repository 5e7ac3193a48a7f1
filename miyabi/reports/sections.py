"""A report as sections of words and tables, which Markdown and HTML both print: so they say the same. Pure."""

from __future__ import annotations

from datetime import tzinfo

from miyabi.reports import sections_of_recovery as recovery, sections_of_work as work
from miyabi.reports.document import MOST, Document, Point, Section, table_of
from miyabi.reports.phrasing import cautions_of, difference, figure, words
from miyabi.reports.report import Report
from miyabi.words import both_clocks, counted

_TITLES = {"daily": "day", "weekly": "week", "monthly": "month"}


def document_of(report: Report, zone: tzinfo | None = None) -> Document:
    """A report as it is printed.

    + zone: of the reader; None is this machine's
    """
    made = (
        _recommendations(report),
        _missing(report),
        _trends(report),
        recovery.course(report),
        recovery.availability(report),
        recovery.recoveries(report),
        recovery.causes(report),
        recovery.incidents(report, zone),
        recovery.held(report),
        work.agents(report),
        work.capacity(report),
        work.costs(report),
        work.commits(report),
        work.work(report),
        recovery.learned(report),
    )
    title = f"Miyabi Recovery, {_TITLES[report.span.period]} {report.span.label}"
    begin, end = both_clocks(report.span.since, zone), both_clocks(report.until, zone)
    return Document(
        f"{title} so far" if report.is_so_far else title,
        f"from {begin} to {end}; made at {both_clocks(report.at, zone)}",
        words(report.sentence),
        cautions_of(report),
        tuple(each for each in made if each is not None),
    )


def _recommendations(report: Report) -> Section:
    points = tuple(
        Point(words(each.about), f"{words(each.say)}. Reason: {words(each.reason, 300)}.", words(each.change, 300))
        for each in report.recommendations[:MOST]
    )
    return Section("recommendations", "What to do", () if points else ("Nothing: no figure asks for it.",), points)


def _missing(report: Report) -> Section | None:
    if not report.missing:
        return None
    said = ("These could not be asked. What they have is not in this report, and not zero:",)
    points = tuple(Point(words(each.source), words(each.why, 300)) for each in report.missing)
    return Section("missing", "Not known", said, points)


def _trends(report: Report) -> Section:
    rows = [
        (each.name, figure(each.now, each.unit), figure(each.before, each.unit), difference(each))
        for each in report.trends
    ]
    said = (f"{_runs(report)}.",) if report.runs else ("No run was made.",)
    return Section(
        "trends", "Against the period before", said, table=table_of("|now|before|difference", rows, (1, 2, 3))
    )


def _runs(report: Report) -> str:
    ends = ", ".join(f"{number} {words(outcome, 20)}" for outcome, number in report.runs.items())
    return f"{counted(sum(report.runs.values()), 'run')}: {ends}"
