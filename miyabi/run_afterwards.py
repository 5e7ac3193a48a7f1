"""Does what is due after a scheduled run: by bounded child processes of low priority, none of which can fail it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from miyabi.after_run import Mark, Task, due, marks_of
from miyabi.bounded_run import Ended, run_bounded
from miyabi.errors import MiyabiError
from miyabi.fleet_file import read_fleet_file
from miyabi.monitoring import Monitoring, monitoring_of
from miyabi.private_file import read_private, write_private
from miyabi.run_report import reason_of_failure
from miyabi.single_flight import elapsed

MARKS = "after-run.json"

_FLEET = Path("inventory") / "fleet.yaml"

# Behind all that people and agents do; the lowest of all would not end in its time beside a busy fleet.
_NICE = "10"

# Seconds below which nothing is begun any more.
_TOO_LATE = 2.0


@dataclass(frozen=True, slots=True)
class Afterwards:
    """Where and until when it is done.

    + clone: the folder of the repository
    + state: the folder of the marks
    + log: of the run, to which all output is added; None is none
    + until: on the clock of ``miyabi.single_flight.elapsed``
    + started: called with the process group of each child before it begins
    """

    clone: Path
    state: Path
    log: Path | None
    until: float
    started: Callable[[int], None]

    def do(self, now: float) -> tuple[str, ...]:
        """Do all that is due; what did not come to a good end, a word each.

        + now: seconds since the epoch
        """
        try:
            monitoring = read_fleet_file(self.clone / _FLEET).monitoring
        except MiyabiError:
            # The run itself has failed for it, and has said why.
            return ()
        return self._do_due(monitoring_of(monitoring), now)

    def _do_due(self, monitoring: Monitoring, now: float) -> tuple[str, ...]:
        marks = self._marks()
        said = [self._try(task, marks, now) for task in due(monitoring, marks, now, os.environ)]
        return tuple(word for word in said if word)

    def _try(self, task: Task, marks: dict[str, Mark], now: float) -> str:
        """Do a task; "" when it came to a good end, else why not."""
        seconds = min(task.seconds, self.until - elapsed())
        if seconds < _TOO_LATE:
            return f"{task.name}: no time was left"
        try:
            if task.is_marked:
                # What cannot be written down would be done after each run.
                self._mark(marks, task.name, Mark(now, marks.get(task.name, Mark()).done))
            self._say(f"--> After the run: miyabi {' '.join(task.arguments)}")
            ended = run_bounded(_command(task), self.clone, seconds, self.log, self.started, is_added=True)
            if ended.code in task.good and not ended.timed_out:
                if task.is_marked:
                    self._mark(marks, task.name, Mark(now, now))
                return ""
        except OSError as error:
            return f"{task.name}: {error.filename or 'it cannot be run'}: {error.strerror}"
        return _reason(task, ended, seconds)

    def _marks(self) -> dict[str, Mark]:
        try:
            return marks_of(json.loads(read_private(self.state / MARKS)))
        except (OSError, ValueError, RecursionError):
            return {}

    def _mark(self, marks: dict[str, Mark], name: str, mark: Mark) -> None:
        marks[name] = mark
        told: Mapping[str, object] = {each: asdict(known) for each, known in marks.items()}
        write_private(self.state / MARKS, json.dumps(told, indent=1))

    def _say(self, line: str) -> None:
        # A full disk keeps nothing from being done.
        with suppress(OSError):
            if self.log is not None:
                with self.log.open("a", encoding="utf-8") as file:
                    file.write(f"{line}\n")


def _command(task: Task) -> list[str]:
    nice = shutil.which("nice")
    return [*([nice, "-n", _NICE] if nice else []), sys.executable, "-m", "miyabi", *task.arguments]


def _reason(task: Task, ended: Ended, seconds: float) -> str:
    if ended.timed_out:
        return f"{task.name}: it took longer than {seconds:.0f} s"
    if ended.code < 0:
        return f"{task.name}: it was ended by signal {-ended.code}"
    return f"{task.name}: {reason_of_failure(ended.output)}"
