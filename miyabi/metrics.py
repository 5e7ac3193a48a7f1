"""How a fleet stands, as Prometheus scrapes it. Pure.

What is not known has no series: 0 is something else. What counts over a time that moves on, as ``Overview.days`` does,
is a gauge with ``window`` in its name: a counter must not go down.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from miyabi import __version__
from miyabi.agent_state import AgentCondition
from miyabi.cause_names import CAUSES
from miyabi.figures import HostCard, LevelFigures, Overview
from miyabi.masking import shown
from miyabi.records import Health, Severity

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

# What a scrape is answered with.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

DAY = 86400.0

HEALTHS: tuple[str, ...] = get_args(Health)
SEVERITIES: tuple[str, ...] = get_args(Severity)
OUTCOMES = ("clean", "restored", "held", "failed", "unfinished")
# What a supervised pane may be said to be; anything else is told as ``other``, so that there are never more series.
CONDITIONS: tuple[str, ...] = (*get_args(AgentCondition), "missing", "running")
OTHER = "other"

_Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Family:
    """One metric: its name, what it says, and its values by their labels; what has no value is left out."""

    name: str
    says: str
    values: Iterable[tuple[_Labels, float | None]]


def exposition(overview: Overview, now: float) -> str:
    """The fleet in the text format of Prometheus.

    + now: seconds since the epoch; told as the moment at which this was written
    """
    return _written([*_of_program(now, is_readable=not overview.trouble), *_families(overview)])


def exposition_without_history(now: float) -> str:
    """What is left to be said when the history cannot be read: that, and nothing of the fleet."""
    return _written(_of_program(now, is_readable=False))


def _written(families: Iterable[_Family]) -> str:
    # Dear to import, and not needed by who only names a metric.
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415

    registry = CollectorRegistry()
    registry.register(_Collector(list(families)))
    return generate_latest(registry).decode()


class _Collector:
    """What the registry asks: each family with its values."""

    def __init__(self, families: list[_Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """The families that have a value."""
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 - see above

        for family in self._families:
            metric = GaugeMetricFamily(family.name, family.says)
            told: set[tuple[tuple[str, str], ...]] = set()
            for labels, value in family.values:
                safe = {name: shown(each) for name, each in labels.items()}
                # The same series twice would cost the whole scrape.
                same = tuple(sorted(safe.items()))
                if value is not None and math.isfinite(value) and same not in told:
                    told.add(same)
                    metric.add_sample(family.name, safe, value)
            if metric.samples:
                yield metric


def _of_program(now: float, *, is_readable: bool) -> Iterator[_Family]:
    yield _Family("miyabi_build_info", "The version of Miyabi Recovery; always 1.", [({"version": __version__}, 1)])
    yield _Family("miyabi_history_readable", "Whether the history could be read.", [({}, is_readable)])
    yield _Family("miyabi_written_timestamp_seconds", "When these metrics were written.", [({}, now)])


def _families(overview: Overview) -> Iterator[_Family]:
    yield from _of_hosts(overview.hosts)
    yield from _of_measures(overview)
    yield from _of_incidents(overview)
    yield from _of_recoveries(overview)
    yield from _of_availability(overview)
    yield from _of_last_run(overview)


def _health(card: HostCard) -> str:
    """A look that is long ago tells nothing of now."""
    if card.is_stale or card.health not in HEALTHS:
        return "unknown"
    return card.health


def _is_seen(card: HostCard) -> bool:
    """Whether the last look tells how it is there now."""
    return _health(card) in {"healthy", "drift"}


def _of_hosts(hosts: tuple[HostCard, ...]) -> Iterator[_Family]:
    by_health = Counter(map(_health, hosts))
    yield _Family(
        "miyabi_hosts",
        "How many hosts stand how by their last look; one that nobody has looked at for long is unknown.",
        [({"health": each}, by_health[each]) for each in HEALTHS],
    )
    yield _Family(
        "miyabi_host_health",
        "How a host stands: 1 for the one that it is, 0 for the others.",
        [({"host": card.host, "health": each}, _health(card) == each) for card in hosts for each in HEALTHS],
    )
    yield _Family(
        "miyabi_host_since_timestamp_seconds",
        "Since when the host stands as it does.",
        [({"host": card.host}, card.since or None) for card in hosts],
    )
    yield _Family(
        "miyabi_host_last_look_timestamp_seconds",
        "When a run has last looked at the host; absent where none ever has.",
        [({"host": card.host}, card.seen_at or None) for card in hosts],
    )
    seen = [card for card in hosts if _is_seen(card)]
    yield _Family(
        "miyabi_host_drifts",
        "What is not as the spec says; absent while nobody can tell.",
        [({"host": card.host}, len(card.drifts)) for card in seen],
    )
    yield _Family(
        "miyabi_host_held_drifts",
        "Drifts whose repair the gate holds.",
        [({"host": card.host}, sum(each.gate not in {"", "allowed"} for each in card.drifts)) for card in seen],
    )
    yield _Family(
        "miyabi_host_agents",
        "Supervised panes by the condition of their agent.",
        [each for card in seen for each in _agents(card)],
    )
    for name, says, value_of in _COUNTS:
        yield _Family(name, says, [({"host": card.host}, value_of(card)) for card in seen])


def _agents(card: HostCard) -> Iterator[tuple[_Labels, float]]:
    if not card.agents:
        return
    counts = Counter(each if each in CONDITIONS else OTHER for each in card.agents.values())
    for condition in (*CONDITIONS, OTHER):
        yield {"host": card.host, "condition": condition}, counts[condition]


def _ratio(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


# What a look counts on a host.
_COUNTS = (
    ("miyabi_host_sessions", "tmux sessions.", lambda card: card.sessions),
    ("miyabi_host_windows", "tmux windows.", lambda card: card.windows),
    ("miyabi_host_panes", "tmux panes.", lambda card: card.panes),
    ("miyabi_host_load1", "The load over one minute.", lambda card: card.load),
    ("miyabi_host_uptime_seconds", "How long the host is up.", lambda card: card.uptime),
    ("miyabi_disk_used_ratio", "Used space of the disk that the spec watches.", lambda card: _ratio(card.disk_used)),
    ("miyabi_memory_available_ratio", "Available memory.", lambda card: _ratio(card.memory_available)),
)


def _of_measures(overview: Overview) -> Iterator[_Family]:
    charts = [({"host": each.host, "measure": each.measure}, each) for each in overview.charts]
    yield _Family(
        "miyabi_limit_ratio",
        "What a measure must not reach: disk_used from below, memory_available from above.",
        [(labels, _ratio(each.limit)) for labels, each in charts],
    )
    yield _Family(
        "miyabi_predicted_crossing_timestamp_seconds",
        "When the measure is foretold to reach its limit; absent where no trend leads there.",
        [(labels, each.crosses_at) for labels, each in charts],
    )


def _of_incidents(overview: Overview) -> Iterator[_Family]:
    by_severity: Counter[str] = Counter(each.severity for each in overview.open_incidents)
    yield _Family(
        "miyabi_incidents_open",
        "Incidents that a human was told of and are not over.",
        [({"severity": each}, by_severity[each]) for each in SEVERITIES],
    )


def _of_recoveries(overview: Overview) -> Iterator[_Family]:
    levels = [({"level": each.level}, each) for each in overview.levels]
    yield _Family("miyabi_window_seconds", "How long the window is.", [({}, overview.days * DAY)])
    yield _Family(
        "miyabi_window_recoveries",
        "Tries to repair something, by what came of them, within the window.",
        [
            ({**labels, "outcome": outcome}, number)
            for labels, each in levels
            for outcome, number in (("restored", each.restored), ("failed", each.failed))
        ],
    )
    yield _Family(
        "miyabi_window_recoveries_first_try",
        "What was restored by the first try of its incident, within the window.",
        [(labels, each.first_try) for labels, each in levels],
    )
    yield _Family(
        "miyabi_window_recoveries_in_budget",
        "What was restored within the level's budget, within the window.",
        [(labels, each.within) for labels, each in levels if each.budget is not None],
    )
    yield _Family(
        "miyabi_window_recovery_duration_seconds",
        "How long it took until what was restored was proved, within the window.",
        [({**labels, "statistic": name}, value) for labels, each in levels for name, value in _durations(each)],
    )
    yield _Family(
        "miyabi_recovery_budget_seconds",
        "How long a recovery of the level may take.",
        [(labels, each.budget) for labels, each in levels],
    )
    yield _Family(
        "miyabi_window_failures",
        "What went wrong, by its cause, within the window.",
        [({"cause": cause}, number) for cause, number in _by_cause(overview.causes).items()],
    )


def _by_cause(counts: Mapping[str, int]) -> Counter[str]:
    """Without what stands behind a cause, such as an exit status: there would be no end of series."""
    found: Counter[str] = Counter()
    for cause, number in counts.items():
        name = cause.split(" ", 1)[0]
        found[name if name in CAUSES else OTHER] += number
    return found


def _durations(figures: LevelFigures) -> tuple[tuple[str, float | None], ...]:
    return ("median", figures.median), ("p90", figures.slowest_tenth), ("longest", figures.longest)


def _of_availability(overview: Overview) -> Iterator[_Family]:
    budget = overview.budget
    yield _Family(
        "miyabi_host_availability_ratio",
        "The share of the time that counts in which the host was up, over the time of the SLO.",
        [({"host": host}, _ratio(each.percent)) for host, each in overview.availability.items()],
    )
    yield _Family(
        "miyabi_availability_ratio",
        "The same of all hosts together.",
        [({}, _ratio(overview.fleet_availability.percent))],
    )
    yield _Family("miyabi_slo_objective_ratio", "The availability that is promised.", [({}, _ratio(budget.objective))])
    yield _Family("miyabi_slo_period_seconds", "Over how long it is promised.", [({}, budget.over)])
    yield _Family(
        "miyabi_error_budget_allowed_seconds", "How long hosts may be down in what was counted.", [({}, budget.allowed)]
    )
    yield _Family("miyabi_error_budget_spent_seconds", "How long hosts were down.", [({}, budget.spent)])
    yield _Family(
        "miyabi_error_budget_left_ratio", "The share that is left; below 0 when overdrawn.", [({}, _ratio(budget.left))]
    )


def _of_last_run(overview: Overview) -> Iterator[_Family]:
    run = overview.run
    if run is None:
        return
    outcome = run.outcome or "unfinished"
    yield _Family("miyabi_last_run_timestamp_seconds", "When the last run began.", [({}, run.at)])
    yield _Family("miyabi_last_run_duration_seconds", "How long it took; absent while it goes on.", [({}, run.seconds)])
    yield _Family(
        "miyabi_last_run_outcome",
        "What it came to: 1 for the one that it is, 0 for the others; unfinished is under way, or cut short.",
        [({"outcome": each}, outcome == each) for each in OUTCOMES],
    )
