"""The alerts' file, inventory/alerts.yaml: who hears of what.

pydantic and YAML are imported when the file is new: a run that read it before needs neither.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from miyabi.alert_rules import AlertRules, Channel, Step, Stop, Subscriber, Threshold
from miyabi.spec_cache import Kind, cached_file
from miyabi.spec_file import file_text

_SOURCES = (
    "alert_rules",
    "alerts_file",
    "alerts_file_rules",
    "alerts_schema",
    "severity",
    "signals",
    "spec_document",
    "spec_file",
    "spec_found",
    "spec_problems",
    "spec_values",
    "spec_yaml",
    "units",
)


def read_alerts_file(path: Path) -> AlertRules:
    """Read the alerts' file.

    + path: such as ``Path("inventory/alerts.yaml")``; without such a file the defaults hold

    Returns what it says; ``~`` and ``$NAME`` stand as they were written. Raises ``SpecError`` with every problem, each
    with its line.
    """
    return cached_file(path, _KIND, AlertRules(), _parse)


def _parse(file: str, content: bytes) -> AlertRules:
    from miyabi.alerts_schema import rules_from_text  # noqa: PLC0415 - see the module's docstring

    return rules_from_text(file, file_text(file, content))


def _to_json(rules: AlertRules) -> str:
    return json.dumps({"alerts": asdict(rules)}, separators=(",", ":"))


def _from_json(text: str) -> AlertRules:
    """What was kept. Raises ``ValueError`` when the text is anything else."""
    try:
        kept = json.loads(text)["alerts"]
        return AlertRules(
            steps={severity: tuple(map(_step, steps)) for severity, steps in kept["steps"].items()},
            still_open=kept["still_open"],
            thresholds=tuple(Threshold(**each) for each in kept["thresholds"]),
            channels=tuple(Channel(**{**each, "headers": _pairs(each["headers"])}) for each in kept["channels"]),
            subscribers=tuple(
                Subscriber(**{**each, "headers": _pairs(each["headers"]), "only": tuple(each["only"])})
                for each in kept["subscribers"]
            ),
        )
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"no alerts: {error}") from error


def _step(kept: dict[str, Any]) -> Step:
    stop = kept["stop"]
    return Step(kept["does"], tuple(kept["channels"]), stop and Stop(**stop))


def _pairs(kept: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((header, value) for header, value in kept)


_KIND = Kind("alerts", _SOURCES, _to_json, _from_json)
