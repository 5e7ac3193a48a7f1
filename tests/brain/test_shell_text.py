"""Words that reach a shell arrive literally, and only what the host is to expand is expanded."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings, strategies as st

from miyabi.shell import HostText, Secret, quoted
from miyabi.spec import TmuxServer
from miyabi.tmux_command import MESSAGE_LIMIT, client_calls

SHELLS = [shell for shell in ("dash", "bash", "mksh", "zsh", "yash", "busybox") if shutil.which(shell)]
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


def said(shell: str, word: str) -> str:
    words = ["busybox", "sh"] if shell == "busybox" else [shell]
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/home/me", "NAME": "it's $x", "LANG": "C.UTF-8"}
    done = subprocess.run([*words, "-c", f"printf %s {word}"], capture_output=True, env=environment, check=True)
    return done.stdout.decode()


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("~/a b", "/home/me/a b"),
        ("~", "/home/me"),
        ("~root/x", "~root/x"),
        ("a/~/b", "a/~/b"),
        ("$NAME-${NAME}y", "it's $x-it's $xy"),
        ("$NOPE/${NOPE}", "$NOPE/$NOPE"),
        ("$(id) `id` $1 $$ ${NAME:-x}", "$(id) `id` $1 $$ ${NAME:-x}"),
        ("", ""),
    ],
)
def test_the_host_expands_home_and_variables_and_nothing_else(shell: str, text: str, expected: str) -> None:
    assert said(shell, quoted(HostText(text))) == expected


@settings(max_examples=50, deadline=None)
@given(TEXT)
def test_text_arrives_literally(text: str) -> None:
    assert said("dash", quoted(text)) == text
    if "$" not in text and not text.startswith("~"):
        assert said("dash", quoted(HostText(text))) == text


def _text(parts: list[str | Secret]) -> str:
    return "".join(quoted(part.word) if isinstance(part, Secret) else part for part in parts)


def test_a_last_semicolon_does_not_end_a_tmux_command() -> None:
    assert "'a\\;'" in _text(client_calls([[("send-keys", "-l", "--", "a;")]], TmuxServer()))
    assert " ';a' " in _text(client_calls([[("send-keys", "-l", ";a", "b")]], TmuxServer()))


def test_a_long_plan_is_cut_between_its_groups() -> None:
    group = [("send-keys", "-l", "--", "x" * 1000), ("send-keys", "Enter")]
    text = _text(client_calls([group] * 30, TmuxServer(socket_name="own")))
    calls = text.split("calls() { tmux -u -L own")[1:]
    assert len(calls) == 3
    assert all(len(call) < MESSAGE_LIMIT + 1000 for call in calls)
    assert all(call.count("Enter") == call.count("x" * 1000) for call in calls)


def test_secrets_are_parts_of_their_own() -> None:
    parts = client_calls([[("set-environment", "K", Secret(HostText("top$x secret")))]], TmuxServer())
    assert [part for part in parts if isinstance(part, Secret)] == [Secret(HostText("top$x secret"))]
    assert "secret" not in "".join(part for part in parts if isinstance(part, str))


def test_the_call_that_starts_a_server_carries_nothing_else() -> None:
    group = [("new-session", "-d", "-s", "s"), ("set-environment", "K", Secret(HostText("v"))), ("new-window",)]
    first, second = _text(client_calls([group, [("new-session", "-s", "t")]], TmuxServer())).split(" && ")
    assert first.startswith("calls() { tmux -u new-session -d -s s; }")
    assert second.startswith("calls() { tmux -u set-environment K v \\; new-window \\; new-session -s t; }")
