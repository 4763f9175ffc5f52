"""The application: pages, API, and the guard before both."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from grouper.base.errors import GrouperError
from grouper.base.version import VERSION
from grouper.web import api, browse_page, case_page, door
from grouper.web.guard import API, Guard, refusal
from grouper.web.known import Unknown
from grouper.web.render import HERE, Pages
from grouper.web.sessions import Sessions
from grouper.web.settings import Settings

_ABOUT = (
    "DRG/DIP 分组与医保支付计算，与程序库相同。个人信息不进入，不保存病例。 / "
    "DRG and DIP grouping and payment, the same as the library. Personal data stop at the door; "
    "no case is stored."
)
_NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
_NO_PAGE = ("没有这个页面", "there is no such page")
_FAULT = (
    "软件缺陷；日志中有一行说明，没有病例内容",
    "a fault of the software; the log has one line of it, without the case",
)


def create_app(settings: Settings, *, warm: bool = True) -> ASGIApp:
    """The server as an ASGI application. ``warm``: load at start what the first page asks for."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        if warm:
            threading.Thread(target=api.warm, name="warm", daemon=True).start()
        yield

    inner = FastAPI(
        title="grouper", version=VERSION, description=_ABOUT, lifespan=life,
        openapi_url="/v1/openapi.json", docs_url=None, redoc_url=None, telemetry=_NO_TELEMETRY,
    )  # fmt: skip
    sessions = Sessions()
    pages = Pages(settings, sessions)
    inner.mount("/static", StaticFiles(directory=HERE / "static"), "static")
    for router in (door.routes(pages), case_page.routes(pages), browse_page.routes(pages), api.router):
        inner.include_router(router)
    _errors(inner, pages)
    return Guard(inner, settings, sessions)


def _errors(app: FastAPI, pages: Pages) -> None:
    """Errors as JSON for the API and for parts of pages, as pages for people; both languages, never a value
    of the request."""

    def told(request: Request, status: int, zh: str, en: str) -> Response:
        lang = pages.lang(request)
        text = en if lang == "en" else zh
        if request.url.path.startswith(API) or request.headers.get("hx-request"):
            return JSONResponse({"error": text, "zh": zh, "en": en}, status)
        return pages.show(request, "error.html", status, status=status, message=text)

    @app.exception_handler(GrouperError)
    async def known_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, GrouperError)
        return told(request, 404 if isinstance(error, Unknown) else 422, error.zh, error.en)

    @app.exception_handler(RequestValidationError)
    async def not_as_told(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        problems = error.errors()
        if any(each["type"] == "json_invalid" for each in problems):
            return told(request, 422, "内容不是 JSON", "the body is no JSON")
        places = "、".join(dict.fromkeys(_place(each["loc"]) for each in problems[:5]))
        return told(
            request, 422, f"不符合接口说明：{places}", f"not as the schema says: {places.replace('、', ', ')}"
        )

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code in (404, 405):
            response = told(request, error.status_code, *_NO_PAGE)
        else:
            status = error.status_code
            response = told(request, status, refusal(status, "zh"), refusal(status, "en"))
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(Exception)
    async def fault(request: Request, error: Exception) -> Response:
        return told(request, 500, *_FAULT)


def _place(loc: Any) -> str:
    """Where in a question something is wrong: names of the schema, and of what was given at most 40 signs."""
    return ".".join(str(part)[:40] for part in loc[1:] or loc).encode("utf-8", "replace").decode()
