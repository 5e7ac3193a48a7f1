"""How many of many damaged states are recovered: ``python -m tests.orchestration.measure --states 10000 --seed 1``."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from miyabi.orchestration.event_log import EventLog
from miyabi.orchestration.findings import Evidence
from miyabi.orchestration.recovery import recover
from miyabi.orchestration.rules import Orchestration
from miyabi.orchestration.session_json import read_state
from miyabi.orchestration.session_state import AGENTS, TASKS, State, ids, objects
from tests.orchestration.corrupt import corrupted
from tests.orchestration.positions import left, spans
from tests.orchestration.states import NOW, a_full_session, as_content

RULES = Orchestration("/srv/project")
EVIDENCE = Evidence(now=NOW)

# Methods that need neither a log nor a backup.
REPAIRED = frozenset({"none", "repair", "critical-data"})

_INDENTS = (2, None, 4)

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one damaged state, without a log or a backup.

    + kinds: what was done to it
    + is_broken: whether it is no JSON any more
    + is_repairable: whether the name of each thing is still in it
    + destroyed: names of things whose bytes are gone
    + in_state, in_archive, in_raw: how many of the other names are in the new state; only in the archive; only in the
      file as it was, which is kept
    + lost: those that are nowhere
    + crash: "" when there was none
    """

    kinds: tuple[str, ...]
    method: str
    is_broken: bool
    is_repairable: bool
    destroyed: int
    in_state: int
    in_archive: int
    in_raw: int
    lost: frozenset[Key] = frozenset()
    not_in_state: frozenset[Key] = frozenset()
    crash: str = ""


def a_state(seed: int) -> tuple[State, bytes]:
    """A valid state and its file, other ones for each seed; of a third of them the things do not say their own ids."""
    random = Random(seed)  # noqa: S311 - it is to be the same each time
    state = a_full_session(random.randint(3, 14), random.randint(1, 4), random.randint(0, 6), random.randint(0, 8))
    if random.randrange(3) == 0:
        for thing in (*objects(state, TASKS).values(), *objects(state, AGENTS).values()):
            del thing["id"]
    return state, as_content(state, indent=random.choice(_INDENTS))


def outcome(seed: int, most: int = 1) -> Outcome:
    """Make a state, damage it, recover it."""
    state, content = a_state(seed)
    named = spans(content.decode())
    damage = corrupted(content, seed, most)
    is_broken = read_state(damage.content).state is None
    intact = set(ids(state))
    is_moved = len(damage.kinds) > 1 or damage.kinds == ("with trailing commas",)
    there = _by_bytes(damage.content, intact) if is_moved else left(content, damage.content, named)
    try:
        found = recover(damage.content, EventLog(), (), EVIDENCE, RULES)
    except Exception:  # noqa: BLE001 - whatever it is, it is counted and told
        crash = traceback.format_exc()
        return Outcome(damage.kinds, "crash", is_broken, False, 0, 0, 0, 0, crash=crash)
    have = set(ids(found.state)) if found.state is not None else set()
    kept = {(each.kind, each.id) for each in found.archived}
    texts = "".join(repr(each.value) for each in found.archived)
    kept |= {each for each in there if each[1] in texts}
    raw = _by_bytes(damage.content, there)
    return Outcome(
        *(damage.kinds, found.method, is_broken, there == intact, len(intact - there)),
        *(len(there & have), len((there & kept) - have), len((there & raw) - have - kept)),
        lost=frozenset(there - have - kept - raw),
        not_in_state=frozenset(there - have),
    )


def _by_bytes(content: bytes, named: Iterable[Key]) -> set[Key]:
    return {each for each in named if each[1].encode() in content}


@dataclass(slots=True)
class _Table:
    """The outcomes of one kind of damage."""

    states: int = 0
    repairable: int = 0
    repaired: int = 0
    sums: Counter[str] = field(default_factory=Counter)
    methods: Counter[str] = field(default_factory=Counter)

    def add(self, each: Outcome) -> None:
        self.states += 1
        self.methods[each.method] += 1
        self.repairable += each.is_repairable
        self.repaired += each.is_repairable and not each.not_in_state and each.method in REPAIRED
        self.sums.update(
            destroyed=each.destroyed,
            state=each.in_state,
            archive=each.in_archive,
            raw=each.in_raw,
            lost=len(each.lost),
            crashes=bool(each.crash),
        )

    def line(self, name: str) -> str:
        share = f"{self.repaired / self.repairable:8.2%}" if self.repairable else "       -"
        counts = " ".join(
            f"{self.sums[each]:>9}" for each in ("state", "archive", "raw", "lost", "destroyed", "crashes")
        )
        return f"{name:24} {self.states:>7} {self.repairable:>10} {share} {counts}"


def tabled(outcomes: Iterable[Outcome]) -> str:
    """The outcomes as a table, a line for each kind of damage."""
    tables: dict[str, _Table] = {}
    total = _Table()
    for each in outcomes:
        for table in (
            tables.setdefault(" + ".join(each.kinds) if len(each.kinds) == 1 else "several", _Table()),
            total,
        ):
            table.add(each)
    head = f"{'damage':24} {'states':>7} {'repairable':>10} {'repaired':>8} "
    head += " ".join(f"{each:>9}" for each in ("in state", "archive", "raw only", "lost", "destroyed", "crashes"))
    lines = [head, *(tables[name].line(name) for name in sorted(tables)), total.line("all")]
    return "\n".join([*lines, ", ".join(f"{name} {count}" for name, count in total.methods.most_common())])


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--states", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=int, default=1, help="how many damages a state has at most")
    parser.add_argument("--show", type=int, default=0, help="how many of those that were not repaired are listed")
    asked = parser.parse_args()
    outcomes: list[Outcome] = []
    for seed in range(asked.seed * 1_000_000, asked.seed * 1_000_000 + asked.states):
        each = outcome(seed, asked.most)
        outcomes.append(each)
        is_failed = each.is_repairable and (each.not_in_state or each.method not in REPAIRED)
        if asked.show > 0 and (each.crash or each.lost or is_failed):
            asked.show -= 1
            told = each.crash or f"{each.method} {sorted(each.not_in_state)[:5]} of {len(each.not_in_state)}"
            sys.stdout.write(f"{seed} {', '.join(each.kinds)}: {told}\n")
    sys.stdout.write(tabled(outcomes) + "\n")


if __name__ == "__main__":
    main()
