"""Snapshots on the control machine, and what brings one back on a host."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyinfra import host, logger
from pyinfra.api import FileUploadCommand, FunctionCommand, StringCommand

from facts.host import LADDER, observe
from facts.host_spec import host_spec
from facts.observation import Unknown, ask, ask_together, forget
from facts.snapshot import LINES, asked_server, make_snapshot, snapshot_sections
from miyabi.errors import MiyabiError
from miyabi.marks import changed_since, marking, marks_from_json
from miyabi.shell import HOST_ENVIRONMENT, quoted
from miyabi.snapshot_files import KEEP, keep_snapshot
from miyabi.snapshot_text import counts
from miyabi.spec import TmuxServer
from miyabi.tmux_command import client_calls
from operations.gate import may_tell, operation, permission
from operations.refusal import refusal

if TYPE_CHECKING:
    from pyinfra.api import Host, State
    from pyinfra.api.command import PyinfraCommand

    from miyabi.snapshot_model import Snapshot

_MOST_KEPT = 1000
_MOST_LINES = 100_000


@operation(is_idempotent=False, idempotent_notice="A snapshot is written each time.")
def save(keep: int = KEEP, lines: int = LINES, socket_name: str | None = None) -> Generator[PyinfraCommand]:
    """Keep a snapshot of a host's tmux sessions in a file on the control machine.

    + keep: how many snapshots of the host stay, 1 to 1000
    + lines: how much scrollback of each pane, in lines
    + socket_name: as in ``tmux -L``; None is the server that the host's data or spec names, else tmux's default

    It holds sessions, windows, layouts, directories, command lines and scrollback, with what looks like a secret
    masked. Nothing is written, and nothing old removed, when no session is there, or what is there is unknown.

    **Example:**

    .. code:: python

        from operations import snapshot

        snapshot.save(name="Snapshot", keep=20)
    """
    numbers: list[tuple[str, Any, int]] = [("keep", keep, _MOST_KEPT), ("lines", lines, _MOST_LINES)]
    for what, value, most in numbers:
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            yield refusal(f"{what} is {value!r}; allowed: a whole number from 1 to {most}")
            return
    taken = _take(host, asked_server(socket_name), lines)
    if isinstance(taken, str):
        yield refusal(f"the snapshot is not taken: {taken}")
    elif not taken.sessions:
        host.noop("no tmux session is there to be kept; older snapshots stay")
    else:
        may_tell(host)
        yield FunctionCommand(write, (taken, keep), {})


def _take(host: Host, server: TmuxServer, lines: int) -> Snapshot | str:
    """The snapshot, or why what is there is unknown."""
    sections = snapshot_sections(server.socket_name, lines)
    ask_together(host, sections)
    answers: list[Any] = []
    for section in sections:
        answer = ask(host, section)
        if isinstance(answer, Unknown):
            return f"{section.title}: {answer.reason}"
        answers.append(answer)
    identity, tmux, processes, screens = answers
    return make_snapshot(tmux, processes, screens, home=identity.home, server=server)


def write(state: State, host: Host, taken: Snapshot, keep: int) -> bool:
    """Write ``taken`` to the control machine's disk; False when that fails."""
    del state
    try:
        path = keep_snapshot(taken, host.name, time.time(), keep)
    except MiyabiError as error:
        host.log_styled(str(error), fg="red", log_func=logger.error)
        return False
    host.log(f"{counts(taken)}: {path}")
    return True


@operation()
def mark(marks: str) -> Generator[PyinfraCommand]:
    """Give sessions, windows and panes that are there the names that a spec has for them; touch nothing else.

    + marks: a file on the control machine, as ``miyabi adopt`` and ``miyabi snapshot restore`` write it

    Refused when anything in it is not there any more.

    **Example:**

    .. code:: python

        snapshot.mark(name="Name what is there", marks="/tmp/marks.json")
    """
    if not marks:
        yield refusal("marks names no file; `miyabi adopt` and `miyabi snapshot restore` write one and run this")
        return
    try:
        wanted = host_spec(host)
        named = marks_from_json(Path(marks).read_text(encoding="utf-8"))
    except (MiyabiError, OSError, ValueError) as error:
        yield refusal(f"{marks}: {error}")
        return
    seen = observe(host, wanted)
    if seen.tmux is None:
        yield refusal(f"tmux is unknown, nothing is changed: {seen.unknown.get('tmux', 'not observed')}")
        return
    if gone := changed_since(named, seen.tmux):
        yield refusal(f"{gone} is not there any more: the sessions have changed meanwhile, start again")
        return
    commands = marking(named, seen.tmux)
    if not commands:
        host.noop("everything that is there has its name")
        return
    if (yield from permission(host, "names", "adopt", "something has no name yet")):
        yield from _call(commands, wanted.tmux)


def _call(commands: tuple[tuple[object, ...], ...], server: TmuxServer) -> Generator[PyinfraCommand]:
    is_executing = host.state.is_executing
    try:
        calls = client_calls([[command] for command in commands], server)  # type: ignore[list-item]
        yield StringCommand(f"{HOST_ENVIRONMENT}; ", *map(str, calls), _separator="", _timeout=30)
    finally:
        if is_executing:
            forget(host, *LADDER)


@operation(is_idempotent=False, idempotent_notice="The file is uploaded each time.")
def upload_scrollback(source: str, target: str) -> Generator[PyinfraCommand]:
    """Put the kept text of panes on the host, where the restored panes show it; remove what is older than a day.

    + source: a file on the control machine
    + target: its absolute path on the host, in a folder of its own, which only the user may read

    **Example:**

    .. code:: python

        snapshot.upload_scrollback(name="Bring the text", source="/tmp/text", target="/home/me/.local/state/x/1.txt")
    """
    folder = target.rpartition("/")[0]
    prepare = (
        f"umask 077; mkdir -p {quoted(folder)} && chmod 700 {quoted(folder)} && "
        f"find {quoted(folder)} -name '*.txt' -type f -mtime +0 -exec rm -f {{}} +"
    )
    if not (yield from permission(host, "scrollback", "tidy", "it is to be brought")):
        return
    yield StringCommand(prepare, _timeout=30)
    yield FileUploadCommand(source, target)
