"""How ssh reaches the instances of the fleet: by an address, or through Systems Manager; only whom it knows."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from miyabi.ec2_file import read_ec2_file
from miyabi.ec2_hosts import Member, reached_at
from miyabi.ec2_settings import Ec2Settings
from miyabi.errors import MiyabiError
from miyabi.host_trust import Ring, folder, known_hosts_for, read_ring
from miyabi.instance import Instance
from miyabi.private_file import read_private, write_private

# It is there, or it is not: each try to connect to a machine that hangs takes seconds.
_RETRIES = 1
# Seconds for the first word of an sshd that takes a connection: one that hangs must not keep the other hosts waiting.
# The aws command needs some of its own.
_BANNER = {"public": 5, "private": 5, "ssm": 15}
_RELAY = Path(__file__).resolve().with_name("ssm_relay.py")
# Where a host without an address is dialled: the system refuses it at once, without asking any name server.
_NOWHERE = "Host *.invalid\n  HostName 255.255.255.255\n"

# Takes a line that a human should read.
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ways:
    """How instances are reached.

    + common: what is the same in the data of each of them
    """

    settings: Ec2Settings
    common: Mapping[str, Any]

    @classmethod
    def of(cls, settings: Ec2Settings, say: Say) -> Ways:
        """By the settings; what is missing for them on this machine is said."""
        common: dict[str, Any] = {
            "ssh_port": settings.port,
            "ssh_strict_host_key_checking": "yes",
            "ssh_paramiko_connect_kwargs": {"banner_timeout": _BANNER[settings.connect]},
        }
        if settings.user:
            common["ssh_user"] = settings.user
        why = _no_key(settings.key) if settings.key else None
        if why is not None:
            say(f"ssh.key of inventory/ec2.yaml is not used: {settings.key}: {why}")
        elif settings.key:
            common["ssh_key"] = settings.key
        missing = [name for name in ("aws", "session-manager-plugin") if shutil.which(name) is None]
        if settings.connect == "ssm" and missing:
            say(
                f"connect: ssm of inventory/ec2.yaml needs {' and '.join(missing)}, not installed on this machine: "
                "install the AWS CLI and its Session Manager plugin, or choose public or private"
            )
        return cls(settings, common)

    def data(self, member: Member, ring: Ring) -> dict[str, Any]:
        """The data of a host."""
        instance = member.instance
        named = {"platform": "linux", "spec": member.spec}
        identity = {"instance_id": instance.instance_id, "region": instance.region}
        return {**named, **identity, **self.connection(member, ring)}

    def connection(self, member: Member, ring: Ring) -> dict[str, Any]:
        """What in a host's data says how it is reached."""
        instance_id = member.instance.instance_id
        data: dict[str, Any] = {**self.common, "ssh_hostname": member.address, "ssh_connect_retries": _RETRIES}
        if config := self._ssh_config(member):
            data["ssh_config_file"] = config
        unreachable = member.unreachable
        try:
            known_hosts = known_hosts_for(instance_id, member.address, self.settings.port, ring)
        except MiyabiError as error:
            # Without a file nobody is trusted.
            known_hosts, unreachable = Path(os.devnull), unreachable or str(error)
        data["ssh_known_hosts_file"] = str(known_hosts)
        if not ring.of(instance_id).keys:
            trust = f"when you have seen its fingerprint elsewhere: miyabi ec2 trust {member.name} SHA256:..."
            unreachable = unreachable or f"no host key of its instance {instance_id} is trusted; {trust}"
        if unreachable:
            data |= {"unreachable": unreachable, "ssh_connect_retries": 0}
        return data

    def _ssh_config(self, member: Member) -> str | None:
        """The file of the ssh configuration that a host needs; None is the user's own."""
        if member.unreachable:
            return _written(_NOWHERE)
        command = proxy_command(self.settings, member.instance)
        if not command:
            return None
        # What the user's own configuration says of other things holds as well.
        host = f"Host {member.instance.instance_id}\n  ProxyCommand {command}\nInclude ~/.ssh/config\n"
        return _written(host) or os.devnull


def connection(path: Path, instance: Instance) -> dict[str, Any]:
    """How ssh reaches an instance as EC2 describes it now: what in its host's data depends on that.

    + path: of inventory/ec2.yaml

    Returns such as ``{"ssh_hostname": "192.0.2.7", "ssh_known_hosts_file": ...}``; a ``ssh_config_file`` of None is the
    user's own; with ``unreachable``, in words, when it can be reached nowhere, or no host key of it is trusted.
    """
    settings = read_ec2_file(path)
    member = Member(instance.instance_id, instance, "", (), *reached_at(instance, settings.connect))
    # What an earlier way needed must not stay.
    return {"ssh_config_file": None} | Ways.of(settings, lambda _: None).connection(member, read_ring())


def proxy_command(settings: Ec2Settings, instance: Instance) -> str:
    """What ssh runs to reach an instance through Systems Manager; "" when it dials an address."""
    if settings.connect != "ssm":
        return ""
    profile = [settings.profile] if settings.profile else []
    words = [sys.executable, "-I", str(_RELAY), instance.instance_id, str(settings.port), instance.region, *profile]
    return shlex.join(words)


def _written(text: str) -> str | None:
    """The file of an ssh configuration, by a name of its own for each text; None when it cannot be written."""
    path = folder() / "ssh" / sha256(text.encode()).hexdigest()[:16]
    try:
        if not _is(path, text):
            write_private(path, text)
    except OSError:
        return None
    return str(path)


def _is(path: Path, text: str) -> bool:
    try:
        return read_private(path) == text
    except (OSError, ValueError):
        return False


def _no_key(file: str) -> str | None:
    """Why a file is no private key that ssh could use; None when it may be one. pyinfra would end the whole run."""
    try:
        with Path(file).expanduser().open("rb") as key:
            return None if key.read(11) == b"-----BEGIN " else "it is no private key"
    except (OSError, RuntimeError) as error:
        return getattr(error, "strerror", None) or str(error)
