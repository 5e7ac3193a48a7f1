"""The gate in a run: nothing that an operation yields reaches a host before the gate was asked.

Every operation of this package is made by ``operation`` from here. It counts as having passed when ``ask_gate`` allowed
it something; commands that it yields without are replaced by a refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec

from pyinfra import host, logger
from pyinfra.api import FunctionCommand, operation as pyinfra_operation

from facts.host_spec import host_spec
from miyabi.climb import held_in_words, is_wish
from miyabi.errors import MiyabiError
from miyabi.gate import ACTING, Decision, Does, Fleet, Pause, Request, TargetHistory, Try, decide
from miyabi.gate_pauses import is_emergency_stop
from miyabi.gate_rules import Rules
from miyabi.records import UPKEEP, Decided
from miyabi.severity import SEVERITIES
from miyabi.upkeep import Verdict
from operations.memory import Memory, alert_rules, memory_of, now, pauses
from operations.refusal import refusal, refuse
from operations.storms import after_try, storms_of
from operations.upkeep import note

if TYPE_CHECKING:
    from pyinfra.api import Host
    from pyinfra.api.command import PyinfraCommand
    from pyinfra.api.operation import PyinfraOperation

P = ParamSpec("P")

_PASSED = "miyabi_passed"


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
        outer = host.connector_data.get(_PASSED, False)
        host.connector_data[_PASSED] = passed
        try:
            command = next(commands, None)
            passed = host.connector_data[_PASSED]
        except MiyabiError as error:
            # pyinfra ends the run of all hosts for an error: a file that has become wrong meanwhile fails this one.
            command, passed = refusal(str(error)), False
        finally:
            host.connector_data[_PASSED] = outer
        if command is None:
            return
        if not passed and not (isinstance(command, FunctionCommand) and command.function is refuse):
            commands.close()
            yield refusal(f"{name} would act without having asked the gate: nothing is done; please report this")
            return
        yield command


def ask_gate(target: Host, requests: Iterable[Request]) -> tuple[Decision, ...]:
    """What the gate says to each of ``requests``, in their order; what is allowed is written down before it is done.

    While pyinfra only asks whether anything would change, nothing is written.
    """
    asked = tuple(requests)
    if not asked:
        return ()
    memory = memory_of(target.state)
    counted = [request for request in asked if request.does in ACTING]
    trouble = None
    try:
        fleet = _fleet(memory, target, counted=bool(counted))
    except MiyabiError as error:
        # Somebody may have asked to be left alone, and it cannot be read who.
        fleet, trouble = Fleet(), str(error)
    known = memory.histories(target.name, [request.target for request in counted]) if counted else {}
    rules = rules_of(target)
    decisions = []
    fleet = replace(fleet, pauses=(*fleet.pauses, *_left_to_humans(memory, target, known)))
    first = bool(counted) and memory.is_new(target.name)
    for each in asked:
        request = replace(each, cause="missing") if first and each.cause == "unknown" else each
        judged = replace(request, unknown=request.unknown or trouble)
        if counted:
            # Other hosts have gone on while this one waited for a lease, or for the history.
            fleet = replace(fleet, disturbed=frozenset(memory.disturbed))
        past = _with_this_look(memory, known.get(request.target, TargetHistory()))
        decision = decide(judged, past, fleet, rules, now())
        decisions.append(decision)
        if target.state.is_executing and request.does != "tell":
            memory.decisions[request.host, request.target] = decision
            _write(memory, request, decision)
        if decision.allowed:
            target.connector_data[_PASSED] = True
            if request.does in ACTING:
                fleet = replace(fleet, storms=after_try(fleet.storms, memory, request.host, request.target))
    return tuple(decisions)


def _with_this_look(memory: Memory, past: TargetHistory) -> TargetHistory:
    """What is remembered, with what was just seen: a run may not have written it down yet, or may not be able to."""
    if past.sightings and past.sightings[-1][1] and past.sightings[-1][0] >= memory.started:
        return past
    return replace(past, sightings=(*past.sightings, (now(), True)))


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
    return all(each.allowed for each in ask_gate(target, [Request(host=target.name, target=subject, does="adopt")]))


def may_tell(target: Host) -> None:
    """Let the operation say something to a human, which changes nothing."""
    ask_gate(target, [Request(host=target.name, target="", does="tell")])


def rules_of(target: Host) -> Rules:
    """What a host's spec says of the gate; the defaults where it has none."""
    try:
        return host_spec(target).gate
    except (MiyabiError, AttributeError):
        # Operations are for hosts without a spec, too.
        return Rules()


def _fleet(memory: Memory, target: Host, *, counted: bool) -> Fleet:
    """What the gate must know of the fleet; what is not counted asks no history."""
    asked = pauses(memory, target)
    stops = [pause.until for pause in asked if is_emergency_stop(pause)]
    fleet = Fleet(
        hosts=len(list(target.state.inventory)),
        pauses=tuple(pause for pause in asked if not is_emergency_stop(pause)),
        stopped_until=max(stops, default=None),
        rules=memory.file.rules,
    )
    if not counted:
        return fleet
    return replace(
        fleet,
        disturbed=frozenset(memory.disturbed),
        leases=memory.lease(target.name) if target.state.is_executing else {},
        storms=storms_of(memory, target.state),
        breakers=memory.ask_history(lambda history: history.breakers()) or {},
    )


def _left_to_humans(memory: Memory, target: Host, known: Mapping[str, TargetHistory]) -> tuple[Pause, ...]:
    """What the alerts' rules leave alone from its incident on, until a human has resumed it."""
    rules = alert_rules(target.state)
    if not known or not any(rules.leaves_to_humans(severity) for severity in SEVERITIES):
        return ()
    incidents = memory.ask_history(lambda history: history.open_incidents()) or ()
    return tuple(
        Pause(target.name, each.target, now() + 3600, f"incident {each.incident} waits for a human")
        for each in incidents
        if each.host == target.name
        and each.target in known
        and rules.leaves_to_humans(each.severity)
        and (known[each.target].resumed_at or 0.0) < each.opened_at
    )


def _write(memory: Memory, request: Request, decision: Decision) -> None:
    """Keep what was decided; an allowed try is one from now on, whatever comes of it."""
    level = request.level.name if request.level else UPKEEP
    if decision.allowed and request.does in ACTING:
        memory.tries.setdefault((request.host, request.target), []).append(Try(now(), request.level, does=request.does))
        if request.disturbs:
            memory.disturbed.add(request.host)
    memory.keep(
        Decided(
            **memory.common(),
            host=request.host,
            target=request.target,
            does=request.does,
            level=level,
            allowed=decision.allowed,
            rule=decision.rule,
            reason=decision.reason,
            again_at=decision.again_at,
            climbing=request.climbing,
            cause=request.cause,
        )
    )
