"""What holds for any past, any clock and any rules: budgets, doubt, and that every hold ends."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import get_args

import pytest
from hypothesis import example, given, settings, strategies as st

from miyabi.gate import Decision, Does, Fleet, Pause, Request, Storm, TargetHistory, Try, decide, exhausted_level
from miyabi.gate_rules import FleetRules, Rules
from miyabi.levels import Level
from tests.gate.asking import NOW, REQUEST

HOUR = 3600.0

RULES = st.builds(
    Rules,
    backoff_first=st.sampled_from([0.1, 10.0]),
    backoff_longest=st.sampled_from([0.1, 300.0]),
    healthy_after=st.sampled_from([1.0, 600.0]),
    tries=st.integers(1, 4),
    restarts_per_hour=st.integers(1, 6),
    retry_after=st.sampled_from([1.0, 600.0, 3600.0, 7200.0]),
    flapping_start=st.sampled_from([30.0, 100.0]),
    seen=st.integers(1, 2),
    seen_of=st.integers(2, 3),
)


@dataclass(frozen=True)
class Step:
    """One run: how long after the last one, by how much the clock was set, and what is found and done."""

    after: float
    clock_set: float
    damaged: bool
    unknown: bool
    restored: tuple[bool | None, ...]


def _steps(clock_set: st.SearchStrategy[float]) -> st.SearchStrategy[list[Step]]:
    return st.lists(
        st.builds(
            Step,
            after=st.sampled_from([0.5, 60.0, 300.0, 300.0, 1000.0, 4000.0]),
            clock_set=clock_set,
            damaged=st.sampled_from([True, True, True, False]),
            unknown=st.sampled_from([False, False, False, False, True]),
            restored=st.tuples(*[st.sampled_from([True, False, None])] * 3),
        ),
        max_size=90,
    )


BACK = st.sampled_from([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -0.3, -HOUR, -86400.0 * 365])
ANY = st.sampled_from([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -0.3, -HOUR, HOUR, 86400.0])


def _run(steps: list[Step], rules: Rules, remembered: int = 60) -> list[tuple[float, int]]:
    """When something was tried, in true time, and how often the clock had been set forward by then."""
    true = clock = NOW
    sightings: deque[tuple[float, bool]] = deque(maxlen=remembered)
    tries: deque[Try] = deque(maxlen=remembered)
    forward = 0
    done: list[tuple[float, int]] = []
    for step in steps:
        true += step.after
        clock += step.after + step.clock_set
        forward += step.clock_set > 0
        sightings.append((clock, step.damaged))
        if not step.damaged:
            continue
        history = TargetHistory(tuple(sightings), tuple(tries))
        used_up = exhausted_level(history, rules, clock)
        level = min(Level.L3, (used_up.next or Level.L4) if used_up else Level.L1)
        climbing = False
        for restored in step.restored:
            history = TargetHistory(tuple(sightings), tuple(tries))
            unknown = "no answer" if step.unknown else None
            request = replace(REQUEST, level=level, unknown=unknown, climbing=climbing)
            decision = decide(request, history, Fleet(), rules, clock)
            _check(decision, clock)
            if not decision.allowed:
                break
            assert not step.unknown
            tries.append(Try(clock, level, restored))
            done.append((true, forward))
            if restored or level is Level.L3:
                break
            level, climbing = Level(level + 1), True
    return done


def _check(decision: Decision, now: float) -> None:
    if not decision.allowed:
        assert decision.again_at is not None
        assert isfinite(decision.again_at)
        assert decision.again_at > now
        assert decision.rule
        assert decision.reason


@given(_steps(BACK), RULES)
@settings(max_examples=300)
def test_never_more_than_the_budget(steps: list[Step], rules: Rules) -> None:
    """In any hour of true time, climbing counted, however often the clock is set back."""
    done = _run(steps, rules)
    for number, (at, _) in enumerate(done):
        within = [each for each, _ in done[number:] if each - at < HOUR - 1]
        assert len(within) <= rules.restarts_per_hour


@given(_steps(ANY), RULES)
@settings(max_examples=300)
def test_a_clock_that_is_set_forward_gives_one_budget_more(steps: list[Step], rules: Rules) -> None:
    """The gate takes it for time that has passed; more than that it gives nothing away."""
    done = _run(steps, rules)
    for number, (at, forward) in enumerate(done):
        within = [each for each in done[number:] if each[0] - at < HOUR - 1]
        assert len(within) <= rules.restarts_per_hour * (1 + within[-1][1] - forward)


TIMES = st.one_of(
    st.floats(NOW - 10000, NOW + 10000),
    st.sampled_from([NOW, NOW - HOUR, NOW + HOUR, NOW + 86400.0 * 365, 0.0]),
)
LEVELS = st.sampled_from([None, *Level])
HISTORIES = st.builds(
    TargetHistory,
    sightings=st.lists(st.tuples(TIMES, st.booleans()), max_size=70).map(tuple),
    tries=st.lists(st.builds(Try, TIMES, LEVELS, st.sampled_from([None, True, False])), max_size=70).map(tuple),
    resumed_at=st.none() | TIMES,
)
PLACES = st.sampled_from(["", "work", "work:main", "work:main.kaede", "sshd", "shop"])
HOSTS = st.sampled_from(["mugen", "pixel", ""])
PAIRS = st.tuples(HOSTS, PLACES)
FLEETS = st.builds(
    Fleet,
    hosts=st.integers(1, 9),
    disturbed=st.frozensets(HOSTS),
    leases=st.dictionaries(HOSTS, st.tuples(st.just("other:7"), TIMES)),
    pauses=st.lists(st.builds(Pause, HOSTS, PLACES, TIMES), max_size=3).map(tuple),
    storms=st.lists(
        st.builds(
            Storm, st.just(""), st.frozensets(PAIRS), TIMES, st.none() | st.tuples(HOSTS, PLACES, TIMES), st.booleans()
        ),
        max_size=2,
    ).map(tuple),
    breakers=st.dictionaries(HOSTS.map("host {}".format), st.tuples(st.integers(0, 9), st.none() | TIMES)),
    stopped_until=st.none() | TIMES,
    rules=st.builds(FleetRules, max_unavailable=st.sampled_from([0.0, 1.0, 25.0, 100.0]), is_percent=st.booleans()),
)
REQUESTS = st.builds(
    Request,
    host=HOSTS,
    target=PLACES,
    does=st.sampled_from(get_args(Does)),
    level=LEVELS,
    last_level=LEVELS,
    covers=st.lists(PLACES, max_size=2).map(tuple),
    disturbs=st.booleans(),
    climbing=st.booleans(),
    evidence_at=st.none() | TIMES,
    born_at=st.none() | TIMES,
    settled_at=st.none() | TIMES,
    watched_at=st.none() | TIMES,
)


@given(REQUESTS, HISTORIES, FLEETS, RULES, st.sampled_from(["", "half ty"]), st.sampled_from([None, "no answer"]))
@settings(max_examples=500)
@example(REQUEST, TargetHistory(), Fleet(stopped_until=inf), Rules(), "", None)
@example(REQUEST, TargetHistory(), Fleet(pauses=(Pause("", "", inf),)), Rules(), "", None)
def test_every_hold_says_when_to_look_again(
    request: Request, history: TargetHistory, fleet: Fleet, rules: Rules, draft: str, unknown: str | None
) -> None:
    asked = replace(request, draft=draft, unknown=unknown)
    decision = decide(asked, history, fleet, rules, NOW)
    _check(decision, NOW)
    if unknown is not None and asked.does != "tell":
        assert not decision.allowed


@pytest.mark.slow
@given(REQUESTS, HISTORIES, FLEETS, RULES)
@settings(max_examples=500)
def test_who_asks_again_is_let_through_in_the_end(
    request: Request, history: TargetHistory, fleet: Fleet, rules: Rules
) -> None:
    """Nobody comes to the window, other recoveries come to their end, and it stays damaged."""
    now = NOW
    request = replace(request, watched_at=None if request.watched_at is None else min(request.watched_at, NOW))
    reasons = []
    for _ in range(100):
        history = replace(history, sightings=(*history.sightings, (now, True)))
        # Whoever looks again sees anew; what is disturbed elsewhere is over by then.
        decision = decide(replace(request, evidence_at=now), history, fleet, rules, now)
        if decision.allowed:
            return
        _check(decision, now)
        reasons.append(decision.rule)
        assert decision.again_at is not None
        # Nobody looks more often than once a minute.
        now = max(decision.again_at, now + 60)
        fleet = replace(fleet, disturbed=frozenset())
    raise AssertionError(f"held for {(now - NOW) / HOUR:.1f} h: {reasons}")
