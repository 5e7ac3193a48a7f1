"""Broken JSON read for all that it holds: a reader that goes on behind each damage, and drops nothing that has a name.

A library makes some JSON of it; this one knows what stands where in a state, and finds its way back after a lost
bracket. Pure, linear in the text, never an exception.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from miyabi.orchestration.known_places import MAPS, PLACES, SECTIONS, Path, fields, is_near, is_section, item_fields
from miyabi.orchestration.loose_text import (
    is_item,
    is_key,
    next_chars,
    read_bare,
    read_bare_key,
    read_quoted,
    skip_blank,
)
from miyabi.orchestration.session_json import DEEPEST
from miyabi.orchestration.session_state import CHANNELS, QUEUES, State, at as found_at

_NEW = {"{": dict, "[": list}

# Blanks in one line, of which JSON has no more than its indentation.
_GAP = 100


# Parts of a state that have no name that a field of a task, an agent or a message has.
_PARTS_BY_NAME = """
    organization execution communication observability persistence workflows active_sprints epics message_queues
    channels broadcast emergency handoffs dead_letter coordination graph nodes edges recent event_log log_files
"""
_UNLIKE_FIELDS = frozenset(_PARTS_BY_NAME.split())


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


@dataclass(slots=True)
class _Frame:
    """An object or a list that is being read.

    + name: its key in what it stands in
    + damages: of the text before it
    + key: that was read, and whose value is to come
    + items: texts without a value, which may be those of a list whose bracket is gone
    """

    value: Any
    name: str = ""
    damages: int = 0
    key: str | None = None
    items: list[Any] | None = None

    @property
    def is_object(self) -> bool:
        return isinstance(self.value, dict)

    @property
    def last(self) -> str | None:
        """The key of the last value of an object."""
        return next(reversed(self.value), None) if self.is_object else None

    @property
    def last_value(self) -> Any:
        if self.is_object:
            return self.value[self.last] if self.value else None
        return self.value[-1] if self.value else None


class _Reader:
    """The reading of one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.values: list[State] = []
        self.stack: list[_Frame] = []
        self.doubled: list[tuple[Path, Any]] = []
        self.nameless: list[tuple[Path, Any]] = []
        self.damages = 0
        self.closed = False
        self.too_deep = 0

    def read(self) -> Loose:
        self.at = skip_blank(self.text, 0)
        while self.at < len(self.text):
            self._step(self.text[self.at])
            before, self.at = self.at, skip_blank(self.text, self.at)
            if self.at - before > _GAP and max(map(len, self.text[before : self.at].split("\n"))) > _GAP:
                self.damages += 1  # zeros, as a crash leaves them
        self.damages += bool(self.stack and not self.closed)
        self._pop(0)
        return Loose(tuple(self.values), tuple(self.doubled), tuple(self.nameless), self.damages, self.closed)

    def _step(self, char: str) -> None:
        """Read one token."""
        if not self.stack and char != "{":
            self._before_object()
        elif char == '"':
            self._text()
        elif char in _NEW:
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
            self._push({})
            return
        places = [each for each in (self.text.find("{", self.at + 1), self.text.find('"', self.at + 1)) if each >= 0]
        self.at = min(places, default=len(self.text))

    # Objects and lists: how they begin.

    @property
    def _path(self) -> Path:
        """Of what is read now."""
        return tuple(frame.name for frame in self.stack[1:])

    def _push(self, value: Any, name: str = "") -> None:
        if not self.stack:
            self.values.append(value)
            self.closed = False
        self.stack.append(_Frame(value, name, self.damages))

    def _open(self, char: str) -> None:
        self.at += 1
        if len(self.stack) >= DEEPEST:
            self.too_deep += 1
            self.damages += 1
            return
        value: Any = _NEW[char]()
        if not self.stack:
            self._push(value)
            return
        frame = self.stack[-1]
        if frame.is_object and frame.key is None:
            self.damages += 1
            if (
                self.closed
                and char == "{"
                and not self.text[max(self.at - 200, 0) : self.at - 1].rstrip().endswith(",")
            ):
                self._pop(0)  # another whole one behind the first
                self._push(value)
                return
            if not self._find_list(value):
                self.nameless.append((self._last_path(), value))
                self._push(value)
                return
        if self._is_doubled(frame, char):
            return
        self._push(value, self._put(value))

    def _is_doubled(self, frame: _Frame, char: str) -> bool:
        """Whether what begins here has begun before; then it goes on."""
        path = self._path
        if not frame.is_object:
            is_doubled = char == "[" and not frame.value and (path in PLACES or path[:-1] in {QUEUES, CHANNELS})
            self.damages += is_doubled
            return is_doubled
        key = frame.key or ""
        if key not in frame.value or (*path, key) not in PLACES or not isinstance(frame.value[key], _NEW[char]):
            return False
        self.damages += 1
        frame.key = None
        frame.value[key] = frame.value.pop(key)
        self._reopen()
        return True

    def _find_list(self, value: Any) -> bool:
        """Go to the list of which an object without a key must be an item; whether there is one."""
        if not isinstance(value, dict):
            return False
        depth = len(self.stack)
        while self.stack[-1].is_object and isinstance(self.stack[-1].last_value, dict | list):
            self._reopen()
        if self._is_item_of(self.stack[-1].value):
            return True  # the list was closed too early
        self._pop(depth)
        above = next((place for place in range(depth - 2, 0, -1) if self._is_item_of(self.stack[place].value)), 0)
        if above:
            self._pop(above + 1)  # what closes the item before it is gone
            return True
        frame = self.stack[-1]
        if depth > 1 and frame.last is not None and self._path in PLACES and isinstance(frame.last_value, dict):
            frame.value[frame.last] = [frame.last_value]  # the bracket that opens the list is gone
            self._reopen()
            return True
        return False

    def _is_item_of(self, items: object) -> bool:
        """Whether the object that begins here is like the first of ``items``."""
        first = items[0] if isinstance(items, list) and items else None
        if not isinstance(first, dict):
            return isinstance(items, list) and not items
        at = skip_blank(self.text, self.at)
        following = read_quoted(self.text, at, as_key=True).value if self.text[at : at + 1] == '"' else None
        return next(iter(first), following) == following

    def _reopen(self) -> None:
        """Go on with the last thing of what is read now, which was closed too early."""
        frame = self.stack[-1]
        self.stack.append(_Frame(frame.last_value, frame.last or "", self.damages))

    def _last_path(self) -> Path:
        last = self.stack[-1].last
        return self._path if last is None else (*self._path, last)

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
        self._pop(len(self.stack) - 1)

    def _is_comma(self, frame: _Frame) -> bool:
        """Whether what closes stands instead of a comma: what follows goes on with the same thing."""
        at = skip_blank(self.text, self.at)
        if self.text[at : at + 1] != '"' or not frame.is_object:
            return False
        token = read_quoted(self.text, at, as_key=True)
        known = fields(self._path[:-1]) if self._path[:-1] in MAPS else item_fields()
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
        self._push(value, self._put(value))
        return True

    def _close_other(self, char: str, frame: _Frame) -> bool:
        """Where something else is closed than what is open; whether one more is to be closed after what was done."""
        if len(self.stack) == 1:
            return False
        if char == "}":
            if self._goes_on_as_list():
                return False  # it stands instead of, or beside the one that an item ends with
            self._pop(len(self.stack) - 1)  # the bracket before it is gone
            return True
        if frame.items and frame.last is not None:
            frame.value[frame.last] = [frame.last_value, *frame.items]  # the bracket that opens the list is gone
            frame.items = None
            return False
        if not self.stack[-2].is_object:
            if not self._goes_on_as_list():
                self._pop(len(self.stack) - 1)  # the brace before it is gone
            return True
        return next_chars(self.text, self.at) not in {"}", "]"}

    def _goes_on_as_list(self) -> bool:
        """Whether another object follows without a key."""
        at = skip_blank(self.text, self.at)
        return self.text[at : at + 1] == "," and next_chars(self.text, at + 1) == "{"

    def _pop(self, depth: int) -> None:
        """End all that is read now but for ``depth`` of them."""
        while len(self.stack) > depth:
            frame = self.stack.pop()
            if frame.key is not None:
                self.damages += 1
                frame.value.setdefault(frame.key, None)

    # What stands in them.

    def _put(self, value: Any) -> str:
        """Put a value where it stands; its key there."""
        frame = self.stack[-1]
        if not frame.is_object:
            frame.value.append(value)
            return ""
        key = frame.key or ""
        if key in frame.value:
            self.doubled.append(((*self._path, key), frame.value.pop(key)))
        frame.value[key] = value
        frame.key, frame.items = None, None
        return key

    def _comma(self) -> None:
        frame = self.stack[-1]
        if frame.key is None:
            return
        self.damages += 1
        if frame.last is not None and is_item(self.text, self.at):
            frame.items = [*(frame.items or ()), frame.key]
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
                self._put(token.value)
            return
        if frame.is_object and frame.key is not None:
            self.damages += 1
            value: State = {}  # the brace before it is gone
            self._push(value, self._put(value))
        self._key(token.value)

    def _key_without_colon(self, frame: _Frame, content: str) -> None:
        self.damages += 1
        following = next_chars(self.text, self.at)
        if following == "]" and frame.last is not None:
            frame.items = [*(frame.items or ()), content]
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
                self._key(token.value)
            return
        token = read_bare_key(self.text, self.at)
        if not frame.is_object and not token.is_none:
            self.at = token.end
            self._key(token.value)
            return
        token = read_bare(self.text, self.at)
        self.at = token.end
        self.damages += token.is_damaged
        if not token.is_none:
            self._put(token.value)

    # The way back to where a key stands.

    def _key(self, key: str) -> None:
        """A key was read: go to what it is a key of, when a bracket before it is gone, or was one too many."""
        depth = len(self.stack)
        kind = next_chars(self.text, skip_blank(self.text, self.at) + 1)
        if self._to_section(key, kind):
            self.damages += len(self.stack) != depth
            return
        if not (self._to_sibling(key, kind) or self._to_owner(key)):
            frame = self.stack[-1]
            if not frame.is_object:
                self.damages += 1
                self._from_list(key, kind)
        self.damages += len(self.stack) != depth
        self.stack[-1].key = key

    def _from_list(self, key: str, kind: str) -> None:
        """A key in a list: a bracket is gone, or the brace of an item."""
        frame, above = self.stack[-1], self.stack[-2]
        if not frame.value and above.is_object and above.value.get(frame.name) is frame.value:
            frame.value = above.value[frame.name] = {}  # another bracket stands where a brace should
            return
        is_field = key in item_fields() or any(key in each for each in frame.value[-1:] if isinstance(each, dict))
        if above.is_object and kind in _NEW and not is_field:
            self._pop(len(self.stack) - 1)
            return
        item: State = {}
        self._put(item)
        self._push(item)

    def _to_section(self, key: str, kind: str) -> bool:
        """Go to where a part of the state belongs that begins here, when that is not here."""
        goal, path = SECTIONS.get(key), self._path
        if goal is None and path not in PLACES and kind in _NEW:
            meant = [name for name in _UNLIKE_FIELDS if key.endswith(name) or is_near(key, name)]
            return len(meant) == 1 and self._to_section(meant[0], kind)
        if goal is None or kind not in _NEW or not is_section(goal, _NEW[kind]()) or (*path, key) == goal:
            return False
        if path not in PLACES and not self._may_jump(key, path):
            return False
        if not self._may_be_made(goal) and not (
            self._is_damaged() and is_section(goal, found_at(self.values[-1], goal))
        ):
            return False
        shared = 0
        while shared < min(len(path), len(goal) - 1) and path[shared] == goal[shared]:
            shared += 1
        self._pop(1 + shared)
        for name in goal[shared:-1]:
            held = self.stack[-1].value.setdefault(name, {})
            self.stack.append(_Frame(held, name, self.damages))
        self.stack[-1].key = key
        return True

    def _may_jump(self, key: str, path: Path) -> bool:
        """Whether a part of the state may begin in a thing: where the thing is damaged, and has no such field."""
        if key not in _UNLIKE_FIELDS:
            return not self.stack[-1].is_object
        return any(path[:-depth] in PLACES for depth in (1, 2, 3)) and self._is_damaged()

    def _is_damaged(self) -> bool:
        """Whether there was a damage since what is read now began."""
        return self.stack[-1].damages != self.damages

    def _may_be_made(self, goal: Path) -> bool:
        """Whether a part is missing, and what it stands in is an object, or is missing, too."""
        here: Any = self.values[-1]
        for name in goal[:-1]:
            if name not in here:
                return True
            here = here[name]
            if not isinstance(here, dict):
                return False
        return goal[-1] not in here

    def _to_sibling(self, key: str, kind: str) -> bool:
        """Go to the things of a kind when another one begins here that says its own name."""
        if kind != "{" or not self._says_name(key):
            return False
        path = self._path
        for names in MAPS:
            if path == names:
                return False
            if path[: len(names)] == names:
                here = self.stack[-1].value
                if len(path) > len(names) + 1 or not isinstance(here, dict) or here.get("id") != path[-1]:
                    return False
                self._pop(1 + len(names))
                return True
        frame = self.stack[-1]
        ends = [names for names in MAPS if frame.last is not None and names[: len(path) + 1] == (*path, frame.last)]
        for names in ends:
            held = found_at(self.values[-1], names)
            if path in PLACES and isinstance(held, dict) and held and names == self._innermost(names):
                for name in names[len(path) :]:
                    self.stack.append(_Frame(self.stack[-1].value[name], name, self.damages))
                return True
        return False

    def _innermost(self, names: Path) -> Path:
        """The last way that was gone below what is read now, as far as ``names`` is long."""
        path, value = self._path, self.stack[-1].value
        while len(path) < len(names) and isinstance(value, dict) and value:
            key = next(reversed(value))
            path, value = (*path, key), value[key]
        return path

    def _says_name(self, key: str) -> bool:
        """Whether the object that begins here says that ``key`` is its id."""
        at = skip_blank(self.text, skip_blank(self.text, self.at) + 1)
        at = skip_blank(self.text, at + 1)
        return (
            self.text.startswith('"id"', at)
            and read_quoted(self.text, skip_blank(self.text, skip_blank(self.text, at + 4) + 1), as_key=False).value
            == key
        )

    def _to_owner(self, key: str) -> bool:
        """Go back into the thing before, when the key is one of its kind's and it has none."""
        frame = self.stack[-1]
        path = self._path
        owner = frame.last_value
        if frame.last is not None and path in MAPS and not isinstance(owner, dict) and key in fields(path):
            self.doubled.append((self._last_path(), owner))  # its brace is gone, and what stood behind it
            frame.value[frame.last] = {}
            self._reopen()
            return True
        if not isinstance(owner, dict) or key in owner:
            return False
        if frame.is_object:
            known = fields(path) if path in MAPS else frozenset()
        else:
            known = item_fields()
            others = [each for each in frame.value[:-1] if isinstance(each, dict)]
            known = known.union(*others[-1:])
        if key not in known or not known.intersection(owner):
            return False
        self._reopen()
        return True
