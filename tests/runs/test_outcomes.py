"""What a run comes to, from what became of its hosts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, get_args

import pytest

from miyabi.agent_remedy import AgentTold
from miyabi.alert_rules import AlertRules
from miyabi.climb import Climb
from miyabi.drift import Drift, Target
from miyabi.journal import attention, set_attention
from miyabi.levels import Level
from miyabi.records import BreakerChanged
from miyabi.verdict import Verdict
from operations import outcome as outcomes
from operations.climbing import _CLIMB
from operations.outcome import Outcome, _note_breaker, ended, keep_attention
from tests.fleet.machine import Machine
from tests.runs.test_pieces import _memory

KAEDE = Drift("pane-dead", Target("work", "main", "kaede"), Level.L1, "exited with status 1")
SAKURA = Drift("pane-dead", Target("work", "main", "sakura"), Level.L1, "exited with status 1")
UNNAMED = Drift("unmarked", Target("work", "main", "botan"), Level.L1, "found by what runs in it")


def climbed(*tried: Drift, left: tuple[Drift, ...] = ()) -> Climb:
    climb = Climb(drifts=left)
    climb.begin(Level.L1, (), tried)
    return climb


@pytest.mark.parametrize(
    ("climb", "failures"),
    [
        (climbed(KAEDE, left=(KAEDE,)), [1]),
        (climbed(KAEDE, left=(Drift("session-missing", Target("work"), Level.L3, "not there"),)), [1]),
        (climbed(KAEDE), []),
        # What was held, or only got its name, was not tried.
        (climbed(KAEDE, left=(SAKURA,)), []),
        (climbed(UNNAMED, left=(SAKURA,)), []),
    ],
)
def test_a_breaker_counts_what_was_tried(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, climb: Climb, failures: list[int]
) -> None:
    memory = _memory(machine)
    kept: list[Any] = []
    monkeypatch.setattr(memory.__class__, "keep", lambda _, *records: kept.extend(records))
    monkeypatch.setattr(memory.__class__, "ask_history", lambda *_: {})
    host: Any = SimpleNamespace(name="mugen", data={}, connector_data={}, state=SimpleNamespace(is_executing=True))
    _note_breaker(memory, host, climb)
    assert [each.failures for each in kept if isinstance(each, BreakerChanged)] == failures


def ended_with(*verdicts: tuple[str, str], climb: Climb | None = None) -> str:
    host = SimpleNamespace(name="mugen", connector_data={_CLIMB: climb or Climb()})
    state: Any = SimpleNamespace(inventory=[host])
    told = [
        Verdict(host="mugen", target="disk", kind=kind, severity=severity, summary="it is")  # type: ignore[arg-type]
        for kind, severity in verdicts
    ]
    setattr(state, outcomes._OUTCOME, Outcome(AlertRules(), verdicts=told))
    return ended(state)


def test_how_a_run_ended() -> None:
    assert ended_with() == "clean"
    assert ended_with(climb=climbed(UNNAMED)) == "clean"
    # What is made for the first time is told to nobody, and was done all the same.
    assert ended_with(climb=climbed(KAEDE)) == "restored"
    assert ended_with(("repaired", "LOW"), climb=climbed(KAEDE)) == "restored"
    assert ended_with(("warning", "MEDIUM")) == "clean"
    for told in set(get_args(AgentTold)) - {""}:
        assert ended_with((told, "HIGH")) == "clean"
        assert ended_with((told, "HIGH"), climb=climbed(KAEDE)) == "restored"
        assert ended_with((told, "HIGH"), ("not-restored", "HIGH")) == "failed"
    assert ended_with(("threshold", "MEDIUM"), climb=climbed(KAEDE)) == "restored"
    assert ended_with(("threshold", "HIGH")) == "failed"
    assert ended_with(("held", "HIGH"), ("warning", "MEDIUM")) == "held"
    assert ended_with(("held", "HIGH"), ("unknown", "MEDIUM")) == "failed"


def test_who_could_not_ask_leaves_the_mark_that_something_is_open(machine: Machine) -> None:
    memory = _memory(machine)
    state: Any = SimpleNamespace(miyabi_memory=memory)
    setattr(state, outcomes._OUTCOME, Outcome(AlertRules()))
    set_attention(memory.folder, True)
    memory.is_opened = True
    keep_attention(state)
    assert attention(memory.folder)
