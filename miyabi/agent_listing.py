"""The parser of what the probe prints of a host's agents. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from miyabi.agent_state import AgentPane, Agents, Conversation, TranscriptFile
from miyabi.conversation import read_conversation
from miyabi.errors import ParseError
from miyabi.masking import MASK, masked, plain
from miyabi.tmux_listing import is_absent

_ZONE = re.compile(r"([+-])(\d\d)(\d\d)")
_STAT = re.compile(r"(\d+) (/.*)")
# A conversation's id where a path holds it: most programs take a UUID.
_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_ID = r"[A-Za-z0-9_.-]{1,128}"


@dataclass(frozen=True, slots=True)
class _Record:
    """A line that the probe itself wrote, as its words, and the lines of something else that follow it."""

    words: tuple[str, ...]
    lines: list[str] = field(default_factory=list)


def parse_agents(text: str, names: Sequence[str], transcripts: Sequence[str]) -> Agents:
    """What the agents section of the probe printed.

    + text: the answer; its first line is the word by which the probe's own lines are known
    + names: of the agents' panes, in the order in which they were asked for
    + transcripts: the pattern of each one's transcripts, by which a path tells its conversation; "" is none

    Raises ``ParseError`` when it is cut off, or tmux could not tell.
    """
    told = _Answer(tuple(_records(text)), transcripts)
    now, zone = told.now()
    told.refuse_failure()
    conversations, transcript_of, candidates_of = told.conversations(), told.transcripts(), told.candidates()
    screens, digests = told.screens(), told.digests()
    panes = []
    for pane_id, (number, nudged_for) in told.panes().items():
        # One that vanished before its screen was read is left out.
        if pane_id in screens:
            digest, since = digests.get(pane_id, ("", None))
            pane = AgentPane(
                pane_id=pane_id,
                name=names[number],
                lines=_shown(screens[pane_id]),
                digest=digest,
                same_since=since,
                nudged_for=nudged_for,
                conversation=conversations.get(number),
                transcript=transcript_of.get(number),
                candidates=candidates_of.get(number, ()),
            )
            panes.append(pane)
    registered = {names[number]: each for number, each in conversations.items()}
    return Agents(panes=tuple(panes), conversations=registered, now=now, offset=zone)


def _records(text: str) -> Iterator[_Record]:
    nonce, _, body = text.partition("\n")
    record = _Record(())
    for line in body.split("\n"):
        if nonce and line.startswith(f"{nonce} "):
            yield record
            record = _Record(tuple(line.removeprefix(f"{nonce} ").split(" ")))
        else:
            record.lines.append(line)
    if record.words != ("finish",):
        raise ParseError("what it tells of the agents is cut off")


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the probe told, and how each part of it is read."""

    records: tuple[_Record, ...]
    patterns: Sequence[str]

    def of(self, kind: str) -> Iterator[tuple[str, ...]]:
        """What the probe's own lines of a kind say."""
        return (record.words[1:] for record in self.records if record.words[:1] == (kind,))

    def chunks(self, kind: str) -> list[list[str]]:
        """The files that follow a kind's line, each up to the one of its own that the probe laid behind it."""
        found: list[list[str]] = []
        inside = False
        for record in self.records:
            inside = record.words[:1] == (kind,) or (inside and record.words == ("next",))
            if inside:
                found.append(record.lines)
        return [_without_headers(lines) for lines in found[:-1]]

    def body(self, kind: str) -> list[str]:
        """All lines that follow a kind's line."""
        return [line for record in self.records if record.words[:1] == (kind,) for line in record.lines]

    def now(self) -> tuple[float, int]:
        """The host's clock, and its zone in seconds east of UTC."""
        seconds, zone = next(self.of("now"))
        found = _ZONE.fullmatch(zone)
        east = int(found[2]) * 3600 + int(found[3]) * 60 if found else 0
        return float(seconds), -east if found and found[1] == "-" else east

    def refuse_failure(self) -> None:
        """Raise ``ParseError`` when tmux said anything but that there is nothing."""
        said = "; ".join(line.strip() for line in self.body("failed") if line.strip())
        if any(True for _ in self.of("failed")) and not is_absent(said):
            raise ParseError(said or "tmux failed without a word")

    def panes(self) -> dict[str, tuple[int, str]]:
        """The number of the agent in each pane, and what it was nudged for."""
        return {pane_id: (int(number), unquote(" ".join(nudged))) for number, pane_id, *nudged in self.of("pane")}

    def screens(self) -> dict[str, list[str]]:
        """The lines of each pane."""
        return {record.words[1]: record.lines for record in self.records if record.words[:1] == ("screen",)}

    def digests(self) -> dict[str, tuple[str, float | None]]:
        """The digest of each pane's screen, and since when it is the same."""
        return {pane: (digest, float(since) if since else None) for pane, digest, since in self.of("digest")}

    def conversations(self) -> dict[int, Conversation]:
        """What is registered, by the number of the agent."""
        numbers = [int(each) for words in self.of("register") for each in words]
        entries = {number: _entry(lines) for number, lines in zip(numbers, self.chunks("register"), strict=False)}
        return {number: each for number, each in entries.items() if each is not None}

    def transcripts(self) -> dict[int, TranscriptFile]:
        """The newest file of each registered conversation."""
        times = {path: float(seconds) for seconds, path in map(_stat, self.body("stats")) if path}
        found: dict[int, TranscriptFile] = {}
        files = ((int(number), " ".join(path)) for number, *path in self.of("file"))
        for (number, path), lines in zip(files, self.chunks("tails"), strict=False):
            told = self._file(number, path, times.get(path), lines=tuple(map(_document, filter(str.strip, lines))))
            if told and (number not in found or found[number].changed_at < told.changed_at):
                found[number] = told
        return found

    def candidates(self) -> dict[int, tuple[TranscriptFile, ...]]:
        """The newest files that may be an agent's, newest first, by the number of the agent."""
        groups: dict[str, list[TranscriptFile]] = {}
        owners: dict[str, list[int]] = {}
        for number, group in self.of("group"):
            owners.setdefault(group, []).append(int(number))
        for line, lines in zip(self.body("candidates"), self.chunks("heads"), strict=False):
            group, _, rest = line.partition(" ")
            seconds, path = _stat(rest)
            told = self._file(owners[group][0], path, float(seconds or 0), head=masked("\n".join(lines)))
            groups.setdefault(group, []).extend([told] if told else [])
        numbers = {number for each in owners.values() for number in each}
        return {
            number: tuple(
                sorted(
                    (file for group, each in owners.items() if number in each for file in groups.get(group, ())),
                    key=lambda file: -file.changed_at,
                )
            )
            for number in numbers
        }

    def _file(
        self, number: int, path: str, time: float | None, *, lines: tuple[str, ...] = (), head: str = ""
    ) -> TranscriptFile | None:
        if time is None:
            return None
        return TranscriptFile(path, session_id_of(path, self.patterns[number]), time, lines, head)


def _stat(line: str) -> tuple[str, str]:
    """The seconds and the path of a line of ``stat``'s; both are "" when it is none."""
    found = _STAT.fullmatch(line)
    return (found[1], found[2]) if found else ("", "")


def _without_headers(lines: list[str]) -> list[str]:
    """A file's lines, without what ``head`` and ``tail`` write between files."""
    if lines and lines[-1].startswith("==> ") and lines[-1].endswith(" <=="):
        # The blank line in front of it is theirs; where the file ended without a newline it ends the file.
        lines = lines[:-1]
        lines = lines[:-1] if lines and not lines[-1] else lines
    start = 1 if lines and not lines[0] else 0
    if len(lines) > start and lines[start].startswith("==> ") and lines[start].endswith(" <=="):
        return lines[start + 1 :]
    return lines


def _entry(lines: list[str]) -> Conversation | None:
    """What an entry of the register says; None when it is not the one line that it should be."""
    return read_conversation(lines[0]) if len(lines) == 1 else None


def _shown(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(masked(plain("\n".join(lines))).split("\n")) if lines else ()


def _document(line: str) -> str:
    """A line of a transcript without secrets, and still the JSON that it was."""
    if masked(line) == line:
        return line
    with suppress(ValueError, RecursionError):
        line = json.dumps(_hidden(json.loads(line)), ensure_ascii=False)
    hidden = masked(line)
    # Whatever is left is hidden, even at the price of a line that no program can read any more.
    return line if hidden == line.replace(f'"{MASK}"', MASK) else hidden


def _hidden(value: Any, name: str = "") -> Any:
    """What a document holds, without secrets.

    + name: under which it is there: one such as ``token`` makes its value a secret
    """
    if isinstance(value, str):
        return MASK if name and masked(f"{name}: x") != f"{name}: x" else masked(value)
    if isinstance(value, list):
        return [_hidden(each, name) for each in value]
    if isinstance(value, dict):
        return {key: _hidden(each, key) for key, each in value.items()}
    return value


def session_id_of(path: str, transcripts: str) -> str:
    """The conversation that a file keeps, as its path tells; "" when that does not tell.

    + transcripts: the pattern of its kind, with ``{session_id}`` in it

    .. code:: python

        session_id_of("/home/me/.claude/projects/-home-me/0b6c.jsonl", "~/.claude/projects/*/{session_id}.jsonl")
        # "0b6c"
    """
    parts = transcripts.split("/")
    place = next((n for n, part in enumerate(reversed(parts), start=1) if "{session_id}" in part), 0)
    names = path.split("/")
    if not place or len(names) < place:
        return ""
    before, _, after = parts[-place].partition("{session_id}")
    for one in (_UUID, _ID):
        found = re.fullmatch(f"{_loosely(before)}({one}){_loosely(after)}", names[-place])
        if found:
            return found[1]
    return ""


def _loosely(pattern: str) -> str:
    """A part of a shell's pattern as a regular expression; what stands in brackets is any one character."""
    return "".join(map(_loosened, re.split(r"(\*+|\?|\[[^]]+\])", pattern)))


def _loosened(word: str) -> str:
    if word.startswith("*"):
        return ".*"
    return "." if word == "?" or (word[:1] == "[" and word[-1:] == "]") else re.escape(word)
