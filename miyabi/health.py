"""How a host stands against its spec, in one record that travels as JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from miyabi import spec, state
from miyabi.drift import Drift, DriftKind, Target, find_drift, reason_to_refuse
from miyabi.match import SessionMatch, match_sessions
from miyabi.records import UPKEEP
from miyabi.state import Observed

if TYPE_CHECKING:
    from miyabi.agent_kind import AgentKind
    from miyabi.gate_types import Request
    from miyabi.judged_agents import JudgedAgent

# What a supervised pane's drift makes of the agent in it.
_AGENT_STATES: dict[DriftKind, str] = {
    "pane-dead": "dead",
    "pane-missing": "missing",
    "agent-exited": "exited",
    "agent-stalled": "stalled",
}

# The kinds of what is found beside drifts of the tmux fleet. A warning is told, and nothing is done about it.
FoundKind = Literal["upkeep", "warning", "unknown"]


@dataclass(frozen=True, slots=True)
class Found(Observed):
    """One thing that is not as the spec wants it, or that nobody could tell.

    + target: as ``miyabi.drift.Target`` is written, or an upkeep subject such as ``server mcp``
    + kind: a drift's kind; ``upkeep``, ``warning`` or ``unknown`` for a subject of upkeep
    + level: ``L1`` to ``L4``, or ``upkeep``
    + reason: the evidence, in words
    + watched: seconds since the last key of a human who looks at its window; None is that nobody looks
    """

    target: str
    kind: str
    level: str
    reason: str
    watched: float | None = None


@dataclass(frozen=True, slots=True)
class Numbers(Observed):
    """What is counted and measured of a host; None is unknown.

    + disk_used, memory_available: in percent
    + load: over one minute
    + agents: the state of each supervised pane by its target: ``dead``, ``exited``, ``missing``, the condition of an
      agent that lives, such as ``working``, or ``running`` where that is not known
    """

    boot_id: str | None = None
    uptime: float | None = None
    disk_used: float | None = None
    memory_available: float | None = None
    load: float | None = None
    sessions: int | None = None
    windows: int | None = None
    panes: int | None = None
    agents: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FleetHealth(Observed):
    """How a host stands.

    + health: ``healthy``, ``drift``, or ``unknown`` when nothing wrong was seen, but not everything could be
    + reason: why it is not healthy, in words
    + drifts: what a recovery would want to repair
    + warnings: what is told and left alone
    + unknown: what could not be told
    + watched: the spec's windows that a human looks at, with the seconds since the last key
    """

    health: Literal["healthy", "drift", "unknown"]
    reason: str = ""
    drifts: tuple[Found, ...] = ()
    warnings: tuple[Found, ...] = ()
    unknown: tuple[Found, ...] = ()
    observation: Numbers = field(default_factory=Numbers)
    watched: Mapping[str, float] = field(default_factory=dict)


def judge_host(
    wanted: spec.Spec,
    seen: state.Host,
    upkeep: Iterable[Found] = (),
    kinds: Mapping[str, AgentKind] | None = None,
) -> FleetHealth:
    """How a host stands against its spec.

    + upkeep: what was found of the subjects that are no part of the tmux fleet
    + kinds: the kinds of agents that are known, by name
    """
    # A recovery that finds nothing to do needs of this module only the numbers.
    from miyabi.gate_requests import Circumstances, requests_of  # noqa: PLC0415

    refused = reason_to_refuse(wanted, seen)
    matches = match_sessions(wanted, seen.tmux, seen.processes) if seen.tmux and refused is None else ()
    fleet = find_drift(matches, seen)
    asked = requests_of("", fleet, matches, seen, Circumstances(now=0.0))
    found = (found_of(drift, request) for drift, request in zip(fleet, asked, strict=True))
    agents = _judged(matches, seen, kinds or {})
    told = [*found, *(each for agent in agents for each in _of_agent(agent)), *upkeep]
    drifts = tuple(each for each in told if each.kind not in {"warning", "unknown"})
    unknown = tuple(each for each in told if each.kind == "unknown")
    if refused is not None:
        unknown = (Found("", "unknown", "L1", refused), *unknown)
    health: Literal["healthy", "drift", "unknown"] = "drift" if drifts else "unknown" if unknown else "healthy"
    return FleetHealth(
        health=health,
        reason="; ".join(f"{each.target} {each.reason}".strip() for each in (drifts or unknown)),
        drifts=drifts,
        warnings=tuple(each for each in told if each.kind == "warning"),
        unknown=unknown,
        observation=numbers_of(seen, agents_of(matches, fleet, conditions_of(agents))),
        watched=watched(matches, seen),
    )


def found_of(drift: Drift, request: Request) -> Found:
    """A drift as it is told.

    + request: what would be asked for its repair, at the moment 0
    """
    idle = None if request.watched_at is None else -request.watched_at
    return Found(str(drift.target), drift.kind, drift.level.name, drift.reason, idle)


def numbers_of(seen: state.Host, agents: Mapping[str, str] | None = None) -> Numbers:
    """What is counted and measured of a host."""
    sessions = seen.tmux.sessions if seen.tmux else ()
    windows = [window for session in sessions for window in session.windows]
    return Numbers(
        boot_id=seen.boot.boot_id if seen.boot else None,
        uptime=seen.boot.uptime if seen.boot else None,
        disk_used=round(seen.disk.used_percent, 1) if seen.disk else None,
        memory_available=round(seen.memory.available_percent, 1) if seen.memory else None,
        load=seen.load.one if seen.load else None,
        sessions=len(sessions) if seen.tmux else None,
        windows=len(windows) if seen.tmux else None,
        panes=sum(len(window.panes) for window in windows) if seen.tmux else None,
        agents=dict(agents or {}),
    )


def _judged(
    matches: Iterable[SessionMatch], seen: state.Host, kinds: Mapping[str, AgentKind]
) -> tuple[JudgedAgent, ...]:
    if seen.agents is None or not kinds:
        return ()
    from miyabi.judged_agents import judged_agents  # noqa: PLC0415 - as above

    return tuple(judged_agents(matches, seen, kinds))


def _of_agent(agent: JudgedAgent) -> Iterator[Found]:
    """What a recovery would tell of an agent, or do about it beside a restart; one look proves no stall."""
    if agent.remedy.does in {"tell", "park"}:
        yield warning_found(agent.name, agent.remedy.reason)
    elif agent.remedy.does in {"type", "press", "restart"}:
        yield upkeep_found(agent.name, agent.remedy.reason)
    elif agent.judged.suspect:
        yield warning_found(agent.name, agent.judged.detail)


def conditions_of(agents: Iterable[JudgedAgent]) -> dict[str, str]:
    """The conditions of agents that live, by their targets; unknown ones are left out."""
    known = ((str(each.target), each.judged.condition) for each in agents if each.there and not each.there.dead)
    return {target: condition for target, condition in known if condition not in {"unknown", "exited", "dead"}}


def agents_of(
    matches: Iterable[SessionMatch], drifts: Iterable[Drift], conditions: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The state of each supervised pane, by its target.

    + conditions: of the agents that live, as far as they are known
    """
    by_target = {drift.target: drift.kind for drift in drifts}
    known = conditions or {}
    return {target: known.get(target, how) if how == "running" else how for target, how in _agents(matches, by_target)}


def _agents(matches: Iterable[SessionMatch], drifts: Mapping[Target, DriftKind]) -> Iterator[tuple[str, str]]:
    for session in matches:
        for window in session.windows:
            for pane in window.panes:
                if not pane.pane.supervised:
                    continue
                target = Target(session.session.session_name, window.window.name, pane.pane.name)
                kind = drifts.get(target)
                if pane.seen is None:
                    yield str(target), "missing"
                elif kind in _AGENT_STATES:
                    yield str(target), _AGENT_STATES[kind]
                else:
                    yield str(target), "dead" if pane.seen.dead else "running"


def watched(matches: Iterable[SessionMatch], seen: state.Host) -> dict[str, float]:
    """The windows of the spec that a human looks at, with the seconds since the last key."""
    idle: dict[str, float] = {}
    for client in seen.tmux.clients if seen.tmux else ():
        idle[client.window_id] = min(idle.get(client.window_id, client.idle), client.idle)
    return {
        str(Target(match.session.session_name, window.window.name)): idle[window.seen.window_id]
        for match in matches
        for window in match.windows
        if window.seen is not None and window.seen.window_id in idle
    }


def upkeep_found(subject: str, reason: str) -> Found:
    """Something of upkeep that a recovery would repair, or fail the host for."""
    return Found(subject, "upkeep", UPKEEP, reason)


def warning_found(subject: str, reason: str) -> Found:
    """Something of upkeep that is told and left alone."""
    return Found(subject, "warning", UPKEEP, reason)


def unknown_found(subject: str, reason: str) -> Found:
    """A subject of upkeep that could not be told."""
    return Found(subject, "unknown", UPKEEP, reason)


def health_from_json(told: Any) -> FleetHealth:
    """The record of what a fact answered. Raises ``ValueError`` when it is none."""
    try:
        kinds = {name: tuple(Found(**each) for each in told[name]) for name in ("drifts", "warnings", "unknown")}
        return FleetHealth(
            health=told["health"],
            reason=told["reason"],
            observation=Numbers(**told["observation"]),
            watched=dict(told["watched"]),
            **kinds,
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"this is no answer of facts.fleet_health.Drifts: {error!r}") from None
