"""What is foretold of a fleet from its history, on both databases."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from miyabi.forecast.fleet import HostLimits, backtest_of, limits_of, predictions_of
from miyabi.history_figures import last_predictions
from miyabi.journal import append
from miyabi.predicted import Predicted
from miyabi.records import Observation, Record, Recovered, from_line, to_line
from miyabi.spec import DiskLimit, Limits, MemoryLimit, Spec
from tests.history.ground import DAY, HOUR, NOW, Ground, make

LIMITS = {"mugen": HostLimits(), "pixel": HostLimits(80.0, 20.0), "new": HostLimits()}
HOSTILE = 'work:main.\u202eevil"; DROP TABLE'


def looks(days: float = 6.0) -> Iterator[Record]:
    """The disk of mugen is full in ten hours, the memory of pixel used up in eight; nobody has looked at new."""
    ticks = int(days * 96)
    for tick in range(ticks):
        at = NOW - (ticks - tick) * 900
        left = (NOW - at) / HOUR
        hour = left % 7
        condition = "limited" if hour < 2 and left > 3 else "working"
        agents = {"work:main.kaede": condition, HOSTILE: "idle"}
        yield make(
            Observation, at, host="mugen", disk_used=89.9 - (left + 10) * 0.2, memory_available=40.0, agents=agents
        )
        yield make(Observation, at, host="pixel", disk_used=50.0, memory_available=20 + (left + 8) * 0.4)


def restarts() -> Iterator[Record]:
    """A server that fails more and more often, a pane that never did, and what was made for the first time."""
    for hours in (130, 100, 9, 6, 3, 1, 0.5):
        yield make(Recovered, NOW - hours * HOUR, host="mugen", target="server mcp", level="upkeep")
        yield make(Recovered, NOW - hours * HOUR, host="mugen", target="work:main.sakura", cause="missing")
    for hours in (110, 60, 30):
        yield make(Recovered, NOW - hours * HOUR, host="mugen", target="work:main.kaede")
        yield make(Recovered, NOW - hours * HOUR, host="mugen", target="log ~/x.log", level="upkeep")


@pytest.fixture
def seeded(ground: Ground) -> Ground:
    with ground.open() as history:
        history.write([*looks(), *restarts()])
    return ground


def foretold(ground: Ground) -> dict[tuple[str, str], Predicted]:
    with ground.open() as history:
        found = predictions_of(history, LIMITS, NOW, run="ahead")
    assert len({each.event for each in found}) == len(found)
    return {(each.host, each.subject): each for each in found}


def test_disks_and_memory_servers_and_agents_are_foretold(seeded: Ground) -> None:
    found = foretold(seeded)
    disk, memory = found["mugen", "disk"], found["pixel", "memory"]
    for each, hours, limit in ((disk, 10, 90), (memory, 8, 20)):
        assert (each.kind, each.outcome, each.limit, each.run) == ("crossing", "crosses", limit, "ahead")
        assert each.crosses_at is not None
        assert each.earliest is not None
        assert each.latest is not None
        assert (each.crosses_at - NOW) / HOUR == pytest.approx(hours, abs=2)
        assert each.earliest <= each.crosses_at <= each.latest
        assert 10 <= len(each.forecast) <= 24
        assert [point[0] for point in each.forecast] == sorted(point[0] for point in each.forecast)
        assert f"{limit} %" in each.summary
        assert "earlier" in each.summary or "nobody knows" in each.summary
    assert memory.value == pytest.approx(23.2, abs=0.3)
    assert found["mugen", "memory"].outcome == "no-trend"
    assert found["pixel", "disk"].outcome == "no-trend"
    server = found["mugen", "server mcp"]
    assert (server.kind, server.outcome, server.value) == ("failure", "crosses", 5)
    assert "5 restarts in the last day" in server.summary
    assert found["mugen", "agent work:main.kaede"].kind in {"failure", "usage-limit"}
    assert not {subject for _, subject in found} & {"agent work:main.sakura", "log ~/x.log"}


def test_an_agent_has_its_limit_and_its_restarts_apart(seeded: Ground) -> None:
    with seeded.open() as history:
        found = predictions_of(history, LIMITS, NOW, run="ahead")
    kinds = {each.kind: each for each in found if each.subject == "agent work:main.kaede"}
    limit = kinds["usage-limit"]
    assert limit.outcome == "crosses"
    assert limit.crosses_at is not None
    # It works five hours from limit to limit, and has worked for seven hours less the two of the last one.
    assert limit.limit == pytest.approx(5 * HOUR, abs=1000)
    assert kinds["failure"].outcome == "too-few-samples"
    assert not any(HOSTILE in each.subject for each in found)


def test_a_host_that_nobody_has_looked_at_is_unknown_by_name(seeded: Ground) -> None:
    found = foretold(seeded)
    for subject in ("disk", "memory"):
        assert found["new", subject].outcome == "too-few-samples"
        assert found["new", subject].value is None
        assert "too few looks" in found["new", subject].summary


def test_what_is_foretold_is_kept_as_it_is(seeded: Ground) -> None:
    found = foretold(seeded)
    for each in found.values():
        assert from_line(to_line(each)) == each or each.forecast
    append(seeded.folder, list(found.values()))
    with seeded.open() as history:
        kept = last_predictions(history, NOW - DAY)
    disk = found["mugen", "disk"]
    assert kept["mugen", "disk"].crosses_at == disk.crosses_at
    assert len(kept["mugen", "disk"].forecast) == len(disk.forecast)
    assert dict(kept["mugen", "disk"].error) == dict(disk.error)


def test_the_past_is_replayed_for_each_host(seeded: Ground) -> None:
    with seeded.open() as history:
        tested = backtest_of(history, {"mugen": HostLimits(disk=80.0)}, NOW - 30 * DAY, NOW + 1, DAY)
    assert set(tested) == {("mugen", "disk_used"), ("mugen", "memory_available")}
    disk = tested["mugen", "disk_used"]
    assert (disk.cases, disk.foretold, disk.false_late) == (1, 1, 0)
    assert tested["mugen", "memory_available"].alarms == 0


def test_the_limits_are_the_specs() -> None:
    assert limits_of(None) == HostLimits(90.0, 10.0)
    wanted = Spec(
        source="mugen.yaml",
        digest="",
        sessions=(),
        limits=Limits(disk=DiskLimit(critical=70.0), memory_available=MemoryLimit(critical=5.0)),
    )
    assert limits_of(wanted) == HostLimits(70.0, 5.0)


def test_who_does_not_predict_does_not_pay() -> None:
    import subprocess  # noqa: PLC0415 - this test alone needs it

    code = "import sys, miyabi.cli, miyabi.cli_predict, miyabi.forecast; print({'numpy', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
