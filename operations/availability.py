"""Hosts that come and go: a phone or a laptop that is offline is asleep, and a host that is always there has failed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from time import time
from typing import TYPE_CHECKING, Any

from pyinfra import logger
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.state import BaseStateCallback
from typing_extensions import override

from facts.host_spec import host_spec
from miyabi.errors import MiyabiError
from miyabi.presence import Presence, note_absent, note_reached

if TYPE_CHECKING:
    from pyinfra.api import Host, State

_ASLEEP = "miyabi_asleep"
_ABSENCE = "miyabi_absence"
_ABSENT_FOR = "miyabi_absent_for"
_RETURNED = "miyabi_returned"

# What pyinfra says of a host that is not there. One that is there and does not let us in, or has another key, is no
# absence.
_ABSENT = ("Could not connect", "Could not resolve hostname", "EOF error", "SSH error (Error reading SSH protocol")


def asleep(host: Host) -> str | None:
    """In words, that ``host`` may be offline and is; None when it was reached, or has failed."""
    words: str | None = host.connector_data.get(_ASLEEP)
    return words


def absence(host: Host) -> str | None:
    """In words, since when ``host`` is not reached; None when it was."""
    words: str | None = host.connector_data.get(_ABSENCE)
    return words


def absent_for(host: Host) -> float | None:
    """For how many seconds ``host`` has not been reached; None when it was."""
    seconds: float | None = host.connector_data.get(_ABSENT_FOR)
    return seconds


def returned_at(host: Host) -> float | None:
    """When this run reached ``host``, which the run before had missed; None when that had reached it, too."""
    moment: float | None = host.connector_data.get(_RETURNED)
    return moment


class _Absences(BaseStateCallback):
    """Remembers which hosts were reached, and says since when the others were not."""

    @override
    def host_connect(self, state: State, host: Host) -> None:  # type: ignore[override]
        """Note that the host is there."""
        del state
        moment = time()
        if note_reached(host.name, moment).absent_since is not None:
            host.connector_data[_RETURNED] = moment

    @override
    def host_connect_error(self, state: State, host: Host, error: Exception) -> None:  # type: ignore[override]
        """Note that the host is not there, and say what that means."""
        del state
        moment = time()
        presence = note_absent(host.name, moment)
        words = since(presence)
        host.connector_data[_ABSENCE] = words
        host.connector_data[_ABSENT_FOR] = moment - (presence.absent_since or moment)
        if _may_be_absent(host) and str(error).startswith(_ABSENT):
            host.connector_data[_ASLEEP] = f"asleep, {words}; nothing is done to it"
            logger.info(f"{host.print_prefix}{host.connector_data[_ASLEEP]}")
        else:
            logger.error(f"{host.print_prefix}{words}")


def since(presence: Presence) -> str:
    """An absence in words: since when, and when the host was last reached."""
    first = f"not reached since {_shown(presence.absent_since)}" if presence.absent_since else "not reached"
    return f"{first} ({f'last reached {_shown(presence.reached)}' if presence.reached else 'never reached from here'})"


def _shown(seconds: float | None) -> str:
    return datetime.fromtimestamp(seconds or 0, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _may_be_absent(host: Host) -> bool:
    try:
        return host_spec(host).availability == "intermittent"
    except (MiyabiError, AttributeError):
        # Whatever its spec should say, that cannot be read: the safe answer is a failure that somebody looks at.
        return False


def watch_absences(state: State) -> None:
    """Let hosts of ``state`` be asleep. To be called before pyinfra initialises it, as config.py does.

    pyinfra fails the hosts that it does not reach, and ends with an error when none is left: one that is asleep is
    taken out of both.
    """
    initialise: Callable[..., Any] = state.init
    fail: Callable[..., Any] = state.fail_hosts

    def init(*arguments: Any, **options: Any) -> None:
        initialise(*arguments, **options)
        state.add_callback_handler(_Absences())

    def fail_unreached(hosts: set[Host], activated_count: int | None = None) -> None:
        # From then on hosts fail in pyinfra's own way.
        state.fail_hosts = fail  # type: ignore[method-assign]
        try:
            fail({host for host in hosts if asleep(host) is None}, activated_count)
        except PyinfraError as error:
            logger.error(f"--> {error}")
            raise SystemExit(1) from None

    state.init = init  # type: ignore[method-assign]
    state.fail_hosts = fail_unreached  # type: ignore[method-assign]
