"""What programs say before they end, as data: which words speak for which cause. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

# How many of the last lines are believed: what stands further up may be long over.
LATEST = 15

# As of November 2026. On one line the first that fits is meant; of several lines the last one that fits is.
_PATTERNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "oom",
        (
            # V8, Python, Java, Go, Rust, C++, a fork that failed.
            r"JavaScript heap out of memory|Reached heap limit",
            r"\bMemoryError\b",
            r"java\.lang\.OutOfMemoryError",
            r"runtime: out of memory",
            r"memory allocation of \d+ bytes failed",
            r"std::bad_alloc",
            r"Cannot allocate memory|\bENOMEM\b",
        ),
    ),
    ("disk-full", (r"\bENOSPC\b|No space left on device", r"\bEDQUOT\b|disk quota exceeded", r"disk is full")),
    (
        "usage-limit",
        (
            r"(?:hit|reached|exceeded) your (?:[\w-]+ ){0,2}limit",
            r"\busage limit (?:has been )?reached",
            r"\binsufficient_quota\b|exceeded your current quota|credit balance is too low",
        ),
    ),
    (
        # What has no way to a repository for want of a network is no fault of git's.
        "network",
        (
            r"could(?: not|n.t) resolve host",
            r"\bENOTFOUND\b|\bEAI_AGAIN\b",
            r"failure in name resolution",
        ),
    ),
    (
        "git",
        (
            r"not logged in ?to any GitHub|\bgh auth login\b",
            r"remote: (?:Permission|Invalid username|Support for password|Repository not found)",
            r"git@\S+: Permission denied",
            r"! \[(?:remote )?rejected\]|\(non-fast-forward\)|\(fetch first\)",
            r"^CONFLICT \(",
            r"fatal: (?:Authentication failed|could not read (?:Username|Password)|unable to access)",
            r"fatal: (?:not a git repository|refusing to merge|Unable to create .*index\.lock)",
            r"HTTP 40[13].*(?:api\.github\.com|Bad credentials)",
        ),
    ),
    (
        "auth",
        (
            r"Please run /login|log out and sign in again|\bnot logged in\b",
            r"\bauthentication_error\b|(?:Invalid|incorrect) API key|invalid x-api-key",
            r"(?:access|refresh|OAuth) token (?:has |was |could not be )?(?:already used|revoked|expired|refreshed)",
            r"(?:API Error|HTTP)[: (]{1,3}40[13]\b|401 Unauthorized|\bunauthori[sz]ed\b",
        ),
    ),
    (
        "mcp-down",
        (
            r"\bMCP\b.{0,80}(?:fail|not connected|disconnect|refused|closed|unavailable|crashed|timed out|could not)",
            r"(?:failed|unable|could not).{0,40}\bMCP\b",
            r"\bMcpError\b|✗ Failed to connect",
        ),
    ),
    (
        "network",
        (r"API Error:? .{0,40}(?:connection error|fetch failed)", r"socket connection (?:was )?closed"),
    ),
    (
        "api-error",
        (
            r"\bAPI Error\b|\b(?:api|rate_limit|invalid_request)_error\b",
            r"\boverloaded(?:_error)?\b|temporarily limiting requests",
            r"stalled mid-stream|stream (?:error:|disconnected before)",
            r"unexpected status [45]\d\d|\bHTTP (?:status )?[45]\d\d\b|429 Too Many Requests",
            r"50[0234] (?:Internal Server Error|Bad Gateway|Service Unavailable|Gateway Time-?out)",
        ),
    ),
    (
        "permission",
        (r"\bEACCES\b|permission denied", r"\bEPERM\b|operation not permitted", r"\bEROFS\b|read-only file"),
    ),
    (
        "not-found",
        (
            r"command not found|Unknown command: |executable file not found|spawn \S+ ENOENT",
            r"^\S+: (?:(?:line )?\d+: )?\S+: (?:inaccessible or )?not found\b",
            r"\bModuleNotFoundError\b|Cannot find (?:module|package)",
        ),
    ),
    (
        "network",
        (
            r"name or service not known|nodename nor servname|its name is not known",
            r"connection (?:is |was )?refused|\bECONNREFUSED\b|it takes no connection",
            r"connection reset|\bECONNRESET\b|socket hang up|it hangs up",
            r"\bE(?:NET|HOST)UNREACH\b|no route to host|network is unreachable|no way leads there",
            r"connection timed out|\bETIMEDOUT\b|fetch failed|connection error\.?$",
            r"TLS trouble|certificate (?:has expired|verify failed)",
        ),
    ),
    ("timeout", (r"timed? ?out\b|deadline exceeded|no answer (?:with)?in\b",)),
    (
        "config-broken",
        (r"JSONDecodeError|TOMLDecodeError|in JSON at position", r"(?:not valid|invalid) (?:JSON|TOML|YAML)"),
    ),
)

# What is said after something else went wrong: it counts where nothing else was said.
_FOLLOWING: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("git", (r"fatal: Could not read from remote repository|failed to push some refs",)),
)

# What a shell says of a command that a signal ended: `Killed`, `bash: line 1: 4711 Killed   codex`,
# `zsh: killed     codex`.
_SHELL_WORDS = (
    r"(?:\S+: )?(?:line \d+: +)?(?:\d+ +)?(?:\[\d+\] *[+-]? *)?"
    r"(?P<word>killed|terminated|segmentation fault|aborted|abort|bus error|illegal instruction|hangup)"
    r"(?: *\(core dumped\))?(?: {2,}.*)?"
)
_SIGNALS_BY_WORD = {
    "killed": "KILL",
    "terminated": "TERM",
    "segmentation fault": "SEGV",
    "aborted": "ABRT",
    "abort": "ABRT",
    "bus error": "BUS",
    "illegal instruction": "ILL",
    "hangup": "HUP",
}

# What a program only shows: a prompt with what was typed, a frame, the output of a tool, a quotation, numbered code.
_SHOWN = re.compile(
    r"""\s*(?:[❯>›│┃|⎿▌"'`“]|\d+\s*[-+│|]|[-+]\s|[$#%](?:\s|$)|[\w.@-]+:\S*[$#](?:\s|$))"""  # noqa: RUF001 - prompts
)
_FENCE = re.compile(r"\s*(?:```|~~~)")
_TMUX_SAYS = re.compile(r"Pane is dead(?: \(.*)?")

_LONGEST = 200


@cache
def _compiled() -> tuple[tuple[str, re.Pattern[str], int], ...]:
    """The cause, its patterns in one, and how little they count; made when something is damaged."""
    return tuple(
        (cause, re.compile("|".join(patterns), re.IGNORECASE), rank)
        for rank, table in enumerate((_PATTERNS, _FOLLOWING))
        for cause, patterns in table
    )


@dataclass(frozen=True, slots=True)
class Said:
    """Words that speak for a cause, and the line that they stand in."""

    cause: str
    line: str


def spoken(lines: Iterable[str], most: int | None = LATEST) -> list[str]:
    """The last lines that a program or its shell said itself, without what it only showed, masked.

    + most: how many; None is all
    """
    from miyabi.masking import masked, plain  # noqa: PLC0415 - its patterns cost more than a run without damage may

    found = [line for line in _without_fences(plain(each).rstrip() for each in lines) if line.strip()]
    found = [line for line in found if not _TMUX_SAYS.fullmatch(line.strip())]
    latest = found if most is None else found[-most:]
    return [masked(line.strip())[:_LONGEST] for line in latest if not _SHOWN.match(line)]


def _without_fences(lines: Iterable[str]) -> Iterator[str]:
    inside: list[str] | None = None
    for line in lines:
        if _FENCE.match(line):
            inside = [] if inside is None else None
        elif inside is None:
            yield line
        else:
            inside.append(line)
    # A fence that nobody closed was none.
    yield from inside or ()


def said_in(lines: Iterable[str]) -> Said | None:
    """What the lines speak for, the last one that does above all; None when they say nothing that is known.

    + lines: as ``spoken`` returns them, or a text for its reader
    """
    best: tuple[int, Said] | None = None
    for line in lines:
        found = next(((rank, Said(cause, line)) for cause, form, rank in _compiled() if form.search(line)), None)
        if found is not None and (best is None or found[0] <= best[0]):
            best = found
    return best[1] if best else None


def heap_said(lines: Iterable[str]) -> Said | None:
    """The line in which a runtime says that it ran out of memory; a long stack may follow it."""
    heap = next(form for cause, form, _ in _compiled() if cause == "oom")
    return next((Said("oom", line) for line in lines if heap.search(line)), None)


def signal_said(lines: Iterable[str]) -> tuple[str, str] | None:
    """The signal that a shell names in the last lines, and the line; None when it names none."""
    for line in reversed(list(lines)[-3:]):
        found = re.fullmatch(_SHELL_WORDS, line, re.IGNORECASE)
        if found:
            return _SIGNALS_BY_WORD[found["word"].lower()], line
        if line.endswith("^C"):
            return "INT", line
    return None
