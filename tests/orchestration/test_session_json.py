"""Reading a session's file, and writing it back."""

from __future__ import annotations

import copy
import json
import time
from typing import Any

import pytest
from hypothesis import given, strategies as st

from miyabi.orchestration.exact_number import ExactNumber
from miyabi.orchestration.session_json import DEEPEST, Style, depth, read_state, repair_text, state_text
from miyabi.orchestration.session_state import State, ids
from tests.orchestration.states import a_full_session, as_content

_TEXT = st.text(st.characters(codec=None), max_size=8)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=20,
)
_STATES = st.dictionaries(_TEXT, _VALUES, max_size=5)
_STYLES = st.builds(
    Style,
    indent=st.sampled_from([None, "", "  ", "    ", "\t"]),
    spaces=st.booleans(),
    ascii=st.booleans(),
    newline=st.booleans(),
)


def _joined(value: Any) -> Any:
    """``value`` with each two halves of a character that stand side by side as the one that JSON makes of them."""
    return json.loads(json.dumps(value))


@given(_STATES, _STYLES)
def test_what_is_written_is_read_again(state: State, style: Style) -> None:
    state = _joined(state)
    read = read_state(state_text(state, style))
    assert repr(read.state) == repr(state)
    assert (read.flaw, read.doubled) == ("", ())


@pytest.mark.parametrize(
    "style",
    [
        Style(None, spaces=True, ascii=True, newline=False),
        Style(None, spaces=False, ascii=False, newline=True),
        Style("  ", spaces=True, ascii=True, newline=True),
        Style("\t", spaces=True, ascii=False, newline=False),
    ],
)
def test_a_file_is_written_back_as_it_was(style: Style) -> None:
    content = state_text(a_full_session(), style)
    read = read_state(content)
    assert read.style == style
    assert read.state is not None
    assert state_text(read.state, read.style) == content


def test_an_orchestrations_own_file_is_written_back_byte_by_byte() -> None:
    for indent in (None, 0, 1, 2, 4):
        content = as_content(a_full_session(), indent=indent)
        read = read_state(content)
        assert read.state is not None
        assert state_text(read.state, read.style) == content


@pytest.mark.parametrize(
    "number",
    [
        "0",
        "-1",
        "1.10",
        "1e5",
        "1E+2",
        "0.1234567890123456789012345678901234567890",
        "1e999",
        "-1e999",
        "1e-999",
        "9" * 300,
        "9" * 641,
        "-" + "9" * 5000,
        "12345678901234567890",
    ],
)
def test_a_number_stays_as_it_is_written(number: str) -> None:
    content = f'{{"a": {{"b": [{number}, "exact-number-0", "number-0"]}}}}'.encode()
    read = read_state(content)
    assert read.state is not None
    assert state_text(read.state, read.style) == content
    # What does not know of such numbers shall still write JSON.
    assert json.loads(json.dumps(read.state), parse_constant=pytest.fail)


def test_an_exact_number_is_copied_as_it_is() -> None:
    number = ExactNumber("1.10")
    for each in (copy.copy(number), copy.deepcopy(number)):
        assert (each, each.text) == (1.1, "1.10")


@pytest.mark.parametrize(
    ("content", "flaw"),
    [
        (b"", "empty"),
        (b" \n\t", "nothing but white space"),
        (b"\0" * 4096, "nothing but NUL bytes, as after a crash of the machine"),
        (b"\xef\xbb\xbf{}", "begins with a byte order mark, which JSON does not have"),
        ("{}".encode("utf-16"), "UTF-16 instead of UTF-8"),
        (b'{"a": "\n\xe9"}', "not UTF-8 on line 2: the byte 0xe9"),
        (b'{"a": NaN}', "NaN is no JSON number"),
        (b'{"a": -Infinity}', "-Infinity is no JSON number"),
        (b"[]", "a list where an object is needed"),
        (b"null", "null where an object is needed"),
        (b"true", "a boolean where an object is needed"),
        (b"1e999", "a number where an object is needed"),
        (b'"text"', "a text where an object is needed"),
        (b'{"a": 1', "no JSON on line 1, column 8: it ends too early"),
        (b'{"a":\n 1 "b": 2}', "no JSON on line 2, column 4: expecting ',' delimiter"),
        (b'{"a": "torn', "no JSON on line 1, column 7: unterminated string"),
        (b'{"a": "\x01"}', "no JSON on line 1, column 8: invalid control character"),
        (b'{"a": 1}\0\0', "no JSON on line 1, column 9: extra data"),
        (b'{"a":' * 300, "nested more than 200 levels deep"),
    ],
)
def test_a_flaw_says_in_one_line_what_is_wrong(content: bytes, flaw: str) -> None:
    read = read_state(content)
    assert read.state is None
    assert read.flaw == flaw


def test_values_of_repeated_keys_are_kept_beside_the_state() -> None:
    read = read_state(b'{"tasks": {"T1": {"a": 1, "a": 2}}, "b": {"x": 1}, "b": {"x": 1}, "tasks": [{"": 0, "": 1}]}')
    assert read.state == {"tasks": [{"": 1}], "b": {"x": 1}}
    assert {(each.path, repr(each.value)) for each in read.doubled} == {
        ("tasks", "{'T1': {'a': 2}}"),
        ("tasks.T1.a", "1"),
        ("tasks.0.", "0"),
    }


@pytest.mark.parametrize("opener", ["{", "[", '{"a":['])
def test_nesting_is_bounded_exactly(opener: str) -> None:
    closer = "".join({"{": "}", "[": "]"}[each] for each in reversed(opener) if each in "{[")
    inner = opener.replace("{", '{"a":') if opener == "{" else opener
    each = len(closer)
    fits = (DEEPEST - 1) // each
    for count, is_read in ((fits, True), (fits + each + 1, False)):
        text = '{"x":' + inner * count + "null" + closer * count + "}"
        assert (read_state(text.encode()).state is not None) is is_read


@given(_VALUES)
def test_depth_is_that_of_the_value(value: Any) -> None:
    def deep(each: Any) -> int:
        children = each.values() if isinstance(each, dict) else each if isinstance(each, list) else None
        return 0 if children is None else 1 + max(map(deep, children), default=0)

    assert depth(json.dumps(value).encode()) == deep(value)


def test_brackets_and_quotes_in_texts_are_no_nesting() -> None:
    for text in ("[[[", "\\", '\\"[{', '"', "\\\\[", '"}"]'):
        assert depth(json.dumps([text, {text: [text]}]).encode()) == 3


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_no_json_is_not_written(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        state_text({"a": number})


@pytest.mark.parametrize(
    "name", ["__class__", "$(reboot)", "`id`", "a.b", "", " ", "\ud800", "\\", '"', "\0", "\u202ex"]
)
def test_any_name_is_a_name(name: str) -> None:
    state = {"session": {"id": name}, "execution": {"tasks": {name: {"id": name}}}}
    read = read_state(state_text(state))
    assert read.state == state
    assert set(ids(read.state)) == {("session", name), ("task", name)}


def test_lone_halves_of_characters_are_written_as_escapes() -> None:
    state = {"a": "x\udc00y\ud83d"}
    content = state_text(state, Style(ascii=False))
    assert b"\\udc00" in content
    assert read_state(content).state == state


@pytest.mark.slow
def test_a_state_of_50_megabytes_is_read_and_written() -> None:
    state = a_full_session()
    state["observability"]["metrics"]["samples"] = ["x" * 1000] * 50_000
    content = as_content(state, indent=None)
    began = time.process_time()
    read = read_state(content)
    assert read.state == state
    assert state_text(read.state, read.style) == content
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    "damaged",
    [
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: content.decode().encode("utf-16"),
        lambda content: content + b"\0" * 512,
        lambda content: content + b"}\n",
        lambda content: content[:-1],
        lambda content: content[:-2],
        lambda content: content.rstrip(b"}\n "),
        lambda content: content.replace(b'"T1",', b'"T1"', 1),
        lambda content: content.replace(b'"title":', b'"title"', 1),
        lambda content: content.replace(b'"title"', b"'title'", 1),
        lambda content: content.replace(b'"status":', b"status:", 1),
    ],
)
def test_nothing_of_it_is_lost(damaged: Any) -> None:
    state = a_full_session()
    content = damaged(as_content(state))
    assert read_state(content).state is None
    read = repair_text(content)
    assert read is not None
    assert (read.state, read.lost) == (state, ())
    assert read.flaw


def test_a_state_that_can_be_read_is_none_to_repair() -> None:
    assert repair_text(b'{"a": 1.50}') == read_state(b'{"a": 1.50}')


@pytest.mark.parametrize("content", [b"", b"\0\0", b"[]", b"[1]", b"null", b"torn", b"}}}}", b"{", b'"', b"{}{}"])
def test_of_nothing_is_made_nothing(content: bytes) -> None:
    read = repair_text(content)
    assert read is None or read.state


@pytest.mark.parametrize(
    ("torn", "lost"),
    [
        (', "assignee": "A1', ("assignee", "A1")),
        (', "assig', ("assig",)),
        (', "assignee"', ("assignee",)),
        (', "assignee":', ("assignee",)),
        (', "retry_count": 1', ("retry_count", "1.0")),
        (', "a": tru', ("a", "tru")),
        (", ", ()),
        ("", ()),
    ],
)
def test_of_what_is_cut_off_the_torn_value_goes_and_all_else_stays(torn: str, lost: tuple[str, ...]) -> None:
    read = repair_text(b'{"tasks": {"T1": {"id": "T1", "tags": ["x", "y"]' + torn.encode())
    assert read is not None
    assert read.state == {"tasks": {"T1": {"id": "T1", "tags": ["x", "y"]}}}
    assert read.lost == lost


def test_of_a_longer_text_that_is_cut_off_the_beginning_stays() -> None:
    for torn in ("Do the firs", "Do the firs\\", "Do the firs\\u00", "Do the\\\\ firs"):
        read = repair_text(f'{{"tasks": {{"T1": {{"title": "{torn}'.encode())
        assert read is not None
        assert read.state is not None
        assert read.state["tasks"]["T1"]["title"].endswith("firs")


def test_the_newer_of_two_states_counts() -> None:
    older, newer = a_full_session(), a_full_session(14)
    older["session"]["lifecycle"]["last_activity"] = "2026-01-01T00:00:00Z"
    for first, second in ((older, newer), (newer, older)):
        read = repair_text(as_content(first) + b"\n" + as_content(second))
        assert read is not None
        assert read.state == newer
        assert read.lost


def test_the_end_of_an_older_state_behind_the_newer_one_is_no_part_of_it() -> None:
    state = a_full_session()
    read = repair_text(as_content(state) + as_content(a_full_session(14))[-300:])
    assert read is not None
    assert read.state == state


def test_words_that_find_no_place_are_told() -> None:
    read = repair_text(as_content(a_full_session()) + b"<<<<<<< HEAD")
    assert read is not None
    assert read.lost == ("HEAD",)


@pytest.mark.parametrize(
    "content",
    [
        b'{"a": "' * 20_000,
        b'{"a": ["' * 20_000,
        b'{"a": "b" "c"' * 10_000,
        b'{"' + b'\\"' * 50_000,
        b'{"a": "' + b",}]:" * 20_000,
        b'{"a": ' + b'"x",' * 20_000,
        b"{" + b"[" * 100_000,
        b'{"a": "b, c: {d} ' * 5_000,
        b'{"a": "' + b"\xe2\x80\x9c" * 20_000,
        b'{"a": "[' + b'"' * 50_000,
        b'{"a":"b"' + b"/*" * 50_000,
        b'{"a":"b"' + b"#" * 100_000,
        b'{"a": ' + b"(" * 50_000,
        b'{"a": "```' * 10_000,
        b'{"a": 1' + b"0" * 100_000,
        b'{"a": "x" ' + b" " * 100_000 + b'"b"',
    ],
    ids=range(16),
)
def test_hostile_text_takes_a_bounded_time(content: bytes) -> None:
    began = time.process_time()
    repair_text(content)
    assert time.process_time() - began < 10
