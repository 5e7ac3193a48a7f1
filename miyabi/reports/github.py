"""Asks GitHub what was closed and merged, each repository in bounded time, all at once.

Who asks is ``gh``'s login where there is one, else ``$GITHUB_TOKEN``, else nobody.
"""

from __future__ import annotations

import http.client
import json
import os
import queue
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from typing_extensions import override

from miyabi.delivering import reason_of
from miyabi.reports.closed_work import next_page, question, work_of
from miyabi.reports.report import Missing, RepositoryWork

_PUBLIC = "https://api.github.com"
# Seconds for one repository, with all its pages.
_TIMEOUT = 10.0
_GH_TIMEOUT = 5.0
_MOST_PAGES = 50
_LARGEST = 32 * 1024 * 1024
_PIECE = 65536


@dataclass(frozen=True, slots=True)
class _Login:
    """Who asks: a token, or "" for nobody, and where it comes from in words."""

    token: str
    source: str


class _NotAnsweredError(Exception):
    """GitHub did not answer what was asked; why, in words."""


def read_work(
    repositories: Sequence[str], since: float, timeout: float = _TIMEOUT
) -> tuple[tuple[RepositoryWork, ...], tuple[Missing, ...]]:
    """What was closed and merged in each repository from ``since`` on.

    + repositories: as ``owner/name``
    + timeout: seconds for each

    Returns what was answered, and what was not, with the reason. The address is ``$GITHUB_API_URL``, or GitHub's own.
    """
    base = os.environ.get("GITHUB_API_URL") or _PUBLIC
    if urlsplit(base).scheme not in {"http", "https"}:
        return (), (Missing("GitHub", "the variable GITHUB_API_URL is no address of http or https"),)
    login = _login(base)
    answers: queue.SimpleQueue[tuple[str, RepositoryWork | str]] = queue.SimpleQueue()
    until = time.monotonic() + timeout
    for each in dict.fromkeys(repositories):
        # One that is kept waiting byte by byte is left behind when its time is over.
        threading.Thread(target=_ask, args=(base, each, since, login, until, answers), daemon=True).start()
    found: dict[str, RepositoryWork | str] = {}
    while len(found) < len(set(repositories)):
        try:
            name, answer = answers.get(timeout=max(0.0, until + 0.5 - time.monotonic()))
        except queue.Empty:
            break
        found[name] = answer
    late = f"no answer within {timeout:g} s"
    told = [(each, found.get(each, late)) for each in dict.fromkeys(repositories)]
    return (
        tuple(answer for _, answer in told if isinstance(answer, RepositoryWork)),
        tuple(Missing(f"GitHub: {name}", answer) for name, answer in told if isinstance(answer, str)),
    )


def _login(base: str) -> _Login:
    host = urlsplit(base).hostname or ""
    if (program := shutil.which("gh")) is not None and (token := _token_of(program, host)):
        return _Login(token, "gh's login")
    token = os.environ.get("GITHUB_TOKEN", "")
    return _Login(token, "$GITHUB_TOKEN") if token else _Login("", "nobody: log in with gh, or set $GITHUB_TOKEN")


def _token_of(program: str, host: str) -> str:
    """The token of gh's own login to that host, and to no other; "" is none."""
    try:
        done = subprocess.run(  # noqa: S603 - words, no shell
            [program, "auth", "token", "--hostname", "github.com" if host == "api.github.com" else host],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_GH_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    token = done.stdout.decode(errors="replace").strip()
    return token if done.returncode == 0 and token.isascii() and token.isprintable() and " " not in token else ""


def _ask(  # noqa: PLR0913, PLR0917 - a thread's own arguments
    base: str,
    repository: str,
    since: float,
    login: _Login,
    until: float,
    answers: queue.SimpleQueue[tuple[str, RepositoryWork | str]],
) -> None:
    seconds = until - time.monotonic()
    answer: RepositoryWork | str
    try:
        answer = work_of(repository, _pages(base, question(repository, since), login, until))
    except (_NotAnsweredError, ValueError) as error:
        answer = str(error)
    except (OSError, http.client.HTTPException) as error:
        answer = reason_of(error, round(seconds))
    answers.put((repository, answer))


def _pages(base: str, path: str, login: _Login, until: float) -> list[Any]:
    """All that was answered, page after page."""
    opener = urllib.request.build_opener(_SameServer)
    address: str | None = f"{base.rstrip('/')}/{path}"
    found: list[Any] = []
    for _ in range(_MOST_PAGES):
        if address is None:
            return found
        body, link = _page(opener, address, login, until)
        try:
            told = json.loads(body)
        except (ValueError, RecursionError):
            raise _NotAnsweredError("what it answered is no JSON") from None
        if not isinstance(told, list):
            raise _NotAnsweredError("what it answered are no issues")
        found += told
        address = _further(address, next_page(link))
    raise _NotAnsweredError(f"it has more than {_MOST_PAGES} pages of what was closed since then")


def _page(opener: urllib.request.OpenerDirector, address: str, login: _Login, until: float) -> tuple[bytes, str]:
    headers = {"User-Agent": "miyabi-recovery", "Accept": "application/vnd.github+json"}
    if login.token:
        headers["Authorization"] = f"Bearer {login.token}"
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - http and https alone, see read_work
    try:
        with opener.open(request, timeout=max(0.1, until - time.monotonic())) as answer:
            return _body(answer, until), answer.headers.get("Link", "")
    except urllib.error.HTTPError as error:
        with error:
            raise _NotAnsweredError(_refused(error, login)) from None


def _body(answer: http.client.HTTPResponse, until: float) -> bytes:
    body = bytearray()
    while piece := answer.read1(_PIECE):
        body += piece
        if len(body) > _LARGEST:
            raise _NotAnsweredError("it answers without end")
        if time.monotonic() > until:
            raise TimeoutError
    return bytes(body)


def _refused(error: urllib.error.HTTPError, login: _Login) -> str:
    """What an error of GitHub's means, and what to do."""
    if error.code in {403, 429} and (error.headers.get("X-RateLimit-Remaining") == "0" or error.code == 429):
        return f"GitHub lets nobody ask more for now (rate limit; asked as {login.source})"
    if error.code in {401, 403}:
        return f"it refused (HTTP {error.code}; asked as {login.source})"
    if error.code == 404:
        return f"there is no such repository, or it is not ours to see (HTTP 404; asked as {login.source})"
    if 300 <= error.code < 400:
        return "it was moved to another server, which is not followed: name its new place"
    return f"it answered HTTP {error.code}"


def _further(address: str, following: str | None) -> str | None:
    """The next page's address; one on another server would lead the token elsewhere."""
    if following is None:
        return None
    there = urljoin(address, following)
    if urlsplit(there)[:2] != urlsplit(address)[:2]:
        raise _NotAnsweredError("its next page is on another server, which is not followed")
    return there


class _SameServer(urllib.request.HTTPRedirectHandler):
    """Follows a repository that was renamed, and nothing that leads the token to another server."""

    @override
    def redirect_request(self, req: urllib.request.Request, *args: Any, **named: Any) -> urllib.request.Request | None:
        where = str(named.get("newurl", args[-1] if args else ""))
        if urlsplit(where)[:2] != urlsplit(req.full_url)[:2]:
            return None
        return super().redirect_request(req, *args, **named)
