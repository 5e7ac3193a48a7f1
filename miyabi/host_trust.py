"""Which host keys are trusted, for each instance: never an address, which may be a stranger's tomorrow.

Trust comes from what the instance printed into its console while it booted, which only its account can read, or from a
human. It stays until it is taken back: another key at the same instance is refused.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from miyabi.console_keys import HostKey, host_key, in_order, keys_in_console
from miyabi.errors import InventoryError
from miyabi.file_lock import alone
from miyabi.instance import Instance
from miyabi.presence import state_directory
from miyabi.private_file import private_folder, read_private, write_private

CONSOLE = "console output"
BY_HAND = "by hand"

_KEYS = "host_keys.json"
_LOCK = "host_keys.lock"
_FOLDER = "known_hosts"
# Seconds between two looks into a console that says nothing yet; a new instance says it within minutes.
_PAUSE = 600.0
_PAUSE_OF_NEW = 60.0
_NEW = 900.0
# Seconds after which nobody can still be about to read a file of known hosts that was replaced.
_OVER = 3600.0
# Seconds after which an instance that no run has met is gone.
_GONE = 30 * 86400.0


class Console(Protocol):
    """What tells the console's output of an instance, such as ``miyabi.ec2_api.Region``."""

    def console_output(self, instance_id: str, *, latest: bool = True) -> str:
        """What the instance has printed: by now, or soon after its boot."""
        ...


# Asks for the keys that answer at an address, given the fingerprints of those that are of use.
Offers = Callable[[Collection[str]], tuple[HostKey, ...]]


@dataclass(frozen=True, slots=True)
class Trust:
    """What is trusted of an instance.

    + keys: in the order in which its sshd is asked for them; none is that nothing is trusted
    + source: ``console output`` or ``by hand``
    + at: since when, in seconds since the epoch
    + looked_at: when its console was looked at last without finding anything; None is never
    + found: why nothing was found then
    """

    region: str = ""
    keys: tuple[HostKey, ...] = ()
    source: str = ""
    at: float = 0.0
    looked_at: float | None = None
    found: str = ""


@dataclass(frozen=True, slots=True)
class Ring:
    """All that is trusted, by instance id.

    + trouble: why what was kept cannot be read, in one line; "" is nothing
    """

    trusted: Mapping[str, Trust] = field(default_factory=dict)
    trouble: str = ""

    def of(self, instance_id: str) -> Trust:
        """What is trusted of an instance."""
        return self.trusted.get(instance_id, Trust())


def folder() -> Path:
    """Where trust is kept: miyabi/ec2 in ``$XDG_STATE_HOME``, or in ~/.local/state."""
    return state_directory() / "ec2"


def read_ring() -> Ring:
    """All that is trusted. What cannot be read is not trusted."""
    path = folder() / _KEYS
    try:
        told = json.loads(read_private(path))["instances"]
        return Ring({instance_id: _trust(each) for instance_id, each in told.items()})
    except (FileNotFoundError, NotADirectoryError):
        return Ring()
    except OSError as error:
        reason = error.strerror or str(error)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"it makes no sense ({error})"
    return Ring(trouble=f"{path}: no host key is trusted, the file cannot be used: {reason}; repair or remove it")


def trust(instance_id: str, region: str, keys: tuple[HostKey, ...], source: str, now: float) -> None:
    """Trust ``keys`` of an instance from now on, and no others.

    + source: ``CONSOLE`` or ``BY_HAND``

    Raises ``InventoryError`` when that cannot be kept.
    """
    _change(instance_id, lambda _: Trust(region, in_order(keys), source, now))


def forget(instance_id: str) -> bool:
    """Trust no key of an instance any more, and look into its console again; whether any was trusted.

    Raises ``InventoryError`` when that cannot be kept.
    """
    had = bool(read_ring().of(instance_id).keys)
    _change(instance_id, lambda _: None)
    return had


def learn_keys(console: Console, instance: Instance, now: float, offers: Offers | None = None) -> str | None:
    """Trust the host keys that an instance has printed into its console, unless keys of it are trusted already.

    + console: such as ``Region(instance.region)``
    + offers: asks for the keys that answer at its address; needed when the console tells their fingerprints alone

    Returns None when keys of it are trusted now, else why not, in words. Raises ``miyabi.errors.Ec2Error`` when the
    console cannot be asked, ``InventoryError`` when trust cannot be kept.
    """
    known = read_ring().of(instance.instance_id)
    if known.keys:
        return None
    printed = keys_in_console(console.console_output(instance.instance_id, latest=True))
    if not printed.keys and not printed.fingerprints:
        # Of a console that has gone on talking, EC2 still has what it said soon after the boot.
        printed = keys_in_console(console.console_output(instance.instance_id, latest=False))
    keys = printed.keys
    why = "its console output shows no host key yet"
    if not keys and printed.fingerprints:
        answering = offers(printed.fingerprints) if offers is not None else ()
        keys = tuple(each for each in answering if each.fingerprint in printed.fingerprints)
        why = "no sshd answers at its address that shows a key of its console output"
        if answering and not keys:
            why = "what answers at its address shows another host key than its console output"
    if keys:
        trust(instance.instance_id, instance.region, keys, CONSOLE, now)
        return None
    _change(instance.instance_id, lambda before: replace(before, region=instance.region, looked_at=now, found=why))
    return why


def is_due(known: Trust, instance: Instance, now: float) -> bool:
    """Whether to look into an instance's console again: at once, then each 10 minutes; each minute while it is new."""
    if known.keys:
        return False
    if known.looked_at is None:
        return True
    age = now - instance.launched_at if instance.launched_at is not None else _NEW
    pause = _PAUSE_OF_NEW if 0 <= age < _NEW else _PAUSE
    return not known.looked_at <= now < known.looked_at + pause


def known_hosts_for(instance_id: str, address: str, port: int, ring: Ring | None = None) -> Path:
    """The known_hosts file of an instance, for one address: it holds the keys that are trusted of it, and no others.

    + ring: what ``read_ring`` has told; None is that it is read now

    Without a trusted key the file is empty, and strict checking refuses whoever answers. Its name changes with what it
    says. Raises ``InventoryError`` when it cannot be written.
    """
    keys = (ring or read_ring()).of(instance_id).keys
    name = address if port == 22 else f"[{address}]:{port}"
    text = "".join(f"{name} {key.kind} {key.base64}\n" for key in keys)
    where = folder() / _FOLDER
    path = where / f"{instance_id}.{sha256(text.encode()).hexdigest()[:16]}"
    try:
        if _is(path, text):
            # So that it is not taken for one that nobody needs any more.
            os.utime(path)
        else:
            private_folder(where.parent)
            write_private(path, text)
            _remove_old(path, instance_id)
    except OSError as error:
        raise InventoryError(_unkept(error, path)) from None
    return path


def _is(path: Path, text: str) -> bool:
    try:
        return read_private(path) == text
    except (OSError, ValueError):
        return False


def _remove_old(path: Path, instance_id: str) -> None:
    """Remove what ``path`` has replaced, and what was of instances that are gone."""
    now = time.time()
    for each in path.parent.iterdir():
        life = _OVER if each.name.startswith(f"{instance_id}.") else _GONE
        with suppress(FileNotFoundError):
            if each != path and each.lstat().st_mtime < now - life:
                each.unlink()


def _change(instance_id: str, change: Callable[[Trust], Trust | None]) -> None:
    path = folder() / _KEYS
    try:
        private_folder(path.parent)
        with alone(path.with_name(_LOCK)):
            ring = read_ring()
            if ring.trouble:
                raise InventoryError(ring.trouble)
            after = {**ring.trusted, instance_id: change(ring.of(instance_id))}
            told = {name: _told(each) for name, each in after.items() if each is not None}
            write_private(path, json.dumps({"instances": told}, indent=1))
    except OSError as error:
        raise InventoryError(_unkept(error, path)) from None


def _unkept(error: OSError, path: Path) -> str:
    return f"{error.filename or path}: host keys cannot be kept: {error.strerror or error}"


def _told(known: Trust) -> dict[str, object]:
    return {
        "region": known.region,
        "keys": [[key.kind, key.base64] for key in known.keys],
        "source": known.source,
        "at": known.at,
        "looked_at": known.looked_at,
        "found": known.found,
    }


def _trust(told: dict[str, Any]) -> Trust:
    """What was kept of an instance. Raises ``ValueError`` and the like when it makes no sense."""
    keys = [host_key(str(kind), str(base64)) for kind, base64 in told["keys"]]
    if None in keys:
        raise ValueError("it holds a key that is none")
    looked_at = told["looked_at"]
    return Trust(
        region=str(told["region"]),
        keys=in_order(key for key in keys if key is not None),
        source=str(told["source"]),
        at=float(told["at"]),
        looked_at=None if looked_at is None else float(looked_at),
        found=str(told["found"]),
    )
