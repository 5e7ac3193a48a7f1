"""The way back to where something of a state stands, after a bracket before it was lost, doubled or changed. Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from miyabi.orchestration.known_places import MAPS, PLACES, SECTIONS, Path, fields, is_near, is_section, item_fields
from miyabi.orchestration.loose_text import next_chars, read_quoted, skip_blank
from miyabi.orchestration.loose_tree import Tree
from miyabi.orchestration.session_state import QUEUES, State, at as found_at

NEW = {"{": dict, "[": list}

# A longer key is no damaged name of a part.
_LONGEST_NAME = 100

# Parts of a state that have no name that a field of a task, an agent or a message has.
_PARTS_BY_NAME = """
    organization execution communication observability persistence workflows active_sprints epics message_queues
    channels broadcast emergency handoffs dead_letter coordination graph nodes edges recent event_log log_files
"""
_UNLIKE_FIELDS = frozenset(_PARTS_BY_NAME.split())


class WayBack(Tree):
    """What was read of a text that is a state's, whose parts and things are known."""

    @property
    def is_known_list(self) -> bool:
        """Whether what is read now must be a list."""
        return is_section(self.path, []) or self.path[:-1] == QUEUES

    def is_list(self, key: str) -> bool:
        """Whether what stands at ``key`` of what is read now must be a list."""
        return is_section((*self.path, key), []) or self.path == QUEUES

    def key(self, key: str) -> None:
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
        is_own = above.is_object and above.value.get(frame.path[-1]) is frame.value
        if not frame.value and is_own and not self.is_known_list:
            frame.value = above.value[frame.path[-1]] = {}  # another bracket stands where a brace should
            return
        is_field = key in item_fields() or any(key in each for each in frame.value[-1:] if isinstance(each, dict))
        if above.is_object and kind in NEW and not is_field:
            self.leave(len(self.stack) - 1)
            return
        item: State = {}
        self.put(item)
        self.enter(item)

    def _to_section(self, key: str, kind: str) -> bool:
        """Go to where a part of the state belongs that begins here, when that is not here."""
        goal, path = SECTIONS.get(key), self.path
        if goal is None and path not in PLACES and kind in NEW:
            meant = _meant(key) if len(key) < _LONGEST_NAME else None
            return meant is not None and self._to_section(meant, kind)
        if goal is None or kind not in NEW or not is_section(goal, NEW[kind]()) or (*path, key) == goal:
            return False
        if path not in PLACES and not self._may_jump(key, path):
            return False
        if not self._may_be_made(goal) and not (self.is_damaged and is_section(goal, found_at(self.values[-1], goal))):
            return False
        shared = 0
        while shared < min(len(path), len(goal) - 1) and path[shared] == goal[shared]:
            shared += 1
        self.leave(1 + shared)
        for name in goal[shared:-1]:
            held = self.stack[-1].value.setdefault(name, {})
            self.enter(held, name)
        self.stack[-1].key = key
        return True

    def _may_jump(self, key: str, path: Path) -> bool:
        """Whether a part of the state may begin in a thing: where the thing is damaged, and has no such field."""
        if key not in _UNLIKE_FIELDS:
            return not self.stack[-1].is_object
        return any(path[:-depth] in PLACES for depth in (1, 2, 3)) and self.is_damaged

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
        path = self.path
        for names in MAPS:
            if path == names:
                return False
            if path[: len(names)] == names:
                here = self.stack[-1].value
                if len(path) > len(names) + 1 or not isinstance(here, dict) or here.get("id") != path[-1]:
                    return False
                self.leave(1 + len(names))
                return True
        frame = self.stack[-1]
        ends = [names for names in MAPS if frame.last is not None and names[: len(path) + 1] == (*path, frame.last)]
        for names in ends:
            held = found_at(self.values[-1], names)
            if path in PLACES and isinstance(held, dict) and held and names == self._innermost(names):
                for name in names[len(path) :]:
                    self.enter(self.stack[-1].value[name], name)
                return True
        return False

    def _innermost(self, names: Path) -> Path:
        """The last way that was gone below what is read now, as far as ``names`` is long."""
        path, value = self.path, self.stack[-1].value
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
        path = self.path
        owner = frame.last_value
        if frame.last is not None and path in MAPS and not isinstance(owner, dict) and key in fields(path):
            self.doubled.append((self.last_path, owner))  # its brace is gone, and what stood behind it
            frame.value[frame.last] = {}
            self.reopen()
            return True
        if not isinstance(owner, dict) or key in owner:
            return False
        if frame.is_object:
            known = fields(path) if path in MAPS else frozenset()
        else:
            known = item_fields()
            known = known.union(*(each for each in frame.value[-2:-1] if isinstance(each, dict)))
        if key not in known or not known.intersection(owner):
            return False
        self.reopen()
        return True

    def find_list(self, value: Any) -> bool:
        """Go to the list of which an object without a key must be an item; whether there is one."""
        if not isinstance(value, dict):
            return False
        depth = len(self.stack)
        while self.stack[-1].is_object and isinstance(self.stack[-1].last_value, dict | list):
            self.reopen()
        if self._is_item_of(self.stack[-1].value):
            return True  # the list was closed too early
        self.leave(depth)
        above = next((place for place in range(depth - 2, 0, -1) if self._is_item_of(self.stack[place].value)), 0)
        if above:
            self.leave(above + 1)  # what closes the item before it is gone
            return True
        frame = self.stack[-1]
        if depth > 1 and frame.last is not None and self.path in PLACES and isinstance(frame.last_value, dict):
            frame.value[frame.last] = [frame.last_value]  # the bracket that opens the list is gone
            self.reopen()
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


@lru_cache(maxsize=1024)
def _meant(key: str) -> str | None:
    """The part of a state of which ``key`` is the damaged name; None when that is not certain."""
    meant = [name for name in _UNLIKE_FIELDS if key.endswith(name) or is_near(key, name)]
    return meant[0] if len(meant) == 1 else None
