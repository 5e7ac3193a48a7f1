"""Measures from which something is told although nothing may be broken yet. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from miyabi.alert_rules import Threshold
from miyabi.records import AGENT_IS_DOWN, Observation, Recovered
from miyabi.severity import Circumstances, severity_of
from miyabi.verdict import Verdict
from miyabi.words import lasting

# Of these less is worse.
_SHRINKING = frozenset({"memory_available", "success_rate"})
# What each measure of a host is called where incidents are about it.
MEASURES = {"disk_used": "disk", "memory_available": "memory", "load_per_processor": "load", "agents_down": "agents"}
# Hosts that are away and may be are neither here nor there.
_COUNTED = frozenset({"healthy", "drift", "unknown", "unreachable"})


@dataclass(frozen=True, slots=True)
class Measured:
    """What the thresholds say in one run.

    + verdicts: what has passed one
    + healthy: ``(host, target)`` of what was measured and has not, as ``miyabi.incidents.judge`` takes it
    """

    verdicts: tuple[Verdict, ...]
    healthy: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class _Reading:
    """One measure of one host, or of the fleet.

    + text: what was measured, with its value
    + unit: behind a threshold's own value
    """

    host: str
    target: str
    value: float
    text: str
    unit: str = " %"
    covers: tuple[str, ...] = ()


def measure(  # noqa: PLR0913 - what was measured, and when, by their names
    thresholds: Iterable[Threshold],
    observations: Sequence[Observation],
    recoveries: Sequence[Recovered] = (),
    *,
    now: float,
    previous: float | None = None,
    processors: Mapping[str, int] | None = None,
) -> Measured:
    """Judge the measures that are due.

    + observations: those of this run, one of each host
    + recoveries: those of the longest ``over``, for the success rate
    + previous: when the run before was; None judges everything
    + processors: how many each host has; the load of a host that is not named is not judged

    What could not be measured is in neither answer: unknown is not healthy.
    """
    verdicts: list[Verdict] = []
    healthy: set[tuple[str, str]] = set()
    for threshold in thresholds:
        if not is_due(threshold.check_every, now, previous):
            continue
        for reading in _READINGS[threshold.metric](threshold, observations, recoveries, now, processors or {}):
            verdict = _judged(threshold, reading)
            if verdict is None:
                healthy.add((reading.host, reading.target))
            else:
                verdicts.append(verdict)
    return Measured(tuple(verdicts), frozenset(healthy))


def is_due(every: float, now: float, previous: float | None) -> bool:
    """Whether a new stretch of ``every`` seconds has begun since the run before; a clock that was set back is one."""
    return previous is None or previous > now or now // every != previous // every


def _judged(threshold: Threshold, reading: _Reading) -> Verdict | None:
    for limit, critical in ((threshold.critical, True), (threshold.warning, False)):
        if limit is not None and _is_beyond(threshold.metric, reading.value, limit):
            word = "critical" if critical else "warning"
            side = "below" if threshold.metric in _SHRINKING else "from"
            return Verdict(
                host=reading.host,
                target=reading.target,
                kind="threshold",
                severity=severity_of(Circumstances(kind="threshold", critical=critical)),
                summary=f"{reading.text}; {word} {side} {limit:g}{reading.unit}",
                cause=_CAUSES.get(threshold.metric, "unknown"),
                covers=reading.covers,
            )
    return None


def _is_beyond(metric: str, value: float, limit: float) -> bool:
    return value < limit if metric in _SHRINKING else value >= limit


_CAUSES = {"disk_used": "disk-full", "memory_available": "memory-low", "hosts_unreachable": "host-unreachable"}

_Reader = Callable[
    [Threshold, Sequence[Observation], Sequence[Recovered], float, Mapping[str, int]], Iterator[_Reading]
]


def _disk(_: Threshold, observations: Sequence[Observation], *__: object) -> Iterator[_Reading]:
    for each in observations:
        if each.disk_used is not None:
            yield _Reading(each.host, "disk", each.disk_used, f"the disk is used to {each.disk_used:.0f} %")


def _memory(_: Threshold, observations: Sequence[Observation], *__: object) -> Iterator[_Reading]:
    for each in observations:
        value = each.memory_available
        if value is not None:
            yield _Reading(each.host, "memory", value, f"{value:.0f} % of the memory is available")


def _load(
    _: Threshold, observations: Sequence[Observation], __: object, ___: object, processors: Mapping[str, int]
) -> Iterator[_Reading]:
    for each in observations:
        count = processors.get(each.host, 0)
        if each.load is not None and count > 0:
            value = each.load / count
            yield _Reading(each.host, "load", value, f"the load for each of {count} processors is {value:.1f}", "")


def _agents(_: Threshold, observations: Sequence[Observation], *__: object) -> Iterator[_Reading]:
    for each in observations:
        # Of an agent whose state is unknown nobody can say that it is down.
        states = [state for state in each.agents.values() if state != "unknown"]
        if each.fleet and each.health in {"healthy", "drift"} and states:
            down = sum(state in AGENT_IS_DOWN for state in states)
            text = f"{down} of {len(states)} agents are down"
            yield _Reading(each.host, "agents", 100 * down / len(states), text)


def _success(
    threshold: Threshold, _: object, recoveries: Sequence[Recovered], now: float, *__: object
) -> Iterator[_Reading]:
    # One agent that crashes for ever, with an incident of its own, says nothing of the others.
    last = {
        (each.host, each.target): each.outcome == "restored"
        for each in sorted(recoveries, key=lambda each: each.at)
        if each.at > now - threshold.over
    }
    recent = list(last.values())
    if len(recent) >= threshold.at_least:
        text = f"{sum(recent)} of {len(recent)} repaired targets held in the last {lasting(threshold.over)}"
        yield _Reading("", "success rate", 100 * sum(recent) / len(recent), text)


def _unreachable(_: Threshold, observations: Sequence[Observation], *__: object) -> Iterator[_Reading]:
    hosts = {each.host: each.health for each in observations if each.health in _COUNTED}
    away = tuple(sorted(host for host, health in hosts.items() if health == "unreachable"))
    # Of one host alone it would say no more than that host's own incident.
    if len(hosts) > 1:
        text = f"{len(away)} of {len(hosts)} hosts cannot be reached"
        covers = away if len(away) > 1 else ()
        yield _Reading("", "hosts unreachable", 100 * len(away) / len(hosts), text, covers=covers)


_READINGS: Mapping[str, _Reader] = {
    "disk_used": _disk,
    "memory_available": _memory,
    "load_per_processor": _load,
    "agents_down": _agents,
    "success_rate": _success,
    "hosts_unreachable": _unreachable,
}
