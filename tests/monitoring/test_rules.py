"""What docs/monitoring gives Prometheus and Grafana: in their shape, and about metrics that there are."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from miyabi.metrics import exposition
from miyabi.units import parse_duration
from tests.monitoring.grafana import DASHBOARD
from tests.monitoring.overviews import NOW, an_overview

FOLDER = Path(__file__).parents[2] / "docs" / "monitoring"
RULES = FOLDER / "alert-rules.yaml"

# A metric with its matchers, each with its operator.
_SELECTOR = re.compile(r"\b(miyabi_\w+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)(=~|!=|!~|=)"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|on|ignoring|without)\s*\(([^)]*)\)")


def dashboard() -> dict[str, Any]:
    told: dict[str, Any] = json.loads((FOLDER / "grafana-dashboard.json").read_text())
    return told


def panels() -> list[dict[str, Any]]:
    return [each for each in dashboard()["panels"] if each["type"] != "row"]


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> list[tuple[str, str]]:
    """Each expression, with where it stands."""
    of_panels = [(panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]]
    of_variables = [(each["name"], each["query"]) for each in dashboard()["templating"]["list"] if "datasource" in each]
    notes = [(each["name"], each["expr"]) for each in dashboard()["annotations"]["list"] if "expr" in each]
    return of_panels + of_variables + notes + [(each["alert"], each["expr"]) for each in rules()]


def known() -> dict[str, dict[str, set[str]]]:
    """All metrics that an exposition may have, with the values that their labels have."""
    found: dict[str, dict[str, set[str]]] = {}
    charts = tuple(replace(each, limit=10.0, crosses_at=NOW) for each in an_overview().charts)
    for family in text_string_to_metric_families(exposition(an_overview(charts=charts), NOW)):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for name, value in sample.labels.items():
                labels.setdefault(name, set()).add(value)
    return found


@pytest.mark.parametrize(("where", "expression"), expressions())
def test_every_metric_label_and_value_is_one_that_there_is(where: str, expression: str) -> None:
    metrics = known()
    selectors = _SELECTOR.findall(expression)
    assert selectors, where
    for name, matchers in selectors:
        assert name in metrics, where
        for label, operator, value in _MATCHER.findall(matchers):
            assert label in metrics[name], where
            if value == "$host":
                continue
            wanted = value.split("|") if operator == "=~" else [value]
            assert set(wanted) <= metrics[name][label], where
    labels = {label for name, _ in selectors for label in metrics[name]}
    for told in _GROUPING.findall(expression):
        assert {each.strip() for each in told.split(",")} <= labels, where


def test_every_metric_of_the_fleet_is_shown_or_watched() -> None:
    used = {name for _, expression in expressions() for name, _ in _SELECTOR.findall(expression)}
    beside = {
        "miyabi_build_info",
        "miyabi_host_since_timestamp_seconds",
        "miyabi_host_sessions",
        "miyabi_host_windows",
        "miyabi_host_panes",
        "miyabi_host_uptime_seconds",
        "miyabi_last_run_duration_seconds",
        "miyabi_slo_period_seconds",
        "miyabi_window_seconds",
    }
    assert set(known()) - used == beside


def test_the_document_names_every_metric() -> None:
    document = (FOLDER.parent / "monitoring.md").read_text()
    assert not [name for name in known() if f"`{name}" not in document]
    named = set(re.findall(r"`(miyabi_\w+)", document))
    assert named <= set(known())


def test_the_dashboard_is_one_of_grafana() -> None:
    jsonschema.Draft202012Validator.check_schema(DASHBOARD)
    jsonschema.Draft202012Validator(DASHBOARD).validate(dashboard())


def test_the_dashboard_takes_any_data_source_and_no_panel_lies_on_another() -> None:
    sources = [panel["datasource"]["uid"] for panel in panels()]
    sources += [target["datasource"]["uid"] for panel in panels() for target in panel["targets"]]
    assert set(sources) == {"${datasource}"}
    everything = dashboard()["panels"]
    assert len({each["id"] for each in everything}) == len(everything)
    places = [each["gridPos"] for each in everything]
    assert all(each["x"] + each["w"] <= 24 for each in places)
    for one, other in combinations(places, 2):
        is_beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        is_above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert is_beside or is_above
    for panel in panels():
        references = [each["refId"] for each in panel["targets"]]
        assert len(set(references)) == len(references)


def test_the_rules_have_the_shape_that_prometheus_reads() -> None:
    told = yaml.safe_load(RULES.read_text())
    assert set(told) == {"groups"}
    names = [group["name"] for group in told["groups"]]
    assert len(set(names)) == len(names)
    assert all(set(group) == {"name", "rules"} for group in told["groups"])
    alerts = [each["alert"] for each in rules()]
    assert len(set(alerts)) == len(alerts)
    for rule in rules():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"Miyabi[A-Za-z]+", rule["alert"])
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert set(rule["annotations"]) == {"summary", "description"}
        if "for" in rule:
            assert parse_duration(rule["for"]) > 0
        # A label that the result does not have would be an empty word in the text.
        used = re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"]))
        names_of = {label for name, _ in _SELECTOR.findall(rule["expr"]) for label in known()[name]}
        assert set(used) <= names_of
