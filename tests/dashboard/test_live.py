"""What the watcher shows when only the figures that take a scan cannot be counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

import pytest

from miyabi.dashboard import live
from miyabi.dashboard.live import Shown, Watcher
from miyabi.errors import HistoryError
from miyabi.history import History
from miyabi.monitoring import Monitoring
from miyabi.records import Observation
from tests.fleet.waiting import wait_until
from tests.history.ground import Ground, make

_LONG = "statement timeout\n  --password hunter2 " + "x" * 5000


def _failing_first(ground: Ground, error: Exception, is_well: Event) -> Callable[[], History]:
    """Opens the history; for scans not before it is well. Each opens one of its own, the first scan before the page."""
    reads = iter((False, True))

    def opened() -> History:
        if not next(reads, False) and not is_well.is_set():
            raise error
        return ground.open()

    return opened


@pytest.mark.slow
@pytest.mark.parametrize("error", [HistoryError(_LONG), RuntimeError(_LONG)], ids=["known", "unforeseen"])
def test_a_scan_that_fails_is_told_until_one_works(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(live, "_SCAN_AGAIN", 0.1)
    with ground.open() as history:
        history.write([make(Observation, time.time() - 60)])
    is_well = Event()
    told: list[Shown] = []
    watcher = Watcher(_failing_first(ground, error, is_well), Monitoring(), 7.0, ("mugen",))
    watcher.tell(told.append)
    watcher.start()
    try:
        first = watcher.first(30.0)
        assert first is not None
        overview = first.overview
        assert [each.host for each in overview.hosts] == ["mugen"]
        assert overview.availability == {}
        assert overview.trouble.startswith("availability, levels and causes cannot be counted: ")
        assert "statement timeout" in overview.trouble
        assert "hunter2" not in overview.trouble
        assert "\n" not in overview.trouble
        assert len(overview.trouble) <= 2000
        assert "statement timeout" in first.parts["trouble"].told
        wait_until(lambda: len(told) > 3, 10.0)
        assert told[-1].overview.sequence == overview.sequence, "what is told already is no news"
        is_well.set()
        wait_until(lambda: not told[-1].overview.trouble, 10.0)
        wait_until(lambda: told[-1].overview.availability, 10.0)
        assert told[-1].overview.sequence > overview.sequence
        assert told[-1].parts["trouble"].told != first.parts["trouble"].told
    finally:
        is_well.set()
        watcher.stop()
