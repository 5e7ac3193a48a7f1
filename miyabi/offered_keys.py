"""The host keys that answer at an address: what ssh-keyscan tells, by any way that ssh has. Nothing is believed."""

from __future__ import annotations

import logging
import socket
from collections.abc import Collection
from contextlib import closing, suppress

from miyabi.console_keys import KINDS, HostKey, host_key, in_order

# Seconds for a host's first word, and for all that it says until its key is known.
_PATIENCE = 5.0

# A kind that is not there is no news; paramiko would write a traceback of it to stderr.
_UNHEARD = f"{__name__}.paramiko"
logging.getLogger(_UNHEARD).propagate = False
logging.getLogger(_UNHEARD).addHandler(logging.NullHandler())

# A paramiko that offers a kind by more than one name would ask twice for the same key.
_SIGNED_AS = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}


def offered_keys(address: str, port: int, proxy_command: str = "", wanted: Collection[str] = ()) -> tuple[HostKey, ...]:
    """The keys of whoever answers, one of each kind.

    + address: without a proxy it is dialled
    + wanted: fingerprints; when a key has one of them, no other kind is asked for
    + proxy_command: the program whose stdin and stdout lead there, as in an ssh configuration; "" is none

    Returns none when nobody answers, or it is no sshd.
    """
    found: list[HostKey] = []
    for kind in KINDS:
        try:
            key = _offered(kind, address, port, proxy_command)
        except OSError:
            # Nobody is there: asking for another kind does not change that.
            break
        if key is not None:
            found.append(key)
            if key.fingerprint in wanted:
                break
    return in_order(found)


def _offered(kind: str, address: str, port: int, proxy_command: str) -> HostKey | None:
    """The key of one kind; None when there is none. Raises ``OSError`` when nobody answers."""
    from paramiko import ProxyCommand, SSHException, Transport  # noqa: PLC0415 - it is dear, and a run has it loaded

    way = ProxyCommand(proxy_command) if proxy_command else socket.create_connection((address, port), _PATIENCE)
    with suppress(SSHException, EOFError), closing(Transport(way)) as transport:
        transport.set_log_channel(_UNHEARD)
        transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = _PATIENCE
        transport.get_security_options().key_types = _SIGNED_AS.get(kind, (kind,))
        transport.start_client(timeout=_PATIENCE)
        key = transport.get_remote_server_key()
        return host_key(key.get_name(), key.get_base64())
    return None
