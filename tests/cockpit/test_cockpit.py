"""What a cockpit should be, and what its panes tell: without a tmux."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import yaml

from miyabi.cockpit import (
    CockpitPane,
    CockpitWindow,
    cockpit_status,
    cockpit_windows,
    label_of,
    parse_listing,
    plan_cockpit,
)
from miyabi.cockpit_loop import LOOP, attach_text
from miyabi.cockpit_way import way_to
from miyabi.spec import Spec, TmuxServer
from miyabi.spec_file import parse_spec
from tests.cockpit.ground import session
from tests.fleet.programs import required


def expanded(path: str) -> str:
    return path.replace("~", "/home/kaede", 1)


def spec(*sessions: dict[str, Any], **more: Any) -> Spec:
    text = yaml.safe_dump({"sessions": list(sessions), **more}, allow_unicode=True).encode()
    return parse_spec("spec.yaml", text, base_directory="~")


def windows(*hosts: tuple[str, dict[str, object], Spec], name: str = "cockpit") -> tuple[CockpitWindow, ...]:
    return tuple(cockpit_windows(hosts, name, TmuxServer(), expanded))


def pane(window: CockpitWindow, **more: Any) -> CockpitPane:
    values = {"key": window.key("cockpit"), "digest": window.digest, "said": "trying"} | more
    return CockpitPane("%1", "@1", "$0", **values)


MUGEN, PIXEL = windows(("mugen", {}, spec(session("miyabi"))), ("pixel", {}, spec(session("monitor"))))


def test_only_sessions_that_are_attached_have_a_window() -> None:
    quiet = {"session_name": "quiet", "windows": [{}]}
    found = windows(("mugen", {}, spec(session("a"), quiet, session("b"))), ("pixel", {}, spec(quiet)))
    assert [each.label for each in found] == ["mugen:a", "mugen:b"]


def test_a_host_is_reached_as_a_run_reaches_it() -> None:
    data = {
        "ssh_hostname": "192.0.2.7", "ssh_user": "kaede", "ssh_port": 8022, "ssh_key": "~/.ssh/id",
        "ssh_config_file": "~/fleet config", "ssh_known_hosts_file": "~/known hosts",
        "ssh_strict_host_key_checking": "yes",
    }  # fmt: skip
    words = list(way_to("pixel", data, expanded).ssh)
    assert words[:3] == ["ssh", "-t", "-t"]
    assert words[-2:] == ["--", "192.0.2.7"]
    pairs = list(pairwise(words))
    for pair in (
        ("-F", "/home/kaede/fleet config"), ("-l", "kaede"), ("-p", "8022"), ("-i", "/home/kaede/.ssh/id"),
        ("-o", "IdentitiesOnly=yes"), ("-o", 'UserKnownHostsFile="/home/kaede/known hosts"'),
        ("-o", "StrictHostKeyChecking=yes"), ("-o", "ServerAliveInterval=15"), ("-o", "ServerAliveCountMax=3"),
    ):  # fmt: skip
        assert pair in pairs
    # By hand a human may look at a key that is not known.
    assert "StrictHostKeyChecking=ask" in way_to("pixel", data, expanded).advice
    # pyinfra's own default.
    assert "StrictHostKeyChecking=accept-new" in way_to("mugen", {}, expanded).ssh


def test_an_instance_is_reached_by_the_key_that_is_trusted_of_it() -> None:
    data = {"instance_id": "i-0abc", "ssh_hostname": "192.0.2.9", "ssh_user": "ubuntu", "ssh_known_hosts_file": "/ring"}
    way = way_to("cloud-1", data, expanded)
    assert {"UserKnownHostsFile=/ring", "StrictHostKeyChecking=yes"} <= set(way.ssh)
    assert way.ssh[-2:] == ("--", "ubuntu@192.0.2.9")
    assert "miyabi ec2 forget-key cloud-1" in way.advice
    stopped = way_to("cloud-1", {**data, "unreachable": "its instance i-0abc is stopped"}, expanded)
    assert (stopped.ssh, stopped.why_not, stopped.is_local) == ((), "its instance i-0abc is stopped", False)
    [window] = windows(("cloud-1", {**data, "unreachable": "it is stopped"}, spec(session("a"))))
    assert (window.command, window.advice) == ((), "it is stopped")


def test_what_ssh_does_not_reach_is_told() -> None:
    assert way_to("@docker/ubuntu", {}, expanded).why_not == "it is reached by @docker, and not by ssh"
    assert way_to("@ssh/mugen", {}, expanded).ssh[-1] == "mugen"


def test_a_cockpit_is_not_shown_in_itself() -> None:
    own = spec(session("cockpit"), session("work"))
    itself, work = windows(("@local", {}, own))
    assert (itself.command, itself.advice) == ((), "it is the cockpit itself")
    assert work.command[:2] == ("sh", "-c")
    # Another server, or another name, is another session.
    assert windows(("@local", {"tmux": {"socket_name": "other"}}, own))[0].command
    assert windows(("@local", {}, own), name="bridge")[0].command


def test_the_server_of_the_host_s_data_wins_over_its_spec_s() -> None:
    wanted = spec(session("a"), tmux={"socket_name": "of spec"})
    [by_spec] = windows(("@local", {}, wanted))
    [by_data] = windows(("@local", {"tmux": {"socket_name": "data's"}}, wanted))
    assert "-L 'of spec'" in by_spec.command[2]
    assert shlex.quote("data's") in by_data.command[2]


def test_a_session_that_may_only_be_looked_at() -> None:
    text = attach_text("a", TmuxServer(), read_only=True)
    assert "-f ignore-size,read-only" in text
    assert "read-only" not in attach_text("a", TmuxServer(), read_only=False)


def listed(window: CockpitWindow, state: str, *, pid: int = 42, dead: str = "0||", connecting: int = 0) -> str:
    key = window.key("cockpit")
    start = f'sh -c "eval \\"\\$3\\"" miyabi-cockpit "{key}" {window.digest} "the loop miyabi-cockpit x 1 '
    return f"C|%1|@1|$0|{pid}|{dead}|{connecting}|{state}|{start}"


@pytest.mark.parametrize(
    ("line", "condition", "why"),
    [
        (listed(MUGEN, "trying 100 0 42 ."), "attached", ""),
        (listed(MUGEN, "trying 100 0 42 .", connecting=1), "connecting", ""),
        (listed(MUGEN, "waiting 100 160 42 a b; c."), "waiting", "a b; c"),
        (listed(MUGEN, "detached 100 0 42 ."), "detached", ""),
        (listed(MUGEN, "refused 100 0 42 its key."), "refused", "its key"),
        (listed(MUGEN, "down 100 0 42 it is stopped."), "down", "it is stopped"),
        # Nothing yet, the words of an earlier loop in that pane, and nonsense.
        (listed(MUGEN, ""), "starting", ""),
        (listed(MUGEN, "trying 100 0 41 ."), "starting", ""),
        (listed(MUGEN, "waiting x y 42 ."), "starting", ""),
        (listed(MUGEN, "trying 100 0 42 .", dead="1||9"), "ended", "signal 9"),
        (listed(MUGEN, "trying 100 0 42 .", dead="1|3|"), "ended", "exit code 3"),
    ],
)
def test_what_a_pane_tells(line: str, condition: str, why: str) -> None:
    [found] = parse_listing([line, line, "what is this", "C|%9", "C|%3|@1|$0|1|0|||0||vim miyabi-cockpit a/b/c 12 "])
    [status] = cockpit_status([MUGEN], [found], "cockpit")
    assert (status.label, status.condition, status.why) == ("mugen:miyabi", condition, why)
    assert label_of(found) == "mugen:miyabi"


def test_what_is_to_be_done() -> None:
    wanted, ever = (MUGEN, PIXEL), pane(PIXEL)
    assert plan_cockpit(wanted, [], "cockpit").make == wanted
    assert not plan_cockpit(wanted, [pane(MUGEN), ever], "cockpit")
    dead = pane(MUGEN, dead="signal 9")
    assert plan_cockpit(wanted, [dead, ever], "cockpit").rerun == ((dead, MUGEN),)
    # What is attached by an older way is left alone, until it is not attached any more.
    assert not plan_cockpit(wanted, [pane(MUGEN, digest="0"), ever], "cockpit")
    other = pane(MUGEN, digest="0", said="waiting")
    assert plan_cockpit(wanted, [other, ever], "cockpit").rerun == ((other, MUGEN),)


def test_what_is_removed() -> None:
    gone = pane(PIXEL)
    assert not plan_cockpit([MUGEN], [pane(MUGEN), gone], "cockpit")
    assert plan_cockpit([MUGEN], [pane(MUGEN), gone], "cockpit", lambda _: False).remove == (gone,)
    # Of a host that nobody could ask for, it stays; and so does what another cockpit shows.
    assert not plan_cockpit([MUGEN], [pane(MUGEN), gone], "cockpit", lambda host: host == "pixel")
    bridge = replace(gone, key=PIXEL.key("bridge"))
    assert not plan_cockpit([MUGEN], [pane(MUGEN), bridge], "cockpit", lambda _: False)
    # Of two for the same session one goes, and not the one that lives.
    dead = replace(pane(MUGEN, dead="signal 9"), pane_id="%8")
    plan = plan_cockpit([MUGEN], [dead, pane(MUGEN)], "cockpit", lambda _: False)
    assert (plan.remove, plan.rerun) == ((dead,), ())


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_shells_read_the_texts(shell: str) -> None:
    program = [required(shell), *(["sh"] if shell == "busybox" else [])]
    for text in (LOOP, attach_text("it's $(x) `y`", TmuxServer("a b"), read_only=True)):
        done = subprocess.run([*program, "-n"], input=text, text=True, capture_output=True, check=False, timeout=10)
        assert (done.returncode, done.stderr) == (0, "")
