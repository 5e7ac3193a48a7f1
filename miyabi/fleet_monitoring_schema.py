"""What a user may write in inventory/fleet.yaml about what is shown, measured, foretold and reported."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from miyabi.monitoring import PERIODS, Monitoring, Period
from miyabi.spec_values import Duration, FilledText, Model, Percentage, Text, Whole, refused

_DEFAULT = Monitoring()
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_INSTANCE_TYPE = re.compile(r"[a-z0-9][a-z0-9.-]{1,40}", re.ASCII)
_SHORTEST_LOOK = 300.0


def _place(value: str) -> str:
    if not value.startswith(("/", "~")):
        raise refused("an absolute path, or one that begins with ~")
    return value


def _metrics_file(value: str) -> str:
    if not value.endswith(".prom"):
        raise refused("a file whose name ends with .prom: node_exporter reads no other")
    return _place(value)


def _minutes(value: object) -> int:
    # YAML 1.1 makes minutes of 07:00, and leaves its text beside it.
    written = str(getattr(value, "text", value))
    if isinstance(value, bool) or not (found := _TIME.fullmatch(written)):
        raise refused("a time of day, such as 07:00")
    return int(found[1]) * 60 + int(found[2])


def _rare(value: float) -> float:
    if value < _SHORTEST_LOOK:
        raise refused("a duration of at least 5m")
    return value


def _promise(value: float) -> float:
    if not 0 < value < 100:
        raise refused("a percentage above 0 and below 100, such as 99.5%: nothing is always up")
    return value


def _on_github(value: str) -> str:
    if not _REPOSITORY.fullmatch(value):
        raise refused("a repository of GitHub as owner/name")
    return value


def _of_currency(value: str) -> str:
    if not _CURRENCY.fullmatch(value):
        raise refused("three capital letters, such as USD")
    return value


def _of_type(value: str) -> str:
    if not _INSTANCE_TYPE.fullmatch(value):
        raise refused("a type of instance, such as t3.micro")
    return value


class SloModel(Model):
    """What is promised of the hosts' availability."""

    availability: Annotated[Percentage, AfterValidator(_promise)] = _DEFAULT.slo.availability
    """The share of the time in which hosts are up."""
    over: Annotated[Duration, Field(ge=86400)] = _DEFAULT.slo.over
    """The stretch of time that it is promised for, until now."""


class MetricsModel(Model):
    """What is written for other monitoring."""

    textfile: Annotated[FilledText, AfterValidator(_metrics_file)] | None = None
    """A file that each scheduled run writes for node_exporter's textfile collector."""


class PredictionsModel(Model):
    """When a scheduled run looks ahead."""

    every: Annotated[Duration, AfterValidator(_rare)] | None = None
    """How often; without it never."""
    horizon: Annotated[Duration, Field(ge=3600)] = _DEFAULT.predictions.horizon
    """What is foretold for so long from now is told."""


class ReportsModel(Model):
    """Which reports are written by schedule, and what they ask beside the history."""

    daily: bool = False
    """Whether each day gets a report."""
    weekly: bool = False
    """Whether each week gets one, on Monday."""
    monthly: bool = False
    """Whether each month gets one, on its first day."""
    at: Annotated[int, BeforeValidator(_minutes), WithJsonSchema({"type": "string", "examples": ["07:00"]})] = (
        _DEFAULT.reports.at
    )
    """From when on a report is due, local time."""
    folder: Annotated[FilledText, AfterValidator(_place)] | None = None
    """Where they are written. Without one ``reports`` in the folder of what is remembered."""
    keep: Annotated[Whole, Field(ge=1)] = _DEFAULT.reports.keep
    """How many of each period stay."""
    repositories: list[Annotated[FilledText, AfterValidator(_place)]] = Field(default_factory=list)
    """Folders of git repositories on this machine whose commits are counted."""
    github: list[Annotated[FilledText, AfterValidator(_on_github)]] = Field(default_factory=list)
    """Repositories whose closed issues and merged pull requests are counted, by ``gh`` or ``$GITHUB_TOKEN``."""
    prices: dict[Annotated[Text, AfterValidator(_of_type)], Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(
        default_factory=dict
    )
    """What an hour of an instance costs, by its type."""
    currency: Annotated[FilledText, AfterValidator(_of_currency)] = _DEFAULT.reports.currency
    """Of these prices."""


class MonitoringModel(Model):
    """What of the history is shown, measured, foretold and reported."""

    slo: SloModel = SloModel()
    """What is promised of the hosts' availability."""
    metrics: MetricsModel = MetricsModel()
    """What is written for other monitoring."""
    predictions: PredictionsModel = PredictionsModel()
    """When a scheduled run looks ahead."""
    reports: ReportsModel = ReportsModel()
    """Which reports are written by schedule."""


def monitoring_told(model: MonitoringModel) -> dict[str, Any]:
    """What was written, as ``miyabi.monitoring.monitoring_of`` takes it; {} when nothing was."""
    if not model.model_fields_set & MonitoringModel.model_fields.keys():
        return {}
    reports = model.reports.model_dump()
    chosen: list[Period] = [period for period in PERIODS if reports.pop(period)]
    return {
        "slo": model.slo.model_dump(),
        "textfile": model.metrics.textfile,
        "predictions": model.predictions.model_dump(),
        "reports": {**reports, "periods": chosen},
    }
