"""Fake agents for tests outside the sandbox: claude and codex, steered by files, that write down what they saw.

    agents = install(host)                      # claude and codex are on the PATH of the machine's shells
    agents.steer("kaede", "limited", until=clock() - 60)      # before it starts, or while it runs
    agents.keys("kaede")                        # all that was typed into it
    agents.starts("kaede")                      # one for each start: its pid, session, turns, command line

What can be played: miyabi/sandbox/imitations/agent/scenes.py. An agent goes by its pane's name when MIYABI_AGENT says
so, else by tmux's id of its pane: ``pane-3`` is ``%3``.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from miyabi.sandbox import imitations, programs
from miyabi.sandbox.imitations.agent.control import control_name
from tests.fleet.machine import Machine
from tests.fleet.waiting import wait_until

_BEGIN = "import sys\nsys.path.insert(0, {folder!r})\nfrom agent.main import main\nmain({kind!r})\n"


@dataclass(frozen=True, slots=True)
class Agents:
    """The fake agents of one machine.

    + folder: where the files are that steer them and that they write
    """

    folder: Path

    def steer(self, name: str, play: str, **told: Any) -> None:
        """Have the agent called ``name`` play something, from now on or from its start."""
        self.folder.mkdir(exist_ok=True)
        path = self.folder / f"{_shown(name)}.json"
        aside = path.with_suffix(".test")
        aside.write_text(json.dumps({"play": play} | told))
        aside.replace(path)

    def steered(self, name: str, play: str, **told: Any) -> None:
        """The same with one that runs, and wait until it does."""
        before = len(self.events(name, "play"))
        self.steer(name, play, **told)
        wait_until(lambda: len(self.events(name, "play")) > before, what=f"{name} plays {play}")

    def events(self, name: str, *kinds: str) -> list[dict[str, Any]]:
        """What the agent has written down, oldest first: of start, play, keys, turn, answer, compact, end."""
        try:
            lines = (self.folder / f"{_shown(name)}.log").read_text(encoding="utf-8").splitlines()
        except OSError:
            return []
        return [event for event in map(json.loads, lines) if not kinds or event["event"] in kinds]

    def starts(self, name: str) -> list[dict[str, Any]]:
        """Each start: ``pid``, ``session``, ``turns`` that its conversation had, ``resumed``, ``words``."""
        return self.events(name, "start")

    def keys(self, name: str) -> str:
        """All bytes that came to it from its terminal, through all of its lives."""
        return "".join(event["keys"] for event in self.events(name, "keys"))

    def turns(self, name: str) -> list[str]:
        """What was typed and sent, through all of its lives."""
        return [event["text"] for event in self.events(name, "turn")]


def _shown(name: str) -> str:
    return control_name({"MIYABI_AGENT": name})


def install(machine: Machine) -> Agents:
    """Put claude and codex on the PATH of the machine and of its login shells."""
    programs_folder, scripts = machine.root / "agents", machine.root / "agents" / "imitations"
    scripts.mkdir(parents=True)
    folder = str(Path(imitations.__file__).parent)
    for kind in ("claude", "codex"):
        (scripts / kind).write_text(_BEGIN.format(folder=folder, kind=kind))
        program = programs_folder / kind
        program.write_text(f'#!/bin/sh\nexec {programs.python()} -EsS {shlex.quote(str(scripts / kind))} "$@"\n')
        program.chmod(0o755)
    path = f"{programs_folder}:{machine.environment['PATH']}"
    machine.environment["PATH"] = path
    # /etc/profile sets another one for login shells.
    for name in (".profile", ".zprofile"):
        with (machine.home / name).open("a") as profile:
            profile.write(f"PATH={shlex.quote(path)}; export PATH\n")
    return Agents(machine.home / ".miyabi-agent")
