"""What a host tells of itself in one execution that changes nothing, on a real tmux and with real damage."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api import Config, Inventory, State
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.exceptions import FactProcessError
from pyinfra.context import ctx_host

from facts.fleet_health import Drifts
from miyabi.health import FleetHealth, health_from_json
from tests.cli.acting import AGENT, SPEC
from tests.fleet.control import REPOSITORY
from tests.fleet.machine import Machine
from tests.fleet.tmux import TmuxServer
from tests.recovery.operating import kill
from tests.recovery.playbook import Run, noting, on, recover, write_spec
from tests.recovery.terminal import attached


def _asked(machine: Machine, spec: Mapping[str, Any] | Path) -> tuple[FleetHealth | None, Run]:
    """The fact's answer, and what was executed for it."""
    path = spec if isinstance(spec, Path) else write_spec(machine.root, spec)
    run = Run()
    with on(machine), noting(run):
        state = State(Inventory((["@local"], {"spec": str(path)})), Config(), check_for_changes=False)
        connect_all(state)
        [host] = state.inventory
        with ctx_host.use(host):
            answer = host.get_fact(Drifts)
        disconnect_all(state)
    return answer, run


@pytest.fixture
def built(machine: Machine, tmux_server: TmuxServer) -> TmuxServer:
    """A fleet as its spec wants it."""
    assert not recover(machine, write_spec(machine.root, SPEC)).failed
    return tmux_server


def test_a_healthy_host_costs_one_execution(machine: Machine, built: TmuxServer) -> None:
    seen, run = _asked(machine, SPEC)
    assert seen is not None
    assert (seen.health, seen.reason, seen.drifts, seen.unknown) == ("healthy", "", (), ())
    assert (run.probes, run.commands) == (1, [])
    numbers = seen.observation
    assert (numbers.sessions, numbers.windows, numbers.panes) == (1, 2, 4)
    assert numbers.agents == {"work:main.kaede": "running", "work:main.sakura": "running"}
    assert numbers.boot_id
    assert None not in (numbers.uptime, numbers.disk_used, numbers.memory_available, numbers.load)
    assert health_from_json(json.loads(json.dumps(seen.to_json()))) == seen


def test_what_is_damaged_in_the_fleet(machine: Machine, built: TmuxServer) -> None:
    kill(built, "kaede")
    built.run("kill-window", "-t", "=work:monitor")
    seen, _ = _asked(machine, SPEC)
    assert seen is not None
    assert seen.health == "drift"
    assert [(each.target, each.kind, each.level) for each in seen.drifts] == [
        ("work:main.kaede", "pane-dead", "L1"),
        ("work:monitor", "window-missing", "L2"),
    ]
    assert seen.observation.agents["work:main.kaede"] == "dead"
    built.stop()
    gone, _ = _asked(machine, SPEC)
    assert gone is not None
    assert [(each.target, each.kind, each.level) for each in gone.drifts] == [("work", "session-missing", "L3")]


def test_who_looks_at_what_is_damaged(machine: Machine, built: TmuxServer) -> None:
    kill(built, "kaede")
    built.run("select-window", "-t", "=work:main")
    with attached(built, "work"):
        seen, _ = _asked(machine, SPEC)
    assert seen is not None
    assert list(seen.watched) == ["work:main"]
    [drift] = seen.drifts
    assert drift.watched is not None
    assert 0 <= drift.watched < 60


UPKEEP = {
    "logs": [{"path": "~/big.log", "max_size": "1KB"}, {"path": "~/small.log", "max_size": "1KB"}],
    "temp": [{"path": "~/old-*", "older_than": "1d"}],
    "config_files": [{"path": "~/gone.json", "format": "json"}, {"path": "~/good.json", "format": "json"}],
    "mcp_servers": [
        {"name": "down", "start": AGENT, "match": "no such thing runs"},
        {"name": "rightly-down", "start": AGENT, "match": "no such thing runs", "expected": "down"},
    ],
    "limits": {"disk": {"warning": "0%", "critical": "100%"}, "memory_available": {"warning": "100%", "critical": 100}},
    "sshd": {"port": 1},
}


def test_what_upkeep_would_find(machine: Machine) -> None:
    (machine.home / "big.log").write_text("x" * 2000)
    (machine.home / "small.log").write_text("x")
    (machine.home / "good.json").write_text("{}")
    old = machine.home / "old-1"
    old.write_text("x")
    os.utime(old, (time.time() - 3 * 86400,) * 2)
    before = _listed(machine)
    seen, run = _asked(machine, UPKEEP)
    assert seen is not None
    assert (run.probes, run.commands) == (1, [])
    assert seen.health == "drift"
    told = {each.target: each.reason for each in seen.drifts}
    assert set(told) == {"log ~/big.log", "temp ~/old-*", "config ~/gone.json", "server down", "sshd", "memory"}
    assert told["config ~/gone.json"] == "it is missing, and it has no backup"
    assert told["server down"] == "it is down"
    assert "1 old ones" in told["temp ~/old-*"]
    assert [each.target for each in seen.warnings] == ["disk"]
    assert all(each.level == "upkeep" for each in (*seen.drifts, *seen.warnings))
    assert _listed(machine) == before


def _listed(machine: Machine) -> list[str]:
    """What is in its home, but for what this side keeps of specs: here both are one machine."""
    return sorted(str(path) for path in machine.home.rglob("*") if ".cache" not in path.parts)


SKEWED = """#!/bin/sh
[ "$1" = -V ] && echo 'tmux 3.5' && exit
echo 'protocol version mismatch' >&2; exit 1
"""


def test_what_cannot_be_told_is_unknown_and_no_drift(machine: Machine) -> None:
    programs = machine.root / "programs"
    programs.mkdir()
    (programs / "tmux").write_text(SKEWED)
    (programs / "tmux").chmod(0o755)
    machine.environment["PATH"] = f"{programs}:{machine.environment['PATH']}"
    seen, _ = _asked(machine, SPEC | {"logs": [{"path": "~/x.log", "max_size": "1KB"}]})
    assert seen is not None
    assert (seen.health, seen.drifts) == ("unknown", ())
    assert [(each.target, each.kind) for each in seen.unknown] == [("", "unknown")]
    assert "protocol version mismatch" in seen.reason
    assert (seen.observation.sessions, seen.observation.agents) == (None, {})


def test_a_spec_that_is_wrong_is_told_for_its_host_alone(machine: Machine) -> None:
    path = machine.root / "wrong.yaml"
    path.write_text("sesions: []\n")
    arguments = ("--json", "@local", "fact", "facts.fleet_health.Drifts", "--data", f"spec={path}")
    done = machine.run("pyinfra", *arguments, cwd=REPOSITORY)
    assert json.loads(done.stdout) == {"facts.fleet_health.Drifts": {"@local": None}}
    assert "wrong.yaml:1: sesions: found the unknown key 'sesions'" in done.stderr
    assert "Traceback" not in done.output


def test_an_answer_that_is_cut_off(machine: Machine) -> None:
    path = write_spec(machine.root, SPEC)
    with on(machine):
        state = State(Inventory((["@local"], {"spec": str(path)})), Config(), check_for_changes=False)
        [host] = state.inventory
        with ctx_host.use(host):
            fact = Drifts()
            script = fact.command()
            lines = machine.run("sh", "-c", script).stdout.splitlines()
            for kept in range(0, len(lines), 7):
                try:
                    seen = fact.process(lines[:kept])
                except FactProcessError:
                    continue
                # There is no server: whatever is cut off, that must not become a healthy host.
                assert (seen.health, bool(seen.drifts)) in {("unknown", False), ("drift", True)}
            assert fact.process(lines).health == "drift"
