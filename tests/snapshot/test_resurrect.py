"""Save files of tmux-resurrect: every form that it has written, and every way in which one can be broken."""

from __future__ import annotations

import pytest

from miyabi.adopt import adopt_session
from miyabi.errors import SnapshotError
from miyabi.resurrect import read_resurrect
from miyabi.snapshot_text import tree
from miyabi.spec_file import parse_spec

LAYOUT = "2f6a,90x20,0,0{45x20,0,0,1,44x20,46,0,2}"

# Two windows of one session, in the plugin's present form and in the one that it had up to version 3.
NEW = "\n".join(
    "\t".join(row)
    for row in [
        ["grouped_session", "twin", "work", ":1", ":0"],
        ["pane", "work", "0", "1", ":*Z", "0", "title", ":/srv/my\\ app", "1", "vim", ":vim notes.txt"],
        ["pane", "work", "0", "1", ":*Z", "1", "", ":/srv", "0", "bash", ":"],
        ["pane", "work", "1", "0", ":-", "0", "box", ":/home/kaede", "1", "node", ":node /usr/bin/tool --token abc"],
        ["window", "work", "0", ":code", "1", ":*Z", LAYOUT, ":"],
        ["window", "work", "1", ":日本", "0", ":-", "b25d,90x20,0,0,3", "on"],
        ["state", "work", "twin"],
        ["future", "row"],
        [""],
    ]
)
OLD = "\n".join(
    "\t".join(row)
    for row in [
        ["pane", "work", "0", ":code", "1", ":*Z", "0", ":/srv/my app", "1", "vim", ":vim notes.txt"],
        ["pane", "work", "0", ":code", "1", ":*Z", "1", ":/srv", "0", "bash", ":"],
        ["pane", "work", "1", ":日本", "0", ":-", "0", ":/home/kaede", "1", "node", ":node /usr/bin/tool --token abc"],
        ["window", "work", "0", "1", ":*Z", LAYOUT],
        ["window", "work", "1", "0", ":-", "b25d,90x20,0,0,3"],
        ["state", "work", ""],
        [""],
    ]
)


@pytest.mark.parametrize("text", [NEW, OLD], ids=["new", "old"])
def test_every_form_is_read(text: str) -> None:
    snapshot = read_resurrect(text.encode(), "/x/tmux_resurrect_20261120T101112.txt")
    [session] = snapshot.sessions
    first, second = session.windows
    assert (snapshot.taken, session.session_name) == ("20261120T101112", "work")
    assert (first.window_name, first.active, first.zoomed, first.layout) == ("code", True, True, LAYOUT)
    assert (second.window_name, second.active) == ("日本", False)
    assert [(pane.path, pane.command, pane.certain) for pane in (*first.panes, *second.panes)] == [
        ("/srv/my app", "vim notes.txt", True),
        ("/srv", "", True),
        ("/home/kaede", "node /usr/bin/tool --token ********", False),
    ]
    assert "vim notes.txt" in tree(snapshot)


@pytest.mark.parametrize("text", [NEW, OLD], ids=["new", "old"])
def test_a_save_file_becomes_a_spec(text: str) -> None:
    adopted = adopt_session(read_resurrect(text.encode(), "last"), None, origin="from last")
    [session] = parse_spec("adopted", adopted.text.encode(), base_directory="~").sessions
    assert [window.window_name for window in session.windows] == ["code", "日本"]
    assert session.windows[0].layout == LAYOUT
    assert [pane.start_directory for pane in session.windows[0].panes] == ["/srv/my app", "/srv"]
    assert [[each.text for each in pane.commands] for pane in session.windows[0].panes] == [["vim notes.txt"], []]
    assert "abc" not in adopted.text


def test_every_cut_of_a_file_is_read_or_told() -> None:
    whole = read_resurrect(NEW.encode(), "last")
    rows = 0
    for length in range(len(NEW.encode())):
        content = NEW.encode()[:length]
        try:
            found = read_resurrect(content, "last")
        except SnapshotError as error:
            assert str(error).startswith("last")  # noqa: PT017 - it may be read, too
        else:
            # Cut between two rows: less, but nothing else.
            rows += 1
            assert {pane.path for pane in found.panes()} <= {pane.path for pane in whole.panes()}
    assert rows < NEW.count("\n") + 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "last: empty"),
        (b" \n\n", "last: empty"),
        (NEW.encode()[:-3], "last:8: the file is cut off here"),
        (b"state\ta\tb\n", "last: holds no pane"),
        (b"hello\n", "last:1: found 'hello'; allowed: a row of a save file"),
        (b"pane\twork\tx\t1\t:\t0\t\t:/\t1\tsh\t:\n", "last:1: found 'pane\\\\twork\\\\tx"),
        (b"pane\twork\t0\n", "last:1: found "),
        (b"\x7fELF\x00\x01\n", "last:1: found '\\\\x7fELF"),
    ],
)
def test_what_is_no_save_file_is_told(content: bytes, reason: str) -> None:
    with pytest.raises(SnapshotError) as error:
        read_resurrect(content, "last")
    assert str(error.value).startswith(reason)
