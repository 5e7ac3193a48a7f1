"""The commands against real hosts behind real sshds, through real pyinfra and tmux."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.acting import SPEC, Clone
from tests.fleet.control import Fleet
from tests.fleet.sshd import SshHost
from tests.recovery.operating import kill, named_panes

pytestmark = pytest.mark.slow


@pytest.fixture
def clone(ssh_fleet: Fleet) -> Clone:
    """A clone that knows the host mugen, whose spec wants a session."""
    clone = Clone.of(ssh_fleet)
    clone.write_spec("mugen", SPEC)
    return clone


@pytest.fixture
def mugen(ssh_fleet: Fleet, clone: Clone) -> SshHost:
    """The host mugen, its fleet built by the command itself."""
    host = ssh_fleet.add("mugen")
    done = clone.miyabi("recover", "--limit", "mugen")
    assert done.code == 0, done.output
    assert re.search(r"mugen +restored +L3 +work +restored in \d", done.stdout)
    return host


def test_status_explain_pause_recover_and_resume(clone: Clone, mugen: SshHost) -> None:
    well = clone.miyabi("status")
    assert well.code == 0, well.output
    assert re.search(r"^mugen +healthy", well.stdout, re.MULTILINE)
    assert re.search(r"^@local +healthy", well.stdout, re.MULTILINE)
    assert "2 hosts: 2 healthy" in well.stdout

    kill(mugen.tmux, "kaede")
    told = clone.told("status", "--limit", "mugen", code=2)
    [host] = told["hosts"]
    [drift] = host["drifts"]
    assert (told["exit_code"], host["host"], host["health"]) == (2, "mugen", "drift")
    assert (drift["target"], drift["kind"], drift["level"]) == ("work:main.kaede", "pane-dead", "L1")
    assert drift["gate"] == {"allowed": True, "rule": "", "reason": "", "again_at": None}
    assert host["observation"]["agents"] == {"work:main.kaede": "dead", "work:main.sakura": "running"}

    paused = clone.miyabi("pause", "kaede", "--for", "2h", "--reason", "I look at it")
    assert paused.code == 0, paused.output
    assert re.search(r"^mugen:work:main.kaede is left alone until .*UTC.*: I look at it$", paused.stdout, re.MULTILINE)
    held = clone.miyabi("status")
    assert held.code == 2, held.output
    assert re.search(r"died by signal 9", held.stdout)
    assert re.search(r"held until (\w{3} )?\d\d:\d\d", held.stdout)
    assert "1 drift, 1 held" in held.stdout

    left = clone.miyabi("recover", "--limit", "mugen")
    assert left.code == 2, left.output
    assert re.search(r"^mugen +held +L1 +work:main.kaede +held until", left.stdout, re.MULTILINE)
    assert "kaede" not in named_panes(mugen.tmux)

    why = clone.miyabi("explain", "kaede")
    assert why.code == 2, why.output
    assert "mugen:work:main.kaede: drift, L1 has its turn" in why.stdout
    assert re.search(r"^the gate +held by pause until .*: .*I look at it", why.stdout, re.MULTILINE)
    assert "miyabi resume mugen:work:main.kaede" in why.stdout

    resumed = clone.miyabi("resume", "mugen:work")
    assert resumed.code == 0, resumed.output
    assert "the pause of mugen:work:main.kaede is over: I look at it" in resumed.stdout
    before = named_panes(mugen.tmux)
    done = clone.told("recover", "--limit", "mugen")
    [outcome] = done["hosts"]
    assert (outcome["outcome"], [each["target"] for each in outcome["repaired"]]) == ("restored", ["work:main.kaede"])
    after = named_panes(mugen.tmux)
    assert {name: pid for name, pid in after.items() if name != "kaede"} == before
    happened = clone.miyabi("history", "mugen")
    assert happened.code == 0, happened.output
    assert re.search(r"mugen:work:main.kaede +L1 restored in", happened.stdout)
    assert re.search(r"mugen:work:main.kaede +held by pause: ", happened.stdout)
    assert re.search(r"mugen:work +signal resume", happened.stdout)


def test_a_wider_pause_stays_and_says_so(clone: Clone, mugen: SshHost) -> None:
    assert clone.miyabi("pause", "mugen", "--for", "1h").code == 0
    done = clone.miyabi("resume", "kaede")
    assert done.code == 1
    assert "mugen:work:main.kaede is still paused, as a part of mugen, until" in done.stderr
    assert "miyabi resume mugen" in done.stderr
    assert [each["host"] for each in clone.told("pause")["pauses"]] == ["mugen"]
    assert clone.miyabi("resume", "mugen").code == 0
    assert clone.told("pause")["pauses"] == []


def test_hosts_that_are_not_reached_are_in_the_table(ssh_fleet: Fleet, clone: Clone, mugen: SshHost) -> None:
    clone.write_spec("pixel", {**SPEC, "availability": "intermittent"})
    ssh_fleet.add("pixel").stop_sshd()
    asleep = clone.miyabi("status")
    assert asleep.code == 0, asleep.output
    assert re.search(r"^pixel +asleep", asleep.stdout, re.MULTILINE)
    mugen.stop_sshd()
    gone = clone.miyabi("status")
    assert gone.code == 1, gone.output
    assert re.search(r"^mugen +unreachable", gone.stdout, re.MULTILINE)
    alone = clone.told("status", "--limit", "mugen", code=1)
    assert alone["hosts"][0]["health"] == "unreachable"
    assert "Could not connect" in alone["hosts"][0]["reason"]
    why = clone.miyabi("explain", "mugen")
    assert why.code == 1, why.output
    assert "mugen could not be looked at since" in why.stdout
    failed = clone.miyabi("recover", "--limit", "mugen")
    assert failed.code == 1, failed.output
    told = clone.miyabi("signal", "instance-failure", "mugen")
    assert told.code == 1
    assert "it is not reached since" in told.stderr
    assert "no EC2 instance of inventory/ec2.yaml" in told.stderr
    listed = clone.miyabi("incidents")
    assert listed.code == 0, listed.output
    assert re.search(r"^HIGH +open .*mugen", listed.stdout, re.MULTILINE)
    again = clone.told("signal", "instance-failure", "mugen", code=1)
    assert [each["incident"] for each in clone.told("incidents")["incidents"]] == [again["incident"]]


def test_a_signal_makes_it_look_and_ends_nothing_that_lives(clone: Clone, mugen: SshHost) -> None:
    before = named_panes(mugen.tmux)
    well = clone.miyabi("signal", "agent-unresponsive", "kaede")
    assert well.code == 0, well.output
    assert "mugen:work:main.kaede is as its spec says: nothing was done" in well.stdout
    assert named_panes(mugen.tmux) == before
    kill(mugen.tmux, "kaede")
    kill(mugen.tmux, "sakura")
    mended = clone.miyabi("signal", "agent-timeout", "kaede")
    assert mended.code == 0, mended.output
    assert "mugen:work:main.kaede: died by signal 9" in mended.stdout
    assert {"kaede", "sakura"} <= set(named_panes(mugen.tmux))
    mugen.tmux.run("new-session", "-d", "-s", "human")
    mugen.tmux.run("kill-session", "-t", "=work")
    back = clone.told("signal", "session-crash", "mugen:work")
    assert (back["max_level"], back["hosts"][0]["outcome"]) == ("L3", "restored")
    answers = clone.miyabi("signal", "instance-failure", "mugen")
    assert answers.code == 1
    assert "mugen: it answers, and is healthy" in answers.stderr
    assert "unreachable" not in [each["kind"] for each in clone.told("incidents")["incidents"]]


def test_dry_shows_the_plan_and_changes_nothing(clone: Clone, mugen: SshHost) -> None:
    assert clone.miyabi("recover", "--dry").code == 0
    mugen.tmux.run("kill-window", "-t", "=work:monitor")
    done = clone.miyabi("recover", "--dry", "--limit", "mugen")
    assert done.code == 2, done.output
    assert "L2 Rebuilding window work:monitor" in done.stderr
    assert re.search(r"^mugen +drift .* L2 +work:monitor", done.stdout, re.MULTILINE)
    assert "nothing was changed" in done.stdout
    assert "monitor" not in named_panes(mugen.tmux)
    assert clone.told("recover", "--dry", code=2)["dry"] is True


def test_levels_and_scopes_reach_the_deploy(clone: Clone, mugen: SshHost) -> None:
    mugen.tmux.run("kill-window", "-t", "=work:monitor")
    low = clone.miyabi("recover", "--limit", "mugen", "--max-level", "L1")
    assert low.code == 1, low.output
    assert "monitor" not in named_panes(mugen.tmux)
    elsewhere = clone.miyabi("recover", "--limit", "mugen", "--scope", "performance")
    assert "monitor" not in named_panes(mugen.tmux), elsewhere.output
    assert clone.miyabi("recover", "--limit", "mugen", "--scope", "agents").code == 0
    assert "monitor" in named_panes(mugen.tmux)


@pytest.mark.parametrize("asked", ["SIGINT", "SIGTERM"])
def test_interrupting_ends_pyinfra_and_says_what_was_left(clone: Clone, mugen: SshHost, asked: str) -> None:
    script = mugen.home / "slow.sh"
    script.write_text("sleep 30\n")
    clone.write_spec("mugen", {**SPEC, "recovery": {"setup_script": f"sh {script}"}})
    mugen.tmux.run("kill-server")
    # Its session was made just now: without this it would wait for its backoff.
    assert clone.miyabi("resume", "mugen").code == 0
    control = clone.fleet.control
    program = f"""
import signal, subprocess, sys
command = [sys.executable, "-m", "miyabi", "recover", "--limit", "mugen"]
process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
said = []
for line in process.stderr:
    said.append(line)
    if "L3 Creating session work" in line:
        process.send_signal(signal.{asked})
print("".join(said), process.wait())
"""
    done = control.run("python3", "-c", program, cwd=clone.folder, timeout=60)
    assert "interrupted: pyinfra was ended" in done.stdout, done.output
    assert "mugen:work: L3 was begun, and what came of it is not known" in done.stdout
    assert "Traceback" not in done.output
    assert done.stdout.strip().endswith("130")
    assert done.seconds < 25
    assert not any(_is_pyinfra(pid) for pid in control.processes())


def _is_pyinfra(pid: int) -> bool:
    try:
        return b"pyinfra" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
