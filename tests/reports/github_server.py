"""A GitHub on loopback: as much of it as a report asks, and the ways in which it fails."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override


@dataclass
class GitHub:
    """A server, and what it was asked.

    + answers: what is done about a repository, by its name; without an entry it is not found
    + asked: the paths, and the headers with each
    + released: set at the end, for who keeps others waiting
    """

    answers: dict[str, Callable[[BaseHTTPRequestHandler, GitHub], None]] = field(default_factory=dict)
    port: int = 0
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


def issue(number: int, closed_at: str, title: str = "something", **more: Any) -> dict[str, Any]:
    """A closed issue as GitHub writes it."""
    return {"number": number, "title": title, "user": {"login": "kaede"}, "closed_at": closed_at, **more}


def pull(number: int, merged_at: str | None, closed_at: str = "2026-11-18T10:00:00Z", **more: Any) -> dict[str, Any]:
    """A pull request; None is one that was closed without being merged."""
    return issue(number, closed_at, pull_request={"merged_at": merged_at}, **more)


def pages(items: list[dict[str, Any]], size: int = 100) -> Callable[[BaseHTTPRequestHandler, GitHub], None]:
    """Answers with so many at a time, and says where the next ones are."""

    def answer(handler: BaseHTTPRequestHandler, github: GitHub) -> None:
        asked = parse_qs(urlsplit(handler.path).query)
        page = int(asked.get("page", ["1"])[0])
        some = items[(page - 1) * size : page * size]
        link = f'<{github.url}{urlsplit(handler.path).path}?page={page + 1}>; rel="next", <{github.url}/x>; rel="last"'
        reply(handler, 200, json.dumps(some), Link=link if page * size < len(items) else "")

    return answer


def saying(status: int, body: str = "{}", **headers: str) -> Callable[[BaseHTTPRequestHandler, GitHub], None]:
    """Answers everything in one way."""
    return lambda handler, _: reply(handler, status, body, **headers)


def silent(_: BaseHTTPRequestHandler, github: GitHub) -> None:
    """Never answers."""
    github.released.wait(60)


def dripping(handler: BaseHTTPRequestHandler, github: GitHub) -> None:
    """Answers a byte at a time, for ever."""
    with suppress(OSError):
        while not github.released.wait(0.05):
            handler.wfile.write(b"H")


def reply(handler: BaseHTTPRequestHandler, status: int, body: str, **headers: str) -> None:
    """Send an answer."""
    data = body.encode()
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


@contextmanager
def served(**answers: Callable[[BaseHTTPRequestHandler, GitHub], None]) -> Iterator[GitHub]:
    """A GitHub whose repositories are ``example/NAME``."""
    github = GitHub({f"example/{name}": answer for name, answer in answers.items()})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            github.asked.append((self.path, dict(self.headers)))
            found = next((each for name, each in github.answers.items() if f"/{name}/" in self.path), saying(404))
            found(self, github)

        @override
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    github.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield github
    finally:
        github.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
