"""The wake lock's mark and the user's own processes, on machines that this one only pretends to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from facts.clock import clock_section
from facts.own_processes import own_processes_section
from facts.probe import Section
from facts.termux import Lock, wake_section
from miyabi.errors import ParseError
from tests.facts.hosts import INSTALLED_SHELLS, POSIX_TOOLS, PretendedHost, ask, busybox_host

TERMUX = "/data/data/com.termux/files/usr"
MARK = ".local/state/miyabi/wake-lock"

every_shell = pytest.mark.parametrize("shell", INSTALLED_SHELLS)


@pytest.fixture
def pixel(tmp_path: Path) -> PretendedHost:
    """Termux whose app is process 3211, started at tick 48211 of this boot."""
    host = PretendedHost.build(tmp_path, {*POSIX_TOOLS, "timeout"})
    host.environment.update(PREFIX=TERMUX, HOME=str(tmp_path / "home"))
    host.tool("ps", "  801 zygote\n 3211 com.termux\n 3390 com.termux.boot\n 4000 bash -l\n")
    host.tool("getprop", script='[ "$1" = ro.runtime.firstboot ] && echo 1793000000123')
    host.file("/proc/3211/stat", "3211 (com.termux (x) y) S 801" + " 0" * 17 + " 48211 99 7\n")
    (tmp_path / "home").mkdir()
    return host


def _keep(host: PretendedHost, text: str) -> None:
    mark = host.root / "home" / MARK
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text(text)


@every_shell
def test_a_lock_belongs_to_one_boot_and_one_start_of_the_app(pixel: PretendedHost, shell: str) -> None:
    now = "boot 1793000000123 app 3211 48211"
    assert pixel.ask(wake_section(), shell) == Lock(termux=True, now=now)
    _keep(pixel, now + "\n")
    assert pixel.ask(wake_section(), shell).held
    pixel.file("/proc/3211/stat", "3211 (com.termux) S 801" + " 0" * 17 + " 70001 99 7\n")
    assert not pixel.ask(wake_section(), shell).held
    pixel.file("/proc/sys/kernel/random/boot_id", "0d2a7a70-0d0f-4b2e-a4a3-1d64cbbf2a5e\n")
    seen = pixel.ask(wake_section(), shell)
    assert seen.now == "boot 0d2a7a70-0d0f-4b2e-a4a3-1d64cbbf2a5e app 3211 70001"
    assert not seen.held


def test_the_app_s_start_may_be_denied(pixel: PretendedHost) -> None:
    (pixel.root / "proc/3211/stat").unlink()
    assert pixel.ask(wake_section()).now == "boot 1793000000123 app 3211"


def test_a_phone_whose_app_has_ended_holds_no_lock(pixel: PretendedHost) -> None:
    _keep(pixel, "boot 1793000000123 app 3211 48211\n")
    pixel.tool("ps", " 4000 sshd\n")
    seen = pixel.ask(wake_section())
    assert seen.now == "boot 1793000000123 app -"
    assert not seen.held


def test_a_phone_that_tells_nothing_is_unknown(pixel: PretendedHost) -> None:
    pixel.tool("ps", code=1)
    (pixel.root / "bin" / "getprop").unlink()
    with pytest.raises(ParseError, match="neither its boot nor the process of Termux"):
        pixel.ask(wake_section())


@every_shell
def test_elsewhere_there_is_no_wake_lock(shell: str) -> None:
    assert ask(wake_section(), shell, PREFIX="/usr") == Lock(termux=False)


@every_shell
def test_own_processes_on_macos(tmp_path: Path, shell: str) -> None:
    host = PretendedHost.build(tmp_path, {*POSIX_TOOLS} - {"id"})
    host.tool("id", script="case $1 in -u) echo 501;; *) echo kaede;; esac")
    rows = "  0  1  0 launchd\n 501 300 1 a\\nb\n 501 301 1 com.termux.x y\n 89 302 1 c\n 501 2 300\n"
    host.tool("ps", script=f'[ "$*" = "-A -o uid= -o pid= -o ppid= -o args=" ] && printf %s "{rows}"')
    assert host.ask(own_processes_section(), shell) == 3


@every_shell
def test_android_s_apps_are_no_processes_of_termux(tmp_path: Path, shell: str) -> None:
    host = PretendedHost.build(tmp_path, {*POSIX_TOOLS} - {"id"})
    host.tool("id", script="echo 10231")
    rows = " 10231 9 1 com.termux\n 10231 8 1 com.termux.boot\n 10231 7 1 com.termux:x\n 10231 6 9 com.termux -l\n"
    host.tool("ps", rows + " 10231 5 9 bash\n 0 4 1 zygote\n")
    assert host.ask(own_processes_section(), shell) == 2


@every_shell
def test_own_processes_with_busybox_alone(tmp_path: Path, shell: str) -> None:
    host = busybox_host(tmp_path)
    assert host.ask(own_processes_section(), shell) >= 1


@every_shell
def test_kernel_threads_are_nobody_s_own(tmp_path: Path, shell: str) -> None:
    host = PretendedHost.build(tmp_path, {*POSIX_TOOLS} - {"id"})
    host.tool("id", script="echo 0")
    host.tool("ps", "    0     1     0\n    0     2     0\n    0     3     2\n    0     9     2\n    0    77     1\n")
    assert host.ask(own_processes_section(), shell) == 5
    host.file("/proc/2/comm", "kthreadd\n")
    assert host.ask(own_processes_section(), shell) == 2


@every_shell
def test_termux_has_a_temporary_folder_of_its_own(pixel: PretendedHost, shell: str) -> None:
    told = Section("told", 'echo "${TMPDIR:-none}"', lambda lines: lines[0])
    own = pixel.root / "prefix" / "tmp"
    prefix = str(own.parent)
    assert pixel.ask(told, shell, PREFIX=prefix, TMPDIR="/no/such/folder") == "/no/such/folder"
    own.mkdir(parents=True)
    assert pixel.ask(told, shell, PREFIX=prefix, TMPDIR="/no/such/folder") == str(own)
    assert pixel.ask(told, shell, PREFIX=prefix, TMPDIR=str(pixel.root)) == str(pixel.root)


def test_own_processes_without_a_ps_are_unknown(tmp_path: Path) -> None:
    host = PretendedHost.build(tmp_path, {*POSIX_TOOLS} - {"ps"})
    with pytest.raises(ParseError, match="ps gave no answer"):
        host.ask(own_processes_section())


def test_a_host_without_date_has_no_clock(tmp_path: Path) -> None:
    host = PretendedHost.build(tmp_path, {*POSIX_TOOLS} - {"date"})
    with pytest.raises(ParseError, match="exit code 127"):
        host.ask(clock_section())
