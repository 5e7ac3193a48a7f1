"""What another version, a broken clock or a stranger has written down is shown all the same, and harms nobody."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from miyabi.dashboard.rendering import export_page
from miyabi.metrics import exposition
from miyabi.monitoring import PERIODS, Monitoring
from miyabi.overview_reader import read_overview
from miyabi.predicted import Predicted
from miyabi.records import Decided, IncidentChanged, Observation, Record, Recovered, RunEnded, RunStarted
from miyabi.reports.gathering import gather
from miyabi.reports.past import Asked
from miyabi.reports.printing import printed
from miyabi.reports.span import day_of, span_of
from miyabi.top_view import frame, whole
from tests.history.ground import DAY, HOUR, NOW, Ground, make

_ESCAPE = "\x1b[31m"
_NEVER = 1e18


def _foretold(**values: Any) -> Predicted:
    return make(
        Predicted, NOW - 60, **{"host": "mugen", "subject": "disk", "outcome": "crosses", "limit": 90.0, **values}
    )


@pytest.mark.parametrize(
    "strange",
    [
        [],
        [_foretold(crosses_at=_NEVER)],
        [_foretold(crosses_at=-_NEVER)],
        [_foretold(crosses_at=NOW + DAY, limit=1e30, forecast=(("a", 1, 2, 3), (NOW, 1e300, 2, 3), (_NEVER, 1, 2, 3)))],
        [
            make(Observation, NOW + DAY),
            make(Recovered, NOW + DAY),
            make(IncidentChanged, NOW + DAY, opened_at=NOW + 2 * DAY),
        ],
        [make(IncidentChanged, NOW - 50, opened_at=-_NEVER)],
        [make(IncidentChanged, NOW - 50, opened_at=NOW - 60, severity="AWFUL", summary="x" * 300_000, cause=_ESCAPE)],
        [make(Recovered, NOW - 50, outcome="undecided", level=f"{_ESCAPE}L9", reason="\x1b]0;title\x07" * 99)],
        [make(Decided, NOW - 40, allowed=False, rule=_ESCAPE, level=_ESCAPE, reason="y" * 100_000, again_at=_NEVER)],
        [
            make(RunStarted, NOW - 100, run="odd", command=_ESCAPE),
            make(RunEnded, NOW - 90, run="odd", outcome=_ESCAPE, seconds=1.0, hosts=1),
        ],
        [make(Observation, NOW - 60, health="odd", agents={"work:main.kaede": {"is": "odd"}})],
        [make(Observation, NOW - 60, disk_used=-1e300, memory_available=1e300, uptime=1e300, load=-1.0)],
    ],
    ids=[
        "nothing",
        "far",
        "long-ago",
        "forecast",
        "future",
        "opened",
        "incident",
        "repair",
        "hold",
        "run",
        "look",
        "sizes",
    ],
)
def test_it_is_shown(tmp_path: Path, strange: Sequence[Record]) -> None:
    ground = Ground(tmp_path / "memory", None)
    looks = [make(Observation, NOW - HOUR + 60 * number, disk_used=50 + number / 10) for number in range(50)]
    with ground.open() as history:
        history.write([*looks, *strange])
        overview = read_overview(history, Monitoring(), NOW, hosts=("mugen",))
        texts = [export_page(overview), exposition(overview, NOW)]
        texts += [line.plain for line in (*whole(overview, 100), *frame(overview, (80, 24)))]
        for period in PERIODS:
            report = gather(history, Monitoring(), span_of(period, day_of(NOW)), Asked(hosts=("mugen",)), now=NOW)
            texts += [printed(report, form) for form in ("md", "html", "json")]
            assert json.loads(texts[-1], parse_constant=pytest.fail)["period"] == period
    assert not any("\x1b" in text or "\x07" in text for text in texts)
    # Where people read nothing is as long as what was written.
    assert not any("x" * 5000 in text or "y" * 5000 in text for text in texts if not text.startswith("{"))
