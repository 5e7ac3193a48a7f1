"""A pretended EC2 for tests: moto's server over HTTP, asked through the real boto3.

One process serves all tests of a worker; each test finds it empty. Import the fixtures in a conftest.py:
``from tests.ec2.cloud import cloud, cloud_process  # noqa: F401``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from miyabi.sandbox.cloud_files import CloudFiles, environment
from tests.fleet.control import REPOSITORY
from tests.fleet.leaks import TestRun
from tests.fleet.waiting import wait_until

REGION = "ap-northeast-1"
IMAGE = "ami-0123456789abcdef0"


@dataclass(frozen=True, slots=True)
class Cloud:
    """The cloud, as a test steers it.

    + files: where faults, corrections and calls are
    + clients: those that were made: each takes a fifth of a second
    """

    url: str
    files: CloudFiles
    clients: dict[tuple[str, str, float], Any] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The ``AWS_*`` by which a program knows this cloud, and no other."""
        return environment(self.url, self.files.folder)

    def client(self, service: str = "ec2", region: str = REGION, patience: float = 20.0) -> Any:
        """A real client of boto3, that tries once; nothing in this process's environment steers it.

        + patience: seconds for which it waits for an answer
        """
        key = (service, region, patience)
        if key not in self.clients:
            self.clients[key] = self._new_client(*key)
        return self.clients[key]

    def _new_client(self, service: str, region: str, patience: float) -> Any:
        import boto3  # noqa: PLC0415 - most tests of the repository need none
        from botocore.config import Config  # noqa: PLC0415

        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("AWS_")]:
                patch.delenv(name)
            for name, value in self.environment.items():
                patch.setenv(name, value)
            once = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=patience)
            session: Any = boto3.session.Session()
            return session.client(service, region_name=region, config=once)

    def launch(
        self,
        name: str = "",
        tags: Mapping[str, str] | None = None,
        region: str = REGION,
        type: str = "t3.micro",  # noqa: A002 - EC2's word
        **more: Any,
    ) -> str:
        """Launch an instance, and return its id. It runs at once.

        + more: given to RunInstances, such as ``DisableApiStop=True``
        """
        named = ({"Name": name} if name else {}) | dict(tags or {})
        if named:
            pairs = [{"Key": key, "Value": value} for key, value in named.items()]
            more["TagSpecifications"] = [{"ResourceType": "instance", "Tags": pairs}]
        asked = {"ImageId": IMAGE, "InstanceType": type, "MinCount": 1, "MaxCount": 1, **more}
        answer = self.client("ec2", region).run_instances(**asked)
        return str(answer["Instances"][0]["InstanceId"])

    def describe(self, instance_id: str, **corrections: Any) -> None:
        """Have EC2 say something else of an instance: the words are in ``miyabi.sandbox.cloud_picture``.

        ``after={"RebootInstances": {"computer": "ok"}}`` are corrections that an action brings about.
        """
        self.files.describe(instance_id, **corrections)

    def fault(self, action: str, kind: str, times: int | None = None, region: str | None = None, **more: Any) -> None:
        """Let calls go wrong: the kinds are in ``miyabi.sandbox.cloud_faults``; the action may be ``*``."""
        self.files.fault(action, kind, times, region, **more)

    def mend(self) -> None:
        """Let no call go wrong any more."""
        self.files.mend()

    def calls(self, *actions: str) -> list[dict[str, Any]]:
        """These calls, or all: ``service``, ``action``, ``region``, ``instances``, ``status``, ``code``."""
        return self.files.calls(*actions)

    def mutating(self) -> list[dict[str, Any]]:
        """The calls that were more than a question; ``launch`` makes some, too: see ``forget_calls``."""
        return self.files.mutating()

    def forget_calls(self) -> None:
        """Begin to count anew."""
        self.files.log.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def cloud_process(test_run: TestRun) -> Iterator[Cloud]:
    """The process of the worker's cloud."""
    folder = test_run.new_folder("cloud")
    words = [sys.executable, "-m", "miyabi.sandbox.cloud", str(folder)]
    said = folder / "said"
    with said.open("wb") as log:
        process = subprocess.Popen(
            words,
            cwd=REPOSITORY,
            env=os.environ | test_run.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    files = CloudFiles(folder)
    try:
        url = wait_until(
            lambda: files.url() or (process.poll() is not None and pytest.fail(said.read_text())),
            60,
            what="the cloud listens",
        )
        yield Cloud(str(url), files)
    finally:
        process.terminate()
        process.wait(20)
        files.forget()
        said.unlink()
        folder.rmdir()


@pytest.fixture
def cloud(cloud_process: Cloud) -> Cloud:
    """A cloud in which nothing is yet."""
    cloud_process.files.forget()
    request = urllib.request.Request(f"{cloud_process.url}/moto-api/reset", method="POST")  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=20):  # noqa: S310
        pass
    return cloud_process
