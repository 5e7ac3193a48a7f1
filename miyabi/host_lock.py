"""Shell text that runs on a host one at a time, whoever starts it. Pure."""

from __future__ import annotations

import re

# Seconds that a script waits for another one of the same name to end.
PATIENCE = 10

_NAME = re.compile(r"[A-Za-z0-9_.-]+")


def alone(name: str, script: str, patience: int = PATIENCE) -> str:
    """The shell text that runs ``script`` in a subshell while no other one of that name runs for this user on the host.

    + name: letters, digits, ``_``, ``.`` and ``-``
    + script: POSIX shell; its exit code is that of the whole
    + patience: seconds to wait; then the whole ends with 75 (EX_TEMPFAIL) and a line on stderr

    The lock is a link whose target is the holder's pid and that process's start: it appears at once with both in it,
    and one whose holder has ended, however it ended, is taken over.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r}: a lock's name is made of letters, digits, _ . and -")
    return f"""_locks="${{XDG_STATE_HOME:-$HOME/.local/state}}/miyabi/locks"; _lock="$_locks/{name}"
_born() {{ if [ -r "/proc/$1/stat" ]; then _stat=$(cat "/proc/$1/stat" 2>/dev/null); _stat=${{_stat##*) }}
  set -- $_stat; shift 19 2>/dev/null && printf %s "$1"; else ps -o lstart= -p "$1" 2>/dev/null | tr ' ' _; fi; }}
mkdir -p "$_locks" 2>/dev/null && chmod 700 "$_locks" 2>/dev/null
_me="$$@$(_born $$)"; _tries=0; _failures=0
until ln -s "$_me" "$_lock" 2>/dev/null; do
  if [ ! -L "$_lock" ]; then
    # Nobody holds it, and it cannot be had: a full disk must not keep a host from being repaired.
    _failures=$((_failures + 1)); [ "$_failures" -lt 3 ] || {{ _lock=; break; }}
    continue
  fi
  _holder=$(readlink "$_lock" 2>/dev/null)
  case $_holder in *@*)
    if ! kill -0 "${{_holder%%@*}}" 2>/dev/null || [ "$(_born "${{_holder%%@*}}")" != "${{_holder#*@}}" ]; then
      # Of several that see a dead holder's lock, one moves it away; who moved a new holder's instead puts it back.
      if mv "$_lock" "$_lock.$$" 2>/dev/null; then
        [ "$(readlink "$_lock.$$")" = "$_holder" ] || ln -s "$(readlink "$_lock.$$")" "$_lock" 2>/dev/null
        rm -f "$_lock.$$"
      fi
      continue
    fi;; esac
  _tries=$((_tries + 1))
  [ "$_tries" -le {patience * 5} ] || {{ echo 'another run is at work here ({name}): try again later' >&2; exit 75; }}
  sleep 0.2 2>/dev/null || sleep 1
done
trap '[ -z "$_lock" ] || rm -f "$_lock"' EXIT; trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 143' TERM
( trap - EXIT HUP INT TERM
{script}
)"""
