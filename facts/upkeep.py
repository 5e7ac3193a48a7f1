"""What upkeep wants to know of a host, so that it is asked together with everything else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from facts.clock import clock_section
from facts.daemons import daemons_section
from facts.disk import disk_section
from facts.files import config_section, prunable_section
from facts.logs import logs_section
from facts.memory import memory_section
from facts.own_processes import own_processes_section
from facts.platform import host_section
from facts.probe import Section
from facts.processes import processes_section
from facts.sshd import sshd_section
from facts.termux import wake_section
from miyabi.spec import Spec


def upkeep_sections(wanted: Spec) -> Iterator[Section[Any]]:
    """The sections that the upkeep operations of a spec look at before the levels.

    Services are asked after them, in an execution of their own: one that is slow must not keep an agent waiting.
    """
    yield host_section()
    if wanted.limits is not None:
        yield from (disk_section(wanted.limits.disk.path), memory_section(), clock_section())
        yield own_processes_section() if wanted.limits.processes else processes_section()
    for temp in wanted.temp:
        yield prunable_section(temp.path, temp.older_than)
    for log in wanted.logs:
        yield logs_section(log.path, log.max_size)
    for file in wanted.config_files:
        yield config_section(file.path, file.format)
    if wanted.sshd is not None:
        yield sshd_section(wanted.sshd.port)
    for server in wanted.mcp_servers:
        yield daemons_section(server.name, server.match, server.port)
    if wanted.termux.wake_lock:
        yield wake_section()
    if wanted.cockpit is not None:
        from facts.cockpit import cockpit_section  # noqa: PLC0415 - one machine of a fleet has one

        yield cockpit_section(wanted.cockpit.session_name, wanted.tmux)
