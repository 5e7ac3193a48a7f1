"""Measures of a host beside what is told of its agents: nothing is told twice, or of what is paused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.recovery.operating import kill
from tests.runs import agents
from tests.runs.play import Play

SPEC: dict[str, Any] = {
    "session_name": "work",
    "windows": [
        {"window_name": "main", "panes": [agents.pane("kaede"), agents.steady("sakura")]},
        {"window_name": "other", "panes": [agents.steady("botan")]},
    ],
}
AGENTS = {"agents_down": {"warning": "25%", "critical": "75%", "check_every": "1h"}}
ALL = {**AGENTS, "success_rate": {"warning": "90%", "critical": "70%", "over": "24h", "at_least": 5}}


@pytest.mark.slow
def test_an_agent_with_an_incident_of_its_own_is_told_of_once(play: Play) -> None:
    agents.install(play.machine, "kaede", at_once=True)
    agents.make_well(play.machine, ["kaede"])
    play.rules(alerts={"thresholds": ALL})
    play.wants(SPEC)
    assert not play.run().failed
    agents.make_well(play.machine, ["kaede"], well=False)
    kill(play.tmux, "kaede")
    for _ in range(10):
        assert play.run(1800).failed
    assert [(each.change, each.incident != "") for each in play.alerts()][-1] == ("opened", True)
    assert [each.target for each in play.incidents() if each.change == "opened"] == ["work:main.kaede"]


def test_what_is_paused_is_not_down(play: Play) -> None:
    play.rules(alerts={"thresholds": AGENTS})
    agents.install(play.machine, "kaede")
    play.wants(SPEC)
    assert not play.run().failed
    for name in ("kaede", "botan"):
        kill(play.tmux, name)
    play.pause("", 1e6)
    for _ in range(3):
        assert not play.run(3600).failed
    assert play.incidents() == []


def test_a_measure_that_stays_beyond_its_threshold_is_told_once(play: Play) -> None:
    play.rules(alerts={"thresholds": {"load_per_processor": {"warning": 0.0001, "check_every": "1h"}}})
    agents.install(play.machine, "kaede")
    play.wants(SPEC)
    for _ in range(12):
        assert not play.run(900).failed
    changes = [each.change for each in play.incidents() if each.target == "load"]
    # Looked at once an hour: in between nothing is known of it, and nothing is written.
    assert changes == ["opened"], changes
