"""Whether the processes of a pane do anything: their processor time, read twice in one execution."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from facts.probe import COMMAND_TIMEOUT, Section, keyed_section
from miyabi.agent_state import Heartbeat
from miyabi.errors import ParseError
from miyabi.processes import descendants
from miyabi.state import Process

T = TypeVar("T")

# Seconds between the two readings.
BETWEEN = 2

# Linux counts in ticks, and so finely, what a process and the children that it has waited for used; its name may hold
# anything but is the only one in brackets. The first line is of the reading program itself, which begins just then:
# against it the age of all others is told. Elsewhere `ps` counts in hundredths of a second.
_SCRIPT = rf"""look() {{
  if [ -r /proc/self/stat ]; then
    cat /proc/self/stat /proc/[0-9]*/stat 2>/dev/null |
    sed -n 's/^\([0-9][0-9]*\) (.*) \([A-Za-z] [-0-9 ]*\)$/\1 \2/p' | cut -d ' ' -f 1-3,13-16,21
  else bounded {COMMAND_TIMEOUT} ps -A -o pid= -o stat= -o ppid= -o time= -o etime=; fi
  echo "looked $?"
}}
echo "ticks $(getconf CLK_TCK 2>/dev/null)"; date '+now %s'; look; sleep {BETWEEN}; look"""

_CLOCK = re.compile(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+(?:[.,]\d+)?)")


@dataclass(frozen=True, slots=True)
class _Beat:
    """One process at one moment.

    + used: seconds of processor time, with those of the children that it has waited for, where the host tells them
    + began: tells one process from another of the same pid
    """

    pid: int
    parent: int
    stopped: bool
    used: float
    began: float
    age: float | None


def heartbeat_section(pids: Sequence[int]) -> Section[Heartbeat]:
    """The section that looks at some processes and everything below them, twice within two seconds.

    + pids: of one pane; those that have ended count no more

    It is unknown when all of them have ended.

    **Example:**

    .. code:: python

        heartbeat = ask(host, heartbeat_section([4711]))
        if not isinstance(heartbeat, Unknown):
            print(heartbeat.busy / heartbeat.seconds)
    """
    asked = tuple(dict.fromkeys(int(each) for each in pids))
    return _section(asked, lambda lines: parse_heartbeat(asked, lines))


def heartbeats_section(trees: Mapping[str, Sequence[int]]) -> Section[dict[str, Heartbeat]]:
    """The section that looks at the processes of several panes within the same two seconds.

    + trees: the pids of each, by whatever the caller calls it

    Those of which all processes have ended are left out.

    **Example:**

    .. code:: python

        heartbeats = ask(host, heartbeats_section({"%7": [4711, 4712], "%9": [5000]}))
        if not isinstance(heartbeats, Unknown) and "%7" in heartbeats:
            print(heartbeats["%7"].busy)
    """
    asked = {name: tuple(dict.fromkeys(int(each) for each in pids)) for name, pids in trees.items()}
    return _section([pid for pids in asked.values() for pid in (*pids, 0)], lambda lines: _each(asked, lines))


def _section(asked: Iterable[int], parse: Callable[[list[str]], T]) -> Section[T]:
    # The same words to the host about other processes are another question.
    return keyed_section("heartbeat", f"{_SCRIPT}\n: {' '.join(map(str, asked))}", parse)


def _each(trees: Mapping[str, Sequence[int]], lines: Iterable[str]) -> dict[str, Heartbeat]:
    first, second, now = _looks(lines)
    beats = {name: _between(pids, first, second, now=now) for name, pids in trees.items()}
    return {name: each for name, each in beats.items() if each is not None}


def parse_heartbeat(pids: Sequence[int], lines: Iterable[str]) -> Heartbeat:
    """What the two readings say of ``pids`` and everything below them; raises ``ParseError`` when they are none."""
    first, second, now = _looks(lines)
    beat = _between(pids, first, second, now=now)
    if beat is None:
        raise ParseError("they have ended meanwhile")
    return beat


def _looks(lines: Iterable[str]) -> tuple[dict[int, _Beat], dict[int, _Beat], float]:
    """Both readings, by pid, and the host's clock."""
    ticks, now = 100.0, None
    looks: list[dict[int, _Beat]] = []
    rows: list[list[str]] = []
    for line in lines:
        words = line.split()
        if words[:1] == ["ticks"]:
            ticks = float(words[1]) if words[1:] else ticks
        elif words[:1] == ["now"]:
            now = float(words[1])
        elif words[:1] == ["looked"]:
            looks.append({beat.pid: beat for beat in _beats(rows, ticks)})
            rows = []
        elif words:
            rows.append(words)
    if len(looks) != 2 or now is None or rows:
        raise ParseError("the processes' times are cut off")
    return looks[0], looks[1], now


def _beats(rows: Sequence[Sequence[str]], ticks: float) -> Iterable[_Beat]:
    reader = next((float(row[7]) for row in rows if len(row) == 8), 0.0)
    for row in rows:
        pid, state, parent = int(row[0]), row[1], int(row[2])
        if len(row) == 8:
            used, began = sum(map(float, row[3:7])) / ticks, float(row[7])
            yield _Beat(pid, parent, state == "T", used, began, max(0.0, (reader - began) / ticks))
        elif len(row) == 5:
            age = _seconds(row[4])
            yield _Beat(pid, parent, state.startswith("T"), _seconds(row[3]) or 0.0, 0.0, age)
        else:
            raise ParseError(f"a process is told as {' '.join(row)[:80]!r}")


def _seconds(text: str) -> float | None:
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None
    days, hours, minutes, seconds = (float((each or "0").replace(",", ".")) for each in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _between(pids: Sequence[int], first: dict[int, _Beat], second: dict[int, _Beat], *, now: float) -> Heartbeat | None:
    """What happened between two readings; None when none of ``pids`` is in both."""
    before, after = _tree(pids, first), _tree(pids, second)
    tops = [each for each in pids if each in after and each in before and after[each].began == before[each].began]
    if not tops:
        return None
    used = sum(each.used for each in after.values()) - sum(each.used for each in before.values())
    ages = [each.age for each in (before[pid] for pid in tops) if each.age is not None]
    return Heartbeat(
        seconds=float(BETWEEN),
        busy=max(0.0, round(used, 3)),
        stopped=tuple(sorted(pid for pid, each in after.items() if each.stopped)),
        born_at=now - max(ages) if ages else None,
    )


def _tree(pids: Sequence[int], beats: dict[int, _Beat]) -> dict[int, _Beat]:
    """The processes of ``pids`` and everything below them."""
    listed = tuple(Process(each.pid, each.parent, "") for each in beats.values())
    return {each.pid: beats[each.pid] for pid in pids for each in descendants(listed, pid)}
