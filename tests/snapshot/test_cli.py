"""``miyabi snapshot``: what it prints, its exit codes, and a restore from end to end."""

from __future__ import annotations

import os
import re
import shlex
import signal

import pytest

from miyabi.cli import main
from tests.fleet.control import Fleet
from tests.fleet.machine import Finished, Machine
from tests.fleet.sshd import SshHost
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.snapshot.acting import REPOSITORY, everything, kept_folder, miyabi
from tests.snapshot.test_resurrect import NEW


def _save(machine: Machine, host: str = "@local") -> Finished:
    done = machine.run("pyinfra", host, "deploys/snapshot.py", "-y", cwd=REPOSITORY)
    assert done.code == 0, done.output
    return done


def _fill(tmux: TmuxServer) -> None:
    tmux.start("work", "seq 1 100; exec sleep 4000")
    tmux.run("rename-window", "-t", "=work:", "first")
    tmux.run("split-window", "-h", "-t", "=work:", "-c", "/usr", "exec tail -F /nowhere")
    tmux.run("new-window", "-t", "=work:", "-n", "日本", "-c", "/", "exec sleep 4001")
    wait_until(lambda: "100" in tmux.run("capture-pane", "-p", "-t", "%0"))
    wait_until(lambda: "sh" not in tmux.run("list-panes", "-a", "-F", "#{pane_current_command}").split())


def test_the_commands_are_there() -> None:
    assert {"snapshot", "adopt", "spec"} <= set(main.list_commands(None))  # type: ignore[arg-type]


@pytest.mark.slow
def test_list_and_show_and_diff(machine: Machine, tmux_server: TmuxServer) -> None:
    nothing = miyabi(machine, "snapshot", "list")
    assert (nothing.code, nothing.stdout.partition(";")[0]) == (0, "No snapshot is kept")
    _fill(tmux_server)
    _save(machine)
    tmux_server.run("rename-window", "-t", "=work:日本", "new\x1b[31m")
    _save(machine)
    listed = miyabi(machine, "snapshot", "list").stdout.splitlines()
    assert listed[0] == "@local"
    assert [re.sub(r"\d{8}T\d{6}Z(-02)?", "NAME", line).split(maxsplit=2) for line in listed[1:]] == [
        ["1", "NAME", "1 session, 2 windows, 3 panes"],
        ["2", "NAME", "1 session, 2 windows, 3 panes"],
    ]
    shown = miyabi(machine, "snapshot", "show", "@local", "2")
    assert shown.code == 0
    assert shown.stdout.splitlines()[1:] == [
        "work",
        "├─ 0 first",
        f"│  ├─ %0    {'~':<4}  sleep 4000",
        "│  └─ %1  * /usr  tail -F /nowhere",
        "└─ 1 日本 *",
        "   └─ %2  * /     sleep 4001",
    ]
    assert "\x1b" not in miyabi(machine, "snapshot", "show", "@local").stdout
    text = miyabi(machine, "snapshot", "show", "@local", "--scrollback", "%0")
    assert text.stdout.split() == [str(number) for number in range(1, 101)]
    changed = miyabi(machine, "snapshot", "diff", "@local", "2", "1")
    assert changed.stdout.startswith("~ window work:日本: now called new")
    tmux_server.run("kill-pane", "-t", "%1")
    now = miyabi(machine, "snapshot", "diff", "@local")
    assert now.stdout == "- pane work:first.1  /usr  tail -F /nowhere\n"


@pytest.mark.slow
def test_a_damaged_snapshot_is_told_and_the_others_stay_of_use(machine: Machine, tmux_server: TmuxServer) -> None:
    _fill(tmux_server)
    for _ in range(2):
        _save(machine)
    newest = max(kept_folder(machine).iterdir(), key=lambda path: path.stem)
    newest.write_bytes(newest.read_bytes()[:1000])
    assert "damaged: " in miyabi(machine, "snapshot", "list", "@local").stdout
    shown = miyabi(machine, "snapshot", "show", "@local")
    assert (shown.code, "take another one" in shown.stderr, "Traceback" in shown.output) == (1, True, False)
    assert miyabi(machine, "snapshot", "show", "@local", "2").code == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["show"], "name a HOST, or --resurrect FILE"),
        (["show", "nobody"], "nobody: no snapshot is kept"),
        (["show", "@local", "7"], "@local: no snapshot '7'; allowed: 1 (1 is the newest), or a name: 2"),
        (["show", "@local", "--scrollback", "%9"], "no pane %9 in this snapshot; there are: %0, %1, %2"),
        (["diff", "@local", "1", "x"], "no snapshot 'x'"),
        (["restore", "@local", "0"], "no snapshot '0'"),
        (["list", "../.."], "../..: no snapshot is kept"),
        (["restore"], "Missing argument 'HOST'"),
    ],
)
def test_what_is_not_there_is_one_clear_error(
    machine: Machine, tmux_server: TmuxServer, arguments: list[str], reason: str
) -> None:
    _fill(tmux_server)
    _save(machine)
    there = everything(tmux_server)
    done = miyabi(machine, "snapshot", *arguments)
    assert done.code in {1, 2}
    assert reason in done.stderr, done.output
    assert "Traceback" not in done.output
    assert everything(tmux_server) == there


@pytest.mark.slow
def test_a_restore_over_ssh_from_end_to_end(ssh_fleet: Fleet, ssh_host: SshHost) -> None:
    control, tmux = ssh_fleet.control, ssh_host.tmux
    _fill(tmux)
    tmux.run("select-layout", "-t", "=work:0", "even-vertical")
    layout = tmux.run("display-message", "-p", "-t", "%0", "#{window_layout}")
    _save(control, "mugen")
    intact = miyabi(control, "snapshot", "restore", "mugen")
    assert (intact.code, "nothing to do" in intact.stdout, "Starting operation" in intact.output) == (0, True, False)
    tmux.run("kill-server")
    wait_until(lambda: tmux.pid() is None)
    done = miyabi(control, "snapshot", "restore", "mugen", "--commands")
    assert done.code == 0, done.output
    assert "is there again" in done.stdout
    assert "ran sleep 4000, not on the list: not started again (--allow sleep)" in done.stderr
    panes = tmux.run(
        "list-panes", "-a", "-F", "#{pane_id} #{pane_current_path} #{window_index} #{window_name}"
    ).splitlines()
    assert [line.split(" ", 1)[1].replace(str(ssh_host.home), "~") for line in panes][1:] == [
        panes[1].split(" ", 1)[1],
        "/ 1 日本",
    ]
    first = panes[0].split()[0]
    shape = re.compile(r"(\d+x\d+,\d+,\d+),\d+")
    now = tmux.run("display-message", "-p", "-t", first, "#{window_layout}")
    assert shape.sub(r"\1", now).partition(",")[2] == shape.sub(r"\1", layout).partition(",")[2]
    wait_until(lambda: "100" in tmux.run("capture-pane", "-p", "-S", "-", "-t", first).split())
    wait_until(lambda: "tail" in tmux.run("list-panes", "-a", "-F", "#{pane_current_command}").split())
    there = everything(tmux)
    again = miyabi(control, "snapshot", "restore", "mugen", "--commands")
    assert (again.code, "nothing to do" in again.stdout) == (0, True), again.output
    assert everything(tmux) == there
    left = miyabi(control, "snapshot", "diff", "mugen").stdout.splitlines()
    assert [line for line in left if not line.endswith(", now a shell")] == []
    restored = ssh_host.home / ".local/state/miyabi/restored"
    assert restored.stat().st_mode & 0o777 == 0o700


@pytest.mark.slow
def test_an_unknown_host_is_not_restored(machine: Machine, tmux_server: TmuxServer) -> None:
    _fill(tmux_server)
    _save(machine)
    pid = tmux_server.pid()
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        done = miyabi(machine, "snapshot", "restore", "@local")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert done.code == 1
    assert "what is there is unknown, nothing is done" in done.stderr
    assert "does not answer" in done.stderr
    assert done.seconds < 40
    assert "Traceback" not in done.output


def test_a_save_file_is_shown_and_adopted(machine: Machine) -> None:
    file = machine.root / "last"
    file.write_text(NEW)
    shown = miyabi(machine, "snapshot", "show", "--resurrect", file)
    assert shown.code == 0, shown.output
    assert "vim notes.txt" in shown.stdout
    adopted = miyabi(machine, "adopt", "--resurrect", file, "-o", machine.root / "work.yaml")
    assert adopted.code == 0, adopted.output
    checked = miyabi(machine, "spec", "check", machine.root / "work.yaml")
    assert (checked.code, "1 session, 2 windows, 3 panes" in checked.stdout) == (0, True)
    file.write_bytes(b"")
    empty = miyabi(machine, "snapshot", "show", "--resurrect", file)
    assert (empty.code, empty.stderr.count("\n")) == (1, 1)


def test_the_output_fits_a_real_terminal(machine: Machine, tmux_server: TmuxServer) -> None:
    _fill(tmux_server)
    _save(machine)
    code = "from miyabi.cli import main; main(prog_name='miyabi')"
    script = f"cd {shlex.quote(str(REPOSITORY))}; python3 -c {shlex.quote(code)} snapshot show @local; exec cat"
    words = ["-e", f"PYTHONPATH={REPOSITORY}", "-x", "40", "-y", "20", "-s", "look", script]
    tmux_server.run("new-session", "-d", *words)
    wait_until(lambda: "4001" in tmux_server.run("capture-pane", "-p", "-t", "=look:"), what="the tree")
    lines = tmux_server.run("capture-pane", "-p", "-t", "=look:").splitlines()
    # The first line is too long for this terminal, and cut instead of wrapped.
    assert lines[0].endswith("…")
    assert [line for line in lines[1:] if line][-2:] == ["└─ 1 日本 *", "   └─ %2  * /     sleep 4001"]
