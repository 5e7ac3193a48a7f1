"""How the answers of EC2 and Systems Manager are read: also those that no pretended cloud gives."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from miyabi.ec2_answers import agents, instance_store_types, instances_of, protection, with_statuses
from miyabi.errors import ParseError
from miyabi.instance import Check, Instance, ScheduledEvent

REGION = "eu-central-1"
ID = "i-0a1b2c3d4e5f60718"
SINCE = datetime(2026, 11, 19, 4, 12, 30, tzinfo=UTC)


def _told(**fields: Any) -> dict[str, Any]:
    """An instance as DescribeInstances tells it, with other fields; one that is None is left out."""
    told = {
        "InstanceId": ID,
        "InstanceType": "m6i.large",
        "LaunchTime": SINCE,
        "Placement": {"AvailabilityZone": "eu-central-1b", "Tenancy": "default"},
        "PrivateIpAddress": "172.31.9.4",
        "PublicIpAddress": "198.51.100.23",
        "State": {"Code": 16, "Name": "running"},
        "RootDeviceType": "ebs",
        "Tags": [{"Key": "Name", "Value": "builder"}, {"Key": "role", "Value": "ci"}],
        "NetworkInterfaces": [_interface("198.51.100.23", "amazon")],
    } | fields
    return {name: value for name, value in told.items() if value is not None}


def _interface(public: str, owner: str, index: int = 0) -> dict[str, Any]:
    association = {"IpOwnerId": owner, "PublicIp": public}
    return {
        "Attachment": {"DeviceIndex": index, "Status": "attached"},
        "Association": association,
        "PrivateIpAddress": "172.31.9.4",
        "PrivateIpAddresses": [{"Primary": True, "PrivateIpAddress": "172.31.9.4", "Association": association}],
        "Ipv6Addresses": [],
    }


def _one(**fields: Any) -> Instance:
    (found,) = instances_of(REGION, {"Reservations": [{"Instances": [_told(**fields)]}]})
    return found


def _status(**fields: Any) -> dict[str, Any]:
    """An instance as DescribeInstanceStatus tells it."""
    passed = {"Status": "ok", "Details": [{"Name": "reachability", "Status": "passed"}]}
    told = {
        "InstanceId": ID,
        "InstanceState": {"Code": 16, "Name": "running"},
        "SystemStatus": passed,
        "InstanceStatus": passed,
        "AttachedEbsStatus": passed,
    }
    return {name: value for name, value in (told | fields).items() if value is not None}


def _checked(told: dict[str, Any] | None, **fields: Any) -> Instance:
    (found,) = with_statuses([_one(**fields)], [] if told is None else [{"InstanceStatuses": [told]}])
    return found


def _failed(since: object) -> dict[str, Any]:
    detail = {"Name": "reachability", "Status": "failed", "ImpairedSince": since}
    return {"Status": "impaired", "Details": [detail]}


def test_an_instance() -> None:
    assert _one() == Instance(
        instance_id=ID,
        region=REGION,
        zone="eu-central-1b",
        name="builder",
        power="running",
        launched_at=SINCE.timestamp(),
        private_address="172.31.9.4",
        public_address="198.51.100.23",
        instance_type="m6i.large",
        tags={"Name": "builder", "role": "ci"},
    )


def test_all_of_all_reservations_and_none_of_none() -> None:
    other = "i-0ffffffffffffffff"
    answer = {"Reservations": [{"Instances": [_told()]}, {}, {"Instances": [_told(InstanceId=other)]}]}
    assert [each.instance_id for each in instances_of(REGION, answer)] == [ID, other]
    assert instances_of(REGION, {"Reservations": []}) == ()


def test_what_is_no_answer_is_not_taken_for_no_instances() -> None:
    with pytest.raises(ParseError, match="no Reservations"):
        instances_of(REGION, {"ResponseMetadata": {"HTTPStatusCode": 200}})


def test_what_is_left_out_is_nothing() -> None:
    (found,) = instances_of(
        REGION, {"Reservations": [{"Instances": [{"InstanceId": ID, "State": {"Name": "terminated"}}]}]}
    )
    assert found == Instance(instance_id=ID, region=REGION, power="terminated")


@pytest.mark.parametrize(
    ("reason", "transition", "words"),
    [
        ({"Code": "Client.UserInitiatedShutdown", "Message": "Client.UserInitiatedShutdown: by a user"}, "", None),
        ({"Code": "Server.SpotInstanceTermination", "Message": "no more room"}, "", "no more room"),
        ({"Code": "Client.VolumeLimitExceeded"}, "x", "Client.VolumeLimitExceeded"),
        (None, "User initiated (2026-11-19 04:12:30 GMT)", "User initiated (2026-11-19 04:12:30 GMT)"),
        (None, "", ""),
    ],
)
def test_why_it_is_so(reason: dict[str, str] | None, transition: str, words: str | None) -> None:
    found = _one(StateReason=reason, StateTransitionReason=transition).reason
    if words is None:
        assert found == "Client.UserInitiatedShutdown: by a user"
    else:
        assert found == (f"Server.SpotInstanceTermination: {words}" if words == "no more room" else words)


@pytest.mark.parametrize(
    ("fields", "private", "public", "is_fixed"),
    [
        ({}, "172.31.9.4", "198.51.100.23", False),
        # An elastic address belongs to the account.
        ({"NetworkInterfaces": [_interface("198.51.100.23", "210987654321")]}, "172.31.9.4", "198.51.100.23", True),
        # Another interface's elastic address says nothing of this one.
        (
            {"NetworkInterfaces": [_interface("192.0.2.9", "210987654321", 1), _interface("198.51.100.23", "amazon")]},
            "172.31.9.4",
            "198.51.100.23",
            False,
        ),
        # Where nobody says whose it is, it is not fixed.
        ({"NetworkInterfaces": None}, "172.31.9.4", "198.51.100.23", False),
        # A stopped instance keeps its elastic address: the interface has it.
        (
            {"PublicIpAddress": None, "NetworkInterfaces": [_interface("198.51.100.77", "210987654321")]},
            "172.31.9.4",
            "198.51.100.77",
            True,
        ),
        # The first interface's comes first, wherever it stands.
        (
            {
                "PublicIpAddress": None,
                "NetworkInterfaces": [_interface("192.0.2.9", "amazon", 1), _interface("192.0.2.8", "amazon", 0)],
            },
            "172.31.9.4",
            "192.0.2.8",
            False,
        ),
        ({"PublicIpAddress": None, "NetworkInterfaces": None}, "172.31.9.4", "", False),
        ({"PublicIpAddress": None, "NetworkInterfaces": None, "PrivateIpAddress": None}, "", "", False),
        # IPv6 alone, and beside a private IPv4.
        (
            {
                "PublicIpAddress": None,
                "PrivateIpAddress": None,
                "NetworkInterfaces": None,
                "Ipv6Address": "2001:db8::5",
            },
            "2001:db8::5",
            "2001:db8::5",
            True,
        ),
        (
            {
                "PublicIpAddress": None,
                "NetworkInterfaces": [{"Ipv6Addresses": [{"Ipv6Address": "2001:db8::6", "IsPrimaryIpv6": True}]}],
            },
            "172.31.9.4",
            "2001:db8::6",
            True,
        ),
    ],
)
def test_addresses(fields: dict[str, Any], private: str, public: str, is_fixed: bool) -> None:
    found = _one(**fields)
    assert (found.private_address, found.public_address, found.has_fixed_address) == (private, public, is_fixed)


def test_spot_group_and_root_device() -> None:
    tags = [{"Key": "aws:autoscaling:groupName", "Value": "builders"}]
    found = _one(InstanceLifecycle="spot", Tags=tags, RootDeviceType="instance-store")
    assert (found.is_spot, found.autoscaling_group, found.root_device, found.name) == (
        True,
        "builders",
        "instance-store",
        "",
    )
    assert not _one(InstanceLifecycle="capacity-block").is_spot


def test_checks() -> None:
    found = _checked(_status(SystemStatus=_failed(SINCE)))
    assert (found.system, found.computer, found.volumes) == (
        Check("impaired", SINCE.timestamp()),
        Check("ok"),
        Check("ok"),
    )
    assert found.is_impaired
    # A recorded answer has times as text, some without a zone.
    for text in ("2026-11-19T04:12:30+00:00", "2026-11-19T04:12:30"):
        assert _checked(_status(InstanceStatus=_failed(text))).computer == Check("impaired", SINCE.timestamp())
    assert _checked(_status(AttachedEbsStatus=_failed(None))).volumes == Check("impaired", None)
    assert _checked(_status(AttachedEbsStatus=None)).volumes == Check("not-applicable")


@pytest.mark.parametrize("status", ["initializing", "insufficient-data", "a word of next year"])
def test_what_tells_nothing_is_unknown(status: str) -> None:
    found = _checked(_status(SystemStatus={"Status": status, "Details": [{"Status": status}]}))
    expected = "initializing" if status == "initializing" else "insufficient-data"
    assert found.system == Check(expected)  # type: ignore[arg-type] # one of the two
    assert not found.is_impaired


@pytest.mark.parametrize(
    ("power", "status"),
    [("running", "insufficient-data"), ("pending", "insufficient-data"), ("stopped", "not-applicable")],
)
def test_one_of_whose_checks_nothing_is_said(power: str, status: str) -> None:
    for told in (None, _status(SystemStatus=None, InstanceStatus={})):
        found = _checked(told, State={"Name": power})
        assert (found.system.status, found.computer.status) == (status, status)


def test_events_that_lie_ahead() -> None:
    def event(description: str) -> dict[str, Any]:
        return {"Code": "system-reboot", "Description": description, "NotBefore": SINCE}

    told = [event("[Completed] all done"), event(" [canceled] called off"), event("[CANCELLED] so"), event("to come")]
    (found,) = _checked(_status(Events=told)).events
    assert found == ScheduledEvent("system-reboot", SINCE.timestamp(), None, "to come")


def test_details() -> None:
    types = [{"InstanceType": "m5d.large", "InstanceStorageSupported": True}, {"InstanceType": "mystery"}]
    assert instance_store_types({"InstanceTypes": types}) == {"m5d.large": True}
    assert protection({"InstanceId": ID, "DisableApiStop": {"Value": True}}, "DisableApiStop") is True
    assert protection({"InstanceId": ID, "DisableApiStop": {}}, "DisableApiStop") is None
    assert protection({"InstanceId": ID}, "DisableApiStop") is None
    assert agents({"InstanceInformationList": [{"InstanceId": ID, "PingStatus": "ConnectionLost"}]}) == {
        ID: "ConnectionLost"
    }


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"InstanceId": None}, "an instance has no InstanceId"),
        ({"InstanceId": 7}, "InstanceId is 7"),
        ({"State": None}, f"{ID}: State.Name is ''"),
        ({"State": {"Name": "asleep"}}, f"{ID}: State.Name is 'asleep'"),
        ({"State": "running"}, f"{ID}: State is 'running'"),
        ({"Tags": {"Name": "x"}}, f"{ID}: Tags is"),
        ({"Tags": ["Name"]}, f"{ID}: Tags is 'Name'"),
        ({"LaunchTime": "yesterday"}, f"{ID}: LaunchTime is 'yesterday'"),
        ({"LaunchTime": 5}, f"{ID}: LaunchTime is 5"),
        ({"NetworkInterfaces": [None]}, f"{ID}: NetworkInterfaces is None"),
        ({"PublicIpAddress": ["198.51.100.23"]}, f"{ID}: PublicIpAddress is"),
    ],
)
def test_what_is_strange_is_named(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ParseError) as refused:
        _one(**fields)
    assert str(refused.value).startswith(words)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"SystemStatus": "ok"}, f"{ID}: SystemStatus is 'ok'"),
        ({"InstanceStatus": {"Status": 1}}, f"{ID}: InstanceStatus: Status is 1"),
        ({"InstanceStatus": _failed("soon")}, f"{ID}: InstanceStatus: ImpairedSince is 'soon'"),
        ({"Events": [{"Code": "x", "NotBefore": {}}]}, f"{ID}: Events: NotBefore is {{}}"),
    ],
)
def test_what_is_strange_in_a_status_is_named(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ParseError) as refused:
        _checked(_status(**fields))
    assert str(refused.value) == words


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_FIELDS = sorted({*_told(), "StateReason", "StateTransitionReason", "InstanceLifecycle", "Ipv6Address"})


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(_FIELDS), st.sampled_from(sorted({*_status(), "Events"})), _anything, _anything)
def test_nothing_strange_raises_anything_else(field: str, status: str, value: Any, other: Any) -> None:
    with suppress(ParseError):
        found = instances_of(REGION, {"Reservations": [{"Instances": [_told() | {field: value}]}]})
        with_statuses(found, [{"InstanceStatuses": [_status() | {status: other}]}])
