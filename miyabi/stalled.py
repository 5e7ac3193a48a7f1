"""The shell text that ends an agent which does nothing any more, after a last look whether that is so. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from miyabi.spec import TmuxServer
from miyabi.tmux_command import client

# What the text exits with: it goes on now, so that nothing has to be started.
GOES_ON = 64

# Tries, half a second apart: within which an agent that was stopped must go on, and those within which what is asked to
# end may do so.
_WAKING, _ENDING = 6, 6


def end_stalled(pane_id: str, pid: int, pids: Iterable[int], stopped: Iterable[int], server: TmuxServer) -> str:
    """The shell text; it exits with 0 when nothing is left in the pane, so that it can be respawned.

    + pid: the pane's own process, without which it is another pane by now
    + pids: all that run below it, children after their parents
    + stopped: those of them that are stopped by a signal: they are let go on first

    An agent that goes on meanwhile is left alone.
    """
    below = " ".join(str(each) for each in pids if each != pid)
    waking = "".join(f"kill -CONT {each} 2>/dev/null\n" for each in stopped)
    return f"""t() {{ {client(server)} "$@"; }}
screen() {{ t capture-pane -p -t {pane_id}; }}
told() {{ t display-message -p -t {pane_id} '#{{pane_id}} #{{pane_pid}} #{{pane_dead}}'; }}
is() {{ [ "$(told)" = "{pane_id} {pid} $1" ]; }}
pause() {{ sleep 0.5 2>/dev/null || sleep 1; }}
is 0 || {{ echo 'pane {pane_id} is another one by now: nothing is done' >&2; exit 75; }}
before=$(screen) || exit 75
{waking}left={_WAKING}
while [ "$left" -gt 0 ]; do
  pause; left=$((left - 1))
  [ "$(screen)" = "$before" ] || exit {GOES_ON}
done
for signal in TERM KILL; do
  for each in {below} {pid}; do kill -$signal "$each" 2>/dev/null; done
  left={_ENDING}
  while [ "$left" -gt 0 ]; do
    # Another child's end makes a server notice one that it has missed.
    t run-shell -b : 2>/dev/null; alive=
    for each in {below} {pid}; do kill -0 "$each" 2>/dev/null && alive=$each; done
    is 1 && [ -z "$alive" ] && exit 0
    pause; left=$((left - 1))
  done
done
is 1 || {{ echo 'pane {pane_id}: its process {pid} does not end' >&2; exit 1; }}"""
