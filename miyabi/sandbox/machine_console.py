"""What the console of an instance has printed: its kernel's beginning, and the host keys as cloud-init prints them."""

from __future__ import annotations

import functools
import subprocess
import time

from miyabi.sandbox import programs
from miyabi.sandbox.fleet import SandboxHost

_FRAME = "#############################################################"


def console_text(host: SandboxHost, instance_id: str) -> str:
    """All of it."""
    folder = host.outside(host.etc)
    try:
        key = (folder / "host_key.pub").read_text().split()
        since = float((folder / "since").read_text())
    except (OSError, ValueError):
        return ""
    return _text(str(folder / "host_key.pub"), f"{key[0]} {key[1]}", since, f"ip-{instance_id[2:10]}")


@functools.cache
def _text(path: str, key: str, since: float, hostname: str) -> str:
    words = [programs.path_of("ssh-keygen"), "-l", "-f", path]
    told = subprocess.run(words, capture_output=True, text=True, check=True, timeout=20)  # noqa: S603 - our own file
    bits, fingerprint, *_ = told.stdout.split()
    moment = time.strftime("%b %e %H:%M:%S", time.gmtime(since))
    marked = [
        _FRAME,
        "-----BEGIN SSH HOST KEY FINGERPRINTS-----",
        f"{bits} {fingerprint} root@{hostname} (ED25519)",
        "-----END SSH HOST KEY FINGERPRINTS-----",
        _FRAME,
    ]
    lines = [
        "[    0.000000] Linux version 6.1.0-sandbox (this is an imitation: the sandbox's cloud has no console)",
        "[    1.204417] systemd[1]: Detected virtualization amazon.",
        f"{hostname} login: ",
        *(f"<14>{moment} cloud-init: {line}" for line in marked),
        "-----BEGIN SSH HOST KEY KEYS-----",
        f"{key} root@{hostname}",
        "-----END SSH HOST KEY KEYS-----",
        f"[   14.310226] cloud-init[911]: Cloud-init finished at {time.strftime('%c', time.gmtime(since))} +0000.",
    ]
    return "".join(f"{line}\r\n" for line in lines)
