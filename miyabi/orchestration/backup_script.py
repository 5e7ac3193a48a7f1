"""Shell text that makes a whole backup of the state of a workspace. Pure."""

from __future__ import annotations

import re
from shlex import quote

from miyabi.orchestration.state_place import CHANGED, FAILED, REFUSED, on_host

_LABEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")

MANIFEST = "manifest.sha256"

# How often a file that changes while it is copied is copied again.
_TRIES = 5

# A session that another program writes is copied again until it is whole; an event log only grows, and what has come
# since is no flaw. Locks, and what scripts have beside a file for a moment, are no state.
_COPYING = rf"""newest=
for each in "$recovery"/backup-[0-9]*Z*; do [ ! -d "$each" ] || newest=${{each##*/backup-}}; done
place=$recovery/backup-${{label:-$(later "$newest")}}
[ ! -e "$place" ] && [ ! -L "$place" ] || refuse {REFUSED} "there is a backup of that name already"
rm -rf "$recovery"/.backup-*; new=$recovery/.backup-$$; trap 'rm -rf "$new"' EXIT
trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 143' TERM
why=$(mkdir "$new" 2>&1 && cp -R -P -p "$state" "$new/state" 2>&1) ||
  refuse {FAILED} "the backup could not be written as a whole: ${{why##*: }}"
rm -f "$new"/state/*.lock "$new"/state/.session-* "$new"/state/.lock-*
for each in "$state"/session-*.json; do
  [ -f "$each" ] && [ ! -L "$each" ] || continue
  copy=$new/state/${{each##*/}}; tries=0
  until [ "$(digests "$each")" = "$(digests "$copy")" ]; do
    [ -e "$each" ] || break
    tries=$((tries + 1))
    [ "$tries" -le {_TRIES} ] || refuse {CHANGED} 'a session is written all the time: try again later'
    cp -p "$each" "$copy" 2>/dev/null
  done
done
( cd "$new" && set -- state/session-*.json state/events/*.jsonl && summed "$@" 2>/dev/null >{MANIFEST}; : )
find "$new" -type f -exec sync {{}} + 2>/dev/null
chmod -R go-rwx "$new" && mv "$new" "$place" || refuse {FAILED} 'the backup could not be put in its place'
flushed "$recovery" 2>/dev/null; echo "${{place##*/}}"; :"""


def backup_script(workspace: str, label: str = "") -> str:
    """The shell text that copies all of a workspace's state to ``recovery/backup-STAMP``, and prints that name.

    + workspace: its folder; may begin with ``~`` or ``$NAME``
    + label: in place of the moment: letters, digits, ``_``, ``.`` and ``-``

    It appears at once, whole, with ``manifest.sha256`` as ``sha256sum -c`` reads it. It ends as
    ``state_write_script.replace_script`` does. Raises ``ValueError`` for another label.
    """
    if label and not _LABEL.fullmatch(label):
        raise ValueError(f"{label!a}: a backup's name is made of letters, digits, _ . and -, at most 64")
    return on_host(workspace, f"label={quote(label)}\n{_COPYING}", "backup")
