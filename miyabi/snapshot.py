"""The shell text that keeps what a destructive step could lose. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from miyabi.shell import HOST_ENVIRONMENT
from miyabi.spec import TmuxServer
from miyabi.tmux_command import client
from miyabi.tmux_listing import COMMAND_FORMAT, PANE_FORMAT, PATH_FORMAT, SESSION_FORMAT

KEEP = 5
LINES = 5000


def snapshot_script(
    pane_ids: Iterable[str], server: TmuxServer, digest: str, keep: int = KEEP, lines: int = LINES
) -> str:
    """The shell text that writes a snapshot of a running server and prints where it is.

    + pane_ids: the panes whose scrollback is kept
    + digest: the hash of the spec that was in force
    + keep: how many snapshots stay; older ones are removed after the new one is complete
    + lines: how much scrollback is kept, in lines

    A snapshot is a folder in ``~/.local/state/miyabi/snapshots`` with ``listing`` (sessions, windows, panes, layouts),
    ``pane-N.txt`` and ``spec``. It is written beside its place, checked and then renamed: there is never half of one,
    and an empty one never replaces a good one. What a killed one has left is removed a day later.
    """
    formats = " \\; ".join(
        [f"list-sessions -F {shlex.quote(SESSION_FORMAT)}"]
        + [f"list-panes -a -F {shlex.quote(each)}" for each in (PANE_FORMAT, PATH_FORMAT, COMMAND_FORMAT)]
    )
    captures = "\n".join(
        # A pane may close at any moment: what cannot be captured any more is no reason to keep nothing.
        f'{client(server)} capture-pane -p -J -S -{lines} -t {pane_id} >"$new/pane-{pane_id.lstrip("%")}.txt" || :'
        for pane_id in pane_ids
    )
    return f"""{HOST_ENVIRONMENT}
umask 077; base="${{XDG_STATE_HOME:-$HOME/.local/state}}/miyabi/snapshots"
mkdir -p "$base" && new=$(mktemp -d "$base/.new.XXXXXX") || exit 1
trap 'rm -rf "$new"' EXIT; trap 'exit 1' HUP INT TERM
{client(server)} {formats} >"$new/listing" || exit 1
{captures}
printf '%s\\n' {shlex.quote(digest)} >"$new/spec" || exit 1
[ -s "$new/listing" ] && [ -s "$new/spec" ] || {{ echo 'the snapshot came out empty' >&2; exit 1; }}
sync "$new"/* 2>/dev/null || sync
stamp=$(date -u +%Y%m%dT%H%M%SZ); set -- "$base/$stamp"-*; [ -e "$1" ] || shift
done="$base/$stamp-$#-${{new##*.}}"
mv "$new" "$done" || exit 1
echo "$done"
find "$base" -name '.new.*' -prune -mtime +0 -exec rm -rf {{}} + 2>/dev/null
set -- "$base"/2*; while [ "$#" -gt {keep} ]; do rm -rf "$1"; shift; done"""
