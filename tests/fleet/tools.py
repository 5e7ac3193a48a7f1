"""Programs that stand in front of a pretended machine's own."""

from __future__ import annotations

from tests.fleet.machine import Machine


def tool(machine: Machine, name: str, script: str) -> None:
    """Put a tool of one's own in front of the machine's."""
    folder = machine.root / "bin"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    if not machine.environment["PATH"].startswith(f"{folder}:"):
        machine.environment["PATH"] = f"{folder}:{machine.environment['PATH']}"
