"""When a resource of a host is a warning or critical, and the words for it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from miyabi.state import Disk, Memory, Process

Grade = Literal["fine", "warning", "critical"]

# Android ends what apps have started beyond this many, over all apps together (ActivityManagerConstants,
# DEFAULT_MAX_PHANTOM_PROCESSES): https://android.googlesource.com/platform/frameworks/base
PHANTOM_LIMIT = 32
PHANTOM_WARNING = 24

# An app is no phantom process of its own; what it starts is.
_APP = re.compile(r"com\.termux(?:[.:]\w+)*")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to be said of one resource.

    + subject: ``disk``, ``memory``, ``processes`` or ``clock``
    + evidence: the numbers, in words
    """

    subject: str
    grade: Grade
    evidence: str


def judge_disk(seen: Disk, warning: float, critical: float) -> Judgement:
    """How full a disk is against two percentages of used space, from which it is a warning or critical."""
    grade: Grade = (
        "critical" if seen.used_percent >= critical else "warning" if seen.used_percent >= warning else "fine"
    )
    limit = _limit(grade, f"{warning:g} %", f"{critical:g} %")
    return Judgement("disk", grade, f"{seen.mount} {int(seen.used_percent)} % used, {size(seen.available)} left{limit}")


def judge_memory(seen: Memory, warning: float, critical: float) -> Judgement:
    """How much memory is available against two percentages, below which it is a warning or critical."""
    percent = seen.available_percent
    grade: Grade = "critical" if percent < critical else "warning" if percent < warning else "fine"
    swap = f", swap {size(seen.swap_used)} of {size(seen.swap_total)} used" if seen.swap_total else ""
    limit = _limit(grade, f"{warning:g} %", f"{critical:g} %")
    return Judgement(
        "memory", grade, f"{int(percent)} % available, {size(seen.available)} of {size(seen.total)}{swap}{limit}"
    )


def judge_processes(count: int, warning: int, critical: int) -> Judgement:
    """How many processes the user has against two numbers, from which it is a warning or critical."""
    grade: Grade = "critical" if count >= critical else "warning" if count >= warning else "fine"
    return Judgement("processes", grade, f"{count} of the user's own{_limit(grade, str(warning), str(critical))}")


def judge_clock(told: int, asked: tuple[float, float], most: float) -> Judgement:
    """Whether a host's clock is certainly further from the control machine's than ``most`` seconds.

    + told: what it said, in whole seconds since the epoch
    + asked: between which two moments of the control machine's clock
    """
    low, high = skew_between(told, *asked)
    certain = low if low > 0 else min(high, 0.0)
    if abs(certain) <= most:
        return Judgement("clock", "fine", f"within {most:g} s of the control machine's")
    direction = "ahead of" if certain > 0 else "behind"
    # As much as is certain: the probe took a while, and the host tells whole seconds.
    return Judgement(
        "clock", "warning", f"at least {abs(certain):.0f} s {direction} the control machine's (warning {most:g} s)"
    )


def lasts(before: float, after: float, limit: float, seconds: float) -> float:
    """For how many seconds a measure stays within its limit after it was relieved, at the pace that it had before.

    + before, after: the measure; ``limit`` was foretold to be reached in ``seconds`` from ``before`` on
    """
    room = limit - before
    return float("inf") if room == 0 else max(seconds, 1.0) * (limit - after) / room


def skew_between(told: int, before: float, after: float) -> tuple[float, float]:
    """The least and the most that a clock can be ahead which said ``told`` at some moment between the two."""
    return told - after, told + 1 - before


def phantoms(processes: Iterable[Process]) -> int:
    """How many of Termux's processes Android counts: all but the apps themselves.

    .. code:: python

        phantoms((Process(7, 1, "com.termux"), Process(9, 7, "bash -l"), Process(12, 1, "sshd")))  # 2
    """
    return sum(not _APP.fullmatch(each.arguments) for each in processes)


def size(number: float) -> str:
    """A number of bytes as people read it: ``1.2 GB``, of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(number) < 1000:
            return f"{number:.0f} {unit}" if unit in {"B", "kB", "MB"} else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def _limit(grade: Grade, warning: str, critical: str) -> str:
    return {"fine": "", "warning": f" (warning {warning})", "critical": f" (critical {critical})"}[grade]
