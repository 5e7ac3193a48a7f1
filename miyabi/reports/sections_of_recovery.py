"""The sections about hosts, repairs and incidents. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from miyabi.reports.document import Bar, Cell, Section, Table, table_of
from miyabi.reports.phrasing import percent, place, words
from miyabi.reports.report import Report, Stretch
from miyabi.words import lasting


def availability(report: Report) -> Section:
    """How available each host was, and what that leaves of the error budget."""
    budget = report.budget
    promised = f"{budget.objective:g} % are promised of any {budget.over / 86400:g} days"
    if budget.left is None:
        said = f"{promised}; too little was counted yet to say what is left of that."
    elif budget.left < 0:
        over = lasting(budget.spent - budget.allowed)
        said = f"{promised}. The error budget of the fleet is overdrawn by {over}: down for {lasting(budget.spent)}."
    else:
        said = f"{promised}. Of the fleet's error budget of {lasting(budget.allowed)} {budget.left:.0f} % is left."
    rows: list[tuple[Cell, ...]] = [
        (
            words(each.host),
            percent(each.seen.percent),
            lasting(each.seen.down) if each.seen.percent is not None else "no data",
            lasting(each.seen.uncounted),
            percent(each.before.percent),
            Bar(
                None if each.budget.left is None else max(0.0, each.budget.left / 100),
                "no data"
                if each.budget.left is None
                else "overdrawn"
                if each.budget.left < 0
                else f"{each.budget.left:.0f} %",
            ),
        )
        for each in report.hosts
    ]
    fleet = (
        "all",
        percent(report.fleet.percent),
        lasting(report.fleet.down),
        lasting(report.fleet.uncounted),
        percent(report.fleet_before.percent),
        "",
    )
    table = table_of("host|availability|down|not known|before|error budget left", rows, (1, 2, 3, 4))
    if report.looked:
        table = Table(table.head, (*table.rows, fleet), table.right, table.left_out)
    return Section("availability", "Availability", (said,), table=table)


def course(report: Report) -> Section | None:
    """How it went, hour by hour or day by day; None when nobody looked."""
    if not report.looked and not any(each.repairs for each in report.stretches):
        return None
    most = max((each.repairs for each in report.stretches), default=0)
    title = "Hour by hour" if report.span.period == "daily" else "Day by day"
    rows = [_stretch(each, most) for each in report.stretches]
    head = "hour|availability|down|repairs|" if report.span.period == "daily" else "day|availability|down|repairs|"
    table = Table(tuple(head.split("|")), tuple(rows), frozenset({1, 2, 3}))
    return Section("stretches", title, table=table)


def _stretch(each: Stretch, most: int) -> tuple[Cell, ...]:
    is_known = each.seen.up + each.seen.down > 0
    repairs = f"{each.repairs} ({each.failed} failed)" if each.failed else f"{each.repairs}"
    return (
        each.name,
        percent(each.seen.percent),
        lasting(each.seen.down) if is_known else "no data",
        repairs if is_known or each.repairs else "no data",
        Bar(each.repairs / most if most else 0.0),
    )


def recoveries(report: Report) -> Section:
    """How the tries of each level went, against their targets."""
    if not report.levels:
        return Section("recoveries", "Recoveries", ("Nothing was repaired.",))
    rows = [
        (
            words(each.level, 20),
            f"{each.tries}",
            f"{each.restored}",
            f"{each.first_try}",
            f"{each.failed}",
            "none" if each.median is None else _seconds(each.median),
            "none" if each.slowest_tenth is None else _seconds(each.slowest_tenth),
            "none" if each.longest is None else _seconds(each.longest),
            "none" if each.budget is None else _seconds(each.budget),
            Bar(each.within / each.restored, f"{each.within} of {each.restored}") if each.restored else "none held",
        )
        for each in report.levels
    ]
    head = "level|tries|held|at the first|failed|median|slowest tenth|longest|target|within the target"
    return Section("recoveries", "Recoveries", table=table_of(head, rows, range(1, 9)))


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 90 and value != int(value) else lasting(value)


def causes(report: Report) -> Section:
    """What failures came from."""
    total = sum(report.causes.values())
    if not total:
        return Section("causes", "Failures by cause", ("Nothing failed that a run has seen.",))
    rows = [
        (words(cause), f"{number}", Bar(number / total, f"{100 * number / total:.0f} %"))
        for cause, number in report.causes.items()
    ]
    return Section("causes", "Failures by cause", table=table_of("cause|failures|share", rows, (1,)))


def incidents(report: Report, zone: tzinfo | None) -> Section:
    """What humans were told of, with what was done."""
    if not report.incidents:
        return Section("incidents", "Incidents", ("None was open.",))
    rows = []
    for each in report.incidents:
        done = [f"{deed.level} {deed.what}" for deed in each.done]
        more = f" and {len(done) - 4} more" if len(done) > 4 else ""
        cause = "" if each.cause in {"", "unknown"} else f" (cause: {each.cause})"
        open_for = (report.until if each.closed_at is None else each.closed_at) - each.opened_at
        rows.append(
            (
                _clock(each.opened_at, zone),
                words(each.severity, 20),
                place(each.host, each.target),
                words(f"{each.summary}{cause}", 120),
                words(", ".join(done[:4]) + more) if done else "nothing",
                f"{lasting(open_for)}{', still open' if each.closed_at is None else ''}",
            )
        )
    return Section("incidents", "Incidents", table=table_of("since|severity|where|what|what was done|for", rows))


def _clock(at: float, zone: tzinfo | None) -> str:
    try:
        return f"{datetime.fromtimestamp(at, UTC).astimezone(zone):%a %d %H:%M}"
    except (ValueError, OverflowError, OSError):
        return "unknown"


def held(report: Report) -> Section | None:
    """What the gate held; None when it held nothing."""
    if not report.held:
        return None
    rows = [
        (place(each.host, each.target), words(each.level, 20), words(each.why), f"{times}")
        for each, times in report.held
    ]
    return Section("held", "What the gate held", table=table_of("where|level|why|times", rows, (3,)))


def learned(report: Report) -> Section | None:
    """Which level holds against what; None when nothing was tried."""
    if not report.learned:
        return None
    rows = [
        (
            words(each.kind),
            words(each.cause),
            words(each.level, 20),
            f"{each.tries}",
            Bar(each.restored / each.tries, f"{each.restored} of {each.tries}"),
            "none" if each.median is None else _seconds(each.median),
        )
        for each in report.learned
        if each.tries
    ]
    said = ("In the 30 days until the end of this report.",)
    return Section(
        "learned", "What was learned", said, table=table_of("damage|cause|level|tries|held|median", rows, (3, 5))
    )
