"""A service that the agents of a host need, as a spec says it; a part of miyabi.spec."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Integration:
    """A service that the host's agents need, and how to tell whether it answers; one of ``command``, ``tcp``, ``http``.

    + command: succeeds when the service is well
    + tcp: ``host:port`` that takes a connection
    + http: a URL that answers with one of the codes in ``expect``
    + headers: sent with ``http``; values may hold ``$NAME`` of the host's environment
    + timeout: seconds
    + remedy: a command that is tried once in a run when the service is down
    """

    name: str
    command: str | None = None
    tcp: str | None = None
    http: str | None = None
    expect: tuple[int, ...] = (200,)
    headers: tuple[tuple[str, str], ...] = ()
    timeout: float = 5.0
    remedy: str | None = None
