"""Messages: what is none, what could not be delivered, and queues that are too full. Pure.

A delivery that failed says so by its ``status``, with ``attempts`` and ``last_attempt_at``, at the message itself or in
its ``delivery``. It is tried again after 2, 4, 8, ... seconds, at most 5 minutes, as often as its priority is worth;
then it lies with the dead letters, and its sender is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from miyabi.orchestration.findings import Archived, Change, Evidence, Issue
from miyabi.orchestration.heal_agents import known_agents
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.session_state import CHANNELS, QUEUES, State, at
from miyabi.orchestration.values import dotted, first, kind_of, moment, names, number, said, text, written_like
from miyabi.words import iso

CORRUPT = "MESSAGE_CORRUPTION"
UNDELIVERED = "MESSAGE_DELIVERY_FAILED"
MISSED = "BROADCAST_FAILED"
OVERFLOW = "MESSAGE_QUEUE_OVERFLOW"

# How often a message is tried; one that says no priority, or another one, counts as a normal one.
TRIES = {"critical": 10, "high": 5, "medium": 3, "normal": 3, "low": 1}
LONGEST_WAIT = 300.0
# How many ordinary messages a queue keeps that is too full.
KEPT = 50

IMPORTANT = frozenset({"critical", "high"})
DELIVERED = frozenset({"delivered", "read", "acknowledged", "processed", "completed", "done"})
_FAILED = frozenset({"failed", "delivery_failed", "partial", "partially_delivered", "undeliverable"})
_ATTEMPTS = ("attempts", "attempt_count", "delivery_attempts", "retry_count")
_TRIED_AT = ("last_attempt_at", "last_attempt", "failed_at", "updated_at", "timestamp")
# What says who sends what to whom, and nothing besides.
_ENVELOPE = frozenset(
    {
        *("id", "timestamp", "sent_at", "created_at", "updated_at", "from", "sender", "to", "recipient", "recipients"),
        *("priority", "status", "delivery", "delivery_status", "session_id", "correlation_id", "next_attempt_at"),
        *_ATTEMPTS,
        *_TRIED_AT,
    }
)
_SYSTEM = "system"

Step = Iterator[Change | Archived | Issue]


@dataclass(frozen=True, slots=True)
class _Failed:
    """A delivery that failed: how often it was tried, and when last; ``said_at`` is that as it was written."""

    attempts: int
    tried_at: float
    said_at: object
    most: int


def priority_of(message: Mapping[str, Any]) -> str:
    """A message's priority; what says none, or another one, is normal."""
    said_so = text(message.get("priority"))
    return said_so if said_so in TRIES else "normal"


def is_delivered(message: Mapping[str, Any]) -> bool:
    """Whether a message says that it has arrived; one that says nothing has not."""
    delivery = message.get("delivery")
    status = first(message, ("status", "delivery_status")) or (isinstance(delivery, dict) and delivery.get("status"))
    return text(status) in DELIVERED or message.get("delivered") is True


def sent_at(message: Mapping[str, Any]) -> float | None:
    """When a message was sent, seconds since the epoch; None when it does not say."""
    return moment(first(message, ("timestamp", "sent_at", "created_at")))


def _lists(state: State) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """The queues, and the channels of which it is known that messages are in them."""
    for name, queue in at(state, QUEUES).items():
        yield (*QUEUES, name), queue
    for name in ("broadcast", "emergency", "handoffs"):
        yield (*CHANNELS, name), at(state, (*CHANNELS, name))


def corrupt(state: State, _evidence: Evidence, _rules: Orchestration) -> Step:
    """What lies in a queue or a channel and is no message: no object, or one that says nothing."""
    for path, there in _lists(state):
        flaws = {place: flaw for place, each in enumerate(there) if (flaw := _flaw(each, path))}
        for place, flaw in flaws.items():
            each = there[place]
            own = text(each.get("id")) if isinstance(each, dict) else ""
            found = f"message {said(own) if own else place + 1} of {said(path[-1])} {flaw}"
            yield Archived("message", own, dotted(path), found, each)
            yield Change(CORRUPT, dotted(path), found, "archived")
        if flaws:
            there[:] = [each for place, each in enumerate(there) if place not in flaws]


def _flaw(message: object, path: tuple[str, ...]) -> str:
    if not isinstance(message, dict):
        return f"is {kind_of(message)}, and no message"
    is_empty = path[:2] == QUEUES and all(message[key] is None for key in message.keys() - _ENVELOPE)
    return "says nothing" if is_empty else ""


def undelivered(state: State, evidence: Evidence, _rules: Orchestration) -> Step:
    """Failed deliveries are due again, or, when they have been tried often enough, lie with the dead letters."""
    queues = at(state, QUEUES)
    dead: list[tuple[str, dict[str, Any], _Failed]] = []
    for queue, there in queues.items():
        gone = set()
        for place, message in enumerate(there):
            failed = _failed(message, evidence.now)
            if failed is None:
                continue
            if failed.attempts >= failed.most:
                dead.append((queue, message, failed))
                gone.add(place)
                continue
            there[place] = _due_again(message, failed)
            found = f"message {_name(message)} to {said(_recipient(message, queue))} failed, {_tried(failed)}"
            did = f"pending again, due at {iso(failed.tried_at + _wait(failed.attempts))}"
            yield Change(UNDELIVERED, dotted(QUEUES, queue), found, did)
        if gone:
            there[:] = [message for place, message in enumerate(there) if place not in gone]
    if not dead:
        return
    told = _Told(state, known_agents(state, evidence))
    for queue, message, failed in dead:
        recipient = _recipient(message, queue)
        found = f"message {_name(message)} to {said(recipient)} failed, {_tried(failed)}"
        yield from told.dead_letter(message, (recipient,), failed, (dotted(QUEUES, queue), found, UNDELIVERED))


def broadcasts(state: State, evidence: Evidence, _rules: Orchestration) -> Step:
    """Broadcasts that some did not get are due again, for those; at last they lie with the dead letters, too."""
    there = at(state, (*CHANNELS, "broadcast"))
    path = dotted(CHANNELS, "broadcast")
    gone: set[int] = set()
    told: _Told | None = None
    for place, message in enumerate(there):
        failed = _failed(message, evidence.now)
        if failed is None:
            continue
        missed = tuple(_missed(message))
        found = f"broadcast {_name(message)} failed for {said(', '.join(missed) or 'somebody')}, {_tried(failed)}"
        if failed.attempts >= failed.most:
            gone.add(place)
            told = told or _Told(state, known_agents(state, evidence))
            yield from told.dead_letter(message, missed, failed, (path, found, MISSED))
            continue
        there[place] = _due_again(message, failed)
        yield Change(MISSED, path, found, f"pending again, due at {iso(failed.tried_at + _wait(failed.attempts))}")
    if gone:
        there[:] = [message for place, message in enumerate(there) if place not in gone]


def _missed(message: Mapping[str, Any]) -> list[str]:
    """Who did not get a broadcast: as it says, or who should have got it and did not."""
    told = list(names(first(message, ("failed_recipients", "missed"))))
    got = set(names(first(message, ("delivered_to", "acknowledged_by"))))
    return told or [name for name in names(first(message, ("recipients", "to"))) if name not in got]


def _failed(message: Mapping[str, Any], now: float) -> _Failed | None:
    """How the delivery of a message failed; None when it does not say that it did."""
    delivery = message.get("delivery")
    holder = delivery if isinstance(delivery, dict) and "status" in delivery else message
    if text(holder.get("status")) not in _FAILED:
        return None
    counted = number(first(holder, _ATTEMPTS) if holder is message else first({**message, **holder}, _ATTEMPTS))
    said_at = first(holder, _TRIED_AT[:-1]) if holder is not message else None
    said_at = (
        said_at
        if moment(said_at) is not None
        else next((message[key] for key in _TRIED_AT if moment(message.get(key)) is not None), None)
    )
    tried_at = moment(said_at)
    return _Failed(
        max(0, int(counted or 0)), now if tried_at is None else tried_at, said_at, TRIES[priority_of(message)]
    )


def _due_again(message: Mapping[str, Any], failed: _Failed) -> dict[str, Any]:
    due = {
        "status": "pending",
        "next_attempt_at": written_like(failed.said_at, failed.tried_at + _wait(failed.attempts)),
    }
    delivery = message.get("delivery")
    if isinstance(delivery, dict) and "status" in delivery:
        return {**message, "delivery": {**delivery, **due}}
    return {**message, **due}


def _wait(attempts: int) -> float:
    return min(2.0 ** min(attempts, 10), LONGEST_WAIT)


def _tried(failed: _Failed) -> str:
    return f"tried {failed.attempts} of {failed.most} times"


def _recipient(message: Mapping[str, Any], queue: str) -> str:
    return text(first(message, ("to", "recipient"))) or queue


def _name(message: Mapping[str, Any]) -> str:
    return said(message["id"]) if text(message.get("id")) else "without an id"


class _Told:
    """The dead letters, and the notes to those who sent them; each letter and each note is there once."""

    def __init__(self, state: State, agents: set[str]) -> None:
        self._queues: dict[str, list[Any]] = at(state, QUEUES)
        channels = at(state, CHANNELS)
        self._letters: list[Any] = channels.setdefault("dead_letter", [])
        self._agents = agents
        self._notes = {
            name
            for path in (QUEUES, CHANNELS)
            for there in at(state, path).values()
            if isinstance(there, list)
            for each in there
            if isinstance(each, dict) and (name := text(each.get("id")))
        }

    def dead_letter(
        self, message: dict[str, Any], recipients: Iterable[str], failed: _Failed, told: tuple[str, str, str]
    ) -> Iterator[Change]:
        """Put a message to the dead letters, and tell its sender.

        + told: where it was, what was found, and the error's code
        """
        path, found, code = told
        there = tuple(recipients)
        recipient = ", ".join(there)
        self._letters.append(
            {
                **message,
                "failed_delivery": {
                    "recipient": recipient,
                    "failed_at": written_like(failed.said_at, failed.tried_at),
                    "reason": "max_retries_exceeded",
                },
            }
        )
        sender = text(first(message, ("from", "sender")))
        note = self._note(message, sender, recipient, failed)
        did = "put to the dead letters"
        may_hear = sender in self._agents or sender in self._queues
        if may_hear and sender != _SYSTEM and sender not in there and note["id"] not in self._notes:
            self._queues.setdefault(sender, []).append(note)
            self._notes.add(note["id"])
            did += f", and {said(sender)} told"
        yield Change(code, path, found, did)

    @staticmethod
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
                "reason": f"not delivered, {_tried(failed)}",
            },
        }


def overflow(state: State, _evidence: Evidence, rules: Orchestration) -> Step:
    """Of a queue that is too full stay important messages, the newest ordinary ones, and low ones if they fit."""
    for name, there in at(state, QUEUES).items():
        if len(there) <= rules.limits.queue:
            continue
        path = dotted(QUEUES, name)
        found = f"queue {said(name)} holds {len(there)} messages, more than {rules.limits.queue}"
        stay = _staying(there, rules.limits.queue)
        if len(stay) == len(there):
            message = f"{found}, and all are important or among the {KEPT} newest"
            yield Issue(OVERFLOW, "minor", path, message, repairable=False)
            continue
        for place, each in enumerate(there):
            if place not in stay:
                yield Archived("message", text(each.get("id")), path, found, each)
        yield Change(OVERFLOW, path, found, f"{len(there) - len(stay)} less important or older ones are archived")
        there[:] = [each for place, each in enumerate(there) if place in stay]


def _staying(there: list[dict[str, Any]], most: int) -> set[int]:
    """The places of the messages that stay; of two that were sent at the same time, the later one is the newer."""
    sent, last = [], 0.0
    for message in there:
        last = sent_at(message) or last
        sent.append(last)
    newest = sorted(range(len(there)), key=lambda place: (sent[place], place), reverse=True)
    kinds: dict[str, list[int]] = {"important": [], "ordinary": [], "low": []}
    for place in newest:
        priority = priority_of(there[place])
        kinds["important" if priority in IMPORTANT else "low" if priority == "low" else "ordinary"].append(place)
    stay = {*kinds["important"], *kinds["ordinary"][:KEPT]}
    return stay | set(kinds["low"][: max(0, most - len(stay))])
