"""The last words of real panes that died in each way, under every shell and on pretended machines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from facts.evidence import evidence_section, parse_evidence
from facts.probe import read_section
from miyabi import state
from miyabi.cause import attribute, evidence_of_drift
from miyabi.drift import Drift, Target
from miyabi.errors import ParseError
from miyabi.last_words import LastWords
from miyabi.levels import Level
from miyabi.processes import death
from miyabi.spec import TmuxServer as Wanted
from tests.facts.hosts import INSTALLED_SHELLS, PretendedHost, ask, busybox_host, run_script
from tests.fleet.machine import Machine
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until

# How a pane dies, by the cause that is to be told of it. It lives on for a moment after its last word: of one that dies
# at once tmux now and then loses it.
DEATHS = {
    "finished": "exit 0",
    "failed: exit 7": "echo nothing that is known; exit 7",
    "interrupted": "kill -INT $$",
    "terminated": "kill -TERM $$",
    "killed": "kill -KILL $$",
    "crashed": "kill -SEGV $$",
    "oom": "echo 'FATAL ERROR: Reached heap limit, JavaScript heap out of memory'; sleep 0.3; kill -ABRT $$",
    "not-found": "exec no-such-agent-anywhere",
    "permission": "exec /etc/passwd",
    "api-error": "echo 'API Error: 529 Overloaded. Try again in a moment.'; sleep 0.3; exit 1",
    "usage-limit": 'echo "You\'ve hit your session limit, it resets at 4am"; sleep 0.3; exit 1',
    "auth": "printf '\\033[31mInvalid API key\\033[0m\\n'; sleep 0.3; exit 1",
    "git": "echo ' ! [rejected]  main -> main (fetch first)'; sleep 0.3; exit 1",
    "disk-full": "cat /etc/passwd >/dev/full; sleep 0.3; exit 1",
    "network": "echo 'Error: getaddrinfo ENOTFOUND api.example'; sleep 0.3; exit 1",
    "timeout": "timeout 0.1 sleep 5; exit $?",
}


@pytest.fixture
def dead(machine: Machine, tmux_server: TmuxServer) -> dict[str, state.Pane]:
    """A pane that died in each of these ways, by the cause."""
    tmux_server.start("main", "sleep 1000")
    tmux_server.run("set", "-g", "remain-on-exit", "on")
    ids = {
        cause: tmux_server.run("new-window", "-d", "-P", "-F", "#{pane_id}", f"ulimit -c 0; {command}")
        for cause, command in DEATHS.items()
    }
    form = "P|#{pane_id}|#{pane_dead_status}|#{pane_dead_signal}|#{pane_dead}|#{pane_pid}"

    def all_dead() -> dict[str, list[str]]:
        tmux_server.run("run-shell", "-b", ":")
        rows = [line.split("|")[1:] for line in tmux_server.run("list-panes", "-a", "-F", form).splitlines()]
        found = {row[0]: row[1:] for row in rows if row[3:] and row[3] == "1" and (row[1] or row[2])}
        return found if set(ids.values()) <= set(found) else {}

    rows = wait_until(all_dead, what="all are dead")
    return {
        cause: state.Pane(
            each,
            pane_index=0,
            pid=int(rows[each][3]),
            active=False,
            name="kaede",
            dead=True,
            dead_status=int(rows[each][0]) if rows[each][0] and not rows[each][1] else None,
            dead_signal=rows[each][1] or None,
        )
        for cause, each in ids.items()
    }


def cause_of(pane: state.Pane, words: LastWords) -> str:
    """What the death of a pane is put down to."""
    window = state.Window("@1", 0, "w", active=True, layout="", name="w", panes=(pane,))
    session = state.Session("$1", "s", attached=0, created=0, name="s", windows=(window,))
    seen = state.Host(tmux=state.Tmux("3.3a", running=True, sessions=(session,)))
    drift = Drift("pane-dead", Target("s", "w", "kaede"), Level.L1, death(pane))
    return attribute(evidence_of_drift(drift, seen, words)).name


def tmux_of(machine: Machine) -> dict[str, str]:
    return {"TMUX_TMPDIR": machine.environment["TMUX_TMPDIR"]}


def test_each_way_to_die(machine: Machine, dead: dict[str, state.Pane]) -> None:
    words = ask(evidence_section([pane.pane_id for pane in dead.values()], Wanted()), "dash", None, **tmux_of(machine))
    assert {cause: cause_of(pane, words) for cause, pane in dead.items()} == {cause: cause for cause in DEATHS}
    for pane in dead.values():
        died_at = words.screens[pane.pane_id].died_at
        assert died_at is None or words.now - 60 <= died_at <= words.now


@pytest.mark.parametrize("shell", INSTALLED_SHELLS)
def test_under_every_shell(machine: Machine, tmux_server: TmuxServer, shell: str) -> None:
    tmux_server.start("main", "printf 'one\\ntoken=hush12345\\n日本 \\377\\n'; exec sleep 1000")
    wait_until(lambda: "hush" in tmux_server.run("capture-pane", "-p"))
    pane = tmux_server.run("display-message", "-p", "#{pane_id}")
    words = ask(evidence_section([pane, "%999"], Wanted()), shell, None, **tmux_of(machine))
    assert list(words.screens) == [pane]
    first, second, third = words.screens[pane].lines
    assert (first, second) == ("one", "token=********")
    assert third.startswith("日本")
    assert words.now > 1_700_000_000


def test_busybox_alone(machine: Machine, tmux_server: TmuxServer, tmp_path: Path) -> None:
    tmux_server.start("main", "echo one; exec sleep 1000")
    wait_until(lambda: "one" in tmux_server.run("capture-pane", "-p"))
    host = busybox_host(tmp_path)
    (host.root / "bin" / "tmux").symlink_to("/usr/bin/tmux")
    words = host.ask(evidence_section(["%0"], Wanted()), "busybox", **tmux_of(machine))
    assert words.screens["%0"].lines == ("one",)


def test_a_draft_at_the_prompt(machine: Machine, tmux_server: TmuxServer) -> None:
    tmux_server.run("new-session", "-d", "-x", "40", "-y", "10", "-e", "PS1=kaede@here:~$ ", "-s", "main", "sh")
    # What is typed before the prompt is there stands in front of it.
    wait_until(lambda: "kaede@here" in tmux_server.run("capture-pane", "-p"), what="the prompt")
    tmux_server.run("send-keys", "-l", "git commit -m 'a message that is longer than its line'")

    def draft() -> str:
        words = ask(evidence_section(["%0"], Wanted()), "dash", None, **tmux_of(machine))
        return words.screens["%0"].draft

    wait_until(lambda: draft() == "git commit -m 'a message that is longer than its line'", what="the draft")


def test_nobody_is_there(machine: Machine) -> None:
    words = ask(evidence_section(["%0", "%1"], Wanted("nobody")), "dash", None, **tmux_of(machine))
    assert words.screens == {}
    assert ask(evidence_section([], Wanted()), "dash", None, **tmux_of(machine)).screens == {}


def test_a_server_that_hangs_is_unknown(machine: Machine, tmux_server: TmuxServer, tmp_path: Path) -> None:
    host = busybox_host(tmp_path)
    host.tool("tmux", script="sleep 60")
    host.tool("timeout", script='[ "$2" = tmux ] && exit 124; shift; exec "$@"')
    with pytest.raises(ParseError, match="no answer within"):
        host.ask(evidence_section(["%0"], Wanted()), "busybox", **tmux_of(machine))


KERNEL = """\
[    1.000000] Linux version 6.1
[  100.500000] node invoked oom-killer: gfp_mask=0xcc0
[  100.600000] oom-kill:constraint=CONSTRAINT_NONE,task=node,pid=4711,uid=1000
[  100.700000] Out of memory: Killed process 4711 (node) total-vm:912kB, UID:1000 pgtables:64kB
[  101.000000] eth0: link up
[  110.000000] claude[88]: segfault at 0 ip 00007f sp 00007f error 4
"""
TOOLS = ("cat", "sh", "sed", "grep", "tail", "tr", "date", "base64", "sleep")


@pytest.fixture
def pretended(tmp_path: Path) -> PretendedHost:
    """A machine that booted 160.7 seconds ago, with a tmux server of the pid 42 in a control group of its own."""
    host = PretendedHost.build(tmp_path, TOOLS)
    host.tool("timeout", script='shift; exec "$@"')
    host.tool("tmux", script='case "$*" in *display*) echo "%0 42 0 0 80 1790000000";; *) echo Killed;; esac')
    host.file("/proc/uptime", "160.70 300.00\n")
    host.file("/proc/42/cgroup", "0::/user.slice/tmux.scope\n")
    host.file("/sys/fs/cgroup/user.slice/tmux.scope/memory.events", "low 0\noom 2\noom_kill 3\noom_group_kill 0\n")
    return host


SECTION = evidence_section(["%0"], Wanted())


def test_the_kernel_s_log(pretended: PretendedHost) -> None:
    pretended.tool("dmesg", KERNEL)
    words = pretended.ask(SECTION)
    assert words.kernel is not None
    assert [(round(line.age, 1), line.text[:13]) for line in words.kernel] == [
        (60.2, "node invoked "),
        (60.1, "oom-kill:cons"),
        (60.0, "Out of memory"),
        (50.7, "claude[88]: s"),
    ]
    assert (words.oom_kills, words.screens["%0"].died_at) == (3, 1_790_000_000)


def test_the_journal_where_dmesg_is_forbidden(pretended: PretendedHost) -> None:
    pretended.tool("dmesg", "dmesg: read kernel buffer failed: Operation not permitted", 1)
    pretended.tool("journalctl", "[  100.700000] mugen kernel: Out of memory: Killed process 4711 (node)\n")
    words = pretended.ask(SECTION)
    assert words.kernel is not None
    assert [line.text for line in words.kernel] == ["mugen kernel: Out of memory: Killed process 4711 (node)"]


def test_a_kernel_that_may_not_be_heard(pretended: PretendedHost) -> None:
    pretended.tool("dmesg", "dmesg: read kernel buffer failed: Operation not permitted", 1)
    assert pretended.ask(SECTION).kernel is None
    pretended.tool("dmesg", "")
    assert pretended.ask(SECTION).kernel == ()


@pytest.mark.parametrize("group", ["0::/", "0::/../../etc", "7:cpu:/x", ""])
def test_a_control_group_that_is_everybody_s_counts_nothing(pretended: PretendedHost, group: str) -> None:
    pretended.file("/proc/42/cgroup", f"{group}\n")
    pretended.file("/sys/fs/cgroup/memory.events", "oom_kill 9\n")
    assert pretended.ask(SECTION).oom_kills is None


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "cut off"),
        (["pane %0 0 0 80"], "cut off"),
        (["now 5", "what"], "printed 'what'"),
        (["pane %5 0 0 80", "now 5"], "not asked for"),
        (["pane %0 0 0 80", "!!", "now 5"], "cut off"),
        (["pane %0 0 0 80", "b25l", "visible %0", "b25l", "now 5"], "cut off"),
    ],
)
def test_what_is_cut_off_is_unknown(lines: list[str], reason: str) -> None:
    with pytest.raises(ParseError, match=reason):
        parse_evidence(frozenset({"%0"}), lines)


def test_garbage_is_unknown() -> None:
    section = evidence_section(["%0"], Wanted())
    for lines in (["pane %0 x y 80", "now 5"], ["now then"], ["pane", "now 5"]):
        with pytest.raises(ParseError):
            read_section(section, {section.title: (0, lines)})


def test_nothing_that_is_no_pane_s_id_reaches_a_shell(tmp_path: Path) -> None:
    section = evidence_section(["%1; touch x", "$(touch x)", "%2"], Wanted("a b"))
    assert "touch" not in section.script
    assert "'a b'" in section.script
    run_script("dash", "exit 0", dict(os.environ), tmp_path)


def test_the_same_panes_are_the_same_question() -> None:
    assert evidence_section(["%1"], Wanted()).title == evidence_section(["%1"], Wanted()).title
    assert evidence_section(["%1"], Wanted()).title != evidence_section(["%2"], Wanted()).title
