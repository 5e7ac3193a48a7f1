"""Shell text that takes the lock of a session's file, as the programs that write it may do themselves. Pure."""

from __future__ import annotations

# Fifths of a second that a lock's holder is waited for.
_TRIES = 25

# locked FILE: takes FILE.lock, which appears at once with our pid and start in it, or says who has it and ends with 75.
# A lock is taken over when its holder has ended for certain: its pid is nobody's, or a process's that began after the
# lock was written. One that says nothing of its holder, or names another host, is left to whoever made it.
# unlocked: gives it back, if it is still ours. It needs `_born` (miyabi.host_lock), `refuse` and `host`.
LOCK = rf"""text_of() {{
  if [ -L "$1" ]; then readlink "$1" 2>/dev/null
  elif [ -f "$1" ]; then head -c 4096 "$1" 2>/dev/null | tr -d '\000'; fi
}}
value_of() {{
  _rest=${{1#*\"$2\"}}; [ "$_rest" != "$1" ] || return 0
  _rest=${{_rest#*:}}; _rest=${{_rest#"${{_rest%%[! ]*}}"}}; _rest=${{_rest#\"}}; printf %s "${{_rest%%[\",\}} ]*}}"
}}
holder_of() {{
  pid=; start=; where=
  case $1 in
    \{{*) pid=$(value_of "$1" pid); where=$(value_of "$1" host); [ -n "$where" ] || where=$(value_of "$1" hostname)
      [ "$(value_of "$1" by)" != miyabi ] || start=$(value_of "$1" start);;
    *@*) pid=${{1%%@*}}; start=${{1#*@}};;
    *) pid=$1;;
  esac
  pid=$(printf %s "$pid" | tr -d ' \n'); case $pid in ''|0*|????????*|*[!0-9]*) pid=;; esac
}}
began_after() {{
  _written=$(stat -c %Y "$2" 2>/dev/null || stat -f %m "$2" 2>/dev/null) || return 1
  if [ -r "/proc/$1/stat" ]; then
    _ticks=$(_born "$1"); _now=$(sh -c 'cat /proc/$$/stat'); _now=${{_now##*) }}
    set -- $_now; shift 19 2>/dev/null || return 1
    [ -n "$_ticks" ] && [ "$(($(date +%s) - ($1 - _ticks) / 100))" -gt "$((_written + 3))" ]
  else return 1; fi
}}
is_gone() {{
  holder_of "$2"
  [ -n "$pid" ] || return 1
  [ -z "$where" ] || [ "${{where%%.*}}" = "${{host%%.*}}" ] || return 1
  if [ -d /proc/self ]; then
    if [ ! -d "/proc/$pid" ]; then [ -O "$1" ] || [ -L "$1" ] || [ -d /proc/1 ]; return; fi
    _state=$(cat "/proc/$pid/stat" 2>/dev/null); case ${{_state##*) }} in Z*|X*) return 0;; esac
  elif ! ps -p "$pid" >/dev/null 2>&1; then return 0; fi
  if [ -n "$start" ]; then [ "$(_born "$pid")" != "$start" ]; else began_after "$pid" "$1"; fi
}}
locked() {{
  rm -f "$folder"/.lock-*
  lock=$1.lock; mine=; tries=0; failures=0; ready=$folder/.lock-$$
  text="{{\"pid\": $$, \"start\": \"$(_born $$)\", \"host\": \"$host\", \"by\": \"miyabi\"}}"
  [ ! -d "$lock" ] || refuse 77 "there is a folder in the place of its lock"
  # `cat` says what is wrong with a disk; a shell's own `printf` may not.
  why=$( {{ printf '%s\n' "$text" | cat >"$ready"; }} 2>&1) || {{
    rm -f "$ready"; refuse 74 "its lock cannot be made: ${{why##*: }}"; }}
  until ln "$ready" "$lock" 2>/dev/null && mine=$text; do
    if [ ! -e "$lock" ] && [ ! -L "$lock" ]; then
      # No hard links here (Android): a link whose target says the same.
      ln -s "$$@$(_born $$)" "$lock" 2>/dev/null && mine=$$@$(_born $$) && break
      failures=$((failures + 1)); [ "$failures" -lt 5 ] || {{ rm -f "$ready"; refuse 74 'its lock cannot be made'; }}
      continue
    fi
    there=$(text_of "$lock")
    if is_gone "$lock" "$there"; then
      if mv "$lock" "$ready.gone" 2>/dev/null; then
        # Whoever made it anew meanwhile gets it back.
        [ "$(text_of "$ready.gone")" = "$there" ] || ln "$ready.gone" "$lock" 2>/dev/null
        rm -f "$ready.gone"; continue
      fi
    fi
    tries=$((tries + 1))
    if [ "$tries" -gt {_TRIES} ]; then
      rm -f "$ready"; holder_of "$there"
      if [ -z "$pid" ]; then refuse 75 'it is locked, and its lock does not say by whom'; fi
      refuse 75 "it is locked by process $pid${{where:+ on $(printf %s "$where" | tr -cd 'A-Za-z0-9._-')}}"
    fi
    sleep 0.2 2>/dev/null || sleep 1
  done
  rm -f "$ready"
}}
unlocked() {{ [ -z "$mine" ] || [ "$(text_of "$lock")" != "$mine" ] || rm -f "$lock"; mine=; }}"""
