"""sshd on a host: it must answer on its port."""

from __future__ import annotations

from collections.abc import Generator
from time import sleep
from typing import TYPE_CHECKING

from pyinfra import host, logger
from pyinfra.api import FunctionCommand, StringCommand

from facts.observation import Unknown, ask, ask_together, forget
from facts.platform import host_section
from facts.probe import probe_script
from facts.sshd import sshd_section
from miyabi.sshd_start import start_script
from miyabi.state import Sshd
from operations.gate import operation, permission
from operations.upkeep import failing, note, proof

if TYPE_CHECKING:
    from pyinfra.api import Host, State
    from pyinfra.api.command import PyinfraCommand

SUBJECT = "sshd"

# Seconds between the two looks that must agree before anything is done.
_AGAIN = 1.0

# Seconds within which a started sshd must show its banner.
_PROOF = 15

# Seconds for the whole of starting it, as a last resort: its commands are bounded on the host itself.
_START_TIMEOUT = 90


@operation()
def running(port: int | None = None, start: str | None = None) -> Generator[PyinfraCommand]:
    """Ensure that an sshd answers on a host; the truth is the banner from its port, not a process.

    + port: the port that must answer; None is the one that this very connection came to, else 8022 in Termux and 22
      elsewhere
    + start: the command that starts it; None is the platform's own way: systemd, an init script or sshd itself on
      Linux, runit's ``sv`` in Termux, Remote Login (launchd) on macOS

    No connection is cut by it, and nothing is killed, but for one listener: a Termux service that runs and answers
    nobody is restarted by ``sv exit``, which leaves its sessions alone. A port that something else holds is left to it.

    **Example:**

    .. code:: python

        from operations import sshd

        sshd.running(name="Keep the way in open", port=8022)
    """
    if problem := _refuse(port, start):
        yield from failing(host, SUBJECT, problem)
        return
    section = sshd_section(port)
    ask_together(host, (section, host_section()))
    seen = ask(host, section)
    if isinstance(seen, Sshd) and not seen.answering:
        # One look may have come in a bad moment.
        sleep(_AGAIN)
        forget(host, section.title)
        seen = ask(host, section)
    if isinstance(seen, Unknown):
        yield from failing(host, SUBJECT, seen.reason)
        return
    if seen.answering:
        host.noop(f"{seen.banner} answers on port {seen.port}")
        return
    if problem := _stranger(seen):
        yield from failing(host, SUBJECT, problem)
        return
    if not (yield from permission(host, SUBJECT, "restore", f"nobody answers on port {seen.port}", cause="sshd-down")):
        return
    host.log(f"Starting sshd: nobody answers on port {seen.port}")
    # The command is a function: what the start says is the reason that a user reads.
    yield FunctionCommand(_start, (start_script(probe_script([section]), seen.port, start),), {})
    yield proof(host, SUBJECT, section, _silence, did=f"started, port {seen.port} answers", seconds=_PROOF)


def _refuse(port: object, start: object) -> str | None:
    if port is not None and (type(port) is not int or not 1 <= port <= 65535):
        return f"port {port!r}: allowed: a number from 1 to 65535"
    if start is not None and (not isinstance(start, str) or not start.strip() or "\0" in start):
        return f"start {start!r}: allowed: a command"
    return None


def _stranger(seen: Sshd) -> str | None:
    """Why a port that gives no banner is left alone; None when it is free, or Termux's own sshd may hang there."""
    identity = ask(host, host_section())
    if seen.spoke:
        return f"port {seen.port} is held by something that is no sshd: it says {seen.spoke!r}"
    if seen.spoke is None or (not isinstance(identity, Unknown) and identity.platform == "termux"):
        return None
    return f"port {seen.port} takes connections and says nothing: what holds it hangs, or is no sshd; end it by hand"


def _silence(seen: Sshd) -> str | None:
    return None if seen.answering else f"port {seen.port} gives no banner"


def _start(state: State, host: Host, script: str) -> bool:
    """Start it; when that fails, the run says why."""
    del state
    succeeded, output = host.run_shell_command(StringCommand(script), _timeout=_START_TIMEOUT)
    if not succeeded:
        lines = [line.strip() for line in (*output.stdout_lines, *output.stderr_lines) if line.strip()]
        reason = lines[-1] if lines else "it could not be started"
        note(host, SUBJECT, "failed", reason)
        host.log_styled(f"{SUBJECT}: {reason}", fg="red", log_func=logger.error)
    return bool(succeeded)
