"""Disk, memory, processes and clock of a host against limits, with what may be done when one is critical."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pyinfra import host

from facts.clock import clock_section
from facts.disk import disk_section
from facts.memory import memory_section
from facts.observation import Unknown, ask, ask_together, asked_between, forget
from facts.own_processes import own_processes_section
from facts.platform import host_section
from facts.probe import Section
from facts.processes import processes_section
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
from miyabi.spec import McpServer, Relief
from miyabi.state import Disk, Memory
from miyabi.units import parse_duration, parse_percentage
from operations.gate import operation
from operations.refusal import refusal
from operations.upkeep import note, warn

if TYPE_CHECKING:
    from pyinfra.api import Host
    from pyinfra.api.command import PyinfraCommand

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Measure(Generic[T]):
    """How a resource is measured.

    + value: in percent, of what ``section`` tells
    + critical: the value that it is judged by
    """

    section: Section[T]
    judge: Callable[[T], Judgement]
    value: Callable[[T], float]
    critical: float

    def seen_anew(self, target: Host) -> T | Unknown:
        """The resource as it is now."""
        forget(target, self.section.title)
        return ask(target, self.section)


def limits_sections(disk_path: str = "~", *, processes: bool = False) -> list[Section[Any]]:
    """What ``within`` asks of every host.

    + processes: whether a limit of processes is given
    """
    sections: list[Section[Any]] = [host_section(), disk_section(disk_path), memory_section(), clock_section()]
    return [*sections, own_processes_section()] if processes else sections


@operation()
def within(
    disk_path: str = "~",
    disk_warning: float | str = 85,
    disk_critical: float | str = 90,
    memory_warning: float | str = 15,
    memory_critical: float | str = 10,
    processes_warning: int | None = None,
    processes_critical: int | None = None,
    clock_skew: float | str = 30,
    disk_relief: Sequence[Relief | Mapping[str, Any]] = (),
    memory_relief: Sequence[Relief | Mapping[str, Any]] = (),
    servers: Sequence[McpServer] = (),
    disk_prevent: float | str | None = None,
    memory_prevent: float | str | None = None,
) -> Generator[PyinfraCommand]:
    """Tell what is beyond its limits on a host; what is critical is relieved as the caller says, and no other way.

    + disk_path: a path on the disk to look at; a leading ``~`` is the user's home on the host
    + disk_warning, disk_critical: percent of used space from which it is a warning, or critical
    + memory_warning, memory_critical: percent of available memory below which it is a warning, or critical
    + processes_warning, processes_critical: numbers of the user's own processes; None is Android's limit in Termux (24
      and 32), and none elsewhere
    + clock_skew: seconds, or text such as ``1m``, that the host's clock may be from the control machine's
    + disk_relief, memory_relief: what may be done when it is critical, in this order, until it no longer is: each a
      ``miyabi.spec.Relief`` or a mapping of its fields
    + servers: those that a relief may restart, by their names
    + disk_prevent, memory_prevent: seconds, or text such as ``24h``, before it is foretold to be critical from which
      its relief is done already; None is never

    A warning changes nothing and fails nothing. What is critical fails the operation, unless a relief helps; so does
    what could not be told.

    **Example:**

    .. code:: python

        from miyabi.spec import Relief
        from operations import limits

        limits.within(
            name="Within limits",
            disk_critical="95%",
            disk_relief=[Relief("prune", "~/.cache/pip/*", older_than=86400)],
        )
    """
    try:
        disk = _percentages(disk_warning, disk_critical, "disk")
        memory = _percentages(memory_warning, memory_critical, "memory")
        _require_order(disk, "disk: a warning above the critical value comes too late")
        _require_order(memory[::-1], "memory: a warning below the critical value comes too late")
        limit = _process_limit(processes_warning, processes_critical)
        skew = _read(parse_duration, clock_skew, "clock_skew")
        _read(str.isprintable, disk_path, "disk_path")
        for_disk, for_memory = _reliefs(disk_relief), _reliefs(memory_relief)
        _require_servers((*for_disk, *for_memory), servers)
        disk_ahead = None if disk_prevent is None else _read(parse_duration, disk_prevent, "disk_prevent")
        memory_ahead = None if memory_prevent is None else _read(parse_duration, memory_prevent, "memory_prevent")
    except ValueError as error:
        yield refusal(f"limits: {error}")
        return
    ask_together(host, limits_sections(disk_path, processes=limit is not None))
    reports = [*_reports("processes", _judge_processes(limit)), *_reports("clock", _judge_clock(skew))]
    reliefs: list[Generator[PyinfraCommand]] = []
    of_disk = Measure(disk_section(disk_path), lambda seen: judge_disk(seen, *disk), _used, disk[1])
    of_memory = Measure(memory_section(), lambda seen: judge_memory(seen, *memory), _available, memory[1])
    resources: list[tuple[str, Measure[Any], tuple[Relief, ...], float | None]] = [
        ("disk", of_disk, for_disk, disk_ahead),
        ("memory", of_memory, for_memory, memory_ahead),
    ]
    for subject, what, relief, ahead in resources:
        seen = ask(host, what.section)
        judged = seen if isinstance(seen, Unknown) else what.judge(seen)
        is_critical = isinstance(judged, Judgement) and judged.grade == "critical"
        if relief and isinstance(judged, Judgement) and (is_critical or ahead is not None):
            reliefs += _relief(judged, seen, what, relief, servers, ahead)
        if not (relief and is_critical):
            reports += _reports(subject, judged)
    for each in reliefs:
        yield from each
    if reports:
        yield refusal("; ".join(reports))
    elif not reliefs:
        host.noop("disk, memory, processes and clock are looked after")


def _relief(
    judged: Judgement,
    seen: T,
    what: Measure[T],
    reliefs: Sequence[Relief],
    servers: Sequence[McpServer],
    ahead: float | None,
) -> list[Generator[PyinfraCommand]]:
    """What is to be done about a resource that is critical, or foretold to be: [] when that is nothing."""
    # Only who has something to do, or wants to foresee it, pays for it.
    from operations.relief import relieve  # noqa: PLC0415

    if judged.grade == "critical":
        return [relieve(judged, what, reliefs, servers)]
    from operations.prevention import foreseen, prevent  # noqa: PLC0415

    if ahead is None or (crossing := foreseen(host, judged.subject, what.critical, ahead)) is None:
        return []
    return [prevent(judged, what.value(seen), what, reliefs, servers, crossing, ahead)]


def _used(seen: Disk) -> float:
    return seen.used_percent


def _available(seen: Memory) -> float:
    return seen.available_percent


def _read(parse: Callable[[Any], T], value: object, name: str) -> T:
    """What ``parse`` makes of an argument; ``ValueError`` names the argument that it could not read."""
    try:
        return parse(value)
    except TypeError:
        raise ValueError(f"{name} {value!r}: that is no {'text' if name == 'disk_path' else 'number'}") from None
    except ValueError as error:
        raise ValueError(f"{name} {value!r}: allowed: {error}") from None


def _percentages(warning: float | str, critical: float | str, subject: str) -> tuple[float, float]:
    return _read(parse_percentage, warning, f"{subject}_warning"), _read(
        parse_percentage, critical, f"{subject}_critical"
    )


def _require_order(limits: tuple[float, float], problem: str) -> None:
    if limits[0] > limits[1]:
        raise ValueError(problem)


def _process_limit(warning: int | None, critical: int | None) -> tuple[int, int] | None:
    if warning is None and critical is None:
        return None
    limit = (PHANTOM_WARNING if warning is None else warning, PHANTOM_LIMIT if critical is None else critical)
    if any(type(each) is not int for each in limit) or not 1 <= limit[0] <= limit[1]:
        raise ValueError(f"processes {limit}: allowed: whole numbers from 1, the warning not above the critical one")
    return limit


def _reliefs(given: Sequence[Relief | Mapping[str, Any]]) -> tuple[Relief, ...]:
    try:
        reliefs = tuple(each if isinstance(each, Relief) else Relief(**each) for each in given)
    except TypeError as error:
        raise ValueError(f"relief {given!r}: {error}") from None
    for relief in reliefs:
        if relief.does not in {"prune", "rotate", "restart"}:
            raise ValueError(f"relief {relief.does!r}: allowed: prune, rotate, restart")
    return reliefs


def _require_servers(reliefs: Sequence[Relief], servers: Sequence[McpServer]) -> None:
    known = {server.name for server in servers}
    for relief in reliefs:
        if relief.does == "restart" and relief.target not in known:
            raise ValueError(f"the relief restarts {relief.target}, which is none of the servers given")


def _judged(section: Section[T], judge: Callable[[T], Judgement]) -> Judgement | Unknown:
    seen = ask(host, section)
    return seen if isinstance(seen, Unknown) else judge(seen)


def _judge_processes(limit: tuple[int, int] | None) -> Judgement | Unknown | None:
    """None where nobody set a limit, and Android has none."""
    if limit is not None:
        return _judged(own_processes_section(), lambda count: judge_processes(count, *limit))
    identity = ask(host, host_section())
    if isinstance(identity, Unknown) or identity.platform != "termux":
        return None
    return _judged(processes_section(), lambda seen: judge_processes(phantoms(seen), PHANTOM_WARNING, PHANTOM_LIMIT))


def _judge_clock(skew: float) -> Judgement | Unknown:
    return _judged(clock_section(), lambda told: judge_clock(told, asked_between(host, clock_section()), skew))


def _reports(subject: str, judged: Judgement | Unknown | None) -> list[str]:
    """Say what is to be said of a subject; what must fail the operation is returned."""
    if isinstance(judged, Unknown) or (judged is not None and judged.grade == "critical"):
        reason = f"unknown: {judged.reason}" if isinstance(judged, Unknown) else judged.evidence
        note(host, subject, "failed", reason)
        return [f"{subject}: {reason}"]
    if judged is not None and judged.grade == "warning":
        warn(host, subject, judged.evidence)
    return []
