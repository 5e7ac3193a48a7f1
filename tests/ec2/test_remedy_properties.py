"""What holds for any instance, any rules and any past."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from hypothesis import given, settings, strategies as st

from miyabi.instance import UNKNOWN_STATUS, Check, Instance, Power, ScheduledEvent, Status
from miyabi.instance_rules import REMEDIES, Accepted, InstanceRules
from miyabi.levels import Level
from miyabi.remedy import ROWS, Advice, Case, Tried, advise, chosen, next_step, plan_line, warning_lines
from miyabi.remedy_guards import standing_guards
from tests.ec2.cases import NOW

TIMES = st.sampled_from([NOW - 86400, NOW - 3600, NOW - 200, NOW - 20, NOW, NOW + 20, NOW + 1800, NOW + 86400])
MAYBE = st.sampled_from([None, True, False])
CHECKS = st.builds(Check, st.sampled_from(["ok", "ok", "impaired", "impaired", *get_args(Status)]), st.none() | TIMES)
CODES = ["instance-retirement", "instance-stop", "instance-reboot", "system-reboot", "system-maintenance", "new"]
EVENTS = st.builds(ScheduledEvent, st.sampled_from(CODES), st.none() | TIMES, st.none() | TIMES)
INSTANCES = st.builds(
    Instance,
    instance_id=st.just("i-0abc"),
    region=st.just("eu-west-1"),
    power=st.sampled_from(["running", "running", "running", *get_args(Power)]),
    reason=st.text(max_size=5),
    system=CHECKS,
    computer=CHECKS,
    volumes=CHECKS,
    events=st.lists(EVENTS, max_size=2).map(tuple),
    launched_at=st.none() | TIMES,
    private_address=st.sampled_from(["", "10.0.0.1"]),
    public_address=st.sampled_from(["", "203.0.113.1"]),
    has_fixed_address=st.booleans(),
    is_spot=st.sampled_from([False, False, True]),
    autoscaling_group=st.sampled_from(["", "", "web"]),
    root_device=st.sampled_from(["ebs", "ebs", "instance-store"]),
    has_instance_store=MAYBE,
    stop_protected=MAYBE,
    agent=st.sampled_from([None, "", "Online", "ConnectionLost"]),
)
RULES = st.builds(
    InstanceRules,
    run_command=st.booleans(),
    start=st.booleans(),
    reboot=st.booleans(),
    stop_start=st.booleans(),
    replace=st.booleans(),
    launch_template=st.sampled_from(["", "worker"]),
    accept=st.sets(st.sampled_from(get_args(Accepted))).map(tuple),
    self_healing=st.sampled_from([1.0, 300.0]),
)
CASES = st.builds(
    Case,
    instance=st.none() | INSTANCES,
    rules=RULES,
    now=st.just(NOW),
    unknown=st.sampled_from([None, None, None, "throttled"]),
    answers=st.booleans(),
    left=st.sampled_from(["", "work:main.kaede"]),
    address=st.sampled_from(["", "203.0.113.1", "10.0.0.1"]),
    connects_by=st.sampled_from(["public", "private", "ssm"]),
    is_way_in_doubt=st.booleans(),
    answers_inside=MAYBE,
    tried=st.lists(st.builds(Tried, st.sampled_from(REMEDIES), TIMES, MAYBE), max_size=3).map(tuple),
    began=st.none() | TIMES,
    max_level=st.sampled_from([Level.L4, Level.L4, Level.L3]),
)

many = settings(max_examples=200)


@given(CASES)
@many
def test_advice_is_whole(case: Case) -> None:
    advice = advise(case)
    assert advice.row in {row.name for row in ROWS}
    assert advice.reason
    assert (advice.until is not None) == (advice.verb == "wait")
    assert advice.until is None or advice.until > case.now
    assert bool(advice.next_step) == (advice.verb == "tell")
    if advice.verb == "apply":
        assert advice.remedy is not None
        assert advice.against == ()
    else:
        assert bool(advice.against) == (advice.remedy is not None)
    for line in (plan_line(advice, "c"), next_step(advice, "c"), *warning_lines(advice, "c")):
        assert "\n" not in line
        assert "{" not in line.replace(case.instance.reason if case.instance else "", "")


def _may(advice: Advice, case: Case) -> bool:
    if advice.remedy is None or case.max_level < Level.L4:
        return False
    if advice.row == "half-stopped":
        return case.rules.start or case.rules.stop_start
    return case.rules.allows(advice.remedy)


@given(CASES)
@many
def test_what_is_applied_is_allowed_known_unguarded_and_new(case: Case) -> None:
    advice = advise(case)
    instance, remedy = case.instance, advice.remedy
    if advice.verb != "apply" or remedy is None:
        return
    assert _may(advice, case)
    assert case.unknown is None
    assert instance is not None
    checks = (instance.system, instance.computer, instance.volumes)
    assert instance.power != "running" or not UNKNOWN_STATUS & {check.status for check in checks}
    # It was stopped in order to be started: that is not done anew, and what spoke against the stop comes too late.
    if advice.row != "half-stopped":
        assert standing_guards(case, remedy) == ()
        assert remedy not in {each.remedy for each in case.tried}


@given(CASES)
@many
def test_what_answers_is_left_alone_unless_it_fails_and_something_is_left(case: Case) -> None:
    assert advise(replace(case, answers=True, left="")).verb == "nothing"
    advice = advise(replace(case, answers=True, left="work"))
    assert advice.verb != "apply" or advice.row in {"system-impaired", "computer-impaired"}


@given(CASES)
@many
def test_by_hand_no_guard_is_passed_either(case: Case) -> None:
    for remedy in REMEDIES:
        advice = chosen(case, remedy)
        assert advice.verb in {"apply", "tell", "wait"}
        if advice.verb == "apply":
            assert case.unknown is None
            assert standing_guards(case, remedy) == ()
            assert advise(replace(case, answers=False)).row != "under-way"


@given(CASES)
@many
def test_whatever_never_helps_ends_with_a_human(case: Case) -> None:
    """An instance that stays as it is, whatever is done, ends after as many remedies as there are at the most."""
    applied = 0
    for _ in range(40):
        advice = advise(case)
        if advice.verb == "apply" and advice.remedy:
            applied += 1
            case = replace(case, tried=(*case.tried, Tried(advice.remedy, case.now, None)), now=case.now + 1)
        elif advice.verb == "reconnect":
            assert case.instance is not None
            reached = case.instance.public_address if case.connects_by == "public" else case.instance.private_address
            case = replace(case, address=reached)
        elif advice.verb == "wait" and advice.until is not None:
            case = replace(case, now=advice.until)
        else:
            break
    assert applied <= len(REMEDIES) + 1
    waits_for_ever = {"not-asked", "contradiction", "changing", "checks-unknown", "event-at-work"}
    since = None if case.instance is None else case.instance.system.since
    # What EC2's clock says of a moment that ours has not reached waits until it has.
    unknown_since = case.began is None and case.instance is not None and (since is None or since > case.now)
    if advise(case).row not in waits_for_ever and not unknown_since:
        assert advise(case).verb in {"tell", "nothing"}
