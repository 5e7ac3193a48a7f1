"""A million looks are asked in seconds, and in little memory."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from miyabi.history import History, open_history
from miyabi.history_figures import (
    agent_times,
    availability_of_hosts,
    deeds,
    incident_stories,
    learned,
    level_figures,
    usage_series,
)
from tests.history.ground import DAY, NOW
from tests.seeing.seeded import Seeded, seed

pytestmark = pytest.mark.slow

# On a machine that does nothing else it is a third of that.
_SECONDS = 3.0
_MEGABYTES = 40


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Seeded]]:
    """A history of 50 hosts over 70 days."""
    folder = tmp_path_factory.mktemp("million")
    made = seed(folder, hosts=50, days=70, every=300)
    assert made.looks > 1_000_000
    yield folder, made
    (folder / "history.db").unlink()


FIGURES: dict[str, Callable[[History, float, float], Any]] = {
    "usage": lambda history, since, until: usage_series(history, since, until, 3600),
    "availability": availability_of_hosts,
    "agents": agent_times,
    "levels": level_figures,
    "learned": learned,
    "deeds": deeds,
    "incidents": incident_stories,
}


@pytest.mark.parametrize("figure", FIGURES)
def test_a_month_of_a_million_looks(million: tuple[Path, Seeded], figure: str) -> None:
    folder, made = million
    with open_history(folder, now=NOW) as history:
        began = time.process_time()
        found = FIGURES[figure](history, made.until - 30 * DAY, made.until)
        took = time.process_time() - began
    assert found
    assert took < _SECONDS


MEASURED = """
import resource, sys
from pathlib import Path
from miyabi import history_figures as figures
from miyabi.history import open_history

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

folder, since, until = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
with open_history(folder, now=until) as history:
    figures.level_figures(history, since, until)
    before = peak()
    series = figures.usage_series(history, since, until, 3600)
    figures.availability_of_hosts(history, since, until)
    figures.agent_times(history, since, until)
    print(peak() - before, sum(len(each.at) for each in series.values()))
"""


def test_looks_are_not_kept(million: tuple[Path, Seeded]) -> None:
    """In a process of its own: what is left of half a million of them is what they come to."""
    folder, made = million
    command = [sys.executable, "-c", MEASURED, str(folder), str(made.until - 30 * DAY), str(made.until)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2]).stdout
    megabytes, stretches = told.split()
    assert int(stretches) >= 50 * 2 * 30 * 24
    assert float(megabytes) < _MEGABYTES
