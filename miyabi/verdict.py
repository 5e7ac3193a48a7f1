"""What is wrong at the end of a run, and what was looked at. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from miyabi.records import IncidentChanged, Severity
from miyabi.severity import rank

if TYPE_CHECKING:
    from miyabi.gate_types import Decision

# The kind of what is foretold, and is no run's to judge.
FORETOLD = "prediction"

# These are about a measure or a thing of their own: that the rest of the host is well says nothing of them.
_ON_THEIR_OWN = frozenset({"threshold", "channel", "history", "emergency-stop", FORETOLD})

# Each of these, said of a whole host or fleet, is a case of its own beside what else is wrong there.
_WHOLE = frozenset({"unreachable", "unknown", "emergency-stop"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is wrong at the end of a run; or ``repaired``, what was wrong at its first look and is not any more.

    + host, target: as in ``IncidentChanged``: a target of "" is the whole host, a host of "" the whole fleet
    + kind: as in ``miyabi.severity.Circumstances``
    + severity: from ``severity_of``; None is wrong, but not worth telling
    + summary: what is wrong, in words; best without numbers that change from run to run
    + covers: what else it explains, each as ``covered`` writes it: no incident of their own is opened for these
    + evidence: the lines that decided
    + tried: what was tried, a line each
    + held: what the gate said, when it holds it
    + next_step: the command, or what else a human can do that the kind of case does not tell; "" is nothing
    """

    host: str
    target: str
    kind: str
    severity: Severity | None
    summary: str
    cause: str = "unknown"
    covers: tuple[str, ...] = ()
    evidence: str = ""
    tried: tuple[str, ...] = ()
    held: Decision | None = None
    next_step: str = ""


# What makes two verdicts the same case: the host, the target, and of whole hosts and fleets what it is about.
Case = tuple[str, str, str]
STOP: Case = ("", "", "emergency-stop")


def case_of(told: Verdict | IncidentChanged) -> Case:
    """What case a verdict or an incident is about; an open case has one incident."""
    if told.target:
        return told.host, told.target, ""
    if told.kind == "storm":
        return told.host, "", f"storm {told.cause}"
    return told.host, "", told.kind if told.kind in _WHOLE else ""


def covered(host: str, target: str = "") -> str:
    """How a target is named where one incident covers others: ``mugen:work:main.kaede``, ``mugen`` for a host."""
    return f"{host}:{target}" if target else host


def verdict_for(change: IncidentChanged, verdicts: Iterable[Verdict]) -> Verdict | None:
    """The verdict that a change of an incident came from; None when it came from a look that found it well."""
    return worst(verdicts).get(case_of(change))


def worst(verdicts: Iterable[Verdict]) -> dict[Case, Verdict]:
    """The worst verdict of each case."""
    found: dict[Case, Verdict] = {}
    for verdict in verdicts:
        before = found.get(case_of(verdict))
        if before is None or _badness(verdict) > _badness(before):
            found[case_of(verdict)] = verdict
    return found


def _badness(verdict: Verdict) -> tuple[bool, int]:
    return verdict.kind != "repaired", rank(verdict.severity)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a run looked at.

    + wrong: the worst verdict of each case
    + healthy: ``(host, target)`` of what is well; ``(host, "")`` is a host on which all is well
    + named: what has a verdict, as ``covered`` writes it
    + reached, known: hosts that answered, and those whose state is known
    """

    wrong: dict[Case, Verdict]
    healthy: Collection[tuple[str, str]]
    named: frozenset[str]
    reached: frozenset[str]
    known: frozenset[str]

    @classmethod
    def of(cls, verdicts: Iterable[Verdict], healthy: Collection[tuple[str, str]]) -> Looked:
        """What some verdicts and what is well say of it."""
        wrong = worst(verdicts)
        hosts = {host for host, _ in healthy}
        here = [each for each in wrong.values() if each.kind not in _ON_THEIR_OWN]
        return cls(
            wrong,
            healthy,
            frozenset(covered(each.host, each.target) for each in here),
            frozenset(hosts | {each.host for each in here if each.kind != "unreachable"}),
            frozenset(hosts | {each.host for each in here if each.kind not in {"unreachable", "unknown"}}),
        )

    def is_well(self, incident: IncidentChanged) -> bool:
        """Whether what an incident is about was looked at, and nothing is wrong with it any more."""
        if (incident.host, incident.target) in self.healthy:
            return True
        if incident.covers:
            return all(self._is_settled(name) for name in incident.covers)
        if incident.kind in _ON_THEIR_OWN:
            return False
        if incident.target:
            return (incident.host, "") in self.healthy
        if incident.kind == "unreachable":
            return incident.host in self.reached
        return incident.kind == "unknown" and incident.host in self.known

    def _is_settled(self, name: str) -> bool:
        """Whether what an incident covers is well by now, or stands for itself."""
        if name in self.named or name in self.reached:
            return True
        return any(
            name == covered(host, target) or (not target and name.startswith(f"{host}:"))
            for host, target in self.healthy
        )
