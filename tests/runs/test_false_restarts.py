"""Nothing is restarted that is well, paused, asleep or unknown, however often it is looked at."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.fleet.waiting import wait_until
from tests.recovery.operating import kill
from tests.runs import agents
from tests.runs.play import Play

SPEC: dict[str, Any] = {
    "session_name": "work",
    "windows": [
        {"window_name": "main", "panes": [agents.steady("kaede"), agents.steady("sakura")]},
        {"window_name": "other", "panes": [{"name": "shell"}, agents.steady("botan")]},
    ],
}
RUNS = 20


@pytest.fixture
def built(play: Play) -> Play:
    play.wants(SPEC)
    run = play.run()
    assert not run.failed, run.output
    return play


def nothing_was_done(play: Play, before: dict[str, int]) -> None:
    assert play.pids() == before
    assert play.tries() == []


def test_what_is_well(built: Play) -> None:
    before = built.pids()
    for number in range(RUNS):
        run = built.run()
        assert (run.failed, run.commands, run.probes) == (False, [], 1)
        # The first run after the fleet was built looks what became of it.
        assert not run.opened or number < 2
    nothing_was_done(built, before)


@pytest.mark.slow
def test_what_is_paused(built: Play) -> None:
    kill(built.tmux, "kaede")
    before = built.pids()
    built.pause("", 1e6)
    for _ in range(RUNS):
        run = built.run()
        assert (run.failed, run.commands) == (False, [])
    nothing_was_done(built, before)


@contextmanager
def wedged(play: Play) -> Iterator[None]:
    """The tmux server is stopped: it has its sessions, and answers nobody."""
    pid = play.tmux.pid()
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_is_unknown(built: Play) -> None:
    before = built.pids()
    with wedged(built):
        # Each look waits 5 s for an answer.
        for _ in range(4):
            run = built.run(600)
            assert run.failed
            assert run.commands == []
            assert "the tmux fleet is unknown" in run.summary
    wait_until(lambda: built.pids() == before, what="the server goes on")
    assert not built.run().failed
    nothing_was_done(built, before)
    # It is told at the third look, once.
    told = [(each.change, each.severity) for each in built.alerts() if each.incident]
    assert told == [("opened", "MEDIUM")]
    for _ in range(4):
        built.run(600)
    assert [each.change for each in built.alerts() if each.incident] == ["opened", "closed"]
