"""What the pretended cloud says of its instances: moto's answers, corrected.

An instance is corrected by an object with any of:

power               running, stopped, stopping, pending, shutting-down, terminated
reason              why it is so, ``CODE: words``
system, computer, volumes    each check: ok, impaired, initializing, insufficient-data, not-applicable
impaired_since      when an impaired check began to fail, in seconds since the epoch
events              [{code, description, not_before, not_after}], moments in seconds since the epoch
public_address, private_address    "" is none
elastic             whether the public address is an elastic one
spot                whether it is a spot instance
autoscaling_group   its name
root_device         ebs, instance-store
launched_at         in seconds since the epoch
console             what its console has printed
agent               what Systems Manager says of its agent: Online, ConnectionLost, Inactive; "" is none
command             what a command ends with: {status, code, output, error, seconds}
gone                EC2 knows no such instance any more
"""

from __future__ import annotations

import base64
import xml.etree.ElementTree as ET  # what is read is what moto has just written
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from miyabi.sandbox.cloud_files import ACCOUNT

_SPACE = "http://ec2.amazonaws.com/doc/2016-11-15"
_CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
_CHECKS = {"system": "systemStatus", "computer": "instanceStatus", "volumes": "attachedEbsStatus"}
_DETAILS = {"ok": "passed", "impaired": "failed"}

Correct = Callable[[str], Mapping[str, Any]]


def described(body: bytes, correct: Correct) -> bytes:
    """An answer to DescribeInstances, corrected.

    + correct: what is to be different of an instance, by its id
    """
    root = _read(body)
    for reservation in root.findall("reservationSet/item"):
        instances = reservation.find("instancesSet")
        for item in list(instances if instances is not None else ()):
            told = correct(item.findtext("instanceId", ""))
            if told.get("gone"):
                instances.remove(item)  # type: ignore[union-attr] # it has items
            _correct_instance(item, told)
    return _written(root)


def statuses(body: bytes, correct: Correct, *, everyone: bool) -> bytes:
    """An answer to DescribeInstanceStatus, corrected.

    + everyone: whether those that do not run are told of, too
    """
    root = _read(body)
    found = root.find("instanceStatusSet")
    for item in list(found if found is not None else ()):
        told = correct(item.findtext("instanceId", ""))
        power = told.get("power", item.findtext("instanceState/name", ""))
        if told.get("gone") or (power != "running" and not everyone):
            found.remove(item)  # type: ignore[union-attr] # it has items
        _set_power(item, power)
        for name, tag in _CHECKS.items():
            _set_check(item, tag, told.get(name, "ok") if power == "running" else "not-applicable", told)
        if told.get("events"):
            _set_events(item, told["events"])
    return _written(root)


def console(body: bytes, told: Mapping[str, Any]) -> bytes:
    """An answer to GetConsoleOutput, corrected."""
    root = _read(body)
    if "console" in told:
        _set(root, "output", base64.b64encode(told["console"].encode()).decode())
    return _written(root)


def power_codes(body: bytes, states: Mapping[str, tuple[str, str]]) -> bytes:
    """An answer to StartInstances, StopInstances or TerminateInstances, with the states before and now, by id."""
    root = _read(body)
    for item in root.findall("instancesSet/item"):
        before, now = states.get(item.findtext("instanceId", ""), (None, None))
        for tag, power in (("previousState", before), ("currentState", now)):
            state = item.find(tag)
            if power is not None and state is not None:
                _set(state, "code", str(_CODES[power]))
                _set(state, "name", power)
    return _written(root)


def _correct_instance(item: ET.Element, told: Mapping[str, Any]) -> None:
    if "power" in told:
        _set_power(item, told["power"])
    if "reason" in told:
        for old in item.findall("stateReason"):
            item.remove(old)
        reason = ET.SubElement(item, "stateReason")
        _set(reason, "code", told["reason"].split(":")[0])
        _set(reason, "message", told["reason"])
    if "launched_at" in told:
        _set(item, "launchTime", _moment(told["launched_at"]))
    for old in item.iter("privateIpAddress") if "private_address" in told else ():
        old.text = told["private_address"]
    if "root_device" in told:
        _set(item, "rootDeviceType", told["root_device"])
    if told.get("spot"):
        _set(item, "instanceLifecycle", "spot")
    if group := told.get("autoscaling_group"):
        _tag(item, "aws:autoscaling:groupName", group)
    _set_public(item, told)
    # moto's images are Windows's, some of them.
    for old in item.findall("platform"):
        item.remove(old)


def _set_public(item: ET.Element, told: Mapping[str, Any]) -> None:
    """The public address, at each place where it stands; moto says of each that it is an elastic one."""
    address = told.get("public_address", item.findtext("ipAddress", ""))
    for tag in ("ipAddress", "dnsName"):
        for old in item.findall(tag):
            item.remove(old)
    places = [*item.findall("networkInterfaceSet/item")]
    places += [*item.findall("networkInterfaceSet/item/privateIpAddressesSet/item")]
    for place in places:
        for old in place.findall("association"):
            place.remove(old)
    if not address:
        return
    _set(item, "ipAddress", address)
    for place in places:
        association = ET.SubElement(place, "association")
        _set(association, "ipOwnerId", ACCOUNT if told.get("elastic") else "amazon")
        _set(association, "publicIp", address)


def _tag(item: ET.Element, key: str, value: str) -> None:
    tags = item.find("tagSet")
    tags = ET.SubElement(item, "tagSet") if tags is None else tags
    tag = ET.SubElement(tags, "item")
    _set(tag, "key", key)
    _set(tag, "value", value)


def _set_power(item: ET.Element, power: str) -> None:
    state = item.find("instanceState")
    if state is not None:
        _set(state, "code", str(_CODES[power]))
        _set(state, "name", power)


def _set_check(item: ET.Element, tag: str, status: str, told: Mapping[str, Any]) -> None:
    for old in item.findall(tag):
        item.remove(old)
    check = ET.SubElement(item, tag)
    _set(check, "status", status)
    if status == "not-applicable":
        return
    detail = ET.SubElement(ET.SubElement(check, "details"), "item")
    _set(detail, "name", "reachability")
    _set(detail, "status", _DETAILS.get(status, status))
    if status == "impaired" and told.get("impaired_since") is not None:
        _set(detail, "impairedSince", _moment(told["impaired_since"]))


def _set_events(item: ET.Element, events: list[dict[str, Any]]) -> None:
    found = ET.SubElement(item, "eventsSet")
    for number, told in enumerate(events):
        event = ET.SubElement(found, "item")
        _set(event, "instanceEventId", f"instance-event-{number:017x}")
        _set(event, "code", told["code"])
        _set(event, "description", told.get("description", ""))
        for key, tag in (("not_before", "notBefore"), ("not_after", "notAfter")):
            if told.get(key) is not None:
                _set(event, tag, _moment(told[key]))


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _set(parent: ET.Element, tag: str, text: str) -> None:
    child = parent.find(tag)
    child = ET.SubElement(parent, tag) if child is None else child
    child.text = text


def _read(body: bytes) -> ET.Element:
    root = ET.fromstring(body)  # noqa: S314 - what moto has just written
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _written(root: ET.Element) -> bytes:
    root.set("xmlns", _SPACE)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root)
