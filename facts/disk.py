"""How full the file system is that holds a path."""

from __future__ import annotations

import re
import shlex

from typing_extensions import override

from facts.probe import COMMAND_TIMEOUT, Section, SectionFact, probe_script
from miyabi import state
from miyabi.errors import ParseError

# A path that is not there yet is measured where it would be made. One that is there but may not be looked at, or a link
# to a place that is not mounted, has no number: its parent's would be another file system's.
# On macOS / is a sealed image; all that fills up is on the data volume beside it.
_SCRIPT = rf"""measure() {{ said=$(bounded {COMMAND_TIMEOUT} df -Pk "$1" 2>&1); code=$?; }}
case $path in /*) ;; *) path=./$path;; esac
asked=$path; data=/System/Volumes/Data
measure "$path"
if [ "$code" -ne 0 ] && [ "$code" -ne 124 ] && [ ! -e "$path" ]; then
  while [ ! -e "$path" ]; do
    [ ! -L "$path" ] || {{ shown "$path is a link to what is not there"; exit 1; }}
    case $path in */*) path=${{path%/*}};; *) path=.;; esac
    [ -n "$path" ] || path=/
  done
  [ ! -d "$path" ] || [ -x "$path" ] || {{ shown "$path: Permission denied"; exit 1; }}
  measure "$path"
fi
case $said in *" /") [ ! -d "$data" ] || measure "$data";; esac
shown "path $asked
$said"
exit $code"""

_ROW = re.compile(r"^.+?\s+(?P<size>\d+)\s+(?P<used>-?\d+)\s+(?P<available>-?\d+)\s+(?:\d+%|-)\s+(?P<mount>/.*)$")


def disk_section(path: str = "~") -> Section[state.Disk]:
    """The section that measures the file system of ``path``.

    + path: what to measure; a leading ``~`` is the user's home on the host, a path without ``/`` in front starts at the
      folder in which pyinfra's shell starts
    """
    return Section("disk", _on_host(path), _parse)


def _on_host(path: str) -> str:
    """The script with ``path`` in it, or one that refuses it: a bad path is one host's trouble, not the whole run's."""
    if not path.isprintable():
        return f"echo {shlex.quote(f'the path {path!a} holds a control character')}; exit 2"
    if path == "~" or path.startswith("~/"):
        value = '"${HOME:?is not set, so ~ is unknown}"' + shlex.quote(path[1:])
    elif path.startswith("~"):
        return f"echo {shlex.quote(f'{path}: only ~ itself is expanded, write the path out')}; exit 2"
    else:
        value = shlex.quote(path)
    return f"path={value}\n{_SCRIPT}"


def _parse(lines: list[str]) -> state.Disk:
    asked = lines[0].removeprefix("path ")
    row = next((found for found in map(_ROW.match, reversed(lines)) if found), None)
    if row is None:
        raise ParseError(f"df printed no row: {lines[-1]}")
    size, used, available = (max(0, int(row[key])) * 1024 for key in ("size", "used", "available"))
    if size == 0:
        raise ParseError(f"the file system at {row['mount']} has no size")
    taken = 100 * (size - min(available, size)) / size
    return state.Disk(asked, row["mount"], size, used, available, round(taken, 2))


class Disk(SectionFact[state.Disk]):
    """Return how full the file system is that holds a path; None, with an error on the host, when unknown.

    + path: what to measure; a leading ``~`` is the user's home on the host; where it does not exist yet, the nearest
      parent that does

    Sizes are in bytes. ``used_percent`` is the share of the whole size that is not available, on every platform: blocks
    kept for root count as used (so it is a little above ``df``'s own on ext4), and so does what the other volumes of an
    APFS container take. macOS's ``/`` is a sealed image: the data volume answers for it
    (https://support.apple.com/guide/security/signed-system-volume-security-secd698747c9/web).

    .. code:: python

        Disk(path="/home/kaede", mount="/", size=270553174016, used=25767157760, available=83178160128,
             used_percent=69.26)

    **Example:**

    .. code:: shell

        pyinfra @local fact facts.disk.Disk path=/tmp
    """

    @override
    def command(self, path: str = "~") -> str:
        """The probe with the disk section alone."""
        return probe_script([disk_section(path)])

    @override
    def section(self) -> Section[state.Disk]:
        """The disk section; its parser is the same for every path."""
        return disk_section()
