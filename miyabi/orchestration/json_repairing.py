"""JSON that was torn, cut off, appended to or hit by a flipped bit, made readable again. Pure.

What only looks broken is read by Python's own reader: bytes of another encoding, a byte order mark, raw control
characters, NaN, an end that is cut off, something behind the end. All else is left to a library that is made for it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Self, SupportsIndex

from typing_extensions import override

from miyabi.orchestration.exact_number import read_float, read_int
from miyabi.orchestration.session_json import DEEPEST, Read, Style, depth, read_state, state_text
from miyabi.orchestration.session_state import LAST_ACTIVITY, State, at
from miyabi.orchestration.values import moment

# The library reads a character at a time: about two seconds for this many.
LARGEST = 2_000_000
# How often it may look at a character: a damaged state takes it 1 to 2 looks for each, a hostile one thousands.
_LOOKS = 10
_LOOKS_AT_LEAST = 300_000

_WORD = re.compile(r"[\w.@/+-]+")
_NUMBER = re.compile(r"-?\d[\d.]*(?:[eE][+-]?\d+)?")
_KEY_AT_END = re.compile(r'"(?:[^"\\]|\\.)*+"\s*:\s*\Z', re.DOTALL)
_TEXT_AT_END = re.compile(r'"(?:[^"\\]|\\.)*+"\Z', re.DOTALL)
_BARE_AT_END = re.compile(r"[\w.+-]+\Z")
# The closing quote may be missing: looking for it from each of many quotes would take long.
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_OPEN_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*+((?:\\(?:u[0-9a-fA-F]{0,3})?)?)\Z")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_BRACKET = re.compile(r"[{}\[\]]")
_CLOSING = {"{": "}", "[": "]"}
_WORDS = frozenset({"true", "false", "null"})
_LONGEST_KEY = 1000

# Bytes that are no UTF-8 are read as Latin-1: they are of another encoding, or damaged.
_LATIN = {0xDC00 + byte: byte for byte in range(0x80, 0x100)}


def repaired(content: bytes) -> Read | None:
    """See ``miyabi.orchestration.session_json.repair_text``."""
    read = read_state(content)
    if read.state is not None:
        return read
    text = decoded(content)
    best: Read | None = None
    fewest = 0
    for way in (_as_it_is, _closed, _by_library):
        state, told = _tried(way, text)
        if state is None:
            continue
        lost = tuple(_lost(told, state))
        if best is None or len(lost) < fewest:
            fewest = len(lost)
            best = Read(state, read.flaw, style=read.style, lost=(*lost, *_words(text[len(told) :])))
        if not lost:
            break
    return best


def decoded(content: bytes) -> str:
    """The text of a file, whatever its bytes are; zeros, as a crash leaves them, are blanks."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = content.decode("utf-16", errors="replace")
    else:
        text = content.removeprefix(b"\xef\xbb\xbf").decode(errors="surrogateescape").translate(_LATIN)
    return text.replace("\0", " ").strip()


def _tried(way: Callable[[str], tuple[Any, str]], text: str) -> tuple[State | None, str]:
    """What a way makes of ``text``, if that is an object that is not empty; and how much of the text it is to hold.

    The rest was torn off: it is no word of the file's, and lost whatever way is taken.
    """
    try:
        state, told = way(text)
        if isinstance(state, dict) and state and depth(state_text(state)) <= DEEPEST:
            return state, told
    except (ValueError, RecursionError, MemoryError, _TooDearError):
        pass
    return None, ""


def _loads(text: str) -> tuple[Any, int]:
    """The value at the beginning of ``text``, and where it ends."""
    reader = json.JSONDecoder(
        strict=False, parse_float=read_float, parse_int=read_int, parse_constant=lambda _constant: None
    )
    value, end = reader.raw_decode(text)
    return value, end


def _as_it_is(text: str) -> tuple[Any, str]:
    """The state in a text that is JSON but for its characters, and perhaps for what stands behind its end."""
    state, end = _loads(text)
    rest = text[end:].strip()
    # Appended instead of written over: the newer one counts. The end of an older, longer one behind it: the first.
    while rest.startswith("{"):
        try:
            other, end = _loads(rest)
        except ValueError:
            break
        state = _newer(state, other)
        rest = rest[end:].strip()
    return state, text


def _newer(state: State, other: State) -> State:
    one, two = (moment(at(each, LAST_ACTIVITY)) for each in (state, other))
    return state if two is None or (one is not None and one > two) else other


def _closed(text: str) -> tuple[Any, str]:
    """The state in a text that was cut off: what was torn is dropped, what is open is closed."""
    text = text.removesuffix(_OPEN_ESCAPE.search(text[-_LONGEST_KEY:])[1])  # type: ignore[index]
    try:
        _loads(text)
    except json.JSONDecodeError as error:
        cut = _before_cut(text, error)
        return (None if cut is None else _loads(cut + "".join(_closing(cut)))[0]), cut or ""
    return None, ""


def _before_cut(text: str, error: json.JSONDecodeError) -> str | None:
    """``text`` without what was torn; None when the error is not at its end."""
    if error.msg.startswith("Unterminated string"):
        head, torn = text[: error.pos].rstrip(), text[error.pos + 1 :]
        # A torn name would be another's; of a longer text most is there.
        if head.endswith(":") and " " in torn:
            return f'{text}"'
    else:
        bare = _bare_at_end(text)
        head = text if bare in _WORDS else text.removesuffix(bare)
        if error.pos < len(head) - 1:
            return None
    head = head.rstrip()
    key = (_TEXT_AT_END if error.msg.startswith("Expecting ':'") else _KEY_AT_END).search(head[-_LONGEST_KEY:])
    return head.removesuffix(key[0] if key else "").rstrip().removesuffix(",")


def _bare_at_end(text: str) -> str:
    """The number or word at the end of ``text``; "" when there is none."""
    found = _BARE_AT_END.search(text[-_LONGEST_KEY:])
    return found[0] if found else ""


def _closing(text: str) -> Iterator[str]:
    """The brackets that close what is open at the end of ``text``."""
    stack: list[str] = []
    for bracket in _BRACKET.findall("".join(_TEXT.split(text))):
        if bracket in _CLOSING:
            stack.append(_CLOSING[bracket])
        elif stack:
            stack.pop()
    return reversed(stack)


def _by_library(text: str) -> tuple[Any, str]:
    """What a library for broken JSON makes of ``text``."""
    from json_repair import repair_json  # noqa: PLC0415 - only a broken file needs it

    if len(text) > LARGEST:
        return None, ""
    looks = [_LOOKS_AT_LEAST + _LOOKS * len(text)]
    state = repair_json(_Metered(text, looks), return_objects=True, skip_json_loads=True)
    if isinstance(state, dict):
        # Its texts are still metered, which nobody else can copy.
        state, _ = _loads(state_text(state).decode())
    # Of a text that was cut off, the last word is none.
    return state, text.removesuffix(_bare_at_end(text)) if any(_closing(text)) else text


class _TooDearError(Exception):
    """The library looks at the text far more often than a damaged state needs."""


class _Metered(str):
    """A text that may be looked at a bounded number of times: the library searches from quotes to the text's end."""

    __slots__ = ("looks",)

    looks: list[int]

    def __new__(cls, text: str, looks: list[int]) -> Self:
        """Take ``text``, and how often it may be looked at, which all that is cut out of it shares."""
        self = super().__new__(cls, text)
        self.looks = looks
        return self

    @override
    def __getitem__(self, key: SupportsIndex | slice) -> str:
        self.looks[0] -= 1
        if self.looks[0] < 0:
            raise _TooDearError
        found = str.__getitem__(self, key)
        return _Metered(found, self.looks) if isinstance(key, slice) else found

    @override
    def __add__(self, other: str) -> str:
        return _Metered(str.__add__(self, other), self.looks)


def _lost(text: str, state: State) -> Iterator[str]:
    """The words of ``text`` that are not in ``state``, as often as they are missing."""
    have = Counter(_words(state_text(state, Style(ascii=False)).decode()))
    for word in _words(text):
        if have[word] > 0:
            have[word] -= 1
        else:
            yield word


def _words(text: str) -> list[str]:
    """The words and numbers of ``text``, whatever its quotes and brackets say; numbers as Python writes them."""
    text = _ESCAPE.sub(_character, text) if "\\" in text else text
    return [_plain(word) if word[0] in "-0123456789" else word for word in _WORD.findall(text)]


def _character(escape: re.Match[str]) -> str:
    """What an escape stands for; a blank for what is no part of a word."""
    return chr(int(escape[1], 16)) if escape[1] else escape[2] if escape[2] in '"\\/' else " "


def _plain(word: str) -> str:
    return repr(float(word)) if _NUMBER.fullmatch(word) and word.count(".") < 2 else word
