"""How the levels pass the gate: each drift that one would remove is asked for, and what is held is left alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from miyabi import state
from miyabi.climb import Climb
from miyabi.drift import Drift, Target, escalate
from miyabi.levels import Level
from miyabi.match import SessionMatch
from miyabi.spec import Spec
from operations.availability import returned_at
from operations.climbing import SETTLED
from operations.gate import rules_of
from operations.memory import memory_of, now

if TYPE_CHECKING:
    from pyinfra.api import Host

    from miyabi.gate_types import Decision
    from operations.agent_look import LookedAgent


def pass_gate(
    host: Host,
    wanted: Spec,
    drifts: Sequence[Drift],
    matches: Sequence[SessionMatch],
    seen: state.Host,
    climb: Climb,
    agents: Iterable[LookedAgent] = (),
) -> tuple[tuple[Drift, ...], Mapping[Target, Decision]]:
    """Those of ``drifts`` that may be removed now, and why the others must wait; ``climb`` remembers that."""
    if not drifts:
        return (), {}
    # Only a host that is damaged pays for it.
    from miyabi.gate_requests import Circumstances, requests_of  # noqa: PLC0415
    from operations.causes import causes_of, drafts_of  # noqa: PLC0415
    from operations.gate_question import ask_gate  # noqa: PLC0415

    around = Circumstances(
        now=now(),
        last_level=wanted.recovery.max_level,
        causes=causes_of(host, wanted, drifts, seen, climb),
        drafts=drafts_of(host, wanted, drifts, seen),
        attempts=climb.attempts,
        settled_at=settled_at(host, wanted, seen),
        memory_left=seen.memory.available_percent if seen.memory else None,
        proofs={each.target: _proof(each) for each in agents if each.remedy.does == "restart"},
        starts={target: start for target, start in climb.starts.items() if start is not None},
    )
    decisions = ask_gate(host, requests_of(host.name, drifts, matches, seen, around))
    held = {drift.target: each for drift, each in zip(drifts, decisions, strict=True) if not each.allowed}
    for drift in drifts:
        climb.held.pop(drift.target, None)
    climb.held |= held
    return tuple(drift for drift in drifts if drift.target not in held), held


def _proof(agent: LookedAgent) -> tuple[float | None, float | None]:
    heartbeat = agent.judged_by.heartbeat
    born_at = heartbeat.born_at if heartbeat else None
    return agent.unchanged_since, None if born_at is None else born_at + agent.clock


def settled_at(host: Host, wanted: Spec, seen: state.Host) -> float | None:
    """When a host that has just booted or come back may be judged; None when it was neither.

    The first look of a run decides: a phone tells its uptime in whole minutes, and would be just up at each look.
    """
    known = host.connector_data
    if SETTLED not in known:
        known[SETTLED] = _settled_at(host, wanted, seen)
    return cast("float | None", known[SETTLED])


def _settled_at(host: Host, wanted: Spec, seen: state.Host) -> float | None:
    moments = []
    if (returned := returned_at(host)) is not None:
        moments.append(returned + wanted.grace)
    if seen.boot is not None and seen.boot.uptime is not None and seen.boot.uptime < wanted.grace:
        moments.append(now() - seen.boot.uptime + wanted.grace)
    return max(moments, default=None)


def levelled(host: Host, wanted: Spec, found: Sequence[Drift], seen: state.Host, climb: Climb) -> tuple[Drift, ...]:
    """What was found with the levels whose turn it is, by what this run and earlier ones have tried."""
    if not found:
        return ()
    drifts = escalate(found, {**used_up(host, wanted, found, climb), **climb.attempts})
    if not wanted.recovery.learn:
        return drifts
    # Only who wants it pays for it.
    from miyabi.learning import lifted  # noqa: PLC0415
    from operations.learning import starts_of  # noqa: PLC0415

    return lifted(drifts, starts_of(host, wanted, found, seen, climb))


def used_up(host: Host, wanted: Spec, drifts: Iterable[Drift], climb: Climb) -> Mapping[Target, Level]:
    """The levels that have had all their tries on a target in earlier runs: the next one has its turn.

    The host's last level stays: the gate lets it try again after a while.
    """
    new = [drift.target for drift in drifts if drift.kind != "unmarked" and drift.target not in climb.used_up]
    if new:
        from miyabi.gate import exhausted_level  # noqa: PLC0415 - only a host that is damaged pays for it

        known = memory_of(host.state).histories(host.name, map(str, new))
        rules = rules_of(host)
        for target in new:
            level = exhausted_level(known[str(target)], rules, now())
            # L1 that may be the last stays L1.
            below = wanted.recovery.max_level - 1
            climb.used_up[target] = None if level is None or below < 1 else Level(min(level, below))
    return {target: level for target, level in climb.used_up.items() if level is not None}
