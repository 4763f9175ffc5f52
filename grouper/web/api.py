"""``/v1``: the library over HTTP. Every answer is what the call of the library gives.

Personal data stop at the door of the library (``grouper.workbench.door``); nothing is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from grouper.base.errors import UsageError
from grouper.web import known
from grouper.web.asked import Checks
from grouper.workbench import loaded
from grouper.workbench.case import case
from grouper.workbench.search import leads, search

Lang = Literal["zh", "en"]
Name = Annotated[str, Field(min_length=1, max_length=80)]
Names = Annotated[list[Name], Field(max_length=8)]
Text = Annotated[str, Field(max_length=200)]
Kind = Literal["diagnosis", "procedure", "group"]


class _Question(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Share(_Question):
    """What the pool and all funds mostly pay of the total cost, 0 to 1, and who says so."""

    pool: Text
    funds: Text | None = None
    source: Text


class GroupQuestion(_Question):
    """``record``: values by column names of any known layout (docs/records.md), or a 4101 message."""

    record: dict[str, Any]
    schemes: Annotated[list[Name], Field(min_length=1, max_length=8)]
    lang: Lang = "zh"
    stay: Literal["given", "nights", "days"] = "given"


class PriceQuestion(_Question):
    """``when``: the day of the parameters, else the record's day of discharge."""

    record: dict[str, Any]
    policies: Annotated[list[Name], Field(min_length=1, max_length=8)]
    schemes: Names = []
    when: date | None = None
    lang: Lang = "zh"
    hospital: dict[str, Any] | None = None
    funds: Share | None = None
    what_if: Annotated[dict[Text, Text], Field(max_length=50)] = {}
    stay: Literal["given", "nights", "days"] = "given"


class CaseQuestion(PriceQuestion):
    """As for a price; schemes, policies or both."""

    policies: Names = []
    alternatives: bool = True


class CheckQuestion(_Question):
    """``policy``: its area's rules apply, and corrections get their difference in yuan."""

    record: dict[str, Any]
    scheme: Name
    policy: Name | None = None
    when: date | None = None
    lang: Lang = "zh"


class Problem(BaseModel):
    """What is wrong, in the language of the server, in Chinese and in English."""

    error: str
    zh: str
    en: str


_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": text}
    for status, text in {
        400: "The body cannot be read",
        401: "No token",
        403: "Sent by a page of another site",
        404: "No such scheme, policy or code",
        413: "The body is too large",
        422: "The question is not as the schema says, or cannot be answered",
        429: "Too many requests",
    }.items()
}
router = APIRouter(prefix="/v1", tags=["v1"], responses=_PROBLEMS)


@router.post("/group")
def group(question: GroupQuestion) -> dict[str, Any]:
    """The group of a record by each scheme, without its explanation and without money."""
    found = _case(question.record, question.schemes, (), lang=question.lang, stay=question.stay)
    short = [{k: v for k, v in one.items() if k != "explanation"} for one in found["schemes"]]
    return {"record": found["record"], "missing": found["missing"], "schemes": short,
            "provenance": found["provenance"]}  # fmt: skip


@router.post("/explain")
def explain(question: GroupQuestion) -> dict[str, Any]:
    """The group of a record by each scheme, and why."""
    found = _case(question.record, question.schemes, (), lang=question.lang, stay=question.stay)
    return {name: found[name] for name in ("record", "missing", "schemes", "provenance")}


@router.post("/price")
def price(question: PriceQuestion) -> dict[str, Any]:
    """The payment of a record by each policy, step by step with the clauses."""
    found = _priced(question, alternatives=False)
    return {name: found[name] for name in ("record", "missing", "prices", "provenance")}


@router.post("/case")
def ask(question: CaseQuestion) -> dict[str, Any]:
    """Everything about one record: ``grouper.case`` (docs/case.md)."""
    return _priced(question, alternatives=question.alternatives)


@router.post("/check")
def check(question: CheckQuestion) -> dict[str, Any]:
    """The rules of coding quality over one record: ``grouper check`` (docs/checks.md)."""
    scheme = known.scheme(question.scheme)
    policies = [known.policy(question.policy)] if question.policy else []
    found = case(
        question.record, [scheme], policies, question.when, lang=question.lang, alternatives=False
    )  # fmt: skip
    told = Checks.of(found, scheme, policies, question.lang)
    if told.problem:
        raise UsageError(zh=told.problem, en=told.problem)
    return {"findings": told.findings, "passed": told.passed, "not_evaluated": told.not_evaluated,
            "provenance": found.provenance}  # fmt: skip


@router.get("/search")
def find(
    q: Annotated[str, Query(max_length=60)],
    scheme: Annotated[str | None, Query(max_length=80)] = None,
    kind: Annotated[list[Kind] | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
    lang: Lang = "zh",
) -> dict[str, Any]:
    """Codes and groups by code, name, pinyin and initials: ``grouper.search``."""
    named = known.scheme(scheme) if scheme else None
    kinds = tuple(dict.fromkeys(kind or ("diagnosis", "procedure", "group")))
    return search(q, named, kinds=kinds, limit=limit, lang=lang)


@router.get("/leads")
def lead(
    code: Annotated[str, Query(min_length=1, max_length=60)],
    scheme: Annotated[str, Query(max_length=80)],
    lang: Lang = "zh",
) -> dict[str, Any]:
    """The groups that ask for a code, and at which place of the record: ``grouper.leads``."""
    return leads(code, known.scheme(scheme), lang=lang)


@router.get("/schemes")
def schemes() -> list[dict[str, Any]]:
    """The shipped schemes: ``grouper tables list --json``."""
    return list(known.schemes())


@router.get("/policies")
def policies() -> list[dict[str, Any]]:
    """The shipped policies: ``grouper policy list --json``."""
    return list(known.policies())


def _priced(question: PriceQuestion, *, alternatives: bool) -> dict[str, Any]:
    funds = question.funds
    return _case(
        question.record, question.schemes, question.policies, question.when, lang=question.lang,
        hospital=question.hospital, stay=question.stay, what_if=question.what_if or None,
        funds=funds.model_dump(exclude_none=True) if funds else None, alternatives=alternatives,
    )  # fmt: skip


def _case(
    record: Any, schemes: Sequence[str], policies: Sequence[str], when: date | None = None, **given: Any
) -> dict[str, Any]:
    named = [known.scheme(name) for name in schemes]
    given.setdefault("alternatives", False)
    return case(record, named, [known.policy(name) for name in policies], when, **given).as_dict()


def warm() -> None:
    """Loads what the case page first asks for, so that the first question does not wait."""
    from grouper.web.asked import DEFAULT_COLUMNS

    known.schemes(), known.policies()
    for name in DEFAULT_COLUMNS:
        loaded.scheme(name)
    search("ngs", DEFAULT_COLUMNS[0])
