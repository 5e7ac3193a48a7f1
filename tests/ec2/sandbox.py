"""The sandbox's fleet for tests of the whole chain: the literal commands against its instances, seen from outside.

One sandbox serves a module; each test finds its instances well and nothing remembered of them. Import the fixtures:
``from tests.ec2.sandbox import CloudFleet, cloud_fleet, cloud_sandbox  # noqa: F401``.
"""

from __future__ import annotations

import json
import re
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from miyabi.sandbox import lifecycle, programs
from miyabi.sandbox.cloud_files import REGION, CloudFiles, ask, environment
from miyabi.sandbox.cloud_life import TEMPLATE
from miyabi.sandbox.faults import inject
from miyabi.sandbox.fleet import CLOUD_NAMES, Sandbox, SandboxHost, instances
from tests.ec2.cloud import Cloud
from tests.fleet.control import REPOSITORY, Fleet
from tests.fleet.leaks import TestRun
from tests.fleet.machine import Finished, Machine
from tests.fleet.programs import required
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.sandbox.conftest import assert_nothing_is_left

# Nobody learns anything by waiting longer.
FAST = {"boot": 0.5, "stop": 0.3, "check": 0.5, "initializing": 0.5}

# Seconds within which an instance that has just booted is well.
_SETTLING = 2.0

_BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
_L4_RULES = re.compile(r"^recovery:.*\n+l4:.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CloudFleet:
    """The sandbox, and a machine from which its fleet is recovered.

    + control: where pyinfra and miyabi run
    + cloud: its EC2, asked as anybody else might
    + clone: of the repository, whose inventory has these instances, and remembers them as the sandbox's does
    + specs: the texts of its specs as they were
    """

    sandbox: Sandbox
    control: Machine
    cloud: Cloud
    clone: Path
    specs: dict[Path, str] = field(default_factory=dict)

    @property
    def spec(self) -> Path:
        """The spec of both instances."""
        return self.sandbox.folder / "specs" / "cloud.yaml"

    @property
    def fleet_rules(self) -> Path:
        """The file with the rules of the fleet."""
        return self.sandbox.folder / "fleet.yaml"

    def pyinfra(self, *arguments: str | Path, timeout: float = 90.0) -> Finished:
        """Run ``pyinfra INVENTORY ARGUMENTS`` from the checkout."""
        words = ["pyinfra", str(self.sandbox.inventory), *map(str, arguments)]
        done = self.control.run(*words, cwd=REPOSITORY, timeout=timeout)
        assert "Traceback" not in done.output, done.output
        return done

    def recover(self, *arguments: str, hosts: str = "cloud-1", timeout: float = 90.0) -> Finished:
        """Run ``pyinfra INVENTORY deploys/recover.py -y``.

        + hosts: to which it is limited, with commas between them; "" is all of the fleet
        """
        limits = [word for name in hosts.split(",") if name for word in ("--limit", name)]
        return self.pyinfra("deploys/recover.py", "-y", *limits, *arguments, timeout=timeout)

    def miyabi(self, *arguments: str | Path, timeout: float = 60.0) -> Finished:
        """Run ``miyabi ARGUMENTS`` from the clone whose fleet these instances are."""
        done = self.control.run("python", "-m", "miyabi", *map(str, arguments), cwd=self.clone, timeout=timeout)
        assert "Traceback" not in done.output, done.output
        return done

    def host(self, name: str = "cloud-1") -> SandboxHost:
        """One of the hosts, as it is now."""
        return self.sandbox.host(name)

    def instance_id(self, name: str = "cloud-1") -> str:
        """The id of the instance that ``name`` is now; "" while there is none."""
        found = [row for row in instances(self.sandbox.folder) if row["name"] == name and row["host"]]
        return str(found[0]["instance_id"]) if found else ""

    def over_ssh(self, script: str = _BOOT_ID, name: str = "cloud-1") -> str:
        """What a script says on a host, asked by OpenSSH's own ssh; "" when it does not answer."""
        words = ["ssh", "-F", str(self.sandbox.ssh_config), "-o", "ConnectTimeout=2", name, script]
        done = self.control.run(*words, timeout=20)
        return done.stdout.strip() if done.code == 0 else ""

    def panes(self, name: str = "cloud-1") -> dict[str, str]:
        """The panes of a host's sessions, by name, with the pid of what runs in each, as its tmux says."""
        shape = "#{session_name}:#{window_name}.#{@miyabi_pane} #{pane_pid} #{pane_dead}"
        rows = [line.split() for line in self.over_ssh(f"tmux list-panes -a -F '{shape}'", name).splitlines()]
        return {row[0]: row[1] for row in rows if row[2:] == ["0"]}

    def damage(self, fault: str, name: str = "cloud-1") -> None:
        """Break something for real, and wait until the cloud's checks say so where they can see it."""
        list(inject(self.sandbox, fault, name))
        expected = {"instance-hang": (None, "impaired"), "system-impaired": ("impaired", None)}.get(fault)
        if expected:
            wait_until(lambda: all(want in {None, is_} for want, is_ in zip(expected, self.checks(name), strict=True)))

    def checks(self, name: str = "cloud-1") -> tuple[str, str]:
        """What EC2 says of the system, and of the instance."""
        asked = {"InstanceIds": [self.instance_id(name)], "IncludeAllInstances": True}
        [row] = self.cloud.client("ec2", REGION).describe_instance_status(**asked)["InstanceStatuses"]
        return row["SystemStatus"]["Status"], row["InstanceStatus"]["Status"]

    def power(self, instance_id: str) -> str:
        """What EC2 says of an instance: ``running``, ``stopped``..."""
        answer = self.cloud.client("ec2", REGION).describe_instances(InstanceIds=[instance_id])
        return str(answer["Reservations"][0]["Instances"][0]["State"]["Name"])

    def actions(self) -> list[str]:
        """The calls that were more than a question, in their order."""
        return [str(call["action"]) for call in self.cloud.mutating()]

    def calls(self, *actions: str) -> list[str]:
        """These calls, or all, in their order."""
        return [str(call["action"]) for call in self.cloud.calls(*actions)]

    def forget_calls(self) -> None:
        """Begin to count anew."""
        self.cloud.forget_calls()

    def allow(self, l4: str, recovery: str = "{max_level: L4}") -> None:
        """Write what the specs of the instances say of L4.

        + l4: such as ``{reboot: true}``; "" is nothing
        + recovery: such as ``{max_level: L4, budgets: {L4: 20s}}``; "" is nothing
        """
        lines = [f"{key}: {value}" for key, value in (("recovery", recovery), ("l4", l4)) if value]
        text, times = _L4_RULES.subn("\n".join(lines), self.specs[self.spec])
        assert times == 1
        self.spec.write_text(text, encoding="utf-8")

    def forget_everything(self) -> None:
        """Forget what is remembered of the fleet: the history, what was seen, what EC2 said, whom to trust."""
        for name in ("state", "cache"):
            shutil.rmtree(self.sandbox.folder / name, ignore_errors=True)

    def is_well(self, name: str) -> bool:
        """Whether an instance runs and answers, and its checks are fine."""
        instance_id = self.instance_id(name)
        if not instance_id or self.power(instance_id) != "running" or self.checks(name) != ("ok", "ok"):
            return False
        # With the key by which everybody knows it.
        return bool(self.over_ssh(name=name))

    def make_well(self) -> None:
        """Take everything back that a test may have done to the instances, and forget what is remembered of them."""
        self.cloud.files.forget()
        for path, text in self.specs.items():
            path.write_text(text, encoding="utf-8")
        for name in CLOUD_NAMES:
            try:
                wait_until(lambda name=name: self.is_well(name), _SETTLING)  # type: ignore[misc]
            except AssertionError:
                # Another instance takes the place of one with which something may be wrong.
                self.launch(name)
        self.forget_everything()
        self.forget_calls()

    def launch(self, name: str) -> None:
        """Launch a fresh instance in the place of one, which is terminated."""
        earlier = [row["instance_id"] for row in instances(self.sandbox.folder) if row["name"] == name]
        told = {"LaunchTemplate__LaunchTemplateName": TEMPLATE, "MinCount": "1", "MaxCount": "1"}
        told |= {"ClientToken": uuid.uuid4().hex, "TagSpecification__1__ResourceType": "instance"}
        for number, (key, value) in enumerate({"Name": name, "miyabi": "sandbox", "role": "worker"}.items(), 1):
            told[f"TagSpecification__1__Tag__{number}__Key"] = key
            told[f"TagSpecification__1__Tag__{number}__Value"] = value
        ask(self.cloud.url, "RunInstances", REGION, **told)
        for instance_id in earlier:
            if self.power(instance_id) != "terminated":
                ask(self.cloud.url, "TerminateInstances", REGION, InstanceId__1=instance_id)
        wait_until(
            lambda: self.instance_id(name) not in {"", *earlier} and self.is_well(name), 20, what=f"{name} is well"
        )


@pytest.fixture(scope="module", params=["cloud"] if programs.can_isolate() else [])
def cloud_sandbox(test_run: TestRun) -> Iterator[CloudFleet]:
    """The sandbox of a module, with a cloud that is in a hurry."""
    required("sshd")
    parent = test_run.new_folder("sandbox")
    sandbox = lifecycle.up(parent / "s", cloud=True)
    (sandbox.cloud / "settings.json").write_text(json.dumps(FAST))
    files = CloudFiles(sandbox.cloud)
    url = str(files.url())
    known: dict[str, Any] = environment(url, sandbox.cloud)
    # Whoever asks by miyabi what a run remembers has to look where the sandbox's runs keep it.
    known |= {"XDG_STATE_HOME": f"{sandbox.folder}/state", "XDG_CACHE_HOME": f"{sandbox.folder}/cache"}
    control = Machine.build(test_run, "control", known)
    clone = Fleet(test_run, control, TmuxServer(control)).copy_repository()
    spec = sandbox.folder / "specs" / "cloud.yaml"
    told = (sandbox.folder / "ec2.yaml").read_text(encoding="utf-8")
    (clone / "inventory" / "ec2.yaml").write_text(f"{told}spec: {spec}\n", encoding="utf-8")
    spec.write_text(f"{spec.read_text(encoding='utf-8')}\ngrace: 0.2s\n", encoding="utf-8")
    texts = [*(sandbox.folder / "specs").glob("*.yaml"), sandbox.folder / "fleet.yaml", sandbox.folder / "ec2.yaml"]
    specs = {path: path.read_text(encoding="utf-8") for path in texts}
    yield CloudFleet(sandbox, control, Cloud(url, files), clone, specs)
    control.remove()
    lifecycle.down(sandbox.folder)
    assert_nothing_is_left(sandbox.folder)
    parent.rmdir()


@pytest.fixture
def cloud_fleet(cloud_sandbox: CloudFleet) -> CloudFleet:
    """The sandbox of the module: its instances are well, nothing is remembered of them, and no call was made."""
    cloud_sandbox.make_well()
    return cloud_sandbox


def summary_of(done: Finished, name: str = "cloud-1") -> str:
    """The line that a run's summary has for a host."""
    _, _, lines = done.output.partition("--> Recovery summary:")
    found = [line.partition("]")[2].strip() for line in lines.splitlines() if f"[{name}]" in line]
    assert len(found) == 1, done.output
    return found[0]
