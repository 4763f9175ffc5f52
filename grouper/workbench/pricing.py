"""The payment of the record by one policy as plain data: steps, clauses, limits, profit and loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any

from grouper.base.exact import decimal_of, half_up
from grouper.payment.explain.explain import explain_values
from grouper.payment.explain.explanation import Clause, Line, PaymentExplanation
from grouper.payment.formula.expression import Field, Number, walk
from grouper.payment.formula.predicates import Compare
from grouper.payment.policy import words
from grouper.payment.policy.policy import Policy
from grouper.payment.price.gated import NOT_IN_FORCE, WAITING
from grouper.payment.price.inputs import INPUTS
from grouper.workbench.missing import Missing
from grouper.workbench.plain import label_of, plain_value, plain_yuan
from grouper.workbench.pricer import Priced, Pricer, yuan

_AMOUNTS = ("amount", "fund_due", "person_paid", "other_funds", "income")
_LIMITS = {
    "low": ("低倍率界限", "limit of low outliers"),
    "high": ("高倍率界限", "limit of high outliers"),
    "extreme": ("极高倍率界限", "limit of extreme outliers"),
}


@dataclass(frozen=True)
class Pricing:
    """A policy and what came of it; without a ``pricer``, the ``reason`` why there is no price."""

    name: str
    policy: Policy | None
    pricer: Pricer | None
    scheme: str | None
    reason: str
    priced: Priced | None = None

    @property
    def id(self) -> str:
        return self.policy.id if self.policy else self.name

    def explained(self) -> PaymentExplanation | None:
        """The steps in words."""
        if self.pricer is None or self.priced is None:
            return None
        return explain_values(self.pricer.plan, self.priced.gathered, self.priced.values, self.priced.row)

    @cached_property
    def deciding(self) -> dict[str, list[tuple[Any, Priced]]]:
        """The missing columns, each with the values by which the payment would be another."""
        if self.pricer is None or self.priced is None:
            return {}
        return dict(self.pricer.deciding(self.priced))

    def unverified(self) -> list[dict[str, str]]:
        """The parameters of the day that nobody held against the area's own document."""
        if self.policy is None or self.pricer is None:
            return []
        found = []
        for name, parameter in self.policy.parameters.items():
            dated = parameter.on(self.pricer.day)
            if dated is not None and not dated.verified:
                found.append({"name": name, "source": dated.source})
        return found

    def missing(self) -> Iterator[Missing]:
        """What the policy reads and the record lacks."""
        wanted = (f"policy:{self.id}",)
        if self.reason == "no-date":
            yield Missing(
                "discharge_date", wanted, "支付参数按出院日期取", "parameters are those of that day"
            )
        if self.pricer is None or self.priced is None:
            return
        for name in self.priced.gathered.lacking:
            label = label_of(name, "zh"), label_of(name, "en")
            found = self.deciding.get(name, [])
            values = tuple(
                {
                    "policy": self.id,
                    "value": value,
                    "method": other.values.get("method"),
                    "amount": plain_yuan(other.yuan("amount")),
                }
                for value, other in found
            )
            if found:
                zh, en = f"支付取决于{label[0]}", f"the payment hangs on {label[1]}"
            elif INPUTS[name].kind in ("money", "decimal"):
                zh, en = (
                    f"缺{label[0]}，由它得出的金额不能计算",
                    f"amounts that rest on {label[1]} are not known",
                )
            elif name in self.pricer.plan.keys:
                zh = f"支付可能取决于{label[0]}：系数或例均费用按它取值"
                en = f"the payment may hang on {label[1]}: coefficients or means are looked up by it"
            else:
                zh = f"缺{label[0]}；只补上它，本例的支付不变"
                en = f"{label[1]} is missing; by itself it would change nothing here"
            yield Missing(name, wanted, zh, en, values)


def priced_dict(pricing: Pricing, lang: str) -> dict[str, Any]:
    """The price as plain data; keys are always the same (docs/case.md)."""
    policy = pricing.policy
    head = {
        "policy": {
            "id": pricing.id,
            "name": words.pick((policy.name, policy.name_en), lang) if policy else None,
            "area": policy.area if policy else None,
            "digest": policy.digest if policy else None,
            "valid_from": str(policy.valid_from) if policy else None,
            "valid_to": str(policy.valid_to) if policy else None,
        },
        "scheme": pricing.scheme,
    }
    if pricing.pricer is None or pricing.priced is None:
        waits = pricing.reason in (*WAITING, NOT_IN_FORCE, "no-date", "held")
        return head | _nothing("held" if waits else "left", pricing.reason, lang)
    return head | _Told(pricing, pricing.pricer, pricing.priced, lang).as_dict()


def _nothing(status: str, reason: str, lang: str) -> dict[str, Any]:
    return {
        "day": None,
        "status": status,
        "status_text": words.pick(words.STATUSES[status], lang),
        "reason": reason,
        "reason_text": words.reason(reason, lang),
        "group": None, "weight": None, "outlier": None, "outlier_text": None, "ratio": None,
        "amounts": dict.fromkeys((*_AMOUNTS, "standard", "total_cost", "profit", "margin")),
        "points": None, "estimates": [], "hangs_on": [], "limits": [], "days": [], "route": [], "steps": [],
        "notes": [],
    }  # fmt: skip


@dataclass(frozen=True)
class _Told:
    pricing: Pricing
    pricer: Pricer
    priced: Priced
    lang: str

    def as_dict(self) -> dict[str, Any]:
        values, told = self.priced.values, self.pricing.explained()
        assert told is not None
        status, reason = values.get("pay_status"), values.get("pay_reason")
        if status is None:  # the columns of the funds are missing: known but for them
            status, reason = "partial", str(values.get("outlier") or values.get("method") or "")
        outlier = values.get("outlier")
        return {
            "day": str(self.pricer.day),
            "status": status,
            "status_text": words.pick(_STATUSES.get(status, (status, status)), self.lang),
            "reason": reason,
            "reason_text": words.pick(words.OUTLIERS[reason], self.lang)
            if status == "partial" and reason in words.OUTLIERS
            else words.reason(str(reason), self.lang, told.routes),
            "group": values.get("price_group"),
            "weight": plain_value(values.get("weight") or self.priced.row.get("score")),
            "outlier": outlier,
            "outlier_text": words.pick(words.OUTLIERS[outlier], self.lang) if outlier else None,
            "ratio": plain_value(values.get("cost_ratio")),
            "amounts": self.amounts(),
            "points": plain_value(values.get("case_value")) if self.in_points else None,
            "estimates": list(self.estimates()),
            "hangs_on": [
                name
                for name, found in self.pricing.deciding.items()
                if found or name in self.pricer.plan.keys
            ],
            "limits": list(self.limits()),
            "days": list(self.days()),
            "route": [self.clause(clause) for clause in told.clauses],
            "steps": [self.step(line) for line in told.lines],
            "notes": [note[self.lang] for note in told.notes],
        }

    @property
    def in_points(self) -> bool:
        return self.pricer.policy.method != "drg_rate"

    def amounts(self) -> dict[str, str | None]:
        """In yuan. ``standard``: of a normal case of the group. ``profit``: income less total cost;
        ``margin``: amount less total cost, which needs nothing of the funds."""
        found = {name: self.priced.yuan(name) for name in _AMOUNTS}
        total = decimal_of(str(self.priced.row.get("total_cost")))
        found["standard"] = self.standard()
        found["total_cost"] = total
        paid = self.priced.values.get("pay_status") == "paid"
        found["profit"] = _less(found["income"], total) if paid else None
        found["margin"] = _less(found["amount"], total)
        return {name: plain_yuan(value) for name, value in found.items()}

    def standard(self) -> Decimal | None:
        standard = self.priced.values.get("standard")
        if standard is None or not self.in_points:
            return yuan(standard)
        value = self.priced.values.get("point_value")
        return None if value is None else half_up(Fraction(standard) * Fraction(value), 2)

    def estimates(self) -> Iterator[dict[str, str]]:
        for name, (value, share) in self.pricer.estimates.items():
            assert self.pricer.funds is not None
            source = self.pricer.funds.source
            told = (
                f"{label_of(name, 'zh')}未结算，按总费用的 {plain_value(share * 100)}% 估计（{source}）",
                f"{label_of(name, 'en')} is not settled; estimated as {plain_value(share * 100)} % of the "
                f"total cost ({source})",
            )
            yield {"field": name, "value": format(value, ".2f"), "text": words.pick(told, self.lang)}

    def limits(self) -> Iterator[dict[str, Any]]:
        """``distance``: what the total cost may still rise before the limit; below 0 it is beyond it."""
        total = decimal_of(str(self.priced.row.get("total_cost")))
        for kind, limit in self.pricer.limits(self.priced).items():
            yield {
                "kind": kind,
                "text": words.pick(_LIMITS[kind], self.lang),
                "yuan": plain_yuan(limit),
                "distance": plain_yuan(_less(limit, total)),
            }

    def days(self) -> Iterator[dict[str, Any]]:
        """Routes that the stay may open or close, with the days from this stay to their limit."""
        stay = self.priced.row.get("los_days")
        for route in self.pricer.policy.routes:
            if not route.holds(self.pricer.day):
                continue
            for part in walk(route.test):
                is_stay = isinstance(part, Compare) and part.left == Field("los_days")
                if is_stay and isinstance(part, Compare) and isinstance(part.right, Number):
                    limit = int(part.right.amount)
                    yield {
                        "route": route.name,
                        "text": words.pick((route.zh, route.en), self.lang),
                        "sign": part.sign,
                        "limit": limit,
                        "distance": None if stay is None else limit - int(stay),
                    }

    def step(self, line: Line) -> dict[str, Any]:
        return {
            "column": line.column,
            "label": line.label[self.lang],
            "formula": line.formula[self.lang],
            "numbers": line.numbers[self.lang],
            "result": line.result[self.lang],
            "unit": words.unit(line.unit, self.lang),
            "rounded": line.rounded,
            "clauses": [self.clause(clause) for clause in line.clauses],
        }

    def clause(self, clause: Clause) -> dict[str, Any]:
        return {
            "name": clause.name,
            "label": clause.label[self.lang],
            "value": clause.value,
            "source": clause.source,
            "article": clause.article,
            "verified": clause.verified,
            "text": clause.text(self.lang),
        }


_STATUSES: Mapping[str, words.Pair] = {
    **words.STATUSES,
    "partial": ("部分可知（缺基金支付列）", "known in part (columns of the funds are missing)"),
}


def _less(value: Decimal | None, total: Decimal | None) -> Decimal | None:
    return None if value is None or total is None else value - total
