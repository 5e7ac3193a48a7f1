"""Which command a pane runs, told by its process tree."""

from __future__ import annotations

import pytest

from miyabi.pane_command import may_start_again, pane_command, tree_lines
from miyabi.state import Pane, Process

PANE = Pane("%1", 0, 10, active=True, command="vim")


def _tree(*rows: tuple[int, int, str]) -> tuple[Process, ...]:
    return tuple(Process(*row) for row in rows)


@pytest.mark.parametrize(
    ("tree", "arguments", "expected"),
    [
        ([(10, 1, "-bash")], {}, ("", True, "")),
        ([(10, 1, "-bash"), (11, 10, "vim a b")], {11: ("vim", "a b")}, ("vim 'a b'", True, "")),
        # A job in the background is not what the pane is about.
        ([(10, 1, "zsh"), (11, 10, "vim a"), (12, 10, "sleep 9")], {}, ("vim a", True, "")),
        ([(10, 1, "bash"), (11, 10, "sudo -i"), (12, 11, "-bash")], {}, ("sudo -i", True, "")),
        ([(10, 1, "bash"), (11, 10, "zsh"), (12, 11, "vim")], {}, ("vim", True, "")),
        ([(10, 1, "sh -c while :; do date; done"), (11, 10, "date")], {}, ("sh -c while :; do date; done", False, "")),
        ([(10, 1, "sh -c vim 'a b'"), (11, 10, "vim a b")], {10: ("sh", "-c", "vim 'a b'"), 11: ("vim", "a b")},
         ("vim 'a b'", True, "")),
        ([(10, 1, "zsh -c vim a"), (11, 10, "vim a")], {}, ("vim a", True, "")),
        ([(10, 1, "sh -c x 'a"), (11, 10, "x")], {10: ("sh", "-c", "x 'a"), 11: ("x",)},
         ("sh -c 'x '\"'\"'a'", True, "")),
        ([(10, 1, "tail -F x")], {10: ("tail", "-F", "x")}, ("tail -F x", True, "")),
        # Without exact arguments, what has signs of a shell in it is a guess.
        ([(10, 1, "tail -F x?y")], {}, ("tail -F x?y", False, "")),
        ([(10, 1, "bash"), (11, 10, "curl --token abc")], {11: ("curl", "--token", "abc")},
         ("curl --token ********", False, "")),
        ([(10, 1, "bash"), (11, 10, "vim x")], {11: ("vim", "x\ny")}, ("vim 'x\ny'", False, "")),
        # A title that a program gave itself is one word with spaces in it.
        ([(10, 1, "bash"), (11, 10, "codex resume 7")], {11: ("codex resume 7",)}, ("codex resume 7", True, "codex")),
        (
            [(10, 1, "bash -l -c claude"), (11, 10, "node /usr/bin/claude -c"), (12, 11, "rg x")],
            {11: ("node", "/usr/bin/claude", "-c")},
            ("node /usr/bin/claude -c", True, "claude"),
        ),
        ([(10, 1, "bash"), (11, 10, "vim claude")], {}, ("vim claude", True, "")),
        ([], {}, ("", True, "")),
    ],
)  # fmt: skip
def test_the_command_of_a_pane(
    tree: list[tuple[int, int, str]], arguments: dict[int, tuple[str, ...]], expected: tuple[str, bool, str]
) -> None:
    assert pane_command(PANE, _tree(*tree, (99, 1, "vim other")), arguments) == expected


def test_a_dead_pane_runs_nothing() -> None:
    dead = Pane("%1", 0, 10, active=True, dead=True)
    assert pane_command(dead, _tree((10, 1, "vim")), {}) == ("", False, "")
    assert tree_lines(dead, _tree((10, 1, "vim"))) == ()


def test_a_tree_is_told_depth_first_with_secrets_masked() -> None:
    tree = _tree((10, 1, "bash"), (11, 10, "node a"), (12, 10, "vim"), (13, 11, "x --token abc"), (14, 12, "sh"))
    assert tree_lines(PANE, tree) == ("bash", "  node a", "    x --token ********", "  vim", "    sh")


@pytest.mark.parametrize(
    ("command", "expected"),
    [("vim x", True), ("/usr/bin/less x", True), ("mkfs /dev/sda", False), ("vimx", False), ("", False),
     ("vim 'x", False), ("npm run dev", True), ("sh -c vim", False)],
)  # fmt: skip
def test_the_list_of_what_may_be_started_again(command: str, *, expected: bool) -> None:
    assert may_start_again(command, frozenset({"npm"})) is expected
