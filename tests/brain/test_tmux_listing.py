"""The parser of tmux's answer, and what it calls absent, too old, and unknown."""

from __future__ import annotations

import pytest

from miyabi.errors import ParseError
from miyabi.tmux_listing import parse_listing, version_key

LISTING = """\
S|$0|1|1795225010|1|3.3a|miyabi||mi%7Cya%25bi
S|$1|0|1795225011|1|3.3a||group|other
P|$0|@1|2|1|0|65a5,80x24,0,0,1|%1|0|4711|1|0|||0||codegen-1|codegen %7C 1|kaede
P|$0|@1|2|1|0|65a5,80x24,0,0,1|%2|1|4712|0|1||9|0||codegen-1|codegen %7C 1|
P|$0|@0|1|0|1|65a5,80x24,0,0,1|%3|0|4713|1|1|137||1|tiled x||main|
P|$1|@9|1|1|0|65a5,80x24,0,0,1|%25|0||1|0|||0|||w|
D %1 9 /a b/日c
D %2 8 /new
P|$0
D %3 0 {}
D %25 1 /
C %1 4 bash

exit 0 77
""".format("")


def test_a_listing() -> None:
    tmux = parse_listing(LISTING)
    first, second = tmux.sessions
    assert (tmux.version, tmux.running) == ("3.3a", True)
    assert (first.name, first.session_name, first.attached, first.base_index) == ("miyabi", "mi|ya%bi", 1, 1)
    assert (second.name, second.group, second.session_name) == (None, "group", "other")
    main, codegen = first.windows
    assert (main.window_index, main.window_name, main.name, main.zoomed, main.layout_mark) == (
        1,
        "main",
        None,
        True,
        "tiled x",
    )
    assert (codegen.name, codegen.window_name, codegen.active) == ("codegen-1", "codegen | 1", True)
    kaede, killed = codegen.panes
    assert (kaede.name, kaede.pid, kaede.dead, kaede.command, kaede.path) == ("kaede", 4711, False, "bash", "/a b/日c")
    # A path may hold a newline and what looks like a record.
    assert (killed.dead, killed.dead_status, killed.dead_signal, killed.path) == (True, None, "9", "/new\nP|$0")
    [dead] = main.panes
    assert (dead.dead_status, dead.dead_signal, dead.in_mode, dead.path) == (137, None, True, "")
    # A pane's id looks like an encoded character.
    assert (second.windows[0].panes[0].pane_id, second.windows[0].panes[0].path) == ("%25", "/")
    assert second.windows[0].panes[0].pid is None


@pytest.mark.parametrize(
    "message",
    [
        "no server running on /tmp/tmux-0/default",
        "error connecting to /tmp/tmux-0/default (No such file or directory)",
        "error connecting to /tmp/tmux-0/default (Connection refused)",
    ],
)
def test_no_server_is_certain(message: str) -> None:
    tmux = parse_listing(f"{message}\ntmux 3.3a\nexit 1 77\n")
    assert (tmux.running, tmux.version, tmux.sessions) == (False, "3.3a", ())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("protocol version mismatch (client 8, server 7)\ntmux 3.5\nexit 1 77", "protocol version mismatch"),
        ("server exited unexpectedly\ntmux 3.5\nexit 1 77", "server exited unexpectedly"),
        ("error connecting to /tmp/x (Permission denied)\ntmux 3.5\nexit 1 77", "Permission denied"),
        ("tmux 3.5\nexit 1 77", "without a word"),
        ("tmux 3.5\nexit 124 77", "does not answer"),
        ("S|$0|1", "has no end"),
        ("", "has no end"),
        ("what is this\nexit 0 77", "printed 'what is this'"),
        ("D %1 9 /a\nexit 0 77", "ends inside the text of pane %1"),
        ("no server running on /x\ntmux 3.1c\nexit 1 77", "tmux 3.1c is older than 3.2a"),
        ("S|$0|1|1|0|3.2|||s\nexit 0 77", "tmux 3.2 is older than 3.2a"),
    ],
)
def test_everything_else_is_unknown(text: str, reason: str) -> None:
    with pytest.raises(ParseError, match=reason):
        parse_listing(text)


@pytest.mark.parametrize("cut", range(10, len(LISTING) - 2, 13))
def test_a_cut_listing_is_never_taken_for_a_whole_one(cut: int) -> None:
    with pytest.raises(ParseError):
        parse_listing(LISTING[:cut])


@pytest.mark.parametrize(
    ("version", "key"),
    [("3.2a", (3, 2, "a")), ("3.10", (3, 10, "")), ("next-3.7", (3, 7, "")), ("3.7-rc", (3, 7, "")), ("master", None)],
)
def test_versions(version: str, key: tuple[int, int, str] | None) -> None:
    assert version_key(version) == key
