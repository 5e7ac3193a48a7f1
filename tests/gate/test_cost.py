"""What a decision costs: the same, however much is remembered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import SupportsIndex, TypeVar, overload

import pytest
from typing_extensions import override

from miyabi.gate import Fleet, TargetHistory, Try, decide, exhausted_level
from miyabi.gate_past import REMEMBERED
from miyabi.gate_rules import Rules
from miyabi.levels import Level
from tests.gate.asking import LENIENT, NOW, REQUEST

T = TypeVar("T")


class Counted(tuple[T, ...]):  # noqa: SLOT001 - it counts in its class
    """A tuple that counts what is taken out of it."""

    taken = 0

    @overload
    def __getitem__(self, key: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[T, ...]: ...
    @override
    def __getitem__(self, key: SupportsIndex | slice) -> T | tuple[T, ...]:
        """Some of it."""
        found = super().__getitem__(key)
        type(self).taken += len(range(*key.indices(len(self)))) if isinstance(key, slice) else 1
        return found

    @override
    def __iter__(self) -> Iterator[T]:
        """All of it."""
        type(self).taken += len(self)
        return super().__iter__()


@pytest.mark.parametrize("rules", [Rules(), LENIENT])
@pytest.mark.parametrize("remembered", [1000, 100_000])
def test_only_the_latest_are_looked_at(remembered: int, rules: Rules, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Counted((NOW - number, number % 3 == 0) for number in range(remembered, 0, -1))
    tries = Counted(Try(NOW - number, Level.L1, False) for number in range(remembered, 0, -1))
    history = TargetHistory(looks, tries)
    for asked in (
        lambda: decide(REQUEST, history, Fleet(), rules, NOW),
        lambda: exhausted_level(history, rules, NOW),
    ):
        monkeypatch.setattr(Counted, "taken", 0)
        asked()
        assert 0 < Counted.taken <= 2 * REMEMBERED
