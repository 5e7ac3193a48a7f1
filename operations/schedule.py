"""A recovery run every few minutes, by the scheduler that the host has."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING

from pyinfra import host
from pyinfra.api import FunctionCommand, StringCommand

from facts.observation import Unknown, ask, ask_together, forget
from facts.platform import Identity, host_section
from facts.schedule import SUBJECT, environment_section, scheduler_sections
from miyabi.errors import MiyabiError
from miyabi.schedule import (
    DEFAULT_INTERVAL,
    SCHEDULERS,
    Job,
    SchedulerName,
    in_words,
    parse_interval,
    parse_scheduler,
    parse_switch,
    refuse_job,
)
from miyabi.schedule_script import install_script, remove_script
from miyabi.schedule_state import Scheduler, Systemd, Termux
from operations.gate import operation, permission
from operations.refusal import refusal

if TYPE_CHECKING:
    from pyinfra.api import Host, State
    from pyinfra.api.command import PyinfraCommand

# Seconds for one change: launchd may take its time to let go of an agent.
_PATIENCE = 60

Seen = Mapping[SchedulerName, Scheduler | Unknown]


@operation()
def recovery(
    repository: str,
    python: str,
    every: str | float = DEFAULT_INTERVAL,
    scheduler: str | None = None,
    remove: bool | str = False,  # noqa: FBT001, FBT002 - as it comes from --data
) -> Generator[PyinfraCommand]:
    """Ensure that the host runs ``miyabi run`` every few minutes, or no longer does.

    + repository: the absolute path of the clone to run it in
    + python: the absolute path of the interpreter with the packages, such as that of the clone's ``.venv``
    + every: a duration that divides an hour or a day; in Termux 15 minutes or more
    + scheduler: ``systemd``, ``launchd``, ``cron`` or ``termux``; None is the one that fits the host
    + remove: ``yes`` takes the run away, from ``scheduler`` or, when that is None, from all

    A run that another scheduler has is taken away there. Nothing is changed where a scheduler's state is unknown, and
    nothing of what others have put into it.

    **Example:**

    .. code:: python

        from operations import schedule

        schedule.recovery(
            name="Recover every 5 minutes",
            repository="/home/kaede/miyabi-recovery", python="/home/kaede/miyabi-recovery/.venv/bin/python",
        )
    """
    try:
        chosen, removing = parse_scheduler(scheduler), parse_switch("remove", remove)
        if chosen is not None and not removing:
            parse_interval(every, chosen)
    except ValueError as error:
        yield refusal(f"nothing is changed: {error}")
        return
    seen = _look(host)
    if removing:
        yield from _remove(seen, chosen)
        return
    try:
        name = chosen or _fitting(seen)
        job = Job(repository, python, _environment(), parse_interval(every, name))
        here = _require(name, seen[name], job)
    except (ValueError, MiyabiError) as error:
        yield refusal(f"nothing is changed: {error}")
        return
    yield from _install(here, name, job, {other: each for other, each in _ours(seen).items() if other != name})


def _look(target: Host) -> dict[SchedulerName, Scheduler | Unknown]:
    sections = scheduler_sections()
    ask_together(target, [host_section(), environment_section(), *sections.values()])
    return {name: ask(target, section) for name, section in sections.items()}


def _environment() -> tuple[tuple[str, str], ...]:
    told = ask(host, environment_section())
    if isinstance(told, Unknown):
        raise MiyabiError(f"the environment is unknown: {told.reason}")
    return told


def _fitting(seen: Seen) -> SchedulerName:
    """The scheduler that fits the host; raises ``MiyabiError`` when that cannot be told."""
    identity = ask(host, host_section())
    if not isinstance(identity, Identity):
        raise MiyabiError(f"it is unknown what kind of machine this is: {identity.reason}")
    if identity.platform != "linux":
        return "launchd" if identity.platform == "macos" else "termux"
    systemd = seen["systemd"]
    # A systemd that has our timer but does not answer is no reason for a second schedule.
    if isinstance(systemd, Unknown) or systemd.missing is None or systemd.is_there:
        return "systemd"
    cron = seen["cron"]
    if isinstance(cron, Unknown) or cron.missing is None:
        return "cron"
    raise MiyabiError(f"this host has no scheduler: {systemd.missing}; {cron.missing}")


def _require(name: SchedulerName, seen: Scheduler | Unknown, job: Job) -> Scheduler:
    """The scheduler; raises ``MiyabiError`` when it cannot be used, or cannot be told the job."""
    if isinstance(seen, Unknown):
        raise MiyabiError(f"what {name} has is unknown: {seen.reason}{_advice(name)}")
    if seen.missing is not None:
        raise MiyabiError(f"{name} cannot be used: {seen.missing}")
    if isinstance(seen, Termux) and seen.job not in {None, seen.path}:
        raise MiyabiError(f"the job's number is taken by another script: {seen.job}; cancel that job first")
    if (reason := refuse_job(job, name)) is not None:
        raise MiyabiError(reason)
    return seen


def _advice(name: SchedulerName) -> str:
    return " (is the app Termux:API installed? open it once)" if name == "termux" else ""


def _install(
    here: Scheduler, name: SchedulerName, job: Job, elsewhere: Mapping[SchedulerName, Scheduler]
) -> Generator[PyinfraCommand]:
    drift = here.drift(job)
    if drift is None and not elsewhere:
        _tell(host, name, here)
        host.noop(f"{SCHEDULERS[name]} runs every {in_words(job.minutes)}")
        return
    if not (yield from permission(host, SUBJECT, "tidy", f"there is {drift}" if drift else "another one has it, too")):
        return
    if drift is not None:
        host.log(f"{SCHEDULERS[name]} every {in_words(job.minutes)} (there was {drift})")
        active = isinstance(here, Systemd) and here.active
        yield StringCommand(install_script(name, job, active=active), _timeout=_PATIENCE)
    yield from _take_away(elsewhere)
    yield FunctionCommand(verify, (name, job, tuple(elsewhere)), {})


def _remove(seen: Seen, chosen: SchedulerName | None) -> Generator[PyinfraCommand]:
    found = {name: each for name, each in _ours(seen).items() if chosen in {None, name}}
    unknown = {name: each.reason for name, each in seen.items() if isinstance(each, Unknown) and chosen in {None, name}}
    if found and not (yield from permission(host, SUBJECT, "tidy", "it is to be removed")):
        return
    if found:
        yield from _take_away(found)
        yield FunctionCommand(verify, (None, None, tuple(found)), {})
    elif not unknown:
        host.noop("no recovery run is scheduled")
    if unknown:
        told = "; ".join(f"what {name} has is unknown: {reason}{_advice(name)}" for name, reason in unknown.items())
        yield refusal(f"nothing else is removed: {told}" if found else f"nothing is changed: {told}")


def _ours(seen: Seen) -> dict[SchedulerName, Scheduler]:
    return {name: each for name, each in seen.items() if not isinstance(each, Unknown) and each.is_there}


def _take_away(found: Mapping[SchedulerName, Scheduler]) -> Generator[PyinfraCommand]:
    for name, each in found.items():
        host.log(f"Removing {SCHEDULERS[name]}")
        yield StringCommand(remove_script(name, usable=each.missing is None), _timeout=_PATIENCE)


def _tell(target: Host, name: SchedulerName, seen: Scheduler) -> None:
    remark = seen.remark()
    if remark is not None and target.state.is_executing:
        target.log_styled(f"{name}: {remark}", fg="yellow")


def verify(
    state: State, host: Host, name: SchedulerName | None, job: Job | None, removed: tuple[SchedulerName, ...]
) -> bool:
    """Look again: whether ``name`` has ``job``, and ``removed`` have nothing of ours any more."""
    del state
    forget(host, SUBJECT)
    seen = _look(host)
    left = [f"{SCHEDULERS[each]} may still be there" for each in removed if isinstance(seen[each], Unknown)]
    left += [f"{SCHEDULERS[each]} is still there" for each in removed if each in _ours(seen)]
    if name is not None and job is not None:
        here = seen[name]
        drift = here.reason if isinstance(here, Unknown) else here.drift(job)
        if drift is not None:
            left.append(f"{SCHEDULERS[name]} did not come about: there is {drift}")
        elif not isinstance(here, Unknown):
            _tell(host, name, here)
    for each in left:
        host.log_styled(each, fg="red")
    return not left
