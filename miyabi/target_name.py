"""What a human means by a target: a host, something in its tmux fleet, or something that this stands on. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from typing_extensions import override

from miyabi.drift import Target
from miyabi.errors import TargetError
from miyabi.gate_pauses import is_within
from miyabi.spec import Spec
from miyabi.spec_document import nearest

# The whole fleet.
ALL = "all"

# How many names an error lists.
_TOLD = 12


@dataclass(frozen=True, slots=True)
class TargetName:
    """A target of the fleet.

    + host: its name in the inventory; "" is the whole fleet
    + target: as ``miyabi.drift.Target`` is written, or an upkeep subject; "" is the whole host
    """

    host: str
    target: str = ""

    @override
    def __str__(self) -> str:
        return f"{self.host}:{self.target}" if self.target else self.host or ALL


@dataclass(frozen=True, slots=True)
class Known:
    """What a target may be.

    + specs: the hosts of the inventory, each with its spec (None when it has none that can be read)
    + groups: other names for hosts, such as ``control`` for ``@local``: the groups that hold one host alone
    + more: targets that were known earlier, by host
    """

    specs: Mapping[str, Spec | None]
    groups: Mapping[str, str]
    more: Mapping[str, tuple[str, ...]]

    def targets(self, host: str) -> tuple[str, ...]:
        """Everything on ``host`` that has a name."""
        wanted = self.specs.get(host)
        own = () if wanted is None else (*fleet_targets(wanted), *subjects(wanted))
        return tuple(dict.fromkeys((*own, *self.more.get(host, ()))))


def fleet_targets(wanted: Spec) -> Iterator[str]:
    """The sessions, windows and panes of a spec as targets are written."""
    for session in wanted.sessions:
        yield str(Target(session.session_name))
        for window in session.windows:
            yield str(Target(session.session_name, window.name))
            for pane in window.panes:
                yield str(Target(session.session_name, window.name, pane.name))


def subjects(wanted: Spec) -> Iterator[str]:
    """The subjects of upkeep that a spec names."""
    if wanted.limits is not None:
        yield from ("disk", "memory", "processes", "clock")
    yield from (f"temp {each.path}" for each in wanted.temp)
    yield from (f"log {each.path}" for each in wanted.logs)
    yield from (f"config {each.path}" for each in wanted.config_files)
    if wanted.sshd is not None:
        yield "sshd"
    yield from (f"server {each.name}" for each in wanted.mcp_servers)
    yield from (f"integration {each.name}" for each in wanted.integrations)
    if wanted.termux.wake_lock:
        yield "wake lock"
    yield from (f"task {each.id}" for each in wanted.tasks)
    if wanted.workspaces.repositories:
        yield "workspaces"
    yield from (f"orchestration {each.workspace}" for each in wanted.orchestration)


def name_target(text: str, known: Known) -> TargetName:
    """The target that a human has written as ``text``.

    + text: ``all``, ``HOST``, ``HOST:session``, ``HOST:session:window.pane``, ``HOST:server mcp``; without a host, what
      only one host has; and instead of a pane's whole name that of the pane alone, when only one has it

    Raises ``TargetError`` with the nearest names when there is nothing of that name, or too much.
    """
    if text == ALL:
        return TargetName("")
    host, found, rest = _host_of(text, known)
    if found and not rest:
        return TargetName(host)
    hosts = [host] if found else list(known.specs)
    wanted = rest if found else text
    fitting = [TargetName(each, name) for each in hosts if wanted for name in _fitting(wanted, known.targets(each))]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise TargetError(f"{text}: there are several; write one of {', '.join(map(str, fitting[:_TOLD]))}")
    if found:
        raise TargetError(f"{text}: {host} has nothing of that name{_there(rest, known.targets(host))}")
    hosts_too = (*known.specs, *known.groups)
    targets = [(each, target) for each in known.specs for target in known.targets(each)]
    names = [name for host, target in targets for name in (str(TargetName(host, target)), *_all_names(target))]
    there = f"hosts: {', '.join(hosts_too) or 'none'}"
    raise TargetError(
        f"{text or repr(text)}: no such host or target; {there}{nearest(text, (ALL, *hosts_too, *names))}"
    )


def _host_of(text: str, known: Known) -> tuple[str, bool, str]:
    """The host that a text begins with, whether there is one, and what follows; the longest name wins."""
    names = {**{host: host for host in known.specs}, **known.groups}
    for name in sorted(names, key=len, reverse=True):
        if text == name or text.startswith(f"{name}:"):
            return names[name], True, text[len(name) + 1 :]
    return "", False, text


def _fitting(text: str, targets: Iterable[str]) -> list[str]:
    """The targets that a text names: as a whole; else panes by their name; else windows and subjects by theirs."""
    there = tuple(targets)
    ways: tuple[Callable[[str], bool], ...] = (
        lambda each: each == text,
        lambda each: text in _short_of_pane(each),
        lambda each: text == _short(each),
    )
    return next((found for way in ways if (found := [each for each in there if way(each)])), [])


def _short_of_pane(target: str) -> tuple[str, ...]:
    """What a pane may be called for short: its name, or that with its window's."""
    inside = target.partition(":")[2]
    window, dot, pane = inside.rpartition(".")
    return (pane, inside) if dot and window and " " not in target.partition(":")[0] else ()


def _short(target: str) -> str:
    """What a window or a subject may be called for short: its last part."""
    session, colon, rest = target.partition(":")
    if colon and " " not in session:
        return rest
    return target.partition(" ")[2]


def _all_names(target: str) -> tuple[str, ...]:
    return tuple(filter(None, (target, *_short_of_pane(target), _short(target))))


def _there(text: str, targets: tuple[str, ...]) -> str:
    if meant := nearest(text, [name for each in targets for name in _all_names(each)]):
        return meant
    more = f" and {len(targets) - _TOLD} more" if len(targets) > _TOLD else ""
    return f"; it has {', '.join(targets[:_TOLD]) or 'no targets'}{more}"


def covers(wide: TargetName, narrow: TargetName) -> bool:
    """Whether a target is another one or holds it: the fleet every host, a session its windows and panes."""
    return wide.host in {"", narrow.host} and is_within(narrow.target, wide.target)
