"""What a run writes down of each host: what it saw first, what came of each try, how it ended."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from miyabi import state
from miyabi.climb import Climb, Step, is_wish
from miyabi.drift import Drift
from miyabi.health import agents_of, numbers_of
from miyabi.match import SessionMatch
from miyabi.records import AGENT_IS_DOWN, UPKEEP, DriftSeen, Health, Observation, Recovered
from miyabi.subjects import INSTANCE
from miyabi.upkeep import DAMAGE, Finding
from operations.availability import absence
from operations.gate import tries_in_incident
from operations.memory import memory_of, now
from operations.upkeep import findings

if TYPE_CHECKING:
    from pyinfra.api import Host

_KEPT_UP = "miyabi_kept_up"
_OBSERVED = "miyabi_observed"


def will_keep_up(host: Host) -> None:
    """Say that this run looks after what the host's fleet stands on, too."""
    host.connector_data[_KEPT_UP] = True


def keeps_up(host: Host) -> bool:
    """Whether this run looks after what the host's fleet stands on."""
    return bool(host.connector_data.get(_KEPT_UP))


def observed(host: Host) -> Observation | None:
    """What this run has written down of its first look at a host; None when it did not look."""
    seen: Observation | None = host.connector_data.get(_OBSERVED)
    return seen


def at_the_end(host: Host, climb: Climb, told: Container[str] = ()) -> Observation | None:
    """The host as the run leaves it: its agents as the last look found them; None when the run did not look.

    What somebody wants to be left alone is not in it.

    + told: what has an incident of its own, and does not count as down once more
    """
    first = observed(host)
    if first is None or not first.fleet:
        return first
    wrong = {str(drift.target) for drift in climb.drifts}
    wishes = {str(target) for target, decision in climb.held.items() if is_wish(decision)}
    agents = {
        name: how if (name in wrong and name not in told) or how not in AGENT_IS_DOWN else "running"
        for name, how in first.agents.items()
        if name not in wrong or name not in wishes
    }
    return replace(first, agents=agents)


def was_observed(host: Host) -> bool:
    """Whether this run has looked at a host, and written down what it saw."""
    return observed(host) is not None and absence(host) is None


def note_absence(host: Host, health: Health, reason: str) -> None:
    """Write down that a host was not reached."""
    memory = memory_of(host.state)
    seen = Observation(**memory.common(), host=host.name, health=health, reason=reason)
    host.connector_data[_OBSERVED] = seen
    memory.keep(seen)


def note_first_look(
    host: Host,
    seen: state.Host,
    matches: Sequence[SessionMatch],
    drifts: Sequence[Drift],
    climb: Climb,
    *,
    unknown: str | None = None,
    fleet: bool = True,
    conditions: Mapping[str, str] | None = None,
) -> None:
    """Write down what the run saw of a host before it changed anything in its fleet.

    + unknown: why its state could not be told
    + fleet: whether its tmux fleet was looked at
    + conditions: of its agents that live, by their targets
    """
    memory = memory_of(host.state)
    damage = [drift for drift in drifts if drift.kind != "unmarked"]
    wrong = [f"{each.subject}: {each.reason}" for each in findings(host).values() if each.verdict in DAMAGE]
    reasons = [f"{drift.target} {drift.reason}" for drift in damage] + wrong
    health: Health = "unknown" if unknown else "drift" if reasons else "healthy"
    first = Observation(
        **memory.common(),
        host=host.name,
        health=health,
        reason=unknown or "; ".join(reasons),
        fleet=fleet and not unknown,
        upkeep=keeps_up(host),
        **asdict(numbers_of(seen, agents_of(matches, damage, conditions))),
    )
    host.connector_data[_OBSERVED] = first
    memory.keep(
        first,
        *(
            DriftSeen(
                **memory.common(),
                host=host.name,
                target=str(drift.target),
                kind=drift.kind,
                level=drift.level.name,
                reason=drift.reason,
                cause=cause.name if (cause := climb.causes.get(drift.target)) else "unknown",
                evidence="\n".join(cause.lines) if cause else "",
            )
            for drift in damage
        ),
    )


def note_step(host: Host, step: Step, left: Iterable[Drift], climb: Climb) -> None:
    """Write down what came of a level's turn, for each target that it was about.

    + left: what is still wrong there
    """
    memory = memory_of(host.state)
    # Adopting is no recovery.
    tried = [drift for drift in step.drifts if drift.kind != "unmarked"]
    known = memory.histories(host.name, [str(drift.target) for drift in tried]) if tried else {}
    # What is left of a pane may be that its window, or its whole session, is gone.
    gone = {drift.target for drift in left}
    wrong = {scope for target in gone for scope in target.scopes()}
    memory.keep(
        *(
            Recovered(
                **memory.common(),
                host=host.name,
                target=str(drift.target),
                level=step.level.name,
                does="restore",
                outcome="failed"
                if step.failure and (drift.target in wrong or gone & set(drift.target.scopes()) or not wrong)
                else "restored",
                seconds=step.seconds,
                first_try=len(tries_in_incident(host, known[str(drift.target)])) <= 1,
                cause=cause.name if (cause := climb.causes.get(drift.target)) else "unknown",
                reason=step.failure or "",
            )
            for drift in tried
        )
    )


def _causes(wrong: Iterable[Finding]) -> dict[str, str]:
    # Only a host on which upkeep found something pays for it.
    from operations.causes import cause_of  # noqa: PLC0415

    return {each.subject: cause_of(each.subject, each.reason) for each in wrong}


def note_upkeep(host: Host) -> None:
    """Write down what upkeep found on a host, and what came of what it tried."""
    memory = memory_of(host.state)
    # What L4 did is written down where it was done.
    wrong = [each for each in findings(host).values() if each.verdict in DAMAGE and each.subject != INSTANCE]
    tried = [each for each in wrong if (host.name, each.subject) in memory.tries]
    known = memory.histories(host.name, [each.subject for each in tried]) if tried else {}
    causes = _causes(wrong) if wrong else {}
    memory.keep(
        *(
            DriftSeen(
                **memory.common(),
                host=host.name,
                target=each.subject,
                kind=UPKEEP,
                level=UPKEEP,
                reason=each.reason,
                cause=causes[each.subject],
            )
            for each in wrong
        ),
        *(
            Recovered(
                **memory.common(),
                host=host.name,
                target=each.subject,
                level=UPKEEP,
                does="restore",
                outcome="restored" if each.verdict == "repaired" else "failed",
                seconds=now() - memory.tries[host.name, each.subject][0].at,
                first_try=len(tries_in_incident(host, known[each.subject])) <= 1,
                cause=causes[each.subject],
                reason=each.reason,
            )
            for each in tried
        ),
    )
