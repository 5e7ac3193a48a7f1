"""The events of an orchestration, out of whatever is left of their files."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from miyabi.orchestration.event_log import EventLog, read_events


def line(event_id: str, **more: Any) -> bytes:
    return json.dumps({"id": event_id, "type": "task_created", "data": {"task_id": "T1"}} | more).encode()


def names(log: EventLog) -> list[str]:
    return [event.id for event in log]


def test_one_object_a_line() -> None:
    told = {"timestamp": "2026-01-15T12:00:00Z", "session_id": "s", "correlation_id": "c", "sequence": 3}
    log = read_events([("a.jsonl", b"\xef\xbb\xbf" + line("e1", **told) + b"\r\n\n")])
    (event,) = log
    assert (event.type, event.data, event.place) == ("task_created", {"task_id": "T1"}, "a.jsonl:1")
    assert (event.at, event.session_id, event.correlation_id, event.sequence) == (1768478400.0, "s", "c", 3)
    assert (log.broken, log.doubled, log.gaps) == (0, 0, ())


@pytest.mark.parametrize(
    ("content", "left", "reason"),
    [
        (line("e1") + b"\n" + line("e2")[:30], ["e1"], "torn: the last line was not written to its end"),
        (line("e1")[:30] + b"\n" + line("e2"), ["e2"], "no JSON object"),
        (line("e1")[:30] + line("e2") + b"\n" + line("e3"), ["e2", "e3"], "torn, but for what could be read of it"),
        (b"\0" * 512 + line("e1") + b"\n" + b"\0" * 512, ["e1"], "zeros, as a crash leaves them"),
        (line("e1") + b"\0" * 512 + line("e2") + b"\n", ["e1", "e2"], "torn, but for what could be read of it"),
        (b'{"id": "e1"}\n' + line("e2"), ["e2"], "an object without a type"),
        (b"[1]\n" + line("e2"), ["e2"], "no JSON object"),
        (b'{"a":' * 5000 + b"\n" + line("e2"), ["e2"], "no JSON object"),
        (b'{"n":' + b"9" * 5000 + b"}\n" + line("e2"), ["e2"], "no JSON object"),
    ],
)
def test_broken_lines_cost_nothing_but_themselves(content: bytes, left: list[str], reason: str) -> None:
    log = read_events([("a.jsonl", content)])
    assert names(log) == left
    assert [flaw.reason for flaw in log.flaws] == [reason]
    assert log.broken == 1


def test_an_event_counts_once() -> None:
    log = read_events([("a.jsonl", line("e1") + b"\n" + line("e2") + b"\n" + line("e1")), ("b.jsonl", line("e2"))])
    assert names(log) == ["e1", "e2"]
    assert log.doubled == 2


def test_events_without_ids_count_once_when_all_of_them_is_the_same() -> None:
    told, other = ({"type": "x", "timestamp": 1768478400 + second} for second in (0, 1))
    timeless = {"type": "x"}
    lines = b"\n".join(json.dumps(each).encode() for each in (told, told, other, timeless, timeless))
    assert len(read_events([("a.jsonl", lines)])) == 4


def test_the_same_id_in_two_sessions_is_two_events() -> None:
    assert len(read_events([("a.jsonl", line("e1", session_id="s") + b"\n" + line("e1", session_id="t"))])) == 2


def test_numbers_order_before_moments_and_moments_before_places() -> None:
    def at(second: int, **more: Any) -> dict[str, Any]:
        return {"timestamp": 1768478400 + second} | more

    lines = [
        *(line("late", **at(9)), line("second", **at(1, sequence=2)), line("first", **at(2, sequence=1))),
        *(line("early", **at(0)), line("behind early")),
    ]
    assert names(read_events([("a.jsonl", b"\n".join(lines))])) == ["early", "behind early", "first", "second", "late"]


def test_files_are_one_log() -> None:
    older, newer = (line(f"e{number}", timestamp=1768478400 + number, sequence=number) for number in (1, 2))
    assert names(read_events([("b.jsonl", newer), ("a.jsonl", older)])) == ["e1", "e2"]


def test_gaps_are_told() -> None:
    lines = b"\n".join(line(f"e{number}", sequence=number) for number in (3, 4, 6, 9))
    assert [gap.text for gap in read_events([("a.jsonl", lines)]).gaps] == ["event 5", "events 7 to 8"]


def test_numbers_of_other_sessions_are_no_gaps_where_all_count_together() -> None:
    lines = b"\n".join(line(f"e{number}", sequence=number, session_id="st"[number % 2]) for number in (1, 2, 3, 5, 6))
    log = read_events([("a.jsonl", lines)])
    assert [gap.text for gap in log.of("t").gaps] == ["event 4"]
    own = b"\n".join(line(f"{name}{number}", sequence=number, session_id=name) for name in "st" for number in (1, 2, 4))
    assert [gap.text for gap in read_events([("a.jsonl", own)]).of("s").gaps] == ["event 3"]


def test_events_of_other_sessions_are_left_out() -> None:
    lines = b"\n".join([line("e1", session_id="session-7"), line("e2", session_id="8"), line("e3")])
    assert names(read_events([("events.jsonl", lines)]).of("7")) == ["e1"]
    assert names(read_events([("session-7.jsonl", lines)]).of("7")) == ["e1", "e3"]
    assert names(read_events([("events.jsonl", line("e1", session_id="7") + b"\n" + line("e3"))]).of("7")) == [
        "e1",
        "e3",
    ]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 300))
def test_whatever_stands_in_a_log_the_rest_is_read(garbage: bytes, place: int) -> None:
    content = b"\n".join(line(f"e{number}", sequence=number) for number in range(8))
    log = read_events([("a.jsonl", content[:place] + garbage + content[place:]), ("b.jsonl", line("other"))])
    assert "other" in names(log)
    assert {f"e{number}" for number in range(5, 8)} <= set(names(log))


@pytest.mark.slow
def test_a_million_lines_in_bounded_memory() -> None:
    data = b'{"task_id": "T%d", "changes": {"status": "in_progress"}}'
    content = b"\n".join(
        b'{"id": "e%d", "type": "task_updated", "session_id": "s", "sequence": %d, "data": %s}'
        % (n, n, data % (n % 100))
        for n in range(1, 1_000_001)
    )
    tracemalloc.start()
    read_events([("a.jsonl", content[: len(content) // 50])])
    assert tracemalloc.get_traced_memory()[1] < 800 * 20_000  # bytes a line, the reading itself included
    tracemalloc.stop()
    assert len(read_events([("a.jsonl", content)])) == 1_000_000
