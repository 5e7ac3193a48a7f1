"""What a run with instances costs that has nothing to do, and what an EC2 that does not answer costs the others."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from miyabi.sandbox.cloud_files import REGION
from tests.ec2.sandbox import CloudFleet, cloud_fleet, cloud_sandbox, summary_of  # noqa: F401
from tests.fleet.control import REPOSITORY

pytestmark = pytest.mark.slow

ELSEWHERE = "eu-west-1"

# What a run may not import that asks EC2 nothing. Not yaml: paramiko brings it along.
DEAR = {"boto3", "botocore", "tenacity", "pydantic", "sqlalchemy", "rich", "miyabi.ec2_api", "miyabi.remedy"}

_PROFILED = """\
import atexit, sys
sys.argv = ["pyinfra", *sys.argv[1:]]
atexit.register(lambda: print("MODULES", *sorted(sys.modules)))
from pyinfra_cli.main import main
main()
"""


def imported(fleet: CloudFleet, inventory: Path, *arguments: str) -> set[str]:
    """The modules of a run of recover.py that found nothing to do."""
    words = ["python", "-c", _PROFILED, str(inventory), "deploys/recover.py", "-y", *arguments]
    done = fleet.control.run(*words, cwd=REPOSITORY)
    assert done.code == 0, done.output
    assert "Success" in done.output
    [line] = [line for line in done.stdout.splitlines() if line.startswith("MODULES ")]
    return set(line.split()[1:])


def executions(fleet: CloudFleet, name: str) -> int:
    """How many sessions the sshd of a host has seen."""
    host = fleet.host(name)
    logs = [path for path in host.folder.rglob("*sshd*log*") if path.is_file()]
    return sum(len(re.findall("Starting session", path.read_text(errors="replace"))) for path in logs)


def age_cache(fleet: CloudFleet, seconds: float) -> None:
    """Let what EC2 said last be older."""
    for path in (fleet.sandbox.folder / "cache").rglob(f"*{os.sep}ec2{os.sep}*.json"):
        kept = json.loads(path.read_text())
        kept["asked_at"] = kept["asked_at"] - seconds if kept["asked_at"] else None
        kept["failed_at"] -= seconds
        kept["told"] = {}
        path.write_text(json.dumps(kept))


def test_a_no_op_run_asks_nothing_within_the_caches_life(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    assert cloud_fleet.recover(hosts="cloud-1,cloud-2").code == 0
    assert cloud_fleet.recover(hosts="cloud-1,cloud-2").code == 0
    cloud_fleet.forget_calls()
    limits = ("--limit", "cloud-1", "--limit", "cloud-2")
    before = {name: executions(cloud_fleet, name) for name in ("cloud-1", "cloud-2")}
    modules = imported(cloud_fleet, cloud_fleet.sandbox.inventory, *limits)
    assert "miyabi.ec2_inventory" in modules
    assert modules & DEAR == set()
    assert cloud_fleet.calls() == []
    assert {name: executions(cloud_fleet, name) - before[name] for name in before} == {"cloud-1": 1, "cloud-2": 1}


def test_outside_it_two_questions_for_each_region(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    settings = cloud_fleet.sandbox.folder / "ec2.yaml"
    settings.write_text(settings.read_text().replace(f"[{REGION}]", f"[{REGION}, {ELSEWHERE}]"))
    assert cloud_fleet.recover(hosts="cloud-1,cloud-2").code == 0
    age_cache(cloud_fleet, 301)
    cloud_fleet.forget_calls()
    done = cloud_fleet.recover(hosts="cloud-1,cloud-2")
    assert done.code == 0, done.output
    assert summary_of(done) == "healthy, nothing to do"
    asked = [call["region"] for call in cloud_fleet.cloud.calls()]
    assert set(cloud_fleet.calls()) == {"DescribeInstances", "DescribeInstanceStatus"}
    # Where there are no instances, nobody asks for their checks.
    assert (asked.count(REGION), asked.count(ELSEWHERE)) == (2, 1)
    cloud_fleet.forget_calls()
    assert cloud_fleet.recover(hosts="cloud-1,cloud-2").code == 0
    assert cloud_fleet.calls() == []


def test_a_run_without_instances_knows_nothing_of_ec2(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    inventory = cloud_fleet.sandbox.folder / "without.py"
    text, _, _ = cloud_fleet.sandbox.inventory.read_text().partition("# All the AWS that a run")
    inventory.write_text(text)
    try:
        words = [str(inventory), "deploys/recover.py", "-y", "--limit", "mugen"]
        assert cloud_fleet.control.run("pyinfra", *words, cwd=REPOSITORY).code == 0
        modules = imported(cloud_fleet, inventory, "--limit", "mugen")
    finally:
        inventory.unlink()
    assert "operations.recovery" in modules
    assert modules & DEAR == set()
    assert not [name for name in modules if "ec2" in name or name.startswith("miyabi.remedy")]
    assert modules & {"operations.infrastructure", "miyabi.instance"} == set()
    assert cloud_fleet.calls() == []


def test_the_others_go_on_when_ec2_has_never_answered(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    cloud_fleet.cloud.fault("*", "expired")
    done = cloud_fleet.recover(hosts="mugen")
    assert done.code == 0, done.output
    said = [line for line in done.output.splitlines() if "EC2 ap-northeast-1" in line]
    assert len(said) == 1
    assert "its instances are left out" in said[0]
    assert summary_of(done, "mugen")
    # It is not asked again at once.
    cloud_fleet.forget_calls()
    assert cloud_fleet.recover(hosts="mugen").code == 0
    assert cloud_fleet.calls() == []


def test_what_was_known_serves_when_ec2_does_not_answer_any_more(cloud_fleet: CloudFleet) -> None:  # noqa: F811
    assert cloud_fleet.recover(hosts="cloud-1,cloud-2,mugen").code == 0
    age_cache(cloud_fleet, 1200)
    cloud_fleet.cloud.fault("*", "throttle")
    done = cloud_fleet.recover(hosts="cloud-1,cloud-2,mugen")
    assert done.code == 0, done.output
    assert "going on with what was known 20 min ago" in done.output
    for name in ("cloud-1", "cloud-2", "mugen"):
        assert summary_of(done, name) == "healthy, nothing to do"
