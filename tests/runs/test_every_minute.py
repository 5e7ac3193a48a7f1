"""An agent that crashes for ever, looked at every minute: so often that only the last hour's looks are remembered."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from miyabi.gate import Fleet, Request, decide
from miyabi.gate_rules import Rules
from miyabi.history import open_history
from miyabi.levels import Level
from miyabi.records import Decided, DriftSeen, Observation, Record, Recovered

NOW = 1_800_000_000.0
HOST, TARGET = "mugen", "work:main.kaede"


def tries(folder: Path, jumps: dict[int, float], *, minutes: int, every: float = 60.0) -> list[int]:
    """The minutes in which it was restarted, each time with success for as long as anybody looked.

    + jumps: by how much the clock is set on in a minute
    """
    now, done = NOW, []
    with open_history(folder, now=now) as history:
        for minute in range(minutes):
            now += every + jumps.get(minute, 0.0)
            run = f"r{minute}"
            seen: list[Record] = [
                Observation(event=f"{run}.o", run=run, at=now, host=HOST, health="drift", fleet=True),
                DriftSeen(
                    event=f"{run}.d", run=run, at=now, host=HOST, target=TARGET, kind="pane-dead", level="L1", reason=""
                ),
            ]
            history.write(seen)
            past = history.target_histories(HOST, [TARGET], now)[TARGET]
            request = Request(host=HOST, target=TARGET, does="restore", level=Level.L2, last_level=Level.L3)
            if decide(request, past, Fleet(), Rules(tries=50), now).allowed:
                done.append(minute)
                common: dict[str, Any] = {"run": run, "at": now, "host": HOST, "target": TARGET}
                common |= {"does": "restore", "level": "L2"}
                history.write(
                    [
                        Decided(event=f"{run}.t", allowed=True, **common),
                        Recovered(event=f"{run}.r", outcome="restored", seconds=1, **common),
                    ]
                )
    return done


@pytest.mark.slow
def test_after_its_budget_it_is_one_restart_an_hour(tmp_path: Path) -> None:
    done = tries(tmp_path, {}, minutes=600)
    later = [minute for minute in done if minute >= done[4] + 60]
    assert len(done) == 5 + len(later)
    assert len(later) in range(8, 11), done


@pytest.mark.parametrize("jump", [-3600.0, -30 * 86400.0, -400 * 86400.0])
def test_a_clock_that_was_set_back_does_not_hold_it_for_ever(tmp_path: Path, jump: float) -> None:
    done = tries(tmp_path, {20: jump}, minutes=300)
    assert len([minute for minute in done if minute < 20]) == 5
    after = [minute for minute in done if minute >= 20]
    # As if the tries before had been made at the moment in which the clock was set.
    # Or, while the clock comes to that time once more, as at that.
    assert 70 <= after[0] <= (130 if jump == -3600 else 82), done
    assert len(after) in range(2, 6), done
    assert all(later - one >= 60 for one, later in pairwise(after)), done


def test_a_clock_that_is_set_forward_gives_one_try_more(tmp_path: Path) -> None:
    done = tries(tmp_path, {20: 3600.0}, minutes=140)
    assert [minute for minute in done if minute >= 20] in ([20, 80], [20, 81], [21, 81], [20, 80, 140]), done
