"""The gate in a run: nothing that an operation yields reaches a host before the gate was asked.

Every operation of this package is made by ``operation`` from here. It counts as having passed when ``ask_gate`` allowed
it something; commands that it yields without are replaced by a refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec

from pyinfra import host, logger
from pyinfra.api import FunctionCommand, operation as pyinfra_operation

from facts.host_spec import host_spec
from miyabi.climb import held_in_words, is_wish
from miyabi.errors import MiyabiError
from miyabi.gate_rules import Rules
from miyabi.upkeep import Verdict
from operations.memory import memory_of, now
from operations.refusal import refusal, refuse
from operations.upkeep import note

if TYPE_CHECKING:
    from pyinfra.api import Host
    from pyinfra.api.command import PyinfraCommand
    from pyinfra.api.operation import PyinfraOperation

    from miyabi.gate_types import Does, TargetHistory, Try

P = ParamSpec("P")

PASSED = "miyabi_passed"


def operation(
    *, is_idempotent: bool = True, idempotent_notice: str | None = None, nests: bool = False
) -> Callable[[Callable[P, Generator[PyinfraCommand]]], PyinfraOperation[P]]:
    """The same as pyinfra's ``operation``, for one that acts only through the gate.

    + nests: whether it runs whole operations itself, which pyinfra refuses otherwise
    """

    def decorate(function: Callable[P, Generator[PyinfraCommand]]) -> PyinfraOperation[P]:
        @wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> Generator[PyinfraCommand]:
            return _guarded(function(*args, **kwargs), function.__name__)

        decorated = pyinfra_operation(
            is_idempotent=is_idempotent, idempotent_notice=idempotent_notice, _set_in_op=not nests
        )
        return decorated(guarded)

    return decorate


def _guarded(commands: Generator[PyinfraCommand], name: str) -> Generator[PyinfraCommand]:
    """The commands, as long as the gate was asked before each; an operation inside of another asks for itself."""
    passed = False
    while True:
        outer = host.connector_data.get(PASSED, False)
        host.connector_data[PASSED] = passed
        try:
            command = next(commands, None)
            passed = host.connector_data[PASSED]
        except MiyabiError as error:
            # pyinfra ends the run of all hosts for an error: a file that has become wrong meanwhile fails this one.
            command, passed = refusal(str(error)), False
        finally:
            host.connector_data[PASSED] = outer
        if command is None:
            return
        if not passed and not (isinstance(command, FunctionCommand) and command.function is refuse):
            commands.close()
            yield refusal(f"{name} would act without having asked the gate: nothing is done; please report this")
            return
        yield command


def permission(
    target: Host, subject: str, does: Does, damage: str, *, cause: str = "unknown", verdict: Verdict = "failed"
) -> Generator[PyinfraCommand, None, bool]:
    """Whether something of upkeep may be done now; when not, the operation ends with the reason.

    + subject: what is wrong
    + does: what would be done, as in ``miyabi.gate.Request``
    + damage: what is wrong with it, in words
    + cause: of that, as ``miyabi.cause`` names it
    + verdict: what it means for the host when it must wait

    **Example:**

    .. code:: python

        if not (yield from permission(host, "sshd", "restore", "nobody answers on port 22")):
            return
    """
    # A run that finds nothing to do does not pay for it.
    from miyabi.gate_types import Request  # noqa: PLC0415
    from operations.gate_question import ask_gate  # noqa: PLC0415

    request = Request(
        host=target.name,
        target=subject,
        does=does,
        cause=cause,
        disturbs=does == "interrupt",
        # L3 gives what upkeep could not bring up a second turn.
        climbing=(target.name, subject) in memory_of(target.state).tries,
    )
    [decision] = ask_gate(target, [request])
    if decision.allowed:
        return True
    words = f"{damage}; {held_in_words(decision, now())}"
    if is_wish(decision):
        note(target, subject, "warning", words)
        target.log_styled(f"{subject}: {words}", fg="yellow", log_func=logger.warning)
        target.noop(f"{subject}: {held_in_words(decision, now())}")
    else:
        note(target, subject, verdict, words)
        yield refusal(f"{subject}: {words}")
    return False


def may_adopt(target: Host, subject: str) -> bool:
    """Whether something that is well may be recorded as managed."""
    from miyabi.gate_types import Request  # noqa: PLC0415 - see permission
    from operations.gate_question import ask_gate  # noqa: PLC0415

    return all(each.allowed for each in ask_gate(target, [Request(host=target.name, target=subject, does="adopt")]))


def may_tell(target: Host) -> None:
    """Let the operation say something to a human, which changes nothing."""
    from miyabi.gate_types import Request  # noqa: PLC0415 - see permission
    from operations.gate_question import ask_gate  # noqa: PLC0415

    ask_gate(target, [Request(host=target.name, target="", does="tell")])


def tries_in_incident(target: Host, known: TargetHistory) -> tuple[Try, ...]:
    """The tries of the incident that something on ``target`` is in, oldest first."""
    from miyabi.gate import incident_tries  # noqa: PLC0415 - see ask_gate

    return incident_tries(known, rules_of(target), now())


def rules_of(target: Host) -> Rules:
    """What a host's spec says of the gate; the defaults where it has none."""
    try:
        return host_spec(target).gate
    except (MiyabiError, AttributeError):
        # Operations are for hosts without a spec, too.
        return Rules()
