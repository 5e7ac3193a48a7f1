"""At which level the repair of what is damaged on a host begins, where its spec lets runs learn that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from miyabi import state
from miyabi.climb import Climb
from miyabi.drift import Drift, Target
from miyabi.learning import HIGHEST, LOOK_BACK, Start, explores, start_of
from miyabi.spec import Spec
from operations.causes import causes_of
from operations.memory import Memory, memory_of, now

if TYPE_CHECKING:
    from pyinfra.api import Host

    from miyabi.figures import Learned
    from miyabi.history import History


def starts_of(
    host: Host, wanted: Spec, drifts: Iterable[Drift], seen: state.Host, climb: Climb
) -> Mapping[Target, Start]:
    """Where the repair of each drift begins that does not begin at its own level; a run decides that once.

    + drifts: as they were found, each with its own level
    """
    new = [drift for drift in drifts if drift.kind in HIGHEST and drift.target not in climb.starts]
    if new:
        memory = memory_of(host.state)
        causes = causes_of(host, wanted, new, seen, climb)
        past = _past(memory)
        for drift in new:
            cause = causes.get(drift.target, "unknown")
            start = start_of(drift.kind, drift.level, cause, past, wanted.recovery.max_level)
            climb.starts[drift.target] = None if explores(memory.run, host.name, drift.target) else start
    return {target: start for target, start in climb.starts.items() if start is not None}


def _past(memory: Memory) -> tuple[Learned, ...]:
    """What came of earlier tries, asked once in a run; () when the history cannot be asked."""
    if memory.learned is None:
        from miyabi.history_repair_figures import learned  # noqa: PLC0415 - the history that it asks is as dear

        def asked(history: History) -> tuple[Learned, ...]:
            history.take_in()
            return learned(history, now() - LOOK_BACK, now())

        memory.learned = memory.ask_history(asked) or ()
    return memory.learned
