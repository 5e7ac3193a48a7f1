"""The last words: what dead and empty panes still show, and what the kernel says of processes that it ended. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from miyabi.state import Observed


@dataclass(frozen=True, slots=True)
class Screen(Observed):
    """What one pane shows.

    + lines: its last lines, wrapped ones joined, without escape sequences and masked
    + draft: what somebody has half typed into it; "" when nothing
    + cursor_x, cursor_y: where the cursor is, from 0
    + died_at: when its process ended, in seconds since the epoch on the host; None when it lives, or tmux does not tell
    """

    pane_id: str
    lines: tuple[str, ...] = ()
    draft: str = ""
    cursor_x: int = 0
    cursor_y: int = 0
    died_at: float | None = None


@dataclass(frozen=True, slots=True)
class KernelLine(Observed):
    """One line of the kernel's about a process that it ended: what it says, and how many seconds ago."""

    age: float
    text: str


@dataclass(frozen=True, slots=True)
class LastWords(Observed):
    """What was asked of the panes that are damaged.

    + screens: by tmux's pane id; a pane that is not there any more is left out
    + kernel: newest last; None when its log may not be read
    + oom_kills: how often the kernel ended something for want of memory in the tmux server's own control group; None
      when that is not told, or when the group is the whole machine's
    + now: seconds since the epoch on the host, at that moment
    """

    screens: Mapping[str, Screen] = field(default_factory=dict)
    kernel: tuple[KernelLine, ...] | None = None
    oom_kills: int | None = None
    now: float = 0.0
