"""What the case page asks, and what the library answers to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import ImmutableMultiDict

from grouper.base.errors import GrouperError, UsageError
from grouper.checks import checked
from grouper.payment.explain.row import parse_settings
from grouper.web import known
from grouper.web.fields import LINKED, LISTS, MONEY, PATIENT, SHARES
from grouper.workbench import loaded
from grouper.workbench.answer import CaseAnswer
from grouper.workbench.case import case

DEFAULT_COLUMNS = ("chs-drg-2.0", "chs-drg-3.0")
_MOST_CODES = 100
_LONGEST = 200  # characters of a value
_MOST_MORE = 20  # further columns


@dataclass(frozen=True)
class Asked:
    """The form of the case page. ``lists``: codes by "dx" and "proc". ``values``: the other inputs.
    ``columns``: what is shown side by side, each the id of a scheme or of a policy. ``more``: further columns
    of the record, a line each."""

    lists: Mapping[str, list[str]]
    values: Mapping[str, str]
    columns: tuple[str, ...]
    more: str = ""

    @classmethod
    def of(cls, form: ImmutableMultiDict[str, Any]) -> Asked:
        lists = {name: _codes(form.getlist(name)) for name in LISTS}
        names = [each.name for each in (*PATIENT, *MONEY)]
        values = {name: _text(form.get(name)) for name in names}
        chosen = [_text(form.get(name)) for name in ("a", "b")]
        columns = tuple(dict.fromkeys(name for name in chosen if name))
        return cls(lists, values, columns or DEFAULT_COLUMNS, _text(form.get("more"), 2_000))

    @property
    def empty(self) -> bool:
        return not any(code for codes in self.lists.values() for code in codes)

    def record(self) -> dict[str, Any]:
        """Raises UsageError for further columns that are not NAME=VALUE."""
        lines = [line.strip() for line in self.more.splitlines() if line.strip()]
        given = {name: value for name, value in self.values.items() if value and name not in SHARES}
        codes = {column: self.lists[name] for name, column in LISTS.items()}
        try:
            return {**codes, **given, **parse_settings(lines[:_MOST_MORE])}
        except UsageError as error:
            raise UsageError(
                zh="其他列应为每行一个 列名=值，例如 hospital_kind=综合",
                en="further columns are one NAME=VALUE a line, such as hospital_kind=general",
            ) from error

    def funds(self) -> dict[str, str] | None:
        if not self.values["pool_share"]:
            return None
        return {"pool": self.values["pool_share"], "source": self.values["share_source"]}

    def link(self) -> str:
        """The query that asks again: codes, sex and age, and what is compared. Nothing else of the record."""
        parts = [(name, code) for name in LISTS for code in self.lists[name] if code]
        parts += [(name, self.values[name]) for name in LINKED if self.values[name]]
        return urlencode([*parts, *zip(("a", "b"), self.columns, strict=False)])


@dataclass(frozen=True)
class Column:
    """One scheme or policy of the answer. ``price``: only of a policy."""

    name: str
    scheme: Mapping[str, Any] | None
    price: Mapping[str, Any] | None


@dataclass(frozen=True)
class Answered:
    """What the page shows: the answer, its columns, and what the rules of coding find."""

    answer: Mapping[str, Any]
    columns: Sequence[Column]
    findings: Sequence[Mapping[str, Any]] = field(default_factory=list)
    passed: int = 0
    not_evaluated: int = 0
    unchecked: str = ""


def answered(asked: Asked, lang: str) -> Answered:
    """Raises UsageError for columns that are not known, and for a share without a source."""
    schemes = [known.scheme(name) for name in asked.columns if "/" not in name]
    policies = [known.policy(name) for name in asked.columns if "/" in name]
    found = case(asked.record(), schemes, policies, lang=lang, funds=asked.funds())
    columns = list(_columns(asked, found))
    told = Checks.of(found, columns[0].scheme["scheme"]["id"] if columns[0].scheme else "", policies, lang)
    return Answered(found.as_dict(), columns, told.findings, told.passed, told.not_evaluated, told.problem)


def _columns(asked: Asked, found: CaseAnswer) -> Iterator[Column]:
    schemes = {scheme["scheme"]["id"]: scheme for scheme in found.schemes}
    prices = {price["policy"]["id"]: price for price in found.prices}
    for name in asked.columns:
        price = prices.get(name)
        scheme = schemes.get(price["scheme"] if price else name)
        yield Column(name, scheme, price)


@dataclass(frozen=True)
class Checks:
    """What the rules of coding quality say of an answered record."""

    findings: list[dict[str, Any]] = field(default_factory=list)
    passed: int = 0
    not_evaluated: int = 0
    problem: str = ""

    @classmethod
    def of(cls, found: CaseAnswer, scheme: str, policies: Sequence[str], lang: str) -> Checks:
        """By the scheme and the first policy that goes by it. The record is that which was understood, so
        that nothing personal goes on."""
        if not scheme:
            return cls()
        fields = found.record["fields"]
        try:
            grouper = loaded.scheme(scheme)
            priced = [p for p in found.prices if p["scheme"] == scheme and p["day"]]
            policy = loaded.policy(priced[0]["policy"]["id"]) if policies and priced else None
            day = date.fromisoformat(priced[0]["day"]) if policy else None
            done = checked(fields, grouper, policy, day, lang=lang)
        except GrouperError as error:
            return cls(problem=error.text(lang))
        return cls(
            [finding.as_dict() for finding in done.findings], len(done.passed), len(done.not_evaluated)
        )


def _codes(values: Sequence[Any]) -> list[str]:
    """Codes in their places: a blank one first is a principal diagnosis that is missing."""
    codes = [_text(value, 80) for value in values[:_MOST_CODES]]
    while codes and not codes[-1]:
        codes.pop()
    return codes


def _text(value: Any, longest: int = _LONGEST) -> str:
    return value.strip()[:longest] if isinstance(value, str) else ""
