"""What the user wrote of servers, files, limits and services, as the spec that the program works on. Pure."""

from __future__ import annotations

from typing import Any

from miyabi.spec import (
    ConfigFile,
    DiskLimit,
    Limits,
    Log,
    McpServer,
    MemoryLimit,
    ProcessLimit,
    Relief,
    Sshd,
    Temp,
    Termux,
)
from miyabi.spec_host_schema import HostModel
from miyabi.spec_integration import Integration
from miyabi.spec_paths import dotted_pairs, join, joined
from miyabi.spec_upkeep_schema import IntegrationModel, LimitsModel, McpServerModel, ReliefModel


def expand_upkeep(model: HostModel, base_directory: str) -> dict[str, Any]:
    """The fields of a ``Spec`` that are about what the sessions stand on.

    + base_directory: where relative paths begin
    """
    return {
        "sshd": None if model.sshd is None else Sshd(model.sshd.port, model.sshd.start),
        "mcp_servers": tuple(_mcp_server(server, base_directory) for server in model.mcp_servers),
        "logs": tuple(Log(join(base_directory, log.path), log.max_size, log.keep) for log in model.logs),
        "temp": tuple(Temp(join(base_directory, temp.path), temp.older_than) for temp in model.temp),
        "config_files": tuple(
            ConfigFile(join(base_directory, file.path), file.format, file.backups) for file in model.config_files
        ),
        "limits": None if model.limits is None else _limits(model.limits, base_directory),
        "integrations": tuple(_integration(integration) for integration in model.integrations),
        "termux": Termux(model.termux.wake_lock, model.termux.notifications),
    }


def _mcp_server(model: McpServerModel, base_directory: str) -> McpServer:
    return McpServer(
        name=model.name,
        start=model.start,
        cwd=joined(model.cwd, base_directory),
        match=model.match,
        port=model.port,
        expected=model.expected,
        environment=dotted_pairs(model.environment, base_directory),
        orphans=model.orphans,
    )


def _limits(model: LimitsModel, base_directory: str) -> Limits:
    disk, memory, processes = model.disk, model.memory_available, model.processes
    return Limits(
        DiskLimit(
            join(base_directory, disk.path),
            disk.warning,
            disk.critical,
            _reliefs(disk.relief, base_directory),
            disk.prevent,
        ),
        MemoryLimit(memory.warning, memory.critical, _reliefs(memory.relief, base_directory), memory.prevent),
        None if processes is None else ProcessLimit(processes.warning, processes.critical),
        model.clock_skew.warning,
    )


def _reliefs(models: list[ReliefModel], base_directory: str) -> tuple[Relief, ...]:
    return tuple(_relief(model, base_directory) for model in models)


def _relief(model: ReliefModel, base_directory: str) -> Relief:
    if model.prune is not None:
        return Relief("prune", join(base_directory, model.prune), older_than=model.older_than)
    if model.rotate is not None:
        return Relief("rotate", join(base_directory, model.rotate), keep=model.keep)
    return Relief("restart", model.restart or "")


def _integration(model: IntegrationModel) -> Integration:
    return Integration(
        name=model.name,
        command=model.command,
        tcp=model.tcp,
        http=model.http,
        expect=tuple(model.expect),
        headers=tuple(model.headers.items()),
        timeout=model.timeout,
        remedy=model.remedy,
    )
