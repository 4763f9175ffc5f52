"""The same record arranged otherwise: to check how it is coded, never advice to code higher.

Only what the record holds is rearranged and priced. A specific code in the place of a grey one, a
complication that only the principal diagnosis excludes, and codes that are not recorded, have a group and
no amount.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grouper.codes import icd
from grouper.grouping.family import family
from grouper.payment.policy import words
from grouper.workbench.grouped import Grouping
from grouper.workbench.plain import plain_value, plain_yuan
from grouper.workbench.pricing import Pricing

LABEL = (
    "供核对主要诊断、主要手术操作和编码是否选对，不是调高编码的建议；金额只由记录中已有的内容重排得出",
    "to check the choice of principal diagnosis, main procedure and codes; never advice to code higher. "
    "Amounts come only from rearranging what the record holds",
)
_MOST = {"principal": 40, "main": 40, "sibling": 60}


@dataclass(frozen=True)
class _Change:
    """``record``: the codes arranged otherwise. ``priced``: whether they are those of the record itself."""

    kind: str
    code: str
    of: str
    record: Mapping[str, Any]
    priced: bool
    zh: str
    en: str


@dataclass
class _Told:
    """One alternative with its groups by scheme and amounts by policy."""

    change: _Change
    groups: list[dict[str, Any]] = field(default_factory=list)
    prices: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self, lang: str) -> dict[str, Any]:
        return {
            "kind": self.change.kind,
            "code": self.change.code,
            "name": _name(self.change.code),
            "of": self.change.of or None,
            "text": self.change.en if lang == "en" else self.change.zh,
            "schemes": self.groups,
            "prices": self.prices,
        }


def alternatives_of(
    groupings: Mapping[str, Grouping], pricings: Sequence[Pricing], lang: str
) -> dict[str, Any]:
    """The alternatives of a record, in the order of its codes; ``left_out``: those beyond the most told."""
    found: dict[tuple[str, str, str], _Told] = {}
    left_out = 0
    lacks: list[dict[str, Any]] = []
    for id_, grouping in groupings.items():
        if grouping.explained is None or grouping.result.get("status") == "invalid":
            continue
        details = grouping.details(lang)
        changes, more = _changes(grouping, details)
        left_out += more
        mine = [p for p in pricings if p.scheme == id_]
        results = grouping.arranged([change.record for change in changes]) if changes else []
        for change, result in zip(changes, results, strict=True):
            told = found.setdefault((change.kind, change.code, change.of), _Told(change))
            if any(group["scheme"] == id_ for group in told.groups):
                continue  # the same code twice in the record
            told.groups.append(_group(grouping, result))
            told.prices += [_price(pricing, change, result, lang) for pricing in mine]
        for miss in details["near"]:
            if miss["kind"] == "excluded":
                told = _excluded(miss)
                told = found.setdefault((told.change.kind, told.change.code, told.change.of), told)
                told.groups.append(_near(id_, miss))
                told.prices += [_weight(pricing, str(miss["group"])) for pricing in mine]
            elif miss["kind"] != "main" and miss["kind"] != "grey":
                lacks.append(
                    {"scheme": id_, "group": miss["group"], "name": miss["name"], "text": miss["text"]}
                )
    return {
        "label": LABEL[lang == "en"],
        "items": [told.as_dict(lang) for told in found.values()],
        "missing": lacks,
        "left_out": left_out,
    }


def _changes(grouping: Grouping, details: Mapping[str, Any]) -> tuple[list[_Change], int]:
    prepared = grouping.prepared
    by_kind = {
        "principal": list(_first(prepared, "diagnoses", "principal", "主要诊断", "the principal diagnosis")),
        "main": list(_first(prepared, "procedures", "main", "主要手术操作", "the main procedure")),
        "sibling": list(_siblings(prepared, details)),
    }
    more = sum(max(0, len(changes) - _MOST[kind]) for kind, changes in by_kind.items())
    return [change for kind, changes in by_kind.items() for change in changes[: _MOST[kind]]], more


def _first(prepared: Mapping[str, Any], column: str, kind: str, zh: str, en: str) -> Iterator[_Change]:
    """Each other code of a list as its first; the one that was first stands second."""
    codes = list(prepared.get(column) or [])
    seen = set(codes[:1])
    for place, code in enumerate(codes):
        if place == 0 or not (code or "").strip() or code in seen:
            continue
        seen.add(code)
        order = [code, *codes[:place], *codes[place + 1 :]]
        told = f"{code} {_name(code)}".strip()
        yield _Change(
            kind, code, codes[0] or "", {**prepared, column: order}, True,
            f"以 {told} 为{zh}", f"{told} as {en}",
        )  # fmt: skip


def _siblings(prepared: Mapping[str, Any], details: Mapping[str, Any]) -> Iterator[_Change]:
    """The specific codes of the subcategory in the place of a code that the scheme does not use."""
    for step in details["codes"]:
        column = "diagnoses" if step["kind"] == "diagnosis" else "procedures"
        codes = list(prepared.get(column) or [])
        for other in step["instead"]:
            order = [other["code"] if code == step["raw"] else code for code in codes]
            told = f"{other['code']} {_name(other['code'])}".strip()
            yield _Change(
                "sibling", other["code"], step["code"], {**prepared, column: order}, False,
                f"{step['code']} 改为同一亚目的具体编码 {told}（须有病历依据）",
                f"{told}, a specific code of its subcategory, in the place of {step['code']} "
                "(if the chart says so)",
            )  # fmt: skip


def _excluded(miss: Mapping[str, Any]) -> _Told:
    code, of = str(miss["code"]), str(miss["of"])
    return _Told(_Change("excluded", code, of, {}, False, str(miss["text"]), str(miss["text"])))


def _group(grouping: Grouping, result: Mapping[str, Any]) -> dict[str, Any]:
    kind = family(grouping.grouper.engine.kind)
    same = result[kind.GROUP] == grouping.result[kind.GROUP] and result["status"] == grouping.result["status"]
    return {
        "scheme": grouping.grouper.id,
        "status": result["status"],
        "reason": result["reason"],
        "group": result[kind.GROUP] or None,
        "group_name": result[kind.GROUP_NAME] or None,
        "same": same,
    }


def _near(scheme: str, miss: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "scheme": scheme, "status": "grouped", "reason": "grouped", "group": miss["group"],
        "group_name": miss["name"], "same": False,
    }  # fmt: skip


def _price(pricing: Pricing, change: _Change, result: Mapping[str, Any], lang: str) -> dict[str, Any]:
    if pricing.pricer is None or pricing.priced is None:
        return _no_amount(pricing, None)
    priced = pricing.pricer.price(change.record, result)
    weight = priced.values.get("weight") or priced.row.get("score")
    if not change.priced:
        return _no_amount(pricing, plain_value(weight))
    routes = {route.name: (route.zh, route.en) for route in pricing.pricer.policy.routes}
    reason = str(priced.values.get("pay_reason") or priced.values.get("route"))
    if priced.values.get("route") in ("ungrouped", "ambiguous"):
        reason = str(priced.values["route"])  # that it has no group matters more than how it is then paid
    amount, before = priced.yuan("amount"), pricing.priced.yuan("amount")
    return {
        "policy": pricing.id,
        "weight": plain_value(weight),
        "amount": plain_yuan(amount),
        "difference": None if amount is None or before is None else plain_yuan(amount - before),
        "method": priced.values.get("method"),
        "reason_text": words.reason(reason, lang, routes),
        "outlier": priced.values.get("outlier"),
    }


def _weight(pricing: Pricing, group: str) -> dict[str, Any]:
    """The weight of a group that the record does not reach as it is."""
    if pricing.pricer is None:
        return _no_amount(pricing, None)
    return _no_amount(pricing, plain_value(pricing.pricer.plan.lookups.get("weights", (group,), "weight")))


def _no_amount(pricing: Pricing, weight: Any) -> dict[str, Any]:
    return {
        "policy": pricing.id, "weight": weight, "amount": None, "difference": None, "method": None,
        "reason_text": None, "outlier": None,
    }  # fmt: skip


def _name(code: str) -> str:
    return icd.diagnoses().get(code) or icd.procedures_of(icd.EDITIONS[-1]).get(code, "")
