"""A climb: what was tried, and what is left of it."""

from __future__ import annotations

from miyabi.climb import Climb, outstanding
from miyabi.drift import Drift, Target, escalate
from miyabi.levels import Level
from miyabi.plan import Action

MAIN = Target("work", "main")
KAEDE = Drift("pane-dead", Target("work", "main", "kaede"), Level.L2, "exited with status 1")
SAKURA = Drift("pane-dead", Target("work", "main", "sakura"), Level.L2, "exited with status 1")
REBUILT = Action(Level.L2, "Rebuilding window", MAIN, "", ())


def test_what_the_gate_holds_does_not_climb_with_its_neighbours() -> None:
    climb = Climb()
    climb.begin(Level.L2, [REBUILT], [KAEDE])
    assert climb.attempts == {KAEDE.target: Level.L2}
    after = escalate([KAEDE, SAKURA], climb.attempts)
    assert [drift.level for drift in after] == [Level.L3, Level.L2]


def test_what_is_in_a_window_that_was_made_climbs_with_it() -> None:
    climb = Climb()
    climb.begin(Level.L2, [REBUILT], [Drift("window-missing", MAIN, Level.L2, "not there")])
    assert [drift.level for drift in escalate([KAEDE], climb.attempts)] == [Level.L3]


def test_what_is_held_is_not_waited_for() -> None:
    assert outstanding([REBUILT], [KAEDE, SAKURA]) == (KAEDE, SAKURA)
    assert outstanding([REBUILT], [KAEDE, SAKURA], {SAKURA.target}) == (KAEDE,)


def test_a_pane_whose_window_is_gone_is_not_back() -> None:
    restarted = Action(Level.L1, "Restarting pane", KAEDE.target, "", ())
    gone = Drift("window-missing", MAIN, Level.L2, "not there")
    assert outstanding([restarted], [gone]) == (gone,)
    assert outstanding([restarted], [Drift("unmarked", MAIN, Level.L1, "found by its name")]) == ()
    assert outstanding([restarted], [SAKURA]) == ()
