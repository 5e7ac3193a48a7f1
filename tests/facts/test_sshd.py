"""The ssh port, asked for real: listeners of every manner, under every shell and with every tool that can ask."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from facts.sshd import BANNER_TIMEOUT, sshd_section
from miyabi.errors import ParseError
from miyabi.state import Sshd
from tests.facts.hosts import INSTALLED_SHELLS, POSIX_TOOLS, PretendedHost, ask

every_shell = pytest.mark.parametrize("shell", INSTALLED_SHELLS)
TOOLS = [tool for tool in ("bash", "busybox", "python3", "perl", "ssh-keyscan") if shutil.which(tool)]

BANNERS = [
    (b"SSH-2.0-OpenSSH_9.9 Own\r\n", "SSH-2.0-OpenSSH_9.9 Own"),
    (b"No parking\r\nSSH-2.0-dropbear\n", "SSH-2.0-dropbear"),
    (b"SSH-2.0-$(id)`id`\\n%s\r\n", "SSH-2.0-$(id)`id`\\n%s"),
    (b"SSH-2.0-caf\xe9\x1b[31m\r\n", "SSH-2.0-caf??[31m"),
    (b"SSH-2.0-" + b"x" * 500 + b"\r\n", "SSH-2.0-" + "x" * 247),
]
NO_BANNERS = [
    (b"", ""),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP/1.1 400 Bad Request"),
    (b"\xff\xfe\x00\x80SSH\n\n", "???SSH"),
    (b"\n" * 100, ""),
    (b"y" * 100_000, "y" * 80),
]


@contextlib.contextmanager
def listener(greeting: bytes | None, address: str = "127.0.0.1") -> Iterator[int]:
    """The port of a server that greets everybody with ``greeting`` and hangs up; None says nothing and holds on."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    held: list[socket.socket] = []
    with socket.create_server((address, 0), family=family) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = server.accept()
                    held.append(client)
                    if greeting is not None:
                        _greet(client, greeting)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            for client in held:
                client.close()


def _greet(client: socket.socket, greeting: bytes) -> None:
    with contextlib.suppress(OSError):
        client.sendall(greeting)
        client.shutdown(socket.SHUT_WR)


@every_shell
@pytest.mark.parametrize(("greeting", "banner"), BANNERS)
def test_a_banner(shell: str, greeting: bytes, banner: str) -> None:
    with listener(greeting) as port:
        assert ask(sshd_section(port), shell) == Sshd(port, answering=True, banner=banner)


@every_shell
@pytest.mark.parametrize(("greeting", "spoke"), NO_BANNERS, ids=range(len(NO_BANNERS)))
def test_something_else(shell: str, greeting: bytes, spoke: str) -> None:
    with listener(greeting) as port:
        assert ask(sshd_section(port), shell) == Sshd(port, answering=False, spoke=spoke)


@pytest.mark.parametrize("shell", [each for each in INSTALLED_SHELLS if each in {"dash", "zsh"}])
def test_silence(shell: str) -> None:
    with listener(None) as port:
        start = time.monotonic()
        assert ask(sshd_section(port), shell) == Sshd(port, answering=False, spoke="")
        assert time.monotonic() - start < BANNER_TIMEOUT + 3


@every_shell
def test_nobody_there(shell: str) -> None:
    port = _closed_port()
    start = time.monotonic()
    assert ask(sshd_section(port), shell) == Sshd(port, answering=False)
    assert time.monotonic() - start < BANNER_TIMEOUT


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="there is no IPv6 here")
def test_an_sshd_on_ipv6_alone() -> None:
    with listener(b"SSH-2.0-six\r\n", "::1") as port:
        assert ask(sshd_section(port)) == Sshd(port, answering=True, banner="SSH-2.0-six")


def test_a_busy_sshd_is_unknown() -> None:
    with listener(b"Exceeded MaxStartups\r\n") as port, pytest.raises(ParseError, match="takes no connection for now"):
        ask(sshd_section(port))


@pytest.fixture(params=TOOLS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> PretendedHost:
    """A host with one tool to ask with; busybox is there for its nc."""
    host = PretendedHost.build(tmp_path, {*POSIX_TOOLS, "timeout"})
    path = shutil.which(request.param)
    host.tool("nc" if request.param == "busybox" else request.param, script=_call(request.param, str(path)))
    return host


def _call(tool: str, path: str) -> str:
    return f'exec {path} nc "$@"' if tool == "busybox" else f'exec {path} "$@"'


@pytest.mark.parametrize("shell", [each for each in INSTALLED_SHELLS if each in {"dash", "busybox"}])
def test_every_tool_sees_the_same(host: PretendedHost, shell: str) -> None:
    for greeting, banner in BANNERS[:2]:
        with listener(greeting) as port:
            assert host.ask(sshd_section(port), shell) == Sshd(port, answering=True, banner=banner)
    for other, _ in NO_BANNERS[:3]:
        with listener(other) as port:
            seen = host.ask(sshd_section(port), shell)
            assert replace(seen, spoke=None) == Sshd(port, answering=False)
            # ssh-keyscan alone does not tell a port that speaks something else from one that nobody holds.
            assert seen.spoke is not None or (host.root / "bin" / "ssh-keyscan").exists()
    port = _closed_port()
    assert host.ask(sshd_section(port), shell) == Sshd(port, answering=False)


def test_every_tool_is_bounded(host: PretendedHost) -> None:
    with listener(None) as port:
        section = sshd_section(port)
        hasty = replace(section, script=section.script.replace(f"bounded {BANNER_TIMEOUT}", "bounded 1"))
        start = time.monotonic()
        assert host.ask(hasty) == Sshd(port, answering=False, spoke="")
        assert time.monotonic() - start < 4
