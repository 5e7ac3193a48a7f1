"""How a run ends: incidents opened and closed, whoever is to hear of it told, and the run itself written down."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from miyabi.alert_rules import AlertRules
from miyabi.climb import Climb, is_wish
from miyabi.drift import Drift, Target
from miyabi.errors import MiyabiError
from miyabi.journal import attention, journal_size, set_attention
from miyabi.records import IncidentChanged, Recovered
from miyabi.severity import Circumstances, severity_of
from miyabi.thresholds import MEASURES, Measured, measure
from miyabi.verdict import FORETOLD, Verdict, case_of, covered
from operations.breakers import note_breaker
from operations.climbing import climb_of
from operations.gate import rules_of
from operations.instances import rescue_of
from operations.memory import Memory, alert_rules, memory_of, now
from operations.record import at_the_end
from operations.storms import KIND, storms_of
from operations.upkeep import findings
from operations.verdicts import verdicts_of, well

if TYPE_CHECKING:
    from pyinfra.api import Host, State

    from miyabi.alert_text import Alert

# Bytes of the journal from which a run takes it into the history, whatever else it does: some hundred looks.
_LONG_JOURNAL = 400_000

# What only warns, or waits for a human or for its time, has no part in whether a run came to a good end.
_FAILS_NO_RUN = frozenset({"repaired", KIND, "warning", "agent-waits", "agent-stuck", "agent-parked"})

_OUTCOME = "miyabi_outcome"


@dataclass(slots=True)
class Outcome:
    """What a run has judged so far.

    + incidents: those that are open; None as long as nobody had to ask
    + judged: hosts of which it is known how they ended
    + verdicts, healthy, alerts: of these
    + guarded: the lines that a guardian was told on its own host
    + sent: what came of the channels that lead over a host
    """

    rules: AlertRules
    incidents: tuple[IncidentChanged, ...] | None = None
    judged: set[str] = field(default_factory=set)
    verdicts: list[Verdict] = field(default_factory=list)
    healthy: set[tuple[str, str]] = field(default_factory=set)
    alerts: list[Alert] = field(default_factory=list)
    sent: dict[str, str] = field(default_factory=dict)
    guarded: set[str] = field(default_factory=set)


def outcome_of(state: State) -> Outcome:
    """What a run of pyinfra has judged so far."""
    known = getattr(state, _OUTCOME, None)
    if isinstance(known, Outcome):
        return known
    outcome = Outcome(alert_rules(state))
    setattr(state, _OUTCOME, outcome)
    return outcome


def conclude(host: Host, climb: Climb, *, fleet: bool, unknown: str | None = None) -> tuple[Alert, ...]:
    """Judge how the run ended for a host, once; what is to be told of it now.

    + fleet: whether its tmux fleet was looked at
    + unknown: why its state could not be told
    """
    outcome, memory = outcome_of(host.state), memory_of(host.state)
    if host.name in outcome.judged:
        return ()
    outcome.judged.add(host.name)
    verdicts = verdicts_of(host, climb, unknown=unknown)
    if not verdicts and not _must_ask(memory, outcome):
        return ()
    from miyabi.incidents import judge  # noqa: PLC0415 - a run that has nothing to tell does not pay for it

    _note_breaker(memory, host, climb)
    earlier = _incidents(memory, outcome)
    here = [each for each in earlier if each.host in {host.name, ""} or each.covers]
    # What is measured is judged when all has been, and what is foretold by who foretells.
    measured = {MEASURES.get(each.metric) for each in outcome.rules.thresholds}
    own = [
        each
        for each in here
        if each.host == host.name
        and each.kind != FORETOLD
        and (each.kind != "threshold" or each.target not in measured)
    ]
    healthy = well(host, verdicts, [each.target for each in own], fleet=fleet)
    outcome.healthy |= healthy
    told = (*verdicts, *_storms(memory, host.state))
    changes = judge(
        here,
        told,
        healthy,
        run=memory.run,
        now=now(),
        healthy_after=rules_of(host).healthy_after,
        still_open=outcome.rules.still_open,
    )
    return _remember(memory, outcome, changes, told)


def conclude_run(state: State) -> None:
    """Judge what is about the whole fleet, and what is measured."""
    outcome, memory = outcome_of(state), memory_of(state)
    measured = _measured(state, outcome, memory)
    if measured.verdicts or _must_ask(memory, outcome):
        from miyabi.incidents import judge  # noqa: PLC0415 - as above

        judged = {case_of(each) for each in outcome.verdicts}
        well_measured = {each for each in measured.healthy if (*each, "") not in judged}
        about = [each for each in _incidents(memory, outcome) if each.kind == "threshold" or not each.target]
        changes = judge(
            about,
            measured.verdicts,
            well_measured,
            run=memory.run,
            now=now(),
            still_open=outcome.rules.still_open,
        )
        _remember(memory, outcome, changes, measured.verdicts)
        wide = judge(
            _incidents(memory, outcome),
            outcome.verdicts,
            outcome.healthy,
            run=memory.run,
            now=now(),
            still_open=outcome.rules.still_open,
            stop=outcome.rules.stop,
            wide_only=True,
        )
        _remember(memory, outcome, wide, ())
        _stop_everything(memory, outcome, wide)
    if journal_size(memory.folder) > _LONG_JOURNAL:
        memory.ask_history(lambda history: history.take_in())


def _measured(state: State, outcome: Outcome, memory: Memory) -> Measured:
    """What the thresholds say of the fleet as it is at the end."""
    told = {name for each in outcome.incidents or () for name in (covered(each.host, each.target), *each.covers)}
    seen = [
        at_the_end(host, climb_of(host), {name.removeprefix(f"{host.name}:") for name in told})
        for host in state.inventory
        if state.is_host_in_limit(host)
    ]
    rated = memory.is_opened and any(each.metric == "success_rate" for each in outcome.rules.thresholds)
    since = now() - max((each.over for each in outcome.rules.thresholds), default=0.0)
    recoveries = (memory.ask_history(lambda history: history.records(Recovered, since=since)) or []) if rated else []
    return measure(
        outcome.rules.thresholds,
        [each for each in seen if each is not None],
        recoveries,
        now=now(),
        previous=memory.previous,
        processors=_processors(state),
    )


def _processors(state: State) -> dict[str, int]:
    found = {host.name: climb_of(host).seen for host in state.inventory}
    return {name: seen.load.processors for name, seen in found.items() if seen and seen.load and seen.load.processors}


def keep_attention(state: State) -> None:
    """Have the next run ask the history if anything is open, and spare it that if nothing is."""
    outcome, memory = outcome_of(state), memory_of(state)
    if not _must_ask(memory, outcome):
        return
    # Who could not ask does not know that nothing is open.
    # What is foretold is not a run's to judge: no run need ask for its sake.
    wanted = any(each.kind != FORETOLD for each in _incidents(memory, outcome)) or not memory.is_answered
    if wanted != attention(memory.folder):
        # That nothing can be written here was said by the journal.
        with suppress(OSError):
            set_attention(memory.folder, wanted)


def _must_ask(memory: Memory, outcome: Outcome) -> bool:
    """Whether the history has to be asked what is open; asking is dear, and a run on a fleet that is well need not."""
    return outcome.incidents is not None or memory.is_opened or memory.is_shared or attention(memory.folder)


def open_incidents(state: State) -> tuple[IncidentChanged, ...]:
    """The incidents that are open, as far as this run knows."""
    return outcome_of(state).incidents or ()


def _incidents(memory: Memory, outcome: Outcome) -> tuple[IncidentChanged, ...]:
    if outcome.incidents is None:
        outcome.incidents = memory.ask_history(lambda history: history.open_incidents()) or ()
    return outcome.incidents


def _remember(
    memory: Memory, outcome: Outcome, changes: Sequence[IncidentChanged], verdicts: Sequence[Verdict]
) -> tuple[Alert, ...]:
    """Keep what has changed; what is to be told of it."""
    from miyabi.incidents import open_after  # noqa: PLC0415 - who has nothing to tell does not pay for it

    memory.keep(*changes)
    outcome.incidents = open_after(_incidents(memory, outcome), changes)
    outcome.verdicts += verdicts
    # Who has nothing to tell does not pay for the words.
    from miyabi.alert_text import alerts_of  # noqa: PLC0415

    alerts = alerts_of(changes, verdicts, now=now())
    outcome.alerts += alerts
    return alerts


def _stop_everything(memory: Memory, outcome: Outcome, changes: Iterable[IncidentChanged]) -> None:
    """Too many critical incidents at once: nothing is repaired any more, for a while or until a human says so."""
    from miyabi.gate_pauses import emergency_stop  # noqa: PLC0415 - this is rare
    from miyabi.pauses import add_pause  # noqa: PLC0415

    opened = [each for each in changes if each.kind == "emergency-stop"]
    if outcome.rules.stop is not None and any(each.change == "opened" for each in opened):
        until = now() + outcome.rules.stop.seconds
        try:
            add_pause(memory.folder, emergency_stop(until, opened[0].summary, now()))
        except (MiyabiError, OSError) as error:
            memory.say_once(f"everything should be stopped, and cannot be: {error}")


def _storms(memory: Memory, state: State) -> tuple[Verdict, ...]:
    """What is to be said of storms: one verdict for each, which covers what it is made of."""
    if not memory.tries and not memory.decisions:
        return ()
    verdicts = []
    for storm in storms_of(memory, state):
        by = f"by one cause: {storm.cause}" if storm.cause else "on many hosts"
        verdicts.append(
            Verdict(
                host="",
                target="",
                kind=KIND,
                severity=severity_of(Circumstances(kind=KIND)),
                summary=f"much is damaged at once {by}",
                cause=storm.cause or "unknown",
                covers=tuple(sorted(covered(host, target) for host, target in storm.targets)),
            )
        )
    return tuple(verdicts)


def _note_breaker(memory: Memory, host: Host, climb: Climb) -> None:
    """A recovery that did not hold brings the host's breaker nearer to opening; one that did closes it."""
    tried = {drift.target for step in climb.steps for drift in step.drifts if drift.kind != "unmarked"}
    remedies = [each for each in rescue_of(host).tried if each.helped is not None]
    if not tried and not remedies:
        return
    # What the gate held was not tried, and says nothing of what was.
    left = bool(remedies and not remedies[-1].helped) or any(
        _is_left(drift, tried) for drift in climb.drifts if not is_wish(climb.held.get(drift.target))
    )
    note_breaker(memory, f"host {host.name}", rules_of(host), failed=left)


def _is_left(drift: Drift, tried: Collection[Target]) -> bool:
    """Whether a drift is about something that was tried, something in it, or what it was in."""
    if drift.kind == "unmarked":
        return False
    return any(scope in tried for scope in drift.target.scopes()) or any(
        drift.target in each.scopes() for each in tried
    )


def ended(state: State) -> Literal["clean", "restored", "held", "failed"]:
    """What a run came to, in one of the words of ``RunEnded``."""
    outcome = outcome_of(state)
    wrong = [each for each in outcome.verdicts if each.kind not in _FAILS_NO_RUN]
    wrong = [each for each in wrong if (each.kind, each.severity) != ("threshold", "MEDIUM")]
    if any(each.kind != "held" for each in wrong):
        return "failed"
    if wrong:
        return "held"
    return "restored" if any(_restored(host) for host in state.inventory) else "clean"


def _restored(host: Host) -> bool:
    tried = (drift for step in climb_of(host).steps for drift in step.drifts)
    return any(drift.kind != "unmarked" for drift in tried) or any(
        finding.verdict == "repaired" for finding in findings(host).values()
    )
