"""The two invariants: any spec and any damage converge in one run, and no healthy pane is ever touched."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings, strategies as st

from tests.fleet.machine import Machine
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.recovery.playbook import recover, write_spec

# What must arrive literally in a name; formats and variables in names are refused when the spec is read.
HOSTILE = st.lists(
    st.sampled_from(
        ["'", '"', "$(touch pwned)", "`touch pwned`", ";", "%H", "\\", "-", "|", "日", "é", " ", "~", "*", "{", "}"]
    ),
    min_size=1,
    max_size=4,
).map("".join)

LAYOUTS = st.sampled_from([None, "tiled", "even-vertical", "main-horizontal", "auto", "main"])
CONFIGURATIONS = st.lists(
    st.sampled_from(
        [
            "set -g base-index 1",
            "setw -g pane-base-index 1",
            "set -g renumber-windows on",
            "setw -g automatic-rename on",
            "setw -g remain-on-exit on",
            "set -g default-shell /bin/bash",
            "set -g status off",
        ]
    ),
    unique=True,
)


@st.composite
def panes(draw: st.DrawFn) -> Any:
    """A plain pane, or one whose process is kept running."""
    kind = draw(st.sampled_from(["blank", "typed", "kept"]))
    if kind == "blank":
        return None
    if kind == "typed":
        return f": {draw(st.integers(0, 9))}"
    return {"shell_command": "exec sleep 1000", "restart": draw(st.sampled_from(["always", "on-failure"]))}


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    """A spec of one or two sessions with up to three windows of up to four panes."""
    sessions = []
    for number in range(draw(st.integers(1, 2))):
        windows = []
        for index in range(draw(st.integers(1, 3))):
            window: dict[str, Any] = {"panes": draw(st.lists(panes(), min_size=1, max_size=4))}
            if draw(st.booleans()) or index == 0:
                window["window_name"] = f"w{index}{draw(HOSTILE)}"
            if layout := draw(LAYOUTS):
                window["layout"] = layout
            windows.append(window)
        sessions.append({"session_name": f"s{number}", "windows": windows})
    return {"sessions": sessions}


@dataclass
class Scene:
    """A managed tmux server, and what of it must survive."""

    tmux: TmuxServer
    healthy: dict[str, int]

    def panes(self) -> list[tuple[str, str, str, int, str]]:
        """(session, window id, pane id, pid, the spec's name) of every living pane."""
        lines = self.tmux.run(
            "list-panes", "-a", "-f", "#{==:#{pane_dead},0}",
            "-F", "P #{session_name} #{window_id} #{pane_id} #{pane_pid} #{@miyabi_pane}", check=False,
        ).splitlines()  # fmt: skip
        fields = [line.split(" ", 5)[1:] for line in lines if line.startswith("P ")]
        return [(session, window, pane, int(pid), name) for session, window, pane, pid, name in fields]

    def lose(self, *pane_ids: str) -> None:
        """These panes are damaged now."""
        for pane_id in pane_ids:
            self.healthy.pop(pane_id, None)


def _kill_pane(scene: Scene, pick: int) -> None:
    pane = _pick(scene, pick)
    scene.lose(pane[2])
    scene.tmux.run("kill-pane", "-t", pane[2])


def _kill_process(scene: Scene, pick: int) -> None:
    pane = _pick(scene, pick)
    scene.lose(pane[2])
    os.kill(pane[3], signal.SIGKILL)
    wait_until(lambda: pane[2] not in [each[2] for each in scene.panes()], what="the pane's death")


def _kill_window(scene: Scene, pick: int) -> None:
    window = _pick(scene, pick)[1]
    scene.lose(*(pane[2] for pane in scene.panes() if pane[1] == window))
    scene.tmux.run("kill-window", "-t", window)


def _kill_session(scene: Scene, pick: int) -> None:
    session = _pick(scene, pick)[0]
    scene.lose(*(pane[2] for pane in scene.panes() if pane[0] == session))
    scene.tmux.run("kill-session", "-t", f"={session}")


def _kill_server(scene: Scene, pick: int) -> None:
    del pick
    scene.healthy.clear()
    pid = scene.tmux.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: scene.tmux.pid() is None, what="the server's death")


def _human_window(scene: Scene, pick: int) -> None:
    session = _pick(scene, pick)[0]
    _human(scene, "new-window", "-d", "-P", "-F", "#{pane_id} #{pane_pid}", "-t", f"={session}:", "sleep 1000")


def _human_split(scene: Scene, pick: int) -> None:
    pane = _pick(scene, pick)[2]
    _human(scene, "split-window", "-P", "-F", "#{pane_id} #{pane_pid}", "-t", pane, "sleep 1000")


def _human(scene: Scene, *command: str) -> None:
    said = scene.tmux.run(*command, check=False)
    if said.startswith("%"):
        pane, pid = said.split()
        scene.healthy[pane] = int(pid)


def _rename(scene: Scene, pick: int) -> None:
    scene.tmux.run("rename-window", "-t", _pick(scene, pick)[1], "renamed")


def _copy_mode(scene: Scene, pick: int) -> None:
    scene.tmux.run("copy-mode", "-t", _pick(scene, pick)[2])


def _break_out(scene: Scene, pick: int) -> None:
    scene.tmux.run("break-pane", "-d", "-s", _pick(scene, pick)[2], check=False)


def _zoom(scene: Scene, pick: int) -> None:
    scene.tmux.run("resize-pane", "-Z", "-t", _pick(scene, pick)[2])


DAMAGES: list[Callable[[Scene, int], None]] = [
    _kill_pane, _kill_process, _kill_window, _kill_session, _kill_server,
    _human_window, _human_split, _rename, _copy_mode, _break_out, _zoom,
]  # fmt: skip


def _pick(scene: Scene, pick: int) -> tuple[str, str, str, int, str]:
    found = scene.panes()
    return found[pick % len(found)]


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(
    max_examples=int(os.environ.get("MIYABI_EXAMPLES", "40")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    # Shrinking rebuilds fleets for minutes: MIYABI_SHRINK=1 asks for it.
    phases=[phase for phase in Phase if phase is not Phase.shrink or os.environ.get("MIYABI_SHRINK")],
    print_blob=True,
)
@given(
    spec=specs(),
    damages=st.lists(st.tuples(st.sampled_from(DAMAGES), st.integers(0, 99)), min_size=1, max_size=5),
    configuration=CONFIGURATIONS,
)
def test_any_damage_converges_in_one_run_and_touches_nothing_healthy(
    machine: Machine,
    tmux_server: TmuxServer,
    spec: dict[str, Any],
    damages: list[tuple[Callable[[Scene, int], None], int]],
    configuration: list[str],
) -> None:
    tmux_server.stop()
    tmux_server.configure("\n".join(configuration) + "\n")
    path = write_spec(machine.root, spec)
    built = recover(machine, path)
    assert not built.failed, built
    names = _expected_names(spec)
    scene = Scene(tmux_server, {})
    assert sorted(pane[4] for pane in scene.panes()) == names
    scene.healthy = {pane[2]: pane[3] for pane in scene.panes()}

    for damage, pick in damages:
        if scene.panes():
            note(f"{damage.__name__}({pick})")
            damage(scene, pick)

    first = recover(machine, path)
    assert not first.failed, first
    now = {pane[2]: pane[3] for pane in scene.panes()}
    assert scene.healthy.items() <= now.items()
    assert sorted(name for *_, name in scene.panes() if name) == names
    second = recover(machine, path)
    assert (second.failed, second.commands, second.probes) == (False, [], 1)
    assert now == {pane[2]: pane[3] for pane in scene.panes()}
    assert not list(machine.root.rglob("pwned"))


def _expected_names(spec: dict[str, Any]) -> list[str]:
    return sorted(
        f"{session['session_name']}:{window.get('window_name', f'window-{index}')}.{number}"
        for session in spec["sessions"]
        for index, window in enumerate(session["windows"], start=1)
        for number, _ in enumerate(window["panes"], start=1)
    )
