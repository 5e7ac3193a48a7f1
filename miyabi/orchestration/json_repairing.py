"""JSON that was torn, cut off or hit by a flipped bit, made readable again. Pure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from miyabi.orchestration.session_json import Read, parse, state_text, style_of, read_state

# A state of more is not repaired: the library reads a character at a time.
LARGEST = 4_000_000
# How often the library may look at a character of the text, for each character that there is.
_LOOKS = 200

_WORD = re.compile(r"[\w.:@/-]+")


class _TooSlowError(Exception):
    """The library looks at the text far more often than a damaged state needs."""


class _Metered(str):
    """A text that is looked at a bounded number of times: the library searches from each quote to the end of the text."""

    __slots__ = ("left",)

    left: list[int]

    def __new__(cls, text: str, left: list[int]) -> _Metered:
        self = super().__new__(cls, text)
        self.left = left
        return self

    def __getitem__(self, key):
        self.left[0] -= 1
        if self.left[0] < 0:
            raise _TooSlowError
        found = super().__getitem__(key)
        return found if isinstance(key, int) else _Metered(found, self.left)

    def __add__(self, other: str) -> _Metered:
        return _Metered(super().__add__(other), self.left)


def repaired(content: bytes) -> Read | None:
    from json_repair import repair_json
    flaw = read_state(content).flaw
    text = content.decode("utf-8", errors="replace").replace("\0", "").removeprefix("\ufeff")
    if len(text) > LARGEST:
        return None
    try:
        value = repair_json(_Metered(text, [_LOOKS * len(text)]), return_objects=True, skip_json_loads=True)
    except (_TooSlowError, ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    style = style_of(content)
    read = Read(value, flaw, style=style)
    have = Counter(_WORD.findall(state_text(value, style).decode()))
    lost = Counter(_WORD.findall(text)) - have
    return replace(read, lost=tuple(lost))
