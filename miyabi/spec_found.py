"""The mappings of a spec's file as the rules look at them: values as they stand there, malformed ones passed over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from miyabi.spec_document import Document, Place, shown

# Where a rule is broken, what was found, and what is allowed.
Broken = Iterator[tuple[Place, str, str]]


@dataclass(frozen=True, slots=True)
class Found:
    """A mapping of the file, and where it stands."""

    place: Place
    value: dict[str, Any]

    def children(self, key: str) -> list[Found]:
        """The mappings in the list ``key``."""
        items = self.value.get(key)
        if not isinstance(items, list):
            return []
        return [Found((*self.place, key, i), item) for i, item in enumerate(items) if isinstance(item, dict)]

    def child(self, key: str) -> Found | None:
        """The mapping ``key``."""
        value = self.value.get(key)
        return Found((*self.place, key), value) if isinstance(value, dict) else None

    def text(self, key: str) -> str | None:
        """The text, or the number as it was written, at ``key``."""
        value = self.value.get(key)
        if isinstance(value, str):
            return value
        return getattr(value, "text", None)


def repeated(document: Document, owners: list[Found], key: str, allowed: str) -> Broken:
    """Each value of ``key`` that an earlier one of ``owners`` has already."""
    first: dict[str, int] = {}
    for owner in owners:
        value = owner.text(key)
        if value is None:
            continue
        place = (*owner.place, key)
        if value in first:
            yield place, f"found {shown(value)} again (first at line {first[value]})", allowed
        else:
            first[value] = document.line(place)
