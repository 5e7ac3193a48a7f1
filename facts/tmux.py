"""What tmux has on a host: its server, sessions, windows and panes, with the processes that run in them."""

from __future__ import annotations

import shlex
from base64 import b64decode
from typing import TypedDict

from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.host_spec import managed_socket
from facts.probe import COMMAND_TIMEOUT, Section, SectionFact, probe_script, read_section, split_sections
from facts.processes import processes_section
from miyabi.errors import ParseError
from miyabi.processes import descendants
from miyabi.state import Tmux
from miyabi.tmux_listing import CLIENT_FORMAT, COMMAND_FORMAT, PANE_FORMAT, PATH_FORMAT, SESSION_FORMAT, parse_listing


def tmux_section(socket_name: str | None = None) -> Section[Tmux]:
    """The section that lists one tmux server.

    + socket_name: as in ``tmux -L``; None is tmux's default server

    The listing travels as base64, because names and paths may hold bytes that are not UTF-8. It is read up to its last
    line and not to the end of the pipe: a client hands its end of the pipe to the server, and a server that is stopped
    keeps it open for ever.
    """
    socket = f" -L {shlex.quote(socket_name)}" if socket_name else ""
    listing = " \\; ".join(
        [
            f"list-sessions -F {shlex.quote(SESSION_FORMAT)}",
            *(f"list-panes -a -F {shlex.quote(each)}" for each in (PANE_FORMAT, PATH_FORMAT, COMMAND_FORMAT)),
            f"list-clients -F {shlex.quote(CLIENT_FORMAT)}",
        ]
    )
    script = rf"""command -v tmux >/dev/null || {{ echo 'tmux is not installed on this host: install it'; exit 127; }}
if command -v base64 >/dev/null; then encoded() {{ echo base64; base64; }}; else encoded() {{ echo plain; cat; }}; fi
{{ bounded {COMMAND_TIMEOUT} tmux -u{socket} {listing} 2>&1; code=$?
[ "$code" -eq 0 ] || tmux -V 2>&1; printf '\nexit %s %s %s\n' "$code" "$$" "$(date +%s)"; }} |
sed "/^exit [0-9]* $$ /q" | encoded"""
    return Section("tmux", script, _parse)


def _parse(lines: list[str]) -> Tmux:
    if not lines:
        raise ParseError("tmux printed nothing")
    encoding, *body = lines
    if encoding == "plain":
        return parse_listing("\n".join(body))
    return parse_listing(b64decode("".join(body)).decode(errors="surrogateescape"))


class SessionSummary(TypedDict):
    """One session, as ``Sessions`` tells it."""

    windows: int
    panes: int
    attached: int
    created: int
    managed: bool


class WindowSummary(TypedDict):
    """One window, as ``Windows`` tells it."""

    session: str
    index: int
    name: str
    panes: int
    layout: str
    active: bool
    managed: bool


class PaneSummary(TypedDict):
    """One pane, as ``Panes`` tells it."""

    session: str
    window: str
    name: str | None
    pid: int | None
    dead: bool
    dead_status: int | None
    dead_signal: str | None
    in_mode: bool
    path: str
    processes: list[str]


class Server(SectionFact[Tmux]):
    """Return the tmux server of a host with everything in it.

    + socket_name: as in ``tmux -L``; None is the server that the host's data or spec names, else tmux's default

    The answer is a ``miyabi.state.Tmux``; ``running`` is False when there is certainly no server. None, with an error
    on the host, means unknown: no tmux, one older than 3.2a, no answer within 5 s, or a client and a server of
    different versions.

    **Example:**

    .. code:: python

        from facts.tmux import Server

        tmux = host.get_fact(Server)
        if tmux is not None and tmux.running:
            names = [session.session_name for session in tmux.sessions]
    """

    @override
    def command(self, socket_name: str | None = None) -> str:
        """The probe with the tmux section alone."""
        return probe_script([tmux_section(managed_socket() if socket_name is None else socket_name)])

    @override
    def section(self) -> Section[Tmux]:
        """The tmux section; its parser is the same for every server."""
        return tmux_section()


class Sessions(SectionFact[dict[str, SessionSummary]]):
    """Return the tmux sessions of a host by name; ``{}`` when there is certainly none, None when unknown.

    + socket_name: as in ``Server``

    .. code:: python

        {"miyabi": {"windows": 8, "panes": 9, "attached": 1, "created": 1795225010, "managed": True}}

    **Example:**

    .. code:: shell

        pyinfra inventory fact facts.tmux.Sessions
    """

    @override
    def command(self, socket_name: str | None = None) -> str:
        """The probe with the tmux section alone."""
        return probe_script([tmux_section(managed_socket() if socket_name is None else socket_name)])

    @override
    def section(self) -> Section[dict[str, SessionSummary]]:
        """The tmux section, summed up by session."""
        return Section("tmux", "", lambda lines: summarise_sessions(_parse(lines)))


class Windows(SectionFact[dict[str, WindowSummary]]):
    """Return the tmux windows of a host by tmux's window id; ``{}`` when there is certainly none, None when unknown.

    + socket_name: as in ``Server``

    .. code:: python

        {"@4": {"session": "miyabi", "index": 1, "name": "codegen-1", "panes": 2,
                "layout": "65a5,80x24,0,0,4", "active": False, "managed": True}}

    **Example:**

    .. code:: shell

        pyinfra inventory fact facts.tmux.Windows
    """

    @override
    def command(self, socket_name: str | None = None) -> str:
        """The probe with the tmux section alone."""
        return probe_script([tmux_section(managed_socket() if socket_name is None else socket_name)])

    @override
    def section(self) -> Section[dict[str, WindowSummary]]:
        """The tmux section, summed up by window."""
        return Section("tmux", "", lambda lines: summarise_windows(_parse(lines)))


class Panes(SectionFact[dict[str, PaneSummary]]):
    """Return the tmux panes of a host by tmux's pane id, each with its process tree; None when unknown.

    + socket_name: as in ``Server``

    .. code:: python

        {"%7": {"session": "miyabi", "window": "codegen-1", "name": "kaede", "pid": 4711, "dead": False,
                "dead_status": None, "dead_signal": None, "in_mode": False, "path": "/home/me/repo",
                "processes": ["bash -l -c codex", "codex"]}}

    **Example:**

    .. code:: shell

        pyinfra inventory fact facts.tmux.Panes
    """

    @override
    def command(self, socket_name: str | None = None) -> str:
        """The probe with the tmux and the processes section."""
        return probe_script(
            [tmux_section(managed_socket() if socket_name is None else socket_name), processes_section()]
        )

    @override
    def process(self, output: list[str]) -> dict[str, PaneSummary]:
        """Join the panes with the processes below them."""
        found = split_sections(output)
        try:
            tmux = read_section(tmux_section(), found)
            processes = read_section(processes_section(), found)
        except ParseError as error:
            raise FactProcessError(f"panes are unknown: {error}") from error
        return {
            pane.pane_id: {
                "session": session.session_name,
                "window": window.window_name,
                "name": pane.name,
                "pid": pane.pid,
                "dead": pane.dead,
                "dead_status": pane.dead_status,
                "dead_signal": pane.dead_signal,
                "in_mode": pane.in_mode,
                "path": pane.path,
                "processes": [
                    process.arguments for process in (() if pane.dead else descendants(processes, pane.pid or 0))
                ],
            }
            for session in tmux.sessions
            for window in session.windows
            for pane in window.panes
        }


def summarise_sessions(tmux: Tmux) -> dict[str, SessionSummary]:
    """The sessions of a server by name."""
    return {
        session.session_name: {
            "windows": len(session.windows),
            "panes": sum(len(window.panes) for window in session.windows),
            "attached": session.attached,
            "created": session.created,
            "managed": session.name is not None,
        }
        for session in tmux.sessions
    }


def summarise_windows(tmux: Tmux) -> dict[str, WindowSummary]:
    """The windows of a server by id."""
    return {
        window.window_id: {
            "session": session.session_name,
            "index": window.window_index,
            "name": window.window_name,
            "panes": len(window.panes),
            "layout": window.layout,
            "active": window.active,
            "managed": window.name is not None,
        }
        for session in tmux.sessions
        for window in session.windows
    }
