"""Who hears of what: what inventory/alerts.yaml may set, with the defaults. Durations are seconds. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from miyabi.records import Severity
from miyabi.severity import SEVERITIES

Does = Literal["log", "notify", "attempt_recovery", "escalate_to_human", "emergency_stop"]
ChannelKind = Literal["console", "file", "guardian", "phone", "desktop", "webhook", "apprise"]
SubscriberKind = Literal["jsonlines", "webhook", "pane"]

# What is a channel by its name alone.
NAMED_CHANNELS: tuple[ChannelKind, ...] = ("console", "file", "guardian", "desktop")
# Where `log` goes when it names no channels: what costs nothing and wakes nobody.
LOGS: tuple[ChannelKind, ...] = ("console", "file")
# These need a connection to a host: the run itself sends them.
SENT_BY_THE_RUN: tuple[ChannelKind, ...] = ("guardian", "phone")

# The bound of one channel, in seconds.
TIMEOUT = 5.0
# How often an incident that stays open is told again, in seconds.
STILL_OPEN = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Stop:
    """When everything is stopped.

    + criticals: critical incidents at once
    + seconds: for how long
    """

    criticals: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is done about an alert.

    + channels: where it goes; none is the consoles and files for ``log``, and every channel for the others
    + stop: when everything is stopped, of ``emergency_stop``
    """

    does: Does
    channels: tuple[str, ...] = ()
    stop: Stop | None = None


@dataclass(frozen=True, slots=True)
class Channel:
    """Where an alert can go.

    + where: a path, a host, or a URL in which ``$NAME`` stands for a variable of the environment; "" is the default
    + headers: sent with a webhook; their values may hold ``$NAME``, too
    + timeout: how long it may take
    """

    name: str
    kind: ChannelKind
    where: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    timeout: float = TIMEOUT


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who gets the signals.

    + where: a path, a URL, or the name of a pane
    + only: the signals that it gets; none is all
    """

    kind: SubscriberKind
    where: str
    headers: tuple[tuple[str, str], ...] = ()
    timeout: float = TIMEOUT
    only: tuple[str, ...] = ()

    def wants(self, signal: str) -> bool:
        """Whether it gets a signal of this name."""
        return not self.only or signal in self.only


@dataclass(frozen=True, slots=True)
class Threshold:
    """When a measure is told of.

    + metric: such as ``disk_used``
    + warning, critical: the values that are told, and loudly; None is never
    + check_every: how often it is judged
    + over: of ``success_rate``: the time that it is taken over
    + at_least: of ``success_rate``: how many recoveries it takes
    """

    metric: str
    warning: float | None = None
    critical: float | None = None
    check_every: float = 300.0
    over: float = 86400.0
    at_least: int = 5


_STOP = Stop(criticals=3, seconds=1800.0)
_LOUD = (Step("log"), Step("notify"), Step("attempt_recovery"), Step("escalate_to_human"))

DEFAULT_STEPS: Mapping[Severity, tuple[Step, ...]] = {
    "LOW": (Step("log"),),
    "MEDIUM": (Step("log"), Step("notify")),
    "HIGH": _LOUD,
    "CRITICAL": (*_LOUD, Step("emergency_stop", stop=_STOP)),
}


@dataclass(frozen=True, slots=True)
class AlertRules:
    """What inventory/alerts.yaml says.

    + steps: what is done, by severity
    + still_open: after how long an open incident is told again, by severity
    """

    steps: Mapping[Severity, tuple[Step, ...]] = field(default_factory=lambda: dict(DEFAULT_STEPS))
    still_open: Mapping[Severity, float] = field(default_factory=lambda: dict.fromkeys(SEVERITIES, STILL_OPEN))
    thresholds: tuple[Threshold, ...] = ()
    channels: tuple[Channel, ...] = (Channel("console", "console"), Channel("file", "file"))
    subscribers: tuple[Subscriber, ...] = ()

    @property
    def stop(self) -> Stop | None:
        """When everything is stopped; None is never."""
        return next((step.stop for step in self.steps.get("CRITICAL", ()) if step.stop), None)

    def channels_for(self, severity: Severity) -> tuple[Channel, ...]:
        """Where an alert of this severity goes, in the order of the file."""
        wanted: set[str] = set()
        for step in self.steps.get(severity, ()):
            if step.channels:
                wanted.update(step.channels)
            elif step.does == "log":
                wanted.update(each.name for each in self.channels if each.kind in LOGS)
            elif step.does in {"notify", "escalate_to_human"}:
                wanted.update(each.name for each in self.channels)
        return tuple(each for each in self.channels if each.name in wanted)

    def leaves_to_humans(self, severity: Severity) -> bool:
        """Whether what has an open incident of this severity is left alone until a human resumes it.

        So it is where a human is called, and ``attempt_recovery`` is not among the steps.
        """
        does = {step.does for step in self.steps.get(severity, ())}
        return "escalate_to_human" in does and "attempt_recovery" not in does
