"""The cockpit in the tmux server of this machine, by libtmux: look, and make it as it must be.

libtmux is imported where a server is talked to: no run that changes nothing pays for it.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from miyabi.cockpit import LISTING, MARK, CockpitPane, CockpitPlan, CockpitWindow, label_of, parse_listing
from miyabi.errors import RunError
from miyabi.masking import shown
from miyabi.spec import TmuxServer
from miyabi.tmux_command import unformatted

if TYPE_CHECKING:
    from libtmux import Server
    from libtmux.common import tmux_cmd

# Seconds in which a server has to answer.
_ANSWERS = 5

# The size of a cockpit that nobody looks at: sessions on hosts where nobody else is attached take it over.
_WIDTH, _HEIGHT = 200, 50

# Seconds in which what was started has to say how it stands.
_STARTS = 5.0
_POLL = 0.05

# What a server says that is just going away, and seconds until it has gone.
_LEAVING = re.compile("server exited|lost server")
_GONE = 0.3

# tmux's own words for "nobody is there"; anything else that fails is unknown.
_ABSENT = re.compile(
    r"no server running on |error connecting to .*\((?:No such file or directory|Connection refused)\)|no sessions"
)


class CockpitTmux:
    """A cockpit, there or not.

    + name: of its session
    + server: tmux's, on this machine; without a socket's name it is the default one, wherever this runs
    """

    def __init__(self, name: str, server: TmuxServer) -> None:
        self.name = name
        self.socket = server.socket_name or "default"
        self._config_file = server.config_file

    def panes(self) -> tuple[CockpitPane, ...]:
        """What there is of cockpits in the server. Raises ``RunError`` when nobody can tell."""
        return parse_listing(self._ask(*LISTING))

    def session_id(self) -> str | None:
        """The id of the cockpit's session; None when there is none. Raises ``RunError`` when it is another's."""
        told = self._ask("display-message", "-p", "-t", self._target, f"#{{session_id}}|#{{{MARK}}}")
        session_id, _, mark = (told or ["|"])[0].partition("|")
        if session_id and not mark:
            raise RunError(
                f"the session {self.name} in tmux is not made by miyabi cockpit: nothing is done to it; rename it, or "
                "choose another name: --session NAME"
            )
        return session_id or None

    def apply(self, plan: CockpitPlan, tell: Callable[[str], None]) -> None:
        """Do what is planned. Raises ``RunError`` when tmux refuses."""
        import libtmux  # noqa: PLC0415 - see the module's docstring

        session_id = self.session_id()
        server = self._server()
        for pane, window in plan.rerun:
            again = ("respawn-pane", "-k", "-t", pane.pane_id, "--", *map(_literal, window.start(self.name)))
            self._do(server.cmd, *again)
            tell(f"started {window.label} again")
        for window in plan.make:
            if session_id is None:
                session_id = self._make_session(server, window)
            else:
                self._make_window(server, session_id, window)
            tell(f"made {window.label}")
        for pane in plan.remove:
            # Its window goes with it, unless a human has made panes beside it; with the last window the session.
            self._do(libtmux.Pane(server=server, pane_id=pane.pane_id).cmd, "kill-pane")
            tell(f"removed {label_of(pane)}")

    def wait_until_started(self, plan: CockpitPlan) -> None:
        """Wait until what was started says how it stands, or its time is over."""
        keys = {window.key(self.name) for window in (*plan.make, *(window for _, window in plan.rerun))}
        over = time.monotonic() + _STARTS
        while keys and time.monotonic() < over:
            if not any(pane.key in keys and pane.condition == "starting" for pane in self.panes()):
                return
            time.sleep(_POLL)

    def end(self, panes: Sequence[CockpitPane]) -> bool:
        """End these panes, and no others; whether the session is left, because something in it is a human's."""
        import libtmux  # noqa: PLC0415

        session_id = self.session_id()
        server = self._server()
        for pane in panes:
            self._do(libtmux.Pane(server=server, pane_id=pane.pane_id).cmd, "kill-pane")
        if session_id is None or self.session_id() is None:
            return False
        # What is left is theirs.
        self._do(server.cmd, "set-option", "-u", "-t", self._target, MARK)
        return True

    def attach_words(self) -> list[str]:
        """The command that shows the cockpit in a terminal."""
        return ["tmux", "-u", "-L", self.socket, "attach-session", "-t", f"={self.name}"]

    def switch(self, server_path: str) -> None:
        """Show the cockpit in the client in whose pane this runs. Raises ``RunError`` when that cannot be.

        + server_path: the socket of the server that this runs in
        """
        client, *_ = self._ask("display-message", "-p", "#{client_tty}|#{socket_path}") or ["|"]
        terminal, _, here = client.partition("|")
        if not Path(server_path).exists() or not Path(here).exists() or not Path(server_path).samefile(here):
            raise RunError(f"you are in another tmux server: detach from it, then: {shlex.join(self.attach_words())}")
        if terminal in self._ask("list-panes", "-s", "-t", self._target, "-F", "#{pane_tty}"):
            # A cockpit that shows itself would never end drawing.
            raise RunError("you are in one of the cockpit's windows already")
        if not terminal:
            raise RunError(f"nobody looks at this tmux: in a terminal: {shlex.join(self.attach_words())}")
        self._do(self._server().cmd, "switch-client", "-c", terminal, "-t", self._target)

    @property
    def _target(self) -> str:
        return f"={self.name}:"

    def _server(self) -> Server:
        import libtmux  # noqa: PLC0415

        return libtmux.Server(socket_name=self.socket, config_file=self._config_file)

    def _make_session(self, server: Server, window: CockpitWindow) -> str:
        ids = "#{session_id}|#{window_id}|#{pane_id}"
        size = ("-x", _WIDTH, "-y", _HEIGHT)
        words = (
            "new-session",
            "-d",
            "-P",
            "-F",
            ids,
            *size,
            "-s",
            _literal(str(unformatted(self.name))),
            *_start(window, self.name),
        )
        made = self._do(server.cmd, *words, ";", "set-option", "-t", self._target, MARK, "1")
        session_id, window_id, pane_id = _ids(made, 3)
        self._do(server.cmd, "set-option", "-t", session_id, "default-size", f"{_WIDTH}x{_HEIGHT}")
        self._dress(server, window_id, pane_id)
        return session_id

    def _make_window(self, server: Server, session_id: str, window: CockpitWindow) -> None:
        import libtmux  # noqa: PLC0415

        session = libtmux.Session(server=server, session_id=session_id)
        words = ("new-window", "-d", "-P", "-F", "#{window_id}|#{pane_id}", *_start(window, self.name))
        self._dress(server, *_ids(self._do(session.cmd, *words), 2))

    def _dress(self, server: Server, window_id: str, pane_id: str) -> None:
        """Let a window keep its name, and show how its loop has ended, whatever the user's configuration says."""
        options = (
            ("-w", "-t", window_id, "automatic-rename", "off"),
            ("-w", "-t", window_id, "allow-rename", "off"),
            ("-p", "-t", pane_id, "remain-on-exit", "on"),
        )
        for each in options:
            self._do(server.cmd, "set-option", *each)

    def _do(self, do: Callable[..., tmux_cmd], *words: object) -> list[str]:
        done = _run(do, *words)
        if done.returncode != 0:
            raise RunError(f"tmux {words[0]} failed: {_said(done)}")
        return done.stdout

    def _ask(self, *words: str) -> list[str]:
        """What tmux answers; nothing when it does not run. Raises ``RunError`` when nobody can tell."""
        if not self._runs():
            return []
        done = _run(self._server().cmd, *words)
        said = _said(done)
        if done.returncode == 0:
            return done.stdout
        if "can't find" in said or _ABSENT.search(said):
            return []
        raise self._unknown(said)

    def _runs(self) -> bool:
        """Whether the server runs; libtmux would wait for ever for one that hangs."""
        code, said = self._list_sessions()
        if _LEAVING.search(said):
            time.sleep(_GONE)
            code, said = self._list_sessions()
        if code == 0 or _ABSENT.search(said):
            return code == 0
        raise self._unknown(shown(said))

    def _list_sessions(self) -> tuple[int, str]:
        program = shutil.which("tmux")
        if program is None:
            raise RunError("tmux is not found on this machine: install it, the cockpit is a session of it")
        words = [program, "-L", self.socket, "list-sessions", "-F", "#{session_id}"]
        try:
            done = subprocess.run(  # noqa: S603 - no shell reads the words
                words, capture_output=True, timeout=_ANSWERS, check=False, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired:
            raise self._unknown(f"no answer within {_ANSWERS} s") from None
        except OSError as error:
            raise self._unknown(f"{program}: {error.strerror}") from None
        return done.returncode, done.stderr.decode(errors="replace").strip()

    def _unknown(self, why: str) -> RunError:
        return RunError(f"tmux -L {shlex.quote(self.socket)}: {why}; nothing is done to the cockpit")


def _run(do: Callable[..., tmux_cmd], *words: object) -> tmux_cmd:
    """Do it, once more when the server was just going away."""
    from libtmux.exc import LibTmuxException  # noqa: PLC0415

    try:
        done = do(*words)
        if done.returncode != 0 and _LEAVING.search(_said(done)):
            time.sleep(_GONE)
            done = do(*words)
    except (LibTmuxException, OSError) as error:
        raise RunError(f"tmux {words[0]} failed: {error}") from None
    return done


def _said(done: tmux_cmd) -> str:
    return shown("; ".join(done.stderr) or f"exit code {done.returncode}")


def _ids(told: Sequence[str], count: int) -> list[str]:
    ids = told[0].split("|") if told else []
    if len(ids) != count:
        raise RunError(f"tmux answered {shown(str(told))} where {count} ids were asked for")
    return ids


def _start(window: CockpitWindow, cockpit: str) -> tuple[str, ...]:
    """The arguments that name a window and start its loop."""
    return ("-n", _literal(str(unformatted(window.label))), "--", *map(_literal, window.start(cockpit)))


def _literal(word: str) -> str:
    """A last ``;`` would end tmux's command."""
    return f"{word[:-1]}\\;" if word.endswith(";") else word
