"""Faults of agents: each is played by an agent that runs, as the real ones would show it."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from miyabi.sandbox.fault_tmux import pane_of, wanted_pane
from miyabi.sandbox.fleet import Sandbox, SandboxError, SandboxHost
from miyabi.sandbox.imitations.agent.control import control_name
from miyabi.sandbox.processes import alive, arguments_of, below, environment_of, parent_of, wait_for
from miyabi.sandbox.tools import AGENTS


@dataclass(frozen=True, slots=True)
class Trouble:
    """What becomes of an agent.

    + play: as the imitation calls it
    + words: what has happened then
    + agents: whom it happens to, by the kind of host
    + told: what the imitation is told with it
    + until: of a limit, in seconds from now
    """

    play: str
    words: str
    agents: dict[str, str]
    told: dict[str, Any] = field(default_factory=dict)
    until: float | None = None


def _agents(mugen: str, macbook: str = "momiji") -> dict[str, str]:
    return {"pixel": "status", "mugen": mugen, "macbook": macbook, "cloud": "sakura"}


PROMPT = Trouble("permission", "asks whether it may run a command", _agents("tsubaki"))
TRUST = Trouble("trust", "asks whether it may trust its folder", _agents("sakura"))
LOGIN = Trouble("login", "is logged out of its service", _agents("ayame", "worker-1"))
LIMIT = Trouble("limited", "has reached its usage limit, for an hour", _agents("hinata"), until=3600)
LIMIT_OVER = Trouble("limited", "stands at a usage limit that is over", _agents("hinata"), {"how": "over"}, until=-120)
OVERLOAD = Trouble("overloaded", "was refused by its service", _agents("sakura"), {"how": "final"})
CONTEXT = Trouble("context-full", "has no room left in its context", _agents("tsubaki"))
LOOP = Trouble("looping", "does the same again and again", _agents("hinata"))
HANG = Trouble("hang", "hangs: its screen says busy and stands still", _agents("tsubaki"))
STOP = Trouble("hang", "is stopped: it lives and does nothing", _agents("tsubaki"), {"how": "stopped"})
CRASH = Trouble("crash", "has crashed with exit code 1", _agents("botan", "yuri"), {"code": 1})
EXIT = Trouble("exit", "has ended with exit code 130, as after Ctrl-C", _agents("hinata", "yuri"))
OOM = Trouble("oom", "has run out of memory", _agents("ayame", "worker-1"))

_ENDS = {"crash", "exit", "oom"}


def process_of(host: SandboxHost, agent: str) -> int | None:
    """The pid of the imitation in the agent's pane; None when there is none."""
    pane = pane_of(host, agent)
    if pane is None or pane[2]:
        return None
    found = {pid for pid in {pane[1], *below(pane[1])} if _is_imitation(pid)}
    # What an agent works with is its own child, and no agent.
    return next((pid for pid in found if parent_of(pid) not in found), None)


def _is_imitation(pid: int) -> bool:
    return any(Path(word).name in AGENTS and "/imitations/" in word for word in arguments_of(pid)[1:3])


def _files(host: SandboxHost, pid: int) -> Path:
    """The agent's control file."""
    return host.home / ".miyabi-agent" / f"{control_name(environment_of(pid))}.json"


def _plays(host: SandboxHost, pid: int) -> list[dict[str, Any]]:
    """What the process has played, oldest first."""
    try:
        lines = _files(host, pid).with_suffix(".log").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    events = [json.loads(line) for line in lines]
    return [event for event in events if event["event"] == "play" and event["pid"] == pid]


def is_seen(trouble: Trouble, _: Sandbox, host: SandboxHost) -> bool:
    """Whether the agent is in this trouble: by its process, and by what it plays itself."""
    agent = trouble.agents[host.kind]
    if trouble.play in _ENDS:
        pane = pane_of(host, agent)
        return pane is None or pane[2]
    pid = process_of(host, agent)
    return pid is not None and _is_playing(trouble, host, pid)


def _is_playing(trouble: Trouble, host: SandboxHost, pid: int) -> bool:
    plays = _plays(host, pid)
    wanted = (trouble.play, trouble.told.get("how", ""))
    return bool(plays) and (plays[-1]["play"], plays[-1]["how"]) == wanted


def bring(trouble: Trouble, _: Sandbox, host: SandboxHost) -> str:
    """Bring an agent into trouble."""
    agent = trouble.agents[host.kind]
    pane = wanted_pane(host, agent)
    pid = process_of(host, agent)
    if pid is None:
        if trouble.play in _ENDS and pane is not None:
            return f"agent {agent} is dead already"
        raise SandboxError(f"agent {agent} does not run on {host.name}: recover the sandbox, then break it")
    if not _is_playing(trouble, host, pid) or trouble.until is not None:
        until = {"until": time.time() + trouble.until} if trouble.until is not None else {}
        _wake(pid)
        _steer(host, pid, {"play": trouble.play, **trouble.told, **until})
    return f"agent {agent} (pid {pid}) {trouble.words}"


def relieve(trouble: Trouble, _: Sandbox, host: SandboxHost) -> str:
    """Take an agent out of its trouble, as a human or time would."""
    agent = trouble.agents[host.kind]
    pid = process_of(host, agent)
    if pid is None:
        return f"agent {agent} does not run"
    _wake(pid)
    _steer(host, pid, {"play": "working"})
    _files(host, pid).unlink(missing_ok=True)
    return f"agent {agent} goes on"


def _wake(pid: int) -> None:
    """Let one that hangs or is stopped listen again; to any other it is nothing."""
    for each in {pid, *below(pid)}:
        os.kill(each, signal.SIGCONT)


def _steer(host: SandboxHost, pid: int, told: dict[str, Any]) -> None:
    path = _files(host, pid)
    before = len(_plays(host, pid))
    aside = path.with_suffix(".new")
    aside.write_text(json.dumps(told), encoding="utf-8")
    aside.replace(path)
    wanted = (told["play"], told.get("how", ""))

    def is_played() -> bool:
        plays = _plays(host, pid)
        return len(plays) > before and (plays[-1]["play"], plays[-1]["how"]) == wanted

    wait_for(lambda: not alive(pid) or is_played(), 10, f"{host.name}: agent {path.stem} does not listen")
    if told["play"] in _ENDS:
        wait_for(lambda: not alive(pid), 10, f"{host.name}: agent {path.stem} does not end")
