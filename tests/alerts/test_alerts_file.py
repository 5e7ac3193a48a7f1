"""inventory/alerts.yaml: what it may say, and everything that is wrong with one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from miyabi.alert_rules import AlertRules, Channel, Step, Stop, Subscriber, Threshold
from miyabi.alerts_file import _from_json, _to_json, read_alerts_file
from miyabi.alerts_schema import AlertsModel, rules_from_text
from miyabi.errors import SpecError

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def read(text: str) -> AlertRules:
    return rules_from_text("alerts.yaml", dedent(text))


def test_every_mistake_is_told_with_its_line() -> None:
    with pytest.raises(SpecError) as refused:
        rules_from_text("refused.yaml", (HERE / "refused.yaml").read_text(encoding="utf-8"))
    assert str(refused.value).splitlines() == (HERE / "refused.txt").read_text(encoding="utf-8").splitlines()
    assert "hunter2" not in str(refused.value)


def test_the_file_of_the_repository_is_right_and_needs_nobody_else() -> None:
    rules = read_alerts_file(ROOT / "inventory" / "alerts.yaml")
    assert {each.kind for each in rules.channels} <= {"console", "file", "guardian"}
    assert rules.steps == AlertRules().steps
    assert rules.still_open == AlertRules().still_open
    assert rules.stop == Stop(3, 1800.0)
    assert Threshold("disk_used", 85.0, 95.0, 300.0) in rules.thresholds


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert read_alerts_file(tmp_path / "alerts.yaml") == AlertRules()
    (tmp_path / "alerts.yaml").write_text("", encoding="utf-8")
    assert read_alerts_file(tmp_path / "alerts.yaml") == AlertRules()
    with pytest.raises(SpecError, match="found a directory"):
        read_alerts_file(tmp_path)


EVERYTHING = """
    rules:
      LOW: []
      MEDIUM: [log, {notify: [ops]}]
      CRITICAL: [{escalate_to_human: [ops, mail]}, {emergency_stop: {criticals: 2, for: 1h}}]
    still_open: {CRITICAL: 1h}
    thresholds:
      load_per_processor: {warning: 1.5, critical: 4, check_every: 10m}
      success_rate: {critical: 50, over: 7d, at_least: 20}
    channels:
      console:
      file: {path: ~/alerts.log}
      archive: {path: /var/log/miyabi.log}
      phone: {host: pixel}
      ops: {webhook: "https://ops.example.org/$KEY", headers: {Authorization: "Bearer ${TOKEN}"}, timeout: 2s}
      mail: {apprise: $MAIL}
    subscribers:
      - {jsonlines: ~/signals.jsonl}
      - {webhook: "$HOOK", only: [HEALTH_OK], timeout: 1s}
      - {pane: kaede}
"""


def test_everything_that_may_be_said() -> None:
    rules = read(EVERYTHING)
    assert rules.steps["MEDIUM"] == (Step("log"), Step("notify", ("ops",)))
    assert rules.steps["HIGH"] == AlertRules().steps["HIGH"]
    assert rules.stop == Stop(2, 3600.0)
    assert rules.still_open == {"LOW": 21600.0, "MEDIUM": 21600.0, "HIGH": 21600.0, "CRITICAL": 3600.0}
    assert rules.thresholds == (
        Threshold("load_per_processor", 1.5, 4.0, 600.0),
        Threshold("success_rate", None, 50.0, 300.0, 604800.0, 20),
    )
    assert rules.channels[2:] == (
        Channel("archive", "file", "/var/log/miyabi.log"),
        Channel("phone", "phone", "pixel"),
        Channel("ops", "webhook", "https://ops.example.org/$KEY", (("Authorization", "Bearer ${TOKEN}"),), 2.0),
        Channel("mail", "apprise", "$MAIL"),
    )
    assert rules.subscribers[1:] == (
        Subscriber("webhook", "$HOOK", timeout=1.0, only=("HEALTH_OK",)),
        Subscriber("pane", "kaede"),
    )


def test_where_each_severity_goes() -> None:
    rules = read(EVERYTHING)
    names = {severity: [each.name for each in rules.channels_for(severity)] for severity in rules.steps}
    assert names == {
        "LOW": [],
        "MEDIUM": ["console", "file", "archive", "ops"],
        "HIGH": ["console", "file", "archive", "phone", "ops", "mail"],
        "CRITICAL": ["ops", "mail"],
    }
    assert [severity for severity in rules.steps if rules.leaves_to_humans(severity)] == ["CRITICAL"]


@pytest.mark.parametrize("text", [EVERYTHING, "still_open: 30m", "{}"])
def test_what_was_read_is_kept_exactly(text: str) -> None:
    rules = read(text)
    assert _from_json(_to_json(rules)) == rules


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"alerts": 3}', '{"alerts": {"steps": {"LOW": [{}]}}}'])
def test_what_was_not_kept_by_us_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        _from_json(text)


def test_a_file_that_was_read_before_costs_neither_pydantic_nor_yaml(tmp_path: Path) -> None:
    program = (
        "import json, sys; from pathlib import Path; from miyabi.alerts_file import read_alerts_file;"
        "read_alerts_file(Path(sys.argv[1]));"
        "print(json.dumps([n for n in ('pydantic', 'yaml', 'apprise', 'sqlalchemy', 'rich') if n in sys.modules]))"
    )
    words = [sys.executable, "-c", program, str(ROOT / "inventory" / "alerts.yaml")]
    first, second = (
        json.loads(subprocess.run(words, capture_output=True, check=True, cwd=ROOT).stdout) for _ in range(2)
    )
    assert first == ["pydantic", "yaml"]
    assert second == []
    assert list((tmp_path / "cache").rglob("*.json"))


def test_the_page_knows_every_key() -> None:
    page = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    definitions = AlertsModel.model_json_schema()
    keys = set(definitions["properties"])
    for model in definitions["$defs"].values():
        keys |= set(model["properties"])
    assert {key for key in keys if f"`{key}`" not in page} == set()
