"""What holds for a host as a whole: its breaker, clocks that jump, the emergency stop."""

from __future__ import annotations

from typing import Any

import pytest

from tests.recovery.operating import kill
from tests.runs import agents
from tests.runs.play import Play

HOUR = 3600.0


def spec(*names: str, **more: Any) -> dict[str, Any]:
    """A window for each agent, so that one that is damaged is no window that is."""
    windows = [
        {"window_name": f"of-{name}", "panes": [agents.pane(name), agents.steady(f"by-{name}")]} for name in names
    ]
    return {"session_name": "work", "windows": windows, **more}


def all_starts(play: Play, *names: str) -> int:
    return sum(agents.starts(play.machine, name) for name in names)


@pytest.mark.slow
def test_a_host_on_which_nothing_holds_is_left_alone_for_a_while(play: Play) -> None:
    names = ("a", "b", "c", "d", "e", "f")
    agents.install(play.machine, *names)
    agents.make_well(play.machine, names)
    # One level alone, so that one run is one try.
    wanted = spec(*names, recovery={"max_level": "L1"})
    play.wants(wanted)
    assert play.run().failed is False
    agents.make_well(play.machine, names, well=False)
    for name in names[:5]:
        (play.machine.home / f"{name}.at-once").touch()
        kill(play.tmux, name)
        assert play.run(400).failed
        # It is no part of the next one.
        agents.make_well(play.machine, [name])
        play.pause(f"work:of-{name}.{name}", 1e6)
    before = all_starts(play, *names)
    agents.make_well(play.machine, ["f"])
    kill(play.tmux, "f")
    run = play.run(60)
    assert run.failed
    assert "5 recoveries of its host in a row did not hold" in run.summary
    play.run(1500)
    assert all_starts(play, *names) == before
    run = play.run(400)
    assert not run.failed, run.output
    assert all_starts(play, *names) == before + 1
    # It did hold: the next one is not kept waiting.
    kill(play.tmux, "f")
    run = play.run(700)
    assert not run.failed, run.output


@pytest.mark.slow
@pytest.mark.parametrize("jump", [HOUR, -HOUR, -30 * 86400.0])
def test_a_clock_that_jumps_makes_no_burst_and_no_eternal_hold(play: Play, jump: float) -> None:
    agents.install(play.machine, "a")
    play.wants(spec("a"))
    assert not play.run().failed

    def crash(times: int, every: float) -> int:
        before = agents.starts(play.machine, "a")
        for _ in range(times):
            agents.crash(play.tmux, "a")
            play.run(every)
        return agents.starts(play.machine, "a") - before

    assert crash(8, 120) == 5
    play.now += jump
    # An hour that has passed, as it seems, is worth one try.
    assert crash(4, 120) == (1 if jump > 0 else 0)
    assert 1 <= crash(12, 900) <= 3
    play.now -= jump
    assert crash(3, 120) <= 1
    agents.make_well(play.machine, ["a"])
    agents.crash(play.tmux, "a")
    assert any(not play.run(900).failed for _ in range(10))


@pytest.mark.slow
def test_three_agents_that_crash_for_ever_do_not_stop_the_fleet(play: Play) -> None:
    names = ("a", "b", "c")
    agents.install(play.machine, *names, at_once=True)
    agents.make_well(play.machine, names)
    play.wants(spec(*names, "d"))
    agents.install(play.machine, "d")
    assert not play.run().failed
    agents.make_well(play.machine, names, well=False)
    for name in names:
        kill(play.tmux, name)
    for _ in range(3):
        play.run(300)
    assert {each.severity for each in play.incidents()} == {"HIGH"}
    assert not (play.folder / "pauses.json").exists()
    agents.crash(play.tmux, "d")
    play.run(60)
    assert "d" in play.pids()


@pytest.mark.slow
def test_an_emergency_stop_stops_everything_until_its_end_or_a_human_s_word(play: Play) -> None:
    sessions = [
        {
            "session_name": name,
            "before_script": "test ! -e ~/broken",
            "windows": [{"window_name": "main", "panes": [agents.steady(name)]}],
        }
        for name in "abcd"
    ]
    play.wants({"sessions": sessions, "gate": {"breaker": {"failures": 50}}})
    assert not play.run().failed
    (play.machine.home / "broken").touch()
    for name in "abc":
        play.tmux.run("kill-session", "-t", f"={name}")
    play.run(300)
    told = {(each.kind, each.severity) for each in play.incidents()}
    assert told == {("not-restored", "CRITICAL"), ("emergency-stop", "CRITICAL")}
    (play.machine.home / "broken").unlink()
    kill(play.tmux, "d")
    run = play.run(300)
    assert run.failed
    assert "an emergency stop holds everything" in run.summary
    assert "d" not in play.pids()
    assert play.pids() == {}
    [stop] = {each.incident for each in play.incidents() if each.kind == "emergency-stop"}
    assert [each.change for each in play.alerts() if each.incident == stop] == ["opened"]
    run = play.run(1800)
    assert not run.failed, run.output
    assert play.pids().keys() == set("abcd")


def test_an_emergency_stop_ends_when_a_human_says_so(play: Play) -> None:
    play.wants(spec("d"))
    agents.install(play.machine, "d")
    assert not play.run().failed
    play.stop("three at once")
    kill(play.tmux, "d")
    assert play.run().failed
    assert "d" not in play.pids()
    play.unpause("", host="")
    assert not play.run().failed
    assert "d" in play.pids()
