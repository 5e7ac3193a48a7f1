"""Every row of the remedy table: what it is meant for, what it leads to, and what a human reads."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from miyabi.instance import Check
from miyabi.instance_rules import REMEDIES, InstanceRules, Remedy
from miyabi.levels import Level
from miyabi.remedy import PATIENCE, ROWS, Advice, Case, Tried, Verb, advise, chosen, next_step, plan_line, warning_lines
from tests.ec2.cases import EVERYTHING, FAILS, HOUR, INSTANCE, MINUTE, NOW, case, event, instance

ONLINE = instance(agent="Online")
IMPAIRED = instance(computer=FAILS)
SICK_MACHINE = instance(system=FAILS)
STOPPED = instance(power="stopped", reason="Client.UserInitiatedShutdown: User initiated (2027-01-15 07:58:00 GMT)")
UNTOLD = Check("insufficient-data")
STARTING = Check("initializing")
FAILS_SINCE = "the instance check fails since 07:50 UTC"


def tried(remedy: Remedy, ago: float = HOUR, helped: bool | None = False) -> tuple[Tried, ...]:
    return (Tried(remedy, NOW - ago, helped),)


# What each of them leads to stands in remedy.txt.
CASES: dict[str, Case] = {
    "answers": case(answers=True),
    "answers, and nobody could ask EC2": case(None, answers=True, unknown="no credentials"),
    "answers, and a check fails": case(IMPAIRED, answers=True),
    "nobody could ask EC2": case(None, unknown="no credentials"),
    "something is left, and nobody could ask EC2": case(
        None, unknown="throttled", answers=True, left="work:main.kaede"
    ),
    "answers, and is stopping": case(instance(power="stopping"), answers=True, left="work:main.kaede"),
    "another public address": case(address="203.0.113.9"),
    "another private address": case(connects_by="private", address="10.0.0.9"),
    "stopped by a run that was killed": case(instance(power="stopped"), tried=tried("stop-start", 40, None)),
    "started, then stopped by a run": case(instance(power="stopped"), tried=tried("start") + tried("stop-start", 400)),
    "reboot under way": case(IMPAIRED, tried=tried("reboot", 70, None)),
    "replacement under way": case(None, tried=tried("replace", 10, None)),
    "gone": case(None),
    "terminated": case(instance(power="terminated", reason="Client.UserInitiatedShutdown")),
    "shutting down": case(instance(power="shutting-down")),
    "stopping for an hour": case(instance(power="stopping"), tried=tried("stop-start")),
    "pending for an hour": case(instance(power="pending", launched_at=NOW - HOUR)),
    "pending": case(instance(power="pending", launched_at=NOW - MINUTE)),
    "stopping": case(instance(power="stopping")),
    "stopped": case(STOPPED),
    "EC2 reboots its machine": case(instance(computer=FAILS, events=(event("system-reboot", -MINUTE, HOUR),))),
    "checks that tell nothing": case(instance(computer=STARTING, system=UNTOLD)),
    "no public address": case(instance(public_address="")),
    "sshd answers inside": case(answers_inside=True),
    "sshd answers inside, and a check fails": case(IMPAIRED, answers_inside=True),
    "its machine fails since just now": case(instance(system=Check("impaired", NOW - 100))),
    "its machine fails, nobody knows since when": case(instance(system=Check("impaired")), began=NOW - 200),
    "its machine fails": case(SICK_MACHINE),
    "its volumes fail": case(instance(volumes=FAILS, computer=FAILS)),
    "it fails": case(IMPAIRED),
    "it fails, rebooted": case(IMPAIRED, tried=tried("reboot")),
    "it fails, all tried": case(IMPAIRED, tried=tried("reboot") + tried("stop-start")),
    "it fails, answers, and something is left": case(IMPAIRED, answers=True, left="work:main.kaede"),
    "something is left": case(answers=True, left="work:main.kaede"),
    "no other is reached either": case(is_way_in_doubt=True),
    "ssh is dead, its agent is online": case(ONLINE),
    "ssh is dead": case(),
    "ssh is dead, its agent could not help": case(ONLINE, tried=tried("run-command")),
    "ssh is dead, all tried": case(ONLINE, tried=tried("run-command") + tried("reboot")),
}
EXPECTED = dict(
    re.findall(r"^(\S.*)\n((?: {4}\S.*\n)+)", Path(__file__).with_name("remedy.txt").read_text("utf-8"), re.MULTILINE)
)


def told(given: Case) -> str:
    """What is advised, as remedy.txt says it."""
    advice = advise(given)
    return f"    {advice.row}: {advice.verb} {advice.remedy or '-'}\n    {plan_line(advice, 'cloud-1')}\n"


@pytest.mark.parametrize("name", CASES)
def test_the_table(name: str) -> None:
    assert told(CASES[name]) == EXPECTED[name]


def test_nothing_else_is_expected() -> None:
    assert list(EXPECTED) == list(CASES)


def test_every_row_is_tested() -> None:
    assert {advise(given).row for given in CASES.values()} == {row.name for row in ROWS}


def test_the_last_row_takes_whatever_comes() -> None:
    assert ROWS[-1].when(case())
    assert ROWS[-1].when(case(None))


NOT_ALLOWED = "the spec does not allow it (l4.{})"


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        (case(IMPAIRED), "reboot"),
        (case(ONLINE), "run-command"),
        (case(), "reboot"),
        (case(STOPPED), "start"),
        (case(SICK_MACHINE), "stop-start"),
    ],
)
def test_nothing_is_done_that_the_spec_does_not_allow(given: Case, remedy: Remedy) -> None:
    advice = advise(replace(given, rules=InstanceRules()))
    assert (advice.verb, advice.remedy) == ("tell", remedy)
    assert advice.against == (NOT_ALLOWED.format(remedy.replace("-", "_")),)
    command = f"pyinfra inventory deploys/l4_infrastructure.py --limit cloud-1 --data remedy={remedy}"
    assert next_step(advice, "cloud-1") == command


def test_the_line_of_what_is_not_allowed() -> None:
    advice = advise(case(IMPAIRED, rules=InstanceRules()))
    assert plan_line(advice, "cloud-1") == (
        f"cloud-1 (i-0abc, ap-northeast-1a): {FAILS_SINCE}; would reboot it, but the spec does not allow it (l4.reboot)"
    )


@pytest.mark.parametrize("level", [Level.L1, Level.L2, Level.L3])
def test_nothing_is_done_above_the_last_level_of_the_spec(level: Level) -> None:
    advice = advise(case(IMPAIRED, max_level=level))
    assert (advice.verb, advice.remedy) == ("tell", "reboot")
    assert advice.against == (f"the spec does not allow it (recovery.max_level is {level.name})",)


@pytest.mark.parametrize(
    ("of", "rules", "remedy"),
    [
        (ONLINE, InstanceRules(reboot=True), "reboot"),
        (IMPAIRED, InstanceRules(stop_start=True), "stop-start"),
        (instance(computer=FAILS, is_spot=True), EVERYTHING, "reboot"),
        (instance(computer=FAILS, autoscaling_group="web"), EVERYTHING, "reboot"),
    ],
)
def test_the_first_that_may_be_applied_is(of: object, rules: InstanceRules, remedy: Remedy) -> None:
    advice = advise(case(of, rules=rules))  # type: ignore[arg-type]
    assert (advice.verb, advice.remedy, advice.against) == ("apply", remedy, ())


@pytest.mark.parametrize("agent", [None, "", "ConnectionLost", "Inactive"])
def test_an_agent_that_is_not_online_is_given_no_command(agent: str | None) -> None:
    assert advise(case(instance(agent=agent))).remedy == "reboot"


@pytest.mark.parametrize("check", [UNTOLD, STARTING])
@pytest.mark.parametrize("which", ["system", "computer", "volumes"])
def test_one_check_that_tells_nothing_is_enough_to_wait(check: Check, which: str) -> None:
    sick = {"system": FAILS, "computer": FAILS, "volumes": FAILS}
    assert advise(case(instance(**sick | {which: check}))).row == "checks-unknown"


@pytest.mark.parametrize("remedy", REMEDIES)
def test_what_had_its_time_is_no_longer_waited_for(remedy: Remedy) -> None:
    of = None if remedy == "replace" else instance(power="pending" if remedy == "start" else "running")
    patience = PATIENCE[remedy]
    assert advise(case(of, tried=tried(remedy, patience - 1, None))).row == "under-way"
    assert advise(case(of, tried=tried(remedy, patience, None))).row != "under-way"
    assert advise(case(of, tried=tried(remedy, patience - 1, False))).row != "under-way"
    assert advise(case(of, tried=tried(remedy, patience - 1, True))).row != "under-way"


def test_the_patience_can_be_another_one() -> None:
    waits = advise(case(IMPAIRED, tried=tried("reboot", 5, None), patience={"reboot": 6.0}))
    assert (waits.row, waits.until) == ("under-way", NOW + 1)
    assert advise(case(IMPAIRED, tried=tried("reboot", 6, None), patience={"reboot": 6.0})).remedy == "stop-start"


def test_a_clock_that_was_set_back_makes_nobody_wait_for_long() -> None:
    near = advise(case(IMPAIRED, tried=tried("reboot", -100, None)))
    assert (near.row, near.until) == ("under-way", NOW + PATIENCE["reboot"])
    assert advise(case(IMPAIRED, tried=tried("reboot", -86400, None))).remedy == "stop-start"
    heals = advise(case(instance(system=Check("impaired", NOW + 86400))))
    assert heals.until == NOW + EVERYTHING.self_healing


@pytest.mark.parametrize(
    ("power", "remedy", "row"),
    [
        ("terminated", "reboot", "terminated"),
        ("stopped", "reboot", "stopped"),
        ("stopped", "run-command", "stopped"),
        ("stopped", "start", "under-way"),
        ("stopping", "stop-start", "under-way"),
        ("pending", "stop-start", "under-way"),
        ("terminated", "replace", "under-way"),
    ],
)
def test_only_what_can_still_help_is_under_way(power: str, remedy: Remedy, row: str) -> None:
    assert advise(case(instance(power=power), tried=tried(remedy, 10, None))).row == row


@pytest.mark.parametrize(
    ("past", "launched", "row"),
    [
        (tried("stop-start", 60, None), NOW - HOUR, "half-stopped"),
        (tried("stop-start", HOUR, False), NOW - 2 * HOUR, "half-stopped"),
        # It was started since: somebody else has stopped it.
        (tried("stop-start", HOUR, False), NOW - MINUTE, "stopped"),
        (tried("stop-start", HOUR, True), NOW - 2 * HOUR, "stopped"),
        (tried("stop-start", HOUR, False), None, "stopped"),
        (tried("stop-start", HOUR) + tried("start", MINUTE), NOW - 2 * HOUR, "stopped"),
        (tried("reboot", HOUR), NOW - 2 * HOUR, "stopped"),
    ],
)
def test_a_stop_that_was_not_finished_is(past: tuple[Tried, ...], launched: float | None, row: str) -> None:
    advice = advise(case(instance(power="stopped", launched_at=launched), tried=past))
    assert advice.row == row


@pytest.mark.parametrize(
    ("rules", "verb"),
    [
        (InstanceRules(stop_start=True), "apply"),
        (InstanceRules(start=True), "apply"),
        (InstanceRules(reboot=True), "tell"),
    ],
)
def test_who_may_stop_it_may_start_it_again(rules: InstanceRules, verb: Verb) -> None:
    advice = advise(case(instance(power="stopped"), rules=rules, tried=tried("stop-start")))
    assert (advice.row, advice.verb, advice.remedy) == ("half-stopped", verb, "start")


@pytest.mark.parametrize(
    ("begins", "ends", "row"),
    [
        (-HOUR, HOUR, "event-at-work"),
        (0.0, None, "event-at-work"),
        (-HOUR, None, "computer-impaired"),
        (-HOUR, -1.0, "computer-impaired"),
        (1.0, HOUR, "computer-impaired"),
        (None, HOUR, "computer-impaired"),
    ],
)
def test_what_ec2_does_itself_is_waited_for_while_it_lasts(begins: float | None, ends: float | None, row: str) -> None:
    of = instance(computer=FAILS, events=(event("instance-reboot", begins, ends),))
    assert advise(case(of)).row == row


def test_a_retirement_is_no_work_that_is_waited_for() -> None:
    of = instance(computer=FAILS, events=(event("instance-retirement", -HOUR, HOUR),))
    assert advise(case(of)).row == "computer-impaired"


@pytest.mark.parametrize("address", ["10.0.0.1", "203.0.113.1", "", "cloud-1.example"])
@pytest.mark.parametrize("connects_by", ["public", "private", "ssm"])
def test_one_of_its_own_addresses_or_a_name_is_no_other_address(connects_by: str, address: str) -> None:
    assert advise(case(connects_by=connects_by, address=address)).row == "ssh-dead"


def test_without_a_public_address_the_private_one_may_have_been_tried() -> None:
    assert advise(case(instance(public_address=""), address="10.0.0.1")).row == "ssh-dead"
    assert advise(case(instance(public_address=""), address="203.0.113.1")).row == "no-address"


def test_through_systems_manager_no_address_matters() -> None:
    advice = advise(case(instance(public_address="", private_address=""), connects_by="ssm", address="i-0abc"))
    assert advice.row == "ssh-dead"


def test_a_spot_instance_is_not_waited_for() -> None:
    advice = advise(case(instance(system=Check("impaired", NOW - 10), is_spot=True)))
    assert (advice.row, advice.verb, advice.remedy) == ("system-impaired", "tell", "stop-start")


def test_a_way_in_doubt_does_not_hide_what_ec2_sees_itself() -> None:
    assert advise(case(IMPAIRED, is_way_in_doubt=True)).row == "computer-impaired"
    assert advise(case(STOPPED, is_way_in_doubt=True)).row == "stopped"


def test_warnings_of_an_instance_that_answers() -> None:
    of = instance(
        computer=FAILS, volumes=FAILS, events=(event("instance-retirement", 86400.0), event("system-reboot", 60, 120))
    )
    advice = advise(case(of, answers=True))
    assert advice.verb == "nothing"
    retirement = "EC2 has scheduled the retirement of its machine from Sat 08:00 UTC"
    reboot = "EC2 has scheduled a reboot of the machine below it"
    assert warning_lines(advice, "cloud-1") == (
        f"{FAILS_SINCE}, though it answers",
        "the EBS check fails since 07:50 UTC, though it answers",
        f"{retirement}; a stop and start before that would move it to another machine, but {reboot} at 08:01:00 UTC",
        f"{reboot} from 08:01:00 UTC to 08:02:00 UTC",
    )


def test_an_early_stop_is_offered() -> None:
    advice = advise(case(instance(events=(event("instance-stop", 86400.0),)), answers=True))
    (warning,) = warning_lines(advice, "cloud-1")
    assert warning == (
        "EC2 has scheduled a stop of the instance from Sat 08:00 UTC; a stop and start before that moves it to another"
        " machine: pyinfra inventory deploys/l4_infrastructure.py --limit cloud-1 --data remedy=stop-start"
    )


def test_a_group_that_may_be_faster_is_told_of() -> None:
    advice = advise(case(instance(computer=FAILS, autoscaling_group="web")))
    assert advice.warnings == ("its Auto Scaling group web may replace it meanwhile",)


def test_an_unlikely_state_of_one_that_answers_is_told() -> None:
    advice = advise(case(instance(power="stopped"), answers=True))
    assert (advice.verb, advice.warnings) == ("nothing", ("EC2 says that it is stopped",))


def test_the_name_of_a_host_is_quoted_in_commands() -> None:
    advice = advise(case(IMPAIRED, rules=InstanceRules()))
    words = shlex.split(next_step(advice, "$(reboot) {host}"))
    assert words == ["pyinfra", "inventory", "deploys/l4_infrastructure.py", "--limit", "$(reboot) {host}", "--data",
                     "remedy=reboot"]  # fmt: skip


def test_what_ec2_says_stays_on_one_line() -> None:
    advice = advise(case(instance(power="stopped", reason="a\nb\x1b[31m\t c" + "x" * 500)))
    assert advice.reason.startswith("it is stopped (a b [31m cxxx")
    assert advice.reason.isprintable()
    assert len(advice.reason) < 200


def test_steps_name_the_instance() -> None:
    advice = advise(case(IMPAIRED, tried=tried("reboot") + tried("stop-start")))
    assert next_step(advice, "cloud-1") == (
        "aws ec2 get-console-output --latest --output text --region ap-northeast-1 --instance-id i-0abc"
    )


TELLING = {name: given for name, given in CASES.items() if advise(given).verb == "tell"}


@pytest.mark.parametrize("name", TELLING)
def test_whoever_is_told_hears_what_can_be_done(name: str) -> None:
    step = next_step(advise(TELLING[name]), "cloud-1")
    assert step
    assert "{" not in step


def test_by_hand_neither_the_spec_nor_the_past_matters() -> None:
    advice = chosen(case(answers=True, rules=InstanceRules(), max_level=Level.L3, tried=tried("reboot")), "reboot")
    assert (advice.row, advice.verb, advice.remedy) == ("by-hand", "apply", "reboot")
    assert plan_line(advice, "c") == "c (i-0abc, ap-northeast-1a): a human asks for it; would reboot it"


@pytest.mark.parametrize(
    ("of", "remedy", "words"),
    [
        (INSTANCE, "start", "it is running, not stopped"),
        (STOPPED, "reboot", "it is stopped, not running"),
        (STOPPED, "stop-start", "it is stopped, not running"),
        (INSTANCE, "replace", "it is running, not terminated"),
        (INSTANCE, "run-command", "its Systems Manager agent is not online (it has none)"),
    ],
)
def test_by_hand_it_has_to_be_possible(of: object, remedy: Remedy, words: str) -> None:
    advice = chosen(case(of), remedy)  # type: ignore[arg-type]
    assert (advice.verb, advice.against) == ("tell", (words,))
    assert advice.next_step


def test_by_hand_guards_hold_until_their_price_is_accepted() -> None:
    of = instance(has_instance_store=True)
    held = chosen(case(of), "stop-start")
    assert (held.verb, held.against) == ("tell", ("a stop erases its instance store volumes",))
    assert held.next_step.startswith("if that may be lost, add instance-store to l4: accept in its spec, then: ")
    rules = replace(EVERYTHING, accept=("instance-store",))
    assert chosen(case(of, rules=rules), "stop-start").verb == "apply"


@pytest.mark.parametrize(
    ("given", "row"),
    [
        (case(None), "gone"),
        (case(unknown="throttled"), "not-asked"),
        (case(tried=tried("reboot", 5, None)), "under-way"),
    ],
)
def test_by_hand_doubt_and_work_hold_it(given: Case, row: str) -> None:
    advice: Advice = chosen(given, "reboot")
    assert advice.row == row
    assert advice.verb in {"tell", "wait"}


def test_of_two_that_are_under_way_the_longer_is_waited_for() -> None:
    both = tried("run-command", 10, None) + tried("stop-start", 20, None)
    assert advise(case(IMPAIRED, tried=both)).until == NOW - 20 + PATIENCE["stop-start"]
    assert advise(case(IMPAIRED, tried=both[::-1])).until == NOW - 20 + PATIENCE["stop-start"]


def test_a_stop_is_stuck_as_soon_as_it_had_its_time() -> None:
    stopping = instance(power="stopping")
    assert advise(case(stopping, tried=tried("stop-start", PATIENCE["stop-start"], None))).row == "stuck"
    assert advise(case(stopping, tried=tried("stop-start", PATIENCE["stop-start"] - 1, False))).row == "changing"


@pytest.mark.parametrize(
    "changes", [{"address": "203.0.113.9"}, {"of": instance(public_address="")}, {"answers_inside": True}]
)
def test_where_ssh_answers_the_way_there_does_not_matter(changes: dict[str, Any]) -> None:
    assert advise(case(answers=True, left="work", **changes)).row == "left"


def test_the_check_says_itself_since_when_it_fails() -> None:
    heals = advise(case(instance(system=Check("impaired", NOW - 100)), began=NOW - HOUR))
    assert heals.until == NOW - 100 + EVERYTHING.self_healing


def test_a_group_is_told_of_only_where_something_is_done() -> None:
    assert advise(case(instance(autoscaling_group="web"), answers=True)).warnings == ()


def test_an_early_stop_is_offered_of_one_that_does_not_run_yet() -> None:
    advice = advise(case(instance(power="pending", launched_at=NOW, events=(event("instance-stop", HOUR),))))
    (warning,) = advice.warnings
    assert warning.endswith("--data remedy=stop-start")


PAGE = (Path(__file__).parents[2] / "docs" / "l4.md").read_text(encoding="utf-8")


def described(heading: str) -> dict[str, list[str]]:
    """The other cells of each row of the table below a heading of docs/l4.md, by the name in its first."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    return {cells[0].strip("`"): cells[1:] for cells in rows}


def test_the_page_knows_every_row_and_its_remedies() -> None:
    page = described("The table")
    assert list(page) == [row.name for row in ROWS]
    for row in ROWS:
        named = [word for word in re.findall(r"`([a-z-]+)`", page[row.name][1]) if word in REMEDIES]
        remedies = list(row.order(case(ONLINE)))
        assert named[: len(remedies)] == remedies
        assert bool(named) == bool(remedies)
        if not remedies:
            does = {"nothing": "nothing", "wait": "wait", "reconnect": "connect", "tell": "tell"}[row.verb]
            assert page[row.name][1].startswith(does)


def test_the_page_knows_how_long_each_remedy_is_given() -> None:
    assert {remedy: cells[-1] for remedy, cells in described("The remedies").items()} == {
        remedy: f"{seconds:g} s" for remedy, seconds in PATIENCE.items()
    }


def test_the_page_shows_a_line_as_it_is() -> None:
    later = NOW + 15 * HOUR
    of = instance(computer=Check("impaired", later - 19 * MINUTE))
    advice = advise(case(of, rules=InstanceRules(), now=later))
    assert f"    {plan_line(advice, 'cloud-1')}\n" in PAGE
    assert next_step(advice, "cloud-1") in PAGE


@pytest.mark.parametrize("text", re.findall(r"^```json\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE))
def test_the_policies_are_right(text: str) -> None:
    for statement in json.loads(text)["Statement"]:
        assert statement["Effect"] == "Allow"
        assert "Terminate" not in str(statement["Action"])
