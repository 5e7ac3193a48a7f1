"""Traces of recoveries, sent to a collector over OTLP/HTTP. The OpenTelemetry SDK is imported only here."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from miyabi.errors import MonitoringError
from miyabi.masking import masked, shown
from miyabi.private_file import read_private, write_private
from miyabi.records import Decided, DriftSeen, IncidentChanged, Record, Recovered, RunEnded, RunStarted
from miyabi.traces import STILL_GOING, Span, ended_within, spans_of

if TYPE_CHECKING:
    from miyabi.history import History

# Seconds that all of an export may take, whatever the collector does.
TIMEOUT = 5.0

# How far back the first export goes, in seconds, and where it is kept up to when all is exported.
_FIRST = 3600.0
_MARK = "traced"

# Runs that are exported at once at most, and spans that go in one request.
_MOST_RUNS = 200
_BATCH = 500

_KINDS: tuple[type[Record], ...] = (RunStarted, RunEnded, DriftSeen, Decided, Recovered, IncidentChanged)
_ERRNO = re.compile(r"\[Errno -?\d+\] ([^\"')]+)")
_AROUND = re.compile(r"^Transient error |Failed to export spans? batch | encountered while exporting.*")
_INSTALL = ".venv/bin/pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"


def endpoint_of(environment: Mapping[str, str], told: str | None = None) -> str | None:
    """The URL that traces are posted to, by OpenTelemetry's rules; None when nobody names one.

    + told: a collector's address that goes before the environment's
    """
    if told is None and (whole := environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")):
        return whole
    base = told or environment.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if not base:
        return None
    return base if base.endswith("/v1/traces") else f"{base.rstrip('/')}/v1/traces"


def spans_since(history: History, since: float, until: float) -> tuple[Span, ...]:
    """The traces of runs that ended between two moments, of the newest of them when there are very many."""
    tried = history.records(Recovered, since=since - 2 * STILL_GOING, until=until)
    runs = list(dict.fromkeys(each.run for each in tried))[:_MOST_RUNS]
    return spans_of(ended_within([each for run in runs for each in _of_run(history, run)], since, until))


def spans_of_run(history: History, run: str) -> tuple[Span, ...]:
    """The trace of one run; () when there is no such run, or it has repaired nothing."""
    return spans_of(_of_run(history, run))


def _of_run(history: History, run: str) -> list[Record]:
    return [each for kind in _KINDS for each in history.records(kind, run=run)]


def last_export(folder: Path, now: float) -> float:
    """Up to when all is exported already, in seconds since the epoch; at first, an hour ago."""
    try:
        return min(float(read_private(folder / _MARK)), now)
    except (OSError, ValueError):
        return now - _FIRST


def keep_mark(folder: Path, at: float) -> None:
    """Remember up to when all is exported. Raises ``MonitoringError``."""
    try:
        write_private(folder / _MARK, f"{at!r}\n")
    except OSError as error:
        raise MonitoringError(f"{folder / _MARK}: cannot be written: {error.strerror}") from None


def send(spans: Sequence[Span], endpoint: str) -> None:
    """Post spans to a collector. Raises ``MonitoringError`` within ``TIMEOUT`` seconds when it did not take them."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    except ImportError:
        raise MonitoringError(f"traces need OpenTelemetry, which is not installed; {_INSTALL}") from None
    if not spans:
        return
    troubles: list[str] = []

    def work() -> None:
        try:
            exporter = OTLPSpanExporter(endpoint=endpoint, timeout=TIMEOUT - 0.5)
            readable = [_readable(each) for each in spans]
            for first in range(0, len(readable), _BATCH):
                if exporter.export(readable[first : first + _BATCH]).name != "SUCCESS":
                    troubles.append("")
                    return
        except Exception as error:  # noqa: BLE001 - a library's, on a thread of its own
            troubles.append(f"{type(error).__name__}: {error}")

    heard = _Heard()
    logger = logging.getLogger("opentelemetry")
    before = logger.propagate
    logger.addHandler(heard)
    logger.propagate = False
    try:
        # A name that is looked up, or an answer that trickles in, knows no timeout of its own.
        sending = Thread(target=work, daemon=True)
        sending.start()
        sending.join(TIMEOUT)
        is_late = sending.is_alive()
    finally:
        logger.removeHandler(heard)
        logger.propagate = before
    if is_late:
        troubles.append(f"no answer within {TIMEOUT:g} s")
    if troubles:
        why = shown(masked(_in_short(troubles[0] or heard.said or "it was refused")))[:200]
        raise MonitoringError(f"{shown(masked(endpoint))}: the traces were not taken: {why}")


def _in_short(logged: str) -> str:
    """What of the exporter's words says why: the system's own, or those around the answer's status."""
    if found := _ERRNO.search(logged):
        return found[1].lower()
    if "due to timeout" in logged:
        return "no answer in time"
    return " ".join(_AROUND.sub("", logged).split())


class _Heard(logging.Handler):
    """The first that the exporter has logged: it tells nobody else why it failed, and the last only that it gave up."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said = ""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.said = self.said or record.getMessage()


def _readable(span: Span) -> Any:
    """A span as the exporter takes it."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - only who exports has it
    from opentelemetry.sdk.trace import Event, ReadableSpan  # noqa: PLC0415
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415
    from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags  # noqa: PLC0415

    def context(span_id: str) -> SpanContext:
        return SpanContext(int(span.trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(1))

    return ReadableSpan(
        span.name,
        context=context(span.span_id),
        parent=None if span.parent_id is None else context(span.parent_id),
        resource=Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME") or "miyabi-recovery"}),
        attributes=dict(span.attributes),
        events=[Event(each.name, dict(each.attributes), _nanoseconds(each.at)) for each in span.events],
        status=Status(StatusCode.ERROR, span.failure or None) if span.is_failed else Status(StatusCode.UNSET),
        start_time=_nanoseconds(span.start),
        end_time=_nanoseconds(span.end),
        instrumentation_scope=InstrumentationScope("miyabi"),
    )


def _nanoseconds(at: float) -> int:
    return max(0, round(at * 1e9))
