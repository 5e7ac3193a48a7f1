"""The inventory of instances against a pretended EC2: what is asked, what is kept, what goes on when EC2 does not."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from miyabi import ec2_inventory
from miyabi.ec2_api import Region
from miyabi.ec2_cache import cache_folder, read_known
from miyabi.ec2_file import read_ec2_file
from miyabi.ec2_inventory import hosts_of, known_fleet, remember
from miyabi.ec2_ways import connection
from miyabi.ssh_aliases import Hosts
from tests.ec2.cloud import REGION, Cloud
from tests.ec2.keys import Made, console, made
from tests.fleet.control import REPOSITORY

OTHER = "us-east-1"
ASKED = ("DescribeInstances", "DescribeInstanceStatus")


@dataclass
class Ground:
    """A fleet of instances on this machine.

    + path: of its ec2.yaml
    + lines: what was said to a human
    """

    cloud: Cloud
    path: Path
    key: Made
    lines: list[str] = field(default_factory=list)

    def write(self, **settings: Any) -> None:
        """Write ec2.yaml: our region and tag, and ``settings``."""
        written = {"regions": [REGION], "tags": {"miyabi": "fleet"}, "groups": ["role"]} | settings
        self.path.write_text(json.dumps(written))

    def launch(self, name: str, region: str = REGION, role: str = "worker", **corrections: Any) -> str:
        """Launch an instance of the fleet, which prints its keys."""
        tags = {"miyabi": "fleet"} | ({"role": role} if role else {})
        instance_id = self.cloud.launch(name, tags, region)
        self.cloud.describe(instance_id, **{"console": console(self.key), "public_address": "192.0.2.1", **corrections})
        return instance_id

    def groups(self) -> dict[str, Hosts]:
        """The groups of hosts, as a run finds them; what it says is in ``lines`` afterwards."""
        self.lines.clear()
        return hosts_of(self.path, say=self.lines.append)

    def hosts(self) -> dict[str, dict[str, Any]]:
        """All hosts."""
        return dict(self.groups()["ec2"])

    def asked(self) -> int:
        """How often EC2 was asked for instances since the last time."""
        calls = len(self.cloud.calls(*ASKED))
        self.cloud.forget_calls()
        return calls

    def older(self, seconds: float) -> None:
        """Let what is kept be older than it is."""
        for entry in cache_folder().glob("*.json"):
            kept = json.loads(entry.read_text())
            kept["asked_at"] = kept["asked_at"] and kept["asked_at"] - seconds
            kept["failed_at"] -= seconds
            entry.write_text(json.dumps(kept))


@pytest.fixture
def ground(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    """A fleet without instances."""
    for name in ("STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "inventory"
    folder.mkdir()
    (tmp_path / "keys").mkdir()
    ground = Ground(cloud, folder / "ec2.yaml", made(tmp_path / "keys"))
    ground.write()
    yield ground
    ec2_inventory.left_out.clear()


def test_without_regions_there_is_no_ec2(tmp_path: Path) -> None:
    assert hosts_of(tmp_path / "ec2.yaml") == {}
    assert hosts_of(REPOSITORY / "inventory" / "ec2.yaml") == {}


def test_instances_become_hosts(ground: Ground) -> None:
    ground.write(ssh={"user": "ubuntu", "port": 2222}, regions=[REGION, OTHER])
    web = ground.launch("web")
    db = ground.launch("db", OTHER, "", public_address="192.0.2.9")
    ground.cloud.launch("stranger", {"miyabi": "other"})
    groups = ground.groups()
    assert ground.lines == []
    assert {name: [host for host, _ in hosts] for name, hosts in groups.items()} == {
        "ec2": ["db", "web"],
        "role_worker": ["web"],
    }
    data = dict(groups["ec2"])["web"]
    known_hosts = Path(data.pop("ssh_known_hosts_file"))
    assert known_hosts.read_text() == f"[192.0.2.1]:2222 {ground.key.key.kind} {ground.key.key.base64}\n"
    assert data.pop("ec2_file") == str(ground.path)
    assert data == {
        "platform": "linux",
        "spec": "ec2",
        "instance_id": web,
        "region": REGION,
        "ssh_hostname": "192.0.2.1",
        "ssh_user": "ubuntu",
        "ssh_port": 2222,
        "ssh_strict_host_key_checking": "yes",
        "ssh_connect_retries": 1,
        "ssh_paramiko_connect_kwargs": {"banner_timeout": 5},
    }
    assert (dict(groups["ec2"])["db"]["instance_id"], dict(groups["ec2"])["db"]["region"]) == (db, OTHER)
    assert {call["action"] for call in ground.cloud.mutating()} == {"RunInstances"}


def test_a_run_within_the_cache_s_life_asks_nothing(ground: Ground) -> None:
    ground.write(regions=[REGION, OTHER])
    ground.launch("web")
    ground.launch("db", OTHER)
    first = ground.groups()
    assert ground.asked() == 4
    assert ground.groups() == first
    assert ground.cloud.calls() == []
    ground.older(299)
    assert ground.groups() == first
    assert ground.asked() == 0
    ground.older(2)
    assert ground.groups() == first
    assert ground.asked() == 4
    # Its keys are known by now.
    assert ground.cloud.calls("GetConsoleOutput") == []
    for path in (cache_folder(), *cache_folder().iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_such_a_run_imports_nothing_of_aws(ground: Ground) -> None:
    ground.launch("web")
    ground.groups()
    program = (
        "import sys; from pathlib import Path; from miyabi.ec2_inventory import hosts_of\n"
        f"assert len(hosts_of(Path({str(ground.path)!r}))['ec2']) == 1\n"
        "print(sorted({'boto3', 'botocore', 'pydantic', 'yaml', 'tenacity', 'rich', 'sqlalchemy', 'paramiko',"
        " 'concurrent.futures', 'asyncio', 'urllib3'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "[]\n", "")


def test_other_settings_are_another_question(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    ground.launch("web")
    assert list(ground.hosts()) == ["web"]
    ground.write(tags={"miyabi": ["fleet", "more"]})
    ground.asked()
    assert list(ground.hosts()) == ["web"]
    assert ground.asked() == 2
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAANOTHERACCOUNT00")
    ground.hosts()
    assert ground.asked() == 2
    # How they are reached is no question to EC2.
    ground.write(tags={"miyabi": ["fleet", "more"]}, connect="private", ssh={"user": "me"}, groups=[])
    ground.hosts()
    assert ground.asked() == 0


@pytest.mark.parametrize("kind", ["throttle", "error", "expired", "denied", "wrong", "reset"])
def test_a_region_that_cannot_be_asked_stops_no_other(ground: Ground, kind: str) -> None:
    ground.write(regions=[REGION, OTHER])
    ground.launch("web")
    ground.launch("db", OTHER)
    ground.cloud.fault("*", kind, region=REGION)
    assert list(ground.hosts()) == ["db"]
    (line,) = ground.lines
    assert line.startswith("EC2 ap-northeast-1: ")
    assert "; its instances are left out; asked again from " in line
    assert line.endswith(", or by: miyabi ec2 list --refresh")
    assert "\n" not in line
    assert ec2_inventory.left_out == [REGION]
    # It is left in peace for a minute, then asked again.
    ground.cloud.forget_calls()
    assert list(ground.hosts()) == ["db"]
    assert ground.lines == [line]
    assert ground.cloud.calls() == []
    ground.cloud.mend()
    ground.older(61)
    assert list(ground.hosts()) == ["db", "web"]
    assert ground.lines == []
    assert ec2_inventory.left_out == []


def test_what_is_the_same_in_all_regions_is_said_once(ground: Ground) -> None:
    ground.write(regions=[REGION, OTHER])
    ground.cloud.fault("*", "expired")
    assert ground.hosts() == {}
    (line,) = ground.lines
    assert line.startswith(f"EC2 {REGION}, {OTHER}: the session token has expired: ")
    assert "; their instances are left out; asked again from " in line


def test_a_tag_that_names_no_spec_ends_no_run(ground: Ground) -> None:
    ground.cloud.describe(ground.cloud.launch("web", {"miyabi": "fleet", "miyabi:spec": "nosuch"}), console="nothing")
    assert ground.hosts()["web"]["spec"] == "ec2"
    assert any(
        "its tag miyabi:spec is nosuch, of which there is no spec; there are control, ec2, " in line
        for line in ground.lines
    )


def test_a_region_that_was_known_goes_on_with_that(ground: Ground) -> None:
    ground.launch("web")
    ground.hosts()
    ground.older(600)
    ground.cloud.fault("*", "expired")
    assert list(ground.hosts()) == ["web"]
    (line,) = ground.lines
    assert "; going on with what was known 10 min ago; asked again from " in line


def test_the_pauses_grow(ground: Ground) -> None:
    ground.cloud.fault("*", "denied")
    settings = read_ec2_file(ground.path)
    pauses = []
    for _ in range(6):
        ground.hosts()
        known = read_known(settings, REGION)
        pauses.append((known.again_at(known.failed_at) or 0) - known.failed_at)
        ground.older(601)
    assert pauses == [60, 120, 240, 480, 600, 600]


def test_without_credentials(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    begun = time.monotonic()
    assert ground.groups() == {"ec2": []}
    assert time.monotonic() - begun < 5
    (line,) = ground.lines
    assert "credentials" in line


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"form": 1}', "\0", '{"form": 99}', "[" * 5000])
def test_a_torn_cache_costs_a_question(ground: Ground, text: str) -> None:
    ground.launch("web")
    ground.hosts()
    (entry,) = cache_folder().glob("*.json")
    entry.write_text(text)
    ground.asked()
    assert list(ground.hosts()) == ["web"]
    assert (ground.asked(), ground.lines) == (2, [])
    assert list(ground.hosts()) == ["web"]
    assert ground.asked() == 0


def test_a_cache_that_is_not_ours_or_cannot_be(ground: Ground, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ground.launch("web")
    ground.hosts()
    (entry,) = cache_folder().glob("*.json")
    entry.chmod(0o666)
    ground.asked()
    assert list(ground.hosts()) == ["web"]
    assert ground.asked() == 2
    (tmp_path / "no-folder").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "no-folder"))
    assert list(ground.hosts()) == ["web"]
    assert list(ground.hosts()) == ["web"]
    assert ground.lines == []
    assert ground.asked() == 4


def test_a_clock_that_was_set_back(ground: Ground) -> None:
    ground.launch("web")
    ground.hosts()
    ground.older(-3600)
    ground.asked()
    ground.hosts()
    assert ground.asked() == 2
    ground.cloud.fault("*", "denied")
    ground.older(301)
    ground.hosts()
    ground.older(-3600)
    ground.cloud.mend()
    ground.asked()
    ground.hosts()
    assert (ground.asked(), ground.lines) == (2, [])


def test_two_runs_at_once(ground: Ground) -> None:
    for number in range(4):
        ground.launch(f"web-{number}")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: sorted(dict(hosts_of(ground.path)["ec2"])), range(4)))
    assert found == [[f"web-{number}" for number in range(4)]] * 4
    ground.asked()
    assert len(ground.hosts()) == 4
    assert (ground.asked(), ground.lines) == (0, [])


def test_what_the_run_learned_the_next_one_knows(ground: Ground) -> None:
    web = ground.launch("web")
    ground.hosts()
    now = Region(REGION).instance(web)
    assert now is not None
    moved = replace(now, public_address="192.0.2.77")
    remember(ground.path, moved)
    ground.asked()
    data = ground.hosts()["web"]
    assert (data["ssh_hostname"], ground.asked()) == ("192.0.2.77", 0)
    assert Path(data["ssh_known_hosts_file"]).read_text().startswith("192.0.2.77 ssh-ed25519 ")
    assert connection(ground.path, moved).items() <= {**data, "ssh_config_file": None}.items()
    # An answer to a question that was asked before that does not take it back; a later one does.
    settings = read_ec2_file(ground.path)
    before = known_fleet(settings, (), time.time() - 5, refresh=True)
    assert dict(ground.hosts())["web"]["ssh_hostname"] == "192.0.2.77"
    assert before.members[0].name == "web"
    known_fleet(settings, (), time.time() + 1, refresh=True)
    assert read_known(settings, REGION).instances[0].public_address == "192.0.2.1"


def test_a_stopped_instance_stays_in_the_fleet(ground: Ground) -> None:
    web = ground.launch("web", power="stopped", public_address="", reason="Client.UserInitiatedShutdown: x")
    data = ground.hosts()["web"]
    assert data["ssh_hostname"] == f"{web}.stopped.invalid"
    assert data["unreachable"] == f"its instance {web} is stopped"
    assert data["ssh_connect_retries"] == 0
    assert "255.255.255.255" in Path(data["ssh_config_file"]).read_text()
    assert ground.lines == []
    # Nobody can have printed a key.
    assert ground.cloud.calls("GetConsoleOutput") == []


def test_while_an_instance_changes_it_is_asked_more_often(ground: Ground) -> None:
    ground.launch("web", power="pending")
    ground.hosts()
    ground.asked()
    ground.older(31)
    ground.hosts()
    assert ground.asked() == 2


def test_an_instance_without_keys_in_its_console(ground: Ground) -> None:
    web = ground.launch("web", console="nothing yet", launched_at=time.time() - 86400)
    data = ground.hosts()["web"]
    (line,) = ground.lines
    assert line.startswith(f"web: no host key of {web} is trusted: its console output shows no host key yet; ")
    assert "miyabi ec2 trust web SHA256:..." in line
    assert data["unreachable"].startswith(f"no host key of its instance {web} is trusted; when you have seen its ")
    assert data["unreachable"].endswith(": miyabi ec2 trust web SHA256:...")
    assert Path(data["ssh_known_hosts_file"]).read_text() == ""
    assert len(ground.cloud.calls("GetConsoleOutput")) == 2
    ground.hosts()
    assert ground.lines == [line]
    assert len(ground.cloud.calls("GetConsoleOutput")) == 2


def test_a_console_that_must_not_be_read(ground: Ground) -> None:
    ground.launch("web")
    ground.cloud.fault("GetConsoleOutput", "denied")
    assert list(ground.hosts()) == ["web"]
    (line,) = ground.lines
    assert "no host key of" in line
    assert "EC2 ap-northeast-1: " in line
    assert "\n" not in line


def test_names_of_other_hosts(ground: Ground) -> None:
    (ground.path.parent / "mugen.py").write_text("mugen = []")
    (ground.path.parent / "lab.py").write_text("hosts = [('lab-1', {}), \"lab-2\"]")
    ids = [ground.launch(name) for name in ("mugen", "lab-1", "lab-2", "lab-3")]
    assert set(ground.hosts()) == {*ids[:3], "lab-3"}
    assert len(ground.lines) == 3
    assert set(dict(hosts_of(ground.path, ["lab-3"], say=print)["ec2"])) == {"mugen", "lab-1", "lab-2", ids[3]}


def test_a_key_file_that_is_none(ground: Ground, tmp_path: Path) -> None:
    ground.launch("web")
    ground.write(ssh={"key": str(tmp_path / "missing")})
    assert "ssh_key" not in ground.hosts()["web"]
    assert ground.lines == [f"ssh.key of inventory/ec2.yaml is not used: {tmp_path}/missing: No such file or directory"]
    (tmp_path / "missing").write_text("hello")
    ground.hosts()
    assert ground.lines == [f"ssh.key of inventory/ec2.yaml is not used: {tmp_path}/missing: it is no private key"]
    (key,) = (path for path in (tmp_path / "keys").iterdir() if not path.suffix)
    ground.write(ssh={"key": str(key)})
    assert ground.hosts()["web"]["ssh_key"] == str(key)
    assert ground.lines == []


def test_what_systems_manager_needs_is_said_once(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    web, _ = ground.launch("web"), ground.launch("db")
    ground.write(connect="ssm", profile="it.s@me", ssh={"port": 2222})
    (tmp_path / "config").write_text("[profile it.s@me]\naws_access_key_id = AKIAX\naws_secret_access_key = x\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("PATH", str(tmp_path))
    data = ground.hosts()["web"]
    (line,) = ground.lines
    assert line.startswith("connect: ssm of inventory/ec2.yaml needs aws and session-manager-plugin, not installed on")
    assert data["ssh_hostname"] == web
    config = Path(data["ssh_config_file"]).read_text().splitlines()
    assert config[0] == f"Host {web}"
    relay = REPOSITORY / "miyabi" / "ssm_relay.py"
    assert config[1] == f"  ProxyCommand {sys.executable} -I {relay} {web} 2222 {REGION} it.s@me"
    assert Path(data["ssh_known_hosts_file"]).read_text().startswith(f"[{web}]:2222 ssh-ed25519 ")
