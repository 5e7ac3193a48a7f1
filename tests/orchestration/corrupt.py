"""Files as crashes, disks and careless programs leave them: made of a whole one, each from its seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

_PAGE = 512


@dataclass(frozen=True, slots=True)
class Corrupted:
    """A damaged file.

    + kinds: what was done to it, in order
    """

    kinds: tuple[str, ...]
    content: bytes


def corrupted(content: bytes, seed: int, most: int = 1) -> Corrupted:
    """``content`` damaged in one to ``most`` ways that ``seed`` chooses; the same for the same seed."""
    random = Random(seed)  # noqa: S311 - it is to be the same each time
    kinds: list[str] = []
    for _ in range(random.randint(1, most)):
        kind = random.choice(list(CORRUPTIONS))
        content = CORRUPTIONS[kind](random, content)
        kinds.append(kind)
    return Corrupted(tuple(kinds), content)


def truncated(random: Random, content: bytes) -> bytes:
    """Cut off anywhere."""
    return content[: random.randrange(len(content) + 1)]


def torn_off(random: Random, content: bytes) -> bytes:
    """Cut off at the end of a page, as a file system does that has not written the others."""
    return content[: random.randrange(len(content) // _PAGE + 1) * _PAGE]


def flipped(random: Random, content: bytes) -> bytes:
    """One bit the other way round."""
    at = _place(random, content)
    return _spliced(content, at, at + 1, bytes(each ^ 1 << random.randrange(8) for each in content[at : at + 1]))


def flipped_often(random: Random, content: bytes) -> bytes:
    """Up to eight bits the other way round."""
    for _ in range(random.randint(2, 8)):
        content = flipped(random, content)
    return content


def without_span(random: Random, content: bytes) -> bytes:
    """Some bytes gone."""
    at = _place(random, content)
    return _spliced(content, at, at + random.randint(1, 200), b"")


def without_character(random: Random, content: bytes) -> bytes:
    """One comma, quote, colon, brace or bracket gone."""
    at = _punctuation(random, content)
    return _spliced(content, at, at + 1, b"")


def doubled_character(random: Random, content: bytes) -> bytes:
    """One comma, quote, colon, brace or bracket twice."""
    at = _punctuation(random, content)
    return _spliced(content, at, at, content[at : at + 1])


def other_character(random: Random, content: bytes) -> bytes:
    """One comma, quote, colon, brace or bracket instead of another."""
    at = _punctuation(random, content)
    return _spliced(content, at, at + 1, random.choice([b",", b'"', b":", b"{", b"}", b"[", b"]"]))


def doubled_span(random: Random, content: bytes) -> bytes:
    """Some bytes twice."""
    at = _place(random, content)
    return _spliced(content, at, at, content[at : at + random.randint(1, 200)])


def with_garbage(random: Random, content: bytes) -> bytes:
    """Some bytes of anything in the midst."""
    at = _place(random, content)
    return _spliced(content, at, at, random.randbytes(random.randint(1, 40)))


def overwritten(random: Random, content: bytes) -> bytes:
    """Some bytes of anything over others."""
    at, length = _place(random, content), random.randint(1, 40)
    return _spliced(content, at, at + length, random.randbytes(length))


def with_garbage_behind(random: Random, content: bytes) -> bytes:
    """Something behind the end."""
    tails = [b"}", b"]}", b"\n\n}", b"null", random.randbytes(30), b"<<<<<<< HEAD\n", b"\x1b[0m$ "]
    return content + random.choice(tails)


def written_over_longer(random: Random, content: bytes) -> bytes:
    """Written over an older, longer one whose end is still there."""
    return content + content[len(content) - random.randint(1, max(len(content) // 2, 1)) :]


def twice(_random: Random, content: bytes) -> bytes:
    """Appended instead of written over."""
    return content + content


def zeroed(random: Random, content: bytes) -> bytes:
    """A block of zeros, as after a crash."""
    at, length = _place(random, content) // _PAGE * _PAGE, random.choice([16, _PAGE, 8 * _PAGE])
    return _spliced(content, at, at + length, bytes(min(length, max(len(content) - at, 0))))


def zeroed_end(random: Random, content: bytes) -> bytes:
    """Zeros from somewhere to the end."""
    at = _place(random, content)
    return content[:at] + bytes(len(content) - at)


def in_latin(random: Random, content: bytes) -> bytes:
    """A character of another encoding in a text."""
    places = [found.end() for found in re.finditer(rb"[a-z]{3} ?[a-z]{3}", content)] or [0]
    at = random.choice(places)
    return _spliced(content, at, at, bytes([random.randrange(0xA1, 0x100)]))


def with_line_breaks(random: Random, content: bytes) -> bytes:
    """A raw line break in a text, or anywhere."""
    at = _place(random, content)
    return _spliced(content, at, at, random.choice([b"\n", b"\r\n", b"\t", b"\x0b"]))


def marked(_random: Random, content: bytes) -> bytes:
    """A byte order mark before it."""
    return b"\xef\xbb\xbf" + content


def with_trailing_commas(_random: Random, content: bytes) -> bytes:
    """As a human's editor leaves it."""
    return re.sub(rb"(?<=[\]}\"])(\s*)\}", rb",\1}", content)


def without_line(random: Random, content: bytes) -> bytes:
    """A line gone; where all is one line, all up to a comma."""
    parts = re.split(rb"(?<=\n)" if content.count(b"\n") > 1 else rb"(?<=,)", content)
    del parts[random.randrange(len(parts))]
    return b"".join(parts)


CORRUPTIONS: Mapping[str, Callable[[Random, bytes], bytes]] = {
    each.__name__.replace("_", " "): each
    for each in (
        truncated,
        torn_off,
        flipped,
        flipped_often,
        without_span,
        without_character,
        doubled_character,
        other_character,
        doubled_span,
        with_garbage,
        overwritten,
        with_garbage_behind,
        written_over_longer,
        twice,
        zeroed,
        zeroed_end,
        in_latin,
        with_line_breaks,
        marked,
        with_trailing_commas,
        without_line,
    )
}


def _place(random: Random, content: bytes) -> int:
    return random.randrange(max(len(content), 1))


def _punctuation(random: Random, content: bytes) -> int:
    places = [found.start() for found in re.finditer(rb'[{}\[\],:"]', content)]
    return random.choice(places) if places else 0


def _spliced(content: bytes, start: int, end: int, instead: bytes) -> bytes:
    return content[:start] + instead + content[end:]
