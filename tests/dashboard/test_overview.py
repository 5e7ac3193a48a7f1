"""How a host stands now, by what runs have written down: at once, and kept up with what is new."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from unittest.mock import ANY

import pytest
from hypothesis import given, settings, strategies as st

from miyabi.errors import HistoryError
from miyabi.figures import HostCard, Overview, Series
from miyabi.history import History
from miyabi.history_queries import insert
from miyabi.journal import append
from miyabi.monitoring import Monitoring
from miyabi.overview import LastLook, card_of, overview_json
from miyabi.overview_reader import OverviewReader, read_overview
from miyabi.predicted import Predicted
from miyabi.records import Decided, DriftSeen, IncidentChanged, Observation, Record, Recovered, RunEnded, RunStarted
from miyabi.stretches import Stretches, step_for
from tests.dashboard.samples import HOSTILE, sample_overview
from tests.history.ground import DAY, HOUR, NOW, Ground, make
from tests.history.postgresql import Postgresql
from tests.seeing.seeded import seed

MINUTE = 60.0
KAEDE = "work:main.kaede"


def _card(ground: Ground, *records: Record, now: float = NOW, host: str = "mugen") -> HostCard:
    append(ground.folder, records)
    with ground.open(now) as history:
        return _of(read_overview(history, Monitoring(), now), host)


def _of(overview: Overview, host: str) -> HostCard:
    return next(each for each in overview.hosts if each.host == host)


@contextmanager
def _reading(ground: Ground, **options: object) -> Iterator[OverviewReader]:
    reader = OverviewReader(lambda: ground.open(NOW), Monitoring(), **options)  # type: ignore[arg-type]
    try:
        yield reader
    finally:
        reader.close()


def _looks(*moments: float, health: str = "healthy", run: str = "look") -> list[Observation]:
    return [make(Observation, at, run=f"{run}-{at}", health=health) for at in moments]


def test_what_was_restored_in_the_same_run_is_well_again_since_then(ground: Ground) -> None:
    card = _card(
        ground,
        *_looks(NOW - HOUR),
        make(Observation, NOW - 60, health="drift", agents={KAEDE: "dead", "work:main.sakura": "working"}),
        make(DriftSeen, NOW - 60),
        make(Decided, NOW - 59),
        make(Recovered, NOW - 50),
    )
    assert (card.health, card.since, card.level, card.reason, card.drifts) == ("healthy", NOW - 50, "", "", ())
    assert card.agents == {KAEDE: "running", "work:main.sakura": "working"}


def test_what_was_restored_in_part_is_not_well(ground: Ground) -> None:
    other = "work:main.sakura"
    card = _card(
        ground,
        make(Observation, NOW - 60, health="drift", reason="two are dead"),
        make(DriftSeen, NOW - 60),
        make(DriftSeen, NOW - 60, target=other, cause="oom", level="L2"),
        make(Recovered, NOW - 50),
    )
    assert (card.health, card.reason, card.level) == ("drift", "two are dead", "L2")
    assert [(each.target, each.cause, each.gate) for each in card.drifts] == [(other, "oom", "")]


def test_what_its_window_brought_back_is_well_although_its_own_try_failed(ground: Ground) -> None:
    card = _card(
        ground,
        make(Observation, NOW - 60, health="drift"),
        make(DriftSeen, NOW - 60),
        make(Recovered, NOW - 55, outcome="failed"),
        make(Recovered, NOW - 50, target="work:main", level="L2"),
    )
    assert (card.health, card.since) == ("healthy", NOW - 50)


def test_a_healthy_look_whose_repair_failed_later_in_the_run_is_not_well(ground: Ground) -> None:
    card = _card(ground, make(Observation, NOW - 60), make(Recovered, NOW - 50, outcome="failed", level="L2"))
    assert (card.health, card.level) == ("drift", "L2")


def test_what_the_gate_holds_says_why_and_until_when(ground: Ground) -> None:
    card = _card(
        ground,
        make(Observation, NOW - 60, health="drift"),
        make(DriftSeen, NOW - 60),
        make(Decided, NOW - 60, allowed=False, rule="limit", reason="5 restarts within an hour", again_at=NOW + HOUR),
    )
    (drift,) = card.drifts
    assert (drift.gate, drift.again_at) == ("5 restarts within an hour", NOW + HOUR)
    assert (card.health, card.level) == ("drift", "L1")


def test_a_log_that_was_tidied_leaves_no_drift(ground: Ground) -> None:
    log = {"target": "log ~/x.log", "level": "upkeep"}
    card = _card(
        ground,
        make(Observation, NOW - 60, health="drift"),
        make(DriftSeen, NOW - 60, kind="upkeep", **log),
        make(Decided, NOW - 58, does="tidy", **log),
    )
    assert (card.health, card.since) == ("healthy", NOW - 58)


@pytest.mark.parametrize("health", ["asleep", "unreachable", "unknown"])
def test_what_could_not_be_looked_at_is_told_as_such(ground: Ground, health: str) -> None:
    card = _card(
        ground,
        *_looks(NOW - HOUR),
        make(Observation, NOW - 600, run="a", health=health, reason="why not"),
        make(Observation, NOW - 300, run="b", health=health, reason="why not"),
    )
    assert (card.health, card.since, card.reason) == (health, NOW - 600, "why not")
    assert (card.disk_used, card.sessions, card.agents) == (None, None, {})


def test_a_run_that_goes_on_shows_what_it_has_found(ground: Ground) -> None:
    with _reading(ground) as reader:
        append(ground.folder, _looks(NOW - HOUR))
        assert _of(reader.read(NOW), "mugen").health == "healthy"
        append(ground.folder, [make(Observation, NOW, health="drift"), make(DriftSeen, NOW)])
        assert _of(reader.read(NOW + 2), "mugen").drifts[0].since == NOW
        append(ground.folder, [make(Decided, NOW + 3)])
        assert _of(reader.read(NOW + 4), "mugen").drifts[0].gate == "allowed"
        append(ground.folder, [make(Recovered, NOW + 5)])
        card = _of(reader.read(NOW + 6), "mugen")
        assert (card.health, card.since) == ("healthy", NOW + 5)


def test_what_is_wrong_is_so_since_the_first_look_that_found_it(ground: Ground) -> None:
    records: list[Record] = []
    for number, at in enumerate((NOW - 900, NOW - 600, NOW - 300)):
        run = f"run-{number}"
        records += [make(Observation, at, run=run, health="drift"), make(DriftSeen, at, run=run)]
        if number == 0:
            records.append(make(Recovered, at + 5, run=run))
    with _reading(ground) as reader:
        for number, each in enumerate(records):
            append(ground.folder, [each])
            reader.read(NOW + 2 * number)
        kept = _of(reader.read(NOW + 20), "mugen")
        assert (kept.since, kept.drifts[0].since) == (NOW - 600, NOW - 600)
        append(ground.folder, [make(Observation, NOW - 200, run="away", health="unreachable")])
        append(ground.folder, [make(Observation, NOW - 100, run="back", health="drift")])
        append(ground.folder, [make(DriftSeen, NOW - 100, run="back")])
        kept = _of(reader.read(NOW + 30), "mugen")
        assert (kept.since, kept.drifts[0].since) == (NOW - 100, NOW - 600)
    with ground.open() as history:
        assert _of(read_overview(history, Monitoring(), NOW + 30), "mugen") == replace(kept, availability=ANY)


def test_a_look_is_stale_after_three_that_did_not_come(ground: Ground) -> None:
    moments = [NOW - HOUR + 600 * number for number in range(6)]
    append(ground.folder, _looks(*moments))
    with ground.open() as history:
        for now, stale in ((moments[-1] + 1800, False), (moments[-1] + 1801, True)):
            assert _of(read_overview(history, Monitoring(), now), "mugen").is_stale is stale


def test_a_look_of_a_fleet_that_is_looked_at_every_minute_is_stale_after_a_quarter_of_an_hour(ground: Ground) -> None:
    append(ground.folder, _looks(*(NOW - 300 + 60 * number for number in range(6))))
    with ground.open() as history:
        for now, stale in ((NOW + 900, False), (NOW + 901, True)):
            assert _of(read_overview(history, Monitoring(), now), "mugen").is_stale is stale


def test_becoming_stale_is_a_change(sqlite_ground: Ground) -> None:
    append(sqlite_ground.folder, _looks(NOW))
    with _reading(sqlite_ground) as reader:
        first = reader.read(NOW + 1)
        assert reader.read(NOW + 100).sequence == first.sequence
        later = reader.read(NOW + 1000)
        assert later.sequence > first.sequence
        assert later.hosts[0].is_stale


def test_that_a_host_stays_up_is_no_change(sqlite_ground: Ground) -> None:
    append(sqlite_ground.folder, [make(Observation, NOW, uptime=9 * DAY)])
    with _reading(sqlite_ground) as reader:
        first = reader.read(NOW + 1)
        later = reader.read(NOW + 101)
    assert later.sequence == first.sequence
    assert later.hosts[0].uptime == pytest.approx(9 * DAY + 101)


def test_what_is_open_stays_however_much_has_happened_since(ground: Ground) -> None:
    newer = [
        make(IncidentChanged, NOW - HOUR + number, incident=f"I-{number}", change=change, opened_at=NOW - HOUR + number)
        for number in range(600)
        for change in ("opened", "closed")
    ]
    append(ground.folder, [make(IncidentChanged, NOW - 30 * DAY, incident="I-old", opened_at=NOW - 30 * DAY), *newer])
    with ground.open() as history:
        overview = read_overview(history, Monitoring(), NOW)
    assert [each.incident for each in overview.open_incidents] == ["I-old"]
    assert "I-old" not in {each.incident for each in overview.timeline}


def test_what_another_controller_has_begun_to_write_earlier_is_not_missed(
    postgresql: Postgresql, tmp_path: Path
) -> None:
    ground = Ground(tmp_path / "memory", postgresql.url("postgres"))
    try:
        with _reading(ground) as reader, ground.open() as history, closing(ground.open()) as other:
            history.write(_looks(NOW - 600))
            assert [each.host for each in reader.read(NOW).hosts] == ["mugen"]
            with other._engine.begin() as slow:
                insert(slow, [make(Observation, NOW - 60, host="pixel", run="slow", disk_used=40.0)])
                history.write([make(Observation, NOW - 50, run="quick")])
                assert [each.host for each in reader.read(NOW + 2).hosts] == ["mugen"]
            history.write([make(Observation, NOW - 10, run="quicker")])
            overview = reader.read(NOW + 4)
        assert {each.host for each in overview.hosts} == {"mugen", "pixel"}
        charts = {(each.host, each.measure): each.points for each in overview.charts}
        assert [mean for _, mean, _ in charts["pixel", "disk_used"]] == [40.0]
    finally:
        postgresql.execute("DROP SCHEMA IF EXISTS miyabi CASCADE")


def test_hosts_of_the_inventory_that_no_run_has_looked_at_are_unknown_by_name(ground: Ground) -> None:
    with ground.open() as history:
        assert read_overview(history, Monitoring(), NOW, hosts=("pixel",)).hosts == ()
    append(ground.folder, _looks(NOW))
    with ground.open() as history:
        overview = read_overview(history, Monitoring(), NOW, hosts=("mugen", "pixel"))
    assert [(each.host, each.health, each.seen_at) for each in overview.hosts] == [
        ("pixel", "unknown", 0.0),
        ("mugen", "healthy", NOW),
    ]
    assert overview.by_health == {"unknown": 1, "healthy": 1}


def test_a_host_that_is_none_any_more_goes_when_nobody_has_looked_for_as_long_as_is_shown(ground: Ground) -> None:
    append(ground.folder, _looks(NOW - 8 * DAY))
    with ground.open() as history:
        assert read_overview(history, Monitoring(), NOW).hosts == ()
        assert len(read_overview(history, Monitoring(), NOW, hosts=("mugen",)).hosts) == 1


def test_incidents_runs_and_predictions_come_into_it(ground: Ground) -> None:
    with _reading(ground) as reader:
        append(ground.folder, [*_looks(NOW - 60), make(RunStarted, NOW - 60)])
        first = reader.read(NOW)
        assert first.run is not None
        assert first.run.outcome == ""
        append(
            ground.folder,
            [
                make(IncidentChanged, NOW - 50),
                make(RunEnded, NOW - 40, outcome="failed", seconds=20.0, hosts=1),
                make(Observation, NOW - 30, run="next", disk_used=80.0),
                make(
                    Predicted,
                    NOW - 20,
                    outcome="crosses",
                    limit=90.0,
                    crosses_at=NOW + DAY,
                    forecast=((NOW, 80.0, 79.0, 81.0), "nonsense", (1, 2)),
                    summary="token=abcdefghijklmnop reaches 90 % tomorrow",
                ),
            ],
        )
        overview = reader.read(NOW + 2)
    assert overview.sequence > first.sequence
    assert overview.run is not None
    assert (overview.run.outcome, overview.run.seconds) == ("failed", 20.0)
    assert [each.summary for each in overview.open_incidents] == ["kaede does not come back"]
    assert overview.hosts[0].incidents == 1
    (chart,) = (each for each in overview.charts if each.measure == "disk_used")
    assert (chart.limit, chart.crosses_at, chart.forecast) == (90.0, NOW + DAY, ((NOW, 80.0, 79.0, 81.0),))
    assert chart.words == "token=******** reaches 90 % tomorrow"
    assert [(mean, high) for _, mean, high in chart.points] == [(80.0, 80.0)]


def test_reading_only_what_is_new_comes_to_the_same_as_reading_it_all(ground: Ground) -> None:
    """A history of troubles, taken in run by run, in portions of any size."""
    seeded = seed(ground.folder, 3, 2.0, 1800.0, until=NOW, url=ground.url, trouble_every=4)
    assert seeded.troubles > 10
    with ground.open() as history:
        whole = read_overview(history, Monitoring(), NOW, days=2.0)
        records = _all_records(history)
    other = Ground(ground.folder.parent / "other", None)
    with _reading(other, days=2.0) as reader:
        for start in range(0, len(records), 7):
            append(other.folder, records[start : start + 7])
            read = reader.read(NOW - 1 + start / len(records))
        read = reader.read(NOW)
        reader.scanned = None
        append(other.folder, [make(RunStarted, NOW - 3 * DAY, run="an older one")])
        read = reader.read(NOW)
    assert {each.host: each for each in read.hosts} == {each.host: each for each in whole.hosts}
    assert read.charts == whole.charts
    assert (read.levels, read.causes, read.availability) == (whole.levels, whole.causes, whole.availability)
    assert read.timeline == whole.timeline
    assert read.deeds == whole.deeds


def _all_records(history: History) -> list[Record]:
    kinds: tuple[type[Record], ...] = (
        RunStarted,
        Observation,
        DriftSeen,
        Decided,
        Recovered,
        IncidentChanged,
        RunEnded,
    )
    found: list[tuple[float, int, Record]] = []
    for place, kind in enumerate(kinds):
        found += [(each.at, place, each) for each in reversed(history.records(kind))]
    return [each for *_, each in sorted(found, key=lambda one: one[:2])]


def test_nothing_new_is_the_same_overview(ground: Ground) -> None:
    append(ground.folder, _looks(NOW - 60))
    with _reading(ground) as reader:
        first, second = reader.read(NOW), reader.read(NOW + 5)
    assert second.sequence == first.sequence
    assert second == replace(first, at=NOW + 5)


def test_what_another_process_took_in_is_seen(sqlite_ground: Ground) -> None:
    append(sqlite_ground.folder, _looks(NOW - 600))
    with _reading(sqlite_ground) as reader:
        reader.read(NOW)
        append(sqlite_ground.folder, _looks(NOW - 60, health="unknown"))
        sqlite_ground.open().close()
        assert reader.read(NOW + 0.3).hosts[0].health == "unknown"


def test_a_locked_database_keeps_what_was_shown_and_says_so(sqlite_ground: Ground) -> None:
    append(sqlite_ground.folder, _looks(NOW - 60))
    with _reading(sqlite_ground) as reader:
        first = reader.read(NOW)
        with closing(sqlite3.connect(sqlite_ground.file, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            append(sqlite_ground.folder, _looks(NOW - 1, health="unknown"))
            locked = reader.read(NOW + 1)
            assert "locked" in locked.trouble
            assert locked.hosts == first.hosts
            assert locked.sequence > first.sequence
            other.execute("ROLLBACK")
        after = reader.read(NOW + 3)
    assert (after.trouble, after.hosts[0].health) == ("", "unknown")


def test_a_database_that_is_away_keeps_what_was_shown_and_is_read_when_it_is_back(sqlite_ground: Ground) -> None:
    append(sqlite_ground.folder, _looks(NOW - 60))
    away = sqlite_ground.folder.with_name("away")
    with _reading(sqlite_ground) as reader:
        first = reader.read(NOW)
        sqlite_ground.folder.rename(away)
        # A file in the place of the folder: nothing can be made there.
        sqlite_ground.folder.touch()
        lost = reader.read(NOW + 31)
        assert lost.trouble
        assert lost.hosts == first.hosts
        sqlite_ground.folder.unlink()
        away.rename(sqlite_ground.folder)
        append(sqlite_ground.folder, _looks(NOW + 32, health="unknown"))
        back = reader.read(NOW + 33)
    assert (back.trouble, back.hosts[0].health) == ("", "unknown")


def test_another_file_in_its_place_is_read(sqlite_ground: Ground) -> None:
    other = Ground(sqlite_ground.folder.with_name("other"), None)
    append(other.folder, [make(Observation, NOW - 60, host="pixel")])
    other.open().close()
    append(sqlite_ground.folder, _looks(NOW - 60))
    with _reading(sqlite_ground) as reader:
        assert [each.host for each in reader.read(NOW).hosts] == ["mugen"]
        for suffix in ("-wal", "-shm"):
            sqlite_ground.file.with_name(f"history.db{suffix}").unlink(missing_ok=True)
        other.file.replace(sqlite_ground.file)
        assert [each.host for each in reader.read(NOW + 1).hosts] == ["pixel"]


def test_a_history_that_cannot_be_opened_at_first_is_an_error(sqlite_ground: Ground) -> None:
    sqlite_ground.folder.parent.mkdir(exist_ok=True)
    sqlite_ground.folder.touch()
    with _reading(sqlite_ground) as reader, pytest.raises(HistoryError):
        reader.read(NOW)


def test_long_texts_and_secrets_are_not_shown() -> None:
    seen = make(Observation, NOW, health="unknown", reason=f"password=hunter2 {'x' * 10_000}")
    card = card_of(LastLook("mugen", seen), NOW)
    assert "hunter2" not in card.reason
    assert len(card.reason) <= 2000


def test_the_json_ends_no_script_and_says_all_of_it() -> None:
    overview = sample_overview(is_hostile=True)
    told = overview_json(overview)
    assert not set("<>&\u2028\u2029") & set(told)
    assert json.loads(told)["hosts"] == json.loads(json.dumps(asdict(overview)["hosts"]))
    assert {each["host"] for each in json.loads(told)["hosts"]} >= set(HOSTILE)


@given(
    st.lists(st.tuples(st.floats(0, 10 * DAY), st.floats(0, 100)), max_size=60),
    st.floats(0, 12 * DAY),
    st.integers(0, 60),
)
@settings(max_examples=60)
def test_stretches_say_what_the_looks_in_them_said(looks: list[tuple[float, float]], now: float, filled: int) -> None:
    def counted(some: list[tuple[float, float]]) -> dict[float, list[float]]:
        found: dict[float, list[float]] = {}
        for at, value in some:
            found.setdefault(at // HOUR * HOUR, []).append(value)
        return dict(sorted(found.items()))

    first = counted(looks[:filled])
    stretches = Stretches(HOUR, 7 * DAY)
    stretches.fill(
        [
            Series(
                "mugen",
                "disk_used",
                HOUR,
                list(first),
                [min(each) for each in first.values()],
                [sum(each) / len(each) for each in first.values()],
                [max(each) for each in first.values()],
                [len(each) for each in first.values()],
            )
        ]
    )
    for at, value in looks[filled:]:
        stretches.add("mugen", "disk_used", at, value)
    stretches.let_go(now)
    expected = {at: values for at, values in counted(looks).items() if at >= (now - 7 * DAY) // HOUR * HOUR}
    (series,) = stretches.changed()
    assert list(series.at) == list(expected)
    assert list(series.low) == [min(each) for each in expected.values()]
    assert list(series.high) == [max(each) for each in expected.values()]
    assert list(series.count) == [len(each) for each in expected.values()]
    assert list(series.mean) == pytest.approx([sum(each) / len(each) for each in expected.values()])
    assert stretches.changed() == []


@pytest.mark.parametrize(("days", "charts", "step"), [(7, 2, 1800), (7, 100, 7200), (90, 100, DAY), (0.1, 2, MINUTE)])
def test_a_chart_has_as_many_points_as_one_can_read(days: float, charts: int, step: float) -> None:
    assert step_for(days, charts) == step
