"""A machine whose panes run the fake agents."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.agents.player import Agents, install
from tests.fleet.machine import Machine
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Stage:
    """A tmux server with fake agents in its windows.

    + tmux: its server; the agents' windows are called as they are
    + agents: what steers them
    """

    tmux: TmuxServer
    agents: Agents

    def play(self, name: str, command: str = "claude") -> None:
        """Run an agent in a window of its own, and wait until it plays; a second time it runs there again."""
        before = len(self.agents.events(name, "play", "end"))
        words = ("-e", f"MIYABI_AGENT={name}", "--", "sh", "-c", 'exec "$SHELL" -c "$1"', "test", command)
        if name in self.tmux.run("list-windows", "-F", "#{window_name}").split("\n"):
            self.tmux.run("respawn-window", "-k", "-t", f":={name}", *words)
        else:
            self.tmux.run("new-window", "-d", "-n", name, *words)
        wait_until(lambda: len(self.agents.events(name, "play", "end")) > before or self.is_dead(name), what=name)

    def screen(self, name: str) -> str:
        """What its screen shows; of a dead one's, the lines that scrolled away as well: tmux lets one go as it dies."""
        above = ["-S", "-"] if self.is_dead(name) else []
        return self.tmux.run("capture-pane", "-p", *above, "-t", f":={name}")

    def type(self, name: str, *keys: str) -> None:
        """Press keys, as tmux names them."""
        self.tmux.run("send-keys", "-t", f":={name}", *keys)

    def shows(self, name: str, text: str) -> None:
        """Wait until its screen shows ``text``."""
        try:
            wait_until(lambda: text in self.screen(name), what=text)
        except AssertionError as error:
            raise AssertionError(f"{text!r} is not shown:\n{self.screen(name)}") from error

    def is_dead(self, name: str) -> bool:
        """Whether its pane is."""
        return self.tmux.run("display-message", "-p", "-t", f":={name}", "#{pane_dead}") == "1"

    def ended(self, name: str) -> tuple[str, str]:
        """Exit status and signal of a dead pane, as tmux tells them."""
        asked = "#{pane_dead},#{pane_dead_status},#{pane_dead_signal}"

        def told() -> list[str]:
            # tmux 3.3a now and then misses how one ended until another process of its own ends: so one does.
            self.tmux.run("run-shell", "-b", "true")
            dead, *how = self.tmux.run("display-message", "-p", "-t", f":={name}", asked).split(",")
            return how if dead == "1" and any(how) else []

        status, number = wait_until(told, what=f"{name} ends")
        return status, number


@pytest.fixture
def stage(machine: Machine, tmux_server: TmuxServer) -> Stage:
    """A tmux server with room for agents."""
    agents = install(machine)
    tmux_server.configure("set -g remain-on-exit on\n")
    tmux_server.start("main")
    return Stage(tmux_server, agents)
