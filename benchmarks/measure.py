"""Run contenders in turns, and keep what each run cost."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.fleet.machine import Finished, Machine
from tests.fleet.sshd import SshHost


class BenchmarkError(Exception):
    """A contender did not do the work that it is measured by: its time would mean nothing."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one run cost.

    + wall: seconds from start to end
    + processor: seconds of processor time of the client: of all its processes, also those that it leaves in the
      background; what the hosts do is not in it
    + connections, executions: per host
    + there: seconds until the last pane was there; None where no pane is made
    """

    wall: float
    processor: float
    connections: float = 0.0
    executions: float = 0.0
    there: float | None = None


@dataclass(slots=True)
class Contender:
    """One way to do the work.

    + name: as the tables call it
    + machine: where its client runs
    + run: does the work once
    + check: whether what came out is what the work is about; "" when it is, else what is wrong
    + before, after: what has to happen around each run, and is not measured
    + last_born: when the last of the panes that it made was there, in seconds since boot
    + hosts: whose connections and executions are counted
    + seldom: whether it is so slow that it takes part in few rounds only
    """

    name: str
    machine: Machine
    run: Callable[[], Finished]
    check: Callable[[Finished], str] = lambda _: ""
    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None
    last_born: Callable[[], float] | None = None
    hosts: Sequence[SshHost] = ()
    seldom: bool = False
    samples: list[Sample] = field(default_factory=list)

    def once(self) -> Sample:
        """Do the work once and say what it cost; raises ``BenchmarkError`` when it was not done."""
        self.before()
        logged = [len(host.sshd_log()) for host in self.hosts]
        background = _background_seconds(self.machine)
        children, started = _children_seconds(), time.clock_gettime(time.CLOCK_BOOTTIME)
        done = self.run()
        processor = _children_seconds() - children + _background_seconds(self.machine) - background
        wrong = f"exit code {done.code}" if done.code else self.check(done)
        if wrong:
            raise BenchmarkError(f"{self.name}: {wrong}\n{done.output[-3000:]}")
        there = self.last_born() - started if self.last_born else None
        self.after()
        logs = [host.sshd_log()[start:] for host, start in zip(self.hosts, logged, strict=True)]
        count = max(1, len(logs))
        return Sample(
            done.seconds,
            processor,
            sum(log.count("Accepted publickey") for log in logs) / count,
            sum(log.count("Starting session: ") for log in logs) / count,
            there,
        )

    def middle(self, value: Callable[[Sample], float | None]) -> float | None:
        """The median of ``value`` over all samples that have it."""
        known = [each for each in map(value, self.samples) if each is not None]
        return median(known) if known else None


def take_turns(
    contenders: Iterable[Contender], rounds: int, seldom_rounds: int, seconds: float, say: Callable[[str], None]
) -> None:
    """Run all contenders once per round, so that what disturbs the machine disturbs them alike.

    + seldom_rounds: how many of the rounds the slow ones take part in
    + seconds: when these are over, no further run begins, except that everybody runs once
    """
    contenders = list(contenders)
    started = time.monotonic()
    every = max(1, rounds // max(1, seldom_rounds))
    for number in range(rounds):
        for contender in contenders:
            is_over = time.monotonic() - started > seconds and bool(contender.samples)
            left_out = contender.seldom and (number % every or len(contender.samples) >= seldom_rounds)
            if is_over or left_out:
                continue
            sample = contender.once()
            contender.samples.append(sample)
            say(f"  {number + 1}/{rounds} {contender.name}: {sample.wall:.2f} s, client {sample.processor:.2f} s")


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _background_seconds(machine: Machine) -> float:
    """The processor time of what runs on ``machine`` now, such as held ssh connections."""
    return sum(_seconds_of(machine.processes()))


def _seconds_of(pids: Iterable[int]) -> Iterator[float]:
    ticks = os.sysconf("SC_CLK_TCK")
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        yield (int(fields[11]) + int(fields[12])) / ticks
