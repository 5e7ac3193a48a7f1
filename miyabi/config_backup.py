"""Configuration files and their backups: how a host tells of them, keeps them and brings them back. Pure.

A backup is made of a file that was found valid, and is called ``STAMP-MODE-USER-GROUP.FORMAT``. What a file holds never
leaves the host in a command or in what a run shows; it is told to the control machine alone, to be judged there.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast
from zlib import crc32

from miyabi.config_check import LIMIT, flaw
from miyabi.errors import ParseError
from miyabi.host_lock import alone
from miyabi.host_paths import DIGEST, FILE_TOOLS, LATER, STAMP
from miyabi.shell import HOST_ENVIRONMENT, HostText, quoted

# How many broken files are kept beside a file, and how many of its backups are looked at.
BROKEN = 5
LOOKED_AT = 10

_PLAIN = re.compile(r"[A-Za-z0-9._~-]", re.ASCII)

# Seconds since its last change after which a file counts as written.
_SETTLED = 2

# A file behind a folder that may not be entered is not missing, but unknown.
_STATE = rf"""case $file in /*) ;; *) shown "$file: this is no absolute path here"; exit 2;; esac
newest=; for each in "$backups"/{STAMP}*-*."$form"; do [ ! -f "$each" ] || newest=${{each##*/}}; done
tell() {{ echo "$1 ${{newest:-none}}"; exit 0; }}
if [ ! -e "$file" ]; then
  up=$(real "$file") || {{ shown "$file is a link that leads in a circle"; exit 1; }}
  while [ ! -e "$up" ]; do up=${{up%/*}}; [ -n "$up" ] || up=/; done
  [ -d "$up" ] && [ -x "$up" ] || {{ shown "$up cannot be looked into"; exit 1; }}
  [ ! -L "$file" ] || [ -d "$(dirname "$(real "$file")")" ] || {{
    shown "$file is a link to a folder that is not there"; exit 1; }}
  tell missing
fi
[ -f "$file" ] || {{ shown "$file is no file"; exit 1; }}
[ -r "$file" ] || {{ shown "$file may not be read"; exit 1; }}
[ -s "$file" ] || tell empty"""

_COMPARE = rf"""if [ -n "$newest" ]; then
  cmp -s "$file" "$backups/$newest"; code=$?
  [ "$code" -ne 0 ] || tell same
  [ "$code" -eq 1 ] || {{ echo 'it could not be compared with its backup'; exit 1; }}
fi
[ -z "$(find -H "$file" -prune -size +{LIMIT}c 2>/dev/null)" ] || tell large
tell changed"""

_CONTENT = f"""[ -z "$(find -H "$file" -prune -size +{LIMIT}c 2>/dev/null)" ] || tell large
# What was judged has to be known again: it must not change while it is told.
for each in 1 2 3; do
  before=$(digest <"$file"); content=$(od -An -v -tx1 <"$file" | tr -d ' \\n'; echo .)
  [ "$(digest <"$file")" != "$before" ] || {{
    echo "content $(wc -c <"$file" | tr -d ' ') ${{before:-none}}"; echo "${{content%.}}"; exit 0; }}
done
echo 'it changes all the time'; exit 1"""

_BACKUPS = f"""set --
for each in "$backups"/{STAMP}*-*."$form"; do [ ! -f "$each" ] || set -- "$@" "$each"; done
while [ "$#" -gt {LOOKED_AT} ]; do shift; done
echo looked
for each do
  printf 'backup %s ' "${{each##*/}}"; head -c {LIMIT + 1} "$each" | od -An -v -tx1 | tr -d ' \\n'; echo
done"""

State = Literal["same", "changed", "missing", "empty", "large"]


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """How a configuration file stands.

    + state: ``same`` as its newest backup, ``changed`` since then (or never backed up), ``missing``, ``empty``, or too
      ``large`` to be checked
    + newest: the name of its newest backup; None when there is none
    """

    state: State
    newest: str | None


@dataclass(frozen=True, slots=True)
class Judged:
    """What a configuration file was found to be.

    + flaw: what is wrong with it; None when it is valid
    + digest: by which the host knows that it is still the file that was judged; or ``missing``, or ``empty``
    """

    flaw: str | None
    digest: str


def config_script(path: str, form: str) -> str:
    """The shell text that tells the state of a configuration file; one program starts where it is as its backup."""
    return f"{_setting(path, form)}\n{_STATE}\n{_COMPARE}"


def content_script(path: str, form: str) -> str:
    """The shell text that tells what a configuration file holds: for the control machine alone, never to be shown."""
    return f"{_setting(path, form)}\n{_STATE}\n{_CONTENT}"


def backups_script(path: str, form: str) -> str:
    """The shell text that tells what the newest backups hold: for the control machine alone, never to be shown."""
    return f"{_setting(path, form)}\n{_BACKUPS}"


def read_config(lines: list[str]) -> ConfigFile:
    """What ``config_script`` has printed."""
    state, _, newest = lines[0].partition(" ")
    if state not in {"same", "changed", "missing", "empty", "large"} or not newest:
        raise ParseError("this is no state of a configuration file")
    return ConfigFile(cast("State", state), None if newest == "none" else newest)


def read_content(lines: list[str], form: str) -> Judged:
    """What ``content_script`` has printed, judged; what the file holds is forgotten here."""
    word, _, rest = lines[0].partition(" ")
    if word == "content" and len(lines) == 2:
        content = _from_hex(lines[1])
        length, _, digest = rest.partition(" ")
        if digest == "none":
            raise ParseError("the host has no cksum, md5sum or sha256sum, so a change could not be noticed")
        if str(len(content)) != length:
            raise ParseError("it could not be read as a whole")
        return Judged(flaw(content, form), digest)
    state = read_config(lines).state
    if state == "large":
        raise ParseError(f"it is larger than {LIMIT // 1024} KiB, too large to be checked")
    return Judged(f"it is {state}", state)


def read_backups(lines: list[str], form: str) -> tuple[tuple[str, bool], ...]:
    """What ``backups_script`` has printed: the name of each backup, the newest first, and whether it is valid."""
    if lines[0] != "looked":
        raise ParseError("nothing was told about backups")
    told = [line.split(" ") for line in reversed(lines[1:])]
    return tuple((name, flaw(_from_hex(content), form) is None) for _, name, content in told)


def _from_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        # The usual message would quote what was found.
        raise ParseError("what it holds was not told as hexadecimal digits") from None


def backup_script(path: str, form: str, judged: str, keep: int) -> str:
    """The shell text that makes a backup of a configuration file, if it is still the one that was found valid.

    + judged: the digest of the file that was judged
    + keep: how many backups stay, this one included
    """
    script = f"""{_setting(path, form)}
mkdir -p "$backups" && chmod 700 "$backups" || exit 1
rm -f "$backups"/.new.*; new=$backups/.new.$$; trap 'rm -f "$new"' EXIT
cp "$file" "$new" || exit 1
[ "$(digest <"$new")" = {shlex.quote(judged)} ] || {{
  echo 'it has changed meanwhile: the next run looks again'; exit 0; }}
newest=; for each in "$backups"/{STAMP}*-*."$form"; do [ ! -f "$each" ] || newest=${{each##*/}}; done
flushed "$new" && mv "$new" "$backups/$(later "${{newest%%-*}}")-$(worn "$(real "$file")").$form" || exit 1
flushed "$backups" 2>/dev/null
set --; for each in "$backups"/{STAMP}*-*."$form"; do set -- "$@" "$each"; done
while [ "$#" -gt {keep} ]; do rm -f "$1"; shift; done"""
    return _on_host(script)


def restore_script(path: str, form: str, judged: str, backup: str, unusable: Iterable[str]) -> str:
    """The shell text that brings a backup back in place of a configuration file that is still as it was judged.

    + judged: the digest of the file that was judged, or ``missing`` or ``empty``
    + backup: the name of the backup
    + unusable: newer backups that are not valid: they are put aside

    A broken file is kept beside as ``NAME.broken-STAMP``. A link stays, and the file that it leads to is replaced.
    """
    aside = " ".join(shlex.quote(name) for name in unusable)
    script = f"""{_setting(path, form)}
target=$(real "$file") || exit 1
found() {{
  if [ ! -e "$target" ]; then echo missing; elif [ ! -s "$target" ]; then echo empty; else digest <"$target"; fi
}}
changed() {{ stat -c %Y "$target" 2>/dev/null || stat -f %m "$target" 2>/dev/null || echo 0; }}
being_written() {{ age=$(($(date +%s) - $(changed))); [ "$age" -ge 0 ] && [ "$age" -lt {_SETTLED} ]; }}
as_judged() {{ [ "$(found)" = {shlex.quote(judged)} ] || {{
  echo 'it has changed meanwhile and is left alone: the next run looks again'; exit 0; }}; }}
as_judged
# Whoever writes it right now is given the time to finish.
if [ -e "$target" ]; then
  for each in 1 2 3; do
    being_written || break; sleep 1
  done
  ! being_written || {{ echo 'it is being written right now and is left alone: the next run looks again'; exit 0; }}
else sleep 1; fi
as_judged
backup=$backups/{shlex.quote(backup)}; folder=${{target%/*}}; folder=${{folder:-/}}
mkdir -p "$folder" || exit 1
new=$folder/.${{target##*/}}.miyabi-$$; trap 'rm -f "$new"' EXIT
cp "$backup" "$new" && cmp -s "$backup" "$new" && flushed "$new" || exit 1
worn=${{backup##*/}}; worn=${{worn#*-}}; worn=${{worn%.*}}
[ ! -e "$target" ] || worn=$(worn "$target")
owner=${{worn#*-}}; [ "$(worn "$new")" = "600-$owner" ] || chown "${{owner%-*}}:${{owner#*-}}" "$new" 2>/dev/null
chmod "${{worn%%-*}}" "$new" || exit 1
as_judged
broken=; for each in "$target".broken-{STAMP}*; do [ ! -f "$each" ] || broken=${{each##*.broken-}}; done
if [ -s "$target" ]; then
  broken=$target.broken-$(later "$broken")
  ln "$target" "$broken" 2>/dev/null || cp -p "$target" "$broken" || {{ rm -f "$broken"; exit 1; }}
fi
mv -f "$new" "$target" && flushed "$folder" || exit 1
for each in {aside}; do mv -f "$backups/$each" "$backups/$each.unusable"; done
set --; for each in "$target".broken-{STAMP}*; do set -- "$@" "$each"; done
while [ "$#" -gt {BROKEN} ]; do rm -f "$1"; shift; done"""
    return _on_host(script)


def _on_host(script: str) -> str:
    return f"{HOST_ENVIRONMENT}; umask 077; LC_ALL=C; export LC_ALL\n{alone('config', LATER + chr(10) + script)}"


def _setting(path: str, form: str) -> str:
    folder = shlex.quote(f"/miyabi/backups/{_folder(path)}")
    return f"""{FILE_TOOLS}
{DIGEST}
file={quoted(HostText(path))}; form={shlex.quote(form)}; backups="${{XDG_STATE_HOME:-$HOME/.local/state}}"{folder}"""


def _folder(path: str) -> str:
    """The name of the folder that holds the backups of ``path``; long ones are told apart by a checksum."""
    name = "".join(each if _PLAIN.fullmatch(each) else f"%{ord(each):X}" for each in path)
    return name if len(name) <= 200 else f"{name[:180]}-{crc32(path.encode()):08x}"
