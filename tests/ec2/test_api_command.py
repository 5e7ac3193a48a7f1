"""Scripts that Systems Manager's agent runs."""

from __future__ import annotations

import time

import pytest

from miyabi.ec2_api import Region
from miyabi.ec2_command import CommandOutcome
from miyabi.errors import Ec2Error
from tests.ec2.cloud import REGION, Cloud


@pytest.fixture
def instance_id(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    instance_id = cloud.launch("worker-1")
    cloud.describe(instance_id, agent="Online")
    return instance_id


def test_it_runs(cloud: Cloud, instance_id: str) -> None:
    cloud.describe(instance_id, command={"output": "done", "error": "a warning", "seconds": 0.4})
    outcome = Region(REGION).run_command(instance_id, "systemctl restart sshd", 20)
    assert outcome == CommandOutcome("Success", 0, "done\na warning")
    assert outcome.succeeded
    assert len(cloud.calls("SendCommand")) == 1
    assert len(cloud.calls("GetCommandInvocation")) >= 2


def test_it_fails(cloud: Cloud, instance_id: str) -> None:
    cloud.describe(instance_id, command={"code": 3, "error": "no such unit"})
    outcome = Region(REGION).run_command(instance_id, "systemctl restart sshd", 20)
    assert outcome == CommandOutcome("Failed", 3, "no such unit")
    assert not outcome.succeeded


@pytest.mark.parametrize("agent", ["Online", "ConnectionLost"])
def test_it_is_called_off_when_its_time_is_over(cloud: Cloud, instance_id: str, agent: str) -> None:
    cloud.describe(instance_id, agent=agent, command={"seconds": 60})
    began = time.monotonic()
    outcome = Region(REGION).run_command(instance_id, "sleep 60", 0.6)
    assert 0.5 < time.monotonic() - began < 10
    assert (outcome.status, outcome.exit_code, outcome.succeeded) == ("Late", None, False)
    assert len(cloud.calls("CancelCommand")) == 1


def test_without_an_agent(cloud: Cloud, instance_id: str) -> None:
    cloud.describe(instance_id, agent="")
    with pytest.raises(Ec2Error, match="not in a valid state") as refused:
        Region(REGION).run_command(instance_id, "true", 5)
    assert refused.value.kind == "refused"


def test_trouble_while_it_runs_does_not_lose_it(cloud: Cloud, instance_id: str) -> None:
    cloud.describe(instance_id, command={"output": "done"})
    # More often than boto3 tries by itself.
    cloud.fault("GetCommandInvocation", "throttle", times=4)
    assert Region(REGION).run_command(instance_id, "true", 30).output == "done"
    cloud.fault("GetCommandInvocation", "answer", times=1, code="InvocationDoesNotExist", message="")
    assert Region(REGION).run_command(instance_id, "true", 30).output == "done"
    cloud.fault("GetCommandInvocation", "denied")
    with pytest.raises(Ec2Error) as refused:
        Region(REGION).run_command(instance_id, "true", 30)
    assert refused.value.kind == "denied"


def test_one_that_cannot_be_called_off(cloud: Cloud, instance_id: str) -> None:
    cloud.describe(instance_id, command={"seconds": 60})
    cloud.fault("CancelCommand", "denied")
    assert Region(REGION).run_command(instance_id, "sleep 60", 0.3).status == "Late"


def test_what_systems_manager_would_fill_in_is_not_sent(cloud: Cloud, instance_id: str) -> None:
    with pytest.raises(Ec2Error, match="is not sent"):
        Region(REGION).run_command(instance_id, "echo {{ssm:password}}", 5)
    assert not cloud.calls("SendCommand")
