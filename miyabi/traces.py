"""Recoveries as OpenTelemetry's spans: the run, its hosts, the levels there, and each try of a level. Pure.

    run -> host -> level -> try

Names of traces and spans follow from the names of the records: what is exported twice is the same trace. A run that
repaired nothing is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TypeVar

from miyabi.masking import masked, plain
from miyabi.records import Decided, DriftSeen, IncidentChanged, Record, Recovered, RunEnded, RunStarted

Value = str | bool | int | float
Attributes = Mapping[str, Value]

# The longest text that is told of anything.
_LONGEST = 1000

# Seconds that a run whose end is not known may still go on.
STILL_GOING = 3600.0

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """Something that happened within a span, at a moment in seconds since the epoch."""

    name: str
    at: float
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """One stretch of a trace.

    + trace_id, span_id: hexadecimal, 32 and 16 digits
    + parent_id: None for a run
    + start, end: seconds since the epoch
    + is_failed: whether what was tried did not hold; ``failure`` says why
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    start: float
    end: float
    attributes: Attributes = field(default_factory=dict)
    events: tuple[SpanEvent, ...] = ()
    is_failed: bool = False
    failure: str = ""


def spans_of(records: Iterable[Record]) -> tuple[Span, ...]:
    """The spans of all runs that tried to repair something, each parent before its children."""
    by_run: dict[str, list[Record]] = {}
    for record in {each.event: each for each in records}.values():
        by_run.setdefault(record.run, []).append(record)
    return tuple(
        span
        for run, told in by_run.items()
        if any(isinstance(each, Recovered) for each in told)
        for span in _spans_of_run(run, told)
    )


def ended_within(records: Iterable[Record], since: float, until: float) -> tuple[Record, ...]:
    """The records of those runs that ended between two moments; one without an end counts as ended after an hour."""
    told = tuple(records)
    ends: dict[str, float] = {}
    for each in told:
        if not isinstance(each, RunEnded):
            ends[each.run] = max(ends.get(each.run, 0.0), each.at + STILL_GOING)
    ends |= {each.run: each.at for each in told if isinstance(each, RunEnded)}
    return tuple(each for each in told if since < ends[each.run] <= until)


def _spans_of_run(run: str, records: list[Record]) -> list[Span]:
    root = Span(sha256(run.encode(errors="replace")).hexdigest()[:32], _id(run), None, "recovery", 0, 0)
    hosts: list[Span] = []
    below: list[Span] = []
    told = [each for each in records if isinstance(each, Recovered | Decided)]
    for host in dict.fromkeys(each.host for each in told if isinstance(each, Recovered) or not each.allowed):
        around, inside = _spans_of_host(root, run, host, records)
        hosts.append(around)
        below += [around, *inside]
    return [_run(root, hosts, records), *below]


def _run(root: Span, hosts: list[Span], records: list[Record]) -> Span:
    began, ended = _only(RunStarted, records), _only(RunEnded, records)
    events = tuple(
        SpanEvent(f"incident {each.change}", each.at, _texts(host=each.host, target=each.target, summary=each.summary))
        for each in _sorted(IncidentChanged, records)
    )
    outcome = ended[0].outcome if ended else "unfinished"
    attributes = {
        "miyabi.run": _text(records[0].run),
        "miyabi.outcome": outcome,
        **(_texts(command=began[0].command, controller=began[0].controller) if began else {}),
        **({"miyabi.hosts": ended[0].hosts} if ended else {}),
    }
    moments = [each.at for each in (*began, *ended)] or [hosts[0].start]
    found = replace(
        root,
        start=min(moments),
        end=max(moments),
        attributes=attributes,
        events=events,
        is_failed=outcome == "failed",
    )
    return _around(found, hosts)


def _spans_of_host(root: Span, run: str, host: str, records: list[Record]) -> tuple[Span, list[Span]]:
    """The span of a host, and those within it."""
    tries = [each for each in _sorted(Recovered, records) if each.host == host]
    held = [each for each in _sorted(Decided, records) if each.host == host and not each.allowed]
    seen = {each.target: each for each in _sorted(DriftSeen, records) if each.host == host}
    bare = Span(root.trace_id, _id(run, "host", host), root.span_id, f"host {_text(host)}", 0, 0)
    inside: list[Span] = []
    levels: list[Span] = []
    for level in dict.fromkeys(each.level for each in tries):
        level_id = _id(run, "level", host, level)
        made = [
            _try(Span(root.trace_id, _id(each.event), level_id, "", each.at, each.at), each, seen.get(each.target))
            for each in tries
            if each.level == level
        ]
        failures = [each.failure for each in made if each.is_failed]
        around = replace(
            bare,
            span_id=level_id,
            parent_id=bare.span_id,
            name=f"level {_text(level)}",
            start=made[0].start,
            end=made[0].end,
            attributes={"host.name": _text(host), "miyabi.level": _text(level), "miyabi.tries": len(made)},
            is_failed=bool(failures),
            failure=failures[0] if failures else "",
        )
        levels.append(_around(around, made))
        inside += [levels[-1], *made]
    start = levels[0].start if levels else held[0].at
    last_failed = {each.target: each.outcome == "failed" for each in tries}
    found = replace(
        bare,
        start=start,
        end=start,
        attributes={"host.name": _text(host)},
        events=tuple(_held(each) for each in held),
        is_failed=any(last_failed.values()),
    )
    return _around(found, levels), inside


def _try(bare: Span, record: Recovered, drift: DriftSeen | None) -> Span:
    """One try on one target; ``drift`` is what was wrong with it, None is not known."""
    return replace(
        bare,
        name=f"{_text(record.does)} {_text(record.target)}",
        start=record.at - max(0.0, record.seconds),
        attributes={
            **_texts(
                target=record.target,
                level=record.level,
                does=record.does,
                outcome=record.outcome,
                cause=record.cause,
                **({"kind": drift.kind, "reason": drift.reason} if drift else {}),
            ),
            "host.name": _text(record.host),
            "miyabi.first_try": record.first_try,
        },
        is_failed=record.outcome == "failed",
        failure=_text(record.reason),
    )


def _held(record: Decided) -> SpanEvent:
    told = _texts(target=record.target, level=record.level, rule=record.rule, reason=record.reason)
    return SpanEvent("held", record.at, told)


def _around(span: Span, children: Iterable[Span]) -> Span:
    """The span, as long as all that is in it: clocks are set back, and a run may be cut short."""
    inside = tuple(children)
    starts = [span.start, *(each.start for each in inside), *(each.at for each in span.events)]
    ends = [span.end, *(each.end for each in inside), *(each.at for each in span.events)]
    return replace(span, start=min(starts), end=max(ends))


def _only(kind: type[R], records: Iterable[Record]) -> list[R]:
    return [each for each in records if isinstance(each, kind)]


def _sorted(kind: type[R], records: Iterable[Record]) -> list[R]:
    return sorted(_only(kind, records), key=lambda each: (each.at, each.event))


def _id(*names: str) -> str:
    return sha256("\0".join(names).encode(errors="replace")).hexdigest()[:16]


def _text(text: str) -> str:
    """What may leave the machine: without secrets, control characters and half of a surrogate pair."""
    return masked(plain(text))[:_LONGEST]


def _texts(**texts: str) -> dict[str, Value]:
    return {f"miyabi.{name}": _text(each) for name, each in texts.items()}
