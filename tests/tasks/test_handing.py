"""Tasks are given to real panes with fake agents, handed back after they died, and given to others."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import yaml

from tests.fleet.machine import Machine
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.recovery.operating import screen
from tests.tasks.ground import Ground
from tests.tasks.handing import Crew
from tests.tasks.test_work import CONFLICT

pytestmark = pytest.mark.slow

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
    assert crew.run().commands == []
    assert len(crew.agents.turns("kaede")) == 2


def test_done_tasks_free_their_agents_and_let_others_begin(machine: Machine, tmux_server: TmuxServer) -> None:
    todo: list[dict[str, Any]] = [
        {"id": "schema", "prompt": "Write the schema.", "agent": "kaede"},
        {
            "id": "page",
            "prompt": "Write the page.",
            "role": "CodeGen",
            "needs": ["schema"],
            "worktree": str(machine.home),
        },
        {"id": "check", "prompt": "Check it.", "agent": "botan", "needs": ["page"], "done_when": "test -f checked"},
    ]
    crew = Crew.build(machine, tmux_server, {"kaede": "CodeGen", "botan": "Review"}, todo)
    crew.run()
    crew.turns("kaede", 1)
    assert crew.agents.turns("botan") == []
    crew.agents.steered("kaede", "idle")
    crew.checkpoint("kaede", status="done")
    crew.run()
    assert crew.assignment("kaede") == {}
    assert json.loads(crew.file("schema_results.json").read_text())["outcome"] == "done"
    crew.run()
    assert crew.turns("kaede", 2)[1].startswith("Write the page.")
    # An agent may also leave a result in its folder.
    (machine.home / "page_results.json").write_text('{"task": "page", "outcome": "success"}')
    crew.agents.steered("kaede", "idle")
    crew.run()
    crew.run()
    assert crew.turns("botan", 1)[0].startswith("Check it.")
    assert "MIYABI_CHECKPOINT" not in crew.agents.turns("botan")[0]
    (machine.home / "checked").touch()
    crew.agents.steered("botan", "idle")
    crew.run()
    assert crew.assignment("botan") == {}
    last = crew.run()
    assert (last.commands, last.probes) == ([], 1)


def test_after_the_server_was_lost_each_gets_its_own_task_back(machine: Machine, tmux_server: TmuxServer) -> None:
    todo = [{"id": name, "prompt": f"Do {name}.", "agent": name} for name in ("kaede", "botan")]
    crew = Crew.build(
        machine, tmux_server, {"kaede": "CodeGen", "botan": "CodeGen"}, [t | {"parallel": True} for t in todo]
    )
    crew.run()
    for name in ("kaede", "botan"):
        crew.turns(name, 1)
        crew.agents.steered(name, "idle")
    tmux_server.run("kill-server")
    run = crew.run()
    assert not run.failed
    for name in ("kaede", "botan"):
        assert crew.turns(name, 2)[1].startswith(f"You were interrupted in your task {name}")
        assert len(crew.agents.turns(name)) == 2


def test_another_one_goes_on_when_an_agent_is_limited_for_long(machine: Machine, tmux_server: TmuxServer) -> None:
    ground = Ground.build(machine)
    ground.worktree()
    todo = [{"id": "login", "prompt": "Write it.", "role": "CodeGen", "worktree": "~/work", "branch": "feature"}]
    crew = Crew.build(machine, tmux_server, {"kaede": "CodeGen", "botan": "CodeGen"}, todo)
    crew.run()
    crew.turns("kaede", 1)
    ground.sh("cd work && git commit -q --allow-empty -m half && echo x >new.txt")
    crew.checkpoint("kaede", completed_steps=["half of it"])
    crew.agents.steered("kaede", "limited", until=time.time() + 5 * 3600)
    wait_until(lambda: "limit" in screen(tmux_server, "=s:kaede"), what="the limit is told")
    run = crew.run()
    assert not run.failed
    [told] = crew.turns("botan", 1)
    assert told.startswith("Write it. It is task login, in ~/work on the branch feature. Somebody has begun this")
    assert "1 commit not pushed" in told
    assert "half of it" in told
    assert (crew.assignment("botan")["strategy"], crew.assignment("kaede")["strategy"]) == ("reassign", "withdrawn")
    assert len(crew.agents.turns("kaede")) == 1
    again = crew.run()
    assert again.commands == []
    crew.agents.steered("kaede", "limited", until=time.time() - 180)
    crew.run()
    assert crew.turns("kaede", 2)[1].startswith("Another agent has been given your task login")
    assert crew.assignment("kaede") == {}


def test_a_conflict_is_for_a_human(machine: Machine, tmux_server: TmuxServer) -> None:
    ground = Ground.build(machine)
    ground.worktree()
    crew = Crew.build(machine, tmux_server, {"kaede": "CodeGen"}, [LOGIN | {"worktree": "~/work"}])
    crew.run()
    crew.turns("kaede", 1)
    ground.sh(f"cd work && {{ {CONFLICT}; ! git merge -q other; }} >/dev/null 2>&1")
    crew.agents.steered("kaede", "idle")
    crew.kill("kaede")
    run = crew.run()
    assert not run.failed
    assert run.said["task login"].startswith("warning: escalate: 1 file in conflict (a.txt)")
    assert crew.assignment("kaede")["strategy"] == "escalate"
    assert len(crew.agents.turns("kaede")) == 1
    # It is told again, and nothing is done again.
    assert crew.run().commands == []


def test_nothing_is_typed_where_something_is_typed_already(machine: Machine, tmux_server: TmuxServer) -> None:
    crew = Crew.build(machine, tmux_server, {"kaede": "CodeGen"}, [])
    crew.run()
    tmux_server.run("send-keys", "-t", "=s:kaede", "-l", "wait, I have")
    wait_until(lambda: "wait, I have" in screen(tmux_server, "=s:kaede"), what="the draft is there")
    spec = yaml.safe_load(crew.spec.read_text())
    crew.spec.write_text(yaml.safe_dump(spec | {"tasks": [LOGIN]}))
    assert crew.run().commands == []
    assert crew.agents.turns("kaede") == []
    assert crew.assignment("kaede") == {}
    assert "wait, I have" in screen(tmux_server, "=s:kaede")
