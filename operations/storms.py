"""Storms as a run sees them: too much damage at once, on many hosts or by one cause."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from miyabi.records import IncidentChanged
from operations.memory import Memory, now

if TYPE_CHECKING:
    from pyinfra.api import State

    from miyabi.gate_types import Storm

KIND = "storm"


def storms_of(memory: Memory, state: State) -> tuple[Storm, ...]:
    """The storms that are known now: those that an earlier run has met, and what this one sees."""
    from miyabi.storm import find_storms, with_canary  # noqa: PLC0415 - only a run in which something is damaged asks

    incidents = memory.ask_history(lambda history: history.open_incidents()) or ()
    hosts = [host.name for host in state.inventory]
    rules = memory.file.rules
    earlier = [_as_storm(incident, hosts) for incident in incidents if incident.kind == KIND]
    known = [with_canary(storm, _tried(memory, storm), memory.damage, memory.started, rules) for storm in earlier]
    return find_storms(memory.damage, len(hosts), known, rules, now())


def after_try(storms: Iterable[Storm], memory: Memory, host: str, target: str) -> tuple[Storm, ...]:
    """The storms after a try on one of their targets just now: the others wait for what comes of it."""
    from miyabi.storm import with_canary  # noqa: PLC0415 - as above

    return tuple(
        with_canary(storm, {(host, target): now()}, memory.damage, memory.started, memory.file.rules)
        if (host, target) in storm.targets and not storm.canary_holds
        else storm
        for storm in storms
    )


def _tried(memory: Memory, storm: Storm) -> dict[tuple[str, str], float]:
    """When each target of a storm was last tried."""
    tried = {}
    for host in sorted({host for host, _ in storm.targets}):
        targets = [target for on, target in sorted(storm.targets) if on == host]
        for target, history in memory.histories(host, targets).items():
            if history.tries:
                tried[host, target] = history.tries[-1].at
    return tried


def _as_storm(incident: IncidentChanged, hosts: Iterable[str]) -> Storm:
    from miyabi.gate_types import Storm  # noqa: PLC0415 - as above

    named = ((host, name) for name in incident.covers for host in hosts if name.startswith(f"{host}:"))
    targets = frozenset((host, name[len(host) + 1 :]) for host, name in named)
    return Storm("" if incident.cause == "unknown" else incident.cause, targets, incident.opened_at)
