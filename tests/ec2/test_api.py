"""What EC2 is asked and told, through the real boto3."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from miyabi import ec2_api
from miyabi.ec2_account import Patience
from miyabi.ec2_api import Region, look
from miyabi.ec2_questions import filters, template_of
from miyabi.ec2_settings import Ec2Settings
from miyabi.errors import Ec2Error
from miyabi.instance import Check, ScheduledEvent
from tests.ec2.cloud import REGION, Cloud
from tests.fleet.control import REPOSITORY
from tests.fleet.waiting import wait_until

OTHER = "us-east-1"
NOBODY = "i-00000000000000abc"


@pytest.fixture
def region(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Region:
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    return Region(REGION)


def _actions(cloud: Cloud) -> list[str]:
    return [str(call["action"]) for call in cloud.calls()]


def test_the_instances_with_the_tags(cloud: Cloud, region: Region) -> None:
    worker = cloud.launch("worker-1", {"miyabi": "yes", "role": "worker"})
    starred = cloud.launch("star", {"miyabi": "maybe", "role": "w*"})
    cloud.launch("other", {"miyabi": "no", "role": "worker"})
    cloud.launch("elsewhere", {"miyabi": "yes", "role": "worker"}, region=OTHER)
    cloud.forget_calls()

    def ids(*tags: tuple[str, tuple[str, ...]]) -> set[str]:
        return {each.instance_id for each in region.instances(tags)}

    assert ids(("miyabi", ("yes",)), ("role", ("worker",))) == {worker}
    assert _actions(cloud) == ["DescribeInstances", "DescribeInstanceStatus"]
    assert ids(("miyabi", ("yes", "maybe"))) == {worker, starred}
    # A star is a star.
    assert ids(("role", ("w*",))) == {starred}
    assert ids(("role", ())) > {worker, starred}
    cloud.forget_calls()
    assert ids(("role", ("nobody",))) == set()
    assert _actions(cloud) == ["DescribeInstances"]


def test_all_that_is_said_of_an_instance(cloud: Cloud, region: Region) -> None:
    since = 1_795_214_460.0
    instance_id = cloud.launch("worker-1", {"role": "worker"})
    event = {"code": "instance-retirement", "description": "degraded", "not_before": since + 3600}
    over = {"code": "system-reboot", "description": "[Completed] done", "not_before": since}
    cloud.describe(instance_id, system="impaired", impaired_since=since, computer="initializing", events=[event, over])
    cloud.describe(instance_id, elastic=True, spot=True, autoscaling_group="workers", root_device="instance-store")
    cloud.describe(instance_id, public_address="203.0.113.7", private_address="10.0.0.7", launched_at=since)
    found = region.instance(instance_id)
    assert found is not None
    assert (found.instance_id, found.region, found.name, found.power) == (instance_id, REGION, "worker-1", "running")
    assert (found.system, found.computer, found.volumes) == (
        Check("impaired", since),
        Check("initializing"),
        Check("ok"),
    )
    assert found.events == (ScheduledEvent("instance-retirement", since + 3600, None, "degraded"),)
    assert (found.public_address, found.private_address) == ("203.0.113.7", "10.0.0.7")
    assert (found.has_fixed_address, found.is_spot, found.autoscaling_group) == (True, True, "workers")
    assert (found.root_device, found.launched_at, found.tags["role"]) == ("instance-store", since, "worker")
    assert found.has_instance_store is None
    assert found in region.instances([("role", ["worker"])])


def test_every_power_comes_back(cloud: Cloud, region: Region) -> None:
    stopped, terminated = cloud.launch("stopped", {"f": "1"}), cloud.launch("terminated", {"f": "1"})
    running = cloud.launch("running", {"f": "1"})
    cloud.client().stop_instances(InstanceIds=[stopped])
    cloud.describe(stopped, events=[{"code": "instance-retirement", "description": "degraded"}])
    cloud.client().terminate_instances(InstanceIds=[terminated])

    def seen() -> dict[str, str]:
        return {each.instance_id: each.power for each in region.instances([("f", ["1"])])}

    wait_until(lambda: seen() == {stopped: "stopped", terminated: "terminated", running: "running"})
    by_id = {each.instance_id: each for each in region.instances([("f", ["1"])])}
    assert by_id[stopped].computer == by_id[terminated].computer == Check("not-applicable")
    assert by_id[stopped].reason.startswith("Client.UserInitiatedShutdown")
    assert by_id[stopped].events == (ScheduledEvent("instance-retirement", description="degraded"),)
    assert by_id[running].computer == Check("ok")


def test_who_is_not_known(cloud: Cloud, region: Region) -> None:
    assert region.instance(NOBODY) is None
    assert region.instance("nonsense; rm -rf /") is None
    gone = cloud.launch("gone")
    cloud.describe(gone, gone=True)
    assert region.instance(gone) is None


def test_more_than_fit_into_a_call(cloud: Cloud, region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ec2_api, "_IDS_A_CALL", 2)
    monkeypatch.setattr(ec2_api, "_PAGE", 5)
    ids = {cloud.launch(f"worker-{number}", {"f": "1"}) for number in range(6)}
    cloud.forget_calls()
    found = region.instances([("f", ["1"])])
    assert {each.instance_id for each in found} == ids
    assert {each.computer.status for each in found} == {"ok"}
    assert sorted(_actions(cloud)) == ["DescribeInstanceStatus"] * 3 + ["DescribeInstances"] * 2


def test_one_that_goes_away_meanwhile_does_not_hide_the_others(cloud: Cloud, region: Region) -> None:
    one, other = cloud.launch("one", {"f": "1"}), cloud.launch("other", {"f": "1"})
    message = f"The instance ID '{one}' does not exist"
    cloud.fault("DescribeInstanceStatus", "answer", times=1, code="InvalidInstanceID.NotFound", message=message)
    found = {each.instance_id: each.computer.status for each in region.instances([("f", ["1"])])}
    assert found == {one: "insufficient-data", other: "ok"}
    cloud.fault("DescribeInstanceStatus", "answer", code="InvalidInstanceID.NotFound", message="some id or other")
    with pytest.raises(Ec2Error, match="some id or other"):
        region.instances([("f", ["1"])])


def test_details(cloud: Cloud, region: Region) -> None:
    plain, kept = cloud.launch("plain"), cloud.launch("kept", type="m5d.large", DisableApiStop=True)
    gone, rooted = cloud.launch("gone"), cloud.launch("rooted")
    cloud.client().modify_instance_attribute(InstanceId=kept, DisableApiTermination={"Value": True})
    cloud.describe(kept, agent="ConnectionLost")
    cloud.describe(gone, power="terminated")
    cloud.describe(rooted, root_device="instance-store")
    cloud.forget_calls()
    found = region.instances()
    by_name = {each.name: each for each in region.all_detailed(found)}

    def told(name: str) -> tuple[Any, ...]:
        each = by_name[name]
        return each.has_instance_store, each.stop_protected, each.termination_protected, each.agent

    assert told("plain") == (False, False, False, "")
    assert told("kept") == (True, True, True, "ConnectionLost")
    assert told("rooted")[0] is True
    assert told("gone") == (None, None, None, None)
    assert len(cloud.calls("DescribeInstanceTypes", "DescribeInstanceInformation")) == 2
    assert len(cloud.calls("DescribeInstanceAttribute")) == 6
    assert not cloud.mutating()
    assert region.detailed(next(each for each in found if each.instance_id == plain)) == by_name["plain"]


def test_what_is_denied_stays_unknown(cloud: Cloud, region: Region) -> None:
    cloud.launch("plain")
    (found,) = region.instances()
    for action in ("DescribeInstanceTypes", "DescribeInstanceAttribute", "DescribeInstanceInformation"):
        cloud.fault(action, "denied")
    assert region.detailed(found) == found
    # Systems Manager may be out of reach where EC2 is not.
    cloud.mend()
    cloud.fault("DescribeInstanceInformation", "error")
    detailed = region.detailed(found)
    assert (detailed.agent, detailed.stop_protected) == (None, False)
    cloud.mend()
    cloud.fault("DescribeInstanceAttribute", "error")
    with pytest.raises(Ec2Error, match="internal error") as failed:
        region.detailed(found)
    assert failed.value.kind == "fault"


def test_reboot_stop_and_start(cloud: Cloud, region: Region) -> None:
    instance_id = cloud.launch("worker-1")
    cloud.forget_calls()

    def power() -> str:
        found = region.instance(instance_id)
        assert found is not None
        return found.power

    region.reboot(instance_id)
    region.stop(instance_id)
    wait_until(lambda: power() == "stopped")
    region.stop(instance_id, force=True)
    region.start(instance_id)
    wait_until(lambda: power() == "running")
    actions = [call["action"] for call in cloud.mutating()]
    assert actions == ["RebootInstances", "StopInstances", "StopInstances", "StartInstances"]


def test_launch(cloud: Cloud, region: Region) -> None:
    template = cloud.client().create_launch_template(
        LaunchTemplateName="worker",
        LaunchTemplateData={"ImageId": "ami-0123456789abcdef0", "InstanceType": "t3.small"},
    )["LaunchTemplate"]["LaunchTemplateId"]
    tags = {"Name": "worker-1", "miyabi": "yes", "aws:autoscaling:groupName": "x"}
    first = region.launch("worker", "incident-7", tags)
    found = region.instance(first)
    assert found is not None
    assert (found.name, found.instance_type, found.autoscaling_group) == ("worker-1", "t3.small", "")
    assert {key: value for key, value in found.tags.items() if not key.startswith("aws:")} == {
        "Name": "worker-1",
        "miyabi": "yes",
    }
    # Whoever was killed before the answer came gets the same one.
    assert region.launch("worker", "incident-7", tags) == first
    assert len({first, region.launch(f"{template}:1", "incident-8", {}), region.launch("worker:1", "9", tags)}) == 3
    with pytest.raises(Ec2Error) as refused:
        region.launch("no-such-template", "10", {})
    assert refused.value.kind == "request"


def test_the_console(cloud: Cloud, region: Region) -> None:
    instance_id = cloud.launch("worker-1")
    cloud.describe(instance_id, console="Linux version 6.1\nlogin: é")
    cloud.forget_calls()
    assert region.console_output(instance_id) == "Linux version 6.1\nlogin: é"
    words = "This instance type does not support retrieving the latest console logs."
    cloud.fault("GetConsoleOutput", "answer", times=1, code="UnsupportedOperation", message=words)
    assert region.console_output(instance_id) == "Linux version 6.1\nlogin: é"
    assert region.console_output(instance_id, latest=False) == "Linux version 6.1\nlogin: é"
    assert len(cloud.calls("GetConsoleOutput")) == 4
    cloud.describe(instance_id, console="")
    assert region.console_output(instance_id) == ""
    with pytest.raises(Ec2Error) as refused:
        region.console_output(NOBODY)
    assert refused.value.kind == "request"


SETTINGS = Ec2Settings(regions=(REGION, OTHER), tags=(("miyabi", ("yes",)),))


@pytest.mark.usefixtures("region")
def test_a_region_that_fails_stops_no_other(cloud: Cloud) -> None:
    here, there = cloud.launch("here", {"miyabi": "yes"}), cloud.launch("there", {"miyabi": "yes"}, region=OTHER)
    cloud.forget_calls()
    both = look(SETTINGS)
    assert {name: [each.instance_id for each in found] for name, found in both.instances.items()} == {
        REGION: [here],
        OTHER: [there],
    }
    assert (not both.troubles, len(cloud.calls())) == (True, 4)
    cloud.fault("*", "denied", region=OTHER)
    one = look(SETTINGS)
    assert [each.instance_id for each in one.instances[REGION]] == [here]
    assert list(one.instances) == [REGION]
    assert one.troubles[OTHER].kind == "denied"
    assert str(one.troubles[OTHER]).startswith(f"EC2 {OTHER}: DescribeInstances is not allowed")


def test_all_regions_at_once_and_one_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    meeting, ending = threading.Barrier(2), threading.Event()
    monkeypatch.setattr(ec2_api, "_SILENCE", 0.2)
    said: list[str] = []

    def ask(region: Region) -> Any:
        meeting.wait(10)
        if region.name == OTHER:
            ending.wait(30)
        return ()

    try:
        began = time.monotonic()
        seen = look(SETTINGS, ask, seconds=0.5, say=said.append)
        assert time.monotonic() - began < 5
    finally:
        ending.set()
    assert seen.instances == {REGION: ()}
    assert str(seen.troubles[OTHER]) == f"EC2 {OTHER}: no answer within 0.5 s: is there a network? try later"
    assert said == [f"EC2 {OTHER}: no answer yet; waiting for it, up to 0.5 s in all"]


def test_whatever_a_region_raises_is_its_own_trouble() -> None:
    def ask(region: Region) -> Any:
        if region.name == OTHER:
            raise ZeroDivisionError("oh")
        return ()

    seen = look(SETTINGS, ask)
    assert (list(seen.instances), str(seen.troubles[OTHER])) == ([REGION], f"EC2 {OTHER}: ZeroDivisionError: oh")


def test_an_answer_that_nobody_understands(cloud: Cloud, region: Region) -> None:
    cloud.launch("worker-1")
    # As a page to log in to a network may look: no error, and nothing of EC2's.
    cloud.fault("DescribeInstances", "answer", code="", message="", status=200)
    with pytest.raises(Ec2Error, match="its answer is not understood: there are no Reservations in it") as failed:
        region.instances()
    assert failed.value.kind == "fault"


def test_what_is_wanted_in_the_words_of_ec2() -> None:
    assert filters([("role", ["w*", r"a?\b", "plain"]), ("miyabi", [])]) == [
        {"Name": "tag:role", "Values": [r"w\*", r"a\?\\b", "plain"]},
        {"Name": "tag-key", "Values": ["miyabi"]},
    ]
    assert template_of("worker") == {"LaunchTemplateName": "worker"}
    assert template_of("lt-0a1b2c:$Latest") == {"LaunchTemplateId": "lt-0a1b2c", "Version": "$Latest"}
    assert template_of("lt-worker:7") == {"LaunchTemplateName": "lt-worker", "Version": "7"}


def test_nothing_of_aws_is_imported_before_it_is_asked() -> None:
    names = ("boto3", "botocore", "pydantic", "yaml", "tenacity", "rich", "sqlalchemy")
    code = (
        "import sys, miyabi.ec2_api, miyabi.instance_json; miyabi.ec2_api.Region('us-east-1'); "
        "miyabi.ec2_api.look(miyabi.ec2_api.Ec2Settings()); "
        f"print([name for name in {names!r} if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"


def test_patience_is_kept(cloud: Cloud, region: Region) -> None:
    cloud.fault("DescribeInstances", "hang", seconds=60)
    hasty = Region(REGION, patience=Patience(read=0.2, attempts=2))
    began = time.monotonic()
    with pytest.raises(Ec2Error) as failed:
        hasty.instances()
    assert time.monotonic() - began < 8
    assert failed.value.kind == "unreachable"
    cloud.mend()
    assert region.instances() == ()
