"""Poll with a deadline: the only way in which tests wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(predicate: Callable[[], T], timeout: float = 10.0, *, what: str = "") -> T:
    """The first truthy value of ``predicate``; ``AssertionError`` when there is none within ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    pause = 0.005
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() >= deadline:
            named = what or getattr(predicate, "__name__", "the predicate")
            raise AssertionError(f"not within {timeout} s: {named} (last value: {value!r})")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
