"""A spec survives JSON, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from miyabi.levels import Level
from miyabi.spec import (
    Agent,
    Command,
    DiskLimit,
    Limits,
    McpServer,
    MemoryLimit,
    Pane,
    Recovery,
    Session,
    Spec,
    Sshd,
    TmuxServer,
    Window,
)
from miyabi.spec_json import spec_from_json, spec_to_json
from tests.spec.reading import spec


def test_json_says_which_class_each_object_is() -> None:
    text = spec_to_json(spec("session_name: s\nwindows: [{panes: [{name: a, shell_command: claude, agent: true}]}]"))
    assert text.startswith('{"Spec":["spec.yaml",')
    assert (
        '{"Pane":["a",[{"Command":["claude",true,0.0,0.0]}],null,null,[],true,false,"on-failure",{"Agent":["",' in text
    )


@pytest.mark.parametrize("text", ['{"Spec":["a","b"]}', '{"Sshd":[22]}', '{"Spec":["a","b",[{"Session":["s"]}]]}', "x"])
def test_json_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no spec|Expecting"):
        spec_from_json(text)


_TEXT = st.text(max_size=8)
_PAIRS = st.lists(st.tuples(_TEXT, _TEXT), max_size=2).map(tuple)
_SECONDS = st.floats(0, 1e9)
_MAYBE = st.none() | _TEXT
_COMMANDS = st.lists(st.builds(Command, _TEXT, st.booleans(), _SECONDS, _SECONDS), max_size=2).map(tuple)
_AGENTS = st.none() | st.builds(Agent, _TEXT, _MAYBE, st.none() | _SECONDS)
_PANES = st.builds(
    Pane,
    _TEXT,
    _COMMANDS,
    _MAYBE,
    _MAYBE,
    _PAIRS,
    st.booleans(),
    st.booleans(),
    st.sampled_from(["always", "on-failure", "never"]),
    _AGENTS,
)
_WINDOWS = st.builds(
    Window, _TEXT, _MAYBE, st.none() | st.integers(0, 99), _MAYBE, _PAIRS, _PAIRS, st.booleans(), st.tuples(_PANES)
)
_SESSIONS = st.builds(Session, _TEXT, _MAYBE, _PAIRS, _PAIRS, _PAIRS, _MAYBE, st.tuples(_WINDOWS))
_SPECS = st.builds(
    Spec,
    source=_TEXT,
    digest=_TEXT,
    sessions=st.tuples(_SESSIONS),
    tmux=st.builds(TmuxServer, _MAYBE, _MAYBE),
    recovery=st.builds(Recovery, st.sampled_from(Level), _MAYBE, _MAYBE, st.just(((Level.L1, 2.5),))),
    sshd=st.none() | st.builds(Sshd, st.none() | st.integers(1, 65535)),
    mcp_servers=st.tuples(st.builds(McpServer, _TEXT, _TEXT)),
    limits=st.builds(Limits, st.builds(DiskLimit, _TEXT, _SECONDS), st.builds(MemoryLimit, _SECONDS)),
)


@given(_SPECS)
def test_specs_survive_json(whole: Spec) -> None:
    again = spec_from_json(spec_to_json(whole))
    assert again == whole
    assert repr(again) == repr(whole)
