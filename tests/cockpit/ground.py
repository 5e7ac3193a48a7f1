"""A control machine with a cockpit, hosts behind real sshds, and the ``miyabi cockpit`` command."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from tests.fleet.control import REPOSITORY, Fleet
from tests.fleet.machine import Finished
from tests.fleet.sshd import SshHost
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until


def session(name: str, **more: Any) -> dict[str, Any]:
    """A session of a spec that is attached."""
    return {"session_name": name, "attached": True, "windows": [{"panes": [None]}], **more}


@dataclass(slots=True)
class Ground:
    """A fleet whose operator has a cockpit.

    + data: what the inventory says of each host, by name
    """

    fleet: Fleet
    data: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def tmux(self) -> TmuxServer:
        """The server of the cockpit."""
        return self.fleet.control_tmux

    def host(self, name: str, *sessions: dict[str, Any], **data: Any) -> SshHost:
        """A host with these sessions in its spec."""
        host = self.fleet.add(name)
        self.wants(name, {"sessions": list(sessions)}, ssh_config_file=str(self.fleet.ssh_config), **data)
        return host

    def wants(self, name: str, spec: Mapping[str, Any], **data: Any) -> None:
        """Write a host's spec, and what the inventory says of it."""
        number = [*self.data, name].index(name)
        path = self.fleet.control.root / f"spec-{number}.yaml"
        path.write_text(yaml.safe_dump(dict(spec), allow_unicode=True))
        self.data[name] = {"spec": str(path), "ssh_strict_host_key_checking": "yes", **data}
        self.fleet.write_inventory(self.data)

    def cockpit(self, *arguments: str) -> Finished:
        """Run the real ``miyabi cockpit ARGUMENTS``."""
        control = self.fleet.control
        control.environment["PYTHONPATH"] = str(REPOSITORY)
        inventory = ("--inventory", str(control.root / "fleet.py"))
        done = control.run("python3", "-m", "miyabi", "cockpit", *arguments, *inventory, cwd=control.root)
        assert "Traceback" not in done.output, done.output
        return done

    def up(self, *arguments: str) -> str:
        """Make the cockpit; what it says."""
        done = self.cockpit("up", *arguments)
        assert done.code == 0, done.output
        return done.output

    def status(self) -> dict[str, dict[str, Any]]:
        """How each window stands, by what it is called."""
        done = self.cockpit("status", "--json")
        told = json.loads(done.stdout)
        assert done.code == told["exit_code"]
        return {each["window"]: each for each in told["windows"]}

    def said(self, window: str) -> str:
        """What the loop of a window has said of itself last."""
        return self.tmux.run("display-message", "-p", "-t", self.pane(window), "#{@miyabi_cockpit_state}")

    def pane(self, window: str) -> str:
        """Tmux's id of the first pane of a window, by the window's name."""
        listed = self.tmux.run("list-panes", "-a", "-F", "#{pane_id} #{window_name}").splitlines()
        return next(line.split(" ", 1)[0] for line in listed if line.split(" ", 1)[1] == window)

    def screen(self, window: str) -> str:
        """What a window of the cockpit shows."""
        return self.tmux.run("capture-pane", "-p", "-J", "-t", self.pane(window))

    def wait_for(self, window: str, state: str, timeout: float = 15.0) -> dict[str, Any]:
        """Wait until a window is so."""

        def found() -> dict[str, Any]:
            status = self.status()[window]
            return status if status["state"] == state else {}

        return wait_until(found, timeout, what=f"{window} is {state}")

    def wait_for_words(self, window: str, words: str, timeout: float = 15.0) -> str:
        """Wait until a window shows these words."""

        def found() -> str:
            screen = self.screen(window)
            return screen if words in screen else ""

        return wait_until(found, timeout, what=f"{window} shows: {words}")
