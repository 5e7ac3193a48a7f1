"""What a run has to say of each host at its end, and what of it is well: the ground on which incidents are judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from miyabi.climb import Climb, is_wish
from miyabi.drift import Drift
from miyabi.levels import Level
from miyabi.records import Observation
from miyabi.severity import Circumstances, severity_of
from miyabi.subjects import INSTANCE, is_subject
from miyabi.upkeep import Finding
from miyabi.verdict import Verdict
from operations.availability import absence, absent_for, asleep
from operations.gate import tries_in_incident
from operations.instances import cause_of_advice, rescue_of, tried_on
from operations.memory import memory_of
from operations.record import keeps_up, was_observed
from operations.upkeep import findings

if TYPE_CHECKING:
    from pyinfra.api import Host

    from miyabi.gate_types import Decision, TargetHistory
    from miyabi.history import History

# What is measured against limits: told by its measure, not by what was tried.
_MEASURED = frozenset({"disk", "memory", "processes", "clock"})


def verdicts_of(host: Host, climb: Climb, *, unknown: str | None) -> tuple[Verdict, ...]:
    """What is wrong with a host at the end of a run, and what was and is not any more.

    + unknown: why its state could not be told
    """
    if asleep(host) is not None:
        return ()
    if (missed := absence(host)) is not None:
        return (_of_absent(host, missed),)
    if unknown is not None:
        return (_verdict(host, "", Circumstances(kind="unknown", looks=_unknown_looks(host)), unknown),)
    known = memory_of(host.state).histories(host.name, _asked(host, climb)) if _asked(host, climb) else {}
    found = (*_of_instance(host), *_of_fleet(host, climb, known), *_of_upkeep(host, known))
    # What is made on a host for the first time was never broken.
    first = bool(found) and memory_of(host.state).is_new(host.name)
    return tuple(verdict for verdict in found if verdict.kind != "repaired") if first else found


def well(host: Host, verdicts: Iterable[Verdict], targets: Iterable[str], *, fleet: bool) -> set[tuple[str, str]]:
    """What of a host was looked at and is well.

    + targets: what has an open incident
    + fleet: whether its tmux fleet was looked at
    """
    if not was_observed(host):
        return set()
    told = tuple(verdicts)
    if any(verdict.kind == "unknown" and not verdict.target for verdict in told):
        # Whether anything on it is well, nobody knows.
        return set()
    bad = {verdict.target for verdict in told}
    named = tuple(targets)
    judged = [target for target in named if (keeps_up(host) if is_subject(target) else fleet)]
    found = {(host.name, target) for target in judged if target and target not in bad}
    # That all is well can only say who has looked at all that an incident is about.
    if not bad and fleet and len(judged) == len(named):
        found.add((host.name, ""))
    return found


def _asked(host: Host, climb: Climb) -> list[str]:
    """The targets whose past decides how bad it is."""
    fleet = {str(drift.target) for drift in climb.drifts} | {
        str(drift.target) for step in climb.steps for drift in step.drifts if drift.kind != "unmarked"
    }
    return sorted(fleet | {finding.subject for finding in findings(host).values()})


def _of_absent(host: Host, missed: str) -> Verdict:
    """That a host is not reached, with what L4 has found and tried."""
    rescue = rescue_of(host)
    if rescue.held is not None:
        told = Circumstances(kind="held", rule=rescue.held.rule)
    else:
        level = Level.L4.name if rescue.tried else ""
        told = Circumstances(kind="unreachable", seconds=absent_for(host) or 0.0, level=level)
    verdict = _verdict(
        host,
        "",
        told,
        "; ".join(filter(None, (rescue.outcome, missed))),
        cause=cause_of_advice(rescue.advice) if rescue.advice else "host-unreachable",
        held=rescue.held,
    )
    tried = tuple(f"{Level.L4.title}: {each.remedy}" for each in rescue.tried)
    return replace(verdict, tried=tried, next_step=rescue.next_step)


def _of_instance(host: Host) -> Iterator[Verdict]:
    """That L4 has brought a host back."""
    rescue = rescue_of(host)
    if rescue.tried and rescue.advice and not rescue.failure:
        told = Circumstances(kind="repaired", first_try=len(tried_on(host)) <= 1)
        cause = cause_of_advice(rescue.advice)
        verdict = _verdict(host, INSTANCE, told, rescue.advice.reason, cause=cause)
        yield replace(verdict, tried=tuple(f"{Level.L4.title}: {each.remedy}" for each in rescue.tried))


def _of_fleet(host: Host, climb: Climb, known: dict[str, TargetHistory]) -> Iterator[Verdict]:
    left = [drift for drift in climb.drifts if drift.kind != "unmarked"]
    whole = bool(left) and all(drift.kind == "session-missing" for drift in left) and _all_sessions_gone(climb)
    for drift in left:
        decision = climb.held.get(drift.target)
        tried = climb.attempts.get(drift.target)
        told = Circumstances(
            kind="not-restored" if decision is None else "held",
            rule=decision.rule if decision else "",
            # One pane or window of many is no host: that L3 could not bring it back is bad, and stops nobody else.
            level=tried.name if tried and not drift.target.window else "",
            whole_host=whole and decision is None,
            looks=_looks(known[str(drift.target)]),
        )
        yield _verdict(host, str(drift.target), told, drift.reason, climb=climb, drift=drift, held=decision)
    wrong = {drift.target for drift in left}
    for step in climb.steps:
        for drift in step.drifts:
            if drift.kind == "unmarked" or {*drift.target.scopes()} & wrong:
                continue
            tries = len(tries_in_incident(host, known[str(drift.target)]))
            climbed = drift.reason.endswith("did not hold")
            told = Circumstances(kind="repaired", first_try=tries <= 1, climbed=climbed)
            yield _verdict(host, str(drift.target), told, drift.reason, climb=climb, drift=drift)


def _all_sessions_gone(climb: Climb) -> bool:
    return all(
        drift.reason == "no tmux server runs" or "no tmux server runs;" in drift.reason for drift in climb.drifts
    )


def _of_upkeep(host: Host, known: dict[str, TargetHistory]) -> Iterator[Verdict]:
    if not findings(host):
        return
    # Only a host on which upkeep found something pays for it.
    from operations.causes import cause_of  # noqa: PLC0415

    for finding in findings(host).values():
        if finding.verdict == "tidied":
            continue
        decision = memory_of(host.state).decisions.get((host.name, finding.subject))
        held = decision if decision and not decision.allowed else None
        told = _circumstances(finding, held, known[finding.subject])
        if told.kind == "repaired":
            tries = len(tries_in_incident(host, known[finding.subject]))
            told = Circumstances(kind="repaired", first_try=tries <= 1)
        cause = cause_of(finding.subject, finding.reason)
        verdict = _verdict(host, finding.subject, told, finding.reason, cause=cause, held=held)
        yield replace(verdict, evidence="\n".join(finding.lines)) if finding.lines else verdict


def _circumstances(finding: Finding, held: Decision | None, history: TargetHistory) -> Circumstances:
    if finding.verdict == "repaired":
        return Circumstances(kind="repaired")
    if finding.told:
        return Circumstances(kind=finding.told, seconds=finding.seconds)
    if held is not None:
        return Circumstances(kind="held", rule=held.rule, looks=_looks(history))
    if finding.subject in _MEASURED:
        return Circumstances(kind="threshold", critical=finding.verdict == "failed")
    return Circumstances(kind="warning" if finding.verdict == "warning" else "not-restored")


def _verdict(
    host: Host,
    target: str,
    told: Circumstances,
    summary: str,
    *,
    climb: Climb | None = None,
    drift: Drift | None = None,
    cause: str = "unknown",
    held: Decision | None = None,
) -> Verdict:
    known = climb.causes.get(drift.target) if climb and drift else None
    steps = (
        [step for step in climb.steps if drift and drift.target in {each.target for each in step.drifts}]
        if climb
        else []
    )
    return Verdict(
        host=host.name,
        target=target,
        kind=told.kind,
        severity=None if is_wish(held) and told.looks <= 1 else severity_of(told),
        summary=summary,
        cause=known.name if known else cause,
        evidence="\n".join(known.lines) if known else "",
        tried=tuple(f"{step.level.title}: {step.failure or 'restored'}" for step in steps),
        held=held,
    )


def _looks(history: TargetHistory) -> int:
    """In how many looks in a row it was damaged, the last one counted."""
    count = 0
    for _, damaged in reversed(history.sightings):
        if not damaged:
            break
        count += 1
    return max(count, 1)


def _unknown_looks(host: Host) -> int:

    def asked(history: History) -> list[Observation]:
        # This run's own look counts.
        history.take_in()
        return history.records(Observation, host=host.name, limit=10)

    newest = memory_of(host.state).ask_history(asked) or []
    count = 0
    for each in newest:
        if each.health != "unknown":
            break
        count += 1
    return max(count, 1)
