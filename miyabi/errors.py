"""What can go wrong, as one tree.

MiyabiError
├── SpecError        the desired state cannot be read: every problem, each with file:line
├── InventoryError   a host, or its data, is not usable: which one, and what to add
├── SnapshotError    a snapshot cannot be read, written or found: which one, and what to do
├── AdoptError       a session cannot be written as a spec: why, and what to do
├── TargetError      a target is none, or several: what was meant, and what there is
├── RunError         a run of pyinfra failed: on which host, and what it said
├── HistoryError     the history cannot be opened, read or written: why, and what to do
├── PauseError       the pauses cannot be read or changed: why, and what to do
├── StateError       a workspace's state cannot be looked at or changed: why, and what to do
├── MonitoringError  metrics or traces cannot be written or sent: why, and what to do
├── DashboardError   the dashboard cannot be served: why, and what to do
├── ReportError      a report cannot be made or written: where, why, and what to do
├── Ec2Error         EC2 could not be asked, or did not do it: in which region, why, and what to do
└── ParseError       a section of a probe is not what its parser expects: the state is unknown
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from typing_extensions import override


class MiyabiError(Exception):
    """The base of every error that Miyabi raises on purpose."""


@dataclass(frozen=True, slots=True)
class SpecProblem:
    """One thing that is wrong with a spec.

    + file: the spec's path as the user gave it
    + line: the line in that file, from 1, or None when the whole file is meant
    + path: where in the spec, such as ``sessions[0].windows[2].layout``, or "" for the whole file
    + found: what stands there
    + allowed: what may stand there, or what to do
    """

    file: str
    line: int | None
    path: str
    found: str
    allowed: str

    @override
    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        what = f"{self.path}: {self.found}" if self.path else self.found
        return f"{where}: {what}; {self.allowed}"


class SpecError(MiyabiError):
    """A spec was refused.

    + problems: every problem found, in the order of the file
    """

    def __init__(self, problems: list[SpecProblem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class InventoryError(MiyabiError):
    """A host of the inventory cannot be used as it is."""


class SnapshotError(MiyabiError):
    """A snapshot cannot be read, written or found."""


class AdoptError(MiyabiError):
    """A session cannot be written as a spec."""


class TargetError(MiyabiError):
    """What a human named is no target of the fleet, or several."""


class RunError(MiyabiError):
    """A run of pyinfra failed."""


class HistoryError(MiyabiError):
    """The history cannot be opened, read or written."""


class PauseError(MiyabiError):
    """The pauses that people have set cannot be read or changed."""


class StateError(MiyabiError):
    """The state that an orchestration keeps in a workspace cannot be looked at or changed."""


class MonitoringError(MiyabiError):
    """Metrics or traces cannot be written or sent."""


class DashboardError(MiyabiError):
    """The dashboard cannot be served, or not be kept from others."""


class ReportError(MiyabiError):
    """A report cannot be made or written: where, why, and what to do."""


# credentials: none, expired or wrong. limit: there is no room for it, in EC2 or in the account. refused: not in the
# state that the instance is in. fault: EC2's own trouble. request: anything else, which asking again would not change.
Ec2Trouble = Literal["credentials", "denied", "throttled", "unreachable", "fault", "limit", "refused", "request"]


class Ec2Error(MiyabiError):
    """EC2 could not be asked, or did not do what it was asked for.

    + kind: whose trouble it is
    + message: one line: the region, what is wrong, and what to do
    """

    def __init__(self, kind: Ec2Trouble, message: str) -> None:
        self.kind: Ec2Trouble = kind
        super().__init__(message)


class ParseError(MiyabiError):
    """A probe's section is not what its parser expects."""
