"""An EC2 instance running, rebooted, reachable; what the host's spec does not allow is refused, as L4 does."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from pyinfra import host
from pyinfra.api import FunctionCommand

from facts.boot import boot_section
from facts.host_spec import host_spec
from facts.observation import Unknown, ask, forget_everything
from miyabi.errors import MiyabiError
from miyabi.instance_rules import Remedy
from miyabi.levels import Level
from miyabi.spec import Spec
from operations.availability import down, is_instance
from operations.climbing import climb_of
from operations.coming_back import Awaited, follow, wait_until_back
from operations.gate import may_tell, operation
from operations.instances import case_of, rescue_of
from operations.memory import memory_of, now
from operations.refusal import refusal
from operations.remedies import apply, may_apply

if TYPE_CHECKING:
    from pyinfra.api import Host, State
    from pyinfra.api.command import PyinfraCommand

    from miyabi.remedy import Advice, Case

# What is to be done once a case is known: its commands.
_Act = Callable[[Spec, "Case"], Generator["PyinfraCommand"]]


@operation()
def running() -> Generator[PyinfraCommand]:
    """Have the instance that the current host is run, and wait until ssh answers there.

    One that is stopped is started, where its spec allows it (``l4: {start: true}``). A host that is reached costs no
    question to EC2.

    **Example:**

    .. code:: python

        from operations import ec2

        ec2.running(name="Running")
    """
    if down(host) is None and is_instance(host):
        host.noop("it is reached")
        return
    yield from _with_case(_running)


def _running(wanted: Spec, case: Case) -> Generator[PyinfraCommand]:
    if case.instance is not None and case.instance.power == "stopped":
        yield from _applied(wanted, case, "start")
    else:
        yield from _waited(wanted)


@operation(is_idempotent=False, idempotent_notice="It reboots each time, unless `since` is given.")
def rebooted(since: float | None = None) -> Generator[PyinfraCommand]:
    """Reboot the instance that the current host is, where its spec allows it (``l4: {reboot: true}``).

    + since: a boot after that moment is enough, in seconds since the epoch; None reboots in any case

    That it was booted is proved by another boot id.

    **Example:**

    .. code:: python

        from operations import ec2

        ec2.rebooted(name="Reboot for the new kernel", since=1795261161)
    """
    if since is not None and down(host) is None and is_instance(host):
        boot = ask(host, boot_section())
        if isinstance(boot, Unknown) or boot.uptime is None:
            why = boot.reason if isinstance(boot, Unknown) else "the host does not tell"
            yield refusal(f"since when it is up is unknown: {why}")
            return
        if now() - boot.uptime >= since:
            host.noop(f"it was booted {boot.uptime:.0f} s ago")
            return
    yield from _with_case(lambda wanted, case: _applied(wanted, case, "reboot"))


@operation()
def reachable() -> Generator[PyinfraCommand]:
    """Reach the instance that the current host is, wherever EC2 says that it is now; nothing is done to it.

    An instance that boots is waited for within the budget of L4.

    **Example:**

    .. code:: python

        from operations import ec2

        ec2.reachable(name="Reachable")
    """
    if down(host) is None and is_instance(host):
        host.noop("it is reached")
        return
    yield from _with_case(lambda wanted, _: _waited(wanted))


def _with_case(act: _Act) -> Generator[PyinfraCommand]:
    """What ``act`` yields for the host's spec and what EC2 says of its instance, and whether that is reached then."""
    if not is_instance(host):
        yield refusal(f"{host.name} is no instance: its data names no instance_id and region (inventory/ec2.yaml)")
        return
    try:
        wanted = host_spec(host)
        case = case_of(host, wanted, climb_of(host))
    except MiyabiError as error:
        yield refusal(str(error))
        return
    if case.unknown is not None:
        yield refusal(f"EC2 could not be asked: {case.unknown}")
        return
    if case.instance is None:
        yield refusal("EC2 knows no such instance")
        return
    yield from act(wanted, case)
    if host.state.is_executing and rescue_of(host).failure:
        yield refusal(f"it is not back: {rescue_of(host).failure}")


def _applied(wanted: Spec, case: Case, remedy: Remedy) -> Generator[PyinfraCommand]:
    from miyabi.remedy import chosen, next_step, plan_line  # noqa: PLC0415 - dear, and only who acts needs it
    from miyabi.remedy_guards import forbidden  # noqa: PLC0415

    if refused := forbidden(case, remedy):
        yield refusal(refused)
        return
    rescue_of(host).is_asked_for = True
    until = now() + wanted.recovery.budget(Level.L4)
    while True:
        advice: Advice = chosen(case, remedy)
        rescue_of(host).advice = advice
        if advice.verb != "apply":
            yield refusal("; ".join(filter(None, (plan_line(advice, host.name), next_step(advice, host.name)))))
            return
        may = yield from may_apply(host, advice, remedy, until)
        if may is not None:
            break
        # Its turn was waited for: it may be another case by now.
        case = case_of(host, wanted, climb_of(host))
    if may:
        yield FunctionCommand(apply, (remedy, until), {})
        # What is done to the next one may be done now.
        memory_of(host.state).disturbed.discard(host.name)
        forget_everything(host)


def _waited(wanted: Spec) -> Generator[PyinfraCommand]:
    may_tell(host)
    yield FunctionCommand(_reach, (now() + wanted.recovery.budget(Level.L4),), {})


def _reach(state: State, host: Host, until: float) -> bool:
    del state
    rescue = rescue_of(host)
    try:
        if rescue.instance is not None:
            follow(host, rescue.instance)
        rescue.failure = wait_until_back(host, Awaited(now(), until))
    except MiyabiError as error:
        rescue.failure = str(error)
    return True
