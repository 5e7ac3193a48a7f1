"""A real ``miyabi dashboard``: what it answers, how soon it tells what is new, and how it begins and ends."""

from __future__ import annotations

import json
import signal
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack
from html import unescape
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from miyabi.dashboard.assets import ASSETS
from miyabi.records import Decided, DriftSeen, IncidentChanged, Observation, Record, Recovered
from tests.dashboard.samples import HOSTILE
from tests.dashboard.serving import SOON, Dashboard, Listener, serving, started, state_of, wait_for_text
from tests.fleet.control import REPOSITORY
from tests.fleet.leaks import TestRun
from tests.fleet.machine import Machine
from tests.fleet.waiting import wait_until
from tests.history.ground import make

# Newer than anything that a page has shown.
_NEVER = "?since=999999999999999"


@pytest.fixture(scope="module")
def dashboard(test_run: TestRun) -> Iterator[Dashboard]:
    """A dashboard that shows two hosts."""
    machine = Machine.build(test_run, "dashboard")
    with serving(machine) as served:
        served.append(*(make(Observation, time.time() - 30, host=host, disk_used=40.0) for host in ("mugen", "pixel")))
        wait_for_text(served, "pixel")
        yield served
    machine.remove()


def test_the_page_is_whole_and_asks_nobody_else(dashboard: Dashboard) -> None:
    answer = dashboard.ask("/")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert {"mugen", "pixel"} <= set(answer.text.replace("<", " ").replace(">", " ").split())
    assert "http://" not in answer.text
    assert "https://" not in answer.text


def test_head_is_answered_without_a_body(dashboard: Dashboard) -> None:
    for path in ("/", "/events", "/api/overview", "/healthz"):
        answer = dashboard.ask(path, method="HEAD")
        assert (answer.status, answer.body) == (200, b""), path


def test_files_of_the_page_are_served_and_asked_for_once(dashboard: Dashboard) -> None:
    for name, kind in ASSETS.items():
        answer = dashboard.ask(f"/static/{name}")
        assert (answer.status, answer.headers["content-type"]) == (200, kind), name
        assert answer.body
        again = dashboard.ask(f"/static/{name}", {"If-None-Match": answer.headers["etag"]})
        assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/static/../server.py",
        "/static/%2e%2e/server.py",
        "/static/%2e%2e%2fserver.py",
        "/static/%252e%252e%252fserver.py",
        "/static/..%5cserver.py",
        "/static/..\\server.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/vendor/../../server.py",
        "/static/page.css%00.js",
        "/static/page.css/",
        "/static/./page.css",
        "/static/PAGE.CSS",
        "/static/",
        "/static",
        "/../../../etc/passwd",
        "/templates/page.html",
        "/static/vendor/htmx.LICENSE",
        "/favicon.ico",
        "/" + "x" * 5000,
    ],
)
def test_no_path_leads_out(dashboard: Dashboard, path: str) -> None:
    answer = dashboard.ask(path)
    assert answer.status in {400, 404}, answer.text
    assert "root:" not in answer.text
    assert "import" not in answer.text


def test_nothing_can_be_changed(dashboard: Dashboard) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = dashboard.ask("/", method=method)
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


def test_nonsense_is_refused_and_the_next_one_is_answered(dashboard: Dashboard) -> None:
    for nonsense in (b"\x16\x03\x01\x02\x00", b"GET / HTTP/9.9\r\n\r\n", b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n"):
        with socket.create_connection(dashboard.address, timeout=10) as connection:
            connection.sendall(nonsense)
            assert b"Traceback" not in connection.recv(65536)
    assert dashboard.ask("/healthz").text == "ok\n"


def test_prometheus_can_read_its_metrics(dashboard: Dashboard) -> None:
    answer = dashboard.ask("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    names = {family.name for family in text_string_to_metric_families(answer.text)}
    assert "miyabi_host_last_look_timestamp_seconds" in names


def test_another_process_s_record_is_told_soon(dashboard: Dashboard) -> None:
    listener = Listener(dashboard, _NEVER)
    now = time.time()
    held = make(Decided, now, run="live", allowed=False, rule="limit", reason="live is held", again_at=now + 600)
    drift: list[Record] = [
        make(Observation, now, run="live", health="drift"),
        make(DriftSeen, now, run="live", reason="live died"),
    ]
    told: list[tuple[list[Record], str, str]] = [
        (drift, "hosts", "live died"),
        ([held], "hosts", "live is held"),
        ([make(IncidentChanged, now, run="live", summary="live is told")], "alerts", "live is told"),
    ]
    for records, part, holding in told:
        began = time.monotonic()
        dashboard.append(*records)
        listener.event(part, holding, 10.0)
        assert time.monotonic() - began < SOON
    dashboard.append(make(Recovered, time.time(), run="live"))
    listener.event("hosts", timeout=10.0)
    listener.close()


def test_who_comes_back_gets_what_he_has_missed_and_nothing_else(dashboard: Dashboard) -> None:
    first = Listener(dashboard)
    told = first.event("closed")
    sequence = int(told.partition("id: ")[2].partition("\n")[0])
    first.close()
    before = json.loads(dashboard.ask("/api/overview").text)["sequence"]
    assert sequence <= before
    dashboard.append(make(IncidentChanged, time.time(), incident="missed", summary="what he has missed"))
    wait_for_text(dashboard, "what he has missed")
    for query, headers in ((f"?since={before}", ""), ("", f"Last-Event-ID: {before}\r\n")):
        again = Listener(dashboard, query, headers)
        again.event("alerts", "what he has missed")
        assert "hosts" in again.names
        assert not {"trouble", "run"} & set(again.names)
        again.close()


@pytest.mark.parametrize("since", ["-1", "x", "9" * 15, "9" * 40, "%D9%A1", "1e3", ""])
def test_a_place_that_makes_no_sense_brings_everything(dashboard: Dashboard, since: str) -> None:
    listener = Listener(dashboard, f"?since={since}")
    listener.event("summary")
    listener.event("closed")
    listener.close()


def test_no_more_than_twenty_may_listen_and_who_goes_makes_room(dashboard: Dashboard) -> None:
    with ExitStack() as stack:
        for _ in range(20):
            listener = Listener(dashboard)
            stack.callback(listener.close)
            assert listener.status == 200
            listener.event("closed")
        answer = dashboard.ask("/events")
        assert (answer.status, answer.headers["retry-after"]) == (503, "30")
        assert dashboard.ask("/").status == 200
        descriptors = len(list(Path(f"/proc/{dashboard.process.pid}/fd").iterdir()))
    # Each of them is forgotten, with its connection.
    fds = Path(f"/proc/{dashboard.process.pid}/fd")
    wait_until(lambda: len(list(fds.iterdir())) <= descriptors - 20, 10.0, what="connections that are closed")

    def has_room() -> bool:
        listener = Listener(dashboard, _NEVER)
        listener.close()
        return listener.status == 200

    wait_until(has_room, 10.0)


def test_hostile_names_stay_text(machine: Machine) -> None:
    now = time.time()
    with serving(machine) as dashboard:
        records: list[Record] = []
        for number, text in enumerate(HOSTILE):
            host, run = text[:700].replace("\0", ""), f"hostile-{number}"
            records += [
                make(Observation, now, run=run, host=host, health="drift", reason=text, agents={text: text}),
                make(DriftSeen, now, run=run, host=host, target=host, kind=text, reason=text, cause=text),
                make(Decided, now, run=run, host=host, target=host, allowed=False, rule=text, reason=text),
                make(IncidentChanged, now, run=run, incident=run, host=host, target=host, summary=text, kind=text),
            ]
        dashboard.append(*records)
        page = wait_for_text(dashboard, "right to left")
        wait_until(lambda: len(json.loads(dashboard.ask("/api/overview").text)["hosts"]) >= len(HOSTILE), 10.0)
        page = dashboard.ask("/").text
        told = dashboard.ask("/api/overview").text
        metrics = dashboard.ask("/metrics").text
    for wrong in ("<img src=x", "<svg/onload", "</script><script>", "--><!--<"):
        assert wrong not in page
        assert wrong not in told
    assert "<img src=x onerror=window.__pwned=1>" in unescape(page)
    assert "<" not in told
    assert list(text_string_to_metric_families(metrics))


def test_it_begins_with_one_line_and_says_nothing_more(machine: Machine) -> None:
    with serving(machine) as dashboard:
        assert dashboard.url == f"http://127.0.0.1:{dashboard.address[1]}/"
        dashboard.ask("/")
        dashboard.ask("/nothing")
        listener = Listener(dashboard)
        listener.close()
        assert dashboard.end()[0] == 0
        assert dashboard.process.stdout is not None
        assert dashboard.process.stderr is not None
        assert (dashboard.process.stdout.read(), dashboard.process.stderr.read()) == ("", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_whoever_listens(machine: Machine, number: int) -> None:
    with serving(machine) as dashboard:
        listeners = [Listener(dashboard) for _ in range(5)]
        for each in listeners:
            each.event("closed")
        code, seconds = dashboard.end(number)
        assert code == 0
        assert seconds < 3
        for each in listeners:
            assert wait_until(each.is_ended, 5.0)
            each.close()


def test_a_port_that_is_taken_is_one_line(dashboard: Dashboard) -> None:
    done = dashboard.machine.run(
        "python3", "-m", "miyabi", "dashboard", "--port", str(dashboard.address[1]), cwd=REPOSITORY
    )
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr == (
        f"Error: 127.0.0.1:{dashboard.address[1]}: another program listens there already; use that one, or `--port 0` "
        "for a port that is free\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize("host", ["192.0.2.77", "no.such.host.invalid", "::gg", "x" * 300, "\udcff"])
def test_an_address_that_is_none_is_one_line(machine: Machine, host: str) -> None:
    done = machine.run("python3", "-m", "miyabi", "dashboard", "--port", "0", "--host", host, cwd=REPOSITORY)
    assert done.code == 1, done.output
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("Error: ")


def test_a_history_that_cannot_be_read_is_one_line(machine: Machine) -> None:
    state = state_of(machine)
    state.mkdir(parents=True)
    (state / "history.db").mkdir()
    with started(machine) as dashboard:
        code = dashboard.process.wait(20)
        assert dashboard.process.stderr is not None
        said = dashboard.process.stderr.read()
    assert code == 1
    assert said.startswith("Error: ")
    assert said.count("\n") == 1


@pytest.mark.slow
def test_a_database_that_goes_away_is_told_and_the_page_stays(machine: Machine) -> None:
    with serving(machine) as dashboard:
        dashboard.append(make(Observation, time.time()))
        wait_for_text(dashboard, "mugen")
        listener = Listener(dashboard, _NEVER)
        state, away = dashboard.state, dashboard.state.with_name("away")
        state.rename(away)
        state.touch()
        told = listener.event("trouble", "may be old", 15.0)
        assert "history" in told
        assert "mugen" in dashboard.ask("/").text
        assert dashboard.ask("/healthz").status == 503
        state.unlink()
        away.rename(state)
        listener.event("trouble", timeout=15.0)
        wait_until(lambda: dashboard.ask("/healthz").status == 200, 10.0)
        listener.close()


@pytest.mark.slow
def test_an_export_is_one_file_for_its_owner_that_opens_without_a_server(machine: Machine) -> None:
    with serving(machine) as dashboard:
        dashboard.append(make(Observation, time.time(), disk_used=44.0))
        wait_for_text(dashboard, "mugen")
    target = machine.root / "fleet.html"
    done = machine.run("python3", "-m", "miyabi", "dashboard", "--export", str(target), cwd=REPOSITORY)
    assert done.code == 0, done.output
    assert done.stdout == f"{target}: the fleet as one file; open {target.as_uri()}\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    page = target.read_text()
    assert "mugen" in page
    for outside in ('src="', 'href="static', 'href="http', "sse-connect", "@import", "url(http"):
        assert outside not in page
    printed = machine.run("python3", "-m", "miyabi", "dashboard", "--export", "-", cwd=REPOSITORY)
    assert printed.stdout.startswith("<!doctype html>")
    assert not list(machine.root.glob(".fleet.html*"))


@pytest.mark.slow
@pytest.mark.parametrize("to", ["missing/fleet.html", "."])
def test_an_export_that_cannot_be_written_is_one_line(machine: Machine, to: str) -> None:
    done = machine.run("python3", "-m", "miyabi", "dashboard", "--export", str(machine.root / to), cwd=REPOSITORY)
    assert done.code == 1
    assert done.stderr.startswith(f"Error: {(machine.root / to).absolute()}: the page cannot be written: ")
    assert done.stderr.count("\n") == 1
