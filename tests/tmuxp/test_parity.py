"""The same workspace file, loaded by tmuxp on one machine and converged by us on another, looks and acts the same.

Each file in ``workspaces`` has two documents: the workspace, which goes to both machines as it is, and the files that
its commands write.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from tests.fleet.leaks import TestRun
from tests.fleet.machine import Finished, Machine
from tests.fleet.programs import required
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.recovery.playbook import recover

T = TypeVar("T")

WORKSPACES = sorted((Path(__file__).parent / "workspaces").glob("*.yaml"))

# A pane in a layout string, whose last number is its id: 40x24,0,0,7
_LAYOUT_PANE = re.compile(r"(\d+x\d+,\d+,\d+),\d+(?=[,\]}]|$)")


@pytest.fixture
def oracle(test_run: TestRun) -> Iterator[Machine]:
    """The machine on which tmuxp builds."""
    machine = Machine.build(test_run, "oracle")
    yield machine
    TmuxServer(machine).stop()
    machine.remove()


def furnish(machine: Machine, workspace: str) -> Path:
    """Give a machine the workspace, and the folders and programs that workspaces speak of."""
    home = machine.home
    for folder in ("repo", "repo/deep", "other", "with space"):
        (home / folder).mkdir()
    for name, script in {
        "typed": 'exec cat >"${1:-typed.txt}"',
        "prepare": 'printf "%s\\n" "$PWD" "$@" >"$HOME/prepared.txt"',
        "fail": "echo no >&2; exit 3",
    }.items():
        (home / name).write_text(f"#!/bin/sh\n{script}\n")
        (home / name).chmod(0o755)
    path = home / "workspace.yaml"
    path.write_text(workspace, encoding="utf-8")
    return path


def load(machine: Machine, workspace: Path) -> Finished:
    """Have tmuxp build a workspace; without a terminal it makes windows of 80 x 24, as tmux itself does."""
    return machine.run("tmuxp", "load", "-d", "-y", str(workspace))


def built(machine: Machine) -> dict[str, Any]:
    """Everything that a user can tell of what was built on a machine."""
    tmux = TmuxServer(machine)

    def lines(*command: str) -> list[str]:
        text = tmux.run(*command).replace(str(machine.home), "~")
        # tmuxp gives its sessions a size, tmux then calls that an option; the names of managed things are ours.
        return sorted(line for line in text.splitlines() if not line.startswith(("@miyabi", "default-size")))

    sessions = {
        session.session_name: {
            "options": lines("show-options", "-t", f"{session.session_id}:"),
            "environment": lines("show-environment", "-t", f"{session.session_id}:"),
            "windows": [
                {
                    "index": window.window_index,
                    "name": window.window_name,
                    "active": window.window_active,
                    "layout": _LAYOUT_PANE.sub(r"\1", str(window.window_layout).partition(",")[2]),
                    "options": lines("show-options", "-w", "-t", str(window.window_id)),
                    "panes": [
                        {
                            "index": pane.pane_index,
                            "active": pane.pane_active,
                            "path": str(pane.pane_current_path).replace(str(machine.home), "~"),
                            "runs": pane.pane_current_command,
                        }
                        for pane in window.panes
                    ],
                }
                for window in session.windows
            ],
        }
        for session in tmux.libtmux.sessions
    }
    return {"global options": lines("show-options", "-g"), "sessions": sessions, "files": files(machine)}


def files(machine: Machine) -> dict[str, str]:
    """The texts that commands have written in HOME."""
    return {
        str(path.relative_to(machine.home)): path.read_text(encoding="utf-8").replace(str(machine.home), "~")
        for path in sorted(machine.home.rglob("*.txt"))
    }


def settle(found: Callable[[], T], wanted: Callable[[], T]) -> None:
    """Wait until both are the same: what was typed takes its time."""
    try:
        wait_until(lambda: found() == wanted())
    except AssertionError:
        assert found() == wanted()


@pytest.mark.parametrize("file", WORKSPACES, ids=lambda file: file.stem)
def test_a_workspace_is_built_as_tmuxp_builds_it(file: Path, machine: Machine, oracle: Machine) -> None:
    required("tmuxp")
    workspace, _, expected = file.read_text(encoding="utf-8").partition("\n---\n")
    done = load(oracle, furnish(oracle, workspace))
    assert done.code == 0, done.output
    path = furnish(machine, workspace)
    run = recover(machine, path)
    assert not run.failed, run
    wanted = yaml.safe_load(expected) or {}
    settle(lambda: (files(machine), files(oracle)), lambda: (wanted, wanted))
    settle(lambda: built(machine), lambda: built(oracle))
    second = recover(machine, path)
    assert (second.failed, second.commands) == (False, [])


def test_a_script_that_fails_keeps_both_from_building(machine: Machine, oracle: Machine) -> None:
    required("tmuxp")
    workspace = "session_name: never\nbefore_script: ./fail\nwindows: [{panes: ['echo typed >typed.txt']}]\n"
    assert load(oracle, furnish(oracle, workspace)).code != 0
    assert recover(machine, furnish(machine, workspace)).failed
    for each in (machine, oracle):
        assert "never" not in TmuxServer(each).run("list-sessions", check=False)
        assert not files(each)


# tmuxp hands commands and values to tmux as they are: tmux takes a last ";" for its own, and libtmux's send-keys looks
# for the names of keys in what has no space in front. Here both arrive as they were written.
ODD = """\
session_name: odd
environment: {LAST: 'value;'}
windows:
  - window_name: typed
    suppress_history: false
    panes:
      - {shell: ./typed semicolon.txt, shell_command: ["a;", b]}
      - {shell: ./typed key.txt, shell_command: [Enter, Tab, Space, c]}
      - 'echo "$LAST" >environment.txt'
"""


def test_where_tmuxp_lets_tmux_interpret_a_text_it_arrives_here(machine: Machine, oracle: Machine) -> None:
    required("tmuxp")
    assert load(oracle, furnish(oracle, ODD)).code == 0
    assert not recover(machine, furnish(machine, ODD)).failed
    tmuxp = {"semicolon.txt": "a\nb\n", "key.txt": "\n\n\t\n \nc\n", "environment.txt": "value\n"}
    ours = {"semicolon.txt": "a;\nb\n", "key.txt": "Enter\nTab\nSpace\nc\n", "environment.txt": "value;\n"}
    settle(lambda: (files(oracle), files(machine)), lambda: (tmuxp, ours))
