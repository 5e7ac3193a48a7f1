"""Instances and cases for tests of the remedy table: one that runs well, but for what a test changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from miyabi.instance import Check, Instance, ScheduledEvent
from miyabi.instance_rules import InstanceRules
from miyabi.remedy import Case

# 2027-01-15 08:00:00 UTC.
NOW = 1_800_000_000.0
MINUTE = 60.0
HOUR = 3600.0

OK = Check("ok")
FAILS = Check("impaired", NOW - 600)

INSTANCE = Instance(
    instance_id="i-0abc",
    region="ap-northeast-1",
    zone="ap-northeast-1a",
    name="cloud-1",
    power="running",
    system=OK,
    computer=OK,
    volumes=Check("not-applicable"),
    launched_at=NOW - 86400,
    private_address="10.0.0.1",
    public_address="203.0.113.1",
    has_fixed_address=True,
    has_instance_store=False,
    stop_protected=False,
    termination_protected=False,
    agent="",
)

EVERYTHING = InstanceRules(
    run_command=True, start=True, reboot=True, stop_start=True, replace=True, launch_template="worker"
)


def instance(**changes: Any) -> Instance:
    """The instance, with what is changed of it."""
    return replace(INSTANCE, **changes)


def case(of: Instance | None = INSTANCE, **changes: Any) -> Case:
    """A case in which ssh is dead and everything is allowed, with what is changed of it."""
    given: dict[str, Any] = {"instance": of, "rules": EVERYTHING, "now": NOW, "address": "203.0.113.1"}
    return Case(**given | changes)


def event(code: str, begins: float | None, ends: float | None = None) -> ScheduledEvent:
    """What EC2 has scheduled, in seconds from now."""
    return ScheduledEvent(code, None if begins is None else NOW + begins, None if ends is None else NOW + ends)
