"""Coming in and going out: the password, the token; and forms that bring the sign of their session."""

from __future__ import annotations

import hmac
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from fastapi import APIRouter, HTTPException
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from grouper.web.guard import cookie_name, refusal
from grouper.web.render import Pages
from grouper.web.sessions import Buckets, Session
from grouper.web.settings import Settings

_TRIES = Buckets(rate=5 / 60, burst=5)  # of passwords, by address
_LONGEST = 1_000


def hashed(password: str) -> str:
    """The argon2id hash of a password, as the password file holds it."""
    return PasswordHasher().hash(password)


def shown(settings: Settings, given: str) -> bool:
    """Whether what was shown is the token or the password."""
    if len(given) > _LONGEST:
        return False
    if settings.token and hmac.compare_digest(given.encode("utf-8", "replace"), settings.token.encode()):
        return True
    if not settings.password:
        return False
    try:
        return PasswordHasher().verify(settings.password, given)
    except (Argon2Error, InvalidHashError):
        return False


async def signed_form(request: Request) -> FormData:
    """The form of a request. Raises 403 unless it brings the sign of its session, as a field or a header."""
    session: Session | None = request.state.session
    given = request.headers.get("x-csrf-token", "")
    if session is None or (given and not session.signed(given)):
        raise HTTPException(403, refusal(403, "en"))
    form = await request.form(max_files=0, max_fields=1_000)
    if not given and not session.signed(str(form.get("csrf", ""))):
        raise HTTPException(403, refusal(403, "en"))
    return form


def routes(pages: Pages) -> APIRouter:
    """``/login`` and ``/logout``."""
    router = APIRouter(include_in_schema=False)
    settings, sessions = pages.settings, pages.sessions

    @router.get("/login")
    def login_page(request: Request) -> Response:
        return pages.show(request, "login.html", wrong=False)

    @router.post("/login")
    async def login(request: Request) -> Response:
        form = await signed_form(request)
        client = request.client.host if request.client else ""
        if not _TRIES.take(client):
            raise HTTPException(429, refusal(429, "en"))
        if not await _in_thread(shown, settings, str(form.get("secret", ""))):
            return pages.show(request, "login.html", 403, wrong=True)
        sessions.end(request.state.session_key)
        key, _ = sessions.begin(inside=True, lang=pages.lang(request))
        response = RedirectResponse("/", 303)
        pages.keep(response, key)
        return response

    @router.post("/logout")
    async def logout(request: Request) -> Response:
        await signed_form(request)
        sessions.end(request.state.session_key)
        response = RedirectResponse("/login" if settings.locked else "/", 303)
        response.delete_cookie(cookie_name(settings))
        return response

    return router


async def _in_thread(function: Any, *given: Any) -> Any:
    from starlette.concurrency import run_in_threadpool

    return await run_in_threadpool(function, *given)
