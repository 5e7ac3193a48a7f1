"""Hooks: programs of the user's that a host runs with data, for a limited time, in a clean environment. Pure."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from math import ceil
from typing import Any
from zlib import crc32

from miyabi.host_paths import refuse_path
from miyabi.shell import HostText
from miyabi.spec import Pairs
from miyabi.units import parse_duration

# Seconds that a hook has unless it is given others, and the most that it can be given.
TIMEOUT = 30
LONGEST = 3600

# What makes programs load code, or read their own text differently. A hook that needs one sets it itself.
_LOADING = re.compile(
    r"(LD|DYLD)_.*|PYTHON.*|PERL5(OPT|LIB|DB)|PERLLIB|NODE_(OPTIONS|PATH)|RUBY(OPT|LIB)|LUA_(PATH|CPATH|INIT).*|BASH_ENV"
    r"|BASH_FUNC.*|BASHOPTS|SHELLOPTS|ENV|IFS|PS4|PROMPT_COMMAND|GCONV_PATH|LOCPATH|GLIBC_TUNABLES|_?JAVA_(TOOL_)?OPTIONS"
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")

# What the hook itself is told by.
_OWN = "CLAUDE_HOOK_"


@dataclass(frozen=True, slots=True)
class Hook:
    """One run of a hook.

    + words: the program and its arguments
    + data: JSON for its stdin; None is an empty stdin
    + timeout: whole seconds
    + cwd: where it runs; None is the home directory
    + environment: variables of its own; ``$NAME`` in their values is the host's
    + session: the id of the session that it is about
    """

    words: tuple[str | HostText, ...]
    data: str | None = field(default=None, repr=False)
    timeout: int = TIMEOUT
    cwd: str | None = None
    environment: Pairs = field(default=(), repr=False)
    session: str = ""

    @property
    def command(self) -> str:
        """The command line, for the user."""
        return " ".join(self._texts)

    @property
    def program(self) -> str:
        """The program, for the user: its arguments are nobody else's affair."""
        return self._texts[0]

    @property
    def name(self) -> str:
        """What its history is called on the host: every command line has one of its own."""
        program = _UNSAFE.sub("_", self.program.rpartition("/")[2])[:40]
        return f"{program}-{crc32(shlex.join(self._texts).encode(errors='replace')):08x}"

    @property
    def digest(self) -> str:
        """By what a run is known that does the same as another one."""
        told = repr((self.words, self.data, self.cwd, self.environment))
        return sha256(told.encode(errors="replace")).hexdigest()[:16]

    @property
    def _texts(self) -> tuple[str, ...]:
        return tuple(each if isinstance(each, str) else each.text for each in self.words)


def hook_of(
    path: object,
    data: Any = None,
    timeout: float | str = TIMEOUT,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
) -> Hook | str:
    """The hook that an operation's arguments mean, or why they mean none.

    + path: an executable file or a command line; it is split as a shell would, and no shell reads it; ``~`` and
      ``$NAME`` in it are the host's
    + data: what JSON can hold
    + timeout: seconds, or text such as ``5m``
    """
    words = _words(path)
    if isinstance(words, str):
        return words
    try:
        seconds = ceil(parse_duration(timeout))
    except (TypeError, ValueError) as error:
        return f"timeout is {timeout!r}; allowed: {error}"
    if not 1 <= seconds <= LONGEST:
        return f"timeout is {timeout!r}; allowed: from 1 s to {LONGEST} s"
    pairs = tuple((env or {}).items())
    reason = (None if cwd is None else refuse_path(cwd)) or _refuse_environment(pairs)
    if reason is not None:
        return reason
    try:
        # In ASCII: any connection carries it, and any text in it.
        told = None if data is None else json.dumps(data, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        return f"its data cannot be written as JSON: {error}"
    return Hook(words, told, seconds, cwd, pairs, _session(data))


def _words(path: object) -> tuple[HostText, ...] | str:
    if not isinstance(path, str) or not path.strip():
        return "a hook is an executable file or a command line, such as ~/.claude/hooks/check.sh"
    if "\0" in path:
        return f"the hook {path!a} holds a null character"
    try:
        words = shlex.split(path)
    except ValueError:
        # An unbalanced quote is part of a name, then.
        words = path.split()
    if not words or not words[0]:
        return f"the hook {path!a} names no program"
    return tuple(map(HostText, words))


def _refuse_environment(pairs: Sequence[tuple[Any, Any]]) -> str | None:
    for name, value in pairs:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            return f"env holds {name!r}; allowed are names of letters, digits and _"
        if _LOADING.fullmatch(name) or name.startswith(_OWN):
            return f"env holds {name}, which a hook is never given: let the hook set it itself if it needs it"
        if not isinstance(value, str) or "\0" in value:
            return f"the value of {name} in env must be text without null characters"
    return None


def _session(data: Any) -> str:
    session = data.get("session_id") if isinstance(data, dict) else None
    # It becomes a variable of the environment, which holds no null character.
    return session.replace("\0", "").encode(errors="ignore").decode() if isinstance(session, str) else ""
