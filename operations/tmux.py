"""tmux on a host: sessions, windows, panes and layouts that must be there, messages into panes, snapshots."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyinfra import host
from pyinfra.api import StringCommand

from facts.host import LADDER, observe
from facts.host_spec import managed_socket
from facts.observation import forget
from miyabi import state
from miyabi.build import Size
from miyabi.climb import Climb
from miyabi.errors import SpecError
from miyabi.layout import refuse_layout, resolve_layout
from miyabi.levels import DEFAULT_BUDGETS, Level
from miyabi.message import message_script, refuse_message
from miyabi.shell import HOST_ENVIRONMENT
from miyabi.snapshot import KEEP, snapshot_script
from miyabi.spec import Spec, TmuxServer
from miyabi.tmux_command import client_calls
from miyabi.tmux_listing import LAYOUT_OPTION
from operations.converge import converge, plan_levels
from operations.gate import may_tell, operation, permission
from operations.refusal import refusal

if TYPE_CHECKING:
    from pyinfra.api.command import PyinfraCommand

_ALL_LEVELS = plan_levels(Level.L1, Level.L2, Level.L3)


@operation()
def session(
    session_name: str,
    windows: Sequence[Mapping[str, Any]] | None = None,
    start_directory: str | None = None,
    environment: Mapping[str, str] | None = None,
    options: Mapping[str, str | int | bool] | None = None,
    socket_name: str | None = None,
) -> Generator[PyinfraCommand]:
    """Ensure that a tmux session exists with its windows and panes; what is healthy in it is left alone.

    + session_name: without ``.`` and ``:``, which tmux does not allow
    + windows: as in a spec or a tmuxp workspace; None is one window with one pane
    + start_directory: on the host, may begin with ``~``
    + environment, options: of the session, set when it is created
    + socket_name: as in ``tmux -L``; None is the server that the host's data or spec names, else tmux's default

    **Example:**

    .. code:: python

        from operations import tmux

        tmux.session(
            name="Keep the monitor up",
            session_name="monitor",
            windows=[{"window_name": "logs", "panes": ["tail -F ~/app.log", None]}],
        )
    """
    workspace: dict[str, Any] = {"session_name": session_name, "windows": list(windows or [{"panes": [None]}])}
    optional = {"start_directory": start_directory, "environment": environment, "options": options}
    workspace |= {key: value for key, value in optional.items() if value is not None}
    yield from _converge(workspace, socket_name, f"session {session_name} is there")


@operation()
def window(
    session_name: str,
    window_name: str,
    panes: Sequence[Any] | None = None,
    layout: str | None = None,
    start_directory: str | None = None,
    socket_name: str | None = None,
) -> Generator[PyinfraCommand]:
    """Ensure that a window exists in a session with its panes; the session is created when it is missing.

    + session_name, window_name: which one; a window of that name is adopted
    + panes: as in a spec or a tmuxp workspace; None is one pane
    + layout: for when the window is made or a pane comes back; see ``layout`` below
    + start_directory: on the host, may begin with ``~``
    + socket_name: as in ``session``

    **Example:**

    .. code:: python

        tmux.window(name="Keep a log window", session_name="miyabi", window_name="logs", panes=["tail -F app.log"])
    """
    wanted: dict[str, Any] = {"window_name": window_name, "panes": list(panes or [None])}
    optional = {"layout": layout, "start_directory": start_directory}
    wanted |= {key: value for key, value in optional.items() if value is not None}
    workspace = {"session_name": session_name, "windows": [wanted]}
    yield from _converge(workspace, socket_name, f"window {session_name}:{window_name} is there")


@operation()
def pane(
    session_name: str,
    window_name: str,
    pane_name: str,
    shell_command: str | Sequence[str] | None = None,
    restart: str | None = None,
    start_directory: str | None = None,
    environment: Mapping[str, str] | None = None,
    socket_name: str | None = None,
) -> Generator[PyinfraCommand]:
    """Ensure that a named pane exists in a window and, when it is supervised, that its command runs.

    + session_name, window_name: where; made when missing
    + pane_name: its identity, unique on the host; it stays with the pane wherever that goes
    + shell_command: typed into the pane's shell, or run as the pane's own process when ``restart`` says so
    + restart: ``always``, ``on-failure`` or ``never``; None is ``never``
    + start_directory, environment: of the pane
    + socket_name: as in ``session``

    **Example:**

    .. code:: python

        tmux.pane(
            name="Keep the tunnel up",
            session_name="miyabi", window_name="net", pane_name="tunnel",
            shell_command="ssh -N relay", restart="always",
        )
    """
    wanted: dict[str, Any] = {"name": pane_name, "shell_command": shell_command}
    optional = {"restart": restart, "start_directory": start_directory, "environment": environment}
    wanted |= {key: value for key, value in optional.items() if value is not None}
    workspace = {"session_name": session_name, "windows": [{"window_name": window_name, "panes": [wanted]}]}
    yield from _converge(workspace, socket_name, f"pane {pane_name} is there", adopt_panes=False)


def _converge(
    workspace: dict[str, Any], socket_name: str | None, noop: str, *, adopt_panes: bool = True
) -> Generator[PyinfraCommand]:
    # Imports pydantic, which only those pay for who need it.
    from miyabi.spec_file import parse_spec  # noqa: PLC0415

    tmux = {"tmux": {"socket_name": server}} if (server := _server(socket_name).socket_name) else {}
    try:
        wanted = parse_spec("arguments", json.dumps({"sessions": [workspace], **tmux}).encode(), base_directory="~")
    except SpecError as error:
        yield refusal(str(error))
        return
    budget = DEFAULT_BUDGETS[Level.L3]
    yield from converge(host, wanted, _ALL_LEVELS, climb=Climb(), budget=budget, noop=noop, adopt_panes=adopt_panes)


def _server(socket_name: str | None) -> TmuxServer:
    return TmuxServer(socket_name=managed_socket() if socket_name is None else socket_name or None)


def _observed(server: TmuxServer) -> state.Tmux | PyinfraCommand:
    """The server's state, or the refusal that its being unknown calls for."""
    seen = observe(host, Spec(source="", digest="", tmux=server))
    return seen.tmux or refusal(f"tmux is unknown, nothing is changed: {seen.unknown.get('tmux', 'not observed')}")


@operation()
def layout(
    session_name: str, window_name: str, layout: str = "auto", socket_name: str | None = None
) -> Generator[PyinfraCommand]:
    """Ensure that a window has a layout.

    + session_name, window_name: which window
    + layout: ``auto`` (by the number of panes: 2 development, 3 monitoring, 4 a dashboard, more tiled), ``even``,
      ``main``, one of tmux's own names, or a layout string; the first three look at the window's size, too
    + socket_name: as in ``session``

    The layout is applied again when panes came or went, or somebody moved a border.

    **Example:**

    .. code:: python

        tmux.layout(name="Tidy up", session_name="miyabi", window_name="monitor", layout="auto")
    """
    server = _server(socket_name)
    tmux = _observed(server)
    if not isinstance(tmux, state.Tmux):
        yield tmux
        return
    found = next(
        (
            window
            for session in tmux.sessions
            if session.session_name == session_name
            for window in session.windows
            if window_name in (window.name, window.window_name)
        ),
        None,
    )
    if found is None:
        yield refusal(f"there is no window {session_name}:{window_name}: make it first, with tmux.window")
        return
    best = resolve_layout(layout, len(found.panes), *Size.of_layout(found.layout))
    if found.layout_mark == f"{best} {found.layout}":
        host.noop(f"the layout of {session_name}:{window_name} is {best}")
        return
    if reason := _refuse_layout(layout, tmux.version):
        yield refusal(reason)
        return
    target = f"{session_name}:{window_name}"
    if not (yield from permission(host, target, "adopt", f"its layout is not {best}")):
        return
    forget(host, *LADDER)
    commands = [
        ("select-layout", "-t", found.window_id, best),
        # What came of it is kept, so that the next run can tell whether it still is so.
        ("set-option", "-w", "-F", "-t", found.window_id, LAYOUT_OPTION, f"{best} #{{window_layout}}"),
        *(("resize-pane", "-Z", "-t", pane.pane_id) for pane in found.panes if found.zoomed and pane.active),
    ]
    yield StringCommand(f"{HOST_ENVIRONMENT}; ", *map(str, client_calls([commands], server)), _separator="")


def _refuse_layout(layout: str, version: str) -> str | None:
    # Imports pydantic, which only those pay for who need it.
    from pydantic_core import PydanticCustomError  # noqa: PLC0415

    from miyabi.spec_values import layout as checked  # noqa: PLC0415

    try:
        return refuse_layout(checked(layout), version)
    except PydanticCustomError as error:
        return f"layout {layout!r}: allowed: {(error.context or {})['allowed']}"


@operation(is_idempotent=False, idempotent_notice="A message is sent each time.")
def message(text: str, pane_name: str, pause: float = 0.5, socket_name: str | None = None) -> Generator[PyinfraCommand]:
    """Type a line into a pane and submit it, and check that the pane took both.

    + text: typed literally; without line breaks and other control characters
    + pane_name: the spec's name of the pane, or tmux's id such as ``%7``
    + pause: seconds between the text and Enter
    + socket_name: as in ``session``

    Refused when the pane is not there or dead.

    **Example:**

    .. code:: python

        tmux.message(name="Wake the conductor", text="all workers are back", pane_name="conductor")
    """
    server = _server(socket_name)
    reason = refuse_message(text)
    tmux = _observed(server)
    if reason is not None or not isinstance(tmux, state.Tmux):
        yield tmux if reason is None and not isinstance(tmux, state.Tmux) else refusal(f"{text!r}: {reason}")
        return
    panes = [pane for session in tmux.sessions for window in session.windows for pane in window.panes]
    found = next((pane for pane in panes if pane_name in (pane.name, pane.pane_id)), None)
    if found is None or found.dead:
        yield refusal(f"pane {pane_name} is {'dead' if found else 'not there'}: nothing was sent")
        return
    forget(host, *LADDER)
    may_tell(host)
    yield StringCommand(message_script(text, found.pane_id, server, pause))


@operation(is_idempotent=False, idempotent_notice="A snapshot is written each time.")
def snapshot(keep: int = KEEP, socket_name: str | None = None) -> Generator[PyinfraCommand]:
    """Write the layout and the scrollback of every pane of a server to ``~/.local/state/miyabi/snapshots``.

    + keep: how many snapshots stay
    + socket_name: as in ``session``

    Written aside, checked and renamed, readable by the user alone. Nothing is written when no server runs.

    **Example:**

    .. code:: python

        tmux.snapshot(name="Before the upgrade")
    """
    server = _server(socket_name)
    tmux = _observed(server)
    if not isinstance(tmux, state.Tmux):
        yield tmux
        return
    if not tmux.sessions:
        host.noop("no tmux session is there to be kept")
        return
    panes = [pane.pane_id for session in tmux.sessions for window in session.windows for pane in window.panes]
    may_tell(host)
    yield StringCommand(snapshot_script(list(dict.fromkeys(panes)), server, digest="", keep=keep))
