"""What a host tells of a workspace, under every shell, and on hosts that have other tools than this one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

from facts.probe import Section
from miyabi.errors import ParseError
from miyabi.orchestration.workspace import SeenWorkspace
from miyabi.orchestration.workspace_listing import _cut, read_contents, read_workspace
from miyabi.orchestration.workspace_script import DIGESTS, MOST_SENT, contents_script, workspace_script
from tests.facts.hosts import INSTALLED_SHELLS, PretendedHost, ask, busybox_host, run_script
from tests.fleet.machine import Machine
from tests.fleet.programs import required
from tests.fleet.waiting import wait_until

NAMES = (
    "session-a.json",
    "session-a b.json",
    'session-it\'s "q".json',
    "session-new\nline.json",
    "session-$(touch made)`touch made`;.json",
    "session--n.json",
    "session-[x]*?.json",
    "session-\\back\\.json",
)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace with an empty state."""
    folder = tmp_path / "work space's"
    (folder / ".claude" / "state" / "events").mkdir(parents=True)
    return folder


def state(workspace: Path) -> Path:
    return workspace / ".claude" / "state"


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def section(workspace: Path, known: tuple[str, ...] = (), pids: tuple[int, ...] = ()) -> Section[SeenWorkspace]:
    path = str(workspace)
    return Section("workspace", workspace_script(path, known, pids), partial(read_workspace, workspace=path, pids=pids))


def look(workspace: Path, *known: str, shell: str = "dash", pids: tuple[int, ...] = ()) -> SeenWorkspace:
    return ask(section(workspace, known, pids), shell)


def filled(workspace: Path) -> dict[str, bytes]:
    contents = {name: f'{{"of": {number}}}'.encode() * (number + 1) for number, name in enumerate(NAMES)}
    contents["session-empty.json"] = b""
    contents["session-binary.json"] = bytes(range(256)) + b"\nend\n"
    for name, content in contents.items():
        (state(workspace) / name).write_bytes(content)
    return contents


@pytest.mark.parametrize("shell", INSTALLED_SHELLS)
def test_everything_is_told_whatever_it_is_called(workspace: Path, shell: str) -> None:
    contents = filled(workspace)
    (state(workspace) / "events" / "a b.jsonl").write_text("{}\n")
    (state(workspace) / "notes.json").write_text("{}")
    kept = workspace / ".claude" / "recovery" / "backups" / "session-a.json"
    kept.mkdir(parents=True)
    (kept / "20260131T235959Z.json").write_text("{}")
    whole = workspace / ".claude" / "recovery" / "backup-20260131T235959Z" / "state"
    whole.mkdir(parents=True)
    (whole / "session-a.json").write_text("{}")
    seen = look(workspace, shell=shell, pids=(os.getpid(), 9_999_999))
    assert {each.name: each.content for each in seen.sessions} == contents
    assert {each.name: (each.digest, each.size) for each in seen.sessions} == {
        name: (digest(content), len(content)) for name, content in contents.items()
    }
    assert [(each.name, each.size, each.digest) for each in seen.events] == [("a b.jsonl", 3, "")]
    assert {each.name for each in seen.backups} == {
        "session-a.json/20260131T235959Z.json",
        "backup-20260131T235959Z/state/session-a.json",
    }
    assert (seen.path, seen.trouble, seen.asked) == (str(workspace), "", (os.getpid(), 9_999_999))
    [process] = seen.running
    assert process.pid == os.getpid()
    assert abs(process.began_at - began(os.getpid())) < 2
    assert not list(workspace.rglob("made"))


def began(pid: int) -> float:
    """When a process began, by the kernel's own word."""
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    booted = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
    return int(booted.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("shell", INSTALLED_SHELLS)
def test_what_is_known_does_not_travel(workspace: Path, shell: str) -> None:
    contents = filled(workspace)
    known = [digest(content) for name, content in contents.items() if name != "session-a.json"]
    seen = look(workspace, *known, shell=shell)
    assert [each.name for each in seen.sessions if each.content is not None] == ["session-a.json"]
    assert {each.digest for each in seen.sessions} == {digest(content) for content in contents.values()}


def test_a_workspace_without_a_state_is_empty_and_what_cannot_be_seen_is_told(tmp_path: Path) -> None:
    seen = look(tmp_path)
    assert (seen.trouble, seen.sessions, seen.locks, seen.backups) == ("", (), (), ())
    assert look(tmp_path / "nowhere").trouble == "is not there"
    (tmp_path / "file").touch()
    assert look(tmp_path / "file").trouble == "is no folder"
    assert look(Path("work")).trouble == "is no absolute path on this host"
    (tmp_path / ".claude").touch()
    seen = look(tmp_path)
    assert seen.trouble == "has a .claude that may not be entered"
    assert seen.now > 1_000_000_000


def test_a_name_may_be_of_any_bytes(workspace: Path) -> None:
    (state(workspace) / "session-楓.json").write_text("{}")
    (state(workspace) / os.fsdecode(b"session-\xff.json")).write_text("{}")
    seen = {each.name: (each.is_own, each.content) for each in look(workspace).sessions}
    assert seen == {"session-楓.json": (True, b"{}"), "session-\\xff.json": (False, b"{}")}


def test_links_and_what_is_no_file_are_told_and_never_read(workspace: Path) -> None:
    (state(workspace) / "session-link.json").symlink_to("/etc/passwd")
    (state(workspace) / "session-gone.json").symlink_to("nowhere")
    (state(workspace) / "session-folder.json").mkdir()
    os.mkfifo(state(workspace) / "session-fifo.json")
    (state(workspace) / "session-real.json").write_text("{}")
    seen = {each.name: each for each in look(workspace).sessions}
    assert len(seen) == 5
    own = seen.pop("session-real.json")
    assert (own.is_own, own.content) == (True, b"{}")
    assert {(each.is_own, each.content, each.digest) for each in seen.values()} == {(False, None, "")}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's files")
def test_another_users_file_is_read_and_not_to_be_written(workspace: Path) -> None:
    (state(workspace) / "session-a.json").write_text("{}")
    os.chown(state(workspace) / "session-a.json", 65534, 65534)
    [seen] = look(workspace).sessions
    assert (seen.is_own, seen.content) == (False, b"{}")


def test_the_smallest_contents_travel_first_and_the_rest_is_asked_for_by_name(workspace: Path) -> None:
    large, larger = b"x" * (MOST_SENT * 5 // 8), b"y" * (MOST_SENT * 6 // 8)
    for name, content in (("b", larger), ("c", large), ("a", b"{}")):
        (state(workspace) / f"session-{name}.json").write_bytes(content)
    seen = {each.name: each for each in look(workspace).sessions}
    assert seen["session-a.json"].content == b"{}"
    assert seen["session-c.json"].content == large
    assert (seen["session-b.json"].content, seen["session-b.json"].digest) == (None, digest(larger))
    names = [".claude/state/session-b.json", ".claude/state/gone.json", ".claude/state/session-a.json"]
    found = ask(Section("workspace", contents_script(str(workspace), names), partial(read_contents, names=names)))
    assert {name: each.content for name, each in found.items()} == {names[0]: larger, names[2]: b"{}"}


@pytest.mark.parametrize("shell", INSTALLED_SHELLS)
def test_contents_of_any_file_are_told_by_name(workspace: Path, shell: str) -> None:
    contents = filled(workspace)
    (state(workspace) / "session-link.json").symlink_to("/etc/passwd")
    names = [f".claude/state/{name}" for name in (*contents, "session-link.json", "none")]
    found = ask(Section("w", contents_script(str(workspace), names), partial(read_contents, names=names)), shell)
    assert {name.rpartition("/")[2]: each.content for name, each in found.items()} == contents


def test_an_answer_that_is_cut_off_anywhere_is_unknown(workspace: Path) -> None:
    filled(workspace)
    lines = run_script("dash", f'bounded() {{ shift; "$@"; }}\n{workspace_script(str(workspace))}', dict(os.environ))
    whole = "\n".join(lines)
    assert read_workspace(lines, str(workspace)).sessions
    for length in range(len(whole)):
        with pytest.raises((ParseError, ValueError)):
            read_workspace(whole[:length].splitlines(), str(workspace))


def test_a_file_that_is_written_while_it_is_told_costs_no_other_its_content() -> None:
    files = [(3, digest(b"one")), (3, digest(b"two")), (5, digest(b"three")), (4, digest(b"four"))]
    assert _cut(b"onetwothreefour", files) == [b"one", b"two", b"three", b"four"]
    assert _cut(b"oneTWO!!threefour", files) == [b"one", b"TWO!!", b"three", b"four"]
    assert _cut(b"onethreefour", files) == [b"one", b"", b"three", b"four"]
    assert _cut(b"oneTWO!!tfour", files) == [b"one", None, None, b"four"]
    assert _cut(b"", files) == [None] * 4
    assert _cut(b"", []) == []


TOOLS = ("base64", "cat", "cksum", "date", "gzip", "head", "openssl", "readlink", "sed", "sha256sum", "sort", "stat")


def programs(machine: Machine, workspace: Path) -> int:
    """How many programs a look starts."""
    folder, count = machine.root / "bin", machine.root / "count"
    folder.mkdir(exist_ok=True)
    count.write_text("")
    for tool in (*TOOLS, "tr", "uname", "timeout"):
        (folder / tool).write_text(f'#!/bin/sh\necho >>{count}\nexec {shutil.which(tool)} "$@"\n')
        (folder / tool).chmod(0o755)
    environment = {**machine.environment, "PATH": f"{folder}:{machine.environment['PATH']}"}
    subprocess.run(
        ["/bin/sh", "-c", f'bounded() {{ shift; "$@"; }}\n{workspace_script(str(workspace))}'],
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return count.read_text().count("\n")


def test_a_thousand_sessions_cost_as_many_programs_as_one(machine: Machine, workspace: Path) -> None:
    (state(workspace) / "session-0.json").write_text("{}")
    (state(workspace) / "session-0.json.lock").write_text("1")
    (state(workspace) / "events" / "0.jsonl").write_text("{}")
    one = programs(machine, workspace)
    for number in range(1, 1000):
        (state(workspace) / f"session-{number}.json").write_text("{}")
        (state(workspace) / f"session-{number}.json.lock").write_text("1")
        (state(workspace) / "events" / f"{number}.jsonl").write_text("{}")
    assert programs(machine, workspace) == one < 30


def test_a_thousand_known_digests_fit_into_a_command(workspace: Path) -> None:
    known = tuple(digest(bytes([number % 256, number // 256])) for number in range(1000))
    (state(workspace) / "session-a.json").write_bytes(bytes([7, 3]))
    (state(workspace) / "session-b.json").write_bytes(b"new")
    assert len(workspace_script(str(workspace), known)) < 60_000
    assert [each.content for each in look(workspace, *known).sessions] == [None, b"new"]


# Locks.


@contextmanager
def process() -> Iterator[int]:
    """A process that runs, and is a child whose end nobody notices when it is killed."""
    child = subprocess.Popen([required("sleep"), "60"])
    try:
        yield child.pid
    finally:
        child.kill()
        child.wait()


def held(workspace: Path, text: str, shell: str = "dash") -> tuple[str, int | None]:
    (state(workspace) / "session-a.json.lock").write_text(text)
    [lock] = look(workspace, shell=shell).locks
    assert lock.name == "session-a.json"
    return lock.holder, lock.pid


@pytest.mark.parametrize("shell", INSTALLED_SHELLS)
def test_who_holds_a_lock(workspace: Path, shell: str) -> None:
    host = os.uname().nodename
    with process() as pid:
        start = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
        alive, gone = ("alive", pid), ("gone", pid)
        assert held(workspace, f"{pid}\n", shell) == alive
        assert held(workspace, f"{pid}@{start}", shell) == alive
        assert held(workspace, f"{pid}@{int(start) - 1}", shell) == gone
        told = json.dumps({"pid": pid, "acquired_at": "2026-01-31T00:00:00Z", "host": host}, indent=1)
        assert held(workspace, told, shell) == alive
        assert held(workspace, json.dumps({"pid": str(pid), "host": "elsewhere"}), shell) == ("unknown", pid)
        (state(workspace) / "session-a.json.lock").write_text(str(pid))
        os.utime(state(workspace) / "session-a.json.lock", (1, began(pid) - 60))
        assert [each.holder for each in look(workspace, shell=shell).locks] == ["gone"]
    assert held(workspace, f"{pid}", shell) == gone
    for text in ("", "nobody", "{", "[]", '{"pid": null}', '{"pid": -1}', "0", "99999999999999999999", "\0\0"):
        assert held(workspace, text, shell) == ("unknown", None), text


def test_a_lock_may_be_a_link_and_its_own_word_counts_for_its_time(workspace: Path) -> None:
    lock = state(workspace) / "session-a.json.lock"
    with process() as pid:
        lock.symlink_to(f"{pid}@1")
        assert [(each.holder, each.pid) for each in look(workspace).locks] == [("gone", pid)]
        lock.unlink()
        lock.write_text(json.dumps({"pid": pid, "started_at": "2026-01-31T00:00:00+00:00"}))
        assert [each.since for each in look(workspace).locks] == [1769817600.0]
        os.kill(pid, 9)
        wait_until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z")
        # It is in the list of processes until its parent notices, and holds nothing any more.
        assert [each.holder for each in look(workspace).locks] == ["gone"]
        assert look(workspace, pids=(pid,)).running == ()


def test_a_lock_that_is_no_file_or_far_too_large_says_nothing(workspace: Path) -> None:
    (state(workspace) / "session-a.json.lock").mkdir()
    os.mkfifo(state(workspace) / "session-b.json.lock")
    (state(workspace) / "session-c.json.lock").write_bytes(b"1\n" * 500_000)
    assert {(each.holder, each.pid) for each in look(workspace).locks} == {("unknown", None)}


# Other hosts.

_MAC_TOOLS = ("base64", "cat", "date", "gzip", "head", "id", "printf", "readlink", "sed", "sh", "sort", "tr", "uname")


def _macos(root: Path) -> PretendedHost:
    """BSD's `stat`, `shasum`, `ps` with `lstart`, no /proc."""
    host = PretendedHost.build(root, (*_MAC_TOOLS, "perl", "shasum", "ps"))
    host.tool(
        "stat",
        script="""[ "$1" = -f ] || { echo "stat: illegal option -- c" >&2; exit 1; }
shift 2; exec /usr/bin/stat -c '%s %Y' "$@\"""",
    )
    return host


@pytest.mark.parametrize("build", [busybox_host, _macos])
def test_hosts_with_other_tools(workspace: Path, tmp_path: Path, build: Callable[[Path], PretendedHost]) -> None:
    (tmp_path / "host").mkdir()
    host = build(tmp_path / "host")
    contents = filled(workspace)
    with process() as pid:
        (state(workspace) / "session-a.json.lock").write_text(str(pid))
        (state(workspace) / "session-b.json.lock").write_text("9999999")
        seen = host.ask(section(workspace, pids=(pid,)))
        assert [each.holder for each in seen.locks] == ["alive", "gone"]
        assert [each.pid for each in seen.running] == [pid]
        assert abs(seen.running[0].began_at - began(pid)) < 3
    assert {each.name: (each.content, each.digest) for each in seen.sessions} == {
        name: (content, digest(content)) for name, content in contents.items()
    }
    again = host.ask(section(workspace, tuple(each.digest for each in seen.sessions)))
    assert {each.content for each in again.sessions} == {None}


def test_where_processes_cannot_be_told_nobody_is_gone(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    host = _macos(tmp_path / "host")
    (host.root / "bin" / "ps").unlink()
    (state(workspace) / "session-a.json.lock").write_text("9999999")
    seen = host.ask(section(workspace, pids=(9_999_999,)))
    assert (seen.asked, seen.running) == ((), ())
    assert [each.holder for each in seen.locks] == ["unknown"]


@pytest.mark.parametrize("tool", ["sha256sum", "shasum", "openssl", "perl", "python3"])
def test_digests_by_any_tool(machine: Machine, tool: str) -> None:
    folder = machine.root / "few"
    folder.mkdir()
    for name in (tool, "sed", "cat", *(["perl"] if tool == "shasum" else [])):
        (folder / name).symlink_to(shutil.which(name, path=f"/usr/bin:/bin:{os.environ['PATH']}") or "/nowhere")
    (machine.home / "a b\n\\c").write_bytes(b"one")
    (machine.home / "d").write_bytes(b"")
    done = subprocess.run(
        ["/bin/sh", "-c", f"slowly=; {DIGESTS}\ndigests *"],
        env={"PATH": str(folder), "LC_ALL": "C"},
        cwd=machine.home,
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode().split() == [digest(b"one"), digest(b"")]
    assert done.stderr == b""


def test_without_any_tool_a_checksum_says_so(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    host = PretendedHost.build(tmp_path / "host", (*_MAC_TOOLS, "stat", "cksum"))
    (state(workspace) / "session-a.json").write_bytes(b"one")
    [seen] = host.ask(section(workspace)).sessions
    assert (seen.digest, seen.content) == ("cksum-2648632822-3", b"one")
    assert host.ask(section(workspace, (seen.digest,))).sessions[0].content is None


def test_a_host_that_lacks_what_is_needed_says_so(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    host = PretendedHost.build(tmp_path / "host", [tool for tool in _MAC_TOOLS if tool != "base64"])
    with pytest.raises(ParseError, match="base64 is not on this host: install it"):
        host.ask(section(workspace))
