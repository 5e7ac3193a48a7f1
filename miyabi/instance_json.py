"""An instance as JSON and back: what the inventory keeps of what EC2 said. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_args

from miyabi.instance import Check, Instance, Power, ScheduledEvent, Status

_FIELDS = tuple(field.name for field in fields(Instance))
_CHECKS = ("system", "computer", "volumes")
_TEXTS = (
    "instance_id",
    "region",
    "zone",
    "name",
    "reason",
    "private_address",
    "public_address",
    "autoscaling_group",
    "root_device",
    "instance_type",
)
_FLAGS = ("has_fixed_address", "is_spot")
_PERHAPS_FLAGS = ("has_instance_store", "stop_protected", "termination_protected")


def instance_to_json(instance: Instance) -> dict[str, Any]:
    """The instance as plain dicts and lists; ``instance_from_json`` reads them."""
    return instance.to_json()


def instance_from_json(value: object) -> Instance:
    """The instance that ``instance_to_json`` wrote. Raises ``ValueError`` when ``value`` is anything else."""
    kept = _record(value, "the instance", _FIELDS)
    for name in _TEXTS:
        _be(isinstance(kept[name], str), name)
    for name in _FLAGS:
        _be(isinstance(kept[name], bool), name)
    for name in _PERHAPS_FLAGS:
        _be(isinstance(kept[name], bool | None), name)
    _be(isinstance(kept["agent"], str | None), "agent")
    _be(kept["power"] in get_args(Power), "power")
    _be(isinstance(kept["events"], list | tuple), "events")
    tags = kept["tags"]
    _be(isinstance(tags, dict) and all(isinstance(word, str) for pair in tags.items() for word in pair), "tags")
    checks = {name: _check(kept[name], name) for name in _CHECKS}
    events = tuple(_event(each) for each in kept["events"])
    return Instance(**{**kept, **checks, "events": events, "launched_at": _moment(kept["launched_at"], "launched_at")})


def _check(value: object, name: str) -> Check:
    kept = _record(value, name, ("status", "since"))
    _be(kept["status"] in get_args(Status), name)
    return Check(kept["status"], _moment(kept["since"], name))


def _event(value: object) -> ScheduledEvent:
    kept = _record(value, "an event", ("code", "not_before", "not_after", "description"))
    _be(isinstance(kept["code"], str) and isinstance(kept["description"], str), "an event")
    times = (_moment(kept["not_before"], "an event"), _moment(kept["not_after"], "an event"))
    return ScheduledEvent(kept["code"], *times, kept["description"])


def _record(value: object, name: str, keys: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(value, dict) or value.keys() != set(keys):
        raise ValueError(f"no instance: {name} is something else")
    return value


def _moment(value: Any, name: str) -> float | None:
    _be(value is None or (isinstance(value, int | float) and not isinstance(value, bool)), name)
    return None if value is None else float(value)


def _be(holds: bool, name: str) -> None:  # noqa: FBT001 - what must hold
    if not holds:
        raise ValueError(f"no instance: {name} is something else")
