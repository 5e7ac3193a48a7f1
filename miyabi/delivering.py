"""How the sending process sends: webhooks, the desktop, and the rest through apprise.

Addresses hold secrets. So no word of a library, and no part of an address, stands in what is said of a failure.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib
import json
import logging
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import quote

from typing_extensions import override

SENT = "sent"
Job = Mapping[str, Any]

_VARIABLE = re.compile(r"\$(?:(?P<bare>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\})", re.ASCII)
_STATUS = re.compile(r"\b(?:error|status|code)\s*[=:]?\s*([1-5]\d\d)\b", re.IGNORECASE)
_LONGEST_NOTE = 700


class UnsetError(Exception):
    """A variable that an address or a header names is not set."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)


def prepare(kinds: Collection[str]) -> None:
    """Import what takes long before any channel's time begins."""
    if "apprise" in kinds:
        # Its first address makes it load all its plugins.
        importlib.import_module("apprise").Apprise.instantiate("json://localhost")


def filled(text: str, environment: Mapping[str, str], *, in_url: bool = False) -> str:
    """``text`` with each ``$NAME`` replaced.

    + in_url: whether what is a part of an address is encoded for it

    Raises ``UnsetError`` for a variable that is not set, or empty.
    """

    def value(found: re.Match[str]) -> str:
        name = found["bare"] or found["braced"]
        if not environment.get(name):
            raise UnsetError(name)
        is_part = in_url and found[0] != text
        return quote(environment[name], safe="") if is_part else environment[name]

    return _VARIABLE.sub(value, text)


def reason_of(error: BaseException, seconds: float) -> str:  # noqa: PLR0911 - one line for each kind
    """Why it could not be sent, in words that hold no part of an address."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(error, urllib.error.HTTPError):
        if 300 <= error.code < 400:
            return f"it answered HTTP {error.code}, a redirect, which is not followed: name the final URL"
        return f"it answered HTTP {error.code}"
    if isinstance(cause, UnsetError):
        return f"the variable {cause.name} is not set where Miyabi runs"
    if isinstance(cause, TimeoutError | subprocess.TimeoutExpired):
        return f"no answer within {seconds:g} s"
    if isinstance(cause, socket.gaierror):
        return "its name is not known"
    if isinstance(cause, ssl.SSLError):
        return f"TLS trouble ({getattr(cause, 'verify_message', '') or 'no common ground'})"
    if isinstance(cause, http.client.HTTPException):
        return "what it answers is no HTTP"
    if isinstance(cause, OSError):
        return _system_reason(cause)
    if isinstance(cause, ValueError):
        return "its address, or a header, cannot be used: look at it in inventory/alerts.yaml"
    return f"it failed ({type(cause).__name__})"


def _system_reason(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "refused: nobody listens there"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "it closed the connection"
    return f"it failed ({error.strerror or 'I/O error'})"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect might lead secrets elsewhere, and makes a GET of a POST."""

    @override
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _webhook(job: Job) -> str:
    headers = {name: filled(value, os.environ) for name, value in job["headers"]}
    request = urllib.request.Request(  # noqa: S310 - the schema lets http and https through, and so does the next line
        filled(job["where"], os.environ, in_url=True),
        data=json.dumps(job["json"]).encode(),
        headers={"User-Agent": "miyabi-recovery", "Content-Type": "application/json", **headers},
        method="POST",
    )
    if request.type not in {"http", "https"}:
        raise ValueError("another scheme")
    opener = urllib.request.build_opener(_NoRedirect)
    # What it says beyond its status is not read: it might never end.
    with opener.open(request, timeout=float(job["timeout"])):
        return SENT


# Programs that run right now, to be ended with us.
_programs: list[subprocess.Popen[bytes]] = []


def end_programs() -> None:
    """End what was started and still runs, with all that it has started."""
    for program in _programs:
        if program.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)


def _desktop(job: Job) -> str:
    title, text = job["title"][:120], job["lines"][:_LONGEST_NOTE]
    if found := shutil.which("notify-send"):
        urgency = "critical" if job["type"] == "failure" else "normal"
        command = [found, "--app-name=miyabi", f"--urgency={urgency}", "--", title, text]
    elif found := shutil.which("osascript"):
        script = ("on run argv", "display notification (item 2 of argv) with title (item 1 of argv)", "end run")
        command = [found, *(word for line in script for word in ("-e", line)), title, text]
    else:
        return "neither notify-send nor osascript is installed"
    program = subprocess.Popen(  # noqa: S603 - words, no shell
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    _programs.append(program)
    code = program.wait(float(job["timeout"]))
    name = os.path.basename(command[0])  # noqa: PTH119 - only a word of a message
    return SENT if code == 0 else f"{name} ended with {code}: is there a desktop?"


class _Words(logging.Handler):
    """What apprise logs of one channel, in whose thread it is sent: to be read and thrown away."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.text = ""
        self._thread = threading.get_ident()

    @override
    def emit(self, record: logging.LogRecord) -> None:
        words = record.getMessage()
        # The others tell the address and the text, in which any word may stand.
        is_told = record.levelno >= logging.WARNING or "Exception" in words[:40]
        if record.thread == self._thread and is_told:
            self.text += f"{words}\n"


def _apprise(job: Job) -> str:
    import apprise  # noqa: PLC0415 - only when a channel wants it

    url = filled(job["where"], os.environ, in_url=True)
    words = _Words()
    logger = logging.getLogger("apprise")
    logger.addHandler(words)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    service = apprise.Apprise.instantiate(url, asset=apprise.AppriseAsset(app_id="miyabi"))
    if service is None:
        return "apprise does not understand its URL: look at the scheme and its parts"
    sent = service.notify(
        title=job["title"],
        body=job["text"],
        notify_type=apprise.NotifyType(job["type"]),
        body_format=apprise.NotifyFormat.TEXT,
    )
    return SENT if sent else _apprise_reason(words.text, float(job["timeout"]))


# What apprise's plugins log of a failure, and how it is said here.
_APPRISE_SAID = (
    (re.compile(r"refused", re.IGNORECASE), "refused: nobody listens there"),
    (re.compile(r"timed? ?out", re.IGNORECASE), "no answer within {seconds:g} s"),
    (re.compile(r"resol|name or service|nodename|getaddrinfo", re.IGNORECASE), "its name is not known"),
    (re.compile(r"certificate|ssl", re.IGNORECASE), "TLS trouble"),
    (re.compile(r"reset by peer|aborted", re.IGNORECASE), "it closed the connection"),
)


def _apprise_reason(words: str, seconds: float) -> str:
    if status := _STATUS.search(words):
        return f"it answered HTTP {status[1]}"
    said = (reason.format(seconds=seconds) for pattern, reason in _APPRISE_SAID if pattern.search(words))
    return next(said, "apprise could not deliver it: try its URL with the command apprise -vv")


SENDERS: Mapping[str, Callable[[Job], str]] = {"webhook": _webhook, "desktop": _desktop, "apprise": _apprise}
