"""Run a command on a host of the sandbox from the outside, not through its sshd."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping

from miyabi.sandbox import programs
from miyabi.sandbox.fleet import SandboxError, SandboxHost


def command_on(host: SandboxHost, script: str) -> list[str]:
    """The words that run a piece of shell on ``host``."""
    enter = f"{host.inside(host.etc)}/enter"
    if not host.isolated:
        return [enter, "sh", "-c", script]
    try:
        pid = host.boot_pid_file.read_text().strip()
    except OSError:
        raise SandboxError(f"{host.name} is not up: miyabi sandbox up") from None
    words = [programs.path_of("nsenter"), "--target", pid, "--mount", "--uts", "--root", "--wd"]
    return [*words, enter, "sh", "-c", script]


def run_on(
    host: SandboxHost,
    script: str,
    *,
    check: bool = True,
    seconds: float = 20,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a piece of shell on ``host`` with the host's own environment.

    + check: whether a code other than 0 is a ``SandboxError``
    + environment: what of ssh's own variables is to be seen there, such as SSH_CONNECTION
    """
    try:
        done = subprocess.run(  # noqa: S603 - our own hosts
            command_on(host, script),
            env={"PATH": os.environ.get("PATH", os.defpath), **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=seconds,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SandboxError(f"{host.name}: cannot be entered: {error}; miyabi sandbox status tells how it is") from None
    if check and done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise SandboxError(f"{host.name}: {script}: exit code {done.returncode}: {said}")
    return done


def tmux_on(host: SandboxHost, *arguments: str) -> str | None:
    """What ``tmux ARGUMENTS`` prints on ``host``; None when it fails, as it does without a server."""
    folder = host.inside("/opt/homebrew/bin" if host.name == "macbook" else "/usr/bin")
    done = run_on(host, f'PATH="$PATH":{folder} exec tmux -u {shlex.join(arguments)}', check=False)
    return done.stdout.strip() if done.returncode == 0 else None
