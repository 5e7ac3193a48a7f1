"""What a look at a workspace's sessions came to, in one form for this machine and for hosts. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from miyabi.orchestration.error_words import Places
from miyabi.orchestration.guidance import Found, FoundBackup, Guidance, guidance
from miyabi.orchestration.workspace import SeenFile

# What a session's report is in JSON; ``facts.workspace.Sessions`` tells the same of a host.
Report = Mapping[str, Any]

_STAMP = re.compile(r"(\d{8}T\d{6})Z")

# What is told and is no error: it is as it should be, or only a human can say.
_NO_ERROR = frozenset({"SESSION_TIMEOUT", "SESSION_LOCKED"})

# What is not about what a file holds, but about who uses it, and how large it may be.
_AROUND = _NO_ERROR | {"SESSION_ZOMBIE", "STATE_SIZE_EXCEEDED", "STATE_SIZE_LIMIT_EXCEEDED", "AGENT_CAPACITY_EXCEEDED"}


@dataclass(frozen=True, slots=True)
class Looked:
    """What was seen of a workspace, and judged of its sessions.

    + host: "" is this machine
    + trouble: why nothing could be seen; "" when something was
    + backups: each session's own, and whole ones, the newest first
    + held: the names of sessions that a running program holds
    + living: the names of others whose agents run, as far as that was asked
    """

    path: str
    now: float
    host: str = ""
    trouble: str = ""
    reports: tuple[Report, ...] = ()
    backups: tuple[FoundBackup, ...] = ()
    held: tuple[str, ...] = ()
    has_log: bool = False
    living: tuple[str, ...] = ()

    def only(self, names: Sequence[str]) -> Looked:
        """The same, of these sessions alone; of all without names."""
        if not names:
            return self
        reports = tuple(each for each in self.reports if each["name"] in names)
        held = tuple(each for each in self.held if each in names)
        return Looked(self.path, self.now, self.host, self.trouble, reports, self.backups, held, self.has_log)

    @property
    def codes(self) -> tuple[str, ...]:
        """The errors that were found, each once."""
        found = dict.fromkeys(issue["code"] for each in self.reports for issue in each["issues"])
        return ("WORKSPACE_ACCESS_DENIED",) if "may not be" in self.trouble else tuple(found)

    @property
    def places(self) -> Places:
        """What the commands of errors are filled in with."""
        session = self.reports[0]["name"] if len(self.reports) == 1 else ""
        return Places(self.path, session, self.host, self.backups[0].name if self.backups else "")

    @property
    def guidance(self) -> Guidance:
        """What a human should do."""
        damaged = tuple(each["name"] for each in self.reports if each["repair"] != "none")
        size = sum(each["size"] for each in self.reports)
        counts = (len(self.reports), damaged, size)
        found = Found(self.path, self.now, self.host, *counts, self.backups, self.has_log, self.held)
        return guidance(self.codes, found)

    @property
    def exit_code(self) -> int:
        """Whether it is well (0), something is wrong (2), or nobody can tell (1)."""
        if self.trouble:
            return 1
        is_wrong = any(issue["code"] not in _NO_ERROR for each in self.reports for issue in each["issues"])
        return 2 if is_wrong or any(each["status"] == "unknown" for each in self.reports) else 0


def flaws_of(report: Report) -> list[Mapping[str, Any]]:
    """The issues of a session that are about what its file holds."""
    return [each for each in report["issues"] if each["code"] not in _AROUND]


def found_backups(files: Iterable[SeenFile]) -> tuple[FoundBackup, ...]:
    """The backups of a workspace as a human names them, the newest first.

    + files: with names such as ``session-X.json/STAMP.json`` and ``backup-STAMP/state/session-X.json``
    """
    made: dict[str, float] = {}
    for file in files:
        first, _, rest = file.name.partition("/")
        name = first if first.startswith("backup-") else f"{first}/{rest.removesuffix('.json')}"
        made[name] = max(made.get(name, 0.0), _made_at(name, file.changed_at))
    return tuple(FoundBackup(name, at) for name, at in sorted(made.items(), key=lambda each: (-each[1], each[0])))


def _made_at(name: str, changed_at: float) -> float:
    """When a backup was made: its name says so, or nobody has renamed it and its file does."""
    stamp = _STAMP.search(name.rpartition("/")[2])
    if stamp is None:
        return changed_at
    try:
        return datetime.strptime(stamp[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return changed_at
