"""The case page: codes in, and at once group, weight, payment, checks, path and alternatives."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from grouper.base.errors import GrouperError
from grouper.web import known
from grouper.web.asked import Asked, answered
from grouper.web.door import signed_form
from grouper.web.fields import MONEY, PATIENT
from grouper.web.render import Pages
from grouper.workbench.search import search

_KINDS = {"dx": "diagnosis", "proc": "procedure"}
_SHOWN = 12


def routes(pages: Pages) -> APIRouter:
    """``/`` (the page), ``/case`` (its answer) and ``/codes`` (search as one types)."""
    router = APIRouter(include_in_schema=False)

    def answer(request: Request, asked: Asked, template: str) -> Response:
        lang, found, problem = pages.lang(request), None, ""
        try:
            found = None if asked.empty else answered(asked, lang)
        except GrouperError as error:
            problem = error.text(lang)
        return pages.show(
            request, template, asked=asked, found=found, problem=problem, patient=PATIENT, money=MONEY,
            schemes=known.schemes(), policies=known.policies(),
        )  # fmt: skip

    @router.get("/")
    def page(request: Request) -> Response:
        return answer(request, Asked.of(request.query_params), "case.html")

    @router.post("/case")
    async def ask(request: Request) -> Response:
        asked = Asked.of(await signed_form(request))
        template = "answer.html" if request.headers.get("hx-request") else "case.html"
        return await run_in_threadpool(answer, request, asked, template)

    @router.get("/codes")
    def codes(request: Request, q: str = "", of: str = "dx", scheme: str = "") -> Response:
        lang = pages.lang(request)
        try:
            named = known.scheme(scheme) if scheme in known.scheme_ids() else None
            found = search(q, named, kinds=(_KINDS.get(of, "diagnosis"),), limit=_SHOWN, lang=lang)
        except GrouperError:
            found = {"items": [], "more": False}
        return pages.show(request, "codes.html", found=found)

    return router
