"""L4 in a run: an instance that is not reached is asked for, brought back, and climbs the other levels at once."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from typing import TYPE_CHECKING

from pyinfra import host, logger
from pyinfra.api import FunctionCommand

from facts.host_spec import host_spec
from facts.observation import forget_everything
from miyabi.climb import Climb
from miyabi.ec2_hosts import why_unreached
from miyabi.errors import MiyabiError
from miyabi.gate import Request
from miyabi.gate_pauses import pause_of
from miyabi.instance_rules import REMEDIES, Remedy
from miyabi.levels import Level
from miyabi.records import DriftSeen
from miyabi.spec import Spec
from miyabi.subjects import INSTANCE
from operations.availability import down, is_instance, is_silent, is_there_and_refuses
from operations.climbing import begin_anew, climb_of
from operations.coming_back import ANOTHER_KEY, Awaited, follow, wait_until_back
from operations.gate import may_tell, operation
from operations.instances import (
    case_of,
    cause_of_advice,
    instance_id_of,
    judged,
    known_instance,
    left_by_levels,
    rescue_of,
    tried_on,
)
from operations.memory import memory_of, now, pauses
from operations.refusal import refusal
from operations.remedies import apply, may_apply, warn

if TYPE_CHECKING:
    from pyinfra.api import Host, State
    from pyinfra.api.command import PyinfraCommand

    from miyabi.remedy import Advice, Case

# Seconds that are left at least for one more remedy to be begun, and for connecting to an instance that is there.
_WORTH_IT = 10.0
_CONNECTING = 30.0
# Seconds for which an instance whose checks are fine is tried to be reached, before it is taken for dead.
_IN_DOUBT = 30.0

_REFUSES = "it is there, and cannot be used"
_IN_VAIN = "all checks of the instance are fine, and whether its ssh is dead cannot be told from here"


@operation(nests=True)
def recovered(rejoin: Callable[[], None] | None = None, remedy: Remedy | None = None) -> Generator[PyinfraCommand]:
    """Bring the instance that the current host is back, by the remedy that its status calls for and its spec allows.

    + rejoin: called for the host when it is back: what it calls of operations is carried out at once
    + remedy: what a human wants to be done whatever the status calls for: one of ``run-command``, ``start``,
      ``reboot``, ``stop-start``, ``replace``; the guards hold all the same

    A host that is reached, and has nothing left that L3 could not restore, is left alone. What is not allowed is told,
    with the command by which a human does it, and fails the host.

    **Example:**

    .. code:: python

        from operations import infrastructure, recovery

        infrastructure.recovered(name="L4 infrastructure", rejoin=lambda: recovery.assess(name="Assess"))
    """
    try:
        wanted = host_spec(host)
    except MiyabiError as error:
        yield refusal(str(error))
        return
    if remedy is not None and (why := _why_not_meant(remedy)):
        yield refusal(why)
        return
    climb = climb_of(host)
    if remedy is None and down(host) is None and not left_by_levels(host, climb):
        _warn_of_what_is_known(wanted, climb)
        host.noop("its instance answers")
        return
    yield from _recovered(wanted, climb, rejoin, remedy)


def _why_not_meant(remedy: Remedy) -> str:
    """Why a remedy that a human asks for is not what he can mean here; "" is that it may be."""
    if remedy not in REMEDIES:
        return f"remedy is {remedy!r}; allowed: {', '.join(REMEDIES)}"
    if not is_instance(host):
        return f"{host.name} is no instance: its data names no instance_id and region (inventory/ec2.yaml)"
    others = [each for each in host.state.inventory if is_instance(each) and host.state.is_host_in_limit(each)]
    if len(others) > 1:
        return f"{remedy} is asked for {len(others)} instances at once: name the one that is meant by --limit"
    return ""


def _warn_of_what_is_known(wanted: Spec, climb: Climb) -> None:
    """Tell of what EC2 said last of an instance that is well, such as that it will be retired; ask nothing."""
    known = known_instance(host)
    if known is None or not (known.events or known.is_impaired):
        return
    from miyabi.remedy import advise, warning_lines  # noqa: PLC0415 - hardly ever

    warn(host, warning_lines(advise(judged(host, wanted, climb, known, None)), host.name))


def _recovered(
    wanted: Spec, climb: Climb, rejoin: Callable[[], None] | None, remedy: Remedy | None
) -> Generator[PyinfraCommand]:
    rescue, began = rescue_of(host), now()
    rescue.is_asked_for = remedy is not None
    until = began + wanted.recovery.budget(Level.L4)
    doubt = _IN_DOUBT
    is_sure = down(host) is None or not host.state.is_executing or _is_left_alone()
    if not is_sure:
        # Another controller may be about to bring it back: it is looked at when that has come to an end.
        memory_of(host.state).lease(host.name)
    while True:
        case, advice = _advised(wanted, climb, remedy)
        # What was asked for and not done is no success, however well the instance is.
        if advice.verb == "nothing" and not rescue.failure:
            host.noop("its instance answers")
            return
        if (why := _why_it_ends(case, advice, until)) is not None:
            yield from _given_up(why, advice)
            return
        if advice.verb == "apply" and advice.remedy is not None and is_sure:
            may = yield from may_apply(host, advice, advice.remedy, until)
            if may is False:
                return
            is_sure = bool(may)
            if not may:
                # Its turn was waited for, and it may be back.
                continue
            yield FunctionCommand(apply, (advice.remedy, until), {})
        else:
            # Waiting and connecting change nothing.
            may_tell(host)
            yield _look_again(advice, until, doubt)
            is_sure, doubt = (True, 0.0) if advice.verb == "apply" else (is_sure, doubt)
        if not rescue.failure:
            break
    memory_of(host.state).disturbed.discard(host.name)
    by = " and ".join(each.remedy for each in rescue.tried)
    done = f"restored{f' by {by}' if by else ''} in {now() - began:.1f} s"
    rescue.outcome = f"{Level.L4.title} {done}: {instance_id_of(host)} ({advice.reason})"
    if rejoin is not None:
        yield FunctionCommand(_rejoin, (rejoin,), {})


def _is_left_alone() -> bool:
    """Whether somebody wants it left alone: then nobody waits for it either."""
    with suppress(MiyabiError):
        wish = Request(host=host.name, target=INSTANCE, does="tell")
        return pause_of(wish, pauses(memory_of(host.state), host), now()) is not None
    return False


def _look_again(advice: Advice, until: float, doubt: float) -> FunctionCommand:
    """What waits for an instance, or tries once more to connect to one to which something is to be done.

    + doubt: seconds for which one is tried with which EC2 finds nothing wrong: a network that is lost for a moment is
      no reason to reboot anything
    """
    if advice.verb != "apply":
        return FunctionCommand(_wait, (advice, until), {})
    seconds = doubt if advice.row == "ssh-dead" else 0.0
    return FunctionCommand(_try_again, (min(seconds, until - _WORTH_IT - now()),), {})


def _advised(wanted: Spec, climb: Climb, remedy: Remedy | None) -> tuple[Case, Advice]:
    """What the remedy table says to the instance as it is now."""
    from miyabi.remedy import advise, chosen, plan_line, warning_lines  # noqa: PLC0415 - only L4 needs it

    rescue = rescue_of(host)
    case = case_of(host, wanted, climb)
    advice = chosen(case, remedy) if remedy and not rescue.tried else advise(case)
    is_first = rescue.advice is None
    if is_first or (rescue.advice and rescue.advice.row != advice.row):
        host.log(plan_line(advice, host.name))
    if is_first:
        warn(host, warning_lines(advice, host.name))
        _note(advice)
    rescue.advice = advice
    return case, advice


def _note(advice: Advice) -> None:
    """Remember what is wrong with the instance, for storms, statistics and whoever asks later."""
    if not host.state.is_executing or advice.verb == "nothing":
        return
    memory = memory_of(host.state)
    cause = cause_of_advice(advice)
    memory.damage[host.name] = ((INSTANCE, cause),)
    memory.keep(
        DriftSeen(
            **memory.common(),
            host=host.name,
            target=INSTANCE,
            kind="instance",
            level=Level.L4.name,
            reason=advice.reason,
            cause=cause,
        )
    )


def _why_it_ends(case: Case, advice: Advice, until: float) -> str | None:
    """Why nothing more is done, in words; None when there is something to do or to wait for."""
    from miyabi.remedy import plan_line  # noqa: PLC0415 - only L4 needs it

    refused, rescue = down(host), rescue_of(host)
    if refused and is_there_and_refuses(refused) and advice.verb not in {"reconnect", "wait"} and not _is_off(case):
        # Somebody is there who does not let us in, or is a stranger: that is no reason to reboot anything.
        return f"{_REFUSES}: {why_unreached(host.name, host.data.dict(), refused) or refused}"
    if refused and advice.row == "ssh-dead" and not is_silent(refused) and not rescue.is_asked_for:
        # EC2 finds nothing wrong, and it may be we who do not get there: without a key, or a program for the way.
        return f"{_IN_VAIN}: {refused}"
    if rescue.failure.startswith(ANOTHER_KEY):
        # Waited for or not, it stays a stranger.
        return f"{_REFUSES}: {why_unreached(host.name, host.data.dict(), rescue.failure) or rescue.failure}"
    # Where L4 may do nothing anyway, nobody waits for it.
    is_idle = advice.verb == "wait" and case.max_level < Level.L4 and not rescue.tried
    if advice.verb in {"tell", "nothing"} or advice.row == "not-asked" or is_idle:
        last = f"; {rescue.tried[-1].remedy}: {rescue.failure}" if rescue.tried and rescue.failure else ""
        return f"{plan_line(advice, host.name)}{last}"
    # However little time there is: one remedy has its turn.
    if until - now() < (_WORTH_IT if rescue.tried else 0.0) and rescue.failure:
        return f"{plan_line(advice, host.name)}; it is not back yet ({rescue.failure}); the next run goes on"
    return None


def _is_off(case: Case) -> bool:
    return case.instance is not None and case.instance.power != "running"


def _given_up(why: str, advice: Advice) -> Generator[PyinfraCommand]:
    """The end of L4 for this host: what was found, what was tried, and what a human can do."""
    from miyabi.remedy import next_step  # noqa: PLC0415 - only L4 needs it

    step = "" if why.startswith(_REFUSES) else next_step(advice, host.name)
    told = f"{why}; {step}" if step else why
    if host.state.is_executing:
        rescue_of(host).outcome, rescue_of(host).next_step = why, step
    if down(host) is None and not rescue_of(host).is_asked_for:
        # What the levels below have left of a host that is reached, Confirm tells.
        host.log_styled(told, fg="yellow", log_func=logger.warning)
        host.noop(told)
        return
    yield refusal(told)


def _wait(state: State, host: Host, advice: Advice, until: float) -> bool:
    """Wait for what is under way, or connect where the instance is now."""
    del state
    rescue, began = rescue_of(host), now()
    try:
        if advice.verb == "reconnect" and rescue.instance is not None:
            follow(host, rescue.instance)
    except MiyabiError as error:
        host.log_styled(str(error), fg="red", log_func=logger.error)
    under_way = next((each for each in reversed(tried_on(host)) if each.helped is None), None)
    given = began + _CONNECTING if advice.verb == "reconnect" else advice.until or until
    awaited = Awaited(
        since=under_way.at if under_way else began,
        until=min(until, given),
        new_boot=under_way is not None and under_way.remedy in {"reboot", "stop-start"},
        starts=under_way is not None and under_way.remedy == "stop-start",
        proves=rescue.is_asked_for,
    )
    rescue.failure = wait_until_back(host, awaited)
    return True


def _try_again(state: State, host: Host, seconds: float) -> bool:
    """Try to connect once more, and for so many seconds."""
    del state
    began = now()
    rescue_of(host).failure = wait_until_back(host, Awaited(began, began + seconds))
    return True


def _rejoin(state: State, host: Host, rejoin: Callable[[], None]) -> bool:
    """Let a host that is back take part in the run: all that was known of it is old."""
    # What is only looked at would be carried out: pyinfra prepares and executes operations in one here.
    state.check_for_changes = False
    begin_anew(host)
    forget_everything(host)
    rejoin()
    return True
