r"""Shell text that replaces a file of a workspace, or moves it away, and loses nothing, whenever it is killed. Pure.

Each script runs alone on its host (``miyabi.host_lock``), and holds the lock of the file that it changes. It changes
nothing unless the file is still what the caller has judged, by its SHA-256. In this order:

1. What is to be written is copied beside the file, written to the disk, and compared with what was meant.
2. What is there is kept as ``recovery/backups/NAME/STAMP.replaced.json``.
3. What the new content lacks is added to ``recovery/archive/NAME.jsonl``, and written to the disk.
4. Both change places (``exchange_script``). Until then nothing has changed, and from then on all is done.

Killed anywhere, the file is the old or the new one, whole, and the next script takes the locks over. A file of another
program that was held in the hand at that moment is among the backups afterwards. What is guaranteed to other writers:

- One that takes ``NAME.lock``: neither writes over the other.
- One that renames a file of its own into the place: it is never written over, where names can be exchanged.
- One that writes into the file itself: what it has written when 0.1 s have passed is never written over. One that
  opened the file before and writes later than that, writes into a file that is no longer there; while it has the file
  open for writing and the user may see that (Linux), nothing is begun.

Links and the files of other users are never written, and nothing outside of the workspace is.
"""

from __future__ import annotations

import re
from shlex import quote

from miyabi.orchestration.exchange_script import EXCHANGE
from miyabi.orchestration.lock_script import LOCK
from miyabi.orchestration.state_place import BUSY, CHANGED, FAILED, NO_FILE, REFUSED, beside_others, on_file
from miyabi.orchestration.workspace import RECOVERY_FOLDER

__all__ = [
    "BUSY",
    "CHANGED",
    "FAILED",
    "NO_FILE",
    "REFUSED",
    "keep_script",
    "quarantine_script",
    "release_script",
    "replace_script",
    "upload_folder_script",
    "upload_path",
]

_DIGEST = re.compile(r"[0-9a-f]{64}")
_UPLOADS = f"{RECOVERY_FOLDER}/incoming"

# kept FILE [replaced]: a backup of a file, named by the moment; the file itself is moved with `moved`.
# leftovers: what a script that was killed has left. A file that it had in the hand may be another program's.
_KEEPING = rf"""stamped() {{
  inside {RECOVERY_FOLDER}/backups; inside "{RECOVERY_FOLDER}/backups/$base"
  newest=; for each in "$backups"/[0-9]*.json; do [ ! -f "$each" ] || newest=${{each##*/}}; done
  place=$backups/$(later "${{newest%%.*}}")${{1:+.$1}}.json
}}
kept() {{
  stamped "$2"
  [ -z "$newest" ] || [ "$(digests "$backups/$newest")" != "$expected" ] || return 0
  copied "$1" "$backups/.new-$$" "$expected" 'its backup could not be written'
  mv -f "$backups/.new-$$" "$place" && {{ flushed "$backups" 2>/dev/null || :; }}
}}
copied() {{
  why=$(cp "$1" "$2" 2>&1 && flushed "$2" 2>&1) || {{ rm -f "$2"; refuse {FAILED} "$4: ${{why##*: }}"; }}
  [ "$(digests "$2")" = "$3" ] || {{ rm -f "$2"; refuse {CHANGED} 'it was written meanwhile, and is left as it is'; }}
}}
moved() {{ stamped replaced; mv -f "$1" "$place"; }}
leftovers() {{
  rm -f "$folder/.$base".new-* "$folder/.$base".swap-*.aside "$backups"/.new-* 2>/dev/null
  for left in "$folder/.$base".swap-*; do
    [ -f "$left" ] && [ ! -L "$left" ] || continue
    held=$(digests "$left")
    if [ "$held" = "$expected" ] || [ "$held" = "$wanted" ]; then rm -f "$left"; else moved "$left"; fi
  done
}}
thinned() {{
  for kind in valid replaced; do
    set --
    for each in "$backups"/[0-9]*.json; do
      case $kind$each in valid*.replaced.json) ;; valid*|*.replaced.json) [ ! -f "$each" ] || set -- "$@" "$each";; esac
    done
    while [ "$#" -gt "$keep" ]; do rm -f "$1"; shift; done
  done
}}"""

_REPLACE = rf"""new=$folder/.$base.new-$$; swap=$folder/.$base.swap-$$; mine=
trap 'rm -f "$new" "$backups/.new-$$"; rm -f "$source" ${{archive:+"$archive"}}; unlocked' EXIT
trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 143' TERM
for each in "$source" ${{archive:+"$archive"}}; do
  [ -f "$each" ] && [ ! -L "$each" ] && [ -O "$each" ] || refuse {FAILED} 'what is to be written has not arrived'
done
[ "$(digests "$source")" = "$wanted" ] || refuse {FAILED} 'what is to be written has not arrived as a whole'
locked "$file"
leftovers
checked
copied "$source" "$new" "$wanted" 'there is no room for it'
chmod 600 "$new"
if [ -e "$file" ]; then
  worn=$(worn "$file"); chmod "${{worn%%-*}}" "$new"; group=${{worn##*-}}
  [ "$(worn "$new")" = "$worn" ] || chgrp "$group" "$new" 2>/dev/null
  [ -z "$backup" ] || kept "$file" replaced
fi
if [ -n "$archive" ]; then
  inside {RECOVERY_FOLDER}/archive; log=$recovery/archive/$base.jsonl
  # What was torn off by a full disk ends its line.
  why=$( {{
    [ ! -s "$log" ] || [ -z "$(tail -c 1 "$log" | tr -d '\000')" ] || echo >>"$log"
    cat "$archive" >>"$log" && flushed "$log"
  }} 2>&1) || refuse {FAILED} "its archive could not be written: ${{why##*: }}"
fi
checked
mv -f "$new" "$swap" || refuse {FAILED} 'it could not be put beside'
if [ "$expected" = {NO_FILE} ]; then
  ln "$swap" "$file" 2>/dev/null || {{ [ -e "$file" ] || [ -L "$file" ]; }} || mv -n "$swap" "$file" 2>/dev/null
  [ "$(digests "$file")" = "$wanted" ]; code=$?; [ "$code" -eq 0 ] || code={CHANGED}; why='it was made meanwhile'
else why=$(exchanged "$swap" "$file" "$expected"); code=$?; fi
flushed "$folder" 2>/dev/null
if [ -f "$swap" ]; then
  held=$(digests "$swap")
  if [ "$held" = "$expected" ] || [ "$held" = "$wanted" ]; then rm -f "$swap"; else moved "$swap"; fi
fi
case $code in
  0) thinned;;
  {CHANGED}) refuse {CHANGED} "$why, and is left as it is";;
  *) refuse {FAILED} "it could not be replaced: ${{why:-exit code $code}}";;
esac"""

_QUARANTINE = rf"""mine=; trap unlocked EXIT; trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 143' TERM
inside {RECOVERY_FOLDER}/quarantine
locked "$file"
leftovers
checked
newest=; for each in "$recovery/quarantine/$base".*; do [ ! -f "$each" ] || newest=${{each##*.}}; done
place=$recovery/quarantine/$base.$(later "$newest")
why=$(mv "$file" "$place" 2>&1) || refuse {FAILED} "it could not be moved away: ${{why##*: }}"
if [ "$(digests "$place")" != "$expected" ]; then
  # Another program was faster: what is its own goes back, unless it has put a newer one there.
  ln "$place" "$file" 2>/dev/null && rm -f "$place" || mv -n "$place" "$file" 2>/dev/null
  refuse {CHANGED} 'it was written meanwhile, and is left as it is'
fi
chmod 600 "$place"; flushed "$recovery/quarantine" 2>/dev/null; flushed "$folder" 2>/dev/null; :"""


def upload_folder_script(workspace: str) -> str:
    """The shell text that makes the folder to which ``upload_path`` leads, for the user alone, and tidies it."""
    folder = quote(_UPLOADS)
    script = f"""inside {folder}; chmod 700 {folder} || exit {FAILED}
find {folder} -type f -mtime +1 -exec rm -f {{}} + 2>/dev/null; :"""
    return beside_others(workspace, script, "uploads")


def upload_path(workspace: str, digest: str, nonce: str) -> str:
    """Where on a host a content is uploaded before a script writes it.

    + workspace: as ``SeenWorkspace.path`` has it, absolute
    + digest: the content's SHA-256: the script goes by it
    + nonce: letters and digits that no other upload has
    """
    return f"{workspace.rstrip('/')}/{_UPLOADS}/{digest}.{nonce}"


def replace_script(  # noqa: PLR0913, PLR0917 - a write is made of them
    workspace: str,
    name: str,
    expected: str,
    upload: str,
    archive: str | None = None,
    keep: int = 5,
    *,
    make_backup: bool = True,
) -> str:
    """The shell text that replaces a session's file by an uploaded content.

    + workspace: its folder; may begin with ``~`` or ``$NAME``
    + name: such as ``session-a.json``
    + expected: the SHA-256 of the file that was judged; ``NO_FILE`` when there must be none
    + upload: the path that ``upload_path`` gave the new content; it is gone afterwards
    + archive: the path that it gave to lines of JSON that are archived first; None when there are none
    + keep: how many backups stay of each kind, those of valid states and those of replaced ones
    + make_backup: whether what is replaced is kept

    It ends with ``BUSY``, ``CHANGED``, ``REFUSED`` or ``FAILED``, and a line that says why, when it changed nothing.
    """
    digest = upload.rpartition("/")[2].partition(".")[0]
    settings = f"source={quote(upload)}; archive={quote(archive or '')}"
    backup = "1" if make_backup else ""
    return _replacing((workspace, name), expected, _digest(digest), f"{settings}; backup={backup}", keep)


def keep_script(workspace: str, name: str, expected: str, keep: int = 5) -> str:
    """The shell text that keeps a valid state as a backup, if it is still the one that was judged.

    + expected: its SHA-256
    """
    script = f"""{_KEEPING}
trap 'rm -f "$backups/.new-$$"' EXIT; wanted=; keep={max(1, keep)}
checked; kept "$file"; thinned"""
    return on_file(workspace, name, _digest(expected), script)


def quarantine_script(workspace: str, name: str, expected: str) -> str:
    """The shell text that moves a session's file away, to ``recovery/quarantine/NAME.STAMP``, whole.

    + expected: as for ``replace_script``
    """
    script = f"{_KEEPING}\n{LOCK}\nwanted=\n{_QUARANTINE}"
    return on_file(workspace, name, _digest(expected), script)


def release_script(workspace: str, name: str) -> str:
    """The shell text that removes the lock of a session's file whose holder has ended for certain."""
    script = f'{LOCK}\nmine=; trap unlocked EXIT\n[ ! -e "$file.lock" ] && [ ! -L "$file.lock" ] || locked "$file"'
    return on_file(workspace, name, NO_FILE, script)


def _replacing(place: tuple[str, str], expected: str, wanted: str, settings: str, keep: int) -> str:
    script = f"""{settings}; wanted={wanted}; keep={max(1, keep)}
{_KEEPING}
{LOCK}
{EXCHANGE}
{_REPLACE}"""
    return on_file(*place, expected if expected == NO_FILE else _digest(expected), script)


def _digest(digest: str) -> str:
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"{digest!r} is no SHA-256 in hexadecimal digits")
    return digest
