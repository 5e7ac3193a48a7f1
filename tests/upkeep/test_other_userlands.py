"""Logs and files on hosts that have other tools than this one: busybox alone, and a macOS that is only pretended."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from facts.files import backups_section, config_section, content_section, prunable_section
from facts.logs import logs_section
from miyabi.config_backup import ConfigFile, backup_script, restore_script
from miyabi.pruning import pruning_script
from miyabi.rotation import LogFile, Logs
from miyabi.rotation_script import rotation_script
from miyabi.shell import HOST_ENVIRONMENT
from tests.facts.hosts import PretendedHost, busybox_host
from tests.upkeep.test_logs import archives, leftovers, numbered, whole

_MAC_TOOLS = (
    "cat",
    "chmod",
    "cksum",
    "cmp",
    "cp",
    "cut",
    "date",
    "dirname",
    "du",
    "find",
    "grep",
    "gzip",
    "head",
    "id",
)
_MORE_MAC_TOOLS = (
    "ln",
    "ls",
    "mkdir",
    "mv",
    "od",
    "perl",
    "ps",
    "readlink",
    "rm",
    "rmdir",
    "sed",
    "sh",
    "sleep",
    "sort",
)


def _macos(root: Path) -> PretendedHost:
    """BSD's `stat`, a `sync` without files, no `timeout`, no `fallocate`, no /proc."""
    host = PretendedHost.build(root, (*_MAC_TOOLS, *_MORE_MAC_TOOLS, "tail", "tr", "uname", "wc", "xargs", "chown"))
    host.tool(
        "stat",
        script="""[ "$1" = -f ] || { echo "stat: illegal option -- c" >&2; exit 1; }
case $2 in
%Lp-%u-%g) exec /usr/bin/stat -c %a-%u-%g "$3";;
%m) exec /usr/bin/stat -c %Y "$3";;
*) echo "stat: %S: unknown" >&2; exit 1;;
esac""",
    )
    host.tool("sync", script="exec /bin/sync")
    host.tool("mount", "/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)\n")
    return host


@pytest.fixture(params=[busybox_host, _macos], ids=["busybox", "macos"])
def userland(request: pytest.FixtureRequest, tmp_path: Path) -> PretendedHost:
    """A host, with an empty HOME."""
    build: Callable[[Path], PretendedHost] = request.param
    (tmp_path / "host").mkdir()
    host = build(tmp_path / "host")
    (tmp_path / "home").mkdir()
    host.environment["HOME"] = str(tmp_path / "home")
    return host


def run(host: PretendedHost, script: str) -> None:
    """Run what an operation runs on a host."""
    text = script.replace(HOST_ENVIRONMENT, ":").replace("/proc/", f"{host.root}/proc/")
    shell = "/bin/sh" if "busybox" not in str((host.root / "bin" / "sh").readlink()) else str(host.root / "bin" / "sh")
    done = subprocess.run(
        [shell, "-c", text], env=host.environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def home(host: PretendedHost) -> Path:
    return Path(host.environment["HOME"])


def aged(path: Path) -> None:
    moment = time.time() - 10 * 86400
    os.utime(path, (moment, moment))


def test_logs_are_rotated(userland: PretendedHost) -> None:
    log = home(userland) / "it's.log"
    log.write_bytes(numbered(5000))
    section = logs_section("~/*.log", "10KB")
    assert userland.ask(section) == Logs((LogFile(str(log), len(numbered(5000))),))
    run(userland, rotation_script("~/*.log", 10_000, 2))
    assert log.read_bytes() == b""
    assert whole(log) == numbered(5000)
    assert [path.suffix for path in archives(log)] == [".gz"]
    assert leftovers(log) == []
    assert userland.ask(section) == Logs()


def test_old_files_are_removed(userland: PretendedHost) -> None:
    folder = home(userland) / "tmp"
    (folder / "claude-dir" / "sub").mkdir(parents=True)
    for name in ("claude-dir/sub/f", "claude-a b", "claude-young", "other"):
        (folder / name).write_text("x")
        if "young" not in name:
            aged(folder / name)
    aged(folder / "claude-dir" / "sub")
    aged(folder / "claude-dir")
    section = prunable_section("~/tmp/claude-*", "1d")
    seen = userland.ask(section)
    assert (seen.count, seen.names) == (2, (f"{folder}/claude-a b", f"{folder}/claude-dir"))
    run(userland, pruning_script("~/tmp/claude-*", 86400))
    assert {path.name for path in folder.iterdir()} == {"claude-young", "other"}
    assert userland.ask(section).count == 0


def test_configuration_comes_back(userland: PretendedHost) -> None:
    path = home(userland) / "app.json"
    good, broken = b'{"a": 1}\n', b'{"a'
    path.write_bytes(good)
    path.chmod(0o640)
    section = config_section("~/app.json", "json")
    assert userland.ask(section) == ConfigFile("changed", None)
    judged = userland.ask(content_section("~/app.json", "json"))
    assert judged.flaw is None
    run(userland, backup_script("~/app.json", "json", judged.digest, 3))
    seen = userland.ask(section)
    assert (seen.state, (seen.newest or "").split("-")[1]) == ("same", "640")
    path.write_bytes(broken)
    aged(path)
    judged = userland.ask(content_section("~/app.json", "json"))
    assert judged.flaw == "it is no JSON from line 1 on"
    assert userland.ask(backups_section("~/app.json", "json")) == ((seen.newest, True),)
    run(userland, restore_script("~/app.json", "json", judged.digest, seen.newest or "", []))
    assert path.read_bytes() == good
    assert path.stat().st_mode & 0o777 == 0o640
    assert userland.ask(section).state == "same"
