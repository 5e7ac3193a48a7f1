"""Process trees, and how a pane's process ended. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from miyabi.state import Pane, Process

# A shell that waits for a human: its name, and nothing but options without a script or a command.
_IDLE_SHELL = re.compile(r"-?(?:\S*/)?(?:ba|z|da|a|k|mk|fi|tc|c|ya)?sh(?:\s+-(?:[abd-z]|-[a-z-]+)*)*")


def descendants(processes: Iterable[Process], pid: int) -> tuple[Process, ...]:
    """The process ``pid`` and everything below it, parents before their children.

    + processes: what was listed, in any order; the list may be of several instants, so it may hold cycles
    + pid: the top of the tree; the answer is ``()`` when it is not listed

    .. code:: python

        listed = (Process(7, 1, "bash"), Process(9, 7, "codex"), Process(8, 1, "sshd"))
        descendants(listed, 7)  # (Process(7, 1, "bash"), Process(9, 7, "codex"))
    """
    children: dict[int, list[Process]] = defaultdict(list)
    tree: list[Process] = []
    for process in processes:
        if process.pid == pid:
            tree = [process]
        else:
            children[process.parent].append(process)
    for process in tree:
        # The list grows while it is walked; taking the children out keeps a cycle from going round.
        tree.extend(children.pop(process.pid, ()))
    return tuple(tree)


def death(pane: Pane) -> str:
    """How a pane's process ended, as far as tmux tells."""
    if pane.dead_signal:
        return f"died by signal {pane.dead_signal}"
    if pane.dead_status is not None:
        return f"exited with status {pane.dead_status}"
    return "died, tmux does not tell how"


def is_idle_shell(pane: Pane, processes: tuple[Process, ...]) -> bool:
    """Whether a shell that waits for a human is all that is left in a living pane."""
    tree = descendants(processes, pane.pid or 0)
    return len(tree) == 1 and _IDLE_SHELL.fullmatch(tree[0].arguments.strip()) is not None
