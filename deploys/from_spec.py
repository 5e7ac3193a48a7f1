"""The upkeep operations that a host's spec asks for, in order: what makes room first, what needs it afterwards."""

from __future__ import annotations

from pyinfra import host

from facts.host import ladder_sections
from facts.observation import expect
from facts.upkeep import upkeep_sections
from miyabi.spec import Spec
from operations import files, integrations, limits, logs, processes, sshd, termux
from operations.integrations import as_check
from operations.processes import as_arguments


def expect_upkeep(wanted: Spec) -> None:
    """Have the first question to the current host ask all that upkeep will want to know."""
    expect(host, upkeep_sections(wanted))


def expect_everything(wanted: Spec) -> None:
    """Have the first question to the current host ask all that upkeep and the levels will want to know."""
    expect(host, ladder_sections(wanted))
    expect_upkeep(wanted)


def keep(wanted: Spec) -> None:
    """Keep what the current host's fleet stands on; an operation that fails stops no other, and no level.

    Lists are walked in one order on every host: pyinfra refuses operations that come in different orders.
    """
    _keep_limits(wanted)
    for temp in sorted(wanted.temp, key=lambda each: each.path):
        files.pruned(name=f"Temp {temp.path}", path=temp.path, older_than=temp.older_than, _ignore_errors=True)
    for log in sorted(wanted.logs, key=lambda each: each.path):
        logs.rotated(name=f"Log {log.path}", path=log.path, max_size=log.max_size, keep=log.keep, _ignore_errors=True)
    for file in sorted(wanted.config_files, key=lambda each: each.path):
        files.restored(
            name=f"Config {file.path}", path=file.path, format=file.format, backups=file.backups, _ignore_errors=True
        )
    if wanted.sshd is not None:
        sshd.running(name="sshd", port=wanted.sshd.port, start=wanted.sshd.start, _ignore_errors=True)
    for server in sorted(wanted.mcp_servers, key=lambda each: each.name):
        processes.running(name=f"Server {server.name}", **as_arguments(server), _ignore_errors=True)
    if wanted.termux.wake_lock:
        termux.wake_lock(name="Wake lock", _ignore_errors=True)


def check_services(wanted: Spec) -> None:
    """Check what the current host's agents need; the levels come before, as a service may be slow to answer."""
    for service in sorted(wanted.integrations, key=lambda each: each.name):
        integrations.reachable(name=f"Integration {service.name}", **as_check(service), _ignore_errors=True)


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
        servers=wanted.mcp_servers,
        _ignore_errors=True,
    )
