"""Hooks in a loop: held by what the host remembers, for a while, by the same rule here and there."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from miyabi.hook_loop import LOOP_SCRIPT, MOST, SAME, WINDOW, HookRun, loop, read_history
from tests.facts.hosts import INSTALLED_SHELLS, SHELLS
from tests.fleet.machine import Machine
from tests.hooks.running import all_ended, history, hook, run, write

A, B, C = ("a" * 16, "b" * 16, "c" * 16)
NOW = 1_795_261_161


def runs(*ages: tuple[int, str]) -> tuple[HookRun, ...]:
    return tuple(HookRun(NOW - age, digest) for age, digest in ages)


def test_the_fourth_in_a_row_with_the_same_data_is_held() -> None:
    assert loop(runs((9, A), (8, A)), NOW, A) is None
    assert loop(runs((9, A), (8, A), (7, A)), NOW, B) is None
    assert loop(runs((9, A), (8, B), (7, A), (6, A)), NOW, A) is None
    assert "3 times in a row with the same data" in str(loop(runs((9, A), (8, A), (7, A)), NOW, A))
    assert f"held for {WINDOW - 9} s more" in str(loop(runs((9, A), (8, A), (7, A)), NOW, A))


def test_the_eleventh_within_five_minutes_is_held() -> None:
    mixed = [(200 - each, B if each % 2 else C) for each in range(MOST)]
    assert loop(runs(*mixed[1:]), NOW, A) is None
    assert "ran 10 times within 5 minutes" in str(loop(runs(*mixed), NOW, A))
    assert "held for 100 s more" in str(loop(runs(*mixed), NOW, A))


def test_what_was_hours_ago_is_no_loop() -> None:
    assert loop(runs(*((3600 * each, A) for each in range(20, 0, -1))), NOW, A) is None
    assert loop(runs((WINDOW, A), (20, A), (10, A)), NOW, A) is None


def test_it_ends_by_itself_also_when_the_clock_was_set_back() -> None:
    ahead = runs((-250, A), (-251, A), (-252, A))
    assert loop(ahead, NOW, A) is not None
    assert loop(ahead, NOW + 250 + WINDOW, A) is None
    assert loop(runs((-86400, A), (-86401, A), (-86402, A)), NOW, A) is None


def test_how_one_ended_is_no_run() -> None:
    ended = [HookRun(NOW - 1, A, "ended-0")] * 30
    assert loop(ended, NOW, A) is None


def test_torn_lines_are_ignored() -> None:
    lines = [f"{NOW} {A} began", f"{NOW} {A[:-1]} began", f"0{NOW} {A} began", f"{NOW} {A}", "", f"{NOW} {A} ended-3"]
    assert read_history(lines) == (HookRun(NOW, A), HookRun(NOW, A, "ended-3"))


@pytest.mark.parametrize("shell", INSTALLED_SHELLS)
def test_the_host_decides_the_same(machine: Machine, shell: str) -> None:
    dice = random.Random(7)  # noqa: S311 - the same examples each time
    file = machine.home / "history"
    program, *options = SHELLS[shell]
    expected, scripts = [], []
    for number in range(40):
        lines = []
        for _ in range(dice.choice([0, 2, 3, 4, 12, 20, 37])):
            at = NOW - dice.choice([0, 1, 5, 100, 299, 300, 301, 4000, -5, -299, -300, -9000])
            outcome = dice.choice(["began", "began", "began", "ended-0", "timeout"])
            line = f"{at} {dice.choice([A, A, A, B])} {outcome}"
            lines.append(dice.choice([line] * 60 + [line[:-9], f"0{line}", f"{line} x", "$(touch ~/pwned)", "*", "-e"]))
        path = file.with_suffix(f".{number}")
        path.write_text("".join(f"{line}\n" for line in lines))
        held = loop(read_history(lines), NOW, A)
        expected.append("" if held is None else "count" if "10 times" in held else "same")
        scripts.append(f'( file={path}; now={NOW}; digest={A}\n{LOOP_SCRIPT}\necho "held ${{held%% *}}" )')
    done = machine.run(program, *options, "-c", "\n".join(scripts))
    assert done.output.splitlines() == [f"held {each}" for each in expected]
    assert set(expected) == {"", "count", "same"}
    assert not (machine.home / "pwned").exists()


def test_the_host_holds_it_whoever_asks(machine: Machine) -> None:
    found = [run(machine, "true") for _ in range(SAME + 1)]
    assert [each.problem for each in found] == [None] * SAME + ["HOOK_INFINITE_LOOP"]
    assert run(machine, "true", data=1).problem is None
    kept = history(machine, hook("true"))
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    assert [line.split()[2] for line in kept.read_text().splitlines()] == ["began", "ended-0"] * (SAME + 1)


def test_of_two_at_once_only_so_many_pass(machine: Machine) -> None:
    write(machine, "#!/bin/sh\necho >>~/ran\n")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: run(machine, "~/hook.sh"), range(6)))
    assert (machine.home / "ran").read_text() == "\n" * SAME
    assert sorted(str(each.problem) for each in found) == ["HOOK_INFINITE_LOOP"] * 3 + ["None"] * 3
    assert all_ended(machine)


def test_the_history_stays_small(machine: Machine) -> None:
    wanted = hook("true")
    kept = history(machine, wanted)
    kept.parent.mkdir(parents=True)
    old = int(time.time()) - 9000
    kept.write_text(f"{old} {A} began\n" * 5000 + "torn")
    assert run(machine, "true").problem is None
    assert len(kept.read_text().splitlines()) <= 42


def test_a_history_that_cannot_be_written_stops_no_hook(machine: Machine) -> None:
    (machine.home / ".local").write_text("no folder")
    found = run(machine, "true")
    assert (found.problem, found.counted) == (None, False)
