"""Instances as hosts: names, groups, specs and addresses."""

from __future__ import annotations

import pytest

from miyabi.ec2_hosts import group_name, membership, reached_at, ssh_words, why_unreached
from miyabi.ec2_settings import Ec2Settings
from miyabi.instance import Instance
from tests.ec2.instances import instance

SETTINGS = Ec2Settings(regions=("ap-northeast-1",), tags=(("miyabi", ("fleet",)),), groups=("role", "env"))


def names(*instances: Instance, others: tuple[str, ...] = ()) -> list[str]:
    return [each.name for each in membership(instances, SETTINGS, others).members]


def test_a_host_is_called_by_its_tag() -> None:
    found = membership([instance(2, "web-2"), instance(1, "web.1")], SETTINGS)
    assert [each.name for each in found.members] == ["web-2", "web.1"]
    assert found.notes == ()
    assert names(instance(1)) == ["i-00000000000000001"]
    assert membership([instance(1)], SETTINGS).notes == ()


@pytest.mark.parametrize(
    "name", ["@local", "-x", ".x", "a b", "a/b", "x;reboot", "$(id)", "日本", "a\nb", "x" * 101, "a,b", "*"]
)
def test_a_name_that_is_none(name: str) -> None:
    found = membership([instance(1, name)], SETTINGS)
    assert [each.name for each in found.members] == ["i-00000000000000001"]
    (note,) = found.notes
    assert note.startswith("i-00000000000000001 is called by its id, its Name ")
    assert "\n" not in note


@pytest.mark.parametrize("name", ["mugen", "all", "ec2", "inventory", "role_worker", "i-00000000000000002"])
def test_a_name_that_is_taken(name: str) -> None:
    others = (instance(2, "b", tags={"role": "worker"}), instance(1, name))
    found = membership(others, SETTINGS, ["control", "mugen"])
    assert [each.name for each in found.members] == ["b", "i-00000000000000001"]
    assert "is taken" in found.notes[0]


def test_two_of_one_name_are_called_by_their_ids() -> None:
    found = membership([instance(1, "web"), instance(2, "web"), instance(3, "db")], SETTINGS)
    assert [each.name for each in found.members] == ["db", "i-00000000000000001", "i-00000000000000002"]
    assert found.notes == ("2 instances have the Name web: each is called by its id; give them names of their own",)


def test_terminated_instances() -> None:
    gone = instance(1, "web", power="terminated")
    assert names(gone) == ["web"]
    assert names(gone, instance(2, "web")) == ["web"]
    (left,) = membership([gone, instance(2, "web")], SETTINGS).members
    assert left.instance.instance_id == "i-00000000000000002"
    assert names(gone, instance(2, "web", power="stopped")) == ["web"]
    assert names(instance(1, "web", power="terminated", autoscaling_group="fleet")) == []
    assert names(instance(1, "web", power="running", autoscaling_group="fleet")) == ["web"]
    # Of several that are gone the newest stands for them.
    (newest,) = membership([gone, instance(2, "web", power="shutting-down")], SETTINGS).members
    assert newest.instance.instance_id == "i-00000000000000002"


def test_groups_are_names_of_python() -> None:
    assert group_name("role", "worker") == "role_worker"
    assert group_name("aws:cloudformation:stack-name", "my stack/1") == "aws_cloudformation_stack_name_my_stack_1"
    assert group_name("9", "9") == "ec2_9_9"
    assert group_name("日", "本") == "ec2"
    for key, value in (("role", "worker"), ("__class__", "x"), ("日", "1"), ("if", ""), ("-", "-")):
        assert group_name(key, value).isidentifier()
        assert not group_name(key, value).startswith("_")
    (member,) = membership([instance(1, tags={"role": "worker", "env": ""})], SETTINGS).members
    assert member.groups == ("role_worker",)


def test_specs() -> None:
    def spec(tag: str, default: str = "ec2") -> tuple[str, tuple[str, ...]]:
        settings = Ec2Settings(regions=("r",), spec=default)
        found = membership([instance(1, "a", tags={"miyabi:spec": tag} if tag else {})], settings)
        return found.members[0].spec, found.notes

    assert spec("") == ("ec2", ())
    assert spec("mugen") == ("mugen", ())
    assert spec("web", "~/specs/ec2.yaml") == ("~/specs/web.yaml", ())
    for bad in ("../../etc/passwd", "a b", "x.yaml", "/etc/shadow", "$(id)"):
        name, (note,) = spec(bad)
        assert name == "ec2"
        assert "which is no spec's name" in note


def test_a_tag_that_names_no_spec() -> None:
    settings = Ec2Settings(regions=("r",))
    found = membership([instance(1, tags={"miyabi:spec": "webb"})], settings, specs=["web", "ec2"])
    assert [each.spec for each in found.members] == ["ec2"]
    (note,) = found.notes
    assert note.endswith("its tag miyabi:spec is webb, of which there is no spec; there are ec2, web")
    assert membership([instance(1, tags={"miyabi:spec": "web"})], settings, specs=["web", "ec2"]).notes == ()


def test_addresses() -> None:
    one = instance(1)
    assert reached_at(one, "public") == ("192.0.2.1", "")
    assert reached_at(one, "private") == ("10.0.0.1", "")
    assert reached_at(one, "ssm") == ("i-00000000000000001", "")
    assert reached_at(instance(1, power="stopped"), "private") == (
        "i-00000000000000001.stopped.invalid",
        "its instance i-00000000000000001 is stopped",
    )
    address, why = reached_at(instance(1, public_address=""), "public")
    assert address == "i-00000000000000001.no-public-address.invalid"
    assert why.endswith("has no public address; in inventory/ec2.yaml, connect: private or ssm may reach it")


def test_what_it_means_that_a_host_was_not_reached() -> None:
    data = {"instance_id": "i-1", "ssh_hostname": "192.0.2.1"}
    assert why_unreached("a", {}, "SSH host key error (x)") is None
    assert why_unreached("a", data, "Could not connect (timed out)") is None
    assert why_unreached("a", {**data, "unreachable": "it is stopped"}, "whatever") == "it is stopped"
    said = why_unreached("a", data, "SSH host key error (Host key for 192.0.2.1 does not match.)")
    assert said is not None
    assert "installed anew, or it is a stranger" in said
    assert said.endswith("miyabi ec2 forget-key a")


def test_the_command_that_leads_to_an_instance() -> None:
    data = {"ssh_hostname": "192.0.2.7", "ssh_user": "ubuntu", "ssh_key": "~/.ssh/ec2", "ssh_port": 22}
    words = " ".join(ssh_words({**data, "ssh_config_file": None, "ssh_known_hosts_file": "/known"}))
    strict = "-o UserKnownHostsFile=/known -o StrictHostKeyChecking=yes"
    assert words == f"ssh -i ~/.ssh/ec2 -p 22 {strict} ubuntu@192.0.2.7"
    assert ssh_words({**data, "unreachable": "its instance i-1 is stopped"}) == ()
    assert ssh_words({"ssh_hostname": "192.0.2.7", "ssh_config_file": "/way"})[:3] == ("ssh", "-F", "/way")
