"""Shell text that runs a hook on a host: bounded in time and output, with a clean environment, ended as a whole. Pure.

What a host keeps of a hook: ``~/.local/state/miyabi/hooks/NAME`` holds when it ran, with what digest, and what came of
it. ``miyabi.hook_result`` reads what the script prints.
"""

from __future__ import annotations

import re
import shlex

from miyabi.hook import Hook
from miyabi.hook_loop import BEGAN, LOOP_SCRIPT
from miyabi.hook_process import COLLECT, FOUND, GRACE, HEAD, RUN, WATCH
from miyabi.hook_program import CHECK
from miyabi.host_lock import PATIENCE, alone
from miyabi.shell import HOST_ENVIRONMENT, HostText, quoted

# Seconds for the whole script beyond those of the hook: its turn, its end, its data on the way.
MORE_TIME = PATIENCE + GRACE + 30

# What a hook is given of the host's own variables, where they are set: who and where it is, its language, and by what
# it reaches tmux, the user's services, keys and the network. And all that begins with MIYABI_.
KEPT_VARIABLES = (
    *("HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "TZ", "TMPDIR"),
    *("TMUX_TMPDIR", "SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"),
    *("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "http_proxy", "https_proxy", "no_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "PREFIX", "ANDROID_ROOT", "ANDROID_DATA", "ANDROID_ART_ROOT"),
    *("ANDROID_I18N_ROOT", "ANDROID_TZDATA_ROOT", "BOOTCLASSPATH", "TERMUX_VERSION"),
)

# `give NAME VALUE` makes a variable the hook's. The shell alone handles values: no process list shows them.
_GIVE = f"""unset CDPATH; settings=; search=$PATH
give() {{
  _rest=$2 _value=
  while case $_rest in *"'"*) ;; *) false;; esac; do
    _value="$_value${{_rest%%"'"*}}'\\\\''"; _rest=${{_rest#*"'"}}
  done
  settings="$settings export $1='$_value$_rest';"
  [ "$1" != PATH ] || search=$2
}}
for _name in {" ".join(KEPT_VARIABLES)} $(env | sed -n 's/^\\(MIYABI_[A-Za-z0-9_]*\\)=.*/\\1/p'); do
  eval "_given=\\${{$_name-}}"
  [ -z "$_given" ] || give "$_name" "$_given"
done
give PATH "$PATH"; give TERM dumb; give CLAUDE_HOOK_TIMESTAMP "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
preload=
case ${{PREFIX:-}} in (*/com.termux/*)
  for _name in libtermux-exec-ld-preload.so libtermux-exec.so; do
    [ -n "$preload" ] || [ ! -f "$PREFIX/lib/$_name" ] || preload=$PREFIX/lib/$_name
  done;;
esac"""

# What is wrong is told as one word, with what it is about; the whole script ends with it.
_TELL = r"""hexed() { od -An -v -tx1 | tr -d ' \n'; echo; }
hexes() { hexed <<END
$1
END
}
outcome=ended code= seconds=0 bytes=0 left= what= uncounted=
tell() {
  echo "##miyabi:hook $nonce"
  echo "outcome $outcome"; echo "code $code"; echo "seconds $seconds"; echo "bytes $bytes"; echo "left $left"
  echo "uncounted $uncounted"; echo "what $(hexes "$what")"
  if [ -f "$work/first" ]; then echo "head $(hexed <"$work/first")"; fi
  if [ "${bytes:-0}" -gt @HEAD@ ]; then echo "tail $(hexed <"$work/last")"; fi
  echo "##miyabi:end $nonce"
}
cleared() { case $work in */miyabi-hook-"$nonce") rm -rf "$work";; esac; }
refuse() { outcome=$1; what=${2:-}; tell; cleared; exit 0; }""".replace("@HEAD@", str(HEAD))

# Who was killed has left its folder behind; without data, as that has no name any more when the hook begins.
_WORK = r"""work=${TMPDIR:-/tmp}/miyabi-hook-$nonce
find "${TMPDIR:-/tmp}/." ! -name . -prune -type d -name 'miyabi-hook-*' -user "$(id -un)" -mmin +180 \
  -exec rm -rf {} \; 2>/dev/null
( umask 077; mkdir "$work" && cd "$work" && mkfifo control pipe count first.in last.in ) 2>/dev/null ||
  refuse no-room "${TMPDIR:-/tmp}"
text=; line=
while IFS= read -r line && [ "$line" != "##$nonce" ]; do text="$text$line
"; done
[ "$line" = "##$nonce" ] || refuse torn
eval "$text"
if [ "$size" -gt 0 ]; then
  ( umask 077; cat >"$work/data" ) 2>/dev/null || refuse no-room "$work"
  [ "$(($(wc -c <"$work/data")))" -eq "$size" ] || refuse torn
  exec 4<"$work/data"; rm -f "$work/data"
else exec 4</dev/null; fi"""

_BEGIN = f"""now=$(date +%s)
{LOOP_SCRIPT}
[ -z "$held" ] || {{ echo "held $held"; exit 0; }}
{{ ( umask 077; cat >"$file.new" <<END
$kept$now $digest {BEGAN}
END
) && mv -f "$file.new" "$file"; }} 2>/dev/null || {{ rm -f "$file.new"; echo uncounted; exit 0; }}
echo "began $now\""""


# What differs between hooks.
_HOLE = re.compile(r"@([a-z]+)@")

_SCRIPT = rf"""@environment@
nonce=@nonce@ name=@name@ digest=@digest@ size=@size@ timeout=@timeout@
{_TELL}
{_GIVE}
{_WORK}
cd -- "$folder" 2>/dev/null || refuse folder "$folder"
give CLAUDE_HOOK_WORKSPACE "$PWD"
give MIYABI_HOOK_RUN "$nonce"
eval "set -- $words"
{CHECK}
check "$@"
file=${{XDG_STATE_HOME:-$HOME/.local/state}}/miyabi/hooks/$name
( umask 077; mkdir -p "${{file%/*}}" ) 2>/dev/null
# In a file: older shells misread what stands in $(...).
( @turn@
) >"$work/turn" 2>/dev/null || refuse busy
turn=; IFS= read -r turn <"$work/turn" || refuse no-room "$work"
case $turn in (held*) refuse held "${{turn#held }} $(date +%s)";; (uncounted) uncounted=yes;; esac
{FOUND}
{WATCH}
{COLLECT}
{RUN}
[ "$uncounted" = yes ] || case $outcome in
(ended) echo "${{turn#began }} $digest ended-$code" >>"$file";;
(*) echo "${{turn#began }} $digest $outcome" >>"$file";;
esac 2>/dev/null
tell; cleared; exit 0
"""


def hook_script(hook: Hook, nonce: str) -> str:
    """The shell text that runs a hook; ``hook_input`` is its stdin.

    + nonce: hexadecimal digits that nobody else uses: by them what the hook has started is found

    It prints what ``miyabi.hook_result.read_result`` reads, and ends with 0 whatever came of the hook. It runs to its
    end when the control machine is gone.
    """
    told = {
        "environment": HOST_ENVIRONMENT,
        "nonce": nonce,
        "name": hook.name,
        "digest": hook.digest,
        "size": str(len(_data(hook))),
        "timeout": str(hook.timeout),
        "turn": alone(f"hook-{hook.name}", _BEGIN),
    }
    return _HOLE.sub(lambda hole: told[hole[1]], _SCRIPT)


def hook_input(hook: Hook, nonce: str) -> str:
    """What the script reads: the hook's words, folder and variables as shell text, then its data.

    Nothing of it is in a command line, which every user of the host could read.
    """
    lines = [
        f"words={shlex.quote(' '.join(map(quoted, hook.words)))}",
        f"folder={quoted(HostText(hook.cwd or '~'))}",
        *(f"give {name} {quoted(HostText(value))}" for name, value in hook.environment),
        f"give CLAUDE_HOOK_SESSION_ID {shlex.quote(hook.session)}",
    ]
    return "\n".join([*lines, f"##{nonce}", _data(hook)])


def _data(hook: Hook) -> str:
    return "" if hook.data is None else f"{hook.data}\n"
