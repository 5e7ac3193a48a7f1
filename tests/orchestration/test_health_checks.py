"""The eight checks of a workspace: each finds its own trouble, and none of the others'."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest

from miyabi.orchestration.analysis import SessionReport
from miyabi.orchestration.error_table import ERRORS
from miyabi.orchestration.findings import Issue, SessionStatus
from miyabi.orchestration.health_checks import CHECK_OF, HealthCheck, Looked, Resources, check_health, worst
from miyabi.orchestration.report_words import judge_orchestration
from miyabi.orchestration.rules import Orchestration, StateLimits
from miyabi.orchestration.workspace import SeenFile, SeenWorkspace
from miyabi.state import Disk, Memory

NOW = 1_768_478_400.0
RULES = Orchestration("~/app")
FILE = SeenFile("session-a.json", 2048, NOW - 60, "0" * 64)
KEPT = SeenFile("session-a.json/20260115T115900Z.json", 2048, NOW - 60)
SEEN = SeenWorkspace("/home/kaede/app", NOW, sessions=(FILE,), backups=(KEPT,))


def report(
    *issues: Issue, status: SessionStatus = "healthy", repair: Literal["none", "minor"] = "none"
) -> SessionReport:
    return SessionReport(
        name="session-a.json",
        status=status,
        issues=issues,
        size=2048,
        changed_at=NOW - 60,
        last_activity=NOW - 60,
        counts={},
        repair=repair,
    )


def ticks() -> Iterator[float]:
    moment = 0.0
    while True:
        yield moment
        moment += 0.002


def checks(looked: Looked) -> dict[str, HealthCheck]:
    clock = ticks()
    return {each.name: each for each in check_health(looked, lambda: next(clock))}


def test_what_is_well_passes_eight_checks() -> None:
    told = checks(Looked(SEEN, [report()], RULES))
    assert {name: each.status for name, each in told.items()} == dict.fromkeys(told, "pass")
    assert len(told) == 8
    assert {each.milliseconds for each in told.values()} == {2.0}
    assert worst(list(told.values())) == "pass"
    assert judge_orchestration(RULES, [report()], list(told.values())) is None


@pytest.mark.parametrize("code", sorted(CHECK_OF))
def test_each_error_fails_its_own_check_alone(code: str) -> None:
    told = checks(Looked(SEEN, [report(Issue(code, "major", "", "it is so"))], RULES))
    assert [name for name, each in told.items() if each.status != "pass"] == [CHECK_OF[code]]
    assert told[CHECK_OF[code]].status == "fail"
    assert "session-a.json: it is so" in told[CHECK_OF[code]].details


def test_every_error_of_a_state_has_a_check() -> None:
    hooks = {code for code in ERRORS if code.startswith("HOOK_")}
    # These are of other parts: what begins sessions, configuration files, all agents at once, and how fast it goes.
    elsewhere = {"SESSION_INIT_FAILED", "CONFIG_CORRUPTED", "AGENT_SYSTEM_FAILURE", "PERFORMANCE_DEGRADED"}
    assert set(ERRORS) - hooks - elsewhere - {"STATE_CORRUPTED"} == set(CHECK_OF)


def test_what_is_minor_warns() -> None:
    told = checks(Looked(SEEN, [report(Issue("SESSION_ZOMBIE", "minor", "", "locked by the dead"))], RULES))
    assert told["session validity"].status == "warn"


@pytest.mark.parametrize(("used", "status"), [(84, "pass"), (85, "warn"), (95, "fail")])
def test_a_full_disk(used: float, status: str) -> None:
    disk = Disk("~/app", "/", 100, int(used), 100 - int(used), used)
    assert checks(Looked(SEEN, [], RULES, Resources(disk)))["resource availability"].status == status


@pytest.mark.parametrize(("available", "status"), [(26, "pass"), (25, "warn"), (10, "fail")])
def test_little_memory(available: float, status: str) -> None:
    memory = Memory(100, int(available), available, 0, 0)
    assert checks(Looked(SEEN, [], RULES, Resources(memory=memory)))["resource availability"].status == status


def test_busy_processors_are_told_and_break_nothing() -> None:
    assert checks(Looked(SEEN, [], RULES, Resources(busy=99)))["resource availability"].status == "pass"
    assert checks(Looked(SEEN, [], RULES, Resources(busy=500)))["resource availability"].status == "warn"


def test_too_many_sessions() -> None:
    rules = Orchestration("~/app", limits=StateLimits(sessions=0))
    assert checks(Looked(SEEN, [report()], rules))["resource availability"].status == "warn"


def test_what_cannot_be_seen_is_unknown_and_no_error_of_the_state() -> None:
    told = checks(Looked(SeenWorkspace("~/app", NOW, trouble="may not be read"), [], RULES))
    assert told.pop("persistence integrity").status == "fail"
    assert {each.status for each in told.values()} == {"unknown"}


def test_a_session_without_a_backup_and_one_whose_backup_is_old() -> None:
    never = SeenWorkspace("/w", NOW, sessions=(FILE,))
    assert "no backup yet" in checks(Looked(never, [report()], RULES))["persistence integrity"].details
    old = SeenWorkspace("/w", NOW, sessions=(FILE,), backups=(SeenFile(KEPT.name, 1, NOW - 86400),))
    assert "is old" in checks(Looked(old, [report()], RULES))["persistence integrity"].details


def test_events_that_have_ended_though_the_session_goes_on() -> None:
    log = SeenFile("a.jsonl", 9, NOW - 3 * 86400)
    seen = SeenWorkspace("/w", NOW, sessions=(FILE,), backups=(KEPT,), events=(log,))
    assert checks(Looked(seen, [report()], RULES))["event processing"].status == "warn"


def test_what_status_tells() -> None:
    broken = report(Issue("CIRCULAR_DEPENDENCY", "minor", "", "T1 waits for T1"), status="corrupted", repair="minor")
    told = list(checks(Looked(SEEN, [broken], RULES)).values())
    found = judge_orchestration(RULES, [broken], told)
    assert found is not None
    assert (found.target, found.kind, found.reason) == (
        "orchestration ~/app",
        "upkeep",
        "session-a.json: T1 waits for T1",
    )
    only = judge_orchestration(Orchestration("~/app", heal="report"), [broken], told)
    assert only is not None
    assert (only.kind, only.reason.startswith("1 of 8 checks: dependency resolution")) == ("warning", True)
