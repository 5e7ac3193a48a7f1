"""Logs that have grown, as a host sees them. Pure."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from miyabi.errors import ParseError
from miyabi.host_paths import FILE_TOOLS, HEXED, STAMP, from_hex, names_in_words
from miyabi.shell import pattern

# Names that are no logs: what rotation itself makes, and what is compressed already.
_NO_LOG = ("*.gz", "*.xz", "*.bz2", "*.zst", f"*.{STAMP}", f"*.{STAMP}_[0-9]*", f"*.{STAMP}.*")

# What a rotation that was killed has left: the parts of an archive that is not finished.
LEFTOVERS = f".{STAMP}*.[hpt]*"

# Bytes below which a file system may keep a file in its own way, so that the blocks it occupies say nothing.
_SMALL = 65536

# held: whether a process has the file open for writing, as far as this user may look. `-ef` starts no program.
# due: whether a log is to be rotated. A writer that does not append leaves a hole where the log was cut: the log is as
# large as what it occupies. Of a log that is being written the last block stays: it could not be cut without a loss.
JUDGING = rf"""held() {{
  for _fd in /proc/[0-9]*/fd/*; do
    [ "$_fd" -ef "$1" ] || continue
    [ -r "${{_fd%/fd/*}}/fdinfo/${{_fd##*/}}" ] || return 0
    while read -r _key _flags; do case $_key$_flags in flags:*[123]) return 0;; esac
    done 2>/dev/null <"${{_fd%/fd/*}}/fdinfo/${{_fd##*/}}"
  done; return 1
}}
block() {{
  _block=$(stat -f -c %S "$1" 2>/dev/null)
  case $_block in ''|*[!0-9]*|0) _block=4096;; esac; echo "$_block"
}}
measured() (
  set -f; set -- $(ls -lnskLd "$1" 2>/dev/null) && [ "$#" -gt 6 ] || exit 1
  [ "$6" -le {_SMALL} ] || [ "$(($1 * 1024))" -ge "$6" ] || {{ echo "$6 $(($1 * 1024))"; exit; }}
  echo "$6 $6"
)
due() {{
  _size=$(measured "$1") || return 1
  _size=${{_size#* }}; [ "$_size" -ge "$2" ] || return 1
  [ "$_size" -gt {_SMALL} ] || [ "$_size" -gt "$(block "$1")" ] || ! held "$1"
}}
mine() (
  [ -O "$1" ] || exit 1
  [ -L "$1" ] || exit 0
  _file=$1; set -f; set -- $(ls -lnd "$_file"); [ "$3" = "$(id -u)" ]
)"""

_TOLD = f"""{HEXED}
{JUDGING}
{FILE_TOOLS}
least=$1; shift
for log do
  due "$log" "$least" || continue
  mine "$log" || {{ echo "foreign $(hexed "$log")"; continue; }}
  file=$(real "$log"); newest=none
  for old in "$file".{STAMP}*; do [ ! -f "$old" ] || newest=${{old#"$file".}}; done
  echo "over $_size $newest $(hexed "$log")"
done"""


@dataclass(frozen=True, slots=True)
class LogFile:
    """A log that is to be rotated.

    + path: on the host
    + size: bytes that it occupies
    + newest: what the name of its newest old log ends in; None when it has none
    """

    path: str
    size: int
    newest: str | None = None


@dataclass(frozen=True, slots=True)
class Logs:
    """What there is to do for the logs of a path or a pattern.

    + over: those that have reached their size
    + foreign: those that have, but belong to another user
    + unfinished: how many parts of archives a rotation that was killed has left
    """

    over: tuple[LogFile, ...] = ()
    foreign: tuple[str, ...] = ()
    unfinished: int = 0


def logs_script(path: str, max_size: int, seconds: int) -> str:
    """The shell text that finds the logs of ``path`` that have reached ``max_size``.

    + max_size: bytes; 0 is every log that is not empty
    + seconds: how long the search may take

    Where no log has grown, the shell starts one program.
    """
    least = max(max_size, 1)
    no_log = " ".join(f"! -name {shlex.quote(name)}" for name in _NO_LOG)
    return f"""left=0; for each in {pattern(path)}{LEFTOVERS}; do [ ! -f "$each" ] || left=$((left + 1)); done
echo "unfinished $left"
set -- {pattern(path)}
case $1 in /*) ;; *) shown "$1: this is no absolute path here"; exit 2;; esac
[ "$#" -gt 1 ] || [ -e "$1" ] || exit 0
bounded {seconds} find -H "$@" -prune -type f -size +{least - 1}c {no_log} \\
  -exec sh -c {shlex.quote(_TOLD)} sh {least} {{}} + 2>/dev/null
code=$?; [ "$code" -ge 124 ] || exit 0
[ "$code" -ne 127 ] || echo 'find is not there'
[ "$code" -ne 126 ] || echo 'there are too many files to look at'
exit "$code\""""


def not_rotated(before: Logs, now: Logs) -> str | None:
    """What is still wrong after a rotation; None when all is well.

    A log that is over its size again has been rotated when it has a newer old log, or holds less.
    """
    known = {log.path: log for log in before.over}
    same = [
        log.path
        for log in now.over
        if (old := known.get(log.path)) and log.newest == old.newest and log.size >= old.size
    ]
    if same:
        return f"still too large: {names_in_words(same)}"
    return "a part of an old log is left" if now.unfinished else None


def read_logs(lines: list[str]) -> Logs:
    """What ``logs_script`` has printed."""
    over, foreign, unfinished = [], [], 0
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "over":
            size, newest, name = rest.split(" ")
            over.append(LogFile(from_hex(name), int(size), None if newest == "none" else newest))
        elif word == "foreign":
            foreign.append(from_hex(rest))
        elif word == "unfinished":
            unfinished = int(rest)
        else:
            raise ParseError(f"this is nothing about logs: {line}")
    if not any(line.startswith("unfinished ") for line in lines):
        raise ParseError("nothing was told about logs")
    return Logs(tuple(over), tuple(foreign), unfinished)
