"""Every row of the remedy table and every guard, on what a pretended EC2 says over HTTP to the real boto3."""

from __future__ import annotations

from typing import Any

import pytest

from miyabi.ec2_api import Region
from miyabi.errors import Ec2Error
from miyabi.instance import Instance
from miyabi.instance_rules import InstanceRules, Remedy
from miyabi.remedy import ROWS, Case, Tried, Verb, advise, chosen
from miyabi.remedy_guards import GUARDS, standing_guards
from tests.ec2.cases import EVERYTHING, HOUR, MINUTE, NOW
from tests.ec2.cloud import REGION, Cloud

FAILS = {"impaired_since": NOW - 600}
ELASTIC = {"public_address": "203.0.113.1", "elastic": True, "launched_at": NOW - 86400}
REBOOT = Tried("reboot", NOW - HOUR, helped=False)
STOP_START = Tried("stop-start", NOW - HOUR, helped=False)
UNDER_WAY: dict[str, Any] = {"tried": (Tried("reboot", NOW - 10, None),)}

# What EC2 says of the instance, what is known beside it, and what is advised.
ROWS_OF: list[tuple[dict[str, Any], dict[str, Any], str, Verb, Remedy | None]] = [
    ({"computer": "impaired"}, {"answers": True}, "healthy", "nothing", None),
    ({"power": "stopping"}, {"answers": True, "left": "work"}, "contradiction", "wait", None),
    ({}, {"address": "203.0.113.9"}, "another-address", "reconnect", None),
    ({"power": "stopped"}, {"tried": (STOP_START,)}, "half-stopped", "apply", "start"),
    ({"computer": "impaired"}, UNDER_WAY, "under-way", "wait", None),
    ({"gone": True}, {}, "gone", "tell", None),
    ({"power": "terminated"}, {}, "terminated", "apply", "replace"),
    ({"power": "shutting-down"}, {}, "terminated", "tell", "replace"),
    ({"power": "pending"}, {}, "stuck", "tell", None),
    ({"power": "pending", "launched_at": NOW - 20}, {}, "changing", "wait", None),
    ({"power": "stopping"}, {}, "changing", "wait", None),
    ({"power": "stopped"}, {}, "stopped", "apply", "start"),
    (
        {"computer": "impaired", "events": [{"code": "system-reboot", "not_before": NOW - 9, "not_after": NOW + HOUR}]},
        {},
        "event-at-work",
        "wait",
        None,
    ),
    ({"computer": "initializing", "system": "initializing"}, {}, "checks-unknown", "wait", None),
    ({"system": "insufficient-data", "computer": "impaired"}, {}, "checks-unknown", "wait", None),
    ({"public_address": ""}, {}, "no-address", "tell", None),
    ({}, {"answers_inside": True}, "way-closed", "tell", None),
    ({"system": "impaired", "impaired_since": NOW - 10}, {}, "system-healing", "wait", None),
    ({"system": "impaired", **FAILS}, {}, "system-impaired", "apply", "stop-start"),
    ({"volumes": "impaired", "computer": "impaired", **FAILS}, {}, "volumes-impaired", "tell", "stop-start"),
    ({"computer": "impaired", **FAILS}, {}, "computer-impaired", "apply", "reboot"),
    ({"computer": "impaired", **FAILS}, {"tried": (REBOOT,)}, "computer-impaired", "apply", "stop-start"),
    ({"computer": "impaired", **FAILS}, {"tried": (REBOOT, STOP_START)}, "computer-impaired", "tell", None),
    ({"computer": "impaired", **FAILS}, {"rules": InstanceRules()}, "computer-impaired", "tell", "reboot"),
    ({}, {"answers": True, "left": "work"}, "left", "tell", None),
    ({}, {"is_way_in_doubt": True}, "way-in-doubt", "tell", None),
    ({"agent": "Online"}, {}, "ssh-dead", "apply", "run-command"),
    ({"agent": "ConnectionLost"}, {}, "ssh-dead", "apply", "reboot"),
    ({}, {}, "ssh-dead", "apply", "reboot"),
]

# How it is launched, what EC2 says of it, and which guard that is, for which remedy.
GUARDS_OF: list[tuple[dict[str, Any], dict[str, Any], Remedy, str]] = [
    ({}, {"power": "stopped"}, "reboot", "power"),
    ({}, {"agent": "Inactive"}, "run-command", "agent"),
    ({}, {}, "run-command", "agent"),
    ({}, {"spot": True}, "stop-start", "spot"),
    ({}, {"spot": True, "power": "stopped"}, "start", "spot"),
    ({}, {"spot": True, "power": "terminated"}, "replace", "spot"),
    ({}, {"autoscaling_group": "web"}, "stop-start", "autoscaling-group"),
    ({}, {"autoscaling_group": "web", "power": "stopped"}, "start", "autoscaling-group"),
    ({"type": "m5d.large"}, {}, "stop-start", "instance-store"),
    ({}, {"elastic": False}, "stop-start", "new-address"),
    ({"DisableApiStop": True}, {}, "stop-start", "stop-protection"),
    (
        {},
        {"events": [{"code": "system-maintenance", "not_before": NOW + MINUTE, "not_after": NOW + HOUR}]},
        "stop-start",
        "scheduled-event",
    ),
]


@pytest.fixture
def region(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Region:
    """The region of the cloud, as the control machine asks it."""
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    return Region(REGION)


def described(cloud: Cloud, region: Region, launch: dict[str, Any], said: dict[str, Any]) -> Instance | None:
    """The instance as EC2 describes it in full."""
    instance_id = cloud.launch("cloud-1", **launch)
    cloud.describe(instance_id, **ELASTIC | said)
    found = region.instance(instance_id)
    return None if found is None else region.detailed(found)


def case(instance: Instance | None, **known: Any) -> Case:
    given: dict[str, Any] = {"instance": instance, "rules": EVERYTHING, "now": NOW, "address": "203.0.113.1"}
    return Case(**given | known)


@pytest.mark.parametrize(("said", "known", "row", "verb", "remedy"), ROWS_OF)
def test_rows(
    cloud: Cloud,
    region: Region,
    said: dict[str, Any],
    known: dict[str, Any],
    row: str,
    verb: Verb,
    remedy: Remedy | None,
) -> None:
    advice = advise(case(described(cloud, region, {}, said), **known))
    assert (advice.row, advice.verb, advice.remedy) == (row, verb, remedy)


@pytest.mark.parametrize("kind", ["throttle", "error", "expired"])
def test_an_ec2_that_does_not_answer_is_waited_for(cloud: Cloud, region: Region, kind: str) -> None:
    cloud.fault("*", kind)
    with pytest.raises(Ec2Error) as failed:
        region.instance("i-0123456789abcdef0")
    advice = advise(case(None, unknown=str(failed.value)))
    assert (advice.row, advice.verb) == ("not-asked", "wait")
    assert "\n" not in advice.reason


def test_every_row_is_met() -> None:
    assert {row for _, _, row, _, _ in ROWS_OF} | {"not-asked"} == {row.name for row in ROWS}


@pytest.mark.parametrize(("launch", "said", "remedy", "guard"), GUARDS_OF)
def test_guards(
    cloud: Cloud, region: Region, launch: dict[str, Any], said: dict[str, Any], remedy: Remedy, guard: str
) -> None:
    of = case(described(cloud, region, launch, said))
    assert [each.name for each, _ in standing_guards(of, remedy)] == [guard]
    assert chosen(of, remedy).verb == "tell"


def test_a_root_on_an_instance_store_is_guarded_twice(cloud: Cloud, region: Region) -> None:
    of = case(described(cloud, region, {}, {"root_device": "instance-store"}))
    assert [each.name for each, _ in standing_guards(of, "stop-start")] == ["root-device", "instance-store"]


def test_what_is_denied_is_guarded(cloud: Cloud, region: Region) -> None:
    """Whoever may not ask whether it is protected does not stop it."""
    instance_id = cloud.launch("cloud-1")
    cloud.describe(instance_id, **ELASTIC)
    for action in ("DescribeInstanceAttribute", "DescribeInstanceTypes", "DescribeInstanceInformation"):
        cloud.fault(action, "denied")
    found = region.instance(instance_id)
    assert found is not None
    of = case(region.detailed(found))
    assert [each.name for each, _ in standing_guards(of, "stop-start")] == ["instance-store", "stop-protection"]
    assert [each.name for each, _ in standing_guards(of, "run-command")] == ["agent"]
    assert standing_guards(of, "reboot") == ()


def test_every_guard_is_met() -> None:
    met = {guard for _, _, _, guard in GUARDS_OF}
    assert met | {"root-device", "launch-template"} == {guard.name for guard in GUARDS}


def test_nothing_was_changed_by_asking(cloud: Cloud, region: Region) -> None:
    described(cloud, region, {}, {"system": "impaired"})
    assert {call["action"] for call in cloud.mutating()} == {"RunInstances"}
