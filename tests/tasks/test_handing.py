"""Tasks are given to real panes with fake agents, handed back after they died, and given to others."""

from __future__ import annotations

import time

from tests.fleet.machine import Machine
from tests.fleet.tmux import TmuxServer
from tests.tasks.handing import Crew

LOGIN = {"id": "login", "prompt": "Write the login page.\nUse the new form.", "agent": "kaede"}


def test_a_task_is_given_once_and_handed_back_after_its_agent_died(machine: Machine, tmux_server: TmuxServer) -> None:
    crew = Crew.build(machine, tmux_server, {"kaede": "CodeGen"}, [LOGIN])
    first = crew.run()
    assert not first.failed
    [told] = crew.turns("kaede", 1)
    assert told.startswith("Write the login page. Use the new form. It is task login")
    assert "MIYABI_CHECKPOINT" in told
    given = crew.assignment("kaede")
    assert (given["task"], given["tries"], given["strategy"]) == ("login", 1, "")
    assert crew.file("kaede.task").stat().st_mode & 0o777 == 0o600

    second = crew.run()
    assert second.commands == []
    assert second.probes == 1

    crew.agents.steered("kaede", "idle")
    crew.checkpoint("kaede", completed_steps=["the form"], next_actions=["its tests"], extra={"mine": 1})
    crew.kill("kaede")
    third = crew.run()
    assert not third.failed
    turns = crew.turns("kaede", 2)
    assert len(turns) == 2
    assert turns[1].startswith("You were interrupted in your task login")
    assert "Done so far: the form. Next: its tests." in turns[1]
    assert crew.assignment("kaede")["strategy"] == "resume"
    assert crew.assignment("kaede")["tries"] == 2
    assert '"mine": 1' in crew.file("kaede.json").read_text()
    crew.agents.steered("kaede", "idle")
    time.sleep(0)
    assert crew.run().commands == []
    assert len(crew.agents.turns("kaede")) == 2
