"""What a human might do, from the figures: one table, every row that holds says its part. Pure."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from miyabi.alert_words import BY_CAUSE
from miyabi.figures import AgentTime, Deed
from miyabi.history_queries import MISSING
from miyabi.levels import Level
from miyabi.reports.report import Recommendation, Report
from miyabi.verdict import covered
from miyabi.words import counted, lasting

# The conditions in which an agent cannot go on before a human has answered.
WAITS = ("permission", "trust", "login")

# How many tries it takes before their shares say anything.
_FEW_TRIES = 3
_TRIES = 5
# From these shares on a level is said to be often needed, to help little, and to help.
_OFTEN, _LITTLE, _WELL = 0.5, 0.2, 0.6
# From this share of the failures on, and so many of them, a cause is worth a word.
_MAIN_CAUSE = 0.4
# Seconds.
_LONG_WAIT = 3600.0
_LONG_LIMIT = 4 * 3600.0
# How often something is held before a human should look at it.
_HELD_OFTEN = 3
_LOOKED_LITTLE = 0.5

_HELPLESS = frozenset({"flapping", "tries", "limit", "breaker"})

Row = Callable[[Report, Sequence[Deed], float], Iterable[Recommendation]]


def waiting(agent: AgentTime) -> float:
    """For how many seconds an agent waited for a human."""
    return sum(agent.seconds.get(condition, 0.0) for condition in WAITS)


def recommendations(report: Report, done: Sequence[Deed], horizon: float) -> tuple[Recommendation, ...]:
    """What the figures speak for, what matters most first.

    + done: what was tried and held in the period
    + horizon: seconds ahead within which a crossing that is foretold is worth a word
    """
    found = [each for row in TABLE for each in row(report, done, horizon)]
    return tuple(sorted(found, key=lambda each: (-each.weight, each.about)))


def _open_incidents(report: Report, _done: Sequence[Deed], _horizon: float) -> Iterator[Recommendation]:
    for each in report.incidents:
        if each.closed_at is None and each.severity in {"HIGH", "CRITICAL"} and each.kind != "channel":
            name = covered(each.host, each.target) or "the fleet"
            yield Recommendation(
                100 if each.severity == "CRITICAL" else 95,
                name,
                "look at it: it is still not repaired",
                f"{each.severity} for {lasting(report.until - each.opened_at)}: {each.summary}",
                f"miyabi explain {shlex.quote(name)}" if each.host else "miyabi status",
            )


def _crossings(report: Report, _done: Sequence[Deed], horizon: float) -> Iterator[Recommendation]:
    for each in report.capacity:
        told = each.predicted
        if (
            told is None
            or told.outcome != "crosses"
            or told.crosses_at is None
            or told.crosses_at > report.at + horizon
        ):
            continue
        name = "disk" if each.measure == "disk_used" else "memory"
        key = "limits: {disk: {relief: [...]}}" if name == "disk" else "limits: {memory_available: {relief: [...]}}"
        yield Recommendation(
            90,
            f"{each.host}:{name}",
            f"make room, or say in the spec what may be removed before its {name} is used up",
            told.summary or f"reaches its limit in {lasting(told.crosses_at - report.at)}",
            f"{key} in the spec of {each.host}",
        )


def _overdrawn(report: Report, _done: Sequence[Deed], _horizon: float) -> Iterator[Recommendation]:
    for each in report.hosts:
        left = each.budget.left
        if left is not None and left < 0:
            days = each.budget.over / 86400
            yield Recommendation(
                80,
                each.host,
                "find out what keeps it down; or, if it may be off, say so",
                f"its error budget is overdrawn: down for {lasting(each.budget.spent)} in {days:g} days, and "
                f"{each.budget.objective:g} % allow {lasting(each.budget.allowed)}",
                f"miyabi history {shlex.quote(each.host)} --since 7d; availability: intermittent in its spec",
            )


def _not_looked_at(report: Report, _done: Sequence[Deed], _horizon: float) -> Iterator[Recommendation]:
    whole = (report.until - report.span.since) * len(report.hosts)
    # Of a host that sleeps one knows how it is, however often one looks.
    unseen = sum(each.seen.uncounted - each.seen.asleep for each in report.hosts if each.seen.up + each.seen.down > 0)
    if not report.runs and not report.looked:
        yield Recommendation(
            99,
            "the fleet",
            "let it be looked at by schedule",
            "no run has looked at it in this time",
            "pyinfra inventory deploys/schedule.py -y",
        )
    elif whole > 0 and unseen > _LOOKED_LITTLE * whole:
        yield Recommendation(
            60,
            "the fleet",
            "let it be looked at more often",
            f"of {100 * unseen / whole:.0f} % of the hosts' time nobody knows how they were: a look holds for 15 min",
            "pyinfra inventory deploys/schedule.py -y",
        )


def _needs_a_higher_level(_report: Report, done: Sequence[Deed], _horizon: float) -> Iterator[Recommendation]:
    levels: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for each in done:
        if each.what == "restored" and each.level in Level.__members__ and each.cause != MISSING:
            levels[each.host, each.target][each.level] += 1
    for (host, target), counts in levels.items():
        total = counts.total()
        higher = total - counts["L1"]
        # A target with a window is a pane or a window; that a session needs L3 is as it should be.
        if ":" in target and "." in target and total >= _FEW_TRIES and higher > _OFTEN * total:
            name = covered(host, target)
            yield Recommendation(
                55,
                name,
                "look why L1 does not bring it back",
                f"it needed more than L1 in {higher} of {total} repairs",
                f"miyabi explain {shlex.quote(name)}; recovery: {{learn: true}} in the spec of {host}",
            )


def _learned(report: Report, _done: Sequence[Deed], _horizon: float) -> Iterator[Recommendation]:
    by_kind: dict[tuple[str, str], dict[str, tuple[int, int]]] = defaultdict(dict)
    for each in report.learned:
        by_kind[each.kind, each.cause][each.level] = (each.tries, each.restored)
    for (kind, cause), levels in by_kind.items():
        own, higher = levels.get("L1", (0, 0)), levels.get("L2", (0, 0))
        if own[0] >= _TRIES and own[1] < _LITTLE * own[0] and higher[0] >= _FEW_TRIES and higher[1] > _WELL * higher[0]:
            yield Recommendation(
                50,
                f"{kind} by {cause}",
                "let repairs of it begin at L2",
                f"L1 held in {own[1]} of {own[0]} tries, L2 in {higher[1]} of {higher[0]}",
                "recovery: {learn: true} in the specs",
            )


def _held_often(report: Report, _done: Sequence[Deed], _horizon: float) -> Iterator[Recommendation]:
    for each, times in report.held:
        rule = each.why.partition(":")[0]
        if rule in _HELPLESS and times >= _HELD_OFTEN:
            name = covered(each.host, each.target)
            yield Recommendation(
                70,
                name,
                "remove its cause: repairing does not help",
                f"it was held {times} times ({each.why})",
                f"miyabi explain {shlex.quote(name)}; miyabi pause {shlex.quote(name)} --for 2h while you work on it",
            )


def _waiting_agents(report: Report, _done: Sequence[Deed], _horizon: float) -> Iterator[Recommendation]:
    for each in report.agents:
        seconds = waiting(each)
        if seconds < _LONG_WAIT:
            continue
        most = max(WAITS, key=lambda condition: each.seconds.get(condition, 0.0))
        name = covered(each.host, each.target)
        change = (
            "agent: {trust: true} in its pane's spec" if most == "trust" else "miyabi cockpit; channels that reach you"
        )
        yield Recommendation(
            65,
            name,
            "answer it sooner" if most != "login" else "log it in",
            f"it waited for a human for {lasting(seconds)} (mostly {most})",
            change if most != "login" else f"miyabi explain {shlex.quote(name)}",
        )


def _limited_agents(report: Report, _done: Sequence[Deed], _horizon: float) -> Iterator[Recommendation]:
    limited = [each for each in report.agents if each.seconds.get("limited", 0.0) >= _LONG_LIMIT]
    if limited:
        seconds = sum(each.seconds["limited"] for each in limited)
        names = ", ".join(covered(each.host, each.target) for each in limited[:3])
        yield Recommendation(
            35,
            names if len(limited) <= 3 else f"{names} and {len(limited) - 3} more",
            "spread their work over more accounts, or over the day",
            f"{counted(len(limited), 'agent')} stood at a usage limit for {lasting(seconds)} in all",
            "miyabi predict",
        )


def _dead_channels(report: Report, _done: Sequence[Deed], _horizon: float) -> Iterator[Recommendation]:
    seconds: dict[str, float] = defaultdict(float)
    why: dict[str, str] = {}
    for each in report.incidents:
        if each.kind == "channel":
            end = report.until if each.closed_at is None else min(each.closed_at, report.until)
            seconds[each.target] += end - max(each.opened_at, report.span.since)
            why.setdefault(each.target, each.summary)
    for target, dead in seconds.items():
        name = target.removeprefix("channel ")
        yield Recommendation(
            75,
            target,
            "repair it: what should wake you did not arrive",
            f"it took no alerts for {lasting(dead)} ({why[target]})",
            f"channels: {{{name}: ...}} in inventory/alerts.yaml; miyabi spec check",
        )


def _slow_levels(report: Report, _done: Sequence[Deed], _horizon: float) -> Iterator[Recommendation]:
    for each in report.levels:
        if each.budget is not None and each.restored >= _TRIES and each.within < (1 - _LITTLE) * each.restored:
            yield Recommendation(
                30,
                each.level,
                "look what takes so long",
                f"{each.restored - each.within} of {each.restored} repairs took longer than {lasting(each.budget)}",
                "miyabi history --since 7d",
            )


def _main_cause(report: Report, _done: Sequence[Deed], _horizon: float) -> Iterator[Recommendation]:
    total = sum(report.causes.values())
    for cause, failures in report.causes.items():
        advice = BY_CAUSE.get(cause.partition(":")[0])
        if advice and failures >= _TRIES and failures >= _MAIN_CAUSE * total:
            yield Recommendation(
                45,
                f"cause {cause}",
                advice,
                f"{failures} of {counted(total, 'failure')} came of it",
                "miyabi history --causes --since 7d",
            )


def _unpriced(report: Report, _done: Sequence[Deed], _horizon: float) -> Iterator[Recommendation]:
    kinds = sorted(
        {each.instance_type for each in report.costs if each.price is None and each.instance_type and each.hours}
    )
    if kinds:
        yield Recommendation(
            10,
            "costs",
            "say what an hour costs, or the sum is too low",
            f"no price is known of {', '.join(kinds)}",
            f"reports: {{prices: {{{kinds[0]}: ...}}}} in inventory/fleet.yaml",
        )


TABLE: tuple[Row, ...] = (
    _open_incidents,
    _crossings,
    _overdrawn,
    _not_looked_at,
    _needs_a_higher_level,
    _learned,
    _held_often,
    _waiting_agents,
    _limited_agents,
    _dead_channels,
    _slow_levels,
    _main_cause,
    _unpriced,
)
