"""What a hook may be given."""

from __future__ import annotations

from typing import Any

import pytest

from miyabi.hook import Hook, hook_of
from tests.hooks.running import hook


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"path": " "}, "a hook is an executable file or a command line"),
        ({"path": None}, "a hook is an executable file or a command line"),
        ({"path": "''"}, "names no program"),
        ({"path": "a\0b"}, "null character"),
        ({"path": "x", "timeout": 0}, "allowed: from 1 s to 3600 s"),
        ({"path": "x", "timeout": "soon"}, "allowed: a number of seconds"),
        ({"path": "x", "timeout": None}, "timeout is None"),
        ({"path": "x", "data": float("inf")}, "cannot be written as JSON"),
        ({"path": "x", "data": {"a": object()}}, "cannot be written as JSON"),
        ({"path": "x", "cwd": ""}, "a path is needed"),
        ({"path": "x", "env": {"A=B": "1"}}, "letters, digits and _"),
        ({"path": "x", "env": {"A": 1}}, "must be text"),
        ({"path": "x", "env": {"A": "\0"}}, "without null characters"),
        *(({"path": "x", "env": {name: "1"}}, f"env holds {name}, which a hook is never given") for name in (
            "LD_PRELOAD", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "PYTHONPATH", "PYTHONSTARTUP", "PERL5OPT", "PERL5LIB",
            "NODE_OPTIONS", "RUBYOPT", "BASH_ENV", "ENV", "IFS", "GCONV_PATH", "CLAUDE_HOOK_SESSION_ID",
        )),
    ],
)  # fmt: skip
def test_what_is_refused(arguments: dict[str, Any], reason: str) -> None:
    found = hook_of(**arguments)
    assert isinstance(found, str)
    assert reason in found
    assert "\n" not in found


def test_a_cycle_and_a_depth_are_refused() -> None:
    deep: list[Any] = []
    deep.append(deep)
    assert "cannot be written as JSON" in str(hook_of("x", deep))
    for _ in range(100_000):
        deep = [deep]
    assert "cannot be written as JSON" in str(hook_of("x", deep))


def test_half_a_second_is_one() -> None:
    assert hook("x", timeout=0.5).timeout == 1
    assert hook("x", timeout="1m").timeout == 60


def test_what_is_the_same_run() -> None:
    first = hook("~/x.sh a", data={"a": 1})
    assert first.digest == hook("~/x.sh a", data={"a": 1}, timeout=5).digest
    assert first.digest != hook("~/x.sh a", data={"a": 2}).digest
    assert first.name == hook("~/x.sh a", data={"a": 2}).name
    assert first.name != hook("~/x.sh b").name
    assert first.name.startswith("x_sh-")


def test_nothing_of_it_is_shown_by_accident() -> None:
    shown = repr(Hook(("x",), '{"token": "s3cret"}', environment=(("TOKEN", "s3cret"),)))
    assert "s3cret" not in shown
