"""The types that are known of a session's state, and their JSON Schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from miyabi.orchestration.session_schema import MOST, schema_flaws, session_json_schema
from miyabi.orchestration.session_state import State, structure
from tests.orchestration.states import a_full_session, a_session, a_task

_SCHEMA = Path(__file__).parents[2] / "docs" / "session-state.schema.json"

_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


def _places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [path, *(place for key, each in found for place in _places(each, (*path, key)))]


_EXAMPLE = a_full_session()
_ALL_PLACES = _places(_EXAMPLE)[1:]


def _with(place: tuple[str | int, ...], value: Any) -> State:
    state = json.loads(json.dumps(_EXAMPLE))
    here = state
    for key in place[:-1]:
        here = here[key]
    here[place[-1]] = value
    return state  # type: ignore[no-any-return]


def test_the_published_schema_is_the_one_that_is_checked() -> None:
    text = json.dumps(session_json_schema(), indent=2, ensure_ascii=False) + "\n"
    assert _SCHEMA.read_text() == text, "make it anew: python -m tests.orchestration.write_schema"


def test_everything_in_the_published_schema_is_described() -> None:
    def objects(value: Any) -> list[dict[str, Any]]:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        own = [value] if isinstance(value, dict) and "properties" in value else []
        return own + [each for child in inner for each in objects(child)]

    for each in objects(session_json_schema()):
        assert each["description"], each["title"]
        assert each["additionalProperties"] is True
        for name, known in each["properties"].items():
            assert "description" in known or "$ref" in known, f"{each['title']}.{name}"


@pytest.mark.parametrize("state", [a_full_session(), a_session()], ids=["full", "empty"])
def test_a_valid_state_has_no_flaws(state: State) -> None:
    assert schema_flaws(state) == ()


def test_another_version_and_unknown_keys_are_allowed_everywhere() -> None:
    state = a_full_session()

    def extended(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: extended(each) for key, each in value.items()} | {"x-new": {"of": ["version", 9]}}
        return [extended(each) for each in value] if isinstance(value, list) else value

    for part in ("session", "observability", "persistence"):
        state[part] = extended(state[part])
    for thing in state["execution"]["tasks"].values():
        thing["x-new"] = [None]
    assert schema_flaws(state | {"version": 9, "x-new": 1}) == ()


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("session", "id"), 7, "session.id is a number: it should be a text"),
        (("session", "lifecycle"), [], "session.lifecycle is a list: it should be an object"),
        (
            ("execution", "tasks", "T1", "status"),
            "done",
            "execution.tasks.T1.status is “done”: it should be 'pending', 'assigned', 'in_progress', 'review'",
        ),
        (
            ("execution", "tasks", "T1", "retry_count"),
            "3",
            "execution.tasks.T1.retry_count is “3”: it should be a whole",
        ),
        (("execution", "tasks", "T1", "retry_count"), True, "execution.tasks.T1.retry_count is true or false: it"),
        (
            ("execution", "tasks", "T1", "dependencies"),
            {},
            "execution.tasks.T1.dependencies is an object: it should be",
        ),
        (("communication", "message_queues", "A1", 0), None, "communication.message_queues.A1.0 is null: it should"),
    ],
)
def test_a_flaw_says_where_what_is_there_and_what_is_allowed(
    place: tuple[str | int, ...], value: Any, message: str
) -> None:
    (issue,) = schema_flaws(_with(place, value))
    assert issue.message.startswith(message)
    assert issue.path == ".".join(map(str, place))
    assert (issue.code, issue.repairable) == ("STATE_VALIDATION_FAILED", False)


def test_what_is_missing_is_named() -> None:
    state = structure()
    del state["persistence"]
    assert [issue.message for issue in schema_flaws(state)] == [
        "session.id is missing: it is needed",
        "persistence is missing: it is needed",
    ]


def test_a_place_that_several_types_may_have_is_one_flaw() -> None:
    (issue,) = schema_flaws(_with(("session", "lifecycle", "last_activity"), {}))
    assert "a text or" in issue.message


def test_beyond_some_flaws_are_only_counted() -> None:
    tasks = [a_task(f"T{number}", type=number) for number in range(MOST + 5)]
    issues = schema_flaws(a_session(tasks=tasks))
    assert len(issues) == MOST + 1
    assert issues[-1].message == "5 more places with something of the wrong kind"


@pytest.mark.parametrize("half", ["\ud800", "a\udfff"])
def test_half_a_character_is_no_flaw_and_hides_none(half: str) -> None:
    state = a_session(tasks=[a_task(half, title=half), a_task("T1", status=half)]) | {half: half}
    (issue,) = schema_flaws(state)
    assert issue.path == "execution.tasks.T1.status"


@given(st.sampled_from(_ALL_PLACES), _ANYTHING)
def test_nothing_anywhere_raises_and_nothing_is_changed(place: tuple[str | int, ...], value: Any) -> None:
    state = _with(place, value)
    before = repr(state)
    for issue in schema_flaws(state):
        assert issue.message
        assert "\n" not in issue.message
    assert repr(state) == before
