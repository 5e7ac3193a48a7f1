"""Each row of the table of recommendations: what speaks for it, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from miyabi.monitoring import DAY, Monitoring, Reports
from miyabi.records import Decided, Record
from miyabi.reports.past import Asked
from miyabi.reports.recommending import TABLE
from miyabi.reports.report import Recommendation
from tests.history.ground import make
from tests.reports.making import KAEDE, MIDNIGHT, foretold, incident, looks, repair, report_of

HOUR = 3600.0
NAME = f"mugen:{KAEDE}"


def _repairs(*levels: str, held: bool = True, **values: object) -> list[Record]:
    return [
        record
        for number, level in enumerate(levels)
        for record in repair(MIDNIGHT + number * 900, level=level, held=held, **values)  # type: ignore[arg-type]
    ]


def _holds(times: int, rule: str = "flapping") -> list[Record]:
    """Holds, each parted from the next by a try."""
    found: list[Record] = []
    for number in range(times):
        at = MIDNIGHT + number * 2 * HOUR
        about = {"host": "mugen", "target": KAEDE, "level": "L1"}
        found += repair(at, held=False)
        found.append(make(Decided, at + 600, run=f"h{at}", allowed=False, rule=rule, reason="3 of 5 looks", **about))
    return found


CASES: dict[str, tuple[list[Record], str, str]] = {
    "an incident that is open": (
        incident("a", MIDNIGHT + HOUR, None),
        NAME,
        f"miyabi explain {NAME}",
    ),
    "a pane that needs L2": (_repairs("L1", "L2", "L2"), NAME, "recovery: {learn: true} in the spec of mugen"),
    "an overdrawn budget": (
        looks("pixel", MIDNIGHT, MIDNIGHT + 25 * HOUR, health="unreachable"),
        "pixel",
        "availability: intermittent in its spec",
    ),
    "an agent that waits": (
        looks("pixel", agents={KAEDE: "permission"}),
        f"pixel:{KAEDE}",
        "miyabi cockpit",
    ),
    "an agent that asks whether it is trusted": (
        looks("pixel", agents={KAEDE: "trust"}),
        f"pixel:{KAEDE}",
        "agent: {trust: true}",
    ),
    "an agent that is not logged in": (
        looks("pixel", agents={KAEDE: "login"}),
        f"pixel:{KAEDE}",
        f"miyabi explain pixel:{KAEDE}",
    ),
    "an agent at its limit": (looks("pixel", agents={KAEDE: "limited"}), f"pixel:{KAEDE}", "miyabi predict"),
    "a dead channel": (
        incident("a", MIDNIGHT, MIDNIGHT + HOUR, kind="channel", host="", target="channel ops", summary="refused"),
        "channel ops",
        "inventory/alerts.yaml",
    ),
    "a disk that fills": ([foretold(MIDNIGHT + DAY)], "mugen:disk", "limits: {disk: {relief: [...]}}"),
    "a memory that fills": (
        [foretold(MIDNIGHT + DAY, subject="memory")],
        "mugen:memory",
        "limits: {memory_available: {relief: [...]}}",
    ),
    "what is held again and again": (_holds(3), NAME, f"miyabi pause {NAME}"),
    "a slow level": (_repairs(*["L1"] * 5, seconds=11.0), "L1", "miyabi history --since 7d"),
    "a main cause": (_repairs(*["L1"] * 6), "cause oom", "miyabi history --causes"),
    "a level that never helps": (
        _repairs(*["L1"] * 5, held=False) + _repairs("L2", "L2", "L2", target="work:main.botan"),
        "pane-dead by oom",
        "recovery: {learn: true} in the specs",
    ),
}


def _recommended(tmp_path: Path, records: list[Record], asked: Asked | None = None) -> list[Recommendation]:
    known = asked or Asked()
    report = report_of(tmp_path, [*looks(), *records], asked=known, monitoring=Monitoring(reports=Reports()))
    return list(report.recommendations)


@pytest.mark.parametrize("case", CASES)
def test_it_is_recommended(tmp_path: Path, case: str) -> None:
    records, about, change = CASES[case]
    found = _recommended(tmp_path, records)
    assert [each for each in found if each.about == about and change in each.change], found
    assert all(each.say and each.reason and each.change and 0 <= each.weight <= 100 for each in found)
    assert [each.weight for each in found] == sorted((each.weight for each in found), reverse=True)


QUIET: dict[str, list[Record]] = {
    "nothing at all": [],
    "an incident that was closed": incident("a", MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR),
    "an incident of little weight": incident("a", MIDNIGHT + HOUR, None, severity="MEDIUM"),
    "half of the repairs by L2": _repairs("L1", "L2"),
    "a session that needs L3": _repairs("L3", "L3", "L3", target="work"),
    "an agent that waited for a moment": looks("pixel", MIDNIGHT, MIDNIGHT + 1800, agents={KAEDE: "permission"}),
    "a disk that has no trend": [foretold(MIDNIGHT + DAY, outcome="no-trend", crosses_at=None)],
    "a disk that fills in a month": [foretold(MIDNIGHT + DAY, crosses_at=MIDNIGHT + 31 * DAY)],
    "quiet holds": _holds(3, "backoff"),
    "few holds": _holds(2),
}


@pytest.mark.parametrize("case", QUIET)
def test_it_is_not_recommended(tmp_path: Path, case: str) -> None:
    # That a host was looked at for half an hour alone is another row's.
    found = [each for each in _recommended(tmp_path, QUIET[case]) if each.about != "the fleet"]
    if case in {"quiet holds", "few holds"}:
        found = [each for each in found if each.weight != 80]
    assert found == []


def test_an_unpriced_instance(tmp_path: Path) -> None:
    (found,) = _recommended(tmp_path, [], Asked(instances={"mugen": ("i-1", "m7g.large")}))
    assert found.change == "reports: {prices: {m7g.large: ...}} in inventory/fleet.yaml"


def test_a_fleet_that_is_looked_at_too_seldom(tmp_path: Path) -> None:
    records = [
        record
        for each in range(0, 24, 6)
        for record in looks("mugen", MIDNIGHT + each * HOUR, MIDNIGHT + each * HOUR + 300)
    ]
    report = report_of(tmp_path, records)
    assert [each.change for each in report.recommendations] == ["pyinfra inventory deploys/schedule.py -y"]


def test_a_host_that_sleeps_need_not_be_looked_at_more_often(tmp_path: Path) -> None:
    woken = MIDNIGHT + 2 * HOUR
    records = [*looks(until=woken), *looks(since=woken, health="asleep")]
    assert report_of(tmp_path, records).recommendations == ()


def test_hostile_names_are_quoted_for_the_shell(tmp_path: Path) -> None:
    found = _recommended(tmp_path, incident("a", MIDNIGHT + HOUR, None, target="work; rm -rf ~"))
    assert found[0].change == "miyabi explain 'mugen:work; rm -rf ~'"


def test_every_row_is_tried() -> None:
    assert len(TABLE) == 13
