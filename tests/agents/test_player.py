"""The fake agents behave as the real ones do: what else is tested with them stands on this."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from miyabi.sandbox.imitations.agent.control import control_name
from miyabi.sandbox.imitations.agent.options import Options
from miyabi.sandbox.imitations.agent.scenes import MARKS
from miyabi.sandbox.imitations.agent.screen import wrapped
from miyabi.sandbox.imitations.agent.terminal import keys_of
from tests.agents.conftest import Stage
from tests.fleet.processes import alive
from tests.fleet.waiting import wait_until

_MARK = MARKS["claude"]
_HOUR = time.time() + 3600

_SHOWN = [
    ("claude", "working", {}, "esc to interrupt)"),
    ("claude", "permission", {}, "Do you want to proceed?"),
    ("claude", "trust", {}, "Do you trust the files in this folder?"),
    ("claude", "bypass", {}, "Claude Code running in Bypass Permissions mode"),
    ("claude", "limited", {}, "You've hit your session limit · resets "),
    ("claude", "limited", {"how": "menu"}, "Stop and wait for limit to reset"),
    ("claude", "limited", {"how": "auto"}, "Usage limit reached · continuing automatically at "),
    ("claude", "limited", {"text": "resets Jul 18 at 4am"}, "resets Jul 18 at 4am"),
    ("claude", "overloaded", {"how": "retrying"}, "(attempt 1/10)"),
    ("claude", "overloaded", {"how": "final"}, "API Error: 529 Overloaded."),
    ("claude", "overloaded", {"how": "throttled"}, "(not your usage limit)"),
    ("claude", "overloaded", {"how": "stalled"}, "Response stalled mid-stream."),
    ("claude", "login", {}, "Please run /login · API Error: 401"),
    ("claude", "context-full", {}, "Context low · Run /compact to compact & continue"),
    ("claude", "context-full", {"how": "failed"}, "Conversation too long."),
    ("claude", "looping", {}, "Updated src/login.py with 1 addition"),
    ("codex", "working", {}, "• esc to interrupt)"),
    ("codex", "permission", {}, "Press enter to confirm or esc to cancel"),
    ("codex", "trust", {}, "Do you trust the contents of this directory?"),
    ("codex", "limited", {}, "You've hit your usage limit."),
    ("codex", "overloaded", {"how": "retrying"}, "retrying 1/5 in 1.4s"),
    ("codex", "overloaded", {"how": "final"}, "exceeded retry limit"),
    ("codex", "login", {}, "your refresh token was already used. Please log out and sign in again."),
    ("codex", "login", {"how": "revoked"}, "your refresh token was revoked"),
    ("codex", "context-full", {}, "ran out of room in the model's context window."),
]


@pytest.mark.slow
def test_each_play_looks_as_the_real_ones_do(stage: Stage) -> None:
    for kind in ("claude", "codex"):
        stage.play(kind, kind)
    for kind, play, told, text in _SHOWN:
        stage.agents.steered(kind, play, **told)
        stage.shows(kind, text)
    assert not stage.is_dead("claude")
    assert stage.agents.keys("claude") == ""


def test_what_is_typed_is_a_draft_until_enter_and_then_a_turn(stage: Stage) -> None:
    stage.play("kaede")
    stage.agents.steered("kaede", "idle", turn=0.5)
    stage.type("kaede", "-l", "fix the ログイン test; $(reboot)")
    stage.shows("kaede", f"{_MARK} fix the ログイン test; $(reboot)\n")
    assert stage.agents.turns("kaede") == ["work on the next issue"]
    stage.type("kaede", "BSpace")
    stage.type("kaede", "Enter")
    wait_until(lambda: stage.agents.turns("kaede")[-1] == "fix the ログイン test; $(reboot")
    stage.shows("kaede", "Crunched for 0s")
    assert "esc to interrupt" not in stage.screen("kaede")
    # A line that is pasted is a draft as any other.
    stage.tmux.run("set-buffer", "two\nlines")
    stage.tmux.run("paste-buffer", "-p", "-t", ":=kaede")
    stage.shows("kaede", f"{_MARK} two lines")
    assert len(stage.agents.turns("kaede")) == 2


@pytest.mark.parametrize(
    ("kind", "resume"), [("claude", "claude --resume {}"), ("claude", "claude -r {}"), ("codex", "codex resume {}")]
)
def test_a_conversation_goes_on(stage: Stage, kind: str, resume: str) -> None:
    stage.play("kaede", kind)
    stage.type("kaede", "-l", "the second")
    stage.type("kaede", "Enter")
    wait_until(lambda: len(stage.agents.turns("kaede")) == 2)
    session = stage.agents.starts("kaede")[0]["session"]
    stage.agents.steer("kaede", "crash", code=3)
    assert stage.ended("kaede") == ("3", "")
    stage.play("kaede", resume.format(session))
    start = stage.agents.starts("kaede")[-1]
    assert (start["session"], start["turns"], start["resumed"]) == (session, 2, True)
    stage.shows("kaede", f"{session[:8]} · turn 2")
    stage.shows("kaede", "the second")
    # It waits to be told: nothing goes on by itself.
    assert "esc to interrupt" not in stage.screen("kaede")


def test_conversations_are_kept_where_the_real_ones_keep_them(stage: Stage) -> None:
    home = stage.tmux.machine.home
    session = "74ede5c9-0000-4000-8000-000000000001"
    stage.play("kaede", f"claude --session-id {session} 'begin with this'")
    stage.play("sakura", "codex")
    folder = "".join(each if each.isalnum() and each.isascii() else "-" for each in str(home))
    rows = _rows(home / ".claude" / "projects" / folder / f"{session}.jsonl")
    assert [row["type"] for row in rows] == ["user", "assistant"]
    assert rows[0]["message"]["content"] == "begin with this"
    stage.agents.steered("kaede", "limited", until=_HOUR)
    last = _rows(home / ".claude" / "projects" / folder / f"{session}.jsonl")[-1]
    assert (last["isApiErrorMessage"], last["apiErrorStatus"], last["error"]) == (True, 429, "rate_limit")
    (rollout,) = (home / ".codex" / "sessions").glob("*/*/*/rollout-*.jsonl")
    meta = _rows(rollout)[0]
    assert meta["type"] == "session_meta"
    assert rollout.stem.endswith(meta["payload"]["id"])
    assert meta["payload"]["cwd"] == str(home)


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("claude --resume 74ede5c9-0000-4000-8000-00000000000f", "No conversation found with session ID: 74ede5c9-"),
        ("claude --continue", "No conversation found to continue"),
        ("codex resume 74ede5c9-0000-4000-8000-00000000000f", "No saved session found with ID 74ede5c9-"),
        ("claude --session-id nonsense", "Invalid session ID. Must be a valid UUID."),
    ],
)
def test_a_conversation_that_is_not_there_is_refused(stage: Stage, command: str, said: str) -> None:
    stage.play("kaede", command)
    assert stage.ended("kaede") == ("1", "")
    assert said in stage.screen("kaede")


def test_a_conversation_that_is_there_or_open_elsewhere_is_refused(stage: Stage) -> None:
    stage.play("kaede")
    session = stage.agents.starts("kaede")[0]["session"]
    stage.play("sakura", f"claude --session-id {session}")
    assert stage.ended("sakura") == ("1", "")
    assert f"Session ID {session} is already in use." in stage.screen("sakura")
    stage.agents.steer("botan", "background")
    stage.play("botan", f"claude --resume {session}")
    assert stage.ended("botan") == ("1", "")
    assert f"Run `claude attach {session[:8]}` to open it" in stage.screen("botan")


def test_a_limit_ends_when_its_time_has_come_and_not_before(stage: Stage) -> None:
    stage.play("kaede")
    stage.agents.steered("kaede", "limited", until=_HOUR)
    stage.type("kaede", "continue", "Enter")
    wait_until(lambda: stage.screen("kaede").count("hit your session limit") == 2)
    # A restart does not help, either.
    session = stage.agents.starts("kaede")[0]["session"]
    stage.play("kaede", f"claude --resume {session}")
    stage.shows("kaede", "hit your session limit")
    stage.agents.steered("kaede", "limited", until=time.time() - 60)
    stage.type("kaede", "continue", "Enter")
    stage.shows("kaede", "esc to interrupt)")
    assert stage.agents.turns("kaede").count("continue") == 2
    stage.agents.steered("kaede", "limited", until=time.time() + 0.5, how="auto")
    stage.shows("kaede", "esc to interrupt)")


def test_what_a_human_answers_goes_on(stage: Stage) -> None:
    stage.play("kaede")
    for play, told, keys in (
        ("permission", {}, ["1"]),
        ("trust", {}, ["Enter"]),
        ("bypass", {}, ["Down", "Enter"]),
        ("login", {}, ["/login", "Enter"]),
        ("context-full", {}, ["/compact", "Enter"]),
        ("overloaded", {"how": "final"}, ["continue", "Enter"]),
    ):
        stage.agents.steered("kaede", play, **told)
        stage.type("kaede", *keys)
        wait_until(lambda: stage.agents.events("kaede", "play")[-1]["play"] == "working", what=play)
    assert stage.agents.events("kaede", "compact")
    # Consent is not given by a blind Enter.
    stage.agents.steered("kaede", "bypass")
    stage.type("kaede", "Enter")
    assert stage.ended("kaede") == ("1", "")


@pytest.mark.parametrize(
    ("play", "told", "status", "number"),
    [
        ("crash", {"code": 7}, "7", ""),
        ("crash", {"signal": 11}, "", "11"),
        ("exit", {}, "130", ""),
        ("oom", {}, "", "6"),
        ("oom", {"signal": 9}, "", "9"),
    ],
)
def test_it_ends_as_it_is_told_to(stage: Stage, play: str, told: dict[str, int], status: str, number: str) -> None:
    stage.play("kaede", "exec claude")
    stage.agents.steer("kaede", play, **told)
    assert stage.ended("kaede") == (status, number)
    assert ("heap out of memory" in stage.screen("kaede")) == (play == "oom" and not told)


def test_it_ends_as_often_as_it_is_told_to(stage: Stage) -> None:
    stage.agents.steer("kaede", "crash", times=2)
    for _ in range(2):
        stage.play("kaede")
        assert stage.ended("kaede") == ("1", "")
    stage.play("kaede")
    stage.shows("kaede", "esc to interrupt)")


def test_it_leaves_a_shell(stage: Stage) -> None:
    stage.play("kaede", "exec claude")
    stage.agents.steer("kaede", "shell")
    pid = stage.agents.starts("kaede")[0]["pid"]
    wait_until(lambda: "sh" in Path(f"/proc/{pid}/comm").read_text())
    stage.type("kaede", "echo i am $((40 + 2))", "Enter")
    stage.shows("kaede", "i am 42")


def test_one_that_hangs_stands_still_and_says_busy(stage: Stage) -> None:
    for name, how in (("kaede", ""), ("sakura", "stopped"), ("botan", "alive")):
        stage.play(name)
        stage.agents.steered(name, "hang", how=how)
    first = {name: _settled(stage, name) for name in ("kaede", "sakura", "botan")}
    assert all("esc to interrupt)" in screen for screen in first.values())
    before = {name: _seconds(stage, name) for name in first}
    stage.type("kaede", "hello", "Enter")
    wait_until(
        lambda: _seconds(stage, "botan") > before["botan"] + 0.3, what="the one that is alive uses the processor"
    )
    assert {name: stage.screen(name) for name in ("sakura", "botan")} == {
        name: first[name] for name in ("sakura", "botan")
    }
    assert _seconds(stage, "kaede") == before["kaede"]
    assert _seconds(stage, "sakura") == before["sakura"]
    assert stage.agents.turns("kaede") == ["work on the next issue"]
    os.kill(stage.agents.starts("kaede")[0]["pid"], signal.SIGCONT)
    wait_until(lambda: "hello" in stage.agents.turns("kaede"))
    stage.agents.steered("botan", "working")
    wait_until(lambda: stage.screen("botan") != first["botan"])


def _settled(stage: Stage, name: str) -> str:
    """Its screen when two looks agree."""
    screens = [""]

    def agree() -> bool:
        screens.append(stage.screen(name))
        return screens[-1] == screens[-2] and "esc to interrupt" in screens[-1]

    wait_until(agree)
    return screens[-1]


def _seconds(stage: Stage, name: str) -> float:
    """The processor time of the agent and what it works with."""
    pid = stage.agents.starts(name)[-1]["pid"]
    family = [pid, *(int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    fields = [Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in family]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


def test_it_does_not_loop_by_itself_and_a_narrow_pane_is_drawn_anew(stage: Stage) -> None:
    stage.play("kaede")
    stage.tmux.run("resize-window", "-t", ":=kaede", "-x", "44", "-y", "12")
    wait_until(lambda: max(map(len, stage.screen("kaede").split("\n"))) <= 43)
    stage.shows("kaede", _MARK)
    assert all(alive(start["pid"]) for start in stage.agents.starts("kaede"))


def test_its_words_are_broken_where_the_real_ones_break_them() -> None:
    assert wrapped("  ⎿  one two three", 12) == ["  ⎿  one two", "    three"]
    assert wrapped("x" * 25, 10) == ["x" * 10, "  " + "x" * 8, "  " + "x" * 7]
    assert wrapped("", 10) == [""]


def test_its_options_are_those_of_the_real_ones() -> None:
    asked = Options("claude", ["--model", "opus", "--session-id=abc", "--dangerously-skip-permissions", "do it"])
    assert (asked.session_id, asked.resume, asked.prompt) == ("abc", None, "do it")
    asked = Options("codex", ["resume", "abc", "-c", "model=x", "--yolo", "do it"])
    assert (asked.resume, asked.prompt) == ("abc", "do it")
    assert Options("codex", ["resume", "--last"]).resume == ""
    assert Options("claude", ["-c"]).resume == ""
    assert Options("claude", ["--resume", "abc", "--fork-session"]).fork


def test_its_keys_and_names_are_read() -> None:
    assert keys_of("a\r\x1b[B\x1b[200~x\ny\x1b[201~\x03\x1b") == ["a", "enter", "down", "x", " ", "y", "c-c", "esc"]
    assert control_name({"MIYABI_AGENT": "../../etc/a b"}) == ".._.._etc_a_b"
    assert control_name({"TMUX_PANE": "%3"}) == "pane-3"
