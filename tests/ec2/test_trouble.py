"""An EC2 that gives no answer, or a wrong one, while an instance is down: nothing is guessed, and nobody else waits."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.ec2.sandbox import CloudFleet, cloud_fleet, cloud_sandbox, summary_of  # noqa: F401
from tests.ec2.trouble import BOTH, crash
from tests.fleet.waiting import wait_until

# Each test waits for machines that boot, and for runs that bring them back.
pytestmark = pytest.mark.slow


def test_what_ec2_does_not_tell_is_not_acted_on(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    assert cloud_fleet.recover(hosts="cloud-1,cloud-2,mugen").code == 0
    cloud_fleet.damage("instance-stopped")
    said = {
        "throttle": "it answers no more for now (throttled)",
        "error": "An internal error has occurred",
        "expired": "expired",
        "denied": "is not allowed to these credentials",
        "reset": "it closed the connection",
    }
    for kind, words in said.items():
        cloud_fleet.forget_calls()
        cloud_fleet.cloud.fault("*", kind)
        done = cloud_fleet.recover(hosts="cloud-1,cloud-2,mugen")
        cloud_fleet.cloud.mend()
        assert done.code == 1, done.output
        assert cloud_fleet.actions() == []
        # boto3 tries three times where that can help.
        assert cloud_fleet.calls("DescribeInstances") == cloud_fleet.calls()
        assert len(cloud_fleet.calls()) == (3 if kind in {"throttle", "error", "reset"} else 1)
        told = summary_of(done)
        assert "EC2 could not be asked: EC2 ap-northeast-1: " in told
        assert words in told
        assert "*****" not in done.output
        assert done.output.count("Error: executed") == 1
        assert [summary_of(done, name) for name in ("cloud-2", "mugen")] == ["healthy, nothing to do"] * 2


@pytest.mark.parametrize(
    ("kind", "more"), [("throttle", {"times": 2}), ("error", {"times": 1}), ("hang", {"times": 1, "seconds": 60})]
)
def test_trouble_that_passes_is_outlived(
    cloud_fleet: CloudFleet,  # noqa: F811
    kind: str,
    more: dict[str, Any],
) -> None:
    cloud_fleet.recover()
    cloud_fleet.damage("instance-stopped")
    cloud_fleet.forget_calls()
    cloud_fleet.cloud.fault("*", kind, **more)
    done = cloud_fleet.recover()
    assert done.code == 0, done.output
    assert cloud_fleet.actions() == ["StartInstances"]
    assert "L4_INFRASTRUCTURE restored by start" in summary_of(done)
    assert set(cloud_fleet.panes()) == {"miyabi:agents.kaede", "miyabi:agents.sakura", "miyabi:agents.agents-shell"}


def test_a_remedy_that_is_not_allowed_was_not_begun(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    cloud_fleet.allow("{reboot: true, start: true}")
    assert cloud_fleet.recover(hosts="cloud-1,cloud-2").code == 0
    cloud_fleet.fleet_rules.write_text("max_unavailable: 1\n")
    boots = {name: cloud_fleet.over_ssh(name=name) for name in BOTH}
    crash(cloud_fleet, *BOTH)
    cloud_fleet.cloud.fault("RebootInstances", "denied", times=1)
    done = cloud_fleet.recover(hosts="cloud-1,cloud-2")
    # One was refused, and so the other one has its turn at once.
    assert done.code == 1, done.output
    assert cloud_fleet.actions() == ["RebootInstances"] * 2
    told = {name: summary_of(done, name) for name in ("cloud-1", "cloud-2")}
    [refused] = [name for name, words in told.items() if "RebootInstances is not allowed to these" in words]
    [back] = set(told) - {refused}
    assert "L4_INFRASTRUCTURE restored by reboot" in told[back]
    assert cloud_fleet.over_ssh(name=back) not in {"", boots[back]}
    assert cloud_fleet.over_ssh(name=refused) == ""
    assert done.seconds < 40


def test_a_remedy_without_an_answer_is_waited_for_and_never_repeated(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    """The call may have arrived: whoever asks again would reboot what has just come back."""
    cloud_fleet.allow("{reboot: true, start: true}", "{max_level: L4, budgets: {L4: 6s}}")
    assert cloud_fleet.recover().code == 0
    crash(cloud_fleet)
    cloud_fleet.cloud.fault("RebootInstances", "error")
    done = cloud_fleet.recover()
    assert done.code == 1, done.output
    assert done.seconds < 20
    assert cloud_fleet.actions() == ["RebootInstances"]
    assert "An internal error has occurred" in done.output
    cloud_fleet.cloud.mend()
    cloud_fleet.forget_calls()
    again = cloud_fleet.recover()
    assert again.code == 1, again.output
    assert cloud_fleet.actions() == []
    assert re.search(r"a reboot was begun \d+ s ago", summary_of(again))


def test_an_ec2_that_carries_nothing_out_is_left_alone_for_a_while(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    spec = cloud_fleet.spec
    cloud_fleet.allow("{start: true}", "{max_level: L4, budgets: {L4: 6s}}")
    spec.write_text(f"{spec.read_text()}\ngate: {{breaker: {{failures: 1, open: 12s}}}}\n")
    assert cloud_fleet.recover(hosts="cloud-1,cloud-2").code == 0
    for name in ("cloud-1", "cloud-2"):
        cloud_fleet.damage("instance-stopped", name)
    cloud_fleet.forget_calls()
    cloud_fleet.cloud.fault("StartInstances", "error")
    failed = cloud_fleet.recover()
    assert failed.code == 1, failed.output
    cloud_fleet.cloud.mend()
    cloud_fleet.forget_calls()
    held = cloud_fleet.recover(hosts="cloud-2")
    assert held.code == 1, held.output
    assert cloud_fleet.actions() == []
    assert "ec2 has failed several times in a row" in summary_of(held, "cloud-2")

    def recovered() -> bool:
        done = cloud_fleet.recover(hosts="cloud-2")
        return done.code == 0

    wait_until(recovered, 30, what="one is let through")
    assert cloud_fleet.actions() == ["StartInstances"]
