"""The tokens of broken JSON: texts without one of their quotes, words that are none, numbers. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from miyabi.orchestration.exact_number import read_float, read_int

# A text ends at its quote, or at the end of its line: what JSON writes holds no line breaks.
_TEXT = re.compile(r'"((?:[^"\\\n\r]|\\.)*+)("?)')
_BLANK = re.compile(r"[\s\x00-\x20\x7f\ufeff]*+")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*+)(\.\d++)?([eE][+-]?\d++)?(?![\w.])")
_WORD = re.compile(r'[^\s"{}\[\],:\x00-\x20]++')
# What follows a text that stands where it should.
_AFTER = re.compile(r"\s*+(?:[,:}\]]|\Z)")
_AFTER_KEY = re.compile(r"\s*+:")
# The end of a text that has swallowed what stood behind it, because its own quote is gone.
_SWALLOWED = re.compile(r"[\s,:{}\[\]]*[,:{}\[\]][\s,:{}\[\]]*\Z")
_INSTEAD_OF_QUOTE = re.compile(r"[\[{]\s*+,")
_TEXT_WITHOUT_QUOTE = re.compile(r'[A-Za-z_][\w .@/+-]{0,200}+"')
_ANOTHER = re.compile(r'\s*+["{\[]')
# One character where another one should be, before the next text.
_STRAY = re.compile(r'\s*+[^\s"{}\[\]]\s*+["{\[,}\]]')
_REST_OF_TEXT = re.compile(r'[^"\n\r]{0,1000}+"(?=\s*+[,}\]])')
_REST_OF_KEY = re.compile(r'[^"\n\r,:{}\[\]]{0,400}+"?(?=\s*+:)')
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)

# How far is looked for what a text has swallowed.
_FAR = 200


@dataclass(frozen=True, slots=True)
class Token:
    """Something that was read.

    + value: None also where there is none
    + end: where it ends
    + is_damaged: whether it was no JSON
    + is_none: whether there is no value: only something that must be passed over
    """

    value: Any
    end: int
    is_damaged: bool = False
    is_none: bool = False


def skip_blank(text: str, at: int) -> int:
    """Where something stands again."""
    found = _BLANK.match(text, at)
    return found.end() if found else at


def is_key(text: str, end: int) -> bool:
    """Whether a colon follows."""
    return _AFTER_KEY.match(text, end) is not None


def is_item(text: str, at: int) -> bool:
    """Whether a text without a value of its own stands there."""
    found = _TEXT.match(text, skip_blank(text, at))
    return found is not None and re.compile(r"\s{0,200}[,\]]").match(text, found.end()) is not None


def next_chars(text: str, at: int, count: int = 1) -> str:
    """The next characters that are no blanks."""
    at = skip_blank(text, at)
    return text[at : at + count]


def read_quoted(text: str, at: int, *, as_key: bool, in_list: bool = False) -> Token:
    """A text that begins with a quote, also where the other one is gone, or is another character.

    + as_key: whether it stands where a key should
    + in_list: whether it stands in a list
    """
    found = _TEXT.match(text, at)
    if found is None:
        return Token("", at + 1, is_damaged=True)
    raw, end = found[1], found.end()
    if found[2] and _AFTER.match(text, end):
        return Token(unescaped(raw), end)
    if found[2] and not raw.strip() and _WORD.match(text, end):
        return Token(None, end - 1, is_damaged=True, is_none=True)  # a quote too many
    swallowed = _SWALLOWED.search(raw[-_FAR:])
    if swallowed and (not found[2] or not _STRAY.match(text, end)):
        own = raw[: len(raw) - len(swallowed[0])]
        is_instead = swallowed[0][0] == "]}"[in_list] or _INSTEAD_OF_QUOTE.match(swallowed[0])
        behind = max(swallowed[0].find(":"), 0) if as_key else bool(is_instead)
        return Token(unescaped(own), at + 1 + len(own) + behind, is_damaged=True)
    is_whole = not found[2] or as_key or _ANOTHER.match(text, end) or _STRAY.match(text, end)
    rest = None if is_whole else _REST_OF_TEXT.match(text, end)
    if rest is None:
        return Token(unescaped(raw), end, is_damaged=True)  # what should follow is gone
    return Token(f'{unescaped(raw)}"{unescaped(rest[0][:-1])}', rest.end(), is_damaged=True)  # a quote in it


def is_quote(text: str, at: int) -> bool:
    """Whether another character stands instead of the quote with which a text begins."""
    found = _TEXT_WITHOUT_QUOTE.match(text, at + 1)
    return found is not None and found[0] not in {'true"', 'false"', 'null"'}


def read_bare(text: str, at: int) -> Token:
    """A value without quotes: a number, a word, a text whose first quote is gone, or a character that says nothing."""
    number = _NUMBER.match(text, at)
    if number:
        value = read_float(number[0]) if number[1] or number[2] else read_int(number[0])
        return Token(value, number.end())
    word = _WORD.match(text, at)
    if word is None:
        return Token(None, at + 1, is_damaged=True, is_none=True)
    if word[0] in _WORDS:
        return Token(_WORDS[word[0]], word.end())
    if _is_instead(text, word):
        return Token(None, word.end(), is_damaged=True, is_none=True)
    rest = _REST_OF_TEXT.match(text, at)
    if rest:
        return Token(unescaped(rest[0][:-1]), rest.end(), is_damaged=True)
    near = [value for known, value in _WORDS.items() if _is_near(word[0], known)]
    return Token(near[0] if near else word[0], word.end(), is_damaged=True)


def _is_instead(text: str, word: re.Match[str]) -> bool:
    """Whether a word is one character too many, or one that stands instead of a brace or a comma."""
    if len(word[0]) > 1:
        return False
    behind = text[word.end() : word.end() + 1]
    if behind != '"':
        return behind in {"{", "["} or behind.isspace()
    quoted = _TEXT.match(text, word.end())
    return quoted is not None and bool(quoted[2]) and _AFTER.match(text, quoted.end()) is not None


def read_bare_key(text: str, at: int) -> Token:
    """A key whose first quote is gone, or something that must be passed over."""
    found = _REST_OF_KEY.match(text, at)
    if found and found[0].strip('" '):
        return Token(unescaped(found[0].strip().removesuffix('"')), found.end(), is_damaged=True)
    word = _WORD.match(text, at)
    return Token(None, word.end() if word and len(word[0]) > 1 else at + 1, is_damaged=True, is_none=True)


def unescaped(raw: str) -> str:
    """What a text between quotes says, also where an escape in it is damaged."""
    if "\\" not in raw:
        return raw
    try:
        return str(json.loads(f'"{raw}"', strict=False))
    except ValueError:
        return _ESCAPE.sub(lambda found: _character(found[1], found[2]), raw)


def _character(code: str | None, char: str | None) -> str:
    return chr(int(code, 16)) if code is not None else _ESCAPED.get(char or "", char or "")


def _is_near(word: str, known: str) -> bool:
    """Whether both differ in one character."""
    return len(word) == len(known) and sum(one != other for one, other in zip(word, known, strict=True)) == 1
