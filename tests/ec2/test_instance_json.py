"""An instance as JSON and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from miyabi.instance import Check, Instance, ScheduledEvent
from miyabi.instance_json import instance_from_json, instance_to_json

PLAIN = Instance(instance_id="i-0a1b2c3d4e5f60718", region="eu-central-1", power="stopped")
FULL = Instance(
    instance_id="i-0a1b2c3d4e5f60718",
    region="eu-central-1",
    zone="eu-central-1b",
    name="builder",
    power="running",
    reason="Server.InternalError: hardware",
    system=Check("impaired", 1795061550.0),
    computer=Check("ok"),
    volumes=Check("not-applicable"),
    events=(ScheduledEvent("instance-retirement", 1795061550.0, None, "degraded"), ScheduledEvent("system-reboot")),
    launched_at=1795061550.5,
    private_address="172.31.9.4",
    public_address="198.51.100.23",
    has_fixed_address=True,
    is_spot=True,
    autoscaling_group="builders",
    root_device="instance-store",
    instance_type="m5d.large",
    tags={"Name": "builder", "role": "ci"},
    has_instance_store=True,
    stop_protected=False,
    termination_protected=None,
    agent="Online",
)


@pytest.mark.parametrize("instance", [PLAIN, FULL])
def test_there_and_back(instance: Instance) -> None:
    assert instance_from_json(json.loads(json.dumps(instance_to_json(instance)))) == instance


@pytest.mark.parametrize("name", sorted(instance_to_json(FULL)))
@pytest.mark.parametrize("value", [7.5, ["x"], {"x": 1}, "no such word", True])
def test_anything_else_is_refused(name: str, value: object) -> None:
    kept: dict[str, Any] = json.loads(json.dumps(instance_to_json(FULL)))
    fits = type(value) is type(kept[name]) and name not in {"power", "tags", "events", "system", "computer", "volumes"}
    may_be = (name, value) in [("termination_protected", True), ("launched_at", 7.5)]
    if fits or may_be:
        instance_from_json(kept | {name: value})
    else:
        with pytest.raises(ValueError, match="no instance"):
            instance_from_json(kept | {name: value})
    with pytest.raises(ValueError, match="no instance"):
        instance_from_json({key: each for key, each in kept.items() if key != name})


@pytest.mark.parametrize("value", [None, [], "x", {}, {"instance_id": "i-1"}])
def test_something_else_altogether(value: object) -> None:
    with pytest.raises(ValueError, match="no instance"):
        instance_from_json(value)


def test_parts_that_are_torn() -> None:
    kept: dict[str, Any] = json.loads(json.dumps(instance_to_json(FULL)))
    for torn in (
        {"events": [{"code": "x"}]},
        {"events": [{"code": 1, "not_before": None, "not_after": None, "description": ""}]},
        {"system": {"status": "fine", "since": None}},
        {"system": {"status": "ok", "since": "today"}},
        {"tags": {"Name": 1}},
    ):
        with pytest.raises(ValueError, match="no instance"):
            instance_from_json(kept | torn)
