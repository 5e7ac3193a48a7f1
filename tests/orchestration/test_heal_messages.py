"""Messages that are none, that could not be delivered, and that are too many."""

from __future__ import annotations

from typing import Any

import pytest

from miyabi.orchestration.findings import Evidence, Healed
from miyabi.orchestration.healing import heal, issues_of
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.session_state import CHANNELS, DEAD_LETTERS, QUEUES, State, at
from tests.orchestration.states import HOUR, NOW, a_message, a_session, ago, an_agent

RULES = Orchestration("~/project")


def _healed(queue: list[Any], **more: Any) -> Healed:
    state = a_session(agents=[an_agent("A1"), an_agent("A2")], queues={"A1": queue, **more.pop("queues", {})}, **more)
    healed = heal(state, Evidence(NOW), RULES)
    assert heal(healed.state, Evidence(NOW), RULES).changes == ()
    return healed


def _queue(healed: Healed, name: str = "A1") -> Any:
    return at(healed.state, (*QUEUES, name))


def _failed(priority: str, attempts: int, **more: Any) -> State:
    return a_message("M1", priority, status="failed", attempts=attempts, last_attempt_at=ago(10), sender="A2", **more)


@pytest.mark.parametrize(
    ("priority", "attempts", "wait"),
    [
        ("critical", 9, 300),
        ("critical", 1, 2),
        ("high", 4, 16),
        ("normal", 2, 4),
        ("medium", 2, 4),
        ("whatever", 2, 4),
        ("low", 0, 1),
    ],
)
def test_a_failed_delivery_is_due_again_ever_later(priority: str, attempts: int, wait: int) -> None:
    healed = _healed([_failed(priority, attempts)])
    message = _queue(healed)[0]
    assert (message["status"], message["attempts"]) == ("pending", attempts)
    assert message["next_attempt_at"] == ago(10 - wait).replace("+00:00", "Z")
    assert not healed.archived


@pytest.mark.parametrize(("priority", "attempts"), [("critical", 10), ("high", 5), ("normal", 3), ("x", 3), ("low", 1)])
def test_what_was_tried_often_enough_is_a_dead_letter_and_its_sender_hears_of_it_once(
    priority: str, attempts: int
) -> None:
    healed = _healed([a_message("M0"), _failed(priority, attempts)])
    assert [message["id"] for message in _queue(healed)] == ["M0"]
    (letter,) = at(healed.state, DEAD_LETTERS)
    assert letter["failed_delivery"] == {
        "recipient": "A1",
        "failed_at": ago(10).replace("+00:00", "Z"),
        "reason": "max_retries_exceeded",
    }
    (note,) = _queue(healed, "A2")
    assert (note["id"], note["from"], note["priority"]) == ("delivery-failure-M1", "system", "high")
    assert note["payload"]["failed_message_id"] == "M1"
    # The message is there again, as after a state that was put back: the note is not.
    state = healed.state
    at(state, (*QUEUES, "A1")).append(_failed(priority, attempts))
    assert len(_queue(heal(state, Evidence(NOW), RULES), "A2")) == 1


@pytest.mark.parametrize("sender", ["system", "A1", "nobody", "", None, 17])
def test_nobody_is_told_who_cannot_be_or_must_not_be(sender: Any) -> None:
    healed = _healed([_failed("low", 1) | {"from": sender}])
    assert len(at(healed.state, DEAD_LETTERS)) == 1
    assert at(healed.state, QUEUES) == {"A1": []}


def test_a_delivery_may_say_for_itself_that_it_failed_and_in_which_unit() -> None:
    delivery = {"status": "failed", "attempts": 1, "last_attempt": (NOW - 10) * 1000, "by": "bus"}
    message = _queue(_healed([a_message("M1", delivery=delivery)]))[0]
    assert message["delivery"] == delivery | {"status": "pending", "next_attempt_at": (NOW - 8) * 1000}
    assert "status" not in message


def test_a_broadcast_that_some_missed_is_due_again_and_at_last_a_dead_letter() -> None:
    missed: State = {
        "status": "partial",
        "recipients": ["A1", "A2"],
        "delivered_to": ["A1"],
        "last_attempt_at": ago(10),
    }
    again = a_message("M1", attempts=1, sender="A1", **missed)
    last = a_message("M2", attempts=3, sender="A1", **missed)
    healed = _healed([], channels={"broadcast": [again, last]})
    (broadcast,) = at(healed.state, (*CHANNELS, "broadcast"))
    assert (broadcast["id"], broadcast["status"]) == ("M1", "pending")
    assert at(healed.state, DEAD_LETTERS)[0]["failed_delivery"]["recipient"] == "A2"
    assert [note["id"] for note in _queue(healed)] == ["delivery-failure-M2"]
    assert [change.code for change in healed.changes] == ["BROADCAST_FAILED"] * 2


@pytest.mark.parametrize("flaw", [17, None, "hello", [], {"id": "M1"}, {"id": "M1", "from": "A1", "payload": None}])
def test_what_is_no_message_is_archived(flaw: Any) -> None:
    healed = _healed([a_message("M0"), flaw])
    assert [message["id"] for message in _queue(healed)] == ["M0"]
    assert [(each.kind, each.value) for each in healed.archived] == [("message", flaw)]
    assert [change.code for change in healed.changes] == ["MESSAGE_CORRUPTION"]


def test_of_a_full_queue_stay_important_messages_the_newest_ordinary_ones_and_low_ones_that_fit() -> None:
    queue = [a_message(f"N{place}", since=1000 - place) for place in range(80)]
    queue += [a_message(f"H{place}", "high", since=9 * HOUR) for place in range(30)]
    queue += [a_message(f"C{place}", "critical", since=9 * HOUR) for place in range(10)]
    queue += [a_message(f"L{place}", "low", since=1000 - place) for place in range(30)]
    healed = _healed(queue)
    names = [message["id"] for message in _queue(healed)]
    wanted = {f"N{place}" for place in range(30, 80)} | {f"H{place}" for place in range(30)}
    wanted |= {f"C{place}" for place in range(10)} | {f"L{place}" for place in range(20, 30)}
    assert (set(names), len(names)) == (wanted, 100)
    assert names == [message["id"] for message in queue if message["id"] in wanted]
    assert {each.id for each in healed.archived} == {message["id"] for message in queue} - wanted
    assert [change.code for change in healed.changes] == ["MESSAGE_QUEUE_OVERFLOW"]


def test_a_queue_that_is_full_of_important_messages_is_only_told() -> None:
    healed = _healed([a_message(f"H{place}", "high") for place in range(101)])
    assert not healed.changes
    assert [(issue.code, issue.repairable) for issue in issues_of(healed)] == [("MESSAGE_QUEUE_OVERFLOW", False)]


def test_the_same_message_twice_is_there_once_and_two_of_one_name_are_told() -> None:
    healed = _healed([a_message("M1"), a_message("M1"), a_message("M2"), a_message("M2", "high")])
    assert [message["id"] for message in _queue(healed)] == ["M1", "M2", "M2"]
    assert len(healed.told) == 1
