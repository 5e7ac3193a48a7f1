"""One machine behind an instance, and how EC2's checks see it."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from miyabi.sandbox.fleet import SandboxHost, row_of
from miyabi.sandbox.lifecycle import boot_pid
from miyabi.sandbox.processes import state_of


@dataclass(slots=True)
class Machine:
    """One instance, and what stands behind it.

    + host: None is that another instance has taken its place
    + hardware: the number of the machine that it runs on; no two have the same
    + is_fixed: whether its public address is an elastic one
    + boots: whether it is being booted
    + ready_at, lost_at: when it was up last, and since when it does not answer; of the monotonic clock
    + broken_at: since when its hardware is broken
    """

    instance_id: str
    name: str
    region: str
    host: SandboxHost | None
    hardware: int
    power: str = "pending"
    is_fixed: bool = False
    boots: bool = True
    ready_at: float = 0.0
    lost_at: float | None = None
    broken_at: float | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def row(self) -> dict[str, Any]:
        """What others may know of it."""
        told = {"instance_id": self.instance_id, "name": self.name, "region": self.region, "power": self.power}
        own = {"hardware": self.hardware, "boots": self.boots, "pid": os.getpid()}
        return told | own | {"host": row_of(self.host) if self.host else None}


def agent_of(machine: Machine) -> str:
    """The agent of Systems Manager lives on the host: it is heard as long as that does."""
    lives = machine.power == "running" and not machine.boots and machine.lost_at is None
    return "Online" if lives and machine.broken_at is None else "ConnectionLost"


def is_broken(machine: Machine, folder: Path) -> bool:
    """Whether the hardware below it is broken, in the sandbox in ``folder``."""
    return (folder / "cloud" / "broken" / str(machine.hardware)).exists()


def look(machine: Machine, folder: Path) -> None:
    """Whether it answers: one that is stopped by a signal does not, nor one whose first process has ended."""
    now = time.monotonic()
    if machine.power != "running":
        return
    broken = is_broken(machine, folder)
    machine.broken_at = (machine.broken_at or now) if broken else None
    if machine.boots:
        return
    pid = boot_pid(machine.host) if machine.host else None
    lost = pid is None or state_of(pid) in {"T", "t"}
    machine.lost_at = (machine.lost_at or now) if lost else None
