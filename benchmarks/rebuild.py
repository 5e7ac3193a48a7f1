"""The work of a rebuild: from a dead tmux server to a session with all its panes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from benchmarks.measure import Contender
from benchmarks.playground import Playground
from miyabi.build import build_session
from miyabi.shell import HOST_ENVIRONMENT
from miyabi.spec_file import load_spec
from miyabi.tmux_command import client_calls
from tests.fleet.machine import Finished
from tests.fleet.sshd import SshHost
from tests.fleet.waiting import wait_until

OURS = "Miyabi Recovery, deploys/l3_full.py over ssh, proved"
OUR_CALL = "our client call"
OUR_CALL_SSH = "our client call, over one ssh connection"
HAND = "a client call written by hand"
HAND_SSH = "a client call written by hand, over one ssh connection"
TMUXP = "tmuxp load -d"
LIBTMUX = "libtmux"

WINDOWS, PANES = 6, 4

# As one would write it, with libtmux's own waiting for nothing.
_LIBTMUX = """\
import sys, libtmux
server = libtmux.Server()
session = server.new_session("work", window_name="w1")
for w in range(1, {windows} + 1):
    window = session.active_window if w == 1 else session.new_window(f"w{{w}}")
    for p in range(1, {panes} + 1):
        pane = window.active_pane if p == 1 else window.split()
        pane.send_keys(f"echo w{{w}}p{{p}}", suppress_history=False)
        window.select_layout("tiled")
"""


def workspace() -> dict[str, Any]:
    """The session as a tmuxp workspace, which a spec takes as it is."""
    windows = [
        {"window_name": f"w{w}", "layout": "tiled", "panes": [f"echo w{w}p{p}" for p in range(1, PANES + 1)]}
        for w in range(1, WINDOWS + 1)
    ]
    return {"session_name": "work", "suppress_history": False, "windows": windows}


def our_call(spec_file: Path) -> str:
    """The shell text by which L3 makes the sessions of a spec."""
    spec = load_spec(spec_file, base_directory="~")
    calls = client_calls([tuple(build_session(session)) for session in spec.sessions], spec.tmux)
    return f"{HOST_ENVIRONMENT}; {''.join(map(str, calls))}"


def call_by_hand() -> str:
    """The shortest client call that makes the same panes and types the same into them."""
    commands = []
    for w in range(1, WINDOWS + 1):
        for p in range(1, PANES + 1):
            first = f"new-session -d -s work -n w{w}" if w == 1 else f"new-window -n w{w}"
            commands.append(first if p == 1 else "split-window")
            commands.append(f"send-keys {quote(f'echo w{w}p{p}')} Enter")
            commands.append("select-layout tiled")
    return "tmux " + " \\; ".join(commands)


@dataclass(slots=True)
class Rebuild:
    """One host whose tmux server is dead at the start of each run."""

    ground: Playground
    host: SshHost
    programs: Path | None

    def contenders(self) -> list[Contender]:
        """Everybody who can do the work."""
        machine, control = self.host.machine, self.ground.fleet.control
        spec = self.ground.write_spec({"sessions": [workspace()]})
        inventory = self.ground.write_inventory(spec)
        ssh = [*self.ground.ssh, "-S", "none", self.host.name]
        ours, hand = our_call(spec), call_by_hand()
        runs: dict[str, Callable[[], Finished]] = {
            OUR_CALL: lambda: machine.sh(ours),
            HAND: lambda: machine.sh(hand),
            OUR_CALL_SSH: lambda: control.run(*ssh, ours),
            HAND_SSH: lambda: control.run(*ssh, hand),
            OURS: lambda: self.ground.pyinfra(inventory, "deploys/l3_full.py", "-y"),
        }
        if self.programs is not None:
            file = self.ground.write_spec(workspace(), "workspace.yaml")
            python, tmuxp = str(self.programs / "python"), str(self.programs / "tmuxp")
            script = _LIBTMUX.format(windows=WINDOWS, panes=PANES)
            runs[TMUXP] = lambda: machine.run(tmuxp, "load", "-d", str(file))
            runs[LIBTMUX] = lambda: machine.run(python, "-c", script)
        return [self._contender(name, run) for name, run in runs.items()]

    def _contender(self, name: str, run: Callable[[], Finished]) -> Contender:
        return Contender(
            name,
            # Not the host's machine: what tmux's server does there is no client's time.
            self.ground.fleet.control,
            run,
            lambda _: self._wrong(),
            before=self.host.tmux.stop,
            last_born=self._last_born,
            hosts=[self.host] if "ssh" in name else (),
        )

    def _last_born(self) -> float:
        """When the last pane was made, in seconds since boot: its process knows, to a hundredth of a second."""
        pids = self.host.tmux.run("list-panes", "-a", "-F", "#{pane_pid}").split()
        stats = (Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split() for pid in pids)
        return max(int(fields[19]) for fields in stats) / os.sysconf("SC_CLK_TCK")

    def _wrong(self) -> str:
        """What is missing; every pane must have run what was typed into it."""
        panes = self.host.tmux.run("list-panes", "-a", "-F", "#{window_name} #{pane_id}").splitlines()
        if len(panes) != WINDOWS * PANES:
            return f"{len(panes)} panes instead of {WINDOWS * PANES}"
        wait_until(lambda: self._lines_on_screens(panes) == WINDOWS * PANES, what="what the panes print")
        return ""

    def _lines_on_screens(self, panes: list[str]) -> int:
        ids = [pane.split()[1] for pane in panes]
        screens = self.host.tmux.run(*" ; ".join(f"capture-pane -p -t {each}" for each in ids).split(" "))
        # What was typed before the shell was there is followed by a prompt and what the command prints.
        printed = {line.split()[-1] for line in screens.splitlines() if line.strip() and "echo " not in line}
        return len({f"w{w}p{p}" for w in range(1, WINDOWS + 1) for p in range(1, PANES + 1)} & printed)
