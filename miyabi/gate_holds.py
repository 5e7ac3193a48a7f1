"""What can hold a request: one function for each rule of the gate, with its reason and when to look again. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from zlib import crc32

from miyabi.breaker import Breaker
from miyabi.flapping import flaps, measure
from miyabi.gate_past import REMEMBERED, Past
from miyabi.gate_pauses import pause_of
from miyabi.gate_rules import Rules
from miyabi.gate_types import Fleet, Pause, Request, Try
from miyabi.levels import Level
from miyabi.words import counted, lasting

# Seconds until it is worth looking again where nothing says how long it takes.
LOOK_AGAIN = 60.0

_HOUR = 3600.0

# Seconds by which the clocks of two controllers may differ: a lease that ends later than it can is none.
_SKEW = 60.0

_JITTER = 0.2

# Doubling more often than this leads beyond every longest backoff.
DOUBLINGS = 32


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked, and all that decides."""

    request: Request
    past: Past
    fleet: Fleet
    rules: Rules
    now: float

    @property
    def target(self) -> tuple[str, str]:
        """The host and the target."""
        return self.request.host, self.request.target


# Why it is held, and when to look again; None lets it through.
Hold = tuple[str, float] | None


def emergency_stop(case: Case) -> Hold:
    """Everything is stopped."""
    until = case.fleet.stopped_until
    if until is None or until <= case.now:
        return None
    return "an emergency stop holds everything", _until(until, case)


def pause(case: Case) -> Hold:
    """Somebody wants to be left alone."""
    over = pause_of(case.request, case.fleet.pauses, case.now)
    return None if over is None else (_paused(over), _until(over.until, case))


def _paused(over: Pause) -> str:
    where = " ".join(filter(None, (over.host, over.target))) or "everything"
    return f"{where} is paused{f' ({over.reason})' if over.reason else ''}"


def unknown(case: Case) -> Hold:
    """What could not be told is never acted on."""
    if case.request.unknown is None:
        return None
    return f"its state is unknown: {case.request.unknown}", case.now + LOOK_AGAIN


def evidence(case: Case) -> Hold:
    """What was seen before a process began says nothing against that process."""
    seen, born = case.request.evidence_at, case.request.born_at
    if seen is None or born is None or seen >= case.now or min(born, case.now) < seen:
        return None
    return "what speaks against it is older than the process that would be ended", case.now + LOOK_AGAIN


def settling(case: Case) -> Hold:
    """A host that just woke up or booted is given time."""
    settled = case.request.settled_at
    if settled is None or settled <= case.now:
        return None
    return "its host has just come back, and is not judged yet", _until(settled, case)


def confirm(case: Case) -> Hold:
    """A drift counts when it was seen often enough."""
    looks = case.past.confirming
    if not looks or case.request.climbing or case.past.let_through:
        return None
    latest = looks[-min(case.rules.seen_of, REMEMBERED) :]
    needed = min(case.rules.seen, REMEMBERED)
    if sum(latest) >= needed:
        return None
    found = f"seen damaged in {sum(latest)} of the last {counted(len(latest), 'look')}, {needed} are needed"
    return found, case.now + LOOK_AGAIN


def presence(case: Case) -> Hold:
    """Nobody's window is touched while they type in it."""
    typed = case.request.watched_at
    if typed is None or case.rules.presence <= 0:
        return None
    until = min(typed, case.now) + case.rules.presence
    return ("somebody is working in its window", until) if until > case.now else None


def draft(case: Case) -> Hold:
    """What somebody has half typed is not thrown away."""
    if not case.request.draft:
        return None
    return "somebody has half typed something into it", case.now + LOOK_AGAIN


def lease(case: Case) -> Hold:
    """One recovery per host at a time."""
    other, until = case.fleet.leases.get(case.request.host, ("", case.now))
    longest = case.now + case.fleet.rules.lease
    # One that ends later than a lease can was taken before the clock was set back.
    if not case.now < until <= longest + _SKEW:
        return None
    return f"{other} recovers its host", min(until, longest)


def breaker(case: Case) -> Hold:
    """A host on which nothing holds is left alone, and so is a service that does not answer.

    The climb that is let through is tried to its end.
    """
    if case.past.let_through:
        return None
    if case.request.service and (again_at := _open_until(case, f"service {case.request.service}")):
        return f"{case.request.service} has failed several times in a row", again_at
    if not case.request.climbing and (again_at := _open_until(case, f"host {case.request.host}")):
        failures, _ = case.fleet.breakers[f"host {case.request.host}"]
        return f"{failures} recoveries of its host in a row did not hold", again_at
    return None


def _open_until(case: Case, subject: str) -> float | None:
    failures, opened_at = case.fleet.breakers.get(subject, (0, None))
    return Breaker(failures, opened_at, case.rules.breaker_failures, case.rules.breaker_open).again_at(case.now)


def flapping(case: Case) -> Hold:
    """What is good and bad by turns is left as it is until it is one of both."""
    looks = case.past.sightings
    damaged = [bad for _, bad in looks]
    if not flaps(damaged, case.rules.flapping_start, case.rules.flapping_stop):
        return None
    again_at = _last_change(looks) + case.rules.retry_after
    if again_at <= case.now:
        return None
    stop = f"until its looks agree more ({case.rules.flapping_stop:g} %)"
    return f"it flaps: {measure(damaged):.0f} % changes in its latest looks; left as it is {stop}", again_at


def _last_change(looks: Sequence[tuple[float, bool]]) -> float:
    for (_, before), (at, after) in zip(looks[-2::-1], looks[:0:-1], strict=True):
        if before != after:
            return at
    return looks[0][0]


def limit(case: Case) -> Hold:
    """Never more than so many tries within any hour; and when these did not help, one each ``retry_after``."""
    most = _most_per_hour(case.rules)
    tries = case.past.tries
    if len(tries) < most:
        return None
    room = tries[-most].at + _HOUR
    again_at = max(room, tries[-1].at + case.rules.retry_after)
    used_up = room > case.now or _within_an_hour(case.past.incident, most)
    if not used_up or again_at <= case.now:
        return None
    return f"it had {_tried(most)} within an hour, and is damaged again", again_at


def _within_an_hour(tries: Sequence[Try], most: int) -> bool:
    """Whether there was any hour with ``most`` of the tries."""
    return any(last.at - first.at < _HOUR for first, last in zip(tries, tries[most - 1 :], strict=False))


def tries(case: Case) -> Hold:
    """A level that was tried often enough in one incident leaves it to the next one."""
    level = case.request.level
    own = [each.at for each in case.past.incident if each.level == level]
    if len(own) < _most(case.rules):
        return None
    again_at = own[-1] + case.rules.retry_after
    if again_at <= case.now:
        return None
    name = level.name if level else "repairing it"
    return f"{_tried(len(own))} of {name} did not last, {_next_of(case.request)}", again_at


def _tried(count: int) -> str:
    return "1 try" if count == 1 else f"{count} tries"


def _next_of(request: Request) -> str:
    last = request.last_level or request.level
    if request.level is None or last is None or request.level >= last:
        return "one more is let through later"
    return f"{Level(request.level + 1).name} is next"


def exhausted(incident: Sequence[Try], rules: Rules) -> Level | None:
    """The highest level with as many tries as one has in an incident.

    When only one try in a while is left, every level that did not hold is as good as used up: it would be wasted there.
    """
    levels = [each.level for each in incident if each.level is not None]
    few = _within_an_hour(incident, _most_per_hour(rules))
    failed = {each.level for each in incident if few and each.restored is False}
    return max((level for level in set(levels) if level in failed or levels.count(level) >= _most(rules)), default=None)


def _most_per_hour(rules: Rules) -> int:
    return max(1, min(rules.restarts_per_hour, REMEMBERED))


def _most(rules: Rules) -> int:
    return max(1, min(rules.tries, REMEMBERED))


def backoff(case: Case) -> Hold:
    """After each try a longer pause, not the same for all that failed together."""
    count = len(case.past.incident)
    # What came to no end, because its run was killed, has shown nothing: the next run repairs.
    if not count or case.request.climbing or case.past.incident[-1].restored is None:
        return None
    rules = case.rules
    pause_after = min(rules.backoff_first * 2.0 ** min(count - 1, DOUBLINGS), rules.backoff_longest)
    host, target = case.target
    share = crc32(f"{host}\0{target}\0{count}".encode()) / 0xFFFFFFFF
    pause_after *= 1 + _JITTER * (2 * share - 1)
    again_at = case.past.incident[-1].at + pause_after
    if again_at <= case.now:
        return None
    return f"{_tried(count)} in this incident, a pause of {lasting(pause_after)} follows", again_at


def _until(moment: float, case: Case) -> float:
    """A moment that may be for ever away, as one at which to look again."""
    return moment if isfinite(moment) else case.now + _HOUR
