"""What speaks against a remedy whatever the spec allows, unless the spec accepts its price: one table. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from miyabi.instance import Instance, Power, ScheduledEvent
from miyabi.instance_rules import Accepted, Remedy
from miyabi.levels import Level
from miyabi.remedy_types import Case
from miyabi.remedy_words import EVENTS, moment, plain

# Seconds before a scheduled event in which no stop is begun.
EVENT_AHEAD = 3600.0

# The events that a stop and start takes care of: by it the instance moves to another machine.
STOPPING_EVENTS = frozenset({"instance-retirement", "instance-stop"})

_NEEDED: dict[Remedy, Power] = {
    "run-command": "running",
    "start": "stopped",
    "reboot": "running",
    "stop-start": "running",
    "replace": "terminated",
}


@dataclass(frozen=True, slots=True)
class Guard:
    """One thing that can speak against a remedy.

    + name: as docs/l4.md calls it
    + remedies: those that it is about
    + words: what speaks against them on this instance; "" is nothing
    + accept: what a spec's ``l4: {accept: [...]}`` has to hold for it to be done all the same; None is that nothing
      makes it done
    """

    name: str
    remedies: frozenset[Remedy]
    words: Callable[[Case, Instance, Remedy], str]
    accept: Accepted | None = None


def _power(_: Case, instance: Instance, remedy: Remedy) -> str:
    needed = _NEEDED[remedy]
    if instance.power == "shutting-down" and remedy == "replace":
        return "it is not terminated yet"
    return "" if instance.power == needed else f"it is {instance.power.replace('-', ' ')}, not {needed}"


def _agent(_: Case, instance: Instance, __: Remedy) -> str:
    if instance.agent == "Online":
        return ""
    if instance.agent is None:
        return "whether Systems Manager reaches it could not be told"
    return f"its Systems Manager agent is not online ({plain(instance.agent) or 'it has none'})"


def _spot(_: Case, instance: Instance, remedy: Remedy) -> str:
    if not instance.is_spot:
        return ""
    if remedy == "replace":
        return "it is a spot instance, whose request decides what comes after it"
    return "it is a spot instance, which EC2 may not start again"


def _group(_: Case, instance: Instance, remedy: Remedy) -> str:
    if not instance.autoscaling_group:
        return ""
    does = {"replace": "replaces it itself", "start": "may be replacing it already"}
    return f"its Auto Scaling group {plain(instance.autoscaling_group)} {does.get(remedy, 'replaces what is stopped')}"


def _root(_: Case, instance: Instance, __: Remedy) -> str:
    if instance.root_device == "ebs":
        return ""
    if instance.root_device == "instance-store":
        return "its root device is an instance store, which cannot be stopped"
    return "what its root device is could not be told"


def _instance_store(_: Case, instance: Instance, __: Remedy) -> str:
    if instance.has_instance_store is None:
        return "whether it has instance store volumes, which a stop erases, could not be told"
    return "a stop erases its instance store volumes" if instance.has_instance_store else ""


def _new_address(_: Case, instance: Instance, __: Remedy) -> str:
    if not instance.public_address or instance.has_fixed_address:
        return ""
    return f"it would lose its public address {plain(instance.public_address)}, which is not an elastic one"


def _stop_protection(_: Case, instance: Instance, __: Remedy) -> str:
    if instance.stop_protected is None:
        return "whether it is protected from being stopped could not be told"
    return "it is protected from being stopped" if instance.stop_protected else ""


def _event(case: Case, instance: Instance, _: Remedy) -> str:
    for event in instance.events:
        if event.code not in STOPPING_EVENTS and _is_near(event, case.now):
            when = "" if event.not_before is None else f" at {moment(event.not_before, case.now)}"
            return f"EC2 has scheduled {EVENTS.get(event.code, plain(event.code))}{when}"
    return ""


def _is_near(event: ScheduledEvent, now: float) -> bool:
    """Whether an event is at most an hour ahead, is at work, or could be."""
    return event.not_before is None or event.not_before <= now + EVENT_AHEAD


def _template(case: Case, _: Instance, __: Remedy) -> str:
    return "" if case.rules.launch_template else "the spec names no launch template (l4.launch_template)"


_STOP: frozenset[Remedy] = frozenset({"stop-start"})

GUARDS = (
    Guard("power", frozenset(_NEEDED), _power),
    Guard("agent", frozenset({"run-command"}), _agent),
    Guard("spot", frozenset({"start", "stop-start", "replace"}), _spot),
    Guard("autoscaling-group", frozenset({"start", "stop-start", "replace"}), _group),
    Guard("root-device", _STOP, _root),
    Guard("instance-store", _STOP, _instance_store, accept="instance-store"),
    Guard("new-address", _STOP, _new_address, accept="new-address"),
    Guard("stop-protection", _STOP, _stop_protection),
    Guard("scheduled-event", _STOP, _event, accept="scheduled-event"),
    Guard("launch-template", frozenset({"replace"}), _template),
)


def standing_guards(case: Case, remedy: Remedy) -> tuple[tuple[Guard, str], ...]:
    """The guards that speak against ``remedy`` on the case's instance, each with its words.

    Returns nothing when EC2 knows no such instance: then there is nothing that a remedy could be applied to.
    """
    instance = case.instance
    if instance is None:
        return ()
    return tuple(
        (guard, words)
        for guard in GUARDS
        if remedy in guard.remedies
        and guard.accept not in case.rules.accept
        and (words := guard.words(case, instance, remedy))
    )


def forbidden(case: Case, remedy: Remedy) -> str:
    """Why the spec does not let ``remedy`` be applied; "" is that it does."""
    if not case.rules.allows(remedy):
        return f"the spec does not allow it (l4.{remedy.replace('-', '_')})"
    if case.max_level < Level.L4:
        return f"the spec does not allow it (recovery.max_level is {case.max_level.name})"
    return ""
