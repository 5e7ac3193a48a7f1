"""The host keys that an instance has printed into its console while it booted. Pure.

cloud-init prints them when it is done with the user data: a block with their fingerprints as `ssh-keygen -l` writes
them, and a block with the keys themselves, each line with whatever syslog or the kernel put before it. What stands
elsewhere, such as the keys of those who may log in, is no host's.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256

# The kinds of host keys in the order in which a server is asked for them; the length of an elliptic curve's point.
KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
_POINT = {"nistp256": 65, "nistp384": 97, "nistp521": 133}
# A shorter one would not be taken by ssh either.
_LEAST_RSA = 1024

# Nothing that an instance prints is longer.
_LONGEST = 16_384

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_KEY = re.compile(rf"(?:^|(?<=\s))({'|'.join(KINDS)})[ \t]+([A-Za-z0-9+/]{{40,}}={{0,2}})(?=\s|$)", re.ASCII)
_FINGERPRINT = re.compile(r"(?:^|(?<=\s))SHA256:([A-Za-z0-9+/]{43})(?=\s|$)", re.ASCII)
_BLOCK = re.compile(r"-----(BEGIN|END) SSH HOST KEY (FINGERPRINTS|KEYS)-----")
# What `ssh-keygen -A` says of a key that it has made, before its fingerprint.
_SAVED = re.compile(r"saved in (\S+)")
_OF_HOST = re.compile(r"/etc/ssh/ssh_host_[a-z0-9]+_key(?:\.pub)?\.?")


@dataclass(frozen=True, slots=True)
class HostKey:
    """A public host key.

    + kind: such as ``ssh-ed25519``
    + base64: the key as ``known_hosts`` holds it
    """

    kind: str
    base64: str

    @property
    def fingerprint(self) -> str:
        """As ssh shows it: ``SHA256:`` and 43 characters."""
        digest = sha256(b64decode(self.base64)).digest()
        return f"SHA256:{b64encode(digest).decode().rstrip('=')}"


@dataclass(frozen=True, slots=True)
class ConsoleKeys:
    """What a console's output says of host keys.

    + keys: whole keys, in the order in which a server is asked for them
    + fingerprints: of keys, as ``HostKey.fingerprint``
    """

    keys: tuple[HostKey, ...] = ()
    fingerprints: frozenset[str] = frozenset()


def host_key(kind: str, base64: str) -> HostKey | None:
    """A key from its two words; None when it is none: of another kind, cut off, or mixed with something else."""
    try:
        blob = b64decode(base64, validate=True)
        parts = list(_parts(blob))
    except ValueError:
        return None
    if not parts or parts[0] != kind.encode():
        return None
    if kind == "ssh-ed25519":
        is_whole = len(parts) == 2 and len(parts[1]) == 32
    elif kind == "ssh-rsa":
        is_whole = len(parts) == 3 and int.from_bytes(parts[2]).bit_length() >= _LEAST_RSA
    else:
        curve = kind.removeprefix("ecdsa-sha2-")
        is_whole = len(parts) == 3 and parts[1] == curve.encode() and len(parts[2]) == _POINT.get(curve)
    return HostKey(kind, base64) if is_whole else None


def _parts(blob: bytes) -> Iterator[bytes]:
    """What a key is made of. Raises ``ValueError`` when it ends too early."""
    at = 0
    while at < len(blob):
        length = int.from_bytes(blob[at : at + 4])
        part = blob[at + 4 : at + 4 + length]
        if len(blob) < at + 4 or len(part) < length:
            raise ValueError("cut off")
        yield part
        at += 4 + length


def fingerprint(text: str) -> str | None:
    """A fingerprint as a human gives it: with or without ``SHA256:``, perhaps within a line of ``ssh-keygen -l``.

    Returns it as ``HostKey.fingerprint`` has it; None when there is none, or more than one.
    """
    words = [word.removeprefix("SHA256:").rstrip("=") for word in text.split()]
    found = {word for word in words if re.fullmatch(r"[A-Za-z0-9+/]{43}", word, re.ASCII)}
    return f"SHA256:{found.pop()}" if len(found) == 1 else None


def in_order(keys: Iterable[HostKey]) -> tuple[HostKey, ...]:
    """The same keys, each once, in the order in which a server is asked for them."""
    return tuple(sorted(set(keys), key=lambda each: (KINDS.index(each.kind), each.base64)))


def keys_in_console(output: str) -> ConsoleKeys:
    """The host keys in a console's output.

    + output: what the instance has printed, of several boots perhaps: the last block of each sort counts, because
      cloud-init prints it after everything that the user data print
    """
    lines = [_COLOURS.sub("", line)[:_LONGEST] for line in output.splitlines()]
    keys = [
        key
        for line in _last_block(lines, "KEYS")
        for kind, words in _KEY.findall(line)
        if (key := host_key(kind, words))
    ]
    listed = {f"SHA256:{each}" for line in _last_block(lines, "FINGERPRINTS") for each in _FINGERPRINT.findall(line)}
    return ConsoleKeys(in_order(keys), frozenset(listed or _generated(lines)))


def _last_block(lines: list[str], sort: str) -> list[str]:
    """The lines of the last block of a sort; of one that has no end yet, those that are there."""
    block: list[str] = []
    is_inside = False
    for line in lines:
        mark = _BLOCK.search(line)
        if mark is None:
            if is_inside:
                block.append(line)
        elif mark[1] == "BEGIN" and mark[2] == sort:
            block, is_inside = [], True
        else:
            is_inside = False
    return block


def _generated(lines: list[str]) -> set[str]:
    """The fingerprints that ``ssh-keygen`` tells of each host key that it makes, where no block lists them."""
    latest: dict[str, str] = {}
    file = ""
    for line in lines:
        if saved := _SAVED.search(line):
            file = saved[1]
        elif (found := _FINGERPRINT.search(line)) and file:
            if _OF_HOST.fullmatch(file):
                latest[file] = f"SHA256:{found[1]}"
            file = ""
    return set(latest.values())
