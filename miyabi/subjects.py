"""The subjects of upkeep, by how they are written. Pure."""

from __future__ import annotations

_ALONE = frozenset({"sshd", "disk", "memory", "processes", "clock", "wake lock", "notification"})
_NAMED = ("server ", "log ", "temp ", "config ", "integration ", "network ")


def is_subject(target: str) -> bool:
    """Whether a target is a subject of upkeep such as ``server mcp``, and nothing of the tmux fleet."""
    return target in _ALONE or target.startswith(_NAMED)
