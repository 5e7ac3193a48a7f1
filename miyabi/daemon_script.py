"""Shell text that starts a server detached, records it, and ends processes of it. Pure.

What a host keeps of a server: ``~/.local/state/miyabi/processes/NAME`` holds the pid and the mark of what was started
or adopted last, ``~/.local/state/miyabi/logs/NAME.log`` what it printed.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from miyabi.daemon import Runner, file_name
from miyabi.host_lock import PATIENCE, alone
from miyabi.shell import HOST_ENVIRONMENT, HostText, quoted
from miyabi.spec import McpServer, Pairs

# Bytes from which a server's log is started over when the server is started.
LOG_SIZE = 10_000_000

# Seconds in which a process that was asked to end may do so; then it is killed.
END_PATIENCE = 5

# Seconds for the longest of these scripts.
SCRIPT_TIMEOUT = PATIENCE + 2 * END_PATIENCE + 20

# The mark of a process, as facts.daemons has it.
_BORN = r"""born() {
  if [ -r /proc/$$/stat ]; then
    { IFS= read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    set -- ${stat##*) }; [ "$1" != Z ] && printf %s "${20}"
  else
    set -- $(ps -o stat= -o lstart= -p "$1" 2>/dev/null)
    case ${1:-Z} in Z*) return 1;; esac
    [ "$#" -eq 6 ] && printf %s "$2_$3_$4_$5_$6"
  fi
}"""

# A pause that busybox's and macOS's `sleep` know, too.
_PAUSE = "sleep 0.1 2>/dev/null || sleep 1"

# In the new session: its record first, so that no server runs without one, then the user's login shell. No descriptor
# of the connection is kept.
_INNER = f"""{_BORN}
umask "$3"
{{ printf '%s %s\\n' "$$" "$(born $$)" >"$2.$$" && mv -f "$2.$$" "$2"; }} 2>/dev/null || rm -f "$2.$$"
eval "$MIYABI_SETTINGS"; unset MIYABI_SETTINGS
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
exec "${{SHELL:-/bin/sh}}" -l -c "$1\""""

# With KillUserProcesses logind ends all that a login has started, whatever its session (logind.conf(5)). A scope of the
# user's own manager outlives the login where lingering is on (systemd-run(1), loginctl(1) enable-linger).
# A shell starts what it does not wait for with SIGINT and SIGQUIT ignored: so that comes last.
_DETACH = r"""scope=; runtime=${XDG_RUNTIME_DIR:-/run/user/$(id -u)}
if [ -S "$runtime/systemd/private" ] && [ -e "/var/lib/systemd/linger/$(id -un)" ]; then
  XDG_RUNTIME_DIR=$runtime; export XDG_RUNTIME_DIR
  ! timeout 5 systemd-run --user --scope --quiet --collect true >/dev/null 2>&1 ||
    scope='systemd-run --user --scope --quiet --collect'
fi
detached() {
  if setsid -f true 2>/dev/null; then $scope setsid -f "$@"
  elif command -v perl >/dev/null 2>&1; then
    $scope perl -MPOSIX=setsid -e 'fork and exit; setsid(); exec @ARGV or exit 127' "$@"
  elif command -v python3 >/dev/null 2>&1; then
    $scope python3 -IS -c 'import os, signal, sys
os.fork() and os._exit(0)
os.setsid(); signal.signal(signal.SIGPIPE, signal.SIG_DFL); os.execvp(sys.argv[1], sys.argv[1:])' "$@"
  elif command -v setsid >/dev/null 2>&1; then ( $scope setsid "$@" & )
  else ( trap '' HUP; $scope "$@" & ); fi
}"""


def exports(environment: Pairs) -> str:
    """The shell text that sets a server's variables: it goes to the host by stdin, where no process list shows it."""
    return "".join(f"export {name}={quoted(HostText(value))}\n" for name, value in environment)


def start_script(server: McpServer, known: tuple[int, str] | None) -> str:
    """The shell text that starts a server so that it outlives the connection; ``exports`` is its stdin.

    + known: what was recorded when the server was looked at; when that has changed, another run has started it, and
      nothing is done

    It ends when the new process is recorded, and says ``started`` or ``meanwhile``.
    """
    directory = quoted(HostText(server.cwd or "~"))
    body = f"""{_known(server.name, known)}
mask=$(umask); umask 077; mkdir -p "$base/processes" "$base/logs"; log=$base/logs/$file.log
cd {directory} || {{ printf 'it should start in %s, which cannot be entered\\n' {directory} >&2; exit 1; }}
size=0; [ ! -f "$log" ] || size=$(wc -c <"$log")
[ "$size" -le {LOG_SIZE} ] || rm -f "$log"
# A full disk keeps no server from starting. In a subshell, since a redirection that fails ends some shells.
( : >>"$log" ) 2>/dev/null || log=/dev/null
echo "## started at $(date -u +%Y-%m-%dT%H:%M:%SZ)" >>"$log"
{_DETACH}
export MIYABI_SETTINGS
detached sh -c {shlex.quote(_INNER)} miyabi {shlex.quote(server.start)} "$record" "$mask" </dev/null >>"$log" 2>&1 ||
  {{ echo 'it could not be detached' >&2; exit 1; }}
tries=0; now=$known
while [ "$now" = "$known" ] && [ "$tries" -lt 30 ]; do
  {_PAUSE}; tries=$((tries + 1)); {{ IFS= read -r now <"$record"; }} 2>/dev/null
done
echo started"""
    return f"{HOST_ENVIRONMENT}; MIYABI_SETTINGS=$(cat)\n{alone(_lock(server.name), body)}"


def adopt_script(process: str, known: tuple[int, str] | None, pid: int, mark: str) -> str:
    """The shell text that records a process that runs already as the server."""
    body = f"""{_known(process, known)}
{_BORN}
[ "$(born {pid})" = {shlex.quote(mark)} ] || {{ echo 'process {pid} has ended meanwhile' >&2; exit 1; }}
umask 077; mkdir -p "$base/processes" && printf '%s\\n' {shlex.quote(f"{pid} {mark}")} >"$record.new" &&
  mv -f "$record.new" "$record" """
    return f"{HOST_ENVIRONMENT}\n{alone(_lock(process), body)}"


def end_script(process: str, runners: Iterable[Runner]) -> str:
    """The shell text that ends processes by pid, each only while its mark is still the one that was seen."""
    return _ending(process, runners, "owned() { :; }")


def reap_script(process: str, runners: Iterable[Runner], match: str, reapers: Iterable[int]) -> str:
    """The shell text that ends orphans by pid, each only while mark, parent and command line are those of an orphan.

    + reapers: the pids that processes are given to when their parent ends

    What a service manager started has no other parent either: a unit of systemd's or an agent of launchd's is left.
    """
    told = list(runners)
    parents = " ".join(str(pid) for pid in {*reapers, *(each.pid for each in told)})
    shown = "".join(each if " " <= each <= "~" else "?" * len(each.encode(errors="replace")) for each in match)
    owned = rf"""owned() {{
  if [ -r /proc/$$/stat ]; then
    {{ IFS= read -r stat <"/proc/$1/stat"; }} 2>/dev/null || return 1
    words=$(tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" | LC_ALL=C sed 's/[^ -~]/?/g')
    while IFS= read -r group; do
      case ${{group##*/}} in user@*|miyabi*|ssh*|cron*) ;; *.service) return 1;; esac
    done <"/proc/$1/cgroup"
    set -- ${{stat##*) }}; parent=$2
  else
    parent=$(ps -o ppid= -p "$1" | tr -d ' '); words=$(ps -ww -o args= -p "$1" | LC_ALL=C sed 's/[^ -~]/?/g')
    ! launchctl list 2>/dev/null | cut -f 1 | grep -qx "$1" || return 1
  fi
  case $words in *{shlex.quote(shown)}*) ;; *) return 1;; esac
  case ' {parents} ' in *" $parent "*) ;; *) return 1;; esac
}}"""
    return _ending(process, told, owned)


def _ending(process: str, runners: Iterable[Runner], owned: str) -> str:
    listed = " ".join(f"{each.pid}:{each.mark}" for each in runners if each.mark)
    body = rf"""{_BORN}
{owned}
same() {{ [ "$(born "${{1%%:*}}")" = "${{1#*:}}" ]; }}
send() {{ for one in $left; do
  if same "$one" && owned "${{one%%:*}}"; then kill "-$1" "${{one%%:*}}" 2>/dev/null; else echo "left ${{one%%:*}}"; fi
done; }}
remaining() {{ still=; for one in $left; do ! same "$one" || still="$still $one"; done; left=$still; [ -n "$left" ]; }}
left={shlex.quote(listed)}
set -f; IFS=' '; send TERM
tries=0; while remaining && [ "$tries" -lt {END_PATIENCE * 10} ]; do tries=$((tries + 1)); {_PAUSE}; done
if remaining; then send KILL; tries=0
  while remaining && [ "$tries" -lt 20 ]; do tries=$((tries + 1)); {_PAUSE}; done
fi
[ -z "$left" ] || {{ echo "still there:$left" >&2; exit 1; }}"""
    # zsh splits words only when it is told to be sh.
    return f"{HOST_ENVIRONMENT}\n{alone(_lock(process), body)}"


def log_script(process: str, environment: Pairs) -> str:
    """The shell text that prints the last lines of what a server printed; ``exports`` is its stdin.

    The values of ``environment``, as the host expands them, are masked.
    """
    masks = "\n".join(
        f"""value=${{{name}}}
[ "${{#value}}" -lt 4 ] || while case $said in *"$value"*) ;; *) false;; esac; do
  said="${{said%%"$value"*}}********${{said#*"$value"}}"
done"""
        for name, _ in environment
    )
    return f"""{HOST_ENVIRONMENT}; settings=$(cat)
log=${{XDG_STATE_HOME:-$HOME/.local/state}}/miyabi/logs/{file_name(process)}.log
said=$(tail -n 20 "$log" 2>/dev/null | tail -c 2000 | LC_ALL=C tr -c '\\n -~' '?')
eval "$settings"
{masks}
printf '%s\\n' "$said\""""


def _known(process: str, known: tuple[int, str] | None) -> str:
    """Leaves with ``meanwhile`` when the record is not any more what was seen."""
    seen = "" if known is None else f"{known[0]} {known[1]}"
    return f"""base=${{XDG_STATE_HOME:-$HOME/.local/state}}/miyabi; file={shlex.quote(file_name(process))}
record=$base/processes/$file; known=
[ ! -f "$record" ] || IFS=' ' read -r one two <"$record"
case ${{one:-}} in ''|*[!0-9]*) ;; *) known=${{two:+$one $two}};; esac
[ "$known" = {shlex.quote(seen)} ] || {{ echo meanwhile; exit 0; }}"""


def _lock(process: str) -> str:
    return f"process-{file_name(process)}"
