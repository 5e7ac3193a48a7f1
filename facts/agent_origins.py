"""Since when processes of agents run, and which conversations they hold open: asked only of those nobody has named."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from facts.probe import COMMAND_TIMEOUT, Section, keyed_section
from miyabi.conversation_search import Origin
from miyabi.errors import ParseError
from miyabi.host_paths import HEXED, from_hex

_ROW = re.compile(r"\s*(\d+)\s+(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)\s*")


def origins_section(pids: Iterable[int]) -> Section[dict[int, Origin]]:
    """The section that tells of processes when they began, where they work and which JSONL files they hold open.

    + pids: of these

    One that has ended meanwhile is left out. /proc tells of folders and files, or lsof where it is there.
    """
    asked = " ".join(str(pid) for pid in sorted(set(pids)))
    script = rf"""{HEXED}
unset COLUMNS; echo "now $(date +%s)"
list() {{ bounded {COMMAND_TIMEOUT} ps "$@" 2>/dev/null; }}
{{ list -A -o pid= -o etime= || list -o pid,etime; }} |
  awk -v asked=" {asked} " 'index(asked, " " $1 " ") {{ print "age", $0 }}'
told() {{ case $2 in /*) echo "$1 $pid $(hexed "$2")";; esac; }}
for pid in {asked}; do
  if [ -d "/proc/$pid" ]; then
    [ -O "/proc/$pid" ] || {{ echo "foreign $pid"; continue; }}
    told folder "$(readlink "/proc/$pid/cwd")"
    for each in "/proc/$pid/fd"/*; do
      to=$(readlink "$each") || continue
      case $to in *.jsonl) told file "$to";; esac
    done
  elif command -v lsof >/dev/null 2>&1; then
    held=$(bounded {COMMAND_TIMEOUT} lsof -w -p "$pid" -Fn 2>/dev/null)
    printf '%s\n' "$held" | while IFS= read -r each; do
      case $each in
        f*) what=${{each#f}};;
        n*.jsonl) told file "${{each#n}}";;
        n*) [ "$what" != cwd ] || told folder "${{each#n}}";;
      esac
    done
  fi
done"""
    return keyed_section("origins", script, _parse)


def _parse(lines: list[str]) -> dict[int, Origin]:
    first, *rest = lines
    now = float(first.removeprefix("now "))
    found: dict[int, Origin] = {}
    for line in rest:
        word, _, told = line.partition(" ")
        if word == "age":
            pid, age = _age(told)
            found[pid] = Origin(now - age)
            continue
        pid_text, _, path = told.partition(" ")
        pid = int(pid_text)
        if pid not in found:
            continue
        if word == "foreign":
            found[pid] = replace(found[pid], is_own=False)
        elif word == "folder":
            found[pid] = replace(found[pid], folder=from_hex(path))
        elif word == "file":
            found[pid] = replace(found[pid], files=(*found[pid].files, from_hex(path)))
    return found


def _age(row: str) -> tuple[int, int]:
    """A pid, and the seconds that it has lived, of a row such as ``812 1-02:03:04``."""
    found = _ROW.fullmatch(row)
    if found is None:
        raise ParseError(f"ps printed {row[:80]!r}")
    pid, days, hours, minutes, seconds = (int(each or 0) for each in found.groups())
    return pid, ((days * 24 + hours) * 60 + minutes) * 60 + seconds
