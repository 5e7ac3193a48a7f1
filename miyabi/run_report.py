"""What a scheduled run came to, as one line; and what pyinfra's output says of it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Outcome = Literal["ok", "changed", "failed", "timeout", "busy", "error"]

_LONGEST_REASON = 300

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# pyinfra's last table: hosts, successes (of operations that changed something), errors, no changes.
_TOTAL = re.compile(r"^\s*Grand total\s+(?:\d+|-)\s+(\d+|-)\s+(?:\d+|-)\s+(?:\d+|-)\s*$", re.MULTILINE)
_SUMMARY = "--> Recovery summary:"
_OF_HOST = re.compile(r"^(\[[^\]]+\])\s+(\S.*)$")
# What the summary says of a host in which nothing failed.
_GOOD = re.compile(r"healthy, |\S+ restored in |\d+ found running and adopted|upkeep: |warning: |asleep, |nothing is ")
# pyinfra's headlines, and its last word when nobody is left: neither is a reason.
_HEADLINE = re.compile(r"^--> .*(?:\.\.\.|No hosts remaining!)$")


@dataclass(frozen=True, slots=True)
class Report:
    """What one run came to.

    + started: when, as ``timestamp`` writes it
    + outcome: ``ok`` (nothing had to be done), ``changed``, ``failed`` (pyinfra says so), ``timeout``, ``busy``
      (another run is under way), ``error`` (it could not be run to its end)
    + changes: how many operations changed something; None when that could not be told
    + seconds: on the clock that goes on while the machine sleeps; None when that could not be told
    + reason: why it is neither ``ok`` nor ``changed``, and what else is to be known
    """

    started: str
    outcome: Outcome
    changes: int | None
    seconds: float | None
    reason: str = ""

    def line(self) -> str:
        """The report as one line, without its newline."""
        changes = "?" if self.changes is None else str(self.changes)
        seconds = "?" if self.seconds is None else f"{self.seconds:.1f}"
        told = f"{self.started} {self.outcome} changes={changes} seconds={seconds}"
        reason = " ".join("".join(each if each.isprintable() else " " for each in self.reason).split())
        if len(reason) > _LONGEST_REASON:
            reason = f"{reason[: _LONGEST_REASON - 3]}..."
        return f"{told} {reason}" if reason else told


def timestamp(moment: datetime) -> str:
    """A moment as the lines begin with it: ISO 8601, UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def count_changes(output: str) -> int | None:
    """How many operations changed something, by pyinfra's own table; None when there is no such table."""
    found = _TOTAL.findall(_COLOUR.sub("", output))
    if not found:
        return None
    return 0 if found[-1] == "-" else int(found[-1])


def reason_of_failure(output: str) -> str:
    """What the output says of the hosts that failed, else the last that it says."""
    lines = [line.strip() for line in _COLOUR.sub("", output).splitlines() if line.strip()]
    if _SUMMARY in lines:
        hosts = [reason for line in lines[lines.index(_SUMMARY) + 1 :] if (reason := _failed(line))]
        if hosts:
            return "; ".join(hosts)
    said = [line for line in lines if not _HEADLINE.match(line)]
    return said[-1] if said else lines[-1] if lines else "no output"


def _failed(line: str) -> str | None:
    """A host and what failed there, of a line of the summary; None when nothing did."""
    found = _OF_HOST.match(line)
    bad = [part for part in found[2].split("; ") if not _GOOD.match(part)] if found else []
    return f"{found[1]} {'; '.join(bad)}" if found and bad else None


def report_of(started: str, code: int, seconds: float, output: str) -> Report:
    """The report of a run that pyinfra ended itself, with its exit code."""
    changes = count_changes(output)
    if code != 0:
        return Report(started, "failed", changes, seconds, f"exit code {code}: {reason_of_failure(output)}")
    return Report(started, "changed" if changes else "ok", changes, seconds)
