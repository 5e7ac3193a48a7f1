"""Waiting until an instance is really back: ssh answers, and where it was to be booted, by another boot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

from pyinfra import logger
from pyinfra.api.exceptions import ConnectError

from facts.boot import boot_section
from facts.observation import Unknown, ask, forget_everything
from miyabi.errors import MiyabiError
from miyabi.instance import Instance
from miyabi.presence import note_boot, remembered
from miyabi.state import Boot
from operations.availability import come_back
from operations.instances import (
    ec2_file_of,
    instance_id_of,
    region_of,
    remember_instance,
    rescue_of,
    settings_of,
    told_to_ec2,
)
from operations.memory import now

if TYPE_CHECKING:
    from pyinfra.api import Host

# Seconds between two tries to connect, between two questions to EC2, and between two words to whoever waits.
_POLL = 2.0
_ASK = 10.0
# While it is starting or stopping, which is over at any moment.
_ASK_SOON = 3.0
_SAY = 15.0

# Seconds by which the host's word of its uptime and our clock may differ.
_SLACK = 5.0

# How pyinfra begins to say that a stranger answers.
ANOTHER_KEY = "SSH host key error"


@dataclass(frozen=True, slots=True)
class Awaited:
    """What is waited for.

    + since: when what should bring the instance back was begun, in seconds since the epoch
    + until: when it is given up
    + new_boot: whether only another boot than the one that was seen last counts
    + starts: whether the instance is started when it is found stopped, as a stop and start has to be ended
    + proves: whether one that answers to the end as the boot that it was is not back
    """

    since: float
    until: float
    new_boot: bool = False
    starts: bool = False
    proves: bool = False


def wait_until_back(host: Host, awaited: Awaited) -> str:
    """Wait until ``host`` is back and connected; "" when it is, else why not, in words."""
    from tenacity import Retrying, retry_if_result, wait_fixed  # noqa: PLC0415 - only who waits pays for it

    # Whatever happens to the clock meanwhile: it is set when a machine has just woken up.
    watch = _Watch(host, awaited, monotonic() + awaited.until - now())
    retrying = Retrying(
        retry=retry_if_result(bool),
        stop=lambda _: watch.is_hopeless or monotonic() >= watch.ends,
        wait=wait_fixed(_POLL),
        sleep=sleep,
        retry_error_callback=lambda tried: tried.outcome.result() if tried.outcome else "",
    )
    return str(retrying(watch.look))


@dataclass(slots=True)
class _Watch:
    """One wait for one host.

    + ends: when it is given up, by the clock that nobody sets
    + is_hopeless: whether waiting is of no use
    """

    host: Host
    awaited: Awaited
    ends: float
    is_hopeless: bool = False
    state: str = ""
    asked_at: float = 0.0
    said: str = ""
    said_at: float = 0.0

    def look(self) -> str:
        """Why it is not back; "" when it is."""
        instance = rescue_of(self.host).instance
        is_steady = instance is None or instance.power == "running"
        if now() - self.asked_at >= (_ASK if is_steady else _ASK_SOON):
            self.asked_at = now()
            self._ask_ec2()
        why = self.state if self.is_hopeless else self._connect()
        if why:
            self._say(why)
        return why

    def _ask_ec2(self) -> None:
        host = self.host
        region, instance_id = region_of(host), instance_id_of(host)
        try:
            instance = region.instance(instance_id)
            if instance is None:
                # One that was launched just now is not known everywhere yet.
                self.state = "EC2 knows no such instance"
                return
            rescue_of(host).instance = instance
            remember_instance(host, instance)
            self.state = _in_words(instance)
            self.is_hopeless = instance.power == "terminated"
            if instance.power == "stopped" and self.awaited.starts:
                host.log("it has stopped: starting it")
                told_to_ec2(host, lambda: region.start(instance_id))
            elif instance.power == "running":
                follow(host, instance)
        except MiyabiError as error:
            # Whatever EC2 says of it, ssh has the last word.
            self.state = str(error)

    def _connect(self) -> str:
        host = self.host
        if unreachable := host.data.get("unreachable"):
            return str(unreachable)
        host.connector.data["ssh_connect_retries"] = 0
        try:
            host.connector.connect()
        except ConnectError as error:
            words = str(error)
            # A machine that boots may let nobody in yet; a stranger stays one.
            self.is_hopeless = words.startswith(ANOTHER_KEY)
            return words
        host.connected = True
        forget_everything(host)
        boot = ask(host, boot_section())
        why = boot.reason if isinstance(boot, Unknown) else self._is_old(boot)
        # What answers needs no other remedy, whatever it was that brought it back.
        is_last = monotonic() >= self.ends and not self.awaited.proves
        if isinstance(boot, Unknown) or (why and not is_last):
            host.connected = False
            host.connector.client.close()  # type: ignore[attr-defined] # an instance is reached by ssh
            return why or "it does not tell which boot it is"
        if why:
            host.log_styled(f"it answers; {why}", fg="yellow", log_func=logger.warning)
        note_boot(host.name, boot.boot_id)
        come_back(host)
        return ""

    def _is_old(self, boot: Boot) -> str:
        """Why a boot does not prove that the instance was booted; "" when it does, or need not."""
        if not self.awaited.new_boot:
            return ""
        before = remembered(self.host.name).boot
        if before and before != boot.boot_id:
            return ""
        if not before and boot.uptime is not None and boot.uptime <= now() - self.awaited.since + _SLACK:
            return ""
        return "it still answers as the boot that it was"

    def _say(self, why: str) -> None:
        """Tell whoever waits how it stands: when that has changed, and once in a while."""
        state = f"{self.state}; " if self.state else ""
        if self.state == self.said and now() - self.said_at < _SAY:
            return
        self.said, self.said_at = self.state, now()
        self.host.log(f"{now() - self.awaited.since:.0f} s: {state}{why}", log_func=logger.info)


def _in_words(instance: Instance) -> str:
    if instance.power != "running":
        return f"the instance is {instance.power}"
    return f"the instance runs, its check says {instance.computer.status}"


def follow(host: Host, instance: Instance) -> None:
    """Let ``host`` be reached where its instance is now.

    Raises ``MiyabiError`` when its keys can neither be read nor learnt.
    """
    from miyabi.ec2_inventory import learn  # noqa: PLC0415 - only L4 needs it
    from miyabi.ec2_ways import connection  # noqa: PLC0415

    path = ec2_file_of(host)
    if path is None:
        return
    data = connection(path, instance)
    if "unreachable" in data:
        learn(settings_of(host), instance, str(data["ssh_hostname"]), now())
        data = connection(path, instance)
    if data["ssh_config_file"] is None:
        # pyinfra takes no None where there was a file.
        data["ssh_config_file"] = str(Path.home() / ".ssh" / "config") if host.data.get("ssh_config_file") else ""
    changed = {key: value for key, value in ({"unreachable": ""} | data).items() if host.data.get(key, "") != value}
    for key, value in changed.items():
        setattr(host.data, key, value)
    if changed:
        host.connector = host.connector_cls(host.state, host)
        if "ssh_hostname" in changed:
            host.log(f"it is at {data['ssh_hostname']} now")
