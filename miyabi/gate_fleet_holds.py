"""What holds a request by what is around its target: its host's memory, its service, the rest of the fleet. Pure."""

from __future__ import annotations

from math import ceil

from miyabi.gate_holds import DOUBLINGS, LOOK_AGAIN, Case, Hold
from miyabi.gate_pauses import is_within
from miyabi.gate_types import Request, Storm
from miyabi.storm import cooled_at
from miyabi.words import counted

# Available memory in percent below which what ended for want of it is not started again, and the seconds for which a
# second end within that time leaves it to fewer.
_MEMORY, _MEMORY_PAUSE = 10.0, 3600.0

# Seconds for which every agent leaves an overloaded service alone; the second number is the longest.
_OVERLOADED = (30.0, 600.0)


def memory(case: Case) -> Hold:
    """What ended for want of memory is started again when there is some: until then fewer run."""
    if case.request.cause != "oom" or case.past.let_through:
        return None
    left = case.request.memory_left
    if left is not None and left < _MEMORY:
        return (
            f"it ended for want of memory, of which {left:.0f} % are available: fewer run until then",
            case.now + LOOK_AGAIN,
        )
    earlier = [each.at for each in case.past.incident]
    again_at = earlier[-1] + _MEMORY_PAUSE if earlier else case.now
    if case.request.climbing or again_at <= case.now:
        return None
    return "it ended for want of memory again within an hour: fewer run meanwhile", again_at


def overloaded(case: Case) -> Hold:
    """A service that is overloaded is not asked by all agents at once: each try of any of them doubles the pause."""
    failures, since = case.fleet.breakers.get(f"overload {case.request.service}", (0, None))
    if not case.request.service or since is None:
        return None
    first, longest = _OVERLOADED
    again_at = min(since, case.now) + min(first * 2.0 ** min(max(failures, 1) - 1, DOUBLINGS), longest)
    if again_at <= case.now:
        return None
    return f"{case.request.service} is overloaded, and left alone by all agents", again_at


def storm(case: Case) -> Hold:
    """In a storm all wait for it to pass, then for the one that is tried first."""
    if case.past.let_through:
        return None
    holds = [hold for each in case.fleet.storms if _is_in(each, case.request) and (hold := _stormy(each, case))]
    return max(holds, key=lambda hold: hold[1], default=None)


def _is_in(over: Storm, request: Request) -> bool:
    return any(
        host == request.host and any(_touches(target, each) for each in (request.target, *request.covers))
        for host, target in over.targets
    )


def _touches(one: str, other: str) -> bool:
    return is_within(one, other) or is_within(other, one)


def _stormy(over: Storm, case: Case) -> Hold:
    rules = case.fleet.rules
    by = f" by one cause ({over.cause})" if over.cause else ""
    words = f"a storm: {counted(len(over.targets), 'target')} damaged at once{by}"
    again_at = cooled_at(over.since, rules, case.now)
    if again_at > case.now:
        return f"{words}, nothing is restarted until it has cooled down", again_at
    if over.canary is None or over.canary_holds:
        return None
    host, target, at = over.canary
    again_at = cooled_at(at, rules, case.now)
    own = host == case.request.host and _touches(target, case.request.target)
    if again_at <= case.now or (own and case.request.climbing):
        return None
    return f"{words}, and {host} {target} is tried first", again_at


def max_unavailable(case: Case) -> Hold:
    """Only so many hosts are disturbed at the same time."""
    if not case.request.disturbs or case.request.host in case.fleet.disturbed:
        return None
    rules = case.fleet.rules
    share = rules.max_unavailable
    # Rounded first: 0.7 % of 1000 are a little more than 7 as the machine reckons.
    most = max(1, ceil(round(share * case.fleet.hosts / 100, 6)) if rules.is_percent else int(share))
    if len(case.fleet.disturbed) < most:
        return None
    others = ", ".join(sorted(case.fleet.disturbed))
    return f"{others} disturbed at the moment, at most {counted(most, 'host')} at once", case.now + LOOK_AGAIN
