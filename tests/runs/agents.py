"""Agents that fail as they are told: each is a script that looks for files beside it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from tests.fleet.machine import Machine
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.recovery.operating import named_panes

_SCRIPT = """\
#!/bin/sh
echo $$ >>"$HOME/$1.starts"
[ -e "$HOME/$1.well" ] && exec sleep 4242
[ -e "$HOME/$1.at-once" ] || read -r word <"$HOME/$1.end"
printf '%s\\n' '{says}'
# tmux may lose what is said in the moment of the end.
[ -e "$HOME/$1.at-once" ] || sleep 0.3
exit 1
"""


def install(machine: Machine, *names: str, says: str = "something is wrong", at_once: bool = False) -> None:
    """Put agents on a machine that fail when ``crash`` says so, or at once; each one's name is its argument."""
    path = machine.home / "agent"
    path.write_text(_SCRIPT.format(says=says))
    path.chmod(0o755)
    for name in names:
        os.mkfifo(machine.home / f"{name}.end")
        if at_once:
            (machine.home / f"{name}.at-once").touch()


def crash(tmux: TmuxServer, *names: str) -> None:
    """Let those of these agents that live end with status 1, and wait until tmux knows."""
    living = set(names) & named_panes(tmux).keys()
    for name in living:
        (tmux.machine.home / f"{name}.end").write_text("now\n")
    wait_until(lambda: not living & named_panes(tmux).keys(), what=f"the end of {names}")


def pane(name: str) -> dict[str, Any]:
    """A supervised pane with an agent in it."""
    return {"name": name, "shell_command": f"exec ~/agent {name}", "agent": True}


def steady(name: str) -> dict[str, Any]:
    """A supervised pane with an agent that never fails."""
    return {"name": name, "shell_command": "exec sleep 4242", "agent": True}


def make_well(machine: Machine, names: Iterable[str], *, well: bool = True) -> None:
    """Let agents live from their next start on, or fail again."""
    for name in names:
        mark = machine.home / f"{name}.well"
        if well:
            mark.touch()
        else:
            mark.unlink(missing_ok=True)


def starts(machine: Machine, name: str) -> int:
    """How often an agent was started."""
    path = machine.home / f"{name}.starts"
    return len(path.read_text().splitlines()) if path.exists() else 0
