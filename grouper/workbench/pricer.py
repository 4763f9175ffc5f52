"""One record under one policy: what it would be paid, as far as its columns tell, and what they lack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any

from grouper.base.errors import DataError, UsageError
from grouper.base.exact import decimal_of, fraction, half_up
from grouper.payment.explain.explain import withheld
from grouper.payment.explain.row import Gathered, gather
from grouper.payment.policy.policy import Policy
from grouper.payment.price.inputs import GROUPED, INPUTS, sources
from grouper.payment.price.plan import Plan, plan_of
from grouper.records.words import WordReader, word_fields
from grouper.workbench.door import Note

_WITHOUT_LISTS = frozenset({"diagnoses", "procedures"})
_FUNDS = ("pool_paid", "fund_paid")
_SHOWN = 12  # values of a missing column that are tried


@dataclass(frozen=True)
class FundShare:
    """What the pool, and all funds, mostly pay of the total cost: for cases that are not settled yet.

    ``pool``, ``funds``: shares from 0 to 1. ``source``: where they come from, told with every estimate.
    """

    pool: Decimal
    funds: Decimal
    source: str

    @classmethod
    def of(cls, given: Mapping[str, Any] | FundShare) -> FundShare:
        """From ``{"pool": "0.62", "funds": "0.66", "source": "…"}``; without ``funds`` no other fund pays.

        Raises UsageError for a share that is none, or one without a source.
        """
        if isinstance(given, FundShare):
            return given
        pool = decimal_of(given.get("pool"))
        funds = decimal_of(given.get("funds", given.get("pool")))
        source = str(given.get("source") or "").strip()
        if pool is None or funds is None or not 0 <= pool <= funds <= 1 or not source:
            raise UsageError(
                zh="基金支付占比应写为 pool（统筹占总费用，0 至 1）、funds（基金合计，不小于 pool）"
                "和 source（来源）",
                en="the share of the funds has pool (of the total cost, 0 to 1), funds (of all funds, not "
                "less than pool) and source (where it comes from)",
            )
        return cls(pool, funds, source)


@dataclass(frozen=True)
class Priced:
    """The columns of a case with one group. ``lacking``: columns that the policy reads and the record has
    not; ``estimated``: those that were estimated."""

    values: Mapping[str, Any]
    gathered: Gathered
    row: Mapping[str, Any]

    def yuan(self, name: str) -> Decimal | None:
        """An amount of the case; None where it cannot be told."""
        return yuan(self.values.get(name))


@dataclass
class Pricer:
    """A policy on the day of a record. ``given``: its columns that payment reads, whatever its codes."""

    policy: Policy
    day: date
    given: Mapping[str, Any]
    funds: FundShare | None = None
    notes: list[Note] = field(default_factory=list)
    _base: Gathered | None = None

    @cached_property
    def plan(self) -> Plan:
        return plan_of(self.policy, self.day)

    @cached_property
    def known(self) -> dict[str, Any]:
        """The columns with their words read and what is estimated; words that nobody knows are left out."""
        found = dict(self.given)
        for name in word_fields():
            text = found.get(name)
            if isinstance(text, str):
                parsed = WordReader(name, self.plan.words.get(name, ()))(text)
                found[name] = parsed.value
                if parsed.bad:
                    known = WordReader(name, self.plan.words.get(name, ())).known()
                    self.notes.append(
                        Note(
                            "word", name, f"“{text}”无法识别；可用：{known}", f"{text!r} is unknown: {known}"
                        )
                    )
        return found | {name: value for name, (value, _) in self.estimates.items()}

    @cached_property
    def estimates(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Columns of the funds that the record lacks, estimated: value and share of the total cost."""
        total = decimal_of(str(self.given.get("total_cost")))
        if self.funds is None or total is None or total <= 0:
            return {}
        shares = dict(zip(_FUNDS, (self.funds.pool, self.funds.funds), strict=True))
        read = {n for n in _FUNDS if self.given.get(n) is None}
        found = {n: (half_up(total * shares[n], 2), shares[n]) for n in shares if n in read}
        pool = decimal_of(str(self.given.get("pool_paid")))
        if pool is not None and "fund_paid" in found and found["fund_paid"][0] < pool:
            found["fund_paid"] = (pool, shares["fund_paid"])  # all funds pay no less than the pool
        return found

    def price(self, record: Mapping[str, Any], result: Mapping[str, Any]) -> Priced:
        """The case with the lists of ``record`` and a ``result`` of grouping."""
        grouped = {name: result[name] for name in GROUPED if name in result}
        group = next((result[name] for name in sources("group") if result.get(name)), None)
        lists = {name: record.get(name) or [] for name in _WITHOUT_LISTS}
        own = {**lists, **grouped, "group": group}
        if not lists["diagnoses"]:
            return self._priced(self._gathered(own), {**self.known, **own})
        if self._base is None:
            self._base = self._gathered(own)
        own["principal"] = lists["diagnoses"][0]  # all else is the same, however the codes are arranged
        gathered = replace(self._base, row={**self._base.row, **own})
        return self._priced(gathered, {**self.known, **own})

    def _gathered(self, own: Mapping[str, Any]) -> Gathered:
        try:
            return gather(self.policy, self.plan.steps, {**self.known, **own}, None, partial=True)
        except DataError:  # a column that is no number, though the door took it for one
            return gather(self.policy, self.plan.steps, own, None, partial=True)

    def _priced(self, gathered: Gathered, row: Mapping[str, Any]) -> Priced:
        values = self.plan.values(gathered.row)
        values |= dict.fromkeys(withheld(self.plan.steps, gathered.lacking))
        return Priced(values, gathered, row)

    def deciding(self, priced: Priced) -> Iterator[tuple[str, list[tuple[Any, Priced]]]]:
        """The missing words and whole numbers on which the payment hangs: each with the values by which it
        would be another."""
        same = _outcome(priced)
        for name in priced.gathered.lacking:
            if INPUTS[name].kind not in ("text", "int", "flag"):
                continue
            found = []
            tried = (True, False) if INPUTS[name].kind == "flag" else self.plan.asked.get(name, ())
            for value in tried[:_SHOWN]:
                if isinstance(value, int) and not isinstance(value, bool) and value < 0:
                    continue
                row = {**priced.gathered.row, name: value}
                other = self._priced(
                    Gathered(row, priced.gathered.assumed, None, True, _less(priced.gathered.lacking, name)),
                    row,
                )
                if _outcome(other) != same:
                    found.append((value, other))
            yield name, found

    def limits(self, priced: Priced) -> dict[str, Decimal]:
        """The total cost in yuan at which a case of this group becomes low, high or extreme."""
        if priced.values.get("method") != "group":
            return {}
        row = {**priced.gathered.row, **priced.values}
        taken = sum(
            (fraction(row.get(name)) or Fraction(0) for name in ("unreasonable_cost", "new_technology_cost")),
            Fraction(0),
        )
        found = {name: expr.value(row) for name, expr in self.plan.limits.items()}
        return {name: half_up(value + taken, 2) for name, value in found.items() if value}


def _outcome(priced: Priced) -> tuple[Any, ...]:
    return tuple(priced.values.get(name) for name in ("pool", "route", "method", "amount", "fund_due"))


def _less(names: Sequence[str], name: str) -> tuple[str, ...]:
    return tuple(each for each in names if each != name)


def yuan(value: Any) -> Decimal | None:
    """A number of a case as yuan with fen; None for what is none."""
    number = fraction(value) if not isinstance(value, str | bool) else None
    return None if number is None else half_up(number, 2)
