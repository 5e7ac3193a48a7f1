"""sshd.running with real listeners: what is started, what is left alone, and what the user is told."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from facts.probe import probe_script
from facts.sshd import sshd_section
from miyabi import sshd_start
from miyabi.sshd_start import start_script
from operations import sshd as sshd_operation
from operations.sshd import running
from tests.facts.hosts import INSTALLED_SHELLS, SHELLS
from tests.fleet import processes
from tests.fleet.control import Fleet
from tests.fleet.sshd import sshd_program
from tests.fleet.waiting import wait_until
from tests.recovery.operating import Operated, operate
from tests.upkeep.sshd_ground import Ground, phone, run, service_of, status, supervise


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No waiting between the two looks; and this machine's own systemd and init scripts are not there."""
    monkeypatch.setattr(sshd_operation, "_AGAIN", 0.05)
    monkeypatch.setattr(sshd_start, "SYSTEMD_FOLDER", str(tmp_path / "no-systemd"))
    monkeypatch.setattr(sshd_start, "INIT_FOLDER", str(tmp_path / "no-init.d"))


@pytest.fixture
def ground(ssh_fleet: Fleet) -> Iterator[Ground]:
    ground = Ground.build(ssh_fleet)
    yield ground
    ground.stop()


@pytest.fixture
def pixel(ssh_fleet: Fleet) -> Iterator[Ground]:
    pixel = phone(ssh_fleet)
    yield pixel
    pixel.stop()


def keep_running(ground: Ground, start: str | None = None) -> Operated:
    return operate(ground.machine, running, port=ground.port, start=start)


def repaired(ground: Ground, start: str | None = None) -> None:
    """One run starts it, and the next one has nothing to do."""
    first = keep_running(ground, start)
    assert not first.failed, first.said
    assert len(first.commands) == 1
    second = keep_running(ground, start)
    assert not second.failed
    assert not second.commands
    assert second.probes == 1


def refused(ground: Ground, reason: str, *, commands: int = 1, start: str | None = None) -> Operated:
    done = keep_running(ground, start)
    assert done.failed
    assert reason in "\n".join(done.said), done.said
    assert len(done.commands) == commands
    return done


def test_one_bad_look_is_none(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes back by itself between the two looks."""
    monkeypatch.setattr(sshd_operation, "sleep", lambda _: ground.machine.sh("$(command -v sshd)"))
    done = keep_running(ground)
    assert not done.failed
    assert not done.commands
    assert done.probes == 2


# Linux without systemd


def test_plain_sshd(ground: Ground) -> None:
    repaired(ground)
    assert len(ground.listeners()) == 1


def test_a_configuration_that_sshd_refuses_is_the_cause(ground: Ground) -> None:
    with (ground.machine.root / "sshd_config").open("a") as file:
        file.write("NoSuchOption $(touch pwned)\n")
    refused(ground, "Bad configuration option: NoSuchOption")
    assert not ground.listeners()


def test_an_init_script(ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sshd_start, "INIT_FOLDER", str(tmp_path))
    (tmp_path / "ssh").touch(mode=0o755)
    (ground.programs / "rc-service").unlink()
    ground.program("id", "echo 0")
    ground.recording("service", '"$(command -v sshd)"')
    repaired(ground)
    assert ground.calls("service") == ["ssh start"]


def test_without_root(ground: Ground) -> None:
    ground.program("id", "echo 1000")
    ground.recording("sudo", "echo 'sudo: a password is required' >&2; exit 1")
    with (ground.machine.root / "sshd_config").open("a") as file:
        file.write("NoSuchOption yes\n")
    refused(ground, "(without root: sudo asks for a password)")
    assert set(ground.calls("sudo")) == {"-n true"}


def test_sshd_is_not_installed(ground: Ground) -> None:
    (ground.programs / "sshd").write_text("#!/bin/sh\nexit 127\n")
    refused(ground, "sshd -t:")


# systemd


SYSTEMCTL = """case "$*" in
'is-enabled ssh.socket') echo {socket};;
'show -p LoadState ssh.service') echo LoadState={load};;
'is-active '*) echo {active};;
reset-failed*) ;;
'start '*) {start};;
*) exit 1;;
esac"""


@pytest.fixture
def with_systemd(ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    monkeypatch.setattr(sshd_start, "SYSTEMD_FOLDER", str(tmp_path))
    ground.program("id", "echo 0")
    return ground


def systemctl(ground: Ground, **answers: str) -> None:
    usual = {"socket": "disabled", "load": "loaded", "active": "inactive", "start": '"$(command -v sshd)"'}
    ground.recording("systemctl", SYSTEMCTL.format(**(usual | answers)))


def test_systemd_starts_its_service(with_systemd: Ground) -> None:
    systemctl(with_systemd)
    repaired(with_systemd)
    assert with_systemd.calls("systemctl")[-1] == "start ssh.service"


def test_systemd_starts_an_enabled_socket(with_systemd: Ground) -> None:
    systemctl(with_systemd, socket="enabled")
    repaired(with_systemd)
    assert with_systemd.calls("systemctl")[-1] == "start ssh.socket"


def test_sudo_starts_it(with_systemd: Ground) -> None:
    systemctl(with_systemd)
    with_systemd.program("id", "echo 1000")
    with_systemd.recording("sudo", 'shift; exec "$@"')
    repaired(with_systemd)
    assert with_systemd.calls("sudo")[-1] == "-n systemctl start ssh.service"


def test_sudo_asks_for_a_password(with_systemd: Ground) -> None:
    systemctl(with_systemd)
    with_systemd.program("id", "echo 1000")
    with_systemd.program("sudo", "echo 'sudo: a password is required' >&2; exit 1")
    refused(with_systemd, "systemctl start ssh.service takes root (sudo: a password is required): start it by hand")
    assert not any(call.startswith("start ") for call in with_systemd.calls("systemctl"))


def test_sudo_allows_that_one_command(with_systemd: Ground) -> None:
    systemctl(with_systemd)
    with_systemd.program("id", "echo 1000")
    with_systemd.program("sudo", 'shift; [ "$*" = "systemctl start ssh.service" ] && exec "$@"; exit 1')
    repaired(with_systemd)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"load": "masked"}, "ssh.service is masked: somebody does not want it to start"),
        ({"load": "not-found"}, "systemd knows neither ssh.service nor sshd.service"),
        ({"active": "active"}, "ssh.service is active, yet port "),
        ({"start": "echo 'Job for ssh.service failed' >&2; exit 1"}, "systemctl start ssh.service: Job for ssh"),
    ],
)
def test_systemd_cannot_start_it(with_systemd: Ground, answers: dict[str, str], reason: str) -> None:
    systemctl(with_systemd, **answers)
    refused(with_systemd, reason)
    assert not with_systemd.listeners()
    started = any(call.startswith("start ") for call in with_systemd.calls("systemctl"))
    assert started == ("start" in answers)


# macOS


@pytest.fixture
def macbook(ground: Ground) -> Ground:
    ground.program("uname", "echo Darwin")
    return ground


def test_remote_login_is_turned_on(macbook: Ground) -> None:
    macbook.program("id", "echo 0")
    macbook.recording("launchctl", 'case $1 in print) exit 113;; bootstrap) "$(command -v sshd)";; esac')
    repaired(macbook)
    plist = "/System/Library/LaunchDaemons/ssh.plist"
    service = "system/com.openssh.sshd"
    assert macbook.calls("launchctl") == [f"print {service}", f"enable {service}", f"bootstrap system {plist}"]


def test_remote_login_needs_a_human(macbook: Ground) -> None:
    macbook.program("id", "echo 501")
    macbook.program("sudo", "exit 1")
    macbook.recording("launchctl", "exit 113")
    refused(macbook, "Remote Login is off: turn it on in System Settings")
    assert macbook.calls("launchctl") == ["print system/com.openssh.sshd"]


def test_remote_login_is_on_and_the_port_another_one(macbook: Ground) -> None:
    macbook.recording("launchctl", "exit 0")
    refused(macbook, "Remote Login is on, yet the port gives no banner")
    assert macbook.calls("launchctl") == ["print system/com.openssh.sshd"]


# The caller's own command


def test_the_caller_s_own_command(ground: Ground) -> None:
    # What it leaves running may keep its output.
    repaired(ground, start=f'echo "it\'s"; {ground.programs}/sshd; (sleep 300 &)')
    assert len(ground.listeners()) == 1


def test_a_command_that_fails_is_quoted(ground: Ground) -> None:
    done = refused(ground, "exit code 3 no $(way)", start="echo 'no $(way)' >&2; exit 3")
    assert not ground.listeners()
    assert "gives no banner" not in "\n".join(done.said)


def test_a_command_that_starts_nothing(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sshd_operation, "_PROOF", 0.5)
    refused(ground, f"port {ground.port} gives no banner", start=":")


# What is left alone


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"port": 0}, "port 0: allowed: a number from 1 to 65535"),
        ({"port": 65536}, "allowed: a number"),
        ({"port": True}, "allowed: a number"),
        ({"port": "22; touch pwned"}, "allowed: a number"),
        ({"start": "  "}, "allowed: a command"),
        ({"start": ["sshd"]}, "allowed: a command"),
        ({"start": "x\0y"}, "allowed: a command"),
    ],
)
def test_bad_arguments_touch_nothing(ground: Ground, arguments: dict[str, object], reason: str) -> None:
    done = operate(ground.machine, running, **arguments)
    assert done.failed
    assert reason in "\n".join(done.said)
    assert not done.commands
    assert done.probes == 0


@pytest.fixture
def stranger() -> Iterator[socket.socket]:
    """Somebody else's server; it says what a test makes it say."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_a_port_that_is_another_s(ground: Ground, stranger: socket.socket) -> None:
    def greet() -> None:
        try:
            while True:
                with stranger.accept()[0] as client:
                    client.sendall(b"220 mail $(touch pwned)\r\n")
        except OSError:
            return

    thread = threading.Thread(target=greet)
    thread.start()
    done = operate(ground.machine, running, port=stranger.getsockname()[1])
    stranger.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    assert done.failed
    assert not done.commands
    assert "held by something that is no sshd: it says '220 mail $(touch pwned)'" in "\n".join(done.said)


def test_a_port_that_is_silent(ground: Ground, stranger: socket.socket) -> None:
    done = operate(ground.machine, running, port=stranger.getsockname()[1])
    assert done.failed
    assert not done.commands
    assert "takes connections and says nothing" in "\n".join(done.said)


def test_nothing_to_ask_with_is_unknown(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "facts.sshd._LOOP", "echo 'there is no bash, nc, python3, perl or ssh-keyscan to ask with'; exit 1"
    )
    done = keep_running(ground)
    assert done.failed
    assert "there is no bash, nc, python3, perl or ssh-keyscan to ask with" in "\n".join(done.said)
    assert not done.commands


# Termux


def test_a_service_that_was_switched_off(pixel: Ground) -> None:
    supervise(pixel)
    assert status(pixel).startswith("down: ")
    repaired(pixel)
    assert not (service_of(pixel) / "down").exists()
    assert status(pixel).startswith("run: ")


def test_without_runsvdir(pixel: Ground) -> None:
    assert "unable to open supervise/ok" in status(pixel)
    repaired(pixel)
    assert status(pixel).startswith("run: ")


def test_a_broken_supervise(pixel: Ground) -> None:
    """Whatever is in it, runsv makes its own."""
    (service_of(pixel) / "supervise").mkdir()
    (service_of(pixel) / "supervise" / "ok").touch()
    repaired(pixel)


@pytest.mark.slow
def test_a_service_that_runs_and_refuses(pixel: Ground) -> None:
    """What it has started, as a listener has sessions, holds its log's pipe, and lives on."""
    service = service_of(pixel)
    broken, session = pixel.machine.root / "broken", pixel.machine.root / "session.pid"
    broken.touch()
    run(
        service, f"if rm {broken}; then setsid sleep 300 & echo $! >{session}; exec sleep 300; fi; exec sshd -D -e 2>&1"
    )
    (service / "down").unlink()
    supervise(pixel)
    wait_until(lambda: not broken.exists() and session.exists(), what="the service")
    wait_until(lambda: status(pixel).startswith("run: "), what="runsv's word that it runs, which comes after the start")
    repaired(pixel)
    assert processes.alive(int(session.read_text()))


@pytest.mark.slow
def test_a_listener_that_hangs(pixel: Ground) -> None:
    (service_of(pixel) / "down").unlink()
    supervise(pixel)
    wait_until(pixel.listeners, what="sshd")
    [hung] = pixel.listeners()
    os.kill(hung, signal.SIGSTOP)
    repaired(pixel)
    [new] = pixel.listeners()
    assert new != hung


def test_a_listener_on_another_port_is_left_alone(pixel: Ground) -> None:
    """The spec has the wrong port: what answers elsewhere is nobody's to end."""
    (service_of(pixel) / "down").unlink()
    supervise(pixel)
    before = wait_until(pixel.listeners, what="sshd")
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    done = operate(pixel.machine, running, port=free)
    assert done.failed
    assert f"sshd is set up for port {pixel.port} and not for {free}: correct sshd_config or the spec" in "\n".join(
        done.said
    )
    assert pixel.listeners() == before


@pytest.mark.slow
def test_a_hung_listener_with_a_broken_configuration_is_left_alone(pixel: Ground) -> None:
    """Nothing would come after it."""
    (service_of(pixel) / "down").unlink()
    supervise(pixel)
    [hung] = wait_until(pixel.listeners, what="sshd")
    with (pixel.machine.root / "sshd_config").open("a") as file:
        file.write("NoSuchOption yes\n")
    os.kill(hung, signal.SIGSTOP)
    refused(pixel, "Bad configuration option: NoSuchOption")
    assert pixel.listeners() == {hung}


@pytest.mark.slow
def test_sshd_s_complaint_on_the_phone(pixel: Ground) -> None:
    with (pixel.machine.root / "sshd_config").open("a") as file:
        file.write("NoSuchOption yes\n")
    supervise(pixel)
    refused(pixel, "Bad configuration option: NoSuchOption")


def test_a_phone_without_services(pixel: Ground) -> None:
    (service_of(pixel) / "run").unlink()
    (service_of(pixel).parent / "sshd").rename(service_of(pixel).parent / "other")
    repaired(pixel)


@pytest.mark.slow
def test_service_daemon_does_nothing(pixel: Ground) -> None:
    """Then a plain sshd is the way out."""
    pixel.program("service-daemon", "exit 0")
    repaired(pixel)


@pytest.mark.slow
def test_the_session_that_it_runs_over_is_not_cut(ssh_fleet: Fleet, pixel: Ground) -> None:
    """The control machine comes in through the very listener that hangs from then on."""
    (service_of(pixel) / "down").unlink()
    supervise(pixel)
    wait_until(pixel.listeners, what="sshd")
    deploy = ssh_fleet.control.root / "deploy.py"
    deploy.write_text(
        "from pyinfra.operations import server\n"
        "from operations import sshd\n"
        "server.shell(name='Break', commands=['kill -STOP $(cat $PREFIX/var/service/sshd/supervise/pid)'])\n"
        "sshd.running(name='Keep')\n"
        "sshd.running(name='Again')\n"
        "server.shell(name='Alive', commands=['echo alive >~/alive'])\n"
    )
    done = ssh_fleet.pyinfra(ssh_fleet.write_inventory(), deploy, "-y")
    assert done.code == 0, done.output
    assert (pixel.host.home / "alive").read_text() == "alive\n"
    after = ssh_fleet.pyinfra(ssh_fleet.write_inventory(), "fact", "facts.sshd.Sshd")
    assert '"answering": true' in after.output


# Two at once, and every shell


def test_two_at_once_start_one(ground: Ground) -> None:
    ground.recording("sshd", f'exec {sshd_program()} -f {ground.machine.root}/sshd_config "$@"')
    script = start_script(probe_script([sshd_section(ground.port)]), ground.port)
    environment, home = ground.machine.environment, ground.host.home
    both = [subprocess.Popen(["/bin/sh", "-c", script], env=environment, cwd=home) for _ in range(2)]
    assert [each.wait(30) for each in both] == [0, 0]
    assert len(ground.listeners()) == 1
    assert ground.calls("sshd") == ["-t", "-T", ""]


@pytest.mark.parametrize("shell", [each for each in INSTALLED_SHELLS if each != "yash"])
def test_every_shell_starts_it(pixel: Ground, shell: str) -> None:
    script = start_script(probe_script([sshd_section(pixel.port)]), pixel.port)
    done = pixel.machine.run(*SHELLS[shell], "-c", script)
    assert done.code == 0, done.output
    assert status(pixel).startswith("run: ")
