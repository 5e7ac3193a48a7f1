"""What a run asks the gate: what is known of fleet and past goes with it, and the answer is written down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from miyabi.errors import MiyabiError
from miyabi.gate import ACTING, Decision, Fleet, Pause, Request, TargetHistory, Try, decide
from miyabi.gate_pauses import is_emergency_stop
from miyabi.records import UPKEEP, Decided
from miyabi.severity import SEVERITIES
from operations.gate import PASSED, rules_of
from operations.memory import Memory, alert_rules, memory_of, now, pauses
from operations.storms import after_try, storms_of

if TYPE_CHECKING:
    from pyinfra.api import Host


def ask_gate(target: Host, requests: Iterable[Request], *, is_needed: bool = True) -> tuple[Decision, ...]:
    """What the gate says to each of ``requests``, in their order; what is allowed is written down before it is done.

    + is_needed: whether something is wrong until it is done; else nobody need remember that it was held

    While pyinfra only asks whether anything would change, nothing is written.
    """
    asked = tuple(requests)
    if not asked:
        return ()
    memory = memory_of(target.state)
    counted = [request for request in asked if request.does in ACTING]
    trouble = None
    try:
        fleet = _fleet(memory, target, counted=bool(counted))
    except MiyabiError as error:
        # Somebody may have asked to be left alone, and it cannot be read who.
        fleet, trouble = Fleet(), str(error)
    known = memory.histories(target.name, [request.target for request in counted]) if counted else {}
    rules = rules_of(target)
    decisions = []
    fleet = replace(fleet, pauses=(*fleet.pauses, *_left_to_humans(memory, target, known)))
    first = bool(counted) and memory.is_new(target.name)
    for each in asked:
        request = replace(each, cause="missing") if first and each.cause == "unknown" else each
        judged = replace(request, unknown=request.unknown or trouble)
        if counted:
            # Other hosts have gone on while this one waited for a lease, or for the history.
            fleet = replace(fleet, disturbed=frozenset(memory.disturbed))
        past = _with_this_look(memory, known.get(request.target, TargetHistory()))
        decision = decide(judged, past, fleet, rules, now())
        decisions.append(decision)
        if target.state.is_executing and request.does != "tell" and (is_needed or decision.allowed):
            memory.decisions[request.host, request.target] = decision
            _write(memory, request, decision)
        if decision.allowed:
            target.connector_data[PASSED] = True
            if request.does in ACTING:
                fleet = replace(fleet, storms=after_try(fleet.storms, memory, request.host, request.target))
    return tuple(decisions)


def _with_this_look(memory: Memory, past: TargetHistory) -> TargetHistory:
    """What is remembered, with what was just seen: a run may not have written it down yet, or may not be able to."""
    if past.sightings and past.sightings[-1][1] and past.sightings[-1][0] >= memory.started:
        return past
    return replace(past, sightings=(*past.sightings, (now(), True)))


def _fleet(memory: Memory, target: Host, *, counted: bool) -> Fleet:
    """What the gate must know of the fleet; what is not counted asks no history."""
    asked = pauses(memory, target)
    stops = [pause.until for pause in asked if is_emergency_stop(pause)]
    fleet = Fleet(
        hosts=len(list(target.state.inventory)),
        pauses=tuple(pause for pause in asked if not is_emergency_stop(pause)),
        stopped_until=max(stops, default=None),
        rules=memory.file.rules,
    )
    if not counted:
        return fleet
    return replace(
        fleet,
        disturbed=frozenset(memory.disturbed),
        leases=memory.lease(target.name) if target.state.is_executing else {},
        storms=storms_of(memory, target.state),
        breakers=memory.ask_history(lambda history: history.breakers()) or {},
    )


def _left_to_humans(memory: Memory, target: Host, known: Mapping[str, TargetHistory]) -> tuple[Pause, ...]:
    """What the alerts' rules leave alone from its incident on, until a human has resumed it."""
    rules = alert_rules(target.state)
    if not known or not any(rules.leaves_to_humans(severity) for severity in SEVERITIES):
        return ()
    incidents = memory.ask_history(lambda history: history.open_incidents()) or ()
    return tuple(
        Pause(target.name, each.target, now() + 3600, f"incident {each.incident} waits for a human")
        for each in incidents
        if each.host == target.name
        and each.target in known
        and rules.leaves_to_humans(each.severity)
        and (known[each.target].resumed_at or 0.0) < each.opened_at
    )


def _write(memory: Memory, request: Request, decision: Decision) -> None:
    """Keep what was decided; an allowed try is one from now on, whatever comes of it."""
    level = request.level.name if request.level else UPKEEP
    if decision.allowed and request.does in ACTING:
        memory.tries.setdefault((request.host, request.target), []).append(Try(now(), request.level, does=request.does))
        if request.disturbs:
            memory.disturbed.add(request.host)
    memory.keep(
        Decided(
            **memory.common(),
            host=request.host,
            target=request.target,
            does=request.does,
            level=level,
            allowed=decision.allowed,
            rule=decision.rule,
            reason=decision.reason or request.why,
            again_at=decision.again_at,
            climbing=request.climbing,
            cause=request.cause,
        )
    )
