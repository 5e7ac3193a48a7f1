"""Locks on resources that nobody holds any more. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from miyabi.orchestration.findings import Archived, Change, Evidence, Issue
from miyabi.orchestration.heal_agents import holder_of, known_agents
from miyabi.orchestration.heal_structure import INCONSISTENT
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.session_state import LOCKS, State, at
from miyabi.orchestration.values import dotted, first, moment, number, said, text
from miyabi.words import iso

_SINCE = ("acquired_at", "locked_at", "since", "created_at", "timestamp")
_UNTIL = ("expires_at", "expires", "valid_until")
_LASTS = ("ttl", "ttl_seconds", "timeout", "timeout_seconds", "lease_seconds")
# They hold locks and are no agents.
_STANDING = frozenset({"system", "orchestrator", "user", "human"})


def due_of(lock: object) -> float | None:
    """When a lock expires by its own word, seconds since the epoch; None when it does not say so."""
    if not isinstance(lock, Mapping):
        return None
    until = moment(first(lock, _UNTIL))
    if until is not None:
        return until
    since, lasts = moment(first(lock, _SINCE)), number(first(lock, _LASTS))
    return since + lasts if since is not None and lasts is not None and lasts > 0 else None


def released(state: State, evidence: Evidence, _rules: Orchestration) -> Iterator[Change | Archived | Issue]:
    """Locks whose holder is no agent, or that have expired, are released; one that names no holder stays."""
    locks = at(state, LOCKS)
    if not locks:
        return
    holders = known_agents(state, evidence) | _STANDING | {text(at(state, ("session", "id")))}
    for resource, lock in list(locks.items()):
        found = _why(resource, lock, holders, evidence.now)
        if found:
            yield Archived("lock", resource, dotted(LOCKS, resource), found, locks.pop(resource))
            yield Change(INCONSISTENT, dotted(LOCKS, resource), found, "released")


def _why(resource: str, lock: Any, holders: set[str], now: float) -> str:
    holder = holder_of(lock)
    if holder and holder not in holders:
        return f"{said(resource)} is locked by {said(holder)}, which is no agent"
    due = due_of(lock)
    if due is not None and due <= now:
        return f"the lock of {said(resource)}, held by {said(holder) or 'nobody'}, expired at {iso(due)}"
    return ""
