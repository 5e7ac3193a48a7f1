"""Numbers of a file that Python would round, or refuse to read: kept as they are written. Pure."""

from __future__ import annotations

from typing import Any, Self

from typing_extensions import override

_LARGEST = 1.7976931348623157e308
# Python reads integers up to this length whatever it was told to refuse.
_LONGEST_INTEGER = 640


class ExactNumber(float):
    """A number that calculates as the nearest float, and is written as it was read.

    + text: as it was read, such as ``0.10000000000000000555`` or ``1e999``
    """

    __slots__ = ("text",)

    text: str

    def __new__(cls, text: str) -> Self:
        """Read ``text``, which float() takes."""
        # Infinity is no JSON: what writes this number without knowing what it is shall write a number.
        self = super().__new__(cls, min(max(float(text), -_LARGEST), _LARGEST))
        self.text = text
        return self

    @override
    def __reduce__(self) -> tuple[type[ExactNumber], tuple[str]]:
        return ExactNumber, (self.text,)

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        return self


def read_float(text: str) -> float:
    """The number that a file writes as ``text``."""
    value = float(text)
    return value if repr(value) == text else ExactNumber(text)


def read_int(text: str) -> int | float:
    """The integer that a file writes as ``text``."""
    return int(text) if len(text) <= _LONGEST_INTEGER else ExactNumber(text)
