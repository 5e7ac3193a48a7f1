"""Each kind of trouble, through the real boto3, in one line that says what to do."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from miyabi.ec2_account import Patience
from miyabi.ec2_api import Region, look
from miyabi.ec2_settings import Ec2Settings
from miyabi.ec2_troubles import one_line, trouble
from miyabi.errors import Ec2Error
from miyabi.masking import masked
from tests.ec2.cloud import REGION, Cloud

ONCE = Patience(connect=0.5, read=0.5, attempts=1)


@pytest.fixture
def region(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Region:
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    return Region(REGION, patience=ONCE)


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without any credentials."""
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def _trouble(region: Region) -> Ec2Error:
    with pytest.raises(Ec2Error) as failed:
        region.instances()
    assert "\n" not in str(failed.value)
    # What is told of it elsewhere goes through this.
    assert masked(str(failed.value)) == str(failed.value)
    return failed.value


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("expired", "credentials", "the session token has expired: log in again (aws sso login)"),
        ("wrong", "credentials", "AWS does not accept the credentials; look at AWS_*"),
        ("denied", "denied", "DescribeInstances is not allowed to these credentials; allow it in their policy"),
        ("throttle", "throttled", "it answers no more for now (throttled): "),
        ("error", "fault", "DescribeInstances: An internal error has occurred (InternalError): EC2's own trouble"),
        ("reset", "unreachable", "it closed the connection"),
    ],
)
def test_what_ec2_may_say(cloud: Cloud, region: Region, fault: str, kind: str, words: str) -> None:
    cloud.fault("*", fault)
    found = _trouble(region)
    assert (found.kind, str(found).startswith(f"EC2 {REGION}: {words}")) == (kind, True), str(found)
    assert len(cloud.calls()) == 1


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("ExpiredToken", 400, "credentials"),
        ("InvalidClientTokenId", 403, "credentials"),
        ("SignatureDoesNotMatch", 403, "credentials"),
        ("OptInRequired", 401, "denied"),
        ("AccessDenied", 403, "denied"),
        ("Throttling", 400, "throttled"),
        ("SomethingNew", 429, "throttled"),
        ("InsufficientInstanceCapacity", 500, "limit"),
        ("VcpuLimitExceeded", 400, "limit"),
        ("IncorrectInstanceState", 400, "refused"),
        ("UnsupportedOperation", 400, "refused"),
        ("OperationNotPermitted", 400, "refused"),
        ("Unavailable", 503, "fault"),
        ("SomethingNew", 502, "fault"),
        ("InvalidParameterValue", 400, "request"),
    ],
)
def test_the_kind_of_a_code(cloud: Cloud, region: Region, code: str, status: int, kind: str) -> None:
    cloud.fault("StartInstances", "answer", code=code, message="so it\n is", status=status)
    with pytest.raises(Ec2Error) as failed:
        region.start("i-0123456789abcdef0")
    assert (failed.value.kind, "\n" in str(failed.value)) == (kind, False)
    if kind in {"limit", "refused", "request"}:
        assert str(failed.value) == f"EC2 {REGION}: StartInstances: so it is ({code})"


@pytest.mark.parametrize("fault", ["throttle", "error", "reset"])
@pytest.mark.usefixtures("region")
def test_what_passes_is_tried_again(cloud: Cloud, fault: str) -> None:
    cloud.launch("worker-1")
    cloud.forget_calls()
    cloud.fault("DescribeInstances", fault, times=2)
    assert len(Region(REGION).instances()) == 1
    assert len(cloud.calls("DescribeInstances")) == 3


@pytest.mark.parametrize(("fault", "times"), [("error", 1), ("reset", 1), ("hang", 1), ("throttle", 2)])
@pytest.mark.usefixtures("region")
def test_a_reboot_is_not_asked_for_twice_when_its_answer_got_lost(cloud: Cloud, fault: str, times: int) -> None:
    instance_id = cloud.launch("worker-1")
    cloud.forget_calls()
    cloud.fault("RebootInstances", fault, times=1, seconds=1.0)
    region = Region(REGION, patience=Patience(connect=0.5, read=0.5))
    if fault == "throttle":
        region.reboot(instance_id)
    else:
        with pytest.raises(Ec2Error):
            region.reboot(instance_id)
    assert len(cloud.calls("RebootInstances")) == times


@pytest.mark.parametrize("fault", ["expired", "wrong", "denied"])
@pytest.mark.usefixtures("region")
def test_what_does_not_pass_is_not(cloud: Cloud, fault: str) -> None:
    cloud.fault("DescribeInstances", fault)
    _trouble(Region(REGION))
    assert len(cloud.calls()) == 1


@pytest.mark.parametrize(
    ("fault", "kind"), [("expired", "credentials"), ("denied", "denied"), ("throttle", "throttled")]
)
def test_systems_manager_has_words_of_its_own(cloud: Cloud, region: Region, fault: str, kind: str) -> None:
    cloud.fault("SendCommand", fault)
    with pytest.raises(Ec2Error) as failed:
        region.run_command("i-0123456789abcdef0", "true", 5)
    assert (failed.value.kind, str(failed.value).startswith(f"SSM {REGION}: ")) == (kind, True)


def test_nobody_listens(cloud: Cloud, region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
        found = _trouble(region)
    assert (found.kind, str(found)) == (
        "unreachable",
        f"EC2 {REGION}: it cannot be reached: is there a network, and is that a region's name?",
    )


def test_no_such_name(cloud: Cloud, region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://ec2.nowhere.invalid")
    assert _trouble(region).kind == "unreachable"


def test_no_answer(cloud: Cloud, region: Region) -> None:
    cloud.fault("DescribeInstances", "hang", seconds=60)
    found = _trouble(region)
    assert (found.kind, str(found).startswith(f"EC2 {REGION}: no answer in time")) == ("unreachable", True)


@pytest.mark.parametrize("name", ["no region", "-", "us_east_1/../x"])
@pytest.mark.usefixtures("region")
def test_no_name_of_a_region(name: str) -> None:
    found = _trouble(Region(name))
    assert (found.kind, "that is no region's name" in str(found)) == ("request", True)


@pytest.fixture
def silent_metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A metadata service that takes calls and says nothing; how many it took."""
    calls: list[int] = []
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return
                calls.append(len(held))

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}/")
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
        yield calls
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    for each in held:
        each.close()


@pytest.mark.usefixtures("nobody")
def test_no_credentials(silent_metadata: list[int]) -> None:
    began = time.monotonic()
    seen = look(Ec2Settings(regions=(REGION, "us-east-1", "eu-west-1")))
    took = time.monotonic() - began
    assert {each.kind for each in seen.troubles.values()} == {"credentials"}
    assert len(seen.troubles) == 3
    assert str(seen.troubles[REGION]).startswith(f"EC2 {REGION}: there are no credentials; log in (aws sso login)")
    # One search for all regions: the metadata service is tried twice, a second each.
    assert (len(silent_metadata), took < 6) == (2, True)
    _trouble(Region(REGION))
    assert len(silent_metadata) == 2


@pytest.mark.usefixtures("nobody")
def test_credentials_that_are_not_what_they_should_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = _trouble(Region(REGION, "nobody-has-it"))
    assert (found.kind, "nobody-has-it" in str(found)) == ("credentials", True)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    found = _trouble(Region(REGION))
    assert (found.kind, "the credentials are not complete" in str(found)) == ("credentials", True)
    config = tmp_path / "config"
    config.write_text("[profile torn\n[[")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    assert _trouble(Region(REGION)).kind == "credentials"
    config.write_text(
        "[profile sso]\nsso_session = mine\nsso_account_id = 123456789012\nsso_role_name = ops\n"
        "[sso-session mine]\nsso_region = us-east-1\nsso_start_url = https://example.awsapps.com/start\n"
    )
    found = _trouble(Region(REGION, "sso"))
    assert (found.kind, "log in again (aws sso login)" in str(found)) == ("credentials", True)
    config.write_text("[profile helper]\ncredential_process = false\n")
    assert _trouble(Region(REGION, "helper")).kind == "credentials"


def test_who_logs_in_again_is_believed(cloud: Cloud, region: Region, tmp_path: Path, monkeypatch: Any) -> None:
    """What a file says is read again once it was refused."""
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    file.write_text("[default]\naws_access_key_id = OLD\naws_secret_access_key = x\n")
    cloud.fault("DescribeInstances", "expired", times=1)
    assert _trouble(region).kind == "credentials"
    file.unlink()
    assert "there are no credentials" in str(_trouble(region))


def test_nothing_that_nobody_can_read_is_said() -> None:
    ticket = "You are not authorized. Encoded authorization failure message: " + "x1Y2" * 200
    assert one_line(ticket) == "You are not authorized"
    assert one_line("a\x1b[31m\tb\r\nc") == "a [31m b c"
    assert len(one_line("x" * 5000)) < 500
    found = trouble("EC2", REGION, OSError(113, "No route to host"))
    assert (found.kind, str(found)) == (
        "unreachable",
        f"EC2 {REGION}: it cannot be reached (No route to host): is there a network, and is that a region's name?",
    )
