"""Start the sandbox's cloud, and launch the instances in it."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import urllib.error
from collections.abc import Callable
from pathlib import Path

from miyabi.sandbox.cloud_files import CloudFiles, ask, read_object
from miyabi.sandbox.fleet import CLOUD_NAMES, HOST_VARIABLE, SANDBOX_VARIABLE, SandboxError, instances
from miyabi.sandbox.processes import alive, wait_for

_CLONE = Path(__file__).resolve().parents[2]

# What an instance is launched with that replaces another one: see the spec's launch_template.
TEMPLATE = "miyabi-sandbox"
_IMAGE, _TYPE = "ami-0123456789abcdef0", "t3.micro"

_ROLES = {"cloud-1": "worker", "cloud-2": "worker"}
_SECONDS = 30


def can_be_had() -> bool:
    """Whether moto and its server are installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("moto", "flask", "flask_cors"))


def start(folder: Path) -> None:
    """Start the cloud of the sandbox in ``folder``; it listens a second or two later."""
    place = folder / "cloud"
    place.mkdir(mode=0o700)
    own = {SANDBOX_VARIABLE: str(folder), HOST_VARIABLE: "the cloud", "PYTHONPATH": str(_CLONE)}
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "HOME") if name in os.environ}
    with (place / "said").open("ab") as said:
        started = subprocess.Popen(  # noqa: S603 - our own
            [sys.executable, "-m", "miyabi.sandbox.cloud", str(place), str(folder)],
            env=kept | own,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    # It outlives this program; nobody waits for it.
    started.returncode = 0


def is_up(folder: Path) -> bool:
    """Whether the cloud of the sandbox in ``folder`` listens."""
    pid = read_object(folder / "cloud" / "cloud.json").get("pid")
    return isinstance(pid, int) and alive(pid)


def launch(folder: Path) -> None:
    """Launch the instances, and wait until they have booted."""
    files = CloudFiles(folder / "cloud")
    _wait(files.url, folder, "the sandbox's cloud does not come up")
    told = {"LaunchTemplateName": TEMPLATE, "LaunchTemplateData__ImageId": _IMAGE}
    ask(str(files.url()), "CreateLaunchTemplate", **told, LaunchTemplateData__InstanceType=_TYPE)
    for name in CLOUD_NAMES:
        _launch_one(str(files.url()), name)
    _wait(
        lambda: [row["name"] for row in instances(folder) if row["host"] and not row["boots"]] == list(CLOUD_NAMES),
        folder,
        "the instances of the sandbox's cloud do not boot",
    )
    files.log.unlink(missing_ok=True)


def _wait(holds: Callable[[], object], folder: Path, what: str) -> None:
    try:
        wait_for(holds, _SECONDS, what)
    except SandboxError as error:
        raise SandboxError(f"{error}: {_said(folder)}") from None


def _launch_one(url: str, name: str) -> None:
    tags = {"Name": name, "miyabi": "sandbox", "role": _ROLES[name]}
    told = {"ImageId": _IMAGE, "InstanceType": _TYPE, "MinCount": "1", "MaxCount": "1"}
    told |= {"ClientToken": f"sandbox-{name}", "TagSpecification__1__ResourceType": "instance"}
    for number, (key, value) in enumerate(tags.items(), 1):
        told |= {f"TagSpecification__1__Tag__{number}__Key": key, f"TagSpecification__1__Tag__{number}__Value": value}
    try:
        said = ask(url, "RunInstances", **told)
    except (OSError, urllib.error.URLError) as error:
        raise SandboxError(f"{name} cannot be launched in the sandbox's cloud: {error}") from None
    if not re.search(rb"<instanceId>i-", said):
        raise SandboxError(f"{name} cannot be launched in the sandbox's cloud")


def _said(folder: Path) -> str:
    """The last that the cloud has said."""
    for name in ("trouble", "said"):
        try:
            lines = (folder / "cloud" / name).read_text(errors="replace").splitlines()
        except OSError:
            continue
        if lines:
            return lines[-1]
    return "it says nothing"
