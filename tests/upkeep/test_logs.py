"""Logs are rotated for real: files, writers that never stop, scripts that are killed, disks that are full."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from facts.logs import logs_section
from miyabi.rotation import LogFile, Logs, not_rotated
from miyabi.rotation_script import rotation_script
from operations import logs
from tests.facts.hosts import INSTALLED_SHELLS, SHELLS, ask
from tests.fleet.machine import Machine
from tests.fleet.parameters import mostly_slow
from tests.fleet.tools import tool
from tests.fleet.waiting import wait_until
from tests.recovery.operating import Operated, operate

STAMPED = re.compile(r"\.\d{8}T\d{6}Z(_\d{3})?(\.gz)?$")

# Appends numbered lines as fast as it can; or, with "w", at its own offset, as `>` in a shell does.
WRITER = """import os, sys, time
append = os.O_APPEND if sys.argv[2] == "a" else 0
log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | append, 0o644)
number = 0
while True:
    number += 1
    os.write(log, b"line %d of the log\\n" % number)
    if number % int(sys.argv[3]) == 0: time.sleep(0.001)
"""

# Calls the real tool; after the call of that number everything in its process group is killed.
DEADLY = """#!/bin/sh
{real} "$@"; code=$?
echo >>{count}; [ "$(wc -l <{count})" -ne {last} ] || kill -9 0
exit $code
"""
TOOLS = ("cat", "chmod", "cksum", "fallocate", "gzip", "head", "mv", "perl", "rm", "sync", "tail")


def numbered(count: int) -> bytes:
    return b"".join(b"line %d of the log\n" % number for number in range(1, count + 1))


def archives(log: Path) -> list[Path]:
    """The old logs of one, the oldest first."""
    return sorted(path for path in log.parent.iterdir() if STAMPED.fullmatch(path.name.removeprefix(log.name)))


def whole(log: Path) -> bytes:
    """What the old logs and the log hold."""
    old = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes() for path in archives(log))
    return b"".join(old) + log.read_bytes()


def leftovers(log: Path) -> list[str]:
    kept = {log, *archives(log)}
    return [path.name for path in log.parent.iterdir() if path.name.startswith(log.name) and path not in kept]


def rotate(machine: Machine, path: str, max_size: int | str = "10KB", keep: int = 50) -> Operated:
    return operate(machine, logs.rotated, path=path, max_size=max_size, keep=keep)


@contextmanager
def writing(machine: Machine, log: Path, *, mode: str = "a", pace: int = 20) -> Iterator[None]:
    """A process that writes to ``log`` and never stops; ``pace`` lines in a millisecond."""
    command = [sys.executable, "-c", WRITER, str(log), mode, str(pace)]
    with subprocess.Popen(command, env=machine.environment) as process:
        try:
            wait_until(lambda: log.exists() and log.stat().st_size, what="the writer writes")
            yield
        finally:
            process.kill()


@pytest.fixture
def log(machine: Machine) -> Path:
    """A log of some 100 KB in the machine's HOME."""
    path = machine.home / "logs" / "codegen.log"
    path.parent.mkdir()
    path.write_bytes(numbered(5000))
    return path


@pytest.fixture
def collapses(machine: Machine) -> bool:
    """Whether a range can be taken out of a file here."""
    probe = machine.home / "probe"
    probe.write_bytes(bytes(8192))
    return machine.run("fallocate", "-c", "-o", "0", "-l", "4096", str(probe)).code == 0


def test_a_log_over_its_size_is_compressed_and_the_next_run_changes_nothing(machine: Machine, log: Path) -> None:
    log.chmod(0o600)
    inode = log.stat().st_ino
    small = log.with_name("small.log")
    small.write_bytes(b"x" * 9999)
    run = rotate(machine, "~/logs/*.log")
    assert not run.failed
    [old] = archives(log)
    assert gzip.decompress(old.read_bytes()) == numbered(5000)
    assert (log.read_bytes(), log.stat().st_ino, stat.S_IMODE(log.stat().st_mode)) == (b"", inode, 0o600)
    assert stat.S_IMODE(old.stat().st_mode) == 0o600
    assert not archives(small)
    again = rotate(machine, "~/logs/*.log")
    assert (again.failed, again.commands) == (False, [])


def test_what_is_not_there_or_small_changes_nothing(machine: Machine, log: Path) -> None:
    for path, most in (("~/logs/none*", 0), ("~/nowhere/*.log", 0), ("~/logs/*", "1MB"), (str(log), 100_000_000)):
        run = rotate(machine, path, most)
        assert (run.failed, run.commands) == (False, [])
    assert log.read_bytes() == numbered(5000)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"max_size": "12 bananas"}, "max_size is '12 bananas'"),
        ({"keep": -1}, "keep is -1"),
        ({"path": "logs/*.log"}, "begins with /, ~/ or"),
        ({"path": "~/logs/../logs/*.log"}, "without .."),
        ({"path": "$NOPE/logs/*.log"}, "no absolute path"),
    ],
)
def test_what_is_refused_or_unknown_touches_nothing(
    machine: Machine, log: Path, arguments: dict[str, int | str], words: str
) -> None:
    values: dict[str, int | str] = {"path": "~/logs/*.log", "max_size": 0, **arguments}
    run = operate(machine, logs.rotated, **values)
    assert run.failed
    assert run.commands == []
    assert any(words in line for line in run.said), run.said
    assert list(log.parent.iterdir()) == [log]
    assert log.read_bytes() == numbered(5000)


def test_a_host_that_cannot_look_is_unknown(machine: Machine, log: Path) -> None:
    tool(machine, "find", "exec sleep 60")
    run = rotate(machine, "~/logs/*.log")
    assert run.failed
    assert run.commands == []
    assert any("no answer within 5 s" in line for line in run.said)


NAMES = ("a b.log", "-n.log", 'it\'s "q".log', "two\nlines.log", "$(touch made).log", "`touch made`;.log", "[x]*?.log")


def test_names_and_patterns_reach_no_shell(machine: Machine) -> None:
    folder = machine.home / "my logs; touch made"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_bytes(numbered(1000))
    run = rotate(machine, "~/my logs; touch made/*.log")
    assert not run.failed
    for name in NAMES:
        assert len(archives(folder / name)) == 1
        assert whole(folder / name) == numbered(1000)
    assert not list(machine.root.rglob("made"))
    assert rotate(machine, "~/my logs; touch made/*").commands == []


def test_links_count_as_what_they_lead_to_and_nothing_else_is_touched(machine: Machine, log: Path) -> None:
    (log.parent / "link.log").symlink_to("codegen.log")
    (log.parent / "dangling.log").symlink_to("nowhere")
    (log.parent / "circle.log").symlink_to("circle.log")
    (log.parent / "folder.log").mkdir()
    os.mkfifo(log.parent / "fifo.log")
    (log.parent / "old.log.1.gz").write_bytes(os.urandom(20000))
    assert not rotate(machine, "~/logs/*").failed
    assert len(archives(log)) == 1
    assert whole(log) == numbered(5000)
    assert (log.parent / "link.log").is_symlink()
    assert len(list(log.parent.iterdir())) == 8
    assert rotate(machine, "~/logs/*").commands == []


def test_logs_of_others_are_left_alone(machine: Machine, log: Path) -> None:
    path = "/etc/passwd"
    if os.getuid() == 0:
        os.chown(log, 65534, 65534)
        path = str(log)
    run = rotate(machine, path, 1)
    assert (run.failed, run.commands) == (False, [])
    assert any("of another user" in line for line in run.said)


def test_a_link_of_another_user_is_not_followed(machine: Machine, log: Path) -> None:
    link = log.parent / "trap.log"
    link.symlink_to(log)
    if os.getuid() == 0:
        os.chown(link, 65534, 65534, follow_symlinks=False)
        run = rotate(machine, str(link))
        assert (run.failed, run.commands) == (False, [])
        assert log.read_bytes() == numbered(5000)


def test_the_newest_old_logs_stay(machine: Machine, log: Path) -> None:
    other = log.with_name("codegen.log.old.log")
    other.write_bytes(b"other")
    notes = log.with_name("codegen.log.20200101T000000Z-notes")
    notes.write_bytes(b"mine")
    for number in range(6):
        log.write_bytes(b"%d" % number * 20000)
        assert not rotate(machine, str(log), keep=3).failed
    assert [gzip.decompress(path.read_bytes())[:1] for path in archives(log)] == [b"3", b"4", b"5"]
    assert (other.read_bytes(), notes.read_bytes()) == (b"other", b"mine")
    log.write_bytes(b"6" * 20000)
    assert not rotate(machine, str(log), keep=0).failed
    assert archives(log) == []
    assert log.read_bytes() == b""


def test_a_clock_that_was_set_back_does_not_change_the_order(machine: Machine, log: Path) -> None:
    tool(machine, "date", '[ "$1" = -u ] && { echo "20300101T000000Z"; exit; }; exec /bin/date "$@"')
    for _ in range(2):
        log.write_bytes(b"new" * 9000)
        assert not rotate(machine, str(log), keep=9).failed
    tool(machine, "date", '[ "$1" = -u ] && { echo "20200101T000000Z"; exit; }; exec /bin/date "$@"')
    log.write_bytes(b"newest" * 9000)
    assert not rotate(machine, str(log), keep=1).failed
    assert [path.name for path in archives(log)] == ["codegen.log.20300101T000000Z_002.gz"]
    assert whole(log) == b"newest" * 9000


def test_a_writer_that_never_stops_loses_no_byte(machine: Machine, log: Path, collapses: bool) -> None:
    log.unlink()
    with writing(machine, log):
        for _ in range(8):
            wait_until(lambda: log.stat().st_size > 60_000, what="the log grows")
            run = rotate(machine, "~/logs/*.log", "50KB")
            assert not run.failed, run.said
    assert len(archives(log)) >= 8
    assert leftovers(log) == []
    content = whole(log)
    if collapses:
        assert content == numbered(content.count(b"\n"))
    else:
        assert len(set(content.splitlines())) == content.count(b"\n")


@pytest.mark.parametrize("lacks", [[], ["perl"], ["perl", "python3"]], ids=["perl", "python3", "shell"])
def test_where_no_range_can_be_taken_out_a_log_is_copied_and_truncated(
    machine: Machine, log: Path, lacks: list[str]
) -> None:
    for name in ["fallocate", *lacks]:
        tool(machine, name, "exit 1")
    with log.open("ab") as writer:
        assert not rotate(machine, str(log)).failed
        assert log.stat().st_size == 0
        writer.write(b"and on\n")
    assert whole(log) == numbered(5000) + b"and on\n"
    assert leftovers(log) == []
    assert rotate(machine, str(log)).commands == []


@pytest.mark.parametrize("lacks", mostly_slow([[], ["perl"]], ([],)), ids=["perl", "python3"])
def test_a_busy_writer_loses_hardly_a_line_where_a_log_must_be_truncated(
    machine: Machine, log: Path, lacks: list[str]
) -> None:
    for name in ["fallocate", *lacks]:
        tool(machine, name, "exit 1")
    log.unlink()
    with writing(machine, log, pace=1):
        for _ in range(3):
            wait_until(lambda: log.stat().st_size > 20_000, what="the log grows")
            assert not rotate(machine, str(log)).failed
    lines = whole(log).splitlines()
    numbers = [int(line.split()[1]) for line in lines if len(line.split()) == 5]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] - len(numbers) <= 3


@pytest.mark.parametrize("can", [True, False], ids=["collapses", "truncates"])
def test_a_writer_that_does_not_append_is_no_endless_rotation(machine: Machine, log: Path, can: bool) -> None:
    if not can:
        tool(machine, "fallocate", "exit 1")
    log.unlink()
    with log.open("wb") as writer:
        for number in range(3):
            writer.write(bytes([65 + number]) * 200_000)
            writer.flush()
            os.fsync(writer.fileno())
            assert not rotate(machine, str(log), "100KB").failed
            assert rotate(machine, str(log), "100KB").commands == []
    expected = b"".join(bytes([65 + number]) * 200_000 for number in range(3))
    assert whole(log).replace(b"\0", b"") == expected
    assert sum(path.stat().st_size for path in archives(log)) < 20_000


def test_a_log_that_is_written_keeps_its_last_block(machine: Machine, log: Path) -> None:
    log.write_bytes(b"x" * 1000)
    with log.open("ab"):
        run = rotate(machine, str(log), 100)
        assert (run.failed, run.commands) == (False, [])
    assert not rotate(machine, str(log), 100).failed
    assert whole(log) == b"x" * 1000
    assert log.stat().st_size == 0


@pytest.mark.slow
@pytest.mark.parametrize("can", [True, False], ids=["collapses", "truncates"])
def test_killed_anywhere_nothing_is_lost_and_the_next_run_finishes(machine: Machine, log: Path, can: bool) -> None:
    script = rotation_script(str(log), 10_000, 5)
    count = machine.root / "count"
    killed = 0
    for last in range(1, 100):
        shutil.rmtree(log.parent)
        log.parent.mkdir()
        log.write_bytes(numbered(3000))
        count.write_text("")
        for name in TOOLS:
            real = shutil.which(name, path=os.environ["PATH"]) if can or name != "fallocate" else "false"
            assert real is not None, f"{name} is not installed"
            tool(machine, name, DEADLY.format(real=real, count=count, last=last).partition("\n")[2])
        code = machine.run("sh", "-c", script).code
        shutil.rmtree(machine.root / "bin")
        with log.open("ab") as writer:
            writer.write(b"and on\n")
        assert log.read_bytes().endswith(b"and on\n")
        killed += code != 0
        run = rotate(machine, str(log))
        assert not run.failed, (last, run.said)
        assert leftovers(log) == []
        assert whole(log) == numbered(3000) + b"and on\n", f"killed after tool call {last}"
        assert rotate(machine, str(log)).commands == []
        if code == 0:
            break
    assert killed > 10


def test_a_full_disk_leaves_the_log_and_the_old_logs(machine: Machine, log: Path) -> None:
    assert not rotate(machine, str(log)).failed
    before = [(path, path.read_bytes()) for path in archives(log)]
    log.write_bytes(os.urandom(300_000))
    content = log.read_bytes()
    limited = machine.sh(f"ulimit -f 64\n{rotation_script(str(log), 10_000, 1)}")
    assert limited.code == 1
    assert [(path, path.read_bytes()) for path in archives(log)] == before
    assert log.read_bytes() == content
    assert leftovers(log) == []
    tool(machine, "gzip", "echo 'gzip: stdout: No space left on device' >&2; exit 1")
    run = rotate(machine, str(log))
    assert run.failed
    assert log.read_bytes() == content
    assert [(path, path.read_bytes()) for path in archives(log)] == before
    assert not rotate(machine, str(log), keep=0).failed
    assert (log.read_bytes(), archives(log)) == (b"", [])


def test_without_gzip_old_logs_are_not_compressed(machine: Machine, log: Path) -> None:
    folder = machine.root / "few"
    folder.mkdir()
    names = ["cat", "chmod", "cksum", "date", "find", "head", "id", "ln", "ls", "mkdir", "mv", "ps", "readlink", "rm"]
    for name in [*names, "sh", "sort", "stat", "sync", "tail", "tr", "fallocate"]:
        (folder / name).symlink_to(shutil.which(name) or "/nowhere")
    machine.environment.update(PATH=str(folder), PREFIX=str(machine.root))
    assert machine.sh(rotation_script(str(log), 10_000, 5)).output == ""
    [old] = archives(log)
    assert old.suffix != ".gz"
    assert old.read_bytes() == numbered(5000)


def test_two_at_once_rotate_once(machine: Machine, log: Path) -> None:
    script = rotation_script(str(log), 10_000, 5)
    both = [subprocess.Popen(["/bin/sh", "-c", script], env=machine.environment) for _ in range(2)]
    assert [process.wait(30) for process in both] == [0, 0]
    assert len(archives(log)) == 1
    assert whole(log) == numbered(5000)


def test_several_hundred_logs_at_once(machine: Machine) -> None:
    folder = machine.home / "many"
    folder.mkdir()
    for number in range(300):
        (folder / f"{number}.log").write_bytes(b"small")
    for number in range(5):
        (folder / f"{number}.log").write_bytes(numbered(1000))
    run = rotate(machine, "~/many/*.log")
    assert not run.failed
    assert len(list(folder.iterdir())) == 305


@pytest.mark.parametrize("shell", INSTALLED_SHELLS)
def test_every_shell_finds_and_rotates(shell: str, machine: Machine, log: Path) -> None:
    section = logs_section(str(log.parent / "*.log"), "10KB")
    assert ask(section, shell) == Logs((LogFile(str(log), len(numbered(5000))),))
    script = rotation_script(f"{log.parent}/*.log", 10_000, 3)
    done = machine.run(*SHELLS[shell], "-c", script)
    assert (done.code, done.output) == (0, "")
    assert whole(log) == numbered(5000)
    assert ask(section, shell) == Logs()


def test_a_log_that_is_full_again_at_once_was_rotated_nevertheless() -> None:
    before = Logs((LogFile("/a", 60_000), LogFile("/b", 60_000, "1")))
    assert not_rotated(before, Logs((LogFile("/a", 90_000, "1"), LogFile("/b", 90_000, "2")))) is None
    assert not_rotated(before, Logs((LogFile("/b", 59_000, "1"),))) is None
    assert not_rotated(before, Logs((LogFile("/b", 60_000, "1"),))) == "still too large: /b"
    assert not_rotated(before, Logs((LogFile("/new", 60_000),))) is None


def test_a_log_that_is_written_is_not_truncated_where_a_range_can_be_taken_out(
    machine: Machine, log: Path, collapses: bool
) -> None:
    tool(machine, "perl", f'[ "$2" = 1 ] || touch {machine.home}/truncated; exec /usr/bin/perl "$@"')
    with log.open("ab"):
        assert not rotate(machine, str(log)).failed
    assert (machine.home / "truncated").exists() is not collapses
    assert whole(log) == numbered(5000)
    assert log.stat().st_size <= 4096 or not collapses
