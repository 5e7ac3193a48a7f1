"""A report of a month over a million looks."""

from __future__ import annotations

import time
from datetime import UTC
from pathlib import Path

import pytest

from miyabi.history import open_history
from miyabi.monitoring import PERIODS, Monitoring
from miyabi.reports.gathering import gather
from miyabi.reports.past import Asked
from miyabi.reports.printing import printed
from miyabi.reports.span import last_over
from tests.history.ground import NOW
from tests.seeing.seeded import seed


@pytest.mark.slow
def test_a_million_looks(tmp_path: Path) -> None:
    made = seed(tmp_path / "memory", 50, 70)
    assert made.looks > 1_000_000
    with open_history(tmp_path / "memory", None, now=NOW) as history:
        for period in PERIODS:
            begun = time.process_time()
            report = gather(history, Monitoring(), last_over(period, NOW, UTC), Asked(), now=NOW, zone=UTC)
            text = printed(report, "html", UTC)
            seconds = time.process_time() - begun
            # 5 s on a machine that has nothing else to do.
            assert seconds < 15, f"{period}: {seconds:.1f} s"
            assert len(report.hosts) == 50
            assert "host-50" in text
