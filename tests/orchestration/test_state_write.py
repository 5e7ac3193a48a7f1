"""A session's file is replaced whole or not at all: killed anywhere, on full disks, beside writers of every kind."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from shlex import quote

import pytest

from miyabi.orchestration.backup_script import backup_script
from miyabi.orchestration.state_write_script import (
    BUSY,
    CHANGED,
    FAILED,
    NO_FILE,
    REFUSED,
    keep_script,
    quarantine_script,
    release_script,
    replace_script,
    upload_folder_script,
    upload_path,
)
from tests.facts.hosts import INSTALLED_SHELLS, SHELLS, busybox_host
from tests.fleet.machine import Finished, Machine
from tests.fleet.parameters import mostly_slow
from tests.fleet.programs import required
from tests.fleet.tools import tool
from tests.fleet.waiting import wait_until

OLD, NEW, OTHER = b'{"of": "old"}', b'{"of": "new"}', b'{"of": "another"}'
LINE = b'{"kind": "task", "id": "T1"}\n'
NAMES = (
    "session-a b.json",
    'session-it\'s "q".json',
    "session-new\nline.json",
    "session-$(touch made);.json",
    "session--n.json",
)

# Calls the real tool; after the call of that number everything in its process group is killed.
DEADLY = """#!/bin/sh
{real} "$@"; code=$?
echo >>{count}; [ "$(wc -l <{count})" -ne {last} ] || kill -9 0
exit $code
"""


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


class Place:
    """A workspace on a machine, with one session."""

    def __init__(self, machine: Machine, name: str = "session-a.json", folder: Path | None = None) -> None:
        self.machine = machine
        self.name = name
        self.folder = folder or machine.home / "work space"
        self.state = self.folder / ".claude" / "state"
        self.recovery = self.folder / ".claude" / "recovery"
        self.state.mkdir(parents=True, exist_ok=True)
        self.file.write_bytes(OLD)
        self.uploads = 0

    @property
    def file(self) -> Path:
        """The session's file."""
        return self.state / self.name

    def upload(self, content: bytes) -> str:
        """Put a content where the scripts take it from."""
        self.uploads += 1
        path = Path(upload_path(str(self.folder), digest(content), str(self.uploads)))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        path.write_bytes(content)
        return str(path)

    def script(self, expected: bytes | None = OLD, content: bytes = NEW, archive: bytes = b"", keep: int = 5) -> str:
        """What replaces the file."""
        archived = self.upload(archive) if archive else None
        upload = self.upload(content)
        known = NO_FILE if expected is None else digest(expected)
        return replace_script("~/work space", self.name, known, upload, archived, keep)

    def write(
        self, expected: bytes | None = OLD, content: bytes = NEW, archive: bytes = b"", keep: int = 5
    ) -> Finished:
        """Replace the file."""
        return self.machine.sh(self.script(expected, content, archive, keep))

    def backups(self) -> list[bytes]:
        """The contents of the backups, the oldest first."""
        folder = self.recovery / "backups" / self.name
        return [path.read_bytes() for path in sorted(folder.glob("*.json"))] if folder.exists() else []

    def archived(self) -> bytes:
        """What is in the archive."""
        log = self.recovery / "archive" / f"{self.name}.jsonl"
        return log.read_bytes() if log.exists() else b""

    def leftovers(self) -> list[str]:
        """What is beside the state's files, or was uploaded, and belongs nowhere."""
        beside = [path.name for path in self.state.iterdir() if path.is_file() and path != self.file]
        backups = [path.name for path in self.recovery.rglob(".new-*")]
        return beside + backups + [path.name for path in self.recovery.glob("incoming/*")]


@pytest.fixture
def place(machine: Machine) -> Place:
    return Place(machine)


def test_a_file_is_replaced_with_a_backup_and_an_archive(place: Place) -> None:
    place.file.chmod(0o640)
    done = place.write(archive=LINE)
    assert (done.code, done.output) == (0, "")
    assert place.file.read_bytes() == NEW
    assert stat.S_IMODE(place.file.stat().st_mode) == 0o640
    assert place.backups() == [OLD]
    assert place.archived() == LINE
    assert place.leftovers() == []
    private = [path for path in place.recovery.rglob("*") if stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert private == []
    assert (place.recovery / ".gitignore").read_text() == "*\n"


def test_a_file_that_is_not_what_was_judged_stays(place: Place) -> None:
    place.file.write_bytes(OTHER)
    done = place.write(archive=LINE)
    assert done.code == CHANGED
    assert done.stderr == "session-a.json: it was written meanwhile, and is left as it is\n"
    assert (place.file.read_bytes(), place.backups(), place.archived(), place.leftovers()) == (OTHER, [], b"", [])
    place.file.unlink()
    assert place.write().code == CHANGED
    assert not place.file.exists()


def test_a_file_that_must_not_be_there_is_made_and_is_private(place: Place) -> None:
    assert place.write(None).code == CHANGED
    assert place.file.read_bytes() == OLD
    place.file.unlink()
    assert place.write(None).code == 0
    assert (place.file.read_bytes(), stat.S_IMODE(place.file.stat().st_mode)) == (NEW, 0o600)
    assert place.leftovers() == []
    shutil.rmtree(place.state)
    assert place.write(None).code == 0
    assert place.file.read_bytes() == NEW


def test_what_has_not_arrived_as_a_whole_is_not_written(place: Place) -> None:
    upload = place.upload(NEW)
    Path(upload).write_bytes(NEW[:-1])
    done = place.machine.sh(replace_script(str(place.folder), place.name, digest(OLD), upload))
    assert (done.code, done.stderr) == (FAILED, "session-a.json: what is to be written has not arrived as a whole\n")
    done = place.machine.sh(replace_script(str(place.folder), place.name, digest(OLD), upload))
    assert (done.code, done.stderr) == (FAILED, "session-a.json: what is to be written has not arrived\n")
    assert place.file.read_bytes() == OLD


def test_the_newest_backups_stay_and_replaced_ones_do_not_crowd_out_valid_ones(place: Place) -> None:
    for number in range(5):
        place.file.write_bytes(b"valid %d" % number)
        done = place.machine.sh(keep_script(str(place.folder), place.name, digest(b"valid %d" % number), 3))
        assert done.code == 0, done.output
        assert place.write(b"valid %d" % number, b"sick %d" % number, keep=3).code == 0
        assert place.write(b"sick %d" % number, b"healed %d" % number, keep=3).code == 0
    # What is in a backup already is not kept twice.
    assert [each for each in place.backups() if each.startswith(b"valid")] == [b"valid 2", b"valid 3", b"valid 4"]
    assert [each for each in place.backups() if not each.startswith(b"valid")] == [b"sick 2", b"sick 3", b"sick 4"]


def test_a_whole_backup_has_everything(place: Place) -> None:
    (place.state / "events").mkdir()
    (place.state / "events" / "a b.jsonl").write_text("{}\n")
    (place.state / "session-a.json.lock").write_text("1")
    done = place.machine.sh(backup_script(str(place.folder)))
    assert done.code == 0, done.output
    backup = place.recovery / done.stdout.strip()
    found = {str(path.relative_to(backup)) for path in backup.rglob("*") if path.is_file()}
    assert found == {"state/session-a.json", "state/events/a b.jsonl", "manifest.sha256"}
    assert place.machine.run("sha256sum", "-c", "manifest.sha256", cwd=backup).code == 0
    second = place.machine.sh(backup_script(str(place.folder)))
    assert second.stdout > done.stdout
    named = place.machine.sh(backup_script(str(place.folder), "before-the-move"))
    assert named.stdout == "backup-before-the-move\n"
    assert place.machine.sh(backup_script(str(place.folder), "before-the-move")).code == REFUSED


def test_the_quarantine_takes_the_whole_file_and_nothing_that_was_written_meanwhile(place: Place) -> None:
    for _ in range(2):
        place.file.write_bytes(OLD)
        assert place.machine.sh(quarantine_script(str(place.folder), place.name, digest(OTHER))).code == CHANGED
        assert place.file.read_bytes() == OLD
        done = place.machine.sh(quarantine_script(str(place.folder), place.name, digest(OLD)))
        assert (done.code, done.output) == (0, "")
        assert not place.file.exists()
    kept = sorted((place.recovery / "quarantine").iterdir())
    assert [path.read_bytes() for path in kept] == [OLD, OLD]
    assert all(path.name.startswith("session-a.json.2") for path in kept)


@pytest.mark.parametrize("shell", mostly_slow(INSTALLED_SHELLS, ("dash", "zsh")))
def test_every_shell_and_every_name(machine: Machine, shell: str) -> None:
    program, *options = SHELLS[shell]
    for place in (Place(machine, name) for name in NAMES):
        done = machine.run(program, *options, "-c", place.script(archive=LINE))
        assert (done.code, done.output) == (0, ""), place.name
        assert (place.file.read_bytes(), place.backups(), place.archived()) == (NEW, [OLD], LINE)
        assert place.leftovers() == []
        place.file.unlink()
    assert not list(machine.root.rglob("made"))


@pytest.mark.parametrize(
    "name", ["", "session-a.json.lock", "../session-a.json", "session-a/b.json", "x.json", "events/"]
)
def test_what_is_no_name_of_a_session_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a session's file is called"):
        replace_script("~/app", name, NO_FILE, f"/x/{digest(NEW)}.1")


@pytest.mark.parametrize(
    "call",
    [
        lambda: replace_script("~/app", "session-a.json", "$(id)", f"/x/{digest(NEW)}.1"),
        lambda: replace_script("~/app", "session-a.json", NO_FILE, "/x/y"),
        lambda: quarantine_script("~/app", "session-a.json", NO_FILE),
        lambda: backup_script("~/app", "../x"),
    ],
)
def test_words_that_are_none_are_refused(call: Callable[[], str]) -> None:
    with pytest.raises(ValueError, match=r"is no SHA-256|a backup's name"):
        call()


# What must not be written.


def test_links_are_not_written(place: Place) -> None:
    target = place.machine.home / "target.json"
    target.write_bytes(OLD)
    place.file.unlink()
    place.file.symlink_to(target)
    done = place.write()
    assert (done.code, done.stderr) == (REFUSED, "session-a.json: it is a link, and links are not written\n")
    assert (target.read_bytes(), place.file.is_symlink()) == (OLD, True)


@pytest.mark.parametrize("linked", [".claude", ".claude/state", ".claude/recovery", ".claude/recovery/backups"])
def test_nothing_outside_of_the_workspace_is_written(place: Place, linked: str) -> None:
    outside = place.machine.home / "outside"
    folder = place.folder / linked
    folder.mkdir(parents=True, exist_ok=True)
    shutil.move(folder, outside)
    folder.symlink_to(outside)
    upload = place.machine.home / digest(NEW)
    upload.write_bytes(NEW)
    before = sorted(path for path in outside.rglob("*"))
    done = place.machine.sh(replace_script(str(place.folder), place.name, digest(OLD), str(upload)))
    assert done.code == REFUSED
    assert "is a link" in done.stderr
    assert place.file.read_bytes() == OLD
    assert sorted(path for path in outside.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's files")
def test_another_users_files_are_not_written(place: Place) -> None:
    os.chown(place.file, 65534, 65534)
    done = place.write()
    assert (done.code, done.stderr) == (REFUSED, "session-a.json: it belongs to another user\n")
    assert place.file.read_bytes() == OLD


def test_a_workspace_that_is_gone_is_refused(machine: Machine) -> None:
    done = machine.sh(quarantine_script("~/nowhere", "session-a.json", digest(OLD)))
    assert (done.code, done.stderr) == (
        REFUSED,
        "session-a.json: its workspace is not there, or may not be entered\n",
    )


# Locks.


def test_a_living_holder_is_waited_for_and_then_left_alone(place: Place) -> None:
    lock = place.state / "session-a.json.lock"
    lock.write_text(json.dumps({"pid": os.getpid(), "acquired_at": "2026-01-31T00:00:00Z"}))
    tool(place.machine, "sleep", "exit 0")
    done = place.write()
    assert (done.code, done.stderr) == (BUSY, f"session-a.json: it is locked by process {os.getpid()}\n")
    assert place.file.read_bytes() == OLD
    assert lock.exists()
    for text in ("", "nobody", json.dumps({"pid": 9_999_999, "host": "elsewhere"})):
        lock.write_text(text)
        assert place.write().code == BUSY
        assert lock.read_text() == text
    lock.unlink()
    assert place.write().code == 0


def test_the_lock_is_there_while_a_file_is_written_and_gone_afterwards(place: Place) -> None:
    lock = place.state / "session-a.json.lock"
    tool(place.machine, "chmod", f'cat "{lock}" >>{place.machine.root}/seen; exec /bin/chmod "$@"')
    assert place.write().code == 0
    told = json.loads((place.machine.root / "seen").read_text().splitlines()[0])
    assert told["by"] == "miyabi"
    assert told["host"] == os.uname().nodename
    assert not lock.exists()


@pytest.mark.parametrize("text", ["9999999", "9999999@1", '{"pid": 9999999}', "{pid}@1", '{{"pid": {pid}}}'])
def test_a_dead_holders_lock_is_taken_over(place: Place, text: str) -> None:
    lock = place.state / "session-a.json.lock"
    lock.write_text(text.replace("{pid}", str(os.getpid())).replace("{{", "{").replace("}}", "}"))
    if "@" not in text and "pid}" in text:
        # This very process began after the lock was written, so another one has made it.
        os.utime(lock, (1, 1))
    assert place.write().code == 0
    assert not lock.exists()


def test_a_dead_holders_link_is_taken_over(place: Place) -> None:
    lock = place.state / "session-a.json.lock"
    lock.symlink_to(f"{os.getpid()}@1")
    assert place.write().code == 0
    assert not lock.is_symlink()


def test_a_lock_is_released_only_when_its_holder_has_ended(place: Place) -> None:
    lock = place.state / "session-a.json.lock"
    tool(place.machine, "sleep", "exit 0")
    assert place.machine.sh(release_script(str(place.folder), place.name)).code == 0
    lock.write_text(str(os.getpid()))
    assert place.machine.sh(release_script(str(place.folder), place.name)).code == BUSY
    assert lock.exists()
    lock.write_text("9999999")
    assert place.machine.sh(release_script(str(place.folder), place.name)).code == 0
    assert not lock.exists()
    assert place.file.read_bytes() == OLD


def test_where_no_hard_links_are_a_link_is_the_lock(place: Place) -> None:
    tool(place.machine, "ln", '[ "$1" = -s ] || exit 1; exec /bin/ln "$@"')
    assert place.write().code == 0
    assert (place.file.read_bytes(), place.leftovers()) == (NEW, [])


# Ways of putting it in its place.

WAYS = {"perl": ["python3"], "python3": ["perl"], "tools": ["perl", "python3"]}


def without(machine: Machine, way: str) -> None:
    for name in WAYS[way]:
        tool(machine, name, "exit 1")


@pytest.mark.parametrize("way", WAYS)
def test_each_way_replaces(place: Place, way: str) -> None:
    without(place.machine, way)
    done = place.write()
    assert (done.code, done.output) == (0, "")
    assert (place.file.read_bytes(), place.backups(), place.leftovers()) == (NEW, [OLD], [])


@pytest.mark.parametrize("way", WAYS)
def test_each_way_lets_a_writer_win_that_was_faster(place: Place, way: str) -> None:
    """The file is renamed away at the last moment: after the last look of the shell, before both change places."""
    without(place.machine, way)
    sneak = f"[ -e {place.machine.root}/done ] || {{ touch {place.machine.root}/done; "
    sneak += f"printf '%s' '{OTHER.decode()}' >'{place.state}/x'; mv '{place.state}/x' '{place.file}'; }}"
    # Its last call before that moves the new file beside.
    tool(place.machine, "mv", f'/bin/mv "$@"; code=$?; case $* in *.swap-*) {sneak};; esac; exit $code')
    done = place.write()
    assert (done.code, done.stderr) == (CHANGED, "session-a.json: it was written meanwhile, and is left as it is\n")
    assert (place.file.read_bytes(), place.leftovers()) == (OTHER, [])


# Calls of either program in front of which another program may rename a file of its own into the place.
EXCHANGES = {
    "perl": ("sub exchange { syscall", "sub exchange { system $ENV{SNEAK}; syscall"),
    "python3": ("def exchange():\n", "def exchange():\n    os.system(os.environ['SNEAK'])\n"),
}


@pytest.mark.parametrize("times", [1, 2, 3, 4])
@pytest.mark.parametrize("way", EXCHANGES)
def test_the_newest_file_of_a_writer_wins_that_renames_while_names_are_exchanged(
    place: Place, way: str, times: int
) -> None:
    """Its first file comes between the last look and the exchange, the next ones between the exchanges back."""
    without(place.machine, way)
    sneak = place.machine.root / "sneak"
    sneak.write_text(
        f"""#!/bin/sh
echo >>{sneak}.count; count=$(wc -l <{sneak}.count); [ "$count" -le {times} ] || exit 0
printf 'version %d' "$count" >'{place.state}/x'; mv '{place.state}/x' '{place.file}'
"""
    )
    sneak.chmod(0o755)
    place.machine.environment["SNEAK"] = str(sneak)
    plain, sneaking = EXCHANGES[way]
    script = place.script()
    assert plain in script or quote(plain)[1:-1] in script
    done = place.machine.sh(script.replace(plain, sneaking.replace("'", "'\"'\"'")))
    assert (done.code, done.stderr) == (CHANGED, "session-a.json: it was written meanwhile, and is left as it is\n")
    assert place.file.read_bytes() == b"version %d" % times
    assert place.leftovers() == []


IN_PLACE = """import os, sys, time
file = os.open(sys.argv[1], os.O_WRONLY)
print("open", flush=True); sys.stdin.readline()
os.ftruncate(file, 0); os.write(file, sys.argv[2].encode()); os.close(file)
"""


@pytest.mark.parametrize("way", ["perl", "python3"])
def test_who_has_it_open_for_writing_wins(place: Place, way: str) -> None:
    without(place.machine, way)
    with subprocess.Popen(
        [required("python3"), "-c", IN_PLACE, str(place.file), OTHER.decode()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdin is not None
        assert writer.stdout.readline() == "open\n"
        done = place.write()
        assert (done.code, done.stderr) == (CHANGED, "session-a.json: a process is writing it, and is left as it is\n")
        assert place.file.read_bytes() == OLD
        writer.stdin.write("\n")
    assert place.file.read_bytes() == OTHER
    assert place.leftovers() == []


@pytest.mark.parametrize("way", WAYS)
def test_who_writes_into_the_old_file_just_afterwards_wins(place: Place, way: str) -> None:
    """It opened the file before it was replaced, and writes into it when it is out of its place already."""
    without(place.machine, way)
    hand = place.machine.root / "hand"
    os.link(place.file, hand)
    with subprocess.Popen(["/bin/sh", "-c", place.script()], env=place.machine.environment) as script:
        wait_until(lambda: place.file.read_bytes() == NEW, what="the file is replaced")
        hand.write_bytes(OTHER)
        assert script.wait(20) == CHANGED
    assert (place.file.read_bytes(), place.leftovers()) == (OTHER, [])


def test_where_names_cannot_be_exchanged_they_are_renamed(place: Place) -> None:
    """As on file systems that know no exchange: perl's own call is made to fail."""
    perl = required("perl")
    tool(place.machine, "perl", f'case $* in *exchange) exit 3;; esac; exec {perl} "$@"')
    tool(place.machine, "python3", "exit 1")
    assert place.write().code == 0
    assert (place.file.read_bytes(), place.backups(), place.leftovers()) == (NEW, [OLD], [])
    hand = place.machine.root / "hand"
    os.link(place.file, hand)
    with subprocess.Popen(["/bin/sh", "-c", place.script(NEW, OLD)], env=place.machine.environment) as script:
        wait_until(lambda: place.file.read_bytes() == OLD, what="the file is replaced")
        hand.write_bytes(OTHER)
        assert script.wait(20) == CHANGED
    assert place.file.read_bytes() == OTHER


def test_busybox_alone_is_enough(machine: Machine, tmp_path: Path) -> None:
    required("busybox")
    host = busybox_host(tmp_path)
    machine.environment["PATH"] = host.environment["PATH"]
    place = Place(machine)
    script = place.script(archive=LINE).replace("/usr/local/bin", "/nowhere").replace("/usr/sbin:/sbin", "/nowhere")
    script = script.replace("${PREFIX:-/usr}/bin", "/nowhere")
    done = machine.run("sh", "-c", script)
    assert (done.code, done.output) == (0, "")
    assert (place.file.read_bytes(), place.backups(), place.archived()) == (NEW, [OLD], LINE)
    assert place.leftovers() == []


# Killed, full, read-only.

TOOLS = ("cat", "chmod", "cp", "find", "ln", "mkdir", "mv", "perl", "rm", "sha256sum", "sync", "tail", "uname")


@pytest.mark.slow
@pytest.mark.parametrize("first", [1, 2, 3], ids=str)
@pytest.mark.parametrize("is_exchanged", [True, False], ids=["exchanged", "renamed"])
def test_killed_anywhere_the_file_is_whole_and_the_next_write_goes_on(
    place: Place, is_exchanged: bool, first: int
) -> None:
    machine, count, killed = place.machine, place.machine.root / "count", 0
    real = {name: required(name) for name in TOOLS}
    for last in range(first, 300, 3):
        shutil.rmtree(place.recovery, ignore_errors=True)
        place.file.write_bytes(OLD)
        script = place.script(archive=LINE)
        count.write_text("")
        for name, path in real.items():
            deadly = DEADLY.format(real=path, count=count, last=last).partition("\n")[2]
            if name == "perl" and not is_exchanged:
                deadly = f"case $* in *exchange) exit 3;; esac\n{deadly}"
            tool(machine, name, deadly)
        code = machine.run("sh", "-c", script).code
        shutil.rmtree(machine.root / "bin")
        killed += code != 0
        content = place.file.read_bytes()
        assert content in {OLD, NEW}, f"killed after tool call {last}"
        if content == NEW:
            assert place.backups()[-1] == OLD
            assert LINE in place.archived()
        done = place.write(content, OTHER, LINE)
        assert done.code == 0, (last, done.output)
        assert place.file.read_bytes() == OTHER
        assert OLD in place.backups()
        assert set(place.archived().splitlines(keepends=True)) == {LINE}
        assert [each for each in place.leftovers() if "." not in each or each.startswith(".")] == []
        if code == 0:
            break
    assert killed > 8


def test_a_file_of_another_program_that_a_killed_script_had_in_the_hand_is_kept(place: Place) -> None:
    (place.state / ".session-a.json.swap-77").write_bytes(OTHER)
    (place.state / ".session-a.json.new-77").write_bytes(b"half")
    assert place.write().code == 0
    assert set(place.backups()) == {OTHER, OLD}
    assert place.leftovers() == []


def test_what_is_torn_off_in_the_archive_ends_its_line(place: Place) -> None:
    log = place.recovery / "archive" / "session-a.json.jsonl"
    log.parent.mkdir(parents=True)
    log.write_bytes(b'{"torn": ')
    assert place.write(archive=LINE).code == 0
    assert place.archived() == b'{"torn": \n' + LINE


def test_a_full_disk_changes_nothing_and_says_so(small_disk: tuple[Machine, Path]) -> None:
    machine, disk = small_disk
    place = Place(machine, folder=disk / "work")
    content, other = OLD * 1000, NEW * 1000
    place.file.write_bytes(content)
    full = 0
    for kilobytes in range(0, 60, 4):
        for path in (*place.recovery.glob("backups/*/*"), *place.recovery.glob("archive/*"), disk / "filler"):
            path.unlink(missing_ok=True)
        upload, archive = machine.home / digest(other), machine.home / "archive"
        upload.write_bytes(other)
        archive.write_bytes(LINE * 300)
        with suppress(OSError):
            (disk / "filler").write_bytes(bytes(kilobytes * 1024))
        script = replace_script(str(place.folder), place.name, digest(content), str(upload), str(archive))
        done = machine.sh(script)
        if done.code == 0:
            content, other = other, content
        else:
            full += 1
            assert done.code == FAILED
            assert "No space left on device" in done.stderr
            assert done.stderr.count("\n") == 1
        assert place.file.read_bytes() == content
        assert not list(place.state.glob(".*"))
    assert full > 3


def test_what_cannot_be_made_changes_nothing(place: Place) -> None:
    (place.recovery / "backups").mkdir(parents=True)
    (place.recovery / "backups" / place.name).touch()
    done = place.write(archive=LINE)
    assert done.code == REFUSED
    assert "is no folder" in done.stderr
    assert (place.file.read_bytes(), place.archived()) == (OLD, b"")
    (place.recovery / "backups" / place.name).unlink()
    (place.recovery / "archive" / f"{place.name}.jsonl").mkdir(parents=True)
    done = place.write(archive=LINE)
    assert (done.code, done.stderr.count("\n")) == (FAILED, 1)
    assert "its archive could not be written" in done.stderr
    assert (place.file.read_bytes(), place.leftovers()) == (OLD, [])


def test_uploads_go_into_a_folder_of_ones_own_and_old_ones_are_tidied_away(place: Place) -> None:
    old = Path(place.upload(OTHER))
    moment = time.time() - 3 * 86400
    os.utime(old, (moment, moment))
    young = Path(place.upload(NEW))
    old.parent.chmod(0o755)
    assert place.machine.sh(upload_folder_script("~/work space")).code == 0
    assert (old.exists(), young.exists()) == (False, True)
    assert stat.S_IMODE(old.parent.stat().st_mode) == 0o700


@pytest.mark.slow
def test_fifty_megabytes(place: Place) -> None:
    large, other = OLD * 4_000_000, NEW * 4_000_000
    place.file.write_bytes(large)
    done = place.write(large, other)
    assert (done.code, done.output) == (0, "")
    assert place.file.read_bytes() == other
    assert done.seconds < 20
