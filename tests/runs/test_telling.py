"""What others hear: signals as lines of JSON, the guardian's pane, and nothing twice."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fleet.waiting import wait_until
from tests.recovery.operating import kill, named_panes, screen
from tests.runs import agents
from tests.runs.play import HOST, Play

SPEC: dict[str, Any] = {
    "sessions": [
        {
            "session_name": "work",
            "windows": [
                {"window_name": "main", "panes": [agents.pane("kaede"), agents.steady("sakura")]},
                {"window_name": "desk", "panes": [{"name": "guardian", "shell_command": "cat"}]},
            ],
        },
        {"session_name": "more", "windows": [{"window_name": "main", "panes": [agents.steady("momiji")]}]},
    ],
    "recovery": {"guardian": "guardian"},
}


def listening(play: Play) -> None:
    agents.install(play.machine, "kaede")
    play.rules(
        alerts={
            "subscribers": [{"jsonlines": "~/signals.jsonl"}],
            "channels": {"file": None, "guardian": None},
        }
    )
    play.wants(SPEC)
    run = play.run()
    assert not run.failed, run.output


def test_subscribers_get_what_was_done_and_that_all_is_well(play: Play) -> None:
    listening(play)
    (play.machine.home / "signals.jsonl").unlink()
    play.run(300)
    [well] = play.signals()
    assert (well["signal"], well["details"], "host" in well) == ("HEALTH_OK", {}, False)
    agents.crash(play.tmux, "kaede")
    run = play.run(300)
    assert not run.failed, run.output
    told = {each["signal"]: each for each in play.signals()[1:]}
    assert {each["host"] for each in told.values()} == {HOST}
    status = told["recovery_status"]["details"]
    assert status.pop("duration").endswith("s")
    assert status == {"level": "L1_PANE", "affected": ["work:main.kaede"], "restored": True}
    assert told["session_snapshot"]["details"] == {"sessions": ["more", "work"], "windows": 3, "panes": 4}
    assert told["RECOVERY_COMPLETE"]["details"] == {"level": "L1_PANE"}
    assert told["RECOVERY_AGENTS_READY"]["details"] == {"agents": ["work:main.kaede"]}
    assert told["RECOVERY_REPORT"]["details"]["summary"]
    assert told.keys() == {
        "recovery_status",
        "session_snapshot",
        "RECOVERY_COMPLETE",
        "RECOVERY_AGENTS_READY",
        "RECOVERY_REPORT",
    }


@pytest.mark.slow
def test_what_failed_is_not_told_as_complete(play: Play) -> None:
    listening(play)
    (play.machine.home / "kaede.at-once").touch()
    (play.machine.home / "signals.jsonl").unlink()
    agents.crash(play.tmux, "kaede")
    assert play.run(300).failed
    told = {each["signal"]: each["details"] for each in play.signals()}
    assert told["recovery_status"]["restored"] is False
    assert told["recovery_status"]["level"] == "L3_FULL"
    assert told.keys() == {"recovery_status", "session_snapshot", "RECOVERY_REPORT"}


@pytest.mark.slow
def test_the_guardian_hears_each_alert_once(play: Play) -> None:
    listening(play)
    guardian = named_panes(play.tmux)["guardian"][0]
    (play.machine.home / "kaede.at-once").touch()
    agents.crash(play.tmux, "kaede")
    for _ in range(4):
        assert play.run(600).failed
    line = "work:main.kaede is not repaired"
    # What is typed into cat comes twice: as it is typed, and as it is read.
    wait_until(lambda: line in screen(play.tmux, guardian))
    assert screen(play.tmux, guardian).count(line) == 2, screen(play.tmux, guardian)
    told = [each for each in play.alerts() if each.incident]
    assert [(each.change, each.channels) for each in told] == [("opened", {"file": "sent", "guardian": "sent"})]
    (play.machine.home / "kaede.at-once").unlink()
    agents.make_well(play.machine, ["kaede"])
    for _ in range(10):
        play.run(600)
    wait_until(lambda: "RECOVERED" in screen(play.tmux, guardian))
    log = (play.folder / "alerts.log").read_text()
    assert log.count("is not repaired") == 1
    assert screen(play.tmux, guardian).count(f"{HOST}:work:main.kaede: well again") == 2


def test_nothing_is_told_of_what_heals_at_once_but_a_line_in_the_log(play: Play) -> None:
    listening(play)
    kill(play.tmux, "momiji")
    assert not play.run(300).failed
    assert play.incidents() == []
    assert [(each.change, each.severity) for each in play.alerts()][-1] == ("repaired", "LOW")
