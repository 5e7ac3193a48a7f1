"""What is done about tasks, carried out: lines typed into the panes of agents, and what the register then says."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pyinfra import host, logger
from pyinfra.api import FunctionCommand, StringCommand

from facts.evidence import evidence_section
from facts.host import LADDER
from facts.observation import Unknown, ask, forget
from facts.tasks import REGISTER, register_section
from miyabi import state as observed
from miyabi.checkpoint import Trouble, Written, begun, read_checkpoint
from miyabi.climb import held_in_words
from miyabi.conversation import file_name
from miyabi.handing import hand_script
from miyabi.host_lock import PATIENCE
from miyabi.records import Signalled
from miyabi.register_script import unchanged_script, write_script
from miyabi.spec import Spec
from miyabi.task_assignment import Assignment, Register, assignment_text, read_assignment
from miyabi.task_plan import TaskStep, left_behind
from miyabi.task_registry import agent_panes
from operations.memory import memory_of, now
from operations.upkeep import note

if TYPE_CHECKING:
    from pyinfra.api import Host, State
    from pyinfra.api.command import PyinfraCommand

    from miyabi.gate_types import Request

# What is written down of a choice, as a signal.
TASK_CHOSEN = "task_chosen"

# Seconds that typing a line into a pane may take, with all the looks at it.
_TYPING = 60


def panes_of(seen: observed.Host) -> Iterator[observed.Pane]:
    """Every pane of a host."""
    for session in seen.tmux.sessions if seen.tmux else ():
        for window in session.windows:
            yield from window.panes


@dataclass(frozen=True, slots=True)
class Carrying:
    """What carrying out the steps of a host goes by."""

    wanted: Spec
    seen: observed.Host
    register: Register

    def out(self, steps: Sequence[TaskStep]) -> Generator[PyinfraCommand]:
        """The commands of what may be done now; what must wait is said."""
        handed = []
        for step in steps:
            if step.does == "wait":
                host.log(f"task {step.task.id}: {step.words}")
                continue
            if step.does == "tell":
                note(host, f"task {step.task.id}", "warning", step.words)
                host.log_styled(f"task {step.task.id}: {step.words}", fg="yellow", log_func=logger.warning)
            script = self._script(step)
            if script is None or not self._may(step):
                continue
            if step.does != "tell":
                host.log(f"task {step.task.id}: {step.words}")
            self._remember(step)
            handed.append(step)
            # What did not arrive is found out by looking.
            yield StringCommand(f"( {script} ) || echo 'the task was not handed over' >&2", _timeout=_TYPING + PATIENCE)
        if handed:
            yield FunctionCommand(_verify, (self.wanted, tuple(handed)), {})
        else:
            host.noop("each task is where it belongs")

    def _script(self, step: TaskStep) -> str | None:
        """What is done on the host; None when that is nothing."""
        name = f"{file_name(step.agent)}.task"
        known = self.register.assignments.get(step.agent)
        if step.does == "settle":
            done = {"task": step.task.id, "outcome": "done", "summary": f"done by {step.agent}", "agent": step.agent}
            result = write_script(
                f"{file_name(step.task.id)}_results.json", f"{json.dumps(done)}\n", None, is_checked=False
            )
            return f"( {result}\n) && ( {self._written(name, '', step.agent, known)}\n)"
        if step.does == "tell":
            assignment = step.assignment
            before = read_assignment(known, step.agent) if known else None
            if assignment is None or (isinstance(before, Assignment) and before.strategy == assignment.strategy):
                return None
            return self._written(name, assignment_text(assignment), step.agent, known)
        typed = self._typing(step)
        if typed is None:
            return None
        written = self._written(name, self._text(step), step.agent, known, is_checked=False)
        parts = [unchanged_script(name, known), typed, f"( {written}\n)"]
        if step.leaves and step.assignment:
            behind = replace(left_behind(step.assignment), agent=step.leaves)
            old = f"{file_name(step.leaves)}.task"
            parts.append(f"( {write_script(old, assignment_text(behind), None, is_checked=False)}\n)")
        if step.does == "hand":
            parts.append(f"( {self._checkpoint(step)}\n)")
        return " && ".join(parts)

    def _text(self, step: TaskStep) -> str:
        return assignment_text(step.assignment) if step.assignment else ""

    def _typing(self, step: TaskStep) -> str | None:
        pane = next((each for each in panes_of(self.seen) if each.name == step.agent and not each.dead), None)
        if pane is None or pane.pid is None:
            return None
        return hand_script(step.text, pane.pane_id, pane.pid, self.wanted.tmux)

    def _written(self, name: str, text: str, agent: str, known: Written | None, *, is_checked: bool = True) -> str:
        is_broken = known is not None and isinstance(read_assignment(known, agent), Trouble)
        return write_script(name, text, known, is_broken=is_broken, is_checked=is_checked)

    def _checkpoint(self, step: TaskStep) -> str:
        """The checkpoint of an agent that was given a task; one that it wrote meanwhile is left as it is."""
        known = self.register.checkpoints.get(step.agent)
        session_id = step.assignment.session_id if step.assignment else ""
        text = begun(known, agent=step.agent, task=step.task.id, session_id=session_id, now=self.register.now)
        read = read_checkpoint(known, agent=step.agent, now=self.register.now) if known else None
        name = f"{file_name(step.agent)}.json"
        return f"( {write_script(name, text, known, is_broken=isinstance(read, Trouble))}\n) || :"

    def _may(self, step: TaskStep) -> bool:
        """Whether the gate lets it through; a human's pane is a human's."""
        from miyabi.gate_types import Request  # noqa: PLC0415 - a run that has nothing to do does not pay for it
        from operations.gate_question import ask_gate  # noqa: PLC0415

        target = f"task {step.task.id}"
        if step.does in {"settle", "tell"}:
            request = Request(host=host.name, target=target, does="adopt")
        else:
            request = self._request(step, target)
        [decision] = ask_gate(host, [request])
        if decision.allowed:
            return True
        host.log_styled(f"{target}: {held_in_words(decision, now())}", fg="yellow", log_func=logger.warning)
        return False

    def _request(self, step: TaskStep, target: str) -> Request:
        from miyabi.gate_types import Request  # noqa: PLC0415 - as above

        window, pane = next(
            (each.window_id, pane)
            for session in (self.seen.tmux.sessions if self.seen.tmux else ())
            for each in session.windows
            for pane in each.panes
            if pane.name == step.agent and not pane.dead
        )
        idle = [each.idle for each in (self.seen.tmux.clients if self.seen.tmux else ()) if each.window_id == window]
        words = ask(host, evidence_section([pane.pane_id], self.wanted.tmux))
        unknown = words.reason if isinstance(words, Unknown) else None
        screen = None if isinstance(words, Unknown) else words.screens.get(pane.pane_id)
        where = next(str(each) for each, wanted in agent_panes(self.wanted) if wanted.name == step.agent)
        return Request(
            host=host.name,
            target=target,
            does="nudge",
            covers=(where,),
            unknown=unknown or (None if screen else "its screen was not read"),
            draft=screen.draft if screen else "",
            watched_at=now() - min(idle) if idle else None,
        )

    def _remember(self, step: TaskStep) -> None:
        """Write down what was chosen, and why."""
        if step.choice is None or not host.state.is_executing:
            return
        memory = memory_of(host.state)
        tries = step.assignment.tries if step.assignment else 0
        chosen = {"strategy": step.choice.strategy, "rule": step.choice.rule, "reason": step.choice.reason}
        details = {**chosen, "agent": step.agent, "tries": tries}
        signal = Signalled(
            **memory.common(), signal=TASK_CHOSEN, host=host.name, target=f"task {step.task.id}", details=details
        )
        memory.keep(signal)


def _verify(state: State, host: Host, wanted: Spec, steps: tuple[TaskStep, ...]) -> bool:
    """Look whether what was done is so in the register; what is not is told, and tried again by the next run."""
    del state
    forget(host, REGISTER, *LADDER)
    register = ask(host, register_section(wanted))
    for step in steps:
        if isinstance(register, Unknown):
            _warn(host, step, f"whether it arrived is unknown: {register.reason}")
            continue
        written = register.assignments.get(step.agent)
        there = read_assignment(written, step.agent) if written else None
        if there != step.assignment and not (there is None and step.assignment is None):
            _warn(host, step, f"{step.words}, but that did not arrive")
        elif step.does == "hand":
            note(host, f"task {step.task.id}", "tidied", step.words)
    return True


def _warn(target: Host, step: TaskStep, words: str) -> None:
    note(target, f"task {step.task.id}", "warning", words)
    target.log_styled(f"task {step.task.id}: {words}", fg="yellow", log_func=logger.warning)
