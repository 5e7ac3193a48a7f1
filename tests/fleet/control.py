"""The side that runs pyinfra: its HOME, its ssh configuration, its inventories, and the fleet that it sees."""

from __future__ import annotations

import pprint
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fleet.leaks import TestRun
from tests.fleet.machine import Finished, Machine, user_name
from tests.fleet.sshd import SshHost, make_key
from tests.fleet.tmux import TmuxServer

REPOSITORY = Path(__file__).resolve().parents[2]

# What a clone holds that pyinfra needs.
_PLAYBOOK = ("config.py", "pyproject.toml", "inventory", "facts", "operations", "deploys", "miyabi")

_ALIAS = """\
Host {name}
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {key}
  IdentitiesOnly yes
  UserKnownHostsFile {known_hosts}
  StrictHostKeyChecking yes

"""


@dataclass(slots=True)
class Fleet:
    """A control machine and the hosts that it reaches by their aliases.

    + control: where pyinfra runs; its own tmux server is ``control_tmux``
    + hosts: by name
    """

    run: TestRun
    control: Machine
    control_tmux: TmuxServer
    hosts: dict[str, SshHost] = field(default_factory=dict)

    @classmethod
    def build(cls, run: TestRun) -> Fleet:
        """A control machine that knows no hosts yet."""
        control = Machine.build(run, "control")
        folder = control.home / ".ssh"
        folder.mkdir(mode=0o700)
        make_key(folder / "id_ed25519")
        return cls(run, control, TmuxServer(control))

    @property
    def ssh_config(self) -> Path:
        """The ssh configuration with the aliases; pyinfra finds it through HOME, OpenSSH's ssh needs ``-F``."""
        return self.control.home / ".ssh" / "config"

    def add(self, name: str, login_shell: str = "/bin/sh", **variables: str) -> SshHost:
        """Add a host that pyinfra reaches as ``name``; see ``SshHost.build`` for the rest."""
        assert name not in self.hosts, f"there is a host {name} already"
        public_key = (self.control.home / ".ssh" / "id_ed25519.pub").read_text()
        host = self.hosts[name] = SshHost.build(self.run, name, public_key, login_shell, **variables)
        self.write_ssh_config()
        return host

    def write_ssh_config(self) -> None:
        """Write the aliases and the host keys of all hosts."""
        folder = self.control.home / ".ssh"
        key, known_hosts = folder / "id_ed25519", folder / "known_hosts"
        known_hosts.write_text("".join(host.known_hosts_line for host in self.hosts.values()))
        common = {"user": user_name(), "key": key, "known_hosts": known_hosts}
        aliases = (_ALIAS.format(name=name, port=host.port, **common) for name, host in self.hosts.items())
        self.ssh_config.write_text("".join(aliases))

    def write_inventory(self, data: Mapping[str, Mapping[str, Any]] | None = None, *, name: str = "fleet") -> Path:
        """Write an inventory of every host, or of those that ``data`` names, in a group called ``name``.

        + data: the host data by host, plain Python values; ``@local`` is the control machine itself
        """
        chosen: dict[str, dict[str, Any]] = {
            host: dict(values) for host, values in (data or {name: {} for name in self.hosts}).items()
        }
        path = self.control.root / f"{name}.py"
        path.write_text(f"{name} = {pprint.pformat(list(chosen.items()), width=110, sort_dicts=False)}\n")
        return path

    def pyinfra(self, *arguments: str | Path, cwd: Path = REPOSITORY, timeout: float = 120.0) -> Finished:
        """Run the real ``pyinfra ARGUMENTS`` on the control machine, from the checkout or a copy of it."""
        return self.control.run("pyinfra", *map(str, arguments), cwd=cwd, timeout=timeout)

    def copy_repository(self) -> Path:
        """A copy of the playbook on the control machine, for tests that change its inventory or its files."""
        copy = self.control.root / "clone"
        copy.mkdir()
        for entry in (REPOSITORY / name for name in _PLAYBOOK):
            if entry.is_dir():
                shutil.copytree(entry, copy / entry.name)
            elif entry.exists():
                shutil.copy2(entry, copy)
        return copy

    def remove(self) -> None:
        """Switch everything off and remove all files."""
        for host in self.hosts.values():
            host.remove()
        self.control_tmux.stop()
        self.control.remove()
