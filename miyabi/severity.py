"""How bad something is: one table, first match wins. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from miyabi.records import Severity

SEVERITIES: tuple[Severity, ...] = ("LOW", "MEDIUM", "HIGH", "CRITICAL")

# Looks in a row after which damage that the gate holds quietly is told all the same.
QUIET_LOOKS = 10
# Looks in a row after which it is told that something cannot be judged.
UNKNOWN_LOOKS = 3
# Seconds after which a host that should always be there, and is not, is critical.
LONG_UNREACHABLE = 900.0
# Seconds for which an agent may wait for a human before one is called: whoever works with it answers by himself.
PATIENCE_WITH_HUMANS = 120.0

# The gate's rules whose hold means that repairing did not help: a human should hear of it at once. The others (a pause,
# a backoff, somebody who works there) end by themselves, or were asked for.
LOUD_RULES = frozenset({"breaker", "flapping", "limit", "tries"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What decides how bad something is.

    + kind: ``repaired``, ``held``, ``not-restored``, ``unreachable``, ``unknown``, ``storm``, ``emergency-stop``,
      ``threshold``, ``warning``, ``channel``, ``history``, ``agent-waits``, ``agent-stuck``, ``agent-parked``,
      ``prediction``
    + rule: the gate's rule that holds it
    + level: the last level that was tried, such as ``L3``
    + first_try: whether it was repaired by the first try of its incident
    + climbed: whether a higher level had to help
    + whole_host: whether nothing on the host is left
    + looks: in how many looks in a row it was wrong, this one counted
    + seconds: for how long it is wrong
    + critical: whether the critical value of a threshold is passed, not only the warning
    + sure: whether what is foretold is near, or earlier predictions of it came true
    """

    kind: str
    rule: str = ""
    level: str = ""
    first_try: bool = True
    climbed: bool = False
    whole_host: bool = False
    looks: int = 1
    seconds: float = 0.0
    critical: bool = False
    sure: bool = False


_Row = tuple[str, Callable[[Circumstances], bool], Severity | None]


def _always(_: Circumstances) -> bool:
    return True


TABLE: tuple[_Row, ...] = (
    ("repaired", lambda seen: seen.first_try and not seen.climbed, "LOW"),
    ("repaired", _always, "MEDIUM"),
    ("held", lambda seen: seen.rule in LOUD_RULES, "HIGH"),
    ("held", lambda seen: seen.looks > QUIET_LOOKS, "MEDIUM"),
    ("held", _always, None),
    ("not-restored", lambda seen: seen.whole_host or seen.level in {"L3", "L4"}, "CRITICAL"),
    ("not-restored", _always, "HIGH"),
    ("unreachable", lambda seen: seen.level == "L4" or seen.seconds >= LONG_UNREACHABLE, "CRITICAL"),
    ("unreachable", _always, "HIGH"),
    ("unknown", lambda seen: seen.looks >= UNKNOWN_LOOKS, "MEDIUM"),
    ("unknown", _always, None),
    ("storm", _always, "CRITICAL"),
    ("emergency-stop", _always, "CRITICAL"),
    ("threshold", lambda seen: seen.critical, "HIGH"),
    ("threshold", _always, "MEDIUM"),
    ("warning", _always, "MEDIUM"),
    ("agent-waits", lambda seen: seen.seconds >= PATIENCE_WITH_HUMANS, "MEDIUM"),
    ("agent-waits", _always, None),
    ("agent-stuck", _always, "HIGH"),
    ("agent-parked", _always, None),
    ("prediction", lambda seen: seen.sure, "MEDIUM"),
    ("prediction", _always, "LOW"),
    ("channel", _always, "MEDIUM"),
    ("history", _always, "MEDIUM"),
)


def severity_of(seen: Circumstances) -> Severity | None:
    """How bad it is; None when it is wrong, but not (yet) worth telling.

    A kind that the table does not know is ``MEDIUM``: worth a look.
    """
    for kind, holds, severity in TABLE:
        if kind == seen.kind and holds(seen):
            return severity
    return "MEDIUM"


def rank(severity: Severity | None) -> int:
    """How loud a severity is: 0 for None, 4 for ``CRITICAL``."""
    return 0 if severity is None else SEVERITIES.index(severity) + 1
