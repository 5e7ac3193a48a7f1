"""Hooks run as a host runs them, under any shell, and what came of them."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from miyabi.hook import Hook, hook_of
from miyabi.hook_result import HookResult, read_result
from miyabi.hook_script import hook_input, hook_script
from tests.facts.hosts import SHELLS
from tests.fleet.machine import Finished, Machine
from tests.fleet.waiting import wait_until


def hook(path: str, **arguments: Any) -> Hook:
    made = hook_of(path, **arguments)
    assert isinstance(made, Hook), made
    return made


def write(machine: Machine, text: str, name: str = "hook.sh", mode: int = 0o755) -> Path:
    path = machine.home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def run_text(machine: Machine, wanted: Hook, shell: str = "dash", *, stdin: str | None = None) -> tuple[str, Finished]:
    """The nonce of a run, and what the script of it printed."""
    nonce = secrets.token_hex(16)
    program, *options = SHELLS[shell]
    given = hook_input(wanted, nonce) if stdin is None else stdin
    done = machine.run(program, *options, "-c", hook_script(wanted, nonce), stdin=given, timeout=30)
    assert (done.code, done.stderr) == (0, "")
    return nonce, done


def run(machine: Machine, path: str, shell: str = "dash", **arguments: Any) -> HookResult:
    wanted = hook(path, **arguments)
    nonce, done = run_text(machine, wanted, shell)
    return read_result(wanted, done.stdout.splitlines(), nonce)


def all_ended(machine: Machine) -> bool:
    """Whether nothing of the machine's runs any more; its script's own pause may take a second."""
    wait_until(lambda: not machine.processes(), 3, what="the end of all that the hook started")
    return not list((machine.root / "tmp").glob("miyabi-*"))


def history(machine: Machine, wanted: Hook) -> Path:
    return machine.home / ".local/state/miyabi/hooks" / wanted.name
