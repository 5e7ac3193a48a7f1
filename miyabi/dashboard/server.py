"""The dashboard's server: read-only, on loopback unless somebody asks for more, ended at once by a signal."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import sys
import time
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import NoReturn

from starlette.types import ASGIApp
from typing_extensions import override
from uvicorn import Config, Server

from miyabi.dashboard.access import Access
from miyabi.dashboard.application import application
from miyabi.dashboard.live import Hub, Shown, Watcher
from miyabi.dashboard.settings import Settings
from miyabi.dashboard.token_file import FILE, token_in
from miyabi.errors import DashboardError, MiyabiError
from miyabi.history import History, open_history
from miyabi.monitoring import monitoring_of

# Seconds: after which somebody is told that it takes longer; that answers under way may take at the end.
_LONG, _LAST = 2.0, 1

# Milliseconds after which a connection ends that takes nothing of what is sent.
_GONE = 15_000

# Connections at once, whoever they are from.
_CONNECTIONS = 200


def serve(settings: Settings) -> None:
    """Serve until a signal ends it. Raises ``DashboardError`` or ``HistoryError`` when it cannot be."""
    # A library's words about a connection that went away are no news.
    logging.disable(logging.CRITICAL)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    listening = listen(settings.host, settings.port)
    with listening:
        address, port = listening.getsockname()[:2]
        token, url = None, f"http://{_written(address)}:{port}/"
        if settings.is_guarded or settings.is_new_token or not ip_address(address).is_loopback:
            token, told = _token(settings)
            url += told
        watcher = Watcher(partial(_opened, settings), monitoring_of(settings.monitoring), settings.days, settings.hosts)
        watcher.start()
        try:
            hub = Hub(_first_of(watcher))
            app = application(hub, Access(token, f"miyabi_dashboard_{port}"), _say)
            asyncio.run(_Server(_config(app), url, watcher, hub).serve(sockets=[listening]))
        finally:
            watcher.stop()


def _first_of(watcher: Watcher) -> Shown:
    """What is shown first, however long it takes to read."""
    first = watcher.first(_LONG)
    if first is None:
        _say("reading the history: this takes a moment where it is long")
    while first is None:
        first = watcher.first(60.0)
    return first


def _config(app: ASGIApp) -> Config:
    return Config(
        app,
        log_config=None,
        access_log=False,
        ws="none",
        lifespan="off",
        loop="asyncio",
        http="h11",
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_LAST,
    )


def _opened(settings: Settings) -> History:
    return open_history(Path(settings.folder), settings.url, now=time.time(), keep=settings.keep)


def listen(host: str, port: int) -> socket.socket:
    """A socket at an address of this machine. Raises ``DashboardError`` that says why there can be none."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError):
        raise DashboardError(f"--host {host}: this is no address of this machine; allowed: such as 127.0.0.1") from None
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Whoever takes nothing for so long is gone, and so is what waits for him.
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _GONE)
        made.bind(address)
        # Now, so that a second one is told at once.
        made.listen(128)
    except OSError as error:
        made.close()
        raise DashboardError(f"{_written(host)}:{port}: {_why(error, port)}") from None
    return made


def _why(error: OSError, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program listens there already; use that one, or `--port 0` for a port that is free"
    if error.errno == errno.EACCES:
        return f"port {port} is not for everybody; use one from 1024 on"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address; use 127.0.0.1, or one that `ip address` shows"
    return f"it cannot listen there: {error.strerror}"


def _written(address: str) -> str:
    """An address as it stands in a URL; what is no single one is the machine's name."""
    if address in {"0.0.0.0", "::"}:  # noqa: S104 - it is asked for by name
        return socket.gethostname()
    return f"[{address}]" if ":" in address else address


def _token(settings: Settings) -> tuple[str, str]:
    """The token, and what is added to the URL of it: it is shown once, when it is made."""
    folder = Path(settings.folder)
    is_known = (folder / FILE).exists() and not settings.is_new_token
    token = token_in(folder, is_new=settings.is_new_token)
    return token, f" takes the token in {folder / FILE} (--new-token makes another)" if is_known else f"?token={token}"


class _Server(Server):
    """Says where it listens when it does, and tells whoever listens what is new."""

    def __init__(self, config: Config, url: str, watcher: Watcher, hub: Hub) -> None:
        super().__init__(config)
        self._url, self._watcher, self._hub = url, watcher, hub

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        loop = asyncio.get_running_loop()

        def tell(fresh: Shown) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._hub.publish, fresh)

        self._watcher.tell(tell)
        _print(self._url)

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._watcher.tell(lambda _: None)
        self._hub.close()
        await super().shutdown(sockets)


def _print(line: str) -> None:
    # Who has gone away does not want to know.
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except OSError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - for as long as the program is


def _say(line: str) -> None:
    try:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
    except OSError:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def main(descriptor: int) -> None:
    """Serve what the settings in an open file say; one line and exit code 1 when that cannot be."""
    with os.fdopen(descriptor, encoding="utf-8") as file:
        settings = Settings.from_json(file.read())
    try:
        serve(settings)
    except MiyabiError as error:
        _say(f"Error: {error}")
        raise SystemExit(1) from None
