"""What the fleet's file says about what is shown, measured, foretold and reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from miyabi.errors import SpecError
from miyabi.fleet_file import read_fleet_file
from miyabi.monitoring import Monitoring, Predictions, Reports, Slo, comes_within, monitoring_of

EVERYTHING = """
slo: {availability: 99.5%, over: 7d}
metrics: {textfile: ~/metrics/miyabi.prom}
predictions: {every: 30m, horizon: 12h}
reports:
  daily: true
  monthly: true
  at: 06:45
  folder: /srv/reports
  keep: 12
  repositories: [~/repos/miyabi, /srv/git/tools]
  github: [example/miyabi]
  prices: {t3.micro: 0.0136}
  currency: EUR
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read is kept in a cache of this test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def read(tmp_path: Path, text: str) -> Monitoring:
    file = tmp_path / "fleet.yaml"
    file.write_text(text)
    first = monitoring_of(read_fleet_file(file).monitoring)
    # The second time it comes from the cache.
    assert monitoring_of(read_fleet_file(file).monitoring) == first
    return first


@pytest.mark.parametrize("text", ["", "lease: 5m\n", "slo: {}\nreports: {}\n"])
def test_who_says_nothing_gets_the_defaults(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == Monitoring()


def test_everything_can_be_set(tmp_path: Path) -> None:
    assert read(tmp_path, EVERYTHING) == Monitoring(
        slo=Slo(99.5, 7 * 86400),
        textfile="~/metrics/miyabi.prom",
        predictions=Predictions(every=1800, horizon=43200),
        reports=Reports(
            periods=("daily", "monthly"),
            at=6 * 60 + 45,
            folder="/srv/reports",
            keep=12,
            repositories=("~/repos/miyabi", "/srv/git/tools"),
            github=("example/miyabi",),
            prices={"t3.micro": 0.0136},
            currency="EUR",
        ),
    )


@pytest.mark.parametrize("written", ["7:05", "07:05", "'07:05'", '"7:05"'])
def test_a_time_of_day_however_yaml_reads_it(tmp_path: Path, written: str) -> None:
    assert read(tmp_path, f"reports: {{at: {written}}}\n").reports.at == 7 * 60 + 5


@pytest.mark.parametrize(
    ("written", "where", "allowed"),
    [
        ("slo: {availability: 100%}", "slo.availability", "below 100"),
        ("slo: {availability: 0%}", "slo.availability", "above 0"),
        ("slo: {over: 1h}", "slo.over", "86400"),
        ("metrics: {textfile: here.prom}", "metrics.textfile", "absolute"),
        ("metrics: {textfile: /a/metrics.txt}", "metrics.textfile", ".prom"),
        ("predictions: {every: 10s}", "predictions.every", "at least 5m"),
        ("predictions: {horizon: 1m}", "predictions.horizon", "3600"),
        ("reports: {at: 24:00}", "reports.at", "a time of day"),
        ("reports: {at: true}", "reports.at", "a time of day"),
        ("reports: {keep: 0}", "reports.keep", "1 or more"),
        ("reports: {repositories: [here]}", "reports.repositories[0]", "absolute"),
        ("reports: {github: [https://github.com/a/b]}", "reports.github[0]", "owner/name"),
        ("reports: {github: [../x]}", "reports.github[0]", "owner/name"),
        ("reports: {prices: {t3.micro: -1}}", "reports.prices.t3.micro", "0 or more"),
        ("reports: {prices: {t3.micro: .inf}}", "reports.prices.t3.micro", "finite"),
        ("reports: {prices: {'$(x)': 1}}", "reports.prices.$(x)", "a type of instance"),
        ("reports: {currency: dollars}", "reports.currency", "three capital letters"),
        ("reports: {hourly: true}", "reports.hourly", "daily"),
        ("dashboard: {}", "dashboard", "slo"),
    ],
)
def test_what_is_refused(tmp_path: Path, written: str, where: str, allowed: str) -> None:
    with pytest.raises(SpecError) as raised:
        read(tmp_path, written)
    [problem] = str(raised.value).splitlines()
    assert problem.startswith(f"{tmp_path}/fleet.yaml:1: {where}: ")
    assert allowed in problem


@pytest.mark.parametrize(
    ("crosses_at", "latest", "is_said"),
    [
        (None, None, False),
        (20, None, True),
        (20, 24, True),
        pytest.param(20, 25, False, id="it may as well come later"),
        (25, None, False),
        pytest.param(6, 90, True, id="it is near, however late it may be"),
        pytest.param(7, 90, False, id="it is not near enough"),
    ],
)
def test_what_is_said_to_come(crosses_at: float | None, latest: float | None, is_said: bool) -> None:
    now = 1000.0
    moments = [None if each is None else now + each for each in (crosses_at, latest)]
    assert comes_within(24, now, *moments) is is_said
