"""Broken JSON of a state, read by who knows what stands where in one."""

from __future__ import annotations

import re
from copy import deepcopy

import pytest
from hypothesis import given, settings, strategies as st

from miyabi.orchestration.known_places import PLACES, SECTIONS, Path, fields, item_fields
from miyabi.orchestration.loose_json import read_loose
from miyabi.orchestration.merging import merged
from miyabi.orchestration.misplaced import make_whole, put_back
from miyabi.orchestration.session_state import AGENTS, QUEUES, TASKS, State, at, ids
from tests.orchestration.states import a_full_session, as_content

FIELDS = sorted(item_fields() | fields(TASKS) | fields(AGENTS))
SMALL = a_full_session(4, 2, 2, 2)


def read(text: str) -> State:
    """What is read out of a text, everything where it belongs."""
    (state,) = read_loose(text).values
    put_back(state)
    return state


@pytest.mark.parametrize("indent", [2, None])
def test_what_is_not_broken_is_read_as_it_is(indent: int | None) -> None:
    text = as_content(SMALL, indent=indent).decode()
    loose = read_loose(text)
    assert loose.values == (SMALL,)
    assert (loose.damages, loose.is_closed, loose.doubled, loose.nameless) == (0, True, (), ())
    state = deepcopy(SMALL)
    assert put_back(state) == ()
    assert state == SMALL


def without_ids(state: State) -> State:
    """A state whose tasks and agents do not say their own names."""
    state = deepcopy(state)
    for path in (TASKS, AGENTS):
        for thing in at(state, path).values():
            del thing["id"]
    return state


@pytest.mark.parametrize("indent", [2, None])
@pytest.mark.parametrize("state", [SMALL, without_ids(SMALL)], ids=["with ids", "without ids"])
@pytest.mark.parametrize(
    ("damage", "instead"), [("lost", ""), ("doubled", "{0}{0}"), ("another", "}}"), ("another", "[")]
)
def test_one_bracket_comma_colon_or_quote_costs_no_name(
    indent: int | None, state: State, damage: str, instead: str
) -> None:
    text = as_content(state, indent=indent).decode()
    places = [found.start() for found in re.finditer(r'[{}\[\],:"]', text)]
    wrong = []
    for place in places[::13]:
        broken = text[:place] + instead.format(text[place]) + text[place + 1 :]
        lost = set(ids(state)) - set(ids(read(broken)))
        if lost:
            wrong.append((damage, text[place - 40 : place + 40], sorted(lost)))
    assert len(wrong) <= len(places[::13]) // 50, wrong[:3]


@pytest.mark.parametrize(
    ("text", "replacement"),
    [
        ('"T2": {', '"T2" {'),
        ('"T2": {', 'T2": {'),
        ('"T2": {', '"T2: {'),
        ('"T2": {', '"T2":'),
        ('"title": "Do T2"', '"title": "Do T2'),
        ('"title": "Do T2"', '"title": Do T2"'),
        ('"status": "in_progress",', '"status": "in_progress"'),
        ('"retry_count": 0,', '"retry_count": 0,,'),
        ('"workflows": {', '"workflows": {{'),
        ('"pool": {', '"pool": ['),
        ('"M-A1-1"', '"M-A1-1"\x00\x00'),
    ],
)
@pytest.mark.parametrize("indent", [2, None])
def test_nothing_at_all_is_lost(text: str, replacement: str, indent: int | None) -> None:
    content = as_content(SMALL, indent=indent).decode()
    assert text in content
    assert read(content.replace(text, replacement, 1).replace("\0", " ")) == SMALL


@pytest.mark.slow
@pytest.mark.parametrize("indent", [2, None])
def test_no_flipped_bit_is_an_exception(indent: int | None) -> None:
    text = as_content(a_full_session(2, 1, 1, 1), indent=indent).decode()
    for place in [*range(20), *range(20, len(text), 23)]:
        for bit in (1, 2, 8, 32):
            put_back(read_loose(text[:place] + chr(ord(text[place]) ^ bit) + text[place + 1 :]).values[0])


def test_a_message_goes_on_behind_a_gap() -> None:
    text = as_content(SMALL).decode()
    begin, end = text.index('"M-A1-0"'), text.index('"M-A1-1"')
    state = read(text[:begin] + " " * 600 + text[end - 10 :])
    assert [each.get("id") for each in at(state, (*QUEUES, "A1"))][-1] == "M-A1-1"
    assert {each for each in ids(SMALL) if each != ("message", "M-A1-0")} <= set(ids(state))


def test_a_part_that_begins_twice_goes_on() -> None:
    text = as_content(SMALL).decode()
    begin, end = text.index('"workflows"'), text.index('"M-A1-1"')
    state = read(text[:end] + text[begin:])
    assert set(ids(SMALL)) <= set(ids(state))


def test_a_field_under_a_damaged_name_gets_its_name_back() -> None:
    text = as_content(SMALL).decode()
    state = read(text.replace('"id": "M-A1-1"', '"i?d": "M-A1-1"')[:-1])
    assert state == SMALL


def test_other_states_behind_the_first_are_read_too() -> None:
    text = as_content(SMALL).decode()
    assert read_loose(text + "\n" + text).values == (SMALL, SMALL)


_ANYTHING = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.sampled_from(["T1", "A1"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*FIELDS, *SECTIONS]), inner, max_size=5)
    ),
    max_leaves=12,
)
_PLACES = st.sampled_from(sorted(PLACES - {()}))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(_PLACES, _ANYTHING), min_size=1, max_size=4), st.lists(_ANYTHING, max_size=3))
def test_whatever_stands_anywhere_it_is_never_an_exception(
    strange: list[tuple[Path, object]], items: list[object]
) -> None:
    state = deepcopy(SMALL)
    for path, value in strange:
        holder = at(state, path[:-1])
        if isinstance(holder, dict):
            holder[path[-1]] = value
    queues = at(state, QUEUES)
    if isinstance(queues, dict):
        queues["A9"] = items
    put_back(state)
    again = deepcopy(state)
    list(make_whole(state))
    merged(SMALL, state, "another", is_newer=True)
    merged(again, SMALL, "another", is_newer=False)
