"""Compare what a run costs with what others take for the same work, on this machine, and write RESULTS.md.

Usage: python -m benchmarks [--quick] [--output FILE]

Everything runs on the loopback address, in turns, within one run: the ratios say something, the seconds only about
this machine. It takes up to ten minutes, and is no test.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import noop, others, rebuild, report
from benchmarks.measure import BenchmarkError, Contender, take_turns
from benchmarks.playground import can_keep_apart, playground
from tests.fleet.machine import Machine

_RESULTS = Path(__file__).parent / "RESULTS.md"


@dataclass(frozen=True, slots=True)
class Size:
    """How often to measure with so many hosts, at most; the slow contenders take part in fewer rounds."""

    hosts: int
    rounds: int
    seldom_rounds: int
    seconds: float


_SIZES = (Size(1, 15, 5, 70), Size(10, 9, 3, 90), Size(50, 8, 2, 240))
_QUICK_SIZES = (Size(1, 3, 1, 20), Size(5, 3, 1, 30))
_REBUILD_ROUNDS, _QUICK_REBUILD_ROUNDS = 9, 3
_REBUILD_SECONDS = 60.0

_HEAD = """\
# What a run costs

Made by `make bench` on {date}; only ratios within one run say something.

{machine}.

{versions}.

Client CPU is the processor time of the client's processes, connections that it leaves behind included; what the hosts
do is not in it, but takes its share of the same machine. Times are medians; all contenders take turns, and the work of
each run is checked. Connections and executions are per host, as its sshd logged them.
"""

_PROVED = """\
Ours observes the host before it acts, and afterwards again until everything has lived for a while: its wall time is
that of a proved recovery, the last column that of the recovery alone.
"""

_APART = "Each host has a process namespace of its own, and sees its own processes only."
_TOGETHER = (
    "All hosts see the processes of all hosts (root on Linux could keep them apart): more work than real hosts have."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--quick", action="store_true", help="fewer hosts and runs, written nowhere unless --output says so"
    )
    parser.add_argument("--output", type=Path, help="where to write the results (default: benchmarks/RESULTS.md)")
    chosen = parser.parse_args(arguments)
    output = chosen.output or (None if chosen.quick else _RESULTS)
    # A scheduler that ends this is no reason to leave servers behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    programs = others.install()
    head = _HEAD.format(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=others.machine(),
        versions=", ".join(f"{name} {number}" for name, number in others.versions(programs).items()),
    )
    try:
        parts = [
            head,
            *_rebuild(programs, _QUICK_REBUILD_ROUNDS if chosen.quick else _REBUILD_ROUNDS),
            *_noop(programs, _QUICK_SIZES if chosen.quick else _SIZES),
        ]
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    text = "\n".join(parts)
    print(text)
    if output is not None:
        output.write_text(text, encoding="utf-8")
    return 0


def _noop(programs: Path, sizes: Sequence[Size]) -> list[str]:
    tables: dict[int, list[Contender]] = {}
    with playground(apart=True) as ground:
        for size in sizes:
            _say(f"no-op, hosts: {size.hosts}")
            warm = Machine.build(ground.fleet.run, "warm")
            try:
                work = noop.Noop(ground, ground.hosts(size.hosts), warm, programs)
                work.build()
                work.hold_connections()
                tables[size.hosts] = work.contenders()
                take_turns(tables[size.hosts], size.rounds, size.seldom_rounds, size.seconds, _say)
            finally:
                warm.remove()
    parts = ["## Nothing to do: a healthy fleet\n", (_APART if can_keep_apart() else _TOGETHER) + "\n"]
    for hosts, table in tables.items():
        parts += [f"### {hosts} host{'s' if hosts > 1 else ''}\n", report.noop_table(table) + "\n"]
    return [*parts, report.target_table(report.noop_targets(tables)) + "\n"]


def _rebuild(programs: Path, rounds: int) -> list[str]:
    _say("rebuild")
    with playground() as ground:
        [host] = ground.hosts(1)
        table = rebuild.Rebuild(ground, host, programs).contenders()
        take_turns(table, rounds, rounds, _REBUILD_SECONDS, _say)
    return [
        f"## Rebuild: {rebuild.WINDOWS} windows of {rebuild.PANES} panes, from a dead server\n",
        report.rebuild_table(table) + "\n",
        _PROVED,
        report.target_table(report.rebuild_targets(table)) + "\n",
    ]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
