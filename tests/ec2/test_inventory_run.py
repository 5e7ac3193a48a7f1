"""Runs of pyinfra over instances behind a real sshd: who is let in, who is refused, and what is said."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.ec2.cloud import REGION, Cloud
from tests.ec2.keys import Made, console, made, told
from tests.fleet.control import REPOSITORY, Fleet
from tests.fleet.machine import Finished
from tests.fleet.sshd import SshHost

HELLO = ("exec", "--", "echo hello from here")
# Not yaml: paramiko brings it along.
DEAR = {"boto3", "botocore", "pydantic", "tenacity", "rich", "sqlalchemy", "miyabi.ec2_api"}


@dataclass
class Controller:
    """A clone whose fleet has instances, on a machine of its own."""

    cloud: Cloud
    fleet: Fleet
    clone: Path

    def write(self, port: int, **settings: Any) -> None:
        """Write inventory/ec2.yaml for instances whose sshd listens on ``port``."""
        ssh = {"key": str(self.fleet.control.home / ".ssh" / "id_ed25519"), "port": port}
        written = {"regions": [REGION], "tags": {"miyabi": "fleet"}, "groups": ["role"], "ssh": ssh, "keep": "1h"}
        (self.clone / "inventory" / "ec2.yaml").write_text(json.dumps(written | settings))

    def launch(self, name: str, *keys: Made, **corrections: Any) -> str:
        """An instance at the loopback address that prints ``keys``."""
        instance_id = self.cloud.launch(name, {"miyabi": "fleet", "role": "worker"})
        told = {"public_address": "127.0.0.1", "private_address": "127.0.0.1", "console": console(*keys)}
        self.cloud.describe(instance_id, **{**told, **corrections})
        return instance_id

    def pyinfra(self, *arguments: str) -> Finished:
        """Run pyinfra in the clone."""
        return self.fleet.pyinfra(*arguments, cwd=self.clone)

    def miyabi(self, *arguments: str) -> Finished:
        """Run the command in the clone."""
        program = "import sys; from miyabi.cli import main; main(prog_name='miyabi')"
        return self.fleet.control.run(sys.executable, "-c", program, *arguments, cwd=self.clone)

    @property
    def trust(self) -> Path:
        """Where trust is kept."""
        return self.fleet.control.home / ".local" / "state" / "miyabi" / "ec2"


@pytest.fixture
def controller(cloud: Cloud, ssh_fleet: Fleet) -> Controller:
    """A clone without instances yet."""
    ssh_fleet.control.environment.update(cloud.environment | {"PYTHONDONTWRITEBYTECODE": "1"})
    return Controller(cloud, ssh_fleet, ssh_fleet.copy_repository())


def connected(run: Finished, host: str) -> bool:
    """Whether a run has reached a host."""
    return re.search(rf"\[{re.escape(host)}\] +Connected", run.output) is not None


def imported(run: Finished) -> set[str]:
    """What a run has imported, when it was told to say so."""
    return {line.rpartition("|")[2].strip() for line in run.stderr.splitlines() if line.startswith("import time")}


Host = Callable[[str], tuple[SshHost, Made]]


@pytest.fixture
def host(ssh_fleet: Fleet) -> Host:
    """Makes machines with an sshd: each, and its host key."""

    def make(name: str) -> tuple[SshHost, Made]:
        made = ssh_fleet.add(name)
        # The user's own configuration knows nothing of them.
        ssh_fleet.ssh_config.write_text("")
        (ssh_fleet.control.home / ".ssh" / "known_hosts").write_text("")
        return made, told(made.machine.root / "host_key.pub")

    return make


def test_an_instance_is_reached_and_trusted_by_its_console(controller: Controller, host: Host) -> None:
    box, key = host("box")
    web = controller.launch("web", key)
    controller.write(box.port)
    first = controller.pyinfra("inventory/ec2.py", "-y", *HELLO)
    assert first.code == 0, first.output
    assert connected(first, "web")
    assert "hello from here" in first.output
    # Neither the user's own files nor anybody's word were needed.
    assert not (controller.fleet.control.home / ".ssh" / "known_hosts").read_text()
    controller.cloud.forget_calls()
    controller.fleet.control.environment["PYTHONPROFILEIMPORTTIME"] = "1"
    second = controller.pyinfra("inventory", "--limit", "role_worker", "-y", *HELLO)
    assert second.code == 0, second.output
    assert connected(second, "web")
    assert not connected(second, "@local")
    assert "miyabi.ec2_inventory" in imported(second)
    assert not DEAR & imported(second)
    assert controller.cloud.calls() == []
    assert web in (controller.trust / "host_keys.json").read_text()


@pytest.mark.slow
def test_another_key_at_the_same_instance_is_refused(controller: Controller, host: Host, tmp_path: Path) -> None:
    box, key = host("box")
    web = controller.launch("web", key)
    controller.write(box.port)
    assert controller.pyinfra("inventory/ec2.py", "-y", *HELLO).code == 0
    # Whoever answers now shows another key, and may have printed it as well.
    box.stop_sshd()
    for file in ("host_key", "host_key.pub"):
        (box.machine.root / file).unlink()
    new = made(tmp_path)
    (secret,) = (each for each in tmp_path.iterdir() if not each.suffix)
    shutil.copy(secret, box.machine.root / "host_key")
    shutil.copy(secret.with_suffix(".pub"), box.machine.root / "host_key.pub")
    box.start_sshd()
    controller.cloud.describe(web, console=console(new))
    logged = box.sshd_log().count("Accepted publickey")
    refused = controller.pyinfra("inventory/ec2.py", "-y", *HELLO)
    assert refused.code == 1
    assert "SSH host key error" in refused.output
    meaning = f"[web] what answers at 127.0.0.1 does not have the host key that is trusted of {web}: its system was "
    assert meaning in refused.output
    assert "hello from here" not in refused.output
    assert "Traceback" not in refused.output
    assert box.sshd_log().count("Accepted publickey") == logged
    # A human who knows why says so, and the console is believed anew.
    forgotten = controller.miyabi("ec2", "forget-key", "web")
    assert (forgotten.code, forgotten.stdout) == (0, f"{web}: its host keys are forgotten\n")
    assert controller.pyinfra("inventory/ec2.py", "-y", *HELLO).code == 0


def test_a_stranger_at_an_old_address_is_refused(controller: Controller, host: Host, tmp_path: Path) -> None:
    box, key = host("box")
    # As it was known: web was there once; now its address belongs to db.
    controller.launch("db", key)
    web = controller.launch("web", made(tmp_path))
    controller.write(box.port)
    run = controller.pyinfra("inventory/ec2.py", "-y", *HELLO)
    assert connected(run, "db")
    assert not connected(run, "web")
    assert f"the host key that is trusted of {web}" in run.output
    assert run.output.count("hello from here") >= 1
    assert run.code == 1


@pytest.mark.slow
def test_an_instance_that_nobody_vouches_for_is_refused(controller: Controller, host: Host) -> None:
    box, key = host("box")
    web = controller.launch("web", console="nothing")
    controller.write(box.port)
    run = controller.pyinfra("inventory/ec2.py", "-y", *HELLO)
    assert run.code == 1
    assert f"    web: no host key of {web} is trusted: its console output shows no host key yet; when you" in run.output
    assert f"[web] no host key of its instance {web} is trusted" in run.output
    assert "Accepted publickey" not in box.sshd_log()
    wrong = controller.miyabi("ec2", "trust", "web", "SHA256:" + "A" * 43)
    assert wrong.code == 1
    assert len(wrong.stderr.splitlines()) == 1, "what paramiko writes is no news"
    assert (
        f"Error: web: nothing is trusted: what answers at 127.0.0.1 shows {key.fingerprint} (ssh-ed25519)"
        in wrong.stderr
    )
    right = controller.miyabi("ec2", "trust", web, key.listed)
    assert (right.code, right.stdout) == (0, f"web: ssh-ed25519 {key.fingerprint} is trusted of {web} from now on\n")
    assert controller.pyinfra("inventory/ec2.py", "-y", *HELLO).code == 0


def test_a_stopped_instance_fails_at_once_and_says_why(controller: Controller, host: Host) -> None:
    box, key = host("box")
    web = controller.launch("web", key, power="stopped", public_address="")
    controller.launch("db", key)
    controller.write(box.port)
    run = controller.pyinfra("inventory/ec2.py", "-y", *HELLO)
    assert "Could not connect ([Errno 101] Network is unreachable)" in run.output
    assert f"its instance {web} is stopped" in run.output
    assert connected(run, "db")
    assert run.seconds < 10
    assert run.code == 1


def fake_aws(controller: Controller, script: str) -> None:
    """An aws command, and its plugin, on the PATH of the controller."""
    tools = controller.fleet.control.root / "tools"
    tools.mkdir(exist_ok=True)
    for name, text in {"aws": script, "session-manager-plugin": "exit 1"}.items():
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    path = controller.fleet.control.environment["PATH"]
    controller.fleet.control.environment["PATH"] = f"{tools}:{path}"


RELAY = """
import os, socket, sys, threading
there = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def out():
    while data := there.recv(65536):
        os.write(1, data)
    os._exit(0)
threading.Thread(target=out, daemon=True).start()
while data := os.read(0, 65536):
    there.sendall(data)
"""


def test_through_systems_manager(controller: Controller, host: Host) -> None:
    box, key = host("box")
    web = controller.launch("web", key, public_address="", private_address="10.0.0.9")
    controller.write(box.port, connect="ssm")
    relay = controller.fleet.control.root / "relay.py"
    relay.write_text(RELAY)
    log = controller.fleet.control.root / "aws.log"
    words = shlex.join([sys.executable, str(relay), str(box.port)])
    fake_aws(controller, f'echo "$@" >>{shlex.quote(str(log))}\nexec {words}')
    run = controller.pyinfra("inventory/ec2.py", "-y", *HELLO)
    assert run.code == 0, run.output
    assert "hello from here" in run.output
    asked = f"ssm start-session --target {web} --document-name AWS-StartSSHSession --parameters portNumber={box.port} "
    assert log.read_text() == f"{asked}--region {REGION}\n"
    # A human can vouch for it by the same way.
    assert controller.miyabi("ec2", "trust", "web", key.fingerprint).code == 0
    assert len(log.read_text().splitlines()) == 2


def test_systems_manager_that_refuses_is_heard_at_once(controller: Controller, host: Host) -> None:
    box, key = host("box")
    controller.launch("web", key)
    controller.write(box.port, connect="ssm")
    fake_aws(controller, "echo 'An error occurred (TargetNotConnected): web is not connected.' >&2; exit 254")
    run = controller.pyinfra("inventory/ec2.py", "-y", *HELLO)
    assert run.code == 1
    assert "Systems Manager: An error occurred (TargetNotConnected): web is not connected." in run.output
    assert run.seconds < 10


def test_without_the_aws_command(controller: Controller) -> None:
    relay = str(REPOSITORY / "miyabi" / "ssm_relay.py")
    said = controller.fleet.control.run("env", "PATH=/nowhere", sys.executable, "-I", relay, "i-1", "22", REGION)
    assert said.code == 1
    lines = said.stdout.splitlines()
    why = "the aws command cannot be run: No such file or directory; install the AWS CLI, or choose another connect"
    assert set(lines) == {f"Systems Manager: {why}"}
    assert len(lines) == 100
    assert controller.fleet.control.run(sys.executable, "-I", relay).code == 2


def test_what_is_only_looked_at_changes_nothing(controller: Controller, host: Host) -> None:
    box, key = host("box")
    controller.launch("web", key)
    controller.write(box.port)
    controller.cloud.forget_calls()
    shown = controller.pyinfra("inventory", "debug-inventory")
    assert shown.code == 0, shown.output
    assert '"instance_id"' in shown.output
    listed = controller.miyabi("ec2", "list", "--json", "--refresh")
    assert json.loads(listed.stdout)["hosts"][0]["host_keys"] == [key.fingerprint]
    assert controller.cloud.mutating() == []
    table = controller.miyabi("ec2", "list")
    assert table.code == 0
    head, row = table.stdout.splitlines()
    assert head.split()[:4] == ["host", "instance", "region", "state"]
    assert row.split()[0] == "web"
    assert "console output" in row


def test_a_region_that_is_down_says_so_where_its_hosts_are_missed(controller: Controller) -> None:
    controller.write(22)
    controller.cloud.fault("*", "expired")
    run = controller.pyinfra("inventory", "--limit", "web", "-y", *HELLO)
    assert run.code == 1
    assert run.output.count("EC2 ap-northeast-1: ") == 1
    assert "--limit web: no such host or group in inventory/; there are " in run.output
    assert "; not known: the EC2 instances in ap-northeast-1" in run.output
    assert "Traceback" not in run.output
    alone = controller.pyinfra("inventory/ec2.py", "debug-inventory")
    assert f"[{REGION}]" not in alone.output, "a region is no host"
    listed = controller.miyabi("ec2", "list")
    assert listed.code == 1
    assert "its instances are left out" in listed.stderr
    assert not listed.stdout, "nobody knows whether an instance has the tags"


def test_mistakes_end_the_run_with_their_lines(controller: Controller) -> None:
    (controller.clone / "inventory" / "ec2.yaml").write_text("regions: [us-east-1]\nconnect: vpn\n")
    for inventory in ("inventory", "inventory/ec2.py"):
        run = controller.pyinfra(inventory, "-y", *HELLO)
        assert run.code == 1
        lines = [line for line in run.output.splitlines() if "ec2.yaml" in line]
        assert [line.partition("inventory/")[2].partition(":")[0] for line in lines] == ["ec2.yaml", "ec2.yaml"]
        assert "ec2.yaml:1: regions: found regions without tags; allowed: tags beside them" in lines[0]
        assert "ec2.yaml:2: connect: found 'vpn'; allowed: public, private, ssm" in lines[1]
        assert "Traceback" not in run.output
    checked = controller.miyabi("spec", "check")
    assert checked.code == 1
    assert "inventory/ec2.yaml:2: connect: found 'vpn'" in checked.stderr
    listed = controller.miyabi("ec2", "list")
    assert listed.code == 1
    assert "Traceback" not in listed.output
    controller.write(22, spec="nosuch")
    checked = controller.miyabi("spec", "check")
    assert checked.code == 1
    assert "inventory/ec2.yaml: spec: found no such spec nosuch; allowed: the path of a file, or " in checked.stderr


def test_a_clone_has_no_instances(controller: Controller) -> None:
    controller.fleet.control.environment["PYTHONPROFILEIMPORTTIME"] = "1"
    first, second = (controller.pyinfra("inventory", "--limit", "control", "-y", *HELLO) for _ in range(2))
    assert (first.code, second.code) == (0, 0), second.output
    assert not {*DEAR, "miyabi.ec2_inventory"} & imported(second)
    assert controller.cloud.calls() == []
    del controller.fleet.control.environment["PYTHONPROFILEIMPORTTIME"]
    listed = controller.miyabi("ec2", "list")
    assert listed.code == 1
    assert listed.stderr == (
        "Error: inventory/ec2.yaml names no regions: there are no instances in the fleet; docs/ec2.md tells how\n"
    )
