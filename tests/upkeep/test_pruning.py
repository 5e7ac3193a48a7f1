"""Old files are removed for real, and nothing else: links, other users, open files, folders that are alive."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

from facts.files import prunable_section
from miyabi.pruning import is_broad, pruning_script, refuse_prune
from operations import files
from tests.facts.hosts import INSTALLED_SHELLS, SHELLS, ask
from tests.fleet.machine import Machine
from tests.recovery.operating import Operated, operate

DAY = 86400
NAMES = ("a", "b c", "-rf", "two\nlines", 'it\'s "q"', "$(touch made)", "`touch made`;", "[x]*?", "ünï", "*")


def old(path: Path, days: float = 10) -> Path:
    """Make everything there look as if it was changed ``days`` ago."""
    moment = time.time() - days * DAY
    for each in [*(sorted(path.rglob("*"), reverse=True) if path.is_dir() and not path.is_symlink() else []), path]:
        os.utime(each, (moment, moment), follow_symlinks=False)
    return path


def file(path: Path, days: float = 10, content: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return old(path, days)


def prune(machine: Machine, path: str = "~/tmp/claude-*", older_than: float | str = "7d") -> Operated:
    return operate(machine, files.pruned, path=path, older_than=older_than)


@pytest.fixture
def folder(machine: Machine) -> Path:
    """An empty folder ``~/tmp``, and something precious elsewhere."""
    file(machine.home / "precious" / "thesis")
    (machine.home / "tmp").mkdir()
    return machine.home / "tmp"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_is_old_goes_and_the_next_run_changes_nothing(machine: Machine, folder: Path) -> None:
    for name in NAMES:
        file(folder / f"claude-{name}")
        file(folder / f"claude-dir-{name}" / name / "deep")
        old(folder / f"claude-dir-{name}")
    file(folder / "claude-young", 6.9)
    file(folder / "other")
    run = prune(machine)
    assert not run.failed
    assert names(folder) == {"claude-young", "other"}
    assert not list(machine.root.rglob("made"))
    assert any("20 to remove" in line for line in run.said)
    again = prune(machine)
    assert (again.failed, again.commands) == (False, [])


@pytest.mark.parametrize(
    ("path", "older_than", "words"),
    [
        ("/", "7d", "holds more than temporary files"),
        ("//", 0, "holds more than temporary files"),
        ("~", 0, "holds more than temporary files"),
        ("~/", 0, "holds more than temporary files"),
        ("~/*", 0, "holds more than temporary files"),
        ("~/.*", 0, "holds more than temporary files"),
        ("~/[a-z]*", 0, "holds more than temporary files"),
        ("/*/x", 0, "holds more than temporary files"),
        ("/srv", 0, "holds more than temporary files"),
        ("/etc/cron.d/*", 0, "holds more than temporary files"),
        ("$HOME/*", 0, "holds more than temporary files"),
        ("~/tmp/../precious/*", 0, "without .."),
        ("tmp/claude-*", 0, "begins with /, ~/ or"),
        ("~root/tmp/*", 0, "only ~ itself"),
        ("$NOPE/tmp/claude-*", 0, "no absolute path"),
        ("", 0, "a path is needed"),
        ("~/tmp/claude-*", "12 bananas", "older_than is '12 bananas'"),
        ("~/tmp/claude-*", -1, "older_than is -1"),
    ],
)
def test_what_is_refused_touches_nothing(
    machine: Machine, folder: Path, path: str, older_than: float | str, words: str
) -> None:
    file(folder / "claude-old")
    run = prune(machine, path, older_than)
    assert run.failed
    assert run.commands == []
    assert any(words in line for line in run.said), run.said
    assert names(folder) == {"claude-old"}


def test_a_home_is_not_removed_by_another_name(machine: Machine, folder: Path) -> None:
    old(machine.home)
    for path in (f"{machine.home}", f"{machine.root}/h*", f"{machine.root.parent}/{machine.root.name}"):
        run = prune(machine, path, 0)
        assert run.commands == [], path
        assert any("lies elsewhere" in line for line in run.said), run.said
    assert (machine.home / "precious" / "thesis").exists()


def test_a_folder_behind_a_link_is_refused(machine: Machine, folder: Path) -> None:
    folder.rmdir()
    folder.symlink_to("precious")
    file(machine.home / "precious" / "claude-old")
    run = prune(machine)
    assert run.failed
    assert run.commands == []
    assert any("a link to" in line for line in run.said), run.said
    assert names(machine.home / "precious") == {"claude-old", "thesis"}


def test_a_link_in_the_middle_of_a_pattern_leads_nowhere(machine: Machine, folder: Path) -> None:
    file(folder / "claude-1" / "cache" / "old")
    (folder / "claude-2").mkdir()
    (folder / "claude-2" / "cache").symlink_to(machine.home / "precious")
    (folder / "claude-3").symlink_to(machine.home / "precious")
    file(machine.home / "precious" / "cache" / "old")
    run = prune(machine, "~/tmp/claude-*/cache/*")
    assert not run.failed
    assert any("lies elsewhere" in line for line in run.said), run.said
    assert not (folder / "claude-1" / "cache" / "old").exists()
    assert names(machine.home / "precious") == {"thesis", "cache"}
    assert (machine.home / "precious" / "cache" / "old").exists()
    assert prune(machine, "~/tmp/claude-*/cache/*").commands == []


def test_a_link_goes_and_what_it_leads_to_stays(machine: Machine, folder: Path) -> None:
    for name, target in (("claude-file", "thesis"), ("claude-dir", "."), ("claude-dangling", "nowhere")):
        (folder / name).symlink_to(machine.home / "precious" / target)
        old(folder / name)
    (folder / "claude-inside").mkdir()
    (folder / "claude-inside" / "link").symlink_to(machine.home / "precious")
    old(folder / "claude-inside")
    for path in ("~/tmp/claude-*/", "~/tmp/claude-*"):
        assert not prune(machine, path).failed
    assert names(folder) == set()
    assert names(machine.home / "precious") == {"thesis"}


def test_a_folder_with_something_alive_in_it_stays_whole(machine: Machine, folder: Path) -> None:
    for name in ("young", "pipe", "socket", "open", "cwd"):
        file(folder / f"claude-{name}" / "sub" / "old")
    file(folder / "claude-young" / "sub" / "new", 0)
    os.mkfifo(folder / "claude-pipe" / "sub" / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        before = Path.cwd()
        os.chdir(folder / "claude-socket" / "sub")
        server.bind("socket")
        os.chdir(before)
    for path in folder.iterdir():
        if path.name != "claude-young":
            old(path)
    file(folder / "claude-open-file")
    everything = sorted(folder.rglob("*"))
    with (
        (folder / "claude-open" / "sub" / "old").open(),
        (folder / "claude-open-file").open(),
        subprocess.Popen(["/bin/sleep", "60"], cwd=folder / "claude-cwd" / "sub", env=machine.environment) as process,
    ):
        run = prune(machine)
        process.kill()
    assert (run.failed, run.commands) == (False, [])
    assert sorted(folder.rglob("*")) == everything
    assert not prune(machine).failed
    assert names(folder) == {"claude-young", "claude-pipe", "claude-socket"}


def test_what_belongs_to_others_stays(machine: Machine, folder: Path) -> None:
    if os.getuid() == 0:
        file(folder / "claude-mixed" / "theirs")
        os.chown(folder / "claude-mixed" / "theirs", 65534, 65534)
        os.chown(file(folder / "claude-theirs"), 65534, 65534)
        old(folder / "claude-mixed")
        run = prune(machine)
        assert (run.failed, run.commands) == (False, [])
        assert names(folder) == {"claude-mixed", "claude-theirs"}


def test_a_mount_point_stays(machine: Machine, folder: Path) -> None:
    file(folder / "claude-mounted" / "on" / "old")
    old(folder / "claude-mounted")
    told = machine.root / "bin" / "mount"
    told.parent.mkdir()
    told.write_text(f"#!/bin/sh\necho '/dev/sdz1 on {folder}/claude-mounted/on type ext4 (rw)'\n")
    told.chmod(0o755)
    machine.environment["PATH"] = f"{told.parent}:{machine.environment['PATH']}"
    assert prune(machine).commands == []
    told.unlink()
    assert not prune(machine).failed
    assert names(folder) == set()


def test_folders_that_may_not_be_written_go_too(machine: Machine, folder: Path) -> None:
    file(folder / "claude-cache" / "module" / "file")
    (folder / "claude-cache" / "module").chmod(0o555)
    old(folder / "claude-cache")
    assert not prune(machine).failed
    assert names(folder) == set()


def test_what_became_young_before_the_removal_stays(machine: Machine, folder: Path) -> None:
    script = pruning_script(str(folder / "claude-*"), 7 * DAY)
    file(folder / "claude-1")
    file(folder / "claude-2" / "f")
    old(folder / "claude-2")
    file(folder / "claude-1", 0)
    file(folder / "claude-2" / "f", 0)
    assert machine.sh(script).code == 0
    assert names(folder) == {"claude-1", "claude-2"}


def test_an_age_of_nothing_removes_everything(machine: Machine, folder: Path) -> None:
    file(folder / "claude-1", 0)
    file(folder / "claude-2" / "sub" / "f", 0)
    assert not prune(machine, older_than=0).failed
    assert names(folder) == set()


def test_thousands_of_files_go_within_the_time(machine: Machine, folder: Path) -> None:
    moment = time.time() - 10 * DAY
    for number in range(5000):
        path = folder / f"claude-{number}-{'x' * 60}"
        path.touch()
        os.utime(path, (moment, moment))
    run = prune(machine)
    assert not run.failed
    assert names(folder) == set()


def test_what_cannot_be_removed_fails_with_its_cause(machine: Machine, folder: Path) -> None:
    file(folder / "claude-1")
    broken = machine.root / "bin" / "rm"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho 'rm: Operation not permitted' >&2; exit 1\n")
    broken.chmod(0o755)
    machine.environment["PATH"] = f"{broken.parent}:{machine.environment['PATH']}"
    run = prune(machine)
    assert run.failed
    assert any("Operation not permitted" in line for line in run.said), run.said


def test_a_search_that_hangs_is_unknown(machine: Machine, folder: Path) -> None:
    file(folder / "claude-1")
    slow = machine.root / "bin" / "find"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    machine.environment["PATH"] = f"{slow.parent}:{machine.environment['PATH']}"
    run = prune(machine)
    assert run.failed
    assert run.commands == []
    assert any("no answer within 5 s" in line for line in run.said), run.said
    assert names(folder) == {"claude-1"}


@pytest.mark.parametrize("shell", INSTALLED_SHELLS)
def test_every_shell_finds_and_removes(shell: str, machine: Machine, folder: Path) -> None:
    # In the C locale yash does not see names of other characters; what is not seen stays.
    for name in [name for name in NAMES if shell != "yash" or name.isascii()] + ["more"] * (shell == "yash"):
        file(folder / f"claude-{name}")
    file(folder / "claude-dir" / "sub" / "f")
    old(folder / "claude-dir")
    file(folder / "claude-young", 0)
    section = prunable_section(str(folder / "claude-*"), "1d")
    seen = ask(section, shell)
    assert (seen.count, len(seen.names), seen.outside) == (11, 10, ())
    done = machine.run(*SHELLS[shell], "-c", pruning_script(str(folder / "claude-*"), DAY))
    assert (done.code, done.output) == (0, "")
    assert names(folder) == {"claude-young"}
    assert ask(section, shell).count == 0


@pytest.mark.parametrize("path", ["/srv/claude-*", "~/tmp/*", "~/.cache/x", "$TMPDIR/claude-*", "/usr/local/x/*"])
def test_a_path_of_its_own_may_be_pruned(path: str) -> None:
    assert refuse_prune(path) is None
    assert not is_broad(path)
