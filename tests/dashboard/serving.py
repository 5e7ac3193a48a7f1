"""A real ``miyabi dashboard`` process on loopback, over a history of its own."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from miyabi.journal import append
from miyabi.records import Record
from tests.fleet.control import REPOSITORY
from tests.fleet.machine import Machine
from tests.fleet.waiting import wait_until

# Seconds that a page may take until it shows what was written.
SOON = 2.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered with."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


@dataclass(slots=True)
class Dashboard:
    """A dashboard that runs.

    + url: what it has printed; with the token when it was made just now
    """

    machine: Machine
    process: subprocess.Popen[str]
    url: str = ""
    said: list[str] = field(default_factory=list)

    @property
    def state(self) -> Path:
        """The folder of its memory."""
        return state_of(self.machine)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port

    def append(self, *records: Record) -> None:
        """Write records to the journal, as a run does."""
        append(self.state, records)

    def ask(
        self, path: str = "/", headers: Mapping[str, str] | None = None, *, method: str = "GET", timeout: float = 20.0
    ) -> Answer:
        """The answer to a request; ``path`` goes as it is."""
        connection = HTTPConnection(*self.address, timeout=timeout)
        try:
            connection.putrequest(method, path, skip_host=headers is not None and "Host" in headers)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            return Answer(
                response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
            )
        finally:
            connection.close()

    def memory(self) -> float:
        """Its resident memory in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        assert found is not None
        return int(found[1]) / 1000

    def end(self, number: int = signal.SIGTERM, timeout: float = 5.0) -> tuple[int, float]:
        """Send a signal; its exit code, and the seconds that it took to end."""
        began = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(timeout)
        return code, time.monotonic() - began


class Listener:
    """Somebody who listens to a dashboard's events, on a socket of his own.

    + names: of the events that came, as far as they were looked at
    """

    def __init__(self, dashboard: Dashboard, query: str = "", headers: str = "") -> None:
        self._socket = socket.create_connection(dashboard.address, timeout=20)
        host, port = dashboard.address
        self._socket.sendall(f"GET /events{query} HTTP/1.0\r\nHost: {host}:{port}\r\n{headers}\r\n".encode())
        self._text = b""
        self.names: list[str] = []
        self._wait_for(b"\r\n\r\n")
        head, _, self._text = self._text.partition(b"\r\n\r\n")
        self.status = int(head.split()[1])

    def event(self, name: str, holding: str = "", timeout: float = 20.0) -> str:
        """The next event of a name whose data holds a text; ``AssertionError`` when none comes in time."""
        give_up = time.monotonic() + timeout
        while True:
            *events, rest = self._text.replace(b"\r\n", b"\n").split(b"\n\n")
            for number, each in enumerate(events):
                told = each.decode()
                self.names += re.findall(r"^event: (\S+)$", told, re.MULTILINE)
                if f"event: {name}\n" in told and holding in told:
                    self._text = b"\n\n".join([*events[number + 1 :], rest])
                    return told
            self._text = rest
            assert time.monotonic() < give_up, f"no event {name} with {holding!r} within {timeout} s"
            self._receive(max(0.01, give_up - time.monotonic()))

    def is_ended(self) -> bool:
        """Whether the server has closed the stream."""
        try:
            self._socket.settimeout(0.05)
            while data := self._socket.recv(65536):
                self._text += data
        except TimeoutError:
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        """Go away, as a browser's tab does."""
        self._socket.close()

    def _wait_for(self, wanted: bytes) -> None:
        while wanted not in self._text:
            data = self._socket.recv(65536)
            assert data, f"the connection ended: {self._text!r}"
            self._text += data

    def _receive(self, timeout: float) -> None:
        self._socket.settimeout(timeout)
        with suppress(TimeoutError):
            data = self._socket.recv(65536)
            assert data, "the stream ended"
            self._text += data


def state_of(machine: Machine) -> Path:
    """The folder of the memory on a machine."""
    named = machine.environment.get("XDG_STATE_HOME")
    return (Path(named) if named else machine.home / ".local" / "state") / "miyabi"


@contextmanager
def serving(
    machine: Machine, *arguments: str, clone: Path = REPOSITORY, command: Sequence[str] = ("dashboard",)
) -> Iterator[Dashboard]:
    """``miyabi dashboard --port 0`` on a machine, once it has said where it listens; it is ended afterwards.

    + arguments: more of them
    + clone: the folder that it runs in
    + command: another one that serves the page
    """
    with started(machine, *arguments, clone=clone, command=command) as dashboard:
        assert dashboard.process.stdout is not None
        dashboard.url = dashboard.process.stdout.readline().strip().partition(" ")[0]
        assert dashboard.url.startswith("http://"), _failed(dashboard)
        yield dashboard


@contextmanager
def started(
    machine: Machine, *arguments: str, clone: Path = REPOSITORY, command: Sequence[str] = ("dashboard",)
) -> Iterator[Dashboard]:
    """The same, whether it says where it listens or not."""
    process = subprocess.Popen(
        [sys.executable, "-m", "miyabi", *command, "--port", "0", *arguments],
        env=machine.environment,
        cwd=clone,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    with process:
        try:
            yield Dashboard(machine, process)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()


def _failed(dashboard: Dashboard) -> str:
    dashboard.process.terminate()
    assert dashboard.process.stderr is not None
    return f"it does not serve: {dashboard.process.stderr.read()}"


def wait_for_text(dashboard: Dashboard, wanted: str, timeout: float = 10.0, path: str = "/") -> str:
    """A page that holds a text; ``AssertionError`` when there is none within ``timeout`` seconds."""
    return wait_until(
        lambda: text if wanted in (text := dashboard.ask(path).text) else "", timeout, what=f"{wanted!r} on {path}"
    )
