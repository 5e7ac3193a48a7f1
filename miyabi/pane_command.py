"""What runs in a pane, told by its process tree, and what of it may be started again. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import NamedTuple

from miyabi import state
from miyabi.masking import masked
from miyabi.match import program_of
from miyabi.processes import descendants

# Coding agents by the names of their programs. As of November 2026.
AGENTS = frozenset(
    {"aider", "amp", "claude", "codex", "copilot", "crush", "cursor-agent", "gemini", "goose", "opencode", "qwen"}
)

# Programs that lose nothing and break nothing when they are started again: editors, pagers, monitors, chats.
HARMLESS = frozenset(
    {
        "btop",
        "emacs",
        "htop",
        "irssi",
        "less",
        "man",
        "more",
        "mutt",
        "nano",
        "nvim",
        "tail",
        "top",
        "vi",
        "view",
        "vim",
    }
    | {"weechat"}
)

# A shell that is used by hand: its name, and nothing but options without a script or a command.
_SHELL = re.compile(r"-?(?:\S*/)?(?:ba|z|da|a|k|mk|fi|tc|c|ya)?sh(?:\s+-(?:[abd-z]|-[a-z-]+)*)*")
# Words whose borders `ps` shows as they are.
_SIMPLE = re.compile(r"[A-Za-z0-9_@%+=:,./ -]+")
_LONGEST = 4000


class PaneCommand(NamedTuple):
    """What ran in a pane; the fields are those of ``miyabi.snapshot_model.PaneRecord``."""

    command: str
    certain: bool
    agent: str


def pane_command(
    pane: state.Pane, processes: tuple[state.Process, ...], arguments: Mapping[int, tuple[str, ...]]
) -> PaneCommand:
    """What runs in ``pane``: its agent, else the program in front of its shell.

    + processes: the host's, with command lines as ``ps`` shows them
    + arguments: exact arguments by pid, where the host tells them
    """
    tree = () if pane.dead or pane.pid is None else descendants(processes, pane.pid)
    if not tree:
        return PaneCommand("", certain=not pane.dead, agent="")
    for process in tree:
        program = program_of(process.arguments.split()[:3])
        if program in AGENTS:
            return _command(process, arguments, program)
    current = tree[0]
    while True:
        children = [process for process in tree if process.parent == current.pid]
        if not _SHELL.fullmatch(current.arguments.strip()):
            if len(children) != 1 or not _only_runs(current, children[0], arguments):
                break
        elif not children:
            return PaneCommand("", certain=True, agent="")
        in_front = [child for child in children if program_of(child.arguments.split()[:1]) == pane.command]
        current = (in_front or children)[-1]
    return _command(current, arguments, "")


def _only_runs(shell: state.Process, child: state.Process, arguments: Mapping[int, tuple[str, ...]]) -> bool:
    """Whether ``shell`` is ``sh -c COMMAND`` and ``child`` is that command: tmux starts what it is given so."""
    words = arguments.get(shell.pid, ())
    if len(words) > 2 and words[-2] == "-c" and _SHELL.fullmatch(words[0]):
        try:
            return tuple(shlex.split(words[-1])) == arguments.get(child.pid)
        except ValueError:
            return False
    head, _, script = shell.arguments.partition(" -c ")
    return script == child.arguments and _SHELL.fullmatch(head) is not None


def _command(process: state.Process, arguments: Mapping[int, tuple[str, ...]], agent: str) -> PaneCommand:
    words = arguments.get(process.pid)
    # A program may have written a title over its arguments: that is one word with spaces in it.
    if words and not (len(words) == 1 and " " in words[0]):
        text, certain = shlex.join(words), True
    else:
        text = process.arguments
        certain = _SIMPLE.fullmatch(text) is not None
    hidden = masked(text)
    certain = certain and hidden == text and text.isprintable() and "\ufffd" not in text and len(text) <= _LONGEST
    return PaneCommand(hidden[:_LONGEST], certain, agent)


def tree_lines(pane: state.Pane, processes: tuple[state.Process, ...]) -> tuple[str, ...]:
    """The command lines of a pane's process tree, each indented by its depth, secrets masked."""
    tree = () if pane.dead or pane.pid is None else descendants(processes, pane.pid)
    depths: dict[int, int] = {}
    lines: dict[int, list[str]] = {}
    for process in tree:
        depths[process.pid] = depths.get(process.parent, -1) + 1
        lines[process.pid] = ["  " * depths[process.pid] + masked(process.arguments)]
    # Children come after their own parent, not after the whole generation before them.
    for process in reversed(tree[1:]):
        head, *rest = lines[process.parent]
        lines[process.parent] = [head, *lines[process.pid], *rest]
    return tuple(lines[tree[0].pid]) if tree else ()


def may_start_again(command: str, allowed: frozenset[str] = frozenset()) -> bool:
    """Whether a command is on the list of what may be started again without asking.

    + allowed: programs that the user adds to the list
    """
    try:
        words = shlex.split(command)
    except ValueError:
        return False
    return bool(words) and words[0].rsplit("/", 1)[-1] in HARMLESS | allowed
