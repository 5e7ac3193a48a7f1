"""`miyabi state --host` on hosts behind real sshds, through real pyinfra."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from miyabi.local_state import LocalState
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.workspace import EVENTS_FOLDER, RECOVERY_FOLDER, STATE_FOLDER
from tests.cli.acting import EMPTY, Clone
from tests.fleet.control import Fleet
from tests.fleet.sshd import SshHost
from tests.orchestration import states
from tests.orchestration.states import a_session, a_task, as_content

pytestmark = pytest.mark.slow

NAME = "session-1.json"
WORKSPACE = "~/my app"


@pytest.fixture
def clone(ssh_fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """A clone whose host mugen looks after the orchestration of one workspace."""
    monkeypatch.setattr(states, "NOW", time.time())
    clone = Clone.of(ssh_fleet)
    clone.write_spec("mugen", {**EMPTY, "orchestration": [{"workspace": WORKSPACE}]})
    return clone


@pytest.fixture
def mugen(ssh_fleet: Fleet, clone: Clone) -> Path:
    """The workspace on the host, with one session that heals in place."""
    host: SshHost = ssh_fleet.add("mugen")
    folder = host.home / "my app"
    (folder / EVENTS_FOLDER).mkdir(parents=True)
    sick = a_session(tasks=[a_task("T1", "in_progress", assignee="NOBODY")], session_id="1")
    (folder / STATE_FOLDER / NAME).write_bytes(as_content(sick))
    return folder


def test_a_host_is_looked_at_repaired_and_looked_at_again(clone: Clone, mugen: Path) -> None:
    file = mugen / STATE_FOLDER / NAME
    before = file.read_bytes()
    told = clone.told("state", "analyze", "--host", "mugen", code=2)
    [workspace] = told["workspaces"]
    assert (told["host"], workspace["workspace"]) == ("mugen", str(mugen))
    assert [each["code"] for each in workspace["errors"]] == ["TASK_ASSIGNMENT_FAILED"]
    commands = [each["command"] for each in workspace["guidance"]["steps"]]
    assert f"miyabi state repair --host mugen --workspace '{mugen}' {NAME}" in commands

    refused = clone.miyabi("state", "repair", "--host", "mugen", "--workspace", WORKSPACE, "--session", "1")
    assert refused.code == 1
    assert "--yes does it without asking" in refused.stderr
    assert file.read_bytes() == before

    done = clone.miyabi("state", "repair", "--host", "mugen", "--yes")
    assert done.code == 0, done.output
    assert "1 healthy" in done.stdout
    copies = (mugen / RECOVERY_FOLDER / "backups" / NAME).iterdir()
    assert before in [path.read_bytes() for path in copies]


def test_a_plan_for_a_host_changes_nothing(clone: Clone, mugen: Path) -> None:
    before = sorted(mugen.rglob("*"))
    planned = clone.miyabi("state", "repair", "--host", "mugen", "--dry")
    assert planned.code == 2, planned.output
    assert sorted(mugen.rglob("*")) == before
    flawed = clone.miyabi("state", "validate", "--host", "mugen")
    assert (flawed.code, flawed.stdout.count("TASK_ASSIGNMENT_FAILED")) == (2, 1)


def test_a_host_s_state_is_kept(clone: Clone, mugen: Path) -> None:
    kept = clone.told("state", "backup", "--host", "mugen", "--name", "mine")
    assert kept["backup"] == "backup-mine"
    copy = mugen / RECOVERY_FOLDER / "backup-mine" / "state" / NAME
    assert copy.read_bytes() == (mugen / STATE_FOLDER / NAME).read_bytes()


def test_a_host_s_state_is_put_aside_and_put_back(clone: Clone, mugen: Path) -> None:
    file = mugen / STATE_FOLDER / NAME
    well = as_content(a_session(tasks=[a_task("T1")], session_id="1"))
    file.write_bytes(well)
    LocalState(str(mugen), Orchestration(str(mugen))).back_up("mine")
    reset = clone.miyabi("state", "reset", "--host", "mugen", "--yes")
    assert reset.code == 0, reset.output
    assert not file.exists()
    [aside] = (mugen / RECOVERY_FOLDER / "quarantine").iterdir()
    assert aside.read_bytes() == well

    back = clone.told("state", "restore", "backup-mine", "--host", "mugen", "--session", "1", "--yes")
    assert file.read_bytes() == well
    assert [each["status"] for each in back["after"][0]["sessions"]] == ["healthy"]


def test_a_host_or_a_workspace_that_is_not_there_is_said_in_one_line(clone: Clone, mugen: Path) -> None:
    for arguments, words in (
        (("--host", "mugem"), "--host mugem: no such host"),
        (("--host", "mugen", "--workspace", "app"), "--workspace: app: a path on a host begins with"),
    ):
        done = clone.miyabi("state", "analyze", *arguments)
        assert done.code == 1
        assert words in done.stderr
        assert done.stderr.count("\n") == 1
    done = clone.miyabi("state", "analyze", "--host", "mugen", "--workspace", "~/elsewhere")
    assert done.code == 1
    assert "nothing could be seen: is not there" in done.stdout
