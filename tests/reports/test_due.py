"""Reports that are written by schedule: which, where, how many stay, and who hears of them."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest
import yaml

from miyabi.alert_rules import AlertRules, Channel
from miyabi.alert_text import Alert
from miyabi.channels import _job
from miyabi.cli_fleet import FleetOfClone
from miyabi.delivery import parcels
from miyabi.errors import ReportError
from miyabi.fleet_schema import fleet_from_text
from miyabi.history import History, open_history
from miyabi.monitoring import DAY, Monitoring, Reports
from miyabi.records import AlertSent, BreakerChanged, IncidentChanged
from miyabi.reports.due import write_due_reports
from miyabi.reports.gathering import gather
from miyabi.reports.past import Asked
from miyabi.reports.sending import report_alert
from miyabi.reports.shelf import KEPT, place_for, prune, shelf_of, write_report
from miyabi.reports.span import last_over
from tests.alerts.endpoints import answering
from tests.reports.making import MIDNIGHT, incident, looks

HOUR = 3600.0
# Saturday, 21 November, eight o'clock.
NOW = MIDNIGHT + DAY + 8 * HOUR
ALL = {"daily": True, "weekly": True, "monthly": True}


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an inventory in which alerts go to a file alone."""
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "alerts.yaml").write_text("channels: {file: }\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def history(clone: Path) -> Iterator[History]:
    """A history of a day and a half."""
    with closing(open_history(clone / "memory", None, now=NOW)) as opened:
        opened.write([*looks(until=MIDNIGHT + DAY + 6 * HOUR), *incident("one", MIDNIGHT + HOUR, None)])
        yield opened


def fleet(clone: Path, **reports: object) -> FleetOfClone:
    file = fleet_from_text("inventory/fleet.yaml", yaml.safe_dump({"reports": reports}))
    return FleetOfClone({"mugen": {}}, {}, file, clone / "memory")


def written(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_due_is_written_once(clone: Path, history: History) -> None:
    there = fleet(clone, **ALL)
    files = write_due_reports(there, history, NOW, UTC)
    assert [path.name for path in files] == [
        "daily-2026-11-20.md",
        "daily-2026-11-20.html",
        "weekly-2026-W46.md",
        "weekly-2026-W46.html",
        "monthly-2026-10.md",
        "monthly-2026-10.html",
    ]
    folder = clone / "memory" / "reports"
    assert {path.parent for path in files} == {folder}
    assert written(folder) == sorted(path.name for path in files), "nothing unfinished is left"
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert "no host was down" in files[0].read_text()
    assert "Nobody looked" in files[2].read_text()
    assert write_due_reports(there, history, NOW + HOUR, UTC) == []
    assert [path.name for path in write_due_reports(there, history, NOW + DAY, UTC)] == [
        "daily-2026-11-21.md",
        "daily-2026-11-21.html",
    ]


def test_nothing_is_due_without_being_asked_for(clone: Path, history: History) -> None:
    assert write_due_reports(fleet(clone), history, NOW, UTC) == []
    assert write_due_reports(fleet(clone, daily=True, at="09:30"), history, NOW, UTC) == []
    assert not (clone / "memory" / "reports").exists()


def test_word_of_it_is_sent_and_remembered(clone: Path, history: History, capsys: pytest.CaptureFixture[str]) -> None:
    with answering() as endpoint:
        channels = {"file": None, "ops": {"webhook": endpoint.url()}}
        (clone / "inventory" / "alerts.yaml").write_text(yaml.safe_dump({"channels": channels}))
        path, _ = write_due_reports(fleet(clone, daily=True), history, NOW, UTC)
    (body,) = endpoint.bodies
    alert = body["alerts"][0]
    assert (alert["kind"], alert["change"], alert["incident"]) == ("report", "report", "")
    text = (clone / "memory" / "alerts.log").read_text()
    assert "REPORT daily-2026-11-20: no host was down; nothing was repaired; 1 incident was still open" in text
    assert "- mugen:work:main.kaede: look at it: it is still not repaired" in text
    assert f"all of it: {path}" in text
    assert alert["text"] in text
    (sent,) = history.records(AlertSent)
    assert dict(sent.channels) == {"file": "sent", "ops": "sent"}
    assert capsys.readouterr().err == ""


def test_a_channel_that_fails_fails_no_report(
    clone: Path, history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering() as endpoint:
        pass
    channels = {"file": None, "ops": {"webhook": endpoint.url()}}
    (clone / "inventory" / "alerts.yaml").write_text(yaml.safe_dump({"channels": channels}))
    files = write_due_reports(fleet(clone, daily=True), history, NOW, UTC)
    assert len(files) == 2
    assert capsys.readouterr().err == "note: channel ops took no report: refused: nobody listens there\n"
    assert [each.subject for each in history.records(BreakerChanged)] == ["channel ops"]
    assert {each.target for each in history.records(IncidentChanged)} == {"channel ops", "work:main.kaede"}


def test_it_goes_where_medium_goes(clone: Path, history: History) -> None:
    rules = {
        "channels": {"file": None, "quiet": {"path": str(clone / "quiet.log")}},
        "rules": {"MEDIUM": [{"notify": ["file"]}]},
    }
    (clone / "inventory" / "alerts.yaml").write_text(yaml.safe_dump(rules))
    write_due_reports(fleet(clone, daily=True), history, NOW, UTC)
    assert (clone / "memory" / "alerts.log").exists()
    assert not (clone / "quiet.log").exists()


def test_the_oldest_go(clone: Path, history: History) -> None:
    folder = clone / "elsewhere"
    folder.mkdir(mode=0o755)
    for name in ("daily-2026-11-17", "daily-2026-11-18", "daily-2026-11-19", "weekly-2026-W01"):
        for form in ("md", "html"):
            (folder / f"{name}.{form}").write_text("old")
    for name in ("daily-2026-11-01.txt", "daily-mine.md", "notes.md", ".daily-2026-11-01.md"):
        (folder / name).write_text("mine")
    write_due_reports(fleet(clone, daily=True, keep=2, folder=str(folder)), history, NOW, UTC)
    stay = [f"{name}.{form}" for name in ("daily-2026-11-19", "daily-2026-11-20", "weekly-2026-W01") for form in KEPT]
    mine = ["daily-2026-11-01.txt", "daily-mine.md", "notes.md", ".daily-2026-11-01.md"]
    assert written(folder) == sorted([*stay, *mine])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755, "a folder that is there stays as it is"


def test_a_folder_that_cannot_be_used(clone: Path, history: History) -> None:
    (clone / "file").write_text("")
    with pytest.raises(ReportError) as caught:
        write_due_reports(fleet(clone, daily=True, weekly=True, folder=str(clone / "file" / "x")), history, NOW, UTC)
    told = str(caught.value)
    assert "\n" not in told
    assert "report daily-2026-11-20: " in told
    assert "report weekly-2026-W46: " in told
    assert "Not a directory" in told


def test_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "there").mkdir()
    assert place_for("x.txt", "daily-1", "md") == Path("x.txt")
    assert place_for(str(tmp_path / "there"), "daily-1", "html") == tmp_path / "there" / "daily-1.html"
    assert place_for("~/new/", "daily-1", "md") == tmp_path / "new" / "daily-1.md"
    with pytest.raises(ReportError, match="~nobody-at-all/x: Could not determine home directory"):
        place_for("~nobody-at-all/x", "daily-1", "md")
    with pytest.raises(ReportError, match="the report cannot be written"):
        write_report(place_for("x\0y", "daily-1", "md"), "text")


def test_a_report_is_put_in_its_place_at_once(tmp_path: Path) -> None:
    real = tmp_path / "real.md"
    real.write_text("before")
    real.chmod(0o644)
    link = tmp_path / "link.md"
    link.symlink_to(real)
    write_report(link, "after \ud800")
    assert real.read_text() == "after \\ud800"
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert written(tmp_path) == ["link.md", "real.md"]


def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    for place in (Path("/dev/null"), tmp_path):
        with pytest.raises(ReportError, match="it is no regular file; without --output the report is printed"):
            write_report(place, "text")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_nothing_to_prune(tmp_path: Path) -> None:
    assert prune(tmp_path / "gone", "daily", 1) == ()
    (tmp_path / "daily-2026-11-20.md").mkdir()
    (tmp_path / "daily-2026-11-21.md").write_text("")
    assert prune(tmp_path, "daily", 1) == (), "a folder of that name is somebody's own"


def test_a_shelf_of_nobody(clone: Path) -> None:
    with pytest.raises(ReportError, match="the ~ of nobody"):
        shelf_of(Reports(folder="~nobody-at-all/x"), clone)


def test_a_report_is_no_failure(history: History) -> None:
    alert = report_alert(gather(history, Monitoring(), last_over("daily", NOW, UTC), Asked(), now=NOW, zone=UTC), "x")
    rules = AlertRules(channels=(Channel("ops", "webhook", "http://127.0.0.1:1/"),))

    def told(*alerts: Alert) -> str:
        return str(_job(parcels(alerts, rules)[0])["type"])

    assert told(alert) == "info"
    assert told(alert, replace(alert, change="closed")) == "success"
    assert told(alert, replace(alert, change="opened")) == "failure"
