"""How hosts stand, as the page says it: in words and with a mark, never by colour alone. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2s
from typing import Literal

from miyabi.dashboard.phrasing import LONGEST_NAME, agent_mood, cut
from miyabi.figures import CardDrift, HostCard, Overview
from miyabi.severity import SEVERITIES

Standing = Literal["unreachable", "drift", "unknown", "stale", "asleep", "healthy"]
Mood = Literal["bad", "warn", "unknown", "ok", "nothing"]

# In the order of what needs somebody's eye; the mark stands beside the word.
MARKS: dict[Standing, str] = {
    "unreachable": "✕",
    "drift": "▲",
    "unknown": "?",
    "stale": "◷",
    "asleep": "☾",
    "healthy": "✓",
}
_ORDER: tuple[Standing, ...] = tuple(MARKS)
_CALL: frozenset[Standing] = frozenset({"unreachable", "drift"})
_UNSURE: frozenset[Standing] = frozenset({"unknown", "stale"})

# Agents of a host that are named one by one; of more than that, those that do well are counted.
_NAMED_AGENTS = 6


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent's mark.

    + name: the last of its target's names, as far as that tells it from the others
    """

    name: str
    target: str
    condition: str
    mood: str


@dataclass(frozen=True, slots=True)
class Card:
    """A host's card as it is drawn.

    + key: names it in the page, whatever its host is called
    + held: whether the gate holds all that is wrong
    + agents: those that are named
    + counts: how many of the others do what
    + booted_at: None when that is not known
    """

    key: str
    host: HostCard
    standing: Standing
    mark: str
    held: bool
    agents: tuple[Agent, ...]
    counts: Mapping[str, int]
    booted_at: float | None

    @property
    def is_calm(self) -> bool:
        """Whether it may be shown small."""
        return self.standing in {"healthy", "asleep"}


def key_of(text: str) -> str:
    """A short name for anything, which may stand in an attribute."""
    return blake2s(text.encode(errors="backslashreplace"), digest_size=6).hexdigest()


def standing_of(card: HostCard) -> Standing:
    """How a host stands; a look that is too old says nothing of now."""
    if card.is_stale and card.seen_at > 0:
        return "stale"
    return next((each for each in _ORDER if each == card.health), "unknown")


def cards_of(overview: Overview) -> list[Card]:
    """All cards, the hosts first that need somebody's eye."""
    cards = [_card(each, overview.at) for each in overview.hosts]
    return sorted(cards, key=lambda each: (_ORDER.index(each.standing), each.host.host))


def standings_of(cards: Iterable[Card]) -> list[tuple[Standing, str, int]]:
    """How many hosts stand how, with the mark of each."""
    counts = Counter(each.standing for each in cards)
    return [(each, MARKS[each], counts[each]) for each in _ORDER if counts[each]]


def worst_of(overview: Overview) -> str:
    """The severity of the worst open incident; "" when none is open."""
    return max((each.severity for each in overview.open_incidents), key=SEVERITIES.index, default="")


def mood_of(overview: Overview) -> Mood:
    """What all of it comes to."""
    found = {standing_of(each) for each in overview.hosts}
    if all(each.seen_at <= 0 for each in overview.hosts):
        return "nothing"
    if found & _CALL or worst_of(overview) in {"HIGH", "CRITICAL"}:
        return "bad"
    if found & _UNSURE:
        return "unknown"
    return "warn" if overview.open_incidents else "ok"


def is_held(drift: CardDrift) -> bool:
    """Whether the gate holds what would repair it."""
    return drift.gate not in {"", "allowed"}


def agents_of(card: HostCard) -> list[Agent]:
    """All agents of a host, those first that need somebody."""
    short = {target: target.rpartition(".")[2].rpartition(":")[2] or target for target in card.agents}
    same = Counter(short.values())
    agents = [
        Agent(
            cut(target if same[short[target]] > 1 else short[target], LONGEST_NAME),
            cut(target, LONGEST_NAME),
            cut(condition, LONGEST_NAME),
            agent_mood(condition),
        )
        for target, condition in card.agents.items()
    ]
    order = ("bad", "warn", "unknown", "idle", "ok")
    return sorted(agents, key=lambda each: (order.index(each.mood), each.name))


def _card(card: HostCard, now: float) -> Card:
    standing = standing_of(card)
    named, counts = _chosen(agents_of(card))
    return Card(
        key=key_of(card.host),
        host=card,
        standing=standing,
        mark=MARKS[standing],
        held=bool(card.drifts) and all(map(is_held, card.drifts)),
        agents=named,
        counts=counts,
        booted_at=None if card.uptime is None or card.seen_at <= 0 else now - card.uptime,
    )


def _chosen(agents: Sequence[Agent]) -> tuple[tuple[Agent, ...], Mapping[str, int]]:
    """Which agents are named, and how many of the others do what."""
    if len(agents) <= _NAMED_AGENTS:
        return tuple(agents), {}
    named = tuple(each for each in agents if each.mood not in {"ok", "idle"})
    return named, dict(Counter(each.condition for each in agents if each.mood in {"ok", "idle"}))
