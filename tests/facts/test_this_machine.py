"""Every section, run for real under every shell, against an independent source."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from facts.boot import boot_section
from facts.disk import disk_section
from facts.load import load_section
from facts.memory import memory_section
from facts.network import network_section
from facts.platform import host_section
from facts.probe import Section
from facts.processes import processes_section
from facts.sshd import sshd_section
from miyabi.errors import ParseError
from miyabi.processes import descendants
from tests.facts.hosts import INSTALLED_SHELLS, ask, busybox_host

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="compares with Linux's /proc")

every_shell = pytest.mark.parametrize("shell", INSTALLED_SHELLS)
_PIPE = subprocess.PIPE

needs_busybox = pytest.mark.skipif(not shutil.which("busybox"), reason="busybox is not installed")

HOSTILE_NAMES = [
    "with space",
    'it\'s "quoted"',
    "$(touch pwned)`touch pwned`",
    "; touch pwned #",
    "-k",
    "~",
    "back\\slash\\n",
    "*?[a]",
    "$HOME",
]


@every_shell
def test_host(shell: str) -> None:
    seen = ask(host_section(), shell)
    user = pwd.getpwuid(os.getuid()).pw_name
    assert (seen.platform, seen.hostname, seen.user, seen.home) == (
        "linux",
        os.uname().nodename,
        user,
        os.environ["HOME"],
    )


@pytest.mark.parametrize(
    "shell", [each for each in INSTALLED_SHELLS if each != "yash"]
)  # yash decodes by start-up locale
def test_a_home_with_odd_bytes(shell: str) -> None:
    assert ask(host_section(), shell, HOME="/home/jün\n$(id)").home == "/home/jün\n$(id)"
    with pytest.raises(ParseError, match="decode"):
        ask(host_section(), shell, HOME=os.fsdecode(b"/home/j\xfcn"))


def test_termux_is_told_by_its_prefix() -> None:
    assert ask(host_section(), PREFIX="/data/data/com.termux/files/usr").platform == "termux"


@every_shell
def test_boot(shell: str) -> None:
    seen = ask(boot_section(), shell)
    assert seen.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    now = float(Path("/proc/uptime").read_text().split()[0])
    assert seen.uptime is not None
    assert 0 <= now - seen.uptime < 10


@every_shell
def test_disk(shell: str, tmp_path: Path) -> None:
    seen = ask(disk_section(str(tmp_path)), shell)
    there = os.statvfs(tmp_path)
    assert seen.path == str(tmp_path)
    assert abs(seen.size - there.f_blocks * there.f_frsize) <= 1024
    # Other programs write to this disk, too.
    assert abs(seen.available - there.f_bavail * there.f_frsize) < 2**30
    used = (there.f_blocks - there.f_bfree) * there.f_frsize
    assert abs(seen.used - used) < 2**30
    assert abs(seen.used_percent - 100 * (1 - there.f_bavail / there.f_blocks)) < 1
    assert seen.mount == _mount_of(tmp_path)


def _mount_of(path: Path) -> str:
    return next(str(each) for each in (path, *path.parents) if each.is_mount())


@every_shell
def test_disk_of_home(shell: str) -> None:
    assert ask(disk_section(), shell).path == os.environ["HOME"]
    assert ask(disk_section("~/not there/yet"), shell).path == f"{os.environ['HOME']}/not there/yet"
    with pytest.raises(ParseError, match="is not set"):
        ask(disk_section(), shell, HOME="")


@every_shell
@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_disk_of_a_hostile_path(shell: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    assert ask(disk_section(f"{tmp_path}/{name}"), shell, tmp_path).path == f"{tmp_path}/{name}"
    assert ask(disk_section(f"{tmp_path}/gone/{name}"), shell, tmp_path).mount == _mount_of(tmp_path)
    if name != "~":
        assert ask(disk_section(name), shell, tmp_path).path == f"./{name}"
    assert [each.name for each in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("path", "reason"), [("/a\nb", "control character"), ("/a\0b", "control"), ("~root/x", "only ~ itself")]
)
def test_disk_refuses_a_path(path: str, reason: str) -> None:
    with pytest.raises(ParseError, match=reason):
        ask(disk_section(path))


def test_disk_in_utf8_and_in_nothing(tmp_path: Path) -> None:
    (tmp_path / "jün").mkdir()
    assert ask(disk_section(f"{tmp_path}/jün")).path == f"{tmp_path}/j??n"
    (tmp_path / os.fsdecode(b"j\xfcn")).mkdir()
    assert (
        ask(disk_section("~/gone"), HOME=os.fsdecode(os.fsencode(tmp_path) + b"/j\xfcn")).path == f"{tmp_path}/j?n/gone"
    )


@every_shell
def test_disk_of_what_is_not_there(shell: str, tmp_path: Path) -> None:
    seen = ask(disk_section(f"{tmp_path}/a//b/c/"), shell)
    assert (seen.path, seen.mount) == (f"{tmp_path}/a//b/c/", _mount_of(tmp_path))
    assert ask(disk_section("/nowhere-at-all/x"), shell).mount == "/"
    (tmp_path / "file").touch()
    assert ask(disk_section(f"{tmp_path}/file/x"), shell).mount == _mount_of(tmp_path)
    (tmp_path / "link").symlink_to("/nowhere-at-all")
    with pytest.raises(ParseError, match="is a link to what is not there"):
        ask(disk_section(f"{tmp_path}/link/x"), shell)


@pytest.mark.skipif(os.getuid() == 0, reason="root may look everywhere")
def test_disk_of_what_may_not_be_looked_at(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir(mode=0)
    with pytest.raises(ParseError, match="Permission denied"):
        ask(disk_section(f"{tmp_path}/secret/x"))


@every_shell
def test_memory(shell: str) -> None:
    seen = ask(memory_section(), shell)
    there = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in Path("/proc/meminfo").read_text().splitlines()}
    assert (seen.total, seen.swap_total) == (there["MemTotal"], there["SwapTotal"])
    assert abs(seen.available - there["MemAvailable"]) < there["MemTotal"] / 4
    assert seen.available_percent == round(100 * seen.available / seen.total, 2)
    assert 0 <= seen.swap_used <= seen.swap_total


@every_shell
def test_load(shell: str) -> None:
    before = os.getloadavg()
    seen = ask(load_section(), shell)
    after = os.getloadavg()
    for told, first, last in zip((seen.one, seen.five, seen.fifteen), before, after, strict=True):
        assert min(first, last) - 0.02 <= told <= max(first, last) + 0.02
    assert seen.processors == os.cpu_count()


@every_shell
@pytest.mark.skipif(not shutil.which("ip"), reason="compares with ip")
def test_network(shell: str) -> None:
    seen = ask(network_section(), shell)
    wanted = [
        each["local"]
        for interface in _ip("addr")
        for each in interface["addr_info"]
        if interface["ifname"] != "lo" and not each["local"].startswith("fe80:")
    ]
    assert sorted(seen.addresses) == sorted(set(wanted))
    routes = sorted(_ip("route", "show", "default"), key=lambda route: route.get("metric", 0))
    assert seen.default_interface == (routes[0]["dev"] if routes else None)


def _ip(*words: str) -> Any:
    return json.loads(subprocess.run(["ip", "-j", *words], capture_output=True, check=True).stdout)  # noqa: S607


@every_shell
def test_processes(shell: str) -> None:
    odd = ["caf\udce9 \x1b[31m", "##miyabi:end processes 0", "x" * 500]
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()", *odd], stdin=_PIPE, stdout=_PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        # Other tests that ran in this process may have left something running beside it.
        others = {each.pid for each in ask(processes_section(), shell)}
        seen = ask(processes_section(), shell, COLUMNS="60")
        child.communicate()
    listed = {each.pid: each for each in seen}
    assert listed[os.getpid()].parent == os.getppid()
    assert listed[child.pid].parent == os.getpid()
    arguments = listed[child.pid].arguments
    assert re.search(r"caf\? [?.]\[31m # #miyabi:end processes 0 xxx", arguments)
    assert (len(arguments), arguments.isascii()) == (400, True)
    assert listed[child.pid] in descendants(seen, os.getpid())
    # Neither the probe nor its shell is in its own answer.
    assert not [each for each in seen if each.parent == os.getpid() and each.pid not in others]


@needs_busybox
@pytest.mark.parametrize(
    "section",
    [
        host_section(),
        boot_section(),
        disk_section("/"),
        memory_section(),
        load_section(),
        network_section(),
        sshd_section(1),
    ],
    ids=lambda section: section.title,
)
def test_busybox_tells_the_same(section: Section[object], tmp_path: Path) -> None:
    theirs = busybox_host(tmp_path).ask(section, "busybox", HOME=os.environ["HOME"])
    ours = ask(section)
    exact = {"host", "network", "sshd"}
    assert theirs == ours if section.title in exact else type(theirs) is type(ours)


@needs_busybox
def test_busybox_lists_processes(tmp_path: Path) -> None:
    seen = busybox_host(tmp_path).ask(processes_section(), "busybox")
    assert os.getpid() in {each.pid for each in seen}
