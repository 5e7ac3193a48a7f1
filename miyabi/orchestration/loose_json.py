"""Broken JSON read for all that it holds: a reader that goes on behind each damage, and drops nothing that has a name.

A library makes some JSON of it; this one knows what stands where in a state, and finds its way back after a lost
bracket. Pure, linear in the text, never an exception.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from miyabi.orchestration.known_places import MAPS, PLACES, Path, fields, item_fields
from miyabi.orchestration.loose_text import (
    is_item,
    is_key,
    next_chars,
    read_bare,
    read_bare_key,
    read_quoted,
    skip_blank,
)
from miyabi.orchestration.loose_tree import Frame
from miyabi.orchestration.loose_way import NEW, WayBack
from miyabi.orchestration.session_json import DEEPEST
from miyabi.orchestration.session_state import CHANNELS, QUEUES, State

_BEGINNING = re.compile('[{"]')

# Blanks in one line, of which JSON has no more than its indentation.
_GAP = 100


@dataclass(frozen=True, slots=True)
class Loose:
    """What a broken text holds.

    + values: the objects at the outermost level; more than one when another begins behind the end of the first
    + doubled: what repeated keys had before, with its path
    + nameless: objects whose keys are gone, with the path of what they stood in
    + damages: how often the reader had to go on behind something that is no JSON
    + is_closed: whether the outermost object ends where the text does
    """

    values: tuple[State, ...] = ()
    doubled: tuple[tuple[Path, Any], ...] = ()
    nameless: tuple[tuple[Path, Any], ...] = ()
    damages: int = 0
    is_closed: bool = False


def read_loose(text: str) -> Loose:
    """All that a broken text holds."""
    return _Reader(text).read()


class _Reader(WayBack):
    """The reading of one text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.nameless: list[tuple[Path, Any]] = []
        self.too_deep = 0

    def read(self) -> Loose:
        self.at = skip_blank(self.text, 0)
        while self.at < len(self.text):
            self._step(self.text[self.at])
            before, self.at = self.at, skip_blank(self.text, self.at)
            if self.at - before > _GAP and max(map(len, self.text[before : self.at].split("\n"))) > _GAP:
                self.damages += 1  # zeros, as a crash leaves them
        self.damages += bool(self.stack and not self.closed)
        self.leave(0)
        return Loose(tuple(self.values), tuple(self.doubled), tuple(self.nameless), self.damages, self.closed)

    def _step(self, char: str) -> None:
        """Read one token."""
        if not self.stack and char != "{":
            self._before_object()
        elif char == '"':
            self._text()
        elif char in NEW:
            self._open(char)
        elif char in "}]":
            self.at += 1
            self._close(char)
        elif char == ",":
            self.at += 1
            self._comma()
        elif char == ":":
            self.at += 1
            self.damages += self.stack[-1].key is None
        else:
            self._bare()

    def _before_object(self) -> None:
        """Outside of everything: a key means that the brace before it is gone."""
        self.damages += 1
        read = read_quoted(self.text, self.at, as_key=True) if self.text[self.at] == '"' else None
        bare = read_bare_key(self.text, self.at) if read is None else None
        if (read and is_key(self.text, read.end)) or (bare and not bare.is_none):
            self.enter({})
            return
        following = _BEGINNING.search(self.text, self.at + 1)
        self.at = following.start() if following else len(self.text)

    # Objects and lists: how they begin.

    def _open(self, char: str) -> None:
        self.at += 1
        if len(self.stack) >= DEEPEST:
            self.too_deep += 1
            self.damages += 1
            return
        value: Any = NEW[char]()
        if not self.stack:
            self.enter(value)
            return
        frame = self.stack[-1]
        if frame.is_object and frame.key is None:
            self.damages += 1
            if (
                self.closed
                and char == "{"
                and not self.text[max(self.at - 200, 0) : self.at - 1].rstrip().endswith(",")
            ):
                self.leave(0)  # another whole one behind the first
                self.enter(value)
                return
            if not self.find_list(value):
                self.nameless.append((self.last_path, value))
                self.enter(value)
                return
        if self._is_doubled(frame, char):
            return
        self.enter(value, self.put(value))

    def _is_doubled(self, frame: Frame, char: str) -> bool:
        """Whether what begins here has begun before; then it goes on."""
        path = self.path
        if not frame.is_object:
            is_doubled = char == "[" and not frame.value and (path in PLACES or path[:-1] in {QUEUES, CHANNELS})
            self.damages += is_doubled
            return is_doubled
        key = frame.key or ""
        if key not in frame.value or (*path, key) not in PLACES or not isinstance(frame.value[key], NEW[char]):
            return False
        self.damages += 1
        frame.key = None
        frame.value[key] = frame.value.pop(key)
        self.reopen()
        return True

    # How they end.

    def _close(self, char: str) -> None:
        if self.too_deep:
            self.too_deep -= 1
            return
        frame = self.stack[-1]
        if (
            frame.key is not None
            and self.text[max(self.at - 200, 0) : self.at - 1].rstrip().endswith(":")
            and self._opens()
        ):
            return
        if self._is_comma(frame):
            return
        if frame.is_object != (char == "}"):
            self.damages += 1
            if not self._close_other(char, frame):
                return
        if len(self.stack) == 1:
            self.damages += self.closed
            self.closed = True  # it goes on when more follows: a brace too many is a damage like another
            frame.key = None
            return
        self.leave(len(self.stack) - 1)

    def _is_comma(self, frame: Frame) -> bool:
        """Whether what closes stands instead of a comma: what follows goes on with the same thing."""
        at = skip_blank(self.text, self.at)
        if self.text[at : at + 1] != '"' or not frame.is_object:
            return False
        token = read_quoted(self.text, at, as_key=True)
        known = fields(self.path[:-1]) if self.path[:-1] in MAPS else item_fields()
        is_field = is_key(self.text, token.end) and token.value in known and token.value not in frame.value
        self.damages += is_field and bool(known.intersection(frame.value))
        return is_field and bool(known.intersection(frame.value))

    def _opens(self) -> bool:
        """Whether what closes stands instead of what opens, because a key or a text follows."""
        at = skip_blank(self.text, self.at)
        if self.text[at : at + 1] != '"':
            return False
        self.damages += 1
        follows_key = is_key(self.text, read_quoted(self.text, at, as_key=True).end)
        value: Any = {} if follows_key else []
        self.enter(value, self.put(value))
        return True

    def _close_other(self, char: str, frame: Frame) -> bool:
        """Where something else is closed than what is open; whether one more is to be closed after what was done."""
        if len(self.stack) == 1:
            return False
        if char == "}":
            if self._goes_on_as_list():
                return False  # it stands instead of, or beside the one that an item ends with
            self.leave(len(self.stack) - 1)  # the bracket before it is gone
            return True
        if frame.items and frame.last is not None:
            frame.value[frame.last] = [frame.last_value, *frame.items]  # the bracket that opens the list is gone
            frame.items = []
            return False
        if not self.stack[-2].is_object:
            if not self._goes_on_as_list():
                self.leave(len(self.stack) - 1)  # the brace before it is gone
            return True
        return next_chars(self.text, self.at) not in {"}", "]"}

    def _goes_on_as_list(self) -> bool:
        """Whether another object follows without a key."""
        at = skip_blank(self.text, self.at)
        return self.text[at : at + 1] == "," and next_chars(self.text, at + 1) == "{"

    # What stands in them.

    def _comma(self) -> None:
        frame = self.stack[-1]
        if frame.key is None:
            return
        self.damages += 1
        if frame.last is not None and is_item(self.text, self.at):
            frame.items.append(frame.key)
        else:
            frame.value.setdefault(frame.key, None)
        frame.key = None

    def _text(self) -> None:
        frame = self.stack[-1]
        token = read_quoted(self.text, self.at, as_key=frame.is_object and frame.key is None)
        self.at = token.end
        self.damages += token.is_damaged
        if token.is_none:
            return
        if not is_key(self.text, token.end):
            if frame.is_object and frame.key is None:
                self._key_without_colon(frame, token.value)
            else:
                self.put(token.value)
            return
        if frame.is_object and frame.key is not None:
            self.damages += 1
            if len(self.stack) >= DEEPEST:
                self.put(token.value)
                return
            value: State = {}  # the brace before it is gone
            self.enter(value, self.put(value))
        self.key(token.value)

    def _key_without_colon(self, frame: Frame, content: str) -> None:
        self.damages += 1
        following = next_chars(self.text, self.at)
        if following == "]" and frame.last is not None:
            frame.items.append(content)
        elif following in {"]", "}"}:
            frame.value.setdefault(content, None)
        else:
            frame.key = content

    def _bare(self) -> None:
        frame = self.stack[-1]
        if frame.is_object and frame.key is None:
            token = read_bare_key(self.text, self.at)
            self.at = token.end
            self.damages += 1
            if not token.is_none:
                self.key(token.value)
            return
        token = read_bare_key(self.text, self.at)
        if not frame.is_object and not token.is_none:
            self.at = token.end
            self.key(token.value)
            return
        token = read_bare(self.text, self.at)
        self.at = token.end
        self.damages += token.is_damaged
        if not token.is_none:
            self.put(token.value)
