"""What stands before every page and every call: who asks, by which name, how often, how much.

One ASGI layer, so that no route can forget it. It also sets the headers of all answers and writes the one
line of log that a request gets, which has neither query nor body.
"""

from __future__ import annotations

import hmac
import logging
import time
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from grouper.web.sessions import Buckets, Session, Sessions
from grouper.web.settings import Settings

LOG = logging.getLogger("grouper.web")
API = "/v1/"
_SAFE = ("GET", "HEAD", "OPTIONS")
_OPEN = ("/login", "/static/")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_REFUSED = {
    400: ("请求有误", "bad request"),
    401: ("请先登录，或在 Authorization 中给出令牌", "log in, or give the token in Authorization"),
    403: ("表单不是由本页面发出的；请重新打开页面", "the form does not come from this page; open it again"),
    413: ("请求内容太大", "the body of the request is too large"),
    421: ("主机名不是本服务的；可用 --name 增加", "this is not the name of the server; --name adds one"),
    429: ("请求太频繁，请稍候", "too many requests; wait a moment"),
}


def cookie_name(settings: Settings) -> str:
    """Servers on several ports of a machine share its cookies."""
    return f"grouper_{settings.port}"


def refusal(status: int, lang: str) -> str:
    return _REFUSED.get(status, _REFUSED[400])[lang == "en"]


class Guard:
    """``app`` behind the checks. Every request gets ``session`` and ``session_key`` in its state."""

    def __init__(self, app: ASGIApp, settings: Settings, sessions: Sessions) -> None:
        self.app, self.settings, self.sessions = app, settings, sessions
        self.buckets = Buckets(settings.rate, settings.burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1003})
            return
        began, status = time.perf_counter(), 500

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._headed(scope, MutableHeaders(scope=message))
            await send(message)

        try:
            refused = self._refused(scope)
            if refused is not None:
                await refused(scope, receive, sent)
            else:
                await self.app(scope, self._bounded(receive), sent)
        except Exception as error:  # it was answered with 500; its text may hold a value and goes nowhere
            LOG.error("%s at %s", type(error).__name__, where(error))
        finally:
            took = (time.perf_counter() - began) * 1000
            LOG.info("%s %s %d %.0f ms", scope["method"], route_of(scope), status, took)

    # --- may it come in? --------------------------------------------------------------------

    def _refused(self, scope: Scope) -> Response | None:
        """The answer to a request that goes no further."""
        headers = Headers(scope=scope)
        self._join(scope, headers)
        status = self._wrong(scope, headers)
        if status:
            return self._answer(scope, status)
        path: str = scope["path"]
        if self.settings.locked and not path.startswith(_OPEN) and not self._inside(scope, headers):
            if path.startswith(API):
                return self._answer(scope, 401)
            return RedirectResponse("/login", 303)
        return None

    def _wrong(self, scope: Scope, headers: Headers) -> int:
        """The status of what is wrong with a request, 0 for nothing."""
        client = scope.get("client")
        if not self.buckets.take(client[0] if client else ""):
            return 429
        if not self.settings.answers_to(host_of(headers.get("host", ""))):
            return 421
        if scope["method"] not in _SAFE and not _same_origin(headers):
            return 403
        length = headers.get("content-length", "")
        if length and (not length.isdigit() or int(length) > self.settings.body):
            return 413 if length.isdigit() else 400
        return 0

    def _inside(self, scope: Scope, headers: Headers) -> bool:
        session: Session | None = scope["state"]["session"]
        if session is not None and session.inside:
            return True
        kind, _, given = headers.get("authorization", "").partition(" ")
        shown = kind.lower() == "bearer" and given.strip()
        return bool(
            shown
            and self.settings.token
            and hmac.compare_digest(shown.encode("utf-8", "replace"), self.settings.token.encode())
        )

    def _join(self, scope: Scope, headers: Headers) -> None:
        """The session of the request's cookie into its state."""
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            cookies = SimpleCookie()
        found = cookies.get(cookie_name(self.settings))
        key = found.value if found else ""
        state: dict[str, Any] = scope.setdefault("state", {})
        state["session"], state["session_key"] = (self.sessions.get(key) if key else None), key

    def _answer(self, scope: Scope, status: int) -> Response:
        session: Session | None = scope["state"]["session"]
        lang = (session and session.lang) or self.settings.lang
        zh, en = _REFUSED[status]
        headers = {"Retry-After": "2"} if status == 429 else {}
        headers |= {"WWW-Authenticate": "Bearer"} if status == 401 else {}
        told = {"error": en if lang == "en" else zh, "zh": zh, "en": en}
        return JSONResponse(told, status, headers)

    # --- how much it may bring, what goes back ----------------------------------------------

    def _bounded(self, receive: Receive) -> Receive:
        """``receive`` that ends a body which is longer than it said, or said nothing."""
        most, got = self.settings.body, 0

        async def bounded() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > most:
                raise HTTPException(413, refusal(413, "en"))
            return message

        return bounded

    def _headed(self, scope: Scope, headers: MutableHeaders) -> None:
        for name, value in _HEADERS.items():
            headers[name] = value
        headers["Cache-Control"] = "max-age=3600" if scope["path"].startswith("/static/") else "no-store"
        if self.settings.tls:
            headers["Strict-Transport-Security"] = "max-age=31536000"


def route_of(scope: Scope) -> str:
    """The path of the route, as it was declared: what a request put into its path is not in the log."""
    route = scope.get("route")
    return str(getattr(route, "path", "")) or "-"


def where(error: BaseException) -> str:
    """Module and line of a fault."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace else "?"


def host_of(header: str) -> str:
    """The host of a Host header, without its port."""
    header = header.strip().lower()
    if header.startswith("["):
        return header.partition("]")[0] + "]"
    return header.partition(":")[0]


def _same_origin(headers: Headers) -> bool:
    """Whether what changes something was sent by a page of this server, or by no page at all."""
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
