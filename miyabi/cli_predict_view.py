"""Predictions and back-tests as tables for a terminal, and as JSON. Pure; rich is imported where a table is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from miyabi.masking import masked, shown
from miyabi.monitoring import comes_within
from miyabi.predicted import Predicted
from miyabi.words import clock_time, iso

if TYPE_CHECKING:
    from rich.table import Table

    from miyabi.forecast.backtest import Backtest

_FORETOLD = "crosses"


def worth_telling(predicted: Predicted) -> bool:
    """Whether a prediction is a line of the table: disks and memory always are, others when something is foretold."""
    return predicted.outcome == _FORETOLD or (predicted.kind == "crossing" and predicted.value is not None)


def predicted_table(predicted: Iterable[Predicted], horizon: float, now: float) -> Table:
    """One row for each prediction; what comes first stands above."""
    from rich.table import Table  # noqa: PLC0415 - dear
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    table.add_column("HOST", no_wrap=True)
    table.add_column("WHAT", overflow="fold")
    for title in ("NOW", "LIMIT", "WHEN"):
        table.add_column(title, no_wrap=True, justify="right" if title != "WHEN" else "left")
    table.add_column("FORETOLD", overflow="fold")
    far = float("inf")
    for each in sorted(predicted, key=lambda one: (one.crosses_at or far, one.host, one.subject)):
        is_near = comes_within(horizon, now, each.crosses_at, each.latest)
        when = "" if each.crosses_at is None else clock_time(each.crosses_at, now)
        table.add_row(
            Text(shown(each.host)),
            Text(shown(masked(each.subject))),
            _measured(each, each.value),
            _measured(each, each.limit),
            Text(when, style="bold yellow" if is_near else ""),
            Text(shown(masked(each.summary)), style="" if each.outcome == _FORETOLD else "dim"),
        )
    return table


def _measured(predicted: Predicted, value: float | None) -> str:
    if value is None:
        return ""
    if predicted.kind == "crossing":
        return f"{value:.0f} %"
    return f"{value / 3600:.1f} h" if predicted.kind == "usage-limit" else f"{value:.0f} a day"


def predicted_json(predicted: Predicted, horizon: float, now: float) -> dict[str, Any]:
    """A prediction with its moments as people write them."""
    return {
        "host": predicted.host,
        "subject": predicted.subject,
        "kind": predicted.kind,
        "outcome": predicted.outcome,
        "is_within_horizon": comes_within(horizon, now, predicted.crosses_at, predicted.latest),
        "crosses_at": iso(predicted.crosses_at),
        "earliest": iso(predicted.earliest),
        "latest": iso(predicted.latest),
        "value": predicted.value,
        "limit": predicted.limit,
        "samples": predicted.samples,
        "method": predicted.method,
        "forecast": [[iso(at), *rest] for at, *rest in predicted.forecast],
        "error": dict(predicted.error),
        "summary": predicted.summary,
    }


def backtest_table(tested: Mapping[str, Backtest]) -> Table:
    """One row for each series, and one for all of them."""
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from miyabi.forecast.backtest import together  # noqa: PLC0415 - numpy and scipy are dear

    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    table.add_column("WHAT", overflow="fold")
    for title in (
        "DAYS",
        "CROSSINGS",
        "FORETOLD",
        "BY A STEP",
        "ALARMS",
        "FALSE",
        "FALSE LOOKS",
        "HOURS OFF",
        "IN INTERVAL",
    ):
        table.add_column(title, justify="right", no_wrap=True)
    rows = dict(sorted(tested.items()))
    if len(rows) > 1:
        rows["all"] = together(rows.values())
    for name, each in rows.items():
        table.add_row(
            Text(shown(name)),
            f"{each.days:.0f}",
            str(each.cases),
            f"{each.foretold}{_share(each.foretold, each.cases)}",
            str(each.sudden),
            str(each.alarms),
            f"{each.false_alarms}{_share(each.false_alarms, each.alarms)}",
            f"{each.said_wrongly} of {each.said}",
            "" if each.median_hours_off is None else f"{each.median_hours_off:.1f}",
            _share(each.within, each.intervals).strip(" ()"),
            style="bold" if name == "all" else "",
        )
    return table


def _share(part: int, whole: int) -> str:
    return f" ({100 * part / whole:.0f} %)" if whole else ""


def backtest_json(tested: Mapping[str, Backtest], horizon: float) -> dict[str, Any]:
    """The figures of each series, and of all of them."""
    from miyabi.forecast.backtest import together  # noqa: PLC0415 - see backtest_table

    return {
        "horizon": horizon,
        "series": [{"name": name, **each.as_error()} for name, each in sorted(tested.items())],
        "all": together(tested.values()).as_error(),
    }
