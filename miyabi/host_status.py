"""How each host of a fleet stands, from one look, what is remembered, and what the gate says. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from miyabi.gate import Decision
from miyabi.health import FleetHealth, Found, Numbers
from miyabi.outlook import Outlook
from miyabi.records import DriftSeen, Health, Observation
from miyabi.spec import Spec
from miyabi.words import iso

# Hosts in the order of what needs somebody's eye.
_ORDER: tuple[Health, ...] = ("drift", "unknown", "unreachable", "asleep", "healthy")

# What pyinfra says of every host, or beside the reason.
_USUAL = ("Connected", "Loaded fact", "not reached since", "asleep, ", "Error: could not process fact")


@dataclass(frozen=True, slots=True)
class DriftStatus:
    """One thing that is not as it should be.

    + level: whose turn it is: a level that has used up its tries leaves it to the next
    + since: at which moment a look first saw it, without a break until now
    + cause: as it was attributed last
    + decision: what the gate would say to its repair
    """

    found: Found
    level: str
    since: float
    cause: str
    decision: Decision


@dataclass(frozen=True, slots=True)
class HostStatus:
    """How one host stands.

    + since: since when that is so; None is not known
    + reason: in words, for one that could not be looked at or judged
    """

    host: str
    health: Health
    since: float | None
    reason: str = ""
    drifts: tuple[DriftStatus, ...] = ()
    warnings: tuple[Found, ...] = ()
    unknown: tuple[Found, ...] = ()
    observation: Numbers | None = None
    watched: Mapping[str, float] = field(default_factory=dict)


def status_of(
    host: str, seen: FleetHealth, wanted: Spec, outlook: Outlook, earlier: Sequence[Observation] = ()
) -> HostStatus:
    """How a host stands that was looked at.

    + earlier: what runs saw of it before, newest first
    """
    drifts = []
    for found in seen.drifts:
        decision = outlook.decision(host, found, wanted)
        cause = outlook.cause(host, found.target)
        level = outlook.level(host, found, wanted)
        drifts.append(
            DriftStatus(found, level, outlook.damaged_since(host, found.target) or outlook.now, cause, decision)
        )
    since = min((each.since for each in drifts), default=None) or same_since(earlier, seen.health)
    return HostStatus(
        host,
        seen.health,
        since,
        seen.reason,
        drifts=tuple(drifts),
        warnings=seen.warnings,
        unknown=seen.unknown,
        observation=seen.observation,
        watched=seen.watched,
    )


def status_of_absent(host: str, said: Sequence[str], absent_since: float | None, *, is_connected: bool) -> HostStatus:
    """How a host stands that told nothing.

    + said: what pyinfra said of it, in order
    + absent_since: since when earlier runs could not reach it
    + is_connected: whether it could be connected to
    """
    asleep = next((each for each in said if each.startswith("asleep, ")), None)
    words = [each.removeprefix("FactProcessError: ") for each in said if not each.startswith(_USUAL)]
    reason = "; ".join(dict.fromkeys(words)) or "it told nothing"
    if is_connected:
        return HostStatus(host, "unknown", None, reason)
    if asleep is not None:
        return HostStatus(host, "asleep", absent_since, "offline, as it may be")
    return HostStatus(host, "unreachable", absent_since, reason)


def same_since(earlier: Sequence[Observation], health: Health) -> float | None:
    """Since when the observations, newest first, say the same of a host; None when the newest says something else."""
    since: float | None = None
    for each in earlier:
        if each.health != health:
            break
        since = each.at
    return since


def latest_causes(drifts: Iterable[DriftSeen]) -> dict[tuple[str, str], str]:
    """The cause that was found last for each damage, by host and target; of newest first."""
    causes: dict[tuple[str, str], str] = {}
    for each in drifts:
        causes.setdefault((each.host, each.target), each.cause)
    return causes


def exit_code(statuses: Iterable[HostStatus]) -> int:
    """0 when all is as it should be, 2 when something drifted, 1 when a host could not be judged."""
    healths = {each.health for each in statuses}
    if healths & {"unknown", "unreachable"}:
        return 1
    return 2 if "drift" in healths else 0


def in_order(statuses: Iterable[HostStatus]) -> list[HostStatus]:
    """Those first that need somebody's eye."""
    return sorted(statuses, key=lambda each: (_ORDER.index(each.health), each.host))


def status_json(status: HostStatus) -> dict[str, Any]:
    """A host's status as ``--json`` tells it."""
    return {
        "host": status.host,
        "health": status.health,
        "since": iso(status.since),
        "reason": status.reason,
        "drifts": [drift_json(each) for each in status.drifts],
        "warnings": [found_json(each) for each in status.warnings],
        "unknown": [found_json(each) for each in status.unknown],
        "observation": None if status.observation is None else status.observation.to_json(),
        "watched": dict(status.watched),
    }


def drift_json(drift: DriftStatus) -> dict[str, Any]:
    """A drift as ``--json`` tells it."""
    return {
        **found_json(drift.found),
        "level": drift.level,
        "since": iso(drift.since),
        "cause": drift.cause,
        "gate": decision_json(drift.decision),
    }


def found_json(found: Found) -> dict[str, Any]:
    """Something that was found as ``--json`` tells it."""
    return found.to_json()


def decision_json(decision: Decision) -> dict[str, Any]:
    """What the gate says as ``--json`` tells it."""
    return {
        "allowed": decision.allowed,
        "rule": decision.rule,
        "reason": decision.reason,
        "again_at": iso(decision.again_at),
    }
