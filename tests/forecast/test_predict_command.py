"""The command as it is typed: over a real history, and over series of somebody's own."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from miyabi.cli import main
from miyabi.forecast.reading import read_series
from miyabi.history import open_history
from miyabi.journal import append
from miyabi.predicted import Predicted
from miyabi.records import Observation
from tests.cli.acting import Clone
from tests.fleet.control import Fleet
from tests.forecast.families import START
from tests.history.ground import make


def typed(*arguments: str) -> Result:
    result = CliRunner().invoke(main, ["predict", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result


def written(folder: Path, name: str, slope: float, *, iso: bool = False) -> Path:
    """A file with five days of a disk that has grown to 80 percent by so much an hour."""
    file = folder / name
    lines = ["at,value"]
    for tick in range(5 * 96):
        at = START + tick * 900
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) if iso else f"{at:.0f}"
        lines.append(f"{moment},{80 - slope * (5 * 24 - tick / 4):.3f}")
    file.write_text("\n".join(lines))
    return file


def test_a_series_that_crosses_is_said_with_its_interval(tmp_path: Path) -> None:
    file = written(tmp_path, "full.csv", 0.6)
    done = typed("--series", str(file))
    assert done.exit_code == 2
    assert "reaches 90 %" in done.output
    assert "(between " in done.output
    answer = json.loads(typed("--series", str(file), "--json").output)
    [told] = answer["predictions"]
    assert (answer["exit_code"], told["outcome"], told["is_within_horizon"]) == (2, "crosses", True)
    assert told["earliest"] <= told["crosses_at"] <= told["latest"]
    assert typed("--series", str(file), "--horizon", "6h").exit_code == 0


def test_moments_may_be_iso_and_less_may_be_worse(tmp_path: Path) -> None:
    one = json.loads(typed("--series", str(written(tmp_path, "a.csv", 0.5)), "--json").output)["predictions"][0]
    two = json.loads(typed("--series", str(written(tmp_path, "b.csv", 0.5, iso=True)), "--json").output)["predictions"][
        0
    ]
    assert one["crosses_at"] == two["crosses_at"]
    falls = typed("--series", str(written(tmp_path, "c.csv", -0.6)), "--limit", "70", "--falling")
    assert falls.exit_code == 2
    assert "falls below 70 %" in falls.output


def test_a_folder_of_series_is_back_tested(tmp_path: Path) -> None:
    for name, slope in (("full.csv", 0.9), ("flat.csv", 0.0)):
        written(tmp_path, name, slope)
    (tmp_path / "notes.txt").write_text("no series")
    done = typed("--series", str(tmp_path), "--backtest", "--limit", "60")
    assert done.exit_code == 0, done.output
    assert "full.csv" in done.output
    assert "all" in done.output
    assert "notes" not in done.output
    told = json.loads(typed("--series", str(tmp_path), "--backtest", "--limit", "60", "--json").output)
    assert (told["all"]["cases"], told["all"]["foretold"]) == (1, 1)
    assert [Path(each["name"]).name for each in told["series"]] == ["flat.csv", "full.csv"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("at,value\n1,2\n3,much\n", ":3: '3,much' is no look; allowed: MOMENT,VALUE"),
        ("1,2\nyesterday,2\n", ":2: 'yesterday,2' is no look"),
        ("1,2,3\n", ":1: '1,2,3' is no look"),
        ("", ": it holds no values"),
        ("at,value\n", ": it holds no values"),
        ("-5,2\n", ":1: -5 is no moment"),
        ("1,2\n\x1b[31mred\u202e,1\n", r":2: '\x1b[31mred\u202e,1' is no look"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "wrong.csv"
    file.write_text(text)
    done = typed("--series", str(file))
    assert done.exit_code == 1
    assert done.output.startswith(f"Error: {file}{said}")
    assert done.output.count("\n") == 1


def test_what_is_missing_in_a_file_is_a_look_that_saw_nothing() -> None:
    assert read_series("\ufeffat,value\n1,2\n\n2,\n3,nan\n4, 5 \n", "x") == ([1.0, 4.0], [2.0, 5.0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--series", "/nowhere.csv"), "/nowhere.csv: cannot be read: No such file"),
        (("--series", "x.csv", "--keep"), "leave HOST, --keep and --tell out"),
        (("--limit", "5"), "a host's limits stand in its spec"),
        (("--backtest", "--tell"), "--backtest foretells nothing"),
        (("--horizon", "soon"), "'soon'; allowed:"),
        (("--horizon", "1s"), "allowed: 1h to 30d"),
    ],
)
def test_what_cannot_be_asked_is_said(arguments: tuple[str, ...], said: str) -> None:
    done = typed(*arguments)
    assert done.exit_code in {1, 2}
    assert said in done.output


def test_a_folder_without_series_is_said(tmp_path: Path) -> None:
    assert f"{tmp_path}: no file in it ends in .csv" in typed("--series", str(tmp_path)).output


@pytest.fixture
def clone(ssh_fleet: Fleet) -> Clone:
    """A clone whose history knows a disk that reaches its limit of 90 % in ten hours."""
    clone = Clone.of(ssh_fleet)
    clone.write_spec("control", {"limits": {"disk": {"warning": "80%", "critical": "90%"}}})
    now = time.time()
    records = [
        make(
            Observation,
            now - hour * 3600,
            run=f"run-{hour}",
            host="@local",
            disk_used=88 - hour / 5,
            memory_available=50.0,
        )
        for hour in range(120, -1, -1)
    ]
    append(memory(clone), records)
    return clone


def memory(clone: Clone) -> Path:
    return clone.fleet.control.home / ".local" / "state" / "miyabi"


@pytest.mark.slow
def test_the_fleet_is_looked_ahead_for_and_remembered(clone: Clone) -> None:
    done = clone.miyabi("predict")
    assert (done.code, done.stderr) == (2, "")
    assert "@local  disk" in done.stdout
    assert "disk reaches 90 %" in done.stdout
    told = clone.told("predict", "--keep", code=2)
    disk = next(each for each in told["predictions"] if each["subject"] == "disk" and each["host"] == "@local")
    assert disk["is_within_horizon"]
    with open_history(memory(clone), now=time.time()) as history:
        kept = history.records(Predicted, host="@local")
    assert {each.subject for each in kept} == {"disk", "memory"}
    assert clone.miyabi("predict", "@local", "--horizon", "2h").code == 0
    assert clone.told("predict", "--backtest")["all"]["days"] > 9
    wrong = clone.miyabi("predict", "mugne")
    assert (wrong.code, wrong.stderr.count("\n")) == (1, 1)
    assert "mugne: no such host" in wrong.stderr
