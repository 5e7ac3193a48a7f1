"""Which processes run on a host."""

from __future__ import annotations

import re

from typing_extensions import override

from facts.probe import COMMAND_TIMEOUT, Section, SectionFact, probe_script
from miyabi import state
from miyabi.errors import ParseError
from miyabi.processes import descendants

# Characters of a command line that are told: enough to know a program by, and a fleet's answers stay small.
ARGUMENTS_LENGTH = 400

# A width in COLUMNS would cut the lines, and macOS cuts them without -ww; busybox knows no -ww. `sed` takes out the
# bytes that are not ASCII, what looks like the probe's own marker, and Linux's kernel threads, half of a usual list.
_SCRIPT = rf"""unset COLUMNS; echo "probe $$"
list() {{ bounded {COMMAND_TIMEOUT} ps "$@" 2>/dev/null; code=$?; [ "$code" -eq 0 ] || [ "$code" -eq 124 ]; }}
{{ list -A -ww -o pid= -o ppid= -o args= || list -A -o pid= -o ppid= -o args= || list -o pid,ppid,args
echo "exit $code"; }} | sed -e 's/[^ -~]/?/g' -e 's/##miyabi/# #miyabi/g' -e '/^ *[0-9][0-9]*  *2 \[/d' |
cut -c 1-{ARGUMENTS_LENGTH + 40}"""

_PROBE = probe_script([]).partition("\n")[0]
_ROW = re.compile(r"^\s*(\d+)\s+(\d+)(?:\s+(.*))?$")
_HEADER = re.compile(r"^\s*PID\s+PPID\s+\w+\s*$")


def processes_section() -> Section[tuple[state.Process, ...]]:
    """The section that lists the processes."""
    return Section("processes", _SCRIPT, _parse)


def _parse(lines: list[str]) -> tuple[state.Process, ...]:
    first, *rows, last = lines
    if last != "exit 0":
        raise ParseError("ps gave no answer" if last.startswith("exit ") else "the list of ps is cut off")
    listed = tuple(_process(row) for row in rows if row.strip() and not _HEADER.match(row))
    if not listed:
        raise ParseError("ps listed no process, not even itself")
    own = {process.pid for process in descendants(listed, int(first.removeprefix("probe ")))}
    return tuple(each for each in listed if each.pid not in own and _counts(each.arguments))


def _counts(arguments: str) -> bool:
    # A zombie runs nothing any more. The shells around a probe have its text in their arguments: whoever looks for a
    # word must not find it there.
    return not arguments.endswith("<defunct>") and _PROBE not in arguments


def _process(row: str) -> state.Process:
    found = _ROW.match(row)
    if found is None:
        raise ParseError(f"ps printed {row[:80]!r}")
    return state.Process(int(found[1]), int(found[2]), (found[3] or "").strip()[:ARGUMENTS_LENGTH])


class Processes(SectionFact[tuple[state.Process, ...]]):
    """Return the processes of a host that its user may see; None, with an error on the host, when unknown.

    Command lines are cut after 400 characters, and bytes outside ASCII are shown as ``?``. Zombies and probes, this
    one's own processes among them, are left out. Android shows an app its own processes only.

    .. code:: python

        (Process(pid=1, parent=0, arguments="/sbin/init"), Process(pid=812, parent=1, arguments="cron -f"))

    **Example:**

    .. code:: shell

        pyinfra inventory fact facts.processes.Processes
    """

    @override
    def command(self) -> str:
        """The probe with the processes section alone."""
        return probe_script([self.section()])

    @override
    def section(self) -> Section[tuple[state.Process, ...]]:
        """The processes section."""
        return processes_section()
