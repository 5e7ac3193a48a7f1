"""The shell text that types a line into an agent's pane, when nothing is in the way, and sends it. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from miyabi.shell import HOST_ENVIRONMENT
from miyabi.spec import TmuxServer
from miyabi.tmux_command import client
from miyabi.tmux_listing import NUDGED_OPTION

# Agents take many characters at once for something that was pasted, and show it otherwise: it is typed in pieces.
_PIECE = 120

# So much of it must be seen in one piece: composers wrap.
_SEEN = 20

# Tries, a tenth of a second apart, within which the screen must show the text, and change after Enter.
_TRIES = 40

_CURSOR = "'#{cursor_x} #{cursor_y} #{history_size}'"

_WHO = "'#{pane_id} #{pane_pid} #{pane_dead} #{pane_in_mode}'"

# What the script ends with when it has typed nothing: EX_TEMPFAIL is a lock's.
IN_THE_WAY = 77


def hand_script(text: str, pane_id: str, pid: int, server: TmuxServer, *, still: float = 1.0) -> str:
    """The shell text.

    + text: one line, typed literally
    + pid: the pane's own process: another one is another agent
    + still: seconds for which the screen must stay the same before anything is typed

    It ends with ``IN_THE_WAY``, and says why, when it has typed nothing; with 1 when the text did not arrive.
    """
    first, *rest = _pieces(text)
    head = _head(pane_id, pid, server, still)
    typing = "\n".join(f"t send-keys -t {pane_id} -l -- {_word(each)} && sleep 0.05 || exit 1" for each in rest)
    return f"""( {head}
shown() {{ screen | grep -qF -e {shlex.quote(text[:_SEEN].strip())}; }}
t send-keys -t {pane_id} -l -- {_word(first)} || exit 1
try shown || {{ echo 'pane {pane_id} does not show what was typed' >&2; exit 1; }}
{typing}
sleep 0.5; before=$(screen); t send-keys -t {pane_id} Enter || exit 1
try changed || {{ echo 'pane {pane_id} did not take the Enter' >&2; exit 1; }}
)"""


def press_script(keys: Iterable[str], pane_id: str, pid: int, server: TmuxServer, *, still: float = 1.0) -> str:
    """The shell text that answers a question in an agent's pane; it ends as that of ``hand_script`` does.

    + keys: as tmux names them
    """
    pressing = "\n".join(f"t send-keys -t {pane_id} -- {shlex.quote(each)} && sleep 0.2 || exit 1" for each in keys)
    return f"""( {_head(pane_id, pid, server, still)}
{pressing}
try changed || {{ echo 'pane {pane_id} did not take the keys' >&2; exit 1; }}
)"""


def marked(script: str, mark: str, pane_id: str, server: TmuxServer) -> str:
    """The shell text that runs another one of this module, and notes on the pane what that was typed for, if it was."""
    mark_it = f"{client(server)} set-option -p -t {pane_id} {NUDGED_OPTION} {shlex.quote(mark)}"
    return f'{script}; code=$?; [ "$code" = {IN_THE_WAY} ] || ( {HOST_ENVIRONMENT}; {mark_it} ); exit "$code"'


def _head(pane_id: str, pid: int, server: TmuxServer, still: float) -> str:
    """Who is typed to, and the last look before that."""
    return f"""{HOST_ENVIRONMENT}
t() {{ {client(server)} "$@"; }}
screen() {{ t capture-pane -p -J -t {pane_id} \\; display-message -p -t {pane_id} {_CURSOR}; }}
try() {{ left={_TRIES}; until "$@"; do left=$((left - 1)); [ "$left" -gt 0 ] || return 1; sleep 0.1; done; }}
changed() {{ [ "$(screen)" != "$before" ]; }}
waits() {{ echo "nothing was typed: $1" >&2; exit {IN_THE_WAY}; }}
is() {{ [ "$(t display-message -p -t {pane_id} {_WHO} 2>/dev/null)" = '{pane_id} {pid} 0 0' ]; }}
is || waits 'the pane is another one by now, or somebody looks through it'
before=$(screen); sleep {still}; ! changed || waits 'something is going on in the pane'
is || waits 'the pane is another one by now, or somebody looks through it'"""


def _pieces(text: str) -> Iterator[str]:
    for start in range(0, len(text), _PIECE):
        yield text[start : start + _PIECE]


def _word(text: str) -> str:
    # A semicolon at the end would be tmux's own.
    return shlex.quote(f"{text[:-1]}\\;" if text.endswith(";") else text)
