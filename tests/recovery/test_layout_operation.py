"""The layout of a window: it fits, it stays, it follows, and no name of it can end a server."""

from __future__ import annotations

import pytest

from operations import tmux as operations
from tests.fleet.machine import Machine
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.recovery.operating import all_pids, layout_of, operate
from tests.recovery.playbook import recover, write_spec
from tests.recovery.terminal import attached


@pytest.mark.parametrize(
    ("panes", "size", "layout", "expected"),
    [
        (2, (200, 50), "auto", "even-horizontal"),
        (2, (80, 40), "auto", "even-vertical"),
        (3, (200, 50), "auto", "main-horizontal"),
        (4, (200, 50), "auto", "tiled"),
        (5, (200, 50), "auto", "tiled"),
        (3, (200, 50), "even", "even-horizontal"),
        (3, (80, 40), "even", "even-vertical"),
        (3, (200, 50), "main", "main-vertical"),
        (3, (80, 40), "main", "main-horizontal"),
        (3, (200, 50), "tiled", "tiled"),
        (3, (200, 50), "main-vertical", "main-vertical"),
    ],
)
def test_a_layout_fits_the_window_and_stays(
    machine: Machine, tmux_server: TmuxServer, panes: int, size: tuple[int, int], layout: str, expected: str
) -> None:
    _window_of(tmux_server, panes, size)
    arguments = {"session_name": "main", "window_name": "w", "layout": layout}
    before = all_pids(tmux_server)
    assert not operate(machine, operations.layout, **arguments).failed
    found = layout_of(tmux_server)
    tmux_server.run("select-layout", "-t", "=main:0", expected)
    assert layout_of(tmux_server) == found
    assert operate(machine, operations.layout, **arguments).commands == []
    assert all_pids(tmux_server) == before


def _window_of(tmux: TmuxServer, panes: int, size: tuple[int, int] = (200, 50)) -> None:
    tmux.start("main", "sleep 1000")
    tmux.run("rename-window", "-t", "=main:0", "w")
    tmux.run("resize-window", "-t", "=main:0", "-x", str(size[0]), "-y", str(size[1]))
    for _ in range(panes - 1):
        tmux.run("split-window", "-t", "=main:0", "-l", "4", "sleep 1000")
        tmux.run("select-pane", "-t", "=main:0.0")


@pytest.mark.parametrize("change", ["split", "resize"])
def test_a_layout_is_applied_again_when_panes_came_or_a_border_moved(
    machine: Machine, tmux_server: TmuxServer, change: str
) -> None:
    _window_of(tmux_server, 3)
    arguments = {"session_name": "main", "window_name": "w", "layout": "tiled"}
    operate(machine, operations.layout, **arguments)
    if change == "split":
        tmux_server.run("split-window", "-t", "=main:0", "sleep 1000")
    else:
        tmux_server.run("resize-pane", "-t", "=main:0.0", "-D", "5")
    changed = layout_of(tmux_server)
    assert operate(machine, operations.layout, **arguments).commands
    assert layout_of(tmux_server) != changed
    assert operate(machine, operations.layout, **arguments).commands == []


def test_a_pane_that_fills_its_window_still_does(machine: Machine, tmux_server: TmuxServer) -> None:
    _window_of(tmux_server, 3)
    tmux_server.run("resize-pane", "-Z", "-t", "=main:0.1")
    arguments = {"session_name": "main", "window_name": "w", "layout": "tiled"}
    assert operate(machine, operations.layout, **arguments).commands
    assert tmux_server.run("display-message", "-p", "-t", "=main:0", "#{window_zoomed_flag} #{pane_index}") == "1 1"
    assert operate(machine, operations.layout, **arguments).commands == []


def test_a_layout_follows_the_size_of_the_client_that_looks_at_it(machine: Machine, tmux_server: TmuxServer) -> None:
    tmux_server.start("main", "sleep 1000")
    tmux_server.run("rename-window", "-t", "=main:0", "w")
    tmux_server.run("split-window", "-t", "=main:0", "sleep 1000")
    arguments = {"session_name": "main", "window_name": "w"}
    operate(machine, operations.layout, **arguments)
    assert "{" in layout_of(tmux_server)  # side by side
    with attached(tmux_server, "main", 70, 30):
        wait_until(lambda: "70x29" in layout_of(tmux_server), what="the window has the client's size")
        assert operate(machine, operations.layout, **arguments).commands
        assert "[" in layout_of(tmux_server)  # one above the other
        assert operate(machine, operations.layout, **arguments).commands == []


@pytest.mark.parametrize("layout", ["Tiled", "main-vertical-mirrored", "b25d,80x24,0,0,1{", "#(touch pwned)"])
def test_a_layout_that_would_end_the_server_never_reaches_it(
    machine: Machine, tmux_server: TmuxServer, layout: str
) -> None:
    version = tmux_server.machine.run("tmux", "-V").stdout
    if "mirrored" in layout and version >= "tmux 3.5":
        pytest.skip(f"{version} knows it")
    _window_of(tmux_server, 2)
    run = operate(machine, operations.layout, session_name="main", window_name="w", layout=layout)
    assert (run.failed, run.commands) == (True, [])
    path = write_spec(
        machine.root, {"session_name": "s", "windows": [{"window_name": "w", "layout": "main-vertical-mirrored"}]}
    )
    assert recover(machine, path).failed == (version.removeprefix("tmux ") < "3.5")
    assert len(all_pids(tmux_server)) == 2
