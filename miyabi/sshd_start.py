"""Shell text that starts the ssh server of a host the way its platform does. Pure."""

from __future__ import annotations

from miyabi.bounded import BOUNDED
from miyabi.host_lock import alone
from miyabi.shell import HOST_ENVIRONMENT, quoted
from miyabi.termux import IS_TERMUX

# What systemd makes at boot, and nobody else does (sd_booted(3)).
SYSTEMD_FOLDER = "/run/systemd/system"
INIT_FOLDER = "/etc/init.d"

# Its own property list, which only macOS itself may change.
MACOS_PLIST = "/System/Library/LaunchDaemons/ssh.plist"

# Seconds that one run waits for another that is starting it.
PATIENCE = 40

# Each way ends with 0 when it did what there is to do, else with the cause on the last line. Whatever is started must
# outlive this shell: it gets none of its descriptors.
_COMMON = r"""give_up() { printf '%s\n' "$1" | tr -c '\n -~' '?'; exit 1; }
silent() { "$@" </dev/null >/dev/null 2>&1; }
root() { if [ "$(id -u)" -eq 0 ]; then bounded 20 "$@"; else bounded 20 sudo -n "$@"; fi; }
may_root() { [ "$(id -u)" -eq 0 ] || silent bounded 5 sudo -n true; }
until_up() { _left=$1; until answers; do [ "$_left" -gt 0 ] || return 1; _left=$((_left - 1)); sleep 1; done; }
server() { command -v sshd 2>/dev/null || give_up 'sshd is not installed here'; }
# Its own word about a configuration that it would not start with; a folder that is lost at each boot is made again.
hint=
checked() {
  program=$1; shift
  complaint=$("$@" "$program" -t 2>&1 </dev/null) && return
  case $complaint in *'Missing privilege separation directory: '*)
    silent "$@" mkdir -p -m 755 "${complaint##*directory: }" && silent "$@" "$program" -t && return;;
  esac
  give_up "sshd -t: $(printf '%s\n' "$complaint" | sed '/terminating, /d' | tail -n 1)$hint"
}
# One that is set up for another port is not the one that is missed.
meant() {
  program=$1; shift
  ports=$("$@" "$program" -T 2>/dev/null </dev/null | sed -n 's/^port //p'); [ -n "$ports" ] || return 0
  for each in $ports; do [ "$each" != "$port" ] || return 0; done
  give_up "sshd is set up for port $(printf '%s ' $ports)and not for $port: correct sshd_config or the spec"
}
plain() {
  program=$(server) || give_up "$program"
  checked "$program" "$@"; meant "$program" "$@"
  silent "$@" "$program" || give_up "$program: exit code $?"
}"""

# runit's sv: a `down` file keeps the service from being started, as `sv-disable` leaves it; without a runsvdir nobody
# makes supervise/ok. A service may be `run` for hours while its port refuses
# (https://github.com/termux/termux-services/issues/6): `exit` ends that listener and its runsv, and runsvdir makes a
# new one within 5 seconds. The sessions of a listener are processes of their own, which that leaves alone; but they
# hold the pipe to its log, which is asked to end, too.
_TERMUX = r"""termux() {
  PREFIX=${PREFIX:-/data/data/com.termux/files/usr} SVDIR=$PREFIX/var/service LOGDIR=$PREFIX/var/log
  export PREFIX SVDIR LOGDIR
  if [ ! -d "$SVDIR/sshd" ] || ! command -v sv >/dev/null 2>&1; then plain; return; fi
  rm -f "$SVDIR/sshd/down"
  supervised || { silent bounded 10 service-daemon start; until_supervised 6; } || { plain; return; }
  case $(status) in
  'run: '*)
    age=$(status); age=${age#*) }; age=${age%%s*}
    # What has just been started may need a moment.
    case $age in [0-3]) until_up 2 && return;; esac
    checked "$(server)"; meant "$(server)"
    silent bounded 5 sv exit sshd; left=8
    until answers || [ "$left" -eq 0 ]; do
      left=$((left - 1)); [ "$left" -lt 4 ] || silent bounded 5 sv term sshd/log
      sleep 1
    done
    supervised || { silent bounded 10 service-daemon start; until_supervised 6; } || { plain; return; };;
  esac
  silent bounded 5 sv up sshd
  until_up 5 || {
    checked "$(server)"
    give_up "the service was started, and its port stays closed: $(status)"
  }
}
status() { bounded 5 sv status sshd 2>&1; }
supervised() { case $(status) in *'unable to '*|*'not running'*|'') return 1;; esac; }
until_supervised() { _left=$1; until supervised; do
  [ "$_left" -gt 0 ] || return 1; _left=$((_left - 1)); sleep 1; done; }"""

# launchd listens in sshd's place: Remote Login is on or off, and no process tells which. 113 is launchctl's word for a
# service that it does not know.
_MACOS = rf"""macos() {{
  silent bounded 5 launchctl print system/com.openssh.sshd; code=$?
  case $code in
  0) give_up 'Remote Login is on, yet the port gives no banner: launchd listens on 22';;
  113) ;;
  *) give_up "launchctl print system/com.openssh.sshd: exit code $code";;
  esac
  may_root || give_up 'Remote Login is off: turn it on in System Settings, General, Sharing'
  root launchctl enable system/com.openssh.sshd && root launchctl bootstrap system {MACOS_PLIST} ||
    give_up 'launchctl could not turn Remote Login on: do so in System Settings, General, Sharing'
}}"""

_SYSTEMD = r"""systemd() {
  unit=
  # Where the socket is enabled, it listens in the service's place (Ubuntu).
  for each in ssh.socket sshd.socket; do
    [ -n "$unit" ] || case $(bounded 5 systemctl is-enabled "$each" 2>/dev/null) in enabled*) unit=$each;; esac
  done
  for each in ssh.service sshd.service; do
    [ -n "$unit" ] || case $(bounded 5 systemctl show -p LoadState "$each" 2>/dev/null) in
    LoadState=loaded) unit=$each;;
    LoadState=masked) give_up "$each is masked: somebody does not want it to start (systemctl unmask $each)";;
    esac
  done
  [ -n "$unit" ] || give_up 'systemd knows neither ssh.service nor sshd.service: is openssh-server installed?'
  [ "$(bounded 5 systemctl is-active "$unit" 2>/dev/null)" != active ] ||
    { meant "$(server)" root; give_up "$unit is active, yet port $port gives no banner"; }
  silent root systemctl reset-failed "$unit"
  said=$(root systemctl start "$unit" 2>&1 </dev/null) || {
    case $said in *sudo*) give_up "systemctl start $unit takes root ($(printf '%s\n' "$said" | tail -n 1)): \
start it by hand, let sudo do so without a password, or name a command that may (sshd: start:)";; esac
    ! may_root || ! command -v sshd >/dev/null || checked "$(server)" root
    give_up "systemctl start $unit: $(printf '%s\n' "$said" | head -n 1)"
  }
}"""

_OTHER = r"""other() {
  for name in ssh sshd; do
    [ -x "$1/$name" ] || continue
    if command -v rc-service >/dev/null 2>&1; then set -- rc-service "$name" start
    elif command -v service >/dev/null 2>&1; then set -- service "$name" start; else continue; fi
    may_root && silent root "$@" && until_up 3 && return
    break
  done
  if may_root; then plain root; else hint=' (without root: sudo asks for a password)'; plain; fi
}"""


def start_script(look: str, port: int, start: str | None = None) -> str:
    """The shell text that starts the ssh server, one at a time on a host, unless it answers by then.

    + look: shell text that prints the banner when it answers, and nothing that looks like one when it does not
    + port: where it must answer
    + start: the command that starts it; None is the platform's own way

    It ends with 0 when there was something to start, or nothing to do; else its last line says why not.
    """
    script = f"port={port}\n{_functions(look)}\n{_choice(start)}"
    return f"{HOST_ENVIRONMENT}\n{BOUNDED}\n" + alone("sshd", script, PATIENCE)


def _functions(look: str) -> str:
    answers = f"answers() {{ ( {look}\n) 2>/dev/null | grep '^\\(# [^ ]* \\)\\{{0,1\\}}SSH-' >/dev/null; }}"
    return f"{answers}\n{_COMMON}\n{IS_TERMUX}\n{_TERMUX}\n{_MACOS}\n{_SYSTEMD}\n{_OTHER}"


def _choice(start: str | None) -> str:
    if start is not None:
        # What it leaves running must not hold a pipe of this shell's.
        return f"""! answers || exit 0
log="${{XDG_STATE_HOME:-$HOME/.local/state}}/miyabi/sshd-start.log"
: >"$log" && chmod 600 "$log" || log=/dev/null
bounded 30 sh -c {quoted(start)} </dev/null >"$log" 2>&1 ||
  give_up "the command that starts it: exit code $? $(tail -n 1 "$log")\""""
    return f"""! answers || exit 0
if is_termux; then termux
elif [ "$(uname -s)" = Darwin ]; then macos
elif [ -d {SYSTEMD_FOLDER} ]; then systemd
else other {INIT_FOLDER}; fi"""
