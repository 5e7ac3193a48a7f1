"""Host keys as ssh-keygen makes them, and consoles as instances fill them."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from miyabi.console_keys import HostKey
from tests.fleet.programs import required

NOISE = (
    "[    0.000000] Linux version 6.1.115-126.197.amzn2023.x86_64",
    "[   14.204417] random: crng init done",
    "\x1b[32m[  OK  ]\x1b[0m Reached target \x1b[0;1;39mcloud-init.target\x1b[0m - Cloud-init target.",
    # The keys of those who may log in: no host's.
    "ci-info: ++++++Authorized keys from /home/ubuntu/.ssh/authorized_keys for user ubuntu++++++",
    "ci-info: |   Keytype   |                Fingerprint (sha256)                 | Options | Comment |",
    "ci-info: | ssh-ed25519 | SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA |    -    |  me     |",
)


@dataclass(frozen=True, slots=True)
class Made:
    """A key that ssh-keygen has made.

    + line: its public half, as in a .pub file
    + listed: what ``ssh-keygen -lf`` says of it
    """

    line: str
    listed: str

    @property
    def key(self) -> HostKey:
        """The same as the program knows it."""
        kind, base64, *_ = self.line.split()
        return HostKey(kind, base64)

    @property
    def fingerprint(self) -> str:
        """What ssh-keygen says."""
        return self.listed.split()[1]


def made(folder: Path, kind: str = "ed25519", bits: int = 0) -> Made:
    """A new key."""
    program = required("ssh-keygen")
    file = folder / f"{kind}-{bits}-{len(list(folder.iterdir()))}"
    size = ["-b", str(bits)] if bits else []
    command = [program, "-q", "-t", kind, *size, "-N", "", "-C", "root@ip-10-0-0-1", "-f", str(file)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=60)
    return told(file.with_suffix(".pub"))


def told(public: Path) -> Made:
    """The key of a .pub file."""
    listed = subprocess.run(
        [required("ssh-keygen"), "-lf", str(public)], check=True, capture_output=True, text=True, timeout=20
    )
    return Made(public.read_text().strip(), listed.stdout.strip())


def console(*keys: Made, prefix: str = "", whole: bool = True) -> str:
    """What cloud-init prints of an instance's keys, amid what else is printed.

    + prefix: what stands before each line, such as ``<14>Nov 21 04:12:00 cloud-init: ``
    + whole: with the keys themselves, not only their fingerprints
    """
    lines = ["", "#" * 61, "-----BEGIN SSH HOST KEY FINGERPRINTS-----", *(key.listed for key in keys)]
    lines += ["-----END SSH HOST KEY FINGERPRINTS-----", "#" * 61]
    if whole:
        lines += ["-----BEGIN SSH HOST KEY KEYS-----", *(key.line for key in keys), "-----END SSH HOST KEY KEYS-----"]
    printed = [line for row in lines for line in (f"{prefix}{row}", NOISE[len(row) % 3])]
    return "\r\n".join([*NOISE, *printed, "ip-10-0-0-1 login: "])
