"""The harness works: separate machines, real ssh, real pyinfra, and nothing left behind."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest

from tests.fleet import processes
from tests.fleet.control import Fleet
from tests.fleet.machine import Machine
from tests.fleet.privileges import privilege_separation_folder
from tests.fleet.sshd import SshHost
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.recovery.playbook import on


def test_wait_until_returns_the_value_and_gives_up_at_its_deadline() -> None:
    answers = iter([0, 0, 7])
    assert wait_until(lambda: next(answers)) == 7
    with pytest.raises(AssertionError, match=r"not within 0\.05 s: rain \(last value: 0\)"):
        wait_until(lambda: 0, 0.05, what="rain")


def test_a_tmux_server_is_private_and_reads_its_own_configuration(tmux_server: TmuxServer) -> None:
    tmux_server.configure("set -g base-index 3\n")
    tmux_server.start("orchestra")
    [session] = tmux_server.libtmux.sessions
    assert session.session_name == "orchestra"
    assert session.active_window.window_index == "3"
    assert str(tmux_server.pid()) == tmux_server.run("display-message", "-p", "#{pid}")


def test_stopping_a_tmux_server_ends_what_runs_in_it_and_removes_its_socket(tmux_server: TmuxServer) -> None:
    tmux_server.start("main", "trap '' HUP TERM; sleep 1000 & wait")
    running = wait_until(lambda: len(tmux_server.processes()) >= 3 and tmux_server.processes())
    assert running
    tmux_server.stop()
    assert not any(processes.alive(pid) for pid in running)
    assert not tmux_server.socket_path.exists()
    assert tmux_server.pid() is None


def test_a_tmux_server_that_is_stopped_by_a_signal_can_be_ended(tmux_server: TmuxServer) -> None:
    tmux_server.start()
    pid = tmux_server.pid()
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    assert tmux_server.pid() == pid
    tmux_server.stop()
    assert not processes.alive(pid)


def test_a_machine_is_clean_and_bounds_its_commands(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMUX", "/somewhere/default,1,0")
    done = machine.sh('echo "$HOME ${TMUX-unset}"; pwd; exit 3')
    assert (done.code, done.stdout) == (3, f"{machine.home} unset\n{machine.home}\n")
    with pytest.raises(AssertionError, match=r"took over 0\.2 s"):
        machine.sh("sleep 100", timeout=0.2)


def test_switching_a_machine_off_ends_what_has_detached_itself(machine: Machine) -> None:
    machine.sh("(setsid sleep 1000 >/dev/null 2>&1 &)")
    [pid] = wait_until(machine.processes)
    machine.stop()
    assert not processes.alive(pid)


def test_two_hosts_are_apart_and_pyinfra_reaches_both_by_their_aliases(ssh_fleet: Fleet) -> None:
    pixel, macbook = ssh_fleet.add("pixel"), ssh_fleet.add("macbook", PREFIX="/opt/homebrew")
    pixel.tmux.start("on-pixel")
    macbook.tmux.start("on-macbook")
    inventory = ssh_fleet.write_inventory()
    done = ssh_fleet.pyinfra(inventory, "exec", "--", "tmux ls -F '#S'; pwd; echo ${PREFIX-none} ${TMUX-none}")
    assert done.code == 0, done.output
    lines = done.output.splitlines()
    for host, prefix in ((pixel, "none"), (macbook, "/opt/homebrew")):
        # pyinfra aligns the host names; its own messages about a host are indented.
        said = [line.partition("]")[2].strip() for line in lines if line.startswith(f"[{host.name}]")]
        assert said == [f"on-{host.name}", str(host.home), f"{prefix} none"]


def test_pyinfra_asks_a_fact_of_both_hosts_and_of_the_control_machine(ssh_fleet: Fleet) -> None:
    ssh_fleet.add("pixel")
    ssh_fleet.add("mugen")
    inventory = ssh_fleet.write_inventory({"pixel": {"place": "pocket"}, "mugen": {}, "@local": {}})
    done = ssh_fleet.pyinfra(inventory, "fact", "server.Home")
    assert done.code == 0, done.output
    homes = [ssh_fleet.hosts[name].home for name in ("pixel", "mugen")]
    assert all(str(home) in done.output for home in [*homes, ssh_fleet.control.home])


def test_a_host_may_have_another_login_shell(ssh_fleet: Fleet) -> None:
    ssh_fleet.add("phone", login_shell="bash --posix")
    ssh = ("ssh", "-F", str(ssh_fleet.ssh_config), "phone")
    assert ssh_fleet.control.run(*ssh, "echo $BASH_VERSION, $SHELL").stdout.endswith("/bash\n")
    assert "posix" in ssh_fleet.control.run(*ssh, "echo $SHELLOPTS").stdout


def test_a_session_that_ssh_has_started_outlives_its_connection(ssh_fleet: Fleet, ssh_host: SshHost) -> None:
    assert ssh_fleet.pyinfra("mugen", "exec", "--", "tmux new-session -d -s started 'sleep 1000'").code == 0
    assert [session.session_name for session in ssh_host.tmux.libtmux.sessions] == ["started"]
    ssh_host.stop_sshd()
    assert ssh_host.tmux.libtmux.is_alive()
    done = ssh_fleet.pyinfra("mugen", "exec", "--", "true")
    assert done.code != 0
    ssh_host.start_sshd()
    assert ssh_fleet.pyinfra("mugen", "exec", "--", "true").code == 0


def test_files_can_be_sent_to_a_host(ssh_fleet: Fleet, ssh_host: SshHost) -> None:
    (ssh_fleet.control.root / "letter").write_text("hello\n")
    target = ssh_host.home / "letter"
    done = ssh_fleet.pyinfra("-y", "mugen", "files.put", f"src={ssh_fleet.control.root}/letter", f"dest={target}")
    assert done.code == 0, done.output
    assert target.read_text() == "hello\n"


def test_openssh_reaches_a_host_too(ssh_fleet: Fleet, ssh_host: SshHost) -> None:
    done = ssh_fleet.control.run("ssh", "-F", str(ssh_fleet.ssh_config), "mugen", "echo $HOME")
    assert (done.code, done.stdout) == (0, f"{ssh_host.home}\n")


def test_switching_a_host_off_ends_its_connections_and_all_that_runs_there(ssh_fleet: Fleet, ssh_host: SshHost) -> None:
    ssh_host.tmux.start("main", "sleep 1000")
    ssh_fleet.pyinfra("mugen", "exec", "--", "(setsid sleep 1001 >/dev/null 2>&1 &)")
    running = ssh_host.machine.processes() | ssh_host.tmux.processes()
    assert len(running) >= 3
    ssh_host.stop()
    assert not any(processes.alive(pid) for pid in running)
    assert not ssh_host.machine.processes()


def test_a_copy_of_the_repository_is_complete(ssh_fleet: Fleet) -> None:
    copy = ssh_fleet.copy_repository()
    assert (copy / "miyabi" / "state.py").is_file()
    assert (copy / "facts" / "probe.py").is_file()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs the folder")
def test_the_last_run_to_leave_removes_the_folder_that_tests_have_made(tmp_path: Path) -> None:
    folder = tmp_path / "sshd"
    with privilege_separation_folder(folder):
        with privilege_separation_folder(folder):
            assert folder.is_dir()
        assert folder.is_dir()
    assert not folder.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs the folder")
def test_a_folder_that_was_there_before_stays(tmp_path: Path) -> None:
    with privilege_separation_folder(tmp_path):
        pass
    assert tmp_path.is_dir()


def test_a_machines_folder_for_temporary_files_is_its_own(machine: Machine) -> None:
    before = tempfile.tempdir
    try:
        tempfile.tempdir = None
        with on(machine):
            assert Path(tempfile.gettempdir()) == machine.root / "tmp"
        assert Path(tempfile.gettempdir()) != machine.root / "tmp"
    finally:
        tempfile.tempdir = before
