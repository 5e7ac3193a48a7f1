"""YAML (or JSON) text as a document.

The tree is built from the parser's events and not by PyYAML's constructors, so that every key and item keeps its line,
numbers keep the text they were written as, no tag can construct anything, and a file can be neither too deep nor,
through aliases, too large.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from miyabi.errors import SpecProblem
from miyabi.spec_document import Document, Place, WrittenFloat, WrittenInt, place_text, shown

_DEEPEST = 40
_MOST_VALUES = 100_000
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_YAML_TAG = "tag:yaml.org,2002:"
# Dates are of no use in a spec: what looks like one stays the text that it is.
_TEXT_KINDS = {"str", "timestamp", "value", "merge"}
_COLLECTION_TAGS = {None, "!", f"{_YAML_TAG}map", f"{_YAML_TAG}seq"}

_SYNTAX = "allowed: valid YAML; look at the indentation, quotes and colons of this line and the one before"
_CHARACTERS = "allowed: printable characters; write others as an escape in double quotes"
_TAGS = "allowed: no tags but !!str, !!int, !!float, !!bool and !!null; remove it"


def read_yaml(file: str, content: str) -> Document:
    """Read YAML text.

    + file: the path to name in problems
    + content: the text of the file

    Returns the document; when the text cannot be read as YAML, it is not ``readable`` and its problems say why.
    """
    document = Document(file)
    try:
        _refuse_strange_characters(content)
        root = _Composer(document, content).document()
        if root is not None:
            document.value = _Builder(document).value(root, (), root.line)
    except yaml.MarkedYAMLError as error:
        _fail(document, *_syntax_problem(error, content))
    except yaml.YAMLError as error:
        _fail(document, None, f"found YAML that cannot be read: {error}", _CHARACTERS)
    except _UnreadableError as error:
        _fail(document, *error.args)
    return document


def _refuse_strange_characters(content: str) -> None:
    strange = yaml.reader.Reader.NON_PRINTABLE.search(content)
    if strange is not None:
        line = content.count("\n", 0, strange.start()) + 1
        raise _UnreadableError(line, f"found the character U+{ord(strange[0]):04X}", _CHARACTERS)


def _syntax_problem(error: yaml.MarkedYAMLError, content: str) -> tuple[int | None, str, str]:
    """The line, what is found there and what is allowed instead."""
    mark: Any = error.problem_mark or error.context_mark
    what = " ".join(part for part in (error.problem, error.context) if part)
    if mark is None:
        return None, f"found YAML that cannot be read: {what}", _SYNTAX
    lines = content.split("\n")
    at = lines[mark.line][mark.column : mark.column + 1] if mark.line < len(lines) else ""
    # A text that is never closed is noticed at the end of the file: name the last line that says anything.
    line = min(mark.line, content.rstrip().count("\n")) + 1
    if "cannot start any token" in what and at == "\t":
        return line, "found a tab as indentation", "allowed: spaces"
    if "cannot start any token" in what:
        return line, f"found {shown(at)} at the start of a text", f"allowed: {shown(at)} at the start in quotes"
    return line, f"found YAML that cannot be read: {what}", _SYNTAX


class _UnreadableError(Exception):
    """Why a file cannot be read: line, found, allowed."""


def _fail(document: Document, line: int | None, found: str, allowed: str) -> None:
    document.problems = [SpecProblem(document.file, line, "", found, allowed)]
    document.readable = False


@dataclass(slots=True)
class _Node:
    line: int
    value: object = None  # a scalar's
    text: str = ""  # what a scalar was written as
    merge: bool = False
    items: list[_Node] | None = None
    pairs: list[tuple[_Node, _Node]] | None = None


class _Composer:
    """The parser's events as nodes; an alias is the node that it names."""

    def __init__(self, document: Document, content: str) -> None:
        self._document = document
        self._events: Iterator[Any] = yaml.parse(content, Loader=_LOADER)
        self._resolver: Any = yaml.resolver.Resolver()
        self._constructor: Any = yaml.constructor.SafeConstructor()
        self._anchors: dict[str, _Node] = {}

    def document(self) -> _Node | None:
        """The root of the only document, None when there is none."""
        root: _Node | None = None
        for event in self._events:
            if not isinstance(event, yaml.NodeEvent):
                continue
            if root is not None:
                raise _UnreadableError(
                    _line(event), "found a second YAML document", "allowed: one in a file; remove the ---"
                )
            root = self._node(event, 0)
        return root

    def _node(self, event: yaml.NodeEvent, depth: int) -> _Node:
        node = _Node(_line(event))
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise _UnreadableError(
                    node.line, f"found the alias *{event.anchor}", "allowed: *NAME of an &NAME above"
                )
            return self._anchors[event.anchor]
        if depth > _DEEPEST:
            raise _UnreadableError(node.line, "found a value too deep inside others", f"allowed: {_DEEPEST} levels")
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        if isinstance(event, yaml.ScalarEvent):
            self._read_scalar(node, event)
            return node
        if isinstance(event, yaml.CollectionStartEvent) and event.tag not in _COLLECTION_TAGS:
            self._problem(node, f"found the tag {event.tag}")
        if isinstance(event, yaml.SequenceStartEvent):
            node.items = [self._node(item, depth + 1) for item in self._until(yaml.SequenceEndEvent)]
        else:
            node.pairs = [
                (self._node(key, depth + 1), self._node(next(self._events), depth + 1))
                for key in self._until(yaml.MappingEndEvent)
            ]
        return node

    def _until(self, end: type[yaml.Event]) -> Iterator[yaml.NodeEvent]:
        for event in self._events:
            if isinstance(event, end):
                return
            yield event

    def _read_scalar(self, node: _Node, event: yaml.ScalarEvent) -> None:
        node.text = node.value = event.value
        tag = event.tag
        if tag in {None, "!"}:
            tag = self._resolver.resolve(yaml.ScalarNode, event.value, event.implicit)
        kind = tag.removeprefix(_YAML_TAG)
        node.merge = kind == "merge"
        try:
            node.value = self._scalar_value(kind, yaml.ScalarNode(tag, event.value))
        except (ValueError, KeyError):
            # A number too long for int() stays text; a tag that does not fit its text is an error.
            if event.tag is not None:
                self._problem(node, f"found the tag {event.tag} on {shown(event.value)}")

    def _scalar_value(self, kind: str, scalar: yaml.ScalarNode) -> object:
        text: str = scalar.value
        number: WrittenInt | WrittenFloat
        if kind in _TEXT_KINDS:
            return text
        if kind == "null":
            return None
        if kind == "bool":
            return self._constructor.construct_yaml_bool(scalar)
        if kind == "int":
            number = WrittenInt(self._constructor.construct_yaml_int(scalar))
        elif kind == "float":
            number = WrittenFloat(self._constructor.construct_yaml_float(scalar))
        else:
            raise KeyError(kind)
        number.text = text
        return number

    def _problem(self, node: _Node, found: str) -> None:
        self._document.problems.append(SpecProblem(self._document.file, node.line, "", found, _TAGS))


def _line(event: yaml.Event) -> int:
    mark: Any = event.start_mark
    return int(mark.line) + 1


class _Builder:
    """Nodes as values, with the line of each place; aliases are written out, within bounds."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._count = 0

    def value(self, node: _Node, place: Place, line: int) -> object:
        """The value of ``node``, which stands at ``place``."""
        self._spend(node, len(place))
        self._document.lines[place] = line
        if node.items is not None:
            return [self.value(item, (*place, i), item.line) for i, item in enumerate(node.items)]
        if node.pairs is not None:
            pairs = self._pairs(node, place, 0)
            return {name: self.value(value, (*place, name), line) for name, (line, value) in pairs.items()}
        if not isinstance(node.value, str):
            self._document.texts[place] = node.text
        return node.value

    def _spend(self, node: _Node, depth: int) -> None:
        self._count += 1
        if self._count > _MOST_VALUES or depth > _DEEPEST:
            allowed = f"allowed: {_MOST_VALUES} values, {_DEEPEST} levels"
            raise _UnreadableError(node.line, "found aliases that grow too large", allowed)

    def _pairs(self, node: _Node, place: Place, depth: int) -> dict[str, tuple[int, _Node]]:
        """A mapping's keys with the line and the node of each; keys of ``<<`` stand behind its own."""
        own: dict[str, tuple[int, _Node]] = {}
        merged: dict[str, tuple[int, _Node]] = {}
        for key, value in node.pairs or ():
            self._spend(node, depth)
            if key.merge:
                for name, pair in self._merged(value, place, depth).items():
                    merged.setdefault(name, pair)
            elif key.items is not None or key.pairs is not None:
                self._problem(place, key.line, "found a list or a mapping as a key", "allowed: text as a key")
            elif key.text in own:
                first = own[key.text][0]
                found = f"found the key {shown(key.text)} again (first at line {first})"
                self._problem((*place, key.text), key.line, found, "allowed: each key once; remove one of them")
            else:
                own[key.text] = (key.line, value)
        return own | {name: pair for name, pair in merged.items() if name not in own}

    def _merged(self, value: _Node, place: Place, depth: int) -> dict[str, tuple[int, _Node]]:
        merged: dict[str, tuple[int, _Node]] = {}
        for source in [value] if value.items is None else value.items:
            if source.pairs is None:
                self._problem(
                    (*place, "<<"), source.line, "found no mapping to merge", "allowed: a mapping or a list of them"
                )
                continue
            for name, pair in self._pairs(source, place, depth + 1).items():
                self._spend(source, depth)
                merged.setdefault(name, pair)
        return merged

    def _problem(self, place: Place, line: int, found: str, allowed: str) -> None:
        problems = self._document.problems
        # The same line is read again at each alias of it.
        if not any(known.line == line and known.found == found for known in problems):
            problems.append(SpecProblem(self._document.file, line, place_text(place), found, allowed))
