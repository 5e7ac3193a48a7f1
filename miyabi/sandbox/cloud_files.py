"""The files by which the pretended cloud is steered, and in which it says what it was asked."""

from __future__ import annotations

import contextlib
import json
import os
import urllib.parse
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Whoever signs with this key is believed: it opens nothing anywhere else.
ACCESS_KEY, SECRET_KEY = "AKIASANDBOXSANDBOX00", "sandbox"
ACCOUNT = "123456789012"

# Where the sandbox's own instances are.
REGION = "ap-northeast-1"

_READS = ("Describe", "Get", "List")


@dataclass(frozen=True, slots=True)
class CloudFiles:
    """The folder of a cloud.

    + folder: holds ``cloud.json`` (its url and pid, while it listens), ``calls.jsonl`` (every call), ``faults.json``
      and ``instances.json`` (what is to be different from what moto says, by instance id)
    """

    folder: Path

    @property
    def address(self) -> Path:
        """Where the cloud writes its url and its pid."""
        return self.folder / "cloud.json"

    @property
    def log(self) -> Path:
        """Where it writes its calls."""
        return self.folder / "calls.jsonl"

    def url(self) -> str | None:
        """Where it listens; None when it does not yet."""
        return read_object(self.address).get("url")

    def faults(self) -> dict[str, Any]:
        """What goes wrong, by ``ACTION``, ``REGION:ACTION``, ``*`` or ``REGION:*``."""
        return read_object(self.folder / "faults.json")

    def corrections(self) -> dict[str, Any]:
        """What is said otherwise, by instance id."""
        return read_object(self.folder / "instances.json")

    def fault(self, action: str, kind: str, times: int | None = None, region: str | None = None, **more: Any) -> None:
        """Let calls go wrong.

        + action: such as ``RebootInstances``; ``*`` is each
        + kind: see ``cloud_faults``
        + times: how often; None is for ever
        + region: None is everywhere
        + more: such as ``seconds``
        """
        key = f"{region}:{action}" if region else action
        # Each fault has an id: one that is set again counts anew.
        row = {"kind": kind, "id": uuid.uuid4().hex, **more} | ({} if times is None else {"times": times})
        write_object(self.folder / "faults.json", self.faults() | {key: row})

    def mend(self) -> None:
        """Let no call go wrong any more."""
        write_object(self.folder / "faults.json", {})

    def describe(self, instance_id: str, **corrections: Any) -> None:
        """Say something else of an instance, beside what was said before; see ``cloud_picture``."""
        rows = self.corrections()
        rows[instance_id] = rows.get(instance_id, {}) | corrections
        write_object(self.folder / "instances.json", rows)

    def calls(self, *actions: str) -> list[dict[str, Any]]:
        """The calls of these actions, or all, in the order in which they were answered."""
        try:
            lines = self.log.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        found: list[dict[str, Any]] = [json.loads(line) for line in lines]
        return [call for call in found if not actions or call["action"] in actions]

    def mutating(self) -> list[dict[str, Any]]:
        """The calls that were more than a question."""
        return [call for call in self.calls() if not call["action"].startswith(_READS)]

    def forget(self) -> None:
        """Take back every fault and correction, and forget the calls."""
        for name in ("faults.json", "instances.json", "calls.jsonl"):
            (self.folder / name).unlink(missing_ok=True)


def environment(url: str, folder: Path) -> dict[str, str]:
    """What a program needs in its environment so that the cloud is all the AWS it knows.

    + folder: where the files are not that would tell it of an AWS of the user's own
    """
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(folder / "no-aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-aws-credentials"),
    }


def ask(url: str, action: str, region: str = REGION, **parameters: str) -> bytes:
    """Ask the cloud something, as anybody else in the account might; boto3 is not needed for that.

    + parameters: such as ``InstanceId``; a dot in a name is written as ``__``
    """
    body = {"Action": action, "Version": "2016-11-15"} | {
        name.replace("__", "."): text for name, text in parameters.items()
    }
    request = urllib.request.Request(url, urllib.parse.urlencode(body).encode(), method="POST")  # noqa: S310 - ours
    scope = f"{ACCESS_KEY}/20260101/{region}/ec2/aws4_request"
    request.add_header("Authorization", f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0")
    # The loopback needs no proxy, whatever the environment says.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        said: bytes = answer.read()
    return said


def read_object(path: Path) -> dict[str, Any]:
    """What a JSON file holds; nothing when it is not there, or no object."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    return {}


def write_object(path: Path, rows: Mapping[str, Any]) -> None:
    """Write a JSON file so that whoever reads it meanwhile sees the whole of the old or of the new."""
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    aside.write_text(json.dumps(rows, indent=2), encoding="utf-8")
    aside.replace(path)
