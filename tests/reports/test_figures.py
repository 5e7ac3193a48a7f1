"""The figures of a report, against what one reckons from the records themselves."""

from __future__ import annotations

from datetime import UTC, date
from pathlib import Path
from random import Random
from statistics import median
from zoneinfo import ZoneInfo

import pytest

from miyabi.monitoring import DAY, Monitoring, Reports, Slo
from miyabi.records import DriftSeen, Observation, Record, Recovered
from miyabi.reports.closed_work import work_of
from miyabi.reports.commits import commits_of
from miyabi.reports.gathering import gather
from miyabi.reports.past import Asked
from miyabi.reports.report import Missing, Report
from miyabi.reports.span import before, span_of, stretches
from tests.history.ground import NOW, Ground, make
from tests.reports.github_server import issue, pull
from tests.reports.making import KAEDE, MIDNIGHT, foretold, incident, looks, repair, report_of
from tests.seeing.seeded import seed

HOUR = 3600.0
# What was seeded ends with it.
LAST_DAY = date(2026, 9, 20)


def trend(report: Report, name: str) -> tuple[float | None, float | None]:
    return next((each.now, each.before) for each in report.trends if each.name == name)


@pytest.mark.slow
@pytest.mark.parametrize(("period", "day"), [("daily", LAST_DAY), ("weekly", date(2026, 9, 14))])
def test_seeded_figures_reckoned_another_way(ground: Ground, period: str, day: date) -> None:
    made = seed(ground.folder, 3, 20, 600.0, url=ground.url, trouble_every=20)
    span = span_of(period, day, UTC)  # type: ignore[arg-type]
    with ground.open() as history:
        report = gather(history, Monitoring(), span, Asked(), now=NOW, zone=UTC)
        tries = [each for each in history.records(Recovered) if span.since <= each.at < span.until]
        earlier_span = before(span, UTC)
        earlier = [each for each in history.records(Recovered) if earlier_span.since <= each.at < earlier_span.until]
        seen = [each for each in history.records(Observation) if span.since <= each.at < span.until]
    assert len(tries) > 5
    assert sum(each.tries for each in report.levels) == len(tries) == trend(report, "repairs")[0]
    assert trend(report, "repairs")[1] == len(earlier)
    held = [each for each in tries if each.outcome == "restored"]
    assert trend(report, "repairs that held")[0] == pytest.approx(100 * len(held) / len(tries))
    assert trend(report, "held at the first try")[0] == pytest.approx(
        100 * sum(each.first_try for each in held) / len(tries)
    )
    for level in report.levels:
        times = [each.seconds for each in held if each.level == level.level]
        assert level.median == pytest.approx(median(times))
        assert level.failed == sum(each.level == level.level and each.outcome == "failed" for each in tries)
    assert f"{len(held)} of {len(tries)} repairs held" in report.sentence
    # The stretches add up to the whole.
    assert sum(each.repairs for each in report.stretches) == len(tries)
    assert sum(each.seen.up for each in report.stretches) == pytest.approx(report.fleet.up)
    assert sum(each.seen.down for each in report.stretches) == pytest.approx(report.fleet.down)
    assert report.fleet.up + report.fleet.down + report.fleet.uncounted == pytest.approx(
        len(made.hosts) * (span.until - span.since)
    )
    assert sum(report.runs.values()) == len({each.run for each in seen})
    disk = next(each for each in report.capacity if each.host == "host-2" and each.measure == "disk_used")
    values = [each.disk_used for each in seen if each.host == "host-2" and each.disk_used is not None]
    assert disk.series is not None
    assert (min(disk.series.low), max(disk.series.high)) == pytest.approx((min(values), max(values)))
    working = sum(each.seconds.get("working", 0) for each in report.agents)
    # Each look holds for ten minutes.
    reckoned = sum(600.0 * list(each.agents.values()).count("working") for each in seen)
    assert working == pytest.approx(reckoned, rel=0.01)


def test_a_day_by_hand(tmp_path: Path) -> None:
    hour = [
        *looks("mugen", MIDNIGHT, MIDNIGHT + 6 * HOUR),
        *looks("mugen", MIDNIGHT + 6 * HOUR, MIDNIGHT + 8 * HOUR, health="unreachable"),
        *looks("mugen", MIDNIGHT + 8 * HOUR, MIDNIGHT + 24 * HOUR),
        *looks("pixel", MIDNIGHT, MIDNIGHT + 24 * HOUR, health="asleep"),
    ]
    report = report_of(tmp_path, hour, asked=Asked(hosts=("mugen", "pixel", "never")))
    mugen, never, pixel = report.hosts
    assert (mugen.host, mugen.seen.up, mugen.seen.down) == ("mugen", 22 * HOUR, 2 * HOUR)
    assert mugen.seen.percent == pytest.approx(100 * 22 / 24)
    assert [each.seen.uncounted for each in (never, pixel)] == [DAY, DAY]
    assert [each.asleep for each in (mugen.seen, never.seen, pixel.seen, report.fleet)] == [0, 0, DAY, DAY]
    assert sum(each.seen.asleep for each in report.stretches) == DAY
    assert [each.seen.percent for each in (never, pixel)] == [None, None]
    # One percent of a day that was counted may be down.
    assert mugen.budget.allowed == pytest.approx(DAY / 100)
    assert mugen.budget.left == pytest.approx(100 * (1 - 2 * HOUR / (DAY / 100)))
    assert report.sentence == "1 host was down for 2 h; nothing was repaired"
    assert [each.seen.down for each in report.stretches][5:9] == [0, HOUR, HOUR, 0]
    assert report.runs == {"clean": 2 * 288}


def test_no_data_is_not_zero(tmp_path: Path) -> None:
    report = report_of(tmp_path, looks())
    for name in ("time down", "incidents", "failures", "repairs", "agents working"):
        assert trend(report, name) == (0, None), name
    assert trend(report, "availability") == (100, None)
    assert trend(report, "repairs that held") == (None, None)
    assert report.budget.left == 100
    assert {each.name for each in report.trends}.isdisjoint({"commits", "issues closed"}), "nobody asked for them"


def test_nobody_looked(tmp_path: Path) -> None:
    report = report_of(tmp_path, looks(since=MIDNIGHT - 3 * DAY, until=MIDNIGHT - 2 * DAY), asked=Asked(hosts=("a",)))
    assert report.sentence == "Nobody looked: of this day nothing is known"
    assert all(each.now is None for each in report.trends)
    assert report.recommendations[0].change == "pyinfra inventory deploys/schedule.py -y"


def test_an_empty_history(tmp_path: Path) -> None:
    report = report_of(tmp_path, [], period="monthly")
    assert report.sentence == "Nobody looked: of this month nothing is known"
    assert (report.hosts, report.levels, report.capacity, report.budget.left) == ((), (), (), None)


def test_a_clean_day(tmp_path: Path) -> None:
    report = report_of(tmp_path, looks())
    assert report.sentence == "no host was down; nothing was repaired"
    assert report.recommendations == ()


def test_so_far(tmp_path: Path) -> None:
    records = [
        *looks(since=MIDNIGHT - DAY, until=MIDNIGHT + 6 * HOUR),
        *repair(MIDNIGHT - 23 * HOUR),
        *repair(MIDNIGHT - HOUR),
        *repair(MIDNIGHT + HOUR),
    ]
    report = report_of(tmp_path, records, now=MIDNIGHT + 6 * HOUR)
    assert report.is_so_far
    assert (report.until, len(report.stretches)) == (MIDNIGHT + 6 * HOUR, 6)
    # The first quarter of a day is compared with the first quarter of the one before.
    assert trend(report, "repairs") == (1, 1)
    assert report.fleet_before.up + report.fleet_before.down == 6 * HOUR


def test_incidents_and_holds(tmp_path: Path) -> None:
    records = [
        *looks(),
        *incident("before", MIDNIGHT - HOUR, MIDNIGHT + HOUR),
        *incident("open", MIDNIGHT + 20 * HOUR, None, severity="CRITICAL"),
        *incident("earlier", MIDNIGHT - 3 * HOUR, MIDNIGHT - 2 * HOUR),
        *incident("later", MIDNIGHT + DAY + 60),
    ]
    report = report_of(tmp_path, records)
    assert {each.incident for each in report.incidents} == {"before", "open"}
    assert trend(report, "incidents")[0] == 1, "one began in this time"
    assert "1 incident was still open at the end" in report.sentence
    assert report.recommendations[0].about == f"mugen:{KAEDE}"
    assert report.recommendations[0].change == f"miyabi explain mugen:{KAEDE}"


def test_what_is_foretold_stands_first(tmp_path: Path) -> None:
    records = [
        *looks("mugen", disk_used=40.0),
        *looks("pixel", disk_used=80.0, memory_available=30.0),
        foretold(MIDNIGHT + DAY),
    ]
    report = report_of(tmp_path, records)
    assert [(each.host, each.measure) for each in report.capacity] == [
        ("mugen", "disk_used"),
        ("pixel", "disk_used"),
        ("pixel", "memory_available"),
    ]
    assert report.recommendations[0].reason == "disk reaches 90 % in 10 h"
    later = report_of(tmp_path, [], now=MIDNIGHT + 30 * DAY)
    assert later.capacity[0].predicted is None, "today's forecast is none of the business of a report of last month"


def test_costs(tmp_path: Path) -> None:
    records = [
        *looks("cloud-1", MIDNIGHT + 90 * 60, MIDNIGHT + 5 * HOUR),
        *looks("cloud-1", MIDNIGHT + 5 * HOUR, MIDNIGHT + 9 * HOUR, health="unreachable"),
        *looks("cloud-2", MIDNIGHT, MIDNIGHT + HOUR),
        *looks("cloud-3", MIDNIGHT, MIDNIGHT + HOUR),
    ]
    instances = {
        "cloud-1": ("i-1", "t3.micro"),
        "cloud-2": ("i-2", "x9.huge"),
        "cloud-3": ("i-3", ""),
        "cloud-4": ("i-4", "t3.micro"),
    }
    monitoring = Monitoring(reports=Reports(prices={"t3.micro": 0.25}, currency="EUR"))
    report = report_of(tmp_path, records, asked=Asked(instances=instances), monitoring=monitoring)
    costs = {each.host: each for each in report.costs}
    # From half past one until five it was reached in four hours of the clock.
    assert (costs["cloud-1"].hours, costs["cloud-1"].cost) == (4, 1.0)
    assert (costs["cloud-2"].hours, costs["cloud-2"].cost) == (1, None)
    assert (costs["cloud-4"].hours, costs["cloud-4"].cost) == (0, 0)
    assert [each.source for each in report.missing] == ["the type of instance cloud-3", "the price of x9.huge"]


def test_commits_and_work_of_both_periods(tmp_path: Path) -> None:
    listed = "".join(f"{n}\0{MIDNIGHT + n * HOUR}\0kaede\0kaede@x\0\0" for n in (-30, -3, -2, 1, 2, 3, 25))
    work = work_of("example/app", [issue(1, "2026-11-20T08:00:00Z"), pull(2, "2026-11-19T23:59:59Z")])
    asked = Asked(commits={"app": commits_of(listed)}, work=(work,), missing=(Missing("commits of /x", "gone"),))
    report = report_of(tmp_path, looks(), asked=asked)
    assert trend(report, "commits") == (3, 2)
    assert trend(report, "issues closed") == (1, 0)
    assert trend(report, "pull requests merged") == (0, 1)
    assert report.missing == (Missing("commits of /x", "gone"),)


def test_a_promise_of_another_length(tmp_path: Path) -> None:
    records = [
        *looks(since=MIDNIGHT - 2 * DAY, until=MIDNIGHT - DAY, health="unreachable"),
        *looks(since=MIDNIGHT - DAY, until=MIDNIGHT + DAY),
    ]
    report = report_of(tmp_path, records, monitoring=Monitoring(Slo(90.0, 2 * DAY)))
    # The last look of the first day holds until the next one: to the second day's begin.
    assert report.budget.spent == 0
    assert report_of(tmp_path, [], monitoring=Monitoring(Slo(90.0, 3 * DAY))).budget.spent == DAY


def test_stretches_of_a_day_with_23_hours() -> None:
    zone = ZoneInfo("Europe/Berlin")
    names = [name for name, _, _ in stretches(span_of("daily", date(2026, 3, 29), zone), zone)]
    assert names[:4] == ["00:00", "01:00", "03:00", "04:00"]


@pytest.mark.parametrize("number", range(4))
def test_failures_by_cause_reckoned_look_by_look(ground: Ground, number: int) -> None:
    chance = Random(number)  # noqa: S311 - the same looks each time
    records: list[Record] = []
    for look in range(150):
        host, run, at = chance.choice("ab"), f"run-{look}", MIDNIGHT + look * 60
        health = chance.choice(["healthy", "drift", "drift", "drift", "unknown", "asleep"])
        records.append(make(Observation, at, run=run, host=host, health=health))
        if health in {"drift", "unknown"}:
            records += [
                make(DriftSeen, at, run=run, host=host, target=target, cause=chance.choice("pq"))
                for target in chance.sample("xyz", chance.randrange(3))
            ]
    since, until = MIDNIGHT + 1800, MIDNIGHT + 7200
    with ground.open(MIDNIGHT + DAY) as history:
        history.write(records)
        found = history.shares_by_cause(since, until)
    looks_of: dict[str, list[str]] = {"a": [], "b": []}
    for each in records:
        if isinstance(each, Observation) and since <= each.at < until and each.health in {"healthy", "drift"}:
            looks_of[each.host].append(each.run)
    last: dict[tuple[str, str, str], int | None] = {}
    reckoned: dict[str, int] = {}
    for each in records:
        if isinstance(each, DriftSeen) and since <= each.at < until:
            case = (each.host, each.target, each.cause)
            place = looks_of[each.host].index(each.run) if each.run in looks_of[each.host] else None
            earlier = last.get(case)
            # Of a look that could not judge nobody can tell whether it is the next one.
            if earlier is None or (place is not None and place > earlier + 1):
                reckoned[each.cause] = reckoned.get(each.cause, 0) + 1
            last[case] = place
    assert found == reckoned
