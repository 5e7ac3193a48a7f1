"""Ten agents that fail by one cause: one incident, no restart while it cools down, then one of them first."""

from __future__ import annotations

import pytest

from tests.fleet.waiting import wait_until
from tests.runs import agents
from tests.runs.play import Play

NAMES = [f"a{number}" for number in range(10)]
SPEC = {
    "session_name": "work",
    "windows": [
        {"window_name": "one", "layout": "even-horizontal", "panes": [agents.pane(name) for name in NAMES[:5]]},
        {"window_name": "two", "layout": "even-horizontal", "panes": [agents.pane(name) for name in NAMES[5:]]},
        {"window_name": "well", "panes": [agents.steady("sakura")]},
    ],
}
SAYS = 'API Error: 529 {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'


def all_starts(play: Play) -> int:
    return sum(agents.starts(play.machine, name) for name in NAMES)


def said_by(play: Play, pane: str) -> str:
    """All that a pane has shown."""
    return play.tmux.run("capture-pane", "-p", "-J", "-S", "-50", "-t", pane)


def stormy(play: Play) -> int:
    """All ten live, then all ten fail at once; how often they were started until then."""
    agents.install(play.machine, *NAMES, says=SAYS)
    play.wants(SPEC)
    built = play.run()
    assert not built.failed, built.output
    agents.crash(play.tmux, *NAMES)
    panes = play.panes()
    for name in NAMES:
        wait_until(lambda name=name: "529" in said_by(play, panes[name]), what="its last words")  # type: ignore[misc]
    return all_starts(play)


@pytest.mark.slow
def test_one_incident_one_canary_and_then_the_rest(play: Play) -> None:
    before = stormy(play)
    sakura = play.pids()["sakura"]
    first = play.run()
    assert first.failed
    assert all_starts(play) == before, first.output
    opened = [each for each in play.incidents() if each.change == "opened"]
    assert [(each.kind, each.severity, each.cause) for each in opened] == [("storm", "CRITICAL", "api-error")]
    assert [each.change for each in play.alerts() if each.incident] == ["opened"]
    for _ in range(4):
        play.run()
        assert all_starts(play) == before
    # The cool-down is over: one is tried, in vain, and the next cool-down begins.
    for number in (1, 2):
        play.run(120)
        assert all_starts(play) == before + number
        agents.crash(play.tmux, *NAMES)
        for _ in range(3):
            play.run()
            assert all_starts(play) == before + number
        play.run(60)
    agents.make_well(play.machine, NAMES)
    for _ in range(10):
        play.run(120)
    assert all_starts(play) <= before + 2 + 11
    assert set(NAMES) <= play.pids().keys()
    assert not [play.run(120) for _ in range(10)][-1].failed
    assert play.pids()["sakura"] == sakura
    told = [(each.change, each.severity) for each in play.alerts() if each.incident]
    assert told == [("opened", "CRITICAL"), ("closed", "CRITICAL")]
    assert not play.attention()
