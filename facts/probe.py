"""The probe: one POSIX shell script that observes a host in one execution, made of sections.

Each section is a piece of shell and a pure parser. The script runs on dash, bash 3.2, zsh as sh, mksh and busybox,
needs no root, and ends every section with a marker that carries the section's exit code, so that "empty" and "did not
run" differ.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from zlib import crc32

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase
from typing_extensions import override

from miyabi.bounded import BOUNDED
from miyabi.errors import ParseError
from miyabi.shell import TEMPORARY_FOLDER

T = TypeVar("T")

# Seconds that a section may let one command of its own take.
COMMAND_TIMEOUT = 5

_BEGIN = "##miyabi:begin"
_END = "##miyabi:end"
_END_LINE = re.compile(rf"^{_END} (\w+) (\d+)$")

# `shown` prints text without a byte that is not printable ASCII: pyinfra dies of one that is not UTF-8.
_PRELUDE = rf"""LC_ALL=C; export LC_ALL; unset TMUX TMUX_PANE
PATH="$PATH:/opt/homebrew/bin:/usr/local/bin:$HOME/.local/bin:${{PREFIX:-/usr}}/bin:/usr/sbin:/sbin"; export PATH
{TEMPORARY_FOLDER}
{BOUNDED}
shown() {{ case $1 in *[!\ -~"
"]*) printf '%s\n' "$1" | tr -c '\n -~' '?';; *) printf '%s\n' "$1";; esac; }}"""


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

    @abstractmethod
    def section(self) -> Section[T]:
        """The section that this fact runs alone."""

    @override
    def process(self, output: list[str]) -> T:
        """Parse the probe's output; what is unknown becomes ``FactProcessError`` with the reason."""
        section = self.section()
        try:
            return read_section(section, split_sections(output))
        except ParseError as error:
            raise FactProcessError(f"{section.title} is unknown: {error}") from error
