"""What a host can reach."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from pyinfra import host

from facts.integrations import integrations_section
from facts.observation import Unknown, ask
from miyabi.integration import Reach, refuse_integration, seconds_of
from miyabi.spec_integration import Integration
from operations.gate import operation
from operations.upkeep import failing

if TYPE_CHECKING:
    from pyinfra.api.command import PyinfraCommand


@operation()
def reachable(target: str, timeout: str | float = 5) -> Generator[PyinfraCommand]:
    """Ensure that the host can open a connection; fail with the cause when it cannot, twice.

    + target: ``host:port``, an IPv6 address in brackets
    + timeout: seconds, or text such as ``5s``; at most 20 s

    **Example:**

    .. code:: python

        from operations import network

        network.reachable(name="The hub answers", target="hub.example.org:22", timeout=3)
    """
    subject = f"network {target}"
    seconds = seconds_of(timeout)
    wanted = Integration(target, tcp=target, timeout=seconds if isinstance(seconds, float) else 1.0)
    reason = seconds if isinstance(seconds, str) else refuse_integration(wanted)
    if reason is None:
        reason = _trouble(wanted)
    if reason is None:
        host.noop(f"{target} is reachable")
        return
    yield from failing(host, subject, reason)


def _trouble(wanted: Integration) -> str | None:
    """Why a connection cannot be opened, at two looks; None when it can."""
    cause: str | None = None
    for look in (1, 2):
        answers = ask(host, integrations_section((wanted,), look))
        if isinstance(answers, Unknown):
            return answers.reason
        seen = answers[0] or Reach(None, "not asked")
        if seen.reachable:
            return None
        cause = seen.cause
        if seen.reachable is None:
            break
    return cause
