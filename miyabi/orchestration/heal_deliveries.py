"""Deliveries that failed: due again, or, when they have been tried often enough, dead letters. Pure.

A delivery that failed says so by its ``status``, with ``attempts`` and ``last_attempt_at``, at the message itself or in
its ``delivery``. It is tried again after 2, 4, 8, ... seconds, at most 5 minutes, as often as its priority is worth;
then it lies with the dead letters, and its sender is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from miyabi.orchestration.findings import Archived, Change, Evidence
from miyabi.orchestration.heal_agents import known_agents
from miyabi.orchestration.heal_messages import ATTEMPTS, TRIED_AT, TRIES, priority_of
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.session_state import CHANNELS, QUEUES, State, at, ids
from miyabi.orchestration.values import dotted, first, moment, names, number, said, text, written_like
from miyabi.words import iso

UNDELIVERED = "MESSAGE_DELIVERY_FAILED"
MISSED = "BROADCAST_FAILED"

LONGEST_WAIT = 300.0

_FAILED = frozenset({"failed", "delivery_failed", "partial", "partially_delivered", "undeliverable"})
_SYSTEM = "system"

Step = Iterator[Change | Archived]


@dataclass(frozen=True, slots=True)
class _Failed:
    """A delivery that failed: how often it was tried, and when last; ``said_at`` is that as it was written."""

    attempts: int
    tried_at: float
    said_at: object
    most: int

    @property
    def is_final(self) -> bool:
        """Whether it has been tried often enough."""
        return self.attempts >= self.most

    @property
    def due_at(self) -> float:
        """When it is to be tried again, seconds since the epoch."""
        return self.tried_at + min(2.0 ** min(self.attempts, 10), LONGEST_WAIT)

    @property
    def words(self) -> str:
        """How often it was tried, for the user."""
        return f"tried {self.attempts} of {self.most} times"


def undelivered(state: State, evidence: Evidence, _rules: Orchestration) -> Step:
    """Failed deliveries are due again, or lie with the dead letters."""
    told = _Told(state, evidence)
    for queue, there in list(at(state, QUEUES).items()):
        for place, message, failed in _failures(there, evidence.now):
            recipient = text(first(message, ("to", "recipient"))) or queue
            found = f"message {_name(message)} to {said(recipient)} failed, {failed.words}"
            case = _Case(UNDELIVERED, dotted(QUEUES, queue), found, (recipient,))
            yield from told.tried(there, place, failed, case)
        told.cleared(there)


def broadcasts(state: State, evidence: Evidence, _rules: Orchestration) -> Step:
    """Broadcasts that some did not get are due again, for those; at last they lie with the dead letters, too."""
    told = _Told(state, evidence)
    there = at(state, (*CHANNELS, "broadcast"))
    for place, message, failed in _failures(there, evidence.now):
        missed = tuple(_missed(message))
        found = f"broadcast {_name(message)} failed for {said(', '.join(missed) or 'somebody')}, {failed.words}"
        yield from told.tried(there, place, failed, _Case(MISSED, dotted(CHANNELS, "broadcast"), found, missed))
    told.cleared(there)


def _failures(there: list[Any], now: float) -> list[tuple[int, dict[str, Any], _Failed]]:
    failures = ((place, message, _failed(message, now)) for place, message in enumerate(there))
    return [(place, message, failed) for place, message, failed in failures if failed is not None]


def _missed(message: Mapping[str, Any]) -> list[str]:
    """Who did not get a broadcast: as it says, or who should have got it and did not."""
    told = list(names(first(message, ("failed_recipients", "missed"))))
    got = set(names(first(message, ("delivered_to", "acknowledged_by"))))
    return told or [name for name in names(first(message, ("recipients", "to"))) if name not in got]


def _failed(message: Mapping[str, Any], now: float) -> _Failed | None:
    """How the delivery of a message failed; None when it does not say that it did."""
    delivery = message.get("delivery")
    says = {**message, **delivery} if isinstance(delivery, dict) and "status" in delivery else message
    if text(says.get("status")) not in _FAILED:
        return None
    said_at = next((says[key] for key in TRIED_AT if moment(says.get(key)) is not None), None)
    tried_at = moment(said_at)
    attempts = max(0, int(number(first(says, ATTEMPTS)) or 0))
    return _Failed(attempts, now if tried_at is None else tried_at, said_at, TRIES[priority_of(message)])


def _name(message: Mapping[str, Any]) -> str:
    return said(message["id"]) if text(message.get("id")) else "without an id"


@dataclass(frozen=True, slots=True)
class _Case:
    """What is said of a delivery that failed: the error's code, where it is, what was found, and who did not get it."""

    code: str
    path: str
    found: str
    recipients: tuple[str, ...]


class _Told:
    """The dead letters, and the notes to those who sent them; each note is there once."""

    def __init__(self, state: State, evidence: Evidence) -> None:
        self._state = state
        self._evidence = evidence
        self._gone: set[int] = set()
        self._notes: set[str] = set()
        self._hearing: set[str] | None = None

    def tried(self, there: list[Any], place: int, failed: _Failed, case: _Case) -> Step:
        """The message at that place is due again, or, at last, a dead letter."""
        message = there[place]
        if failed.is_final:
            self._gone.add(place)
            yield Change(case.code, case.path, case.found, self._buried(message, failed, case.recipients))
            return
        delivery = message.get("delivery")
        is_inside = isinstance(delivery, dict) and "status" in delivery
        says = delivery if is_inside else message
        was = says.get("next_attempt_at")
        if was is not None and moment(was) is None:
            yield Archived("malformed", "", case.path, case.found, was)
        now = {**says, "status": "pending", "next_attempt_at": written_like(failed.said_at, failed.due_at)}
        there[place] = {**message, "delivery": now} if is_inside else now
        yield Change(case.code, case.path, case.found, f"pending again, due at {iso(failed.due_at)}")

    def cleared(self, there: list[Any]) -> None:
        """Take out of a list what has become dead letters."""
        if self._gone:
            there[:] = [message for place, message in enumerate(there) if place not in self._gone]
            self._gone = set()

    def _buried(self, message: dict[str, Any], failed: _Failed, recipients: tuple[str, ...]) -> str:
        """Put a message to the dead letters and tell its sender; what was done, in words."""
        recipient = ", ".join(recipients)
        failed_delivery = {
            "recipient": recipient,
            "failed_at": written_like(failed.said_at, failed.tried_at),
            "reason": "max_retries_exceeded",
        }
        at(self._state, CHANNELS).setdefault("dead_letter", []).append({**message, "failed_delivery": failed_delivery})
        sender = text(first(message, ("from", "sender")))
        note = _note(message, sender, recipient, failed)
        queues = at(self._state, QUEUES)
        if self._hearing is None:
            self._hearing = known_agents(self._state, self._evidence) | queues.keys()
            self._notes = {name for kind, name in ids(self._state) if kind == "message"}
        may_hear = sender in self._hearing and sender not in {_SYSTEM, *recipients}
        if not may_hear or note["id"] in self._notes:
            return "put to the dead letters"
        queues.setdefault(sender, []).append(note)
        self._notes.add(note["id"])
        return f"put to the dead letters, and {said(sender)} told"


def _note(message: Mapping[str, Any], sender: str, recipient: str, failed: _Failed) -> dict[str, Any]:
    own = text(message.get("id")) or f"{sender}-{recipient}-{round(failed.tried_at)}"
    return {
        "id": f"delivery-failure-{own}",
        "timestamp": iso(failed.tried_at),
        "from": _SYSTEM,
        "to": sender,
        "type": "delivery_failure",
        "priority": "high",
        "payload": {
            "failed_message_id": message.get("id"),
            "intended_recipient": recipient,
            "reason": f"not delivered, {failed.words}",
        },
    }
