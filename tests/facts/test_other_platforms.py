"""Every section on machines that this one only pretends to be: macOS, Termux, and hosts with something missing or slow.

The texts are look-alikes with numbers of their own.
"""

from __future__ import annotations

import time
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
from miyabi.state import Boot, Load, Memory, Network, Process, Sshd
from tests.facts.hosts import INSTALLED_SHELLS, POSIX_TOOLS, PretendedHost

TERMUX = "/data/data/com.termux/files/usr"
UPTIME = " 09:41:07 up 3 days,  4:05,  load average: 11.20, 10.80, 10.15\n"
DF = "Filesystem 1024-blocks Used Available Capacity Mounted on\n"

every_shell = pytest.mark.parametrize("shell", INSTALLED_SHELLS)


@pytest.fixture
def macbook(tmp_path: Path) -> PretendedHost:
    """macOS: no /proc, no `timeout`, no `nproc`, no `ip`."""
    host = PretendedHost.build(tmp_path)
    host.tool("uname", script="case $1 in -s) echo Darwin;; -n) echo Kaedes-MacBook.local;; *) exit 1;; esac")
    host.tool(
        "sysctl",
        script="""[ "$1" = -n ] && { shift; [ "$1" = hw.ncpu ] && echo 10; exit; }
for name; do case $name in
kern.bootsessionuuid) echo "kern.bootsessionuuid: 2C9E61B7-4D0A-4B1F-9C55-81D2E3A7F604";;
kern.boottime) echo "kern.boottime: { sec = $(($(date +%s) - 7200)), usec = 402117 } Sun Nov  8 03:21:40 2026";;
hw.memsize) echo "hw.memsize: 34359738368";;
vm.swapusage) echo "vm.swapusage: total = 3072.00M  used = 1500.50M  free = 1571.50M  (encrypted)";;
kern.memorystatus_level) echo "kern.memorystatus_level: 44";;
*) echo "sysctl: unknown oid '$name'" >&2; exit 1;;
esac; done""",
    )
    host.tool("memory_pressure", "The system has 34359738368 bytes.\nSystem-wide memory free percentage: 61%\n")
    host.tool("uptime", "14:02  up 5 days, 22:31, 2 users, load averages: 2.10 1.95 1.80\n")
    host.tool("route", "   route to: default\ndestination: default\n    gateway: 198.51.100.1\n  interface: en0\n")
    host.tool(
        "ifconfig", "lo0: flags=8049<UP>\n\tinet 127.0.0.1 netmask 0xff000000\nen0:\n\tinet 198.51.100.23 netmask 0x0\n"
    )
    return host


@pytest.fixture
def pixel(tmp_path: Path) -> PretendedHost:
    """Termux on a new Android: most of /proc, and netlink, are denied."""
    host = PretendedHost.build(tmp_path, {*POSIX_TOOLS, "timeout"})
    host.environment["PREFIX"] = TERMUX
    host.tool("uname", script="case $1 in -s) echo Linux;; -n) echo localhost;; *) exit 1;; esac")
    host.tool("uptime", UPTIME)
    host.tool("getprop", script='[ "$1" = ro.runtime.firstboot ] && echo 1793000000123')
    host.tool("ip", script="echo 'Cannot bind netlink socket: Permission denied' >&2; exit 1")
    host.tool("route", script="exit 4")
    host.tool(
        "ifconfig", "lo:\n   inet 127.0.0.1  netmask 255.0.0.0\nwlan0:\n   inet 203.0.113.88  netmask 255.255.255.0\n"
    )
    host.file("/proc/sys/fs/pipe-max-size", "1048576\n")
    host.file(
        "/proc/meminfo",
        "MemTotal:  7500000 kB\nMemFree:  90000 kB\nMemAvailable:  3000000 kB\nBuffers: 1 kB\n"
        "SwapTotal: 4000000 kB\nSwapFree: 1000000 kB\nDirty: 7 kB\n",
    )
    return host


@every_shell
def test_macos(macbook: PretendedHost, shell: str) -> None:
    identity = macbook.ask(host_section(), shell)
    assert (identity.platform, identity.hostname) == ("macos", "Kaedes-MacBook.local")
    boot = macbook.ask(boot_section(), shell)
    assert boot.boot_id == "2C9E61B7-4D0A-4B1F-9C55-81D2E3A7F604"
    assert boot.uptime == pytest.approx(7200, abs=10)
    size = 34359738368
    assert macbook.ask(memory_section(), shell) == Memory(size, size * 61 // 100, 61.0, 3072 * 2**20, 1573388288)
    assert macbook.ask(load_section(), shell) == Load(2.1, 1.95, 1.8, 10)
    assert macbook.ask(network_section(), shell) == Network(("198.51.100.23",), "en0")


def test_macos_without_memory_pressure(macbook: PretendedHost) -> None:
    (macbook.root / "bin" / "memory_pressure").unlink()
    assert macbook.ask(memory_section()).available_percent == 44.0


@every_shell
def test_macos_measures_the_data_volume(macbook: PretendedHost, shell: str) -> None:
    (macbook.root / "System/Volumes/Data").mkdir(parents=True)
    root = DF + "/dev/disk3s1s1 478724992 11000000 95744998 11% /\n"
    data = DF + "/dev/disk3s5 478724992 301200100 95744998 76% /System/Volumes/Data\n"
    usb = DF + "/dev/disk4s1 1000 100 900 10% /Volumes/Stick\n"
    script = f"""case $2 in
*System/Volumes/Data|/Users/*) echo '{data}';;
/Volumes/*) echo '{usb}';;
*) echo '{root}';;
esac"""
    macbook.tool("df", script=script)
    for path in ("~", "/", "/Users/kaede/repos"):
        seen = macbook.ask(disk_section(path), shell, HOME="/Users/kaede")
        assert (seen.mount, seen.used_percent) == ("/System/Volumes/Data", 80.0)
    assert macbook.ask(disk_section("/"), shell).path == "/"
    assert macbook.ask(disk_section("/Volumes/Stick"), shell).used_percent == 10.0


def test_an_old_macos_has_no_data_volume(macbook: PretendedHost) -> None:
    macbook.tool("df", DF + "/dev/disk1 1000 250 750 25% /\n")
    assert macbook.ask(disk_section("/")).mount == "/"


@every_shell
def test_termux(pixel: PretendedHost, shell: str) -> None:
    identity = pixel.ask(host_section(), shell)
    assert (identity.platform, identity.hostname) == ("termux", "localhost")
    assert pixel.ask(boot_section(), shell) == Boot("firstboot:1793000000123", 3 * 86400 + 4 * 3600 + 300)
    memory = Memory(7500000 * 1024, 3000000 * 1024, 40.0, 4000000 * 1024, 3000000 * 1024)
    assert pixel.ask(memory_section(), shell) == memory
    assert pixel.ask(load_section(), shell) == Load(11.2, 10.8, 10.15, None)
    assert pixel.ask(network_section(), shell) == Network(("203.0.113.88",), None)


def test_termux_with_what_android_still_allows(pixel: PretendedHost) -> None:
    pixel.file("/proc/sys/kernel/random/boot_id", "0d2a7a70-0d0f-4b2e-a4a3-1d64cbbf2a5e\n")
    pixel.file("/sys/devices/system/cpu/online", "0-3,6\n")
    pixel.tool(
        "ip",
        script="""case "$*" in
'-o route get 192.0.2.1') echo '192.0.2.1 via 203.0.113.1 dev wlan0 table 1021 src 203.0.113.88 uid 10231';;
'-o addr') echo '30: wlan0    inet 203.0.113.88/24 brd 203.0.113.255 scope global wlan0';;
esac""",
    )
    assert pixel.ask(boot_section()).boot_id == "0d2a7a70-0d0f-4b2e-a4a3-1d64cbbf2a5e"
    assert pixel.ask(load_section()).processors == 5
    assert pixel.ask(network_section()) == Network(("203.0.113.88",), "wlan0")


def test_termux_is_told_by_its_folder(pixel: PretendedHost) -> None:
    (pixel.root / TERMUX.lstrip("/")).mkdir(parents=True)
    assert pixel.ask(host_section(), PREFIX="").platform == "termux"


@every_shell
def test_the_ssh_port_to_ask(pixel: PretendedHost, shell: str) -> None:
    """The tool that asks is pretended, too: it refuses every connection."""
    pixel.tool("ssh-keyscan", script="echo connect: Connection refused; exit 1")
    assert pixel.ask(sshd_section(), shell) == Sshd(8022, answering=False)
    assert pixel.ask(sshd_section(), shell, PREFIX="/usr") == Sshd(22, answering=False)
    by_ssh = "192.0.2.1 50512 192.0.2.9 2222"
    assert pixel.ask(sshd_section(), shell, SSH_CONNECTION=by_ssh) == Sshd(2222, answering=False)
    assert pixel.ask(sshd_section(17), shell, SSH_CONNECTION=by_ssh) == Sshd(17, answering=False)
    by_socket = "UNKNOWN 65535 UNKNOWN 65535"
    assert pixel.ask(sshd_section(), shell, SSH_CONNECTION=by_socket) == Sshd(8022, answering=False)


def test_an_sshd_on_one_address_only_is_asked_there(pixel: PretendedHost) -> None:
    answer = "echo '# 192.0.2.9:2222 SSH-2.0-dropbear'"
    pixel.tool("ssh-keyscan", script=f"""case "$*" in *192.0.2.9) {answer};; *) echo refused; exit 1;; esac""")
    seen = pixel.ask(sshd_section(), SSH_CONNECTION="192.0.2.1 50512 192.0.2.9 2222")
    assert seen == Sshd(2222, answering=True, banner="SSH-2.0-dropbear")


def test_no_tool_to_ask_an_sshd_with_is_unknown(pixel: PretendedHost) -> None:
    with pytest.raises(ParseError, match="no bash, nc, python3, perl or ssh-keyscan"):
        pixel.ask(sshd_section())
    pixel.tool("bash", script="echo 'bash: /dev/tcp/127.0.0.1/22: No such file or directory'; exit 1")
    with pytest.raises(ParseError, match="No such file"):
        pixel.ask(sshd_section())


# yash decodes by the locale that it was started in.
@pytest.mark.parametrize("shell", [each for each in INSTALLED_SHELLS if each != "yash"])
def test_odd_bytes_never_leave_the_host(pixel: PretendedHost, shell: str) -> None:
    odd = r"printf '%b\n'"
    pixel.tool("ps", script=rf"{odd} '    1     0 init' ' 4711     1 caf\0351 \0201\0033[31m'")
    pixel.tool("df", script=rf"{odd} 'x 1000 500 500 50% /mnt/\0374ber'")
    pixel.tool("ifconfig", script=rf"{odd} 'eth\0377 inet 192.0.2.3 x'")
    pixel.tool("uname", script=rf"case $1 in -s) echo Linux;; *) {odd} 'h\0366st';; esac")
    assert Process(4711, 1, "caf? ??[31m") in pixel.ask(processes_section(), shell)
    assert pixel.ask(disk_section("/"), shell).mount == "/mnt/?ber"
    assert pixel.ask(network_section(), shell).addresses == ("192.0.2.3",)
    assert pixel.ask(host_section(), shell).hostname == "h?st"


def test_a_host_without_its_tools_is_unknown(pixel: PretendedHost) -> None:
    for tool in ("ps", "ip", "ifconfig", "uptime"):
        (pixel.root / "bin" / tool).unlink()
    (pixel.root / "proc/meminfo").unlink()
    sections: list[tuple[Section[Any], str]] = [
        (processes_section(), "ps gave no answer"),
        (network_section(), "neither ip nor ifconfig"),
        (load_section(), "no load averages"),
        (memory_section(), "nor sysctl"),
        (disk_section("/"), "exit code 127"),
    ]
    for section, reason in sections:
        with pytest.raises(ParseError, match=reason):
            pixel.ask(section)
    assert pixel.ask(boot_section()).uptime is None


def test_without_ip_and_ifconfig_the_kernel_tells_the_addresses(tmp_path: Path) -> None:
    host = PretendedHost.build(tmp_path)
    host.file(
        "/proc/net/route",
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "wlan0\t00000000\t010200C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
        "eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
        "tun0\t00000000\t010200C0\t0003\t0\t0\t0\t00000080\t0\t0\t0\n"
        "eth0\t000200C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n",
    )
    host.file(
        "/proc/net/fib_trie", "  |-- 192.0.2.9\n     /32 host LOCAL\n  |-- 192.0.2.255\n     /32 link BROADCAST\n"
    )
    host.file("/proc/net/if_inet6", "20010db8000000000000000000000009 02 40 00 80     eth0\n")
    assert host.ask(network_section()) == Network(("192.0.2.9", "2001:db8::9"), "eth0")


def test_what_hangs_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = PretendedHost.build(tmp_path)
    host.tool("df", script="exec sleep 60")
    host.tool("ps", script="exec sleep 60")
    script = host.script([disk_section("/"), processes_section()]).replace("bounded 5 ", "bounded 1 ")
    monkeypatch.setattr(PretendedHost, "script", lambda *_: script)
    start = time.monotonic()
    with pytest.raises(ParseError, match="no answer within 5 s"):
        host.ask(disk_section())
    with pytest.raises(ParseError, match="ps gave no answer"):
        host.ask(processes_section())
    assert time.monotonic() - start < 12
