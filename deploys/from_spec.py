"""The upkeep operations that a host's spec asks for, in order: what makes room first, what needs it afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from pyinfra import host, logger

from facts.agents import agent_panes
from facts.host import host_sections
from facts.observation import expect
from facts.upkeep import upkeep_sections
from miyabi.spec import Spec
from operations import files, integrations, limits, logs, processes, sshd, termux
from operations.integrations import as_check
from operations.processes import as_arguments
from operations.record import will_keep_up

T = TypeVar("T")


def _named(what: str, things: Iterable[T]) -> Iterator[tuple[str, T]]:
    """The things, each with the name of its operation: ``Server``, ``Server 2`` and so on.

    The first servers of all hosts are one operation for pyinfra, and run at the same time; so they need one name. Which
    server it is, each host says itself.
    """
    for number, thing in enumerate(things, start=1):
        yield what if number == 1 else f"{what} {number}", thing


def expect_upkeep(wanted: Spec) -> None:
    """Have the first question to the current host ask all that upkeep will want to know."""
    expect(host, upkeep_sections(wanted))


def expect_everything(wanted: Spec) -> None:
    """Have the first question to the current host ask all that upkeep and the levels will want to know."""
    expect(host, host_sections(host, wanted, marks=True))
    if wanted.tasks:
        # Only a fleet with tasks pays for it.
        from facts.tasks import register_section  # noqa: PLC0415

        expect(host, [register_section(wanted)])
    if wanted.workspaces.repositories:
        from facts.workspaces import worktrees_section  # noqa: PLC0415 - as above
        from miyabi.workspaces import own_folders  # noqa: PLC0415

        expect(host, [worktrees_section(own_folders(wanted), wanted.workspaces.repositories)])
    expect_orchestrations(wanted)
    expect_upkeep(wanted)


def expect_orchestrations(wanted: Spec) -> None:
    """Have the first question to the current host ask what its orchestrations' workspaces hold."""
    if wanted.orchestration:
        from facts.workspace import known_section  # noqa: PLC0415 - only a fleet with orchestrations pays for it

        expect(host, [known_section(host, rules) for rules in wanted.orchestration])


def give_tasks(wanted: Spec) -> None:
    """Have the current host's agents do its tasks; the levels come before, as they bring back the agents."""
    if wanted.tasks:
        from operations import tasks  # noqa: PLC0415 - only a fleet with tasks pays for it

        tasks.assigned(name="Tasks", _ignore_errors=True)
    if wanted.workspaces.repositories:
        from miyabi.workspaces import own_folders  # noqa: PLC0415 - as above
        from operations import workspaces  # noqa: PLC0415

        workspaces.tidied(
            name="Workspaces",
            repositories=wanted.workspaces.repositories,
            own=own_folders(wanted),
            orphans=wanted.workspaces.orphans,
            older_than=wanted.workspaces.older_than,
            _ignore_errors=True,
        )


def keep(wanted: Spec, scope: str = "auto") -> None:
    """Keep what the current host's fleet stands on; an operation that fails stops no other, and no level.

    + scope: one of ``SCOPES``
    """
    if scope in {WHOLE, "full"}:
        will_keep_up(host)
    for part, names in _PARTS.items():
        if scope in names:
            part(wanted)


def attend(wanted: Spec) -> None:
    """Give the current host's agents what they need beside a restart."""
    if any(agent_panes(wanted)):
        # Only a fleet with agents pays for it.
        from operations import agents  # noqa: PLC0415

        agents.attended(name="Agents", _ignore_errors=True)


def heal_orchestrations(wanted: Spec) -> None:
    """Heal the state of the current host's orchestrations; the agents come before, as they may go on with it."""
    if wanted.orchestration:
        # Only a fleet with orchestrations pays for it.
        from operations import state  # noqa: PLC0415

        for name, rules in _named("Orchestration", wanted.orchestration):
            state.healed(name=name, rules=rules, _ignore_errors=True)


def check_services(wanted: Spec) -> None:
    """Check what the current host's agents need; the levels come before, as a service may be slow to answer."""
    for name, service in _named("Integration", wanted.integrations):
        integrations.reachable(name=name, **as_check(service), _ignore_errors=True)


def _keep_files_small(wanted: Spec) -> None:
    for name, temp in _named("Temp", wanted.temp):
        files.pruned(name=name, path=temp.path, older_than=temp.older_than, _ignore_errors=True)
    for name, log in _named("Log", wanted.logs):
        logs.rotated(name=name, path=log.path, max_size=log.max_size, keep=log.keep, _ignore_errors=True)


def _keep_configuration(wanted: Spec) -> None:
    for name, file in _named("Config", wanted.config_files):
        files.restored(name=name, path=file.path, format=file.format, backups=file.backups, _ignore_errors=True)


def _keep_reachable(wanted: Spec) -> None:
    if wanted.sshd is not None:
        sshd.running(name="sshd", port=wanted.sshd.port, start=wanted.sshd.start, _ignore_errors=True)
    for name, server in _named("Server", wanted.mcp_servers):
        processes.running(name=name, **as_arguments(server), _ignore_errors=True)
    if wanted.termux.wake_lock:
        termux.wake_lock(name="Wake lock", _ignore_errors=True)


def _keep_cockpit(wanted: Spec) -> None:
    if wanted.cockpit is not None:
        from operations import cockpit  # noqa: PLC0415 - one machine of a fleet has one

        cockpit.kept(name="Cockpit", session_name=wanted.cockpit.session_name, _ignore_errors=True)


def _keep_limits(wanted: Spec) -> None:
    limit = wanted.limits
    if limit is None:
        return
    limits.within(
        name="Limits",
        disk_path=limit.disk.path,
        disk_warning=limit.disk.warning,
        disk_critical=limit.disk.critical,
        memory_warning=limit.memory_available.warning,
        memory_critical=limit.memory_available.critical,
        processes_warning=limit.processes.warning if limit.processes else None,
        processes_critical=limit.processes.critical if limit.processes else None,
        clock_skew=limit.clock_skew,
        disk_relief=limit.disk.relief,
        memory_relief=limit.memory_available.relief,
        disk_prevent=limit.disk.prevent,
        memory_prevent=limit.memory_available.prevent,
        servers=wanted.mcp_servers,
        _ignore_errors=True,
    )


# What is looked after by which scope, in this order: what makes room comes first.
WHOLE = "auto"
_PARTS: dict[Callable[[Spec], None], set[str]] = {
    _keep_limits: {WHOLE, "full", "performance"},
    _keep_files_small: {WHOLE, "full", "performance"},
    _keep_configuration: {WHOLE, "full", "integrations"},
    _keep_reachable: {WHOLE, "full", "communication"},
    _keep_cockpit: {WHOLE, "full", "communication"},
}
WITH_FLEET = frozenset({WHOLE, "full", "agents"})
WITH_SERVICES = frozenset({WHOLE, "full", "integrations"})
SCOPES = (WHOLE, "agents", "communication", "performance", "integrations", "full")


def scope_of(data: object) -> str:
    """What a run is asked to look after; ends the run when there is no such scope."""
    scope = WHOLE if data is None else str(data)
    if scope not in SCOPES:
        logger.error(f"--> scope is {scope!r}; allowed: {', '.join(SCOPES)}; nothing was changed on any host")
        raise SystemExit(1)
    return scope
