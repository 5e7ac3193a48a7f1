"""The shell text that looks at the agents of a host. It runs a fixed number of programs, however many agents there are.

What it prints is one base64 text, which ``miyabi.agent_listing`` reads: lines that begin with the name of a new folder
that nobody can have known before tell what follows them, so that no screen and no file can pass itself off as one.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from facts.probe import COMMAND_TIMEOUT
from miyabi.shell import HostText, pattern, quoted
from miyabi.tmux_command import MESSAGE_LIMIT
from miyabi.tmux_listing import NUDGED_OPTION, PANE_NAME_OPTION, SCREEN_OPTION, encoded, encoded_text

# How many lines above its screen a pane tells, how many it tells at most, and how many bytes of each.
_HISTORY = 40
_LINES = 160
_WIDTH = 2000
# Bytes of a transcript's end, of a file's beginning, and of an entry in the register.
_TAIL = 4000
_HEAD = 2000
_ENTRY = 400
# How many of the newest files are told for an agent without a conversation, for all of a kind together, and how many
# are looked at for them.
_NEWEST = 5
_MOST = 40
_LOOKED_AT = 3000
# What a pane adds to the message that asks for its screen, and to the one that marks it, at most.
_ASKING = 140
_MARKING = 120

# The folder of an agent's conversations is named after its own, as tmux itself rewrites it; a program that draws on
# the alternate screen has nothing to do with the lines above it.
_LIST = "|".join(
    ["A", "#{pane_id}", f"#{{?alternate_on,0,-{_HISTORY}}}", "#{s/[^a-zA-Z0-9]/-/:pane_current_path}"]
    + [encoded_text(name) for name in (PANE_NAME_OPTION, SCREEN_OPTION, NUDGED_OPTION)]
)

# Takes the captured screens apart, each into a file of its own for its digest; one without an end is left out.
_SPLIT = r"""index($0, nonce " ") == 1 {
  if (pane != "") {
    last = count; while (last > 0 && line[last] == "") last--
    file = "screen." ++screens; printf "" >file; print nonce, "screen", pane
    for (i = last > most ? last - most + 1 : 1; i <= last; i++) { print line[i]; print line[i] >file }
    close(file); print screens, pane, pid >"done"
  }
  pane = $2 == "screen" ? $3 : ""; pid = $4; count = 0; next
}
{ sub(/[ \t\r]+$/, ""); line[++count] = substr($0, 1, width) }"""

# The newest files of each group, of which each line tells its number, how many it may have, and a path.
_CHOOSE = r"""NR == FNR { path = $0; sub(/^[^ ]* [^ ]* /, "", path); group[path] = $1; most[path] = $2; next }
{ path = substr($0, index($0, " ") + 1)
  if (path in group && told[group[path]]++ < most[path]) print group[path], $0 }"""


@dataclass(frozen=True, slots=True)
class Asked:
    """An agent that is looked for.

    + name: the spec's name of its pane
    + register: the name of its file in the register of conversations
    + folder: where the spec has it start; None is wherever tmux does
    + kind: of agent; "" is that nobody knows
    + transcripts, candidates: its kind's patterns; "" is none
    """

    name: str
    register: str
    folder: str | None = None
    kind: str = ""
    transcripts: str = ""
    candidates: str = ""


def agents_script(agents: Sequence[Asked], register: str, socket_name: str | None, *, marks: bool) -> str:
    """The shell text.

    + register: shell text for the folder in which conversations are registered
    + socket_name: as in ``tmux -L``; None is tmux's default server
    + marks: whether the panes are marked with what was seen, so that the next look can tell since when it is so
    """
    client = f"tmux -u -L {quoted(socket_name)}" if socket_name else "tmux -u"
    parts = [_begin(client), _screens(agents), _digests(marks=marks), _registered(agents, register)]
    if any(each.transcripts for each in agents):
        parts.append(_transcripts(agents))
    if any(each.candidates for each in agents):
        parts.append(_candidates(agents))
    return "\n".join([*parts, _END])


def _begin(client: str) -> str:
    # A client hands its output to the server, which keeps a pipe open as long as it is stopped: hence the files.
    # `changed` tells of one file what `stat` tells of many, for a host that has none.
    return rf"""for tool in tmux awk base64 mktemp; do
  command -v "$tool" >/dev/null || {{ echo "$tool is not on this host: install it"; exit 127; }}
done
work=$(mktemp -d "${{TMPDIR:-/tmp}}/miyabi.XXXXXXXX") || exit 1
case $work in /*) ;; *) work=$PWD/$work;; esac
trap 'rm -rf "$work"' EXIT; trap 'exit 1' HUP INT TERM
cd "$work" || exit 1
nonce=${{work##*/}}; now=$(date '+%s %z'); printf '%s\n' "$nonce" "$nonce now $now" >answer; now=${{now%% *}}
line='
'
client() {{ bounded {COMMAND_TIMEOUT} {client} "$@" </dev/null; }}
changed() {{ printf '%s %s\n' "$(date -r "$1" +%s)" "$1"; }}"""


def _screens(agents: Sequence[Asked]) -> str:
    names = " ".join(f"{shlex.quote(encoded(each.name))}) n={n};;" for n, each in enumerate(agents))
    return rf"""client list-panes -a -f '#{{!=:#{{{PANE_NAME_OPTION}}},}}' -F '{_LIST}' >list 2>said || {{
  [ "$?" -ne 124 ] || exit 124
  printf '%s failed\n' "$nonce" >>answer; cat said >>answer
}}
capture() {{
  client "$@" display-message -p "$nonce end" >>screens 2>/dev/null || [ "$?" -ne 124 ] || exit 124
}}
seen=' '; size=0; set --; : >screens
while IFS='|' read -r sign pane start folder name mark nudged; do
  [ "$sign" = A ] || continue
  case $name in {names} *) continue;; esac
  id=${{pane#?}}; case $id in ''|*[!0-9]*) continue;; esac
  case $seen in *" $id "*) continue;; esac
  seen="$seen$id "; eval "mark_$id=\$mark; folder_$n=\$folder"
  printf '%s pane %s %s %s\n' "$nonce" "$n" "$pane" "$nudged" >>answer
  size=$((size + {_ASKING})); [ "$size" -lt {MESSAGE_LIMIT} ] || {{ capture "$@"; set --; size={_ASKING}; }}
  set -- "$@" display-message -p -t "$pane" "$nonce screen #{{pane_id}} #{{pane_pid}}" \;
  set -- "$@" capture-pane -p -J -S "$start" -t "$pane" \;
done <list
[ "$#" -eq 0 ] || capture "$@"
: >done
awk -v nonce="$nonce" -v most={_LINES} -v width={_WIDTH} {shlex.quote(_SPLIT)} screens >>answer || exit 1"""


def _digests(*, marks: bool) -> str:
    mark = rf"""  size=$((size + {_MARKING}))
  [ "$size" -lt {MESSAGE_LIMIT} ] || {{ mark "$@"; set --; size={_MARKING}; }}
  [ "$#" -eq 0 ] || set -- "$@" \;
  set -- "$@" set-option -p -t "%$id" {SCREEN_OPTION} "$digest $since $pid"
"""
    return rf"""set --
while read -r n pane pid; do id=${{pane#?}}; eval "id_$n=\$id; pid_$n=\$pid"; set -- "$@" "screen.$n"; done <done
: >sums
if [ "$#" -eq 0 ]; then :
elif command -v cksum >/dev/null; then cksum "$@" >sums
elif command -v md5sum >/dev/null; then md5sum "$@" >sums
elif command -v sha256sum >/dev/null; then sha256sum "$@" >sums; fi
mark() {{ client "$@" 2>/dev/null || [ "$?" -ne 124 ] || exit 124; }}
size=0; set --
while read -r digest bytes file; do
  [ -z "$file" ] && file=$bytes || digest=$digest-$bytes
  n=${{file##*.}}; eval "id=\$id_$n; pid=\$pid_$n"; eval "mark=\$mark_$id"
  case $mark in "$digest "*" $pid") since=${{mark#* }}; since=${{since%% *}};; *) since=;; esac
  case $since in *[!0-9]*|?????????????*) since=;; esac
  if [ -n "$since" ] && [ "$since" -le "$now" ]; then
    printf '%s digest %%%s %s %s\n' "$nonce" "$id" "$digest" "$since" >>answer; continue
  fi
  printf '%s digest %%%s %s %s\n' "$nonce" "$id" "$digest" "${{since:+$now}}" >>answer; since=$now
{mark if marks else ""}done <sums
if [ "$#" -ne 0 ]; then mark "$@"; fi"""


def _registered(agents: Sequence[Asked], register: str) -> str:
    entries = " ".join(shlex.quote(f"{n}:{each.kind}:{each.register}") for n, each in enumerate(agents))
    # An entry that is not one line, or is of another kind of agent, leads to no transcript.
    return rf"""register={register}
printf '%s next\n' "$nonce" >next
order=; set --
for entry in {entries}; do
  file=$register/${{entry##*:}}; [ -f "$file" ] && [ ! -L "$file" ] && [ -r "$file" ] || continue
  n=${{entry%%:*}}; kind=${{entry#*:}}; eval "kind_$n=\${{kind%:*}}"
  order="$order $n"; set -- "$@" "$file" next
done
: >entries; [ "$#" -eq 0 ] || head -c {_ENTRY} "$@" >entries 2>/dev/null
printf '%s register%s\n' "$nonce" "$order" >>answer
set -- $order; lines=0
while IFS= read -r said || [ -n "$said" ]; do
  printf '%s\n' "$said" >>answer
  case $said in "$nonce next") shift; lines=0; continue;; ''|'==> '*' <==') continue;; esac
  eval "kind=\$kind_$1; session_$1="; lines=$((lines + 1))
  rest=${{said#* }}; kind=${{kind:-"${{rest%% *}}"}}
  case $lines,$said in "1,1 $kind "*' '*) ;; *) continue;; esac
  rest=${{rest#* }}; said=${{rest%% *}}; rest=${{rest#* }}
  [ "${{#said}}" -le 128 ] && [ "${{#rest}}" -le 15 ] || continue
  case $said,$rest in ,*|*,|[!A-Za-z0-9]*|*[!A-Za-z0-9_.-]*,*|*,*[!0-9]*) ;; *) eval "session_$1=\$said";; esac
done <entries"""


def _transcripts(agents: Sequence[Asked]) -> str:
    cases = _cases([each.transcripts for each in agents], "session_id", "$session")
    return rf"""set --
for n in {" ".join(str(n) for n, each in enumerate(agents) if each.transcripts)}; do
  eval "session=\${{session_$n-}}"; [ -n "$session" ] || continue
  paths() {{ for path; do
    [ -f "$path" ] && [ -r "$path" ] || continue
    case $path in *"$line"*) ;; *) printf '%s %s\n' "$n" "$path";; esac
  done; }}
  case $n in {cases} esac >>files
done
[ ! -s files ] || while read -r n path; do
  printf '%s file %s %s\n' "$nonce" "$n" "$path" >>answer; set -- "$@" "$path" next
done <files
if [ "$#" -ne 0 ]; then
  printf '%s stats\n' "$nonce" >>answer
  {{ stat -c '%Y %n' "$@" || stat -f '%m %N' "$@" || for path; do changed "$path"; done; }} >>answer 2>/dev/null
  printf '%s tails\n' "$nonce" >>answer; tail -c {_TAIL} "$@" >>answer 2>/dev/null
fi"""


def _candidates(agents: Sequence[Asked]) -> str:
    asked = {n: each for n, each in enumerate(agents) if each.candidates}
    starts = {n: each.folder.rstrip("/") or "/" for n, each in asked.items() if each.folder}
    folders = " ".join(quoted(HostText(each)) for each in starts.values())
    # A character of several bytes is one dash, as the programs that name these folders have it.
    begin = rf"""set -- $(printf '%s\n' {folders} | tr -d '\200-\277' | sed 's/[^A-Za-z0-9]/-/g')
for n in {" ".join(map(str, starts))}; do eval "start_$n=\$1"; shift; done"""
    return rf"""{begin if starts else ""}
known=' '; : >groups; : >paths
group() {{
  key=$1; most=$2; shift 2; printf '%s group %s %s\n' "$nonce" "$n" "$key" >>answer
  case $known in *" $key "*) return;; esac
  known="$known$key "; [ "$#" -le {_LOOKED_AT} ] || shift "$(($# - {_LOOKED_AT}))"
  for path; do
    [ -f "$path" ] && [ -r "$path" ] || continue
    case $path in *"$line"*) continue;; esac
    printf '%s %s %s\n' "$key" "$most" "$path"; printf '%s\0' "$path" >&3
  done >>groups 3>>paths
}}
for n in {" ".join(map(str, asked))}; do
  eval "session=\${{session_$n-}}; start=\${{start_$n-}}; folder=\${{folder_$n-}}"; [ -z "$session" ] || continue
  [ "$start" != "$folder" ] || start=
  case $n in {_groups(asked)} esac
done
if [ -s groups ]; then
  xargs -0 stat -c '%Y %n' <paths >stats 2>/dev/null
  [ -s stats ] || xargs -0 stat -f '%m %N' <paths >stats 2>/dev/null
  [ -s stats ] || tail -n {_MOST} groups | while read -r key most path; do changed "$path"; done >stats 2>/dev/null
  sort -rn stats | awk {shlex.quote(_CHOOSE)} groups - >chosen
  printf '%s candidates\n' "$nonce" >>answer; set --
  while read -r key time path; do
    printf '%s %s %s\n' "$key" "$time" "$path" >>answer; set -- "$@" "$path" next
  done <chosen
  printf '%s heads\n' "$nonce" >>answer; [ "$#" -eq 0 ] || head -c {_HEAD} "$@" >>answer 2>/dev/null
fi"""


def _groups(asked: Mapping[int, Asked]) -> str:
    """The branches of a ``case`` that list the candidates of each agent, by its kind's pattern and by its folder."""
    branches = []
    for number, each in enumerate(dict.fromkeys(agent.candidates for agent in asked.values())):
        agents = [str(n) for n, agent in asked.items() if agent.candidates == each]
        files, most = _filled(each, "folder", "$each"), min(_MOST, _NEWEST + len(agents))
        do = f"group {number} {most} {files}"
        if "{folder}" in each:
            do = f'for each in "$folder" "$start"; do [ -z "$each" ] || group "{number}.$each" {most} {files}; done'
        branches.append(f"{'|'.join(agents)}) {do};;")
    return " ".join(branches)


def _cases(patterns: Sequence[str], field: str, value: str) -> str:
    """The branches of a ``case`` that list the files of each agent's pattern."""
    branches = []
    for each in dict.fromkeys(patterns):
        if each:
            numbers = "|".join(str(n) for n, other in enumerate(patterns) if other == each)
            branches.append(f"{numbers}) paths {_filled(each, field, value)};;")
    return " ".join(branches)


def _filled(text: str, field: str, value: str) -> str:
    """A pattern with a variable of the shell in the place of ``{field}``."""
    return f'"{value}"'.join(pattern(part) if part else "" for part in text.split(f"{{{field}}}"))


_END = r"""printf '%s finish\n' "$nonce" >>answer
if command -v gzip >/dev/null; then echo gzip; gzip -c answer | base64; else echo plain; base64 <answer; fi"""
