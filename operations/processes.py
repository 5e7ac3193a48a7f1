"""Servers that run detached: kept running, started anew, and freed of what earlier generations have left."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pyinfra import host
from pyinfra.api import FunctionCommand, StringCommand
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
    reap_script,
)
from miyabi.spec import McpServer, Pairs
from operations.bring_up import bring_up, hanging, subject_of
from operations.gate import may_adopt, operation, permission
from operations.upkeep import failing, note, proof, warn

if TYPE_CHECKING:
    from pyinfra.api.command import PyinfraCommand


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
    if (yield from permission(host, subject_of(wanted), "interrupt", "it should be restarted")):
        yield from _starting(wanted, ending)


def _pairs(environment: Mapping[str, str | HiddenValue] | None) -> Pairs:
    given = (environment or {}).items()
    return tuple((name, value.unmask() if isinstance(value, HiddenValue) else value) for name, value in given)


def _keep_up(wanted: McpServer, seen: Daemon) -> Generator[PyinfraCommand]:
    stands = standing(seen, match=wanted.match, port=wanted.port)
    own = ours(seen)
    if stands == "hung" and not own:
        yield from failing(host, subject_of(wanted), f"{hanging(wanted, seen)}, and it was not started here")
        return
    if stands in {"down", "hung"}:
        damage = hanging(wanted, seen) if own else "it is down"
        if (yield from permission(host, subject_of(wanted), "interrupt" if own else "restore", damage)):
            yield from _starting(wanted, own)
        return
    adopted = adoptable(seen, wanted.match) if stands == "up" else None
    left = orphans_of(seen, wanted.match)
    if adopted is not None and adopted.mark is not None and may_adopt(host, subject_of(wanted)):
        host.log(f"Recording process {in_words([adopted])} as the server")
        forget(host, daemons_section(wanted.name, wanted.match, wanted.port).title)
        yield StringCommand(adopt_script(wanted.name, seen.recorded, adopted.pid, adopted.mark))
    if left and wanted.orphans == "reap" and _holder_is_known(wanted, seen):
        yield from _reaping(wanted, seen, left)
    elif left:
        warn(host, subject_of(wanted), f"nobody owns these of an earlier generation: {in_words(left)}")
    elif stands == "starting":
        warn(host, subject_of(wanted), f"it is starting: {hanging(wanted, seen)}")
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
    if not (yield from permission(host, subject_of(wanted), "interrupt", f"nobody owns these: {in_words(left)}")):
        return
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


def as_arguments(server: McpServer) -> dict[str, Any]:
    """A server of a spec as the arguments of ``running``."""
    return {
        "process": server.name,
        "start": server.start,
        "match": server.match,
        "port": server.port,
        "cwd": server.cwd,
        "environment": {name: HiddenValue(value) for name, value in server.environment},
        "expected": server.expected,
        "orphans": server.orphans,
    }
