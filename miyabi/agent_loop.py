"""Whether an agent goes round in a circle: the same block of output again and again. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# How many of the last lines are looked at, of how many different ones a block is made, and how often it stands there.
_LATEST = 60
_LEAST_LINES = 3
LEAST_TIMES = 4

# What says nothing: frames, the input line, spinners, progress, tables, what a log or a list of tests prints.
_TRIVIAL = re.compile(
    r"[\W_]*$"
    r"|\s{0,2}[❯>›](?:\s|$)"  # noqa: RUF001 - the prompts of agents
    r"|\s{0,1}[✢✳✶✻✽✦✧✷✸✹✺∗·*◐-◓⠁-⣿]\s"  # noqa: RUF001 - they turn
    r"|\s*[│┃|├└].*[│┃|]\s*$"
    r"|.*[█▓▒░▏▎▍▌▋▊▉■□━]{3}|.*\b\d{1,3}\s?%"
    r"|.*\b(?:PASSED|FAILED|SKIPPED|XFAIL|ok|ERROR)\s*(?:\[.*\])?\s*$|[.sxFE\s]{4,}$"
)
_STAMPED = re.compile(r"\s*\W?(?:\d{4}-\d{2}-\d{2}|\d{1,2}:\d{2}:\d{2}|[A-Z][a-z]{2} {1,2}\d{1,2} \d{2}:)")
_NUMBER = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{7,40}\b|\d+(?:[.,:]\d+)*")
_WORD = re.compile(r"[^\W_]+|#")
_LETTERS = re.compile(r"[^\W\d_]")


def loop_in(lines: Iterable[str]) -> tuple[str, ...]:
    """The block of output that the last lines repeat, once.

    + lines: of a pane, the newest last, without escape sequences, and without what stands below its output

    Returns () when there is none: fewer than four times, or fewer than three different lines that say something.
    """
    told = [(line.strip()[:300], _told(line[:300])) for line in lines][-_LATEST * 2 :]
    kept = [(line, key) for line, key in told if key][-_LATEST:]
    keys = [key for _, key in kept]
    for size in range(_LEAST_LINES, len(keys) // LEAST_TIMES + 1):
        # The block that is just being written is not whole yet.
        for cut in range(size):
            end = len(keys) - cut
            if end >= size * LEAST_TIMES and _repeats(keys, end, size) and _begun(keys, end, size):
                return tuple(line for line, _ in kept[end - size : end])
    return ()


def _told(line: str) -> str:
    """What a line says, whatever the numbers and times in it; "" when it says nothing."""
    if _TRIVIAL.match(line) or _STAMPED.match(line):
        return ""
    text = _NUMBER.sub("#", line.lower())
    return " ".join(_WORD.findall(text)) if len(_LETTERS.findall(text)) >= 4 else ""


def _repeats(keys: Sequence[str], end: int, size: int) -> bool:
    block = keys[end - size : end]
    if len(set(block)) < _LEAST_LINES:
        return False
    return all(keys[end - size * (each + 1) : end - size * each] == block for each in range(1, LEAST_TIMES))


def _begun(keys: Sequence[str], end: int, size: int) -> bool:
    """Whether what follows the last whole block is the beginning of another one."""
    return keys[end:] == keys[end - size : end - size + len(keys) - end]
