"""What the probe asks tmux for, and the parser of tmux's answer. Pure.

Fields are joined with ``|``; text fields have ``%`` and ``|`` percent-encoded by tmux itself, because what tmux does to
control characters in formats depends on its version. Paths and commands may hold newlines: each is a line of its own
with its length in bytes in front. Tried on 3.2a, 3.3a, 3.4, 3.5a, 3.6 and the development version of August 2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import unquote

from miyabi.errors import ParseError
from miyabi.state import Client, Pane, Session, Tmux, Window

OLDEST = "3.2a"

# The options that carry the spec's names: they survive respawn-pane, renaming and renumbering.
SESSION_NAME_OPTION = "@miyabi_session"
WINDOW_NAME_OPTION = "@miyabi_window"
PANE_NAME_OPTION = "@miyabi_pane"
# "DIGEST SINCE PID" of the screen of an agent that a look saw, and what something was last typed into it for.
SCREEN_OPTION = "@miyabi_screen"
NUDGED_OPTION = "@miyabi_nudged"
# What tmux.layout has applied: the layout's name and the layout string that came of it.
LAYOUT_OPTION = "@miyabi_layout"


def encoded_text(name: str) -> str:
    """The format of a text field: tmux prints it with ``%`` and ``|`` percent-encoded."""
    return f"#{{s/%/%25/;s/[|]/%7C/:{name}}}"


def encoded(text: str) -> str:
    """The text as such a field has it."""
    return text.replace("%", "%25").replace("|", "%7C")


_SESSION_TEXTS = (SESSION_NAME_OPTION, "session_group", "session_name")
_PANE_TEXTS = (LAYOUT_OPTION, WINDOW_NAME_OPTION, "window_name", PANE_NAME_OPTION)

SESSION_FORMAT = "|".join(
    ["S", "#{session_id}", "#{session_attached}", "#{session_created}", "#{base-index}", "#{version}"]
    + [encoded_text(name) for name in _SESSION_TEXTS]
)
PANE_FORMAT = "|".join(
    ["P", "#{session_id}", "#{window_id}", "#{window_index}", "#{window_active}", "#{window_zoomed_flag}"]
    + ["#{window_layout}", "#{pane_id}", "#{pane_index}", "#{pane_pid}", "#{pane_active}", "#{pane_dead}"]
    + ["#{pane_dead_status}", "#{pane_dead_signal}", "#{pane_in_mode}"]
    + [encoded_text(name) for name in _PANE_TEXTS]
)
PATH_FORMAT = "D #{pane_id} #{n:pane_current_path} #{pane_current_path}"
COMMAND_FORMAT = "C #{pane_id} #{n:pane_current_command} #{pane_current_command}"
# The window is the one that the client shows.
CLIENT_FORMAT = "K|#{client_activity}|#{window_id}|#{client_created}|#{client_flags}"
# A client that leaves the size to others is a cockpit's, which attaches by itself; a terminal's own answers to that
# count as keys for so many seconds.
_BY_ITSELF = "ignore-size"
_ANSWERS = 2

# tmux's own words for "nobody is there", on every platform. Anything else that fails is unknown, not absent.
_ABSENT = re.compile(
    r"no server running on |error connecting to .*\((?:No such file or directory|Connection refused)\)|no sessions"
)
_END = re.compile(r"exit (\d+) \d+(?: (\d+))?")
_VERSION = re.compile(r"(\d+)\.(\d+)([a-z]?)")


def version_key(version: str) -> tuple[int, int, str] | None:
    """A version such as ``3.2a`` or ``next-3.7`` in an order; None for one without numbers, such as ``master``."""
    found = _VERSION.search(version)
    return (int(found[1]), int(found[2]), found[3]) if found else None


def parse_listing(text: str) -> Tmux:
    """Parse what the tmux section of the probe printed.

    + text: the listing, and in its last line ``exit N PID SECONDS``, with the host's clock; when N is not 0, the line
      before it is ``tmux -V``'s

    Raises ``ParseError`` when the answer is neither a listing nor a clear "no server".
    """
    body, _, last = text.rstrip("\n").rpartition("\n")
    if not (end := _END.fullmatch(last)):
        raise ParseError("tmux's answer has no end")
    if end[1] == "124":
        raise ParseError("the tmux server does not answer")
    if end[1] != "0":
        return _without_server(body)
    records = list(_records(body))
    sessions, version = _sessions(records)
    _refuse_old(version)
    return Tmux(version=version, running=True, sessions=sessions, clients=_clients(records, end[2]))


def is_absent(message: str) -> bool:
    """Whether tmux's words say that there is no server, or none with a session."""
    return _ABSENT.search(message) is not None


def _without_server(body: str) -> Tmux:
    message, _, version = body.strip().rpartition("\n")
    version = version.removeprefix("tmux ").strip()
    _refuse_old(version)
    if not is_absent(message):
        raise ParseError(message.strip().replace("\n", "; ") or "tmux failed without a word")
    # "no sessions": a server that was told to stay without any. It serves, so sessions can be created in it.
    return Tmux(version=version, running="no sessions" in message)


def _refuse_old(version: str) -> None:
    key, oldest = version_key(version), version_key(OLDEST)
    if key is not None and oldest is not None and key < oldest:
        raise ParseError(f"tmux {version} is older than {OLDEST}: upgrade tmux on this host")


def _records(body: str) -> Iterator[list[str]]:
    """Each record as its fields, first the kind; a D or C record is (kind, pane id, value)."""
    lines = iter(body.split("\n"))
    for line in lines:
        if line.startswith(("S|", "P|")):
            fields = line.split("|")
            texts = len(_SESSION_TEXTS if line[0] == "S" else _PANE_TEXTS)
            # Only the texts are encoded: a pane's id is %N itself.
            yield fields[:-texts] + [unquote(text) for text in fields[-texts:]]
        elif line.startswith("K|"):
            yield line.split("|")
        elif line.startswith(("D ", "C ")):
            kind, pane_id, length, value = line.split(" ", 3)
            while len(value.encode(errors="surrogateescape")) < int(length):
                rest = next(lines, None)
                if rest is None:
                    raise ParseError(f"tmux's answer ends inside the text of pane {pane_id}")
                value += f"\n{rest}"
            yield [kind, pane_id, value.encode(errors="surrogateescape").decode(errors="replace")]
        elif line:
            raise ParseError(f"tmux printed {line!r}")


def _sessions(records: list[list[str]]) -> tuple[tuple[Session, ...], str]:
    notes = {(record[0], record[1]): record[2] for record in records if record[0] in "DC"}
    panes: dict[str, dict[str, Window]] = {}
    for record in records:
        if record[0] == "P":
            window = _window(record)
            pane = _pane(record, notes)
            windows = panes.setdefault(record[1], {})
            known = windows.get(window.window_id, window)
            windows[window.window_id] = replace(known, panes=(*known.panes, pane))
    found: list[Session] = []
    version = ""
    for record in records:
        if record[0] == "S":
            _, session_id, attached, created, base, version, name, group, session_name = record
            windows_in_order = sorted(panes.get(session_id, {}).values(), key=lambda window: window.window_index)
            found.append(
                Session(
                    session_id=session_id,
                    session_name=session_name,
                    attached=int(attached),
                    created=int(created),
                    base_index=int(base or 0),
                    name=name or None,
                    group=group or None,
                    windows=tuple(windows_in_order),
                )
            )
    return tuple(found), version


def _clients(records: list[list[str]], now: str | None) -> tuple[Client, ...]:
    """Who looks at which window; without the host's clock nobody knows since when a client is idle."""
    found = [record for record in records if record[0] == "K" and record[1].isdigit() and not _is_nobody(record)]
    return tuple(Client(record[2], max(0, int(now) - int(record[1]))) for record in found) if now else ()


def _is_nobody(record: list[str]) -> bool:
    """Whether a client has attached by itself, and no key was pressed in it since."""
    if len(record) < 5 or _BY_ITSELF not in record[4].split(","):
        return False
    return record[3].isdigit() and int(record[1]) - int(record[3]) <= _ANSWERS


def _window(record: list[str]) -> Window:
    _, _, window_id, index, active, zoomed, layout, *_, mark, name, window_name, _ = record
    return Window(
        window_id=window_id,
        window_index=int(index),
        window_name=window_name,
        active=active == "1",
        layout=layout,
        zoomed=zoomed == "1",
        name=name or None,
        layout_mark=mark or None,
    )


def _pane(record: list[str], notes: dict[tuple[str, str], str]) -> Pane:
    pane_id, index, pid, active, dead, status, signal, in_mode, *_, name = record[7:]
    return Pane(
        pane_id=pane_id,
        pane_index=int(index),
        pid=int(pid) if pid else None,
        active=active == "1",
        name=name or None,
        dead=dead == "1",
        # After a death by signal older versions print a status of 0 or none; the signal decides then.
        dead_status=int(status) if status and not signal else None,
        dead_signal=signal or None,
        in_mode=in_mode not in ("", "0"),
        command=notes.get(("C", pane_id), ""),
        path=notes.get(("D", pane_id), ""),
    )
