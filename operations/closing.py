"""The end of a run: what is left to be judged, told and written down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pyinfra import logger

from miyabi.errors import MiyabiError
from miyabi.records import RunEnded
from miyabi.signals import health_ok
from operations.availability import absence, asleep
from operations.climbing import climb_of
from operations.instances import rescue_of
from operations.memory import Memory, memory_of, now
from operations.outcome import conclude, conclude_run, ended, keep_attention, outcome_of
from operations.record import note_absence, note_upkeep, was_observed
from operations.telling import signals_of, tell_everybody

if TYPE_CHECKING:
    from pyinfra.api import Host, State


def close(state: State, hosts: Sequence[Host]) -> None:
    """End a run; what goes wrong with a part of it is said, fails nothing, and keeps no other part from its turn."""
    memory = memory_of(state)
    for host in hosts:
        _tried(lambda host=host: _close_host(host))  # type: ignore[misc]
    _tried(lambda: conclude_run(state))
    _tried(lambda: _tell(state, memory, hosts))
    _tried(lambda: keep_attention(state))
    outcome = ended(state)
    memory.keep(RunEnded(**memory.common(), outcome=outcome, seconds=now() - memory.started, hosts=len(hosts)))
    memory.let_go()


def _tried(step: Callable[[], None]) -> None:
    try:
        step()
    except (MiyabiError, OSError) as error:
        logger.error(f"--> the run could not be closed: {error}")


def _tell(state: State, memory: Memory, hosts: Sequence[Host]) -> None:
    signals = [signal for host in hosts for signal in signals_of(host, climb_of(host))]
    if ended(state) == "clean" and not outcome_of(state).verdicts and any(was_observed(host) for host in hosts):
        signals.append(health_ok(memory.run, now()))
    else:
        signals += [health_ok(memory.run, now(), name) for name in _well_beside_others(state, hosts)]
    memory.keep(*signals)
    tell_everybody(state, signals)


def _well_beside_others(state: State, hosts: Sequence[Host]) -> list[str]:
    """The hosts that are well at the end although another one is not."""
    outcome = outcome_of(state)
    wrong = {verdict.host for verdict in outcome.verdicts if verdict.kind != "repaired"}
    if wrong.isdisjoint(host.name for host in hosts):
        return []
    return [host.name for host in hosts if host.name in outcome.judged - wrong and was_observed(host)]


def _close_host(host: Host) -> None:
    """What a host's own last operation did not come to, because there was none, or the host had failed before."""
    if host.name in outcome_of(host.state).judged:
        return
    climb = climb_of(host)
    missed = absence(host)
    if missed is not None:
        reason = "; ".join(filter(None, (rescue_of(host).outcome, missed)))
        note_absence(host, "asleep" if asleep(host) else "unreachable", reason)
    else:
        note_upkeep(host)
    conclude(host, climb, fleet=was_observed(host), unknown=climb.unknown)
