"""Why what is damaged on a host was damaged: its panes' last words and the kernel's, asked before they are gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from facts.evidence import evidence_section
from facts.observation import Unknown, ask
from miyabi import state
from miyabi.cause import attribute, evidence_of_drift, evidence_of_finding, find_pane
from miyabi.climb import Climb
from miyabi.drift import Drift, Target
from miyabi.last_words import LastWords
from miyabi.spec import Spec
from operations.memory import memory_of

if TYPE_CHECKING:
    from pyinfra.api import Host

# In these somebody could have typed something, or the screen says why it ended.
_SPEAKING = frozenset({"pane-dead", "agent-exited", "agent-stalled"})
# In these what somebody has half typed would be lost, or something would be typed into it.
_DRAFTED = frozenset({"agent-exited", "agent-stalled"})


def causes_of(
    host: Host, wanted: Spec, drifts: Sequence[Drift], seen: state.Host, climb: Climb
) -> Mapping[Target, str]:
    """The cause of each drift by name; ``climb`` remembers it with its evidence, as acting destroys that."""
    new = [drift for drift in drifts if drift.kind != "unmarked" and drift.target not in climb.causes]
    if new:
        words = last_words(host, wanted, new, seen)
        before = memory_of(host.state).last_seen(host.name)
        climb.causes |= {drift.target: attribute(evidence_of_drift(drift, seen, words, before)) for drift in new}
    return {drift.target: climb.causes[drift.target].name for drift in drifts if drift.target in climb.causes}


def drafts_of(host: Host, wanted: Spec, drifts: Iterable[Drift], seen: state.Host) -> Mapping[Target, str]:
    """What a human has half typed into panes into which something would be typed."""
    typed = [drift for drift in drifts if drift.kind in _DRAFTED]
    words = last_words(host, wanted, typed, seen) if typed else None
    found = {}
    for drift in typed if words is not None else ():
        pane = find_pane(drift, seen)
        screen = words.screens.get(pane.pane_id) if pane is not None and words is not None else None
        if screen is not None and screen.draft:
            found[drift.target] = screen.draft
    return found


def last_words(host: Host, wanted: Spec, drifts: Iterable[Drift], seen: state.Host) -> LastWords | None:
    """What the damaged panes and the kernel say; None when there is nobody to ask, or no answer."""
    panes = {pane.pane_id for drift in drifts if drift.kind in _SPEAKING and (pane := find_pane(drift, seen))}
    if not panes:
        return None
    words = ask(host, evidence_section(sorted(panes), wanted.tmux))
    return None if isinstance(words, Unknown) else words


def cause_of(subject: str, reason: str) -> str:
    """The cause of something that upkeep has found, by name.

    + subject: such as ``server mcp``
    + reason: what is wrong with it, in words
    """
    return attribute(evidence_of_finding(subject, reason)).name
