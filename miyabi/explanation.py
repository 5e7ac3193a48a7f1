"""Why a target is judged as it is, what the gate says and what comes next, for a human at 3 in the morning. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from miyabi.gate import Decision, TargetHistory, Try
from miyabi.gate_pauses import is_within
from miyabi.health import Found
from miyabi.host_status import DriftStatus, HostStatus, decision_json, drift_json, found_json
from miyabi.levels import Level
from miyabi.records import DriftSeen, IncidentChanged, Recovered, Signalled
from miyabi.spec import Spec
from miyabi.subjects import is_subject
from miyabi.target_name import TargetName
from miyabi.words import both_clocks, clock_time, counted, iso, lasting

# How many tries, and how many lines of evidence, a reader is told.
_TRIES = 6
_EVIDENCE = 12

# What lets through what each rule of the gate holds; the others end by what they wait for.
_RESUMABLE = frozenset({"confirm", "breaker", "memory", "flapping", "limit", "tries", "backoff", "storm"})
_WAITS: dict[str, str] = {
    "unknown": "nothing is done to what cannot be judged: repair what keeps it from being seen (above)",
    "evidence": "the next look brings evidence of its own",
    "settling": "it is judged when its host has settled",
    "presence": "detach from its window, or do not type there for a while",
    "draft": "finish or clear what is half typed into it",
    "lease": "wait for the other run, or end it; its lease expires by itself",
    "max-unavailable": "other hosts have to come back first",
}


@dataclass(frozen=True, slots=True)
class Case:
    """All that is known of a target.

    + drifts: what is wrong with it, with what is in it, or with what it is in
    + told: warnings, and what could not be told, about the same
    + history: of the target itself, with the look of just now
    + holds: everything that holds the repair of the first of ``drifts``, the rule that is told first
    + seen, recovered: what was written down of it, newest first
    + incidents: those that are open and about it
    + chosen: what was chosen for a task, newest first
    + is_instance: whether the host is an EC2 instance, which L4 looks after
    + ssh: the words that lead to an instance; none when nothing does. To any other host ssh finds by its name
    """

    named: TargetName
    status: HostStatus
    wanted: Spec | None
    now: float
    drifts: tuple[DriftStatus, ...] = ()
    told: tuple[Found, ...] = ()
    history: TargetHistory = field(default_factory=TargetHistory)
    holds: tuple[Decision, ...] = ()
    seen: tuple[DriftSeen, ...] = ()
    recovered: tuple[Recovered, ...] = ()
    incidents: tuple[IncidentChanged, ...] = ()
    chosen: tuple[Signalled, ...] = ()
    is_instance: bool = False
    ssh: tuple[str, ...] = ()

    @property
    def is_judged(self) -> bool:
        """Whether the host was looked at."""
        return self.status.health not in {"unreachable", "asleep"} and self.status.observation is not None


def concerns(target: str, about: str) -> bool:
    """Whether what is said of one target concerns the other: the same, in it, or around it."""
    return is_within(target, about) or is_within(about, target)


def explain(case: Case) -> list[tuple[str, list[str]]]:
    """The explanation in parts: a label and its lines each."""
    parts = [
        ("", [f"{case.named}: {_verdict(case)}"]),
        ("what", list(_what(case))),
        ("cause", list(_cause(case))),
        ("evidence", list(_evidence(case))),
        ("looks", list(_looks(case))),
        ("tries", list(_tries(case))),
        ("chosen", [_choice(each, case.now) for each in case.chosen[:_TRIES]]),
        ("incident", [_incident(each, case.now) for each in case.incidents]),
        ("the gate", list(_gate(case))),
        ("next", list(_next(case))),
        ("by hand", list(_by_hand(case))),
    ]
    return [(label, lines) for label, lines in parts if lines]


def _verdict(case: Case) -> str:
    if not case.is_judged:
        return case.status.health
    if case.drifts:
        return f"drift, {case.drifts[0].level} has its turn" if case.drifts[0].level != "upkeep" else "drift, upkeep"
    if any(each.kind == "unknown" for each in case.told):
        return "unknown"
    return "as the spec wants it"


def _what(case: Case) -> Iterator[str]:
    if not case.is_judged:
        since = "" if case.status.since is None else f" since {both_clocks(case.status.since)}"
        yield f"{case.named.host} could not be looked at{since}: {case.status.reason}"
        return
    for drift in case.drifts:
        where = "" if drift.found.target == case.named.target else f"{drift.found.target}: "
        yield f"{where}{drift.found.reason} ({_since(drift, case.now)})"
    for found in case.told:
        yield f"{found.target} {found.kind}: {found.reason}".strip()
    if not case.drifts and not case.told:
        yield from _well(case)
    for window, idle in case.status.watched.items():
        if concerns(window, case.named.target):
            yield f"somebody looks at {window}, the last key was {lasting(idle)} ago"


def _since(drift: DriftStatus, now: float) -> str:
    age = now - drift.since
    return "seen just now for the first time" if age < 1 else f"for {lasting(age)}, since {both_clocks(drift.since)}"


def _well(case: Case) -> Iterator[str]:
    agents = case.status.observation.agents if case.status.observation else {}
    about = case.named.target
    own = [f"{target}: {state}" for target, state in agents.items() if about and is_within(target, about)]
    yield from own or ["there is nothing wrong with it"]


def _cause(case: Case) -> Iterator[str]:
    for drift in case.drifts[:1]:
        latest = next((each for each in case.seen if each.target == drift.found.target), None)
        if latest is not None:
            yield f"{latest.cause}, as attributed {clock_time(latest.at, case.now)}"


def _evidence(case: Case) -> Iterator[str]:
    for seen in case.seen[:1]:
        lines = [line.rstrip() for line in seen.evidence.splitlines() if line.strip()]
        yield from (f"| {line}" for line in lines[-_EVIDENCE:])


def sightings_line(history: TargetHistory) -> str:
    """The looks at a target, oldest first: ``.`` was well, ``x`` was damaged."""
    return "".join("x" if damaged else "." for _, damaged in history.sightings)


def _looks(case: Case) -> Iterator[str]:
    sightings = case.history.sightings
    if not case.named.target or len(sightings) < 2:
        return
    yield sightings_line(case.history)
    first = clock_time(sightings[0][0], case.now)
    yield f"(. well, x damaged; {counted(len(sightings), 'look')} since {first}, the last is this one)"


def _tries(case: Case) -> Iterator[str]:
    recovered = case.recovered[:_TRIES]
    for each in recovered:
        how = "restored" if each.outcome == "restored" else f"did not hold: {each.reason}"
        where = "" if each.target == case.named.target else f"{each.target} "
        yield f"{clock_time(each.at, case.now)}  {where}{each.level} {how} ({each.seconds:.1f} s)"
    known = {each.at for each in recovered}
    open_ones = [each for each in case.history.tries if each.restored is None and each.at not in known]
    yield from (_unfinished(each, case.now) for each in open_ones[-_TRIES:])
    if len(case.recovered) > _TRIES:
        yield f"and {len(case.recovered) - _TRIES} before: miyabi history {_argument(case.named)} --since 7d"


def _unfinished(tried: Try, now: float) -> str:
    return f"{clock_time(tried.at, now)}  {tried.level.name if tried.level else 'upkeep'}, nobody knows what came of it"


def _choice(chosen: Signalled, now: float) -> str:
    details = chosen.details
    return f"{clock_time(chosen.at, now)}  {details.get('strategy')} ({details.get('agent')}): {details.get('reason')}"


def _incident(incident: IncidentChanged, now: float) -> str:
    return f"{incident.severity}, open for {lasting(now - incident.opened_at)}: {incident.summary}"


def _gate(case: Case) -> Iterator[str]:
    if not case.drifts:
        return
    if not case.holds:
        yield "lets its repair through"
        return
    for number, held in enumerate(case.holds):
        until = "" if held.again_at is None else f" until {clock_time(held.again_at, case.now)}"
        yield f"{'held' if number == 0 else 'and'} by {held.rule}{until}: {held.reason}"


def _next(case: Case) -> Iterator[str]:
    if not case.is_judged:
        if case.is_instance and case.status.health == "unreachable":
            yield "the next run asks EC2 how its instance is, and does what that calls for and its spec allows"
            return
        again = "look at it" if case.status.health == "unknown" else "reach it"
        yield f"the next run tries to {again} again; nothing is done to a host that cannot be judged"
        return
    if not case.drifts:
        return
    level = case.drifts[0].level
    if case.holds:
        last = max((each.again_at or case.now) for each in case.holds)
        yield f"runs leave it alone; the first one after {clock_time(last, case.now)} asks the gate again"
    else:
        yield "the next run repairs it" + (f" by {level}" if level in Level.__members__ else "")
    highest = case.wanted.recovery.max_level if case.wanted else Level.L3
    if level in Level.__members__ and Level[level] < highest:
        higher = " and then ".join(each.name for each in Level if Level[level] < each <= highest)
        yield f"when {level} does not hold, {higher} has its turn in the same run"


def _by_hand(case: Case) -> Iterator[str]:
    target, host = _argument(case.named), case.named.host
    rules = {each.rule for each in case.holds}
    if rules & _RESUMABLE:
        yield f"miyabi resume {target}    # lets it through once"
    elif "pause" in rules:
        yield f"miyabi resume {target}    # or what is paused around it: miyabi pause"
    yield from (_WAITS[rule] for rule in _WAITS if rule in rules)
    if case.drifts:
        yield f"miyabi recover --limit {shlex.quote(host)}    # a run now, through the gate"
    if case.drifts and "pause" not in rules:
        yield f"miyabi pause {target} --for 2h    # leaves it alone"
    if case.is_instance and case.status.health == "unreachable":
        asks = f"pyinfra inventory deploys/l4_infrastructure.py --dry --limit {shlex.quote(host)}"
        yield f"{asks}    # what would be done to its instance"
    ssh = case.ssh if case.is_instance else ("ssh", host)
    if ssh and not host.startswith("@local"):
        session = "" if is_subject(case.named.target) else case.named.target.partition(":")[0]
        attach = ["-t", "tmux", "attach", "-t", shlex.quote(f"={session}")] if session else []
        yield f"{shlex.join([*ssh, *attach])}    # see for yourself"


def _argument(named: TargetName) -> str:
    return shlex.quote(str(named))


def case_json(case: Case) -> dict[str, Any]:
    """An explanation as ``--json`` tells it."""
    return {
        "at": iso(case.now),
        "host": case.named.host,
        "target": case.named.target,
        "health": case.status.health,
        "reason": case.status.reason,
        "drifts": [drift_json(each) for each in case.drifts],
        "told": [found_json(each) for each in case.told],
        "holds": [decision_json(each) for each in case.holds],
        "sightings": [{"at": iso(at), "damaged": damaged} for at, damaged in case.history.sightings],
        "tries": [
            {"at": iso(each.at), "level": each.level.name if each.level else "upkeep", "restored": each.restored}
            for each in case.history.tries
        ],
        "seen": [
            {
                "at": iso(each.at),
                "target": each.target,
                "reason": each.reason,
                "cause": each.cause,
                "evidence": each.evidence,
            }
            for each in case.seen
        ],
        "incidents": [
            {
                "incident": each.incident,
                "severity": each.severity,
                "summary": each.summary,
                "opened_at": iso(each.opened_at),
            }
            for each in case.incidents
        ],
        "next": [line for label, lines in explain(case) if label == "next" for line in lines],
        "by_hand": [line for label, lines in explain(case) if label == "by hand" for line in lines],
    }


def newest(records: Iterable[Any], about: str, most: int) -> Sequence[Any]:
    """The newest of some records, newest first, that concern a target."""
    return [each for each in records if is_within(each.target, about)][:most]
