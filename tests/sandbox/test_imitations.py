"""The pretended phone and Mac answer the product's facts as the real ones would, and say that they are imitations."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from miyabi.sandbox import hosts, lifecycle
from miyabi.sandbox.fleet import HOMES, Sandbox
from miyabi.sandbox.inside import run_on
from miyabi.shell import HOST_ENVIRONMENT
from tests.fleet.control import REPOSITORY
from tests.fleet.machine import Machine

_IMITATIONS = Path(hosts.__file__).parent / "imitations"


def _fact(machine: Machine, sandbox: Sandbox, *fact: str) -> dict[str, Any]:
    done = machine.run("pyinfra", str(sandbox.inventory), "fact", *fact, cwd=REPOSITORY)
    assert done.code == 0, done.output
    text = done.output.partition("--> Fact data for")[2]
    answer: dict[str, Any] = json.loads(text[text.index("{") : text.rindex("}") + 1])
    return answer


def test_every_host_is_what_it_pretends_to_be(sandbox: Sandbox, machine: Machine) -> None:
    seen = _fact(machine, sandbox, "facts.host.HostState")
    assert {name: each["platform"] for name, each in seen.items()} == {
        "pixel": "termux",
        "mugen": "linux",
        "macbook": "macos",
    }
    # This fact takes no spec, and without one nobody knows where agents are.
    assert all(each["unknown"] == {"agents": "not asked"} for each in seen.values())
    assert all(each["sshd"]["answering"] for each in seen.values())
    assert seen["pixel"]["home"].endswith("/data/data/com.termux/files/home")
    assert seen["macbook"]["home"].endswith("/Users/kaede")
    assert seen["pixel"]["disk"]["mount"] == "/data/user/0"
    assert seen["macbook"]["disk"]["mount"] == "/System/Volumes/Data"
    if sandbox.host("pixel").isolated:
        assert seen["pixel"]["hostname"] == "localhost"
        assert seen["pixel"]["load"]["one"] == 12.31
        assert seen["pixel"]["boot"]["uptime"] < 600
        assert (seen["macbook"]["memory"]["total"], seen["macbook"]["memory"]["available_percent"]) == (24 * 2**30, 58)
        assert seen["macbook"]["load"] == {"one": 2.14, "five": 1.97, "fifteen": 1.88, "processors": 10}
        assert len({each["boot"]["boot_id"] for each in seen.values()}) == 3


def test_a_host_sees_its_own_processes_alone(sandbox: Sandbox, machine: Machine) -> None:
    for host in sandbox.hosts.values():
        run_on(host, f"nohup sh -c 'sleep 86{host.port}; :' >/dev/null 2>&1 </dev/null &")
    seen = _fact(machine, sandbox, "facts.processes.Processes")
    for name, processes in seen.items():
        lines = " ".join(each["arguments"] for each in processes)
        there = [other for other, host in sandbox.hosts.items() if f"sleep 86{host.port}" in lines]
        assert there == [name]


@pytest.mark.parametrize(
    ("name", "script", "said"),
    [
        ("pixel", "uptime", "up 0 min,  load average"),
        ("pixel", "df -k /", "100% /"),
        ("pixel", "ps -ef", "1970"),
        ("pixel", "ps -o lstart= -p $$", "Thu Jan  1 00:00:00 1970"),
        ("pixel", "ip addr; :", "Cannot bind netlink socket: Permission denied"),
        ("pixel", "cd $TMPDIR && pwd", "com.termux/files/usr/tmp"),
        ("pixel", "command -v systemctl service brew || echo none", "none"),
        ("macbook", "uname -s", "Darwin"),
        ("macbook", "sw_vers -productName", "macOS"),
        ("macbook", "launchctl print system/com.openssh.sshd; echo $?", "state = not running"),
        ("macbook", "launchctl print system/com.apple.nothing; echo $?", "113"),
        ("macbook", "memory_pressure -Q", "System-wide memory free percentage: 58%"),
        ("macbook", "vm_stat", "page size of 16384 bytes"),
        ("macbook", "command -v timeout setsid nproc systemctl || echo none", "none"),
        ("mugen", "command -v systemctl launchctl || echo none", "none"),
    ],
)
def test_what_only_a_phone_or_a_mac_has(sandbox: Sandbox, name: str, script: str, said: str) -> None:
    done = run_on(sandbox.host(name), script)
    assert said in done.stdout + done.stderr


def test_what_the_phone_and_the_mac_refuse(sandbox: Sandbox) -> None:
    pixel, macbook = sandbox.host("pixel"), sandbox.host("macbook")
    if not pixel.isolated:
        assert "not imitated without root: the refusal of /proc/stat" in "\n".join(lifecycle.status(sandbox))
        return
    for name in ("stat", "uptime", "loadavg"):
        assert run_on(pixel, f"cat /proc/{name}", check=False).returncode != 0
    assert run_on(macbook, "ls -d /proc/sys /proc/meminfo", check=False).stdout == ""
    for name, tools in (("pixel", "systemctl"), ("macbook", "systemctl timeout setsid"), ("mugen", "systemctl")):
        # As the probe looks: in all folders where a tool may be.
        script = f"{HOST_ENVIRONMENT}; command -v {tools}"
        assert run_on(sandbox.host(name), script, check=False).stdout == ""
    assert run_on(macbook, "ls /opt/homebrew/bin").stdout == "tmux\n"


def test_termux_api_writes_down_its_calls_and_can_hang(sandbox: Sandbox) -> None:
    pixel = sandbox.host("pixel")
    run_on(pixel, "termux-wake-lock; termux-notification --title hello")
    calls = pixel.outside(pixel.etc) / "termux-api" / "calls"
    assert calls.read_text().split("\n")[-3:] == ["termux-wake-lock ", "termux-notification --title hello", ""]
    (calls.parent / "hang").touch()
    assert run_on(pixel, "timeout 1 termux-wake-lock", check=False).returncode == 124
    (calls.parent / "hang").unlink()


@pytest.mark.parametrize("name", ["pixel", "mugen", "macbook"])
def test_openssh_gets_in_with_the_configuration_of_the_sandbox(sandbox: Sandbox, machine: Machine, name: str) -> None:
    home = sandbox.host(name).inside(HOMES[name])
    done = machine.run("ssh", "-F", str(sandbox.ssh_config), name, "echo $HOME $MIYABI_SANDBOX_HOST; tty")
    assert done.stdout == f"{home} {name}\nnot a tty\n"


def test_every_imitation_says_so_in_its_first_lines() -> None:
    files = [path for path in _IMITATIONS.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert len(files) > 20
    for path in files:
        if path.name != "__init__.py":
            assert "imitation of" in "".join(path.read_text().splitlines(keepends=True)[:2]), path


def test_the_shell_imitations_parse() -> None:
    for path in [each for each in _IMITATIONS.glob("[!_]*/*") if each.is_file() and each.suffix != ".py"]:
        subprocess.run(["/bin/sh", "-n", str(path)], check=True)
