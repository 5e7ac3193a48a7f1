"""What a user may write in inventory/alerts.yaml."""

# ruff: noqa: RUF012 - pydantic copies the defaults for each model
from __future__ import annotations

import re
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from miyabi.alert_rules import (
    DEFAULT_STEPS,
    NAMED_CHANNELS,
    STILL_OPEN,
    TIMEOUT,
    AlertRules,
    Channel,
    ChannelKind,
    Does,
    Step,
    Stop,
    Subscriber,
    SubscriberKind,
    Threshold,
)
from miyabi.alerts_file_rules import ALERT_RULES, STOP_FORM, step_of
from miyabi.records import Severity
from miyabi.severity import SEVERITIES
from miyabi.signals import OUTGOING
from miyabi.spec_document import nearest
from miyabi.spec_problems import read_as
from miyabi.spec_values import Duration, FilledText, HeaderName, Model, Percentage, Text, Whole, refused
from miyabi.units import LONGEST_DURATION, parse_duration

_WEB = re.compile(r"https?://[!-~]+|\$\{?[A-Za-z_][A-Za-z0-9_]*\}?", re.ASCII)
_APPRISE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[!-~]+|\$\{?[A-Za-z_][A-Za-z0-9_]*\}?", re.ASCII)
_CHANNEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
# What stands in the place of a URL may hold a secret: it is never shown.
_NO_URL = "text that is no URL"


def _step(value: object) -> Step:
    """A word, or a mapping of one word to its channels, or to when everything is stopped."""
    does, given = step_of(value)
    if does is None:
        raise refused(f"one of {', '.join(get_args(Does))}{nearest(given, get_args(Does))}")
    if does == "emergency_stop":
        return Step(does, stop=_stop(given))
    if given is None:
        return Step(does)
    if does == "attempt_recovery":
        raise refused("attempt_recovery alone: it goes to no channel")
    if not isinstance(given, list) or not given or not all(isinstance(each, str) for each in given):
        raise refused(f"{does}: a list of the names of channels")
    return Step(does, tuple(given))


def _stop(given: Any) -> Stop:
    if not isinstance(given, dict) or set(given) != {"criticals", "for"}:
        raise refused(STOP_FORM)
    criticals = given["criticals"]
    try:
        seconds = parse_duration(str(getattr(given["for"], "text", given["for"])))
    except (ValueError, TypeError):
        raise refused(STOP_FORM) from None
    if isinstance(criticals, bool) or not isinstance(criticals, int) or criticals < 2 or not 60 <= seconds <= 7 * 86400:
        raise refused(f"{STOP_FORM}, criticals 2 or more, for 1m to 7d")
    return Stop(int(criticals), seconds)


def _matching(pattern: re.Pattern[str], allowed: str) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise refused(allowed, _NO_URL)
        return value

    return AfterValidator(check)


def _lasting(least: float, most: float, allowed: str) -> AfterValidator:
    def check(value: float) -> float:
        if not least <= value <= most:
            raise refused(allowed)
        return value

    return AfterValidator(check)


def _channel_name(value: str) -> str:
    if not _CHANNEL_NAME.fullmatch(value):
        raise refused("names of letters, digits, - and _")
    return value


def _signal_name(value: str) -> str:
    if value not in OUTGOING:
        raise refused(f"{', '.join(OUTGOING)}{nearest(value, OUTGOING)}")
    return value


def _path(value: str) -> str:
    if not value.startswith(("/", "~")):
        raise refused("an absolute path, or one that begins with ~")
    return value


def _nothing_is_empty(value: object) -> object:
    return {} if value is None else value


def _by_severity(value: Any) -> object:
    """A duration for all severities, or a mapping of severities to durations."""
    if isinstance(value, dict):
        return value
    if value is None or isinstance(value, bool | list):
        raise refused("a duration such as 6h, or a mapping of severities to durations")
    try:
        return dict.fromkeys(SEVERITIES, parse_duration(getattr(value, "text", value)))
    except ValueError as error:
        raise refused(str(error)) from None


StepText = Annotated[Any, AfterValidator(_step), WithJsonSchema({"type": ["string", "object"]})]
WebhookUrl = Annotated[FilledText, _matching(_WEB, "a URL that begins with http:// or https://, or $NAME")]
AppriseUrl = Annotated[FilledText, _matching(_APPRISE, "a URL of apprise such as ntfy://ntfy.sh/topic, or $NAME")]
FilePath = Annotated[FilledText, AfterValidator(_path)]
Timeout = Annotated[Duration, _lasting(0.1, 30, "a duration of at most 30s")]
Interval = Annotated[Duration, _lasting(60, LONGEST_DURATION, "a duration of at least 1m")]


class StepsModel(Model):
    """What is done about an alert, by severity."""

    LOW: list[StepText] | None = None
    """What is done about what was repaired at once."""
    MEDIUM: list[StepText] | None = None
    """What is done about what is worth a look."""
    HIGH: list[StepText] | None = None
    """What is done about what needs a human."""
    CRITICAL: list[StepText] | None = None
    """What is done about what needs a human now."""


class StillOpenModel(Model):
    """After how long an open incident is told again, by severity."""

    LOW: Interval = STILL_OPEN
    """Of what was repaired at once."""
    MEDIUM: Interval = STILL_OPEN
    """Of what is worth a look."""
    HIGH: Interval = STILL_OPEN
    """Of what needs a human."""
    CRITICAL: Interval = STILL_OPEN
    """Of what needs a human now."""


class PercentModel(Model):
    """When a share is told of."""

    warning: Percentage | None = None
    """The share that is told."""
    critical: Percentage | None = None
    """The share that is told loudly."""
    check_every: Interval = Threshold("").check_every
    """How often it is judged."""


class LoadModel(Model):
    """When the load is told of."""

    warning: Annotated[float, Field(ge=0)] | None = None
    """The load over a minute, divided by the number of processors, that is told."""
    critical: Annotated[float, Field(ge=0)] | None = None
    """That is told loudly."""
    check_every: Interval = Threshold("").check_every
    """How often it is judged."""


class SuccessModel(PercentModel):
    """When too few recoveries hold."""

    over: Annotated[Duration, _lasting(600, LONGEST_DURATION, "a duration of at least 10m")] = Threshold("").over
    """The time that it is taken over."""
    at_least: Annotated[Whole, Field(ge=1)] = Threshold("").at_least
    """How many recoveries it takes until it is judged."""


class ThresholdsModel(Model):
    """The measures that are told of."""

    disk_used: PercentModel | None = None
    """Used space of the disk, from which it is told."""
    memory_available: PercentModel | None = None
    """Available memory, below which it is told."""
    load_per_processor: LoadModel | None = None
    """The load over a minute, divided by the number of processors."""
    agents_down: PercentModel | None = None
    """The share of a host's supervised panes whose agents do not run."""
    success_rate: SuccessModel | None = None
    """The share of the recoveries that held, below which it is told."""
    hosts_unreachable: PercentModel | None = None
    """The share of the hosts that are always there, and are not."""


class ChannelModel(Model):
    """Where alerts can go."""

    path: FilePath | None = None
    """A file: alerts are added at its end."""
    host: FilledText | None = None
    """A phone with Termux: a host of the inventory."""
    webhook: WebhookUrl | None = None
    """A URL that takes JSON."""
    apprise: AppriseUrl | None = None
    """A URL of apprise."""
    headers: dict[HeaderName, Text] = {}
    """Sent with ``webhook``."""
    timeout: Timeout = TIMEOUT
    """How long it may take."""


class SubscriberModel(Model):
    """Who gets the signals."""

    jsonlines: FilePath | None = None
    """A file: each signal is a line of JSON at its end."""
    webhook: WebhookUrl | None = None
    """A URL that takes JSON."""
    pane: FilledText | None = None
    """The name of a managed pane, into which a line is typed."""
    headers: dict[HeaderName, Text] = {}
    """Sent with ``webhook``."""
    timeout: Timeout = TIMEOUT
    """How long it may take."""
    only: list[Annotated[Text, AfterValidator(_signal_name)]] = []
    """The signals that it gets."""


class AlertsModel(Model):
    """Who hears of what."""

    rules: StepsModel = StepsModel()
    """What is done about an alert, by severity."""
    still_open: Annotated[StillOpenModel, BeforeValidator(_by_severity)] = StillOpenModel()
    """After how long an open incident is told again."""
    thresholds: ThresholdsModel = ThresholdsModel()
    """The measures that are told of."""
    channels: (
        dict[
            Annotated[str, AfterValidator(_channel_name)],
            Annotated[ChannelModel, BeforeValidator(_nothing_is_empty)],
        ]
        | None
    ) = None
    """Where alerts can go, by name."""
    subscribers: list[SubscriberModel] = []
    """Who gets the signals."""


def rules_from_text(file: str, text: str) -> AlertRules:
    """What an alerts' file says, as it stands there: ``~`` and ``$NAME`` are not expanded.

    + file: its path, to be named in problems
    """
    model = read_as(file, text, AlertsModel, ALERT_RULES)
    steps = {severity: getattr(model.rules, severity) for severity in SEVERITIES}
    channels = AlertRules().channels
    if model.channels is not None:
        channels = tuple(_channel(name, each) for name, each in model.channels.items())
    return AlertRules(
        steps={key: DEFAULT_STEPS[key] if given is None else tuple(given) for key, given in steps.items()},
        still_open=_intervals(model.still_open),
        thresholds=tuple(
            Threshold(metric, **given.model_dump()) for metric, given in model.thresholds if given is not None
        ),
        channels=channels,
        subscribers=tuple(_subscriber(each) for each in model.subscribers),
    )


def _intervals(model: StillOpenModel) -> dict[Severity, float]:
    return {severity: getattr(model, severity) for severity in SEVERITIES}


def _channel(name: str, model: ChannelModel) -> Channel:
    kinds: dict[ChannelKind, str | None] = {
        "file": model.path,
        "phone": model.host,
        "webhook": model.webhook,
        "apprise": model.apprise,
    }
    given = [(kind, where) for kind, where in kinds.items() if where is not None]
    by_name: list[tuple[ChannelKind, str]] = [(each, "") for each in NAMED_CHANNELS if each == name]
    kind, where = (given or by_name)[0]
    return Channel(name, kind, where, tuple(model.headers.items()), model.timeout)


def _subscriber(model: SubscriberModel) -> Subscriber:
    kinds: dict[SubscriberKind, str | None] = {
        "jsonlines": model.jsonlines,
        "webhook": model.webhook,
        "pane": model.pane,
    }
    kind, where = next((kind, where) for kind, where in kinds.items() if where is not None)
    return Subscriber(kind, where, tuple(model.headers.items()), model.timeout, tuple(model.only))
