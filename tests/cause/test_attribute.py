"""Each cause from the evidence that speaks for it, and nothing from what only looks like it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from miyabi.cause import CAUSES, Evidence, attribute
from miyabi.cause_patterns import said_in, spoken

OOM_LINE = "Out of memory: Killed process 4711 (node) total-vm:9100412kB, anon-rss:3000112kB, file-rss:0kB"
HEAP = (
    "<--- JS stacktrace --->",
    "FATAL ERROR: Ineffective mark-compacts near heap limit Allocation failed - JavaScript heap out of memory",
    *(f"{number:2}: 0x7f31aa{number:02}0 node::Frame{number}() [node]" for number in range(1, 20)),
)


def dead(status: int | None = None, signal: str | None = None, *screen: str, kernel: tuple[str, ...] = ()) -> Evidence:
    return Evidence(kind="pane-dead", status=status, signal=signal, screen=screen, kernel=kernel)


@pytest.mark.parametrize(
    ("evidence", "cause"),
    [
        (dead(130), "interrupted"),
        (dead(None, "2"), "interrupted"),
        (dead(None, "int"), "interrupted"),
        (dead(None, "3"), "interrupted"),
        (dead(143), "terminated"),
        (dead(None, "15"), "terminated"),
        (dead(None, "1"), "terminated"),
        (dead(129), "terminated"),
        (dead(137), "killed"),
        (dead(None, "9"), "killed"),
        (dead(None, "KILL"), "killed"),
        (dead(None, "kill"), "killed"),
        (dead(None, "SIGKILL"), "killed"),
        (dead(None, "9", kernel=(OOM_LINE,)), "oom"),
        (dead(137, kernel=(OOM_LINE,)), "oom"),
        (dead(1, kernel=(OOM_LINE,)), "oom"),
        (dead(0, kernel=(OOM_LINE,)), "finished"),
        (dead(None, "15", kernel=(OOM_LINE,)), "terminated"),
        (dead(None, "6", *HEAP), "oom"),
        (dead(134, None, *HEAP, "Aborted (core dumped)"), "oom"),
        (dead(137, None, *HEAP), "oom"),
        (dead(None, "15", *HEAP[:2]), "terminated"),
        (dead(None, "6"), "crashed"),
        (dead(None, "11"), "crashed"),
        (dead(139), "crashed"),
        (dead(None, "segv"), "crashed"),
        (dead(None, "64"), "crashed"),
        (dead(None, "8"), "crashed"),
        (dead(1), "failed: exit 1"),
        (dead(42, None, "goodbye"), "failed: exit 42"),
        (dead(255), "failed: exit 255"),
        (dead(0), "finished"),
        (dead(0, None, "API Error: 500 was seen on the way"), "finished"),
        (dead(124), "timeout"),
        (dead(126), "permission"),
        (dead(127), "not-found"),
        (dead(None), "unknown"),
        (Evidence(), "unknown"),
        (Evidence(kind="pane-dead", status=1, disk_used=100.0), "disk-full"),
        (Evidence(kind="pane-dead", status=1, disk_used=92.0), "failed: exit 1"),
        (Evidence(kind="pane-dead", status=3, timed_out=True), "timeout"),
        (Evidence(kind="pane-dead", signal="9", oom_counted=True), "oom"),
        (Evidence(kind="pane-dead", signal="11", oom_counted=True), "crashed"),
        (Evidence(kind="pane-missing", server_running=True), "closed"),
        (Evidence(kind="window-missing", server_running=True), "closed"),
        (Evidence(kind="session-missing", server_running=True), "closed"),
        (Evidence(kind="session-missing", server_running=False), "server-lost"),
        (Evidence(kind="session-missing", server_running=False, rebooted=False), "server-lost"),
        (Evidence(kind="session-missing", server_running=False, rebooted=True), "rebooted"),
        (Evidence(kind="session-missing", server_running=True, rebooted=True), "rebooted"),
        (Evidence(kind="session-missing", server_running=False, seen_before=False), "missing"),
        (Evidence(kind="window-missing", server_running=None), "unknown"),
        (Evidence(kind="unreachable", error="No route to host"), "host-unreachable"),
        (Evidence(kind="agent-exited", screen=("zsh: killed     codex",)), "killed"),
        (Evidence(kind="agent-exited", screen=("bash: line 1:  4711 Killed                  codex",)), "killed"),
        (Evidence(kind="agent-exited", screen=("Killed", "kaede@mugen:~/repo$")), "killed"),
        (Evidence(kind="agent-exited", screen=("Terminated", "$")), "terminated"),
        (Evidence(kind="agent-exited", screen=("Segmentation fault (core dumped)", "$ ")), "crashed"),
        (Evidence(kind="agent-exited", screen=("step 4", "^C", "$ ")), "interrupted"),
        (Evidence(kind="agent-exited", screen=("Killed by the reviewer's remarks", "$ ")), "unknown"),
        (Evidence(kind="agent-exited", screen=("$ ^C", "$ ")), "unknown"),
        (Evidence(kind="agent-exited", screen=("sh: 1: codex: not found", "$ ")), "not-found"),
    ],
)
def test_how_it_ended(evidence: Evidence, cause: str) -> None:
    found = attribute(evidence)
    assert found.name == cause
    assert found.name.partition(":")[0] in CAUSES


SAID = {
    "oom": [
        "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
        "MemoryError",
        "Exception in thread main java.lang.OutOfMemoryError: Java heap space",
        "fatal error: runtime: out of memory",
        "memory allocation of 4194304 bytes failed",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "bash: fork: Cannot allocate memory",
    ],
    "disk-full": [
        "Error: ENOSPC: no space left on device, write",
        "tee: out.txt: No space left on device",
        "cp: error writing 'x': Disk quota exceeded",
        "sqlite3.OperationalError: database or disk is full",
    ],
    "usage-limit": [
        "You've hit your session limit · resets 4am (Asia/Tokyo)",
        "■ You've hit your usage limit. Try again at 9:20 PM.",
        "Claude usage limit reached. It resets later.",
        "Your credit balance is too low to access the API",
        '{"error": {"code": "insufficient_quota"}}'.replace("{", "x{", 1),
    ],
    "git": [
        "You are not logged into any GitHub hosts. To log in, run: gh auth login",
        "git@github.com: Permission denied (publickey).",
        " ! [rejected]        main -> main (fetch first)",
        " ! [remote rejected] main -> main (protected branch hook declined)",
        "fatal: Authentication failed for 'https://github.com/kaede/miyabi.git/'",
        "fatal: could not read Username for 'https://github.com': terminal prompts disabled",
        "remote: Permission to kaede/miyabi.git denied to momiji.",
        "CONFLICT (content): Merge conflict in README.md",
        "HTTP 401: Bad credentials (https://api.github.com/graphql)",
        "fatal: Could not read from remote repository.",
        "error: failed to push some refs to 'origin'",
        "fatal: Unable to create '/home/kaede/repo/.git/index.lock': File exists.",
    ],
    "auth": [
        "⏺ Please run /login · API Error: 401 {}",
        "Invalid API key · Fix external API key",
        "■ Your access token could not be refreshed because your refresh token was revoked.",
        "error: 401 Unauthorized",
        "API Error: 403 forbidden",
        "codex: Not logged in",
    ],
    "mcp-down": [
        "MCP server 'miyabi-tmux' failed to start",
        "Failed to connect to MCP server: connect ECONNREFUSED 127.0.0.1:8931",
        "McpError: -32000 Connection closed",
        "miyabi-phone: node dist/index.js - ✗ Failed to connect",
    ],
    "api-error": [
        "⏺ API Error: 529 Overloaded. Try again in a moment.",
        "API Error: 500 Internal server error",
        "API Error: Server is temporarily limiting requests (not your usage limit)",
        "API Error: Response stalled mid-stream.",
        "stream error: unexpected status 502; retrying 5/5",
        "429 Too Many Requests",
        "503 Service Unavailable",
        "HTTP 503",
    ],
    "permission": [
        "EACCES: permission denied, open '/etc/shadow'",
        "bash: ./run.sh: Permission denied",
        "mkdir: cannot create directory 'x': Operation not permitted",
        "touch: cannot touch 'x': Read-only file system",
    ],
    "not-found": [
        "sh: 1: codex: not found",
        "bash: line 1: codex: command not found",
        "zsh:1: command not found: codex",
        "mksh: codex: inaccessible or not found",
        "Error: spawn claude ENOENT",
        "ModuleNotFoundError: No module named 'pyinfra'",
        "Error: Cannot find module '/app/dist/index.js'",
    ],
    "network": [
        "fatal: unable to access 'https://github.com/': Could not resolve host: github.com",
        "Error: getaddrinfo ENOTFOUND api.anthropic.com",
        "connect ECONNREFUSED 127.0.0.1:8080",
        "ssh: connect to host mugen port 22: No route to host",
        "TypeError: fetch failed",
        "API Error: Connection error.",
        "curl: (7) Failed to connect to localhost port 1: Connection refused",
        "ssh: connect to host mugen port 22: Connection timed out",
        "its name is not known",
        "The socket connection was closed unexpectedly",
    ],
    "timeout": ["Error: the operation timed out", "context deadline exceeded", "Timed out waiting for the build"],
    "config-broken": [
        "SyntaxError: Unexpected token } in JSON at position 81",
        "json.decoder.JSONDecodeError: Expecting value: line 1 column 1",
    ],
}


@pytest.mark.parametrize(("cause", "line"), [(cause, line) for cause, lines in SAID.items() for line in lines])
def test_what_a_program_said(cause: str, line: str) -> None:
    found = attribute(dead(1, None, "it worked for a while", line))
    assert found.name == cause
    assert found.lines == (line.strip(),)
    assert "failed (exit status 1)" not in found.detail
    # A signal is stronger, and the words stand beside it.
    beside = attribute(dead(None, "15", line))
    assert beside.name == "terminated"
    assert f"; also: {cause}" in beside.detail


@pytest.mark.parametrize(
    "line",
    [
        "❯ why did it say API Error: 401 and Please run /login yesterday?",  # noqa: RUF001
        "> what does ENOSPC mean",
        "  ⎿  Please run /login · API Error: 401",
        "│ Permission denied                │",
        "$ grep -r 'No space left on device' .",
        "kaede@mugen:~/repo$ echo usage limit reached",
        '"connect ECONNREFUSED" is what it printed',
        "  42 + raise MemoryError",
        "- handle API Error 529",
        "80% of your daily usage",
        "no errors, 12 tests passed",
        "I have written the tests for the limits",
        "The API is stable",
        "404 tests passed",
        "All caps: PERMANENT, AUTHOR",
        "author: kaede",
        "the timeouts are bounded",
        "gitignore updated",
        "reset the counter",
        "✶ Crunched for 12s (1.2k tokens)",
    ],
)
def test_what_was_only_shown(line: str) -> None:
    assert attribute(dead(1, None, line)).name == "failed: exit 1"


def test_quoted_blocks_are_not_believed() -> None:
    block = ("The log says:", "```", "Error: ENOSPC: no space left on device", "```", "That is all.")
    assert attribute(dead(1, None, *block)).name == "failed: exit 1"
    # A fence that is never closed was none.
    assert attribute(dead(1, None, "```", "Error: ENOSPC: no space left on device")).name == "disk-full"


def test_only_the_latest_lines_are_believed() -> None:
    later = [f"line {number}" for number in range(20)]
    assert attribute(dead(1, None, "API Error: 529 Overloaded", *later)).name == "failed: exit 1"
    assert attribute(dead(1, None, "API Error: 529 Overloaded", *later[:14])).name == "api-error"
    assert attribute(dead(1, None, "API Error: 529 Overloaded", *([""] * 40))).name == "api-error"


def test_the_last_words_count_most() -> None:
    assert attribute(dead(1, None, "API Error: 529 Overloaded", "write: No space left on device")).name == "disk-full"
    assert attribute(dead(1, None, "write: No space left on device", "API Error: 529 Overloaded")).name == "api-error"


def test_what_only_follows_another_trouble_does_not_hide_it() -> None:
    lines = ("ssh: Could not resolve hostname github.com", "fatal: Could not read from remote repository.")
    assert attribute(dead(128, None, *lines)).name == "network"


def test_escape_sequences_and_secrets_are_taken_out() -> None:
    found = attribute(dead(1, None, "\x1b[31mEACCES: permission denied, token=abcdef123456\x1b[0m"))
    assert found.name == "permission"
    assert found.lines == ("EACCES: permission denied, token=********",)


def test_tmux_s_own_line_is_nobody_s_word() -> None:
    screen = ("Pane is dead (status 1, Sat Nov 21 08:05:30 2026)",)
    assert attribute(dead(1, None, *screen)).lines == ()
    assert spoken(["Pane is dead (sig"]) == []


@pytest.mark.parametrize(
    ("subject", "reason", "cause"),
    [
        ("sshd", "nobody answers on port 22", "sshd-down"),
        ("sshd", "no answer within 5 s", "timeout"),
        ("server miyabi-tmux", "it does not run", "mcp-down"),
        ("server miyabi-tmux", "it does not run: EACCES", "mcp-down"),
        ("server miyabi-tmux", "ended 2 of an earlier generation", "orphans"),
        ("server miyabi-tmux", "nobody owns these of an earlier generation: 4711", "orphans"),
        ("server miyabi-tmux", "it should be down, but runs: 4711", "unknown"),
        ("config ~/.miyabi/config.json", "backed up", "unknown"),
        (
            "config ~/.miyabi/config.json",
            "came back from its backup of 2026; what was found: it is empty",
            "config-broken",
        ),
        ("log ~/.miyabi/logs/*.log", "agents.log has 120 MB", "log-overgrown"),
        ("temp /tmp/claude-*", "3 old ones", "litter"),
        ("config ~/.miyabi/config.json", "it is empty", "config-broken"),
        ("disk", "/ 97 % used, 1.2 GB left (critical 90 %)", "disk-full"),
        ("memory", "4 % available", "memory-low"),
        ("processes", "40 of the user's own (critical 32)", "too-many-processes"),
        ("clock", "at least 90 s ahead of the control machine's", "clock-off"),
        ("wake lock", "it is not held", "asleep"),
        ("network github.com:443", "the connection is refused", "network"),
        ("integration github", "exit code 1: You are not logged into any GitHub hosts.", "git"),
        ("integration api", "unauthorised (HTTP 401)", "auth"),
        ("integration api", "HTTP 503", "api-error"),
        ("integration api", "the connection is refused", "network"),
        ("integration api", "its name is not known", "network"),
        ("integration api", "TLS trouble (certificate has expired)", "network"),
        ("integration api", "no answer within 5 s", "timeout"),
        ("integration own", "exit code 3", "failed: exit 3"),
        ("integration own", "it is odd", "unknown"),
        ("disk", "exit code 1: df: /x: Permission denied", "permission"),
        ("disk", "unexpected output: x", "unknown"),
        ("something else", "it is odd", "unknown"),
    ],
)
def test_what_upkeep_found(subject: str, reason: str, cause: str) -> None:
    assert attribute(Evidence(kind="upkeep", subject=subject, error=reason)).name == cause


def test_what_contradicts_stands_in_the_detail() -> None:
    found = attribute(Evidence(kind="upkeep", subject="server mcp", error="it does not run: listen EACCES"))
    assert (found.name, found.detail.partition("; also: ")[2]) == ("mcp-down", "permission (it says so)")


def test_nothing_known_keeps_the_reason() -> None:
    assert (
        attribute(Evidence(kind="agent-exited", error="only an idle shell is left")).detail
        == "only an idle shell is left"
    )


_TEXT = st.text(max_size=60)


@given(
    st.builds(
        Evidence,
        kind=st.sampled_from(["pane-dead", "agent-exited", "session-missing", "upkeep", "unreachable", ""]),
        subject=_TEXT | st.sampled_from(["sshd", "integration x"]),
        error=_TEXT,
        status=st.none() | st.integers(0, 255),
        signal=st.none() | st.sampled_from(["9", "11", "kill", "INT", "0", "99", "x"]),
        screen=st.lists(_TEXT, max_size=5).map(tuple),
        kernel=st.lists(_TEXT, max_size=2).map(tuple),
        oom_counted=st.booleans(),
        rebooted=st.none() | st.booleans(),
        server_running=st.none() | st.booleans(),
        seen_before=st.booleans(),
        disk_used=st.none() | st.floats(0, 100),
        timed_out=st.booleans(),
    )
)
def test_any_evidence_has_a_cause_that_is_known(evidence: Evidence) -> None:
    found = attribute(evidence)
    assert found.name.partition(":")[0] in CAUSES
    assert all("\x1b" not in line and "\n" not in line for line in found.lines if not evidence.kernel)


def test_a_long_line_takes_no_time() -> None:
    """The patterns look at every place of a line once, or nearly so."""
    for line in ("a " * 50_000, "MCP " * 20_000, "1 " * 50_000, "x" * 100_000):
        assert said_in(spoken([line])) is None or "MCP" in line
        attribute(Evidence(kind="upkeep", subject="integration x", error=line))


def test_the_page_has_each_cause() -> None:
    page = (Path(__file__).parents[2] / "docs" / "causes.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", page, flags=re.MULTILINE))
    assert rows == dict(CAUSES)
