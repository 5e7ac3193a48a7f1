"""Broken JSON read for all that it holds: a reader that goes on behind each damage, and drops nothing that has a name.

A library makes some JSON of it; this one knows what stands where in a state, and finds its way back after a lost
bracket. Pure, linear in the text, never an exception.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from miyabi.orchestration.known_places import Path, fields, item_fields
from miyabi.orchestration.loose_brackets import FAR, Brackets
from miyabi.orchestration.loose_text import (
    Token,
    is_item,
    is_key,
    is_quote,
    next_chars,
    read_bare,
    read_bare_key,
    read_quoted,
    skip_blank,
)
from miyabi.orchestration.loose_tree import Frame
from miyabi.orchestration.loose_way import NEW
from miyabi.orchestration.session_json import DEEPEST
from miyabi.orchestration.session_state import State

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


class _Reader(Brackets):
    """The reading of one text."""

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
        elif char in "{}[],:" and self._is_quote(char):
            self.damages += 1
            self.at += 1
            self._bare()
        elif char in NEW:
            self.open(char)
        elif char in "}]":
            self.at += 1
            self.close(char)
        elif char == ",":
            self.at += 1
            self._comma()
        elif char == ":":
            self.at += 1
            self.damages += self.stack[-1].key is None
        else:
            self._bare()

    def _is_quote(self, char: str) -> bool:
        """Whether a bracket, a comma or a colon stands where it cannot, and a text without its quote follows."""
        if not self.stack or not is_quote(self.text, self.at):
            return False
        if char in NEW:
            return self.stack[-1].is_object and (self.stack[-1].key is None or self._is_value())
        before = self.text[max(self.at - FAR, 0) : self.at].rstrip()
        return char in "}]" or before.endswith(("{", "[", ",", ":"))

    def _is_value(self) -> bool:
        """Whether a text without its first quote stands behind the next character, and then another key."""
        end = self.text.find('"', self.at) + 1
        if next_chars(self.text, end) != ",":
            return False
        return self.follows_key(skip_blank(self.text, skip_blank(self.text, end) + 1))

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

    # What stands in them.

    def _comma(self) -> None:
        frame = self.stack[-1]
        if frame.key is None:
            return
        self.damages += 1
        if self.before().endswith(":") and self.begins_here(frame.key):
            return
        if frame.last is not None and is_item(self.text, self.at):
            frame.items.append(frame.key)
        else:
            frame.value.setdefault(frame.key, None)
        frame.key = None

    def _text(self) -> None:
        frame = self.stack[-1]
        as_key = frame.is_object and frame.key is None
        token = read_quoted(self.text, self.at, as_key=as_key, in_list=not frame.is_object)
        self.at = token.end
        self.damages += token.is_damaged
        if token.is_none or self._is_stray(frame, token):
            return
        self._skip_quote()
        if not is_key(self.text, self.at):
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

    def _is_stray(self, frame: Frame, token: Token) -> bool:
        """Whether a lonely quote stands instead of what opens the value, or beside it."""
        if token.value or not token.is_damaged or frame.key is None:
            return False
        return self.begins_here(frame.key) or next_chars(self.text, self.at) in NEW

    def _skip_quote(self) -> None:
        """Pass over a quote that stands twice."""
        following = self.text[self.at : self.at + 2]
        if following[:1] == '"' and not following[1:].isalnum() and following[1:] != '"':
            self.damages += 1
            self.at += 1

    def _key_without_colon(self, frame: Frame, content: str) -> None:
        self.damages += 1
        if self._is_colon(content):
            self.at = skip_blank(self.text, self.at)
            self.key(content)
            self.at += 1
            return
        following = next_chars(self.text, self.at)
        if following == "]" and frame.last is not None:
            frame.items.append(content)
        elif following in {"]", "}"}:
            frame.value.setdefault(content, None)
        else:
            frame.key = content

    def _is_colon(self, content: str) -> bool:
        """Whether another character stands instead of the colon behind a key."""
        at = skip_blank(self.text, self.at)
        if self.text[at : at + 1] not in set(',}]["'):
            return False
        following = next_chars(self.text, at + 1)
        if self.text[at : at + 1] == "[" and self.is_list(content):
            return False  # it is only gone
        if following in NEW:
            return True
        behind = skip_blank(self.text, at + 1)
        is_text = following == '"' and not is_key(self.text, read_quoted(self.text, behind, as_key=False).end)
        return is_text and content in fields(self.path[:-1]) | item_fields()

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
        is_short = token.end == self.at + 1
        self.at = token.end
        self.damages += token.is_damaged
        if is_short and frame.key is not None and self.begins_here(frame.key):
            self.damages += 1  # it stands instead of what opens the value
        elif not token.is_none:
            self.put(token.value)
