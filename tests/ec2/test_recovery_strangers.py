"""Who answers instead of an instance, what is gone for good, and what lives and cannot be restored."""

from __future__ import annotations

import pytest

from miyabi.sandbox.cloud_files import REGION, ask
from miyabi.sandbox.inside import run_on
from tests.ec2.sandbox import CloudFleet, cloud_fleet, cloud_sandbox, summary_of  # noqa: F401
from tests.fleet.waiting import wait_until

pytestmark = pytest.mark.slow

_REPLACE = "{replace: true, reboot: true, launch_template: miyabi-sandbox}"


def test_another_key_at_the_same_instance_is_a_stranger(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    assert cloud_fleet.recover().code == 0
    boot, host = cloud_fleet.over_ssh(), cloud_fleet.host()
    place = host.outside(host.etc)
    for name in ("host_key", "host_key.pub"):
        (place / name).unlink()
    made = cloud_fleet.control.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / "host_key"))
    assert made.code == 0, made.output
    cloud_fleet.damage("sshd-dead-inside")
    run_on(host, "/usr/bin/sshd")
    cloud_fleet.forget_calls()
    done = cloud_fleet.recover()
    assert done.code == 1
    assert cloud_fleet.actions() == []
    told = summary_of(done)
    assert f"what answers at {host.address} does not have the host key that is trusted of" in told
    assert "miyabi ec2 forget-key cloud-1" in told
    assert "deploys/l4_infrastructure.py" not in done.output
    assert run_on(host, "cat /proc/sys/kernel/random/boot_id").stdout.strip() == boot


def test_what_has_the_old_address_now_is_left_alone(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    assert cloud_fleet.recover(hosts="cloud-2").code == 0
    other, panes = cloud_fleet.over_ssh(name="cloud-2"), cloud_fleet.panes("cloud-2")
    instance_id, address = cloud_fleet.instance_id(), cloud_fleet.host().address
    cloud_fleet.forget_everything()
    # What EC2 said a while ago: the address has gone to another instance since.
    cloud_fleet.cloud.describe(instance_id, public_address=cloud_fleet.host("cloud-2").address)
    assert cloud_fleet.miyabi("ec2", "list").code == 0
    cloud_fleet.cloud.files.forget()
    done = cloud_fleet.recover()
    assert done.code == 0, done.output
    assert cloud_fleet.actions() == []
    assert f"its address is {address} now" in done.output
    assert "L4_INFRASTRUCTURE restored in" in summary_of(done)
    assert (cloud_fleet.over_ssh(name="cloud-2"), cloud_fleet.panes("cloud-2")) == (other, panes)
    assert len(cloud_fleet.panes()) == 3
    cloud_fleet.forget_calls()
    again = cloud_fleet.recover()
    assert (again.code, summary_of(again), cloud_fleet.calls()) == (0, "healthy, nothing to do", [])


def test_what_is_terminated_is_told_and_replaced_once_where_that_is_allowed(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    assert cloud_fleet.recover().code == 0
    earlier = cloud_fleet.instance_id()
    ask(cloud_fleet.cloud.url, "TerminateInstances", REGION, InstanceId__1=earlier)
    wait_until(lambda: cloud_fleet.power(earlier) == "terminated")
    cloud_fleet.forget_calls()
    told = cloud_fleet.recover()
    assert (told.code, cloud_fleet.actions()) == (1, [])
    assert "would launch another one from its template, but the spec does not allow it (l4.replace)" in summary_of(told)
    cloud_fleet.allow(_REPLACE)
    done = cloud_fleet.recover()
    assert done.code == 0, done.output
    assert cloud_fleet.actions() == ["RunInstances"]
    assert cloud_fleet.instance_id() != earlier
    assert "L4_INFRASTRUCTURE restored by replace in" in summary_of(done)
    assert len(cloud_fleet.panes()) == 3
    again = cloud_fleet.recover()
    assert (again.code, summary_of(again)) == (0, "healthy, nothing to do")
    assert cloud_fleet.actions() == ["RunInstances"]


def test_an_instance_that_lives_is_rebooted_only_when_its_check_fails_too(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    host = cloud_fleet.host()
    # Its agents end at once, as long as it is not booted.
    sick = '[ "$(cat ~/sick 2>/dev/null)" = "$(cat /proc/sys/kernel/random/boot_id)" ] && exit 3'
    for agent in ("codex", "claude"):
        program = host.outside(f"/usr/bin/{agent}")
        program.write_text(program.read_text().replace("#!/bin/sh\n", f"#!/bin/sh\n{sick}\n"))
    cloud_fleet.allow("{reboot: true}")
    before = cloud_fleet.over_ssh("tmux kill-server; cat /proc/sys/kernel/random/boot_id | tee ~/sick")
    done = cloud_fleet.recover()
    assert (done.code, cloud_fleet.actions()) == (1, [])
    assert "could not be restored, but it answers and its checks are fine" in done.output
    assert cloud_fleet.over_ssh() == before
    cloud_fleet.cloud.describe(
        cloud_fleet.instance_id(), computer="impaired", after={"RebootInstances": {"computer": "ok"}}
    )
    cloud_fleet.forget_everything()
    cured = cloud_fleet.recover()
    assert cured.code == 0, cured.output
    assert cloud_fleet.actions() == ["RebootInstances"]
    assert cloud_fleet.over_ssh() not in {"", before}
    assert len(cloud_fleet.panes()) == 3
