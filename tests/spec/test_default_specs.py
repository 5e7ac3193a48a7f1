"""The specs in inventory/specs: what a stranger's machine gets, and what the fleet's hosts get."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from miyabi.instance_rules import InstanceRules
from miyabi.levels import Level
from miyabi.spec import Pane, Spec
from miyabi.spec_file import known_specs, load_spec, parse_spec, resolve_spec

SPECS = Path(__file__).parents[2] / "inventory" / "specs"
WINDOWS = ["main", "codegen-1", "codegen-2", "codegen-3", "review", "pr", "deploy", "monitor"]


def read(name: str) -> Spec:
    return load_spec(resolve_spec(name, SPECS), base_directory="~")


def panes(spec: Spec) -> list[Pane]:
    return [pane for session in spec.sessions for window in session.windows for pane in window.panes]


def test_there_is_one_for_each_host() -> None:
    assert known_specs(SPECS) == ["control", "ec2", "macbook", "mugen", "pixel"]


@pytest.mark.parametrize("name", ["mugen", "macbook"])
def test_the_hosts_with_agents(name: str) -> None:
    spec = read(name)
    assert [session.session_name for session in spec.sessions] == ["miyabi", "miyabi-orchestra"]
    assert [window.name for window in spec.sessions[0].windows] == WINDOWS
    assert [window.name for window in spec.sessions[1].windows] == ["conductor", "workers"]
    named = {pane.name: pane for pane in panes(spec)}
    assert spec.recovery.guardian == "conductor"
    assert named["conductor"].agent is not None
    assert all(":" not in name for name in named)
    for pane in named.values():
        if pane.agent is not None:
            (command,) = pane.commands
            assert command.text in {"claude", "codex"}
            assert (pane.agent.resume or "").startswith(command.text)
            assert "{session_id}" in (pane.agent.resume or "")
    assert spec.sshd is not None
    assert spec.sshd.port == 22
    assert spec.logs


def test_the_laptop_is_lighter() -> None:
    agents = {name: sum(pane.agent is not None for pane in panes(read(name))) for name in ("mugen", "macbook")}
    assert agents["macbook"] < agents["mugen"]


def test_the_phone() -> None:
    spec = read("pixel")
    assert [session.session_name for session in spec.sessions] == ["monitor"]
    assert spec.sshd is not None
    assert spec.sshd.port == 8022
    assert not any(pane.supervised for pane in panes(spec))


def test_an_instance_is_left_alone_by_default() -> None:
    spec = read("ec2")
    assert spec.recovery.max_level is Level.L4
    assert spec.l4 == InstanceRules()
    text = (SPECS / "ec2.yaml").read_text()
    assert load_spec_with(text, "# l4:") == spec.l4


def load_spec_with(text: str, begin: str) -> InstanceRules:
    """What a spec says of instances when all that is commented out from ``begin`` on is not."""
    before, _, after = text.partition(begin)
    written = before + "\n".join(line.removeprefix("# ") for line in f"{begin}{after}".splitlines())
    return parse_spec("ec2.yaml", written.encode(), base_directory="~").l4


def test_a_stranger_s_machine_gets_plain_panes_and_nothing_else() -> None:
    spec = read("control")
    assert [session.session_name for session in spec.sessions] == ["miyabi-control"]
    assert not any(pane.supervised for pane in panes(spec))
    assert (spec.sshd, spec.mcp_servers, spec.logs, spec.temp, spec.config_files) == (None, (), (), (), ())
    assert spec.recovery.setup_script is None


@pytest.mark.parametrize("name", ["control", "pixel", "mugen", "macbook", "ec2"])
@pytest.mark.parametrize("shell", ["sh", "dash", "bash", "mksh", "zsh"])
def test_what_is_typed_runs_in_any_shell(name: str, shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"there is no {shell}")
    for pane in panes(read(name)):
        if pane.supervised or not pane.commands:
            continue
        (command,) = pane.commands
        # The loop ends with its first pause.
        sleep = tmp_path / "sleep"
        sleep.write_text("#!/bin/sh\nkill $PPID\n")
        sleep.chmod(0o755)
        begun = time.monotonic()
        run = subprocess.run(
            [program, "-c", command.text],
            env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert time.monotonic() - begun < 20
        assert run.stdout.startswith("\033[H\033[2J")
        assert "%" in run.stdout
        assert "not found" not in run.stderr
