"""What is wanted of the sandbox's hosts: their specs, the inventory, and the ways to reach them."""

from __future__ import annotations

import pprint
from pathlib import Path
from typing import Any

from miyabi.sandbox.cloud_files import REGION, CloudFiles, environment
from miyabi.sandbox.fleet import Sandbox, SandboxHost

_SPECS = Path(__file__).parent / "wanted"

_ALIAS = """\
Host {name}
  HostName {address}
  Port {port}
  User {user}
  IdentityFile {folder}/key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  StrictHostKeyChecking yes

"""

_INVENTORY = """\
\"\"\"The sandbox's fleet: pixel and macbook are imitations{cloud}.\"\"\"

import os

# What a run remembers of these hosts must not mix with what it knows of others of the same names.
for _name, _folder in (("XDG_STATE_HOME", "state"), ("XDG_CACHE_HOME", "cache")):
    os.environ[_name] = {folder!r} + "/" + _folder

sandbox = {hosts}
"""

_INSTANCES = """
# All the AWS that a run of this fleet knows.
os.environ.update({environment})

from pathlib import Path  # noqa: E402

from miyabi.ec2_inventory import hosts_of  # noqa: E402 - what it asks is the sandbox's cloud

_groups = hosts_of(Path({folder!r} + "/ec2.yaml"), [_name for _name, _ in sandbox])
for _, _data in _groups.get("ec2", []):
    _data.update({data})
globals().update(_groups)
"""

_EC2 = """\
# The instances of the sandbox's cloud.
regions: [{region}]
tags: {{miyabi: sandbox}}
groups: [role]
ssh: {{user: ec2-user, key: {folder}/key, port: {port}}}
"""


def write(sandbox: Sandbox) -> None:
    """Write specs, inventory, ssh configuration and known hosts into the sandbox's folder."""
    folder = sandbox.folder
    (folder / "specs").mkdir()
    for host in sandbox.hosts.values():
        (folder / "specs" / f"{host.kind}.yaml").write_text(_spec(host), encoding="utf-8")
        if host.kind == "cloud":
            told = _EC2.format(region=REGION, folder=folder, port=host.port)
            (folder / "ec2.yaml").write_text(told, encoding="utf-8")
    write_ways(sandbox)
    sandbox.inventory.write_text(_inventory(sandbox))
    # Nobody's channels are to hear of what is broken here on purpose.
    (folder / "fleet.yaml").write_text("# The rules of the sandbox's fleet; an alerts.yaml may stand beside it.\n")


def write_ways(sandbox: Sandbox) -> None:
    """Write the ssh configuration and the known hosts: where each host is now."""
    folder = sandbox.folder
    known, aliases = [], []
    for host in sandbox.hosts.values():
        key = (host.outside(host.etc) / "host_key.pub").read_text().split()
        known += [f"[{host.address}]:{port} {key[0]} {key[1]}\n" for port in (host.way_in, host.port)]
        aliases.append(
            _ALIAS.format(name=host.name, address=host.address, port=host.way_in, user=host.user, folder=folder)
        )
    _replace(folder / "known_hosts", "".join(known))
    _replace(sandbox.ssh_config, "".join(aliases))


def _replace(path: Path, text: str) -> None:
    aside = path.with_suffix(".new")
    aside.write_text(text)
    aside.replace(path)


def _spec(host: SandboxHost) -> str:
    text = (_SPECS / f"{host.kind}.yaml").read_text(encoding="utf-8")
    # Without a disk of its own, the host must not be judged by how full this machine's is.
    limits = ("70%", "85%") if host.isolated else ("99%", "99.5%")
    values = {
        "@PORT@": host.port,
        "@MCP_PORT@": host.mcp_port,
        "@SSHD@": host.inside("/usr/bin/sshd"),
        "@WARNING@": limits[0],
        "@CRITICAL@": limits[1],
    }
    for placeholder, value in values.items():
        text = text.replace(placeholder, str(value))
    return text


def _inventory(sandbox: Sandbox) -> str:
    hosts = [(host.name, _data(sandbox, host)) for host in sandbox.hosts.values() if host.kind != "cloud"]
    shown = pprint.pformat(hosts, width=118, sort_dicts=False)
    url = CloudFiles(sandbox.cloud).url()
    if url is None:
        return _INVENTORY.format(folder=str(sandbox.folder), hosts=shown, cloud="")
    told = _INVENTORY.format(folder=str(sandbox.folder), hosts=shown, cloud=", and so is the cloud of the others")
    known = pprint.pformat(environment(url, sandbox.cloud), width=118, sort_dicts=False)
    data = {"spec": str(sandbox.folder / "specs" / "cloud.yaml"), "fleet": str(sandbox.folder / "fleet.yaml")}
    return told + _INSTANCES.format(folder=str(sandbox.folder), environment=known, data=data)


def _data(sandbox: Sandbox, host: SandboxHost) -> dict[str, Any]:
    return {
        "ssh_hostname": host.address,
        "ssh_port": host.way_in,
        "ssh_user": host.user,
        "ssh_key": str(sandbox.folder / "key"),
        "ssh_config_file": str(sandbox.ssh_config),
        "ssh_known_hosts_file": str(sandbox.folder / "known_hosts"),
        "ssh_strict_host_key_checking": "yes",
        "ssh_allow_agent": False,
        "ssh_look_for_keys": False,
        "ssh_connect_retries": 3,
        "platform": host.platform,
        "spec": str(sandbox.folder / "specs" / f"{host.name}.yaml"),
        "fleet": str(sandbox.folder / "fleet.yaml"),
    }
