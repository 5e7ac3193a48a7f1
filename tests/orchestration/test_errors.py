"""Each error has words for people, commands that can be pasted, and a true row in docs/errors.md."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest
from hypothesis import given, settings, strategies as st

from miyabi.cli import main
from miyabi.orchestration.error_table import ERRORS, words_of
from miyabi.orchestration.error_text import error_json, error_lines, guidance_json, guidance_lines
from miyabi.orchestration.error_words import Places, filled_in
from miyabi.orchestration.guidance import Found, FoundBackup, guidance
from tests.orchestration.test_every_error import HEALED, LEFT

ROOT = Path(__file__).parents[2]

# The error types of the specification of orchestrations, and what else is told.
_CODES = """
    SESSION_INIT_FAILED WORKSPACE_ACCESS_DENIED CONFIG_CORRUPTED RESOURCE_EXHAUSTION
    SESSION_TIMEOUT SESSION_CORRUPTED SESSION_LOCKED SESSION_ZOMBIE
    STATE_CONFLICT STATE_SIZE_EXCEEDED STATE_VALIDATION_FAILED STATE_CIRCULAR_REFERENCE
    STATE_SIZE_LIMIT_EXCEEDED MEMORY_EXHAUSTION PERSISTENCE_FAILED CACHE_OVERFLOW
    AGENT_SPAWN_FAILED AGENT_TIMEOUT AGENT_CRASHED AGENT_COMMUNICATION_LOST AGENT_CAPACITY_EXCEEDED
    TASK_ASSIGNMENT_FAILED CIRCULAR_DEPENDENCY DEPENDENCY_DEADLOCK TASK_ORPHANED
    HOOK_EXECUTION_FAILED HOOK_TIMEOUT HOOK_INFINITE_LOOP HOOK_PERMISSION_DENIED HOOK_DEPENDENCY_MISSING
    MESSAGE_QUEUE_OVERFLOW MESSAGE_DELIVERY_FAILED MESSAGE_CORRUPTION CHANNEL_UNAVAILABLE BROADCAST_FAILED
    STATE_CONSISTENCY_FAILED STATE_CORRUPTED AGENT_SYSTEM_FAILURE PERFORMANCE_DEGRADED
    EVENT_LOG_DAMAGED
"""
CODES = frozenset(_CODES.split())
PLACES = Places("/home/kaede/my repo", "session-it's $(id).json", "mugen", "backup-20261121T120000Z")
COMMANDS = sorted({action.command for words in ERRORS.values() for action in words.actions if action.command})

# Tests that take one error after the other, and of which they do.
EXAMPLES = {"test_it_is_found_and_healed": set(HEALED), "test_it_is_told_and_left": set(LEFT)}

_CODE = re.compile(r"^\| `([A-Z_]+)` \|")
_PROOF = re.compile(r"`(tests/[\w./-]+\.py)::(\w+)`")


def test_every_error_has_words() -> None:
    assert set(ERRORS) == CODES
    for code, words in ERRORS.items():
        assert words.code == code
        assert words.title, code
        assert words.happened.endswith("."), code
        assert words.causes, code
        assert words.actions, code
        assert words.safe.endswith("."), code
        text = [words.happened, *words.causes, words.safe, *(each.text for each in words.actions)]
        assert all(each.endswith(".") and len(each) < 300 for each in text), code
        assert len(words.title) < 60, code


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_one_that_there_is(command: str) -> None:
    filled = filled_in(command, PLACES)
    assert filled
    assert "{" not in filled
    for part in filled.split(" && "):
        words = shlex.split(part)
        if words[0] == "miyabi":
            accepted(words[1:])
        else:
            assert words[0] in {"df", "ls", "sudo"}


def accepted(words: list[str]) -> None:
    """Let click read a command line to its end, without running it."""
    command: click.Command = main
    context = command.make_context("miyabi", words[:1])
    while isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        assert found is not None, words[0]
        command, words = found, words[1:]
        context = command.make_context(command.name, list(words), parent=context)
        words = [*context._protected_args, *context.args] if isinstance(command, click.Group) else words


TEXT = st.text("ab é '\"$`\\;&|<>*?~!#(){}[]=-", min_size=1, max_size=12) | st.sampled_from(["a\nb", "a\x1bb", "$(id)"])


@settings(max_examples=60, deadline=None)
@given(TEXT, TEXT, TEXT)
def test_what_is_filled_in_reaches_a_shell_as_it_is(workspace: str, session: str, host: str) -> None:
    command = "miyabi state repair {where} {session}"
    filled = filled_in(command, Places(workspace, session, host))
    if not (workspace + session + host).isprintable():
        assert filled == ""
        return
    script = f"miyabi() {{ printf '%s\\n' \"$@\"; }}; {filled}"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"})
    expected = ["state", "repair", "--host", host, "--workspace", workspace, session]
    assert done.stdout.decode().split("\n")[:-1] == expected


def test_a_command_whose_places_are_not_known_is_left_out() -> None:
    assert filled_in("miyabi state repair {where} {session}", Places("/w")) == ""
    assert filled_in("miyabi state analyze {where}", Places()) == "miyabi state analyze"
    assert filled_in("miyabi state analyze {where}", Places("/a  b")) == "miyabi state analyze --workspace '/a  b'"
    assert filled_in("miyabi state analyze {where}", Places("/a\nb")) == ""


def test_an_unknown_error_is_told_in_words_that_hold_for_any() -> None:
    words = words_of("SOMETHING_NEW")
    assert words.code == "SOMETHING_NEW"
    lines = [line.text for line in error_lines(words, PLACES, 80)]
    assert lines[0] == "Something is wrong: SOMETHING_NEW (SOMETHING_NEW)"
    assert any("miyabi state analyze --host mugen --workspace '/home/kaede/my repo'" in line for line in lines)


@pytest.mark.parametrize("width", [44, 60, 80, 120])
def test_text_fits_and_commands_stay_whole(width: int) -> None:
    for code in CODES:
        for line in error_lines(
            words_of(code), PLACES, width, ["a name\x1b[31m with\nnewline", "--token abcdefgh12345"]
        ):
            assert line.style == "command" or len(line.text) <= width
            assert line.text.isprintable()
            assert "abcdefgh12345" not in line.text
    backups = (FoundBackup("backup-20261121T120000Z", 0.0),)
    found = Found("/home/kaede/my repo", 7200.0, "mugen", 3, ("session-1.json",), 10**6, backups, has_log=True)
    for line in guidance_lines(guidance(["SESSION_CORRUPTED", "SESSION_LOCKED"], found), width):
        assert line.style == "command" or len(line.text) <= width


def test_the_terminal_says_what_json_says() -> None:
    found = Found("/w", 7200.0, "", 3, ("session-1.json",), 10**6, (FoundBackup("b", 0.0),))
    for code in CODES:
        told = guidance([code], found)
        text = " ".join(" ".join(line.text.split()) for line in guidance_lines(told, 110))
        answer = json.loads(json.dumps(guidance_json(told)))
        for step in answer["steps"]:
            assert step["text"] in text
            assert step["command"] is None or step["command"] in text
        assert answer["why"] in text
        words = words_of(code)
        shown = " ".join(" ".join(line.text.split()) for line in error_lines(words, PLACES, 110))
        told_too = error_json(words, PLACES)
        assert told_too["happened"] in shown
        assert told_too["safe"] in shown
        for action in told_too["actions"]:
            assert action["text"] in shown
            assert action["command"] is None or action["command"] in shown


def rows() -> dict[str, list[str]]:
    """The rows of the table in docs/errors.md, by code."""
    lines = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8").splitlines()
    return {found[1]: line.strip("| ").split(" | ") for line in lines if (found := _CODE.match(line))}


def test_the_page_has_a_row_for_every_error_and_no_other() -> None:
    assert set(rows()) == CODES
    assert all(len(cells) == 5 for cells in rows().values())


@pytest.mark.parametrize("code", sorted(CODES))
def test_the_row_of_an_error_is_true(code: str) -> None:
    _, detected, _, told, proof = rows()[code]
    assert f"“{ERRORS[code].title}”" in told
    proofs = _PROOF.findall(proof)
    assert proofs, "no test is named"
    for path, name in proofs:
        text = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf"^ *(?:async )?def {name}\(", text, re.MULTILINE), f"{path} has no {name}"
        assert code in EXAMPLES.get(name, {code}), f"{name} has no example of {code}"
    if not re.search(r"told as `[a-zA-Z_-]+`", detected):
        assert is_in_the_code(code), f"{code} is found nowhere in the code, and its row does not say as what it is told"
    for told_as in re.findall(r"told as `([A-Z_]+)`", detected):
        assert is_in_the_code(told_as)


def is_in_the_code(code: str) -> bool:
    """Whether anything but the words themselves tells an error."""
    words = {"error_table.py", "guidance.py", "health_checks.py"}
    files = [path for folder in ("miyabi", "facts", "operations") for path in (ROOT / folder).rglob("*.py")]
    return any(
        f'"{code}"' in path.read_text(encoding="utf-8")
        for path in files
        if path.name not in words and not path.name.startswith("error_words")
    )
