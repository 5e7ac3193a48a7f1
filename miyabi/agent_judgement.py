"""What is made of an agent: its screen, its processes, its transcript and its heartbeat in one verdict. Pure.

Nothing is concluded from a single sign that something else contradicts: the verdict is unsure then, or unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from miyabi import spec, state
from miyabi.agent_kind import AgentKind
from miyabi.agent_lines import body_of
from miyabi.agent_reading import read_screen
from miyabi.agent_state import AgentCause, AgentCondition, AgentPane, Agents, Heartbeat, Judgement
from miyabi.agent_texts import Reading
from miyabi.processes import death, is_idle_shell

# How old a screen must be to have been the same at two looks.
_TWO_LOOKS = 2.0
# The share of a processor below which nothing is done: a spinner alone takes more.
_NOTHING = 0.01
_INTERRUPTS = frozenset({"2", "int", "sigint"})


def judge_agent(  # noqa: PLR0913, PLR0917 - these are all the signs there are
    wanted: spec.Pane,
    pane: state.Pane | None,
    seen: AgentPane | None,
    processes: Iterable[state.Process] | None,
    kind: AgentKind | None,
    agents: Agents,
    *,
    heartbeat: Heartbeat | None = None,
    now: float,
) -> Judgement:
    """The condition of an agent.

    + wanted: its pane in the spec
    + pane: the pane observed for it; None when there is none, which is no matter of the agent
    + seen: what its screen showed; None when it was not read
    + processes: the host's; None when they are unknown
    + kind: of agent; None when nobody knows it: then only its end can be told
    + agents: what the same look saw of all
    + heartbeat: asked of a suspect; None when it was not
    + now: the host's clock, in seconds since the epoch

    Returns ``unknown`` whenever the signs do not suffice.
    """
    if pane is None:
        return Judgement("unknown", 0.0, detail="its pane is not there")
    listed = None if processes is None else tuple(processes)
    since = seen.same_since if seen else None
    confirmed = since is not None and now - since >= _TWO_LOOKS
    reading = None
    if seen is not None and kind is not None:
        reading = read_screen(kind, seen.lines, shown_at=min(since or now, now), offset=agents.offset)
    if pane.dead:
        return _ended(pane, seen, reading)
    if listed is not None and is_idle_shell(pane, listed):
        return _left(seen, reading, confirmed=confirmed)
    if seen is None:
        return Judgement("unknown", 0.0, detail="its screen was not read")
    if kind is None or reading is None:
        return Judgement("unknown", 0.0, detail="its kind of agent is not known", confirmed=confirmed)
    if seen.transcript is not None:
        from miyabi.transcript_reading import with_transcript  # noqa: PLC0415 - few agents need it

        reading = with_transcript(reading, seen, kind, offset=agents.offset, now=now)
    judged = _judgement(reading, confirmed=confirmed)
    if reading.condition == "working":
        judged = _stalled(judged, reading, wanted, seen, kind, heartbeat, now=now)
    return _looping(judged, reading, seen)


def _judgement(reading: Reading, *, confirmed: bool) -> Judgement:
    return Judgement(
        reading.condition,
        round(reading.confidence, 2),
        reading.lines,
        reading.until,
        reading.detail,
        confirmed=confirmed,
        retrying=reading.retrying,
        menu=reading.menu,
        keys=reading.keys,
        cause=reading.cause,
    )


def _ended(pane: state.Pane, seen: AgentPane | None, reading: Reading | None) -> Judgement:
    """A process of which tmux kept the pane."""
    detail, lines, cause = _last_words(death(pane), seen, reading)
    signal = pane.dead_signal or ""
    if not signal and pane.dead_status is not None and 128 < pane.dead_status < 192:
        detail = detail.replace(
            f"status {pane.dead_status}", f"status {pane.dead_status}, as by signal {pane.dead_status - 128}"
        )
        signal = str(pane.dead_status - 128)
    if not cause and signal.lower() in _INTERRUPTS:
        cause = "interrupted"
    condition: AgentCondition = "dead" if pane.dead_signal else "exited"
    return Judgement(condition, 1.0, lines, detail=detail, confirmed=True, cause=cause)


def _left(seen: AgentPane | None, reading: Reading | None, *, confirmed: bool) -> Judgement:
    """A shell that waits for a human is all there is: whatever the screen shows is what the agent left there."""
    detail, lines, cause = _last_words("only an idle shell is left in it", seen, reading)
    return Judgement("exited", 0.95, lines, detail=detail, confirmed=confirmed, cause=cause)


def _last_words(how: str, seen: AgentPane | None, reading: Reading | None) -> tuple[str, tuple[str, ...], AgentCause]:
    """How it ended, with what its screen says of that."""
    from miyabi.cause_patterns import heap_said, spoken  # noqa: PLC0415 - only what has ended needs it

    if seen is None:
        return how, (), ""
    words = spoken(seen.lines, most=None)
    if heap := heap_said(words):
        return f"{how}; its heap was full", (heap.line,), "out-of-memory"
    if reading and reading.cause:
        return f"{how}: {reading.detail}", reading.lines, reading.cause
    return how, tuple(words[-3:]), ""


def _stalled(  # noqa: PLR0913, PLR0917 - all of them are signs
    judged: Judgement,
    reading: Reading,
    wanted: spec.Pane,
    seen: AgentPane,
    kind: AgentKind,
    heartbeat: Heartbeat | None,
    *,
    now: float,
) -> Judgement:
    """The verdict on an agent whose screen says that it works: whether it does."""
    patience = wanted.agent.stall_after if wanted.agent else None
    if patience is None or seen.same_since is None or now - seen.same_since < patience or not reading.certain:
        return judged
    silent = f"nothing has changed on its screen for {int(now - seen.same_since)} s"
    if heartbeat is None:
        return replace(judged, suspect=True, detail=silent)
    if heartbeat.born_at is not None and now - heartbeat.born_at < patience:
        return judged
    if heartbeat.seconds <= 0 or heartbeat.busy > _NOTHING * heartbeat.seconds:
        return replace(judged, detail=f"{silent}, but its processes work")
    if heartbeat.stopped:
        pids = ", ".join(map(str, heartbeat.stopped))
        return replace(judged, condition="stalled", confidence=0.95, detail=f"{silent}; stopped: {pids}")
    # Only of a screen that always moves it is known that its stillness says something.
    confidence = 0.9 if kind.ticks else 0.6
    return replace(judged, condition="stalled", confidence=confidence, detail=f"{silent}, and its processes do nothing")


def _looping(judged: Judgement, reading: Reading, seen: AgentPane) -> Judgement:
    """The verdict, unless the agent goes round in a circle."""
    at_rest = reading.condition == "idle" and not reading.lines
    if not (judged.condition == "working" or reading.condition == "unknown" or at_rest) or reading.cause:
        return judged
    from miyabi.agent_loop import loop_in  # noqa: PLC0415 - who waits for a human goes round in no circle

    block = loop_in(body_of(seen.lines))
    if not block:
        return judged
    confidence = 0.9 if judged.condition == "working" else 0.8 if reading.condition == "unknown" else 0.7
    detail = "the same lines again and again"
    return replace(judged, condition="looping", confidence=confidence, lines=block, detail=detail, suspect=False)
