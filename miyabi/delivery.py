"""What goes where, and what came of it. Pure; ``miyabi.channels`` sends."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from miyabi.alert_rules import SENT_BY_THE_RUN, AlertRules, Channel, Subscriber
from miyabi.alert_text import Alert
from miyabi.breaker import Breaker
from miyabi.records import AlertSent, BreakerChanged, Signalled
from miyabi.severity import Circumstances, severity_of
from miyabi.verdict import Verdict
from miyabi.words import clock_time

SENT = "sent"

# How a breaker's reason begins: such a channel was not tried, so that nothing new is known of it.
_LEFT_ALONE = "left alone"

# By subject: failures in a row, and when it opened.
Breakers = Mapping[str, tuple[int, float | None]]


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one channel gets in one run: all of it at once.

    + name: of the channel; a subscriber's is ``subscriber 1``
    """

    name: str
    to: Channel | Subscriber
    alerts: tuple[Alert, ...] = ()
    signals: tuple[Signalled, ...] = ()


def parcels(
    alerts: Iterable[Alert],
    rules: AlertRules,
    signals: Iterable[Signalled] = (),
    *,
    without: Collection[str] = (),
) -> tuple[Parcel, ...]:
    """What goes to each channel and subscriber that gets anything.

    + without: channels that are passed over
    """
    told, sent = tuple(alerts), tuple(signals)
    found = [
        Parcel(channel.name, channel, tuple(each for each in told if channel in rules.channels_for(each.severity)))
        for channel in rules.channels
    ]
    found += [
        Parcel(f"subscriber {number}", to, signals=tuple(each for each in sent if to.wants(each.signal)))
        for number, to in enumerate(rules.subscribers, 1)
    ]
    return tuple(each for each in found if (each.alerts or each.signals) and each.name not in without)


def is_for_the_run(parcel: Parcel) -> bool:
    """Whether it needs a connection to a host, so that the run itself has to send it: guardian, phone, pane."""
    return parcel.to.kind in SENT_BY_THE_RUN or parcel.to.kind == "pane"


def left_alone(name: str, breakers: Breakers, now: float) -> str | None:
    """Why a channel is not tried now; None when it is."""
    breaker = _breaker(name, breakers)
    again = breaker.again_at(now)
    return None if again is None else f"{_LEFT_ALONE} until {clock_time(again, now)}, it has failed too often"


def breaker_changes(results: Mapping[str, str], breakers: Breakers, *, run: str, now: float) -> list[BreakerChanged]:
    """How the breakers of channels stand after ``results``, where that differs from before."""
    changes = []
    for name, result in results.items():
        before = _breaker(name, breakers)
        if result.startswith(_LEFT_ALONE):
            continue
        after = before.succeeded() if result == SENT else before.failed(now)
        if after != before:
            subject = _target(name)
            event = f"{run}:{subject}:{now!r}"
            changes.append(
                BreakerChanged(
                    event=event,
                    run=run,
                    at=now,
                    subject=subject,
                    failures=after.failures,
                    opened_at=after.opened_at,
                )
            )
    return changes


def sent_records(
    alerts: Iterable[Alert], rules: AlertRules, results: Mapping[str, str], *, run: str, now: float
) -> list[AlertSent]:
    """What is remembered of the alerts, each with what became of it on its channels."""
    return [
        AlertSent(
            event=f"{run}:alert:{number}:{each.incident}:{each.host}:{each.target}:{now!r}",
            run=run,
            at=now,
            incident=each.incident,
            change=each.change,
            severity=each.severity,
            text=each.text,
            channels={
                channel.name: results[channel.name]
                for channel in rules.channels_for(each.severity)
                if channel.name in results
            },
        )
        for number, each in enumerate(alerts)
    ]


def channel_verdicts(results: Mapping[str, str]) -> tuple[list[Verdict], set[tuple[str, str]]]:
    """What is wrong with the channels, and which are well, as ``miyabi.incidents.judge`` takes it."""
    severity = severity_of(Circumstances(kind="channel"))
    wrong = [
        Verdict(host="", target=_target(name), kind="channel", severity=severity, summary=result)
        for name, result in results.items()
        if result != SENT and not result.startswith(_LEFT_ALONE)
    ]
    return wrong, {("", _target(name)) for name, result in results.items() if result == SENT}


def _breaker(name: str, breakers: Breakers) -> Breaker:
    failures, opened_at = breakers.get(_target(name), (0, None))
    return Breaker(failures, opened_at, limit=3, open_for=900.0)


def _target(name: str) -> str:
    return name if name.startswith("subscriber ") else f"channel {name}"
