"""The climb of each host in this run."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from miyabi.climb import Climb

if TYPE_CHECKING:
    from pyinfra.api import Host

_CLIMB = "miyabi_climb"
# When a host that has come back may be judged, and what upkeep has found on it.
SETTLED = "miyabi_settled"
FINDINGS = "miyabi_upkeep"


def begin_anew(target: Host) -> None:
    """Forget what happened on ``target`` so far, and what was found: it was started anew."""
    for each in (_CLIMB, SETTLED, FINDINGS):
        target.connector_data.pop(each, None)


def climb_of(target: Host) -> Climb:
    """What happened on ``target`` in this run so far."""
    return cast("Climb", target.connector_data.setdefault(_CLIMB, Climb()))
