"""Termux on an Android phone: keep it awake, show a notification. Elsewhere both do nothing."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from pyinfra import host, logger
from pyinfra.api import FunctionCommand, StringCommand

from facts.observation import Unknown, ask, forget
from facts.platform import host_section
from facts.termux import wake_section
from miyabi.termux import (
    TEXT_LENGTH,
    TITLE_LENGTH,
    notification_script,
    outcome,
    refuse_notification_id,
    release_script,
    shortened,
    take_script,
)
from operations.gate import may_tell, operation, permission
from operations.upkeep import failing, note

if TYPE_CHECKING:
    from pyinfra.api import Host, State
    from pyinfra.api.command import PyinfraCommand

# Seconds for a script whose commands are bounded on the phone itself, as a last resort.
_SCRIPT_TIMEOUT = 30


@operation()
def wake_lock(held: bool = True) -> Generator[PyinfraCommand]:  # noqa: FBT001, FBT002 - pyinfra passes it by name
    """Ensure that Termux keeps its phone awake, or that it does no longer.

    + held: False gives a lock back that was taken by this operation

    Android tells nobody whether the lock is held: it is taken once for each boot and each start of the Termux app, and
    a mark in ``~/.local/state/miyabi/wake-lock`` says so. A phone that does not answer within 5 s is a warning. A lock
    keeps the processor awake, and nothing else: Android may end Termux's processes all the same.

    **Example:**

    .. code:: python

        from operations import termux

        termux.wake_lock(name="Stay awake")
    """
    subject = "wake lock"
    seen = ask(host, wake_section())
    if isinstance(seen, Unknown):
        yield from failing(host, subject, seen.reason)
        return
    if not seen.termux:
        host.noop("this is no Termux: there is no wake lock to take")
        return
    if seen.held if held else not seen.taken:
        host.noop(f"the wake lock is {'held' if held else 'not held'}")
        return
    script, did = (take_script(), "taken") if held else (release_script(), "given back")
    if not (yield from permission(host, subject, "tidy", f"it is to be {did}")):
        return
    host.log(f"{'Taking' if held else 'Giving back'} the wake lock")
    yield FunctionCommand(_request, (subject, script, did), {})


@operation(is_idempotent=False, idempotent_notice="A notification is shown each time.")
def notification(title: str, text: str, notification_id: str = "miyabi") -> Generator[PyinfraCommand]:
    """Show a notification on the phone; it takes the app Termux:API and the package ``termux-api``.

    + title: at most 100 characters of it are shown
    + text: at most 1000 characters of it are shown
    + notification_id: a later notification of the same id takes its place

    A phone that does not answer within 5 s is a warning.

    **Example:**

    .. code:: python

        termux.notification(name="Tell the phone", title="Miyabi", text="all agents are back")
    """
    subject = "notification"
    seen = ask(host, host_section())
    problem = seen.reason if isinstance(seen, Unknown) else refuse_notification_id(str(notification_id))
    if isinstance(seen, Unknown) or problem is not None:
        yield from failing(host, subject, problem or "")
        return
    if seen.platform != "termux":
        host.noop("this is no Termux: there is nothing to show it on")
        return
    shown = shortened(str(title), TITLE_LENGTH), shortened(str(text), TEXT_LENGTH)
    script = notification_script(*shown, notification_id)
    may_tell(host)
    yield FunctionCommand(_request, (subject, script, None), {})


def _request(state: State, host: Host, subject: str, script: str, did: str | None) -> bool:
    """Ask Termux for something; what is not to be had is a warning, and no failure.

    + did: what came of it, in words for the summary; None is not worth a word there
    """
    del state
    forget(host, "wake")
    succeeded, output = host.run_shell_command(StringCommand(script), _timeout=_SCRIPT_TIMEOUT)
    reason = outcome(output.stdout_lines) if succeeded else "the phone did not answer"
    if reason is not None:
        note(host, subject, "warning", reason)
        host.log_styled(f"{subject}: {reason}", fg="yellow", log_func=logger.warning)
    elif did is not None:
        note(host, subject, "repaired", did)
    return True
