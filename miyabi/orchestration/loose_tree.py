"""What broken JSON is read into: the objects and lists that are open, and what is put into them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from miyabi.orchestration.known_places import Path
from miyabi.orchestration.session_state import State


@dataclass(slots=True)
class Frame:
    """An object or a list that is being read.

    + path: of it
    + damages: of the text before it
    + key: that was read, and whose value is to come
    + items: texts without a value, which may be those of a list whose bracket is gone
    """

    value: Any
    path: Path = ()
    damages: int = 0
    key: str | None = None
    items: list[Any] = field(default_factory=list)

    @property
    def is_object(self) -> bool:
        """Whether it is one, and no list."""
        return isinstance(self.value, dict)

    @property
    def last(self) -> str | None:
        """The key of the last value of an object."""
        return next(reversed(self.value), None) if self.is_object else None

    @property
    def last_value(self) -> Any:
        """The last value of an object or a list."""
        if self.is_object:
            return self.value[self.last] if self.value else None
        return self.value[-1] if self.value else None


class Tree:
    """What was read of a text, and where.

    + values: the objects at the outermost level
    + stack: what is open, the innermost last
    + doubled: what repeated keys had before, with its path
    + damages: how often something was no JSON
    + closed: whether the outermost object has been closed
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.values: list[State] = []
        self.stack: list[Frame] = []
        self.doubled: list[tuple[Path, Any]] = []
        self.damages = 0
        self.closed = False

    @property
    def path(self) -> Path:
        """Of what is read now."""
        return self.stack[-1].path

    @property
    def last_path(self) -> Path:
        """Of what was read last in it."""
        last = self.stack[-1].last
        return self.path if last is None else (*self.path, last)

    @property
    def is_damaged(self) -> bool:
        """Whether there was a damage since what is read now began."""
        return self.stack[-1].damages != self.damages

    def enter(self, value: Any, name: str = "") -> None:
        """Go on with an object or a list, which is at ``name`` of what is read now."""
        if not self.stack:
            self.values.append(value)
            self.closed = False
        path = (*self.path, name) if self.stack else ()
        self.stack.append(Frame(value, path, self.damages))

    def reopen(self) -> None:
        """Go on with the last thing of what is read now, which was closed too early."""
        frame = self.stack[-1]
        self.enter(frame.last_value, frame.last or "")

    def leave(self, depth: int) -> None:
        """End all that is read now but for ``depth`` of them."""
        while len(self.stack) > depth:
            frame = self.stack.pop()
            if frame.key is not None:
                self.damages += 1
                frame.value.setdefault(frame.key, None)

    def put(self, value: Any) -> str:
        """Put a value where it stands; its key there."""
        frame = self.stack[-1]
        if not frame.is_object:
            frame.value.append(value)
            return ""
        key = frame.key or ""
        if key in frame.value:
            self.doubled.append(((*self.path, key), frame.value.pop(key)))
        frame.value[key] = value
        frame.key, frame.items = None, []
        return key
