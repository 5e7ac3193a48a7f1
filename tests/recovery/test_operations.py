"""Sessions, windows and panes as operations, on a real server: made once, repaired, and nothing else touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from operations import tmux as operations
from tests.fleet.machine import Machine
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.recovery.operating import all_pids, kill, layout_of, named_panes, operate

AGENT = "exec sleep 1000"
KEPT = {"shell_command": AGENT, "restart": "always"}

# Each makes a session s with a window w, in which the pane "kept" is kept running.
MAKERS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "session": (
        operations.session,
        {"session_name": "s", "windows": [{"window_name": "w", "panes": [{"name": "kept", **KEPT}, None, None]}]},
    ),
    "window": (operations.window, {"session_name": "s", "window_name": "w", "panes": [{"name": "kept", **KEPT}, None]}),
    "pane": (operations.pane, {"session_name": "s", "window_name": "w", "pane_name": "kept", **KEPT}),
}


@pytest.mark.parametrize("maker", MAKERS)
def test_what_is_missing_is_made_once(machine: Machine, tmux_server: TmuxServer, maker: str) -> None:
    operation, arguments = MAKERS[maker]
    assert not operate(machine, operation, **arguments).failed
    before = named_panes(tmux_server)
    assert "kept" in before
    [session] = tmux_server.libtmux.sessions
    assert (session.session_name, [window.window_name for window in session.windows]) == ("s", ["w"])
    again = operate(machine, operation, **arguments)
    assert (again.failed, again.commands, again.probes) == (False, [], 1)
    assert named_panes(tmux_server) == before


@pytest.mark.parametrize("maker", MAKERS)
def test_what_is_broken_is_repaired_and_the_rest_left_alone(
    machine: Machine, tmux_server: TmuxServer, maker: str
) -> None:
    operation, arguments = MAKERS[maker]
    operate(machine, operation, **arguments)
    tmux_server.run("new-window", "-d", "-t", "=s:", "-n", "mine", "sleep 1000")
    before = all_pids(tmux_server)
    pane, pid = named_panes(tmux_server)["kept"]
    kill(tmux_server, "kept")
    assert not operate(machine, operation, **arguments).failed
    after = all_pids(tmux_server)
    # The same pane, with another process in it.
    assert after.keys() == before.keys()
    assert {each for each in before if after[each] != before[each]} == {pane}

    tmux_server.run("kill-pane", "-t", pane)
    assert not operate(machine, operation, **arguments).failed
    again = named_panes(tmux_server)["kept"]
    assert again[0] != pane
    assert again[1] != pid
    del before[pane]
    assert before.items() <= all_pids(tmux_server).items()
    assert operate(machine, operation, **arguments).commands == []


def test_a_pane_beside_a_human_s_own_is_added_and_takes_nothing_over(machine: Machine, tmux_server: TmuxServer) -> None:
    tmux_server.start("s", AGENT)
    tmux_server.run("rename-window", "-t", "=s:", "w")
    tmux_server.run("split-window", "-t", "=s:", "-h")
    human = all_pids(tmux_server)
    layout = layout_of(tmux_server, "=s:w")
    operation, arguments = MAKERS["pane"]
    assert not operate(machine, operation, **arguments).failed
    assert human.items() < all_pids(tmux_server).items()
    assert named_panes(tmux_server).keys() == {"kept"}
    assert named_panes(tmux_server)["kept"][0] not in human
    # The window was not arranged anew: the human's first pane is as wide as it was.
    assert layout_of(tmux_server, "=s:w")[5:].startswith(layout[5:].partition("{")[0])
    assert operate(machine, operation, **arguments).commands == []


@pytest.mark.parametrize(
    ("restart", "exits", "restarted"), [("always", 0, True), ("on-failure", 0, False), ("on-failure", 7, True)]
)
def test_an_exit_is_judged_by_the_restart_policy(
    machine: Machine, tmux_server: TmuxServer, restart: str, exits: int, restarted: bool
) -> None:
    # It ends when it is told to, and the next one stays.
    command = f"[ -e once ] && exec sleep 1000; touch once; until [ -e go ]; do sleep 0.05; done; exit {exits}"
    arguments = {"session_name": "s", "window_name": "w", "pane_name": "p", "shell_command": command}
    assert not operate(machine, operations.pane, **arguments, restart=restart).failed
    wait_until((machine.home / "once").exists)
    (machine.home / "go").touch()
    wait_until(lambda: "p" not in named_panes(tmux_server))
    run = operate(machine, operations.pane, **arguments, restart=restart)
    assert not run.failed
    assert bool(run.commands) == restarted
    assert ("p" in named_panes(tmux_server)) == restarted


def test_a_pane_whose_command_cannot_live_is_told_as_failed(machine: Machine, tmux_server: TmuxServer) -> None:
    run = operate(
        machine, operations.pane,
        session_name="s", window_name="w", pane_name="p", shell_command="exit 9", restart="always",
    )  # fmt: skip
    assert run.failed
    assert any("exited with status 9" in line for line in run.said)
