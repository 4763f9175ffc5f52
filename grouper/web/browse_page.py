"""What the server knows: schemes with groups and lists, codes, changes of editions, policies, the API."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from grouper.base.errors import UsageError
from grouper.base.kept import Kept
from grouper.codes import icd
from grouper.grouping.family import family
from grouper.payment.policy import describe
from grouper.web import known
from grouper.web.render import Pages
from grouper.workbench import loaded
from grouper.workbench.search import groups, leads, search

_PARTS = ("mdc", "adrg", "drg", "code", "list")
_FOUND = 60
_CHANGES: Kept[tuple[str, str, str], Sequence[str]] = Kept(16)


def routes(pages: Pages) -> APIRouter:
    """``/browse``, ``/compare``, ``/policies``, ``/api``."""
    router = APIRouter(include_in_schema=False)

    @router.get("/browse")
    def browse(
        request: Request, scheme: str = "chs-drg-2.0", part: str = "", value: str = "", q: str = ""
    ) -> Response:
        lang, name = pages.lang(request), known.scheme(scheme)
        kind = next(row["kind"] for row in known.schemes() if row["id"] == name)
        found = search(q, name, limit=_FOUND, lang=lang) if q.strip() else None
        return pages.show(
            request, "browse.html", scheme=name, kind=kind, schemes=known.schemes(), q=q[:60], found=found,
            tree=_tree(name) if "mdc" in family(kind).PARTS else (), part=part, value=value[:60],
            lines=_lines(name, part, value[:60], lang), lists=_lists(name, part, value[:60]),
            leads=_leads(name, part, value[:60], lang),
        )  # fmt: skip

    @router.get("/compare")
    def compare(request: Request, a: str = "chs-drg-2.0", b: str = "chs-drg-3.0") -> Response:
        lang = pages.lang(request)
        lines = _changes(known.scheme(a), known.scheme(b), lang)
        return pages.show(request, "compare.html", a=a, b=b, lines=lines, schemes=known.schemes())

    @router.get("/policies")
    def policies(request: Request) -> Response:
        return pages.show(request, "policies.html", rows=known.policies())

    @router.get("/policies/{area}/{name}")
    def policy(request: Request, area: str, name: str) -> Response:
        found = loaded.policy(known.policy(f"{area}/{name}"))
        row = next(row for row in known.policies() if row["id"] == found.id)
        lines = list(describe.show(found, pages.lang(request)))
        return pages.show(request, "policy.html", row=row, lines=lines)

    @router.get("/api")
    def api(request: Request) -> Response:
        paths: dict[str, Any] = request.app.openapi()["paths"]
        calls = [
            (verb.upper(), path, call["description"])
            for path, verbs in paths.items()
            for verb, call in verbs.items()
        ]
        return pages.show(request, "api.html", calls=calls)

    return router


def _tree(scheme: str) -> list[dict[str, Any]]:
    """MDC, each with its ADRG, in the order of the scheme."""
    under: dict[str, list[Any]] = defaultdict(list)
    for item in groups(loaded.scheme(scheme)).items:
        under[item.above].append(item)
    return [{"item": item, "adrgs": under[item.code]} for item in under[""]]


def _lines(scheme: str, part: str, value: str, lang: str) -> list[str]:
    """What ``grouper tables show`` says of a part of a scheme. Raises UsageError for one that is none."""
    if part and part not in _PARTS:
        raise UsageError(zh="没有这一部分", en="there is no such part")
    engine = loaded.scheme(scheme).engine
    own = family(engine.kind)
    asked = "code_list" if part == "list" else part
    if asked and asked not in own.PARTS:
        raise UsageError(zh="该目录没有这一部分", en="this catalogue has no such part")
    names = {**icd.diagnoses(), **icd.procedures_of(icd.EDITIONS[-1])}
    return list(own.show(engine.scheme, asked, value, names, lang))


def _lists(scheme: str, part: str, value: str) -> list[str]:
    """The lists of codes of an ADRG or MDC, which bear its name."""
    held = getattr(loaded.scheme(scheme).engine.scheme, "lists", {})
    return sorted(name for name in held if part in ("mdc", "adrg") and name.startswith(f"{value}."))


def _leads(scheme: str, part: str, value: str, lang: str) -> list[dict[str, Any]]:
    return list(leads(value, scheme, lang=lang)["leads"]) if part == "code" else []


def _changes(a: str, b: str, lang: str) -> Sequence[str]:
    """What scheme ``b`` changes against ``a``, in words."""

    def make() -> Sequence[str]:
        before, after = loaded.scheme(a).engine, loaded.scheme(b).engine
        if before.kind != after.kind:
            raise UsageError(
                zh="DRG 方案和 DIP 目录不能比较", en="a DRG scheme and a DIP catalogue cannot be compared"
            )
        own = family(before.kind)
        names = {**icd.diagnoses(), **icd.procedures_of(icd.EDITIONS[-1])}
        return own.in_words(own.diff(before.scheme, after.scheme), names, lang)

    return _CHANGES.get((a, b, lang), make)
