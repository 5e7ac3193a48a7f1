"""People who want something left alone: by command, by spec, and by a file that cannot be read."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.cli.acting import Clone
from tests.fleet.control import Fleet
from tests.fleet.parameters import mostly_slow
from tests.recovery.operating import kill, named_panes
from tests.runs import agents
from tests.runs.play import Play

SPEC: dict[str, Any] = {
    "sessions": [
        {
            "session_name": "work",
            "windows": [
                {"window_name": "main", "panes": [agents.steady("kaede"), agents.steady("sakura")]},
                {"window_name": "other", "panes": [agents.steady("botan"), agents.steady("tsubaki")]},
            ],
        },
        {"session_name": "more", "windows": [{"window_name": "main", "panes": [agents.steady("momiji")]}]},
    ]
}
ALL = {"kaede", "sakura", "botan", "tsubaki", "momiji"}
BROKEN = ("kaede", "botan", "momiji")


def broken(play: Play) -> None:
    play.wants(SPEC)
    run = play.run()
    assert not run.failed, run.output
    for name in BROKEN:
        kill(play.tmux, name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "left"),
    [
        ("", set(BROKEN)),
        ("work", {"kaede", "botan"}),
        ("work:main", {"kaede"}),
        ("work:main.kaede", {"kaede"}),
        ("more:main.momiji", {"momiji"}),
    ],
)
def test_what_is_paused_is_left_alone_and_the_rest_is_repaired(play: Play, target: str, left: set[str]) -> None:
    broken(play)
    play.pause(target)
    for _ in range(2):
        run = play.run()
        assert not run.failed, run.output
        assert play.pids().keys() == ALL - left
        assert "paused" in run.summary
        assert "by hand" in run.summary
    assert [each.change for each in play.alerts() if each.incident] == []
    play.unpause(target)
    run = play.run()
    assert not run.failed, run.output
    assert play.pids().keys() == ALL
    assert "paused" not in run.summary


def test_a_pause_ends_by_itself(play: Play) -> None:
    broken(play)
    play.pause("", seconds=600)
    play.run(300)
    assert play.pids().keys() == ALL - set(BROKEN)
    run = play.run(301)
    assert not run.failed, run.output
    assert play.pids().keys() == ALL


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "left"), [("host", set(BROKEN)), ("session", {"kaede", "botan"}), ("pane", {"kaede"})]
)
def test_what_the_spec_calls_maintenance_is_left_alone(play: Play, where: str, left: set[str]) -> None:
    broken(play)
    spec = copy.deepcopy(SPEC)
    session = spec["sessions"][0]
    at = {"host": spec, "session": session, "pane": session["windows"][0]["panes"][0]}[where]
    at["maintenance"] = "until Monday"
    play.wants(spec)
    run = play.run()
    assert not run.failed, run.output
    assert play.pids().keys() == ALL - left
    assert "paused (until Monday)" in run.summary
    play.wants(SPEC)
    assert not play.run().failed
    assert play.pids().keys() == ALL


@pytest.mark.parametrize("content", mostly_slow(["{", "[]", '{"pauses": [{"host": 1}]}', ""], ("{", "")))
def test_pauses_that_cannot_be_read_hold_everything(play: Play, content: str) -> None:
    broken(play)
    path = play.folder / "pauses.json"
    path.write_text(content)
    run = play.run()
    assert run.failed
    assert play.pids().keys() == ALL - set(BROKEN)
    assert str(path) in run.summary
    assert f"rm '{path}'" in run.summary
    path.unlink()
    run = play.run()
    assert not run.failed, run.output
    assert play.pids().keys() == ALL


@pytest.mark.slow
def test_by_command(ssh_fleet: Fleet) -> None:
    host = ssh_fleet.add("mugen")
    clone = Clone.of(ssh_fleet)
    clone.write_spec("mugen", SPEC)
    assert clone.miyabi("recover", "--limit", "mugen").code == 0
    for name in BROKEN:
        kill(host.tmux, name)
    for target in ("mugen:work:main.kaede", "mugen:more"):
        assert clone.miyabi("pause", target, "--for", "1h", "--reason", "I look at it").code == 0
    done = clone.miyabi("recover", "--limit", "mugen")
    # What is left waits for the gate.
    assert done.code == 2, done.output
    assert named_panes(host.tmux).keys() == ALL - {"kaede", "momiji"}
    assert "paused (I look at it)" in done.output
    assert "agents are down" not in done.output
    for target in ("mugen:work:main.kaede", "mugen:more"):
        assert clone.miyabi("resume", target).code == 0
    done = clone.miyabi("recover", "--limit", "mugen")
    assert done.code == 0, done.output
    assert named_panes(host.tmux).keys() == ALL
