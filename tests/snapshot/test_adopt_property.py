"""Any session, adopted: the spec is right, applying it changes nothing, and everything is as it was."""

from __future__ import annotations

import os
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from miyabi.adopt import adopt_session
from miyabi.restore import Choice, restoration
from miyabi.snapshot_diff import differences, missing, pair
from miyabi.spec_file import parse_spec
from tests.fleet.machine import Machine
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.recovery.test_invariants import CONFIGURATIONS
from tests.snapshot.acting import apply, everything, look, write_adopted, write_restoration

# What tmux takes as a name, and a spec may refuse.
_NAMES = st.lists(
    st.sampled_from(
        ["a", "日", "é", " ", "'", '"', ";", "#", "{", "}", "$HOME", "#S", "#{pane_id}", "\\", "~", "%", "yes"]
    ),
    min_size=1,
    max_size=4,
).map("".join)
_COMMANDS = st.sampled_from(["", "", "sleep 1000", "sh", "tail -f /dev/null", "echo over"])
_FOLDERS = st.sampled_from(["/", "plain", "with space", "quo'te", "日本", "$HOME", "a;b", "new\nline"])
_LAYOUTS = st.sampled_from(["tiled", "even-horizontal", "even-vertical", "main-vertical", "main-horizontal"])


@st.composite
def windows(draw: st.DrawFn) -> Any:
    """Windows with panes: (name or None, layout or None, [(command, folder)...], zoomed)."""
    panes = st.lists(st.tuples(_COMMANDS, _FOLDERS), min_size=1, max_size=4)
    one = st.tuples(st.none() | _NAMES, st.none() | _LAYOUTS, panes, st.booleans())
    return draw(st.lists(one, min_size=1, max_size=3))


def build(tmux: TmuxServer, made: Any, *, gap: bool) -> None:
    """Make the session ``work`` with a first window and these, by hand."""
    tmux.run("new-session", "-d", "-x", "160", "-y", "48", "-s", "work", "-n", "first", "-c", "/", "sleep 1000")
    for number, (name, layout, panes, zoomed) in enumerate(made):
        window = _window(tmux, f"=work:{number * 2 + 3}" if gap else "=work:", panes)
        if layout:
            tmux.run("select-layout", "-t", window, layout, check=False)
        if name:
            tmux.run("rename-window", "-t", window, "--", name, check=False)
        if zoomed:
            tmux.run("resize-pane", "-Z", "-t", window, check=False)
    # A command that has ended has closed its pane, or left it dead; a shell needs a moment to be where it is.
    ended = "#{&&:#{==:#{pane_dead},0},#{m:*echo over*,#{pane_start_command}}}"
    wait_until(lambda: not tmux.run("list-panes", "-a", "-f", ended), what="the short commands' end")
    nowhere = "#{&&:#{==:#{pane_dead},0},#{==:#{pane_current_path},}}"
    wait_until(lambda: not tmux.run("list-panes", "-a", "-f", nowhere), what="everybody is somewhere")


def _window(tmux: TmuxServer, target: str, panes: list[tuple[str, str]]) -> str:
    window = ""
    for command, folder in panes:
        place = tmux.machine.home / folder
        place.mkdir(exist_ok=True)
        words = ["-P", "-F", "#{window_id}", "-c", str(place), *([command] if command else ["sh"])]
        # A window whose only pane has ended already is gone.
        there = window and window in tmux.run("list-windows", "-a", "-F", "#{window_id}").split()
        command_words = ["split-window", "-t", window] if there else ["new-window", "-d", "-t", target]
        window = tmux.run(*command_words, *words)
        tmux.run("select-layout", "-t", window, "tiled", check=False)
    return window


_SETTINGS = settings(
    max_examples=int(os.environ.get("MIYABI_EXAMPLES", "10")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    phases=[phase for phase in Phase if phase is not Phase.shrink or os.environ.get("MIYABI_SHRINK")],
    print_blob=True,
)


@pytest.mark.slow
@pytest.mark.timeout(600)
@_SETTINGS
@given(made=windows(), gap=st.booleans(), configuration=CONFIGURATIONS)
def test_applying_an_adopted_session_changes_nothing(
    machine: Machine, tmux_server: TmuxServer, made: Any, gap: bool, configuration: list[str]
) -> None:
    tmux_server.stop()
    tmux_server.configure("\n".join([*configuration, "set -g exit-empty off"]) + "\n")
    tmux_server.run("start-server")
    build(tmux_server, made, gap=gap)
    before = everything(tmux_server)
    adopted = adopt_session(look(machine), "work", origin="from a test")
    wanted = parse_spec("adopted", adopted.text.encode(), base_directory="~")
    assert [session.session_name for session in wanted.sessions] == ["work"]
    path = write_adopted(machine, adopted)
    marked = apply(machine, path, adopted.marks)
    # One call that writes the names, and nothing else.
    assert (marked.failed, len(marked.commands)) == (False, 1)
    again = apply(machine, path, ())
    assert (again.failed, again.commands) == (False, [])
    assert everything(tmux_server) == before
    # What was adopted is adopted to the same spec, and there is nothing left to name.
    second = adopt_session(look(machine), "work", origin="from a test")
    assert yaml.safe_load(second.text) == yaml.safe_load(adopted.text)
    assert not [mark for mark in second.marks if not mark.supervised]


@pytest.mark.slow
@pytest.mark.timeout(600)
@_SETTINGS
@given(made=windows(), gap=st.booleans(), configuration=CONFIGURATIONS)
def test_a_restored_session_is_what_it_was(
    machine: Machine, tmux_server: TmuxServer, made: Any, gap: bool, configuration: list[str]
) -> None:
    tmux_server.stop()
    tmux_server.configure("\n".join([*configuration, "set -g exit-empty off"]) + "\n")
    tmux_server.run("start-server")
    build(tmux_server, made, gap=gap)
    before = look(machine)
    assert differences(before, before) == []
    tmux_server.run("kill-server")
    wait_until(lambda: tmux_server.pid() is None)
    made_again = restoration(before, look(machine), Choice())
    run = apply(machine, write_restoration(machine, made_again), tuple(made_again.marks))
    assert not run.failed, run
    now = look(machine)
    assert missing(before, pair(before, now)) == []
    odd = [line for line in differences(before, now) if not line.startswith("~")]
    assert odd == []
    _same_where_it_can_be(before, now, differences(before, now))
    pids = everything(tmux_server)
    nothing = restoration(before, now, Choice())
    assert (nothing.spec["sessions"], nothing.marks) == ([], [])
    assert everything(tmux_server) == pids


def _same_where_it_can_be(before: Any, now: Any, told: list[str]) -> None:
    """Layouts are the same; a folder or a name differs only where a spec cannot hold it; commands are shells now."""
    for line in told:
        assert "another layout" not in line
        if ": folder " in line:
            assert "$HOME" in line or "\\n" in line, line
        elif "now called" in line:
            # tmux may have made no name at all of a half format.
            assert any(each in line for each in ("#", "$", "work:: ")), line
        else:
            assert line.endswith(", now a shell"), line
