"""The ladder: one operation per level, one that refuses what cannot be judged, and one that has the last word."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from time import sleep
from typing import TYPE_CHECKING

from pyinfra import host, logger, state
from pyinfra.api import FunctionCommand
from pyinfra.api.state import BaseStateCallback
from typing_extensions import override

from facts.agents import agent_panes
from facts.host import LADDER, observe
from facts.host_kinds import host_kinds
from facts.host_spec import host_spec
from facts.observation import forget
from miyabi.climb import Climb, summary
from miyabi.drift import Drift, Target
from miyabi.errors import MiyabiError
from miyabi.levels import Level
from miyabi.match import SessionMatch
from miyabi.message import status_line
from miyabi.plan import Action
from miyabi.presence import note_boot
from miyabi.spec import Spec
from miyabi.state import Host as HostState
from operations import processes
from operations.availability import absence, asleep, down, is_instance
from operations.bring_up import subject_of
from operations.climbing import climb_of
from operations.closing import close
from operations.converge import converge, look, plan_levels
from operations.gate import operation
from operations.guardian import tell_guardian
from operations.instances import rescue_of
from operations.level_gate import settled_at
from operations.memory import memory_of, now
from operations.outcome import conclude, outcome_of
from operations.processes import as_arguments
from operations.record import note_first_look, note_upkeep
from operations.refusal import refusal
from operations.telling import tell_here
from operations.upkeep import findings

if TYPE_CHECKING:
    from pyinfra.api import Host, State
    from pyinfra.api.command import PyinfraCommand

# What upkeep alone sees of the tmux fleet.
NOTHING_SEEN = HostState()


def require_specs() -> None:
    """Load the spec of every host of the run, or end the run with all that is wrong, before any host is touched."""
    problems = []
    for each in state.inventory.get_active_hosts():
        try:
            if any(agent_panes(host_spec(each))):
                host_kinds(each)
        except MiyabiError as error:
            problems.append(str(error))
    for read in (memory_of, outcome_of):
        try:
            read(state)
        except MiyabiError as error:
            problems.append(str(error))
    if problems:
        logger.error("--> Nothing was changed on any host, because of these files:")
        for problem in dict.fromkeys(problems):
            logger.error(problem.replace("\n", "\n    "))
        raise SystemExit(1)


def _with_spec(act: Callable[[Spec, Climb], Generator[PyinfraCommand]]) -> Generator[PyinfraCommand]:
    """What ``act`` yields for the host's spec and climb; a spec that is missing or wrong is refused for this host."""
    try:
        wanted = host_spec(host)
    except MiyabiError as error:
        yield refusal(str(error))
        return
    yield from act(wanted, climb_of(host))


@operation()
def assess() -> Generator[PyinfraCommand]:
    """Fail a host whose state is unknown, before anything is tried on it; change nothing.

    **Example:**

    .. code:: python

        from operations import recovery

        recovery.assess(name="Assess")
    """
    yield from _with_spec(_assess)


def _assess(wanted: Spec, climb: Climb) -> Generator[PyinfraCommand]:
    looked = look(host, wanted, climb)
    if not isinstance(looked, str) and looked[1] and host.state.is_executing:
        settled = settled_at(host, wanted, observe(host, wanted))
        if settled is not None and settled > now():
            # What has just woken up or booted may still be finding its feet.
            host.log(f"it has just come back: it is judged {settled - now():.0f} s later")
            sleep(max(0.0, settled - now()))
            forget(host, *LADDER)
            looked = look(host, wanted, climb)
    if host.state.is_executing:
        _note(wanted, climb, looked)
    if isinstance(looked, str):
        yield refusal(looked)
        return
    host.noop("the tmux fleet is known")


def _note(wanted: Spec, climb: Climb, looked: tuple[tuple[SessionMatch, ...], tuple[Drift, ...]] | str) -> None:
    """Remember the first look: what is wrong, and why."""
    seen = observe(host, wanted)
    if is_instance(host) and seen.boot is not None:
        # By it L4 tells later that it was booted.
        note_boot(host.name, seen.boot.boot_id)
    if isinstance(looked, str):
        note_first_look(host, seen, (), (), climb, unknown=looked)
        return
    matches, drifts = looked
    damage = [drift for drift in drifts if drift.kind != "unmarked"]
    causes: Mapping[Target, str] = {}
    if damage:
        # Only a host that is damaged pays for it.
        from operations.causes import causes_of  # noqa: PLC0415

        causes = causes_of(host, wanted, damage, seen, climb)
    memory_of(host.state).damage[host.name] = tuple((str(target), cause) for target, cause in causes.items())
    conditions: Mapping[str, str] = {}
    if seen.agents is not None:
        # Only a fleet with agents pays for it.
        from miyabi.health import conditions_of  # noqa: PLC0415
        from operations.agent_look import looked_agents  # noqa: PLC0415

        conditions = conditions_of(each.judged_by for each in looked_agents(host, matches, seen))
    note_first_look(host, seen, matches, drifts, climb, conditions=conditions)


@operation()
def level(name_of_level: str) -> Generator[PyinfraCommand]:
    """Remove the drift of one level, and prove it.

    + name_of_level: ``L1``, ``L2`` or ``L3``

    What a lower level tried in this run and could not hold counts as this level's. The operation fails on a host when
    what it did does not hold within the level's budget.

    **Example:**

    .. code:: python

        from operations import recovery

        recovery.level(name="L1 pane", name_of_level="L1")
    """
    this = Level[name_of_level]
    yield from _with_spec(lambda wanted, climb: _level(wanted, climb, this))
    if this is Level.L3:
        yield from _with_spec(_start_servers)


def _start_servers(wanted: Spec, climb: Climb) -> Generator[PyinfraCommand]:
    """Try once more to start the servers that upkeep could not start: L3 may have brought up what they need."""
    del climb
    for server in wanted.mcp_servers:
        found = findings(host).get(subject_of(server))
        if found is not None and found.verdict == "failed":
            yield from processes.running._inner(**as_arguments(server))  # noqa: SLF001 - pyinfra's way to nest


def _level(wanted: Spec, climb: Climb, this: Level) -> Generator[PyinfraCommand]:
    steps = len(climb.steps)
    commands = converge(
        host,
        wanted,
        plan_levels(this),
        climb=climb,
        budget=wanted.recovery.budget(this),
        noop=f"no drift of {this.title}",
    )
    first = next(commands, None)
    if first is None:
        return
    if len(climb.steps) > steps:
        yield from _announce(this, climb.steps[-1].actions, wanted)
    yield first
    yield from _with_setup(commands, wanted, this)


def _announce(this: Level, actions: tuple[Action, ...], wanted: Spec) -> Generator[PyinfraCommand]:
    for does in dict.fromkeys(action.does for action in actions):
        targets = ", ".join(str(action.target) for action in actions if action.does == does)
        yield from tell_guardian(host, wanted, status_line(this, does, targets))


def _with_setup(commands: Generator[PyinfraCommand], wanted: Spec, this: Level) -> Generator[PyinfraCommand]:
    """After L3 acted and before it is verified, the host's setup script runs."""
    script = wanted.recovery.setup_script
    for command in commands:
        if script and this is Level.L3 and isinstance(command, FunctionCommand):
            from operations.hook_run import set_up  # noqa: PLC0415 - only a host on which L3 acts pays for it

            yield FunctionCommand(set_up, (script, wanted.recovery.budget(this)), {})
        yield command


@operation()
def confirm(fleet: bool = True) -> Generator[PyinfraCommand]:  # noqa: FBT001, FBT002 - pyinfra passes it by name
    """Fail a host that is still not what its spec says, after everything had its turn; change nothing.

    + fleet: whether the tmux fleet counts; False is for upkeep alone

    **Example:**

    .. code:: python

        from operations import recovery

        recovery.confirm(name="Confirm")
    """
    yield from _with_spec(lambda wanted, climb: _confirm(wanted, climb, fleet=fleet))


def _confirm(wanted: Spec, climb: Climb, *, fleet: bool) -> Generator[PyinfraCommand]:
    if down(host) is not None:
        host.noop("it is not reached: L4 has the last word")
        return
    if fleet:
        look(host, wanted, climb, last=True)
    else:
        climb.left = None
    if not host.state.is_executing:
        return
    if not fleet:
        note_first_look(host, NOTHING_SEEN, (), (), climb, fleet=False)
    found = findings(host).values()
    note_upkeep(host)
    wrong = [climb.left] if climb.left else []
    wrong += [f"{each.subject}: {each.reason}" for each in found if each.verdict == "failed"]
    # What could not be told at the last look is not well, whatever an earlier one has found.
    alerts = conclude(host, climb, fleet=fleet, unknown=climb.unknown if fleet else None)
    acted = any(step.drifts for step in climb.steps) or any(each.verdict == "repaired" for each in found)
    done = summary(climb, findings(host)) if acted and not wrong else None
    yield from tell_here(host, wanted, alerts, done)
    if wrong:
        yield refusal("; ".join(wrong))
    elif done is None:
        host.noop("the host is what the spec says")


class _Summary(BaseStateCallback):
    """Ends a run when pyinfra begins to disconnect, failed or not: one line per host, then whoever is to hear of it."""

    printed = False

    @override
    def host_disconnect(self, state: State, host: Host) -> None:  # type: ignore[override]
        """Print the summary once, for all hosts; nothing is asked of them for it."""
        del host
        if self.printed or not state.is_executing:
            return
        self.printed = True
        logger.info("--> Recovery summary:")
        hosts = [each for each in state.inventory if state.is_host_in_limit(each)]
        for each in hosts:
            logger.info(f"{each.print_prefix}{_outcome(each)}")
        close(state, hosts)


def _outcome(target: Host) -> str:
    """One line about how the run ended for a host."""
    missed = asleep(target) or absence(target)
    ended = summary(climb_of(target), findings(target)) if missed is None else missed
    rescue = rescue_of(target)
    return "; ".join(filter(None, (rescue.outcome, rescue.next_step, ended)))


def summarise_at_end() -> None:
    """Have pyinfra end this run with one line per host: level reached, what was affected, restored or not, seconds."""
    if not any(isinstance(handler, _Summary) for handler in state.callback_handlers):
        state.add_callback_handler(_Summary())
