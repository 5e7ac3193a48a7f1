"""``miyabi run``: one recovery run as a scheduler starts it: never beside another, never without end, with one line."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from errno import ENOSPC
from pathlib import Path
from types import FrameType

import click

from miyabi.bounded_run import Ended, run_bounded
from miyabi.cli_options import duration
from miyabi.run_report import Report, count_changes, report_of, timestamp
from miyabi.schedule import DEFAULT_DEADLINE
from miyabi.single_flight import Holder, Lock, elapsed

DEFAULT_ARGUMENTS = ("inventory", "deploys/recover.py", "-y")
KEEP = 20

# Seconds after its deadline in which a run ends itself; after that others may end it.
_GRACE = 30.0

# Bytes after which runs.log is begun anew; the one before stays as runs.log.1.
_LONGEST_LOG = 1_000_000

# Bytes of its end in which the line of the last run stands.
_TAIL = 64 * 1024

# Seconds of sleep that are worth a word.
_NOTABLE_SLEEP = 5.0

# The keys of the fleet's file, and the variables, by which more is done after a run.
_MORE = (b"metrics", b"predictions", b"reports")
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class _Order:
    """What a run is asked to do: since when, for how many seconds, with how many logs, and pyinfra's arguments."""

    moment: datetime
    deadline: float
    keep: int
    arguments: tuple[str, ...]


class _SignalledError(Exception):
    """Somebody wants this run to end; ``number`` is the signal's."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(number)


@click.command()
@click.option(
    "--deadline",
    default=f"{DEFAULT_DEADLINE // 60}m",
    show_default=True,
    callback=duration,
    help="How long pyinfra may take, such as 90s or 10m.",
)
@click.option("--keep", default=KEEP, show_default=True, type=click.IntRange(min=1), help="How many logs stay.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- ARGUMENTS...]")
def run(deadline: float, keep: int, arguments: tuple[str, ...]) -> None:
    """Run `pyinfra inventory deploys/recover.py -y`, or pyinfra with other ARGUMENTS, once and alone.

    A run that finds another one alive leaves at once. Each run adds one line to runs.log in ~/.local/state/miyabi (or
    $XDG_STATE_HOME/miyabi) and prints it; what pyinfra says is kept in runs/ there. Exit code: pyinfra's; 0 when
    another run is under way, 124 when the deadline came first, 1 when there could be no run.
    """
    order = _Order(datetime.now(UTC), deadline, keep, arguments or DEFAULT_ARGUMENTS)
    _open_standard_streams()
    try:
        folder = state_folder()
    except RuntimeError:
        raise click.ClickException("there is no home directory to keep the lock in: set HOME") from None
    lock = Lock(folder / "run.lock")
    report, code = _attempt(folder, lock, order)
    _keep_line(folder, report)
    # Only now: whoever finds the record of a run that has not ended writes the line that it owes.
    lock.release()
    click.echo(report.line())
    raise SystemExit(code)


def state_folder() -> Path:
    """Where runs keep their lock, their lines and their logs."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / "miyabi"


def _attempt(folder: Path, lock: Lock, order: _Order) -> tuple[Report, int]:
    """The run's report and exit code, whatever happens to it."""
    started, begun = timestamp(order.moment), elapsed()
    try:
        with _raised_signals():
            holder = lock.take(started, order.deadline + _GRACE)
            if holder is not None:
                since = f"the run of {holder.started} (process {holder.pid})" if holder.pid else "another run"
                return Report(started, "busy", 0, 0.0, f"{since} is under way"), 0
            _settle(folder, lock.left_behind)
            command = [sys.executable, "-m", "pyinfra", *order.arguments]
            log = _new_log(folder / "runs", order)
            clone, until = _repository(), elapsed() + order.deadline
            ended = run_bounded(command, clone, order.deadline, log, lock.watch_over)
            words = _afterwards(clone, folder, log, until, lock)
    except _SignalledError as error:
        reason = f"ended by {signal.Signals(error.number).name}"
        return Report(started, "error", None, elapsed() - begun, reason), 128 + error.number
    except OSError as error:
        return Report(started, "error", None, elapsed() - begun, str(error)), 1
    report, code = _report(started, ended, order.deadline)
    return replace(report, reason="; ".join(filter(None, (report.reason, *words)))), code


def _afterwards(clone: Path, folder: Path, log: Path | None, until: float, lock: Lock) -> tuple[str, ...]:
    """Do what is due after the run; what of it failed, in words. The run has its outcome, whatever happens here."""
    if not _is_more_asked(clone / "inventory" / "fleet.yaml"):
        return ()
    # Who asks for nothing more does not pay for it.
    from miyabi.errors import MiyabiError  # noqa: PLC0415
    from miyabi.run_afterwards import Afterwards  # noqa: PLC0415

    try:
        return Afterwards(clone, folder, log, until, lock.watch_over).do(datetime.now(UTC).timestamp())
    except _SignalledError as error:
        return (f"what is due after the run was cut short by {signal.Signals(error.number).name}",)
    except (OSError, MiyabiError) as error:
        return (f"what is due after the run could not be done: {error}",)


def _is_more_asked(fleet: Path) -> bool:
    """Whether anything may be due after a run, told without reading YAML."""
    if any(os.environ.get(name) for name in _ENDPOINTS):
        return True
    with contextlib.suppress(OSError):
        lines = (line.lstrip() for line in fleet.read_bytes().splitlines())
        return any(word in line for line in lines if not line.startswith(b"#") for word in _MORE)
    return False


def _report(started: str, ended: Ended, deadline: float) -> tuple[Report, int]:
    changes = count_changes(ended.output)
    if ended.timed_out:
        report = Report(started, "timeout", changes, ended.seconds, f"pyinfra did not end within {deadline:g} s")
        code = 124
    elif ended.code < 0:
        reason = f"pyinfra was ended by {signal.Signals(-ended.code).name}"
        report, code = Report(started, "error", changes, ended.seconds, reason), 128 - ended.code
    else:
        report, code = report_of(started, ended.code, ended.seconds, ended.output), ended.code
    if ended.asleep > _NOTABLE_SLEEP:
        slept = f"(the machine slept for {ended.asleep:.0f} s of it)"
        report = replace(report, reason=f"{report.reason} {slept}".strip())
    return report, code


def _repository() -> Path:
    """The clone to run in: the working directory, or where this program comes from."""
    here = [Path.cwd(), Path(__file__).resolve().parent.parent]
    for each in here:
        if (each / "deploys" / "recover.py").is_file():
            return each
    raise FileNotFoundError(
        f"{here[0]} is no clone of the repository (there is no deploys/recover.py): run this in one"
    )


def _settle(folder: Path, left: Holder | None) -> None:
    """Write the line of a run that came to no end, unless it was ended right after writing that itself."""
    if left is not None and not _has_line(folder, left.started):
        reason = "came to no end of its own: killed, switched off, or past its deadline"
        _keep_line(folder, Report(left.started, "error", None, None, reason))
    with contextlib.suppress(OSError):
        if (folder / "runs.log").stat().st_size > _LONGEST_LOG:
            (folder / "runs.log").replace(folder / "runs.log.1")


def _has_line(folder: Path, started: str) -> bool:
    with contextlib.suppress(OSError), (folder / "runs.log").open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
        return any(line.startswith(f"{started} ".encode()) for line in file)
    return False


def _keep_line(folder: Path, report: Report) -> None:
    """Add the line to runs.log, by one write: runs that leave at once may write at the same time."""
    path = folder / "runs.log"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            # What a full disk has cut off stays a line of its own.
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            line = f"{chr(10) if torn else ''}{report.line()}\n".encode()
            if os.write(descriptor, line) != len(line):
                raise OSError(ENOSPC, os.strerror(ENOSPC))
        finally:
            os.close(descriptor)
    except OSError as error:
        click.echo(f"Error: {path}: the run's line could not be kept: {error.strerror}", err=True)


def _new_log(folder: Path, order: _Order) -> Path | None:
    """Where pyinfra's output goes, once the oldest logs have made room for it; None when there can be no log."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        for old in sorted(folder.glob("2*Z-*.log"))[: -(order.keep - 1) or None]:
            old.unlink(missing_ok=True)
    except OSError:
        return None
    stamp = timestamp(order.moment).replace("-", "").replace(":", "")
    return folder / f"{stamp}-{os.getpid()}.log"


@contextlib.contextmanager
def _raised_signals() -> Iterator[None]:
    """The first signal that asks to end is raised in here; after that, and outside, nothing interrupts any more."""

    def raise_it(number: int, _frame: FrameType | None) -> None:
        _ignore()
        raise _SignalledError(number)

    for number in _SIGNALS:
        # What nohup has switched off stays so.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, raise_it)
    try:
        yield
    finally:
        _ignore()


def _ignore() -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _open_standard_streams() -> None:
    """Give whoever started us without them something else: a lock in the place of an input would be handed on."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        continue
    os.close(descriptor)
