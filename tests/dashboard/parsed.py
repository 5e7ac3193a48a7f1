"""A page as a browser takes it apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

from typing_extensions import override

# What has no end.
_VOID = frozenset({"meta", "link", "input", "br", "img", "hr"})


@dataclass(slots=True)
class Element:
    """An element with what stands in it, in one text."""

    name: str
    attributes: dict[str, str]
    text: str = ""


@dataclass(slots=True)
class Parsed:
    """All elements, in order.

    + unclosed: those that were not closed where they should be
    """

    elements: list[Element] = field(default_factory=list)
    unclosed: list[str] = field(default_factory=list)

    def all(self, name: str, **attributes: str) -> list[Element]:
        """The elements of a name with these values among their attributes; a class among their classes."""
        return [
            each
            for each in self.elements
            if each.name == name
            and all(
                value in each.attributes.get(key.rstrip("_"), "").split()
                if key == "class_"
                else each.attributes.get(key.rstrip("_")) == value
                for key, value in attributes.items()
            )
        ]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parsed = Parsed()
        self._open: list[Element] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.parsed.elements.append(element)
        if tag not in _VOID:
            self._open.append(element)

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parsed.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    @override
    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1].name != tag:
            self.parsed.unclosed.append(tag)
            return
        self._open.pop()

    @override
    def handle_data(self, data: str) -> None:
        for each in self._open:
            each.text += data


def parsed(html: str) -> Parsed:
    """The elements of a page or a part of one."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    reader.parsed.unclosed += [each.name for each in reader._open]
    return reader.parsed
