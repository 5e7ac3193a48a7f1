"""What a spec becomes: defaults, identities, directories, and where it differs from tmuxp on purpose."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from miyabi.levels import DEFAULT_BUDGETS, Level
from miyabi.spec import (
    Agent,
    Command,
    ConfigFile,
    DiskLimit,
    Limits,
    Log,
    McpServer,
    MemoryLimit,
    Pane,
    ProcessLimit,
    Recovery,
    Relief,
    Session,
    Spec,
    Sshd,
    Temp,
    Termux,
    TmuxServer,
    Window,
)
from miyabi.spec_identity import window_identities
from miyabi.spec_integration import Integration
from miyabi.spec_paths import join
from tests.spec.reading import pane, spec, window

EXAMPLE = """\
sessions:
  - session_name: miyabi
    windows:
      - window_name: codegen-1
        panes:
          - name: kaede
            shell_command: codex
            restart: on-failure
            agent: {role: CodeGen, resume: "codex resume {session_id}", stall_after: 5m}
sshd: {port: 22}
mcp_servers: [{name: mcp, start: "npm run mcp:start", cwd: ~/repos/miyabi, match: "mcp/dist/index.js", expected: up}]
logs: [{path: "~/.miyabi/logs/*.log", max_size: 100MB, keep: 7}]
temp: [{path: "/tmp/claude-*", older_than: 7d}]
config_files: [{path: ~/.miyabi/config.json, format: json, backups: 5}]
limits: {disk: {path: "~", warning: 85%, critical: 90%}, memory_available: {warning: 15%, critical: 10%}}
recovery: {max_level: L3, setup_script: ~/setup-tmux.sh, budgets: {L1: 10s, L2: 30s, L3: 60s, L4: 5m}}
"""


def test_the_whole_of_a_spec() -> None:
    found = spec(EXAMPLE)
    kaede = Pane(
        "kaede",
        (Command("codex"),),
        restart="on-failure",
        agent=Agent("CodeGen", resume="codex resume {session_id}", stall_after=300.0),
    )
    assert len(found.digest) == 64
    assert found == Spec(
        source="spec.yaml",
        digest=found.digest,
        sessions=(Session("miyabi", windows=(Window("codegen-1", "codegen-1", panes=(kaede,)),)),),
        sshd=Sshd(22),
        mcp_servers=(McpServer("mcp", "npm run mcp:start", "~/repos/miyabi", "mcp/dist/index.js"),),
        logs=(Log("~/.miyabi/logs/*.log", 100_000_000, 7),),
        temp=(Temp("/tmp/claude-*", 604800.0),),  # noqa: S108 - nothing is written there
        config_files=(ConfigFile("~/.miyabi/config.json", "json", 5),),
        limits=Limits(),
        recovery=Recovery(Level.L3, "~/setup-tmux.sh"),
    )


def test_the_defaults_of_the_schema_are_those_of_the_spec() -> None:
    found = spec(
        "{sshd: {}, logs: [{path: a}], temp: [{path: /a/b}], config_files: [{path: a, format: toml}], limits: {},"
        " integrations: [{name: a, tcp: 'b:1'}], termux: {}}"
    )
    assert found == Spec(
        source="spec.yaml",
        digest=found.digest,
        sshd=Sshd(),
        logs=(Log("/specs/a", 100_000_000, 7),),
        temp=(Temp("/a/b", 604800.0),),
        config_files=(ConfigFile("/specs/a", "toml", 5),),
        limits=Limits(DiskLimit(), MemoryLimit()),
        integrations=(Integration("a", tcp="b:1"),),
    )
    assert spec("sessions: []").limits is None
    assert found.recovery == Recovery()
    assert window("session_name: s\nwindows: [{}]") == Window("window-1", panes=(Pane("s:window-1.1"),))


def test_every_value_of_every_key() -> None:
    found = spec("""
        tmux: {socket_name: fleet, config_file: ./tmux.conf}
        sessions: []
        sshd: {port: '8022', start: sudo sshd}
        mcp_servers:
          - {name: a, start: run, cwd: srv, port: 80, expected: down, environment: {A: ./b}, orphans: reap}
        limits:
          disk: {path: /data, warning: 50, critical: 60.5, relief: [{prune: x/y/*, older_than: 1h}, {rotate: ./y}]}
          memory_available: {warning: 9%, critical: '8', relief: [{restart: a}]}
          processes: {warning: 5}
          clock_skew: {warning: 1m}
        integrations:
          - {name: i, http: "http://x/", expect: [200, '204'], headers: {A-B: $C}, timeout: 1.5, remedy: up}
          - {name: j, command: true-ish}
        termux: {wake_lock: true, notifications: true}
        availability: intermittent
        grace: 1m
        recovery: {max_level: L4, guardian: null, setup_script: ./up.sh now, budgets: {L2: 1m, L4: 1.5}}
        """)
    assert found.tmux == TmuxServer("fleet", "/specs/tmux.conf")
    assert found.sshd == Sshd(8022, "sudo sshd")
    assert found.mcp_servers == (McpServer("a", "run", "/specs/srv", None, 80, "down", (("A", "/specs/b"),), "reap"),)
    assert found.limits == Limits(
        DiskLimit(
            "/data", 50.0, 60.5, (Relief("prune", "/specs/x/y/*", older_than=3600.0), Relief("rotate", "/specs/y"))
        ),
        MemoryLimit(9.0, 8.0, (Relief("restart", "a"),)),
        ProcessLimit(5, 32),
        60.0,
    )
    assert found.integrations == (
        Integration("i", http="http://x/", expect=(200, 204), headers=(("A-B", "$C"),), timeout=1.5, remedy="up"),
        Integration("j", command="true-ish"),
    )
    assert found.termux == Termux(wake_lock=True, notifications=True)
    assert (found.availability, found.grace) == ("intermittent", 60.0)
    budgets = DEFAULT_BUDGETS | {Level.L2: 60.0, Level.L4: 1.5}
    assert found.recovery == Recovery(Level.L4, "/specs/up.sh now", None, tuple(budgets.items()))


def test_a_workspace_file_may_also_describe_its_host() -> None:
    found = spec("session_name: s\nwindows: [{}]\nsshd: {port: 22}\nrecovery: {max_level: L2}")
    assert [session.session_name for session in found.sessions] == ["s"]
    assert found.sshd == Sshd(22)
    assert found.recovery.max_level is Level.L2


@pytest.mark.parametrize(
    ("keys", "restart", "agent", "supervised"),
    [
        ("", "never", None, False),
        ("agent: true", "on-failure", Agent(), True),
        ("agent: {}", "on-failure", Agent(), True),
        ("agent: false", "never", None, False),
        ("agent: {role: Review}", "on-failure", Agent("Review"), True),
        ("agent: true, restart: never", "never", Agent(), True),
        ("agent: true, restart: always", "always", Agent(), True),
        ("restart: always", "always", None, True),
        ("restart: on-failure", "on-failure", None, True),
    ],
)
def test_restart_policies(keys: str, restart: str, agent: Agent | None, supervised: bool) -> None:
    found = pane(f"{{shell_command: run, {keys}}}")
    assert (found.restart, found.agent, found.supervised) == (restart, agent, supervised)


@pytest.mark.parametrize(
    ("names", "identities"),
    [
        ([], []),
        (["a", "b"], ["a", "b"]),
        ([None, None], ["window-1", "window-2"]),
        (["a", "a", "a"], ["a", "a#2", "a#3"]),
        (["a", None, "a", None], ["a", "window-2", "a#2", "window-4"]),
        (["", "x"], ["window-1", "x"]),
        # A name that is made gives way to a name that is written.
        (["a", "a", "a#2"], ["a", "a#3", "a#2"]),
        ([None, "window-1"], ["window-1#2", "window-1"]),
    ],
)
def test_window_identities(names: list[str | None], identities: list[str]) -> None:
    assert window_identities(names) == identities


@given(st.lists(st.sampled_from([None, "", "a", "b", "a#2", "a#2#2", "window-1", "window-3"])))
def test_window_identities_are_unique_and_keep_written_names(names: list[str | None]) -> None:
    identities = window_identities(names)
    assert len(set(identities)) == len(names)
    assert {name for name in names if name} <= set(identities)


def test_pane_names() -> None:
    found = spec(
        "session_name: s\nwindows:\n- {window_name: w.1, panes: [a, {name: b}, c]}\n- {window_name: w.1}\n- {}"
    )
    assert [[p.name for p in w.panes] for w in found.sessions[0].windows] == [
        ["s:w.1.1", "b", "s:w.1.3"],
        ["s:w.1#2.1"],
        ["s:window-3.1"],
    ]


@pytest.mark.parametrize(
    ("directory", "path", "joined"),
    [
        ("/specs", "repo", "/specs/repo"),
        ("/specs", "./repo", "/specs/repo"),
        ("/specs", ".", "/specs"),
        ("/specs/a", "../b", "/specs/b"),
        ("/", "a", "/a"),
        ("/", "..", "/.."),
        ("/a", "../../b", "/../b"),
        ("/specs", "/srv", "/srv"),
        ("/specs", "~/x", "~/x"),
        ("/specs", "~other/x", "~other/x"),
        ("/specs", "$REPOS/x", "$REPOS/x"),
        ("~", "./x", "~/x"),
        ("~", "..", "~/.."),
        ("~/a", "../b", "~/b"),
        ("$REPOS", "../b", "$REPOS/../b"),
        ("$REPOS/a", "../b", "$REPOS/b"),
    ],
)
def test_relative_paths(directory: str, path: str, joined: str) -> None:
    assert join(directory, path) == joined


DIRECTORIES = """\
session_name: s
start_directory: {session}
windows:
  - {{start_directory: {window}, panes: [{{start_directory: {pane}}}]}}
"""


@pytest.mark.parametrize(
    ("session", "window_", "pane_", "expected"),
    [
        ("null", "null", "null", None),
        ("/s", "null", "null", "/s"),
        ("s", "null", "null", "~/s"),
        ("./s", "w", "./p", "~/s/w/p"),
        ("~/s", "w", "null", "~/s/w"),
        ("~/s", "~/w", "p", "~/w/p"),
        ("$S", "./w", "null", "$S/w"),
        ("null", "./w", "null", "~/w"),
        ("null", "null", "./p", "~/p"),
        ("/s", "$W", "/p", "/p"),
        ("''", "''", "''", None),
    ],
)
def test_directories_of_a_remote_host(session: str, window_: str, pane_: str, expected: str | None) -> None:
    found = window(DIRECTORIES.format(session=session, window=window_, pane=pane_), base_directory="~")
    assert found.panes[0].start_directory == expected


def test_variables_and_homes_are_left_to_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACE", "/nowhere")
    found = spec("""
        session_name: s
        start_directory: $PLACE
        environment: {A: $PLACE, B: ~/x}
        before_script: ~/bin/prepare $PLACE
        windows: [{panes: ['echo $PLACE ~'], options: {default-command: $PLACE/x}}]
        """).sessions[0]
    assert found.start_directory == "$PLACE"
    assert found.environment == (("A", "$PLACE"), ("B", "~/x"))
    assert found.before_script == "~/bin/prepare $PLACE"
    assert found.windows[0].options == (("default-command", "$PLACE/x"),)
    assert found.windows[0].panes[0].commands == (Command("echo $PLACE ~"),)


@pytest.mark.parametrize(
    ("base", "script", "expected"),
    [
        ("/specs", "./up.sh", "/specs/up.sh"),
        ("/my specs", "./up.sh a b", "'/my specs/up.sh' a b"),
        ("/specs", "../up.sh 'a  b' http://x//y", "/up.sh 'a  b' http://x//y"),
        ("~", "./up.sh now", "~/up.sh now"),
        ("/specs", "make setup", "make setup"),
    ],
)
def test_scripts_beside_the_spec(base: str, script: str, expected: str) -> None:
    found = spec(f'session_name: s\nwindows: [{{}}]\nbefore_script: "{script}"', base).sessions[0]
    assert found.before_script == expected


def test_pauses_may_be_durations() -> None:
    assert pane("{shell_command: [{cmd: a, sleep_before: 1m}], sleep_after: '2'}").commands == (
        Command("a", sleep_before=60.0, sleep_after=2.0),
    )


def test_the_digest_is_that_of_the_content() -> None:
    first, same, other = spec("sessions: []", "/a"), spec("sessions: []", "/b"), spec("sessions: [] ")
    assert first.digest == same.digest != other.digest
