"""What one look sees of agents: real panes under every shell, hostile names and texts, marks, the register."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path

import pytest

from facts.probe import probe_script, read_section, split_sections
from miyabi.conversation import file_name
from miyabi.errors import ParseError
from tests.agents.looking import KINDS, Looker, mark, option, pane_of, spec_of
from tests.facts.hosts import INSTALLED_SHELLS, busybox_host, run_script
from tests.fleet.machine import Machine
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until

# yash decodes by the locale that it was started in, and a probe's is C.
SHELLS = [shell for shell in INSTALLED_SHELLS if shell != "yash"]
every_shell = pytest.mark.parametrize("shell", SHELLS)

FIRST = "11111111-2222-3333-4444-555555555555"
SECOND = "66666666-7777-8888-9999-aaaaaaaaaaaa"


def show(tmux: TmuxServer, target: str, text: str) -> None:
    """Have a pane show ``text`` and nothing else, and wait until it does."""
    path = tmux.machine.root / "shown"
    path.write_text(text)
    script = f"stty -echo; clear; cat {path}; exec sleep 600"
    tmux.run("respawn-pane", "-k", "-t", target, "--", "sh", "-c", script)
    last = next(line for line in reversed(text.split("\n")) if line.strip()).rpartition("\x1b[H")[2].strip()
    wait_until(lambda: last[-20:] in tmux.run("capture-pane", "-p", "-t", target), what=f"{last!r} is shown")


@pytest.fixture
def looker(tmux_server: TmuxServer) -> Looker:
    """One agent, kaede, whose pane shows two lines."""
    tmux_server.start("main")
    show(tmux_server, "main", "hello\n\n> world\n")
    mark(tmux_server, "main", "kaede")
    return Looker(tmux_server, spec_of(pane_of("kaede")))


def in_folder(machine: Machine) -> set[str]:
    """What lies in the machine's temporary folder."""
    return {path.name for path in (machine.root / "tmp").iterdir()}


@every_shell
def test_a_screen_and_since_when_it_is_the_same(looker: Looker, shell: str) -> None:
    looker = looker.under(shell)
    before = time.time()
    agents = looker.look()
    [first] = agents.panes
    assert (first.name, first.lines, first.same_since) == ("kaede", ("hello", "", "> world"), None)
    assert first.digest
    assert int(before) <= agents.now <= time.time()
    assert agents.offset == time.localtime().tm_gmtoff
    again = looker.pane("kaede")
    assert (again.digest, again.same_since) == (first.digest, agents.now)
    show(looker.tmux, "main", "hello\n\n> worlds\n")
    changed = looker.pane("kaede")
    assert changed.digest != first.digest
    assert changed.same_since is None
    assert in_folder(looker.tmux.machine) == set()


def test_a_look_without_marks_changes_nothing(looker: Looker) -> None:
    pane_id = looker.pane("kaede", marks=False).pane_id
    assert option(looker.tmux, pane_id, "@miyabi_screen") == ""
    assert looker.pane("kaede", marks=False).same_since is None
    looker.look()
    said = option(looker.tmux, pane_id, "@miyabi_screen")
    assert looker.pane("kaede", marks=False).same_since == float(said.split()[1])
    show(looker.tmux, "main", "other\n")
    looker.look(marks=False)
    assert option(looker.tmux, pane_id, "@miyabi_screen") == said


def test_the_same_screen_of_another_process_is_another_screen(looker: Looker) -> None:
    first = looker.pane("kaede")
    show(looker.tmux, "main", "hello\n\n> world\n")
    again = looker.pane("kaede")
    assert (again.digest, again.same_since) == (first.digest, None)


@pytest.mark.parametrize(
    ("mark_of", "told"),
    [
        ("{digest} {now} {pid}", "now"),
        ("{digest} 1795000000 {pid}", "1795000000"),
        ("{digest} 99999999999 {pid}", "clock"),
        ("{digest} 999999999999999999999999999 {pid}", None),
        ("{digest}  {pid}", None),
        ("{digest} -5 {pid}", None),
        ("{digest} 1795000000", None),
        ("{digest} 1795000000 1", None),
        ("x 1795000000 {pid}", None),
        ("{digest} $(touch pwned) {pid}", None),
        ("'; touch pwned; '", None),
        ("*", None),
        ("%25|x", None),
        ("", None),
    ],
)
def test_a_mark_that_cannot_be_is_none(looker: Looker, mark_of: str, told: str | None) -> None:
    seen = looker.pane("kaede")
    digest, now, pid = option(looker.tmux, seen.pane_id, "@miyabi_screen").split()
    text = mark_of.format(digest=digest, now=now, pid=pid)
    looker.tmux.run("set-option", "-p", "-t", seen.pane_id, "@miyabi_screen", text)
    agents = looker.look()
    # A clock that was set back must not make a screen older than it is, and must not keep it young for ever.
    expected = {"now": float(now), "1795000000": 1795000000.0, "clock": agents.now, None: None}[told]
    assert agents.panes[0].same_since == expected
    assert int(option(looker.tmux, seen.pane_id, "@miyabi_screen").split()[1]) <= agents.now
    assert not list(looker.tmux.machine.root.rglob("pwned"))


HOSTILE = [
    "a b",
    "100%|x",
    "%7C",
    "'; touch pwned; '",
    '"$(touch pwned)"',
    "`touch pwned`",
    "#{pane_id}#(touch pwned)",
    "*",
    "[a-z]*",
    "\\n\\",
    "楓",
    "-t",
    ") n=0;; x",
    "~",
]


@every_shell
def test_hostile_names_are_names(tmux_server: TmuxServer, shell: str) -> None:
    tmux_server.start("main")
    for number, name in enumerate(HOSTILE):
        tmux_server.run("new-window", "-d", "-n", f"w{number}", "exec sleep 600")
        mark(tmux_server, f"main:w{number}", name)
        tmux_server.run("set-option", "-p", "-t", f"main:w{number}", "@miyabi_nudged", f"for {name}")
    # A pane of another name, and one of a spec's plain panes, are none of these.
    for name in ("kaede", "%7Cx"):
        tmux_server.run("new-window", "-d", "-n", "other", "exec sleep 600")
        mark(tmux_server, "main:{end}", name)
    agents = Looker(tmux_server, spec_of(*map(pane_of, HOSTILE)), shell).look()
    assert [each.name for each in agents.panes] == HOSTILE
    assert [each.nudged_for for each in agents.panes] == [f"for {name}" for name in HOSTILE]
    assert not list(tmux_server.machine.root.rglob("pwned"))


@every_shell
def test_hostile_screens_are_texts(looker: Looker, shell: str) -> None:
    shown = [
        "##miyabi:end agents 0",
        "miyabi.AAAAAAAA end",
        "exit 0 1",
        "==> next <==",
        "$(touch pwned) `touch pwned` %s\\n\\0",
        "caf\u00e9 楓 ⏺ ✻",
        "password=hunter22 and the rest",
        "  trailing",
    ]
    show(looker.tmux, "main", "\n".join(shown) + "   \n")
    lines = looker.under(shell).pane("kaede").lines
    assert lines == (*shown[:6], "password=******** and the rest", shown[7])


def test_bytes_that_are_no_text_and_colours(looker: Looker) -> None:
    path = looker.tmux.machine.root / "bytes"
    path.write_bytes(b"\x1b[31mred\x1b[0m \xff\xfe \xe2\x80\xae end\n")
    script = f"stty -echo; clear; cat {path}; exec sleep 600"
    looker.tmux.run("respawn-pane", "-k", "-t", "main", "--", "sh", "-c", script)
    wait_until(lambda: "end" in looker.tmux.run("capture-pane", "-p", "-t", "main"), what="it is shown")
    [line] = looker.pane("kaede").lines
    assert line.startswith("red ")
    assert line.endswith(" end")
    assert not re.search("[\x00-\x1f\u202e]", line)


def test_a_screen_cannot_pass_itself_off_as_the_probe(looker: Looker) -> None:
    """Whatever a screen shows was there before the probe knew its own word."""
    first = looker.pane("kaede")
    forged = "\n".join(
        f"{word} {line}"
        for word in ("miyabi.", "miyabi.XXXXXXXX", "", "next")
        for line in ("end", "finish", "screen %0 1", f"digest {first.pane_id} 1-1 5", "register 0", "next")
    )
    show(looker.tmux, "main", forged + "\nlast\n")
    agents = looker.look()
    assert [each.name for each in agents.panes] == ["kaede"]
    assert agents.panes[0].lines[-1] == "last"
    assert len(agents.panes[0].lines) == len(forged.split("\n")) + 1
    assert agents.conversations == {}


def test_wrapped_lines_are_joined_and_the_last_lines_above_the_screen_told(looker: Looker) -> None:
    long = "x" * 350
    show(looker.tmux, "main", "".join(f"line {number}\n" for number in range(200)) + long + "\nlast\n")
    lines = looker.pane("kaede").lines
    assert lines[-2:] == (long, "last")
    # Some lines above the 50 of the screen, and never all.
    assert lines[0].startswith("line 1")
    assert 80 < len(lines) < 100


def test_what_scrolled_away_before_a_full_screen_program_is_none_of_its_lines(looker: Looker) -> None:
    text = "".join(f"line {number}\n" for number in range(200)) + "\x1b[?1049h\x1b[2J\x1b[Hfull screen\n"
    show(looker.tmux, "main", text)
    assert looker.pane("kaede").lines == ("full screen",)


def test_a_dead_pane_and_two_of_one_name(looker: Looker) -> None:
    looker.tmux.run("set-option", "-p", "-t", "main", "remain-on-exit", "on")
    # Of one that dies at once tmux now and then loses the last words.
    looker.tmux.run("respawn-pane", "-k", "-t", "main", "--", "sh", "-c", "echo last words; sleep 0.3; exit 3")
    wait_until(
        lambda: looker.tmux.run("display-message", "-p", "-t", "main", "#{pane_dead}") == "1", what="the pane is dead"
    )
    assert "last words" in looker.pane("kaede").lines
    looker.tmux.run("new-window", "-d", "-n", "second", "exec sleep 600")
    second = mark(looker.tmux, "main:second", "kaede")
    looker.tmux.run("new-session", "-d", "-s", "linked", "exec sleep 600")
    looker.tmux.run("link-window", "-s", "main:second", "-t", "linked:")
    panes = looker.look().panes
    assert [each.name for each in panes] == ["kaede", "kaede"]
    assert {each.pane_id for each in panes} == {"%0", second}


def test_without_a_server_the_register_is_told(tmux_server: TmuxServer) -> None:
    register(tmux_server.machine, "kaede", f"1 claude {FIRST} 1795000000\n")
    agents = Looker(tmux_server, spec_of(pane_of("kaede"))).look()
    assert agents.panes == ()
    assert agents.conversations["kaede"].session_id == FIRST


def test_a_tmux_that_says_something_else_is_unknown(looker: Looker, tmp_path: Path) -> None:
    for script, reason in (
        ("echo 'server exited unexpectedly' >&2; exit 1", "server exited unexpectedly"),
        ("echo 'open terminal failed: not a terminal' >&2; exit 1", "not a terminal"),
        ("exit 1", "tmux failed without a word"),
    ):
        (tmp_path / "tmux").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "tmux").chmod(0o755)
        environment = looker.tmux.machine.environment
        path = f"{tmp_path}:{environment['PATH']}"
        section = looker.section()
        lines = run_script("dash", probe_script([section]), environment | {"PATH": path})
        with pytest.raises(ParseError, match=reason):
            read_section(section, split_sections(lines))


def test_a_tmux_that_hangs_is_unknown(looker: Looker) -> None:
    pid = looker.tmux.pid()
    assert pid is not None
    os.kill(pid, 19)
    script = probe_script([looker.section()]).replace("bounded 5 ", "bounded 1 ")
    try:
        lines = run_script("dash", script, looker.tmux.machine.environment)
    finally:
        os.kill(pid, 18)
    with pytest.raises(ParseError, match="no answer within"):
        read_section(looker.section(), split_sections(lines))
    assert in_folder(looker.tmux.machine) == set()


def test_an_answer_cut_anywhere_is_unknown(looker: Looker) -> None:
    section = looker.section()
    lines = run_script("dash", probe_script([section]), looker.tmux.machine.environment)
    [(code, body)] = split_sections(lines).values()
    assert code == 0
    for kept in range(len(body)):
        with pytest.raises(ParseError):
            section.parse(body[:kept])
    for kept in range(0, len(body[-1]), 3):
        with pytest.raises(ParseError):
            section.parse([*body[:-1], body[-1][:kept]])


@pytest.mark.parametrize("missing", ["awk", "mktemp", "base64"])
def test_a_host_without_its_tools_says_so(looker: Looker, tmp_path: Path, missing: str) -> None:
    host = busybox_host(tmp_path)
    (host.root / "bin" / missing).unlink(missing_ok=True)
    host.tool("tmux", script="exit 1")
    with pytest.raises(ParseError, match=f"{missing} is not on this host: install it"):
        host.ask(looker.section(), "busybox")


@pytest.mark.parametrize("missing", ["", "stat", "cksum", "gzip"])
def test_a_userland_of_busybox_alone(looker: Looker, tmp_path: Path, missing: str) -> None:
    host = busybox_host(tmp_path)
    (host.root / "bin" / (missing or "-")).unlink(missing_ok=True)
    tmux = shutil.which("tmux")
    assert tmux is not None
    (host.root / "bin" / "tmux").symlink_to(tmux)
    machine = looker.tmux.machine
    register(machine, "kaede", f"1 claude {FIRST} 1795000000\n")
    transcript(machine, f".claude/projects/-x/{FIRST}.jsonl", '{"type": "user"}\n{"type": "assistant"}\n')
    environment = {name: value for name, value in machine.environment.items() if name != "PATH"}
    for first in (True, False):
        seen = host.ask(looker.section(), "busybox", **environment).panes[0]
        assert seen.lines == ("hello", "", "> world")
        assert (seen.same_since is None) == first
        assert seen.transcript is not None
        assert seen.transcript.lines == ('{"type": "user"}', '{"type": "assistant"}')
        assert seen.transcript.changed_at == 1795100000
    (machine.home / ".local/state/miyabi/agents/kaede.session").unlink()
    machine_folder = re.sub("[^a-zA-Z0-9]", "-", str(machine.home))
    for number in range(3):
        transcript(machine, f".claude/projects/{machine_folder}/{number}.jsonl", "{}", changed_at=number + 5)
    looker = Looker(looker.tmux, spec_of(pane_of("kaede", folder=str(machine.home))))
    [seen] = host.ask(looker.section(), "busybox", **environment).panes
    assert [each.changed_at for each in seen.candidates] == [7, 6, 5]


def register(machine: Machine, name: str, text: str | bytes) -> Path:
    """Write an entry of the register as it is."""
    folder = machine.home / ".local/state/miyabi/agents"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{file_name(name)}.session"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def transcript(machine: Machine, path: str, text: str, *, changed_at: int = 1795100000) -> Path:
    """Write a file in which an agent keeps a conversation."""
    file = machine.home / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    os.utime(file, (changed_at, changed_at))
    return file


# Everything that the probe starts where all are registered.
TOOLS = ("awk", "base64", "cksum", "date", "gzip", "head", "mktemp", "rm", "sh", "stat", "tail", "timeout", "tmux")


@every_shell
def test_what_is_registered_leads_to_its_transcript(looker: Looker, shell: str) -> None:
    machine = looker.tmux.machine
    register(machine, "kaede", f"1 claude {FIRST} 1795000000\n")
    other = register(machine, "sakura", f"1 codex {SECOND} 1795000001")
    folder = ".codex/sessions/2026/11/20"
    newest = transcript(machine, f"{folder}/rollout-2026-11-20T10-00-00-{SECOND}.jsonl", "x" * 9000 + '\n{"b": 1}')
    transcript(machine, f".codex/sessions/2026/11/19/rollout-2-{SECOND}.jsonl", '{"old": 1}\n', changed_at=1795000000)
    kept = transcript(machine, f".claude/projects/-other/{FIRST}.jsonl", '==> next <==\n\n{"token": "abc"}\n{"a": 1}\n')
    wanted = spec_of(pane_of("kaede"), pane_of("sakura", "codex"), pane_of("botan"))
    looker.tmux.run("new-window", "-d", "-n", "sakura", "exec sleep 600")
    mark(looker.tmux, "main:sakura", "sakura")
    agents = Looker(looker.tmux, wanted, shell).look()
    assert {name: each.session_id for name, each in agents.conversations.items()} == {"kaede": FIRST, "sakura": SECOND}
    assert (agents.conversations["sakura"].kind, agents.conversations["sakura"].since) == ("codex", 1795000001.0)
    kaede, sakura = agents.panes
    assert (kaede.conversation, kaede.candidates) == (agents.conversations["kaede"], ())
    assert kaede.transcript is not None
    assert kaede.transcript.path == str(kept)
    assert (kaede.transcript.session_id, kaede.transcript.changed_at) == (FIRST, 1795100000.0)
    assert kaede.transcript.lines == ("==> next <==", '{"token": "********"}', '{"a": 1}')
    assert sakura.transcript is not None
    assert sakura.transcript.path == str(newest)
    assert sakura.transcript.session_id == SECOND
    assert sakura.transcript.lines[-1] == '{"b": 1}'
    assert len(sakura.transcript.lines[0]) < 4000
    assert other.read_text().endswith("1")


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "\n",
        "1",
        "1 claude",
        f"1 claude {FIRST}",
        f"1 claude {FIRST} ",
        f"1 claude {FIRST} x",
        f"2 claude {FIRST} 1795000000\n",
        f"1 claude {FIRST} 1795000000\nmore\n",
        f"1 claude {FIRST} 1795000000 x\n",
        "1 claude a/../b 1795000000\n",
        "1 claude $(touch${IFS}pwned) 1795000000\n",
        "1 claude ';touch pwned;' 1795000000\n",
        "1 claude * 1795000000\n",
        f"\0\0{FIRST}\0",
        b"\xff\xfe 1 claude",
        "1 claude " + "x" * 300 + " 1795000000\n",
        "x" * 5_000_000,
        f"1 claude {FIRST} 1795000000\n" + "y" * 5_000_000,
    ],
    ids=range(19),
)
def test_an_entry_that_cannot_be_is_none(looker: Looker, entry: str | bytes) -> None:
    machine = looker.tmux.machine
    register(machine, "kaede", entry)
    register(machine, "sakura", f"1 claude {SECOND} 1795000000\n")
    folder = re.sub("[^a-zA-Z0-9]", "-", str(machine.home))
    found = transcript(machine, f".claude/projects/{folder}/{FIRST}.jsonl", "{}\n")
    agents = Looker(looker.tmux, spec_of(pane_of("kaede", folder=str(machine.home)), pane_of("sakura"))).look()
    assert list(agents.conversations) == ["sakura"]
    [seen] = agents.panes
    assert seen.conversation is None
    assert [each.path for each in seen.candidates] == [str(found)]
    assert not list(machine.root.rglob("pwned"))


@pytest.mark.parametrize("what", ["folder", "link", "fifo"])
def test_an_entry_that_is_no_file_is_none(looker: Looker, what: str) -> None:
    machine = looker.tmux.machine
    path = register(machine, "kaede", f"1 claude {FIRST} 1795000000\n")
    elsewhere = machine.home / "elsewhere"
    path.rename(elsewhere)
    if what == "folder":
        path.mkdir()
    elif what == "link":
        path.symlink_to(elsewhere)
    else:
        os.mkfifo(path)
    assert looker.look().conversations == {}


def test_a_transcript_that_is_no_file_is_none(looker: Looker) -> None:
    machine = looker.tmux.machine
    register(machine, "kaede", f"1 claude {FIRST} 1795000000\n")
    folder = machine.home / ".claude/projects/-x"
    folder.mkdir(parents=True)
    os.mkfifo(folder / f"{FIRST}.jsonl")
    seen = looker.pane("kaede")
    assert seen.conversation is not None
    assert seen.transcript is None


@every_shell
def test_an_agent_without_a_conversation_is_told_the_newest_of_its_folder(tmux_server: TmuxServer, shell: str) -> None:
    machine = tmux_server.machine
    work = machine.home / "my work.d" / "楓"
    work.mkdir(parents=True)
    tmux_server.start("main")
    tmux_server.run("new-window", "-d", "-n", "kaede", "-c", str(work), "exec sleep 600")
    mark(tmux_server, "main:kaede", "kaede")
    tmux_server.run("new-window", "-d", "-n", "sakura", "exec sleep 600")
    mark(tmux_server, "main:sakura", "sakura")
    folder = re.sub("[^a-zA-Z0-9]", "-", str(work))
    for number in range(9):
        transcript(
            machine, f".claude/projects/{folder}/{number}.jsonl", f'{{"n": {number}}}\nx\n', changed_at=10 + number
        )
        transcript(machine, f".claude/projects/{folder}x/{number}.jsonl", "{}\n", changed_at=100)
        path = f".codex/sessions/2026/11/{number + 10}/rollout-{number}-{FIRST[:-1]}{number}.jsonl"
        transcript(machine, path, '{"type":"session_meta","payload":{"cwd":"/w"}}\n' * 100, changed_at=200 - number)
    (machine.home / f".claude/projects/{folder}/9.jsonl").mkdir()
    transcript(machine, f".claude/projects/{folder}/line\nbreak.jsonl", "{}\n", changed_at=99)
    # The folder that the spec names counts as well, as its shell finds it.
    wanted = spec_of(pane_of("kaede", folder="~/my work.d/楓/"), pane_of("sakura", "codex"))
    kaede, sakura = Looker(tmux_server, wanted, shell).look().panes
    assert [each.changed_at for each in kaede.candidates] == [18, 17, 16, 15, 14, 13]
    assert [each.session_id for each in kaede.candidates][:2] == ["8", "7"]
    assert kaede.candidates[0].head == '{"n": 8}\nx'
    assert [each.changed_at for each in sakura.candidates] == [200, 199, 198, 197, 196, 195]
    assert sakura.candidates[1].session_id == f"{FIRST[:-1]}1"
    assert sakura.candidates[1].head.startswith('{"type":"session_meta","payload":{"cwd":"/w"}}\n')
    assert 1900 < len(sakura.candidates[1].head) <= 2000
    assert sakura.candidates[1].lines == ()
    # A dead pane has no folder of its own: the spec's is left.
    tmux_server.run("set-option", "-p", "-t", "main:kaede", "remain-on-exit", "on")
    tmux_server.run("respawn-pane", "-k", "-t", "main:kaede", "true")
    again = Looker(tmux_server, wanted, shell).look().panes[0]
    assert [each.changed_at for each in again.candidates] == [18, 17, 16, 15, 14, 13]


def test_an_entry_of_another_kind_of_agent_leads_nowhere(looker: Looker) -> None:
    machine = looker.tmux.machine
    register(machine, "kaede", f"1 codex {FIRST} 1795000000\n")
    folder = re.sub("[^a-zA-Z0-9]", "-", str(machine.home))
    found = transcript(machine, f".claude/projects/{folder}/{FIRST}.jsonl", "{}\n")
    [seen] = Looker(looker.tmux, spec_of(pane_of("kaede", folder="~"))).look().panes
    assert seen.conversation is not None
    assert seen.conversation.kind == "codex"
    assert seen.transcript is None
    assert [each.path for each in seen.candidates] == [str(found)]


def test_nobody_s_kind_of_agent_has_a_screen_and_a_conversation(looker: Looker) -> None:
    machine = looker.tmux.machine
    register(machine, "kaede", f"1 aider {FIRST} 1795000000\n")
    [seen] = Looker(looker.tmux, spec_of(pane_of("kaede", "aider"))).look().panes
    assert seen.lines == ("hello", "", "> world")
    assert seen.conversation is not None
    assert (seen.transcript, seen.candidates) == (None, ())


def test_twenty_agents_cost_as_many_programs_as_one(tmux_server: TmuxServer, tmp_path: Path) -> None:
    machine = tmux_server.machine
    log = tmp_path / "log"
    for tool in TOOLS:
        real = shutil.which(tool)
        assert real is not None, f"{tool} is not installed"
        (tmp_path / tool).write_text(f'#!/bin/sh\necho {tool} >>{log}\nexec {real} "$@"\n')
        (tmp_path / tool).chmod(0o755)
    tmux_server.start("main")
    names = [f"agent-{number}" for number in range(20)]
    for name in names:
        tmux_server.run("new-window", "-d", "-n", name, "exec sleep 600")
        mark(tmux_server, f"main:{name}", name)
        register(machine, name, f"1 claude {FIRST} 1795000000\n")
    transcript(machine, f".claude/projects/-x/{FIRST}.jsonl", "{}\n")
    started = {}
    for number in (1, 20):
        looker = Looker(tmux_server, spec_of(*map(pane_of, names[:number])))
        lines = run_script("dash", probe_script([looker.section()]), machine.environment | {"PATH": str(tmp_path)})
        assert len(read_section(looker.section(), split_sections(lines)).panes) == number
        started[number] = sorted(log.read_text().split())
        log.unlink()
    assert started[1] == started[20]
    assert len(started[1]) == 16


def test_more_agents_than_one_message_to_tmux_may_hold(tmux_server: TmuxServer) -> None:
    tmux_server.configure("set -g default-command 'exec sleep 600'\n")
    tmux_server.start("main")
    names = [f"agent-{number:03}" for number in range(200)]
    for start in range(0, len(names), 26):
        words: list[str] = []
        for name in names[start : start + 26]:
            words += ["new-window", "-d", "-n", name, ";", "set-option", "-p", "-t", f"main:{name}"]
            words += ["@miyabi_pane", name, ";"]
        tmux_server.run(*words[:-1])
    looker = Looker(tmux_server, spec_of(*map(pane_of, names)))
    first = looker.look()
    assert [each.name for each in first.panes] == names
    again = looker.look()
    assert {each.same_since for each in again.panes} == {first.now}


def test_a_pane_that_vanishes_meanwhile_leaves_the_rest_missing_and_right(looker: Looker, tmp_path: Path) -> None:
    looker.tmux.run("new-window", "-d", "-n", "gone", "exec sleep 600")
    mark(looker.tmux, "main:gone", "sakura")
    looker.tmux.run("new-window", "-d", "-n", "last", "exec sleep 600")
    mark(looker.tmux, "main:last", "botan")
    environment = looker.tmux.machine.environment
    real = shutil.which("tmux", path=environment["PATH"])
    script = f'case "$*" in *capture-pane*) {real} kill-window -t main:gone;; esac; exec {real} "$@"'
    (tmp_path / "tmux").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "tmux").chmod(0o755)
    wanted = spec_of(*map(pane_of, ("kaede", "sakura", "botan")))
    section = Looker(looker.tmux, wanted).section()
    path = f"{tmp_path}:{environment['PATH']}"
    lines = run_script("dash", probe_script([section]), environment | {"PATH": path})
    [seen] = read_section(section, split_sections(lines)).panes
    assert (seen.name, seen.lines) == ("kaede", ("hello", "", "> world"))


def test_the_kinds_of_these_tests_are_those_of_the_repository() -> None:
    from miyabi.agent_kinds import agent_kinds_in  # noqa: PLC0415

    for name, kind in agent_kinds_in(Path(__file__).resolve().parents[2] / "inventory" / "agents").items():
        assert (kind.transcripts, kind.candidates) == (KINDS[name].transcripts, KINDS[name].candidates)
