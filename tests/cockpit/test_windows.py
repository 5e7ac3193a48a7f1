"""The cockpit on a real tmux server, with hosts behind real sshds: made, attached, and attached again."""

from __future__ import annotations

import os
import re
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from miyabi.cockpit_loop import HELD, LOOP, PROGRAM, RUN, STATE_OPTION
from tests.cli.acting import Clone
from tests.cockpit.ground import Ground, session
from tests.fleet import processes
from tests.fleet.control import REPOSITORY
from tests.fleet.machine import Machine
from tests.fleet.sshd import SshHost
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.recovery.terminal import attached

pytestmark = pytest.mark.slow

SAYS = ("sh", "-c", "echo hello; exec sleep 1000")


@pytest.fixture
def mugen(ground: Ground) -> SshHost:
    """A host whose session is there, shown in a cockpit."""
    host = ground.host("mugen", session("miyabi"))
    host.tmux.start("miyabi", *SAYS)
    ground.up()
    ground.wait_for_words("mugen:miyabi", "hello")
    return host


def looking(host: SshHost) -> list[str]:
    """The flags of each client of a host's tmux."""
    return host.tmux.run("list-clients", "-F", "#{client_flags}", check=False).splitlines()


def press(ground: Ground, window: str, *keys: str) -> None:
    ground.tmux.run("send-keys", "-t", ground.pane(window), *keys)


def test_a_cockpit_is_made_once(ground: Ground, mugen: SshHost) -> None:
    ground.wait_for("mugen:miyabi", "attached")
    before = ground.tmux.run("list-panes", "-a", "-F", "#{pane_id} #{pane_pid} #{window_name}")
    assert ground.up() == "nothing changed: 1 window in cockpit\n"
    assert ground.tmux.run("list-panes", "-a", "-F", "#{pane_id} #{pane_pid} #{window_name}") == before
    assert before.endswith("mugen:miyabi")
    assert ground.tmux.run("show-options", "-qv", "-t", "=cockpit:", "@miyabi_cockpit") == "1"
    [flags] = looking(mugen)
    assert "ignore-size" in flags
    assert "read-only" not in flags


def test_what_ends_is_run_again_and_what_a_human_made_stays(ground: Ground, mugen: SshHost) -> None:
    ground.wants("@local", {"sessions": [session("here")]})
    own = ("-d", "-P", "-F", "#{pane_pid}", "sleep 1000")
    human = {ground.tmux.run("new-window", "-t", "=cockpit:", *own)}
    human.add(ground.tmux.run("split-window", "-t", ground.pane("mugen:miyabi"), *own))
    loop = int(ground.tmux.run("display-message", "-p", "-t", ground.pane("mugen:miyabi"), "#{pane_pid}"))
    os.kill(loop, signal.SIGKILL)
    assert ground.wait_for("mugen:miyabi", "ended")["why"] == "signal 9"
    assert ground.up() == "started mugen:miyabi again\nmade @local:here\n"
    ground.wait_for("mugen:miyabi", "attached")
    left = set(ground.tmux.run("list-panes", "-a", "-F", "#{pane_pid}").splitlines())
    assert human < left

    # A process that a human has started in our pane is a human's.
    ground.tmux.run("respawn-pane", "-k", "-t", ground.pane("@local:here"), "sleep 1001")
    assert ground.up() == "made @local:here\n"
    assert "ended 2 windows; the session cockpit stays, with what you made in it" in ground.cockpit("down").output
    assert human < set(ground.tmux.run("list-panes", "-a", "-F", "#{pane_pid}").splitlines())
    wait_until(lambda: not looking(mugen), what="nobody is attached")
    # It is theirs now.
    refused = ground.cockpit("up")
    assert refused.code == 1
    assert "the session cockpit in tmux is not made by miyabi cockpit: nothing is done to it" in refused.stderr
    assert "made @local:here" in ground.up("--session", "bridge")


def test_sessions_that_are_not_wanted_any_more_are_removed(ground: Ground, mugen: SshHost) -> None:
    ground.host("pixel", session("monitor"))
    assert ground.up() == "made pixel:monitor\n"
    ground.wants("pixel", {"sessions": []})
    assert ground.status()["pixel:monitor"]["why"] == "it is not wanted any more"
    # Of a host that this inventory does not know nothing is known.
    del ground.data["mugen"]
    ground.fleet.write_inventory(ground.data)
    assert ground.up() == "removed pixel:monitor\n"
    assert ground.tmux.run("list-windows", "-t", "=cockpit:", "-F", "#{window_name}") == "mugen:miyabi"
    assert looking(mugen)


def test_down_leaves_no_process(ground: Ground, mugen: SshHost) -> None:
    assert ground.cockpit("down").output == "ended 1 window\n"
    assert ground.cockpit("down").output == "nothing changed: cockpit is not there\n"
    wait_until(lambda: not looking(mugen), what="nobody is attached")
    wait_until(lambda: not ground.fleet.control.processes(), what="no process of the cockpit is left")


def test_a_human_who_detaches_is_not_attached_again_before_enter(ground: Ground, mugen: SshHost) -> None:
    press(ground, "mugen:miyabi", "C-b", "d")
    seen = ground.wait_for_words("mugen:miyabi", "detached; press Enter to attach again")
    assert len(seen.strip().splitlines()) == 1
    assert ground.wait_for("mugen:miyabi", "detached")["next_try"] is None
    press(ground, "mugen:miyabi", "x", "C-c", "C-z", "C-d")
    assert ground.status()["mugen:miyabi"]["state"] == "detached"
    press(ground, "mugen:miyabi", "Enter")
    ground.wait_for("mugen:miyabi", "attached")
    ground.wait_for_words("mugen:miyabi", "hello")


def test_a_server_that_is_rebuilt_is_attached_again(ground: Ground, mugen: SshHost) -> None:
    mugen.tmux.run("kill-server")
    told = ground.wait_for("mugen:miyabi", "waiting")
    assert told["why"] in {"the session has ended", "there is no such session"}
    assert told["next_try"]
    mugen.tmux.start("miyabi", "sh", "-c", "echo again; exec sleep 1000")
    ground.wait_for_words("mugen:miyabi", "again")
    # The session alone, made anew in one breath as L3 does it.
    mugen.tmux.run("new-session", "-d", "-s", "other")
    again = ("new-session", "-d", "-s", "miyabi", "echo third; exec sleep 1000")
    mugen.tmux.run("kill-session", "-t", "=miyabi", ";", *again)
    ground.wait_for_words("mugen:miyabi", "third")


def test_a_connection_that_drops_is_made_again(ground: Ground, mugen: SshHost) -> None:
    assert mugen._sshd is not None
    # Were what it runs there ended first, the connection would end as one that somebody has left.
    for pid in processes.descendants([mugen._sshd.pid]):
        if processes.command_line_of(pid).startswith("sshd"):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    seen = ground.wait_for_words("mugen:miyabi", "not attached: ")
    assert "closed by remote host; tries again in 1 s, at " in seen
    ground.wait_for_words("mugen:miyabi", "hello")
    mugen.stop_sshd()
    wait_until(lambda: "Connection refused" in ground.status()["mugen:miyabi"]["why"], what="it says why")
    # What somebody types meanwhile reaches nothing later; Enter tries at once.
    press(ground, "mugen:miyabi", "touch pwned; kill %1")
    wait_until(lambda: "tries again in 8 s" in ground.screen("mugen:miyabi"), what="the pauses grow")
    mugen.start_sshd()
    press(ground, "mugen:miyabi", "Enter")
    ground.wait_for_words("mugen:miyabi", "hello", 5.0)
    assert "pwned" not in mugen.tmux.run("capture-pane", "-p", "-t", "=miyabi:")


def test_a_host_key_that_has_changed_is_no_reason_to_try_again(ground: Ground, mugen: SshHost) -> None:
    mugen.stop_sshd()
    known = ground.fleet.control.home / ".ssh" / "known_hosts"
    words = known.read_text().split()
    other = (ground.fleet.control.home / ".ssh" / "id_ed25519.pub").read_text().split()[1]
    known.write_text(f"{words[0]} {words[1]} {other}\n")
    mugen.start_sshd()
    press(ground, "mugen:miyabi", "Enter")
    seen = ground.wait_for_words("mugen:miyabi", "its host key has changed, so nothing is sent there; find out why")
    assert "ssh -F" in seen
    assert ground.wait_for("mugen:miyabi", "refused")["why"] == "its host key has changed, so nothing is sent there"
    known.write_text("")
    press(ground, "mugen:miyabi", "Enter")
    ground.wait_for_words("mugen:miyabi", "its host key is not known here; look at it once: ssh -F")
    known.write_text(mugen.known_hosts_line)
    press(ground, "mugen:miyabi", "Enter")
    ground.wait_for_words("mugen:miyabi", "hello")


def test_who_is_not_let_in_is_told_so(ground: Ground, mugen: SshHost) -> None:
    keys = mugen.machine.root / "authorized_keys"
    public_key = keys.read_text()
    mugen.stop_sshd()
    keys.write_text("")
    mugen.start_sshd()
    press(ground, "mugen:miyabi", "Enter")
    ground.wait_for_words("mugen:miyabi", "nobody is let in (")
    assert "Permission denied" in ground.wait_for("mugen:miyabi", "refused")["why"]
    keys.write_text(public_key)
    press(ground, "mugen:miyabi", "Enter")
    ground.wait_for_words("mugen:miyabi", "hello")


def test_a_human_with_a_larger_terminal_keeps_its_size(ground: Ground, mugen: SshHost) -> None:
    def size() -> str:
        return mugen.tmux.run("display-message", "-p", "-t", "=miyabi:", "#{window_width}x#{window_height}")

    # Nobody else is there: the cockpit's own, which is no small one.
    wait_until(lambda: size() == "200x49", what="the cockpit's size")
    with attached(mugen.tmux, "miyabi", 250, 60):
        wait_until(lambda: size() == "250x59", what="the human's size")
        press(ground, "mugen:miyabi", "x")
        assert size() == "250x59"


def test_a_session_that_may_only_be_looked_at_takes_no_keys(ground: Ground) -> None:
    host = ground.host("mugen", session("miyabi", attached={"read_only": True}))
    host.tmux.start("miyabi", "sh", "-c", "echo hello; exec cat")
    ground.up()
    ground.wait_for_words("mugen:miyabi", "hello")
    press(ground, "mugen:miyabi", "typed")
    assert ["read-only" in flags for flags in looking(host)] == [True]
    press(ground, "mugen:miyabi", "C-b", "d")
    ground.wait_for("mugen:miyabi", "detached")
    assert "typed" not in host.tmux.run("capture-pane", "-p", "-t", "=miyabi:")


HOSTILE = ['it\'s "q" $(touch pwned)', "`touch pwned`;", "日本 ü", "a & touch pwned|b", "*?[x]~"]
HOSTS = ["mugen", "-oProxyCommand=touch pwned", "#(touch pwned) #{pid} #[fg=red]", "it's; `touch pwned`;"]


def test_hostile_names_are_names(ground: Ground) -> None:
    host = ground.fleet.add("mugen")
    reached = {"ssh_hostname": "mugen", "ssh_config_file": str(ground.fleet.ssh_config)}
    for name in HOSTS:
        ground.wants(name, {"sessions": [session(each) for each in HOSTILE]}, **reached)
    # ssh itself gets this one's name.
    lost = "-oProxyCommand=touch pwned2"
    ground.wants(lost, {"sessions": [session("miyabi")]})
    for name in HOSTILE:
        last = f"{name[:-1]}\\;" if name.endswith(";") else name
        host.tmux.run("new-session", "-d", "-x", "80", "-y", "24", "-s", last, "sleep 1000")
    ground.up()
    assert ground.up() == "nothing changed: 21 windows in cockpit\n"
    labels = [f"{host}:{name}" for host in HOSTS for name in HOSTILE]

    def left() -> list[object]:
        status = ground.status()
        return [status[each] for each in labels if status[each]["state"] != "attached"]

    wait_until(lambda: not left(), 20.0, what="all are attached")
    shown = host.tmux.run("list-clients", "-F", "#{client_session}").splitlines()
    assert sorted(shown) == sorted(HOSTILE * len(HOSTS))
    ground.wait_for(f"{lost}:miyabi", "waiting")
    windows = ground.tmux.run("list-windows", "-t", "=cockpit:", "-F", "#{window_name}").splitlines()
    assert windows == [*labels, f"{lost}:miyabi"]
    control, temporary = ground.fleet.control, Path("/tmp")  # noqa: S108 - nobody writes there
    folders = (control.root, control.home, host.machine.root, host.home, REPOSITORY, Path.home(), temporary)
    assert not [each for folder in folders for each in folder.glob("pwned*")]


def test_hosts_that_have_left_the_inventory_of_the_clone_lose_their_windows(ground: Ground) -> None:
    clone = Clone.of(ground.fleet)
    host = ground.fleet.add("mugen")
    host.tmux.start("miyabi", *SAYS)
    clone.write_spec("mugen", {"sessions": [session("miyabi")]})
    listed = clone.folder / "inventory" / "mugen.py"
    text = listed.read_text()
    listed.write_text(
        text.replace('"spec": "mugen",', f'"spec": "mugen", "ssh_config_file": "{ground.fleet.ssh_config}",')
    )
    made = clone.miyabi("cockpit", "up")
    assert (made.code, made.output) == (0, "made mugen:miyabi\n")
    ground.wait_for_words("mugen:miyabi", "hello")
    assert clone.told("cockpit", "status")["windows"][0]["state"] == "attached"
    ground.tmux.run("new-window", "-d", "-t", "=cockpit:", "sleep 1000")
    listed.write_text("mugen = []\n")
    gone = clone.miyabi("cockpit", "up")
    assert (gone.code, gone.output) == (0, "removed mugen:miyabi\n")
    assert ground.tmux.run("list-panes", "-a", "-F", "#{pane_start_command}") == '"sleep 1000"'


def test_the_pauses_grow_and_begin_anew_once_a_connection_has_held(machine: Machine) -> None:
    tmux = TmuxServer(machine)
    # What attaches: fails at once twice, then holds for as long as the loop (here) asks for.
    (machine.home / "attach").write_text("echo x >>tries\n[ $(wc -l <tries) -le 2 ] || sleep 1.2\nexit 255\n")
    loop = LOOP.replace(f"-lt {HELD} ]", "-lt 1 ]")
    assert loop != LOOP
    words = ("sh", "-c", RUN, PROGRAM, "key", "0", loop, "mugen:miyabi", "ssh mugen", "sh", f"{machine.home}/attach")
    tmux.start("cockpit", *words)
    seen: list[str] = []

    def is_third() -> bool:
        state = tmux.run("show-options", "-pqv", "-t", "=cockpit:", STATE_OPTION)
        shown = re.search(r"tries again in \d+ s", tmux.run("capture-pane", "-p", "-J", "-t", "=cockpit:"))
        if state.startswith("waiting ") and shown and (not seen or seen[-1] != shown[0]):
            seen.append(shown[0])
        return len(seen) == 3

    wait_until(is_third, 20.0, what="three pauses")
    assert seen == ["tries again in 1 s", "tries again in 2 s", "tries again in 1 s"]
