"""Waiting for an instance ends when its time is over, whatever somebody does to the clock meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import pytest

from operations import coming_back
from operations.coming_back import Awaited, wait_until_back

if TYPE_CHECKING:
    from pyinfra.api import Host


@dataclass
class _Clocks:
    """The clock that is set after some seconds, and the one that is not."""

    set_by: float
    passed: float = 0.0

    def now(self) -> float:
        return 1_800_000_000.0 + self.passed + (self.set_by if self.passed > 5 else 0.0)

    def monotonic(self) -> float:
        return 300.0 + self.passed

    def sleep(self, seconds: float) -> None:
        self.passed += seconds
        assert self.passed < 120, "nobody waits any longer"


@pytest.mark.parametrize("set_by", [0.0, -3600.0, 3600.0])
def test_a_clock_that_is_set_changes_nothing(monkeypatch: pytest.MonkeyPatch, set_by: float) -> None:
    clocks = _Clocks(set_by)
    for name in ("now", "monotonic", "sleep"):
        monkeypatch.setattr(coming_back, name, getattr(clocks, name))
    monkeypatch.setattr(coming_back._Watch, "look", lambda _: "nobody answers")
    since = clocks.now()
    assert wait_until_back(cast("Host", None), Awaited(since, since + 30)) == "nobody answers"
    assert 30 <= clocks.passed < 34
