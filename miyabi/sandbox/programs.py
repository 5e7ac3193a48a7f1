"""What the sandbox needs of this machine, and what it can do here."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from miyabi.sandbox.fleet import SandboxError

_SEARCHED = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin")
_NEEDED = {"tmux": "tmux", "sshd": "openssh-server", "ssh-keygen": "openssh-client", "ssh": "openssh-client"}


def find(name: str) -> str | None:
    """The whole path of a program, looked for where administrators keep theirs, too; None when there is none."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *_SEARCHED]))


def path_of(name: str) -> str:
    """The whole path of a program that the sandbox cannot do without."""
    found = find(name)
    if found is None:
        package = _NEEDED.get(name, name)
        raise SandboxError(f"{name} is missing on this machine: make demo installs it, or: apt-get install {package}")
    return found


def check_machine() -> None:
    """Refuse a machine on which the sandbox cannot be."""
    if not sys.platform.startswith("linux"):
        raise SandboxError(f"the sandbox needs Linux, this machine is {sys.platform}: try it in a container or VM")
    for name in _NEEDED:
        path_of(name)


@functools.cache
def can_isolate() -> bool:
    """Whether hosts can have root folders of their own: that takes root, mount namespaces and a recent kernel."""
    unshare, chroot = find("unshare"), find("chroot")
    if os.geteuid() != 0 or unshare is None or chroot is None:
        return False
    script = "mount --make-rprivate / && mount -o bind,ro /usr /usr && mount -t proc -o subset=pid proc /proc"
    done = subprocess.run([unshare, "-m", "sh", "-c", script], capture_output=True, check=False, timeout=20)  # noqa: S603
    return done.returncode == 0


@functools.cache
def own_uptime() -> list[str]:
    """The options with which unshare takes seconds from a host's uptime; none where that cannot be had.

    It takes a kernel that gives a program its own clock as it begins, and not only to its children.
    """
    unshare = find("unshare")
    if unshare is None:
        return []
    words = [unshare, "--time", "--boottime", "-1", "cat", "/proc/uptime"]
    before = float(Path("/proc/uptime").read_text().split()[0])
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)  # noqa: S603 - our own words
    is_earlier = done.returncode == 0 and float(done.stdout.split()[0]) < before
    return ["--time", "--boottime"] if is_earlier else []


@functools.cache
def sshd_version() -> tuple[int, int]:
    """The version of this machine's sshd; (0, 0) when it does not tell."""
    done = subprocess.run([path_of("sshd"), "-V"], capture_output=True, text=True, check=False, timeout=10)  # noqa: S603
    found = re.search(r"OpenSSH_(\d+)\.(\d+)", done.stderr + done.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def python() -> str:
    """The interpreter itself, not the link to it in a virtual environment."""
    return os.path.realpath(sys.executable)


def sftp_server() -> str:
    """What answers sftp."""
    usual = ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server")
    return next((path for path in usual if Path(path).exists()), "internal-sftp")
