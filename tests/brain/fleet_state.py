"""Short ways to write down specs and states."""

from __future__ import annotations

from miyabi import spec, state


def plain(name: str, *commands: str) -> spec.Pane:
    return spec.Pane(name, tuple(spec.Command(command) for command in commands))


def agent(name: str, command: str = "claude", restart: spec.RestartPolicy = "on-failure") -> spec.Pane:
    return spec.Pane(name, (spec.Command(command),), restart=restart, agent=spec.Agent())


def window(name: str, *panes: spec.Pane, layout: str | None = None) -> spec.Window:
    return spec.Window(name, name, layout=layout, panes=panes)


def wanted(*windows: spec.Window, session: str = "s") -> spec.Spec:
    return spec.Spec("spec.yaml", "digest", sessions=(spec.Session(session, windows=windows),))


def seen_pane(number: int, name: str | None = None, **more: object) -> state.Pane:
    pane = state.Pane(f"%{number}", pane_index=number, pid=1000 + number, active=number == 0, name=name)
    return replace_fields(pane, **more)


def replace_fields(pane: state.Pane, **more: object) -> state.Pane:
    values = {field: getattr(pane, field) for field in pane.__dataclass_fields__} | more
    return state.Pane(**values)


def seen_window(name: str, *panes: state.Pane, managed: bool = True, index: int = 0) -> state.Window:
    return state.Window(
        f"@{index}",
        window_index=index,
        window_name=name,
        active=index == 0,
        layout=f"b25d,80x24,0,0,{index}",
        name=name if managed else None,
        panes=panes,
    )


def host(
    *windows: state.Window,
    session: str = "s",
    managed: bool = True,
    processes: dict[int, str] | None = None,
    running: bool = True,
) -> state.Host:
    """A host with one session of ``windows``; ``processes`` are the command lines by the number of the pane."""
    sessions = (
        state.Session("$0", session, attached=0, created=1, name=session if managed else None, windows=windows),
    )
    return state.Host(
        platform="linux",
        tmux=state.Tmux("3.3a", running=running, sessions=sessions if running and windows else ()),
        processes=tuple(state.Process(1000 + number, 1, line) for number, line in (processes or {}).items()),
    )
