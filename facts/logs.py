"""Logs of a host that have grown beyond a size."""

from __future__ import annotations

import shlex
from dataclasses import replace

from typing_extensions import override

from facts.probe import COMMAND_TIMEOUT, Section, SectionFact, keyed_section, probe_script
from miyabi.host_paths import refuse_path
from miyabi.rotation import Logs, logs_script, read_logs
from miyabi.units import parse_size

SUBJECT = "log"


def logs_section(path: str, max_size: float | str = 100_000_000) -> Section[Logs]:
    """The section that finds logs to rotate.

    + path: a path or a pattern
    + max_size: bytes, or text such as ``100MB``
    """
    try:
        reason, size = refuse_path(path), parse_size(max_size)
    except ValueError as error:
        reason, size = f"max_size: {error}", 0
    script = f"echo {shlex.quote(reason)}; exit 2" if reason else logs_script(path, size, COMMAND_TIMEOUT)
    return keyed_section(SUBJECT, script, read_logs)


class GrownLogs(SectionFact[Logs]):
    """Return the logs that have reached a size; None, with an error on the host, when unknown.

    + path: a path or a pattern with ``*``, ``?`` and ``[..]``; may begin with ``~`` or ``$NAME`` of the host
    + max_size: bytes, or text such as ``100MB``

    .. code:: python

        Logs(over=(LogFile(path="/home/kaede/.miyabi/logs/codegen.log", size=104857600),), foreign=(), unfinished=0)

    **Example:**

    .. code:: shell

        pyinfra @local fact facts.logs.GrownLogs path='~/.miyabi/logs/*.log' max_size=100MB
    """

    @override
    def command(self, path: str, max_size: float | str = 100_000_000) -> str:
        """The probe with this section alone."""
        return probe_script([replace(logs_section(path, max_size), title=SUBJECT)])

    @override
    def section(self) -> Section[Logs]:
        """The section; its parser is the same for every path."""
        return Section(SUBJECT, "", read_logs)
