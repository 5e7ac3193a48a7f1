"""What was measured, as tables, and the targets beside it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from typing_extensions import override

from benchmarks import noop, rebuild
from benchmarks.measure import Contender

Table = Sequence[Contender]

# How many times longer Ansible may take, by the number of hosts.
_ANSIBLE_TARGETS = {1: 4, 10: 8, 50: 25}


@dataclass(frozen=True, slots=True)
class Target:
    """A ratio that is wanted.

    + value: the ratio that was measured; None when it was not
    + at_most: whether it is a limit from above
    """

    text: str
    value: float | None
    limit: float
    at_most: bool = True

    @override
    def __str__(self) -> str:
        wanted = f"{'at most' if self.at_most else 'at least'} {self.limit:g}"
        if self.value is None:
            return f"| {self.text} | - | {wanted} | not measured |"
        reached = self.value <= self.limit if self.at_most else self.value >= self.limit
        return f"| {self.text} | {self.value:.2f} | {wanted} | {'reached' if reached else 'NOT reached'} |"


def noop_targets(tables: Mapping[int, Table]) -> list[Target]:
    """The targets of a run without changes.

    + tables: the contenders by the number of hosts
    """
    found = []
    for count, table in tables.items():
        hosts = "1 host" if count == 1 else f"{count} hosts"
        ours, cold, ansible = (_wall(table, name) for name in (noop.OURS, noop.COLD, noop.ANSIBLE))
        for name, text in ((noop.TRIVIAL, "one trivial fact"), (noop.PROBE, "our probe as a fact")):
            found += [
                Target(f"{hosts}: wall, ours / {text}", _ratio(ours, _wall(table, name)), 1.2),
                Target(
                    f"{hosts}: client CPU, ours / {text}",
                    _ratio(_processor(table, noop.OURS), _processor(table, name)),
                    1.2,
                ),
            ]
        if count in _ANSIBLE_TARGETS:
            text = f"{hosts}: wall, ansible-core / ours"
            found.append(Target(text, _ratio(ansible, ours), _ANSIBLE_TARGETS[count], at_most=False))
        if count >= 50:
            found.append(Target(f"{hosts}: wall, ours / plain OpenSSH", _ratio(ours, cold), 1.4))
        most = max((sample.executions for sample in _find(table, noop.OURS).samples), default=None)
        found.append(Target(f"{hosts}: executions per host", most, 1))
    return found


def rebuild_targets(table: Table) -> list[Target]:
    """The targets of a rebuild."""
    call, hand = _wall(table, rebuild.OUR_CALL), _wall(table, rebuild.HAND)
    over_ssh, tmuxp = _wall(table, rebuild.OUR_CALL_SSH), _wall(table, rebuild.TMUXP)
    return [
        Target("our client call / by hand", _ratio(call, hand), 1.5),
        Target(
            "our client call / by hand, each with one connection",
            _ratio(over_ssh, _wall(table, rebuild.HAND_SSH)),
            1.5,
        ),
        Target("tmuxp load / our client call", _ratio(tmuxp, call), 5, at_most=False),
        Target("tmuxp load / our client call over one connection", _ratio(tmuxp, over_ssh), 5, at_most=False),
    ]


def _find(table: Table, name: str) -> Contender:
    return next(each for each in table if each.name == name)


def _wall(table: Table, name: str) -> float | None:
    return next((each.middle(lambda sample: sample.wall) for each in table if each.name == name), None)


def _processor(table: Table, name: str) -> float | None:
    return next((each.middle(lambda sample: sample.processor) for each in table if each.name == name), None)


def _ratio(value: float | None, base: float | None) -> float | None:
    return None if value is None or not base else value / base


def noop_table(table: Table) -> str:
    """The contenders of a run without changes, against ours."""
    lines = [
        "| | runs | wall, s | (from - to) | of ours | client CPU, s | of ours | connections | executions |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for each in table:
        processor, own = _processor(table, each.name), _processor(table, noop.OURS)
        counts = [each.middle(lambda sample: sample.connections), each.middle(lambda sample: sample.executions)]
        lines.append(
            f"| {each.name} | {len(each.samples)} | {_wall_cells(each)} "
            f"| {_times(_wall(table, each.name), _wall(table, noop.OURS))} "
            f"| {_number(processor)} | {_times(processor, own)} "
            f"| {' | '.join('-' if count is None else f'{count:g}' for count in counts)} |"
        )
    return "\n".join(lines)


def rebuild_table(table: Table) -> str:
    """The contenders of a rebuild, against a client call written by hand."""
    lines = ["| | runs | wall, s | (from - to) | by hand = 1 | all panes there after, s |", "|---|--:|--:|--:|--:|--:|"]
    hand = _wall(table, rebuild.HAND)
    lines += [
        f"| {each.name} | {len(each.samples)} | {_wall_cells(each)} "
        f"| {_times(_wall(table, each.name), hand)} | {_number(each.middle(lambda sample: sample.there))} |"
        for each in table
    ]
    return "\n".join(lines)


def target_table(targets: Sequence[Target]) -> str:
    """The targets, reached or not."""
    return "\n".join(["| target | measured | wanted | |", "|---|--:|---|---|", *map(str, targets)])


def _wall_cells(each: Contender) -> str:
    walls = [sample.wall for sample in each.samples]
    spread = f"{min(walls):.2f} - {max(walls):.2f}" if walls else "-"
    return f"{_number(each.middle(lambda sample: sample.wall))} | {spread}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if value < 1 else f"{value:.2f}"


def _times(value: float | None, base: float | None) -> str:
    ratio = _ratio(value, base)
    return "-" if ratio is None else f"{ratio:.2f}"
