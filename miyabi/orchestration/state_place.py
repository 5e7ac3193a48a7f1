"""Shell text with which every script begins that writes into a workspace. Pure."""

from __future__ import annotations

import re
from shlex import quote

from miyabi.host_lock import alone
from miyabi.host_paths import FILE_TOOLS, LATER, names_in_words
from miyabi.orchestration.workspace import RECOVERY_FOLDER, STATE_FOLDER
from miyabi.orchestration.workspace_script import DIGESTS
from miyabi.shell import HOST_ENVIRONMENT, HostText, quoted

# What the scripts end with, beside 0: another run is at work, or a live process holds the file's lock; the file is not
# what was judged; it may not be written at all; it could not be written now (a full disk). Nothing has changed then.
BUSY, CHANGED, REFUSED, FAILED = 75, 76, 77, 74

# What stands for the digest of a file that must not be there.
NO_FILE = "none"

_NAME = re.compile(r"session-[^/\0]*\.json|events/[^/\0]+\.jsonl")

# It ends up in the workspace's folder, with its physical path in `root`, and with `state` and `recovery`. What is kept
# there may be secret: no repository takes it up.
_PLACE = rf"""slowly=; refuse() {{ echo "$said: $2" >&2; exit "$1"; }}
host=$(uname -n)
case $work in /*) ;; *) refuse {REFUSED} 'its workspace is no absolute path on this host';; esac
cd "$work" 2>/dev/null || refuse {REFUSED} 'its workspace is not there, or may not be entered'
case $(digests /dev/null) in cksum-*|'') refuse {FAILED} 'this host has no tool for SHA-256: install coreutils';; esac
root=$(pwd -P; echo .); root=${{root%??}}
inside() {{
  [ ! -L "$1" ] || refuse {REFUSED} "$1 is a link"
  if [ ! -d "$1" ]; then
    [ ! -e "$1" ] || refuse {REFUSED} "$1 is no folder"
    why=$(mkdir -p "$1" 2>&1) || refuse {FAILED} "$1 cannot be made: ${{why##*: }}"
  fi
  [ -O "$1" ] || refuse {REFUSED} "$1 belongs to another user"
}}
inside .claude; inside {STATE_FOLDER}; inside {RECOVERY_FOLDER}
state=$root/{STATE_FOLDER}; recovery=$root/{RECOVERY_FOLDER}
[ -e "$recovery/.gitignore" ] || echo '*' >"$recovery/.gitignore" 2>/dev/null"""

# `file` is set, its `folder`, its `base`, and where its `backups` are. checked: it is still what was judged.
_FILE = rf"""case $name in events/*) inside {STATE_FOLDER}/events;; esac
file=$state/$name; folder=${{file%/*}}; base=${{file##*/}}; backups=$recovery/backups/$base
checked() {{
  [ ! -L "$file" ] || refuse {REFUSED} 'it is a link, and links are not written'
  if [ -e "$file" ]; then
    [ -f "$file" ] || refuse {REFUSED} 'it is no plain file'
    [ -O "$file" ] || refuse {REFUSED} 'it belongs to another user'
    [ -r "$file" ] || refuse {REFUSED} 'it may not be read'
    there=$(digests "$file")
  else there={NO_FILE}; fi
  [ "$there" = "$expected" ] || refuse {CHANGED} 'it was written meanwhile, and is left as it is'
}}"""


def on_file(workspace: str, name: str, expected: str, script: str) -> str:
    """The shell text that runs ``script`` for a file of the state.

    + name: such as ``session-a.json``
    + expected: the SHA-256 of the file that was judged; ``NO_FILE`` when there must be none

    Raises ``ValueError`` for a name that no such file has.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!a}: a session's file is called session-NAME.json, and an event log events/NAME.jsonl")
    return on_host(workspace, f"name={quote(name)}; expected={expected}\n{_FILE}\n{script}", names_in_words([name]))


def on_host(workspace: str, script: str, said: str) -> str:
    """The shell text that runs ``script`` in a workspace while no other one of these runs on the host.

    + said: what its messages begin with
    """
    return f"{_SETTING}\n{alone('state', _inside(workspace, script, said))}"


def beside_others(workspace: str, script: str, said: str) -> str:
    """The same for a script that may run while others do."""
    return f"{_SETTING}\n{_inside(workspace, script, said)}"


_SETTING = f"{HOST_ENVIRONMENT}; umask 077; LC_ALL=C; export LC_ALL"


def _inside(workspace: str, script: str, said: str) -> str:
    setting = f"work={quoted(HostText(workspace))}; said={quote(said)}"
    return f"{setting}\n{FILE_TOOLS}\n{LATER}\n{DIGESTS}\n{_PLACE}\n{script}"
