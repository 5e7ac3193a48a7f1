"""Every guard: when it speaks against a remedy, in which words, and what makes it silent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from miyabi.instance import Instance
from miyabi.instance_rules import REMEDIES, Accepted, Remedy
from miyabi.remedy import advise
from miyabi.remedy_guards import GUARDS, standing_guards
from tests.ec2.cases import EVERYTHING, FAILS, HOUR, INSTANCE, case, event, instance

PAGE = (Path(__file__).parents[2] / "docs" / "l4.md").read_text(encoding="utf-8")
STORE_UNTOLD = "whether it has instance store volumes, which a stop erases, could not be told"
PROTECTION_UNTOLD = "whether it is protected from being stopped could not be told"

# What is so about an instance, for which remedy, and which guard says what.
SPEAKS: list[tuple[dict[str, Any], Remedy, str, str]] = [
    ({"power": "stopped", "agent": "Online"}, "run-command", "power", "it is stopped, not running"),
    ({}, "start", "power", "it is running, not stopped"),
    ({"power": "pending"}, "reboot", "power", "it is pending, not running"),
    ({"power": "shutting-down"}, "stop-start", "power", "it is shutting down, not running"),
    ({"power": "shutting-down"}, "replace", "power", "it is not terminated yet"),
    ({"power": "stopped"}, "replace", "power", "it is stopped, not terminated"),
    ({}, "run-command", "agent", "its Systems Manager agent is not online (it has none)"),
    ({"agent": "Inactive"}, "run-command", "agent", "its Systems Manager agent is not online (Inactive)"),
    ({"agent": None}, "run-command", "agent", "whether Systems Manager reaches it could not be told"),
    ({"is_spot": True}, "stop-start", "spot", "it is a spot instance, which EC2 may not start again"),
    ({"is_spot": True, "power": "stopped"}, "start", "spot", "it is a spot instance, which EC2 may not start again"),
    (
        {"is_spot": True, "power": "terminated"},
        "replace",
        "spot",
        "it is a spot instance, whose request decides what comes after it",
    ),
    (
        {"autoscaling_group": "web"},
        "stop-start",
        "autoscaling-group",
        "its Auto Scaling group web replaces what is stopped",
    ),
    (
        {"autoscaling_group": "web", "power": "stopped"},
        "start",
        "autoscaling-group",
        "its Auto Scaling group web may be replacing it already",
    ),
    (
        {"autoscaling_group": "web", "power": "terminated"},
        "replace",
        "autoscaling-group",
        "its Auto Scaling group web replaces it itself",
    ),
    (
        {"root_device": "instance-store"},
        "stop-start",
        "root-device",
        "its root device is an instance store, which cannot be stopped",
    ),
    ({"root_device": ""}, "stop-start", "root-device", "what its root device is could not be told"),
    ({"has_instance_store": True}, "stop-start", "instance-store", "a stop erases its instance store volumes"),
    ({"has_instance_store": None}, "stop-start", "instance-store", STORE_UNTOLD),
    (
        {"has_fixed_address": False},
        "stop-start",
        "new-address",
        "it would lose its public address 203.0.113.1, which is not an elastic one",
    ),
    ({"stop_protected": True}, "stop-start", "stop-protection", "it is protected from being stopped"),
    ({"stop_protected": None}, "stop-start", "stop-protection", PROTECTION_UNTOLD),
    (
        {"events": (event("system-maintenance", HOUR, 2 * HOUR),)},
        "stop-start",
        "scheduled-event",
        "EC2 has scheduled maintenance of the machine below it at 09:00 UTC",
    ),
    (
        {"events": (event("instance-reboot", -HOUR),)},
        "stop-start",
        "scheduled-event",
        "EC2 has scheduled a reboot of the instance at 07:00 UTC",
    ),
    (
        {"events": (event("something-new", None),)},
        "stop-start",
        "scheduled-event",
        "EC2 has scheduled something-new",
    ),
]


@pytest.mark.parametrize(("changes", "remedy", "guard", "words"), SPEAKS)
def test_what_speaks_against_a_remedy(changes: dict[str, Any], remedy: Remedy, guard: str, words: str) -> None:
    found = standing_guards(case(instance(**changes)), remedy)
    assert [(each.name, said) for each, said in found] == [(guard, words)]


def test_a_replacement_needs_a_template() -> None:
    rules = replace(EVERYTHING, launch_template="")
    ((guard, words),) = standing_guards(case(instance(power="terminated"), rules=rules), "replace")
    assert (guard.name, words) == ("launch-template", "the spec names no launch template (l4.launch_template)")


def test_every_guard_is_tested() -> None:
    assert {guard for _, _, guard, _ in SPEAKS} | {"launch-template"} == {guard.name for guard in GUARDS}


@pytest.mark.parametrize(
    ("of", "remedy"),
    [
        (INSTANCE, "reboot"),
        (INSTANCE, "stop-start"),
        (instance(agent="Online"), "run-command"),
        (instance(power="stopped"), "start"),
        (instance(power="terminated"), "replace"),
        (instance(public_address="", has_fixed_address=False), "stop-start"),
        (instance(events=(event("system-reboot", HOUR + 1),)), "stop-start"),
        # A stop and start is what is asked for there.
        (instance(events=(event("instance-retirement", 60), event("instance-stop", None))), "stop-start"),
        # A reboot keeps the machine, the address, and what is on its volumes.
        (
            instance(
                is_spot=True,
                autoscaling_group="web",
                root_device="instance-store",
                has_instance_store=None,
                has_fixed_address=False,
                stop_protected=None,
            ),
            "reboot",
        ),
    ],
)
def test_nothing_speaks_against_it(of: Instance, remedy: Remedy) -> None:
    assert standing_guards(case(of), remedy) == ()


def test_all_that_speaks_against_it_is_said() -> None:
    of = instance(system=FAILS, is_spot=True, has_instance_store=True, has_fixed_address=False, stop_protected=None)
    advice = advise(case(of))
    assert (advice.verb, advice.remedy) == ("tell", "stop-start")
    assert advice.against == (
        "it is a spot instance, which EC2 may not start again",
        "a stop erases its instance store volumes",
        "it would lose its public address 203.0.113.1, which is not an elastic one",
        PROTECTION_UNTOLD,
    )
    assert "get-console-output" in advice.next_step


@pytest.mark.parametrize(
    ("changes", "accept"),
    [
        ({"has_instance_store": True}, "instance-store"),
        ({"has_instance_store": None}, "instance-store"),
        ({"has_fixed_address": False}, "new-address"),
        ({"events": (event("system-reboot", HOUR - 1),)}, "scheduled-event"),
    ],
)
def test_a_price_that_the_spec_accepts(changes: dict[str, Any], accept: Accepted) -> None:
    of = instance(system=FAILS, **changes)
    held = advise(case(of))
    assert (held.verb, len(held.against)) == ("tell", 1)
    assert held.next_step.startswith(f"if that may be lost, add {accept} to l4: accept in its spec, then: pyinfra ")
    assert advise(case(of, rules=replace(EVERYTHING, accept=(accept,)))).verb == "apply"
    others = tuple(each for each in get_args(Accepted) if each != accept)
    assert advise(case(of, rules=replace(EVERYTHING, accept=others))).verb == "tell"


def test_acceptance_is_no_permission() -> None:
    rules = replace(EVERYTHING, stop_start=False, accept=get_args(Accepted))
    assert advise(case(instance(system=FAILS), rules=rules)).against == ("the spec does not allow it (l4.stop_start)",)


@pytest.mark.parametrize(
    "changes",
    [{"is_spot": True}, {"autoscaling_group": "web"}, {"root_device": "instance-store"}, {"stop_protected": True}],
)
def test_what_nobody_can_accept(changes: dict[str, Any]) -> None:
    rules = replace(EVERYTHING, accept=get_args(Accepted))
    assert advise(case(instance(system=FAILS, **changes), rules=rules)).verb == "tell"


@pytest.mark.parametrize("remedy", REMEDIES)
def test_on_what_does_not_exist_nothing_is_guarded(remedy: Remedy) -> None:
    """There advice is only ever to tell, or to wait."""
    assert standing_guards(case(None), remedy) == ()
    assert advise(case(None)).verb == "tell"


def test_the_page_knows_every_guard() -> None:
    described = [line.split("`")[1] for line in _table("## Guards")]
    assert described == [guard.name for guard in GUARDS]
    accepted = {line.split("`")[1]: line for line in _table("## Guards")}
    for guard in GUARDS:
        assert (f"`{guard.accept}`" in accepted[guard.name].rpartition("|")[0].rpartition("|")[2]) == bool(guard.accept)


def _table(heading: str) -> list[str]:
    section = PAGE.split(f"\n{heading}\n", 1)[1].split("\n## ", 1)[0]
    return [line for line in section.splitlines() if line.startswith("| `")]
