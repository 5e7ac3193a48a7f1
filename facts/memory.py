"""How much memory a host has left."""

from __future__ import annotations

import re

from typing_extensions import override

from facts.probe import COMMAND_TIMEOUT, Section, SectionFact, probe_script
from miyabi import state
from miyabi.errors import ParseError

# The shell reads /proc/meminfo itself, up to the last line that is wanted: that is cheaper than to start a program.
_SCRIPT = rf"""if [ -r /proc/meminfo ]; then
  while read -r key value unit; do
    case $key in
    MemTotal:|MemAvailable:|SwapTotal:) printf '%s %s\n' "$key" "$value";;
    SwapFree:) printf '%s %s\n' "$key" "$value"; break;;
    esac
  done </proc/meminfo
else
  command -v sysctl >/dev/null 2>&1 || {{ echo 'there is neither /proc/meminfo nor sysctl'; exit 1; }}
  sysctl hw.memsize vm.swapusage 2>&1
  bounded {COMMAND_TIMEOUT} memory_pressure -Q 2>/dev/null || sysctl kern.memorystatus_level 2>&1
fi
exit 0"""

_MEMINFO = re.compile(r"^(Mem\w+|Swap\w+): (\d+)$")
_MACOS = re.compile(r"^hw\.memsize: (?P<total>\d+)$", re.MULTILINE)
_MACOS_FREE = re.compile(
    r"^(?:System-wide memory free percentage|kern\.memorystatus_level): +(?P<percent>\d+)%?$", re.MULTILINE
)
_MACOS_SWAP = re.compile(r"^vm\.swapusage: total = (\d[\d.]*)([KMGT]?) +used = (\d[\d.]*)([KMGT]?)", re.MULTILINE)
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


def memory_section() -> Section[state.Memory]:
    """The section that tells memory and swap."""
    return Section("memory", _SCRIPT, _parse)


def _parse(lines: list[str]) -> state.Memory:
    sizes = {found[1]: int(found[2]) * 1024 for found in map(_MEMINFO.match, lines) if found}
    if "MemTotal" not in sizes:
        return _parse_macos("\n".join(lines))
    total = sizes["MemTotal"]
    available = sizes.get("MemAvailable")
    if available is None:
        # MemFree + Buffers + Cached, the usual estimate, counts shared memory as available: a wrong number.
        raise ParseError("the kernel is older than 3.14 and does not tell MemAvailable")
    swap_total = sizes["SwapTotal"]
    return state.Memory(
        total, available, round(100 * available / total, 2), swap_total, max(0, swap_total - sizes["SwapFree"])
    )


def _parse_macos(text: str) -> state.Memory:
    size, free, swap = _MACOS.search(text), _MACOS_FREE.search(text), _MACOS_SWAP.search(text)
    if size is None or free is None or swap is None:
        missing = "memory size" if size is None else "percentage of free memory" if free is None else "swap"
        raise ParseError(f"the host did not tell its {missing}")
    total, percent = int(size["total"]), int(free["percent"])
    if not 0 <= percent <= 100:
        raise ParseError(f"{percent} % of memory cannot be free")
    swap_total, swap_used = (round(float(swap[each]) * _UNITS[swap[each + 1]]) for each in (1, 3))
    return state.Memory(total, total * percent // 100, float(percent), swap_total, swap_used)


class Memory(SectionFact[state.Memory]):
    """Return how much memory and swap a host has, in bytes; None, with an error on the host, when unknown.

    ``available`` is what programs can have without swapping: Linux's and Android's MemAvailable (kernel 3.14 and newer,
    https://docs.kernel.org/filesystems/proc.html), macOS's system-wide free percentage (memory_pressure(1)), because
    the pages that are merely free are few on a healthy machine.

    .. code:: python

        Memory(total=25276518400, available=24370995200, available_percent=96.42, swap_total=0, swap_used=0)

    **Example:**

    .. code:: shell

        pyinfra inventory fact facts.memory.Memory
    """

    @override
    def command(self) -> str:
        """The probe with the memory section alone."""
        return probe_script([self.section()])

    @override
    def section(self) -> Section[state.Memory]:
        """The memory section."""
        return memory_section()
