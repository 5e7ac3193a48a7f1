"""What the check of a service said, in words. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from miyabi.spec_integration import Integration
from miyabi.state import Observed
from miyabi.units import DURATION_FORM, parse_duration

# Exit codes of a check, beside 0: no answer in time; nothing to check with; something that it needs is not set.
TIMEOUT, NO_TOOL, NOT_SET = 124, 127, 78

# Seconds that a check may take at most.
LONGEST = 20

_ENDPOINT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s:\[\]/]+):(?P<port>\d{1,5})", re.ASCII)
_ADDRESS = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_HEADER = re.compile(r"[A-Za-z0-9-]+")
_VARIABLE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")
_SECRET_NAME = re.compile(r"auth|cookie|key|token|secret|password", re.IGNORECASE)

# What bash, curl, wget, python3, perl, nc and busybox say. As of November 2026.
_CAUSES = (
    (re.compile(r"refused", re.IGNORECASE), "the connection is refused"),
    (
        re.compile(
            r"(?:could ?n.t|unable to|failure in name|not) resol|name or service not known|nodename nor servname|"
            r"no address associated|bad address|invalid hostname|unknown host|getaddrinfo",
            re.IGNORECASE,
        ),
        "its name is not known",
    ),
    (re.compile(r"certificate|\bssl\b|\btls\b", re.IGNORECASE), "TLS trouble"),
    (re.compile(r"timed? ?out", re.IGNORECASE), "no answer in time"),
    (re.compile(r"unreachable|no route", re.IGNORECASE), "no way leads there"),
    (re.compile(r"couldn.t connect", re.IGNORECASE), "it takes no connection"),
    (re.compile(r"reset|empty reply|remote end closed|recv failure", re.IGNORECASE), "it hangs up"),
)


@dataclass(frozen=True, slots=True)
class Reach(Observed):
    """Whether a service answers as it should; None is unknown. ``cause`` says why not."""

    reachable: bool | None
    cause: str = ""


def judge(integration: Integration, code: int, said: str) -> Reach:
    """What a check means.

    + code: its exit code
    + said: the last line that it printed; for ``http`` such as ``HTTP 200``
    """
    if code == TIMEOUT:
        return Reach(reachable=False, cause=f"no answer within {integration.timeout:g} s")
    if code == NOT_SET or (code in {126, NO_TOOL} and integration.command is None):
        return Reach(None, said)
    if integration.command is not None:
        return _of_command(code, said)
    if code != 0:
        return Reach(reachable=False, cause=_cause(said))
    return _of_status(integration, said) if integration.http is not None else Reach(reachable=True)


def _of_command(code: int, said: str) -> Reach:
    if code == 0:
        return Reach(reachable=True)
    shown = _masked(said)
    if code in {126, NO_TOOL}:
        return Reach(None, shown or f"exit code {code}: the command cannot be run")
    return Reach(reachable=False, cause=f"exit code {code}" + (f": {shown}" if shown else ""))


def _of_status(integration: Integration, said: str) -> Reach:
    status = said.removeprefix("HTTP ")
    if not status.isdigit():
        return Reach(None, f"the check printed {said[:80]!r}")
    if int(status) in integration.expect:
        return Reach(reachable=True)
    return Reach(
        reachable=False, cause=f"unauthorised (HTTP {status})" if status in {"401", "403"} else f"HTTP {status}"
    )


def _cause(said: str) -> str:
    for pattern, words in _CAUSES:
        if pattern.search(said):
            return f"{words} ({_masked(said)})" if words == "TLS trouble" else words
    return _masked(said) or "it does not answer"


def _masked(text: str) -> str:
    # Only a service that is down pays for the patterns.
    from miyabi.masking import masked  # noqa: PLC0415

    return masked(text)


def endpoint_of(target: str) -> tuple[str, int] | None:
    """Host and port of ``host:port``, an IPv6 address without its brackets; None when it is none."""
    found = _ENDPOINT.fullmatch(target)
    if found is None or not 1 <= int(found["port"]) <= 65535:
        return None
    return found["host"].strip("[]"), int(found["port"])


def variables_of(integration: Integration) -> tuple[str, ...]:
    """The variables of the host that the headers of a service need."""
    names = (found[1] or found[2] for _, value in integration.headers for found in _VARIABLE.finditer(value))
    return tuple(dict.fromkeys(names))


def is_private(integration: Integration) -> bool:
    """Whether a header seems to hold a secret itself instead of naming a variable of the host."""
    return any(_SECRET_NAME.search(name) and not _VARIABLE.search(value) for name, value in integration.headers)


def refuse_integration(wanted: Integration) -> str | None:
    """What is wrong with a service that was not read from a spec, and what is allowed; None when nothing is."""
    given = [key for key in ("command", "tcp", "http") if getattr(wanted, key) is not None]
    if len(given) != 1:
        return f"{' and '.join(given) or 'nothing'} is given; allowed: one of command, tcp and http"
    checks = (
        (not wanted.name.strip() or not wanted.name.isprintable(), "its name", wanted.name, "a printable name"),
        (wanted.command is not None and not wanted.command.strip(), "command", wanted.command, "a command"),
        (wanted.tcp is not None and endpoint_of(wanted.tcp) is None, "tcp", wanted.tcp, "host:port"),
        (
            wanted.http is not None and not _ADDRESS.fullmatch(wanted.http),
            "http",
            wanted.http,
            "a URL that begins with http:// or https://",
        ),
        (not all(100 <= code <= 599 for code in wanted.expect), "expect", wanted.expect, "codes from 100 to 599"),
        (not 0 < wanted.timeout <= LONGEST, "timeout", wanted.timeout, f"more than 0 s, at most {LONGEST} s"),
        *(
            (not _HEADER.fullmatch(name) or not value.isprintable(), "headers", name, "letters, digits and -")
            for name, value in wanted.headers
        ),
    )
    return next((f"{key} is {found!r}; allowed: {allowed}" for wrong, key, found, allowed in checks if wrong), None)


def seconds_of(timeout: str | float) -> float | str:
    """A timeout in seconds, or what is wrong with it."""
    try:
        return parse_duration(timeout)
    except ValueError:
        return f"timeout is {timeout!r}; allowed: {DURATION_FORM}"
