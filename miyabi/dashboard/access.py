"""Who may see the dashboard: what a request must be like. Pure.

On loopback whoever is on this machine may. What a page of another site makes a browser ask for is refused: by the name
that it asks for (a name that leads here by somebody else's DNS is none of ours), by its origin, and by what the browser
says of its site. Elsewhere it takes the token, too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from secrets import compare_digest
from urllib.parse import parse_qs

# The one path whose URL may bring the token: the browser keeps it in a cookie from then on.
ENTRANCE = "/"
# What says only whether the server lives.
OPEN = frozenset({"/healthz"})

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
# What each answer is closed with to all that is none of the page's.
HEADERS: tuple[tuple[str, str], ...] = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
)

_OWN = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE | re.ASCII)

_Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not answered, as a status of HTTP and a line of text."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Access:
    """Who may see it.

    + token: what it takes; None is nothing, for loopback alone
    + cookie: the name under which a browser keeps the token
    """

    token: str | None
    cookie: str = "miyabi_dashboard"

    def refusal(self, method: str, path: str, query: str, headers: _Headers) -> Refusal | None:
        """Why a request is refused; None when it may be answered."""
        if method not in {"GET", "HEAD"}:
            return Refusal(405, "nothing can be changed here: only GET and HEAD are answered")
        hosts = _all(headers, b"host")
        if len(hosts) != 1:
            return Refusal(400, "the request names no host, or several")
        if self.token is None and not is_own_name(hosts[0]):
            return Refusal(403, "the dashboard does not answer to this name: ask for localhost or 127.0.0.1")
        if _is_foreign(headers, hosts[0]):
            return Refusal(403, "the dashboard answers to no page of another site")
        if path in OPEN or self.is_known(headers) or self.brings_token(path, query):
            return None
        return Refusal(401, "this takes the token: open the URL that `miyabi dashboard` printed")

    def is_known(self, headers: _Headers) -> bool:
        """Whether a request brings the token in a header, or needs none."""
        if self.token is None:
            return True
        told = [
            each[7:].strip() for each in _all(headers, b"authorization") if each[:7].casefold() == "bearer "
        ] + _cookies(headers, self.cookie)
        return any(_same(each, self.token) for each in told)

    def brings_token(self, path: str, query: str) -> bool:
        """Whether a request brings the token in the URL by which one enters."""
        if self.token is None or path != ENTRANCE:
            return False
        told = parse_qs(query).get("token", []) if len(query) < 4096 else []
        return len(told) == 1 and _same(told[0], self.token)


def is_own_name(host: str) -> bool:
    """Whether a request's host is this machine's own name for itself, whatever the port: it may be forwarded."""
    return _OWN.fullmatch(host) is not None


def _is_foreign(headers: _Headers, host: str) -> bool:
    """Whether a page of another site has made the browser ask."""
    for origin in _all(headers, b"origin"):
        parts = origin.split("://", 1)
        if len(parts) != 2 or parts[0] not in {"http", "https"} or parts[1].casefold() != host.casefold():
            return True
    site = {each.strip() for each in _all(headers, b"sec-fetch-site")}
    if site <= {"same-origin", "none"}:
        return False
    # A link that somebody follows shows the page to him alone.
    return _all(headers, b"sec-fetch-mode") != ["navigate"] or _all(headers, b"sec-fetch-dest") != ["document"]


def _all(headers: _Headers, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in headers if name.lower() == wanted]


def _cookies(headers: _Headers, wanted: str) -> list[str]:
    found = []
    for line in _all(headers, b"cookie"):
        try:
            cookies = SimpleCookie(line)
        except CookieError:
            continue
        if wanted in cookies:
            found.append(cookies[wanted].value)
    return found


def _same(told: str, token: str) -> bool:
    return compare_digest(told.encode(), token.encode())
