"""What a report says in words. Pure."""

from __future__ import annotations

from miyabi.masking import masked, plain, shown
from miyabi.reports.report import Report, Trend, Unit
from miyabi.verdict import covered
from miyabi.words import counted, lasting

_LONGEST = 160
# Below this share of the time that somebody looked, a sentence says so.
_FEW_LOOKS = 0.9

# What is about no host is about the fleet.
_FLEET = "the fleet"

_NAMES = {"daily": "day", "weekly": "week", "monthly": "month"}


def words(text: str, longest: int = _LONGEST) -> str:
    """What hosts, people and programs wrote: on one line, short, without secrets and what a terminal would act on."""
    # What is very long costs time to mask, and nobody sees it.
    line = shown(" ".join(masked(plain(text[: 8 * longest])).split()))
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def place(host: str, target: str) -> str:
    """What something is about: ``mugen:work:main.kaede``, ``mugen``, ``channel ops``, ``the fleet``."""
    return words(covered(host, target) if host else target or _FLEET)


def sentence_of(report: Report) -> str:
    """How it was, in a sentence: ``1 host was down for 12 min; 14 of 15 repairs held, 13 at the first try``."""
    period = _NAMES[report.span.period]
    if not report.looked and not report.runs:
        return f"Nobody looked: of this {period} nothing is known"
    parts = [_down(report)]
    tries = sum(each.tries for each in report.levels)
    if tries:
        restored = sum(each.restored for each in report.levels)
        first = sum(each.first_try for each in report.levels)
        at_once = "all at the first try" if first == restored == tries > 1 else f"{first} at the first try"
        held = f"{restored} of {counted(tries, 'repair')} held"
        parts.append(f"{held}, {at_once}" if restored else held)
    else:
        parts.append("nothing was repaired")
    still = sum(each.closed_at is None for each in report.incidents)
    if still:
        parts.append(f"{counted(still, 'incident')} {'was' if still == 1 else 'were'} still open at the end")
    return "; ".join(parts)


def _down(report: Report) -> str:
    if not report.looked:
        return "no host could be told to be up or down"
    down = [each for each in report.hosts if each.seen.down > 0]
    if not down:
        return "no host was down"
    seconds = lasting(sum(each.seen.down for each in down))
    return f"1 host was down for {seconds}" if len(down) == 1 else f"{len(down)} hosts were down for {seconds} in all"


def cautions_of(report: Report) -> tuple[str, ...]:
    """What one has to know to read the figures."""
    found = []
    if report.is_so_far:
        found.append(f"This {_NAMES[report.span.period]} is not over: the figures are those so far.")
    whole = (report.until - report.span.since) * len(report.hosts)
    if whole > 0 and 0 < report.looked < _FEW_LOOKS * whole:
        share = 100 * report.looked / whole
        found.append(
            f"Of {share:.0f} % of the hosts' time it is known whether they were up; the rest counts for neither."
        )
    if 0 < report.before_looked < _FEW_LOOKS * report.looked:
        share = 100 * report.before_looked / report.looked
        found.append(
            f"Of the period before {share:.0f} % as much was looked at: differences say less than they seem to."
        )
    return tuple(found)


def figure(value: float | None, unit: Unit) -> str:
    """A figure in its unit; one that is not known is ``no data``."""
    if value is None:
        return "no data"
    if unit == "percent":
        return percent(value)
    return lasting(value) if unit == "seconds" else f"{value:g}"


def percent(value: float | None) -> str:
    """``99.95 %``, and never ``100 %`` of what is less."""
    if value is None:
        return "no data"
    told = f"{value:.2f}" if value > 99 else f"{value:.1f}"
    if float(told) >= 100 > value:
        told = "99.99"
    return f"{told.rstrip('0').rstrip('.')} %"


def difference(trend: Trend) -> str:
    """How much more or less it is than before, and whether that is better: ``+2 (worse)``, ``same``, ``no data``."""
    by = trend.difference
    if by is None:
        return "no data"
    sign = "+" if by > 0 else "-"
    if trend.unit == "percent":
        told = f"{sign}{abs(by):.2f}".rstrip("0").rstrip(".") + " points"
        is_same = abs(by) < 0.005
    elif trend.unit == "seconds":
        told, is_same = f"{sign}{lasting(abs(by))}", abs(by) < 1
    else:
        told, is_same = f"{sign}{abs(by):g}", by == 0
    if is_same:
        return "same"
    verdict = "" if not trend.is_better else " (better)" if (by > 0) == (trend.is_better == "up") else " (worse)"
    return f"{told}{verdict}"
