"""How looks, memories and the gate's word become a host's status, and records of a run its outcome: as tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from miyabi.gate import Pause, TargetHistory, Try
from miyabi.gate_pauses import pauses_of_spec
from miyabi.gate_rules import FleetRules, Rules
from miyabi.health import FleetHealth, Found, Numbers, health_from_json
from miyabi.host_status import HostStatus, exit_code, in_order, same_since, status_of, status_of_absent
from miyabi.levels import Level
from miyabi.outlook import Outlook, Remembered, fleet_now, with_this_look
from miyabi.records import Decided, DriftSeen, IncidentChanged, Observation, Recovered, RunEnded, RunStarted, Signalled
from miyabi.run_outcome import Ran, exit_code as exit_code_of_run, outcome_of, unfinished
from miyabi.spec import Pane, Session, Spec, Window
from miyabi.target_name import TargetName
from miyabi.timeline import events_of, together

NOW = 1795003200.0
SPEC = Spec("spec.yaml", "digest", gate=Rules())
DEAD = Found("work:main.kaede", "pane-dead", "L1", "exited with status 1")


def _outlook(looks: dict[str, FleetHealth], **remembered: Any) -> Outlook:
    known = Remembered(**remembered)
    hosts = [*looks, "another"]
    return Outlook(fleet_now(looks, hosts, known, FleetRules(), NOW), known, NOW)


def _tried(*ages: float, level: Level = Level.L1, restored: bool = True) -> TargetHistory:
    sightings = tuple((NOW - age - 1, True) for age in ages)
    tries = tuple(Try(NOW - age, level, restored) for age in ages)
    return with_this_look(TargetHistory(sightings, tries), NOW)


@pytest.mark.parametrize(
    ("found", "remembered", "rule"),
    [
        (DEAD, {}, ""),
        (DEAD, {"histories": {("mugen", DEAD.target): _tried(5.0)}}, "backoff"),
        (DEAD, {"histories": {("mugen", DEAD.target): _tried(500.0)}}, ""),
        (DEAD, {"histories": {("pixel", DEAD.target): _tried(5.0)}}, ""),
        (DEAD, {"pauses": (Pause("mugen", "work", NOW + 60, "mine"),)}, "pause"),
        (DEAD, {"pauses": (Pause("mugen", "wor", NOW + 60, "mine"),)}, ""),
        (DEAD, {"pauses": (Pause("", "", NOW + 60, "emergency stop: three criticals"),)}, "emergency-stop"),
        (DEAD, {"leases": {"mugen": ("other:1", NOW + 60)}}, "lease"),
        (DEAD, {"breakers": {"host mugen": (5, NOW - 60)}}, "breaker"),
        (replace(DEAD, watched=3.0), {}, "presence"),
        (replace(DEAD, watched=600.0), {}, ""),
        (replace(DEAD, kind="unmarked"), {"leases": {"mugen": ("other:1", NOW + 60)}}, ""),
        (Found("log ~/x.log", "upkeep", "upkeep", "200 MB"), {"leases": {"mugen": ("other:1", NOW + 60)}}, ""),
        (Found("sshd", "upkeep", "upkeep", "silent"), {"leases": {"mugen": ("other:1", NOW + 60)}}, "lease"),
    ],
)
def test_what_the_gate_would_say(found: Found, remembered: dict[str, Any], rule: str) -> None:
    outlook = _outlook({"mugen": FleetHealth("drift", drifts=(found,))}, **remembered)
    decision = outlook.decision("mugen", found, SPEC)
    assert (decision.allowed, decision.rule) == (not rule, rule)
    assert [each.rule for each in outlook.holds("mugen", found, SPEC)][:1] == ([rule] if rule else [])


def test_everything_that_holds_is_told_not_only_the_first() -> None:
    outlook = _outlook(
        {"mugen": FleetHealth("drift", drifts=(DEAD,))},
        pauses=(Pause("mugen", "", NOW + 60),),
        leases={"mugen": ("other:1", NOW + 60)},
        histories={("mugen", DEAD.target): _tried(5.0)},
    )
    assert [each.rule for each in outlook.holds("mugen", DEAD, SPEC)] == ["pause", "lease", "backoff"]
    assert all(each.again_at and each.again_at > NOW for each in outlook.holds("mugen", DEAD, SPEC))


def test_a_level_that_has_used_up_its_tries_leaves_the_turn_to_the_next() -> None:
    looks = {"mugen": FleetHealth("drift", drifts=(DEAD,))}
    used = _outlook(looks, histories={("mugen", DEAD.target): _tried(500.0, 450.0, 400.0)})
    assert used.level("mugen", DEAD, SPEC) == "L2"
    assert _outlook(looks).level("mugen", DEAD, SPEC) == "L1"
    low = replace(SPEC, recovery=replace(SPEC.recovery, max_level=Level.L1))
    assert used.level("mugen", DEAD, low) == "L1"


def test_a_storm_of_an_open_incident_goes_on() -> None:
    drifts = tuple(replace(DEAD, target=f"work:main.{name}") for name in "abcdef")
    looks = {"mugen": FleetHealth("drift", drifts=drifts), "@local": FleetHealth("healthy")}
    incident = IncidentChanged(
        event="i", run="r", at=NOW - 10, incident="i", change="opened", host="", target="", kind="storm",
        severity="CRITICAL", summary="", cause="api-error", opened_at=NOW - 10, told_at=NOW - 10,
        covers=(*(f"mugen:{each.target}" for each in drifts), "another:work"),
    )  # fmt: skip
    causes = {("mugen", each.target): "api-error" for each in drifts}
    assert _outlook(looks, incidents=(incident,), causes=causes).decision("mugen", drifts[0], SPEC).rule == "storm"
    old = replace(incident, opened_at=NOW - 1000)
    tried = {("mugen", drifts[0].target): NOW - 100}
    later = _outlook(looks, incidents=(old,), causes=causes, tried=tried)
    assert later.decision("mugen", drifts[1], SPEC).rule == "storm"


def test_since_when_something_is_damaged() -> None:
    looks = {"mugen": FleetHealth("drift", drifts=(DEAD,))}
    sightings = tuple((NOW - 600 + 100 * number, damaged) for number, damaged in enumerate([True, False, True, True]))
    history = with_this_look(TargetHistory(sightings), NOW)
    key = ("mugen", DEAD.target)
    assert _outlook(looks, histories={key: history}).damaged_since(*key) == NOW - 400
    again = _outlook(looks, histories={key: history}, restored={("mugen", "work:main"): NOW - 350})
    assert again.damaged_since(*key) == NOW - 300
    assert _outlook(looks).damaged_since(*key) is None


def test_what_a_spec_itself_wants_left_alone() -> None:
    panes = (Pane("kaede", maintenance="mine"), Pane("sakura"))
    session = Session("work", windows=(Window("main", panes=panes),), maintenance="")
    paused = pauses_of_spec("mugen", replace(SPEC, sessions=(session,)), NOW)
    assert [(each.host, each.target, each.reason) for each in paused] == [
        ("mugen", "work", ""),
        ("mugen", "work:main.kaede", "mine"),
    ]
    assert all(each.until > NOW for each in paused)


def _observed(host: str = "mugen", health: Any = "drift", at: float = NOW, reason: str = "") -> Observation:
    return Observation(event=f"o{at}", run="r", at=at, host=host, health=health, reason=reason)


def test_the_status_of_a_host() -> None:
    seen = FleetHealth("drift", "why", (DEAD,), observation=Numbers(disk_used=4.0))
    history = with_this_look(TargetHistory(((NOW - 60, True),)), NOW)
    outlook = _outlook({"mugen": seen}, histories={("mugen", DEAD.target): history})
    status = status_of("mugen", seen, SPEC, outlook)
    assert (status.health, status.since) == ("drift", NOW - 60)
    well = status_of("mugen", FleetHealth("healthy"), SPEC, outlook, [_observed(health="healthy", at=NOW - 90)])
    assert (well.health, well.since) == ("healthy", NOW - 90)
    assert health_from_json(seen.to_json() | {"drifts": [DEAD.to_json()]}) == seen
    wrong: Any
    for wrong in ({}, {"health": "drift"}, [], None, {**seen.to_json(), "drifts": [{"x": 1}]}):
        with pytest.raises(ValueError, match="no answer of facts"):
            health_from_json(wrong)


def test_since_when_the_looks_say_the_same() -> None:
    looks = [_observed(health=health, at=NOW - 10 * age) for age, health in enumerate(["drift", "drift", "healthy"])]
    assert same_since(looks, "drift") == NOW - 10
    assert same_since(looks, "healthy") is None
    assert same_since([], "healthy") is None


@pytest.mark.parametrize(
    ("said", "is_connected", "health", "reason"),
    [
        (["asleep, not reached since x; nothing is done to it"], False, "asleep", "offline, as it may be"),
        (
            ["Could not connect (timed out)", "not reached since x"],
            False,
            "unreachable",
            "Could not connect (timed out)",
        ),
        ([], False, "unreachable", "it told nothing"),
        (
            ["Connected", "FactProcessError: the host did not run the probe", "Error: could not process fact: f"],
            True,
            "unknown",
            "the host did not run the probe",
        ),
    ],
)
def test_hosts_that_told_nothing(said: list[str], is_connected: bool, health: str, reason: str) -> None:
    status = status_of_absent("mugen", said, NOW - 5, is_connected=is_connected)
    assert (status.health, status.reason) == (health, reason)


def test_exit_codes_of_a_look() -> None:
    def of(*healths: Any) -> int:
        return exit_code(HostStatus(f"h{number}", health, None) for number, health in enumerate(healths))

    assert [of(), of("healthy", "asleep"), of("healthy", "drift"), of("drift", "unknown"), of("unreachable")] == [
        *(0, 0, 2, 1, 1)
    ]
    unordered = [HostStatus("b", "healthy", None), HostStatus("a", "asleep", None), HostStatus("c", "drift", None)]
    assert [each.host for each in in_order(unordered)] == ["c", "a", "b"]


def _recovered(target: str, level: str, outcome: Any, host: str = "mugen") -> Recovered:
    return Recovered(
        event=f"{target}{level}", run="r", at=NOW, host=host, target=target, level=level, does="restore",
        outcome=outcome, seconds=0.4, reason="" if outcome == "restored" else "it died again",
    )  # fmt: skip


def _decided(target: str, level: str, rule: str = "", does: str = "restore") -> Decided:
    return Decided(
        event=f"d{target}{level}{rule}", run="r", at=NOW, host="mugen", target=target, does=does, level=level,
        allowed=not rule, rule=rule, reason="because", again_at=NOW + 60 if rule else None,
    )  # fmt: skip


def _drifted(target: str) -> DriftSeen:
    return DriftSeen(event=f"s{target}", run="r", at=NOW, host="mugen", target=target, kind="x", level="L1", reason="x")


@pytest.mark.parametrize(
    ("ran", "ended", "code"),
    [
        (Ran(), "not-looked-at", 1),
        (Ran([_observed(health="healthy")]), "healthy", 0),
        (Ran([_observed(health="asleep")]), "asleep", 0),
        (Ran([_observed(health="unreachable")]), "unreachable", 1),
        (Ran([_observed(health="unknown")]), "unknown", 1),
        (Ran([_observed()], [_drifted("w:a.x")], [], [_recovered("w:a.x", "L1", "restored")]), "restored", 0),
        (Ran([_observed()], [_drifted("w:a.x")], [], [_recovered("w", "L3", "restored")]), "restored", 0),
        (Ran([_observed()], [_drifted("wo:a.x")], [], [_recovered("w", "L3", "restored")]), "failed", 1),
        (
            Ran([_observed()], [], [], [_recovered("w:a.x", "L1", "failed"), _recovered("w:a.x", "L2", "restored")]),
            "restored",
            0,
        ),
        (Ran([_observed()], [], [], [_recovered("w:a.x", "L1", "failed")]), "failed", 1),
        (Ran([_observed()], [_drifted("w:a.x")], [_decided("w:a.x", "L1", "pause")]), "held", 2),
        (Ran([_observed()], [_drifted("w:a.x")]), "failed", 1),
        (Ran([_observed()], [_drifted("w:a.x"), _drifted("w:a.y")], [_decided("w:a.x", "L1", "pause")]), "failed", 1),
        (Ran([_observed("pixel")]), "not-looked-at", 1),
    ],
)
def test_what_a_run_came_to(ran: Ran, ended: str, code: int) -> None:
    outcome = outcome_of("mugen", ran)
    assert (outcome.ended, exit_code_of_run([outcome], 0)) == (ended, code)


def test_a_run_that_failed_for_another_reason_is_no_clean_one() -> None:
    well = outcome_of("mugen", Ran([_observed(health="healthy")]))
    assert exit_code_of_run([well], 1) == 1
    held = outcome_of("mugen", Ran([_observed()], [], [_decided("w", "L3", "pause")]))
    assert exit_code_of_run([held], 1) == 2


def test_what_was_begun_and_came_to_no_end() -> None:
    decisions = [_decided("w:a.x", "L1"), _decided("w:a.y", "L1"), _decided("w:b", "L2", "pause")]
    decisions += [_decided("w:c", "L1", does="adopt")]
    ran = Ran(decisions=decisions, recoveries=[_recovered("w:a.x", "L1", "restored")])
    assert [each.target for each in unfinished(ran)] == ["w:a.y"]


def _run(number: int, outcome: Any) -> tuple[RunStarted, RunEnded]:
    run, at = f"r{number}", NOW - 300 * number
    start = RunStarted(event=f"a{number}", run=run, at=at, command="deploys/recover.py", controller="c")
    return start, RunEnded(event=f"e{number}", run=run, at=at + 2, outcome=outcome, seconds=2.0, hosts=3)


def test_what_says_the_same_is_one_line() -> None:
    runs = [_run(number, "restored" if number == 3 else "clean") for number in range(8)]
    held = [replace(_decided("w:a.x", "L1", "limit"), event=f"h{age}", at=NOW - age) for age in (10, 310, 610)]
    records = [*(start for start, _ in runs), *held, replace(_recovered("w:a.x", "L1", "restored"), at=NOW - 900)]
    events = events_of(records, {start.run: end for start, end in runs})
    assert len(events) == 12
    assert [(each.kind, each.times) for each in together(events)] == [
        *(("run", 3), ("decision", 3), ("run", 1), ("recovery", 1), ("run", 4))
    ]


def test_events_of_one_target() -> None:
    records = [
        _recovered("w:a.x", "L1", "restored"),
        _recovered("w:ab", "L2", "restored"),
        _recovered("w", "L3", "restored"),
        _recovered("w:a.x", "L1", "restored", host="pixel"),
        Signalled(event="g", run="r", at=NOW, signal="resume", host="mugen"),
        Signalled(event="g2", run="r", at=NOW, signal="HEALTH_OK", host="mugen"),
        _run(1, "clean")[0],
    ]
    told = events_of(records, {}, TargetName("mugen", "w:a"))
    assert sorted((each.host, each.target) for each in together(told)) == [
        *(("mugen", ""), ("mugen", "w"), ("mugen", "w:a.x"))
    ]
    assert len(events_of(records, {})) == 7
    assert len(together(events_of(records, {}))) == 6
