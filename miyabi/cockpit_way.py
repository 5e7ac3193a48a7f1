"""How a human's own ssh reaches a host of the fleet, by what the inventory tells pyinfra. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from miyabi.ec2_hosts import ssh_words

# A dropped network is noticed within 45 s; no connection is shared, since its master may hang; and what a human's
# configuration has a shell of his do is not for this.
_OPTIONS = (
    "ServerAliveInterval=15",
    "ServerAliveCountMax=3",
    "ConnectTimeout=10",
    "ControlMaster=no",
    "ControlPath=none",
    "RemoteCommand=none",
    "ClearAllForwardings=yes",
)
_ATTACHING = ("-t", "-t", *(word for each in _OPTIONS for word in ("-o", each)))


@dataclass(frozen=True, slots=True)
class Way:
    """How a host is reached.

    + ssh: the words up to the command that it is to run; () for this machine itself, and where there is no way
    + advice: the command by which a human sees for himself
    + why_not: why there is no way, in words; "" when there is one
    """

    ssh: tuple[str, ...] = ()
    advice: str = ""
    why_not: str = ""

    @property
    def is_local(self) -> bool:
        """Whether it is this machine."""
        return not self.ssh and not self.why_not


def way_to(host: str, data: Mapping[str, object], expanded: Callable[[str], str]) -> Way:
    """The way to a host.

    + host: its name in the inventory
    + data: what the inventory says of it
    + expanded: gives a path with ``~`` as this machine reads it

    What is not said is ssh's own, as in ~/.ssh/config.
    """
    if host == "@local" or host.startswith("@local/"):
        return Way(advice="tmux attach")
    if data.get("instance_id"):
        return _to_instance(host, data)
    name = host.removeprefix("@ssh/")
    if name.startswith("@"):
        connector = name.partition("/")[0]
        return Way(why_not=f"it is reached by {connector}, and not by ssh")
    name = str(data.get("ssh_hostname") or name)
    given, checking = _given(data, expanded), data.get("ssh_strict_host_key_checking")
    # pyinfra's own default, whatever ~/.ssh/config says; a human may look at a key, and accept it.
    strict, asking = (("-o", f"StrictHostKeyChecking={how}") for how in (checking or "accept-new", "ask"))
    return Way(
        ssh=("ssh", *_ATTACHING, *given, *strict, "--", name), advice=shlex.join(("ssh", *given, *asking, "--", name))
    )


def _given(data: Mapping[str, object], expanded: Callable[[str], str]) -> tuple[str, ...]:
    """What the inventory says, as ssh's options."""
    words: list[str] = []
    if config := data.get("ssh_config_file"):
        words += ["-F", expanded(str(config))]
    if user := data.get("ssh_user"):
        words += ["-l", str(user)]
    if port := data.get("ssh_port"):
        words += ["-p", str(port)]
    if key := data.get("ssh_key"):
        words += ["-i", expanded(str(key)), "-o", "IdentitiesOnly=yes"]
    if known := data.get("ssh_known_hosts_file"):
        words += ["-o", f"UserKnownHostsFile={_in_configuration(expanded(str(known)))}"]
    if data.get("ssh_forward_agent"):
        words.append("-A")
    return tuple(words)


def _in_configuration(path: str) -> str:
    """A path as ssh's configuration takes it: it may be a list there, and hold tokens."""
    return '"{}"'.format(path.replace("%", "%%")) if set(path) & set(" %'") else path


def _to_instance(host: str, data: Mapping[str, object]) -> Way:
    words = ssh_words(data)
    if not words:
        return Way(why_not=str(data.get("unreachable") or "nobody knows where its instance is"))
    address = words[-1]
    forget = f"miyabi ec2 forget-key {shlex.quote(host)}"
    return Way(
        ssh=("ssh", *_ATTACHING, *words[1:-1], "--", address),
        advice=f"{shlex.join(words)} (another key that you know to be right: {forget})",
    )
