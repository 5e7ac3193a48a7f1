"""The events of an orchestration: read from whatever is left of their files, without doubles, in their order. Pure.

One JSON object a line. A log may hold a million of them: what is kept of each is where it stands, and what it is
ordered by; it is read once more when it is asked for.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from miyabi.orchestration.event import Event, event_of, is_called, is_session, read_object
from miyabi.orchestration.values import text as text_of
from miyabi.state import Observed

# Flaws, gaps and other things that are listed one by one; how many there are is counted beyond that.
_LISTED = 100

# Places of one broken line at which another event may begin, because the program ended while it wrote the line.
_BEGINNINGS = 20

# What stands where an event has no sequence number.
_NO_NUMBER = -1

_NUL = re.compile(rb"\x00+")


@dataclass(frozen=True, slots=True)
class LogFlaw(Observed):
    """A line that is no event: where it stands, and why; its bytes stay in the log, which nobody changes."""

    file: str
    line: int
    reason: str

    @property
    def text(self) -> str:
        """In one line."""
        return f"{self.file}:{self.line}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Gap(Observed):
    """Sequence numbers that no event has, from the first to the last."""

    first: int
    last: int

    @property
    def text(self) -> str:
        """Such as ``event 7`` and ``events 7 to 12``."""
        return f"event {self.first}" if self.first == self.last else f"events {self.first} to {self.last}"


@dataclass(slots=True)
class _Rows:
    """Of each event where it stands and what it is ordered by, a few bytes each."""

    files: array[int] = field(default_factory=lambda: array("l"))
    lines: array[int] = field(default_factory=lambda: array("q"))
    starts: array[int] = field(default_factory=lambda: array("q"))
    ends: array[int] = field(default_factory=lambda: array("q"))
    sessions: array[int] = field(default_factory=lambda: array("l"))
    sequences: array[int] = field(default_factory=lambda: array("q"))
    moments: array[float] = field(default_factory=lambda: array("d"))

    def chosen(self, order: Sequence[int]) -> _Rows:
        """Those at the given places, in that order."""
        files, lines, starts, ends, sessions, sequences = (
            array(column.typecode, (column[index] for index in order))
            for column in (self.files, self.lines, self.starts, self.ends, self.sessions, self.sequences)
        )
        moments = array("d", (self.moments[index] for index in order))
        return _Rows(files, lines, starts, ends, sessions, sequences, moments)


@dataclass(frozen=True, slots=True)
class EventLog:
    """All events of some files, in the order in which they happened.

    + contents: the files, by name
    + sessions: whose events they are, each named once; "" for events that name none
    + broken: how many lines are no events
    + flaws: the first of them
    + doubled: how many events stood in the files once more
    + gaps: numbers that are missing between those that are there
    """

    contents: tuple[tuple[str, bytes], ...] = ()
    rows: _Rows = field(default_factory=_Rows, repr=False, compare=False)
    sessions: tuple[str, ...] = ()
    broken: int = 0
    flaws: tuple[LogFlaw, ...] = ()
    doubled: int = 0
    gaps: tuple[Gap, ...] = ()

    def __len__(self) -> int:
        return len(self.rows.lines)

    def __iter__(self) -> Iterator[Event]:
        return self.events()

    def events(self, *, backwards: bool = False) -> Iterator[Event]:
        """The events one after the other, each read anew; ``backwards`` begins with the newest."""
        places = range(len(self))
        for index in reversed(places) if backwards else places:
            name, content = self.contents[self.rows.files[index]]
            found = read_object(content[self.rows.starts[index] : self.rows.ends[index]])
            if found is not None:  # it was one when the log was read
                yield event_of(found, name, self.rows.lines[index])

    @property
    def first_sequence(self) -> int | None:
        """The smallest number; None when no event has one."""
        return min((each for each in self.rows.sequences if each != _NO_NUMBER), default=None)

    def of(self, session_id: str) -> EventLog:
        """The events of one session.

        Those that name no session are its own where their file is called after it, or where nothing in the log names
        another one.
        """
        own = {index for index, name in enumerate(self.sessions) if is_session(name, session_id)}
        nameless = {index for index, name in enumerate(self.sessions) if not name}
        alone = len(own | nameless) == len(self.sessions)
        named = {index for index, (name, _) in enumerate(self.contents) if alone or is_called(name, session_id)}
        rows = self.rows
        kept = [
            index
            for index, session in enumerate(rows.sessions)
            if session in own or (session in nameless and rows.files[index] in named)
        ]
        chosen = rows.chosen(kept)
        return EventLog(
            self.contents, chosen, self.sessions, self.broken, self.flaws, self.doubled, _gaps(chosen, self._shared())
        )

    def _shared(self) -> array[int]:
        """The numbers of all sessions where they count together; none where each session counts its own."""
        numbers = [each for each in self.rows.sequences if each != _NO_NUMBER]
        return array("q", sorted(numbers) if len(set(numbers)) == len(numbers) else ())


def read_events(contents: Sequence[tuple[str, bytes]]) -> EventLog:
    """What some files of a log say; never an exception, whatever is in them.

    + contents: of each file its name and what is in it

    .. code:: python

        read_events([("events.jsonl", b'{"id": "e1", "type": "task_created", "data": {"task_id": "T1"}}')])
    """
    reading = _Reading(tuple(contents))
    for index, (_, content) in enumerate(reading.contents):
        reading.read_file(index, content)
    rows = reading.rows.chosen(_order(reading.rows))
    return EventLog(
        *(reading.contents, rows, tuple(reading.sessions), reading.broken, tuple(reading.flaws), reading.doubled),
        gaps=_gaps(rows, array("q")),
    )


class _Reading:
    """The reading of a log's files."""

    def __init__(self, contents: tuple[tuple[str, bytes], ...]) -> None:
        self.contents = contents
        self.rows = _Rows()
        self.sessions: dict[str, int] = {}
        self.flaws: list[LogFlaw] = []
        self.broken = 0
        self.doubled = 0
        self._known: dict[int, int] = {}

    def read_file(self, file: int, content: bytes) -> None:
        start = 3 if content.startswith(b"\xef\xbb\xbf") else 0
        line = 0
        while start < len(content):
            line += 1
            end = content.find(b"\n", start)
            end = len(content) if end < 0 else end
            self._read_line(file, line, start, end)
            start = end + 1

    def _read_line(self, file: int, line: int, start: int, end: int) -> None:
        content = self.contents[file][1]
        text = content[start:end]
        if not text.strip(b" \t\r\x00"):
            if b"\x00" in text:
                self._tell(file, line, "zeros, as a crash leaves them")
            return
        found = read_object(text)
        if found is not None:
            self._keep(found, file, line, start, end)
            return
        is_found = False
        for begin, stop in _pieces(text):
            piece = read_object(text[begin:stop])
            if piece is not None:
                is_found = True
                self._keep(piece, file, line, start + begin, start + stop)
        is_torn = end == len(content)
        self._tell(file, line, "torn, but for what could be read of it" if is_found else _WHY[is_torn])

    def _keep(self, found: dict[str, Any], file: int, line: int, start: int, end: int) -> None:
        if not isinstance(found.get("type"), str):
            self._tell(file, line, "an object without a type")
            return
        event = event_of(found, "", line)
        if self._is_doubled(event, file, start, end):
            self.doubled += 1
            return
        rows = self.rows
        rows.files.append(file)
        rows.lines.append(line)
        rows.starts.append(start)
        rows.ends.append(end)
        rows.sessions.append(self.sessions.setdefault(event.session_id, len(self.sessions)))
        rows.sequences.append(_NO_NUMBER if event.sequence is None else event.sequence)
        rows.moments.append(math.nan if event.at is None else event.at)

    def _is_doubled(self, event: Event, file: int, start: int, end: int) -> bool:
        """Whether the event is known; one without an id is only where all of it is the same, with its moment."""
        if not event.id and event.at is None and event.sequence is None:
            return False
        own = self.contents[file][1][start:end].strip(b" \t\r\x00")
        known = self._known.setdefault(hash((event.session_id, event.id) if event.id else own), len(self.rows.lines))
        if known == len(self.rows.lines):
            return False
        content = self.contents[self.rows.files[known]][1][self.rows.starts[known] : self.rows.ends[known]]
        if not event.id or (other := read_object(content)) is None:
            return content.strip(b" \t\r\x00") == own
        return text_of(other.get("id")) == event.id and text_of(other.get("session_id")) == event.session_id

    def _tell(self, file: int, line: int, reason: str) -> None:
        self.broken += 1
        if len(self.flaws) < _LISTED:
            self.flaws.append(LogFlaw(self.contents[file][0], line, reason))


_WHY = {True: "torn: the last line was not written to its end", False: "no JSON object"}


def _pieces(text: bytes) -> Iterator[tuple[int, int]]:
    """Where in a broken line whole events may stand: between zeros, and behind the beginning of another one."""
    begin = 0
    spans = [(match.start(), match.end()) for match in _NUL.finditer(text)]
    for zero, behind in [*spans, (len(text), len(text))]:
        if spans and zero > begin:
            yield begin, zero
        at = text.find(b"{", begin + 1, zero)
        for _ in range(_BEGINNINGS):
            if at < 0:
                break
            if text[at + 1 :].lstrip()[:1] == b'"' and _is_event(text[at:zero]):
                yield at, zero
                break
            at = text.find(b'{"', at + 1, zero)
        begin = behind


def _is_event(text: bytes) -> bool:
    found = read_object(text)
    return found is not None and isinstance(found.get("type"), str) and bool(found.keys() & {"id", "timestamp", "data"})


def _order(rows: _Rows) -> list[int]:
    """The events' places in the order of their moments; those with numbers stand among themselves in theirs.

    An event without a moment stays behind the one before it in its file.
    """
    count = len(rows.lines)
    moments = array("d", rows.moments)
    for index in range(count):
        if math.isnan(moments[index]):
            is_first = index == 0 or rows.files[index - 1] != rows.files[index]
            moments[index] = -math.inf if is_first else moments[index - 1]
    order = sorted(range(count), key=moments.__getitem__)
    numbered = [index for index in order if rows.sequences[index] != _NO_NUMBER]
    in_turn = iter(sorted(numbered, key=rows.sequences.__getitem__))
    return [index if rows.sequences[index] == _NO_NUMBER else next(in_turn) for index in order]


def _gaps(rows: _Rows, elsewhere: Sequence[int]) -> tuple[Gap, ...]:
    """The numbers that are missing between those of the rows, and are those of no other session's event either."""
    own = {each for each in rows.sequences if each != _NO_NUMBER}
    if not own:
        return ()
    first, last = min(own), max(own)
    numbers = sorted(own.union(each for each in elsewhere if first < each < last))
    gaps: list[Gap] = []
    for before, after in pairwise(numbers):
        if after > before + 1:
            gaps.append(Gap(before + 1, after - 1))
            if len(gaps) == _LISTED:
                break
    return tuple(gaps)
