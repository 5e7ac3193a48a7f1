"""What the commands refuse, what their help costs, and what they say outside a clone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from miyabi.cli import main

REPOSITORY = Path(__file__).parents[2]
COMMANDS = ("status", "recover", "explain", "history", "incidents", "pause", "resume", "signal")


@pytest.fixture(autouse=True)
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A memory of the test's own, and the clone as the working directory."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(REPOSITORY)
    return tmp_path / "state" / "miyabi"


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_the_commands_are_there_and_their_help_imports_nothing_dear() -> None:
    dear = ("sqlalchemy", "rich", "pydantic", "apprise", "tenacity", "yaml", "pyinfra")
    script = f"""
import sys
from click.testing import CliRunner
from miyabi.cli import main
said = CliRunner().invoke(main, ["--help"]).output
assert all(f"\\n  {{name}} " in said for name in {COMMANDS!r}), said
sys.exit(", ".join(name for name in {dear!r} if name in sys.modules) or 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_elsewhere_than_in_a_clone_they_say_so(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = {"explain": ["x"], "resume": ["x"], "pause": ["x"], "signal": ["session-crash", "x"]}.get(command, [])
    result = run(command, *words)
    assert result.exit_code == 1
    assert "not a clone of the repository; change to one, then try again" in result.output


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["status", "--limit", "mugne"], 1, "--limit mugne: no such host; there are @local, control"),
        (["status", "--limit", "pixel"], 1, "--limit pixel: left out: ssh does not know it on this machine"),
        (["recover", "--limit", "nosuch"], 1, "--limit nosuch: no such host; there are @local, control"),
        (["recover", "--scope", "everything"], 2, "'everything' is not one of 'auto', 'agents'"),
        (["recover", "--max-level", "L5"], 2, "'L5' is not one of 'L1', 'L2', 'L3', 'L4'"),
        (["explain", "wacth"], 1, "wacth: no such host or target; hosts: @local, control; did you mean watch?"),
        (["explain", "all"], 1, "for the fleet: miyabi status"),
        (["explain", "control:nosuch"], 1, "control:nosuch: @local has nothing of that name"),
        (["history", "--since", "yesterday"], 2, "'yesterday'; allowed: a number of seconds"),
        (["history", "--limit", "0"], 2, "0 is not in the range x>=1"),
        (["history", "nosuch"], 1, "nosuch: no such host or target"),
        (["history", "control", "--causes"], 2, "leave the TARGET out"),
        (["pause", "control", "--for", "soon"], 2, "'soon'; allowed: a number of seconds"),
        (["pause", "control", "--for", "0"], 2, "'0'; allowed: 1s or more"),
        (["pause", "mugen"], 1, "mugen: no such host or target; hosts: @local, control"),
        (["resume", "nosuch"], 1, "nosuch: no such host or target"),
        (["signal", "agent-dead", "control"], 2, "'agent-dead' is not one of 'agent-unresponsive'"),
        (["signal", "session-crash", "all"], 1, "a signal is about one host"),
        (["signal", "session-crash", "nosuch"], 1, "nosuch: no such host or target"),
    ],
)
def test_what_is_refused_says_what_is_wrong_and_what_is_allowed(arguments: list[str], code: int, said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert said in result.output


def test_pause_and_resume_and_an_empty_history() -> None:
    assert run("pause").output == "nothing is paused\n"
    paused = run("pause", "watch", "--reason", "one\ntwo \x1b[31m")
    assert paused.exit_code == 0, paused.output
    assert paused.output.startswith("@local:miyabi-control:watch.watch is left alone until ")
    assert "one two \\x1b[31m" in paused.output
    told = json.loads(run("pause", "--json").output)
    assert [(each["host"], each["target"]) for each in told["pauses"]] == [("@local", "miyabi-control:watch.watch")]
    everything = json.loads(run("pause", "all", "--json").output)
    assert (everything["paused"]["host"], everything["paused"]["target"]) == ("", "")
    held = run("resume", "watch")
    assert held.exit_code == 1
    assert "is still paused, as a part of the whole fleet, until" in held.output
    assert "miyabi resume all" in held.output
    assert run("resume", "all").exit_code == 0
    assert run("pause").output == "nothing is paused\n"
    told = json.loads(run("history", "--json").output)
    assert [(each["kind"], each["details"]["signal"]) for each in told["events"]] == [("signal", "resume")] * 2
    assert json.loads(run("history", "--causes", "--json").output)["causes"] == []
    assert json.loads(run("incidents", "--json").output)["incidents"] == []


def test_what_was_paused_can_be_resumed_when_it_is_gone_from_the_spec(memory: Path) -> None:
    from miyabi.gate import Pause  # noqa: PLC0415
    from miyabi.pauses import add_pause  # noqa: PLC0415

    add_pause(memory, Pause("@local", "gone:main.kaede", 4e9, "it was there"))
    result = run("resume", "gone:main.kaede")
    assert result.exit_code == 0, result.output
    assert "the pause of @local:gone:main.kaede is over: it was there" in result.output


def test_a_pause_that_cannot_be_kept_is_an_error(memory: Path) -> None:
    memory.parent.mkdir(parents=True)
    memory.write_text("no folder")
    for arguments in (["pause", "watch"], ["resume", "watch"]):
        result = run(*arguments)
        assert result.exit_code == 1
        assert str(memory) in result.output


def test_a_history_that_cannot_be_opened_is_an_error(memory: Path) -> None:
    memory.parent.mkdir(parents=True)
    memory.write_text("no folder")
    result = run("history")
    assert result.exit_code == 1
    assert str(memory) in result.output
