"""A fleet that breaks and is repaired through the real gate, on a clock of its own: no host, no waiting.

Time is true time; the clock that the gate is given may differ from it. Each target is well until something breaks it;
what breaks it says whether a level brings it back, and how long that lasts.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from miyabi.breaker import Breaker
from miyabi.gate import Decision, Fleet, Pause, Request, Storm, TargetHistory, Try, decide, exhausted_level
from miyabi.gate_rules import Rules
from miyabi.levels import Level
from miyabi.storm import find_storms, with_canary

EVERY = 300.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
REMEMBERED = 60

Name = tuple[str, str]
Kind = Literal["once", "crashing", "coming and going", "common"]
Damage = dict[str, list[tuple[str, str]]]


@dataclass(slots=True)
class Fault:
    """Something that breaks a target.

    + kind: ``once`` is over when it is repaired, ``crashing`` lives for ``lives`` seconds after each repair, ``coming
      and going`` is well and damaged by turns by itself
    + heals: the lowest level that repairs it
    + until: when its root is removed; before that no level holds a ``common`` one
    """

    kind: Kind
    cause: str
    since: float
    heals: Level = Level.L1
    until: float = 0.0
    lives: float = 40.0


@dataclass(slots=True)
class Subject:
    """One target, as it is and as it is remembered."""

    fault: Fault | None = None
    dies_at: float | None = None
    looks: deque[tuple[float, bool]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    tries: deque[Try] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def history(self) -> TargetHistory:
        """What the gate is told of it."""
        return TargetHistory(tuple(self.looks), tuple(self.tries))

    def is_damaged(self, true: float) -> bool:
        """Whether a look would find it damaged."""
        fault = self.fault
        if fault is None:
            return False
        if fault.kind == "coming and going":
            return int((true - fault.since) / (2 * EVERY)) % 2 == 0
        return self.dies_at is None or true >= self.dies_at

    def repair(self, level: Level, true: float) -> bool:
        """Try to bring it back; whether the proof finds it well."""
        fault = self.fault
        if fault is None or fault.kind == "coming and going":
            return True
        if level < fault.heals or (fault.kind == "common" and true < fault.until):
            return False
        if fault.kind == "crashing" and true < fault.until:
            self.dies_at = true + fault.lives
        else:
            self.fault = self.dies_at = None
        return True


@dataclass(frozen=True, slots=True)
class Done:
    """One thing that the gate has let through, in true time."""

    at: float
    name: Name
    level: Level
    disturbs: bool


@dataclass(slots=True)
class World:
    """The fleet, and what has been done to it.

    + offset: of the clock, from true time
    + silent: hosts whose state cannot be told
    + healed: of each fault that was repaired, the target, when it began and when it was over
    """

    hosts: Sequence[str]
    rules: Rules
    chance: random.Random
    subjects: dict[Name, Subject] = field(default_factory=dict)
    breakers: dict[str, Breaker] = field(default_factory=dict)
    storms: tuple[Storm, ...] = ()
    pauses: tuple[Pause, ...] = ()
    silent: set[str] = field(default_factory=set)
    offset: float = 0.0
    done: list[Done] = field(default_factory=list)
    storms_seen: list[tuple[float, Storm]] = field(default_factory=list)
    healed: list[tuple[Name, Fault, float]] = field(default_factory=list)
    held: dict[str, int] = field(default_factory=dict)

    def run(self, true: float) -> None:
        """One run of the ladder over the whole fleet."""
        now = true + self.offset
        damage = self._look(true, now)
        known = {each.since for each in self.storms}
        self.storms = self._storms(damage, now)
        self.storms_seen += [(true, each) for each in self.storms if each.since not in known]
        disturbed: set[str] = set()
        for host in self.chance.sample(self.hosts, len(self.hosts)):
            for target, cause in damage.get(host, ()):
                self._recover((host, target), cause, damage, disturbed, true)
            if host in self.silent:
                self._ask_about_unknown(host, now)

    def _look(self, true: float, now: float) -> Damage:
        damage: Damage = {host: [] for host in self.hosts if host not in self.silent}
        well, bad = (now, False), (now, True)
        for name, subject in self.subjects.items():
            if name[0] in self.silent:
                continue
            if subject.fault is None:
                subject.looks.append(well)
            elif subject.is_damaged(true):
                subject.looks.append(bad)
                damage[name[0]].append((name[1], subject.fault.cause))
            else:
                subject.looks.append(well)
        return damage

    def _recover(self, name: Name, cause: str, damage: Damage, disturbed: set[str], true: float) -> None:
        """The climb of one target, from the first level that has tries left."""
        subject = self.subjects[name]
        started = true + self.offset
        used_up = exhausted_level(subject.history(), self.rules, started)
        level = Level.L1 if used_up is None else min(used_up.next or Level.L3, Level.L3)
        for step in range(4):
            now = started + step
            request = Request(
                host=name[0],
                target=name[1],
                does="restore",
                level=level,
                last_level=Level.L3,
                cause=cause,
                disturbs=level is Level.L3,
                climbing=step > 0,
            )
            if not self._ask(request, subject, damage, disturbed, started, now).allowed:
                if step > 0:
                    self.breakers[name[0]] = self._breaker(name[0]).failed(now)
                return
            if request.disturbs:
                disturbed.add(name[0])
            self.done.append(Done(true + step, name, level, request.disturbs))
            fault = subject.fault
            restored = subject.repair(level, true + step)
            subject.tries.append(Try(now, level, restored))
            breaker = self._breaker(name[0]).tried(now)
            self.breakers[name[0]] = breaker.succeeded() if restored else breaker
            if restored:
                if fault is not None and subject.fault is None:
                    self.healed.append((name, fault, true + step))
                return
            if level is Level.L3:
                self.breakers[name[0]] = breaker.failed(now)
                return
            level = Level(level + 1)

    def _ask(
        self, request: Request, subject: Subject, damage: Damage, disturbed: set[str], looked_at: float, now: float
    ) -> Decision:
        fleet = Fleet(
            hosts=len(self.hosts),
            disturbed=frozenset(disturbed),
            pauses=self.pauses,
            storms=self._storms(damage, looked_at),
            breakers={f"host {host}": (each.failures, each.opened_at) for host, each in self.breakers.items()},
        )
        decision = decide(request, subject.history(), fleet, self.rules, now)
        if not decision.allowed:
            assert decision.again_at is not None
            assert decision.again_at > now
            self.held[decision.rule] = self.held.get(decision.rule, 0) + 1
        return decision

    def _storms(self, damage: Damage, looked_at: float) -> tuple[Storm, ...]:
        """The storms as they are after what was tried up to now."""
        rules = Fleet().rules
        tried = {
            name: self.subjects[name].tries[-1].at
            for storm in self.storms
            for name in storm.targets
            if self.subjects[name].tries
        }
        earlier = [with_canary(each, tried, damage, looked_at, rules) for each in self.storms]
        return find_storms(damage, len(self.hosts), earlier, rules, looked_at)

    def _ask_about_unknown(self, host: str, now: float) -> None:
        """Whatever a silent host was last seen with, nothing may be done to it."""
        for name, subject in self.subjects.items():
            if name[0] == host and subject.fault is not None:
                request = Request(host=host, target=name[1], does="restore", level=Level.L1, unknown="no answer")
                assert decide(request, subject.history(), Fleet(), self.rules, now).rule == "unknown"

    def _breaker(self, host: str) -> Breaker:
        stands = self.breakers.get(host, Breaker())
        return replace(stands, limit=self.rules.breaker_failures, open_for=self.rules.breaker_open)

    def strike(self, name: Name, fault: Fault) -> bool:
        """Break a target that is well; whether it was."""
        subject = self.subjects[name]
        if subject.fault is not None:
            return False
        subject.fault = fault
        subject.dies_at = None
        return True
