"""The operator's cockpit on a machine: which of its windows there are, and how their loops stand."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from facts.probe import COMMAND_TIMEOUT, Section
from miyabi.cockpit import LISTING, MARK, CockpitPane, parse_listing
from miyabi.errors import ParseError
from miyabi.spec import TmuxServer
from miyabi.tmux_command import client

SUBJECT = "cockpit"

_ABSENT = re.compile(
    r"no server running on |error connecting to .*\((?:No such file or directory|Connection refused)\)|no sessions"
)


@dataclass(frozen=True, slots=True)
class SeenCockpit:
    """What one look saw.

    + panes: of all cockpits in the tmux server
    + is_anothers: whether the session of that name is a human's own
    """

    panes: tuple[CockpitPane, ...] = ()
    is_anothers: bool = False


def cockpit_section(session_name: str, server: TmuxServer) -> Section[SeenCockpit]:
    """The section that looks at the cockpit of that name.

    + server: the tmux server that it is in
    """
    # Without a name a client inside another server would ask that one.
    tmux = client(TmuxServer(server.socket_name or "default"))
    session = f"display-message -p -t {shlex.quote(f'={session_name}:')} 'S|#{{session_id}}|#{{{MARK}}}'"
    listing = f"{session} \\; {shlex.join(LISTING)}"
    script = rf"""command -v tmux >/dev/null || {{ echo 'tmux is not installed here: install it'; exit 127; }}
{{ bounded {COMMAND_TIMEOUT} {tmux} {listing} 2>&1; printf '\nexit %s %s\n' "$?" "$$"; }} |
sed "/^exit [0-9]* $$\$/q" | LC_ALL=C tr -c '\n -~' '?'"""
    return Section(SUBJECT, script, _parse)


def _parse(lines: list[str]) -> SeenCockpit:
    told = [line for line in lines if line]
    end = re.fullmatch(r"exit (\d+) \d+", told[-1]) if told else None
    if end is None:
        raise ParseError("tmux's answer has no end")
    if end[1] == "124":
        raise ParseError("the tmux server does not answer")
    words = "; ".join(told[:-1])
    if end[1] != "0":
        if _ABSENT.search(words):
            return SeenCockpit()
        raise ParseError(words or "tmux failed without a word")
    marks = [line.split("|") for line in told if line.startswith("S|")]
    is_anothers = any(len(fields) == 3 and fields[1] and not fields[2] for fields in marks)
    return SeenCockpit(parse_listing(told), is_anothers)
