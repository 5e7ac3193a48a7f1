"""A workspace's sessions brought to what they should be: look, decide, write what nobody changed meanwhile, look again.

A program that wrote meanwhile wins, and it is decided again on what it has written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from miyabi.orchestration.workspace import SeenWorkspace
from miyabi.state_material import (
    ERROR_OF,
    NO_FILE,
    NOTHING,
    UNKNOWN,
    Decide,
    Decision,
    Wish,
    Workspace,
    decided,
    digest_of,
    is_nothing,
)

# How often it is decided again when somebody was faster, and the seconds between, which are doubled and mixed.
TRIES = 8
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0

# nothing: there was nothing to do. done: written, and seen to be there. quarantined: moved aside, a human must look.
# overtaken: written, and since then written over by another program. failed: left as it was.
Outcome = Literal["nothing", "done", "quarantined", "overtaken", "failed"]


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of one session's file.

    + reason: for the user, in one line; "" when all is well
    + code: of ``miyabi.orchestration.error_table``, where it could not be written; "" else
    + tries: how often it was decided
    """

    name: str
    outcome: Outcome
    reason: str = ""
    tries: int = 0
    decision: Decision = NOTHING
    code: str = ""


def settle(  # noqa: PLR0913 - how patient it is has defaults
    there: Workspace,
    names: Sequence[str],
    decide: Decide,
    tell: Callable[[Settled], None] = lambda _: None,
    *,
    insist: bool = True,
    tries: int = TRIES,
) -> tuple[Settled, ...]:
    """Bring sessions' files to what ``decide`` says, and see that they are; what came of each, in their order.

    + names: of files that are there, or are to be made
    + tell: hears of each as soon as it is settled
    + insist: whether it is decided again when another program wrote over what was written here
    + tries: how often it is decided again on a file that another program writes
    """
    from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_random_exponential  # noqa: PLC0415 - dear

    work = _Work(there, decide, tell, insist, list(dict.fromkeys(names)))
    again = Retrying(
        retry=retry_if_result(bool),
        stop=stop_after_attempt(tries),
        wait=wait_random_exponential(_FIRST_PAUSE, _LONGEST_PAUSE),
        retry_error_callback=lambda _: work.give_up(),
    )
    again(work.round)
    return tuple(work.settled[name] for name in dict.fromkeys(names))


def look_and_decide(there: Workspace, names: Sequence[str], decide: Decide) -> tuple[Settled, ...]:
    """What ``settle`` would do: each is ``nothing``, ``done``, ``quarantined`` or ``failed``, with its decision."""
    seen = there.look()
    if seen.trouble:
        return tuple(Settled(name, "failed", f"{seen.path}: {seen.trouble}") for name in names)
    told: list[Settled] = []
    for material, decision in decided(there, seen, names, decide):
        if decision.method == UNKNOWN:
            told.append(Settled(material.name, "failed", "; ".join(decision.steps), 1, decision))
            continue
        outcome: Outcome = "nothing" if is_nothing(material, decision) else "done"
        told.append(Settled(material.name, _QUARANTINED.get(decision.method, outcome), "", 1, decision))
    return tuple(told)


_QUARANTINED: Mapping[str, Outcome] = {"quarantine": "quarantined"}


@dataclass(slots=True)
class _Work:
    """What is done about a workspace's sessions, round after round, until nothing is left to do."""

    there: Workspace
    decide: Decide
    tell: Callable[[Settled], None]
    insist: bool
    pending: list[str]
    settled: dict[str, Settled] = field(default_factory=dict)
    last: dict[str, Settled] = field(default_factory=dict)
    rounds: int = 0

    def round(self) -> bool:
        """Look, decide, write and look again; whether something is left that may go well the next time."""
        self.rounds += 1
        seen = self.there.look()
        if seen.trouble:
            for name in self.pending:
                self._end(Settled(name, "failed", f"{seen.path}: {seen.trouble}", self.rounds))
        else:
            self._prove(dict(self._write(seen)))
        self.pending = [name for name in self.pending if name not in self.settled]
        return bool(self.pending)

    def give_up(self) -> bool:
        """Settle what could not be brought about, with the last reason that there was."""
        for name in self.pending:
            self._end(replace(self.last[name], tries=self.rounds))
        return False

    def _write(self, seen: SeenWorkspace) -> list[tuple[str, Decision]]:
        """Decide and write; what was written, with what was decided."""
        written: list[tuple[str, Decision]] = []
        for material, decision in decided(self.there, seen, self.pending, self.decide):
            name = material.name
            if decision.method == UNKNOWN:
                self._failed(name, "; ".join(decision.steps), decision, for_good=not material.is_readable)
            elif is_nothing(material, decision):
                was_written = name in self.last and self.last[name].outcome == "overtaken"
                outcome: Outcome = "done" if was_written else "nothing"
                self._end(Settled(name, outcome, _WENT_ON if was_written else "", self.rounds, decision))
            else:
                wish = Wish(name, digest_of(material.content), decision.content, decision.archived)
                answer = self.there.write(wish)
                if answer.outcome == "written":
                    written.append((name, decision))
                else:
                    # Who writes has waited for a lock that is held already.
                    for_good = answer.outcome != "changed"
                    self._failed(name, answer.reason, decision, for_good=for_good, code=ERROR_OF[answer.outcome])
        return written

    def _failed(self, name: str, reason: str, decision: Decision, *, for_good: bool, code: str = "") -> None:
        self.last[name] = Settled(name, "failed", reason, self.rounds, decision, code)
        if for_good:
            self._end(self.last[name])

    def _prove(self, written: Mapping[str, Decision]) -> None:
        """Look again whether what was written is there."""
        if not written:
            return
        seen = self.there.look()
        now = {each.name: each.digest for each in seen.sessions}
        for name, decision in written.items():
            if seen.trouble:
                reason = f"it was written, and then it could not be seen: {seen.trouble}"
                self._end(Settled(name, "failed", reason, self.rounds, decision))
            elif now.get(name, NO_FILE) == digest_of(decision.content):
                self._end(Settled(name, _QUARANTINED.get(decision.method, "done"), "", self.rounds, decision))
            else:
                overtaken = Settled(name, "overtaken", _OVERTAKEN, self.rounds, decision)
                self.last[name] = overtaken
                if not self.insist:
                    self._end(overtaken)

    def _end(self, settled: Settled) -> None:
        self.settled[settled.name] = settled
        self.tell(settled)


_WENT_ON = "it was written, and another program has gone on with it since"
_OVERTAKEN = "it was written, and another program has written it again since; what it wrote stays"
