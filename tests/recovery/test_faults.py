"""Every level, by a real fault, through the real command and a real sshd."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.fleet import processes
from tests.fleet.control import Fleet
from tests.fleet.machine import Finished
from tests.fleet.sshd import SshHost
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.recovery.playbook import EAGER

AGENT = "exec sleep 4242"

SPEC = {
    "sessions": [
        {
            "session_name": "miyabi",
            "windows": [
                {"window_name": "main", "panes": [{"name": "guardian", "shell_command": "cat"}]},
                {
                    "window_name": "codegen-1",
                    "layout": "main-vertical",
                    "panes": [
                        {"name": "kaede", "shell_command": AGENT, "agent": {"role": "CodeGen"}},
                        {"name": "sakura", "shell_command": AGENT, "agent": {"role": "CodeGen"}},
                        ["echo logs"],
                    ],
                },
                {"window_name": "monitor", "panes": [None]},
            ],
        }
    ],
    "recovery": {"guardian": "guardian"},
    # One test after the other breaks the same things.
    "gate": EAGER,
}


def panes(tmux: TmuxServer) -> dict[str, tuple[str, int]]:
    """(tmux's id, pid) of each living managed pane by the spec's name, as libtmux sees them."""
    return {
        name: (pane.pane_id or "", int(pane.pane_pid or 0))
        for pane in tmux.libtmux.panes
        if pane.pane_dead != "1"
        and (name := tmux.run("show-options", "-pqv", "-t", pane.pane_id or "", "@miyabi_pane"))
    }


def screen(tmux: TmuxServer, pane_id: str) -> str:
    return tmux.run("capture-pane", "-p", "-J", "-t", pane_id)


@pytest.fixture
def spec(ssh_fleet: Fleet) -> Path:
    path = ssh_fleet.control.root / "spec.yaml"
    path.write_text(yaml.safe_dump(SPEC))
    return path


def recover(fleet: Fleet, spec: Path, *more: str, deploy: str = "recover") -> Finished:
    inventory = fleet.write_inventory({name: {"spec": str(spec)} for name in fleet.hosts})
    return fleet.pyinfra(inventory, f"deploys/{deploy}.py", "-y", *more)


def assert_no_changes(done: Finished) -> None:
    assert done.code == 0, done.output
    assert "Success" not in done.output.split("--> Results:")[0], done.output
    assert "healthy, nothing to do" in done.output


@pytest.fixture
def built(ssh_fleet: Fleet, ssh_host: SshHost, spec: Path) -> SshHost:
    """A host whose fleet has just been built by the command itself."""
    done = recover(ssh_fleet, spec)
    assert done.code == 0, done.output
    assert "L3_FULL restored" in done.output
    assert set(panes(ssh_host.tmux)) == {"guardian", "kaede", "sakura", "miyabi:codegen-1.3", "miyabi:monitor.1"}
    assert_no_changes(recover(ssh_fleet, spec))
    return ssh_host


def _kill_agent(tmux: TmuxServer) -> None:
    os.kill(panes(tmux)["kaede"][1], signal.SIGKILL)
    wait_until(lambda: "kaede" not in panes(tmux))


def _kill_pane(tmux: TmuxServer) -> None:
    tmux.run("kill-pane", "-t", panes(tmux)["sakura"][0])


def _kill_two_of_three(tmux: TmuxServer) -> None:
    for name in ("kaede", "sakura"):
        os.kill(panes(tmux)[name][1], signal.SIGKILL)
    wait_until(lambda: not {"kaede", "sakura"} & set(panes(tmux)))


def _kill_window(tmux: TmuxServer) -> None:
    tmux.run("kill-window", "-t", "=miyabi:codegen-1")


def _kill_session(tmux: TmuxServer) -> None:
    # Another session keeps the server alive.
    tmux.run("new-session", "-d", "-s", "human", "sleep 1000")
    tmux.run("kill-session", "-t", "=miyabi")


def _kill_server(tmux: TmuxServer) -> None:
    pid = tmux.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not processes.alive(pid))


@pytest.mark.parametrize(
    ("fault", "level", "affected", "line"),
    [
        (_kill_agent, "L1_PANE", {"kaede"}, "L1_PANE: Restarting pane - miyabi:codegen-1.kaede"),
        pytest.param(
            _kill_pane,
            "L1_PANE",
            {"sakura"},
            "L1_PANE: Restoring pane - miyabi:codegen-1.sakura",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            _kill_two_of_three,
            "L2_SESSION",
            {"kaede", "sakura"},
            "L2_SESSION: Rebuilding window - miyabi:codegen-1",
            marks=pytest.mark.slow,
        ),
        (
            _kill_window,
            "L2_SESSION",
            {"kaede", "sakura", "miyabi:codegen-1.3"},
            "L2_SESSION: Rebuilding window - miyabi:codegen-1",
        ),
        pytest.param(_kill_session, "L3_FULL", None, None, marks=pytest.mark.slow),
        (_kill_server, "L3_FULL", None, None),
    ],
    ids=lambda value: getattr(value, "__name__", "").strip("_") or None,
)
def test_a_fault_is_repaired_at_the_lowest_level_that_works(
    ssh_fleet: Fleet,
    built: SshHost,
    spec: Path,
    fault: Callable[[TmuxServer], None],
    level: str,
    affected: set[str] | None,
    line: str | None,
) -> None:
    before = panes(built.tmux)
    fault(built.tmux)
    done = recover(ssh_fleet, spec)
    assert done.code == 0, done.output
    assert f"{level} restored" in done.output
    after = panes(built.tmux)
    assert set(after) == set(before)
    changed = {name for name in before if after[name] != before[name]}
    assert changed == (set(before) if affected is None else affected)
    if line is not None:
        said = screen(built.tmux, after["guardian"][0])
        assert f"[RECOVERY] {line}" in said
        assert f"[RECOVERY] COMPLETE: {level} restored" in said
    assert_no_changes(recover(ssh_fleet, spec))


def test_l1_keeps_the_pane_and_its_place(ssh_fleet: Fleet, built: SshHost, spec: Path) -> None:
    layout = built.tmux.run("display-message", "-p", "-t", "=miyabi:codegen-1", "#{window_layout}")
    before = panes(built.tmux)["kaede"]
    _kill_agent(built.tmux)
    assert recover(ssh_fleet, spec, deploy="l1_pane").code == 0
    after = panes(built.tmux)["kaede"]
    assert after[0] == before[0]
    assert after[1] != before[1]
    assert built.tmux.run("display-message", "-p", "-t", "=miyabi:codegen-1", "#{window_layout}") == layout


@pytest.mark.slow
def test_one_level_alone_leaves_the_damage_of_the_others(ssh_fleet: Fleet, built: SshHost, spec: Path) -> None:
    _kill_agent(built.tmux)
    built.tmux.run("kill-window", "-t", "=miyabi:monitor")
    done = recover(ssh_fleet, spec, deploy="l2_session")
    assert done.code == 0, done.output
    assert "miyabi:monitor.1" in panes(built.tmux)
    assert "kaede" not in panes(built.tmux)
    assert "needs L1" in done.output


@pytest.mark.slow
def test_an_agent_that_exits_at_once_climbs_and_fails_cleanly(ssh_fleet: Fleet, built: SshHost, spec: Path) -> None:
    healthy = {name: pane for name, pane in panes(built.tmux).items() if name != "kaede"}
    broken = {**SPEC, "sessions": yaml.safe_load(yaml.safe_dump(SPEC["sessions"]).replace(AGENT, "exit 7", 1))}
    spec.write_text(yaml.safe_dump(broken))
    _kill_agent(built.tmux)
    done = recover(ssh_fleet, spec)
    assert done.code == 1, done.output
    for level in ("L1", "L2", "L3"):
        assert f"{level} did not hold: miyabi:codegen-1.kaede exited with status 7" in done.output, done.output
    assert "L3_FULL NOT restored" in done.output
    assert "Traceback" not in done.output
    assert healthy.items() <= panes(built.tmux).items()
    told = "[RECOVERY] FAILED: HIGH mugen:miyabi:codegen-1.kaede is not repaired: exited with status 7"
    shown = screen(built.tmux, healthy["guardian"][0]).count(told)
    assert shown, "the guardian was told"
    again = recover(ssh_fleet, spec)
    assert again.code == 1, again.output
    assert screen(built.tmux, healthy["guardian"][0]).count(told) == shown, "an incident is told once"


@pytest.mark.slow
def test_a_wedged_host_is_unknown_and_the_others_recover(ssh_fleet: Fleet, spec: Path) -> None:
    hosts = [ssh_fleet.add(name) for name in ("pixel", "mugen", "macbook")]
    assert recover(ssh_fleet, spec).code == 0
    wedged = hosts[1]
    before = panes(wedged.tmux)
    pid = wedged.tmux.pid()
    assert pid is not None
    for host in (hosts[0], hosts[2]):
        _kill_window(host.tmux)
    os.kill(pid, signal.SIGSTOP)
    try:
        done = recover(ssh_fleet, spec)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert done.code == 1, done.output
    assert "the tmux server does not answer" in done.output
    assert "Traceback" not in done.output
    for host in (hosts[0], hosts[2]):
        assert "kaede" in panes(host.tmux)
    assert panes(wedged.tmux) == before


def test_a_dry_run_shows_the_plan_and_changes_nothing(ssh_fleet: Fleet, built: SshHost, spec: Path) -> None:
    _kill_agent(built.tmux)
    built.tmux.run("kill-window", "-t", "=miyabi:monitor")
    before = built.tmux.run("list-panes", "-a", "-F", "#{pane_id} #{pane_pid} #{pane_dead}")
    inventory = ssh_fleet.write_inventory({"mugen": {"spec": str(spec)}})
    done = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "--dry")
    assert done.code == 0, done.output
    assert "L1 Restarting pane miyabi:codegen-1.kaede (died by signal 9)" in done.output, done.output
    assert "L2 Rebuilding window miyabi:monitor (not there)" in done.output
    assert built.tmux.run("list-panes", "-a", "-F", "#{pane_id} #{pane_pid} #{pane_dead}") == before
    assert not (built.home / ".local/state/miyabi/snapshots").exists()


@pytest.mark.slow
def test_a_session_that_a_human_made_is_adopted(ssh_fleet: Fleet, ssh_host: SshHost, spec: Path) -> None:
    tmux = ssh_host.tmux
    tmux.start("miyabi", AGENT)
    tmux.run("rename-window", "-t", "=miyabi:", "codegen-1")
    tmux.run("split-window", "-t", "=miyabi:", AGENT)
    tmux.run("split-window", "-t", "=miyabi:")
    tmux.run("new-window", "-t", "=miyabi:", "-n", "mine", "sleep 1000")
    before = {(pane.pane_id, pane.pane_pid) for pane in tmux.libtmux.panes}
    done = recover(ssh_fleet, spec)
    assert done.code == 0, done.output
    after = {(pane.pane_id, pane.pane_pid) for pane in tmux.libtmux.panes}
    assert before < after
    assert len(after) == len(before) + 2
    assert set(panes(tmux)) == {"guardian", "kaede", "sakura", "miyabi:codegen-1.3", "miyabi:monitor.1"}
    assert "found running and adopted" in done.output
    assert_no_changes(recover(ssh_fleet, spec))


@pytest.fixture
def adopted(ssh_fleet: Fleet, ssh_host: SshHost, spec: Path) -> SshHost:
    """A host whose agent kaede was started by a human, by hand, in a shell."""
    tmux = ssh_host.tmux
    tmux.start("miyabi")
    tmux.run("rename-window", "-t", "=miyabi:", "codegen-1")
    tmux.run("send-keys", "-t", "=miyabi:", AGENT.removeprefix("exec "), "Enter")
    wait_until(lambda: "sleep 4242" in ssh_host.machine.sh("ps -A -o args=").stdout)
    assert recover(ssh_fleet, spec).code == 0
    return ssh_host


def _agent_of(host: SshHost) -> int:
    """The pid of the agent below kaede's shell."""
    shell = panes(host.tmux)["kaede"][1]
    return next(iter(set(processes.descendants([shell])) - {shell}))


@pytest.mark.slow
def test_an_agent_that_left_its_shell_is_typed_again(ssh_fleet: Fleet, adopted: SshHost, spec: Path) -> None:
    pane, agent = panes(adopted.tmux)["kaede"], _agent_of(adopted)
    adopted.tmux.run("copy-mode", "-t", pane[0])
    os.kill(agent, signal.SIGKILL)
    wait_until(lambda: not processes.alive(agent))
    spec.write_text(spec.read_text().replace(AGENT, "sleep 4242", 1))
    done = recover(ssh_fleet, spec)
    assert done.code == 0, done.output
    assert "L1 Restarting agent miyabi:codegen-1.kaede (only an idle shell is left in it)" in done.output
    assert panes(adopted.tmux)["kaede"] == pane
    assert _agent_of(adopted) != agent
    assert_no_changes(recover(ssh_fleet, spec))


@pytest.mark.slow
def test_an_agent_that_does_not_stay_in_its_shell_gets_a_pane_of_its_own(
    ssh_fleet: Fleet, adopted: SshHost, spec: Path
) -> None:
    before = panes(adopted.tmux)
    agent = _agent_of(adopted)
    # In an interactive shell it lives long enough to be seen; only as the pane's own process it stays.
    spec.write_text(spec.read_text().replace(AGENT, "case $- in *i*) sleep 1;; *) exec sleep 4242;; esac", 1))
    os.kill(agent, signal.SIGKILL)
    wait_until(lambda: not processes.alive(agent))
    done = recover(ssh_fleet, spec)
    assert done.code == 0, done.output
    assert "L1 did not hold" in done.output
    assert "L2_SESSION restored" in done.output
    after = panes(adopted.tmux)
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == {"kaede"}
    assert_no_changes(recover(ssh_fleet, spec))


def test_a_host_that_ssh_cannot_reach_stops_no_other(ssh_fleet: Fleet, spec: Path) -> None:
    away, here = ssh_fleet.add("pixel"), ssh_fleet.add("mugen")
    away.stop_sshd()
    done = recover(ssh_fleet, spec)
    assert done.code == 1, done.output
    assert "[mugen] L3_FULL restored" in done.output
    assert re.search(r"\[pixel\] not reached since .* UTC \(never reached from here\)\n", done.output)
    assert "kaede" in panes(here.tmux)
    assert "Traceback" not in done.output


@pytest.mark.slow
def test_the_snapshot_keeps_what_was_on_the_screens(ssh_fleet: Fleet, built: SshHost, spec: Path) -> None:
    built.tmux.run("send-keys", "-t", panes(built.tmux)["guardian"][0], "remember me", "Enter")
    wait_until(lambda: "remember me" in screen(built.tmux, panes(built.tmux)["guardian"][0]))
    _kill_two_of_three(built.tmux)
    assert recover(ssh_fleet, spec).code == 0
    [snapshot] = (built.home / ".local/state/miyabi/snapshots").iterdir()
    assert "remember me" in "".join(path.read_text() for path in snapshot.glob("pane-*.txt"))
    assert "codegen-1" in (snapshot / "listing").read_text()
    assert snapshot.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in snapshot.iterdir()} == {0o600}


@pytest.mark.slow
def test_the_setup_script_runs_when_l3_acted_and_only_then(ssh_fleet: Fleet, ssh_host: SshHost, spec: Path) -> None:
    script = ssh_host.home / "set up.sh"
    script.write_text('#!/bin/sh\necho "$1" >>"$HOME/setup-ran"\n')
    script.chmod(0o755)
    recovery = {"setup_script": "'~/set up.sh' 'it is $HOME'"}
    spec.write_text(yaml.safe_dump({"sessions": SPEC["sessions"], "recovery": recovery}))
    assert recover(ssh_fleet, spec).code == 0
    ran = ssh_host.home / "setup-ran"
    assert ran.read_text() == f"it is {ssh_host.home}\n"
    _kill_window(ssh_host.tmux)
    assert recover(ssh_fleet, spec).code == 0
    assert ran.read_text().count("\n") == 1
