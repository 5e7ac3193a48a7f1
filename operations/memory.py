"""What one run remembers, and what is remembered of earlier ones: the way to journal, history and pauses."""

from __future__ import annotations

import atexit
import os
import socket
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from threading import RLock
from time import sleep
from typing import TYPE_CHECKING, Any, TypeVar

from pyinfra import logger

from facts.host_spec import host_spec
from miyabi.alert_rules import AlertRules
from miyabi.alerts_file import read_alerts_file
from miyabi.errors import MiyabiError
from miyabi.fleet_file import history_address, read_fleet_file
from miyabi.gate_rules import FleetFile
from miyabi.journal import append, last_written
from miyabi.presence import state_directory
from miyabi.records import Observation, Record, RunStarted

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyinfra.api import Host, State

    from miyabi.figures import Learned
    from miyabi.gate_types import Decision, Pause, TargetHistory, Try
    from miyabi.history import History

T = TypeVar("T")

FLEET_FILE = Path(__file__).resolve().parent.parent / "inventory" / "fleet.yaml"

_MEMORY = "miyabi_memory"

# Seconds for which a run waits for another one's recovery of the same host, once.
_PATIENCE = 15.0
_POLL = 0.5

# The names of a run's records go on counting, whoever writes them.
_EVENTS = count(1)


def now() -> float:
    """The time by which everything in a run is judged, in seconds since the epoch."""
    return time.time()


@dataclass(slots=True)
class Memory:
    """What one run of pyinfra remembers.

    + run: its name for ever
    + folder: where journal, history and pauses are
    + file: what the fleet's file says
    + holder: who this is, for leases
    + previous: when the run before wrote its last; None when that is not known
    + tries: what this run itself was allowed to do so far, for when there is no history to ask
    + decisions: the gate's last word on each target of which it was asked
    + damage: what is wrong on each host, with its cause, as far as this run has looked
    + disturbed: hosts on which this run disturbs something that lives
    + leased: hosts whose lease this run has
    + seen_before: how hosts were before this run, as far as somebody has asked
    + waited_for: hosts that somebody else went on recovering for as long as this run waits
    + told: troubles that were said, as each is said once
    + learned: what came of earlier tries, as far as somebody has asked
    + asking: held while the history is asked: hosts are recovered at the same time, and one that asks while another's
      question still opens the history must not go on as if there were none
    """

    run: str
    folder: Path
    file: FleetFile
    holder: str
    started: float
    previous: float | None = None
    tries: dict[tuple[str, str], list[Try]] = field(default_factory=dict)
    decisions: dict[tuple[str, str], Decision] = field(default_factory=dict)
    damage: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    disturbed: set[str] = field(default_factory=set)
    leased: set[str] = field(default_factory=set)
    waited_for: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)
    seen_before: dict[str, Observation | None] = field(default_factory=dict)
    learned: tuple[Learned, ...] | None = None
    asking: RLock = field(default_factory=RLock, repr=False)
    history: History | None = None
    is_opened: bool = False
    is_partial: bool = False
    is_announced: bool = False
    command: str = ""

    @property
    def is_shared(self) -> bool:
        """Whether other machines write into the same history, so that it has to be asked what they have opened."""
        return self.file.history_url is not None

    @property
    def is_answered(self) -> bool:
        """Whether the history was asked, and answers with all that it knows."""
        return self.history is not None and not self.is_partial

    def event(self) -> str:
        """A new record's name for ever."""
        return f"{self.run}.{next(_EVENTS)}"

    def common(self) -> dict[str, Any]:
        """What all records that are made now have in common."""
        return {"event": self.event(), "run": self.run, "at": now()}

    def keep(self, *records: Record) -> None:
        """Write records to the journal; that it cannot be written is said once, and stops nothing."""
        new = list(records)
        if not self.is_announced:
            self.is_announced = True
            new.insert(
                0,
                RunStarted(
                    event=self.event(), run=self.run, at=self.started, command=self.command, controller=self.holder
                ),
            )
        try:
            append(self.folder, new)
        except OSError as error:
            where = error.filename or self.folder
            self.say_once(f"{where}: nothing can be remembered ({error.strerror}); the run goes on without")

    def say_once(self, words: str) -> None:
        """Log a trouble with the memory, unless this run has said it already."""
        if words not in self.told:
            self.told.add(words)
            logger.warning(f"--> {words}")

    def ask_history(self, question: Callable[[History], T]) -> T | None:
        """What the history answers; None when it cannot be asked, which is said once."""
        with self.asking:
            return self._ask(question)

    def _ask(self, question: Callable[[History], T]) -> T | None:
        if not self.is_opened:
            self.is_opened = True
            # Dear to import: only a run that has something to ask pays for it.
            from miyabi.history import open_history  # noqa: PLC0415

            try:
                address = history_address(self.file, os.environ)
                self.history = open_history(self.folder, address, now=now(), keep=self.file.keep)
            except MiyabiError as error:
                self.say_once(f"the history cannot be asked, the run goes on without it: {error}")
                self._ask_journal()
        if self.history is None:
            return None
        asked = self.history
        try:
            return question(asked)
        except MiyabiError as error:
            self.history = None
            asked.close()
            self.say_once(f"the history cannot be asked any more, the run goes on without it: {error}")
            if not self.is_partial:
                self._ask_journal()
            return None
        finally:
            while asked.messages:
                self.say_once(asked.messages.pop(0))

    def _ask_journal(self) -> None:
        """Go on with what the journal alone remembers: what was tried since the history went away still counts."""
        from miyabi.journal_history import history_of_journal  # noqa: PLC0415 - this is rare

        self.is_partial = True
        try:
            self.history = history_of_journal(self.folder, now())
        except MiyabiError as error:
            self.say_once(f"nothing of earlier runs is known: {error}")

    def histories(self, host: str, targets: Iterable[str]) -> dict[str, TargetHistory]:
        """What is remembered of some targets of a host."""
        wanted = tuple(dict.fromkeys(targets))

        def asked(history: History) -> dict[str, TargetHistory]:
            history.take_in()
            return history.target_histories(host, wanted, now())

        known = self.ask_history(asked) or {}
        return {target: self._with_own_tries(host, target, known.get(target)) for target in wanted}

    def last_seen(self, host: str) -> Observation | None:
        """How a host was when an earlier run could judge it; None when none could, or that is not known."""
        if host not in self.seen_before:
            self.seen_before[host] = self.ask_history(lambda history: history.last_judged(host, self.run))
        return self.seen_before[host]

    def is_new(self, host: str) -> bool:
        """Whether a host is certainly seen for the first time, so that what it lacks was never there."""
        return self.last_seen(host) is None and self.is_answered

    def _with_own_tries(self, host: str, target: str, known: TargetHistory | None) -> TargetHistory:
        """A history with this run's own tries, should they not have come into it."""
        from miyabi.gate_types import TargetHistory  # noqa: PLC0415 - only who wants to act asks

        own = self.tries.get((host, target), [])
        if known is None:
            return TargetHistory(tries=tuple(own))
        latest = known.tries[-1].at if known.tries else 0.0
        missing = tuple(each for each in own if each.at > latest)
        return replace(known, tries=(*known.tries, *missing)) if missing else known

    def lease(self, host: str) -> Mapping[str, tuple[str, float]]:
        """Take the lease of a host, or tell who has it: another recovery is waited for, as it may soon be over."""
        patience = 0.0 if host in self.waited_for else _PATIENCE
        while (other := self._take_lease(host)) is not None and patience > 0:
            patience -= _POLL
            sleep(_POLL)
        if other is not None:
            self.waited_for.add(host)
            return {host: other}
        if not self.leased:
            # A playbook that does not end its run as ours do must not keep others waiting.
            atexit.register(self.let_go)
        self.leased.add(host)
        return {}

    def _take_lease(self, host: str) -> tuple[str, float] | None:
        """Take the lease of a host; who else has it, and until when."""
        until = now() + self.file.rules.lease
        other = self.ask_history(lambda history: history.take_lease(host, self.holder, until, now()))
        if other is None or not _is_gone(other[0]):
            return other
        gone = other[0]
        self.ask_history(lambda history: history.release_lease(host, gone))
        return self.ask_history(lambda history: history.take_lease(host, self.holder, until, now()))

    def let_go(self) -> None:
        """Give all leases back, and close the history."""
        for host in sorted(self.leased):
            self.ask_history(lambda history, host=host: history.release_lease(host, self.holder))  # type: ignore[misc]
        self.leased.clear()
        if self.history is not None:
            self.history.close()
            self.history = None


def memory_of(state: State) -> Memory:
    """The memory of a run of pyinfra. Raises ``SpecError`` when the fleet's file is wrong."""
    known = getattr(state, _MEMORY, None)
    if isinstance(known, Memory):
        return known
    file = read_fleet_file(fleet_file(state))
    folder = Path(file.state).expanduser() if file.state else state_directory()
    started = now()
    stamp = datetime.fromtimestamp(started, UTC).strftime("%Y%m%dT%H%M%S")
    # What this run starts, such as a tmux server on this machine, must not pass itself off as this run later.
    run = os.environ.pop("MIYABI_RUN", None) or f"{stamp}-{os.getpid()}-{os.urandom(3).hex()}"
    holder = f"{socket.gethostname()}:{os.getpid()}"
    memory = Memory(run, folder, file, holder, started, last_written(folder), command=_command())
    setattr(state, _MEMORY, memory)
    return memory


def fleet_file(state: State) -> Path:
    """Where the fleet's rules are: the file that a host's data names, or the inventory's own."""
    for host in state.inventory:
        named = host.data.get("fleet")
        if named:
            return Path(str(named)).expanduser()
    return FLEET_FILE


def _is_gone(holder: str) -> bool:
    """Whether a lease's holder was a process of this machine that has ended: what it held is free."""
    name, _, pid = holder.rpartition(":")
    if name != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _command() -> str:
    """What was asked of pyinfra, in short: its playbooks alone, as passwords may stand beside them."""
    return " ".join(word for word in sys.argv[1:] if word.endswith(".py"))


def alert_rules(state: State) -> AlertRules:
    """Who hears of what: alerts.yaml beside the fleet's file. Raises ``SpecError`` when it is wrong."""
    return read_alerts_file(fleet_file(state).with_name("alerts.yaml"))


def pauses(memory: Memory, host: Host) -> tuple[Pause, ...]:
    """Who wants to be left alone. Raises ``MiyabiError`` when that cannot be told."""
    from miyabi.pauses import read_pauses  # noqa: PLC0415 - only who wants to act asks

    return (*read_pauses(memory.folder, now()), *_of_spec(host))


def _of_spec(host: Host) -> tuple[Pause, ...]:
    from miyabi.gate_pauses import pauses_of_spec  # noqa: PLC0415 - as above

    with suppress(MiyabiError, AttributeError):
        return pauses_of_spec(host.name, host_spec(host), now())
    return ()
