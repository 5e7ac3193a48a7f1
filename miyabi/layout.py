"""Which layout suits a window: by a name of ours, by the number of its panes and by the client's size. Pure."""

from __future__ import annotations

from miyabi.tmux_listing import version_key

# Below this width, in columns, two panes side by side are too narrow to read.
NARROW = 100

# For `auto`: two panes are an editor and a terminal, three are logs, metrics and control, four are a dashboard.
_BY_PANES = {1: "even-horizontal", 2: "even-horizontal", 3: "main-horizontal", 4: "tiled"}


def resolve_layout(layout: str, panes: int, width: int = 80, height: int = 24) -> str:
    """The name that tmux knows for ``layout``, or ``layout`` itself when it is already tmux's.

    + layout: ``even``, ``main`` or ``auto``, or anything that ``tmux select-layout`` takes
    + panes: how many panes the window has
    + width, height: the size of the window, in cells

    ``even`` and ``main`` put panes side by side when the window is wide enough; ``auto`` picks by the number of panes:
    2 development, 3 monitoring, 4 a dashboard, more are tiled.
    """
    wide = width >= NARROW and width >= 2 * height
    if layout == "even":
        return "even-horizontal" if wide else "even-vertical"
    if layout == "main":
        return "main-vertical" if wide else "main-horizontal"
    if layout == "auto":
        best = _BY_PANES.get(panes, "tiled")
        return "even-vertical" if best == "even-horizontal" and not wide else best
    return layout


def refuse_layout(layout: str, version: str) -> str | None:
    """Why a server of tmux ``version`` must not be asked for ``layout``; None when it may.

    A layout that it does not know is more than an error: the server of tmux 3.3a ends, with all that runs in it.
    """
    key = version_key(version)
    if layout.endswith("-mirrored") and key is not None and key < (3, 5, ""):
        return f"layout {layout} needs tmux 3.5, this is {version}"
    return None
