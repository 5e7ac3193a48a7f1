"""What was foretold, as it is remembered: a record that runs neither write nor read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from miyabi.records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted(Record):
    """What was foretold of one subject of a host; the last record of a subject counts.

    + subject: ``disk``, ``memory``, a server such as ``server mcp``, or an agent such as ``agent work:main.kaede``
    + kind: ``crossing`` (a measure reaches its limit), ``failure`` (restarts foretell it), ``usage-limit``
    + outcome: ``crosses`` (at ``crosses_at``, or somewhen between ``earliest`` and ``latest``), ``no-trend``,
      ``too-few-samples``; how far ahead it is does not matter here
    + value, limit: the measure now, and what it must not reach
    + samples: how many looks it goes by
    + method: how it was foretold, such as ``theil-sen``
    + forecast: ``(at, value, low, high)`` to be drawn
    + error: how the same method did on this subject's own past, such as ``{"cases": 4, "foretold": 4,
      "false_alarms": 0, "median_hours_off": 1.5}``; empty when there was not enough of it
    + summary: all of it in words
    """

    TABLE: ClassVar[str] = "predictions"

    host: str
    subject: str
    kind: Literal["crossing", "failure", "usage-limit"]
    outcome: Literal["crosses", "no-trend", "too-few-samples"]
    crosses_at: float | None = None
    earliest: float | None = None
    latest: float | None = None
    value: float | None = None
    limit: float | None = None
    samples: int = 0
    method: str = ""
    forecast: tuple[Any, ...] = ()
    error: Mapping[str, Any] = field(default_factory=dict)
    summary: str = ""
