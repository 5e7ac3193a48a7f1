"""Paths on a host: which are refused, and how shell text tells of them and names what it makes beside them. Pure."""

from __future__ import annotations

from collections.abc import Iterable

# The name of a file in hexadecimal digits: it may hold any byte, and a probe's output only printable ASCII.
HEXED = r"""hexed() { printf %s "$1" | od -An -v -tx1 | tr -d ' \n'; echo; }"""

# A moment in UTC as the names of old logs, backups and broken files hold it, as a pattern of the shell.
STAMP = "[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z"

# A stamp that sorts behind the one given, whatever the clock says: several within a second are numbered, and a clock
# that was set back goes on numbering.
LATER = r"""later() {
  _now=$(date -u +%Y%m%dT%H%M%SZ)
  if [ "$(printf '%s\n%s\n' "${1%%_*}" "$_now" | LC_ALL=C sort | tail -n 1)" != "${1%%_*}" ]; then
    printf %s "$_now"; return
  fi
  case $1 in *_*) _next=1${1##*_};; *) _next=1000;; esac
  _next=$((_next + 1)); printf %s "${1%%_*}_${_next#1}"
}"""

# flushed: a file's data is on the disk; a `sync` that takes no file writes everything.
# worn: the permission bits, the user and the group of a file, as 644-1000-1000.
# real: the file that a link leads to, whether it is there or not.
FILE_TOOLS = r"""flushed() { sync "$1"; }
worn() { stat -c %a-%u-%g "$1" 2>/dev/null || stat -f %Lp-%u-%g "$1" 2>/dev/null || echo "600-$(id -u)-$(id -g)"; }
real() {
  _real=$1; _links=0
  while [ -L "$_real" ]; do
    _links=$((_links + 1)); [ "$_links" -le 40 ] || return 1
    _to=$(readlink "$_real") || return 1
    case $_to in /*) _real=$_to;; *) _real=${_real%/*}/$_to;; esac
  done
  printf %s "$_real"
}"""

# digest: by what something is known again; nothing where the host has no tool for it. busybox may lack `cksum`.
DIGEST = """digest() {
  if command -v cksum >/dev/null 2>&1; then cksum; elif command -v md5sum >/dev/null 2>&1; then md5sum
  elif command -v sha256sum >/dev/null 2>&1; then sha256sum; fi
}"""

# How many names a human is told.
TOLD = 10

# How many copies may be kept.
MOST = 1000


def refuse_path(path: object) -> str | None:
    """Why ``path`` cannot be one of a host; None when it can.

    + path: may begin with ``~`` or ``$NAME``, which the host expands
    """
    if not isinstance(path, str) or not path.strip():
        return "a path is needed, such as ~/.miyabi/config.json"
    if not path.isprintable():
        return f"the path {path!a} holds a control character"
    if path.startswith("~") and path != "~" and not path.startswith("~/"):
        return f"{path}: only ~ itself is expanded, write the path out"
    if not path.startswith(("/", "~", "$")):
        return f"{path}: a path on a host begins with /, ~/ or $NAME/"
    if ".." in path.split("/"):
        return f"{path}: write the path out, without .."
    return None


def refuse_count(name: str, value: object) -> str | None:
    """Why ``value`` cannot be the number of copies that are kept; None when it can.

    + name: what the caller calls it
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST:
        return f"{name} is {value!r}, and must be a whole number from 0 to {MOST}"
    return None


def names_in_words(names: Iterable[str]) -> str:
    """Names of files as they are told to a human, at most ``TOLD`` of them: printable, and quoted where that helps."""
    each = [name if name.isprintable() and " " not in name else ascii(name) for name in names]
    more = f" and {len(each) - TOLD} more" if len(each) > TOLD else ""
    return ", ".join(each[:TOLD]) + more


def from_hex(text: str) -> str:
    """The name that a host has told in hexadecimal digits; raises ``ValueError`` when it is none."""
    return bytes.fromhex(text).decode("utf-8", "surrogateescape")
