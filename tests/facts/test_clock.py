"""A host's clock against the control machine's, whose own is set by each test."""

from __future__ import annotations

import json
from time import time

import pytest
from pyinfra.api.exceptions import FactProcessError

from facts.clock import Clock, Skew, clock_section
from miyabi.limits import judge_clock, skew_between
from tests.facts.hosts import INSTALLED_SHELLS, ask


def _told(*lines: str, code: int = 0) -> list[str]:
    return ["##miyabi:begin clock", *lines, f"##miyabi:end clock {code}"]


def _asked(monkeypatch: pytest.MonkeyPatch, before: float, after: float) -> Clock:
    moments = iter((before, after))
    monkeypatch.setattr("facts.clock.time", lambda: next(moments))
    fact = Clock()
    fact.command()
    return fact


@pytest.mark.parametrize("shell", INSTALLED_SHELLS)
def test_this_machine_agrees_with_itself(shell: str) -> None:
    before = time()
    told = ask(clock_section(), shell)
    low, high = skew_between(told, before, time())
    assert low <= 0 <= high


def test_the_fact(monkeypatch: pytest.MonkeyPatch) -> None:
    fact = _asked(monkeypatch, 1000.0, 1001.0)
    assert fact.process(_told("1090")) == Skew(told=1090, ahead=90.0, uncertainty=1.0)
    assert json.dumps(Skew(1090, 90.0, 1.0).to_json())


@pytest.mark.parametrize(
    "lines", [(), ("",), ("date: Permission denied",), ("-7",), ("1795236912.4",), ("\u0661\u0662",)]
)
def test_garbage_is_unknown(monkeypatch: pytest.MonkeyPatch, lines: tuple[str, ...]) -> None:
    fact = _asked(monkeypatch, 1000.0, 1001.0)
    with pytest.raises(FactProcessError, match="clock is unknown"):
        fact.process(_told(*lines))
    with pytest.raises(FactProcessError, match="clock is unknown: exit code 127"):
        fact.process(_told(*lines, "date: not found", code=127))


@pytest.mark.parametrize(
    ("told", "grade", "words"),
    [
        (1000, "fine", "within 30 s"),
        (1034, "fine", "within 30 s"),
        (1035, "fine", "within 30 s"),
        (1036, "warning", "at least 31 s ahead of the control machine's (warning 30 s)"),
        (969, "fine", "within 30 s"),
        (968, "warning", "at least 31 s behind the control machine's (warning 30 s)"),
        (0, "warning", "at least 999 s behind"),
    ],
)
def test_a_skew_is_claimed_only_beyond_the_uncertainty(told: int, grade: str, words: str) -> None:
    judged = judge_clock(told, (1000.0, 1005.0), 30)
    assert judged.grade == grade
    assert words in judged.evidence
