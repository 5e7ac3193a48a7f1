"""What a host has told of a workspace. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import NamedTuple

from miyabi.errors import ParseError
from miyabi.orchestration.session_lock import Lock, holder_of, read_lock
from miyabi.orchestration.workspace import Holder, SeenFile, SeenLock, SeenProcess, SeenWorkspace
from miyabi.packed import unpacked

# The most bytes that an answer may have when it is unpacked.
_MOST = 1 << 30

# Of a second, on every Linux that has a /proc.
_TICKS = 100.0
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TOLD_BY_PS = re.compile(r"[A-Za-z]{3} ([A-Za-z]{3}) ([0-9]{1,2}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([0-9]{4})")
_END = b"end\n"


def read_workspace(lines: Iterable[str], workspace: str, pids: Sequence[int] = ()) -> SeenWorkspace:
    """The answer of ``workspace_script`` for the same workspace and pids.

    Raises ``ParseError`` when it is cut off. A file that was written while it was told has no content.
    """
    told = _unpacked(lines)
    if isinstance(told, str):
        moment, _, trouble = told.partition(" ")
        return SeenWorkspace(workspace, float(moment), trouble=trouble)
    stream = _Stream(told)
    now, host, path = float(stream.words("now")[0]), stream.word("host"), stream.texts(1)[0]
    backups = (*_files(stream.group("backups"), "backups/"), *_files(stream.group("whole")))
    events = stream.group("events")
    locks = stream.group("locks")
    said = stream.texts(len(locks))
    running, starts = _processes(stream, now)
    sessions = stream.sessions()
    holder = partial(
        holder_of, running=None if running is None else {each.pid: each for each in running}, starts=starts, host=host
    )
    return SeenWorkspace(
        path,
        now,
        sessions=tuple(sessions),
        events=_files(events, "events/"),
        # A name ends with its moment, and what was made within a second is told by it.
        backups=tuple(sorted(backups, key=lambda each: (each.changed_at, each.name), reverse=True)),
        locks=tuple(_lock(each, read_lock(text), holder) for each, text in zip(locks, said, strict=True)),
        asked=() if running is None else tuple(pids),
        running=tuple(each for each in running or () if each.pid in set(pids)),
    )


def _files(group: Iterable[_Told], folder: str = "") -> tuple[SeenFile, ...]:
    return tuple(
        SeenFile(each.name.removeprefix(folder), each.size, each.at, is_own=each.kind == "p") for each in group
    )


def _lock(told: _Told, lock: Lock, holder: Callable[[Lock, float], Holder]) -> SeenLock:
    held = holder(lock, told.at)
    if held == "gone" and told.kind not in {"p", "l"}:
        # Another user's processes need not be visible.
        held = "unknown"
    return SeenLock(told.name.removesuffix(".lock"), held, lock.pid, told.at if lock.since is None else lock.since)


def read_contents(lines: Iterable[str], names: Sequence[str]) -> dict[str, SeenFile]:
    """The answer of ``contents_script`` for the same names, by name.

    A file that is not there, may not be read or is a link is left out; one that was written while it was told has no
    content. Raises ``ParseError`` when the answer is cut off.
    """
    told = _unpacked(lines)
    if isinstance(told, str):
        raise ParseError(f"the workspace {told.partition(' ')[2]}")
    stream = _Stream(told)
    heads = [stream.line().split(" ") for _ in names]
    there = [(name, head) for name, head in zip(names, heads, strict=True) if head[0] in {"p", "f"}]
    contents = _cut(stream.rest(), [(int(head[1]), head[3]) for _, head in there])
    return {name: _seen(name, head, content) for (name, head), content in zip(there, contents, strict=True)}


def _unpacked(lines: Iterable[str]) -> bytes | str:
    """The stream that was told; or, as a text, when it was asked and why there is none."""
    packing, *body = lines
    if packing.startswith("trouble "):
        return packing.removeprefix("trouble ")
    if packing not in {"gzip", "plain"}:
        raise ParseError(f"looking at the workspace printed {packing[:80]!r}")
    try:
        told = unpacked(packing, body, _MOST)
    except ValueError as error:
        raise ParseError(f"what it tells of the workspace is cut off: {error}") from error
    last = told[-120:].rstrip(b"\n").rpartition(b"\n")[2]
    if last.startswith(b"trouble "):
        return last.decode(errors="replace").removeprefix("trouble ")
    if not told.endswith(_END):
        raise ParseError("what it tells of the workspace is cut off")
    return told


def _processes(stream: _Stream, now: float) -> tuple[list[SeenProcess] | None, dict[int, str]]:
    """The processes that run, and their exact starts; None when that is unknown."""
    first = stream.line()
    found: list[SeenProcess] = []
    starts: dict[int, str] = {}
    while (line := stream.line()) != "told":
        _, pid, start = line.split(" ", 2)
        began = _began(first, start, now)
        if began is None:
            raise ParseError(f"a process is told as {line[:80]!r}")
        found.append(SeenProcess(int(pid), began))
        starts[int(pid)] = start.replace(" ", "_")
    return (None if first == "unknown" else list({each.pid: each for each in found}.values())), starts


def _began(first: str, start: str, now: float) -> float | None:
    if first.startswith("ticks "):
        return now - (int(first.removeprefix("ticks ")) - int(start)) / _TICKS
    told = _TOLD_BY_PS.fullmatch(start.strip())
    if told is None or told[1] not in _MONTHS:
        return None
    month, day, hour, minute, second, year = told.groups()
    moment = datetime(int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    return moment.timestamp()


def _seen(name: str, head: Sequence[str], content: bytes | None) -> SeenFile:
    kind, size, at, digest = head
    digest = "" if digest == "-" else digest
    if content is not None and not digest.startswith("cksum-"):
        digest = sha256(content).hexdigest()
    return SeenFile(name, int(size) if content is None else len(content), float(at), digest, content, kind == "p")


class _Told(NamedTuple):
    """A file as it is told: p is plain and the user's own, l is a link; the rest is not to be written either."""

    name: str
    kind: str
    size: int
    at: float


class _Stream:
    """What was told, taken from its beginning on."""

    def __init__(self, told: bytes) -> None:
        self._told = told
        self._at = 0

    def _until(self, mark: bytes) -> bytes:
        end = self._told.find(mark, self._at)
        if end < 0:
            raise ParseError("what it tells of the workspace is cut off")
        found, self._at = self._told[self._at : end], end + 1
        return found

    def line(self) -> str:
        return self._until(b"\n").decode("utf-8", "backslashreplace")

    def words(self, title: str) -> list[str]:
        """The words of the next line, which must begin with ``title``."""
        line = self.line()
        head, *words = line.split(" ")
        if head != title:
            raise ParseError(f"looking at the workspace printed {line[:80]!r}")
        return words

    def word(self, title: str) -> str:
        return " ".join(self.words(title))

    def texts(self, count: int) -> list[str]:
        return [self._until(b"\0").decode("utf-8", "backslashreplace") for _ in range(count)]

    def _listed(self, title: str) -> list[tuple[str, list[str]]]:
        """The files of a group: the name of each, and the words that tell of it."""
        heads = [self.line().split(" ") for _ in range(int(self.words(title)[0]))]
        found = []
        for head in heads:
            name = self._until(b"\0")
            told = name.decode("utf-8", "backslashreplace")
            # A name that is no UTF-8 can be shown, and leads to no file: nothing is written there.
            found.append((told, head if told.encode() == name else ["f" if head[0] == "p" else head[0], *head[1:]]))
        return found

    def group(self, title: str) -> list[_Told]:
        return [_Told(name, kind, int(size), float(at)) for name, (kind, size, at) in self._listed(title)]

    def sessions(self) -> list[SeenFile]:
        """The sessions' files, with the contents that were sent."""
        listed = self._listed("sessions")
        sent = [int(number) - 1 for number in self.words("sent")]
        contents = _cut(self.rest(), [(int(listed[each][1][1]), listed[each][1][3]) for each in sent])
        held = dict(zip(sent, contents, strict=True))
        return [_seen(name, head, held.get(number)) for number, (name, head) in enumerate(listed)]

    def rest(self) -> bytes:
        return self._told[self._at : -len(_END)]


def _cut(body: bytes, files: Sequence[tuple[int, str]]) -> list[bytes | None]:
    """Cut contents that were told one behind the other.

    + files: the size and the digest of each, as they were before

    One that was written meanwhile may have another size: what is before it is found from the front, what is behind it
    from the back, and what is between is its own when it is the only one; others are None.
    """
    found: list[bytes | None] = [None] * len(files)
    front, first = 0, 0
    while first < len(files) and _is(body[front : front + files[first][0]], files[first]):
        found[first] = body[front : front + files[first][0]]
        front += files[first][0]
        first += 1
    back, last = len(body), len(files) - 1
    while last > first and back - files[last][0] >= front and _is(body[back - files[last][0] : back], files[last]):
        found[last] = body[back - files[last][0] : back]
        back -= files[last][0]
        last -= 1
    if first == last:
        found[first] = body[front:back]
    return found


def _is(content: bytes, file: tuple[int, str]) -> bool:
    size, digest = file
    if len(content) != size:
        return False
    return sha256(content).hexdigest() == digest or digest.startswith("cksum-")
