"""How calls to the pretended cloud go wrong.

throttle  EC2 says RequestLimitExceeded, as one who asks too often hears it
error     a fault inside AWS, code 500
expired   the session token is over
denied    the credentials may not do that
wrong     the credentials are nobody's
slow      the answer comes after ``seconds``, and is right
hang      nothing is said for ``seconds``, or until the fault is taken back; then the connection ends
reset     the connection ends at once
answer    what ``code``, ``message`` and ``status`` say
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

_REQUEST = "0f6d1e1c-5a6d-4d58-9a4e-000000000000"

# Kind -> code, message, status: of EC2's query protocol, and of the JSON protocol that Systems Manager speaks.
_EC2 = {
    "throttle": ("RequestLimitExceeded", "Request limit exceeded.", 503),
    "error": ("InternalError", "An internal error has occurred", 500),
    "expired": ("RequestExpired", "Request has expired.", 400),
    "denied": ("UnauthorizedOperation", "You are not authorized to perform this operation.", 403),
    "wrong": ("AuthFailure", "AWS was not able to validate the provided access credentials", 401),
}
_JSON = {
    "throttle": ("ThrottlingException", "Rate exceeded", 400),
    "error": ("InternalServerError", "An error occurred on the server side.", 500),
    "expired": ("ExpiredTokenException", "The security token included in the request is expired", 400),
    "denied": ("AccessDeniedException", "User is not authorized to perform this operation", 400),
    "wrong": ("UnrecognizedClientException", "The security token included in the request is invalid.", 400),
}
_XML = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message>'
    "</Error></Errors><RequestID>{request}</RequestID></Response>"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back.

    + code: of the error; "" is none
    """

    status: int
    body: bytes
    content_type: str = "text/xml;charset=UTF-8"
    code: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one call.

    + key: under which it stands in ``faults.json``
    + times: how often it does; None is for ever
    """

    key: str
    identity: str
    kind: str
    times: int | None = None
    seconds: float = 0.0
    code: str = ""
    message: str = ""
    status: int = 400

    def answer(self, service: str) -> Answer:
        """The error that it is answered with."""
        if self.kind == "answer":
            return error(service, self.code, self.message, self.status)
        table = _EC2 if service == "ec2" else _JSON
        return error(service, *table[self.kind])


@dataclass(slots=True)
class Faults:
    """Which faults there are, and how often each has been.

    + read: reads ``faults.json``
    """

    read: Any
    _seen: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, action: str, region: str) -> Fault | None:
        """What goes wrong with this call; None is nothing."""
        rows = self.read()
        for key in (f"{region}:{action}", action, f"{region}:*", "*"):
            if key in rows and self._is_due(fault := _fault(key, rows[key])):
                return fault
        return None

    def is_in_effect(self, fault: Fault) -> bool:
        """Whether nobody has taken it back."""
        rows = self.read()
        return fault.key in rows and _fault(fault.key, rows[fault.key]).identity == fault.identity

    def _is_due(self, fault: Fault) -> bool:
        with self._lock:
            self._seen[fault.identity] += 1
            return fault.times is None or self._seen[fault.identity] <= fault.times


def _fault(key: str, row: dict[str, Any]) -> Fault:
    identity = str(row.get("id") or json.dumps([key, row], sort_keys=True))
    told = {name: row[name] for name in ("times", "seconds", "code", "message", "status") if name in row}
    return Fault(key, identity, row["kind"], **told)


def error(service: str, code: str, message: str, status: int) -> Answer:
    """An error as EC2, or as a service that speaks JSON, says it."""
    if service == "ec2":
        text = _XML.format(code=escape(code), message=escape(message), request=_REQUEST)
        return Answer(status, text.encode(), code=code)
    body = json.dumps({"__type": code, "message": message, "Message": message}).encode()
    return Answer(status, body, "application/x-amz-json-1.1", code)
