"""One remedy for one instance: asked of the gate, applied, waited for, and written down."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from functools import partial
from time import monotonic, sleep
from typing import TYPE_CHECKING

from pyinfra import logger

from facts.boot import boot_section
from facts.host_spec import host_spec
from facts.observation import Unknown, ask, forget
from facts.probe import probe_script
from facts.sshd import sshd_section
from miyabi.climb import held_in_words, is_wish
from miyabi.errors import Ec2Error, MiyabiError
from miyabi.gate import Request
from miyabi.inside_script import WAY_IS_CLOSED, answers_inside, inside_script
from miyabi.instance_rules import Remedy
from miyabi.levels import Level
from miyabi.presence import note_boot
from miyabi.records import Recovered
from miyabi.sshd_start import start_script
from miyabi.subjects import INSTANCE
from operations.availability import down
from operations.coming_back import Awaited, wait_until_back
from operations.gate_question import ask_gate
from operations.instances import (
    SERVICE,
    cause_of_advice,
    instance_id_of,
    region_of,
    rescue_of,
    settings_of,
    told_to_ec2,
    tried_on,
)
from operations.memory import memory_of, now
from operations.refusal import refusal
from operations.upkeep import note

if TYPE_CHECKING:
    from pyinfra.api import Host, State
    from pyinfra.api.command import PyinfraCommand

    from miyabi.remedy import Advice

# What ends all that may still live on the machine.
_DISTURBING: frozenset[Remedy] = frozenset({"reboot", "stop-start"})
# After these only another boot proves that it was done.
_BOOTING: frozenset[Remedy] = frozenset({"start", "reboot", "stop-start", "replace"})

# Seconds between two looks at whether another instance is back, when only so many may be away at once.
_POLL = 1.0

# Seconds for what Systems Manager's agent does on the machine, and within which ssh gets through to an sshd that was
# seen to answer there.
_INSIDE = 45
_GETS_THROUGH = 10.0


def may_apply(host: Host, advice: Advice, remedy: Remedy, until: float) -> Generator[PyinfraCommand, None, bool | None]:
    """Whether a remedy may be applied now; when not, the operation ends with the reason.

    Where only so many hosts may be disturbed at once, the turn of this one is waited for; then None is returned, as the
    instance has to be looked at again: it may be back.

    + until: when waiting is given up, in seconds since the epoch
    """
    memory, rescue = memory_of(host.state), rescue_of(host)
    request = Request(
        host=host.name,
        target=INSTANCE,
        does=remedy,
        level=Level.L4,
        cause=cause_of_advice(advice),
        disturbs=remedy in _DISTURBING,
        service=SERVICE,
        climbing=bool(rescue.tried),
    )
    [decision] = ask_gate(host, [request])
    if decision.rule == "max-unavailable" and host.state.is_executing and now() < until:
        host.log(f"waiting for its turn: {decision.reason}")
        others = set(memory.disturbed)
        while others <= memory.disturbed and now() < until:
            sleep(_POLL)
        return None
    if decision.allowed:
        return True
    rescue.held = decision
    words = f"{advice.reason}; {held_in_words(decision, now())}"
    if host.state.is_executing:
        rescue.outcome = words
    if is_wish(decision):
        host.log_styled(f"{INSTANCE}: {words}", fg="yellow", log_func=logger.warning)
        host.noop(f"{INSTANCE}: {words}")
    else:
        yield refusal(f"{INSTANCE}: {words}")
    return False


def apply(state: State, host: Host, remedy: Remedy, until: float) -> bool:
    """Apply a remedy which the gate has let through, wait for what comes of it, and write that down.

    + until: when waiting is given up, in seconds since the epoch; a remedy that had less than its own time may be
      under way still, and the next run goes on with it

    Whether the host is back, ``rescue_of(host).failure`` tells.
    """
    from miyabi.remedy import PATIENCE, Tried  # noqa: PLC0415 - only L4 needs it

    if remedy in _BOOTING and down(host) is None:
        _note_this_boot(host)
    rescue, began = rescue_of(host), now()
    rescue.tried.append(Tried(remedy, began))
    try:
        host.log(told_to_ec2(host, partial(_APPLY[remedy], host)))
    except MiyabiError as error:
        rescue.failure = str(error)
        host.log_styled(rescue.failure, fg="red", log_func=logger.error)
        # What EC2 has refused was not begun; of what got no answer nobody knows.
        settled = isinstance(error, Ec2Error) and error.kind in {"denied", "limit", "refused", "request"}
        if not settled:
            return True
        # Nothing is done to it, so that the next one has its turn.
        memory_of(state).disturbed.discard(host.name)
    else:
        answers = remedy == "run-command" and rescue.answers_inside is True
        given = now() + _GETS_THROUGH if answers else began + PATIENCE[remedy]
        waits_from, left = monotonic(), given - now()
        boots, stops = remedy in _BOOTING, remedy == "stop-start"
        rescue.failure = wait_until_back(
            host, Awaited(began, min(until, given), boots, starts=stops, proves=rescue.is_asked_for)
        )
        settled = not rescue.failure or answers or monotonic() - waits_from >= left
        if rescue.failure and answers:
            rescue.failure = f"{WAY_IS_CLOSED}: {rescue.failure}"
    if settled:
        rescue.tried[-1] = replace(rescue.tried[-1], helped=not rescue.failure)
        _write_down(host, remedy, began)
    return True


def _note_this_boot(host: Host) -> None:
    """Note the boot of a host that answers: the one that was noted last may be long over."""
    forget(host, "boot")
    boot = ask(host, boot_section())
    if not isinstance(boot, Unknown):
        note_boot(host.name, boot.boot_id)


def _write_down(host: Host, remedy: Remedy, began: float) -> None:
    memory, rescue = memory_of(host.state), rescue_of(host)
    memory.keep(
        Recovered(
            **memory.common(),
            host=host.name,
            target=INSTANCE,
            level=Level.L4.name,
            does=remedy,
            outcome="failed" if rescue.failure else "restored",
            seconds=now() - began,
            first_try=len(tried_on(host)) <= 1,
            cause=cause_of_advice(rescue.advice) if rescue.advice else "unknown",
            reason=rescue.failure,
        )
    )


def _run_inside(host: Host) -> str:
    port = settings_of(host).port
    look = probe_script([sshd_section(port)])
    done = region_of(host).run_command(
        instance_id_of(host), inside_script(look, start_script(look, port)), seconds=_INSIDE
    )
    rescue_of(host).answers_inside = found = answers_inside(done.output)
    told = {True: "sshd answers there", False: "sshd does not answer there either", None: f"it came to {done.status}"}
    return f"Systems Manager's agent has looked after sshd from inside: {told[found]}"


def _start(host: Host) -> str:
    region_of(host).start(instance_id_of(host))
    return f"starting {instance_id_of(host)}"


def _reboot(host: Host) -> str:
    region_of(host).reboot(instance_id_of(host))
    return f"rebooting {instance_id_of(host)}"


def _stop(host: Host) -> str:
    region_of(host).stop(instance_id_of(host))
    return f"stopping {instance_id_of(host)}, to start it again"


def _replace(host: Host) -> str:
    old, rescue = instance_id_of(host), rescue_of(host)
    instance = rescue.instance
    # AWS keeps tags of this kind for itself.
    tags = {key: value for key, value in (instance.tags if instance else {}).items() if not key.startswith("aws:")}
    # However often it is asked for: one instance comes in the place of another one time.
    new = region_of(host).launch(host_spec(host).l4.launch_template, f"miyabi-{old}", tags)
    host.data.instance_id = new
    return f"launched {new} in the place of {old}"


_APPLY: dict[Remedy, Callable[[Host], str]] = {
    "run-command": _run_inside,
    "start": _start,
    "reboot": _reboot,
    "stop-start": _stop,
    "replace": _replace,
}


def warn(host: Host, lines: tuple[str, ...]) -> None:
    """Tell what is to be told of an instance that is in the fleet and well, such as that it will be retired."""
    for line in lines:
        host.log_styled(f"{INSTANCE}: {line}", fg="yellow", log_func=logger.warning)
    if lines:
        note(host, INSTANCE, "warning", "; ".join(lines))
