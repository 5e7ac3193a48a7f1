"""Faults of the cloud's instances: what only EC2 can mend."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

from miyabi.sandbox.cloud_files import CloudFiles, ask
from miyabi.sandbox.fault_ground import kill_sshd
from miyabi.sandbox.fleet import Sandbox, SandboxError, SandboxHost, instances
from miyabi.sandbox.lifecycle import answers, boot_pid
from miyabi.sandbox.processes import processes_of, state_of, wait_for

_SECONDS = 20


def _instance(sandbox: Sandbox, host: SandboxHost) -> dict[str, Any]:
    """What the cloud has written down of the host's instance."""
    for row in instances(sandbox.folder):
        if row["name"] == host.name and row["host"]:
            return row
    raise SandboxError(f"{host.name} is no instance of the sandbox's cloud")


def is_hung(_: Sandbox, host: SandboxHost) -> bool:
    """Whether its first process, and with it all of it, is stopped by a signal."""
    pid = boot_pid(host)
    return pid is not None and state_of(pid) == "T"


def hang(sandbox: Sandbox, host: SandboxHost) -> str:
    """Stop all of it: its ports accept, and say nothing; after some seconds EC2's check of the instance fails."""
    row = _instance(sandbox, host)
    if row["power"] != "running":
        raise SandboxError(f"{host.name} is {row['power']}: it cannot hang")
    if not is_hung(sandbox, host):
        _stop_everything(sandbox, host)
    return f"everything on it is stopped (instance {row['instance_id']})"


def _stop_everything(sandbox: Sandbox, host: SandboxHost) -> None:
    # What is forked while it is being looked for is found the next time.
    for _ in range(20):
        found = {pid for pid in processes_of(sandbox.folder, host.name) if state_of(pid) != "T"}
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        if not found:
            return


def is_stopped(sandbox: Sandbox, host: SandboxHost) -> bool:
    """Whether EC2 has it stopped."""
    return bool(_instance(sandbox, host)["power"] == "stopped")


def stop(sandbox: Sandbox, host: SandboxHost) -> str:
    """Stop the instance, as somebody might who pays for it."""
    row = _instance(sandbox, host)
    if row["power"] not in {"stopping", "stopped"}:
        ask(str(CloudFiles(sandbox.cloud).url()), "StopInstances", row["region"], InstanceId__1=row["instance_id"])
    wait_for(lambda: is_stopped(sandbox, host), _SECONDS, f"{host.name} does not stop")
    return f"somebody has stopped instance {row['instance_id']}"


def is_on_broken_hardware(sandbox: Sandbox, host: SandboxHost) -> bool:
    """Whether the machine below it is broken."""
    return (sandbox.cloud / "broken" / str(_instance(sandbox, host)["hardware"])).exists()


def break_hardware(sandbox: Sandbox, host: SandboxHost) -> str:
    """Break the machine below it: no reboot helps; a stop and a start put it on another one."""
    row = _instance(sandbox, host)
    if row["power"] != "running":
        raise SandboxError(f"{host.name} is {row['power']}: it has no hardware to break")
    (sandbox.cloud / "broken").mkdir(exist_ok=True)
    (sandbox.cloud / "broken" / str(row["hardware"])).touch()
    _stop_everything(sandbox, host)
    return f"the hardware below instance {row['instance_id']} is broken"


def ssh_is_dead(_: Sandbox, host: SandboxHost) -> bool:
    """Whether nobody answers on its ssh port, though it lives."""
    return boot_pid(host) is not None and not answers(host, host.port)


def kill_ssh(sandbox: Sandbox, host: SandboxHost) -> str:
    """Kill its sshd, the only way in: EC2's checks find nothing wrong."""
    _instance(sandbox, host)
    return kill_sshd(sandbox, host)
