"""What each condition of an agent needs: every row of the table, and what must never be done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given, strategies as st

from miyabi.agent_kind import AgentKind
from miyabi.agent_remedy import MARGIN, SURE, AgentCase, remedy_for
from miyabi.agent_state import AgentCondition, Judgement
from miyabi.spec import Agent

NOW = 1_795_261_161.0
CLAUDE = AgentKind("claude", service="anthropic", compact="/compact")


def case(condition: AgentCondition, nudged_for: str = "", agent: Agent | None = None, **told: Any) -> AgentCase:
    """A case that was looked at twice."""
    judged = Judgement(condition, **{"confirmed": True, "confidence": 0.95, **told})
    return AgentCase(judged, agent or Agent(), CLAUDE, nudged_for, NOW)


OVER, AHEAD = NOW - MARGIN, NOW - MARGIN + 1
ROWS: list[tuple[str, AgentCase, tuple[str, str]]] = [
    ("working", case("working"), ("leave", "")),
    ("idle", case("idle"), ("leave", "")),
    ("unknown", case("unknown"), ("leave", "")),
    ("exited: the levels do it", case("exited"), ("leave", "")),
    ("dead: the levels do it", case("dead"), ("leave", "")),
    ("permission", case("permission", menu=True), ("tell", "agent-waits")),
    ("trust", case("trust", menu=True, keys=("Enter",)), ("tell", "agent-waits")),
    ("trust, allowed", case("trust", agent=Agent(trust=True), menu=True, keys=("Enter",)), ("press", "")),
    (
        "trust, allowed, one look",
        case("trust", agent=Agent(trust=True), keys=("Enter",), confirmed=False),
        ("tell", "agent-waits"),
    ),
    ("trust, allowed, no yes seen", case("trust", agent=Agent(trust=True)), ("tell", "agent-waits")),
    ("trust, answered before", case("trust", "trust", Agent(trust=True), keys=("Enter",)), ("tell", "agent-stuck")),
    ("login", case("login"), ("tell", "agent-stuck")),
    ("limited", case("limited", until=AHEAD), ("park", "agent-parked")),
    ("limited, nobody knows until when", case("limited"), ("tell", "agent-stuck")),
    ("limited, over", case("limited", until=OVER), ("type", "")),
    ("limited, over, one look", case("limited", until=OVER, confirmed=False), ("park", "agent-parked")),
    ("limited, over, unsure", case("limited", until=OVER, confidence=SURE - 0.01), ("park", "agent-parked")),
    ("limited, over, told before", case("limited", f"limited {OVER:.0f}", until=OVER), ("tell", "agent-stuck")),
    ("limited, over, told of another", case("limited", "limited 1", until=OVER), ("type", "")),
    ("limited, over, not to be told", case("limited", agent=Agent(nudge=""), until=OVER), ("tell", "agent-waits")),
    ("limited, menu", case("limited", until=OVER, menu=True), ("tell", "agent-stuck")),
    ("overloaded, tries again", case("overloaded", retrying=True), ("leave", "")),
    ("overloaded", case("overloaded"), ("type", "")),
    ("overloaded, told before", case("overloaded", "overloaded"), ("type", "")),
    ("overloaded, unsure", case("overloaded", confidence=0.5), ("tell", "agent-waits")),
    ("overloaded, not to be told", case("overloaded", agent=Agent(nudge="")), ("tell", "agent-waits")),
    ("context-full", case("context-full"), ("tell", "agent-stuck")),
    ("context-full, allowed", case("context-full", agent=Agent(compact=True)), ("type", "")),
    (
        "context-full, shortened before",
        case("context-full", "context-full", Agent(compact=True)),
        ("tell", "agent-stuck"),
    ),
    ("looping", case("looping"), ("tell", "agent-stuck")),
    ("stalled", case("stalled"), ("restart", "agent-stuck")),
    ("stalled, unsure", case("stalled", confidence=0.6), ("tell", "agent-stuck")),
    ("stalled, one look", case("stalled", confirmed=False), ("tell", "agent-stuck")),
]


@pytest.mark.parametrize(("asked", "wanted"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_each_row(asked: AgentCase, wanted: tuple[str, str]) -> None:
    remedy = remedy_for(asked)
    assert (remedy.does, remedy.told) == wanted
    assert bool(remedy.text) == (remedy.does == "type")
    assert bool(remedy.keys) == (remedy.does == "press")
    assert bool(remedy.reason) == (remedy.does != "leave")


def test_what_is_typed() -> None:
    over = case("limited", until=OVER)
    assert remedy_for(over).text == "continue"
    assert remedy_for(replace(over, agent=Agent(nudge="go on"))).text == "go on"
    assert remedy_for(replace(over, kind=replace(CLAUDE, nudge="weiter"))).text == "weiter"
    assert remedy_for(replace(over, kind=None)).text == "continue"
    assert remedy_for(case("context-full", agent=Agent(compact=True))).text == "/compact"
    # Only an overload says something of the service.
    assert remedy_for(over).service == ""
    assert remedy_for(case("overloaded")).service == "anthropic"


_CASES = st.builds(
    AgentCase,
    st.builds(
        Judgement,
        st.sampled_from(get_args(AgentCondition)),
        st.floats(0, 1),
        until=st.none() | st.floats(NOW - 1e6, NOW + 1e6),
        confirmed=st.booleans(),
        retrying=st.booleans(),
        menu=st.booleans(),
        keys=st.sampled_from([(), ("1", "Enter")]),
    ),
    st.builds(Agent, nudge=st.sampled_from([None, "", "go"]), compact=st.booleans(), trust=st.booleans()),
    st.sampled_from([None, CLAUDE]),
    st.sampled_from(["", "overloaded", "trust"]),
    st.just(NOW),
)


@given(_CASES)
def test_nothing_is_done_to_an_agent_without_two_looks_and_a_sure_verdict(asked: AgentCase) -> None:
    does = remedy_for(asked).does
    if does in {"type", "press", "restart"}:
        assert asked.judged.confirmed
        assert asked.judged.confidence >= SURE
    if does == "restart":
        assert asked.judged.condition == "stalled"
    if does == "type":
        assert not asked.judged.menu
        assert asked.judged.condition in {"limited", "overloaded", "context-full"}
    if does == "press":
        assert (asked.judged.condition, asked.agent.trust) == ("trust", True)
