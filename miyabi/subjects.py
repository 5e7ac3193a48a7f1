"""The subjects of upkeep, of agents and of L4, by how they are written. Pure."""

from __future__ import annotations

# The EC2 instance that a host is.
INSTANCE = "instance"

# The script by which L3 sets a host up.
SETUP = "setup script"

# What an agent's case begins with: its pane's target follows.
AGENT = "agent "

_ALONE = frozenset(
    {
        "sshd",
        "disk",
        "memory",
        "processes",
        "clock",
        "wake lock",
        "notification",
        "cockpit",
        "tasks",
        "workspaces",
        SETUP,
        INSTANCE,
    }
)
_NAMED = (AGENT, "task ", "server ", "log ", "temp ", "config ", "integration ", "network ", "orchestration ", "hook ")


def is_subject(target: str) -> bool:
    """Whether a target is a subject such as ``server mcp``, and nothing of the tmux fleet."""
    return target in _ALONE or target.startswith(_NAMED)
