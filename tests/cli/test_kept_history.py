"""Commands that open the history keep it as long as fleet.yaml says."""

from __future__ import annotations

from pathlib import Path

from miyabi.cli_fleet import FleetOfClone, clock, history_if_any, opened_history
from miyabi.cli_top import _reader
from miyabi.gate_rules import FleetFile
from miyabi.records import Observation
from tests.history.ground import DAY, NOW, make


def test_a_command_removes_nothing_that_is_to_be_kept_longer(tmp_path: Path) -> None:
    fleet = FleetOfClone({}, {}, FleetFile(keep=365 * DAY), tmp_path / "memory")
    with opened_history(fleet, NOW) as history:
        history.write([make(Observation, NOW - 200 * DAY)])
    with opened_history(fleet, NOW + 2 * DAY) as history:
        assert history.last_observations()
    with history_if_any(fleet, NOW + 4 * DAY) as maybe:
        assert maybe is not None
        assert maybe.last_observations()
    short = FleetOfClone({}, {}, FleetFile(keep=30 * DAY), tmp_path / "memory")
    with opened_history(short, NOW + 6 * DAY) as history:
        assert not history.last_observations()


def test_top_removes_nothing_that_is_to_be_kept_longer(tmp_path: Path) -> None:
    fleet = FleetOfClone({}, {}, FleetFile(keep=365 * DAY), tmp_path / "memory")
    # The next opening removes what is too old: the last one is two days ago.
    with opened_history(fleet, clock() - 2 * DAY) as history:
        history.write([make(Observation, clock() - 200 * DAY)])
    _reader(fleet).close()
    with opened_history(fleet, clock()) as history:
        assert history.last_observations()
