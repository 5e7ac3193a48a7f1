"""What every tmux operation does: observe, plan, act by one client call, and prove that it worked."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from time import monotonic, sleep
from typing import TYPE_CHECKING
from zlib import crc32

from pyinfra.api import FunctionCommand, StringCommand
from pyinfra.api.hiddenvalue import HiddenValue

from facts.agents import agent_panes
from facts.host import LADDER, observe
from facts.observation import forget
from miyabi import state as observed
from miyabi.climb import SETTLE, Climb, held_in_words, in_words, is_wish, outstanding, started_processes, still_run
from miyabi.conversation import AGENTS_FOLDER
from miyabi.drift import Drift, Target, find_drift, reason_to_refuse
from miyabi.host_lock import PATIENCE, alone
from miyabi.levels import Level
from miyabi.match import SessionMatch, match_sessions
from miyabi.plan import Action, acted_on, make_plan
from miyabi.shell import HOST_ENVIRONMENT, HostText, Secret, command_line, quoted
from miyabi.snapshot import snapshot_script
from miyabi.spec import Spec, TmuxServer
from miyabi.stalled import GOES_ON
from miyabi.tmux_command import client_calls, unchanged
from operations.conversations import conversations_kept, conversing, led_elsewhere
from operations.level_gate import levelled, pass_gate
from operations.memory import now
from operations.record import note_step
from operations.refusal import refusal

if TYPE_CHECKING:
    from pyinfra.api import Host, State
    from pyinfra.api.command import PyinfraCommand

    from miyabi.gate_types import Decision
    from operations.agent_look import LookedAgent

# Seconds between two looks at a host whose repair is not visible yet.
_POLL = 0.3

Plan = Callable[[Sequence[SessionMatch], Sequence[Drift]], tuple[Action, ...]]


def plan_levels(*levels: Level) -> Plan:
    """A plan that removes the drift of ``levels`` together."""
    return lambda matches, drifts: tuple(action for level in levels for action in make_plan(matches, drifts, level))


def look(
    host: Host, wanted: Spec, climb: Climb, *, adopt_panes: bool = True, last: bool = False
) -> tuple[tuple[SessionMatch, ...], tuple[Drift, ...]] | str:
    """What is there and what is wrong with it, or why that is unknown; ``climb`` remembers the answer.

    + last: whether nothing is done any more in this run: what has stood still long enough only since it began is the
      next one's to see
    """
    seen = climb.seen = observe(host, wanted)
    reason = reason_to_refuse(wanted, seen)
    if reason is not None:
        climb.left = climb.unknown = reason
        return reason
    # Only a spec without sessions does without tmux.
    started = conversing(host, wanted, seen)
    matches = match_sessions(started, seen.tmux, seen.processes, adopt_panes=adopt_panes) if seen.tmux else ()
    found = find_drift(matches, seen)
    if any(agent_panes(wanted)):
        from operations.agent_look import looked_agents, stalled_drifts  # noqa: PLC0415 - only agents are judged

        elsewhere = led_elsewhere(host, wanted, seen)
        found = tuple(drift for drift in found if drift.target.pane not in elsewhere)
        stalled = stalled_drifts(looked_agents(host, matches, seen), found)
        found = (*found, *(each for each in stalled if not last or each.target in climb.attempts))
    drifts = levelled(host, wanted, found, seen, climb)
    climb.unknown = None
    climb.looked(drifts, now())
    return matches, drifts


def converge(
    host: Host, wanted: Spec, plan: Plan, *, climb: Climb, budget: float, noop: str, adopt_panes: bool = True
) -> Generator[PyinfraCommand]:
    """The commands that make a host's tmux fleet what ``wanted`` says, as far as ``plan`` goes.

    + climb: the recovery that this is a part of
    + budget: seconds from the first command to the proof
    + noop: what to log when nothing has to be done
    + adopt_panes: whether panes without a name may become the spec's, by what runs in them or their place
    """
    looked = look(host, wanted, climb, adopt_panes=adopt_panes)
    if isinstance(looked, str):
        yield refusal(looked)
        return
    matches, drifts = looked
    before = observe(host, wanted)
    stalled: tuple[LookedAgent, ...] = ()
    if any(drift.kind == "agent-stalled" for drift in drifts):
        from operations.agent_look import looked_agents  # noqa: PLC0415 - as above

        stalled = looked_agents(host, matches, before)
    acted, held = pass_gate(host, wanted, acted_on(plan(matches, drifts), drifts), matches, before, climb, stalled)
    actions = plan(matches, acted)
    if stalled:
        from operations.agent_look import ending_stalled  # noqa: PLC0415 - as above

        actions = ending_stalled(actions, stalled, before.processes or (), wanted.tmux)
    if not host.state.is_executing:
        # What is refused then is shown in the plan, too.
        for target, decision in held.items():
            host.log(f"{target} {held_in_words(decision, now())}")
    if not actions:
        yield from _nothing(host, held, noop)
        return
    for action in actions:
        host.log(str(action))
    is_executing = host.state.is_executing
    # While pyinfra only asks whether anything would change, nothing happens that could be remembered.
    climbing = climb if is_executing else Climb()
    climbing.begin(max(action.level for action in actions), actions, acted)
    started = monotonic()
    try:
        yield from _guard(before, wanted, actions)
        yield _act(actions, wanted.tmux, budget, before)
        if before.tmux is not None and not before.tmux.running:
            yield from _fill_in(host, wanted, climbing, budget)
        pids = frozenset(process.pid for process in before.processes or ())
        yield FunctionCommand(verify, (wanted, climbing, pids, started, budget, before), {})
    finally:
        if is_executing:
            forget(host, *LADDER)


def _nothing(host: Host, held: Mapping[Target, Decision], noop: str) -> Generator[PyinfraCommand]:
    """What is said when nothing is done: that all is well, or why what is not must wait."""
    said = {target: f"{target} {held_in_words(decision, now())}" for target, decision in held.items()}
    if any(not is_wish(decision) for decision in held.values()):
        yield refusal("; ".join(said.values()))
    else:
        host.noop("; ".join(said.values()) or noop)


def _fill_in(host: Host, wanted: Spec, climb: Climb, budget: float) -> Generator[PyinfraCommand]:
    """What is missing in sessions that the user's configuration made itself when the server was started."""
    forget(host, *LADDER)
    seen = observe(host, wanted)
    if reason_to_refuse(wanted, seen) is None and seen.tmux is not None:
        matches = match_sessions(conversing(host, wanted, seen), seen.tmux, seen.processes)
        plan = plan_levels(Level.L1, Level.L2, Level.L3)
        drifts = find_drift(matches, seen)
        if all(session.name for session in seen.tmux.sessions) or not (actions := plan(matches, drifts)):
            return
        acted, _ = pass_gate(host, wanted, acted_on(actions, drifts), matches, seen, climb)
        if actions := plan(matches, acted):
            for action in actions:
                host.log(str(action))
            climb.steps[-1].actions += actions
            climb.steps[-1].drifts += acted
            yield _act(actions, wanted.tmux, budget, seen)


def _guard(before: observed.Host, wanted: Spec, actions: Sequence[Action]) -> Generator[PyinfraCommand]:
    """Before L2 and L3 act on a server that runs, what is on its screens is kept."""
    harmless = all(action.level < Level.L2 and not action.ends for action in actions)
    if before.tmux is None or not before.tmux.sessions or harmless:
        return
    names = {session.session_name for session in wanted.sessions}
    panes = [
        pane.pane_id
        for session in before.tmux.sessions
        if session.name in names or session.session_name in names
        for window in session.windows
        for pane in window.panes
    ]
    script = snapshot_script(panes, wanted.tmux, wanted.digest)
    if not any(action.closes for action in actions):
        # Nothing will be closed: a snapshot that fails (a full disk) must not keep a host from coming back.
        script = f"( {script} ) || echo 'no snapshot, but nothing will be closed' >&2"
    yield StringCommand(script, _timeout=60)


def _act(actions: Sequence[Action], server: TmuxServer, budget: float, before: observed.Host) -> StringCommand:
    """One client call for all actions; one with a script of its own goes apart, so that its failure is its own.

    Nothing is done when the fleet is not any more what ``before`` saw: another run was faster.
    """
    together = [action.commands for action in actions if action.before is None and not action.ends]
    head, tail = alone(f"tmux-{crc32((server.socket_name or '').encode()):08x}", "\0").split("\0")
    parts: list[str | Secret] = [
        f"{HOST_ENVIRONMENT}; {AGENTS_FOLDER}; {head}{unchanged(before.tmux, server)}; failed=0"
    ]
    # An agent must be known before it runs: one that is registered and was never begun is begun by the next start.
    parts += [f"; {action.first}" for action in actions if action.first]
    if together:
        parts += ["; { ", *client_calls(together, server), "; } || failed=1"]
    for action in actions:
        if action.ends:
            parts += [f"; ( {action.ends}\n); case $? in 0) {{ ", *client_calls([action.commands], server)]
            parts.append(f"; }} || failed=1;; {GOES_ON}) ;; *) failed=1;; esac")
        if action.before is not None:
            script, directory = action.before
            there = f"cd {quoted(HostText(directory))} && " if directory else ""
            parts.append(f"; {{ ( {there}{command_line(script)} ) && ")
            parts += [*client_calls([action.commands], server), "; } || failed=1"]
    parts.append(f'; [ "$failed" = 0 ]{tail}')
    return StringCommand(
        *(HiddenValue(quoted(part.word)) if isinstance(part, Secret) else part for part in parts),
        _separator="",
        _timeout=int(budget) + PATIENCE + 1,
    )


def verify(
    state: State,
    host: Host,
    wanted: Spec,
    climb: Climb,
    before: frozenset[int],
    started: float,
    budget: float,
    earlier: observed.Host | None = None,
) -> bool:
    """Look at the host again until what the last step repaired is there, runs and has lived long enough.

    + before: the processes that were there before the step
    + started: when the step began, on the monotonic clock
    + earlier: the host before the step, for whether its agents go on with their conversations

    False when it does not hold within ``budget`` seconds, or what was started is dead again.
    """
    del state
    step = climb.steps[-1]
    alive: dict[str, frozenset[int]] = {}
    since = started
    while True:
        forget(host, *LADDER)
        left, running, is_final = _left(host, wanted, climb, before)
        now = monotonic()
        if left is None and not still_run(alive, running):
            alive, since = running, now
        is_settled = left is None and (not alive or now - since >= SETTLE)
        step.seconds, step.failure = now - started, None if is_settled else left or "what was started does not stay"
        if earlier is not None and (is_settled or is_final or step.seconds >= budget):
            targets = {action.target for action in step.actions}
            for line in conversations_kept(host, wanted, earlier, targets):
                host.log_styled(line, fg="yellow")
        if is_settled:
            note_step(host, step, (), climb)
            return True
        if is_final or step.seconds >= budget:
            host.log_styled(f"{step.level.name} did not hold: {step.failure}", fg="red")
            note_step(host, step, outstanding(step.actions, climb.drifts, climb.held), climb)
            return False
        sleep(SETTLE if left is None else _POLL)


def _left(
    host: Host, wanted: Spec, climb: Climb, before: frozenset[int]
) -> tuple[str | None, dict[str, frozenset[int]], bool]:
    """What is still wrong with what the last step was about, what it started, and whether waiting is of no use."""
    looked = look(host, wanted, climb)
    if isinstance(looked, str):
        return looked, {}, False
    matches, drifts = looked
    actions = climb.steps[-1].actions
    left = outstanding(actions, drifts, climb.held)
    # Dead again: what was started just now does not want to live.
    is_final = any(drift.kind == "pane-dead" for drift in left)
    return in_words(left), started_processes(actions, matches, observe(host, wanted), before), is_final
