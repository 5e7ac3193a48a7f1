"""An agent that crashes for ever: few restarts, one alert, neighbours untouched; and silence when it is well again."""

from __future__ import annotations

import pytest

from tests.runs import agents
from tests.runs.play import Play

SPEC = {
    "session_name": "work",
    "windows": [
        {"window_name": "main", "panes": [agents.pane("kaede"), agents.steady("sakura")]},
        {"window_name": "other", "panes": [agents.steady("botan"), {"name": "shell"}]},
    ],
}
TARGET = "work:main.kaede"
RUNS = 200
EVERY = 300.0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_it_is_restarted_within_its_budget_and_told_of_once(play: Play) -> None:
    agents.install(play.machine, "kaede")
    play.wants(SPEC)
    built = play.run()
    assert not built.failed, built.output
    neighbours = {name: pid for name, pid in play.pids().items() if name != "kaede"}
    began, restarts, seen = play.now, [], agents.starts(play.machine, "kaede")
    for _ in range(RUNS):
        agents.crash(play.tmux, "kaede")
        play.run(EVERY)
        starts = agents.starts(play.machine, "kaede")
        restarts += [play.now] * (starts - seen)
        seen = starts
    hours = (play.now - began) / 3600
    assert max(sum(at <= each < at + 3600 for each in restarts) for at in restarts) == 5
    assert sum(each >= restarts[4] + 3600 for each in restarts) in range(int(hours) - 2, int(hours) + 1)
    assert len(restarts) == len(play.tries(TARGET)) == len(play.tries())
    others = {name: pid for name, pid in play.pids().items() if name != "kaede"}
    assert others == neighbours

    # At its first restart it is a line in the log; then it is one incident, that gets worse once.
    told = [(each.change, each.severity) for each in play.alerts() if each.incident]
    reminders = int((play.now - restarts[4]) / (6 * 3600))
    assert told == [("opened", "MEDIUM"), ("changed", "HIGH")] + [("still-open", "HIGH")] * reminders
    assert len({each.incident for each in play.incidents()}) == 1
    assert play.attention()

    agents.make_well(play.machine, ["kaede"])
    last = len(play.alerts())
    last_run = [play.run(EVERY) for _ in range(16)][-1]
    assert [each.change for each in play.alerts()[last:]] == ["closed"]
    assert not play.attention()
    # A run on a fleet that is well asks no database any more.
    assert (last_run.opened, last_run.failed, last_run.commands, last_run.probes) == (False, False, [], 1)
    assert {name: pid for name, pid in play.pids().items() if name != "kaede"} == neighbours


@pytest.mark.slow
def test_it_is_gone_before_it_counts_as_restored(play: Play) -> None:
    agents.install(play.machine, "kaede", at_once=True)
    play.wants(SPEC)
    built = play.run()
    assert built.failed
    neighbours = {name: pid for name, pid in play.pids().items() if name != "kaede"}
    for _ in range(12):
        assert play.run(300).failed
    began = play.tries()[0].at
    # A climb to L3 in one run is three tries.
    assert len([each for each in play.tries() if each.at < began + 3600]) <= 7, play.tries()
    assert [each.change for each in play.alerts() if each.incident] == ["opened"]
    assert {name: pid for name, pid in play.pids().items() if name != "kaede"} == neighbours
