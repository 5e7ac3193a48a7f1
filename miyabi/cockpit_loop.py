"""The shell text of a cockpit's window: attach, and attach again when the connection is lost. Pure.

The loop runs in a pane of the cockpit as ``sh -c 'eval "$3"' miyabi-cockpit KEY DIGEST LOOP LABEL ADVICE COMMAND...``.
KEY and DIGEST are there for whoever lists panes (``miyabi.cockpit``), and so come first; COMMAND is what attaches,
ADVICE what a human may do. Without COMMAND nothing can be attached, and ADVICE says why. What it does it writes into an
option of its pane, as ``STATE SINCE UNTIL PID WHY``, all printable ASCII. It runs on dash, bash 3.2, mksh and busybox.
"""

from __future__ import annotations

from miyabi.shell import HOST_ENVIRONMENT, quoted
from miyabi.spec import TmuxServer
from miyabi.tmux_command import client

PROGRAM = "miyabi-cockpit"
RUN = 'eval "$3"'
STATE_OPTION = "@miyabi_cockpit_state"

# The title of a pane from which on its session is not yet, and is, shown.
CONNECTING = "miyabi: connecting"
ATTACHED = "miyabi: attached"

# How what attaches ends, beside ssh's own 255 and a human's detaching, which is 0.
NO_SESSION = 80
SESSION_ENDED = 81
TMUX_FAILED = 84
NO_TMUX = 86

# Seconds: the longest pause between two tries, and how long a connection must have held to begin with short ones again.
LONGEST = 60
HELD = 60

# Reading keys in slices, because stty knows no longer timeouts; what is typed while nobody is attached must not reach
# whatever runs in the session later.
_ENTER = r"""enter() {
  over=$(( $(date +%s) + $1 ))
  while left=$(( over - $(date +%s) )); [ "$left" -gt 0 ] && [ "$left" -le "$1" ]; do
    [ "$left" -le 25 ] || left=25
    [ -t 0 ] || exit 0
    stty -icanon -echo -isig min 0 time "${left}0" 2>/dev/null || { sleep "$left"; continue; }
    typed=$(dd bs=4096 count=1 2>/dev/null; printf .)
    case $typed in *"$newline"*) return 0;; esac
  done
  return 1
}"""

# What a program that was cut off leaves of its own in a terminal: another screen, the mouse, a scroll region, colours.
_CLEAN = (
    r"printf '\033[?1049l\033[?1000l\033[?1002l\033[?1003l\033[?1006l\033[?1004l\033[?2004l"
    r"\033[?1l\033>\0337\033[r\0338\033(B\033[0m\033[?25h'; stty sane 2>/dev/null"
)

LOOP = rf"""label=$4 advice=$5; shift 5
server=$TMUX pane=$TMUX_PANE
{HOST_ENVIRONMENT}
newline='
'
tell() {{ TMUX=$server tmux set-option -p -t "$pane" {STATE_OPTION} "$1 $2 $3 $$ $4." 2>/dev/null; }}
say() {{ printf '%s %s: %s\n' "$(date +%H:%M:%S)" "$label" "$1"; }}
at() {{
  set -- "$1" $(date '+%H %M %S')
  set -- $(( (1$2 - 100) * 3600 + (1$3 - 100) * 60 + 1$4 - 100 + $1 ))
  printf '%02d:%02d:%02d' $(( $1 / 3600 % 24 )) $(( $1 / 60 % 60 )) $(( $1 % 60 ))
}}
last() {{
  printf '%s\n' "$1" | LC_ALL=C tr -cd '\n -~' | tr '|' '/' |
    sed -e '/^Connection to .* closed\.$/d' -e '/^Warning: /d' -e '/^ *$/d' -e 's/^ssh: //' -e 's/[.; ]*$//' |
    tail -n 1 | cut -c 1-200
}}
{_ENTER}
human() {{
  tell "$1" "$(date +%s)" 0 "$2"
  say "$3"
  until enter 3600; do :; done
  delay=1 since=
}}
exec 3>&1
trap 'stopped=1' INT QUIT
delay=1 since=
while :; do
  printf '\033]2;{CONNECTING}\033\\\033[H\033[J'
  began=$(date +%s)
  if [ "$#" -eq 0 ]; then
    human down "$(last "$advice")" "cannot be attached: $advice; miyabi cockpit up looks again"; continue
  fi
  tell trying "$began" 0 ''
  say attaching
  stty sane -icanon min 0 time 0 2>/dev/null && dd bs=4096 count=1 >/dev/null 2>&1
  stty sane 2>/dev/null
  stopped=
  said=$("$@" 2>&1 >&3 3>&-); code=$?
  {_CLEAN}
  [ "$code" -eq {TMUX_FAILED} ] || printf '\033[H\033[J'
  [ "$(( $(date +%s) - began ))" -lt {HELD} ] || {{ delay=1 since=; }}
  case $code,$said in
    0,*) human detached '' 'detached; press Enter to attach again'; continue;;
    {NO_SESSION},*) why='there is no such session';;
    {SESSION_ENDED},*) why='the session has ended';;
    {TMUX_FAILED},*) why='tmux there failed, as its window says';;
    {NO_TMUX},*) why='tmux is not found there';;
    255,*'IDENTIFICATION HAS CHANGED'*)
      why='its host key has changed, so nothing is sent there'
      human refused "$why" "$why; find out why before you go on: $advice; then press Enter"; continue;;
    255,*'Host key verification failed'*)
      why='its host key is not known here'
      human refused "$why" "$why; look at it once: $advice; then press Enter"; continue;;
    255,*'Permission denied ('*|255,*'Too many authentication failures'*)
      why=$(last "$said")
      human refused "$why" "nobody is let in ($why); see why: $advice; then press Enter"; continue;;
    255,*) why=$(last "$said"); why=${{why:-the connection was lost}};;
    *) why=$(last "$said"); why=${{why:-it ended}}" (exit code $code)";;
  esac
  if [ -n "$stopped" ]; then human detached '' 'stopped; press Enter to attach'; continue; fi
  since=${{since:-$(date +%s)}}
  tell waiting "$since" "$(( $(date +%s) + delay ))" "$why"
  say "not attached: $why; tries again in $delay s, at $(at "$delay"); Enter: now"
  if enter "$delay"; then delay=1; else delay=$(( delay * 2 )); fi
  [ "$delay" -le {LONGEST} ] || delay={LONGEST}
done"""


def attach_text(session_name: str, server: TmuxServer, *, read_only: bool) -> str:
    """The shell text that attaches to a session on its host, and ends with 0 only when a human has detached.

    + read_only: whether nothing can be typed into it

    Where others are attached to the host's tmux as well, the session keeps their size. A terminal that the host does
    not know is taken for one that everybody knows. A session that is another one afterwards, or gone, has ended.
    """
    tmux = client(TmuxServer(server.socket_name))
    # The colon also keeps a last ; of the name from ending tmux's command.
    target = quoted(f"={session_name}:")
    flags = "ignore-size,read-only" if read_only else "ignore-size"
    return rf"""{HOST_ENVIRONMENT}
command -v tmux >/dev/null 2>&1 || exit {NO_TMUX}
seen() {{ {tmux} display-message -p -t {target} '#{{session_id}}/#{{session_created}}/#{{pid}}' 2>&1; }}
exec 3>&1
was=$(seen)
case $was in
  '$'*) printf '\033]2;{ATTACHED}\033\\';;
  /*|*'no server running'*|*'error connecting'*|*"can't find session"*|*'no sessions'*) exit {NO_SESSION};;
  *) printf '%s\n' "$was"; exit {TMUX_FAILED};;
esac
for TERM in "${{TERM:-screen}}" screen-256color xterm-256color; do
  export TERM
  said=$({tmux} attach-session -f {flags} -t {target} 2>&1 >&3 3>&-); code=$?
  case $said in *'unsuitable terminal'*) continue;; esac
  break
done
[ "$(seen)" = "$was" ] || exit {SESSION_ENDED}
[ "$code" -ne 0 ] || exit 0
printf '%s\n' "$said"; exit {TMUX_FAILED}"""
