"""What a host answered, remembered until something changes it or pyinfra's stage moves on.

pyinfra asks again for each fact. Here everything that a run will want to know is asked in one execution, and an
operation that asks for a part of it finds the answer there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from time import time
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pyinfra.api.facts import FactBase
from typing_extensions import override

from facts.probe import Section, probe_script, read_section, split_sections
from miyabi.errors import ParseError

if TYPE_CHECKING:
    from pyinfra.api import Host

T = TypeVar("T")

# Seconds for a whole probe, as a last resort: each of its commands is bounded on the host itself.
PROBE_TIMEOUT = 60

_MEMORY = "miyabi_answers"
_EXPECTED = "miyabi_expected"


@dataclass(frozen=True, slots=True)
class Unknown:
    """What stands in place of an answer that could not be had; ``reason`` says why."""

    reason: str


@dataclass(slots=True)
class _Answer:
    """An answer, and between which two moments of the control machine's clock it was given."""

    title: str
    value: Any
    asked: tuple[float, float]


@dataclass(slots=True)
class _Memory:
    """The answers of one of pyinfra's stages, by the section's script: the same script is the same question."""

    stage: object
    answers: dict[str, _Answer] = field(default_factory=dict)


class Probe(FactBase[dict[str, tuple[int, list[str]]]]):
    """Return what sections printed, as ``{title: (exit code, lines)}``; for ``ask``, which reads and remembers it.

    + sections: what to run in one execution; two with the same script are one
    """

    @override
    def command(self, sections: tuple[Section[Any], ...]) -> str:
        """The probe with these sections."""
        return probe_script(sections)

    @override
    def process(self, output: list[str]) -> dict[str, tuple[int, list[str]]]:
        """Split the output; a section that did not end is left out."""
        return split_sections(output)


def expect(host: Host, sections: Iterable[Section[Any]]) -> None:
    """Have the first ``ask`` of each stage ask these, too: what a run will want to know costs one execution."""
    host.connector_data[_EXPECTED] = (*host.connector_data.get(_EXPECTED, ()), *sections)


def ask(host: Host, section: Section[T]) -> T | Unknown:
    """What ``section`` sees on ``host``: the remembered answer, or a new one.

    Every trouble of the host's is an ``Unknown`` with its reason; no exception and no failed host comes of it.
    """
    ask_together(host, (section,))
    return cast("T | Unknown", _memory(host).answers[section.script].value)


def ask_together(host: Host, sections: Iterable[Section[Any]]) -> None:
    """Ask all of ``sections`` that are not remembered, in one execution."""
    memory = _memory(host)
    wanted = {section.script: section for section in sections}
    if not memory.answers:
        wanted |= {section.script: section for section in host.connector_data.get(_EXPECTED, ())}
    missing = tuple(section for script, section in wanted.items() if script not in memory.answers)
    # A probe tells its sections apart by their titles: one port, or one disk, after the other.
    together = {section.title: section for section in reversed(missing)}
    _ask_now(host, memory, tuple(reversed(together.values())))
    for section in missing:
        if section is not together[section.title]:
            _ask_now(host, memory, (section,))


def _ask_now(host: Host, memory: _Memory, missing: tuple[Section[Any], ...]) -> None:
    if not missing:
        return
    before = time()
    found = host.get_fact(
        Probe,
        sections=missing,
        # A failing fact would fail the host and leave its operation running: the refusal is ours to make.
        _ignore_errors=True,
        _timeout=PROBE_TIMEOUT,
    )
    asked = (before, time())
    for section in missing:
        memory.answers[section.script] = _Answer(section.title, _read(section, found), asked)


def asked_between(host: Host, section: Section[Any]) -> tuple[float, float]:
    """The two moments, in seconds since the epoch on this machine, between which ``section`` was answered."""
    ask(host, section)
    return _memory(host).answers[section.script].asked


def is_remembered(host: Host, section: Section[Any]) -> bool:
    """Whether ``section`` would be answered without asking the host."""
    return section.script in _memory(host).answers


def forget(host: Host, *subjects: str) -> None:
    """Let the next ``ask`` of ``host`` look again: something changed it.

    + subjects: titles of sections, or their first words, such as ``tmux`` or ``log``
    """
    answers = host.connector_data[_MEMORY].answers if _MEMORY in host.connector_data else {}
    for script, answer in list(answers.items()):
        if answer.title in subjects or answer.title.partition("_")[0] in subjects:
            del answers[script]


def forget_everything(host: Host) -> None:
    """Let the next ``ask`` of ``host`` look at all anew: it was started anew."""
    host.connector_data.pop(_MEMORY, None)


def _memory(host: Host) -> _Memory:
    stage = host.state.current_stage
    memory = host.connector_data.get(_MEMORY)
    if memory is None or memory.stage != stage:
        memory = host.connector_data[_MEMORY] = _Memory(stage)
    return cast("_Memory", memory)


def _read(section: Section[T], found: dict[str, tuple[int, list[str]]] | None) -> T | Unknown:
    if found is None:
        return Unknown("the host did not answer the probe")
    try:
        return read_section(section, found)
    except ParseError as error:
        return Unknown(str(error))
