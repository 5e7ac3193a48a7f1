"""People on the host: their tmux configuration, their windows and panes, and what they look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.machine import Machine
from tests.fleet.parameters import mostly_slow
from tests.fleet.programs import required
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.recovery.operating import all_pids, kill, named_panes
from tests.recovery.playbook import recover, write_spec
from tests.recovery.terminal import attached, view

AGENT = {"shell_command": "exec sleep 1000", "agent": True}

SPEC: dict[str, Any] = {
    "session_name": "s",
    # They who look type, too: what that holds back is another test's.
    "gate": {"presence": 0},
    "windows": [
        {"window_name": "main", "panes": [{"name": "a", **AGENT}, {"name": "b", **AGENT}, {"name": "c"}]},
        {"window_name": "logs", "layout": "main-vertical", "panes": [{"name": "d"}, {"name": "e"}, {"name": "f"}]},
        {"panes": [{"name": "g", **AGENT}, {"name": "h", "shell_command": "echo typed >>typed.txt"}]},
    ],
}

# A plugin manager as it is usual: started by the configuration, it asks the server that is just starting.
_PLUGINS = """\
#!/bin/sh
tmux set-option -g @plugged yes; tmux bind-key T display-message hello
tmux set-hook -g after-new-window 'set-option -w @hooked yes'
for plugin in one two; do sleep 0.1; tmux set-option -g "@$plugin" "$(tmux show-options -gqv @plugged)"; done
"""

CONFIGURATIONS = {
    "base-index": "set -g base-index 1",
    "pane-base-index": "setw -g pane-base-index 1",
    "renumber-windows": "set -g renumber-windows on",
    "automatic-rename": "setw -g automatic-rename on\nsetw -g allow-rename on",
    "zsh": "set -g default-shell {zsh}",
    "dash": "set -g default-shell {dash}",
    "default-command": "set -g default-command 'exec {dash}'",
    "remain-on-exit": "setw -g remain-on-exit on",
    "status off": "set -g status off",
    "plugins": "set -g @plugin tmux-plugins/tpm\nrun-shell ~/.tmux/plugins/tpm/tpm\nrun -b ~/.tmux/plugins/tpm/tpm",
    "mistake": "set -g no-such-option on\nset -g history-limit 100",
    "all": "set -g base-index 1\nsetw -g pane-base-index 1\nset -g renumber-windows on\nset -g mouse on\n"
    "set -g prefix C-a\nunbind C-b\nset -g set-titles on\nset -g mode-keys vi\nsetw -g aggressive-resize on\n"
    "setw -g main-pane-width 60\nset -g escape-time 0\nsetw -g automatic-rename on\nset -g detach-on-destroy off",
}


def people_s_machine(machine: Machine, tmux: TmuxServer, configuration: str) -> None:
    """Give the machine a user's configuration of tmux and of the shells."""
    programs = {name: required(name) for name in ("zsh", "dash") if f"{{{name}}}" in configuration}
    tmux.configure(configuration.format(**programs) + "\n" if programs else f"{configuration}\n")
    # Without it zsh asks a new user what to put into it.
    (machine.home / ".zshrc").write_text("PS1='> '\n")
    plugins = machine.home / ".tmux/plugins/tpm/tpm"
    plugins.parent.mkdir(parents=True)
    plugins.write_text(_PLUGINS)
    plugins.chmod(0o755)


def typed(machine: Machine) -> int:
    """How often the command of pane h was typed and run."""
    path = machine.home / "typed.txt"
    return path.read_text().count("typed") if path.exists() else 0


def window_of(tmux: TmuxServer, pane: str) -> str:
    return tmux.run("display-message", "-p", "-t", named_panes(tmux)[pane][0], "#{window_id}")


def unmanaged(tmux: TmuxServer) -> set[str]:
    """Window, pane and pid of each pane that is a human's."""
    formats = ("-f", "#{?@miyabi_pane,0,1}", "-F", "#{window_id} #{pane_id} #{pane_pid}")
    return set(tmux.run("list-panes", "-a", *formats).splitlines())


def built(machine: Machine, tmux: TmuxServer) -> Path:
    """Build SPEC; the value is its path."""
    path = write_spec(machine.root, SPEC)
    run = recover(machine, path)
    assert not run.failed, run
    assert sorted(named_panes(tmux)) == list("abcdefgh")
    return path


def converged(machine: Machine, tmux: TmuxServer, path: Path, healthy: dict[str, int]) -> None:
    """Converge: everything is there afterwards, what was healthy was not touched, and a second run does nothing."""
    run = recover(machine, path)
    assert not run.failed, run
    assert sorted(named_panes(tmux)) == list("abcdefgh")
    now = all_pids(tmux)
    assert healthy.items() <= now.items()
    again = recover(machine, path)
    assert (again.failed, again.commands, again.probes) == (False, [], 1)
    assert all_pids(tmux) == now


# All at once; each alone takes its time.
@pytest.mark.parametrize("configuration", mostly_slow(CONFIGURATIONS, ("all",)))
def test_a_fleet_is_built_and_repaired_under_people_s_settings(
    machine: Machine, tmux_server: TmuxServer, configuration: str
) -> None:
    people_s_machine(machine, tmux_server, CONFIGURATIONS[configuration])
    path = built(machine, tmux_server)
    wait_until(lambda: typed(machine) == 1)
    before = all_pids(tmux_server)
    order = tmux_server.run("list-windows", "-t", "=s", "-F", "#{@miyabi_window}")
    kill(tmux_server, "a")
    tmux_server.run("kill-pane", "-t", named_panes(tmux_server)["e"][0])
    tmux_server.run("kill-window", "-t", window_of(tmux_server, "g"))
    left = all_pids(tmux_server)
    assert len(left) == 4
    assert left.items() <= before.items()
    converged(machine, tmux_server, path, left)
    wait_until(lambda: typed(machine) == 2)
    assert tmux_server.run("list-windows", "-t", "=s", "-F", "#{@miyabi_window}") == order


def _agent_dies(tmux: TmuxServer) -> None:
    kill(tmux, "a")


def _pane_is_gone(tmux: TmuxServer) -> None:
    tmux.run("kill-pane", "-t", named_panes(tmux)["b"][0])


def _most_of_a_window_dies(tmux: TmuxServer) -> None:
    kill(tmux, "a")
    kill(tmux, "b")


def _most_of_a_window_is_gone(tmux: TmuxServer) -> None:
    for name in "ab":
        tmux.run("kill-pane", "-t", named_panes(tmux)[name][0])


def _window_is_gone(tmux: TmuxServer) -> None:
    tmux.run("kill-window", "-t", window_of(tmux, "g"))


DAMAGES = [_agent_dies, _pane_is_gone, _most_of_a_window_dies, _most_of_a_window_is_gone, _window_is_gone]


def _name(damage: object) -> str:
    return getattr(damage, "__name__", "").strip("_")


@pytest.mark.parametrize("damage", DAMAGES, ids=_name)
def test_a_human_s_panes_and_windows_survive(
    machine: Machine, tmux_server: TmuxServer, damage: Callable[[TmuxServer], None]
) -> None:
    path = built(machine, tmux_server)
    main = window_of(tmux_server, "a")
    tmux_server.run("split-window", "-d", "-t", named_panes(tmux_server)["a"][0], "sleep 1000")
    tmux_server.run("split-window", "-d", "-t", named_panes(tmux_server)["g"][0], "sleep 1000")
    tmux_server.run("new-window", "-d", "-t", "=s:", "-n", "logs", "sleep 1000")
    tmux_server.run("new-session", "-d", "-s", "human", "sleep 1000")
    human = unmanaged(tmux_server)
    assert len(human) == 4
    damage(tmux_server)
    left = all_pids(tmux_server)
    converged(machine, tmux_server, path, left)
    assert unmanaged(tmux_server) == {line for line in human if line.split()[1] in left}
    assert window_of(tmux_server, "a") == main


def test_a_human_s_session_survives_the_loss_of_ours(machine: Machine, tmux_server: TmuxServer) -> None:
    path = built(machine, tmux_server)
    tmux_server.run("new-session", "-d", "-s", "human", "sleep 1000")
    with attached(tmux_server, "human") as client:
        seen = view(tmux_server, client)
        tmux_server.run("kill-session", "-t", "=s")
        converged(machine, tmux_server, path, all_pids(tmux_server))
        assert view(tmux_server, client) == seen


def test_a_human_s_panes_survive_an_agent_that_no_level_can_bring_back(
    machine: Machine, tmux_server: TmuxServer
) -> None:
    built(machine, tmux_server)
    tmux_server.run("split-window", "-d", "-t", named_panes(tmux_server)["a"][0], "sleep 1000")
    kill(tmux_server, "a")
    left = all_pids(tmux_server)
    main, *others = SPEC["windows"]
    panes = [{"name": "a", "shell_command": "exit 7", "agent": True}, *main["panes"][1:]]
    path = write_spec(machine.root, {**SPEC, "windows": [{**main, "panes": panes}, *others]})
    run = recover(machine, path)
    assert run.failed
    assert [step.level.name for step in run.climb.steps] == ["L1", "L2", "L3"]
    assert left.items() <= all_pids(tmux_server).items()


@pytest.mark.slow
@pytest.mark.parametrize("looks_at", ["c", "d"])
@pytest.mark.parametrize("damage", DAMAGES, ids=_name)
def test_a_client_keeps_looking_at_what_it_looked_at(
    machine: Machine, tmux_server: TmuxServer, damage: Callable[[TmuxServer], None], looks_at: str
) -> None:
    path = built(machine, tmux_server)
    pane = named_panes(tmux_server)[looks_at][0]
    tmux_server.run("select-window", "-t", pane, ";", "select-pane", "-t", pane)
    with attached(tmux_server, "s") as client:
        seen = view(tmux_server, client)
        assert f" {pane} " in seen
        damage(tmux_server)
        assert view(tmux_server, client) == seen
        converged(machine, tmux_server, path, all_pids(tmux_server))
        assert view(tmux_server, client) == seen


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES[:3], ids=_name)
def test_a_zoomed_window_stays_zoomed(
    machine: Machine, tmux_server: TmuxServer, damage: Callable[[TmuxServer], None]
) -> None:
    path = built(machine, tmux_server)
    pane = named_panes(tmux_server)["c"][0]
    tmux_server.run("select-window", "-t", pane)
    damage(tmux_server)
    with attached(tmux_server, "s") as client:
        tmux_server.run("resize-pane", "-Z", "-t", pane)
        seen = view(tmux_server, client)
        assert seen.endswith(" 1")
        converged(machine, tmux_server, path, all_pids(tmux_server))
        assert view(tmux_server, client) == seen


def test_sessions_that_the_configuration_makes_itself_are_filled_in_by_the_same_run(
    machine: Machine, tmux_server: TmuxServer
) -> None:
    windows = [{"window_name": "one", "panes": [None, {"shell_command": "exec sleep 999", "restart": "always"}]}]
    sessions = [{"session_name": name, "windows": windows} for name in ("s", "t")]
    tmux_server.configure("new-session -d -s s -n one\n")
    path = write_spec(machine.root, {"sessions": sessions})
    first = recover(machine, path)
    assert not first.failed, first
    listed = tmux_server.run("list-panes", "-a", "-F", "#{session_name}:#{window_name} #{@miyabi_pane}").splitlines()
    assert sorted(listed) == ["s:one s:one.1", "s:one s:one.2", "t:one t:one.1", "t:one t:one.2"]
    assert recover(machine, path).commands == []
