"""Sends alerts and signals: every channel within its time, all at once, and none can stop a recovery.

What costs nothing (the console, files) is done here; all else in one child process, so that a library that hangs can be
ended, and a run without alerts imports none.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal as signals_of_the_system
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from miyabi.alert_rules import AlertRules, Channel
from miyabi.alert_text import Alert, alerts_of
from miyabi.delivery import (
    SENT,
    Breakers,
    Parcel,
    breaker_changes,
    channel_verdicts,
    is_for_the_run,
    left_alone,
    parcels,
    sent_records,
)
from miyabi.incidents import judge
from miyabi.masking import masked
from miyabi.records import IncidentChanged, Record, Signalled
from miyabi.signals import line_of

# Seconds that the child may take to begin, on a slow and busy machine, before its channels' own time.
_START = 8.0
# Seconds for which another writer of the same file is waited for.
_LOCK = 1.0

_LOG = "alerts.log"


@dataclass(frozen=True, slots=True)
class Delivered:
    """What came of sending.

    + results: ``sent``, or why not, by channel
    + records: to be remembered
    + more: alerts about channels that are dead, or well again: for what the run itself sends to
    """

    results: Mapping[str, str]
    records: tuple[Record, ...]
    more: tuple[Alert, ...] = ()


def tell(  # noqa: PLR0913 - what is told, to whom, and what is known, by their names
    alerts: Sequence[Alert],
    rules: AlertRules,
    *,
    folder: Path,
    run: str,
    now: float,
    say: Callable[[str], None],
    earlier: Sequence[IncidentChanged] = (),
    breakers: Breakers | None = None,
    signals: Iterable[Signalled] = (),
    elsewhere: Mapping[str, str] | None = None,
) -> Delivered:
    """Send alerts and signals, and report a dead channel once, on the others.

    + folder: of the memory; the file ``alerts.log`` is kept there when its channel names no path
    + say: takes a text for the console
    + earlier: the incidents that are open, those of channels among them
    + breakers: how those of the channels stand
    + elsewhere: what came of the channels that the run itself has sent to (guardian, phone, panes)
    """
    known = breakers or {}
    sent = deliver(alerts, rules, folder=folder, now=now, say=say, breakers=known, signals=signals)
    results = {**sent, **(elsewhere or {})}
    records: list[Record] = [
        *sent_records(alerts, rules, results, run=run, now=now),
        *breaker_changes(results, known, run=run, now=now),
    ]
    verdicts, well = channel_verdicts(results)
    dead = {name for name, result in results.items() if result != SENT}
    about = [each for each in earlier if each.kind == "channel"]
    changes = judge(about, verdicts, well, run=run, now=now, still_open=rules.still_open)
    more = alerts_of(changes, verdicts, now=now)
    if more:
        told = deliver(more, rules, folder=folder, now=now, say=say, breakers=known, without=dead)
        records += sent_records(more, rules, told, run=run, now=now)
    return Delivered(results, (*records, *changes), more)


def deliver(  # noqa: PLR0913 - as above
    alerts: Iterable[Alert],
    rules: AlertRules,
    *,
    folder: Path,
    now: float,
    say: Callable[[str], None],
    breakers: Breakers | None = None,
    signals: Iterable[Signalled] = (),
    without: Collection[str] = (),
) -> dict[str, str]:
    """Send to every channel that can be reached from here; see ``tell``.

    Returns ``sent``, or why not, by channel. It takes no longer than the slowest channel may, and a moment.
    """
    results: dict[str, str] = {}
    jobs: list[dict[str, Any]] = []
    for parcel in parcels(alerts, rules, signals, without=without):
        kind = parcel.to.kind
        if is_for_the_run(parcel):
            continue
        if reason := left_alone(parcel.name, breakers or {}, now):
            results[parcel.name] = reason
        elif kind == "console":
            results[parcel.name] = _on_the_console(parcel, say)
        elif kind in {"file", "jsonlines"}:
            results[parcel.name] = _into_file(parcel, folder)
        else:
            jobs.append(_job(parcel))
    if jobs:
        results |= _by_the_child(jobs)
    return results


def _on_the_console(parcel: Parcel, say: Callable[[str], None]) -> str:
    for alert in parcel.alerts:
        say(alert.text if alert.change in {"opened", "changed"} else alert.line)
    return SENT


def _into_file(parcel: Parcel, folder: Path) -> str:
    if isinstance(parcel.to, Channel):
        text = "".join(f"{_stamp(each.at)}\n{each.text}\n\n" for each in parcel.alerts)
    else:
        text = "".join(f"{json.dumps(_plain(each), ensure_ascii=False)}\n" for each in parcel.signals)
    try:
        where = parcel.to.where
        return _append(Path(where).expanduser() if where else folder / _LOG, text.encode(errors="replace"))
    except FileExistsError:
        return "its folder is no folder"
    except OSError as error:
        return f"it cannot be written ({error.strerror or 'I/O error'}): look at the file and its folder"
    except RuntimeError:
        return "its path begins with the ~ of nobody"


def _append(path: Path, data: bytes) -> str:
    """Add to a file that only its owner may read."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Without O_NONBLOCK a named pipe would be waited for.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return "it is no regular file"
        if not _locked(descriptor):
            return f"somebody else has kept it locked for {_LOCK:g} s"
        while data:
            data = data[os.write(descriptor, data) :]
    finally:
        os.close(descriptor)
    return SENT


def _locked(descriptor: int) -> bool:
    until = time.monotonic() + _LOCK
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        else:
            return True


def _job(parcel: Parcel) -> dict[str, Any]:
    """What the child is to send."""
    job: dict[str, Any] = {
        "name": parcel.name,
        "kind": parcel.to.kind,
        "where": parcel.to.where,
        "headers": list(parcel.to.headers),
        "timeout": parcel.to.timeout,
    }
    if isinstance(parcel.to, Channel):
        text = "\n\n".join(each.text for each in parcel.alerts)
        changes = {each.change for each in parcel.alerts}
        worst = "info" if changes == {"report"} else "success" if changes <= {"report", "closed"} else "failure"
        title = parcel.alerts[0].line if len(parcel.alerts) == 1 else f"{len(parcel.alerts)} alerts"
        lines = "\n".join(each.line for each in parcel.alerts)
        body = {"text": text, "alerts": [asdict(each) for each in parcel.alerts]}
        return {**job, "title": title, "text": text, "lines": lines, "type": worst, "json": body}
    told = [_plain(each) for each in parcel.signals]
    return {**job, "json": {"text": "\n".join(map(line_of, parcel.signals)), "signals": told}}


def _plain(signal: Signalled) -> dict[str, Any]:
    """A signal as JSON, without what looks like a secret."""
    told = {"signal": signal.signal, "at": _stamp(signal.at), "run": signal.run}
    told |= {key: value for key, value in (("host", signal.host), ("target", signal.target)) if value}
    return {**told, "details": _masked(signal.details)}


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, Mapping):
        return {key: _masked(each) for key, each in value.items()}
    return [_masked(each) for each in value] if isinstance(value, list | tuple) else value


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _by_the_child(jobs: list[dict[str, Any]]) -> dict[str, str]:
    """What the child process says of each job; it ends when their time is over, or is ended."""
    seconds = max(float(job["timeout"]) for job in jobs)
    reasons = {job["name"]: f"no answer within {job['timeout']:g} s" for job in jobs}
    root = str(Path(__file__).resolve().parents[1])
    paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "miyabi.deliver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # A library's own words may hold an address with its secrets.
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": paths},
            start_new_session=True,
        )
    except OSError as error:
        return dict.fromkeys(reasons, f"the sender could not be started ({error.strerror})")
    try:
        output, _ = process.communicate(json.dumps(jobs).encode(), seconds + _START)
        if process.returncode != 0:
            reasons = dict.fromkeys(reasons, f"the sender failed ({process.returncode})")
    except subprocess.TimeoutExpired:
        _end(process)
        output, _ = process.communicate()
    finally:
        if process.poll() is None:
            _end(process)
            process.wait()
    return {**reasons, **_told(output, reasons)}


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a child that was not waited for yet, with all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signals_of_the_system.SIGKILL)


def _told(output: bytes, names: Collection[str]) -> dict[str, str]:
    told: dict[str, str] = {}
    for line in output.splitlines():
        with contextlib.suppress(ValueError, TypeError):
            name, result = json.loads(line)
            if name in names:
                told[name] = str(result)
    return told
