"""What a plan does, and what no plan may ever do."""

from __future__ import annotations

from hypothesis import given, settings, strategies as st

from miyabi import spec, state
from miyabi.drift import find_drift
from miyabi.levels import Level
from miyabi.match import match_sessions
from miyabi.plan import Action, make_plan
from miyabi.shell import Secret
from tests.brain.fleet_state import agent, host, plain, seen_pane, seen_window, wanted, window

LEVELS = (Level.L1, Level.L2, Level.L3)


def plan(spec_: spec.Spec, seen: state.Host, *, lift: Level | None = None) -> tuple[Action, ...]:
    """The actions of all levels; ``lift`` plans every drift at that level, as after failed attempts."""
    assert seen.tmux is not None
    matches = match_sessions(spec_, seen.tmux, seen.processes)
    drifts = find_drift(matches, seen)
    if lift is not None:
        drifts = tuple(
            type(drift)(drift.kind, drift.target, max(lift, drift.level), drift.reason)
            for drift in drifts
            if drift.kind != "unmarked"
        )
    return tuple(action for level in LEVELS for action in make_plan(matches, drifts, level))


def text(actions: tuple[Action, ...]) -> list[str]:
    return [" ".join(str(word) for word in command) for action in actions for command in action.commands]


SPEC = wanted(window("w", agent("kaede"), plain("p", "ls"), layout="main-vertical"), window("x", plain("q")))


def test_nothing_is_planned_for_a_healthy_fleet() -> None:
    seen = host(
        seen_window("w", seen_pane(0, "kaede"), seen_pane(1, "p")),
        seen_window("x", seen_pane(2, "q"), index=1),
        processes={0: "claude"},
    )
    assert plan(SPEC, seen) == ()


def test_a_dead_pane_is_respawned_in_place_and_never_by_force() -> None:
    dead = seen_pane(0, "kaede", dead=True, dead_status=1)
    seen = host(seen_window("w", dead, seen_pane(1, "p")), seen_window("x", seen_pane(2, "q"), index=1))
    [action] = plan(SPEC, seen)
    assert str(action) == "L1 Restarting pane s:w.kaede (exited with status 1)"
    [command] = text((action,))
    assert command.startswith("respawn-pane -t %0 -e MIYABI_AGENT=kaede -e ")
    assert command.endswith(' -- sh -c exec "$SHELL" -l -c "$1" miyabi claude')


def test_a_missing_pane_comes_back_beside_its_neighbour_and_the_view_stays() -> None:
    seen = host(
        seen_window("w", seen_pane(0, "kaede", active=False), seen_pane(7, active=True)),
        seen_window("x", seen_pane(2, "q"), index=1),
        processes={0: "claude"},
    )
    [action] = plan(SPEC, seen)
    assert text((action,)) == [
        "split-window -t %0",
        "set-option -p -t @0 @miyabi_pane p",
        "send-keys -t @0 -l --  ls",
        "send-keys -t @0 Enter",
        "select-pane -t %7",
    ]


def test_the_layout_is_applied_where_no_human_has_a_pane() -> None:
    seen = host(
        seen_window("w", seen_pane(0, "kaede", active=False)),
        seen_window("x", seen_pane(2, "q"), index=1),
        processes={0: "claude"},
    )
    assert "select-layout -t @0 main-vertical" in text(plan(SPEC, seen))


def test_a_missing_window_goes_to_its_place_without_taking_the_view() -> None:
    seen = host(seen_window("x", seen_pane(2, "q"), index=3))
    [first, *_] = text(plan(SPEC, seen))
    assert first.startswith("new-window -d -t $0:0 -n w")
    taken = host(
        seen_window("mine", seen_pane(9), managed=False, index=0), seen_window("x", seen_pane(2, "q"), index=3)
    )
    [first, *_] = text(plan(SPEC, taken))
    assert first.startswith("new-window -d -t $0:4 -n w")


def test_secrets_of_an_environment_are_marked_as_such() -> None:
    pane = spec.Pane("p", environment=(("TOKEN", "hunter2"),))
    [action] = plan(wanted(window("w", pane)), host(running=False))
    secrets = [word for command in action.commands for word in command if isinstance(word, Secret)]
    assert [secret.prefix for secret in secrets] == ["TOKEN="]
    assert "hunter2" not in " ".join(
        str(word) for command in action.commands for word in command if not isinstance(word, Secret)
    )


@st.composite
def scenes(draw: st.DrawFn) -> tuple[spec.Spec, state.Host]:
    """A spec and any state that a host may be in: panes dead, idle, moved, missing, unnamed, a human's."""
    windows, seen, processes, number = [], [], {}, 0
    for index in range(draw(st.integers(1, 3))):
        names = [f"{index}-{n}" for n in range(draw(st.integers(1, 4)))]
        windows.append(window(f"w{index}", *((agent if draw(st.booleans()) else plain)(name, "run") for name in names)))
        there = []
        for name in [*names, None, None]:
            if not draw(st.booleans()):
                continue
            dead = draw(st.booleans())
            there.append(
                seen_pane(number, name, dead=dead, dead_status=draw(st.sampled_from([None, 0, 7])) if dead else None)
            )
            processes[number] = draw(st.sampled_from(["-bash", "run", "vim", "sh -c run"]))
            number += 1
        if there:
            seen.append(seen_window(f"w{index}", *there, managed=draw(st.booleans()), index=index * 2))
    managed = draw(st.booleans())
    return wanted(*windows), host(*seen, managed=managed, processes=processes, running=bool(seen))


@settings(max_examples=300, deadline=None)
@given(scenes(), st.sampled_from([None, Level.L2, Level.L3]))
def test_no_plan_ends_what_runs_or_touches_what_is_not_named(
    scene: tuple[spec.Spec, state.Host], lift: Level | None
) -> None:
    spec_, seen = scene
    assert seen.tmux is not None
    panes = {
        pane.pane_id: pane for session in seen.tmux.sessions for window_ in session.windows for pane in window_.panes
    }
    lines = {process.pid: process.arguments for process in seen.processes or ()}
    for action in plan(spec_, seen, lift=lift):
        for command in action.commands:
            words = [str(word) for word in command]
            assert words[0] not in ("kill-session", "kill-server")
            if words[0] == "kill-window":
                assert words[-1].endswith(":9999")
            if words[0] == "respawn-pane":
                assert "-k" not in words
                assert panes[words[2]].dead
            if words[0] == "kill-pane":
                pane = panes[words[2]]
                assert words[2] in action.closes
                assert pane.name is not None or pane.dead
                assert pane.dead or lines[pane.pid or 0] == "-bash"
                assert action.level > Level.L1
            if (
                action.level < Level.L3
                and "-E" not in words
                and words[0] in ("select-layout", "rename-window", "swap-pane", "join-pane", "move-pane")
            ):
                human = [pane for pane in panes.values() if pane.name is None and not pane.dead]
                assert not [pane for pane in human if _shares(seen.tmux, pane, words)]


def _shares(tmux: state.Tmux, pane: state.Pane, words: list[str]) -> bool:
    """Whether a human's pane is in the window that a command re-arranges; one adopted in this run is not a human's."""
    windows = [window_ for session in tmux.sessions for window_ in session.windows if pane in window_.panes]
    return any(window_.name is not None and window_.window_id in words for window_ in windows)
