"""What is half typed is found, and a prompt, a hint or a transcript is not taken for it."""
# ruff: noqa: RUF001 - prompts are made of characters that look like others

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from miyabi.draft import draft_in
from miyabi.screen_text import cells, end_of, text_of
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until

PROMPTS = [
    "$ ",
    "# ",
    "% ",
    "❯ ",
    "➜  repo ",
    "➜  repo git:(main) ✗ ",
    "kaede@mugen:~/repo$ ",
    "root@mugen:/var/log# ",
    "(venv) kaede@mugen:~/repo (main)$ ",
    "[kaede@mugen repo]$ ",
    "kaede@macbook repo % ",
    "kaede@mugen ~/repo> ",
    "bash-5.2$ ",
    "~/repo $ ",
    "~ $ ",
    "~/repo> ",
    "mugen:~/repo kaede$ ",
    "mugen% ",
    "bash-5.2# ",
    " kaede  ~/repo  main \ue0b0 ",
    "\x1b[1;32mkaede@mugen\x1b[0m:\x1b[34m~/repo\x1b[0m$ ",
]


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("typed", ["", "git commit -m 'x", "echo 50% > a$b", "下書き"])
def test_what_is_typed_behind_a_prompt(prompt: str, typed: str) -> None:
    line = prompt + typed
    rows = ["some output", "", line if typed else line.rstrip(), ""]
    assert draft_in(rows, end_of(cells(prompt + typed + "x")) - 1, 2) == typed


@pytest.mark.parametrize(
    "line",
    [
        "Compiling 12 of 50 modules",
        "step 3",
        "Are you sure? [y/N] ",
        "Password: ",
        "  %CPU  %MEM  COMMAND",
        "",
        "----- 100% done",
        "<html>",
        "2026-11-21 INFO started",
    ],
)
def test_a_program_s_output_is_no_draft(line: str) -> None:
    assert draft_in(["kaede@mugen:~$ make", line], len(line), 1, 80) == ""


def test_a_command_that_runs_is_no_draft() -> None:
    assert draft_in(["$ sleep 1000", ""], 0, 1) == ""
    assert draft_in([], 0, 0) == draft_in(["$ x"], 0, 5) == draft_in(["$ x"], 0, -1) == ""


def test_a_cursor_inside_of_the_words() -> None:
    assert draft_in(["$ git push origin"], 6, 0) == "git push origin"


def test_a_cursor_in_front_of_the_prompt() -> None:
    assert draft_in(["$ what a program drew"], 0, 0) == ""


def test_a_suggestion_is_no_draft() -> None:
    assert draft_in(["~/repo> \x1b[38;5;8mgit push --force\x1b[0m"], 8, 0) == ""
    assert draft_in(["~/repo> git\x1b[90m push --force"], 11, 0) == "git"
    assert draft_in(["~/repo> git\x1b[38;2;120;120;120m push"], 11, 0) == "git"
    assert draft_in(["~/repo> # \x1b[90ma remark"], 18, 0) == "# a remark"


def test_a_prompt_of_the_right_side_is_no_draft() -> None:
    assert draft_in([f"❯ {'[12:01:59]':>60}"], 2, 0) == ""
    assert draft_in([f"❯ ls{'[12:01:59]':>60}"], 4, 0) == "ls"


def test_several_lines() -> None:
    assert draft_in(["$ for each in 1 2; do", "> echo $each", "> "], 2, 2) == "for each in 1 2; do\necho $each"
    assert draft_in(["% echo 'one", "quote> two"], 10, 1) == "echo 'one\ntwo"
    assert draft_in(["kaede@mugen:~$ cat <<END", "heredoc> "], 9, 1) == "cat <<END"
    assert draft_in(["$ ", "> "], 2, 1) == ""


def test_a_command_longer_than_its_line() -> None:
    rows = ["$ echo " + "a" * 33, "b" * 40, "ccc"]
    assert draft_in(rows, 3, 2, 40) == "echo " + "a" * 33 + "b" * 40 + "ccc"
    assert draft_in(["x" * 40, "b" * 40, "ccc"], 3, 2, 40) == ""
    assert draft_in(["$ make", "b" * 40, "ccc"], 3, 2, 40) == ""


def framed(*lines: str) -> list[str]:
    """A composer with a frame around it."""
    middle = [f"│ {'>' if not number else ' '} {line:<30} │" for number, line in enumerate(lines)]
    return ["⏺ I have finished.", "", f"╭{'─' * 34}╮", *middle, f"╰{'─' * 34}╯", "  ? for shortcuts"]


def ruled(*lines: str) -> list[str]:
    """A composer between two rules."""
    middle = [f"{'❯' if not number else ' '} {line}" for number, line in enumerate(lines)]
    return ["> an earlier question", "", "⏺ An answer.", "", "─" * 40, *middle, "─" * 40, "  auto-accept on"]


@pytest.mark.parametrize("form", [framed, ruled])
def test_a_composer(form: object) -> None:
    assert callable(form)
    assert draft_in(form("please look at"), 0, 9) == "please look at"
    assert draft_in(form("please look at", "the second line"), 0, 9) == "please look at\nthe second line"
    assert draft_in(form(""), 0, 9) == ""
    assert draft_in(form('\x1b[2mTry "edit main.py"\x1b[0m'), 0, 9) == ""
    assert draft_in(form('\x1b[7mT\x1b[27;2mry "edit main.py"\x1b[0m'), 0, 9) == ""
    assert draft_in(form('Try "edit main.py to say less"'), 0, 9) == ""
    assert draft_in(form("half a wo\x1b[7mr\x1b[27md"), 0, 9) == "half a word"
    assert draft_in(form("half a wo\x1b[7m \x1b[27m"), 0, 9) == "half a wo"


def test_a_composer_without_a_frame() -> None:
    footer = "  \x1b[2mgpt-5 high · 92% context left\x1b[0m"
    assert draft_in(["• Done.", "", "› \x1b[2mAsk Codex to do anything\x1b[0m", "", footer], 2, 2) == ""
    assert draft_in(["• Done.", "", "› explain the", "  second line", "", footer], 2, 2) == "explain the\nsecond line"
    assert draft_in(["• Done.", "▌ half a", "▌ word", "", footer], 2, 2) == "half a\nword"
    assert draft_in(["› an earlier question", "", *["• an answer"] * 20], 0, 22) == ""


def test_a_transcript_is_no_composer() -> None:
    assert draft_in(["> an earlier question", "", "⏺ An answer.", "working..."], 0, 3) == ""
    assert draft_in(["─" * 40, "> quoted in a text", "and no rule below"], 0, 2) == ""


@given(st.lists(st.text(max_size=40), max_size=12), st.integers(-1, 200), st.integers(-1, 14))
def test_any_screen_is_read(lines: list[str], x: int, y: int) -> None:
    assert isinstance(draft_in(lines, x, y), str)


def test_cells_know_where_they_stand() -> None:
    row = cells("a下\x1b[2mb\x1b[22mc\x1b]0;title\x07d\u0301")
    assert [(cell.character, cell.x, cell.faint) for cell in row[:4]] == [
        ("a", 0, False),
        ("下", 1, False),
        ("b", 3, True),
        ("c", 4, False),
    ]
    assert text_of(row) == "a下bcd\u0301"
    assert end_of(row) == 6
    assert [cell.faint for cell in cells("\x1b[38;5;240ma\x1b[39mb\x1b[48;5;240mc\x1b[38;2;200;0;0md\x1b[me")] == [
        True,
        False,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("shell", ["sh", "bash --norc", "zsh -f", "mksh"])
def test_real_shells(tmux_server: TmuxServer, shell: str) -> None:
    tmux_server.start("main", shell)

    def draft() -> str:
        x, y = tmux_server.run("display-message", "-p", "#{cursor_x} #{cursor_y}").split()
        return draft_in(tmux_server.run("capture-pane", "-p", "-e").split("\n"), int(x), int(y))

    wait_until(lambda: tmux_server.run("display-message", "-p", "#{cursor_x}") != "0", what="a prompt")
    assert draft() == ""
    tmux_server.run("send-keys", "-l", "echo half a word")
    wait_until(lambda: draft() == "echo half a word", what="the draft")
    tmux_server.run("send-keys", "Enter")
    wait_until(lambda: "\nhalf a word" in tmux_server.run("capture-pane", "-p"), what="its answer")
    wait_until(lambda: draft() == "", what="an empty prompt")
