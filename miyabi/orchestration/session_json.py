"""A session's file as JSON: read strictly and without a loss, and written back in its own style. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from miyabi.orchestration.exact_number import ExactNumber, read_float, read_int
from miyabi.orchestration.findings import Archived
from miyabi.orchestration.session_state import State
from miyabi.orchestration.values import dotted

# Deeper than any state is nested, and shallow enough for all that walks through one.
DEEPEST = 200

_HEAD = 4096
_INDENTED = re.compile(rb'\s*\{\r?\n([ \t]*)"')
_SURROGATE = re.compile("[\ud800-\udfff]")
_NO_STRUCTURE = bytes(set(range(256)) - set(b'{}[]"'))
_DEEPER = {ord("{"): 1, ord("["): 1, ord("}"): -1, ord("]"): -1}


@dataclass(frozen=True, slots=True)
class Style:
    """How a file's JSON is laid out.

    + indent: of one level, such as two spaces; None when all stands on one line
    + spaces: whether a space follows each colon, and on one line each comma
    + ascii: whether other characters are escaped
    + newline: whether the file ends with one
    """

    indent: str | None = "  "
    spaces: bool = True
    ascii: bool = True
    newline: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """What a file's content says.

    + state: None when it is not one
    + flaw: why it is none, or, of a repaired one, what was wrong; in one line
    + doubled: values of repeated keys, of which JSON keeps the last
    + style: for writing it back
    + lost: of a repaired one: the words of the content that are not in the state
    """

    state: State | None
    flaw: str = ""
    doubled: tuple[Archived, ...] = ()
    style: Style = Style()
    lost: tuple[str, ...] = ()


def read_state(content: bytes) -> Read:
    """Read a session's file strictly, as the orchestration itself does.

    Never raises. Numbers that Python would round or refuse are kept as they are written.
    """
    style = style_of(content)
    flaw = _unreadable(content)
    if flaw:
        return Read(None, flaw, style=style)
    try:
        return parse(content.decode("utf-8"), style)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Read(None, f"not UTF-8 on line {line}: the byte {content[error.start]:#04x}", style=style)


def repair_text(content: bytes) -> Read | None:
    """Make a state of a content out of which ``read_state`` makes none; never raises.

    Returns what could be read, with the flaw, and in ``lost`` the words of the content that it lacks. None when it
    holds no object.
    """
    from miyabi.orchestration.json_repairing import repaired  # noqa: PLC0415 (only a broken file needs it)

    return repaired(content)


def parse(text: str, style: Style) -> Read:
    """Read the text of a file, whose nesting was looked at before."""
    doubled: list[tuple[State, list[tuple[str, Any]]]] = []

    def pairs(found: list[tuple[str, Any]]) -> State:
        value = dict(found)
        if len(value) != len(found):
            doubled.append((value, found))
        return value

    try:
        value = _loads(text, pairs)
    except json.JSONDecodeError as error:
        return Read(None, f"no JSON on line {error.lineno}, column {error.colno}: {_reason(error)}", style=style)
    except (RecursionError, MemoryError):
        return Read(None, f"nested more than {DEEPEST} levels deep", style=style)
    except _NoNumberError as error:
        return Read(None, f"{error} is no JSON number", style=style)
    if not isinstance(value, dict):
        return Read(None, f"{_KINDS.get(type(value), 'a number')} where an object is needed", style=style)
    return Read(value, doubled=tuple(_archived(value, doubled)) if doubled else (), style=style)


def state_text(state: State, style: Style = Style()) -> bytes:
    """``state`` as a file's content; reading it gives the same state."""
    exact: list[str] = []
    text = _dumps(_with_places(state, exact) if _has_exact(state) else state, style)
    if exact:
        mark = _mark(text)
        exact = []
        text = _dumps(_with_places(state, exact, mark), style)
        text = re.sub(rf'"{mark}(\d+)"', lambda match: exact[int(match[1])], text)
    text = _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return (text + "\n" * style.newline).encode()


def style_of(content: bytes) -> Style:
    """The style of a file, as far as its beginning and its end tell it."""
    head = content[:_HEAD]
    indented = _INDENTED.match(head)
    return Style(
        indent=indented[1].decode() if indented else None,
        spaces=indented is not None or b'": ' in head,
        ascii=content.isascii(),
        newline=content.endswith(b"\n"),
    )


def depth(content: bytes) -> int:
    """How deep ``content`` is nested; exact for JSON, and a guess where quotes are missing."""
    plain = content.replace(rb"\\", b"").replace(rb"\"", b"") if b"\\" in content else content
    # Two quotes side by side are a text without brackets: what is left are the texts with some.
    quoted = plain.translate(None, _NO_STRUCTURE).replace(b'""', b"")
    structure = b"".join(quoted.split(b'"')[::2])
    return max(accumulate(map(_DEEPER.__getitem__, structure)), default=0)


class _NoNumberError(ValueError):
    """A constant such as NaN, which JSON does not have."""


_MARKS = (
    (b"\xef\xbb\xbf", "begins with a byte order mark, which JSON does not have"),
    (b"\xff\xfe", "UTF-16 instead of UTF-8"),
    (b"\xfe\xff", "UTF-16 instead of UTF-8"),
)

_KINDS: dict[type, str] = {list: "a list", str: "a text", bool: "a boolean", type(None): "null"}


def _unreadable(content: bytes) -> str:
    if not content.strip():
        return "nothing but white space" if content else "empty"
    if not content.strip(b"\0"):
        return "nothing but NUL bytes, as after a crash of the machine"
    mark = next((what for begin, what in _MARKS if content.startswith(begin)), "")
    if not mark and depth(content) > DEEPEST:
        return f"nested more than {DEEPEST} levels deep"
    return mark


def _loads(text: str, pairs: Any) -> Any:
    """What ``text`` says; integers are handed to Python's own reader until one is too long for it."""
    try:
        return json.loads(text, object_pairs_hook=pairs, parse_float=read_float, parse_constant=_refuse)
    except (json.JSONDecodeError, _NoNumberError):
        raise
    except ValueError:
        return json.loads(
            text, object_pairs_hook=pairs, parse_float=read_float, parse_int=read_int, parse_constant=_refuse
        )


def _refuse(constant: str) -> float:
    raise _NoNumberError(constant)


def _reason(error: json.JSONDecodeError) -> str:
    if error.pos >= len(error.doc.rstrip()):
        return "it ends too early"
    return f"{error.msg[:1].lower()}{error.msg[1:]}".removesuffix(" at").removesuffix(" starting")


def _archived(state: State, doubled: list[tuple[State, list[tuple[str, Any]]]]) -> Iterable[Archived]:
    """The values that repeated keys dropped, with their paths; one that is what the last says is no loss."""
    found = {id(value): pairs for value, pairs in doubled}
    waiting: list[tuple[tuple[str, ...], Any]] = [((), state)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(((*path, str(index)), each) for index, each in enumerate(value))
        elif isinstance(value, dict):
            waiting.extend(((*path, key), each) for key, each in value.items())
            for key, dropped in found.get(id(value), ()):
                if repr(dropped) != repr(value[key]):
                    yield Archived("doubled", key, dotted((*path, key)), "the key stands there again", dropped)
                    waiting.append(((*path, key), dropped))


def _dumps(state: Any, style: Style) -> str:
    item = ", " if style.spaces and style.indent is None else ","
    colon = ": " if style.spaces else ":"
    return json.dumps(state, indent=style.indent, separators=(item, colon), ensure_ascii=style.ascii, allow_nan=False)


def _has_exact(state: State) -> bool:
    waiting: list[Any] = [state]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, ExactNumber):
            return True
    return False


def _with_places(value: Any, exact: list[str], mark: str = "") -> Any:
    """A copy with texts where numbers are to be written as they were read."""
    if isinstance(value, dict):
        return {key: _with_places(each, exact, mark) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_places(each, exact, mark) for each in value]
    if isinstance(value, ExactNumber):
        exact.append(value.text)
        return f"{mark}{len(exact) - 1}"
    return value


def _mark(text: str) -> str:
    """A word that does not occur in ``text``."""
    mark = "number-"
    while mark in text:
        mark = f"exact-{mark}"
    return mark
