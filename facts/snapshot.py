"""What a snapshot keeps of a host: its tmux sessions with the text and the exact commands of their panes."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from dataclasses import dataclass, field
from typing import Any

from pyinfra.api import FactBase
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.host_spec import managed_server
from facts.platform import host_section
from facts.probe import COMMAND_TIMEOUT, Section, probe_script, read_section, split_sections
from facts.processes import processes_section
from facts.tmux import tmux_section
from miyabi import state
from miyabi.errors import ParseError
from miyabi.masking import masked, plain
from miyabi.pane_command import pane_command, tree_lines
from miyabi.shell import quoted
from miyabi.snapshot_model import PaneRecord, SessionRecord, Snapshot, WindowRecord
from miyabi.spec import TmuxServer

# Lines of scrollback of each pane, and the bytes that they may take.
LINES = 2000
_BYTES = 400_000

_PANES = "P #{pane_id} #{pane_pid} #{window_id} #{pid} #{start_time} #{automatic-rename}"
_HEAD = re.compile(r"(pane|argv) (%?\d+)|server (\d+ \d+)|window (@\d+) ([01]?)")


@dataclass(slots=True)
class Screens:
    """The text of each pane, the exact arguments of each process, which windows tmux names, and which server it is."""

    texts: dict[str, str] = field(default_factory=dict)
    arguments: dict[int, tuple[str, ...]] = field(default_factory=dict)
    automatic: set[str] = field(default_factory=set)
    server: str = ""


def screens_section(socket_name: str | None = None, lines: int = LINES) -> Section[Screens]:
    """The section that captures every pane, and reads the arguments of every process in one.

    + socket_name: as in ``tmux -L``; None is tmux's default server
    + lines: how much scrollback of each pane

    A client's answer is read up to its last line and not to the end of the pipe: see ``facts.tmux.tmux_section``.
    """
    client = f"tmux -u -L {quoted(socket_name)}" if socket_name else "tmux -u"
    script = rf"""command -v base64 >/dev/null || {{ echo 'base64 is not on this host: install it'; exit 127; }}
client() {{
  {{ bounded {COMMAND_TIMEOUT} {client} "$@" 2>/dev/null; printf '\nexit %s %s\n' "$?" "$$"; }} |
  sed "/^exit [0-9]* $$\$/q"
}}
list=$(client list-panes -a -F '{_PANES}')
case $list in *"exit 124 $$") exit 124;; esac
tree=' '; seen=' '
while read -r kind pane pid window server start automatic; do
  [ "$kind" = P ] || continue
  case $seen in ' ') echo "server $server $start";; esac
  case $seen in *" $window "*) ;; *) echo "window $window $automatic"; seen="$seen$window ";; esac
  case $seen in *" $pane "*) continue;; esac
  seen="$seen$pane "; tree="$tree$pid "
done <<END
$list
END
for pane in $seen; do case $pane in %*) ;; *) continue;; esac
  echo "pane $pane"; client capture-pane -p -J -S -{int(lines)} -t "$pane" | sed '$d' | tail -c {_BYTES} | base64
done
list=$(bounded {COMMAND_TIMEOUT} ps -A -o pid= -o ppid= 2>/dev/null) || exit 0
grew=1; while [ "$grew" = 1 ]; do grew=0; pid=
  for word in $list; do
    if [ -z "$pid" ]; then pid=$word; continue; fi
    case $tree in *" $pid "*) ;; *" $word "*) tree="$tree$pid "; grew=1;; esac; pid=
  done
done
for pid in $tree; do
  [ -r "/proc/$pid/cmdline" ] || continue
  echo "argv $pid"; head -c 20000 "/proc/$pid/cmdline" 2>/dev/null | base64
done; :"""
    return Section("screens", script, parse_screens)


def parse_screens(lines: list[str]) -> Screens:
    """What the section printed; raises ``ParseError`` when that is something else."""
    found = Screens()
    blocks: dict[tuple[str, str], list[str]] = {}
    body: list[str] | None = None
    for line in lines:
        head = _HEAD.fullmatch(line)
        if head is None:
            if body is None:
                raise ParseError(f"capturing panes printed {line[:80]!r}")
            body.append(line)
        elif head[1]:
            body = blocks.setdefault((head[1], head[2]), [])
        elif head[3]:
            found.server = head[3]
        elif head[5] == "1":
            found.automatic.add(head[4])
    try:
        for (kind, name), encoded in blocks.items():
            content = b64decode("".join(encoded), validate=True)
            if kind == "pane":
                found.texts[name] = masked(plain(content.decode(errors="replace")).rstrip())
            else:
                found.arguments[int(name)] = _words(content)
    except binascii.Error as error:
        raise ParseError(f"the text of the panes is cut off: {error}") from error
    return found


def _words(content: bytes) -> tuple[str, ...]:
    text = content.decode(errors="replace").rstrip("\0")
    return tuple(text.split("\0")) if text else ()


def snapshot_sections(socket_name: str | None = None, lines: int = LINES) -> tuple[Section[Any], ...]:
    """Everything that a snapshot is made of, for one execution."""
    return (
        host_section(),
        tmux_section(socket_name),
        processes_section(),
        screens_section(socket_name, lines),
    )


def make_snapshot(
    tmux: state.Tmux,
    processes: tuple[state.Process, ...],
    seen: Screens,
    *,
    home: str = "",
    server: TmuxServer | None = None,
) -> Snapshot:
    """The snapshot of what was observed; host and time are for whoever keeps it."""

    def pane(each: state.Pane) -> PaneRecord:
        command, certain, agent = pane_command(each, processes, seen.arguments)
        return PaneRecord(
            pane_id=each.pane_id,
            pane_index=each.pane_index,
            pid=each.pid,
            active=each.active,
            dead=each.dead,
            name=each.name,
            path=each.path,
            command=command,
            certain=certain,
            agent=agent,
            processes=tree_lines(each, processes),
            scrollback=seen.texts.get(each.pane_id, ""),
        )

    def window(each: state.Window) -> WindowRecord:
        return WindowRecord(
            window_id=each.window_id,
            window_index=each.window_index,
            window_name=each.window_name,
            active=each.active,
            layout=each.layout,
            automatic=each.window_id in seen.automatic,
            zoomed=each.zoomed,
            name=each.name,
            panes=tuple(pane(one) for one in each.panes),
        )

    return Snapshot(
        host="",
        taken="",
        version=tmux.version,
        server=seen.server,
        home=home,
        socket_name=server.socket_name if server else None,
        config_file=server.config_file if server else None,
        sessions=tuple(
            SessionRecord(
                session_id=each.session_id,
                session_name=each.session_name,
                created=each.created,
                base_index=each.base_index,
                name=each.name,
                group=each.group,
                windows=tuple(window(one) for one in each.windows),
            )
            for each in tmux.sessions
        ),
    )


def asked_server(socket_name: str | None) -> TmuxServer:
    """The tmux server to ask.

    + socket_name: None is the one that the host's data or spec names, "" tmux's default
    """
    return managed_server() if socket_name is None else TmuxServer(socket_name or None)


class HostSnapshot(FactBase[Snapshot]):
    """Return the tmux sessions of a host with commands and scrollback, in one execution; None when unknown.

    + socket_name: as in ``tmux -L``; None is the server that the host's data or spec names, else tmux's default
    + lines: how much scrollback of each pane

    ``sessions`` is empty when there is certainly none. What looks like a secret is masked.

    **Example:**

    .. code:: python

        from facts.snapshot import HostSnapshot

        snapshot = host.get_fact(HostSnapshot)
        if snapshot is not None:
            commands = [pane.command for pane in snapshot.panes()]
    """

    @override
    def command(self, socket_name: str | None = None, lines: int = LINES) -> str:
        """The probe with the sections of a snapshot."""
        # The answer does not tell which server was asked.
        self.server = asked_server(socket_name)
        return probe_script(snapshot_sections(self.server.socket_name, lines))

    @override
    def process(self, output: list[str]) -> Snapshot:
        """Join the sections; an unknown one makes the whole unknown."""
        found = split_sections(output)
        try:
            host, tmux, processes, screens = (read_section(each, found) for each in snapshot_sections())
        except ParseError as error:
            raise FactProcessError(f"tmux's sessions are unknown: {error}") from error
        return make_snapshot(tmux, processes, screens, home=host.home, server=self.server)
