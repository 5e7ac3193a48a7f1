"""Servers that run detached: kept running, started anew, and freed of what earlier generations have left."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import partial
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Literal

from pyinfra import host, logger
from pyinfra.api import FunctionCommand, StringCommand, operation
from pyinfra.api.hiddenvalue import HiddenValue

from facts.daemons import daemons_section
from facts.observation import Unknown, ask, forget
from miyabi.daemon import (
    Daemon,
    Runner,
    adoptable,
    in_words,
    orphans as orphans_of,
    ours,
    refuse_server,
    serving,
    standing,
)
from miyabi.daemon_script import (
    SCRIPT_TIMEOUT,
    adopt_script,
    end_script,
    exports,
    log_script,
    reap_script,
    start_script,
)
from miyabi.spec import McpServer, Pairs
from operations.upkeep import failing, note, proof, warn

if TYPE_CHECKING:
    from pyinfra.api import Host, State
    from pyinfra.api.command import PyinfraCommand

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


@operation()
def running(
    process: str,
    start: str,
    match: str | None = None,
    port: int | None = None,
    cwd: str | None = None,
    environment: Mapping[str, str | HiddenValue] | None = None,
    expected: Literal["up", "down"] = "up",
    orphans: Literal["report", "reap"] = "report",
) -> Generator[PyinfraCommand]:
    """Ensure that a server runs, started so that it outlives the connection and this machine.

    + process: its name, without ``/``: what it is recorded and logged under on the host
    + start: the command that starts it, run by the user's login shell
    + match: text in the command line of its process, by which it is recognised
    + port: a port that it listens on; with one, it is up when somebody listens there
    + cwd: where it is started, may begin with ``~``; None is the home directory
    + environment: its variables; values may hold ``$NAME`` of the host's, and are in no process list and no output
    + expected: ``down`` starts nothing and ends nothing: a server that runs all the same is a warning
    + orphans: ``reap`` ends processes of an earlier generation that nobody owns any more, ``report`` warns of them

    A server that is down is started up to three times, 1, 2 and 4 seconds apart, each time only after another look. It
    then fails with the last lines of its log. One that runs without its port answering is left alone for 5 minutes, and
    then, if it was started here, ended and started anew. A process that runs already is recorded, not started again.

    **Example:**

    .. code:: python

        from operations import processes

        processes.running(
            name="Keep the MCP server up",
            process="miyabi-tmux",
            start="npm run mcp:start",
            cwd="~/repos/miyabi",
            match="mcp/dist/index.js",
        )
    """
    wanted = McpServer(process, start, cwd, match, port, expected, _pairs(environment), orphans)
    reason = refuse_server(wanted)
    if reason is not None:
        yield from failing(host, subject_of(wanted), reason)
        return
    section = daemons_section(process, match, port)
    seen = ask(host, section)
    if isinstance(seen, Unknown):
        yield from failing(host, subject_of(wanted), seen.reason)
    elif expected == "down":
        _leave_down(wanted, seen)
    else:
        yield from _keep_up(wanted, seen)


@operation(is_idempotent=False, idempotent_notice="The server is restarted each time.")
def restarted(
    process: str,
    start: str,
    match: str | None = None,
    port: int | None = None,
    cwd: str | None = None,
    environment: Mapping[str, str | HiddenValue] | None = None,
) -> Generator[PyinfraCommand]:
    """End the generation of a server that was started or adopted last, and start it anew.

    + process, start, match, port, cwd, environment: as in ``running``

    Its processes are asked to end, and killed 5 seconds later. Processes that were not started here and have a parent
    that lives are left alone.

    **Example:**

    .. code:: python

        processes.restarted(name="Free memory", process="miyabi-tmux", start="npm run mcp:start", port=8931)
    """
    wanted = McpServer(process, start, cwd, match, port, environment=_pairs(environment))
    reason = refuse_server(wanted)
    seen: Daemon | Unknown = Unknown(reason or "")
    if reason is None:
        seen = ask(host, daemons_section(process, match, port))
    if isinstance(seen, Unknown):
        yield from failing(host, subject_of(wanted), seen.reason)
        return
    adopted = adoptable(seen, match)
    ending = (*ours(seen), *((adopted,) if adopted else ()))
    yield from _starting(wanted, ending)


def _pairs(environment: Mapping[str, str | HiddenValue] | None) -> Pairs:
    given = (environment or {}).items()
    return tuple((name, value.unmask() if isinstance(value, HiddenValue) else value) for name, value in given)


def _keep_up(wanted: McpServer, seen: Daemon) -> Generator[PyinfraCommand]:
    stands = standing(seen, match=wanted.match, port=wanted.port)
    own = ours(seen)
    if stands == "hung" and not own:
        yield from failing(host, subject_of(wanted), f"{_hanging(wanted, seen)}, and it was not started here")
        return
    if stands in {"down", "hung"}:
        yield from _starting(wanted, own)
        return
    adopted = adoptable(seen, wanted.match) if stands == "up" else None
    left = orphans_of(seen, wanted.match)
    if adopted is not None and adopted.mark is not None:
        host.log(f"Recording process {in_words([adopted])} as the server")
        forget(host, daemons_section(wanted.name, wanted.match, wanted.port).title)
        yield StringCommand(adopt_script(wanted.name, seen.recorded, adopted.pid, adopted.mark))
    if left and wanted.orphans == "reap" and _holder_is_known(wanted, seen):
        yield from _reaping(wanted, seen, left)
    elif left:
        warn(host, subject_of(wanted), f"nobody owns these of an earlier generation: {in_words(left)}")
    elif stands == "starting":
        warn(host, subject_of(wanted), f"it is starting: {_hanging(wanted, seen)}")
    elif wanted.port and wanted.match and not serving(seen, wanted.match):
        warn(
            host, subject_of(wanted), f"port {wanted.port} answers, but no process has {wanted.match!r} in its command"
        )
    elif adopted is None:
        host.noop(f"server {wanted.name} is up")


def _leave_down(wanted: McpServer, seen: Daemon) -> None:
    if standing(seen, match=wanted.match, port=wanted.port) == "down":
        host.noop(f"server {wanted.name} is down, as it should be")
        return
    evidence = in_words(serving(seen, wanted.match) or ours(seen)) or f"port {wanted.port} answers"
    warn(host, subject_of(wanted), f"it should be down, but runs: {evidence}")


def _starting(wanted: McpServer, ending: tuple[Runner, ...]) -> Generator[PyinfraCommand]:
    host.log(f"{'Restarting' if ending else 'Starting'} server {wanted.name}")
    note(host, subject_of(wanted), "failed", "it should be started, but that failed")
    yield FunctionCommand(bring_up, (wanted, ending), {})


def _reaping(wanted: McpServer, seen: Daemon, left: tuple[Runner, ...]) -> Generator[PyinfraCommand]:
    host.log(f"Ending what nobody owns any more: {in_words(left)}")
    section = daemons_section(wanted.name, wanted.match, wanted.port)
    yield StringCommand(reap_script(wanted.name, left, wanted.match or "", seen.reapers), _timeout=SCRIPT_TIMEOUT)
    yield proof(
        host,
        subject_of(wanted),
        section,
        partial(_still_there, left),
        did=f"ended {len(left)} of an earlier generation",
        seconds=2,
    )


def _still_there(left: tuple[Runner, ...], seen: Daemon) -> str | None:
    there = [each for each in left if any((each.pid, each.mark) == (now.pid, now.mark) for now in seen.processes)]
    return f"these do not end: {in_words(there)}" if there else None


def _holder_is_known(wanted: McpServer, seen: Daemon) -> bool:
    """Whether it is certain that no orphan serves the port."""
    return wanted.port is None or not seen.listening or seen.holder is not None


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
            reason = _hanging(wanted, seen)
        if up_since is None and now >= deadline:
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


def _hanging(wanted: McpServer, seen: Daemon) -> str:
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


def as_arguments(server: McpServer) -> dict[str, Any]:
    """A server of a spec as the arguments of ``running``."""
    return {
        "process": server.name,
        "start": server.start,
        "match": server.match,
        "port": server.port,
        "cwd": server.cwd,
        "environment": dict(server.environment),
        "expected": server.expected,
        "orphans": server.orphans,
    }


def subject_of(wanted: McpServer) -> str:
    """What findings about a server are called."""
    return f"server {wanted.name}"
