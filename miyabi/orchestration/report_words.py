"""What was found of a workspace's sessions, in one line. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from miyabi.health import Found, upkeep_found, warning_found
from miyabi.masking import masked, shown
from miyabi.orchestration.analysis import SessionReport
from miyabi.orchestration.health_checks import HealthCheck
from miyabi.orchestration.rules import Orchestration

# How many sessions are told.
_TOLD = 3


def in_words(reports: Sequence[SessionReport]) -> str:
    """Such as ``session-a.json: task T1 waits for itself (and 2 more)``."""
    more = f"; and {len(reports) - _TOLD} more sessions" if len(reports) > _TOLD else ""
    return "; ".join(_one_in_words(each) for each in reports[:_TOLD]) + more


def _one_in_words(report: SessionReport) -> str:
    if not report.issues:
        return f"{report.name} is {report.status}"
    more = f" (and {len(report.issues) - 1} more)" if len(report.issues) > 1 else ""
    return f"{report.name}: {shown(masked(report.issues[0].message))}{more}"


def sick(reports: Sequence[SessionReport]) -> list[SessionReport]:
    """The sessions that a repair changes."""
    return [each for each in reports if each.repair != "none"]


def only_told(reports: Sequence[SessionReport], rules: Orchestration) -> list[SessionReport]:
    """The sessions of which something is told and nothing is done; that one is stale is no news."""
    left = reports if rules.heal == "report" else [each for each in reports if each.repair == "none"]
    return [each for each in left if each.issues and each.status != "stale"]


def judge_orchestration(
    rules: Orchestration, reports: Sequence[SessionReport], checks: Sequence[HealthCheck]
) -> Found | None:
    """What a look at a workspace means: sessions to be repaired, checks that warn or fail, or nothing."""
    subject = f"orchestration {rules.workspace}"
    damaged = sick(reports)
    if damaged and rules.heal == "repair":
        return upkeep_found(subject, in_words(damaged))
    wrong = [check for check in checks if check.status in {"warn", "fail"}]
    if not wrong:
        return None
    words = "; ".join(f"{check.name}: {check.details}" for check in wrong)
    return warning_found(subject, f"{len(wrong)} of {len(checks)} checks: {shown(masked(words))}")
