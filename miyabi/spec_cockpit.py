"""What a spec says of the operator's cockpit; a part of miyabi.spec."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attached:
    """How the operator's cockpit shows a session.

    + read_only: whether nothing can be typed into it from there
    """

    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Cockpit:
    """The session in which the operator sees the fleet, on the machine that runs go out from.

    + session_name: its name in that machine's tmux server
    """

    session_name: str = "cockpit"
