"""EC2 over TLS, asked inside pyinfra, which runs on gevent: its greenlets must not wait for one another."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from typing_extensions import override

from tests.fleet.control import REPOSITORY
from tests.fleet.machine import Finished, Machine

_NOBODY = b"""<?xml version="1.0" encoding="UTF-8"?>
<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
<requestId>0f6d1e1c</requestId><reservationSet/></DescribeInstancesResponse>"""
_PAGE = b"<!DOCTYPE html><html><body>Welcome to our Wi-Fi<br></body></html>"


@dataclass(slots=True)
class Endpoint:
    """An endpoint of EC2 that knows no instances, and answers only when two ask at the same time.

    + answer: what it says
    + authority: the file with its certificate
    + together: whether both asked before either was answered, for each question
    """

    url: str = ""
    authority: Path = Path()
    answer: bytes = _NOBODY
    together: list[bool] = field(default_factory=list)


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[Endpoint]:
    found, meeting = Endpoint(authority=tmp_path / "authority.pem"), threading.Barrier(2)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            try:
                meeting.wait(10)
                found.together.append(True)
            except threading.BrokenBarrierError:
                found.together.append(False)
            self.send_response(200)
            self.send_header("Content-Type", "text/xml;charset=UTF-8")
            self.send_header("Content-Length", str(len(found.answer)))
            self.end_headers()
            self.wfile.write(found.answer)

        @override
        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        @override
        def handle_error(self, *_: Any) -> None:
            """A client that does not like the certificate hangs up."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(found.authority))
    with Server(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        found.url = f"https://127.0.0.1:{server.server_address[1]}"
        yield found
        server.shutdown()
        thread.join()


def _certificate(file: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(key.private_bytes(*plain) + certificate.public_bytes(serialization.Encoding.PEM))
    return file


def _fact(machine: Machine, endpoint: Endpoint, **environment: str) -> Finished:
    """What the fact says on the control machine of two regions."""
    file = machine.root / "ec2.yaml"
    file.write_text("regions: [eu-central-1, us-east-1]\ntags: {miyabi: sandbox}\n")
    machine.environment.update(
        AWS_ENDPOINT_URL=endpoint.url,
        AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE",
        AWS_SECRET_ACCESS_KEY="secret",  # noqa: S106 - it opens nothing
        AWS_EC2_METADATA_DISABLED="true",
        **environment,
    )
    words = ["pyinfra", "--json", "@local", "fact", "facts.ec2.InstanceStatus", f"file={file}"]
    asked = machine.run(*words, cwd=REPOSITORY, timeout=60)
    assert (asked.code, "Traceback" in asked.output, "Recursion" in asked.output) == (0, False, False), asked.output
    return asked


def _told(asked: Finished) -> Any:
    (told,) = json.loads(asked.stdout).values()
    return told["@local"]


def test_both_regions_are_asked_at_the_same_time(machine: Machine, endpoint: Endpoint) -> None:
    asked = _fact(machine, endpoint, AWS_CA_BUNDLE=str(endpoint.authority))
    assert (_told(asked), endpoint.together) == ({}, [True, True]), asked.output


def test_a_stranger_is_not_believed(machine: Machine, endpoint: Endpoint) -> None:
    asked = _fact(machine, endpoint)
    assert (_told(asked), endpoint.together) == (None, [])
    assert "EC2 us-east-1: its certificate is not trusted: is there a proxy?" in asked.stderr


def test_a_page_to_log_in_to_a_network_is_no_answer(machine: Machine, endpoint: Endpoint) -> None:
    endpoint.answer = _PAGE
    asked = _fact(machine, endpoint, AWS_CA_BUNDLE=str(endpoint.authority))
    assert _told(asked) is None
    assert "EC2 us-east-1: what answers is not EC2: is there a proxy" in asked.stderr
