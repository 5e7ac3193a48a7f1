"""Where a repair begins by what has held so far: the table, what never happens, and an agent that L1 cannot help."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from miyabi.drift import Drift, DriftKind, Target
from miyabi.figures import Learned
from miyabi.gate import Fleet
from miyabi.health import Found
from miyabi.learning import EXPLORED, HIGHEST, Start, explores, lifted, start_of
from miyabi.levels import Level
from miyabi.outlook import Outlook, Remembered
from miyabi.records import Decided, DriftSeen, Record, Recovered
from miyabi.spec import Recovery, Spec
from operations import learning as learning_of_runs
from tests.history.ground import NOW, make
from tests.recovery.operating import kill
from tests.runs import agents
from tests.runs.conftest import play
from tests.runs.play import HOST, Play

__all__ = ["play"]

PANE = Target("work", "main", "kaede")
WINDOW = Target("work", "main")
SESSION = Target("work")

_OF: dict[str, tuple[Target, Level]] = {
    "pane-dead": (PANE, Level.L1),
    "pane-missing": (PANE, Level.L1),
    "agent-exited": (PANE, Level.L1),
    "agent-stalled": (PANE, Level.L1),
    "unmarked": (PANE, Level.L1),
    "window-missing": (WINDOW, Level.L2),
    "session-missing": (SESSION, Level.L3),
}


def drift(kind: DriftKind, level: Level | None = None) -> Drift:
    target, own = _OF[kind]
    return Drift(kind, target, level or own, "died")


def past(kind: str, *levels: tuple[str, int, int], cause: str = "oom") -> tuple[Learned, ...]:
    """What came of earlier tries: by level, how many of how many held."""
    return tuple(Learned(kind, cause, level, tries, held) for level, held, tries in levels)


# kind of damage, the last level, what came of earlier tries (level, held, of so many), and where the repair begins.
TABLE: list[tuple[DriftKind, Level, tuple[tuple[str, int, int], ...], Level | None]] = [
    ("pane-dead", Level.L3, (("L1", 1, 8), ("L2", 3, 3)), Level.L2),
    ("pane-dead", Level.L3, (("L1", 0, 5), ("L2", 2, 3)), Level.L2),
    ("agent-exited", Level.L2, (("L1", 0, 5), ("L2", 4, 5)), Level.L2),
    ("pane-missing", Level.L4, (("L1", 0, 5), ("L2", 4, 5)), Level.L2),
    ("window-missing", Level.L3, (("L2", 0, 5), ("L3", 4, 5)), Level.L3),
    # Too few tries.
    ("pane-dead", Level.L3, (("L1", 0, 4), ("L2", 3, 3)), None),
    ("pane-dead", Level.L3, (("L1", 0, 8), ("L2", 2, 2)), None),
    ("pane-dead", Level.L3, (("L1", 0, 8),), None),
    ("pane-dead", Level.L3, (("L2", 8, 8),), None),
    ("pane-dead", Level.L3, (), None),
    # The first level holds often enough, or the next one too seldom.
    ("pane-dead", Level.L3, (("L1", 1, 5), ("L2", 9, 9)), None),
    ("pane-dead", Level.L3, (("L1", 0, 8), ("L2", 3, 5)), None),
    # Beyond the host's last level, or what the kind of damage allows.
    ("pane-dead", Level.L1, (("L1", 0, 8), ("L2", 3, 3)), None),
    ("window-missing", Level.L2, (("L2", 0, 8), ("L3", 3, 3)), None),
    ("session-missing", Level.L4, (("L3", 0, 8), ("L4", 8, 8)), None),
    ("agent-stalled", Level.L3, (("L1", 0, 8), ("L2", 8, 8)), None),
    ("unmarked", Level.L3, (("L1", 0, 8), ("L2", 8, 8)), None),
    # L2 holds no better, L3 would: one level at most.
    ("pane-dead", Level.L3, (("L1", 0, 8), ("L2", 0, 8), ("L3", 8, 8)), None),
]


@pytest.mark.parametrize(("kind", "last", "tries", "begins"), TABLE)
def test_the_level_that_a_repair_begins_at(
    kind: DriftKind, last: Level, tries: tuple[tuple[str, int, int], ...], begins: Level | None
) -> None:
    found = start_of(kind, drift(kind).level, "oom", past(kind, *tries), last)
    assert (found and found.level) == begins


def test_it_says_why() -> None:
    start = start_of("pane-dead", Level.L1, "oom", past("pane-dead", ("L1", 1, 8), ("L2", 3, 3)), Level.L3)
    assert start == Start(Level.L2, "starts at L2: L1 held in 1 of 8 earlier tries")
    [lift] = lifted([drift("pane-dead")], {PANE: start})
    assert (lift.level, lift.reason) == (Level.L2, "died; starts at L2: L1 held in 1 of 8 earlier tries")


def test_most_panes_of_a_window_are_not_taken_further_than_its_rebuilding() -> None:
    learned = past("pane-dead", ("L1", 0, 9), ("L2", 0, 9), ("L3", 9, 9))
    assert start_of("pane-dead", Level.L2, "oom", learned, Level.L3) is None


def test_another_cause_and_another_kind_say_nothing() -> None:
    learned = past("pane-dead", ("L1", 0, 8), ("L2", 3, 3))
    assert start_of("pane-dead", Level.L1, "auth", learned, Level.L3) is None
    assert start_of("agent-exited", Level.L1, "oom", learned, Level.L3) is None


def test_what_has_climbed_further_stays_there() -> None:
    start = Start(Level.L2, "starts at L2")
    climbed = drift("pane-dead", Level.L3)
    name = Drift("unmarked", PANE, Level.L1, "found by what runs in it")
    assert lifted([climbed, name], {PANE: start}) == (climbed, name)


_COUNTS = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda pair: (min(pair), max(pair)))


@given(
    kind=st.sampled_from(sorted(_OF)),
    own=st.sampled_from(list(Level)),
    last=st.sampled_from(list(Level)),
    tries=st.lists(st.tuples(st.sampled_from(["L1", "L2", "L3", "L4", "upkeep"]), _COUNTS), max_size=8),
)
def test_it_never_leads_beyond_one_level_or_what_is_allowed(
    kind: DriftKind, own: Level, last: Level, tries: list[tuple[str, tuple[int, int]]]
) -> None:
    found = start_of(kind, own, "oom", past(kind, *((each, *counts) for each, counts in tries)), last)
    if found is not None:
        assert found.level == own + 1
        assert found.level <= min(last, HIGHEST[kind])
        held = dict(tries)
        below, above = held[own.name], held[found.level.name]
        assert below[1] >= 5
        assert below[0] / below[1] < 0.2
        assert above[1] >= 3
        assert above[0] / above[1] > 0.6


@given(run=st.text(max_size=30), host=st.text(max_size=10))
def test_a_run_says_the_same_whenever_it_is_asked(run: str, host: str) -> None:
    assert explores(run, host, PANE) is explores(run, host, PANE)


def test_one_in_ten_begins_at_the_first_level_all_the_same() -> None:
    explored = sum(explores(f"20261121T0212{number:04}Z-1-abcdef", "mugen", PANE) for number in range(2000))
    assert 2000 / EXPLORED * 0.7 < explored < 2000 / EXPLORED * 1.3


# --- On a real tmux -------------------------------------------------------------------------------------------------

# It ends at once in the pane whose id is in the file, and lives in any other.
_BOUND = """\
#!/bin/sh
echo $$ >>"$HOME/$1.starts"
[ "$TMUX_PANE" = "$(cat "$HOME/$1.cursed" 2>/dev/null)" ] || exec sleep 4242
echo 'Error: EACCES: permission denied, open lock'
exit 1
"""
TARGET = "work:main.kaede"


def spec(*, learn: bool, **gate: Any) -> dict[str, Any]:
    return {
        "session_name": "work",
        "windows": [
            {
                "window_name": "main",
                "panes": [agents.pane("kaede"), agents.steady("sakura"), agents.steady("botan")],
            }
        ],
        "recovery": {"learn": learn},
        **gate,
    }


def ground(play: Play, *, learn: bool) -> None:
    """A fleet whose agent dies in its pane whatever L1 does, and that knows how that went eight times before."""
    path: Path = play.machine.home / "agent"
    path.write_text(_BOUND)
    path.chmod(0o755)
    play.wants(spec(learn=learn))
    built = play.run()
    assert not built.failed, built.output
    (play.machine.home / "kaede.cursed").write_text(play.panes()["kaede"])
    at = play.now - 86400.0
    records: list[Record] = []
    for number in range(8):
        common: dict[str, Any] = {"run": f"earlier-{number}", "host": HOST, "target": TARGET, "cause": "permission"}
        records += [
            make(DriftSeen, at + number, kind="pane-dead", level="L1", **common),
            make(Recovered, at + number, level="L1", outcome="failed", **common),
            make(Recovered, at + number, level="L2", outcome="restored", **common),
        ]
    play.asked(lambda history: history.write(records))


def levels(play: Play) -> list[str]:
    """The levels that have acted, in their order."""
    found = play.asked(lambda history: history.records(Recovered, target=TARGET))
    return [each.level for each in reversed(found) if not each.run.startswith("earlier")]


def curse(play: Play, monkeypatch: pytest.MonkeyPatch, *, explores: bool = False) -> None:
    """Let the agent die in its pane; whether the next run tries the first level all the same is as told."""
    monkeypatch.setattr(learning_of_runs, "explores", lambda *_: explores)
    kill(play.tmux, "kaede")
    # A signal is another cause than what it says itself.
    play.tmux.run("respawn-pane", "-k", "-t", play.panes()["kaede"])
    play.dead("kaede")


def test_without_learning_the_first_level_is_tried_first(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    ground(play, learn=False)
    curse(play, monkeypatch)
    asked: list[str] = []
    monkeypatch.setattr(learning_of_runs, "starts_of", lambda *_: asked.append("asked"))
    done = play.run()
    assert not done.failed, done.output
    assert levels(play) == ["L1", "L2"]
    assert not asked


def test_what_the_first_level_never_brings_back_starts_at_the_next_and_says_why(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground(play, learn=True)
    before = play.pids()
    curse(play, monkeypatch)
    done = play.run()
    assert not done.failed, done.output
    assert levels(play) == ["L2"]
    why = "starts at L2: L1 held in 0 of 8 earlier tries"
    assert why in done.output
    [try_] = [each for each in play.asked(lambda history: history.records(Decided, target=TARGET)) if each.allowed][:1]
    assert (try_.level, try_.reason) == ("L2", why)
    # The others of its window were not touched.
    assert {name: pid for name, pid in play.pids().items() if name != "kaede"} == {
        name: pid for name, pid in before.items() if name != "kaede"
    }


def test_now_and_then_the_first_level_is_tried_all_the_same(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    ground(play, learn=True)
    curse(play, monkeypatch, explores=True)
    assert not play.run().failed
    assert levels(play) == ["L1", "L2"]


def test_the_gate_is_asked_for_the_level_that_acts_and_holds_it(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    ground(play, learn=True)
    curse(play, monkeypatch)
    play.pause(TARGET)
    done = play.run()
    assert levels(play) == []
    assert not done.commands
    [held] = [each for each in play.asked(lambda history: history.records(Decided, target=TARGET)) if not each.allowed][
        :1
    ]
    assert (held.level, held.rule) == ("L2", "pause")


def test_a_run_that_finds_nothing_wrong_asks_no_history(play: Play) -> None:
    ground(play, learn=True)
    (play.machine.home / "kaede.cursed").unlink()
    done = play.run()
    assert (done.opened, done.failed, done.commands, done.probes) == (False, False, [], 1)


def test_what_is_said_beforehand_is_what_a_run_does() -> None:
    """``miyabi status`` and ``explain`` tell the level that has its turn."""
    found = Found(TARGET, "pane-dead", "L1", "status 1")
    learned = past("pane-dead", ("L1", 0, 8), ("L2", 8, 8))
    remembered = Remembered(causes={("mugen", TARGET): "oom"}, learned=learned)
    outlook = Outlook(Fleet(), remembered, NOW)
    plain = Spec("mugen.yaml", "0")
    learns = replace(plain, recovery=Recovery(learn=True))
    assert outlook.level("mugen", found, learns) == "L2"
    assert outlook.level("mugen", found, plain) == "L1"
    assert outlook.level("mugen", replace(found, kind="agent-stalled"), learns) == "L1"
    assert outlook.level("mugen", found, replace(plain, recovery=Recovery(Level.L1, learn=True))) == "L1"
