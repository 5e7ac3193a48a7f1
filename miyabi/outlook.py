"""What the gate would say to the repair of each thing that was found, without asking for it. Pure.

A run decides anew, with what it sees then; nothing that is asked here counts as a try.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from miyabi.figures import Learned
from miyabi.gate import RULES, Decision, Does, Fleet, Pause, Request, Storm, TargetHistory, decide, exhausted_level
from miyabi.gate_holds import Case
from miyabi.gate_past import read_past
from miyabi.gate_pauses import is_emergency_stop, is_within
from miyabi.gate_rules import FleetRules
from miyabi.health import FleetHealth, Found
from miyabi.learning import start_of
from miyabi.levels import Level
from miyabi.records import IncidentChanged
from miyabi.spec import Spec
from miyabi.storm import find_storms, with_canary

# The kind of an incident that is a storm.
STORM = "storm"

_TIDIED = ("log ", "temp ")


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is remembered of a fleet.

    + incidents: those that are open
    + causes: of each damage, as it was attributed last, by host and target
    + histories: of each target by host and target
    + restored: when a target was brought back last, by host and target
    + tried: when a target of an open storm was tried last
    + breakers: by ``host NAME``: failures in a row, and when it opened
    + leases: who recovers which host at this moment, and until when
    + pauses: those that are in force, the specs' own among them
    + learned: what came of earlier tries, where a spec lets runs learn
    """

    incidents: tuple[IncidentChanged, ...] = ()
    causes: Mapping[tuple[str, str], str] = field(default_factory=dict)
    histories: Mapping[tuple[str, str], TargetHistory] = field(default_factory=dict)
    restored: Mapping[tuple[str, str], float] = field(default_factory=dict)
    tried: Mapping[tuple[str, str], float] = field(default_factory=dict)
    breakers: Mapping[str, tuple[int, float | None]] = field(default_factory=dict)
    leases: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    pauses: tuple[Pause, ...] = ()
    learned: tuple[Learned, ...] = ()


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the gate would go by at one moment."""

    fleet: Fleet
    remembered: Remembered
    now: float

    def cause(self, host: str, target: str) -> str:
        """What a damage comes from, as it was attributed last."""
        return self.remembered.causes.get((host, target), "unknown")

    def history(self, host: str, target: str) -> TargetHistory:
        """What is remembered of a target."""
        return self.remembered.histories.get((host, target), TargetHistory())

    def damaged_since(self, host: str, target: str) -> float | None:
        """Since when a target is seen damaged without a break; None when its last look found it well, or none did.

        What was restored, by itself or together with what it is in, and is damaged again, is so since the look after.
        """
        moments = [at for (on, each), at in self.remembered.restored.items() if on == host and is_within(target, each)]
        restored = max(moments, default=float("-inf"))
        since: float | None = None
        for at, is_damaged in reversed(self.history(host, target).sightings):
            if not is_damaged or at <= restored:
                break
            since = at
        return since

    def decision(self, host: str, found: Found, wanted: Spec) -> Decision:
        """What the gate would say now to the repair of what was found on a host."""
        request = self._request(host, found, wanted)
        return decide(request, self.history(host, found.target), self.fleet, wanted.gate, self.now)

    def holds(self, host: str, found: Found, wanted: Spec) -> tuple[Decision, ...]:
        """Everything that holds the repair now: the rule that is told, and those that stand behind it."""
        request = self._request(host, found, wanted)
        past = read_past(self.history(host, found.target), wanted.gate, self.now)
        case = Case(request, past, self.fleet, wanted.gate, self.now)
        held = ((rule.name, rule.holds(case)) for rule in RULES if request.does in rule.does)
        return tuple(Decision(False, name, *hold) for name, hold in held if hold is not None)  # noqa: FBT003

    def level(self, host: str, found: Found, wanted: Spec) -> str:
        """The level whose turn it is: one that has used up its tries, or hardly ever held, leaves it to the next."""
        if found.level not in Level.__members__ or found.kind == "unmarked":
            return found.level
        used = exhausted_level(self.history(host, found.target), wanted.gate, self.now)
        own, last = Level[found.level], wanted.recovery.max_level
        level = own if used is None else max(own, min(Level(used + 1), last))
        if wanted.recovery.learn:
            start = start_of(found.kind, own, self.cause(host, found.target), self.remembered.learned, last)
            level = level if start is None else max(level, start.level)
        return level.name

    def _request(self, host: str, found: Found, wanted: Spec) -> Request:
        own = replace(found, level=self.level(host, found, wanted))
        return request_of(host, own, self.cause(host, found.target), wanted.recovery.max_level, self.now)


def request_of(host: str, found: Found, cause: str, last_level: Level, now: float) -> Request:
    """What an operation would ask for to repair what was found.

    + last_level: the last level that the host's recovery may use
    """
    level = Level[found.level] if found.level in Level.__members__ else None
    return Request(
        host=host,
        target=found.target,
        does=does_of(found),
        level=level,
        last_level=last_level,
        cause=cause,
        disturbs=level is not None and level >= Level.L3 and found.kind != "session-missing",
        unknown=found.reason if found.kind == "unknown" else None,
        watched_at=None if found.watched is None else now - found.watched,
    )


def does_of(found: Found) -> Does:
    """What kind of action repairs it."""
    if found.kind == "unmarked":
        return "adopt"
    return "tidy" if found.target.startswith(_TIDIED) else "restore"


def fleet_now(
    looks: Mapping[str, FleetHealth], hosts: Collection[str], remembered: Remembered, rules: FleetRules, now: float
) -> Fleet:
    """What the gate must know of the fleet, from one look at it and what is remembered.

    + looks: what was seen of the hosts that answered
    + hosts: all that the fleet has
    """
    damage = {
        host: tuple((each.target, remembered.causes.get((host, each.target), "unknown")) for each in seen.drifts)
        for host, seen in looks.items()
    }
    known = (storm_of(each, hosts) for each in remembered.incidents if each.kind == STORM)
    earlier = [with_canary(each, remembered.tried, damage, now, rules) for each in known]
    stops = [each.until for each in remembered.pauses if is_emergency_stop(each)]
    return Fleet(
        hosts=len(hosts),
        leases=remembered.leases,
        pauses=tuple(each for each in remembered.pauses if not is_emergency_stop(each)),
        storms=find_storms(damage, len(hosts), earlier, rules, now),
        breakers=remembered.breakers,
        stopped_until=max(stops, default=None),
        rules=rules,
    )


def storm_of(incident: IncidentChanged, hosts: Collection[str]) -> Storm:
    """The storm that an incident is about."""
    named = ((host, name) for name in incident.covers for host in hosts if name.startswith(f"{host}:"))
    targets = frozenset((host, name[len(host) + 1 :]) for host, name in named)
    return Storm("" if incident.cause == "unknown" else incident.cause, targets, incident.opened_at)


def with_this_look(history: TargetHistory, now: float) -> TargetHistory:
    """A target's history with the look that has just found it damaged, which a run would count as its first."""
    return replace(history, sightings=(*history.sightings, (now, True)))
