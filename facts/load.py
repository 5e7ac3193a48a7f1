"""How busy a host is."""

from __future__ import annotations

import re

from typing_extensions import override

from facts.probe import Section, SectionFact, probe_script
from miyabi import state
from miyabi.errors import ParseError

# Android denies /proc/loadavg, macOS has none: `uptime` tells the same there. The load counts all processors, so the
# kernel's list of those that are online goes with it, and `nproc` (which tells those of one process) only without it.
_SCRIPT = r"""one=; cpus=
{ read -r one five fifteen rest </proc/loadavg; } 2>/dev/null
if [ -n "$one" ]; then printf 'load average: %s, %s, %s\n' "$one" "$five" "$fifteen"; else uptime; fi
{ read -r cpus </sys/devices/system/cpu/online; } 2>/dev/null
if [ -n "$cpus" ]; then printf 'online %s\n' "$cpus"
else printf 'processors '; nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null; fi
exit 0"""

_LOAD = re.compile(r"load averages?: +(\d+\.\d+),? +(\d+\.\d+),? +(\d+\.\d+)")
_ONLINE = re.compile(r"^online ([\d,-]+)$")
_PROCESSORS = re.compile(r"^processors (\d+)$")


def load_section() -> Section[state.Load]:
    """The section that tells the load averages and the number of processors."""
    return Section("load", _SCRIPT, _parse)


def _parse(lines: list[str]) -> state.Load:
    load = next((found for found in map(_LOAD.search, lines) if found), None)
    if load is None:
        raise ParseError("the host told no load averages")
    return state.Load(float(load[1]), float(load[2]), float(load[3]), _processors(lines))


def _processors(lines: list[str]) -> int | None:
    for line in lines:
        if found := _ONLINE.match(line):
            return sum(_width(each) for each in found[1].split(","))
        if found := _PROCESSORS.match(line):
            return int(found[1])
    return None


def _width(cpus: str) -> int:
    """How many processors one item of the kernel's list means: ``0-3`` is 4, ``6`` is 1."""
    first, _, last = cpus.partition("-")
    return int(last or first) - int(first) + 1


class Load(SectionFact[state.Load]):
    """Return the load averages and the number of processors of a host; None, with an error on it, when unknown.

    ``processors`` is those that are online, None when the host does not tell. Android counts sleeping kernel threads: a
    load far above the processors is usual on a healthy phone.

    .. code:: python

        Load(one=0.42, five=0.37, fifteen=0.3, processors=2)

    **Example:**

    .. code:: shell

        pyinfra inventory fact facts.load.Load
    """

    @override
    def command(self) -> str:
        """The probe with the load section alone."""
        return probe_script([self.section()])

    @override
    def section(self) -> Section[state.Load]:
        """The load section."""
        return load_section()
