"""The work of a run that finds nothing to do: see whether a healthy fleet is what its specs say."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

import yaml

from benchmarks.measure import BenchmarkError, Contender
from benchmarks.others import strategy_plugins
from benchmarks.playground import Playground, remove
from facts.host import HostState
from tests.fleet.machine import Finished, Machine
from tests.fleet.sshd import SshHost

OURS = "Miyabi Recovery"
TRIVIAL = "pyinfra, one trivial fact"
ANSIBLE = "ansible-core, pipelining, 5 tasks"
MITOGEN = "the same with mitogen"
PROBE = "pyinfra, our probe as a fact"
COLD = "OpenSSH, curve25519, our probe"
WARM = "OpenSSH over held connections, our probe"

AGENT = "sleep 42424"
SPEC: dict[str, Any] = {
    "sessions": [
        {
            "session_name": "miyabi",
            "windows": [
                {"window_name": "main", "panes": [{"name": "guardian", "shell_command": "cat"}]},
                {
                    "window_name": "codegen-1",
                    "layout": "main-vertical",
                    "panes": [
                        {"name": "kaede", "shell_command": f"exec {AGENT}", "agent": {"role": "CodeGen"}},
                        {"name": "sakura", "shell_command": f"exec {AGENT}", "agent": {"role": "CodeGen"}},
                    ],
                },
            ],
        }
    ]
}
PANES = 3

_CHECKS = Path(__file__).parent / "checks.yml"
_PARALLEL = 50


@dataclass(frozen=True, slots=True)
class Noop:
    """One fleet of so many healthy hosts.

    + warm: a machine of its own for the client whose connections are held
    + programs: where Ansible is; None leaves it out
    """

    ground: Playground
    hosts: Sequence[SshHost]
    warm: Machine
    programs: Path | None

    def build(self) -> None:
        """Bring the fleet up, by our own command, which finds nothing to do when it is run again."""
        run, nothing_to_do = self._ours()
        first = run()
        again = run()
        if first.code or again.code or nothing_to_do(again):
            raise BenchmarkError(f"the fleet does not come up:\n{first.output[-3000:]}\n{again.output[-3000:]}")

    def contenders(self) -> list[Contender]:
        """Everybody who can do the work."""
        control, hosts = self.ground.fleet.control, self.hosts
        inventory = self.ground.fleet.control.root / "fleet.py"
        run, nothing_to_do = self._ours()
        cold, warm = self._openssh(control, held=False), self._openssh(self.warm, held=True)
        found = [
            Contender(OURS, control, run, nothing_to_do, hosts=hosts),
            Contender(
                TRIVIAL,
                control,
                lambda: self.ground.pyinfra(inventory, "fact", "server.Hostname"),
                self._said_by_each("Loaded fact server.Hostname"),
                hosts=hosts,
            ),
            Contender(
                PROBE,
                control,
                lambda: self.ground.pyinfra(inventory, "fact", "facts.host.HostState"),
                self._said_by_each("Loaded fact facts.host.HostState"),
                hosts=hosts,
            ),
            Contender(COLD, control, cold, self._said_by_each("##miyabi:end network 0"), hosts=hosts),
            Contender(WARM, self.warm, warm, self._said_by_each("##miyabi:end network 0"), hosts=hosts),
        ]
        if self.programs is not None:
            found += [self._ansible(ANSIBLE, self.programs), self._ansible(MITOGEN, self.programs)]
        return found

    def _ours(self) -> tuple[Callable[[], Finished], Callable[[Finished], str]]:
        inventory = self.ground.write_inventory(self.ground.write_spec(SPEC))
        return (
            lambda: self.ground.pyinfra(inventory, "deploys/recover.py", "-y"),
            self._said_by_each("healthy, nothing to do"),
        )

    def _said_by_each(self, text: str) -> Callable[[Finished], str]:
        def check(done: Finished) -> str:
            count = done.output.count(text)
            return "" if count == len(self.hosts) else f"{count} of {len(self.hosts)} hosts said {text!r}"

        return check

    def _openssh(self, client: Machine, *, held: bool) -> Callable[[], Finished]:
        held_by = f"{self.warm.root}/%n" if held else "none"
        probe = f"sh -c {quote(HostState().command())}"
        ssh = [*self.ground.ssh, "-S", held_by, "-o", "ControlMaster=no", "@HOST@", probe]
        command = ["xargs", "-P", str(_PARALLEL), "-I", "@HOST@", *ssh]
        names = "".join(f"{host.name}\n" for host in self.hosts)
        return lambda: client.run(*command, stdin=names)

    def hold_connections(self) -> None:
        """Open the connections that ``WARM`` goes over; they are held until its machine is removed."""
        for host in self.hosts:
            path = self.warm.root / host.name
            if not path.exists():
                hold = [*self.ground.ssh, "-M", "-S", str(path), "-o", "ControlPersist=yes", "-Nf", host.name]
                # ssh goes into the background: nothing of it may hold on to the pipes that its output is read from.
                self.warm.sh(f"{' '.join(map(quote, hold))} >/dev/null 2>&1")

    def _ansible(self, name: str, programs: Path) -> Contender:
        control = self.ground.fleet.control
        folder = control.root / "ansible"
        folder.mkdir(exist_ok=True)
        strategy = (
            f"strategy_plugins = {strategy_plugins(programs)}\nstrategy = mitogen_linear\n" if name == MITOGEN else ""
        )
        config = folder / f"{'mitogen' if strategy else 'plain'}.cfg"
        config.write_text(
            f"[defaults]\nforks = {_PARALLEL}\n{strategy}[ssh_connection]\npipelining = True\n", encoding="utf-8"
        )
        inventory = self._write_ansible_inventory(folder)

        def end_connections() -> None:
            # Each run makes its own connections, as everybody's does: those that ssh would keep for a minute are ended.
            control.stop()
            remove(control.home / ".ansible")

        command = [str(programs / "ansible-playbook"), "-i", str(inventory), str(_CHECKS)]
        return Contender(
            name,
            control,
            lambda: control.run("env", f"ANSIBLE_CONFIG={config}", *command, timeout=300),
            self._said_by_each("ok=5    changed=0    unreachable=0    failed=0"),
            after=end_connections,
            hosts=self.hosts,
            seldom=True,
        )

    def _write_ansible_inventory(self, folder: Path) -> Path:
        hosts = {
            host.name: {"ansible_port": host.port, "home": str(host.home), "expected_panes": PANES}
            for host in self.hosts
        }
        everywhere = {
            "ansible_ssh_common_args": f"-F {self.ground.fleet.ssh_config}",
            # Named, so that no time is spent on looking for it.
            "ansible_python_interpreter": str(Path(sys.executable).resolve()),
            "agent": AGENT,
        }
        path = folder / "inventory.yml"
        path.write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": everywhere}}), encoding="utf-8")
        return path
