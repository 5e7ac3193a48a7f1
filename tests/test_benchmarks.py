"""The benchmarks' own parts: who takes turns, what is counted, and when a target is reached. No times are tested."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks import noop, rebuild
from benchmarks.measure import BenchmarkError, Contender, Sample, take_turns
from benchmarks.playground import playground
from benchmarks.report import Target, noop_table, noop_targets, rebuild_table, rebuild_targets, target_table
from tests.fleet.machine import Finished, Machine


def contender(machine: Machine, name: str, said: list[str] | None = None, *, seldom: bool = False) -> Contender:
    def run() -> Finished:
        if said is not None:
            said.append(name)
        return machine.run("true")

    return Contender(name, machine, run, seldom=seldom)


def measured(machine: Machine, name: str, wall: float, executions: float = 1.0) -> Contender:
    found = contender(machine, name)
    found.samples.append(Sample(wall, wall / 2, 1.0, executions, wall / 3))
    return found


def test_contenders_take_turns_and_slow_ones_seldom(machine: Machine) -> None:
    said: list[str] = []
    take_turns(
        [contender(machine, "a", said), contender(machine, "b", said), contender(machine, "slow", said, seldom=True)],
        rounds=4,
        seldom_rounds=2,
        seconds=60,
        say=lambda _: None,
    )
    assert said == ["a", "b", "slow", "a", "b", "a", "b", "slow", "a", "b"]


def test_everybody_runs_once_even_when_the_time_is_over(machine: Machine) -> None:
    table = [contender(machine, "a"), contender(machine, "b", seldom=True)]
    take_turns(table, rounds=4, seldom_rounds=2, seconds=0, say=lambda _: None)
    assert [len(each.samples) for each in table] == [1, 1]


def test_the_processor_time_of_the_client_is_counted_also_of_what_it_leaves_behind(machine: Machine) -> None:
    spin = "i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done"
    foreground = Contender("a", machine, lambda: machine.sh(spin)).once()
    assert foreground.processor > 0.02
    linger = f"({spin}; echo done >done; sleep 60) >/dev/null 2>&1 & while [ ! -s done ]; do sleep 0.01; done"
    background = Contender("b", machine, lambda: machine.sh(linger)).once()
    assert background.processor > 0.02


@pytest.mark.parametrize(
    ("run", "check", "message"),
    [
        (lambda machine: machine.run("false"), lambda _: "", "exit code 1"),
        (lambda machine: machine.run("true"), lambda _: "2 of 3 panes", "2 of 3 panes"),
    ],
)
def test_a_run_that_does_not_do_the_work_is_no_result(
    machine: Machine, run: Callable[[Machine], Finished], check: Callable[[Finished], str], message: str
) -> None:
    with pytest.raises(BenchmarkError, match=message):
        Contender("a", machine, lambda: run(machine), check).once()


@pytest.mark.parametrize(
    ("target", "line"),
    [
        (Target("t", 1.5, 1.5), "| t | 1.50 | at most 1.5 | reached |"),
        (Target("t", 1.6, 1.5), "| t | 1.60 | at most 1.5 | NOT reached |"),
        (Target("t", 4.0, 5, at_most=False), "| t | 4.00 | at least 5 | NOT reached |"),
        (Target("t", None, 5, at_most=False), "| t | - | at least 5 | not measured |"),
    ],
)
def test_a_target_says_whether_it_is_reached(target: Target, line: str) -> None:
    assert str(target) == line


def test_the_tables_show_ratios(machine: Machine) -> None:
    walls = {noop.OURS: 2.0, noop.TRIVIAL: 1.0, noop.COLD: 1.6, noop.ANSIBLE: 50.0}
    table = [measured(machine, name, wall) for name, wall in walls.items()]
    assert f"| {noop.ANSIBLE} | 1 | 50.00 | 50.00 - 50.00 | 25.00 | 25.00 | 25.00 | 1 | 1 |" in noop_table(table)
    said = target_table(noop_targets({50: table}))
    assert "| 50 hosts: wall, ours / one trivial fact | 2.00 | at most 1.2 | NOT reached |" in said
    assert "| 50 hosts: wall, ours / our probe as a fact | - | at most 1.2 | not measured |" in said
    assert "| 50 hosts: wall, ansible-core / ours | 25.00 | at least 25 | reached |" in said
    assert "| 50 hosts: wall, ours / plain OpenSSH | 1.25 | at most 1.4 | reached |" in said
    assert "| 50 hosts: executions per host | 1.00 | at most 1 | reached |" in said


def test_a_rebuild_without_the_others_is_told_as_far_as_it_goes(machine: Machine) -> None:
    table = [measured(machine, rebuild.OUR_CALL, 0.15), measured(machine, rebuild.HAND, 0.1)]
    assert f"| {rebuild.OUR_CALL} | 1 | 0.150 | 0.15 - 0.15 | 1.50 | 0.050 |" in rebuild_table(table)
    said = target_table(rebuild_targets(table))
    assert "| our client call / by hand | 1.50 | at most 1.5 | reached |" in said
    assert "| tmuxp load / our client call | - | at least 5 | not measured |" in said


@pytest.mark.slow
def test_a_run_without_changes_is_one_connection_and_one_execution() -> None:
    with playground(apart=True) as ground:
        warm = Machine.build(ground.fleet.run, "warm")
        try:
            work = noop.Noop(ground, ground.hosts(2), warm, None)
            work.build()
            work.hold_connections()
            counts = {each.name: each.once() for each in work.contenders()}
        finally:
            warm.remove()
    assert {name: (each.connections, each.executions) for name, each in counts.items()} == {
        noop.OURS: (1, 1),
        noop.TRIVIAL: (1, 1),
        noop.PROBE: (1, 1),
        noop.COLD: (1, 1),
        noop.WARM: (0, 1),
    }


@pytest.mark.slow
def test_a_rebuild_makes_every_pane() -> None:
    with playground() as ground:
        [host] = ground.hosts(1)
        for each in rebuild.Rebuild(ground, host, None).contenders():
            there = each.once().there
            assert there is not None
            assert there > 0
