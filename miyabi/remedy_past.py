"""What was tried on an instance in the incident that it is in: what of it is under way, and what is used up. Pure."""

from __future__ import annotations

from miyabi.instance import Power
from miyabi.instance_rules import Remedy
from miyabi.remedy_types import Case, Tried

# In which states of an instance a remedy can still be at work; None is that EC2 knows it no more.
_AT_WORK: dict[Remedy, frozenset[Power | None]] = {
    "run-command": frozenset({"running"}),
    "start": frozenset({"stopped", "pending", "running"}),
    "reboot": frozenset({"running"}),
    "stop-start": frozenset({"running", "stopping", "stopped", "pending"}),
    "replace": frozenset({"running", "pending", "shutting-down", "terminated", None}),
}


def under_way(case: Case) -> Tried | None:
    """The remedy that may still help: of which nobody knows yet, and which had not its time."""
    power = None if case.instance is None else case.instance.power
    fresh = [
        each
        for each in case.tried
        if each.helped is None
        and power in _AT_WORK[each.remedy]
        # One that begins in the future was begun before the clock was set back.
        and abs(case.now - each.at) < case.patience[each.remedy]
    ]
    return max(fresh, key=lambda each: min(each.at, case.now) + case.patience[each.remedy], default=None)


def is_used_up(case: Case, remedy: Remedy) -> bool:
    """Whether it was tried in this incident, whatever came of it."""
    return any(each.remedy == remedy for each in case.tried)


def half_stopped(case: Case) -> bool:
    """Whether a stop and start of this incident has come no further than its stop: it was not started since."""
    instance = case.instance
    last = next((each for each in reversed(case.tried) if each.remedy in {"stop-start", "start"}), None)
    if instance is None or instance.power != "stopped" or instance.launched_at is None or last is None:
        return False
    return last.remedy == "stop-start" and last.helped is not True and instance.launched_at < last.at


def overdue_stop(case: Case) -> bool:
    """Whether a stop of this incident lasts longer than it may."""
    return any(
        each.remedy == "stop-start" and abs(case.now - each.at) >= case.patience["stop-start"] for each in case.tried
    )
