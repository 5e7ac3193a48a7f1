"""Messages: what is none, and queues that are too full. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from miyabi.orchestration.findings import Archived, Change, Evidence, Issue
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.session_state import CHANNELS, QUEUES, State, at
from miyabi.orchestration.values import dotted, first, kind_of, moment, said, text

CORRUPT = "MESSAGE_CORRUPTION"
OVERFLOW = "MESSAGE_QUEUE_OVERFLOW"

# How often a message is tried; one that says no priority, or another one, counts as a normal one.
TRIES = {"critical": 10, "high": 5, "medium": 3, "normal": 3, "low": 1}
# How many ordinary messages a queue keeps that is too full.
KEPT = 50

IMPORTANT = frozenset({"critical", "high"})
DELIVERED = frozenset({"delivered", "read", "acknowledged", "processed", "completed", "done"})
ATTEMPTS = ("attempts", "attempt_count", "delivery_attempts", "retry_count")
TRIED_AT = ("last_attempt_at", "last_attempt", "failed_at", "updated_at", "timestamp")
# What says who sends what to whom, and nothing besides.
_ENVELOPE = frozenset(
    {
        *("id", "timestamp", "sent_at", "created_at", "updated_at", "from", "sender", "to", "recipient", "recipients"),
        *("priority", "status", "delivery", "delivery_status", "session_id", "correlation_id", "next_attempt_at"),
        *ATTEMPTS,
        *TRIED_AT,
    }
)

Step = Iterator[Change | Archived | Issue]


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
