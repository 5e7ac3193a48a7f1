"""Whatever a file holds: it is read or not, told or not, and never an exception; what is repaired has all its words."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from hypothesis import example, given, settings, strategies as st

from miyabi.orchestration.json_repairing import _words, decoded
from miyabi.orchestration.session_json import Style, read_state, repair_text, state_text
from miyabi.orchestration.session_schema import schema_flaws
from miyabi.orchestration.session_state import PARTS, ids
from tests.orchestration.corrupt import CORRUPTIONS, corrupted
from tests.orchestration.states import a_full_session, as_content

_STATE = a_full_session(6, 2, 3, 4)
_CONTENTS = tuple(as_content(_STATE, indent=indent) for indent in (2, None))

# What only looks broken: with these nothing at all is lost.
_HARMLESS = ("twice", "marked", "with trailing commas", "with garbage behind")


def _holds(content: bytes) -> None:
    """What is true of any content."""
    read = read_state(content)
    assert (read.state is None) is bool(read.flaw)
    repaired = repair_text(content)
    if repaired is None:
        assert read.state is None
        return
    state = repaired.state
    assert state is not None
    assert repaired.flaw == read.flaw
    assert repr(read_state(state_text(state, repaired.style)).state) == repr(state)
    assert len(schema_flaws(state)) <= 101
    if read.state is None and not repaired.lost:
        assert not Counter(_words(decoded(content))) - Counter(_words(state_text(state, Style(ascii=False)).decode()))


def test_any_damage_is_read_or_told() -> None:
    for seed in range(150):
        _holds(corrupted(_CONTENTS[seed % 2], seed, 3).content)


@pytest.mark.slow
def test_a_thousand_damages_are_read_or_told_in_time() -> None:
    longest = 0.0
    for seed in range(1000, 2000):
        content = corrupted(_CONTENTS[seed % 2], seed, 3).content
        began = time.process_time()
        _holds(content)
        longest = max(longest, time.process_time() - began)
    assert longest < 5


@pytest.mark.parametrize("kind", _HARMLESS)
def test_what_only_looks_broken_loses_nothing(kind: str) -> None:
    for seed in range(10):
        content = _of_kind(kind, _CONTENTS[seed % 2], seed)
        repaired = repair_text(content)
        assert repaired is not None
        assert repaired.state == _STATE, seed


def test_of_a_file_that_is_cut_off_all_that_is_whole_stays() -> None:
    content = _CONTENTS[0]
    whole = list(ids(_STATE))
    for end in range(len(content) // 2, len(content), 97):
        repaired = repair_text(content[:end])
        assert repaired is not None
        assert repaired.state is not None
        assert set(repaired.lost) <= set(_words(content[max(end - 60, 0) : end].decode()))
        found = set(ids(repaired.state))
        # A thing whose object had begun is there, and nothing is there that never was.
        assert found <= set(whole)
        parts = [part for part in PARTS if f'\n  "{part}": {{\n'.encode() in content[:end]]
        assert list(repaired.state)[: len(parts)] == parts


@settings(max_examples=200)
@given(st.binary(max_size=60))
@example(b"\xff\xfe{\x00}\x00")
@example(b"\xff\xfe{")
@example(b'{"a": "\\ud800"}\x00')
@example(b'{"\\ud800": 1')
@example(b'{"a": 1e999, "b": -')
def test_any_bytes_are_read_or_told(content: bytes) -> None:
    _holds(content)


@settings(max_examples=300)
@given(st.text(st.sampled_from("{}[]\",:\\ \n\t\0u0d8aeE+-.1tfn#/*`('“”„"), max_size=60))
def test_any_text_of_what_json_is_made_of_is_read_or_told(text: str) -> None:
    _holds(text.encode())
    _holds(b'{"session": {"id": "' + text.encode())


def _of_kind(kind: str, content: bytes, seed: int) -> bytes:
    from random import Random  # noqa: PLC0415 - the only one

    return CORRUPTIONS[kind](Random(seed), content)  # noqa: S311 - it is to be the same each time
