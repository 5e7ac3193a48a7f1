"""A tmuxp workspace means here what tmuxp builds: its loader and builder run beside the expansion, with tmux faked."""

# ruff: noqa: D102 - the methods of the fakes are those of libtmux

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from tmuxp.workspace import loader  # type: ignore[import-untyped]
from tmuxp.workspace.builder import classic  # type: ignore[import-untyped]

from miyabi.spec import Pairs, Pane, Session, Window
from miyabi.spec_file import load_spec

WORKSPACES = Path(__file__).parent / "workspaces"

Events = list[tuple[object, ...]]


class FakePane:
    """Records how it was made and what was typed into it."""

    def __init__(self, events: Events, made: Mapping[str, Any]) -> None:
        self.events = events
        self.pane_id = "%0"
        self.events.append(
            (
                "pane",
                _directory(made.get("start_directory")),
                made.get("shell") or None,
                _sorted(made.get("environment")),
            )
        )

    def split(self, **made: Any) -> FakePane:
        return FakePane(self.events, made)

    def send_keys(self, text: str, *, suppress_history: bool, enter: bool) -> None:
        self.events.append(("type", text, suppress_history, enter))

    def select(self) -> None:
        pass


class FakeWindow:
    """Records its options, and makes panes."""

    def __init__(self, events: Events, made: Mapping[str, Any]) -> None:
        self.events = events
        self.session = self
        self.name = made["window_name"]
        index = made["window_index"]
        self.events.append(("window", made["window_name"], int(index) if index != "" else None))
        self.made = made

    @property
    def active_pane(self) -> FakePane:
        return FakePane(self.events, {**self.made, "shell": self.made["window_shell"]})

    def show_option(self, *_: object, **__: object) -> int:
        return 0

    def set_option(self, name: str, value: object) -> None:
        # What libtmux makes of booleans.
        text = ("on" if value else "off") if isinstance(value, bool) else str(value)
        self.events.append(("option", name, text))

    def select_layout(self, layout: str) -> None:
        pass

    def select_pane(self, _: str) -> None:
        pass

    def select(self) -> None:
        pass


class FakeSession:
    """Makes windows."""

    name = "fake"
    windows = (1, 2)

    def __init__(self, events: Events) -> None:
        self.events = events

    def new_window(self, **made: Any) -> FakeWindow:
        return FakeWindow(self.events, made)


def _directory(path: str | None) -> str | None:
    return None if path is None else str(Path(path).resolve())


def _sorted(pairs: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((pairs or {}).items()))


def built_by_tmuxp(workspace: dict[str, Any], folder: Path, patch: pytest.MonkeyPatch) -> Events:
    """What tmuxp does with the windows and panes of a workspace file in ``folder``."""
    events: Events = []
    config = loader.trickle(loader.expand(workspace, cwd=folder))
    builder = object.__new__(classic.ClassicWorkspaceBuilder)
    builder.session_config = config
    builder.on_progress = builder.on_build_event = None
    builder._pane_readiness_wait = False
    patch.setattr(classic, "Window", FakeWindow)
    patch.setattr(classic, "Pane", FakePane)
    patch.setattr(classic.time, "sleep", lambda seconds: events.append(("sleep", seconds)) if seconds else None)
    for window, window_config in builder.iter_create_windows(FakeSession(events)):
        for _ in builder.iter_create_panes(window, window_config):
            pass
        builder.config_after_window(window, window_config)
    return events


def built_from_spec(session: Session) -> Events:
    """The same, as the expanded spec says it."""
    return [event for window in session.windows for event in _window_events(window)]


def _window_events(window: Window) -> Iterator[tuple[object, ...]]:
    yield "window", window.window_name, window.window_index
    yield from (("option", *option) for option in window.options)
    for pane in window.panes:
        yield from _pane_events(pane)
    yield from (("option", *option) for option in window.options_after)


def _pane_events(pane: Pane) -> Iterator[tuple[object, ...]]:
    yield "pane", _directory(pane.start_directory), pane.shell, tuple(sorted(pane.environment))
    for command in pane.commands:
        if command.sleep_before:
            yield "sleep", command.sleep_before
        yield "type", command.text, pane.suppress_history, command.enter
        if command.sleep_after:
            yield "sleep", command.sleep_after


@pytest.mark.parametrize("file", sorted(WORKSPACES.iterdir()), ids=lambda file: file.stem)
def test_windows_and_panes_are_what_tmuxp_builds(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # tmuxp takes the working directory for the file's in windows and panes.
    monkeypatch.chdir(tmp_path)
    workspace = yaml.safe_load(file.read_text(encoding="utf-8"))
    (session,) = load_spec(file, base_directory=str(tmp_path)).sessions
    assert built_from_spec(session) == built_by_tmuxp(workspace, tmp_path, monkeypatch)


@pytest.mark.parametrize("file", sorted(WORKSPACES.iterdir()), ids=lambda file: file.stem)
def test_sessions_are_what_tmuxp_builds(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = loader.trickle(loader.expand(yaml.safe_load(file.read_text(encoding="utf-8")), cwd=tmp_path))
    (session,) = load_spec(file, base_directory=str(tmp_path)).sessions
    assert session.session_name == config["session_name"]
    assert session.start_directory == config.get("start_directory")
    assert session.environment == _pairs(config.get("environment"))
    assert session.options == _pairs(config.get("options"))
    assert session.global_options == _pairs(config.get("global_options"))
    assert session.before_script == config.get("before_script")


def _pairs(values: Mapping[str, object] | None) -> Pairs:
    return tuple(
        (name, ("on" if value else "off") if isinstance(value, bool) else _plain(str(value)))
        for name, value in (values or {}).items()
    )


def _plain(value: str) -> str:
    """Tmuxp leaves the ``..`` in what it joins to its folder."""
    return str(Path(value).resolve()) if value.startswith("/") and "/../" in value else value


def test_focus_is_where_tmuxp_leaves_it() -> None:
    (session,) = load_spec(WORKSPACES / "focus.yaml", base_directory="/").sessions
    # tmuxp selects every one that asks for it, one after the other.
    assert [window.focus for window in session.windows] == [False, True, False, False]
    assert [[pane.focus for pane in window.panes] for window in session.windows] == [
        [False, False, True, False],
        [True, False],
        [False, False],
        [False],
    ]
