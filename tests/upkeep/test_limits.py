"""limits.within: what is told, what fails, and what is done about it; df is pretended, memory is this machine's own."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api import FunctionCommand, StringCommand

from facts.memory import memory_section
from facts.own_processes import own_processes_section
from miyabi.limits import judge_disk, judge_memory, judge_processes, phantoms, size
from miyabi.spec import McpServer, Relief
from miyabi.state import Disk, Memory, Process
from operations.limits import limits_sections, within
from operations.refusal import refusal
from tests.fleet.machine import Machine
from tests.recovery.operating import Operated, operate

GB = 10**9
WELL: dict[str, Any] = {"disk_warning": 100, "disk_critical": 100, "memory_warning": 0, "memory_critical": 0}


@pytest.fixture
def ground(machine: Machine) -> Machine:
    """A machine whose disk is 95 % full as long as ~/cache/big is there, and else 40 %."""
    (machine.root / "bin").mkdir()
    machine.environment["PATH"] = f"{machine.root}/bin:{machine.environment['PATH']}"
    df(machine, 'if [ -e "$HOME/cache/big" ]; then left=50000; else left=600000; fi')
    return machine


def df(machine: Machine, script: str) -> None:
    """Give the machine a df whose shell sets ``left``, of 1000000 blocks."""
    path = machine.root / "bin" / "df"
    row = 'echo "/dev/vda1 1000000 $((1000000 - left)) $left 1% /home"'
    path.write_text(f"#!/bin/sh\n{script}\necho 'Filesystem 1024-blocks Used Available Capacity Mounted on'\n{row}\n")
    path.chmod(0o755)


def fill(machine: Machine) -> Path:
    big = machine.home / "cache" / "big"
    big.parent.mkdir(exist_ok=True)
    big.touch()
    return big


def within_limits(machine: Machine, **arguments: Any) -> Operated:
    return operate(machine, within, **(WELL | arguments))


def said(done: Operated) -> str:
    return "\n".join(done.said)


class _Operations:
    """Pretended operations of other modules: what a relief is, and how it was called."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.yields: dict[str, list[StringCommand | FunctionCommand]] = {}

    def operation(self, name: str) -> Any:
        def inner(**arguments: Any) -> Generator[StringCommand | FunctionCommand]:
            self.calls.append((name, arguments))
            yield from self.yields.get(name, [])

        return types.SimpleNamespace(_inner=inner)


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> _Operations:
    made = _Operations()
    for module, name in (("files", "pruned"), ("logs", "rotated"), ("processes", "restarted")):
        pretended: Any = types.ModuleType(f"operations.{module}")
        setattr(pretended, name, made.operation(name))
        monkeypatch.setitem(sys.modules, f"operations.{module}", pretended)
    return made


def test_a_healthy_host_is_left_alone(ground: Machine) -> None:
    for _ in range(2):
        done = within_limits(ground)
        assert not done.failed
        assert not done.commands
        assert done.probes == 1
        assert "(warning" not in said(done)


def test_a_warning_changes_nothing(ground: Machine) -> None:
    done = within_limits(ground, disk_warning="60%", disk_critical="61%", memory_warning=100)
    assert not done.failed
    assert not done.commands
    assert "memory:" in said(done)
    assert "(warning 100 %)" in said(done)


def test_critical_without_relief_fails_with_the_numbers(ground: Machine) -> None:
    fill(ground)
    done = within_limits(ground, disk_critical=90, disk_warning="85%")
    assert done.failed
    assert not done.commands
    assert "disk: /home 95 % used, 51 MB left (critical 90 %)" in said(done)


def test_disk_and_memory_both_fail_with_one_message(ground: Machine) -> None:
    fill(ground)
    done = within_limits(ground, disk_critical=90, disk_warning=85, memory_critical=100, memory_warning=100)
    assert done.failed
    [told] = [line for line in done.said if "disk: /home" in line]
    assert "; memory: " in told


def test_an_unknown_disk_leaves_the_others_judged(ground: Machine) -> None:
    (ground.root / "bin" / "df").write_text("#!/bin/sh\necho 'df: Input/output error' >&2; exit 1\n")
    done = within_limits(ground, memory_warning=100)
    assert done.failed
    assert "disk: unknown: exit code 1: df: Input/output error" in said(done)
    assert "(warning 100 %)" in said(done)
    assert not done.commands


def test_unknown_memory_leaves_the_disk_judged(ground: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(ground)
    monkeypatch.setattr("facts.memory._SCRIPT", "echo no meminfo; exit 1")
    done = within_limits(ground, disk_warning=90)
    assert done.failed
    assert "memory: unknown: exit code 1: no meminfo" in said(done)
    assert "disk: /home 95 % used" in said(done)


def test_a_relief_is_never_tried_on_what_is_unknown(ground: Machine, others: _Operations) -> None:
    (ground.root / "bin" / "df").write_text("#!/bin/sh\nexit 1\n")
    assert within_limits(ground, disk_relief=[Relief("prune", "~/cache/*")]).failed
    assert not others.calls


@pytest.mark.parametrize(
    "path",
    ["$(touch pwned)", "`touch pwned`", "/x; touch pwned", '~/a\'b "c"', "-k", "~root/x", "a\nb", "/\x1b[31m"],
)
def test_a_hostile_path(ground: Machine, path: str) -> None:
    within_limits(ground, disk_path=path)
    assert not list(ground.root.rglob("pwned"))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"disk_warning": "12 bananas"}, "disk_warning '12 bananas': allowed: a number from 0 to 100"),
        ({"disk_critical": 101}, "disk_critical 101: allowed: a number from 0 to 100, with or without %"),
        ({"memory_warning": -1}, "memory_warning -1: allowed: a number"),
        ({"memory_critical": None}, "memory_critical None: that is no number"),
        ({"disk_warning": 95, "disk_critical": 90}, "disk: a warning above the critical value comes too late"),
        ({"memory_warning": 5, "memory_critical": 10}, "memory: a warning below the critical value comes too late"),
        ({"processes_warning": 0}, "processes (0, 32): allowed: whole numbers from 1"),
        ({"processes_warning": 40}, "processes (40, 32): allowed"),
        ({"processes_critical": "many"}, "processes (24, 'many'): allowed"),
        ({"clock_skew": "soon"}, "clock_skew 'soon': allowed: a number of seconds"),
        ({"disk_relief": [{"does": "format", "target": "/"}]}, "relief 'format': allowed: prune, rotate, restart"),
        ({"disk_relief": [{"remove": "/"}]}, "unexpected keyword argument 'remove'"),
        ({"disk_path": None}, "disk_path None: that is no text"),
        ({"disk_relief": [Relief("restart", "gone")]}, "restarts gone, which is none of the servers given"),
    ],
)
def test_bad_arguments_touch_nothing(ground: Machine, arguments: dict[str, Any], reason: str) -> None:
    done = within_limits(ground, **arguments)
    assert done.failed
    assert reason in said(done)
    assert done.probes == 0
    assert not done.commands


# Relief


def test_relief_goes_in_order_until_it_is_enough(ground: Machine, others: _Operations) -> None:
    big = fill(ground)
    server = McpServer("mcp", "npm start", match="index.js", port=8080, cwd="~/x", environment=(("A", "b"),))
    others.yields = {
        "pruned": [StringCommand("true")],
        "rotated": [StringCommand(f"rm {big}")],
        "restarted": [StringCommand("touch restarted")],
    }
    done = within_limits(
        ground,
        disk_warning=85,
        disk_critical=90,
        disk_relief=[
            Relief("prune", "~/tmp/*", older_than=60.0),
            Relief("rotate", "~/logs/*.log", keep=2),
            Relief("restart", "mcp"),
        ],
        servers=[server],
    )
    assert not done.failed, done.said
    assert done.commands == ["true", f"rm {big}"]
    assert others.calls == [
        ("pruned", {"path": "~/tmp/*", "older_than": 60.0}),
        ("rotated", {"path": "~/logs/*.log", "max_size": 0, "keep": 2}),
    ]
    again = within_limits(ground, disk_warning=85, disk_critical=90, disk_relief=[Relief("prune", "~/tmp/*")])
    assert not again.commands
    assert not again.failed


def test_a_server_is_restarted_as_it_is_kept(ground: Machine, others: _Operations) -> None:
    server = McpServer("mcp", "npm start", match="index.js", port=8080, cwd="~/x", environment=(("A", "b"),))
    others.yields = {"restarted": [StringCommand("true")]}
    relief = [Relief("restart", "mcp")]
    within_limits(ground, memory_warning=100, memory_critical=100, memory_relief=relief, servers=[server])
    [(_, arguments)] = others.calls
    assert arguments == {
        "process": "mcp",
        "start": "npm start",
        "match": "index.js",
        "port": 8080,
        "cwd": "~/x",
        "environment": {"A": "b"},
    }


def test_relief_that_does_not_help_fails(ground: Machine, others: _Operations) -> None:
    fill(ground)
    done = within_limits(ground, disk_warning=85, disk_critical=90, disk_relief=[Relief("prune", "~/tmp/*")])
    assert done.failed
    assert "/home 95 % used, 51 MB left (critical 90 %): pruned ~/tmp/*, but /home 95 % used" in said(done)
    assert len(others.calls) == 1


def test_a_relief_that_fails_leaves_the_next_its_turn(ground: Machine, others: _Operations) -> None:
    big = fill(ground)
    others.yields = {
        "pruned": [refusal("~: that is not allowed"), StringCommand("exit 3")],
        "rotated": [StringCommand(f"rm {big}")],
    }
    relief = [Relief("prune", "~"), Relief("rotate", "~/logs/*.log")]
    done = within_limits(ground, disk_warning=85, disk_critical=90, disk_relief=relief)
    assert not done.failed
    assert "~: that is not allowed" in said(done)
    assert "pruned ~: that failed" in said(done)
    assert not big.exists()


def test_one_resource_s_relief_leaves_the_other_s_failure(ground: Machine, others: _Operations) -> None:
    big = fill(ground)
    others.yields = {"pruned": [StringCommand(f"rm {big}")]}
    relief = [Relief("prune", "~/cache/*")]
    done = within_limits(
        ground, disk_warning=85, disk_critical=90, disk_relief=relief, memory_warning=100, memory_critical=100
    )
    assert done.failed
    assert "memory: " in said(done)
    assert not big.exists()


@pytest.fixture
def other_disks(ground: Machine) -> Machine:
    """A machine whose disk is critical as long as ~/logs/agent.log holds something."""
    df(ground, 'if [ -s "$HOME/logs/agent.log" ]; then left=50000; else left=600000; fi')
    (ground.home / "logs").mkdir()
    return ground


def test_logs_are_rotated_for_real(other_disks: Machine) -> None:
    log = other_disks.home / "logs" / "agent.log"
    log.write_text("".join(f"line {number}\n" for number in range(20_000)))
    arguments = {"disk_warning": 85, "disk_critical": 90, "disk_relief": [Relief("rotate", "~/logs/*.log", keep=1)]}
    done = within_limits(other_disks, **arguments)
    assert not done.failed, done.said
    assert not log.stat().st_size
    assert len(list(log.parent.iterdir())) == 2
    again = within_limits(other_disks, **arguments)
    assert not again.commands
    assert not again.failed


def test_files_are_pruned_for_real(ground: Machine) -> None:
    big = fill(ground)
    os.utime(big, (1_000_000_000, 1_000_000_000))
    young = big.with_name("young")
    young.touch()
    arguments = {
        "disk_warning": 85,
        "disk_critical": 90,
        "disk_relief": [Relief("prune", "~/cache/*", older_than=3600.0), Relief("prune", "~/cache/young")],
    }
    done = within_limits(ground, **arguments)
    assert not done.failed, done.said
    assert not big.exists()
    assert young.exists()
    assert not within_limits(ground, **arguments).commands


def test_a_relief_that_is_not_allowed_removes_nothing(ground: Machine) -> None:
    big = fill(ground)
    os.utime(big, (1_000_000_000, 1_000_000_000))
    for path in ("/", "~", "~/..", "~/cache/../.."):
        done = within_limits(ground, disk_warning=85, disk_critical=90, disk_relief=[Relief("prune", path)])
        assert done.failed
        assert f"pruned {path}, but /home 95 % used" in said(done)
        assert big.exists()


def test_a_server_is_restarted_for_real(ground: Machine) -> None:
    big = fill(ground)
    server = McpServer("mcp", 'rm -f "$HOME/cache/big"; exec sleep 4243', match="sleep 4243")
    arguments = {
        "disk_warning": 85,
        "disk_critical": 90,
        "disk_relief": [Relief("restart", "mcp")],
        "servers": [server],
    }
    done = within_limits(ground, **arguments)
    assert not done.failed, done.said
    assert not big.exists()
    assert not within_limits(ground, **arguments).commands


# Processes and clock


def test_processes_are_counted_where_a_limit_is_given(ground: Machine) -> None:
    done = within_limits(ground, processes_warning=1, processes_critical=1)
    assert done.failed
    assert "of the user's own (critical 1)" in said(done)
    few = within_limits(ground, processes_warning=100_000, processes_critical=100_000)
    assert not few.failed
    assert few.probes == 1


def test_termux_has_android_s_limit(ground: Machine) -> None:
    ground.environment["PREFIX"] = f"{ground.root}/data/data/com.termux/files/usr"
    ps = ground.root / "bin" / "ps"
    rows = "\n".join(f"echo '{pid} 1 sleep {pid}'" for pid in range(9000, 9023))
    ps.write_text(f"#!/bin/sh\necho '801 1 com.termux'\n{rows}\n")
    ps.chmod(0o755)
    assert "processes:" not in said(within_limits(ground))
    with ps.open("a") as file:
        file.write("echo '9100 1 sleep'\n")
    done = within_limits(ground)
    assert not done.failed
    assert "processes: 24 of the user's own (warning 24)" in said(done)
    with ps.open("a") as file:
        file.write("\n".join(f"echo '{pid} 1 sleep'" for pid in range(9200, 9208)))
    done = within_limits(ground)
    assert done.failed
    assert "processes: 32 of the user's own (critical 32)" in said(done)


def test_a_wrong_clock_is_told(ground: Machine) -> None:
    (ground.root / "bin" / "date").write_text("#!/bin/sh\necho $(($(/bin/date +%s) + 300))\n")
    (ground.root / "bin" / "date").chmod(0o755)
    done = within_limits(ground)
    assert not done.failed
    assert "ahead of the control machine's (warning 30 s)" in said(done)
    assert "clock:" not in said(within_limits(ground, clock_skew="10m"))


# What is pure


@pytest.mark.parametrize(
    ("used", "grade"), [(84.99, "fine"), (85.0, "warning"), (89.99, "warning"), (90.0, "critical"), (100.0, "critical")]
)
def test_a_disk_s_grade(used: float, grade: str) -> None:
    judged = judge_disk(Disk("~", "/", 100 * GB, 0, round((100 - used) * GB), used), 85, 90)
    assert judged.grade == grade


@pytest.mark.parametrize(
    ("available", "grade"), [(15.0, "fine"), (14.99, "warning"), (10.0, "warning"), (9.99, "critical")]
)
def test_a_memory_s_grade(available: float, grade: str) -> None:
    judged = judge_memory(Memory(8 * GB, 1 * GB, available, 2 * GB, 1 * GB), 15, 10)
    assert judged.grade == grade
    assert "1.0 GB of 8.0 GB, swap 1.0 GB of 2.0 GB used" in judged.evidence


def test_grades_of_processes() -> None:
    assert [judge_processes(count, 24, 32).grade for count in (23, 24, 31, 32)] == [
        "fine",
        "warning",
        "warning",
        "critical",
    ]


def test_what_android_counts() -> None:
    listed = ["com.termux", "com.termux.boot", "com.termux:task", "com.termux x", "bash", "termux", "com.termuxy"]
    assert phantoms(Process(pid, 1, arguments) for pid, arguments in enumerate(listed)) == 4


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (51_200_000, "51 MB"),
        (1_234_000_000, "1.2 GB"),
        (5 * 10**12, "5.0 TB"),
    ],
)
def test_sizes_in_words(number: int, words: str) -> None:
    assert size(number) == words


def test_what_is_asked() -> None:
    titles = [section.title for section in limits_sections()]
    assert titles == ["host", "disk", "memory", "clock"]
    assert limits_sections(processes=True)[-1].script == own_processes_section().script
    assert memory_section().script in [section.script for section in limits_sections()]
