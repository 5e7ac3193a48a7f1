"""Which processes of a server are ours, which are orphans, and how it stands: by data alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from miyabi.daemon import Daemon, Runner, adoptable, file_name, orphans, ours, serving, standing

MATCH = "mcp/index.js"
CURRENT = Runner(10, 1, 10, "a", 500.0, f"node {MATCH}", matches=True)
ORPHAN = Runner(20, 1, 20, "b", 900.0, f"node {MATCH} --old", matches=True)
OWNED = Runner(30, 29, 30, "c", 900.0, f"node {MATCH} --stdio", matches=True)


def seen(*processes: Runner, recorded: tuple[int, str] | None = (10, "a"), holder: int | None = None) -> Daemon:
    return Daemon(listening=True, recorded=recorded, processes=processes, holder=holder)


def test_an_orphan_has_lost_its_parent_and_is_neither_ours_nor_below_it() -> None:
    below = Runner(11, 10, 11, "d", 400.0, f"node {MATCH} --worker", matches=True)
    assert orphans(seen(CURRENT, below, ORPHAN, OWNED), MATCH) == (ORPHAN,)
    assert orphans(seen(CURRENT), MATCH) == ()


def test_who_holds_the_port_is_no_orphan() -> None:
    assert orphans(seen(CURRENT, ORPHAN, holder=20), MATCH) == ()
    worker = Runner(21, 20, 20, "d", 900.0, f"node {MATCH} --worker", matches=True)
    assert orphans(seen(CURRENT, ORPHAN, worker, holder=21), MATCH) == ()


def test_what_cannot_be_dated_or_marked_is_no_orphan() -> None:
    assert orphans(seen(CURRENT, replace(ORPHAN, mark=None)), MATCH) == ()
    assert orphans(seen(CURRENT, replace(ORPHAN, age=None)), MATCH) == ()
    assert orphans(seen(CURRENT, replace(ORPHAN, age=59.0)), MATCH) == ()


def test_a_shell_that_started_an_orphan_goes_with_it() -> None:
    shell = Runner(40, 1, 40, "d", 900.0, f"sh -c cd x; node {MATCH}", matches=True)
    child = Runner(41, 40, 40, "e", 900.0, f"node {MATCH}", matches=True)
    assert orphans(seen(CURRENT, shell, child), MATCH) == (shell, child)
    # Alone it may be anybody's.
    assert orphans(seen(CURRENT, shell), MATCH) == ()


def test_where_process_1_starts_servers_itself_there_are_no_orphans() -> None:
    assert orphans(replace(seen(CURRENT, ORPHAN), reapers=()), MATCH) == ()


def test_adopted_is_the_holder_or_else_the_youngest() -> None:
    younger = replace(CURRENT, age=70.0)
    assert adoptable(seen(ORPHAN, younger, recorded=None), MATCH) == younger
    assert adoptable(seen(ORPHAN, younger, recorded=None, holder=20), MATCH) == ORPHAN
    assert adoptable(seen(OWNED, recorded=None), MATCH) is None
    assert adoptable(seen(CURRENT, ORPHAN), MATCH) is None
    # What is about to be recorded is no orphan.
    assert orphans(seen(ORPHAN, younger, recorded=None), MATCH) == (ORPHAN,)


def test_a_generation_outlives_its_leader_but_not_a_recycled_pid() -> None:
    member = Runner(12, 1, 10, "d", 100.0, f"node {MATCH}", matches=True)
    assert ours(seen(member)) == (member,)
    stranger = Runner(10, 1, 10, "z", 1.0, "vim", matches=False)
    assert ours(seen(stranger, member)) == ()


def test_how_a_server_stands() -> None:
    launcher = Runner(10, 1, 10, "a", 5.0, "npm run mcp:start")
    silent = replace(seen(CURRENT), listening=False)
    assert standing(seen(), match=MATCH, port=80) == "up"
    assert standing(silent, match=MATCH, port=80) == "hung"
    assert standing(replace(silent, processes=(replace(CURRENT, age=299.0),)), match=MATCH, port=80) == "starting"
    assert standing(replace(silent, processes=()), match=MATCH, port=80) == "down"
    assert standing(seen(launcher), match=MATCH, port=None) == "starting"
    assert standing(seen(replace(launcher, age=900.0)), match=MATCH, port=None) == "hung"
    assert standing(seen(), match=MATCH, port=None) == "down"
    assert standing(seen(OWNED), match=MATCH, port=None) == "up"
    assert standing(seen(launcher), match=None, port=None) == "up"


@pytest.mark.parametrize(
    "arguments",
    [
        f"vim {MATCH}",
        f"/usr/bin/tail -F {MATCH}",
        f"ssh mugen node {MATCH}",
        f"node /usr/local/bin/claude -p fix {MATCH}",
        f"/bin/bash -c cat {MATCH}",
        f"zsh -lc 'node {MATCH}'",
        f"sh -c LC_ALL=C; export LC_ALL; unset TMUX TMUX_PANE {MATCH}",
    ],
)
def test_who_only_looks_is_no_server(arguments: str) -> None:
    looker = Runner(50, 1, 50, "d", 900.0, arguments, matches=True)
    assert serving(seen(looker, recorded=None), MATCH) == ()
    assert adoptable(seen(looker, recorded=None), MATCH) is None
    assert orphans(seen(CURRENT, looker), MATCH) == ()


def test_a_looker_that_is_asked_for_by_name_is_a_server() -> None:
    codex = Runner(50, 1, 50, "d", 900.0, "codex mcp-server", matches=True)
    assert serving(seen(codex, recorded=None), "codex mcp-server") == (codex,)


def test_files_have_harmless_and_different_names() -> None:
    names = ["miyabi-tmux", "a b", "a_b", "..", ".", "-rf", "$(id)", "\u96ea", "x" * 500]
    files = [file_name(name) for name in names]
    assert len(set(files)) == len(names)
    assert files[0] == "miyabi-tmux"
    assert all(set(file) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-.") and len(file) < 100 for file in files)
    assert not {".", ".."} & set(files)


def test_a_stranger_keeps_nothing_from_being_started_for_long() -> None:
    killed = replace(seen(ORPHAN, recorded=(99, "x")), listening=False)
    assert standing(killed, match=MATCH, port=80) == "down"
    assert standing(replace(killed, processes=(replace(ORPHAN, age=30.0),)), match=MATCH, port=80) == "starting"
    assert standing(replace(killed, processes=(replace(ORPHAN, age=None),)), match=MATCH, port=80) == "hung"
    assert standing(replace(killed, recorded=None), match=MATCH, port=80) == "hung"
