"""What is foretold is told once, is closed when it is not foretold any more, and stays out of the way of runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pyinfra.api.operation import add_op

from miyabi.alert_text import Alert
from miyabi.cli_fleet import FleetOfClone
from miyabi.errors import MiyabiError
from miyabi.foretold import crossing_of
from miyabi.gate_rules import FleetFile
from miyabi.history import History
from miyabi.incidents import judge
from miyabi.journal import append, attention
from miyabi.predicted import Predicted
from miyabi.prediction_alerts import QUIET, tell_predictions
from miyabi.prediction_judgement import Earlier, is_good, is_passed, judge_predictions
from miyabi.records import AlertSent, IncidentChanged
from miyabi.subjects import forecast_of, foretold_subject, is_subject
from operations.limits import within
from tests.alerts.telling import wrong
from tests.history.ground import DAY, HOUR, NOW, Ground, make
from tests.runs import agents
from tests.runs.conftest import play
from tests.runs.play import HOST, Play

__all__ = ["play"]

GOOD = {"cases": 5, "foretold": 4, "false_alarms": 0}
BAD = {"cases": 5, "foretold": 4, "false_alarms": 1}


@dataclass
class Looks:
    """A fleet that looks ahead, hour by hour."""

    ground: Ground
    now: float = NOW
    hosts: tuple[str, ...] = ("mugen", "pixel")
    predictions: dict[str, Any] = field(default_factory=dict)

    @property
    def fleet(self) -> FleetOfClone:
        """The fleet, with what fleet.yaml says of predictions."""
        told: dict[str, Any] = {}
        if self.predictions:
            plain: dict[str, Any] = {"slo": {}, "textfile": None, "predictions": self.predictions, "reports": {}}
            told = plain
        return FleetOfClone({host: {} for host in self.hosts}, {}, FleetFile(monitoring=told), self.ground.folder)

    def ahead(
        self, hours: float | None = None, *, after: float = HOUR, horizon: float = DAY, **more: Any
    ) -> list[Alert]:
        """Let time pass, and foretell that the disk of mugen is full in some hours; None is no trend."""
        return self.tell(self.predicted(hours, after=after, **more), horizon=horizon)

    def predicted(self, hours: float | None, *, after: float = HOUR, **more: Any) -> Predicted:
        """What a look after some time says."""
        self.now += after
        crosses = None if hours is None else self.now + hours * HOUR
        outcome = "no-trend" if hours is None else "crosses"
        summary = "disk reaches 90 % on Tue 04:10" if hours is not None else ""
        values: dict[str, Any] = {"value": 80.0, "limit": 90.0, "outcome": outcome, "crosses_at": crosses}
        return make(Predicted, self.now, run=f"p{self.now}", **(values | {"summary": summary} | more))

    def tell(self, *predicted: Predicted, horizon: float = DAY) -> list[Alert]:
        """Keep and tell what is foretold."""
        append(self.ground.folder, predicted)
        with self.ground.open(self.now) as history:
            return tell_predictions(self.fleet, history, predicted, horizon, self.now)

    def asked(self, question: Callable[[History], Any]) -> Any:
        """What the history answers now."""
        with self.ground.open(self.now) as history:
            return question(history)

    def incidents(self) -> list[str]:
        """What became of incidents, oldest first."""
        found: list[IncidentChanged] = self.asked(lambda history: history.records(IncidentChanged))
        return [f"{each.change} {each.severity} {each.host} {each.target}" for each in reversed(found)]

    def open(self) -> list[str]:
        """What has an incident that is open."""
        return [each.target for each in self.asked(lambda history: history.open_incidents())]


def told(alerts: list[Alert]) -> list[str]:
    return [f"{each.change} {each.severity} {each.host} {each.target}" for each in alerts]


@pytest.fixture
def looks(ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Looks:
    """A fleet in a clone without alerts.yaml: the defaults hold, which are the console and a file."""
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    return Looks(ground)


def test_two_in_a_row_are_told_once_and_closed_when_they_are_over(looks: Looks) -> None:
    assert looks.ahead(20, error=GOOD) == []
    alerts = looks.ahead(19, error=GOOD)
    assert told(alerts) == ["opened MEDIUM mugen forecast disk"]
    for hours in (18, 12, 7, 3):
        assert looks.ahead(hours, error=GOOD) == []
    assert looks.ahead(None) == []
    [closed] = looks.ahead(None, after=QUIET)
    assert (closed.change, closed.severity) == ("closed", "MEDIUM")
    assert looks.ahead(None) == []
    assert looks.open() == []
    assert [each.split()[0] for each in looks.incidents()] == ["opened", "changed", "closed"]
    log = (looks.ground.folder / "alerts.log").read_text()
    assert "mugen:disk is foretold to be in trouble" in log
    assert "RECOVERED  mugen:disk is no longer foretold to be in trouble" in log
    sent = looks.asked(lambda history: history.records(AlertSent))
    assert [each.change for each in reversed(sent)] == ["opened", "closed"]


def test_the_words_say_what_it_means_and_what_to_do(looks: Looks) -> None:
    looks.ahead(20, error=GOOD)
    [alert] = looks.ahead(19, error=GOOD)
    assert alert.line == (
        "MEDIUM mugen:disk is foretold to be in trouble: disk reaches 90 % on Tue 04:10; see: miyabi predict mugen"
    )
    for words in (
        "MEDIUM  mugen:disk is foretold to be in trouble",
        "what       disk reaches 90 % on Tue 04:10",
        "Nothing is wrong yet.",
        "                miyabi predict mugen",
        "limits.disk.relief",
        "prevent: 24h",
        "                ssh mugen",
        "                df -h ~",
    ):
        assert words in alert.text
    assert "tmux" not in alert.text


def test_one_alone_and_one_now_and_then_is_told_to_nobody(looks: Looks) -> None:
    for _ in range(6):
        assert looks.ahead(20, error=GOOD) == []
        assert looks.ahead(None) == []
    assert looks.incidents() == []


def test_what_flaps_is_told_once(looks: Looks) -> None:
    alerts = []
    for _ in range(4):
        for hours in (10, 10, None):
            alerts += looks.ahead(hours, after=900, error=GOOD)
    assert told(alerts) == ["opened MEDIUM mugen forecast disk"]


def test_it_is_not_told_again_in_the_hour_after_its_end(looks: Looks) -> None:
    for hours in (10, 9, None):
        looks.ahead(hours, error=GOOD)
    assert told(looks.ahead(None, after=QUIET)) == ["closed MEDIUM mugen forecast disk"]
    for _ in range(3):
        assert looks.ahead(10, after=900, error=GOOD) == []
    assert told(looks.ahead(10, after=1000, error=GOOD)) == ["opened MEDIUM mugen forecast disk"]


def test_what_comes_before_the_next_look_is_told_at_once(looks: Looks) -> None:
    looks.predictions = {"every": 6 * HOUR, "horizon": DAY}
    assert looks.ahead(7) == []
    looks.ahead(None)
    assert told(looks.ahead(5)) == ["opened MEDIUM mugen forecast disk"]
    assert crossing_of(looks.ground.folder, "mugen", "disk", looks.now) is not None


@pytest.mark.parametrize(
    ("hours", "error", "severity"),
    [
        (6.0, {}, "MEDIUM"),
        (6.1, {}, "LOW"),
        (23.0, GOOD, "MEDIUM"),
        (23.0, BAD, "LOW"),
        (23.0, {"cases": 5, "foretold": 3, "false_alarms": 0}, "LOW"),
        (23.0, {"cases": 0, "foretold": 0, "false_alarms": 0}, "LOW"),
        (23.0, {"cases": "many", "foretold": None}, "LOW"),
    ],
)
def test_how_bad_it_is(looks: Looks, hours: float, error: dict[str, Any], severity: str) -> None:
    looks.ahead(hours, error=error)
    alerts = looks.ahead(hours, error=error)
    assert [each.severity for each in alerts] == [severity]
    assert bool(alerts[0].incident) is bool(looks.open()) is (severity == "MEDIUM")


def test_what_is_not_sure_is_a_line_in_the_log_once(looks: Looks) -> None:
    lines = [each.line for hours in (23, 22, 21, 20, 19) for each in looks.ahead(hours)]
    assert lines == ["LOW mugen:disk is foretold to be in trouble: disk reaches 90 % on Tue 04:10"]
    assert looks.incidents() == []
    # When it comes near it is an incident.
    assert told(looks.ahead(5)) == ["opened MEDIUM mugen forecast disk"]


def test_beyond_the_horizon_nothing_is_told_and_prevention_knows_all_the_same(looks: Looks) -> None:
    for _ in range(3):
        assert looks.ahead(30, error=GOOD) == []
    found = crossing_of(looks.ground.folder, "mugen", "disk", looks.now)
    assert found is not None
    assert found.crosses_at == pytest.approx(looks.now + 30 * HOUR)
    assert found.limit == 90.0


def test_prevention_knows_what_counts_alone(looks: Looks) -> None:
    looks.ahead(10)
    assert crossing_of(looks.ground.folder, "mugen", "disk", looks.now) is None
    looks.ahead(9)
    assert crossing_of(looks.ground.folder, "mugen", "disk", looks.now) is not None
    looks.ahead(None)
    assert crossing_of(looks.ground.folder, "mugen", "disk", looks.now) is None


def test_a_limit_that_is_passed_ends_it_silently(looks: Looks) -> None:
    looks.ahead(2)
    assert told(looks.ahead(1)) == ["opened MEDIUM mugen forecast disk"]
    assert looks.ahead(0.5, value=90.0) == []
    assert looks.incidents()[-1] == "closed MEDIUM mugen forecast disk"
    assert looks.open() == []
    assert crossing_of(looks.ground.folder, "mugen", "disk", looks.now) is None


def test_too_few_looks_change_nothing(looks: Looks) -> None:
    looks.ahead(5)
    looks.ahead(4)
    for _ in range(3):
        assert looks.ahead(None, outcome="too-few-samples") == []
    assert looks.open() == ["forecast disk"]
    # And they stand between two predictions without parting them.
    assert looks.ahead(3) == []
    assert len(looks.incidents()) == 1


def test_what_nobody_foretells_any_more_ends_silently(looks: Looks) -> None:
    looks.ahead(5)
    looks.ahead(4)
    other = looks.predicted(None, host="pixel")
    assert looks.tell(other) == []
    assert looks.open() == ["forecast disk"]
    assert looks.tell(looks.predicted(None, after=DAY, host="pixel")) == []
    assert looks.open() == []


def test_a_host_that_left_the_fleet_takes_it_along(looks: Looks) -> None:
    looks.ahead(5)
    looks.ahead(4)
    looks.hosts = ("pixel",)
    assert looks.ahead(3) == []
    assert looks.open() == []


def test_each_subject_and_each_host_is_a_case_of_its_own(looks: Looks) -> None:
    alerts: list[Alert] = []
    for _ in range(2):
        looks.now += HOUR
        common: dict[str, Any] = {"after": 0.0, "error": GOOD}
        alerts = looks.tell(
            looks.predicted(9, **common),
            looks.predicted(9, subject="memory", value=20.0, limit=10.0, **common),
            looks.predicted(9, host="pixel", **common),
            looks.predicted(9, subject="server mcp", kind="failure", value=None, limit=None, **common),
            looks.predicted(1, subject="agent work:main.kaede", kind="usage-limit", value=None, limit=None, **common),
        )
    assert sorted(told(alerts)) == [
        "foretold LOW mugen forecast usage-limit agent work:main.kaede",
        "opened MEDIUM mugen forecast disk",
        "opened MEDIUM mugen forecast memory",
        "opened MEDIUM mugen forecast server mcp",
        "opened MEDIUM pixel forecast disk",
    ]
    lines = {each.target: each.line for each in alerts}
    assert lines["forecast usage-limit agent work:main.kaede"].startswith("LOW mugen:agent work:main.kaede is foretold")
    assert crossing_of(looks.ground.folder, "mugen", "server mcp", looks.now) is None


def test_hostile_names_and_words_reach_no_terminal(looks: Looks) -> None:
    evil = "\x1b[31m<b>\u202edisk\n"
    looks.hosts = (evil,)
    looks.ahead(5, host=evil, summary=evil)
    [alert] = looks.ahead(4, host=evil, summary=evil + "x" * 5000)
    for text in (alert.line, alert.text, (looks.ground.folder / "alerts.log").read_text()):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert len(alert.line) <= 400
    assert "\n" not in alert.line


def test_a_folder_that_cannot_be_written_is_one_line(looks: Looks) -> None:
    looks.ahead(5)
    (looks.ground.folder / "foretold.json").unlink()
    (looks.ground.folder / "foretold.json").mkdir()
    with pytest.raises(MiyabiError, match=r"foretold\.json.*cannot be written down"):
        looks.ahead(4)


# --- Beside what runs judge -----------------------------------------------------------------------------------------


def test_no_run_has_to_ask_the_history_for_it(looks: Looks) -> None:
    looks.ahead(5)
    looks.ahead(4)
    assert looks.open() == ["forecast disk"]
    assert not attention(looks.ground.folder)


def test_a_host_that_is_well_closes_no_prediction_and_a_prediction_no_other(looks: Looks) -> None:
    looks.ahead(5)
    looks.ahead(4)
    open_ones = looks.asked(lambda history: history.open_incidents())
    for healthy in ({("mugen", "")}, {("mugen", ""), ("", "")}, {("mugen", "disk")}):
        assert judge(open_ones, [], healthy, run="r", now=looks.now + DAY) == ()
    [disk] = judge((), [wrong("disk", kind="threshold")], (), run="r", now=looks.now)
    append(looks.ground.folder, [disk])
    assert sorted(looks.open()) == ["disk", "forecast disk"]
    looks.ahead(None)
    looks.ahead(None, after=DAY)
    assert looks.open() == ["disk"]


def test_its_case_is_a_subject_and_tells_what_it_is_about() -> None:
    for subject, kind in (("disk", "crossing"), ("server mcp", "failure"), ("agent w:m.k", "usage-limit")):
        target = forecast_of(subject, kind)
        assert is_subject(target)
        assert foretold_subject(target) == subject
    assert foretold_subject("work:main.kaede") == "work:main.kaede"


# --- The judgement --------------------------------------------------------------------------------------------------


def test_when_a_limit_is_passed() -> None:
    disk = make(Predicted, value=90.0, limit=90.0)
    assert is_passed(disk)
    assert not is_passed(replace(disk, value=89.9))
    assert not is_passed(replace(disk, value=None))
    memory = replace(disk, subject="memory", limit=10.0, value=9.9)
    assert is_passed(memory)
    assert not is_passed(replace(memory, value=10.0))
    assert not is_passed(replace(disk, kind="failure"))


def test_when_earlier_predictions_are_believed() -> None:
    assert is_good({"cases": 10, "foretold": 8, "false_alarms": 0})
    assert is_good({"cases": 10, "foretold": 9, "false_alarms": 1})
    assert not is_good({"cases": 10, "foretold": 8, "false_alarms": 1})
    assert not is_good({"cases": 10, "foretold": 7, "false_alarms": 0})
    assert not is_good({})
    assert not is_good({"cases": float("nan"), "foretold": float("inf")})


_SAID = st.tuples(
    st.floats(0, 2 * DAY), st.sampled_from(["crosses", "no-trend", "too-few-samples"]), st.floats(-DAY, 3 * DAY)
)


@given(earlier=st.lists(_SAID, max_size=8), last=_SAID, every=st.none() | st.floats(300, DAY))
def test_it_is_told_only_when_it_is_said_twice_or_soon(
    earlier: list[tuple[float, str, float]], last: tuple[float, str, float], every: float | None
) -> None:
    past = [
        Earlier(NOW - ago, "mugen", "disk", "crossing", outcome, NOW - ago + ahead if outcome == "crosses" else None)
        for ago, outcome, ahead in sorted(earlier, reverse=True)
    ]
    _, outcome, ahead = last
    told_now: Any = {"outcome": outcome, "crosses_at": NOW + ahead if outcome == "crosses" else None}
    judged = judge_predictions([make(Predicted, NOW, **told_now)], past, horizon=DAY, now=NOW, every=every)
    said = [each for each in past if each.outcome != "too-few-samples"]
    before = bool(said) and said[-1].crosses_at is not None and said[-1].crosses_at - said[-1].at <= DAY
    now = outcome == "crosses" and ahead <= DAY
    soon = outcome == "crosses" and every is not None and ahead <= every and now
    assert bool(judged.verdicts) == (now and (before or soon))
    assert bool(judged.well) == (outcome == "no-trend" or (outcome == "crosses" and not now))
    assert judged.new <= {(each.host, each.target) for each in judged.verdicts}


@pytest.mark.slow
def test_runs_leave_it_open_whatever_they_find(play: Play) -> None:
    """Runs that look after the disk and the fleet, repair something, and have their own incidents closed."""
    agents.install(play.machine, "kaede")
    play.wants({"session_name": "work", "windows": [{"window_name": "main", "panes": [agents.pane("kaede"), "sh"]}]})
    limits: dict[str, Any] = {"disk_warning": 100, "disk_critical": 100, "memory_warning": 0, "memory_critical": 0}
    play.upkeep = lambda state: add_op(state, within, **limits, _ignore_errors=True)
    assert not play.run().failed
    told_at: dict[str, Any] = {"host": HOST, "target": "forecast disk", "kind": "prediction", "severity": "MEDIUM"}
    opened = make(IncidentChanged, play.now, incident="foretold", **told_at)
    play.asked(lambda history: history.write([opened]))
    for _ in range(3):
        agents.crash(play.tmux, "kaede")
        assert not play.run(400).failed
    # The repairs that took more than one try have an incident of their own, which ends.
    runs = [play.run(400) for _ in range(6)]
    assert not any(run.failed for run in runs)
    left = play.asked(lambda history: history.open_incidents())
    assert [each.incident for each in left] == ["foretold"]
    assert {each.incident for each in play.incidents()} > {"foretold"}
    # Nothing of it is a run's to ask for.
    assert not play.attention()
    assert not runs[-1].opened
