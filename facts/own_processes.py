"""How many processes the user of a host has."""

from __future__ import annotations

from typing_extensions import override

from facts.probe import COMMAND_TIMEOUT, Section, SectionFact, probe_script
from miyabi.errors import ParseError
from miyabi.processes import descendants
from miyabi.state import Process

# busybox's `ps` tells no uid, and eight characters of a name. Linux's kernel threads are children of kthreadd; in a
# container 2 is a process as any other. An Android app is none of Termux's processes: what it starts is.
_SCRIPT = rf"""echo "probe $$"; mine=$(id -u) kernel=; name=
{{ read -r kernel </proc/2/comm; }} 2>/dev/null
rows=$(bounded {COMMAND_TIMEOUT} ps -A -o uid= -o pid= -o ppid= -o args= 2>/dev/null) || {{
  [ "$?" -ne 124 ] || exit 124
  name=$(id -un | cut -c 1-8)
  rows=$(bounded {COMMAND_TIMEOUT} ps -o user,pid,ppid,args 2>/dev/null) || {{ echo 'ps gave no answer'; exit 1; }}
}}
printf '%s\n' "$rows" | while read -r owner pid parent words; do
  [ "$owner" = "${{name:-$mine}}" ] || continue
  case $words in *' '*) ;; com.termux|com.termux[.:]*) continue;; esac
  [ "$kernel" != kthreadd ] || case "$pid,$parent" in 2,*|*,2) continue;; esac
  echo "$pid $parent"
done"""


def own_processes_section() -> Section[int]:
    """The section that counts the user's own processes, the probe's left out."""
    return Section("own", _SCRIPT, _parse)


def _parse(lines: list[str]) -> int:
    first, *rows = lines
    listed = [Process(int(pid), int(parent), "") for pid, parent in (row.split() for row in rows)]
    if not listed:
        raise ParseError("ps listed no process of the user's, not even itself")
    own = descendants(listed, int(first.removeprefix("probe ")))
    return len(listed) - len(own)


class OwnProcesses(SectionFact[int]):
    """Return how many processes the user has on a host; None, with an error on the host, when unknown.

    Linux's kernel threads, Android's apps and the probe's own processes do not count.

    .. code:: python

        41

    **Example:**

    .. code:: shell

        pyinfra inventory fact facts.own_processes.OwnProcesses
    """

    @override
    def command(self) -> str:
        """The probe with this section alone."""
        return probe_script([self.section()])

    @override
    def section(self) -> Section[int]:
        """The section that counts."""
        return own_processes_section()
