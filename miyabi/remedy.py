"""What an instance that is not reached, or is impaired, needs: one table, first match wins. Pure."""

from __future__ import annotations

from shlex import quote

from miyabi.instance import Instance
from miyabi.instance_rules import Remedy
from miyabi.remedy_guards import Guard, forbidden, standing_guards
from miyabi.remedy_past import is_used_up
from miyabi.remedy_rows import ROWS, Row
from miyabi.remedy_types import PATIENCE, Advice, Case, Tried, Verb
from miyabi.remedy_warnings import warnings_about
from miyabi.remedy_words import DOES, NAMES, by_hand, moment

__all__ = [
    "BY_HAND",
    "PATIENCE",
    "ROWS",
    "Advice",
    "Case",
    "Tried",
    "Verb",
    "advise",
    "chosen",
    "next_step",
    "plan_line",
    "warning_lines",
]

# The row of what a human has asked for.
BY_HAND = "by-hand"

_CONSOLE = "if it must be, do it in the EC2 console"

# Where a remedy that a human asks for is not looked at any further.
_DECIDED_BEFORE = frozenset({"not-asked", "gone", "under-way"})


def advise(case: Case) -> Advice:
    """What to do about a host's instance: the answer of the first row that is meant."""
    row = next(row for row in ROWS if row.when(case))
    return _treated(row, case) if row.order(case) else _answer(row, case)


def chosen(case: Case, remedy: Remedy) -> Advice:
    """What to do about a host's instance when a human asks for ``remedy``.

    What the spec allows, what was tried and whether the table calls for it do not matter then. The guards do, and so
    does a remedy that is under way.
    """
    for row in ROWS:
        if row.name in _DECIDED_BEFORE and row.when(case):
            return _answer(row, case)
    guards = standing_guards(case, remedy)
    return Advice(
        verb="tell" if guards else "apply",
        row=BY_HAND,
        reason="a human asks for it",
        remedy=remedy,
        against=tuple(words for _, words in guards),
        next_step=(_step_past(guards, remedy) or _CONSOLE) if guards else "",
        warnings=warnings_about(case, remedy),
        where=_where(case.instance),
    )


def plan_line(advice: Advice, host: str) -> str:
    """The line that says what would be done.

    Returns such as ``cloud-1 (i-0abc, ap-northeast-1a): the instance check fails since 22:41 UTC; would reboot it, but
    the spec does not allow it (l4.reboot)``.
    """
    subject = f"{host} ({advice.where})" if advice.where else host
    return f"{subject}: {advice.reason}{_outlook(advice)}"


def next_step(advice: Advice, host: str) -> str:
    """What a human can do, as text that can be pasted where it is a command; "" is nothing.

    + host: its name in the inventory
    """
    return advice.next_step.replace("{host}", quote(host))


def warning_lines(advice: Advice, host: str) -> tuple[str, ...]:
    """What is to be told beside the advice.

    + host: its name in the inventory
    """
    return tuple(warning.replace("{host}", quote(host)) for warning in advice.warnings)


def _outlook(advice: Advice) -> str:
    if advice.verb == "reconnect":
        return "; would connect to it there"
    if advice.verb == "wait":
        return "" if advice.until is None else f"; would wait until {moment(advice.until, advice.until)}"
    if advice.verb == "nothing" or (advice.remedy is None and advice.verb == "apply"):
        return ""
    if advice.remedy is None:
        return "; a human has to look"
    against = f", but {' and '.join(advice.against)}" if advice.against else ""
    return f"; would {DOES[advice.remedy]}{against}"


def _answer(row: Row, case: Case) -> Advice:
    """The advice of a row without remedies."""
    return Advice(
        verb=row.verb,
        row=row.name,
        reason=row.says(case),
        next_step=_filled(row.step, case) if row.verb == "tell" else "",
        until=row.until(case) if row.until else None,
        warnings=warnings_about(case),
        where=_where(case.instance),
    )


def _treated(row: Row, case: Case) -> Advice:
    """The advice of a row with remedies: the first that may be applied, or why the first that is left may not be."""
    order = row.order(case)
    left = [remedy for remedy in order if row.name == "half-stopped" or not is_used_up(case, remedy)]
    used_up = [NAMES[remedy] for remedy in order if remedy not in left]
    reason = row.says(case) + (f"; {' and '.join(used_up)} did not help" if used_up else "")
    where = _where(case.instance)
    for remedy in left:
        if not _against(row, case, remedy):
            return Advice("apply", row.name, reason, remedy, warnings=warnings_about(case, remedy), where=where)
    step = _filled(row.step, case)
    warnings = warnings_about(case)
    if not left:
        return Advice("tell", row.name, reason, next_step=step, warnings=warnings, where=where)
    remedy = left[0]
    guards = () if row.name == "half-stopped" else standing_guards(case, remedy)
    return Advice(
        verb="tell",
        row=row.name,
        reason=reason,
        remedy=remedy,
        against=_against(row, case, remedy),
        next_step=_step_past(guards, remedy) or step,
        warnings=warnings,
        where=where,
    )


def _against(row: Row, case: Case, remedy: Remedy) -> tuple[str, ...]:
    """What speaks against applying a remedy of a row."""
    if row.name == "half-stopped":
        # It was stopped to be started: who allowed the one has allowed the other.
        refused = forbidden(case, "stop-start") and forbidden(case, remedy)
        return (refused,) if refused else ()
    words = (row.only_told, forbidden(case, remedy), *(words for _, words in standing_guards(case, remedy)))
    return tuple(filter(None, words))


def _step_past(guards: tuple[tuple[Guard, str], ...], remedy: Remedy) -> str:
    """How a human applies a remedy all the same; "" is that it cannot be applied."""
    accepted = [guard.accept for guard, _ in guards]
    if None in accepted:
        return ""
    if not accepted:
        return by_hand(remedy)
    accept = ", ".join(filter(None, accepted))
    return f"if that may be lost, add {accept} to l4: accept in its spec, then: {by_hand(remedy)}"


def _filled(step: str, case: Case) -> str:
    instance = case.instance
    if instance is None:
        return step
    return step.replace("{instance}", quote(instance.instance_id)).replace("{region}", quote(instance.region))


def _where(instance: Instance | None) -> str:
    return "" if instance is None else f"{instance.instance_id}, {instance.zone or instance.region}"
