"""What is done when a resource of a host is critical, or foretold to be: the reliefs that its spec names, in order."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from pyinfra import host, logger
from pyinfra.api import FunctionCommand
from pyinfra.api.exceptions import PyinfraError

from facts.observation import Unknown
from miyabi.limits import Judgement
from miyabi.spec import McpServer, Relief
from operations.gate import permission
from operations.upkeep import findings, note, proof

if TYPE_CHECKING:
    from pyinfra.api import Host, State
    from pyinfra.api.command import PyinfraCommand

    from miyabi.gate_types import Does
    from operations.limits import Measure

T = TypeVar("T")

# What a relief makes smaller.
_RELIEVED = ("temp ", "log ")


def does_of(reliefs: Iterable[Relief]) -> Does:
    """What kind of action some reliefs are together."""
    return "interrupt" if any(relief.does == "restart" for relief in reliefs) else "tidy"


def in_words(relief: Relief) -> str:
    """That a relief was done."""
    return {"prune": "pruned", "rotate": "rotated", "restart": "restarted"}[relief.does] + f" {relief.target}"


def relieve(
    judged: Judgement, what: Measure[T], reliefs: Sequence[Relief], servers: Sequence[McpServer]
) -> Generator[PyinfraCommand]:
    """Do one relief after the other until the resource is no longer critical, and prove that it is not."""
    if not (yield from permission(host, judged.subject, does_of(reliefs), judged.evidence)):
        return
    note(host, judged.subject, "failed", f"{judged.evidence}, and its relief was not finished")

    def is_over(seen: T) -> bool:
        return what.judge(seen).grade != "critical"

    did = yield from in_order(judged.evidence, what, reliefs, servers, is_over)

    def wrong(seen: T) -> str | None:
        now = what.judge(seen)
        return now.evidence if now.grade == "critical" else None

    yield proof(host, judged.subject, what.section, wrong, did=f"{judged.evidence}: {', '.join(did)}", seconds=0)


def in_order(
    why: str,
    what: Measure[T],
    reliefs: Sequence[Relief],
    servers: Sequence[McpServer],
    is_over: Callable[[T], bool],
) -> Generator[PyinfraCommand, None, list[str]]:
    """Do one relief after the other until it is over; what was done, in words. Without acting all of them are shown.

    + is_over: whether no more is needed, of what was seen after a relief
    """
    did = []
    for relief in reliefs:
        host.log(f"{why}: {relief.does} {relief.target}")
        did.append(in_words(relief))
        for command in _commands(relief, servers):
            # One relief that fails must not keep the next from its turn.
            yield FunctionCommand(_try, (command, did[-1]), {})
        if host.state.is_executing:
            seen = what.seen_anew(host)
            if not isinstance(seen, Unknown) and is_over(seen):
                break
    return did


def _commands(relief: Relief, servers: Sequence[McpServer]) -> Generator[PyinfraCommand]:
    """The commands of the operation that a relief is."""
    # Who needs no relief does not pay for these.
    if relief.does == "prune":
        from operations.files import pruned  # noqa: PLC0415

        yield from pruned._inner(path=relief.target, older_than=relief.older_than)  # noqa: SLF001
    elif relief.does == "rotate":
        from operations.logs import rotated  # noqa: PLC0415

        yield from rotated._inner(path=relief.target, max_size=0, keep=relief.keep)  # noqa: SLF001
    else:
        from operations.processes import restarted  # noqa: PLC0415

        server = next(each for each in servers if each.name == relief.target)
        yield from restarted._inner(  # noqa: SLF001
            process=server.name,
            start=server.start,
            match=server.match,
            port=server.port,
            cwd=server.cwd,
            environment=dict(server.environment),
        )


def _try(state: State, host: Host, command: PyinfraCommand, did: str) -> bool:
    """Execute a command of a relief; that it failed is told, and no reason to stop."""
    before = dict(findings(host))
    try:
        done = command.execute(state, host, {})
    except (PyinfraError, OSError) as error:
        done = False
        host.log_styled(f"{did}: {error}", fg="yellow", log_func=logger.warning)
    for subject, found in findings(host).items():
        if found.verdict == "repaired" and subject.startswith(_RELIEVED) and before.get(subject) != found:
            # What was wrong is the resource, which says so itself.
            note(host, subject, "tidied", found.reason)
    if (done[0] if isinstance(done, tuple) else done) is False:
        host.log_styled(f"{did}: that failed", fg="yellow", log_func=logger.warning)
    return True
