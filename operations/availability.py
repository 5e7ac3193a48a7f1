"""Hosts that are not there: a phone that is offline is asleep, an EC2 instance waits for L4, any other has failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import time
from typing import TYPE_CHECKING, Any

from pyinfra import logger
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.state import BaseStateCallback, StateStage
from pyinfra.connectors.util import CommandOutput
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
_DOWN = "miyabi_down"
_LOOKED_AFTER = "miyabi_looked_after"

# What pyinfra says of a host that is not there. One that is there and does not let us in, or has another key, is no
# absence.
_REFUSED = ("Authentication error", "SSH host key error", "SSH error (StrictPolicy")
_ABSENT = ("Could not connect", "Could not resolve hostname", "EOF error", "SSH error (Error reading SSH protocol")
# What a machine does that hangs in the middle of a connection.
_HANGS = ("SSH error (Key-exchange timed out",)


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


def is_instance(host: Host) -> bool:
    """Whether ``host`` is an EC2 instance, which L4 can ask for and bring back."""
    return bool(host.data.get("instance_id") and host.data.get("region"))


def down(host: Host) -> str | None:
    """Why ``host``, an instance that L4 looks after, is not reached, in pyinfra's words; None when it is."""
    words: str | None = host.connector_data.get(_DOWN)
    return words


def look_after(host: Host) -> None:
    """Note that what is done about ``host``, which is not reached, is known by now, and how it ends."""
    host.connector_data[_LOOKED_AFTER] = True


def is_there_and_refuses(words: str) -> bool:
    """Whether what pyinfra said of a connection means that somebody is there, who does not let us in or is another."""
    return words.startswith(_REFUSED)


def is_silent(words: str) -> bool:
    """Whether what pyinfra said of a connection means that nobody answers there; a key or proxy of ours is no cause."""
    return words.startswith((*_ABSENT, *_HANGS))


def come_back(host: Host) -> None:
    """Take ``host``, which this run had missed, for reached from now on."""
    for each in (_DOWN, _ABSENCE, _ABSENT_FOR, _ASLEEP):
        host.connector_data.pop(each, None)
    host.connected = True
    host.log_styled("Connected", fg="green")
    host.state.trigger_callbacks("host_connect", host)


@dataclass(slots=True)
class _Absences(BaseStateCallback):
    """Remembers which hosts were reached, and says since when the others were not.

    + revives: whether L4 looks after instances in this run
    """

    revives: bool = False

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
        elif self.revives and is_instance(host):
            host.connector_data[_DOWN] = str(error)
            _refuse_commands(host)
            logger.warning(f"{host.print_prefix}{words}; L4 will look at its instance")
        else:
            logger.error(f"{host.print_prefix}{words}")
        if is_instance(host):
            from miyabi.ec2_hosts import why_unreached  # noqa: PLC0415 - whoever is reached does not pay for it

            why = why_unreached(host.name, host.data.dict(), str(error))
            if why is not None:
                logger.error(f"{host.print_prefix}{why}")


def _refuse_commands(host: Host) -> None:
    """Let what others want to do on ``host`` fail there as long as it is not back: pyinfra would end the whole run."""
    run: Callable[..., tuple[bool, CommandOutput]] = host.run_shell_command

    def run_when_reached(*arguments: Any, **options: Any) -> tuple[bool, CommandOutput]:
        if host.connected:
            return run(*arguments, **options)
        _say_missing(host)
        return False, CommandOutput([])

    def moved_when_reached(move: Callable[..., bool]) -> Callable[..., bool]:
        def moved(*arguments: Any, **options: Any) -> bool:
            if host.connected:
                return move(*arguments, **options)
            _say_missing(host)
            return False

        return moved

    host.run_shell_command = run_when_reached  # type: ignore[method-assign]
    host.put_file = moved_when_reached(host.put_file)  # type: ignore[method-assign]
    host.get_file = moved_when_reached(host.get_file)  # type: ignore[method-assign]


def _say_missing(host: Host) -> None:
    logger.error(f"{host.print_prefix}{absence(host) or 'not reached'}: nothing can be done there before ec2.running()")


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


def watch_absences(state: State, *, revives: bool = False) -> None:
    """Let hosts of ``state`` be asleep. To be called before pyinfra initialises it, as config.py does.

    + revives: whether the run's deploys bring back instances that are not reached: then they take part in it

    pyinfra fails the hosts that it does not reach, and ends with an error when none is left: one that is asleep is
    taken out of both, and so is an instance that L4 looks after.
    """
    initialise: Callable[..., Any] = state.init
    fail: Callable[..., Any] = state.fail_hosts
    change: Callable[[StateStage], None] = state.set_stage

    def init(*arguments: Any, **options: Any) -> None:
        initialise(*arguments, **options)
        state.add_callback_handler(_Absences(revives))

    def fail_unreached(hosts: set[Host], activated_count: int | None = None) -> None:
        # From then on hosts fail in pyinfra's own way.
        state.fail_hosts = fail  # type: ignore[method-assign]
        for host in hosts:
            if down(host) is not None:
                state.activate_host(host)
        try:
            fail({host for host in hosts if asleep(host) is None and down(host) is None}, activated_count)
        except PyinfraError as error:
            logger.error(f"--> {error}")
            raise SystemExit(1) from None

    def set_stage(stage: StateStage) -> None:
        change(stage)
        if stage is StateStage.Disconnect:
            _fail_forgotten(state)

    state.set_stage = set_stage  # type: ignore[method-assign]
    state.init = init  # type: ignore[method-assign]
    state.fail_hosts = fail_unreached  # type: ignore[method-assign]


def _fail_forgotten(state: State) -> None:
    """Fail the instances that stayed in the run though they were not reached, and that nothing in it was about."""
    for host in state.inventory:
        if down(host) is not None and not host.connector_data.get(_LOOKED_AFTER) and host not in state.failed_hosts:
            logger.error(f"{host.print_prefix}{absence(host)}: nothing in this run was to bring it back")
            state.failed_hosts.add(host)
