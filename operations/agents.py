"""Agents: each gets what its condition needs, and nothing else; the levels have brought back those that had ended."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from time import monotonic, sleep
from typing import TYPE_CHECKING

from pyinfra import host, logger
from pyinfra.api import FunctionCommand, StringCommand

from facts.host import LADDER, observe
from facts.host_spec import host_spec
from facts.observation import Unknown, ask, forget
from miyabi import state as observed
from miyabi.agent_remedy import SURE
from miyabi.climb import held_in_words, is_wish
from miyabi.drift import reason_to_refuse
from miyabi.errors import MiyabiError
from miyabi.match import match_sessions
from miyabi.spec import Spec
from miyabi.upkeep import Finding
from operations.agent_look import LookedAgent, looked_agents
from operations.conversations import conversations_found, register
from operations.gate import may_adopt, operation
from operations.memory import memory_of, now
from operations.refusal import refusal
from operations.upkeep import findings, note, warn

if TYPE_CHECKING:
    from pyinfra.api import Host, State
    from pyinfra.api.command import PyinfraCommand

    from miyabi.gate_types import Decision, Request

# Seconds between two looks that have to agree before anything is done.
TWO_LOOKS = 2.2

# Seconds that typing into a pane may take, and within which what was typed must show, with the seconds between looks.
_TYPING, _SHOWS, _POLL = 60, 15.0, 1.0

# What needs a human, or a time that nobody knows.
_TOLD = frozenset({"tell", "park"})
_DONE = frozenset({"type", "press"})


@operation()
def attended() -> Generator[PyinfraCommand]:
    """Give each agent of the host's spec what its condition needs (docs/agents.md), and tell what only a human can do.

    One whose usage limit is over, or whose service was overloaded, is told to go on; a full context is shortened and a
    question about trust is answered where the spec says so. Nothing is ever typed where a human has typed something.
    An agent that waits does not fail its host.

    **Example:**

    .. code:: python

        from operations import agents

        agents.attended(name="Agents")
    """
    try:
        wanted = host_spec(host)
    except MiyabiError as error:
        yield refusal(str(error))
        return
    seen = observe(host, wanted)
    if reason_to_refuse(wanted, seen) is not None or not seen.tmux or not seen.tmux.running:
        host.noop("there is nothing to tell agents by")
        return
    if seen.agents is None:
        warn(host, "agents", f"unknown: {seen.unknown.get('agents', 'they were not asked about')}")
        return
    agents = _agents(host, wanted, seen)
    if host.state.is_executing and any(_is_young(each) for each in agents):
        # One look alone believes no screen.
        sleep(TWO_LOOKS)
        forget(host, *LADDER)
        seen = observe(host, wanted)
        agents = _agents(host, wanted, seen)
    acts = yield from _registered(wanted, seen)
    _note_overload(host, agents)
    for each in agents:
        acts = (yield from _attend(wanted, seen, each)) or acts
    if not acts:
        host.noop(_in_words(agents))


def _agents(target: Host, wanted: Spec, seen: observed.Host) -> tuple[LookedAgent, ...]:
    matches = match_sessions(wanted, seen.tmux, seen.processes) if seen.tmux else ()
    return looked_agents(target, matches, seen)


def _is_young(agent: LookedAgent) -> bool:
    """Whether something would be done about it if it were looked at twice."""
    judged = agent.judged
    is_doubtful = judged.confirmed or judged.confidence < SURE or judged.retrying
    return not is_doubtful and judged.condition in {"trust", "limited", "overloaded", "context-full"}


def _in_words(agents: Iterable[LookedAgent]) -> str:
    counts: dict[str, int] = {}
    for each in agents:
        counts[each.judged.condition] = counts.get(each.judged.condition, 0) + 1
    return ", ".join(f"{number} {condition}" for condition, number in counts.items()) or "no agent is there"


def _registered(wanted: Spec, seen: observed.Host) -> Generator[PyinfraCommand, None, bool]:
    """Write down conversations that agents were found to lead, so that a restart can take them up."""
    found = conversations_found(host, wanted, seen)
    if not found or not may_adopt(host, "agents"):
        return False
    for name, conversation in found.items():
        host.log(f"agent {name} leads the conversation {conversation.session_id}")
    yield register(host, found)
    return True


def _attend(wanted: Spec, seen: observed.Host, agent: LookedAgent) -> Generator[PyinfraCommand, None, bool]:
    """Tell of an agent, or do what it needs; whether something is done."""
    remedy = agent.remedy
    if remedy.does in _TOLD or (remedy.does == "restart" and agent.judged_by.pane.restart == "never"):
        _tell(agent, remedy.reason)
    if remedy.does not in _DONE:
        return False
    request = _request(wanted, seen, agent)
    # A run that finds nothing to do does not pay for it.
    from operations.gate_question import ask_gate  # noqa: PLC0415

    [decision] = ask_gate(host, [request])
    if not decision.allowed:
        _held(agent, decision)
        return False
    host.log(f"{agent.name}: {remedy.reason}: {_done(agent)}")
    yield StringCommand(f"( {_script(wanted, agent)} ) || echo 'nothing was typed' >&2", _timeout=_TYPING)
    yield FunctionCommand(_prove, (wanted, agent), {})
    return True


def _tell(agent: LookedAgent, reason: str) -> None:
    told, since = agent.remedy.told, agent.unchanged_since
    seconds = 0.0 if since is None else max(0.0, now() - since)
    if host.state.is_executing:
        findings(host)[agent.name] = Finding(agent.name, "warning", reason, told, seconds, agent.judged.lines)
    log = logger.info if told == "agent-parked" else logger.warning
    host.log_styled(f"{agent.name}: {reason}", fg="yellow", log_func=log)


def _held(agent: LookedAgent, decision: Decision) -> None:
    words = f"{agent.remedy.reason}; {held_in_words(decision, now())}"
    note(host, agent.name, "warning", words)
    if not is_wish(decision):
        host.log_styled(f"{agent.name}: {words}", fg="yellow", log_func=logger.warning)


def _done(agent: LookedAgent) -> str:
    if agent.remedy.does == "press":
        return f"pressing {' '.join(agent.remedy.keys)}"
    return f"typing {agent.remedy.text!r}"


def _request(wanted: Spec, seen: observed.Host, agent: LookedAgent) -> Request:
    """What is asked of the gate before something is typed."""
    from facts.evidence import evidence_section  # noqa: PLC0415 - as above
    from miyabi.gate_types import Request  # noqa: PLC0415

    words = ask(host, evidence_section([agent.there.pane_id], wanted.tmux))
    screen = None if isinstance(words, Unknown) else words.screens.get(agent.there.pane_id)
    unknown = words.reason if isinstance(words, Unknown) else None if screen else "its screen was not read"
    window = next(
        each.window_id
        for session in (seen.tmux.sessions if seen.tmux else ())
        for each in session.windows
        if any(pane.pane_id == agent.there.pane_id for pane in each.panes)
    )
    idle = [client.idle for client in (seen.tmux.clients if seen.tmux else ()) if client.window_id == window]
    return Request(
        host=host.name,
        target=agent.name,
        does="nudge",
        covers=(str(agent.target),),
        cause=_CAUSES.get(agent.judged.condition, "unknown"),
        service=agent.remedy.service,
        unknown=unknown,
        draft=screen.draft if screen and not agent.judged.menu else "",
        watched_at=now() - min(idle) if idle else None,
    )


_CAUSES = {"limited": "usage-limit", "overloaded": "api-error", "login": "auth"}


def _script(wanted: Spec, agent: LookedAgent) -> str:
    from miyabi.handing import hand_script, marked, press_script  # noqa: PLC0415 - as above

    pane_id, pid = agent.there.pane_id, agent.there.pid or 0
    if agent.remedy.does == "press":
        script = press_script(agent.remedy.keys, pane_id, pid, wanted.tmux)
    else:
        script = hand_script(agent.remedy.text, pane_id, pid, wanted.tmux)
    return marked(script, agent.remedy.mark, pane_id, wanted.tmux)


def _prove(state: State, host: Host, wanted: Spec, agent: LookedAgent) -> bool:
    """Look again until the agent is in another condition; what it is then is told, and fails nothing."""
    del state
    did, started = _done(agent), monotonic()
    while True:
        sleep(_POLL)
        forget(host, *LADDER)
        seen = observe(host, wanted)
        after = next((each for each in _agents(host, wanted, seen) if each.target == agent.target), None)
        if after is not None and (after.judged.condition, after.judged.until) != (
            agent.judged.condition,
            agent.judged.until,
        ):
            break
        if monotonic() - started >= _SHOWS:
            _fails(host, agent, f"{agent.remedy.reason}; {did} did not help")
            return True
    is_over = after.judged.condition in {"working", "idle"}
    if is_over:
        note(host, agent.name, "repaired", f"{agent.remedy.reason}: {did}")
    else:
        _fails(host, agent, f"{agent.remedy.reason}; after {did} it is {after.judged.condition}")
    if agent.remedy.service:
        note_overload(host, agent.remedy.service, over=is_over)
    return True


def _fails(host: Host, agent: LookedAgent, words: str) -> None:
    """Tell that what was typed did not help, and write it down: the next try waits for longer."""
    from miyabi.records import UPKEEP, Recovered  # noqa: PLC0415 - see above

    memory = memory_of(host.state)
    tries = memory.tries.get((host.name, agent.name), ())
    memory.keep(
        Recovered(
            **memory.common(),
            host=host.name,
            target=agent.name,
            level=UPKEEP,
            does="nudge",
            outcome="failed",
            seconds=now() - tries[-1].at if tries else 0.0,
            cause=_CAUSES.get(agent.judged.condition, "unknown"),
            reason=words,
        )
    )
    findings(host)[agent.name] = Finding(agent.name, "warning", words, "agent-stuck", 0.0, agent.judged.lines)
    host.log_styled(f"{agent.name}: {words}", fg="yellow", log_func=logger.warning)


def _note_overload(target: Host, agents: Sequence[LookedAgent]) -> None:
    """Have all agents of the fleet leave a service alone that one of them has found overloaded."""
    if not target.state.is_executing:
        return
    for service in {each.remedy.service for each in agents if each.remedy.service}:
        note_overload(target, service, over=None)


def note_overload(target: Host, service: str, *, over: bool | None) -> None:
    """Write down that a service is overloaded, or not any more.

    + over: whether what was tried has shown that it is not; None is that nothing was tried
    """
    from miyabi.records import BreakerChanged  # noqa: PLC0415 - only who has such an agent needs it

    memory, subject = memory_of(target.state), f"overload {service}"
    failures, since = (memory.ask_history(lambda history: history.breakers()) or {}).get(subject, (0, None))
    if over is None and since is not None and now() - since < _FORGOTTEN:
        return
    if over:
        failures, opened_at = 0, None
    else:
        failures, opened_at = (1 if over is None else failures + 1), now()
    memory.keep(BreakerChanged(**memory.common(), subject=subject, failures=failures, opened_at=opened_at))
    # The gate is asked in a moment, and by other hosts, too.
    memory.ask_history(lambda history: history.take_in())


# Seconds after which an overload that nobody was found in any more says nothing of the next one.
_FORGOTTEN = 3600.0
