"""The recovery levels, from the least to the most disruptive."""

from __future__ import annotations

from enum import IntEnum


class Level(IntEnum):
    """A recovery level; comparing two levels compares how much they disturb."""

    L1 = 1
    L2 = 2
    L3 = 3
    L4 = 4

    @property
    def title(self) -> str:
        """The name that status lines and deploys use, such as ``L2_SESSION``."""
        return f"{self.name}_{_SUBJECTS[self]}"

    @property
    def next(self) -> Level | None:
        """The level to climb to when this one did not hold; None at the top."""
        return Level(self + 1) if self < Level.L4 else None


_SUBJECTS = {Level.L1: "PANE", Level.L2: "SESSION", Level.L3: "FULL", Level.L4: "INFRASTRUCTURE"}

# How long a level may take from its first action to its proof, in seconds.
DEFAULT_BUDGETS: dict[Level, float] = {Level.L1: 10, Level.L2: 30, Level.L3: 60, Level.L4: 300}
