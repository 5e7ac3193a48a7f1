"""A clone of the repository with a small fleet, and the ``miyabi`` command run in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.fleet.control import Fleet
from tests.fleet.machine import Finished

AGENT = "exec sleep 4242"

SPEC: dict[str, Any] = {
    "sessions": [
        {
            "session_name": "work",
            "windows": [
                {
                    "window_name": "main",
                    "panes": [
                        {"name": "kaede", "shell_command": AGENT, "agent": {"role": "CodeGen"}},
                        {"name": "sakura", "shell_command": AGENT, "agent": {"role": "Review"}},
                        {"name": "logs"},
                    ],
                },
                {"window_name": "monitor", "panes": [{"name": "monitor"}]},
            ],
        }
    ]
}
EMPTY: dict[str, Any] = {"limits": {"disk": {"warning": "99%", "critical": "100%"}}}


@dataclass(slots=True)
class Clone:
    """A clone on the control machine of a fleet."""

    fleet: Fleet
    folder: Path

    @classmethod
    def of(cls, fleet: Fleet) -> Clone:
        """A new clone, whose specs ask for little."""
        clone = cls(fleet, fleet.copy_repository())
        for name in ("control", "pixel", "mugen", "macbook"):
            clone.write_spec(name, EMPTY)
        return clone

    def write_spec(self, name: str, spec: Mapping[str, Any]) -> None:
        """Write the spec of a host."""
        path = self.folder / "inventory" / "specs" / f"{name}.yaml"
        path.write_text(yaml.safe_dump(dict(spec), sort_keys=False))

    def miyabi(self, *arguments: str, timeout: float = 120.0) -> Finished:
        """Run the real ``miyabi ARGUMENTS`` in the clone."""
        self.fleet.control.environment["PYTHONPATH"] = str(self.folder)
        done = self.fleet.control.run("python3", "-m", "miyabi", *arguments, cwd=self.folder, timeout=timeout)
        assert "Traceback" not in done.output, done.output
        return done

    def told(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """What ``miyabi ARGUMENTS --json`` prints."""
        done = self.miyabi(*arguments, "--json")
        assert done.code == code, done.output
        answer = json.loads(done.stdout)
        assert isinstance(answer, dict)
        return answer
