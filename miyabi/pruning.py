"""Temporary files that are old: which paths may be named, and how a host finds and removes them. Pure.

What is a candidate is decided in one place, at the moment of the search and again at that of the removal: it lies in
the folder that was named, belongs to the user, is old with all that is in it, holds no mount point, socket or FIFO, and
no process that this user may look at has it open, works in it or runs from it (where there is a /proc).
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from math import ceil

from miyabi.errors import ParseError
from miyabi.host_lock import alone
from miyabi.host_paths import HEXED, TOLD, from_hex, refuse_path
from miyabi.shell import HOST_ENVIRONMENT, HostText, pattern, quoted

# Folders of the system: nothing in them is temporary, whoever names them.
_SYSTEM = ("bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "proc", "sbin", "sys", "usr", "System")
_NOT_SYSTEM = ("/dev/shm/", "/usr/local/", "/usr/tmp/")  # noqa: S108 - it is only recognised

_BRACKETS = re.compile(r"\[[^]/]+\]")

# Sets real, the place of candidate $f without links on the way, when it may be removed.
# `ls` reads where links of /proc lead without going there: a network that hangs does not matter.
_JUDGE = rf"""{HEXED}
uid=$(id -u); last=; count=0
home=$(cd -P -- "$HOME" 2>/dev/null && pwd -P)
opened=$(ls -ln /proc/[0-9]*/fd /proc/[0-9]*/cwd /proc/[0-9]*/exe 2>/dev/null | grep -F -e "-> $ROOT/")
mounts=$(mount 2>/dev/null | grep -F -e " $ROOT/")
young=; [ -z "$MINUTES" ] || young="-o ! -mmin +$MINUTES"
old=; [ -z "$MINUTES" ] || old="-mmin +$MINUTES"
end='
'
candidate() {{
  case ${{1##*/}} in .|..|'') return 1;; esac
  if [ "${{1%/*}}" != "$last" ]; then last=${{1%/*}}; inside=$(cd -P -- "$last" 2>/dev/null && pwd -P); fi
  case $inside/ in "$ROOT"/*) ;; *) echo "outside $(hexed "$1")"; return 1;; esac
  real=$inside/${{1##*/}}
  case $home/ in "$real"/*) echo "outside $(hexed "$1")"; return 1;; esac
  case $mounts in *" $real "*|*" $real/"*) return 1;; esac
  case $opened$end in *"-> $real$end"*|*"-> $real/"*) return 1;; esac
  if [ -L "$real" ] || [ ! -d "$real" ]; then return 0; fi
  [ -z "$(find "$real" -xdev \( ! -user "$uid" -o ! -type d ! -type f ! -type l $young \) -print 2>&1 | head -n 1)" ]
}}
passed=
for f do
  if candidate "$f"; then passed=${{passed}}1; count=$((count + 1)); else passed=${{passed}}0; fi
done
[ "$count" -gt 0 ] || exit 0
# Adding to a list one by one is slow where it is long, and mostly nothing has to be left out.
case $passed in *0*)
  first=1
  for f do
    [ -z "$first" ] || set --
    first=; case $passed in 1*) set -- "$@" "$f";; esac
    passed=${{passed#?}}
  done;;
esac
"""

_TELL = rf"""total=$(du -skc "$@" 2>/dev/null | tail -n 1); total=${{total%%[!0-9]*}}
echo "found $count ${{total:-0}}"
for f do
  [ "$count" -gt 0 ] && [ "$((told = ${{told:-0}} + 1))" -le {TOLD} ] || break
  echo "name $(hexed "$f")"
done"""

# A file that came while the others were removed keeps its folder.
_REMOVE = r"""failed=0
find "$@" -prune ! -type d $old -exec rm -f {} + || for f do
  if [ -L "$f" ] || [ ! -d "$f" ] && [ -e "$f" ]; then failed=1; fi
done
for f do
  [ -d "$f" ] && [ ! -L "$f" ] || continue
  find "$f" -xdev -type d ! -perm -700 -exec chmod u+rwx {} + 2>/dev/null
  find "$f" -xdev ! -type d $old -exec rm -f {} + || failed=1
  find "$f" -xdev -depth -type d -exec rmdir {} + 2>/dev/null
done
[ "$failed" -eq 0 ]
"""


@dataclass(frozen=True, slots=True)
class Prunable:
    """What there is to remove at a path or a pattern.

    + count: files, links and whole folders
    + size: bytes that they occupy
    + names: the first of them
    + outside: what matches, but lies elsewhere behind a link, or is the home or above it
    """

    count: int = 0
    size: int = 0
    names: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()


def is_broad(path: str) -> bool:
    """Whether removing what is old at ``path`` would reach into a system's or a home's own folders."""
    first, *rest = [step for step in path.split("/") if step not in {"", "."}] or [""]
    is_home = first.startswith(("~", "$"))
    steps = rest if is_home else [first, *rest]
    only_pattern = not steps or not _BRACKETS.sub("", steps[-1]).strip("*?[]!.")
    if ".." in steps or len(steps) < (1 if is_home else 2) + only_pattern or (not is_home and _is_pattern(first)):
        return True
    return not is_home and first in _SYSTEM and not f"/{'/'.join(steps)}".startswith(_NOT_SYSTEM)


def refuse_prune(path: str) -> str | None:
    """Why nothing may be removed at ``path``; None when it may.

    + path: a path or a pattern
    """
    reason = refuse_path(path)
    if reason is None and is_broad(path):
        return f"{path} holds more than temporary files; name a path of its own below a folder, such as /tmp/claude-*"
    return reason


def prunable_script(path: str, older_than: float, seconds: int) -> str:
    """The shell text that tells what there is to remove at ``path``.

    + path: one that ``refuse_prune`` does not refuse
    + older_than: seconds since the last change; 0 is everything
    + seconds: how long the search may take
    """
    return f"""echo searched
for each in {pattern(_plain(path))}; do break; done
case $each in /*) [ -e "$each" ] || [ -L "$each" ] || exit 0;; esac
{_setting(path, older_than, _TELL)}
printf '%s\\0' {pattern(_plain(path))} | bounded {seconds} xargs -0 sh -c "$SEARCH 2>/dev/null" sh
code=$?; [ "$code" -ne 127 ] || echo 'xargs is not there'
[ "$code" -eq 123 ] || exit "$code\""""


def pruning_script(path: str, older_than: float) -> str:
    """The shell text that removes what ``prunable_script`` tells of, as far as that is still so."""
    script = f"""shown() {{ printf '%s\\n' "$1" | tr -c '\\n -~' '?'; }}
{_setting(path, older_than, _REMOVE)}
printf '%s\\0' {pattern(_plain(path))} | xargs -0 sh -c "$SEARCH" sh"""
    return f"{HOST_ENVIRONMENT}; LC_ALL=C; export LC_ALL\n{alone('prune', script)}"


def _setting(path: str, older_than: float, do: str) -> str:
    """The shell text that leaves with 0 where nothing can be there, and with 2 where a link leads elsewhere."""
    steps = _plain(path).split("/")
    names = next((number for number, step in enumerate(steps) if _is_pattern(step)), len(steps) - 1)
    depth = min(2 if not steps[0] else 1, names)
    base, folder = "/".join(steps[:depth]), "/".join(steps[:names])
    minutes = str(ceil(older_than / 60)) if older_than else ""
    search = (
        'find "$@" -prune -user "$(id -u)" \\( -type f -o -type l -o -type d \\) '
        f"{f'-mmin +{minutes} ' if minutes else ''}-exec sh -c 'eval \"$JUDGE\"' sh {{}} +"
    )
    return f"""base={quoted(HostText(base))}; folder={quoted(HostText(folder))}
case $folder in /*) ;; *) shown "$folder: this is no absolute path here" >&2; exit 2;; esac
ROOT=$(cd -P -- "$folder" 2>/dev/null && pwd -P) || exit 0
if [ "$ROOT" != "$(cd -P -- "$base" && pwd -P)${{folder#"$base"}}" ] || [ "$ROOT" = / ]; then
  shown "$folder is, or is behind, a link to $ROOT: name the folder itself" >&2; exit 2
fi
MINUTES={minutes}; SEARCH={shlex.quote(search)}; JUDGE={shlex.quote(_JUDGE + do)}; export ROOT MINUTES SEARCH JUDGE"""


def _is_pattern(step: str) -> bool:
    return any(character in step for character in "*?[")


def _plain(path: str) -> str:
    """``path`` without repeated and last slashes, and without steps that go nowhere."""
    first, *rest = path.split("/")
    return "/".join([first, *(step for step in rest if step not in {"", "."})])


def read_prunable(lines: list[str]) -> Prunable:
    """What ``prunable_script`` has printed."""
    if lines[:1] != ["searched"]:
        raise ParseError(f"nothing was told about files to remove: {lines[-1] if lines else 'no output'}")
    count = size = 0
    names: list[str] = []
    outside: list[str] = []
    for line in lines[1:]:
        word, *rest = line.split(" ")
        if word == "found" and len(rest) == 2:
            count, size = count + int(rest[0]), size + int(rest[1]) * 1024
        elif word in {"name", "outside"} and len(rest) == 1:
            (names if word == "name" else outside).append(from_hex(rest[0]))
        else:
            raise ParseError(f"this is nothing about files to remove: {line}")
    return Prunable(count, size, tuple(names[:TOLD]), tuple(outside))
