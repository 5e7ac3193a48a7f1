"""tmux commands as data, and the one client call that runs them. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from miyabi.shell import HostText, Secret, Word, quoted
from miyabi.spec import TmuxServer
from miyabi.state import Tmux

TmuxCommand: TypeAlias = tuple[Word, ...]
Part: TypeAlias = str | Secret

# A client sends its command line in one message of 16 KiB; longer ones are refused with "command too long".
MESSAGE_LIMIT = 12_000

# Runs `calls`, again when the server was just going away, and shows what a failure said. A session that is there
# already was made by the user's configuration, which a server reads when it starts: what it lacks is seen afterwards.
_ONCE_MORE = (
    "{ said=$(calls 2>&1) || { case $said in *'server exited'*|*'lost server'*) sleep 0.3; said=$(calls 2>&1);; "
    "*'duplicate session'*) ;; *) false;; esac; } || "
    "{ printf '%s\\n' \"$said\" >&2; false; }; }"
)


# tmux leaves every # in front of a [ as it is: that is a style, for later.
_FORMAT_SIGNS = re.compile(r"#+(?![#\[])")


def unformatted(text: str | HostText) -> str | HostText:
    """The text for an argument in which tmux expands formats: ``#{...}`` and ``#(...)`` lose their meaning."""
    plain = text.text if isinstance(text, HostText) else text
    doubled = _FORMAT_SIGNS.sub(lambda signs: signs[0] * 2, plain)
    return HostText(doubled) if isinstance(text, HostText) else doubled


def client_calls(commands: Iterable[Sequence[TmuxCommand]], server: TmuxServer) -> list[Part]:
    """The shell text that runs ``commands`` by one tmux client call, in parts of which the secret ones are masked.

    + commands: groups of tmux commands; what is too long for one call is cut between two groups, inside one only when
      that alone is too long, and a session that comes first, and so may start the server, is made by a call of its own
    + server: the server to talk to, started with its configuration when it does not run

    A server that is just going away makes the call fail with "server exited unexpectedly": it is tried once more.
    """
    parts: list[Part] = []
    for call in _batches(commands):
        if parts:
            parts.append(" && ")
        parts += ["calls() { ", client(server)]
        for number, command in enumerate(call):
            parts.append(" \\;" if number else "")
            for word in command:
                parts += [" ", *_word(word)]
        parts.append(f"; }}; {_ONCE_MORE}")
    return parts


def client(server: TmuxServer) -> str:
    """The start of a tmux client call, with the server that it is for."""
    words = ["tmux", "-u"]
    if server.socket_name:
        words += ["-L", quoted(server.socket_name)]
    if server.config_file:
        words += ["-f", quoted(HostText(server.config_file))]
    return " ".join(words)


def unchanged(seen: Tmux | None, server: TmuxServer) -> str:
    """The shell text that ends with 75 unless the managed panes of a server are still those that were seen."""
    panes = [
        f"{pane.pane_id}:{pane.pid or ''}:{int(pane.dead)}"
        for session in (seen.sessions if seen else ())
        for window in session.windows
        for pane in window.panes
        if pane.name
    ]
    listing = "list-panes -a -f '#{!=:#{@miyabi_pane},}' -F '#{pane_id}:#{pane_pid}:#{pane_dead}'"
    expected = shlex.quote("\n".join(sorted(panes)))
    return (
        f'[ "$({client(server)} {listing} 2>/dev/null | LC_ALL=C sort)" = {expected} ] || '
        "{ echo 'the panes have changed since they were looked at (is another run at work?): nothing is done' >&2; "
        "exit 75; }"
    )


def _batches(groups: Iterable[Sequence[TmuxCommand]]) -> list[list[TmuxCommand]]:
    batches: list[list[TmuxCommand]] = []
    size = MESSAGE_LIMIT
    for group in groups:
        commands = group
        if not batches and commands[0][0] == "new-session":
            # A server shows the command line of the call that started it for as long as it lives, values and all.
            batches.append([commands[0]])
            commands = commands[1:]
        if size + sum(map(_length, commands)) > MESSAGE_LIMIT:
            batches.append([])
            size = 0
        for command in commands:
            if size + _length(command) > MESSAGE_LIMIT and batches[-1]:
                batches.append([])
                size = 0
            batches[-1].append(command)
            size += _length(command)
    return batches


def _length(command: TmuxCommand) -> int:
    return sum(len(_plain(word).encode()) + 1 for word in command)


def _plain(word: Word) -> str:
    if isinstance(word, Secret):
        return word.prefix + _plain(word.word)
    return word.text if isinstance(word, HostText) else word


def _word(word: Word) -> list[Part]:
    if isinstance(word, Secret):
        return [quoted(word.prefix) if word.prefix else "", Secret(_escaped(word.word))]
    return [quoted(_escaped(word))]


def _escaped(word: str | HostText) -> str | HostText:
    """A last ``;`` would end the command, even in a quoted argument."""
    text = word.text if isinstance(word, HostText) else word
    if text.endswith(";"):
        text = f"{text[:-1]}\\;"
    return HostText(text) if isinstance(word, HostText) else text
