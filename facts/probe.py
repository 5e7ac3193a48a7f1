"""The probe: one POSIX shell script that observes a host in one execution, made of sections.

Each section is a piece of shell and a pure parser. The script runs on dash, bash 3.2, zsh as sh, mksh and busybox,
needs no root, and ends every section with a marker that carries the section's exit code, so that "empty" and "did not
run" differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from zlib import crc32

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase
from typing_extensions import override

from miyabi.errors import ParseError

T = TypeVar("T")

# Seconds that a section may let one command of its own take.
COMMAND_TIMEOUT = 5

_BEGIN = "##miyabi:begin"
_END = "##miyabi:end"
_END_LINE = re.compile(rf"^{_END} (\w+) (\d+)$")

# macOS has no `timeout`: there perl's alarm outlives its exec, and where there is no perl either, a watcher looks every
# second; its sleep must not outlive it, hence the trap. Each way ends in 124 as GNU's `timeout` does: the alarm's own
# code is 142, that of busybox's `timeout` 143, that of a kill 137.
# `shown` prints text without a byte that is not printable ASCII: pyinfra dies of one that is not UTF-8.
_PRELUDE = r"""LC_ALL=C; export LC_ALL; unset TMUX TMUX_PANE
PATH="$PATH:/opt/homebrew/bin:/usr/local/bin:$HOME/.local/bin:${PREFIX:-/usr}/bin:/usr/sbin:/sbin"; export PATH
if command -v timeout >/dev/null 2>&1; then limited() { timeout "$@"; }
elif command -v perl >/dev/null 2>&1; then limited() { perl -e 'alarm shift; exec @ARGV or exit 127' "$@"; }
else limited() {
  _limit=$1; shift; "$@" & _pid=$!
  (exec >/dev/null 2>&1; trap 'kill -9 "$!"; exit' TERM
  while kill -0 "$_pid"; do
    [ "$_limit" -gt 0 ] || kill -9 "$_pid"; _limit=$((_limit - 1)); sleep 1 & wait "$!"
  done) & _watch=$!
  wait "$_pid" 2>/dev/null; _code=$?; kill "$_watch" 2>/dev/null; wait "$_watch" 2>/dev/null; return "$_code"
}; fi
bounded() { limited "$@"; _code=$?; case $_code in 137|142|143) return 124;; esac; return "$_code"; }
shown() { case $1 in *[!\ -~"
"]*) printf '%s\n' "$1" | tr -c '\n -~' '?';; *) printf '%s\n' "$1";; esac; }"""


@dataclass(frozen=True, slots=True, repr=False)
class Section(Generic[T]):
    """One subject of the probe.

    + title: one word, unique in a probe
    + script: POSIX shell; its exit code other than 0 means that the subject is unknown, and its last line says why
    + parse: turns its output lines into the subject's state, or raises ``ParseError``
    """

    title: str
    script: str
    parse: Callable[[list[str]], T]

    @override
    def __repr__(self) -> str:
        # pyinfra shows the arguments of facts.
        return self.title


def keyed_section(subject: str, script: str, parse: Callable[[list[str]], T]) -> Section[T]:
    """A section of which a probe may have several, told apart by what they ask.

    + subject: the first word of its title, by which ``facts.observation.forget`` knows all of them
    """
    return Section(f"{subject}_{crc32(script.encode(errors='replace')):08x}", script, parse)


def probe_script(sections: Iterable[Section[Any]]) -> str:
    """The shell text that runs ``sections`` in one execution; it always exits with 0."""
    parts = [
        f"echo '{_BEGIN} {section.title}'\n( {section.script}\n) 2>&1 </dev/null\necho \"{_END} {section.title} $?\""
        for section in sections
    ]
    return "\n".join([_PRELUDE, *parts, "exit 0"])


def split_sections(lines: list[str]) -> dict[str, tuple[int, list[str]]]:
    """The output of a probe as ``{title: (exit code, lines)}``; a section without its end marker is left out."""
    found: dict[str, tuple[int, list[str]]] = {}
    title: str | None = None
    body: list[str] = []
    for line in lines:
        if title is None:
            if line.startswith(f"{_BEGIN} "):
                title, body = line.removeprefix(f"{_BEGIN} "), []
            continue
        # A section whose last line has no newline has the marker glued to it.
        head, marker, tail = line.rpartition(_END)
        end = _END_LINE.match(marker + tail) if marker else None
        if end is not None and end.group(1) == title:
            if head:
                body.append(head)
            found[title] = (int(end.group(2)), body)
            title = None
        else:
            body.append(line)
    return found


def read_section(section: Section[T], found: Mapping[str, tuple[int, list[str]]]) -> T:
    """What ``section`` saw; raises ``ParseError`` with the reason when that is unknown."""
    if section.title not in found:
        raise ParseError("the probe ended before it got there")
    code, lines = found[section.title]
    if code == 124:
        raise ParseError(f"no answer within {COMMAND_TIMEOUT} s")
    if code != 0:
        reason = next((line.strip() for line in reversed(lines) if line.strip()), "no output")
        raise ParseError(f"exit code {code}: {reason}")
    try:
        return section.parse(lines)
    except (ValueError, IndexError, KeyError) as error:
        raise ParseError(f"unexpected output: {error}") from error


class SectionFact(FactBase[T]):
    """The base of the facts that observe one subject; a subclass says which section in ``section``."""

    def section(self) -> Section[T]:
        """The section that this fact runs alone."""
        raise NotImplementedError  # pragma: no cover

    @override
    def process(self, output: list[str]) -> T:
        """Parse the probe's output; what is unknown becomes ``FactProcessError`` with the reason."""
        section = self.section()
        try:
            return read_section(section, split_sections(output))
        except ParseError as error:
            raise FactProcessError(f"{section.title} is unknown: {error}") from error
