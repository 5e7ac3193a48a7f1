"""YAML and JSON as documents: lines, the text of numbers, and what cannot be read."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings, strategies as st

from miyabi.errors import SpecError
from miyabi.spec_document import Document, WrittenInt, place_text, shown
from miyabi.spec_file import LARGEST_FILE, _unreadable, load_spec, resolve_spec
from miyabi.spec_yaml import read_yaml

TAGS = "allowed: no tags but !!str, !!int, !!float, !!bool and !!null; remove it"
ONCE = "allowed: each key once; remove one of them"


def refusal(text: str) -> str:
    """The only problem of a text that cannot be read."""
    document = read_yaml("f", text)
    assert not document.readable
    (problem,) = document.problems
    return str(problem)


def test_every_key_and_item_has_its_line() -> None:
    document = read_yaml("f", "# first\na:\n  - b\n  - c: |\n      long\n      text\n    d: {e: 1, f: [2,\n      3]}\n")
    assert document.value == {"a": ["b", {"c": "long\ntext\n", "d": {"e": 1, "f": [2, 3]}}]}
    assert document.lines == {
        (): 2,
        ("a",): 2,
        ("a", 0): 3,
        ("a", 1): 4,
        ("a", 1, "c"): 4,
        ("a", 1, "d"): 7,
        ("a", 1, "d", "e"): 7,
        ("a", 1, "d", "f"): 7,
        ("a", 1, "d", "f", 0): 7,
        ("a", 1, "d", "f", 1): 8,
    }


def test_a_place_that_is_not_there_has_the_line_around_it() -> None:
    document = read_yaml("f", "a:\n  - b: 1\n")
    assert document.line(("a", 0, "missing")) == 2
    assert document.line(("a", 0, "shorthand", "b")) == 2
    assert document.existing(("a", 0, "shorthand", "b")) == ("a", 0, "b")
    assert Document("f").line(("x",)) == 1


def test_numbers_keep_their_text_and_words_stay_words() -> None:
    document = read_yaml("f", "[010, 1.50, yes, ~, 2024-01-01, 0x1F, 'yes', !!str 5, 12:30, .inf, !!int '7']")
    assert document.value == [8, 1.5, True, None, "2024-01-01", 31, "yes", "5", 750, float("inf"), 7]
    value = document.value
    assert isinstance(value, list)
    assert isinstance(value[0], WrittenInt)
    assert value[0].text == "010"
    assert document.texts == {
        (0,): "010",
        (1,): "1.50",
        (2,): "yes",
        (3,): "~",
        (5,): "0x1F",
        (8,): "12:30",
        (9,): ".inf",
        (10,): "7",
    }


def test_a_number_without_end_stays_text() -> None:
    document = read_yaml("f", "a: " + "9" * 6000)
    assert document.value == {"a": "9" * 6000}
    assert not document.problems


def test_keys_are_the_text_that_they_are_written_as() -> None:
    assert read_yaml("f", "{yes: 1, 010: 2, ~: 3, 1.50: 4}").value == {"yes": 1, "010": 2, "~": 3, "1.50": 4}


def test_anchors_and_merge_keys() -> None:
    document = read_yaml(
        "f",
        "base: &base {x: 1, y: 2}\nmore: &more {y: 3, z: 4}\na:\n  <<: *base\n  x: 5\n"
        "b: {<<: [*base, *more]}\nc: *base",
    )
    assert document.value == {
        "base": {"x": 1, "y": 2},
        "more": {"y": 3, "z": 4},
        "a": {"x": 5, "y": 2},
        "b": {"x": 1, "y": 2, "z": 4},
        "c": {"x": 1, "y": 2},
    }
    assert document.lines["a", "x"] == 5
    assert document.lines["a", "y"] == 1
    assert not document.problems


_PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc-_ ", max_size=5), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(_PLAIN)
def test_values_are_read_as_pyyaml_reads_them(value: object) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    assert read_yaml("f", text).value == value
    assert read_yaml("f", json.dumps(value, ensure_ascii=False)).value == value


@settings(deadline=None, max_examples=300)
@given(st.text(st.sampled_from("ab:- \n\t[]{}&*!'\"|>#,?%@\\0é~<=")))
def test_no_text_is_too_much(text: str) -> None:
    document = read_yaml("f", text)
    assert document.readable or document.problems


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: c: d", "f:2: found YAML that cannot be read: mapping values are not allowed in this context"),
        ("a: 1\n  b: 2", "f:2: found YAML that cannot be read: mapping values are not allowed in this context"),
        ("a: [1\nb: 2\n", "f:2: found YAML that cannot be read: "),
        ("a: 'x\n\n\n", "f:1: found YAML that cannot be read: found unexpected end of stream while scanning"),
        ("a:\n\t- b", "f:2: found a tab as indentation; allowed: spaces"),
        ("a: @b", "f:1: found '@' at the start of a text; allowed: '@' at the start in quotes"),
        ("é: 1\nb: \x00", "f:2: found the character U+0000; allowed: printable characters"),
        ("a: \x1b[31m", "f:1: found the character U+001B; allowed: printable characters"),
        ("a: *b", "f:1: found the alias *b; allowed: *NAME of an &NAME above"),
        ("a: 1\n---\nb: 2", "f:3: found a second YAML document; allowed: one in a file; remove the ---"),
        ("[" * 42 + "]" * 42, "f:1: found a value too deep inside others; allowed: 40 levels"),
        ("[" * 50_000, "f:1: found a value too deep inside others; allowed: 40 levels"),
        ("a: &a [*a]", "f:1: found aliases that grow too large; allowed: 100000 values, 40 levels"),
        ("a: &a {<<: *a}", "f:1: found aliases that grow too large; allowed: 100000 values, 40 levels"),
        ("a: &a {b: *a}", "f:1: found aliases that grow too large; allowed: 100000 values, 40 levels"),
        ("%YAML 3.0\n--- a", "f:1: found YAML that cannot be read: found incompatible YAML document"),
    ],
)
def test_what_cannot_be_read(text: str, expected: str) -> None:
    assert refusal(text).startswith(expected)


@pytest.mark.parametrize("form", ["[{}]", "{{<<: [{}]}}"])
def test_aliases_that_explode_are_refused_at_once(form: str) -> None:
    lines = ["a: &a {k: x}"]
    for previous, name in zip("abcdefghij", "bcdefghijk", strict=True):
        lines.append(f"{name}: &{name} {form.format(','.join(['*' + previous] * 9))}")
    begun = time.monotonic()
    assert "aliases that grow too large" in refusal("\n".join(lines))
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "a: 1\nb: 2\na: 3",
            "f:3: a: found the key 'a' again (first at line 1); allowed: each key once; remove one of them",
        ),
        (
            "x:\n  a: 1\n  a: 1",
            "f:3: x.a: found the key 'a' again (first at line 2); allowed: each key once; remove one of them",
        ),
        ("? [a]\n: 1", "f:1: found a list or a mapping as a key; allowed: text as a key"),
        ("<<: 3", "f:1: <<: found no mapping to merge; allowed: a mapping or a list of them"),
        ("a: &a {x: 1, x: 2}\nb: *a\nc: {<<: *a}", f"f:1: a.x: found the key 'x' again (first at line 1); {ONCE}"),
        (
            "a: 1\nb: !!python/object/apply:os.system [id]",
            f"f:2: found the tag tag:yaml.org,2002:python/object/apply:os.system; {TAGS}",
        ),
        (
            "a: !secret x",
            f"f:1: found the tag !secret on 'x'; {TAGS}",
        ),
        (
            "a: !!int x",
            f"f:1: found the tag tag:yaml.org,2002:int on 'x'; {TAGS}",
        ),
    ],
)
def test_what_is_refused_though_it_can_be_read(text: str, expected: str) -> None:
    document = read_yaml("f", text)
    assert document.readable
    assert [str(problem) for problem in document.problems] == [expected]


def test_places_are_written_without_what_acts_on_a_terminal() -> None:
    assert place_text(("sessions", 0, "windows", 2, "layout")) == "sessions[0].windows[2].layout"
    assert place_text(("a", "b\x1b", "")) == "a.'b\\x1b'.''"
    assert shown("\x1b[31m") == "'\\x1b[31m'"
    assert shown("x" * 100) == f"'{'x' * 59}..."


def refused_file(path: Path) -> str:
    with pytest.raises(SpecError) as refused:
        load_spec(path, base_directory="~")
    return str(refused.value).removeprefix(f"{path}:").strip()


def test_files_that_are_no_spec(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"sessions: []\n# caf\xe9\n")
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (LARGEST_FILE + 1))
    fifo = tmp_path / "fifo.yaml"
    os.mkfifo(fifo)
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    assert refused_file(tmp_path / "missing.yaml") == "found no such file; allowed: an existing YAML file"
    assert refused_file(tmp_path) == "found a directory; allowed: a YAML file"
    assert refused_file(fifo) == "found no regular file; allowed: a YAML file"
    assert (
        refused_file(latin)
        == "2: found the byte 0xE9, which is not UTF-8; allowed: text in UTF-8; save the file in that encoding"
    )
    assert refused_file(large) == "found more than 1000000 bytes; allowed: at most 1000000 bytes"
    assert (
        refused_file(loop)
        == "found a file that cannot be read (Too many levels of symbolic links); allowed: a YAML file"
    )


def test_a_file_that_may_not_be_read() -> None:
    found, allowed = _unreadable(PermissionError(13, "Permission denied"))
    assert found == "found a file that you may not read"
    assert allowed == "allowed: a YAML file that you may read; look at its owner and mode"


def test_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    specs = tmp_path / "specs"
    specs.mkdir()
    for name in ("mugen.yaml", "pixel.yaml", "notes.txt"):
        (specs / name).write_text("sessions: []")
    (tmp_path / "own.yml").write_text("sessions: []")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve_spec("mugen", specs) == specs / "mugen.yaml"
    assert resolve_spec("own.yml", specs) == Path("own.yml")
    assert resolve_spec("./specs/pixel.yaml", specs) == Path("specs/pixel.yaml")
    assert resolve_spec("~/own.yml", specs) == tmp_path / "own.yml"
    known = f"allowed: the path of a file, or a name from {specs}: mugen, pixel"
    for reference, hint in [
        ("mugn", "; did you mean mugen?"),
        ("./mugen.yml", "; did you mean mugen?"),
        ("notes", ""),
        ("a\0", ""),
    ]:
        with pytest.raises(SpecError) as refused:
            resolve_spec(reference, specs)
        shown_as = reference if reference.isprintable() else ascii(reference)
        assert str(refused.value) == f"{shown_as}: found no such spec; {known}{hint}"
    with pytest.raises(SpecError, match=r"^'': found no such spec; .*: none$"):
        resolve_spec("", tmp_path / "missing")


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xef\xbb\xbfsession_name: s\r\nwindows: [{}]\r\n")
    assert load_spec(file, base_directory="~").sessions[0].session_name == "s"


def test_json_with_tabs_and_surrogate_pairs(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text('{\n\t"session_name": "\\ud83d\\ude00",\n\t"windows": [{"panes": ["echo \\\\ud83d \\/"]}]\n}')
    (session,) = load_spec(file, base_directory="~").sessions
    assert session.session_name == "\N{GRINNING FACE}"
    assert session.windows[0].panes[0].commands[0].text == r"echo \ud83d /"
