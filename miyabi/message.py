"""The shell text that types a message into a pane, submits it, and checks both. Pure."""

from __future__ import annotations

import shlex

from miyabi.levels import Level
from miyabi.shell import HOST_ENVIRONMENT
from miyabi.spec import TmuxServer
from miyabi.tmux_command import client

# A composer may wrap a long message: so much of it must be seen on the screen in one piece.
_SEEN = 24

# Tries, a tenth of a second apart, within which the screen must show the text, and change after Enter.
_TRIES = 30

# Where the cursor is tells an Enter that left no other trace.
_CURSOR = "'#{cursor_x} #{cursor_y} #{history_size}'"


def refuse_message(text: str) -> str | None:
    """Why ``text`` cannot be sent as one message; None when it can."""
    if not text.strip():
        return "the message is empty"
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        return "the message holds a line break or another control character: send one line at a time"
    return None


def message_script(text: str, pane_id: str, server: TmuxServer, pause: float = 0.5) -> str:
    """The shell text that sends ``text`` to a living pane; it exits with 1, and says why, when it did not arrive.

    + text: typed literally; see ``refuse_message``
    + pause: seconds between the text and Enter, because agents take an Enter that follows at once for a pasted line
    """
    words = text.strip()[:_SEEN].rstrip()
    escaped = f"{text[:-1]}\\;" if text.endswith(";") else text
    return f"""{HOST_ENVIRONMENT}
t() {{ {client(server)} "$@"; }}
screen() {{ t capture-pane -p -J -t {pane_id} \\; display-message -p -t {pane_id} {_CURSOR}; }}
try() {{ left={_TRIES}; until "$@"; do left=$((left - 1)); [ "$left" -gt 0 ] || return 1; sleep 0.1; done; }}
shown() {{ screen | grep -qF -e {shlex.quote(words)}; }}
changed() {{ [ "$(screen)" != "$before" ]; }}
t if-shell -F -t {pane_id} '#{{pane_in_mode}}' 'send-keys -t {pane_id} -X cancel' \\; \
send-keys -t {pane_id} -l -- {shlex.quote(escaped)} || exit 1
try shown || {{ echo 'pane {pane_id} does not show what was typed' >&2; exit 1; }}
sleep {pause}; before=$(screen); t send-keys -t {pane_id} Enter || exit 1
try changed || {{ echo 'pane {pane_id} did not take the Enter' >&2; exit 1; }}"""


def status_line(level: Level | None, action: str, details: str) -> str:
    """A status line for the guardian, such as ``[RECOVERY] L2_SESSION: Rebuilding window - miyabi:codegen-1``.

    + level: None for the line that ends a recovery
    + action: what is done; for the last line ``COMPLETE`` or ``FAILED``
    """
    line = f"[RECOVERY] {level.title}: {action} - {details}" if level else f"[RECOVERY] {action}: {details}"
    return "".join(character if character.isprintable() else "?" for character in line)
