"""How a server is brought up: ended where it hangs, started again and again, watched until it stays."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic, sleep
from typing import TYPE_CHECKING

from pyinfra import logger
from pyinfra.api import StringCommand

from facts.daemons import daemons_section
from facts.observation import Unknown, ask, forget
from miyabi.daemon import Daemon, Runner, adoptable, in_words, ours, serving, standing
from miyabi.daemon_script import SCRIPT_TIMEOUT, adopt_script, end_script, exports, log_script, start_script
from miyabi.spec import McpServer
from operations.upkeep import note

if TYPE_CHECKING:
    from pyinfra.api import Host, State

# How often a server is started, and the seconds after the first of these tries; they double with each.
TRIES = 3
_WAIT = 1.0

# Seconds for which a server that was started is watched until it is up, and for which it must stay so.
_PATIENCE = 5.0
_SETTLE = 1.0
_POLL = 0.2


@dataclass(slots=True)
class _Tries:
    """How often a server was started in this run, and what was wrong with it the last time."""

    starts: int = 0
    trouble: str = ""


def bring_up(state: State, host: Host, wanted: McpServer, ending: tuple[Runner, ...]) -> bool:
    """Start a server until it is up; False, with the reason noted and logged, when it does not stay.

    + ending: processes of it that are ended before
    """
    # Only those pay for its import who need it.
    from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_exponential  # noqa: PLC0415

    del state
    subject = subject_of(wanted)
    if (
        ending
        and not host.run_shell_command(StringCommand(end_script(wanted.name, ending)), _timeout=SCRIPT_TIMEOUT)[0]
    ):
        return _failed(host, subject, f"these do not end: {in_words(ending)}")
    tries = _Tries()
    attempts = Retrying(
        # After the last start and its pause, one more look.
        stop=stop_after_attempt(TRIES + 1),
        wait=wait_exponential(multiplier=_WAIT),
        sleep=sleep,
        retry=retry_if_result(lambda reason: reason is not None),
        retry_error_callback=lambda last: last.outcome.result() if last.outcome else None,
    )
    reason: str | None = attempts(_attempt, host, wanted, tries)
    if reason is not None:
        return _failed(host, subject, reason, _last_words(host, wanted))
    did = "restarted" if ending else "started" if tries.starts else "came up by itself"
    note(host, subject, "repaired", did)
    return True


def _attempt(host: Host, wanted: McpServer, tries: _Tries) -> str | None:
    """Look, start the server when it is down, and watch it; what is wrong in the end, None when it is up."""
    seen = _look(host, wanted)
    if isinstance(seen, Unknown):
        return seen.reason
    if standing(seen, match=wanted.match, port=wanted.port) == "down":
        if tries.starts == TRIES:
            return f"tried to start it {TRIES} times: {tries.trouble}"
        tries.starts += 1
        done, output = host.run_shell_command(
            StringCommand(start_script(wanted, seen.recorded)),
            _stdin=exports(wanted.environment),
            _timeout=SCRIPT_TIMEOUT,
        )
        if not done:
            tries.trouble = output.stderr.strip().rpartition("\n")[2] or "that failed"
            return tries.trouble
    tries.trouble = _watch(host, wanted) or ""
    return tries.trouble or None


def _watch(host: Host, wanted: McpServer) -> str | None:
    """Wait until the server is up and has stayed so; None then, else what is wrong."""
    deadline = monotonic() + _PATIENCE
    up_since: float | None = None
    while True:
        seen = _look(host, wanted)
        now = monotonic()
        if isinstance(seen, Unknown):
            reason = seen.reason
        else:
            stands = standing(seen, match=wanted.match, port=wanted.port)
            if stands == "down":
                return "it has ended"
            if stands == "up":
                up_since = now if up_since is None else up_since
                if now - up_since >= _SETTLE:
                    _record(host, wanted, seen)
                    return None
            else:
                up_since = None
            reason = hanging(wanted, seen) if up_since is None else "it does not stay up"
        if now >= deadline + (_SETTLE if up_since is not None else 0.0):
            return reason
        sleep(_POLL)


def _record(host: Host, wanted: McpServer, seen: Daemon) -> None:
    """A server that has detached itself is recorded, so that the next run changes nothing."""
    adopted = adoptable(seen, wanted.match)
    if adopted is not None and adopted.mark is not None:
        host.run_shell_command(StringCommand(adopt_script(wanted.name, seen.recorded, adopted.pid, adopted.mark)))
        forget(host, daemons_section(wanted.name, wanted.match, wanted.port).title)


def _look(host: Host, wanted: McpServer) -> Daemon | Unknown:
    section = daemons_section(wanted.name, wanted.match, wanted.port)
    forget(host, section.title)
    return ask(host, section)


def hanging(wanted: McpServer, seen: Daemon) -> str:
    """What a server lacks that runs, but is not up."""
    running = in_words(serving(seen, wanted.match) or ours(seen))
    missing = f"port {wanted.port} does not answer" if wanted.port else f"nothing has {wanted.match!r} in its command"
    return f"process {running} runs, but {missing}"


def _last_words(host: Host, wanted: McpServer) -> str:
    from miyabi.masking import masked  # noqa: PLC0415

    done, output = host.run_shell_command(
        StringCommand(log_script(wanted.name, wanted.environment)), _stdin=exports(wanted.environment), _timeout=10
    )
    said = masked(output.stdout).strip() if done else ""
    return f"; its log ends with:\n{said}" if said else ""


def _failed(host: Host, subject: str, reason: str, evidence: str = "") -> bool:
    note(host, subject, "failed", reason)
    host.log_styled(f"{subject}: {reason}{evidence}", fg="red", log_func=logger.error)
    return False


def subject_of(wanted: McpServer) -> str:
    """What findings about a server are called."""
    return f"server {wanted.name}"
