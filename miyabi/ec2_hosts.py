"""Instances as hosts of the fleet: what they are called, their groups, how they are reached. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from miyabi.ec2_settings import Ec2Settings, Way
from miyabi.instance import Instance, Power

GROUP = "ec2"

# How an instance's tag may be called so that it is a host's name, in commands and in files.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_SPEC = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
_INSTANCE_ID = re.compile(r"m?i-[0-9a-f]{8,17}", re.ASCII)
# Words that mean something else where a host may be named.
_RESERVED = frozenset({GROUP, "all", "inventory"})
# Instances that are gone for good, and those that are about to come or go.
_GONE: frozenset[Power] = frozenset({"shutting-down", "terminated"})
_CHANGING: frozenset[Power] = frozenset({"pending", "stopping", "shutting-down"})
_HAVE_ADDRESSES: frozenset[Power] = frozenset({"pending", "running"})


@dataclass(frozen=True, slots=True)
class Member:
    """An instance as a host of the fleet.

    + name: of the host
    + spec: the name of its spec, or its path
    + groups: beside ``ec2``
    + address: where ssh is tried; a name under ``.invalid`` when it can be nowhere
    + unreachable: why it cannot be reached, in words; "" when it may be
    """

    name: str
    instance: Instance
    spec: str
    groups: tuple[str, ...]
    address: str
    unreachable: str = ""


@dataclass(frozen=True, slots=True)
class Membership:
    """The members of the fleet, by name, and what is to be said of them, a line each."""

    members: tuple[Member, ...] = ()
    notes: tuple[str, ...] = ()


def membership(
    instances: Iterable[Instance],
    settings: Ec2Settings,
    others: Collection[str] = (),
    specs: Collection[str] | None = None,
) -> Membership:
    """The instances that are hosts.

    + others: names that are taken by other hosts
    + specs: the names that a tag may choose from; None is that nobody looked

    An instance is called by its tag ``Name`` where that is a good name and its own alone, else by its id.
    """
    known = _without_the_replaced(instances)
    taken = {*others, *_RESERVED, *(group for each in known for group in _groups(each, settings))}
    names = Counter(each.name for each in known)
    notes: dict[str, None] = {}
    members: list[Member] = []
    for each in known:
        why = _no_name(each, names[each.name], taken)
        if why:
            notes[why] = None
        spec, why_not = _spec(each, settings, specs)
        if why_not:
            notes[why_not] = None
        name = each.instance_id if why is not None else each.name
        address, unreachable = reached_at(each, settings.connect)
        members.append(Member(name, each, spec, _groups(each, settings), address, unreachable))
    return Membership(tuple(sorted(members, key=lambda member: member.name)), tuple(notes))


def _without_the_replaced(instances: Iterable[Instance]) -> list[Instance]:
    """Without terminated instances whose group replaces them, or whose name another one has by now."""
    newest_first = sorted(instances, key=lambda each: (each.power in _GONE, -(each.launched_at or 0), each.instance_id))
    known: dict[str, Instance] = {}
    names: set[str] = set()
    for each in newest_first:
        if each.power in _GONE and (each.autoscaling_group or each.name in names):
            continue
        known.setdefault(each.instance_id, each)
        if each.name:
            names.add(each.name)
    return list(known.values())


def _no_name(instance: Instance, times: int, taken: Collection[str]) -> str | None:
    """Why an instance is called by its id, in a line; "" where that needs no words, None when its name is good."""
    name, instance_id = instance.name, instance.instance_id
    if not name:
        return ""
    if times > 1:
        return f"{times} instances have the Name {_shown(name)}: each is called by its id; give them names of their own"
    if _NAME.fullmatch(name) is None:
        why = f"its Name {_shown(name)} is no host's name, which is of letters, digits and . _ -"
    elif name in taken or (_INSTANCE_ID.fullmatch(name) and name != instance_id):
        why = f"its Name {_shown(name)} is taken: another host or group of the fleet is called so"
    else:
        return None
    return f"{instance_id} is called by its id, {why}"


def _groups(instance: Instance, settings: Ec2Settings) -> tuple[str, ...]:
    tags = ((key, instance.tags.get(key, "")) for key in settings.groups)
    return tuple(group_name(key, value) for key, value in tags if value)


def group_name(key: str, value: str) -> str:
    """The group of the instances whose tag ``key`` is ``value``: ``role_worker``, a name that Python takes."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", f"{key}_{value}").lstrip("_") or GROUP
    return f"{GROUP}_{name}" if name[0].isdigit() else name


def _spec(instance: Instance, settings: Ec2Settings, specs: Collection[str] | None) -> tuple[str, str]:
    """The spec of an instance, and a line where its tag cannot be followed: a tag must not end the fleet's run."""
    wanted = instance.tags.get(settings.spec_tag, "")
    if not wanted:
        return settings.spec, ""
    is_name = _SPEC.fullmatch(wanted) is not None
    if not is_name or (specs is not None and wanted not in specs):
        tag = f"its tag {_shown(settings.spec_tag)} is {_shown(wanted)}"
        why = "of which there is no spec" if is_name else "which is no spec's name"
        there = f"; there are {', '.join(sorted(specs))}" if is_name and specs else ""
        return settings.spec, f"{instance.instance_id} has the spec {settings.spec}: {tag}, {why}{there}"
    # Where the spec is a path, the others stand beside it.
    folder, slash, _ = settings.spec.rpartition("/")
    return f"{folder}{slash}{wanted}.yaml" if slash else wanted, ""


def reached_at(instance: Instance, way: Way) -> tuple[str, str]:
    """Where ssh reaches an instance, and why it cannot be reached, in words.

    Returns such as ``("192.0.2.7", "")`` and ``("i-0abc.stopped.invalid", "its instance is stopped")``.
    """
    instance_id, power = instance.instance_id, instance.power
    if power not in _HAVE_ADDRESSES:
        return f"{instance_id}.{power}.invalid", f"its instance {instance_id} is {power}"
    if way == "ssm":
        return instance_id, ""
    address = instance.public_address if way == "public" else instance.private_address
    if not address:
        others = "private or ssm" if way == "public" else "public or ssm"
        why = f"its instance {instance_id} has no {way} address; in inventory/ec2.yaml, connect: {others} may reach it"
        return f"{instance_id}.no-{way}-address.invalid", why
    return address, ""


def is_changing(instances: Iterable[Instance]) -> bool:
    """Whether one of them is about to be in another state."""
    return any(each.power in _CHANGING for each in instances)


def why_unreached(name: str, data: Mapping[str, object], error: str) -> str | None:
    """What it means that a host which is an instance was not reached, and what to do, in a line; None is nothing.

    + data: of the host
    + error: what pyinfra said
    """
    instance_id = data.get("instance_id")
    if not instance_id:
        return None
    if unreachable := data.get("unreachable"):
        return str(unreachable)
    if error.startswith("SSH host key error") or "StrictPolicy" in error:
        return (
            f"what answers at {data.get('ssh_hostname')} does not have the host key that is trusted of {instance_id}: "
            f"its system was installed anew, or it is a stranger; nothing is done there; when you know that it is "
            f"right: miyabi ec2 forget-key {name}"
        )
    return None


def ssh_words(data: Mapping[str, object]) -> tuple[str, ...]:
    """The ssh command that leads to an instance, as its name does not; none when it cannot be reached.

    + data: of the host
    """
    if data.get("unreachable") or not data.get("ssh_hostname"):
        return ()
    user = f"{data['ssh_user']}@" if data.get("ssh_user") else ""
    options = {"-F": "ssh_config_file", "-i": "ssh_key", "-p": "ssh_port"}
    given = [word for option, key in options.items() if data.get(key) for word in (option, str(data[key]))]
    trusted = ("-o", f"UserKnownHostsFile={data.get('ssh_known_hosts_file')}", "-o", "StrictHostKeyChecking=yes")
    return ("ssh", *given, *trusted, f"{user}{data['ssh_hostname']}")


def untrusted(name: str, instance: Instance, why: str) -> str:
    """In a line, that no host key of an instance is trusted, and what to do."""
    return (
        f"{name}: no host key of {instance.instance_id} is trusted: {why}; when you have seen its fingerprint "
        "elsewhere (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub, by Session Manager): "
        f"miyabi ec2 trust {name} SHA256:..."
    )


def _shown(text: str) -> str:
    short = text if len(text) <= 60 else f"{text[:57]}..."
    return short if short.isprintable() and short.strip() == short and " " not in short else ascii(short)
