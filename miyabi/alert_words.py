"""What alerts say: what each kind and cause means, and what to do. Data for ``miyabi.alert_text``. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """What is said of a kind of incident.

    + headline: what follows the name of the target
    + over: what follows it when that has ended
    + means: what it means, for somebody who has just been woken
    + safe: what can be done, or left, without harm
    """

    headline: str
    means: str
    safe: str
    over: str = "well again"


_LOOKING = "Looking, attaching and pausing change nothing."
_HEALTHY = "What is healthy is not touched meanwhile."

BY_KIND: Mapping[str, Words] = {
    "not-restored": Words(
        "is not repaired",
        "Every level that may be tried was tried, and it is still wrong. It is tried again by itself as far as the "
        "limits allow, but most likely it needs you.",
        f"{_LOOKING} {_HEALTHY} Waiting makes it no worse: it is not restarted in a loop.",
    ),
    "held": Words(
        "is not repaired: it is held back",
        "It is wrong, and nothing is done about it for now, because doing the same again has not helped or might do "
        "harm. The hold ends by itself.",
        f"{_LOOKING} {_HEALTHY} `miyabi resume` lets it be tried once, now.",
    ),
    "repaired": Words(
        "was repaired, with effort",
        "It is well now, but it took more than one try or a higher level. If it happens again, the cause is still "
        "there.",
        "Nothing has to be done now.",
    ),
    "unreachable": Words(
        "cannot be reached",
        "It should always be there, and does not let anybody in. What runs on it may be well: nobody can tell.",
        "Nothing is done to a host that cannot be seen. What runs there is not touched.",
    ),
    "unknown": Words(
        "cannot be judged",
        "It answers, but not so that one could tell what is wrong. What cannot be told is never acted on, so nothing "
        "is repaired there until it can be.",
        f"{_LOOKING} Nothing is done there meanwhile.",
    ),
    "storm": Words(
        "is damaged in many places at once",
        "So much at once has one cause, such as a network, a login or a service, and restarts would not remove it. "
        "They are held back for a while; then one place is tried, and the others when that one holds.",
        f"{_LOOKING} Waiting is safe: no restarts meanwhile.",
    ),
    "emergency-stop": Words(
        "is stopped: nothing is repaired",
        "So many critical incidents at once are more than can be repaired blindly. All repairs are stopped for a "
        "while, and go on by themselves after that.",
        f"{_LOOKING} Nothing is repaired or restarted until the stop is over, or you resume.",
    ),
    "threshold": Words(
        "has passed its threshold",
        "Nothing may be broken yet, but if it goes on like this, something will be.",
        f"{_LOOKING} Nothing is removed or restarted because of it.",
    ),
    "warning": Words(
        "needs a look",
        "Something is not as it should be, and there is nothing that could be done about it from here.",
        f"{_LOOKING} Nothing else fails because of it.",
    ),
    "agent-waits": Words(
        "waits for you",
        "It is well, and cannot go on before a human has answered it. It is not restarted for that, and nobody answers "
        "for you.",
        "Waiting is safe: its conversation stays as it is.",
    ),
    "agent-stuck": Words(
        "cannot go on by itself",
        "It is alive, but what it needs nobody but a human can give it. A restart would not help it, so none is made.",
        f"{_LOOKING} Its conversation stays as it is.",
    ),
    "agent-parked": Words(
        "is parked",
        "It has to wait for a time that is known, and is told to go on when that has come.",
        "Nothing has to be done.",
    ),
    "prediction": Words(
        "is foretold to be in trouble",
        "Nothing is wrong yet. It will be, if it goes on as it did until now; how often that was right here is said "
        "above.",
        f"{_LOOKING} Nothing is done because of it, but for what the spec allows (`prevent`).",
        "no longer foretold to be in trouble",
    ),
    "channel": Words(
        "does not take alerts",
        "Alerts that should go there do not arrive; this one came by another channel.",
        "Recoveries go on as ever. The channel is left alone for a while, and tried again by itself.",
    ),
    "history": Words(
        "cannot be written",
        "Recoveries go on, but what they do is not remembered, so that limits and reminders may count too little.",
        "Nothing is lost that was written before.",
    ),
}
OTHER = Words("needs a look", "Something is not as it should be.", _LOOKING)

# What to do about a cause, before anything else.
BY_CAUSE: Mapping[str, str] = {
    "oom": "free memory, or run fewer agents on this host",
    "permission": "look who owns what it could not open, and give it back",
    "not-found": "install what was not found, or correct its command in the spec",
    "git": "log in to git or GitHub on that host, or pull what it does not have",
    "api-error": "look whether the model's API is down; wait if it is",
    "usage-limit": "wait until the limit resets, or switch the account",
    "auth": "attach, and log the agent in; never copy login files between hosts",
    "network": "look whether that host reaches the network, and whether the service is up",
    "disk-full": "free space on that host",
    "memory-low": "free memory on that host",
    "config-broken": "look at the configuration file; copies that were good are kept beside it",
    "state-damaged": "miyabi state analyze says what is wrong in the workspace, and what of it is safe",
    "mcp-down": "look at the server's log",
    "sshd-down": "start sshd on that host, from its console",
    "host-unreachable": "look whether that machine is on, and on the network",
    "too-many-processes": "end what is not needed on that host",
    "clock-off": "set that host's clock (NTP)",
}

# What to do about what is foretold, beside looking: by what it is foretold of, each step with its commands.
FORESIGHT: Mapping[str, tuple[tuple[str, list[str]], ...]] = {
    "disk": (
        ("free space on that host, or have runs do it: limits.disk.relief in its spec, and prevent: 24h there.", []),
    ),
    "memory": (
        ("free memory, or have runs do it: limits.memory_available.relief in its spec, and prevent: 24h there.", []),
    ),
}
