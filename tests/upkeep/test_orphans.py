"""Generations of a server: which is ours, which is adopted, and what nobody owns any more."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from typing import Any

import pytest

from miyabi import daemon, daemon_script
from miyabi.daemon import orphans
from operations import bring_up, processes
from tests.fleet.machine import Machine
from tests.fleet.processes import alive, end
from tests.fleet.waiting import wait_until
from tests.recovery.operating import operate
from tests.upkeep.servers import arguments_for, begin, hurry, keep_up, look, pids, sleeping, some_number, stop


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


@pytest.fixture
def server(machine: Machine) -> dict[str, Any]:
    """The arguments for a server on a free port of the machine."""
    return arguments_for(machine)


def leave_orphan(machine: Machine, server: dict[str, Any], *, port: int | None = None) -> int:
    """A process that looks like the server's and has lost its parent; on another port, unless one is given."""
    script, _ = server["match"].split()
    note = machine.home / "orphan"
    wanted = f"{server['match']}" if port is None else f"{script} {port}"
    python = shlex.quote(sys.executable)
    machine.sh(
        f"setsid -f sh -c 'echo $$ >{note}; exec {python} -c \"import time; time.sleep(600)\" {wanted}' >/dev/null 2>&1"
    )
    return int(wait_until(lambda: note.exists() and note.read_text().strip(), what="the orphan"))


def test_orphans_are_told_and_only_then_reaped(
    machine: Machine, server: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "ORPHAN_AGE", 0.0)
    assert not keep_up(machine, server).failed
    [pid] = pids(machine, server)
    orphan = leave_orphan(machine, server)
    # An agent's own server: its parent, this test, lives.
    owned = begin(machine, *sleeping(server))
    wait_until(lambda: len(pids(machine, server)) == 3, what="all three")
    told = keep_up(machine, server)
    assert not told.failed
    assert told.commands == []
    assert any(f"{orphan} (" in line and "nobody owns" in line for line in told.said)
    assert alive(orphan)
    run = keep_up(machine, server, orphans="reap")
    assert not run.failed
    assert not alive(orphan)
    assert alive(pid)
    assert owned.poll() is None
    assert keep_up(machine, server, orphans="reap").commands == []
    stop(owned)


def test_a_young_orphan_is_left_in_peace(machine: Machine, server: dict[str, Any]) -> None:
    assert not keep_up(machine, server).failed
    orphan = leave_orphan(machine, server)
    wait_until(lambda: len(pids(machine, server)) == 2, what="both")
    run = keep_up(machine, server, orphans="reap")
    assert run.commands == []
    assert not any("nobody owns" in line for line in run.said)
    assert alive(orphan)


@pytest.mark.slow
def test_what_was_no_orphan_any_more_is_not_ended(machine: Machine, server: dict[str, Any]) -> None:
    """Mark, parent and command line are looked at again on the host."""
    orphan = leave_orphan(machine, server)
    wait_until(lambda: orphan in pids(machine, server), what="the orphan's own program")
    [seen] = [each for each in look(machine, server).processes if each.pid == orphan]
    script, match = daemon_script.reap_script, server["match"]
    other_mark = replace(seen, mark=str(int(seen.mark or 0) + 1))
    for text in (
        script("x", [other_mark], match, {1}),
        script("x", [seen], "another " + match, {1}),
        script("x", [seen], match, {4711}),
    ):
        machine.sh(text)
        assert alive(orphan)
    assert machine.sh(script("x", [seen], match, {1})).code == 0
    assert not alive(orphan)


def test_one_that_ignores_being_asked_is_killed(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon_script, "END_PATIENCE", 1)
    match = f"deaf-{some_number()}"
    server = {"process": "deaf", "start": f"trap '' TERM; while :; do sleep 0.1; done # {match}", "match": match}
    assert not keep_up(machine, server).failed
    [pid] = [each.pid for each in look(machine, server).processes if each.matches]
    run = operate(machine, processes.restarted, **server)
    assert not run.failed
    assert not alive(pid)


def test_a_server_that_runs_already_is_adopted(machine: Machine, server: dict[str, Any]) -> None:
    machine.sh(f"setsid -f sh -c {shlex.quote(server['start'])} >/dev/null 2>&1")
    [pid] = wait_until(lambda: pids(machine, server), what="the server")
    wait_until(lambda: look(machine, server).listening, what="its port")
    first = keep_up(machine, server)
    assert not first.failed
    assert look(machine, server).recorded is not None
    assert pids(machine, server) == [pid]
    assert keep_up(machine, server).commands == []
    assert orphans(look(machine, server), server["match"]) == ()


def test_of_several_the_one_that_holds_the_port_is_adopted(
    machine: Machine, server: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "ORPHAN_AGE", 0.0)
    machine.sh(f"setsid -f sh -c {shlex.quote(server['start'])} >/dev/null 2>&1")
    wait_until(lambda: look(machine, server).listening, what="its port")
    [pid] = pids(machine, server)
    orphan = leave_orphan(machine, server)
    wait_until(lambda: len(pids(machine, server)) == 2, what="both")
    assert not keep_up(machine, server, orphans="reap").failed
    wait_until(lambda: not alive(orphan))
    assert pids(machine, server) == [pid]
    assert (look(machine, server).recorded or (0, ""))[0] == pid


def test_a_pid_of_another_process_is_never_ours(machine: Machine, server: dict[str, Any]) -> None:
    record = machine.home / ".local/state/miyabi/processes/kaede-mcp"
    record.parent.mkdir(parents=True)
    stranger = begin(machine, "sleep", "600")
    record.write_text(f"{stranger.pid} 17\n")
    assert daemon.ours(look(machine, server)) == ()
    run = operate(machine, processes.restarted, **server)
    assert not run.failed
    assert stranger.poll() is None
    assert len(pids(machine, server)) == 1
    stop(stranger)


def test_restarted_ends_the_whole_generation(machine: Machine, server: dict[str, Any]) -> None:
    server["start"] = server["start"].replace("exec ", "") + "; true"
    assert not keep_up(machine, server).failed
    before = {each.pid for each in look(machine, server).processes}
    assert len(before) == 2
    run = operate(machine, processes.restarted, **server)
    assert not run.failed
    assert not any(alive(pid) for pid in before)
    assert look(machine, server).listening


def test_one_that_hangs_is_ended_only_when_it_is_ours_and_old(
    machine: Machine, server: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf = {
        **server,
        "start": f"exec {shlex.quote(sys.executable)} -c 'import time; time.sleep(600)' {server['match']}",
    }
    monkeypatch.setattr(bring_up, "_PATIENCE", 0.3)
    assert keep_up(machine, deaf).failed
    [pid] = pids(machine, server)
    young = keep_up(machine, server)
    assert not young.failed
    assert young.commands == []
    assert any("it is starting" in line for line in young.said)
    monkeypatch.setattr(daemon, "START_GRACE", 0.0)
    monkeypatch.setattr(bring_up, "_PATIENCE", 3.0)
    assert not keep_up(machine, server).failed
    assert not alive(pid)
    assert look(machine, server).listening
    # Somebody else's process is not ours to end.
    (machine.home / ".local/state/miyabi/processes/kaede-mcp").unlink()
    end(pids(machine, server))
    owned = begin(machine, *sleeping(server))
    wait_until(lambda: owned.pid in pids(machine, server), what="the other one")
    foreign = keep_up(machine, server)
    assert foreign.failed
    assert owned.poll() is None
    assert any("was not started here" in line for line in foreign.said)
    stop(owned)


def test_who_only_looks_at_it_is_no_server(machine: Machine, server: dict[str, Any]) -> None:
    script = machine.home / "kaede-mcp.py"
    looking = [
        begin(machine, "tail", "-F", str(script), server["match"]),
        begin(machine, "sh", "-c", f"sleep 600; : {server['match']}"),
    ]
    wait_until(lambda: sum(each.matches for each in look(machine, server).processes) == 2, what="the lookers")
    assert pids(machine, server) == []
    assert not keep_up(machine, server).failed
    assert len(pids(machine, server)) == 1
    assert all(each.poll() is None for each in looking)
    stop(*looking)
