"""The climb of each host in this run."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from miyabi.climb import Climb

if TYPE_CHECKING:
    from pyinfra.api import Host

_CLIMB = "miyabi_climb"


def climb_of(target: Host) -> Climb:
    """What happened on ``target`` in this run so far."""
    return cast("Climb", target.connector_data.setdefault(_CLIMB, Climb()))
