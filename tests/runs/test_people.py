"""People at work: nothing is done under their hands, and it is done as soon as they are gone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.recovery.operating import kill, named_panes, screen
from tests.recovery.terminal import attached
from tests.runs import agents
from tests.runs.play import Play

SPEC: dict[str, Any] = {
    "session_name": "work",
    "windows": [
        {"window_name": "main", "panes": [agents.steady("kaede"), {"name": "shell"}]},
        {"window_name": "other", "panes": [agents.steady("botan"), agents.steady("sakura")]},
    ],
}


def built(play: Play, spec: Mapping[str, Any]) -> None:
    play.wants(spec)
    run = play.run()
    assert not run.failed, run.output


def idle(tmux: TmuxServer) -> float:
    """For how many seconds the only client has pressed no key."""
    return time.time() - int(tmux.run("list-clients", "-F", "#{client_activity}"))


def test_a_window_at_which_somebody_works_is_left_alone(play: Play) -> None:
    built(play, SPEC)
    play.tmux.run("select-window", "-t", "=work:main")
    with attached(play.tmux, "work"):
        kill(play.tmux, "kaede")
        kill(play.tmux, "botan")
        run = play.run()
        # The other window is repaired.
        assert run.failed
        assert play.pids().keys() == {"botan", "sakura", "shell"}
        assert "somebody is working in its window" in run.summary
        [held] = [each for each in play.decisions("work:main.kaede") if not each.allowed]
        assert (held.rule, len(play.tries("work:main.kaede"))) == ("presence", 0)
        # It is asked for once, whatever the level; nobody is alarmed by it.
        assert [each.change for each in play.alerts() if each.incident] == []
        play.wants({**SPEC, "gate": {"presence": "1s"}})
        wait_until(lambda: idle(play.tmux) > 2, what="the client is idle")
        again = play.run()
        assert not again.failed, again.output
        assert play.pids().keys() == {"botan", "sakura", "shell", "kaede"}


def test_somebody_who_looks_at_another_window_holds_nothing(play: Play) -> None:
    built(play, SPEC)
    play.tmux.run("select-window", "-t", "=work:other")
    with attached(play.tmux, "work"):
        kill(play.tmux, "kaede")
        run = play.run()
        assert not run.failed, run.output
        assert "kaede" in play.pids()


@pytest.fixture
def adopted(play: Play) -> Play:
    """A machine whose agent kaede was started by a human, by hand, in a shell, and has ended."""
    tmux = play.tmux
    tmux.start("work")
    tmux.run("rename-window", "-t", "=work:", "main")
    tmux.run("send-keys", "-t", "=work:", "sleep 4242", "Enter")
    wait_until(lambda: "sleep 4242" in play.machine.sh("ps -A -o args=").stdout)
    panes = [{"name": "kaede", "shell_command": "sleep 4242", "agent": True}]
    built(play, {"session_name": "work", "windows": [{"window_name": "main", "panes": panes}]})
    tmux.run("send-keys", "-t", "=work:", "C-c")
    wait_until(lambda: screen(tmux, named_panes(tmux)["kaede"][0]).rstrip().endswith(("$", "#")), what="the prompt")
    return play


def test_a_half_typed_draft_stays(adopted: Play) -> None:
    tmux, (pane, pid) = adopted.tmux, named_panes(adopted.tmux)["kaede"]
    tmux.run("send-keys", "-t", pane, "-l", "git commit -m 'half")
    wait_until(lambda: "half" in screen(tmux, pane))
    before = screen(tmux, pane)
    for _ in range(3):
        run = adopted.run()
        assert run.failed
        assert "somebody has half typed something into it" in run.summary
        assert screen(tmux, pane) == before
    assert {each.rule for each in adopted.decisions("work:main.kaede")} == {"draft"}
    tmux.run("send-keys", "-t", pane, "C-u")
    wait_until(lambda: "half" not in screen(tmux, pane))
    run = adopted.run()
    assert not run.failed, run.output
    assert named_panes(tmux)["kaede"] == (pane, pid)
    wait_until(lambda: "sleep 4242" in screen(tmux, pane))
