"""imitation of a coding agent for the sandbox: the file by which it is steered, and the one that says what it saw.

``~/.miyabi-agent/NAME.json`` (or in the folder that MIYABI_AGENT_CONTROL names) is ``{"play": "limited", ...}``; see
``scenes.py`` for what can be played. It may be written before the agent starts, or while it runs: it looks every 0.3
seconds. NAME is the pane's name, as MIYABI_AGENT says, or ``pane-3`` for tmux's ``%3``, or ``agent``. Write it aside
and rename it, so that it is read whole. ``NAME.log`` gets a line of JSON for each start, key, turn, play and end.
"""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any


def control_name(environment: dict[str, str]) -> str:
    """The name that an agent with this environment goes by, as it stands in the names of its files."""
    name = environment.get("MIYABI_AGENT") or environment.get("TMUX_PANE", "agent").replace("%", "pane-")
    return re.sub(r"[^\w.-]", "_", name)[:100]


class Control:
    """The files of one agent."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.folder = Path(environment.get("MIYABI_AGENT_CONTROL") or Path.home() / ".miyabi-agent")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.name = control_name(environment)
        self.path, self.log = self.folder / f"{self.name}.json", self.folder / f"{self.name}.log"
        self._seen: tuple[int, int, int] | None = None

    def news(self) -> dict[str, Any] | None:
        """What is to be played, when that was written since the last look; None when nothing was."""
        try:
            sign = self._sign()
            if sign == self._seen:
                return None
            told = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        self._seen = sign
        return told if isinstance(told, dict) and isinstance(told.get("play"), str) else None

    def _sign(self) -> tuple[int, int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def forget(self) -> None:
        """Remove the file: what it said is over; what was written since is not."""
        if self._sign() == self._seen:
            self.path.unlink(missing_ok=True)

    def again(self, told: dict[str, Any]) -> None:
        """Count a play that ends the agent: the file is gone after as many ``times`` as it says."""
        left = int(told.get("times", 1)) - 1
        if left < 1 or self._sign() != self._seen:
            self.forget()
            return
        aside = self.path.with_suffix(".new")
        aside.write_text(json.dumps(told | {"times": left}), encoding="utf-8")
        aside.replace(self.path)

    def note(self, event: str, **more: Any) -> None:
        """Write a line of the log."""
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"at": time.time(), "event": event, "pid": os.getpid(), **more}) + "\n")
