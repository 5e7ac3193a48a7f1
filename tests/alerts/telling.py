"""Runs one after the other, and what they tell."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from miyabi.alert_rules import Stop
from miyabi.incidents import is_told, judge, open_after
from miyabi.records import IncidentChanged, Severity
from miyabi.verdict import Verdict

PANE = "work:main.kaede"


def wrong(
    target: str = PANE,
    severity: Severity | None = "HIGH",
    *,
    host: str = "mugen",
    kind: str = "not-restored",
    cause: str = "unknown",
    covers: tuple[str, ...] = (),
    summary: str = "died by signal 9",
) -> Verdict:
    """A verdict."""
    return Verdict(host=host, target=target, kind=kind, severity=severity, summary=summary, cause=cause, covers=covers)


@dataclass
class Telling:
    """The incidents of a fleet over some runs."""

    healthy_after: float = 600.0
    still_open: float = 6 * 3600.0
    stop: Stop | None = None
    open: tuple[IncidentChanged, ...] = ()
    runs: int = 0
    all: list[IncidentChanged] = field(default_factory=list)

    def run(self, now: float, *verdicts: Verdict, well: Collection[tuple[str, str]] = ()) -> list[str]:
        """Judge a run; return what it tells, such as ``opened HIGH mugen work:main.kaede``."""
        changes = self.changes(now, verdicts, well)
        return [
            f"{each.change} {each.severity} {each.host} {each.target}".rstrip() for each in changes if is_told(each)
        ]

    def changes(
        self, now: float, verdicts: Sequence[Verdict], well: Collection[tuple[str, str]]
    ) -> tuple[IncidentChanged, ...]:
        """Judge a run; return its changes, the silent ones too."""
        self.runs += 1
        changes = judge(
            self.open,
            verdicts,
            well,
            run=f"r{self.runs}",
            now=now,
            healthy_after=self.healthy_after,
            still_open=self.still_open,
            stop=self.stop,
        )
        self.open = open_after(self.open, changes)
        self.all += changes
        return changes
