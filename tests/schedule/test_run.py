"""``miyabi run``: one at a time, never for ever, one line each, and nothing that blocks the next one."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from miyabi.run_report import Report, count_changes, reason_of_failure
from miyabi.single_flight import identity_of
from tests.fleet import processes
from tests.fleet.machine import Machine
from tests.fleet.waiting import wait_until
from tests.schedule.running import TABLE, WAITING, Clone, ends, is_gone, kill


def table(success: str = "-", error: str = "-") -> str:
    return TABLE.format(hosts=4, success=success, error=error, no_change=2)


@pytest.fixture
def clone(machine: Machine) -> Clone:
    return Clone.build(machine)


# --- The line -------------------------------------------------------------------------------------------------------


def test_nothing_to_do(clone: Clone) -> None:
    clone.plays(f"import sys; print(sys.argv[1:]); print({table()!r})")
    done = clone.run()
    assert done.code == 0, done.output
    [line] = (clone.state / "runs.log").read_text().splitlines()
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ok changes=0 seconds=\d\.\d", line)
    assert done.output == f"{line}\n"
    [log] = (clone.state / "runs").iterdir()
    assert log.read_text() == f"['inventory', 'deploys/recover.py', '-y']\n{table()}\n"
    assert {path.stat().st_mode & 0o077 for path in (clone.state, *clone.state.rglob("*"))} == {0}


def test_changes_are_counted(clone: Clone) -> None:
    clone.plays(f"import sys; sys.stderr.write({table(success='3')!r})")
    assert clone.run().code == 0
    assert re.fullmatch(r"changed changes=3 seconds=\d\.\d", clone.lines[0])


def test_the_exit_code_is_that_of_pyinfra_and_the_line_says_why(clone: Clone) -> None:
    summary = "--> Recovery summary:\n    [@local] healthy, nothing to do\n    [mugen]  L1_PANE NOT restored: main:0"
    clone.plays(f"import sys; print({table(success='1', error='1') + summary!r}); sys.exit(3)")
    done = clone.run()
    assert done.code == 3
    assert "failed changes=1" in done.stdout
    assert "exit code 3: [mugen] L1_PANE NOT restored: main:0" in clone.lines[0]


def test_other_arguments(clone: Clone) -> None:
    clone.plays("import sys; sys.exit(' '.join(sys.argv[1:]))")
    done = clone.run("--", "inventory", "deploys/recover.py", "-y", "--limit", "mugen")
    assert (done.code, len(clone.lines)) == (1, 1)
    assert clone.lines[0].endswith("exit code 1: inventory deploys/recover.py -y --limit mugen")


def test_a_pyinfra_that_is_killed(clone: Clone) -> None:
    clone.plays("import os; os.kill(os.getpid(), 9)")
    assert clone.run().code == 137
    assert "error changes=?" in clone.lines[0]
    assert clone.lines[0].endswith("pyinfra was ended by SIGKILL")


def test_hostile_output_stays_one_line(clone: Clone) -> None:
    clone.plays("import sys; sys.stdout.buffer.write(b'\\x1b[31m\\xff\\x00a\\rb\\x85' + b'x' * 900000); sys.exit(1)")
    assert clone.run().code == 1
    [line] = clone.lines
    assert line.isprintable()
    assert len(line) < 400


def test_the_last_logs_stay(clone: Clone) -> None:
    (clone.state / "runs").mkdir(parents=True, mode=0o700)
    (clone.state / "runs" / "mine.txt").touch()
    for _ in range(4):
        assert clone.run("--keep", "2").code == 0
    assert len(list((clone.state / "runs").glob("*.log"))) == 2
    assert clone.run("--keep", "1").code == 0
    assert len(list((clone.state / "runs").glob("*.log"))) == 1
    assert (clone.state / "runs" / "mine.txt").exists()
    assert len(clone.lines) == 5


def test_a_long_list_of_lines_is_begun_anew(clone: Clone) -> None:
    clone.state.mkdir(parents=True)
    (clone.state / "runs.log").write_text("old\n" * 300_000)
    assert clone.run().code == 0
    assert len(clone.lines) == 1
    assert (clone.state / "runs.log.1").stat().st_size == 1_200_000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--deadline", "soon"], "'--deadline': 'soon'; allowed: a number of seconds"),
        (["--deadline", "0"], "'--deadline': '0'; allowed: 1s or more"),
        (["--keep", "-1"], "'--keep': -1 is not in the range x>=1"),
    ],
)
def test_bad_options(clone: Clone, arguments: list[str], said: str) -> None:
    done = clone.run(*arguments)
    assert done.code == 2
    assert said in done.stderr
    assert not clone.state.exists()


def test_a_state_folder_that_is_none(clone: Clone) -> None:
    clone.state.parent.mkdir(parents=True)
    clone.state.write_text("a file")
    done = clone.run()
    assert done.code == 1
    assert "Traceback" not in done.output
    assert "error changes=? seconds=0.0 [Errno 17] File exists" in done.stdout


# --- One at a time --------------------------------------------------------------------------------------------------


def test_of_two_at_once_one_leaves_at_once(clone: Clone) -> None:
    first, _ = clone.start_waiting()
    second = clone.run()
    assert second.code == 0
    assert second.seconds < 3
    assert re.search(
        rf"busy changes=0 seconds=0\.0 the run of 20\S+Z \(process {first.pid}\) is under way", second.stdout
    )
    (clone.folder / "go").touch()
    assert ends(first)[0] == 0
    assert [line.split()[0] for line in clone.lines] == ["busy", "ok"]
    assert clone.run().code == 0


def test_many_at_once_never_overlap(clone: Clone) -> None:
    clone.plays(
        "import os, time\nos.mkdir('alone')\ntime.sleep(0.2)\nos.rmdir('alone')\n"  # noqa: ISC003 - one program
        + f"print({table()!r})"
    )
    runs = [clone.start() for _ in range(6)]
    assert {ends(each)[0] for each in runs} == {0}
    assert {line.split()[0] for line in clone.lines} <= {"ok", "busy"}
    assert len(clone.lines) == 6


def test_a_killed_holder_is_replaced_with_what_it_had_started(clone: Clone) -> None:
    first, pyinfra = clone.start_waiting()
    kill(first)
    clone.plays(f"print({table()!r})")
    second = clone.run()
    assert second.code == 0
    assert "ok" in second.stdout
    assert is_gone(pyinfra)
    assert [line.split()[0] for line in clone.lines] == ["error", "ok"]
    assert "seconds=? came to no end of its own: killed" in clone.lines[0]


@pytest.mark.slow
def test_a_stopped_holder_counts_until_its_deadline(clone: Clone) -> None:
    first, pyinfra = clone.start_waiting()
    os.kill(first.pid, signal.SIGSTOP)
    assert "busy" in clone.run().stdout
    assert clone.record["until"] > 0
    clone.rewrite_record(until=0.0)
    clone.plays(f"print({table()!r})")
    done = clone.run()
    assert done.code == 0, done.output
    assert "ok" in done.stdout
    assert ends(first)[0] == -signal.SIGKILL
    assert is_gone(pyinfra)
    assert [line.split()[0] for line in clone.lines] == ["busy", "error", "ok"]


def test_an_overdue_holder_that_still_can_ends_itself(clone: Clone) -> None:
    first, pyinfra = clone.start_waiting()
    clone.rewrite_record(until=0.0)
    clone.plays(f"print({table()!r})")
    assert "ok" in clone.run().stdout
    code, said = ends(first)
    assert (code, "ended by SIGTERM" in said) == (143, True)
    assert is_gone(pyinfra)
    assert [line.split()[0] for line in clone.lines] == ["error", "ok"]


@pytest.mark.slow
def test_of_two_that_take_over_one_does(clone: Clone) -> None:
    first, _ = clone.start_waiting()
    os.kill(first.pid, signal.SIGSTOP)
    clone.rewrite_record(until=0.0)
    clone.plays("import os, time\nos.mkdir('alone')\ntime.sleep(0.2)\nos.rmdir('alone')\n")
    assert {ends(each)[0] for each in [clone.start() for _ in range(3)]} == {0}
    ends(first)
    outcomes = [line.split()[0] for line in clone.lines]
    assert sorted(set(outcomes)) == ["busy", "error", "ok"]
    assert (len(outcomes), outcomes.count("error")) == (4, 1)


def test_a_record_that_makes_no_sense_is_nobody_to_end(clone: Clone) -> None:
    first, pyinfra = clone.start_waiting()
    (clone.state / "run.lock").write_text("{" * 512)
    assert "busy changes=0 seconds=0.0 another run is under way" in clone.run().stdout
    assert not is_gone(pyinfra)
    (clone.folder / "go").touch()
    assert ends(first)[0] == 0


def test_a_stranger_with_a_recorded_pid_is_not_touched(clone: Clone) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True) as stranger:
        record = {"pid": stranger.pid, "identity": "1", "started": "x", "until": 0.0}
        clone.state.mkdir(parents=True)
        (clone.state / "run.lock").write_text(json.dumps(record | {"group": stranger.pid, "group_identity": "1"}))
        assert clone.run().code == 0
        assert stranger.poll() is None
        # And with the right identity it would have been: the test tests something.
        record |= {"group": stranger.pid, "group_identity": identity_of(stranger.pid)}
        (clone.state / "run.lock").write_text(json.dumps(record))
        assert clone.run().code == 0
        assert stranger.wait(10) == -signal.SIGTERM


@pytest.mark.slow
def test_killed_at_any_moment_it_blocks_nobody(clone: Clone) -> None:
    clone.plays("import time\ntime.sleep(0.15)\n")
    chance = random.Random(3)  # noqa: S311 - moments, not secrets
    for _ in range(25):
        run = clone.start()
        with contextlib.suppress(subprocess.TimeoutExpired):
            # However far it has come by then.
            run.wait(chance.uniform(0.05, 0.45))
        kill(run)
    clone.plays(f"print({table()!r})")
    done = clone.run()
    assert done.code == 0
    assert " ok " in done.stdout
    starts = [line.split()[0] for line in (clone.state / "runs.log").read_text().splitlines()]
    assert len(starts) == len(set(starts))
    assert {line.split()[0] for line in clone.lines} <= {"ok", "error"}
    wait_until(lambda: not clone.machine.processes(), what="nothing is left of the killed runs")


# --- Its time -------------------------------------------------------------------------------------------------------

# Starts a part of its own, and a server as tmux would.
FAMILY = """
import os, pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.{manner})
part = subprocess.Popen(["sleep", "61"])
server = subprocess.Popen(["sleep", "62"], start_new_session=True)
pathlib.Path("pids").write_text(f"{{os.getpid()}} {{part.pid}} {{server.pid}}")
print("begun", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("manner", ["SIG_DFL", "SIG_IGN"], ids=["ends when asked", "has to be made to"])
def test_the_deadline_ends_pyinfra_and_spares_servers(clone: Clone, manner: str) -> None:
    clone.plays(FAMILY.format(manner=manner))
    done = clone.run("--deadline", "1s")
    pyinfra, part, server = (int(each) for each in (clone.folder / "pids").read_text().split())
    assert done.code == 124
    assert 1 <= done.seconds < 12
    assert re.search(r"timeout changes=\? seconds=\d\.\d pyinfra did not end within 1 s", done.stdout)
    assert is_gone(pyinfra)
    assert is_gone(part)
    assert not is_gone(server)
    processes.end([server])
    assert len(clone.lines) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_asked_to_end_it_ends_what_it_has_started(clone: Clone, number: signal.Signals) -> None:
    run, pyinfra = clone.start_waiting()
    os.kill(run.pid, number)
    code, said = ends(run)
    assert code == 128 + number
    assert f"ended by {number.name}" in said
    assert is_gone(pyinfra)
    assert len(clone.lines) == 1
    assert clone.record is None


def test_what_is_left_behind_with_the_output_does_not_hold_it_up(clone: Clone) -> None:
    clone.plays(
        "import subprocess, pathlib\n"
        "server = subprocess.Popen(['sleep', '63'], start_new_session=True)\n"
        "pathlib.Path('pid').write_text(str(server.pid))\nprint('done')"
    )
    done = clone.run()
    assert (done.code, done.seconds < 10) == (0, True)
    processes.end([int((clone.folder / "pid").read_text())])


# --- What is missing ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", ["<&-", "<&- 2>&-", "<&- >/dev/null 2>&-"])
def test_without_standard_streams(clone: Clone, closed: str) -> None:
    clone.plays("import sys; assert sys.stdin.read() == ''; print('said')")
    done = clone.machine.sh(f"cd {clone.folder} && {sys.executable} -m miyabi run {closed}")
    assert done.code == 0, done.output
    assert len(clone.lines) == 1
    [log] = (clone.state / "runs").iterdir()
    assert log.read_text() == "said\n"


def test_the_lock_is_not_in_the_place_of_a_standard_stream(clone: Clone) -> None:
    clone.plays(WAITING)
    (clone.folder / "run").write_text(f"exec {sys.executable} -m miyabi run <&- >/dev/null 2>&-")
    with subprocess.Popen(["/bin/sh", "run"], cwd=clone.folder, env=clone.machine.environment) as run:
        try:
            wait_until((clone.folder / "pid").exists, what="pyinfra runs")
            places = [Path(f"/proc/{run.pid}/fd/{number}").readlink() for number in (0, 2)]
        finally:
            (clone.folder / "go").touch()
    assert places == [Path(os.devnull)] * 2


def test_a_full_disk_is_no_reason_not_to_run(clone: Clone) -> None:
    clone.plays(f"print({table(success='2')!r})")
    # No file may grow: to a program that is the same as a disk without room, but for the error's name.
    full = clone.machine.sh(f"cd {clone.folder} && ulimit -f 0 && {sys.executable} -m miyabi run")
    assert full.code == 0, full.output
    assert " changed changes=2 " in full.stdout
    assert "runs.log: the run's line could not be kept: File too large" in full.stderr
    assert clone.lines == []
    first, _ = clone.start_waiting()
    assert "busy" in clone.run().stdout
    (clone.folder / "go").touch()
    assert ends(first)[0] == 0


def test_a_line_that_a_full_disk_has_cut_off_stays_alone(clone: Clone) -> None:
    clone.state.mkdir(parents=True)
    (clone.state / "runs.log").write_text("2026-01-01T00:00:00.000Z chang")
    assert clone.run().code == 0
    assert [line.split()[0] for line in clone.lines] == ["chang", "ok"]


def test_elsewhere_than_in_a_clone_it_runs_in_its_own(clone: Clone, tmp_path: Path) -> None:
    clone.machine.environment["PYTHONPATH"] = str(tmp_path)
    (tmp_path / "miyabi").symlink_to(Path(__file__).parents[2] / "miyabi")
    done = clone.machine.run(sys.executable, "-m", "miyabi", "run", "--", "--version", cwd=tmp_path)
    assert done.code == 0, done.output
    [log] = (clone.state / "runs").iterdir()
    assert log.read_text().startswith("pyinfra: v3")


# --- pyinfra's output -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "changes"),
    [
        (table(), 0),
        (table(success="12"), 12),
        (f"\x1b[1m{table(success='7')}\x1b[0m", 7),
        (table(success="7") + table(success="1"), 1),
        ("", None),
        ("Grand total of nothing\n    Grand total   5       1\n", None),
        ("Grand total   5       one         -       4", None),
    ],
)
def test_counting(output: str, changes: int | None) -> None:
    assert count_changes(output) == changes


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("", "no output"),
        ("a\n\n  b  \n", "b"),
        ("found no such spec\n\n--> Disconnecting from hosts...\n", "found no such spec"),
        (
            "[b] not reached\n--> Disconnecting from hosts...\n--> error in x line 1: No hosts remaining!",
            "[b] not reached",
        ),
        ("--> Loading config...", "--> Loading config..."),
    ],
)
def test_reasons(output: str, reason: str) -> None:
    assert reason_of_failure(output) == reason


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("healthy, nothing to do", "last"),
        ("L1_PANE restored in 0.1 s: a:b; 2 found running and adopted; upkeep: sshd (started)", "last"),
        ("asleep, not reached since then; nothing is done to it", "last"),
        ("healthy, nothing to do; warning: disk: 88 % used", "last"),
        (
            "L1_PANE NOT restored in 9.0 s: a:b; a:b is dead, needs L1",
            "[b] L1_PANE NOT restored in 9.0 s: a:b; a:b is dead",
        ),
        ("L1_PANE restored in 0.1 s: a:b; log x: no room; warning: y", "[b] log x: no room"),
        ("tmux is unknown", "[b] tmux is unknown"),
    ],
)
def test_reasons_of_the_summary(told: str, reason: str) -> None:
    said = reason_of_failure(f"x\n--> Recovery summary:\n    [a]      healthy, nothing to do\n    [b] {told}\nlast")
    assert said.startswith(reason)
    assert "healthy" not in said
    assert "warning" not in said


def test_a_report_without_numbers() -> None:
    assert Report("then", "error", None, None, "a\nb").line() == "then error changes=? seconds=? a b"
