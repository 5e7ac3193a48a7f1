"""What the dashboard answers to which path, and to whom. Pure."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING

from sse_starlette.sse import EventSourceResponse, SendTimeoutError
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from miyabi.dashboard.access import ENTRANCE, HEADERS, Access
from miyabi.dashboard.assets import ASSETS, asset
from miyabi.masking import masked, shown
from miyabi.overview import overview_json

if TYPE_CHECKING:
    from miyabi.dashboard.live import Hub

# Seconds: between two signs of life, for which one that takes nothing is waited for, for which a browser keeps a token.
_HEARTBEAT, _PATIENCE, _REMEMBERED = 15, 10.0, 30 * 86400

# Leads a browser from the URL with the token to the page, as a step of the page's own: a cookie of this kind does not
# come along when another site's link has led here.
_ENTERED = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Miyabi Recovery</title>'
    '<meta http-equiv="refresh" content="0; url=./"><p><a href="./">To the dashboard</a></p></html>'
)


def application(hub: Hub, access: Access, say: Callable[[str], None]) -> ASGIApp:
    """The dashboard as an ASGI application.

    + say: gets a line when something goes wrong in here
    """
    answers = _Answers(hub, access)
    routes = [
        Route(ENTRANCE, answers.page),
        Route("/events", answers.events),
        Route("/static/{name:path}", answers.static),
        Route("/metrics", answers.metrics),
        Route("/api/overview", answers.overview),
        Route("/healthz", answers.health),
    ]
    inner = Starlette(routes=routes)
    # A way that is none leads nowhere: least of all to whatever name the request bears.
    inner.router.redirect_slashes = False
    return _Guard(inner, access, say)


class _Answers:
    def __init__(self, hub: Hub, access: Access) -> None:
        self._hub, self._access = hub, access

    async def page(self, request: Request) -> Response:
        """The page; with the token in the URL, the way to it."""
        token = self._access.token
        if token is not None and "token" in request.query_params:
            answer = HTMLResponse(_ENTERED)
            answer.set_cookie(self._access.cookie, token, _REMEMBERED, httponly=True, samesite="strict")
            return answer
        return HTMLResponse(self._hub.page())

    async def events(self, request: Request) -> Response:
        """What changes, for as long as somebody listens."""
        if self._hub.is_full:
            return PlainTextResponse("too many pages are open: close one\n", 503, {"Retry-After": "30"})
        told = request.headers.get("last-event-id") or request.query_params.get("since", "")
        since = int(told) if told.isascii() and told.isdigit() and len(told) < 16 else -1
        return EventSourceResponse(self._hub.listen(since), ping=_HEARTBEAT, send_timeout=_PATIENCE)

    async def static(self, request: Request) -> Response:
        """A file of the page."""
        name = request.path_params["name"]
        if name not in ASSETS:
            return _nothing()
        content = asset(name)
        tag = f'"{sha256(content).hexdigest()[:32]}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers | {"Content-Type": ASSETS[name]})

    async def metrics(self, request: Request) -> Response:  # noqa: ARG002 - as the others
        """What Prometheus scrapes."""
        from miyabi.metrics import CONTENT_TYPE, exposition  # noqa: PLC0415 - who is never scraped does not pay for it

        overview = self._hub.shown.overview
        return Response(exposition(overview, overview.at), headers={"Content-Type": CONTENT_TYPE})

    async def overview(self, request: Request) -> Response:  # noqa: ARG002
        """All of it, for programs."""
        return Response(overview_json(self._hub.shown.overview), media_type="application/json")

    async def health(self, request: Request) -> Response:  # noqa: ARG002
        """Whether what is shown is up to date."""
        if self._hub.shown.overview.trouble:
            return PlainTextResponse("the history cannot be asked\n", 503)
        return PlainTextResponse("ok\n")


class _Guard:
    """Refuses who may not ask, and closes each answer to what is none of the page's."""

    def __init__(self, inner: ASGIApp, access: Access, say: Callable[[str], None]) -> None:
        self._inner, self._access, self._say = inner, access, say

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        is_begun = False

        async def sent(message: Message) -> None:
            nonlocal is_begun
            if message["type"] == "http.response.start":
                is_begun = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS:
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._answer(scope, receive, sent)
        except (SendTimeoutError, OSError):
            # Who takes nothing is let go.
            pass
        except Exception as error:  # noqa: BLE001 - nobody outside is told more, and the next one is answered
            what = f"{scope['path'][:80]} could not be answered: {type(error).__name__}: {error}"
            self._say(shown(masked(what))[:400])
            if not is_begun:
                await PlainTextResponse("this could not be answered\n", 500)(scope, receive, sent)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = scope["query_string"].decode("latin-1")
        refusal = self._access.refusal(scope["method"], scope["path"], query, scope["headers"])
        if refusal is None:
            await self._inner(scope, receive, send)
            return
        more = {401: {"WWW-Authenticate": "Bearer"}, 405: {"Allow": "GET, HEAD"}}.get(refusal.status, {})
        await PlainTextResponse(f"{refusal.reason}\n", refusal.status, more)(scope, receive, send)


def _nothing() -> Response:
    return PlainTextResponse("there is nothing here\n", 404)
