"""A circuit breaker as a value, for a host, a channel or a service on which nothing holds any more. Pure.

pybreaker would do the same for calls within one process; it reads a clock of its own and changes itself, and neither
goes with a state that is kept between runs and asked what it would say at another moment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class Breaker:
    """How a breaker stands.

    + failures: in a row
    + opened_at: seconds since the epoch; None is closed
    + limit: failures in a row at which it opens
    + open_for: seconds until one more is let through

    .. code:: python

        breaker = Breaker(limit=2).failed(100).failed(110)
        breaker.allows(120), breaker.allows(1910)  # (False, True)
    """

    failures: int = 0
    opened_at: float | None = None
    limit: int = 5
    open_for: float = 1800.0

    def state(self, now: float) -> Literal["closed", "open", "half-open"]:
        """``closed`` lets all through, ``open`` nothing, ``half-open`` one, whose outcome decides."""
        if self.opened_at is None:
            return "closed"
        # One that opens only later was opened before the clock was set back: nobody can tell how long that is ago.
        return "open" if self.opened_at <= now < self.opened_at + self.open_for else "half-open"

    def allows(self, now: float) -> bool:
        """Whether something may be let through."""
        return self.state(now) != "open"

    def again_at(self, now: float) -> float | None:
        """When it lets something through again; None when it does so now."""
        return self.opened_at + self.open_for if self.opened_at is not None and not self.allows(now) else None

    def tried(self, now: float) -> Breaker:
        """The same after one was let through whose outcome is not known yet: a half-open one lets no second through."""
        return replace(self, opened_at=now) if self.state(now) == "half-open" else self

    def failed(self, now: float) -> Breaker:
        """The same after a failure."""
        failures = self.failures + 1
        opens = self.opened_at is not None or failures >= self.limit
        return replace(self, failures=failures, opened_at=now if opens else None)

    def succeeded(self) -> Breaker:
        """The same after a success: closed, and all forgotten."""
        return replace(self, failures=0, opened_at=None)
