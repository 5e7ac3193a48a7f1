"""Status lines for the pane that the spec names as guardian."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from pyinfra.api import StringCommand

from facts.host import observe
from miyabi.message import message_script
from miyabi.spec import Spec
from miyabi.state import Tmux
from operations.gate import may_tell

if TYPE_CHECKING:
    from pyinfra.api import Host
    from pyinfra.api.command import PyinfraCommand


def tell_guardian(host: Host, wanted: Spec, line: str) -> Generator[PyinfraCommand]:
    """Send a status line to the guardian's pane, when the spec names one and it lives.

    + line: one line of text

    A line that does not arrive is told on the terminal; it never makes a recovery fail.
    """
    if wanted.recovery.guardian is None:
        return
    pane = living_pane(observe(host, wanted).tmux, wanted.recovery.guardian)
    if pane is not None:
        may_tell(host)
        script = message_script(line, pane, wanted.tmux)
        yield StringCommand(f"( {script} ) || echo 'the guardian was not told' >&2", _timeout=20)


def living_pane(tmux: Tmux | None, name: str) -> str | None:
    """Tmux's id of the pane of that name; None when there is none that lives."""
    panes = (pane for session in (tmux.sessions if tmux else ()) for window in session.windows for pane in window.panes)
    return next((pane.pane_id for pane in panes if pane.name == name and not pane.dead), None)
