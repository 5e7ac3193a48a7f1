"""Since when processes of agents run, and which conversations they hold open: asked only of those nobody has named."""

from __future__ import annotations

import re
from collections.abc import Iterable

from facts.probe import COMMAND_TIMEOUT, Section, keyed_section
from miyabi.conversation_search import Origin
from miyabi.errors import ParseError
from miyabi.host_paths import HEXED, from_hex

_ROW = re.compile(r"\s*(\d+)\s+(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)\s*")


def origins_section(pids: Iterable[int]) -> Section[dict[int, Origin]]:
    """The section that tells of processes when they began and which JSONL files they hold open.

    + pids: of these

    One that has ended meanwhile is left out. Open files are told by /proc, or by lsof where it is there.
    """
    asked = " ".join(str(pid) for pid in sorted(set(pids)))
    script = rf"""{HEXED}
unset COLUMNS; echo "now $(date +%s)"
list() {{ bounded {COMMAND_TIMEOUT} ps "$@" 2>/dev/null; }}
{{ list -A -o pid= -o etime= || list -o pid,etime; }} |
  awk -v asked=" {asked} " 'index(asked, " " $1 " ") {{ print "age", $0 }}'
for pid in {asked}; do
  if [ -r "/proc/$pid/fd" ]; then
    echo "files $pid"
    for each in "/proc/$pid/fd"/*; do
      to=$(readlink "$each") || continue
      case $to in /*.jsonl) echo "file $pid $(hexed "$to")";; esac
    done
  elif command -v lsof >/dev/null 2>&1; then
    held=$(bounded {COMMAND_TIMEOUT} lsof -w -p "$pid" -Fn 2>/dev/null) || continue
    echo "files $pid"
    printf '%s\n' "$held" | while IFS= read -r each; do
      case $each in n/*.jsonl) echo "file $pid $(hexed "${{each#n}}")";; esac
    done
  fi
done"""
    return keyed_section("origins", script, _parse)


def _parse(lines: list[str]) -> dict[int, Origin]:
    first, *rest = lines
    now = float(first.removeprefix("now "))
    ages: dict[int, float] = {}
    files: dict[int, list[str]] = {}
    for line in rest:
        word, _, told = line.partition(" ")
        if word == "age":
            found = _ROW.fullmatch(told)
            if found is None:
                raise ParseError(f"ps printed {told[:80]!r}")
            pid, days, hours, minutes, seconds = (int(each or 0) for each in found.groups())
            ages[pid] = now - (((days * 24) + hours) * 60 + minutes) * 60 - seconds
        elif word == "files":
            files[int(told)] = []
        elif word == "file":
            pid_text, _, path = told.partition(" ")
            files[int(pid_text)].append(from_hex(path))
    return {pid: Origin(born, tuple(files[pid]) if pid in files else None) for pid, born in ages.items()}
