r"""Shell text that tells what a host has of a workspace, and what its files hold; it changes nothing. Pure.

It prints ``gzip`` or ``plain``, and then one stream in base64, which ``workspace_listing`` reads: lines of figures,
names and paths that end with a NUL, and at its end the contents of the files, one behind the other. The same number of
programs runs for one session and for a thousand.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from shlex import quote

from miyabi.orchestration.workspace import RECOVERY_FOLDER, STATE_FOLDER
from miyabi.shell import HostText, quoted

# Bytes of all contents that one look may send; what is larger is asked for by name.
MOST_SENT = 8 << 20

# How many hexadecimal digits of a digest tell the host that it is known: enough that two are hardly ever the same, and
# if they are, the control machine misses a content and asks for it by name.
KNOWN_DIGITS = 16

# More known digests than that are not told, because a command has a limit (128 KiB in one word on Linux).
MOST_KNOWN = 3000

# More files of a kind than that would not fit into a command's arguments everywhere.
_MOST_FILES = 8000

# Seconds for one program that reads all files.
_SECONDS = 30

# The largest lock that is read, in bytes and in lines.
_LOCK_BYTES, _LOCK_LINES = 4096, 40

# digests PATH...: the SHA-256 of each, a line each. A host without any tool for it says `cksum-CRC-SIZE` instead.
# $slowly is what bounds a program, or nothing.
DIGESTS = r"""has() { command -v "$1" >/dev/null 2>&1; }
if has sha256sum; then summed() { $slowly sha256sum -- "$@"; }
elif has shasum && shasum -a 256 /dev/null >/dev/null 2>&1; then summed() { $slowly shasum -a 256 -- "$@"; }
elif has openssl; then summed() { $slowly openssl dgst -sha256 -r "$@"; }
elif has perl && perl -MDigest::SHA -e 1 2>/dev/null; then summed() {
  $slowly perl -MDigest::SHA -e 'print Digest::SHA->new(256)->addfile($_, "b")->hexdigest, " \n" for @ARGV' "$@"; }
elif has python3 && python3 -c 1 2>/dev/null; then summed() { $slowly python3 -c 'import hashlib, sys
for name in sys.argv[1:]:
    with open(name, "rb") as file: print(hashlib.sha256(file.read()).hexdigest(), "")' "$@"; }
else summed() { $slowly cksum "$@" | sed 's/^\([0-9][0-9]*\) \([0-9][0-9]*\) .*/cksum-\1-\2 /'; }; fi
digests() {
  summed "$@" 2>/dev/null |
    sed -n 's/^\\\{0,1\}\([0-9a-f]\{64\}\) .*/\1/p; s/^\(cksum-[0-9]*-[0-9]*\) .*/\1/p'
}"""

# measured PATH...: size and time of each, a line each, of a link its own.
# kinds_of PATH...: a letter each: p is plain and the user's own, f is plain and another's, u may not be read, l is a
# link, o is anything else; and how many of them can be read.
# counted TEXT: how many lines it has. group TITLE PATH...: tells of files; a pattern that fits nothing stays one.
_LISTING = rf"""slowly='bounded {_SECONDS}'
if stat -c %s / >/dev/null 2>&1; then measured() {{ stat -c '%s %Y' -- "$@" 2>/dev/null; }}
else measured() {{ stat -f '%z %m' -- "$@" 2>/dev/null; }}; fi
kinds_of() {{
  kinds=; plain=0
  for each do
    if [ -L "$each" ]; then kinds=${{kinds}}l; elif [ ! -f "$each" ]; then kinds=${{kinds}}o
    elif [ ! -r "$each" ]; then kinds=${{kinds}}u
    else plain=$((plain + 1)); if [ -O "$each" ]; then kinds=${{kinds}}p; else kinds=${{kinds}}f; fi; fi
  done
}}
counted() {{
  count=0
  while read -r line; do [ -z "$line" ] || count=$((count + 1)); done <<END
$1
END
}}
few() {{ [ "$2" -le {_MOST_FILES} ] || {{ echo "trouble $(date +%s) has $2 $1, too many to look at"; exit 1; }}; }}
readable() {{
  [ "$plain" -gt 0 ] || return 0
  if [ "$plain" -lt "$#" ]; then
    for each do
      shift; if [ ! -L "$each" ] && [ -f "$each" ] && [ -r "$each" ]; then set -- "$@" "$each"; fi
    done
  fi
  [ "$#" -eq 0 ] || "$action" "$@"
}}
group() {{
  title=$1; shift
  [ -e "$1" ] || [ -L "$1" ] || {{ echo "$title 0"; return 0; }}
  few "$title" "$#"
  kinds_of "$@"; stats=$(measured "$@"); counted "$stats"
  [ "$count" -eq "$#" ] || return 1
  echo "$title $#"
  for each do
    read -r size changed <&3
    kind=${{kinds%"${{kinds#?}}"}}; kinds=${{kinds#?}}; echo "$kind $size $changed"
  done 3<<END
$stats
END
  printf '%s\0' "$@"
}}"""

# What changes while it is looked at is looked at again: each looks up its own names. Locks come and go.
_GROUPS = r"""again() { "$1" || "$1" || "$1" || { [ "$1" = locks ] && echo 'locks 0'; } || {
  echo "trouble $(date +%s) changes all the time"; exit 1; }; }
backups() { group backups backups/*/*.json; }
whole() { group whole backup-*/state/session-*.json; }
events() { group events events/*.jsonl; }"""

# A lock's text is told as one that ends with a NUL, and so is where a link leads. All numbers in them are asked for as
# pids: what a lock says is understood on the control machine.
_LOCKS = rf"""locks() {{
  set -- session-*.json.lock
  group locks "$@" || return 1
  [ -e "$1" ] || [ -L "$1" ] || return 0
  for lock do
    shift; text=
    if [ -L "$lock" ]; then text=$(readlink "$lock")
    elif [ -f "$lock" ] && [ -r "$lock" ]; then
      count=0; {{
        while [ "$count" -lt {_LOCK_LINES} ] && {{ IFS= read -r line || [ -n "$line" ]; }}; do
          text="$text$line "; count=$((count + 1)); [ "${{#text}}" -le {_LOCK_BYTES} ] || break
        done
      }} <"$lock" 2>/dev/null
    fi
    set -- "$@" "$text"
  done
  printf '%s\0' "$@"
  numbers=$(printf '%s\n' "$@" | tr -cs 0-9 '\n' | sort -un | head -n 2000)
}}"""

# A process is told with its start in ticks of its kernel (100 a second), beside the ticks at which a process begins
# right now: whatever happened to the clock since, the difference is its age. A process that has ended and is still in
# the list does not run. Where there is no /proc, `ps` tells the time.
_PROCESSES = r"""started() {
  words=
  while IFS= read -r line || [ -n "$line" ]; do words="$words $line"; done <"/proc/$1/stat" || return 1
  words=${words##*) }; set -f; set -- $words; set +f
  case $1 in ''|Z|X|x) return 1;; esac
  [ "$#" -ge 20 ] && shift 19 && echo "$1"
} 2>/dev/null
processes() {
  asked=
  for pid do case $pid in 0*|????????*|*[!0-9]*) ;; *) asked="$asked $pid";; esac; done
  if [ -r /proc/self/stat ]; then
    echo "ticks $(started self)"
    for pid in $asked; do ticks=$(started "$pid") && echo "process $pid $ticks"; done
  elif [ -z "$asked" ] || has ps; then
    echo 'ps'; list=; for pid in $asked; do list="$list,$pid"; done
    [ -z "$list" ] || TZ=UTC0 $slowly ps -o pid= -o lstart= -p "${list#,}" 2>/dev/null |
      sed 's/  */ /g; s/^ //; s/^/process /'
  else echo 'unknown'; fi
  echo 'told'
}"""

_SESSIONS = rf"""sessions() {{
  set -- session-*.json
  [ -e "$1" ] || [ -L "$1" ] || {{ echo 'sessions 0'; echo 'sent'; return 0; }}
  few sessions "$#"
  kinds_of "$@"; stats=$(measured "$@"); counted "$stats"; [ "$count" -eq "$#" ] || return 1
  action=digests; sums=$(readable "$@"); counted "$sums"; [ "$count" -eq "$plain" ] || return 1
  echo "sessions $#"
  number=0; wanted=
  for each do
    number=$((number + 1)); digest=-
    read -r size changed <&3
    kind=${{kinds%"${{kinds#?}}"}}; kinds=${{kinds#?}}
    case $kind in [pf]) read -r digest <&4;; esac
    echo "$kind $size $changed $digest"
    case $kind in [pf]) ;; *) continue;; esac
    case $known in
      all|*" ${{digest%"${{digest#{"?" * KNOWN_DIGITS}}}"}} "*) ;;
      *) wanted="$wanted$size $number
";;
    esac
  done 3<<STATS 4<<SUMS
$stats
STATS
$sums
SUMS
  printf '%s\0' "$@"
  sent=; paths=; total=0
  while read -r size number; do
    [ -n "$number" ] || continue
    total=$((total + size)); [ "$total" -le {MOST_SENT} ] || break
    sent="$sent $number"; paths="$paths \"\${{$number}}\""
  done <<WANTED
$(printf %s "$wanted" | sort -n)
WANTED
  echo "sent$sent"
  [ -z "$paths" ] || eval "$slowly cat -- $paths"
}}"""

_ENTERED = rf"""refuse() {{ echo "trouble $(date +%s) $1"; exit 0; }}
case $work in /*) ;; *) refuse 'is no absolute path on this host';; esac
[ -e "$work" ] || refuse 'is not there'
[ -d "$work" ] || refuse 'is no folder'
cd "$work" 2>/dev/null || refuse 'may not be entered'
if [ -e .claude ] || [ -L .claude ]; then
  [ -d .claude ] && [ -x .claude ] || refuse 'has a .claude that may not be entered'
  if [ -e {STATE_FOLDER} ] || [ -L {STATE_FOLDER} ]; then
    [ -d {STATE_FOLDER} ] && [ -r {STATE_FOLDER} ] && [ -x {STATE_FOLDER} ] ||
      refuse 'has a {STATE_FOLDER} that may not be read'
  fi
fi
place=$(pwd -P; echo .)"""

_PACKED = r"""for tool in base64 stat sed; do
  has "$tool" || { echo "$tool is not on this host: install it"; exit 127; }
done
if has gzip; then echo gzip; told | gzip -1 -c | base64; else echo plain; told | base64; fi"""


def workspace_script(
    workspace: str, known: Collection[str] = (), pids: Sequence[int] = (), *, contents: bool = True
) -> str:
    """The shell text that tells of a workspace, for ``workspace_listing.read_workspace``.

    + workspace: its folder; may begin with ``~`` or ``$NAME``
    + known: the digests of contents that need not travel
    + pids: of processes: whether they run, and since when
    + contents: whether what sessions hold is told at all

    It is a section of a probe: it needs ``bounded`` (``miyabi.bounded``).
    """
    heads = sorted({digest[:KNOWN_DIGITS] for digest in known})[:MOST_KNOWN]
    told = f" {' '.join(heads)} " if contents else "all"
    asked = " ".join(str(int(pid)) for pid in pids)
    return f"""work={quoted(HostText(workspace))}; known={quote(told)}
{_ENTERED}
{DIGESTS}
{_LISTING}
{_GROUPS}
{_LOCKS}
{_PROCESSES}
{_SESSIONS}
told() {{
  echo "now $(date +%s)"; echo "host $(uname -n)"; printf '%s\\0' "${{place%??}}"
  if cd {RECOVERY_FOLDER} 2>/dev/null; then again backups; again whole; cd "$work"
  else echo 'backups 0'; echo 'whole 0'; fi
  numbers=
  if cd {STATE_FOLDER} 2>/dev/null; then again events; again locks; processes {asked} $numbers; again sessions
  else echo 'events 0'; echo 'locks 0'; processes {asked}; echo 'sessions 0'; echo 'sent'; fi
  echo 'end'
}}
{_PACKED}"""


def contents_script(workspace: str, names: Sequence[str]) -> str:
    """The shell text that tells what some files of a workspace hold, for ``workspace_listing.read_contents``.

    + names: paths below the workspace, such as ``.claude/state/session-a.json``

    However large they are: it takes as long as they need to travel. Links are not followed.
    """
    paths = " ".join(quote(name) for name in names)
    return f"""work={quoted(HostText(workspace))}
{_ENTERED}
{DIGESTS}
{_LISTING}
told() {{
  set -- {paths}
  kinds_of "$@"; number=0; wanted=
  for each do
    number=$((number + 1)); kind=${{kinds%"${{kinds#?}}"}}; kinds=${{kinds#?}}; stats=- digest=-
    case $kind in
      [pf]) stats=$(measured "$each"); digest=$(digests "$each"); wanted="$wanted \\"\\${{$number}}\\"";;
    esac
    [ -n "$digest" ] && [ -n "$stats" ] || {{ stats=- digest=- kind=o; }}
    [ "$stats" != - ] || stats='0 0'
    echo "$kind $stats $digest"
  done
  [ -z "$wanted" ] || eval "cat -- $wanted"
  echo 'end'
}}
{_PACKED}"""
