"""Process trees."""

from __future__ import annotations

from hypothesis import given, strategies as st

from miyabi.processes import descendants
from miyabi.state import Process

LISTED = (
    Process(1, 0, "init"),
    Process(9, 7, "codex"),
    Process(7, 1, "bash"),
    Process(8, 1, "sshd"),
    Process(12, 9, "node"),
)


def _pids(processes: tuple[Process, ...], pid: int) -> list[int]:
    return [process.pid for process in descendants(processes, pid)]


def test_parents_come_before_their_children() -> None:
    assert _pids(LISTED, 7) == [7, 9, 12]
    assert _pids(LISTED, 1) == [1, 7, 8, 9, 12]
    assert _pids(LISTED, 12) == [12]


def test_what_is_not_listed_has_no_tree() -> None:
    assert descendants(LISTED, 4711) == ()
    assert descendants((), 1) == ()
    # Not even when its children are.
    assert _pids((Process(5, 4, "orphan"),), 4) == []


def test_cycles_end() -> None:
    assert _pids((Process(0, 0, "kernel_task"), Process(1, 0, "launchd")), 0) == [0, 1]
    assert _pids((Process(2, 3, "a"), Process(3, 2, "b")), 2) == [2, 3]


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), unique_by=lambda pair: pair[0]), st.integers(0, 12))
def test_every_member_but_the_top_has_its_parent_in_the_tree(pairs: list[tuple[int, int]], top: int) -> None:
    listed = [Process(pid, parent, "") for pid, parent in pairs]
    tree = descendants(listed, top)
    pids = [process.pid for process in tree]
    assert len(set(pids)) == len(pids)
    for at, process in enumerate(tree[1:], 1):
        assert process.parent in pids[:at]
    # Nothing is forgotten.
    assert not [each for each in listed if each.parent in pids and each.pid not in pids]
