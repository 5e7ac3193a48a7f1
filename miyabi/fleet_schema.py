"""What a user may write in inventory/fleet.yaml: what holds for all hosts together."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from miyabi.fleet_monitoring_schema import MonitoringModel, monitoring_told
from miyabi.gate_rules import FleetFile, FleetRules
from miyabi.spec_gate_schema import LongPause
from miyabi.spec_problems import read_as
from miyabi.spec_values import Duration, FilledText, Model, Percentage, Whole, refused
from miyabi.units import parse_percentage

_RULES = FleetRules()
_URL = re.compile(r"[a-z][a-z0-9+]*:[!-~]+|\$[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def _unavailable(value: object) -> tuple[float, bool]:
    """How many hosts: a number, or percent of them; and which of the two it is."""
    written = getattr(value, "text", value)
    try:
        if isinstance(written, str) and written.strip().endswith("%"):
            number, is_percent = parse_percentage(written), True
        else:
            number, is_percent = float(int(str(written))), False
    except ValueError:
        number, is_percent = 0.0, False
    if isinstance(value, bool) or number <= 0:
        raise refused("a number of hosts from 1, or a percentage above 0, such as 25%")
    return number, is_percent


def _folder(value: str) -> str:
    if not value.startswith(("/", "~")):
        raise refused("an absolute path, or one that begins with ~")
    return value


def _database(value: str) -> str:
    if not _URL.fullmatch(value):
        # What stands there may hold a password.
        found = "text that is no URL"
        raise refused("a database's URL without spaces, such as postgresql+psycopg://miyabi:$NAME@db/miyabi", found)
    return value


def _a_day(seconds: float) -> float:
    if seconds < 86400:
        raise refused("a duration of at least 1d")
    return seconds


class StormModel(Model):
    """When so much is damaged at once that nothing is restarted for a while."""

    hosts: Annotated[Percentage, Field(gt=0)] = _RULES.storm_hosts
    """The share of the hosts that are damaged at once, from which it is a storm."""
    at_least: Annotated[Whole, Field(ge=2)] = _RULES.storm_least
    """How many hosts these must be at least."""
    targets: Annotated[Whole, Field(ge=2)] = _RULES.storm_targets
    """How many targets with one cause at once are a storm."""
    cooldown: LongPause = _RULES.storm_cooldown
    """How long nothing is restarted then."""


class HistoryModel(Model):
    """What is remembered, and where."""

    url: Annotated[FilledText, AfterValidator(_database)] | None = None
    """A database. Without one a SQLite file in ``state``. ``$NAME`` is taken from the environment."""
    keep: Annotated[Duration, AfterValidator(_a_day)] = FleetFile().keep
    """How long it is kept, at least a day."""


class FleetModel(MonitoringModel):
    """What holds for all hosts together."""

    max_unavailable: Annotated[
        tuple[float, bool],
        BeforeValidator(_unavailable),
        WithJsonSchema({"type": ["string", "number"], "examples": ["25%", 1]}),
    ] = (_RULES.max_unavailable, _RULES.is_percent)
    """How many hosts may be disturbed at the same time: a number, or percent, rounded up."""
    storm: StormModel = StormModel()
    """When so much is damaged at once that nothing is restarted for a while."""
    lease: LongPause = _RULES.lease
    """How long a recovery has its host for itself at most."""
    state: Annotated[FilledText, AfterValidator(_folder)] | None = None
    """The folder of what is remembered. Without one miyabi's own in the user's state folder."""
    history: HistoryModel = HistoryModel()
    """What is remembered, and where."""


def fleet_from_text(file: str, text: str) -> FleetFile:
    """What a fleet's file says, as it stands there: ``~`` and ``$NAME`` are not expanded.

    + file: its path, to be named in problems
    """
    model = read_as(file, text, FleetModel)
    number, is_percent = model.max_unavailable
    rules = FleetRules(
        max_unavailable=number,
        is_percent=is_percent,
        storm_hosts=model.storm.hosts,
        storm_least=model.storm.at_least,
        storm_targets=model.storm.targets,
        storm_cooldown=model.storm.cooldown,
        lease=model.lease,
    )
    return FleetFile(rules, model.state, model.history.url, model.history.keep, monitoring_told(model))
