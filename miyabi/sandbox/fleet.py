"""The sandbox's hosts: who they are, and where what of them is."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from miyabi.errors import MiyabiError
from miyabi.state import Platform as PlatformName

HOST_NAMES = ("pixel", "mugen", "macbook")

# The instances of the pretended cloud.
CLOUD_NAMES = ("cloud-1", "cloud-2")

PLATFORMS: dict[str, PlatformName] = {"pixel": "termux", "mugen": "linux", "macbook": "macos", "cloud": "linux"}
HOMES = {
    "pixel": "/data/data/com.termux/files/home",
    "mugen": "/home/kaede",
    "macbook": "/Users/kaede",
    "cloud": "/home/ec2-user",
}
PREFIX = "/data/data/com.termux/files/usr"

# In the environment of everything that the sandbox starts: the folder, and the host.
SANDBOX_VARIABLE = "MIYABI_SANDBOX"
HOST_VARIABLE = "MIYABI_SANDBOX_HOST"

_STATE = "sandbox.json"


class SandboxError(MiyabiError):
    """The sandbox cannot do what was asked; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class SandboxHost:
    """One host.

    + folder: all files of it, as this machine sees them
    + isolated: whether it has a root folder of its own (as root), or only the PATH and HOME of one
    + address: its own loopback address
    + port: of the sshd that its spec names, and that faults kill
    + way_in: of the sshd that the inventory uses; it stands for a held connection, a VPN's ssh, adb; an instance of the
      cloud has no other than ``port``
    + mcp_port: of its MCP server, on 127.0.0.1
    + user: who logs in
    """

    name: str
    folder: Path
    isolated: bool
    address: str
    port: int
    way_in: int
    mcp_port: int
    user: str

    @property
    def platform(self) -> PlatformName:
        """What it imitates."""
        return PLATFORMS[self.kind]

    @property
    def kind(self) -> str:
        """What it is made like: ``cloud`` for the instances, which are all alike, else its own name."""
        return "cloud" if self.name in CLOUD_NAMES else self.name

    def outside(self, path: str) -> Path:
        """Where this machine sees what the host has at ``path``."""
        return self.folder / path.lstrip("/")

    def inside(self, path: str) -> str:
        """Where the host itself sees what it has at ``path``."""
        return path if self.isolated else str(self.outside(path))

    @property
    def home(self) -> Path:
        """Its HOME, as this machine sees it."""
        return self.outside(HOMES[self.kind])

    @property
    def etc(self) -> str:
        """Its folder of settings."""
        return f"{PREFIX}/etc/sandbox" if self.name == "pixel" else "/etc/sandbox"

    @property
    def tmux_folder(self) -> Path:
        """What its TMUX_TMPDIR is, as this machine sees it: a socket's path may have about 100 characters."""
        if not self.isolated:
            return self.folder.parent.parent / "run" / self.name[:2]
        return self.outside(f"{PREFIX}/var/run" if self.name == "pixel" else "/tmp")  # noqa: S108 - the host's own

    @property
    def boot_pid_file(self) -> Path:
        """The pid of the process in whose namespace the host lives."""
        return self.outside(self.etc) / "boot.pid"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox.

    + folder: all of its files
    + hosts: by name
    """

    folder: Path
    hosts: dict[str, SandboxHost] = field(default_factory=dict)

    @property
    def inventory(self) -> Path:
        """The inventory of its hosts."""
        return self.folder / "inventory.py"

    @property
    def ssh_config(self) -> Path:
        """The ssh configuration with its hosts, for ``ssh -F``."""
        return self.folder / "ssh_config"

    @property
    def command(self) -> str:
        """What one types, in a clone of the repository, to recover it."""
        return f"pyinfra {self.inventory} deploys/recover.py -y"

    @property
    def cloud(self) -> Path:
        """The folder of its cloud, where it has one."""
        return self.folder / "cloud"

    def host(self, name: str) -> SandboxHost:
        """The host called ``name``, as it is now, or an error that names those there are."""
        if name not in self.hosts:
            raise SandboxError(f"{name}: the sandbox has no such host; there are {', '.join(self.hosts)}")
        # An instance that was started again, or replaced, has another address.
        return cloud_hosts(self.folder).get(name, self.hosts[name])

    def save(self) -> None:
        """Write down that the sandbox is complete."""
        rows = [row_of(host) for host in self.hosts.values() if host.kind != "cloud"]
        path = self.folder / _STATE
        aside = path.with_suffix(".new")
        aside.write_text(json.dumps(rows, indent=2), encoding="utf-8")
        aside.replace(path)

    @classmethod
    def load(cls, folder: Path) -> Sandbox | None:
        """The sandbox in ``folder``; None when there is none, or one that was never completed."""
        try:
            rows = json.loads((folder / _STATE).read_text(encoding="utf-8"))
            hosts = [host_of(row) for row in rows]
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return cls(folder, {host.name: host for host in hosts} | cloud_hosts(folder))


def row_of(host: SandboxHost) -> dict[str, Any]:
    """A host, as it is written down."""
    return asdict(host) | {"folder": str(host.folder)}


def host_of(row: dict[str, Any]) -> SandboxHost:
    """A host that was written down."""
    return SandboxHost(**(row | {"folder": Path(row["folder"])}))


def instances(folder: Path) -> list[dict[str, Any]]:
    """What the cloud of the sandbox in ``folder`` has written down of its instances, by their names."""
    found = []
    for path in (folder / "cloud" / "machines").glob("i-*.json"):
        with contextlib.suppress(OSError, ValueError):
            found.append(json.loads(path.read_text(encoding="utf-8")))
    return sorted(found, key=lambda row: str(row["name"]))


def cloud_hosts(folder: Path) -> dict[str, SandboxHost]:
    """The hosts that are instances of the cloud, by name."""
    return {row["name"]: host_of(row["host"]) for row in instances(folder) if row["host"]}


def resolved(folder: Path) -> Path:
    """The folder by the one name under which its processes know it."""
    folder = folder.expanduser().absolute()
    return folder.parent.resolve() / folder.name


def default_folder() -> Path:
    """Where the sandbox is unless somebody says otherwise."""
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    return base / "miyabi" / "sandbox"
