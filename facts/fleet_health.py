"""What is not as the spec wants it, on each host of a fleet: a question that changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from time import time
from typing import TYPE_CHECKING, Any, TypeVar

from pyinfra.api import FactBase
from pyinfra.api.exceptions import FactProcessError
from pyinfra.context import ctx_host
from typing_extensions import override

from facts.clock import clock_section
from facts.daemons import daemons_section
from facts.disk import disk_section
from facts.files import config_section, prunable_section
from facts.host import host_sections, state_of
from facts.host_kinds import host_kinds
from facts.host_spec import host_spec
from facts.logs import logs_section
from facts.memory import memory_section
from facts.observation import Unknown
from facts.own_processes import own_processes_section
from facts.platform import host_section
from facts.probe import Section, probe_script, read_section, split_sections
from facts.processes import processes_section
from facts.sshd import sshd_section
from facts.upkeep import upkeep_sections
from miyabi import state
from miyabi.errors import MiyabiError, ParseError
from miyabi.health import FleetHealth, Found, judge_host, unknown_found
from miyabi.limits import (
    PHANTOM_LIMIT,
    PHANTOM_WARNING,
    Judgement,
    judge_clock,
    judge_disk,
    judge_memory,
    judge_processes,
    phantoms,
)
from miyabi.orchestration.rules import Orchestration
from miyabi.spec import Limits, Spec
from miyabi.upkeep_judgement import judge_config, judge_limit, judge_logs, judge_server, judge_sshd, judge_temp

if TYPE_CHECKING:
    from miyabi.orchestration.workspace import SeenWorkspace

T = TypeVar("T")

# A subject, the section that tells of it, and what its answer means.
_Question = tuple[str, Section[Any], Callable[[Any], Found | None]]


class Drifts(FactBase[FleetHealth]):
    """Return what is not as the host's spec wants it, by one execution that changes nothing.

    The tmux fleet is judged as ``deploys/recover.py`` does; so is what upkeep looks at, as far as one look tells: a
    configuration file that has changed since its last backup, and the spec's ``integrations``, are not judged here.

    None, with an error on the host, means that the host did not run the probe, or that its spec cannot be read.

    .. code:: python

        FleetHealth(
            health="drift",
            reason="work:main.kaede exited with status 1",
            drifts=(Found("work:main.kaede", "pane-dead", "L1", "exited with status 1"),),
            observation=Numbers(disk_used=41.3, sessions=1, agents={"work:main.kaede": "dead"}),
        )

    **Example:**

    .. code:: shell

        pyinfra inventory fact facts.fleet_health.Drifts
    """

    def __init__(self) -> None:
        self._asked = 0.0

    @override
    def command(self) -> str:
        """The probe with everything that the host's spec is about."""
        self._asked = time()
        wanted = _spec()
        # An error here would end the run for all hosts: `process` tells it, for this one.
        return probe_script([host_section()] if isinstance(wanted, str) else _sections(wanted).values())

    @override
    def process(self, output: list[str]) -> FleetHealth:
        """Judge what the sections tell; one that did not end leaves the others as they are."""
        wanted, found = _spec(), split_sections(output)
        if isinstance(wanted, str):
            raise FactProcessError(wanted)
        if not found:
            raise FactProcessError("the host did not run the probe")
        answers = {title: _read(section, found) for title, section in _sections(wanted, asked=True).items()}
        ladder = {section.title for section in _ladder(wanted)}
        seen = state_of({title: each for title, each in answers.items() if title in ladder})
        upkeep = _upkeep(wanted, answers, seen, (self._asked, time()))
        return judge_host(wanted, seen, upkeep, host_kinds(ctx_host.get()) if seen.agents else {})


def _spec() -> Spec | str:
    """The current host's spec, or why there is none."""
    if not ctx_host.isset():
        return "no host is asked"
    try:
        return host_spec(ctx_host.get())
    except MiyabiError as error:
        return str(error)


def _sections(wanted: Spec, *, asked: bool = False) -> dict[str, Section[Any]]:
    """What to ask by title: the ladder's sections and those of upkeep have some in common."""
    sections = (*_ladder(wanted), *upkeep_sections(wanted), *_workspaces(wanted, asked=asked))
    return {section.title: section for section in sections}


def _workspaces(wanted: Spec, *, asked: bool) -> list[Section[Any]]:
    if not wanted.orchestration:
        return []
    from facts.workspace import known_section  # noqa: PLC0415 - only a fleet with orchestrations pays for it

    return [known_section(ctx_host.get(), rules, asked=asked) for rules in wanted.orchestration]


def _ladder(wanted: Spec) -> list[Section[Any]]:
    """The ladder's sections, which mark nothing: a question changes nothing."""
    return host_sections(ctx_host.get(), wanted, marks=False)


def _read(section: Section[T], found: Mapping[str, tuple[int, list[str]]]) -> T | Unknown:
    try:
        return read_section(section, found)
    except ParseError as error:
        return Unknown(str(error))


def _upkeep(wanted: Spec, answers: Mapping[str, Any], seen: state.Host, asked: tuple[float, float]) -> Iterator[Found]:
    for subject, section, judge in (*_limits(wanted.limits, seen, asked), *_things(wanted)):
        answer = answers[section.title]
        told = unknown_found(subject, answer.reason) if isinstance(answer, Unknown) else judge(answer)
        if told is not None:
            yield told


def _limits(limits: Limits | None, seen: state.Host, asked: tuple[float, float]) -> Iterator[_Question]:
    """What to judge of a host's resources."""
    if limits is None:
        return
    disk, memory, processes = limits.disk, limits.memory_available, limits.processes
    judges: list[tuple[str, Section[Any], Callable[[Any], Judgement]]] = [
        ("disk", disk_section(disk.path), lambda it: judge_disk(it, disk.warning, disk.critical)),
        ("memory", memory_section(), lambda it: judge_memory(it, memory.warning, memory.critical)),
        ("clock", clock_section(), lambda it: judge_clock(it, asked, limits.clock_skew)),
    ]
    if processes is not None:
        judges.append(
            (
                "processes",
                own_processes_section(),
                lambda it: judge_processes(it, processes.warning, processes.critical),
            )
        )
    elif seen.platform == "termux":
        judges.append(
            ("processes", processes_section(), lambda it: judge_processes(phantoms(it), PHANTOM_WARNING, PHANTOM_LIMIT))
        )
    for subject, section, judge in judges:
        yield subject, section, partial(_judge_limit, judge)


def _judge_limit(judge: Callable[[T], Judgement], answer: T) -> Found | None:
    return judge_limit(judge(answer))


def _things(wanted: Spec) -> Iterator[_Question]:
    """What to judge of what the fleet stands on."""
    for temp in wanted.temp:
        yield f"temp {temp.path}", prunable_section(temp.path, temp.older_than), partial(judge_temp, temp)
    for log in wanted.logs:
        yield f"log {log.path}", logs_section(log.path, log.max_size), partial(judge_logs, log)
    for file in wanted.config_files:
        yield f"config {file.path}", config_section(file.path, file.format), partial(judge_config, file)
    if wanted.sshd is not None:
        yield "sshd", sshd_section(wanted.sshd.port), judge_sshd
    for server in wanted.mcp_servers:
        section = daemons_section(server.name, server.match, server.port)
        yield f"server {server.name}", section, partial(judge_server, server)
    if wanted.orchestration:
        # Only a fleet with orchestrations pays for it.
        from facts.workspace import known_section  # noqa: PLC0415

        for rules in wanted.orchestration:
            question = known_section(ctx_host.get(), rules, asked=True)
            yield f"orchestration {rules.workspace}", question, partial(_judge_state, rules)


def _judge_state(rules: Orchestration, seen: SeenWorkspace) -> Found | None:
    from facts.workspace import checked_workspace  # noqa: PLC0415 - as above
    from miyabi.orchestration.report_words import judge_orchestration  # noqa: PLC0415

    if seen.trouble:
        return unknown_found(f"orchestration {rules.workspace}", seen.trouble)
    return judge_orchestration(rules, *checked_workspace(ctx_host.get().name, rules, seen, (None, None, None)))
