"""A pattern for paths expands on the host, and nothing else in it does."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from miyabi.shell import pattern
from tests.facts.hosts import INSTALLED_SHELLS, SHELLS

every_shell = pytest.mark.parametrize("shell", INSTALLED_SHELLS)

NAMES = ("a.log", "b.log", "c d.log", "-n.log", "it's $x;.log", "two\nlines.log", "{a,b}.log", "~.log", "x]y", "[ab]")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a space in its name, and files with all kinds of names."""
    folder = tmp_path / "my *logs*"
    (folder / "deep" / "er").mkdir(parents=True)
    for name in (*NAMES, "deep/d.log", "deep/er/e.log", ".hidden.log"):
        (folder / name).write_text(name)
    return folder


def expanded(shell: str, text: str, home: Path) -> list[str]:
    """The words that ``text`` becomes, without the home in front."""
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "LC_ALL": "C", "NAME": "c *"}
    script = f"for each in {pattern(text)}; do printf '%s\\0' \"$each\"; done"
    done = subprocess.run([*SHELLS[shell], "-c", script], env=environment, capture_output=True, check=True, cwd=home)
    return [word.decode().removeprefix(f"{home}/") for word in done.stdout.split(b"\0")[:-1]]


@every_shell
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("~/[ab].log", ["a.log", "b.log"]),
        ("~/[!a-c].log", ["~.log"]),
        ("~/?.log", ["a.log", "b.log", "~.log"]),
        ("~/[[:alpha:]].log", ["a.log", "b.log"]),
        ("~/c d.l*", ["c d.log"]),
        ("~/*\nlines*", ["two\nlines.log"]),
        ("~/it's $x;*", ["it's $x;.log"]),
        ("~/*(a)", ["*(a)"]),
        ("~/{a,b}.*", ["{a,b}.log"]),
        ("~/~*", ["~.log"]),
        ("~/**/?.log", ["deep/d.log"]),
        ("~/x[]]y", ["x]y"]),
        ("~/[[]ab]", ["[ab]"]),
        ("~/none-*", ["none-*"]),
        ("~/$(touch made)`touch made`*", ["$(touch made)`touch made`*"]),
        ("~/$NAME*", ["c **"]),
        ("~*", ["~.log"]),
        ("", [""]),
    ],
)
def test_the_host_expands_a_pattern_and_takes_the_rest_literally(
    shell: str, text: str, found: list[str], folder: Path
) -> None:
    assert sorted(expanded(shell, text, folder)) == sorted(found)
    assert not (folder / "made").exists()


@every_shell
def test_everything_in_a_folder(shell: str, folder: Path) -> None:
    assert sorted(expanded(shell, "~/*", folder)) == sorted([*NAMES, "deep"])


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0*?[]$~"), min_size=1, max_size=20))
def test_a_path_without_a_pattern_arrives_literally(text: str) -> None:
    assert expanded("dash", text, Path("/")) == [text]
