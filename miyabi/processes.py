"""Process trees. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from miyabi.state import Process


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
