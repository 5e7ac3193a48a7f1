"""Endpoints on loopback: one that takes what it gets, and all the ways in which one can be dead."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from typing_extensions import override


@dataclass
class Endpoint:
    """A server, and what it got.

    + port: on loopback
    + bodies: JSON, as it came
    """

    port: int
    bodies: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def url(self, path: str = "/hook") -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def answering(status: int = 200, **headers: str) -> Iterator[Endpoint]:
    """A web server that answers everything in one way."""
    endpoint = Endpoint(0)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            endpoint.bodies.append(json.loads(body))
            endpoint.headers.append(dict(self.headers))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            endpoint.bodies.append("GET")
            self.send_error(404)

        @override
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    endpoint.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def refused_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def accepting(answer: Callable[[socket.socket, threading.Event], None] | None = None) -> Iterator[Endpoint]:
    """A server that takes connections and then does what ``answer`` does; without it nothing, for ever."""
    over = threading.Event()
    connections: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(server: socket.socket) -> None:
        while not over.is_set():
            with suppress(TimeoutError, OSError):
                connection, _ = server.accept()
                connections.append(connection)
                if answer is not None:
                    threads.append(threading.Thread(target=answer, args=(connection, over)))
                    threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        accepter = threading.Thread(target=serve, args=(server,))
        accepter.start()
        try:
            yield Endpoint(server.getsockname()[1])
        finally:
            over.set()
            for each in (accepter, *threads):
                each.join()
            for connection in connections:
                connection.close()


def dribbling(connection: socket.socket, over: threading.Event) -> None:
    """A byte of a header ten times a second, for ever."""
    with suppress(OSError):
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not over.wait(0.1):
            connection.sendall(b"a")


def talking_nonsense(connection: socket.socket, over: threading.Event) -> None:
    """Something that is no HTTP."""
    with suppress(OSError):
        connection.recv(65536)
        connection.sendall(b"220 mail.example.org ESMTP\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
    over.wait(0)
