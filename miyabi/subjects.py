"""The subjects of upkeep, of agents and of L4, by how they are written. Pure."""

from __future__ import annotations

# The EC2 instance that a host is.
INSTANCE = "instance"

# The script by which L3 sets a host up.
SETUP = "setup script"

# What an agent's case begins with: its pane's target follows.
AGENT = "agent "

# What the case of something that is foretold begins with: what it is foretold of follows.
FORECAST = "forecast "
# And in between, where it is that an agent will be at its usage limit.
_USAGE_LIMIT = "usage-limit "

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
_NAMED = (
    AGENT,
    FORECAST,
    "task ",
    "server ",
    "log ",
    "temp ",
    "config ",
    "integration ",
    "network ",
    "orchestration ",
    "hook ",
)


def is_subject(target: str) -> bool:
    """Whether a target is a subject such as ``server mcp``, and nothing of the tmux fleet."""
    return target in _ALONE or target.startswith(_NAMED)


def forecast_of(subject: str, kind: str) -> str:
    """What the case is called that something is foretold of a subject.

    + kind: as in ``miyabi.records.Predicted``
    """
    return f"{FORECAST}{_USAGE_LIMIT if kind == 'usage-limit' else ''}{subject}"


def foretold_subject(target: str) -> str:
    """What a case of ``forecast_of`` is about; any other target is about itself."""
    if not target.startswith(FORECAST):
        return target
    return target.removeprefix(FORECAST).removeprefix(_USAGE_LIMIT)
