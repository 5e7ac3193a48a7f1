"""Prevents what is foretold: the reliefs of a limit, before it is reached, where the spec wants that."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, TypeVar

from pyinfra import host, logger
from pyinfra.api import FunctionCommand

from facts.observation import Unknown
from miyabi.climb import held_in_words
from miyabi.foretold import crossing_of, note_prevented, prevented_at
from miyabi.gate_types import Request
from miyabi.limits import Judgement, lasts
from miyabi.prediction_judgement import Crossing
from miyabi.spec import McpServer, Relief
from miyabi.words import clock_time
from operations.gate_question import ask_gate
from operations.memory import memory_of, now
from operations.relief import does_of, in_order
from operations.upkeep import note

if TYPE_CHECKING:
    from pyinfra.api import Host, State
    from pyinfra.api.command import PyinfraCommand

    from operations.limits import Measure

T = TypeVar("T")

# The share of the time ahead after which the same may be done again: what was foretold since has to be told from what
# was foretold before.
_AGAIN = 0.25


def foreseen(target: Host, subject: str, critical: float, ahead: float) -> Crossing | None:
    """What is foretold of a resource, when its limit is reached within ``ahead`` seconds; None when it is not.

    + subject: ``disk`` or ``memory``
    + critical: the limit that holds now, in percent: what was foretold of another one does not count

    What was done about it a moment ago is not done again.
    """
    memory = memory_of(target.state)
    crossing = crossing_of(memory.folder, target.name, subject, now())
    if crossing is None or crossing.crosses_at - now() > ahead or crossing.limit not in {None, critical}:
        return None
    last = prevented_at(memory.folder, target.name, subject, now())
    return crossing if last is None or now() - last >= _AGAIN * ahead else None


def prevent(
    judged: Judgement,
    before: float,
    what: Measure[T],
    reliefs: Sequence[Relief],
    servers: Sequence[McpServer],
    crossing: Crossing,
    ahead: float,
) -> Generator[PyinfraCommand]:
    """Do one relief after the other until the limit is far enough away at the same pace, and tell what that brought.

    + before: the measure as it is
    + ahead: seconds from the limit that are far enough

    What the gate holds, and what helps too little, fails nothing: nothing is wrong yet.
    """
    why = f"the {judged.subject} is foretold to reach {what.critical:g} % at {clock_time(crossing.crosses_at, now())}"
    does = does_of(reliefs)
    request = Request(host=host.name, target=judged.subject, does=does, disturbs=does == "interrupt", why=why)
    [decision] = ask_gate(host, [request], is_needed=False)
    if not decision.allowed:
        _say(f"{why}, and nothing is done: {held_in_words(decision, now())}")
        host.noop(f"{judged.subject}: {held_in_words(decision, now())}")
        return
    if host.state.is_executing and not _is_noted(judged.subject):
        return

    def is_over(later: T) -> bool:
        return lasts(before, what.value(later), what.critical, crossing.crosses_at - now()) > ahead

    did = yield from in_order(why, what, reliefs, servers, is_over)
    yield FunctionCommand(_tell, (judged.subject, what, f"{why}: {', '.join(did)}", before), {})


def _say(words: str) -> None:
    host.log_styled(words, fg="yellow", log_func=logger.warning)


def _is_noted(subject: str) -> bool:
    """Remember that it is prevented now; what could not be remembered would be done in each run, and is not done."""
    folder = memory_of(host.state).folder
    try:
        note_prevented(folder, host.name, subject, now())
    except OSError as error:
        _say(f"{subject}: nothing is prevented: {error.filename or folder}: {error.strerror}")
        return False
    return True


def _tell(state: State, host: Host, subject: str, what: Measure[T], did: str, before: float) -> bool:
    """Look again, and say what it brought."""
    del state
    seen = what.seen_anew(host)
    if isinstance(seen, Unknown):
        note(host, subject, "warning", f"{did}; what it brought is unknown: {seen.reason}")
        return True
    judged = what.judge(seen)
    words = f"{did}: from {before:.1f} % to {what.value(seen):.1f} %, {judged.evidence}"
    note(host, subject, {"fine": "tidied", "warning": "warning", "critical": "failed"}[judged.grade], words)  # type: ignore[arg-type]
    host.log(f"{subject}: {words}")
    return judged.grade != "critical"
