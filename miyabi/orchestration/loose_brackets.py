"""The brackets of broken JSON: how objects and lists begin and end where some are lost, doubled or changed. Pure."""

from __future__ import annotations

from typing import Any

from miyabi.orchestration.known_places import MAPS, PLACES, Path, fields, is_section, item_fields
from miyabi.orchestration.loose_text import is_key, next_chars, read_quoted, skip_blank
from miyabi.orchestration.loose_tree import Frame
from miyabi.orchestration.loose_way import NEW, WayBack
from miyabi.orchestration.session_json import DEEPEST
from miyabi.orchestration.session_state import State

# How far is looked back for what stands before.
FAR = 200


class Brackets(WayBack):
    """What was read of a text, with the brackets that open and close it.

    + nameless: objects whose keys are gone, with the path of what they follow
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.nameless: list[tuple[Path, Any]] = []
        self.too_deep = 0

    def open(self, char: str) -> None:
        """Go on with the object or the list that begins here, where it belongs."""
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
        if self._is_wrong(char, frame):
            return
        if frame.is_object and frame.key is None:
            self.damages += 1
            if self.closed and char == "{" and not self.before().endswith(","):
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

    def _is_wrong(self, char: str, frame: Frame) -> bool:
        """Whether what opens stands instead of what closes, or is there twice; then it is dealt with."""
        if frame.is_object and frame.key is not None:
            return False
        following = next_chars(self.text, self.at)
        if following == "," or (char == "[" and following == "}"):
            self.damages += 1
            self.close("}" if frame.is_object else "]")
            return True
        if char == "[" and frame.is_object and self.follows_key(skip_blank(self.text, self.at)):
            self.damages += 1  # a comma
            return True
        is_twice = char == "{" and frame.is_object and not frame.value
        self.damages += is_twice
        return is_twice

    def _is_doubled(self, frame: Frame, char: str) -> bool:
        """Whether what begins here has begun before; then it goes on."""
        path = self.path
        if not frame.is_object:
            is_doubled = char == "[" and not frame.value and self.is_known_list
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

    def close(self, char: str) -> None:
        """End what ends here."""
        if self.too_deep:
            self.too_deep -= 1
            return
        frame = self.stack[-1]
        if frame.key is not None and self.before().endswith(":") and self._opens():
            return
        if self._is_comma(frame):
            return
        if not frame.is_object and not frame.value and self.follows_key(skip_blank(self.text, self.at)):
            self._begin_item()
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

    def follows_key(self, at: int) -> bool:
        """Whether a key stands there."""
        return self.text[at : at + 1] == '"' and is_key(self.text, read_quoted(self.text, at, as_key=True).end)

    def before(self) -> str:
        """What stands before what was read last."""
        return self.text[max(self.at - FAR, 0) : self.at - 1].rstrip()

    def _is_comma(self, frame: Frame) -> bool:
        """Whether what closes stands instead of a comma: what follows goes on with the same thing."""
        at = skip_blank(self.text, self.at)
        if self.text[at : at + 1] != '"' or not frame.is_object:
            return False
        token = read_quoted(self.text, at, as_key=True)
        known = fields(self.path if self.path in PLACES else self.path[:-1]) or item_fields()
        is_field = is_key(self.text, token.end) and token.value in known and token.value not in frame.value
        self.damages += is_field and bool(known.intersection(frame.value))
        return is_field and bool(known.intersection(frame.value))

    def _opens(self) -> bool:
        """Whether what closes stands instead of what opens, because a key or a text follows."""
        at = skip_blank(self.text, self.at)
        if self.text[at : at + 1] not in {'"', "{"}:
            return False
        self.damages += 1
        value: Any = {} if self.follows_key(at) else []
        self.enter(value, self.put(value))
        return True

    def _close_other(self, char: str, frame: Frame) -> bool:
        """Where something else is closed than what is open; whether one more is to be closed after what was done."""
        if len(self.stack) == 1 or (char == "]" and self.before().endswith("]")):
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

    def _begin_item(self) -> None:
        """An object in a list, whose brace is another character."""
        self.damages += 1
        item: State = {}
        self.put(item)
        self.enter(item)

    def begins_here(self, key: str) -> bool:
        """Whether a comma stands instead of what opens the value of ``key``; then it is opened."""
        at = skip_blank(self.text, self.at)
        if self.text[at : at + 1] == "{" and self.is_list(key):
            value: Any = []
        elif self.follows_key(at) and (self.path in MAPS or is_section((*self.path, key), {})):
            value = {}
        else:
            return False
        self.enter(value, self.put(value))
        return True
