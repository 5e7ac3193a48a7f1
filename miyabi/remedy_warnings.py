"""What is told of an instance beside what is done: checks that fail though it answers, what is scheduled. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from miyabi.instance import Instance, ScheduledEvent
from miyabi.instance_rules import Remedy
from miyabi.remedy_guards import STOPPING_EVENTS, standing_guards
from miyabi.remedy_types import Case
from miyabi.remedy_words import EVENTS, by_hand, failing, moment, plain


def warnings_about(case: Case, remedy: Remedy | None = None) -> tuple[str, ...]:
    """What is to be told of a case's instance, with ``{host}`` where the host's name belongs.

    + remedy: what is about to be done
    """
    instance = case.instance
    if instance is None:
        return ()
    found = [*(_of_one_that_answers(case, instance) if case.answers else ())]
    found += [_event(event, case) for event in instance.events]
    if instance.autoscaling_group and remedy is not None:
        found.append(f"its Auto Scaling group {plain(instance.autoscaling_group)} may replace it meanwhile")
    return tuple(found)


def _of_one_that_answers(case: Case, instance: Instance) -> Iterator[str]:
    if instance.power != "running":
        yield f"EC2 says that it is {instance.power}"
    for name, check in (("system", instance.system), ("instance", instance.computer), ("EBS", instance.volumes)):
        if check.status == "impaired":
            yield f"{failing(name, check, case.now)}, though it answers"


def _event(event: ScheduledEvent, case: Case) -> str:
    what = EVENTS.get(event.code, plain(event.code))
    begins = "" if event.not_before is None else f" from {moment(event.not_before, case.now)}"
    ends = "" if event.not_after is None else f" to {moment(event.not_after, case.now)}"
    found = f"EC2 has scheduled {what}{begins}{ends}"
    return f"{found}; {_early(case)}" if event.code in STOPPING_EVENTS else found


def _early(case: Case) -> str:
    """The offer to be earlier than EC2; what was not asked for speaks against it when it is taken up."""
    against = [words for guard, words in standing_guards(_as_asked(case), "stop-start") if guard.name != "power"]
    if against:
        return f"a stop and start before that would move it to another machine, but {' and '.join(against)}"
    return f"a stop and start before that moves it to another machine: {by_hand('stop-start')}"


def _as_asked(case: Case) -> Case:
    """The case as if what nobody has told spoke against nothing."""
    if (instance := case.instance) is None:
        return case
    told = replace(
        instance,
        has_instance_store=bool(instance.has_instance_store),
        stop_protected=bool(instance.stop_protected),
    )
    return replace(case, instance=told)
