"""Traces on their way to a real collector on loopback, and what is said when there is none."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from miyabi.errors import MonitoringError
from miyabi.trace_export import endpoint_of, keep_mark, last_export, send, spans_since
from miyabi.traces import spans_of
from tests.history.ground import NOW, Ground
from tests.monitoring.collector import collecting
from tests.monitoring.runs import a_run


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    """A history in which one run has ended a minute ago, and another yesterday."""
    ground = Ground(tmp_path / "memory", None)
    with ground.open() as history:
        history.write([*a_run("new", NOW - 60), *a_run("old", NOW - 86400)])
    return ground


def test_a_collector_gets_the_trace_as_it_is(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as collector, ground.open() as history:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        spans = spans_since(history, NOW - 3600, NOW)
        send(spans, f"{collector.address}/v1/traces")
    expected = {each.span_id: each for each in spans}
    assert len({each.trace_id for each in spans}) == 1
    [(path, request)] = collector.requests
    assert path == "/v1/traces"
    [resource_spans] = request.resource_spans
    resource = {each.key: each.value.string_value for each in resource_spans.resource.attributes}
    assert resource["service.name"] == "miyabi-recovery"
    got = [span for scope in resource_spans.scope_spans for span in scope.spans]
    assert len(got) == len(expected) == 10
    for span in got:
        known = expected[span.span_id.hex()]
        assert span.trace_id.hex() == known.trace_id
        assert (span.parent_span_id.hex() or None) == known.parent_id
        assert span.name == known.name
        assert span.start_time_unix_nano == pytest.approx(known.start * 1e9, abs=1000)
        assert span.end_time_unix_nano == pytest.approx(known.end * 1e9, abs=1000)
        assert {each.key for each in span.attributes} == set(known.attributes)
        assert (span.status.code == 2, span.status.message) == (known.is_failed, known.failure)
        assert [each.name for each in span.events] == [each.name for each in known.events]


def test_the_next_one_begins_where_this_one_has_ended(ground: Ground) -> None:
    keep_mark(ground.folder, NOW)
    assert last_export(ground.folder, NOW + 5) == NOW
    assert last_export(ground.folder, NOW - 5) == NOW - 5


def test_exported_twice_it_is_the_same_trace(ground: Ground) -> None:
    with collecting() as collector, ground.open() as history:
        for _ in range(2):
            send(spans_since(history, NOW - 3600, NOW), f"{collector.address}/v1/traces")
    first, second = (request for _, request in collector.requests)
    assert first == second


def test_many_spans_go_in_several_requests() -> None:
    records = [each for number in range(120) for each in a_run(f"run-{number}", NOW)]
    with collecting() as collector:
        send(spans_of(records), f"{collector.address}/v1/traces")
    sizes = [
        len(scope.spans) for _, each in collector.requests for of in each.resource_spans for scope in of.scope_spans
    ]
    assert sum(sizes) == 1200
    assert max(sizes) <= 500


def test_nothing_to_send_asks_nobody(ground: Ground) -> None:
    with ground.open() as history:
        spans = spans_since(history, NOW - 30, NOW)
    assert spans == ()
    send(spans, "http://127.0.0.1:9/v1/traces")


def test_nobody_there_is_one_line(ground: Ground, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/v1/traces"
        begin = time.monotonic()
        with ground.open() as history, pytest.raises(MonitoringError, match="the traces were not taken") as told:
            send(spans_since(history, NOW - 3600, NOW), address)
    assert time.monotonic() - begin < 8
    assert str(told.value).startswith(address)
    assert "refused" in str(told.value)
    assert "\n" not in str(told.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_collector_that_refuses_is_said(status: int) -> None:
    with collecting(status) as collector, pytest.raises(MonitoringError, match=str(status)):
        send(spans_of(a_run("new", NOW)), f"{collector.address}/v1/traces")
    assert len(collector.requests) == 1


@pytest.mark.slow
@pytest.mark.parametrize("status", [0, 503])
def test_a_collector_that_is_silent_or_never_ready_is_given_five_seconds(status: int) -> None:
    begin = time.monotonic()
    with collecting(status) as collector, pytest.raises(MonitoringError, match="were not taken"):
        send(spans_of(a_run("new", NOW)), f"{collector.address}/v1/traces")
    assert time.monotonic() - begin < 8


def test_an_address_that_is_none_is_one_line() -> None:
    with pytest.raises(MonitoringError, match="were not taken"):
        send(spans_of(a_run("new", NOW)), "what://\x1b[31m nonsense/v1/traces")


def test_a_mark_that_cannot_be_read_is_an_hour_ago(ground: Ground) -> None:
    assert last_export(ground.folder, NOW) == NOW - 3600
    (ground.folder / "traced").write_text("nonsense")
    assert last_export(ground.folder, NOW) == NOW - 3600


@pytest.mark.parametrize(
    ("environment", "told", "where"),
    [
        ({}, None, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, None, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, None, "http://c:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/otlp/"}, None, "http://c:4318/otlp/v1/traces"),
        (
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t/x", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"},
            None,
            "http://t/x",
        ),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t/x"}, "http://e", "http://e/v1/traces"),
        ({}, "http://e/v1/traces", "http://e/v1/traces"),
    ],
)
def test_where_traces_go(environment: dict[str, str], told: str | None, where: str | None) -> None:
    assert endpoint_of(environment, told) == where
