"""Status lines for the pane that the spec names as guardian."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from pyinfra.api import StringCommand

from facts.host import observe
from miyabi.message import message_script
from miyabi.spec import Spec

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
    tmux = observe(host, wanted).tmux
    for session in tmux.sessions if tmux else ():
        for window in session.windows:
            for pane in window.panes:
                if pane.name == wanted.recovery.guardian and not pane.dead:
                    script = message_script(line, pane.pane_id, wanted.tmux)
                    yield StringCommand(f"( {script} ) || echo 'the guardian was not told' >&2", _timeout=20)
                    return
