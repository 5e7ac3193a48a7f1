"""Flapping: what is good and bad by turns is left as it is, rather than repaired for the tenth time. Pure.

The measure is Nagios': of the 21 latest looks the 20 changes that there may be, of which the latest weighs 1.25 and the
oldest 0.75, in percent of all. Who looked less often than that is taken to have found all well before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

LOOKS = 21

_CHANGES = LOOKS - 1
_LEAST, _MOST = 0.75, 1.25
_STEP = (_MOST - _LEAST) / (_CHANGES - 1)


def measure(damaged: Sequence[bool]) -> float:
    """How much the latest looks differ from each other, in percent.

    + damaged: what each look found, oldest first; only the last 21 count

    Five changes in a row, ``measure([True, False, True, False, True])``, are 29.9; nothing but changes is 100.
    """
    return _percents(damaged)[-1] if damaged else 0.0


def flaps(damaged: Sequence[bool], start: float, stop: float) -> bool:
    """Whether something flaps after all these looks, oldest first.

    + start: percent from which it begins to flap
    + stop: percent at which it has stopped; what lies between leaves it as it was
    """
    flapping = False
    for percent in _percents(damaged):
        if percent >= start:
            flapping = True
        elif percent <= stop:
            flapping = False
    return flapping


def _percents(damaged: Sequence[bool]) -> list[float]:
    """The measure after each look. With each, what was weighed before gets one step lighter."""
    weighed = 0.0
    changes = 0
    window: deque[bool] = deque([False] * _CHANGES, _CHANGES)
    before = False
    percents = []
    for now in damaged:
        if window[0]:
            weighed -= _LEAST
            changes -= 1
        weighed -= _STEP * changes
        changed = now != before
        window.append(changed)
        if changed:
            weighed += _MOST
            changes += 1
        before = now
        percents.append(weighed * 100.0 / _CHANGES)
    return percents
