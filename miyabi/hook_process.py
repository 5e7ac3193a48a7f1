"""Shell text for a hook's processes: begun in a session of their own, found, ended, and their output bounded. Pure.

The names of files are those in the folder ``$work``; ``$nonce`` is in the environment of all that the hook starts.
"""

from __future__ import annotations

import shlex

# Seconds that processes of a hook whose time is over may take to end when they are asked to; then they are killed.
GRACE = 5

# Bytes that are kept of the beginning and of the end of what a hook prints.
HEAD = TAIL = 32 * 1024

# Seconds for which the output of a hook that has ended is waited for: what it has left running may hold it open.
_PATIENCE = 1

# A pause that busybox's and macOS's `sleep` know, too.
_PAUSE = "sleep 0.1 2>/dev/null || sleep 1"

# found: sets `left` to the pids of what the hook has started and still runs: by its session and group, by descent, and
# by what stands in their environment where there is a /proc. A process that has left the hook's session, given up its
# parent and cleared its environment is not found, nor is on macOS one that has done the first two.
FOUND = r"""table() {
  if [ -r "/proc/$$/stat" ]; then
    cat /proc/[0-9]*/stat 2>/dev/null |
      sed -n 's/^\([0-9]*\) (.*) \([A-Za-z]\) \([0-9]*\) \([0-9]*\) \([0-9]*\) .*/\1 \3 \4 \5 \2/p'
  else ps -A -o pid= -o ppid= -o pgid= -o stat= | sed 's/^ *\([0-9]*\) *\([0-9]*\) *\([0-9]*\) /\1 \2 \3 0 /'
  fi
}
marked() {
  [ ! -r "/proc/$$/environ" ] || for _path in $(grep -l -s -F "MIYABI_HOOK_RUN=$nonce" /proc/[0-9]*/environ); do
    _path=${_path%/environ}; echo "${_path##*/}"
  done
}
found() {
  left=; grouped=; _known=" $pid $(marked | tr '\n' ' ')" _rows=$(table) _before=
  while [ "$_known" != "$_before" ]; do
    _before=$_known
    while read -r _one _parent _group _session _state; do
      case $_known in (*" $_one "*) continue;; esac
      case $_known in (*" $_parent "*) _known="$_known$_one "; continue;; esac
      if [ "$_group" = "$pid" ] || [ "$_session" = "$pid" ]; then _known="$_known$_one "; fi
    done <<END
$_rows
END
  done
  while read -r _one _parent _group _session _state; do
    case $_state in (Z*|X*) continue;; esac
    case $_known in (*" $_one "*) left="$left $_one"; [ "$_group" != "$pid" ] || grouped=yes;; esac
  done <<END
$_rows
END
  [ -n "$left" ]
}
send() {
  # Those that fork while they are looked for are in the group.
  [ -z "$grouped" ] || kill "-$1" -- "-$pid"
  for _one in $left; do kill "-$1" "$_one"; done
}"""

# watch: waits for the pid of the hook, and ends the hook when its time is over; `code` 7 is that it did, 8 that
# something of it does not end. What is stopped takes no TERM until it goes on.
WATCH = rf"""watch() {{
  pid=; read -r pid <"$work/control"
  sleep 1 & trap 'kill -9 "$!"; exit 0' TERM; wait "$!"
  while [ "$timeout" -gt 1 ]; do timeout=$((timeout - 1)); sleep 1 & wait "$!"; done
  trap '' TERM
  if found; then send TERM; send CONT; fi
  rounds=0
  while found && [ "$rounds" -lt {GRACE * 10} ]; do rounds=$((rounds + 1)); {_PAUSE}; done
  rounds=0
  while found && [ "$rounds" -lt 20 ]; do rounds=$((rounds + 1)); send KILL; {_PAUSE}; done
  [ -n "$left" ] || exit 7
  echo "$left" >"$work/left"; exit 8
}}"""

# collected: waits for what was written into the pipe: both ends of it, and the number of its bytes. What goes on to
# print when the hook has ended would end by it if nobody read it: that is `cat` from then on, until nothing writes any
# more. The script itself opens no end of the pipe: some shells keep copies of what they close.
COLLECT = rf"""apart() {{ exec </dev/null >/dev/null 2>/dev/null 4<&-; }}
( apart; exec wc -c <"$work/count" >"$work/bytes" ) & counting=$!
( apart; exec <"$work/first.in" >"$work/first"; head -c {HEAD}; exec cat >/dev/null ) & heading=$!
( apart; exec tail -c {TAIL} <"$work/last.in" >"$work/last" ) & tailing=$!
( apart; teeing=; trap 'kill "$teeing"' TERM; exec 9<"$work/pipe"
  ( exec tee "$work/count" "$work/first.in" <&9 >"$work/last.in" ) & teeing=$!
  wait "$teeing"; wait "$teeing"; exec cat <&9 ) & collecting=$!
collected() {{
  rounds=0
  while [ ! -s "$work/bytes" ] && [ "$rounds" -lt {_PATIENCE * 20} ]; do
    rounds=$((rounds + 1)); sleep 0.05 2>/dev/null || sleep 1
  done
  [ -s "$work/bytes" ] || kill "$collecting"
  wait "$counting" "$heading" "$tailing"
  bytes=$(tr -cd 0-9 <"$work/bytes")
}}"""

# Where the hook becomes the leader of a session, with its own environment; from here on, its pid stays the same.
_INNER = 'settings=$(cat <&5); exec 5<&-; eval "$settings"; unset settings; echo "$$" >"$1"; shift; exec "$@"'

# A shell that does not wait for something starts it with SIGINT ignored: so the hook is in front, and the watcher is
# not. How it ended is all that it tells of itself.
RUN = rf"""moment() {{
  if {{ read -r _up _more </proc/uptime; }} 2>/dev/null; then echo "${{_up%.*}}${{_up#*.}}"
  else echo "$(date +%s)00"; fi
}}
set -- env -i PATH="$PATH" sh -c {shlex.quote(_INNER)} miyabi-hook "$work/control" "$@"
if [ -n "$preload" ]; then shift 2; set -- env -i LD_PRELOAD="$preload" "$@"; fi
controlled=
if setsid true 2>/dev/null; then set -- setsid "$@"
elif command -v perl >/dev/null 2>&1; then set -- perl -MPOSIX=setsid -e 'setsid(); exec @ARGV or exit 127' "$@"
elif command -v python3 >/dev/null 2>&1; then
  set -- python3 -IS -c 'import os, signal, sys
os.setsid(); signal.signal(signal.SIGPIPE, signal.SIG_DFL); os.execvp(sys.argv[1], sys.argv[1:])' "$@"
else controlled=yes; fi
( apart; watch ) & watching=$!
began=$(moment)
[ -z "$controlled" ] || set -m 2>/dev/null
{{ "$@" <&4 >"$work/pipe" 2>&1 4<&- 5<<END
$settings
END
}} 2>/dev/null
code=$?
# Some shells tell a signal by more than 256.
[ "$code" -le 255 ] || code=$((128 + code % 128))
[ -z "$controlled" ] || set +m 2>/dev/null
seconds=$(($(moment) - began))
kill "$watching" 2>/dev/null; wait "$watching" 2>/dev/null
case $? in (7) outcome=timeout;; (8) outcome=timeout; left=$(cat "$work/left" 2>/dev/null);; esac
collected
[ "$outcome" = timeout ] || left=$(marked | tr '\n' ' ')
""".rstrip()
