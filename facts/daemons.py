"""How a detached server stands: its port, its processes, and the generation of it that was started last."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace

from typing_extensions import override

from facts.listening import CONNECTS
from facts.probe import COMMAND_TIMEOUT, Section, SectionFact, keyed_section, probe_script
from miyabi.daemon import Daemon, Runner, file_name, is_supervisor
from miyabi.errors import ParseError

# What matches no command line: what was taken out of it.
_NOTHING = "[^ -~]"

# Characters of a command line that are told; it is matched as a whole.
_TOLD = 300

_RECORD = r"""base=${XDG_STATE_HOME:-$HOME/.local/state}/miyabi/processes
pid=none; mark=
[ ! -f "$base/$file" ] || IFS=' ' read -r pid mark <"$base/$file"
case $pid in ''|*[!0-9]*) pid=none;; esac
shown "recorded $pid $mark"
"""

# The kernel lists who listens (state 0A), with the socket's inode; Android denies the list, macOS has none.
_PORT = r"""inode=
if [ -r /proc/net/tcp ]; then
  inode=$(sed -n 's/^ *[0-9]*: [0-9A-F]*:@HEX@ [0-9A-F]*:0000 0A \([^ ]* *\)\{5\}\([0-9]*\) .*/\2/p' \
    /proc/net/tcp /proc/net/tcp6 2>/dev/null)
  if [ -n "$inode" ]; then echo 'port open'; else echo 'port closed'; fi
else
  @CONNECTS@
  connects 127.0.0.1 "$port" 2; code=$?
  [ "$code" -eq 0 ] || [ "$code" -eq 127 ] || { connects ::1 "$port" 2; other=$?; [ "$other" -ne 0 ] || code=0; }
  case $code in 0) echo 'port open';; 127) shown "port unknown $said";; *) echo 'port closed';; esac
fi
"""

# Where /proc tells when a process was started (field 22, in hundredths of a second since boot), that is its mark, and
# this very shell's start is now: Android denies the uptime, and its `ps` gives no age. `sed` matches the whole command
# line, in the form in which it is shown, and keeps what else is asked about: the recorded process with its group,
# process 1, and the user's systemd. busybox's `ps` knows neither -A nor columns without a title.
_PROCESSES = rf"""unset COLUMNS
list() {{ bounded {COMMAND_TIMEOUT} ps "$@" 2>/dev/null; code=$?; [ "$code" -eq 0 ] || [ "$code" -eq 124 ]; }}
if {{ IFS= read -r now </proc/$$/stat; }} 2>/dev/null; then
  set -- ${{now##*) }}; now=${{20}}; since='' tell=
else
  now=; since='[^ ]* *[^ ]* [^ ]* *[^ ]* [^ ]* [^ ]* *[^ ]* *'; tell='-o stat= -o lstart= -o etime='
fi
row="^ *[0-9]* *[0-9]* *[0-9]* $since"
{{ list -A -ww -o pid= -o ppid= -o pgid= $tell -o args= || list -A -o pid= -o ppid= -o pgid= $tell -o args= ||
  list -o pid,ppid,pgid,args; echo "exit $code"; }} |
sed -n -e 's/[^ -~]/?/g' -e 's/##miyabi/# #miyabi/g' -e '/^exit /{{p;d;}}' -e '/unset TMUX TMUX_PANE/d' \
  -e "/$row$match/{{s/^/match /p;d;}}" -e '/[s]ystemd --user/{{s/^/other /p;d;}}' -e '/^ *1 /{{s/^/other /p;d;}}' \
  -e "/^ *$pid /{{s/^/other /p;d;}}" -e "/^ *[0-9]* *[0-9]* *$pid /{{s/^/other /p;d;}}" |
{{ matched=
while read -r tag one parent group rest; do
  if [ "$tag" = exit ]; then echo "exit $one"; break; fi
  if [ -n "$now" ]; then
    {{ IFS= read -r stat <"/proc/$one/stat"; }} 2>/dev/null || continue
    mark=- age=-
    case $stat in *') '*) set -- ${{stat##*) }}; [ "$1" != Z ] || continue
      mark=${{20}} age=$(((now - ${{20}}) / 100));;
    esac
  else
    set -- $rest; mark=$2_$3_$4_$5_$6; age=$7; rest=${{rest#*"$6"*"$7" }}
    case $1 in Z*) continue;; esac
  fi
  [ "$tag" = other ] || matched="$matched $one"
  printf '%s %s %s %s %s %s %.{_TOLD}s\n' "$tag" "$one" "$parent" "$group" "$mark" "$age" "$rest"
done
[ -n "$port" ] || exit 0
set -- $matched
[ "$#" -gt 1 ] || exit 0
for one; do
  for socket in $inode; do
    case $(ls -l "/proc/$one/fd" 2>/dev/null) in *"socket:[$socket]"*) echo "holder $one"; exit 0;; esac
  done
done
[ -n "$inode" ] || ! command -v lsof >/dev/null 2>&1 ||
  bounded {COMMAND_TIMEOUT} lsof -nP -t -iTCP:"$port" -sTCP:LISTEN 2>/dev/null | sed -e 's/^/holder /' -e q
exit 0; }}"""

_ROW = re.compile(r"^(match|other) (\d+) (\d+) (\d+) (\S+) (\S+)(?: (.*))?$")
_ELAPSED = re.compile(r"^(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)$")


def daemons_section(process: str, match: str | None = None, port: int | None = None) -> Section[Daemon]:
    """The section that looks for one server.

    + process: its name, under which it is recorded on the host
    + match: text in the command line of its process
    + port: a port that it listens on
    """
    script = f"file={shlex.quote(file_name(process))}; port={'' if port is None else int(port)}; "
    script += f"match={shlex.quote(_NOTHING if match is None else '.*' + _as_pattern(match))}\n{_RECORD}"
    if port is not None:
        script += _PORT.replace("@HEX@", f"{int(port):04X}").replace("@CONNECTS@", CONNECTS)
    return keyed_section("daemon", script + _PROCESSES, _parse)


def _as_pattern(match: str) -> str:
    """The text as a basic regular expression of `sed`, between slashes; bytes as they are shown."""
    shown = "".join(each if " " <= each <= "~" else "?" * len(each.encode(errors="replace")) for each in match)
    return re.sub(r"([\\/.*\[\]^$])", r"\\\1", shown)


def _parse(lines: list[str]) -> Daemon:
    pid, _, mark = lines[0].removeprefix("recorded ").strip().partition(" ")
    listening = None
    rows = lines[1:]
    if rows and rows[0].startswith("port "):
        told = rows.pop(0).removeprefix("port ")
        if told.startswith("unknown"):
            raise ParseError(f"its port could not be asked: {told.removeprefix('unknown ')}")
        listening = told == "open"
    if "exit 0" not in rows:
        raise ParseError("ps gave no answer" if any(row.startswith("exit ") for row in rows) else "ps was cut off")
    end = rows.index("exit 0")
    listed = [_runner(row) for row in rows[:end]]
    reapers = {each.pid for each in listed if _adopts(each)}
    if not any(each.pid == 1 for each in listed):
        # Android hides it.
        reapers.add(1)
    holder = next((int(row.removeprefix("holder ")) for row in rows[end:] if row.startswith("holder ")), None)
    recorded = (int(pid), mark) if pid.isdigit() and mark else None
    asked = tuple(each for each in listed if each.matches or (recorded and recorded[0] in (each.pid, each.group)))
    return Daemon(listening, recorded, asked, tuple(sorted(reapers)), holder)


def _adopts(process: Runner) -> bool:
    """Whether processes whose parent has ended are given to this one."""
    if process.pid == 1:
        return not is_supervisor(process.arguments)
    words = process.arguments.split()
    return words[0].rsplit("/", 1)[-1] == "systemd" and "--user" in words


def _runner(row: str) -> Runner:
    found = _ROW.match(row)
    if found is None:
        raise ParseError(f"ps printed {row[:80]!r}")
    pid, parent, group = (int(found[number]) for number in (2, 3, 4))
    mark = None if found[5] == "-" else found[5]
    return Runner(pid, parent, group, mark, _seconds(found[6]), (found[7] or "").strip(), found[1] == "match")


def _seconds(age: str) -> float | None:
    if age.lstrip("-").isdigit():
        return max(0.0, float(age))
    if found := _ELAPSED.match(age):
        days, hours, minutes, seconds = (int(each or 0) for each in found.groups())
        return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
    return None


class Server(SectionFact[Daemon]):
    """Return how a detached server stands; None, with an error on the host, when unknown.

    + process: the name under which ``processes.running`` has recorded it
    + match: text in the command line of its process
    + port: a port that it listens on

    ``listening`` is None without a port. Among ``processes`` are those whose whole command line holds ``match``; its
    beginning is told.

    .. code:: python

        Daemon(listening=True, recorded=(4711, "88205"), processes=(Runner(pid=4711, parent=1, group=4711, mark="88205",
               age=3600.0, arguments="node mcp/dist/index.js", matches=True),), reapers=(1,), holder=None)

    **Example:**

    .. code:: shell

        pyinfra inventory fact facts.daemons.Server process=miyabi-tmux match=mcp/dist/index.js
    """

    @override
    def command(self, process: str = "", match: str | None = None, port: int | None = None) -> str:
        """The probe with this section alone."""
        return probe_script([replace(daemons_section(process, match, port), title=self.section().title)])

    @override
    def section(self) -> Section[Daemon]:
        """A section of this kind; its parser is the same for every server."""
        return Section("server", "", _parse)
