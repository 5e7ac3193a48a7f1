"""Circuit breakers in a run: failures in a row open the breaker of a host or a service, a success closes it."""

from __future__ import annotations

from miyabi.gate_rules import Rules
from miyabi.records import BreakerChanged
from operations.memory import Memory, now


def note_breaker(memory: Memory, subject: str, rules: Rules, *, failed: bool) -> None:
    """Write down how a breaker stands after something was tried, when that has changed it.

    + subject: such as ``host mugen`` or ``service ec2``
    """
    from miyabi.breaker import Breaker  # noqa: PLC0415 - only a run that has tried something pays for it

    failures, opened_at = (memory.ask_history(lambda history: history.breakers()) or {}).get(subject, (0, None))
    before = Breaker(failures, opened_at, rules.breaker_failures, rules.breaker_open)
    after = before.failed(now()) if failed else before.succeeded()
    if after != before:
        memory.keep(
            BreakerChanged(**memory.common(), subject=subject, failures=after.failures, opened_at=after.opened_at)
        )
