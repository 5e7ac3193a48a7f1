"""Incidents: opened once, told again at the interval, closed when well for long enough."""

from __future__ import annotations

import pytest

from miyabi.alert_rules import STILL_OPEN, Stop
from miyabi.incidents import judge, open_after, stopped_until
from miyabi.records import IncidentChanged, from_line, to_line
from miyabi.severity import SEVERITIES, Circumstances, severity_of
from tests.alerts.telling import PANE, Telling, wrong

WELL = {("mugen", "")}
HIGH = f"HIGH mugen {PANE}"
HOUR = 3600.0


def test_opened_once_reminded_at_the_interval_and_closed_once() -> None:
    telling = Telling()
    told: list[str] = []
    for minute in range(0, 13 * 60, 5):
        told += telling.run(minute * 60.0, wrong())
    for minute in range(13 * 60, 14 * 60, 5):
        told += telling.run(minute * 60.0, well=WELL)
    assert told == [f"opened {HIGH}", f"still-open {HIGH}", f"still-open {HIGH}", f"closed {HIGH}"]
    assert telling.open == ()


def test_a_relapse_before_it_is_closed_is_the_same_incident_and_told_to_nobody() -> None:
    telling = Telling()
    assert telling.run(0, wrong()) == [f"opened {HIGH}"]
    assert telling.run(60, well=WELL) == []
    assert telling.open[0].healthy_since == 60
    assert telling.run(300, wrong()) == []
    assert telling.open[0].healthy_since is None
    assert telling.run(400, well=WELL) == []
    assert telling.run(999, well=WELL) == []
    assert telling.run(1000, well=WELL) == [f"closed {HIGH}"]


def test_a_relapse_that_the_gate_holds_quietly_is_one_too() -> None:
    telling = Telling()
    telling.run(0, wrong())
    telling.run(60, well=WELL)
    assert telling.run(120, wrong(severity=None, kind="held")) == []
    assert telling.open[0].healthy_since is None
    assert (telling.open[0].kind, telling.open[0].severity) == ("not-restored", "HIGH")


def test_a_later_damage_opens_another() -> None:
    telling = Telling(healthy_after=0)
    telling.run(0, wrong())
    assert telling.run(10, well=WELL) == [f"closed {HIGH}"]
    assert telling.run(20, wrong()) == [f"opened {HIGH}"]
    assert len({each.incident for each in telling.all}) == 2


def test_a_host_that_was_not_looked_at_changes_nothing() -> None:
    telling = Telling()
    telling.run(0, wrong())
    for hours in range(1, 100):
        assert telling.changes(hours * HOUR, [], {("pixel", "")}) == ()
    assert telling.run(100 * HOUR, wrong()) == [f"still-open {HIGH}"]


def test_unknown_is_not_healthy() -> None:
    telling = Telling()
    telling.run(0, wrong())
    telling.run(60, wrong("", None, kind="unknown"))
    assert telling.run(10 * HOUR, wrong("", None, kind="unknown")) == []
    assert [each.healthy_since for each in telling.open] == [None]


def test_worse_is_told_at_once_and_better_is_not() -> None:
    telling = Telling()
    telling.run(0, wrong(severity="MEDIUM"))
    assert telling.run(60, wrong(severity="HIGH")) == [f"changed {HIGH}"]
    assert telling.run(120, wrong(severity="MEDIUM")) == []
    assert telling.open[0].severity == "MEDIUM"


def test_going_up_and_down_is_no_way_to_be_told_again() -> None:
    telling = Telling()
    told = [line for n in range(60) for line in telling.run(n * 60.0, wrong(severity=SEVERITIES[1 + n % 3]))]
    assert [line.split()[0] for line in told] == ["opened", "changed", "changed"]


def test_after_a_reminder_worse_is_told_anew() -> None:
    telling = Telling()
    telling.run(0, wrong(severity="HIGH"))
    assert telling.run(STILL_OPEN, wrong(severity="MEDIUM")) == [f"still-open MEDIUM mugen {PANE}"]
    assert telling.run(STILL_OPEN + 60, wrong(severity="HIGH")) == [f"changed {HIGH}"]


def test_another_summary_alone_is_no_change() -> None:
    telling = Telling()
    telling.run(0, wrong(summary="disk 91 %"))
    assert telling.changes(60, [wrong(summary="disk 92 %")], ()) == ()


def test_what_is_not_worth_telling_opens_nothing() -> None:
    telling = Telling()
    assert telling.changes(0, [wrong(severity=None), wrong(severity="LOW", kind="repaired")], ()) == ()


def test_what_was_repaired_with_effort_is_told_once_and_closed_silently() -> None:
    telling = Telling()
    repaired = wrong(severity="MEDIUM", kind="repaired")
    assert telling.run(0, repaired) == [f"opened MEDIUM mugen {PANE}"]
    assert telling.run(300, repaired) == []
    assert telling.run(600, well=WELL) == []
    assert telling.run(900, well=WELL) == []
    assert telling.open == ()
    assert telling.all[-1].change == "closed"


def test_what_needs_to_be_repaired_for_ever_is_told_again() -> None:
    telling = Telling()
    repaired = wrong(severity="MEDIUM", kind="repaired")
    told = [line for n in range(13 * 12) for line in telling.run(n * 300.0, repaired)]
    assert [line.split()[0] for line in told] == ["opened", "still-open", "still-open"]


def test_a_repair_begins_the_time_that_it_must_be_well() -> None:
    telling = Telling()
    telling.run(0, wrong())
    telling.run(60, wrong(severity="MEDIUM", kind="repaired"))
    assert telling.open[0].severity == "HIGH"
    assert telling.run(600, well=WELL) == []
    assert telling.run(660, well=WELL) == [f"closed {HIGH}"]


def test_a_repair_that_does_not_last_is_the_same_incident() -> None:
    telling = Telling()
    assert telling.run(0, wrong(severity="MEDIUM", kind="repaired")) == [f"opened MEDIUM mugen {PANE}"]
    assert telling.run(60, wrong(kind="held")) == [f"changed {HIGH}"]
    telling.run(120, well=WELL)
    assert telling.run(720, well=WELL) == [f"closed {HIGH}"]


def test_of_two_verdicts_about_one_target_the_worse_counts() -> None:
    telling = Telling()
    told = telling.run(0, wrong("disk", "MEDIUM", kind="warning"), wrong("disk", "HIGH", kind="threshold"))
    assert told == ["opened HIGH mugen disk"]


@pytest.mark.parametrize("kind", ["unreachable", "unknown"])
def test_a_host_that_answers_again_is_no_longer_away_whatever_else_is_wrong_there(kind: str) -> None:
    telling = Telling(healthy_after=60)
    assert telling.run(0, wrong("", kind=kind)) == ["opened HIGH mugen"]
    assert telling.run(10, wrong()) == [f"opened {HIGH}"]
    assert telling.run(70, wrong()) == ["closed HIGH mugen"]


def test_a_threshold_is_not_over_because_the_host_is_well() -> None:
    telling = Telling(healthy_after=60)
    telling.run(0, wrong("disk", "MEDIUM", kind="threshold"))
    assert telling.changes(100, [], WELL) == ()
    telling.run(200, well={("mugen", "disk")})
    assert telling.run(300, well={("mugen", "disk")}) == ["closed MEDIUM mugen disk"]


HOSTS = [f"host{n}" for n in range(10)]
COVERS = tuple(f"{host}:{PANE}" for host in HOSTS)
STORM = wrong("", "CRITICAL", host="", kind="storm", cause="network", covers=COVERS)
DAMAGE = [wrong(host=host, cause="network") for host in HOSTS]


def test_ten_targets_with_one_cause_are_one_incident() -> None:
    telling = Telling()
    assert telling.run(0, *DAMAGE, STORM) == ["opened CRITICAL"]
    assert telling.run(300, *DAMAGE, STORM) == []
    assert telling.run(600, well={(host, "") for host in HOSTS}) == []
    assert telling.run(1200, well={(host, "") for host in HOSTS}) == ["closed CRITICAL"]
    assert len({each.incident for each in telling.all}) == 1


def test_a_storm_takes_in_what_was_open_before() -> None:
    telling = Telling()
    assert telling.run(0, DAMAGE[0]) == ["opened HIGH host0 work:main.kaede"]
    assert telling.run(60, *DAMAGE, STORM) == ["opened CRITICAL"]
    assert [each.kind for each in telling.open] == ["storm"]


def test_what_a_storm_leaves_behind_stands_for_itself() -> None:
    telling = Telling()
    telling.run(0, *DAMAGE, STORM)
    rest = {(host, "") for host in HOSTS[1:]}
    assert telling.run(300, DAMAGE[0], well=rest) == []
    assert telling.run(900, DAMAGE[0], well=rest) == ["closed CRITICAL", "opened HIGH host0 work:main.kaede"]


def test_hosts_that_are_judged_one_by_one_end_a_storm_together() -> None:
    telling = Telling()
    telling.run(0, *DAMAGE, STORM)
    well = {(host, "") for host in HOSTS}
    for now in (300, 900):
        for place in sorted(well):
            assert telling.run(now, well={place}) == []
        telling.open = open_after(telling.open, judge(telling.open, [], well, run=f"end{now}", now=now, wide_only=True))
    assert telling.open == ()


def test_judging_what_covers_others_alone_opens_nothing_else() -> None:
    assert judge((), DAMAGE, (), run="r", now=0, wide_only=True) == ()
    assert [each.kind for each in judge((), [*DAMAGE, STORM], (), run="r", now=0, wide_only=True)] == ["storm"]


def test_a_storm_is_not_over_while_a_part_of_it_was_not_looked_at() -> None:
    telling = Telling()
    telling.run(0, *DAMAGE, STORM)
    assert telling.changes(HOUR, [], {(host, "") for host in HOSTS[1:]}) == ()


def test_what_a_storm_does_not_cover_is_told() -> None:
    telling = Telling()
    told = telling.run(0, *DAMAGE, STORM, wrong("server mcp", host="host0"))
    assert told == ["opened CRITICAL", "opened HIGH host0 server mcp"]


def test_two_storms_are_two_incidents() -> None:
    telling = Telling()
    other = wrong("", "CRITICAL", host="", kind="storm", cause="auth", covers=("pixel:work",))
    assert telling.run(0, STORM, other) == ["opened CRITICAL", "opened CRITICAL"]


def test_hosts_that_are_gone_together_are_one_incident() -> None:
    telling = Telling()
    together = wrong("hosts unreachable", "HIGH", host="", kind="threshold", covers=tuple(HOSTS))
    away = [wrong("", host=host, kind="unreachable") for host in HOSTS]
    assert telling.run(0, *away, together) == ["opened HIGH  hosts unreachable"]


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_clock_that_jumps_makes_no_burst_and_no_silence(jump: float) -> None:
    telling = Telling()
    told = telling.run(10_000, wrong())
    told += [line for n in range(72) for line in telling.run(10_060 + jump + n * 300.0, wrong())]
    assert [line.split()[0] for line in told] == ["opened", *["still-open"] * (1 if jump > 0 else 0)]
    assert telling.run(10_060 + jump + 73 * 300.0, wrong()) == ([] if jump > 0 else [f"still-open {HIGH}"])


def test_a_clock_that_was_a_year_ahead() -> None:
    telling = Telling()
    year = 365 * 24 * HOUR
    telling.run(year, wrong())
    telling.run(year + 1, well=WELL)
    telling.run(0, well=WELL)
    assert telling.run(600, well=WELL) == [f"closed {HIGH}"]
    assert telling.all[-1].opened_at == 0


def test_critical_incidents_at_once_stop_everything_for_a_while() -> None:
    stop = Stop(criticals=3, seconds=1800)
    telling = Telling(stop=stop)
    critical = [wrong("", "CRITICAL", host=host) for host in HOSTS]
    assert stopped_until(telling.open, stop, 0) is None
    telling.run(0, *critical[:2])
    assert stopped_until(telling.open, stop, 0) is None
    assert telling.run(60, *critical[:3]) == ["opened CRITICAL host2", "opened CRITICAL"]
    assert stopped_until(telling.open, stop, 60) == 1860
    assert telling.run(120, *critical[:5]) == ["opened CRITICAL host3", "opened CRITICAL host4"]
    assert stopped_until(telling.open, stop, 1860) is None
    well = {(host, "") for host in HOSTS}
    telling.run(2000, well=well)
    assert "closed CRITICAL" in telling.run(2600, well=well)
    assert telling.open == ()


def test_a_change_survives_its_line() -> None:
    telling = Telling()
    telling.run(0.1 + 0.2, *DAMAGE, STORM)
    (opened,) = telling.all
    again = from_line(to_line(opened))
    assert isinstance(again, IncidentChanged)
    assert again == opened


@pytest.mark.parametrize(
    ("seen", "severity"),
    [
        (Circumstances(kind="repaired"), "LOW"),
        (Circumstances(kind="repaired", first_try=False), "MEDIUM"),
        (Circumstances(kind="repaired", climbed=True), "MEDIUM"),
        (Circumstances(kind="held", rule="pause"), None),
        (Circumstances(kind="held", rule="backoff", looks=10), None),
        (Circumstances(kind="held", rule="backoff", looks=11), "MEDIUM"),
        (Circumstances(kind="held", rule="flapping"), "HIGH"),
        (Circumstances(kind="held", rule="tries"), "HIGH"),
        (Circumstances(kind="not-restored", level="L2"), "HIGH"),
        (Circumstances(kind="not-restored", level="L3"), "CRITICAL"),
        (Circumstances(kind="not-restored", level="upkeep"), "HIGH"),
        (Circumstances(kind="not-restored", whole_host=True), "CRITICAL"),
        (Circumstances(kind="unreachable", seconds=899), "HIGH"),
        (Circumstances(kind="unreachable", seconds=900), "CRITICAL"),
        (Circumstances(kind="unknown", looks=2), None),
        (Circumstances(kind="unknown", looks=3), "MEDIUM"),
        (Circumstances(kind="storm"), "CRITICAL"),
        (Circumstances(kind="threshold"), "MEDIUM"),
        (Circumstances(kind="threshold", critical=True), "HIGH"),
        (Circumstances(kind="channel"), "MEDIUM"),
        (Circumstances(kind="something new"), "MEDIUM"),
    ],
)
def test_severities(seen: Circumstances, severity: str | None) -> None:
    assert severity_of(seen) == severity
