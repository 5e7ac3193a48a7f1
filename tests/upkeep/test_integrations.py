"""Services with real ones on the loopback address: causes told apart, remedies, two looks, secrets."""

from __future__ import annotations

import shlex
import socket
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyinfra.api import operation
from pyinfra.api.hiddenvalue import HiddenValue
from typing_extensions import override

from facts.integrations import integrations_section, private_script
from facts.probe import probe_script, read_section, split_sections
from miyabi.integration import Reach
from miyabi.spec import Spec
from miyabi.spec_integration import Integration
from operations import integrations, network
from tests.facts.hosts import INSTALLED_SHELLS, PretendedHost, ask
from tests.fleet.machine import Machine
from tests.recovery.operating import Operated, operate

if TYPE_CHECKING:
    from pyinfra.api.command import PyinfraCommand

# What a value may hold that shells and configuration files would make something of.
ODD = "s3cr3t \"\\ ' $HOME"


@dataclass
class Service:
    """A small HTTP server.

    + answers: the status codes to answer with, the last one for ever
    + heard: the headers of each request
    """

    port: int = 0
    answers: list[int] = field(default_factory=lambda: [200])
    heard: list[dict[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}/"


@pytest.fixture
def service() -> Iterator[Service]:
    """A service that answers with 200."""
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            service.heard.append(dict(self.headers))
            self.send_response(service.answers.pop(0) if len(service.answers) > 1 else service.answers[0])
            self.end_headers()

        @override
        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        service.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield service
        server.shutdown()
        thread.join()


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a service that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def closed() -> int:
    """A port that refuses."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integrations, "_PAUSE", 0.01)


def check(machine: Machine, **arguments: Any) -> Operated:
    return operate(machine, integrations.reachable, integration="it", _ignore_errors=True, **arguments)


@pytest.mark.parametrize("shell", INSTALLED_SHELLS)
def test_causes_are_told_apart(service: Service, silent: int, closed: int, shell: str) -> None:
    wanted = {
        Integration("open", tcp=f"127.0.0.1:{service.port}"): Reach(reachable=True),
        Integration("closed", tcp=f"127.0.0.1:{closed}"): Reach(reachable=False, cause="the connection is refused"),
        Integration("nowhere", tcp="no-such-host.invalid:80"): Reach(reachable=False, cause="its name is not known"),
        Integration("well", http=service.url): Reach(reachable=True),
        Integration("other", http=service.url, expect=(204,)): Reach(reachable=False, cause="HTTP 200"),
        Integration("mute", http=f"http://127.0.0.1:{silent}/", timeout=1): Reach(
            reachable=False, cause="no answer within 1 s"
        ),
        Integration("refusing", http=f"http://127.0.0.1:{closed}/"): Reach(
            reachable=False, cause="it takes no connection"
        ),
        Integration("lost", http="http://no-such-host.invalid/"): Reach(reachable=False, cause="its name is not known"),
        Integration("fine", command="test -d ~"): Reach(reachable=True),
        Integration("failing", command="echo it broke >&2; exit 3"): Reach(
            reachable=False, cause="exit code 3: it broke"
        ),
        Integration("slow", command="sleep 30", timeout=1): Reach(reachable=False, cause="no answer within 1 s"),
    }
    seen = ask(integrations_section(tuple(wanted)), shell)
    assert dict(zip(wanted, seen, strict=True)) == wanted


def test_tls_trouble_and_missing_programs_are_told(service: Service) -> None:
    tls, missing = ask(
        integrations_section(
            (
                Integration("tls", http=service.url.replace("http:", "https:")),
                Integration("missing", command="no-such-program --version"),
            )
        )
    )
    assert tls is not None
    assert tls.reachable is False
    assert tls.cause.startswith("TLS trouble")
    assert missing is not None
    assert missing.reachable is None
    assert "not found" in missing.cause


@pytest.mark.parametrize("status", [401, 403])
def test_unauthorised_is_a_cause_of_its_own(service: Service, status: int) -> None:
    service.answers = [status]
    [seen] = ask(integrations_section((Integration("it", http=service.url),)))
    assert seen == Reach(reachable=False, cause=f"unauthorised (HTTP {status})")


@pytest.mark.parametrize("tools", [("curl",), ("wget",), ("python3",)])
def test_every_tool_tells_the_same(tmp_path: Path, service: Service, closed: int, tools: tuple[str, ...]) -> None:
    host = PretendedHost.build(tmp_path, {"cat", "printf", "sed", "sh", "sleep", "timeout", "tr", *tools})
    well, refusing = Integration("a", http=service.url), Integration("b", http=f"http://127.0.0.1:{closed}/")
    first, second = host.ask(integrations_section((well, refusing)))
    assert first == Reach(reachable=True)
    assert second is not None
    assert second.cause in {"the connection is refused", "it takes no connection"}
    service.answers = [403]
    assert host.ask(integrations_section((well,))) == (Reach(reachable=False, cause="unauthorised (HTTP 403)"),)


@pytest.mark.parametrize("tool", ["bash", "perl", "python3"])
def test_every_tool_connects(tmp_path: Path, service: Service, closed: int, tool: str) -> None:
    host = PretendedHost.build(tmp_path, {"cat", "printf", "sed", "sh", "sleep", "timeout", "tr", tool})
    tcp = tuple(Integration(str(port), tcp=f"127.0.0.1:{port}") for port in (service.port, closed))
    refused = Reach(reachable=False, cause="the connection is refused")
    assert host.ask(integrations_section(tcp)) == (Reach(reachable=True), refused)


def test_without_a_tool_it_is_unknown(tmp_path: Path) -> None:
    host = PretendedHost.build(tmp_path, {"cat", "printf", "sed", "sh", "sleep", "tr"})
    http, tcp = host.ask(
        integrations_section((Integration("a", http="http://127.0.0.1:1/"), Integration("b", tcp="127.0.0.1:1")))
    )
    assert http == Reach(None, "there is no curl or python3 to ask with")
    assert tcp == Reach(None, "there is no bash, perl, python3 or nc to connect with")


def test_one_that_answers_is_left_alone(machine: Machine, service: Service) -> None:
    run = check(machine, http=service.url, remedy="touch ~/tried")
    assert not run.failed
    assert run.commands == []
    assert run.probes == 1
    assert not (machine.home / "tried").exists()


def test_one_lost_answer_is_no_drift(machine: Machine, service: Service) -> None:
    service.answers = [503, 200]
    run = check(machine, http=service.url, remedy="touch ~/tried")
    assert not run.failed
    assert run.commands == []
    assert not (machine.home / "tried").exists()


def test_one_that_stays_down_is_told_and_stops_nothing(machine: Machine, service: Service) -> None:
    service.answers = [401]
    run = check(machine, http=service.url)
    assert not run.failed
    assert run.commands == []
    assert any("integration it: unauthorised (HTTP 401)" in line for line in run.said)
    assert len(service.heard) == 2


def test_its_remedy_is_tried_once(machine: Machine) -> None:
    run = check(machine, command="test -e ~/well", remedy="echo >>~/tried; touch ~/well")
    assert not run.failed
    assert (machine.home / "tried").read_text() == "\n"
    assert check(machine, command="test -e ~/well", remedy="echo >>~/tried").commands == []
    assert (machine.home / "tried").read_text() == "\n"


def test_a_remedy_that_does_not_help_is_told(machine: Machine) -> None:
    run = check(machine, command="test -e ~/well", remedy="echo >>~/tried; echo token=s3cr3t; exit 5")
    assert not run.failed
    assert (machine.home / "tried").read_text() == "\n"
    assert any("did not help (exit code 5: token=" in line for line in run.said)
    assert not any("s3cr3t" in line for line in run.said if "did not help" in line)


def test_an_endless_remedy_is_bounded(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integrations, "REMEDY_TIMEOUT", 1)
    run = check(machine, command="test -e ~/well", remedy="sleep 600")
    assert any("no end within 1 s" in line for line in run.said)


def test_a_variable_of_the_host_is_sent(machine: Machine, service: Service) -> None:
    (machine.home / ".profile").write_text(f"echo welcome; TOKEN={shlex.quote(ODD)}; export TOKEN\n")
    assert not check(machine, http=service.url, headers={"Authorization": "Bearer $TOKEN"}).failed
    assert service.heard[0]["Authorization"] == f"Bearer {ODD}"
    run = check(machine, http=service.url, headers={"Authorization": "Bearer $NO_SUCH_TOKEN"})
    assert any("$NO_SUCH_TOKEN is not set on the host" in line for line in run.said)
    assert len(service.heard) == 1


def test_a_secret_of_the_spec_is_in_no_command_line(
    machine: Machine, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every program that the check starts notes its arguments and its environment."""
    folder = machine.root / "bin"
    folder.mkdir()
    for tool in ("curl", "sed", "timeout", "sh"):
        real = next(path for path in map(Path, (f"/usr/bin/{tool}", f"/bin/{tool}")) if path.exists())
        noting = f'#!/bin/bash\n{{ tr "\\0" "\\n" </proc/$$/cmdline; env; }} >>{machine.root}/noted\nexec {real} "$@"\n'
        (folder / tool).write_text(noting)
        (folder / tool).chmod(0o755)
    monkeypatch.setitem(machine.environment, "PATH", f"{folder}:{machine.environment['PATH']}")
    headers = {"X-Api-Key": HiddenValue("s3cr3t-key \"'\\"), "Accept": "text/plain"}
    run = check(machine, http=service.url, headers=headers)
    assert not run.failed
    assert service.heard[0]["X-Api-Key"] == "s3cr3t-key \"'\\"
    assert service.heard[0]["Accept"] == "text/plain"
    assert "s3cr3t" not in (machine.root / "noted").read_text()
    assert "s3cr3t" not in "\n".join(run.commands + run.said)
    assert "s3cr3t" not in private_script(Integration("it", http=service.url, headers=(("X-Api-Key", "s3cr3t"),)))


def test_values_are_only_values(machine: Machine, service: Service) -> None:
    odd = "$(touch pwned)`touch pwned`'; touch pwned #"
    check(machine, http=service.url, headers={"X-Odd": odd})
    assert service.heard[0]["X-Odd"] == odd
    for target in ("$(touch pwned):80", "a;touch${IFS}pwned:80", "-x:80"):
        network_run = operate(machine, network.reachable, target=target)
        assert network_run.failed
    check(machine, http=f"{service.url}';touch${{IFS}}pwned;'\"\\")
    assert not list(machine.root.rglob("pwned"))


def test_services_are_asked_at_the_same_time(machine: Machine) -> None:
    slow = tuple(Integration(str(number), command="sleep 1") for number in range(5))
    script = probe_script([integrations_section(slow)])
    done = machine.sh(script)
    seen = read_section(integrations_section(slow), split_sections(done.stdout.splitlines()))
    assert seen == (Reach(reachable=True),) * 5
    assert done.seconds < 4


def test_the_network_alone(machine: Machine, service: Service, closed: int) -> None:
    there = operate(machine, network.reachable, target=f"127.0.0.1:{service.port}")
    assert not there.failed
    assert there.commands == []
    refused = operate(machine, network.reachable, target=f"127.0.0.1:{closed}", timeout="2s")
    assert refused.failed
    assert any("the connection is refused" in line for line in refused.said)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({}, "nothing is given"),
        ({"command": "true", "tcp": "a:1"}, "command and tcp is given"),
        ({"tcp": "nowhere"}, "host:port"),
        ({"tcp": "a:99999"}, "host:port"),
        ({"http": "ftp://a/"}, "http://"),
        ({"http": "http://a/ b"}, "http://"),
        ({"command": "true", "timeout": "12 bananas"}, "a number of seconds"),
        ({"command": "true", "timeout": 0}, "at most 20 s"),
        ({"command": "true", "timeout": "5m"}, "at most 20 s"),
        ({"http": "http://a/", "expect": [7]}, "100 to 599"),
        ({"http": "http://a/", "headers": {"A: B": "c"}}, "letters, digits and -"),
        ({"http": "http://a/", "headers": {"A": "c\nB: d"}}, "headers"),
    ],
)
def test_bad_input_is_one_clear_message(machine: Machine, wrong: dict[str, Any], word: str) -> None:
    run = operate(machine, integrations.reachable, integration="it", **wrong)
    assert run.failed
    assert run.commands == []
    assert run.probes == 0
    assert any(word in line for line in run.said)
    assert not list(machine.home.iterdir())


def test_all_services_of_a_spec_are_asked_in_one_execution(
    machine: Machine, service: Service, closed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are down are looked at again together, too."""
    named = (
        Integration("up", http=service.url),
        Integration("down", tcp=f"127.0.0.1:{closed}"),
        Integration("gone", command="exit 3"),
    )
    monkeypatch.setattr(integrations, "host_spec", lambda _host: Spec("spec.yaml", "", integrations=named))

    @operation()
    def everything() -> Generator[PyinfraCommand]:
        for each in named:
            keys = {key: getattr(each, key) for key in ("command", "tcp", "http")}
            yield from integrations.reachable._inner(integration=each.name, **keys)

    run = operate(machine, everything)
    assert run.failed
    assert run.probes == 2
    assert len(service.heard) == 1
