"""Who comes to the cockpit, from where, and what is said to those who cannot."""

from __future__ import annotations

import os
import pty
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cockpit.ground import Ground, session
from tests.fleet.control import REPOSITORY
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.recovery.terminal import attached, view


@pytest.fixture
def here(ground: Ground) -> Ground:
    """A control machine with a session of its own, which is attached."""
    ground.wants("@local", {"sessions": [session("here")]})
    ground.tmux.start("here")
    return ground


def command(ground: Ground, *arguments: str) -> str:
    """The shell text that runs the command in a pane of the control machine."""
    words = [sys.executable, "-m", "miyabi", "cockpit", *arguments]
    inventory = ["--inventory", str(ground.fleet.control.root / "fleet.py")]
    return f"clear; PYTHONPATH={REPOSITORY} {shlex.join(words + inventory)}"


def in_pane(tmux: TmuxServer, target: str, text: str) -> None:
    tmux.run("send-keys", "-t", target, "-l", "--", text)
    tmux.run("send-keys", "-t", target, "Enter")


def clients(ground: Ground) -> list[str]:
    return ground.tmux.run("list-clients", "-F", "#{client_session}", check=False).splitlines()


def refused(ground: Ground, *arguments: str) -> str:
    done = ground.cockpit(*arguments)
    assert done.code == 1, done.output
    assert len(done.output.splitlines()) == 1
    return done.stderr


def test_without_an_action_it_is_made_and_shown_in_the_terminal(here: Ground) -> None:
    ours, theirs = pty.openpty()
    control = here.fleet.control
    control.environment["PYTHONPATH"] = str(REPOSITORY)
    words = [sys.executable, "-m", "miyabi", "cockpit", "--inventory", str(control.root / "fleet.py")]
    shown = subprocess.Popen(
        words, stdin=theirs, stdout=theirs, stderr=theirs, env=control.environment, cwd=control.root,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        wait_until(lambda: sorted(clients(here)) == ["cockpit", "here"], what="the cockpit, and in it the session")
        here.wait_for("@local:here", "attached")
    finally:
        shown.kill()
        shown.wait()
        os.close(ours)


def test_within_tmux_the_client_is_switched(here: Ground) -> None:
    here.tmux.run("new-session", "-d", "-s", "desk")
    with attached(here.tmux, "desk") as client:
        in_pane(here.tmux, "=desk:", command(here))
        wait_until(lambda: view(here.tmux, client).split(" ")[1] == "cockpit", what="the client shows the cockpit")


def test_a_cockpit_does_not_show_itself(here: Ground) -> None:
    here.up()
    here.wait_for("@local:here", "attached")
    in_pane(here.tmux, "=here:", command(here, "attach"))
    here.wait_for_words("@local:here", "you are in one of the cockpit's windows already")
    assert clients(here) == ["here"]
    here.wants("@local", {"sessions": [session("here"), session("cockpit")]})
    here.up()
    here.wait_for_words("@local:cockpit", "cannot be attached: it is the cockpit itself")
    assert here.status()["@local:cockpit"]["state"] == "down"
    assert here.up() == "nothing changed: 2 windows in cockpit\n"


def test_in_another_server_it_says_what_to_do(here: Ground) -> None:
    here.up()
    here.tmux.run("-L", "other", "new-session", "-d", "-s", "desk", "-x", "200", "-y", "50")
    try:
        here.tmux.run("-L", "other", "send-keys", "-t", "=desk:", "-l", "--", command(here, "attach"))
        here.tmux.run("-L", "other", "send-keys", "-t", "=desk:", "Enter")
        words = "you are in another tmux server: detach from it, then: tmux -u -L default attach-session -t =cockpit"
        wait_until(
            lambda: words in here.tmux.run("-L", "other", "capture-pane", "-p", "-J", "-t", "=desk:"), what=words
        )
    finally:
        here.tmux.run("-L", "other", "kill-server")
        wait_until(lambda: not here.tmux.run("-L", "other", "ls", check=False).startswith("desk"), what="it has ended")
        (here.tmux.socket_path.parent / "other").unlink(missing_ok=True)


def test_what_cannot_be_is_told_in_a_line(here: Ground) -> None:
    assert "cockpit is not there: miyabi cockpit up" in refused(here, "attach")
    here.up()
    assert "this is no terminal; in one: tmux -u -L default attach-session -t =cockpit" in refused(here, "attach")
    here.wants("@local", {"sessions": []})
    assert here.up("--session", "cockpit") == "removed @local:here\n"
    assert "no session of the fleet says attached: true" in refused(here, "up")
    assert "no session of the fleet says attached: true" in here.cockpit("status").stderr
    assert here.cockpit("status").code == 0
    wrong = here.cockpit("up", "--session", "a:b")
    assert (wrong.code, "'a:b'; allowed: a name as tmux has it" in wrong.stderr) == (2, True)
    assert here.cockpit("up", "--json").code == 2


def test_an_inventory_that_cannot_be_read_is_told_in_a_line(here: Ground) -> None:
    (here.fleet.control.root / "fleet.py").write_text("boom(\n")
    assert "fleet.py: cannot be read: SyntaxError" in refused(here, "up")


@pytest.mark.slow
def test_a_tmux_that_does_not_answer_is_unknown(here: Ground) -> None:
    here.up()
    pid = here.tmux.pid()
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        assert "tmux -L default: no answer within 5 s; nothing is done to the cockpit" in refused(here, "up")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert here.up() == "nothing changed: 1 window in cockpit\n"


def test_a_socket_that_may_not_be_used_is_no_absence(here: Ground) -> None:
    if os.geteuid() == 0:
        # root may use any: a server of another protocol then, which is nobody's absence either.
        fake = Path(here.fleet.control.root) / "bin" / "tmux"
        fake.parent.mkdir()
        fake.write_text("#!/bin/sh\necho 'protocol version mismatch (client 8, server 7)' >&2\nexit 1\n")
        fake.chmod(0o755)
        here.fleet.control.environment["PATH"] = f"{fake.parent}:{here.fleet.control.environment['PATH']}"
        assert "protocol version mismatch" in refused(here, "up")
        return
    here.tmux.socket_path.chmod(0)
    assert "Permission denied" in refused(here, "up")
    here.tmux.socket_path.chmod(0o700)


def test_the_server_of_the_control_machine_s_spec_is_used(here: Ground) -> None:
    here.wants("@local", {"tmux": {"socket_name": "fleet"}, "cockpit": {"session_name": "bridge"}, "sessions": []})
    here.wants("nowhere", {"sessions": [session("a")]}, ssh_hostname="127.0.0.1", ssh_port=1)
    try:
        here.up()
        assert here.tmux.run("-L", "fleet", "list-sessions", "-F", "#{session_name}") == "bridge"
        words = "Connection refused; next try"
        wait_until(lambda: words in here.cockpit("status").stdout, what="it is tried again")
    finally:
        here.cockpit("down")
        wait_until(
            lambda: here.tmux.run("-L", "fleet", "ls", check=False).startswith(("no server", "error")), what="gone"
        )
        (here.tmux.socket_path.parent / "fleet").unlink(missing_ok=True)
