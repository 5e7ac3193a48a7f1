"""What EC2 and Systems Manager answer, read into ``miyabi.instance``. Pure: an answer is the dict that boto3 made.

What is left out is what EC2 has nothing to say about. What is there and is not what it should be is a ``ParseError``
that names it, except a status that nobody knows yet: that is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar, cast, get_args

from miyabi.errors import ParseError
from miyabi.instance import Check, Instance, Power, ScheduledEvent, Status

Answer = Mapping[str, Any]
T = TypeVar("T")

_POWERS = frozenset(get_args(Power))
_STATUSES = frozenset(get_args(Status))
# How the description of an event begins that is over, or called off.
_OVER = ("[completed]", "[canceled]", "[cancelled]")
_GROUP = "aws:autoscaling:groupName"
_NO_CHECK = Check("not-applicable")


def instances_of(region: str, answer: Answer) -> tuple[Instance, ...]:
    """The instances in an answer to DescribeInstances; nothing is known of their checks yet (see ``with_statuses``)."""
    # A page of somebody else's must not look as if there were no instances.
    if "Reservations" not in answer:
        raise ParseError("there are no Reservations in it: is there a proxy, or a page to log in to a network?")
    found = (each for reservation in _records(answer, "Reservations") for each in _records(reservation, "Instances"))
    return tuple(_instance(region, each) for each in found)


def with_statuses(instances: Iterable[Instance], answers: Iterable[Answer]) -> tuple[Instance, ...]:
    """The instances with their checks and events.

    + answers: to DescribeInstanceStatus; of a running instance that is in none of them nothing is known
    """
    told = {_id(each): each for answer in answers for each in _records(answer, "InstanceStatuses")}
    return tuple(_with_status(each, told.get(each.instance_id)) for each in instances)


def instance_store_types(answer: Answer) -> dict[str, bool]:
    """Whether each type in an answer to DescribeInstanceTypes has volumes that are erased when an instance stops."""
    return {
        _text(each, "InstanceType"): _flag(each, "InstanceStorageSupported")
        for each in _records(answer, "InstanceTypes")
        if "InstanceStorageSupported" in each
    }


def protection(answer: Answer, attribute: str) -> bool | None:
    """An attribute in an answer to DescribeInstanceAttribute.

    + attribute: ``DisableApiStop`` or ``DisableApiTermination``

    Returns None when the answer doesn't say.
    """
    value = _record(answer, attribute)
    return _flag(value, "Value", attribute) if "Value" in value else None


def agents(answer: Answer) -> dict[str, str]:
    """What an answer to Systems Manager's DescribeInstanceInformation says of the agents, by instance id."""
    return {_id(each): _text(each, "PingStatus") for each in _records(answer, "InstanceInformationList")}


def _instance(region: str, told: Answer) -> Instance:
    name = _id(told)
    power = _text(_record(told, "State", name), "Name", f"{name}: State")
    if power not in _POWERS:
        raise ParseError(f"{name}: State.Name is {power!r}; known: {', '.join(get_args(Power))}")
    tags = {_text(each, "Key", name): _text(each, "Value", name) for each in _records(told, "Tags", name)}
    private, public, is_fixed = _addresses(told, name)
    return Instance(
        instance_id=name,
        region=region,
        zone=_text(_record(told, "Placement", name), "AvailabilityZone", name),
        name=tags.get("Name", ""),
        power=cast("Power", power),
        reason=_reason(told, name),
        launched_at=_moment(told, "LaunchTime", name),
        private_address=private,
        public_address=public,
        has_fixed_address=is_fixed,
        is_spot=_text(told, "InstanceLifecycle", name) == "spot",
        autoscaling_group=tags.get(_GROUP, ""),
        root_device=_text(told, "RootDeviceType", name) or "ebs",
        instance_type=_text(told, "InstanceType", name),
        tags=tags,
    )


def _reason(told: Answer, name: str) -> str:
    """Why it is in its state: EC2's message mostly begins with the code already."""
    state = _record(told, "StateReason", name)
    code, message = _text(state, "Code", name), _text(state, "Message", name)
    if code and not message.startswith(code):
        return f"{code}: {message}" if message else code
    return message or _text(told, "StateTransitionReason", name)


def _addresses(told: Answer, name: str) -> tuple[str, str, bool]:
    """The private and the public address, and whether the latter stays over a stop.

    An IPv6 address is both, and stays. It is what is left where there is no other.
    """
    interfaces = list(_records(told, "NetworkInterfaces", name))
    interfaces.sort(key=lambda each: _record(each, "Attachment", name).get("DeviceIndex") != 0)
    associations = [
        _record(holder, "Association", name)
        for each in interfaces
        for holder in (each, *_records(each, "PrivateIpAddresses", name))
    ]
    sixth = _text(told, "Ipv6Address", name) or _first(
        _text(address, "Ipv6Address", name) for each in interfaces for address in _records(each, "Ipv6Addresses", name)
    )
    private = _text(told, "PrivateIpAddress", name) or _first(
        _text(each, "PrivateIpAddress", name) for each in interfaces
    )
    public = _text(told, "PublicIpAddress", name) or _first(_text(each, "PublicIp", name) for each in associations)
    if not public:
        return private or sixth, sixth, bool(sixth)
    owners = {_text(each, "IpOwnerId", name) for each in associations if _text(each, "PublicIp", name) == public}
    return private or sixth, public, bool(owners - {"", "amazon"})


def _with_status(instance: Instance, told: Answer | None) -> Instance:
    name = instance.instance_id
    unsaid = Check() if instance.power in {"running", "pending"} else _NO_CHECK
    if told is None:
        return replace(instance, system=unsaid, computer=unsaid, volumes=unsaid)
    system = _check(told, "SystemStatus", name, unsaid)
    computer = _check(told, "InstanceStatus", name, unsaid)
    # Not every instance has a check of its volumes.
    volumes = _check(told, "AttachedEbsStatus", name, _NO_CHECK)
    events = tuple(_event(each, name) for each in _records(told, "Events", name) if not _is_over(each, name))
    return replace(instance, system=system, computer=computer, volumes=volumes, events=events)


def _check(told: Answer, field: str, name: str, unsaid: Check) -> Check:
    summary = _record(told, field, name)
    status = _text(summary, "Status", f"{name}: {field}")
    if not status:
        return unsaid
    if status not in _STATUSES:
        return Check()
    since = [_moment(each, "ImpairedSince", f"{name}: {field}") for each in _records(summary, "Details", name)]
    known = [each for each in since if each is not None]
    return Check(cast("Status", status), min(known) if known and status == "impaired" else None)


def _event(told: Answer, name: str) -> ScheduledEvent:
    return ScheduledEvent(
        code=_text(told, "Code", f"{name}: Events"),
        not_before=_moment(told, "NotBefore", f"{name}: Events"),
        not_after=_moment(told, "NotAfter", f"{name}: Events"),
        description=_text(told, "Description", f"{name}: Events"),
    )


def _is_over(told: Answer, name: str) -> bool:
    return _text(told, "Description", f"{name}: Events").strip().lower().startswith(_OVER)


def _id(told: Answer) -> str:
    if found := _text(told, "InstanceId"):
        return found
    raise ParseError("an instance has no InstanceId")


def _first(texts: Iterable[str]) -> str:
    return next((each for each in texts if each), "")


def _records(told: Answer, field: str, where: str = "") -> Iterator[Answer]:
    """The dicts in the list ``field``; without the field there are none."""
    for each in _typed(told, field, list, [], where):
        if not isinstance(each, Mapping):
            raise _strange(where, field, each)
        yield each


def _record(told: Answer, field: str, where: str = "") -> Answer:
    return _typed(told, field, Mapping, {}, where)  # type: ignore[type-abstract] # only looked at by isinstance


def _text(told: Answer, field: str, where: str = "") -> str:
    return _typed(told, field, str, "", where)


def _flag(told: Answer, field: str, where: str = "") -> bool:
    return _typed(told, field, bool, False, where)  # noqa: FBT003 - the default


def _typed(told: Answer, field: str, kind: type[T], default: T, where: str) -> T:
    value = told.get(field)
    if value is None:
        return default
    if not isinstance(value, kind):
        raise _strange(where, field, value)
    return value


def _moment(told: Answer, field: str, where: str = "") -> float | None:
    """A time as seconds since the epoch: boto3 reads times, a recorded answer has them as text."""
    value = told.get(field)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(moment, datetime):
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        pass
    raise _strange(where, field, value)


def _strange(where: str, field: str, value: object) -> ParseError:
    shown = repr(value)
    return ParseError(f"{where}: {field} is {shown[:60]}" if where else f"{field} is {shown[:60]}")
