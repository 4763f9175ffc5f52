"""The payment of one case: every step with its formula, its numbers and the clause behind them.

Only what matters for the case is told: steps that the amounts come from, without factors of 1,
amounts of 0 and columns that only carry a value on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from grouper.base.exact import fraction, half_up
from grouper.payment.explain.explanation import Clause, Line, PaymentExplanation
from grouper.payment.explain.row import Gathered, gather
from grouper.payment.formula.cited import Cited, choices
from grouper.payment.formula.expression import (
    ONE,
    ZERO,
    Expr,
    Field,
    Lookup,
    Null,
    Number,
    Rounded,
    Word,
    plain,
    walk,
)
from grouper.payment.formula.simplify import deciding, empty_tested, settle, tests
from grouper.payment.formula.window import Rank
from grouper.payment.policy import pool_names, words
from grouper.payment.policy.legacy_digest import legacy_digest
from grouper.payment.policy.registry import KEYS, PARAMETERS
from grouper.payment.price.causes import cause
from grouper.payment.price.compile import evaluate
from grouper.payment.price.inputs import INPUTS, names_in
from grouper.payment.price.plan import Plan, plan_of
from grouper.payment.price.steps import Step

if TYPE_CHECKING:
    from grouper.payment.policy.parameters import Dated
    from grouper.payment.policy.policy import Policy

LANGS = ("zh", "en")
_ENDS = ("item_difference", "amount", "person_paid", "other_funds", "fund_due", "income")
# Columns of words that are told with the comparisons behind them: their words, and the steps that make them.
_WORDED: dict[str, tuple[Mapping[str, words.Pair], tuple[str, ...]]] = {
    "outlier": (words.OUTLIERS, ("outlier_by_ratio", "outlier")),
    "review_result": (words.REVIEWS, ("review_result",)),
}
_HEAD = ("pool", "route", "method", "pay_status", "pay_reason")


def explain_case(
    policy: Policy,
    row: Mapping[str, Any],
    when: date | None = None,
    *,
    stored: Mapping[str, Any] | None = None,
) -> PaymentExplanation:
    """Explain the payment of a case.

    ``row``: input columns (grouper.payment.price.inputs): amounts as Decimal in yuan or texts of such.
    ``when``: the day whose parameters hold; else the row's pay_date or discharge_date. ``stored``: the
    columns that a priced file has for the case, to compare with.
    Raises UsageError when the policy does not apply on the day, or the row lacks what it reads.
    """
    day = when or day_of(row)
    plan = plan_of(policy, day)
    steps = list(plan.steps)
    gathered = gather(policy, steps, row, stored)
    if gathered.route is not None:
        steps = [replace(s, expr=Word(gathered.route)) if s.name == "route" else s for s in steps]
    values = evaluate(steps, gathered.row, plan.lookups)
    return _explained(policy, day, steps, gathered, values, row, stored or {})


def explain_values(
    plan: Plan, gathered: Gathered, values: Mapping[str, Any], row: Mapping[str, Any]
) -> PaymentExplanation:
    """Explain columns that were computed already, of a case that may be known in part."""
    return _explained(plan.policy, plan.day, plan.steps, gathered, values, row, {})


def _explained(
    policy: Policy,
    day: date,
    steps: Sequence[Step],
    gathered: Gathered,
    values: Mapping[str, Any],
    row: Mapping[str, Any],
    stored: Mapping[str, Any],
) -> PaymentExplanation:
    by = {"pool": pool_names.insurance(values["pool"])} if values.get("pool") else {}  # parameters go by it
    teller = _Teller(policy, day, steps, {**gathered.row, **values, **by})
    return PaymentExplanation(
        policy=policy.id,
        name={"zh": policy.name, "en": policy.name_en},
        when=day,
        record=str(row.get("record_id") or ""),
        head=_head(values, row),
        clauses=tuple(teller.way()),
        lines=tuple(teller.lines()),
        notes=(*_notes(gathered, steps, teller), *_settled(stored)),
        differences=tuple(_differences(steps, values, stored)),
        digest=policy.digest,
        older=(legacy_digest(policy),),
        routes={route.name: (route.zh, route.en) for route in policy.routes},
        values=values,
    )


def withheld(steps: Sequence[Step], lacking: Collection[str]) -> list[str]:
    """The columns that rest on a number which a case lacks: without it they could only be guessed."""
    without = {name for name in lacking if INPUTS[name].kind in ("money", "decimal")}
    found = []
    for step in steps if without else ():
        if names_in(step.expr) & without:
            without.add(step.name)
            found.append(step.name)
    return found


def _head(values: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, str]:
    """What became of the case; with the ``cause`` where its grouping is why it is not paid."""
    head = {name: values[name] or "—" for name in _HEAD}
    why = cause(head["pay_status"], head["pay_reason"], str(row.get("reason") or "") or None)
    return head if why == head["pay_reason"] else head | {"cause": why}


def day_of(row: Mapping[str, Any]) -> date:
    """The day whose parameters a case takes: its pay_date, else its discharge_date.

    Raises UsageError when it has none.
    """
    from grouper.base.errors import UsageError

    for name in ("pay_date", "discharge_date"):
        found = row.get(name)
        if found is not None:
            return date.fromisoformat(str(found)[:10])
    raise UsageError(
        zh="病例没有 discharge_date；请用 --as-of 指定日期",
        en="the case has no discharge_date; name a day with --as-of",
    )


def _notes(gathered: Gathered, steps: Sequence[Step], teller: _Teller) -> Iterator[dict[str, str]]:
    if gathered.route is not None:
        yield {
            "zh": "支付路径取自文件（文件不含诊断和手术操作）",
            "en": "the route is the file's, which has no diagnoses or procedures",
        }
    if gathered.assumed:
        names = [(words.column(n, "zh"), words.column(n, "en")) for n in gathered.assumed]
        yield {
            "zh": f"未给出、按默认：{'、'.join(zh for zh, _ in names)}",
            "en": f"not given, taken as default: {', '.join(en for _, en in names)}",
        }
    ranks = [s for s in steps if isinstance(_inner(s.expr), Rank) and teller.row.get(s.name) is not None]
    if ranks and gathered.alone:
        yield {
            "zh": "排序按本例排第一计（单独一例不知道其他病例）",
            "en": "ranks are those of a first case: other cases are not known here",
        }


def _settled(stored: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """What the settlement of the pools made of the case; it needs all cases, so it is only told."""
    fund, amount = stored.get("settled_fund"), stored.get("settled_amount")
    if fund is not None:
        points = stored.get("settled_points")
        zh, en = ("", "") if points is None else (f"点数 {plain(points)}，", f" for {plain(points)} points")
        yield {
            "zh": f"结算后{zh}总额 {amount} 元，基金 {fund} 元",
            "en": f"settled{en}: {amount} yuan in all, {fund} by the fund",
        }


def _differences(
    steps: Sequence[Step], values: Mapping[str, Any], stored: Mapping[str, Any]
) -> Iterator[tuple[str, str, str]]:
    for step in steps:
        if step.name not in stored:
            continue
        here, there = values[step.name], stored[step.name]
        if step.digits is not None and step.digits >= 0:
            there = fraction(there)
        if here != there:
            yield step.name, plain(here), plain(there)


def _inner(expr: Expr) -> Expr:
    return expr.inner if isinstance(expr, Rounded) else expr


class _Teller:
    """The steps of a case, settled on the branches that count for it."""

    def __init__(self, policy: Policy, day: date, steps: Sequence[Step], row: Mapping[str, Any]) -> None:
        self.policy, self.day, self.row = policy, day, row
        self.steps = {step.name: step for step in steps}
        self.known: dict[str, Expr] = self._neutral_inputs()
        self.settled: dict[str, Expr] = {}
        self.told: set[str] = set()
        for step in steps:
            self._settle_step(step)

    def _neutral_inputs(self) -> dict[str, Expr]:
        """Decided amounts of 0 and factors of 1 change nothing, and need not be told."""
        neutral = {"unreasonable_cost": ZERO, "new_technology_cost": ZERO, "auxiliary_coefficient": ONE}
        return {n: e for n, e in neutral.items() if fraction(self.row.get(n)) == e.value({})}

    def _settle_step(self, step: Step) -> None:
        value = self.row.get(step.name)
        if step.digits is None or step.digits < 0 or value is None:
            return
        if isinstance(step.expr, Lookup):
            self.settled[step.name] = step.expr
            return
        settled = self.settled[step.name] = settle(step.expr, self.row, self.known)
        bare = settled.bare()
        carried = isinstance(bare, Field) or (isinstance(bare, Number) and not bare.parameter)
        if carried and step.name not in _ENDS and settled.value(self.row) == value:
            self.known[step.name] = settled

    def way(self) -> Iterator[Clause]:
        """The clauses of the route, of the rule that chose the method, and of what holds a case back."""
        for route in self.policy.routes:
            if route.name == self.row["route"]:
                test = {lang: words.in_words(route.test, lang) for lang in LANGS}
                label = {"zh": f"{route.zh}（{test['zh']}）", "en": f"{route.en} ({test['en']})"}
                yield Clause(route.name, label, "", route.source, route.article, route.verified)
        yield from self._cited(settle(self.steps["method"].expr, self.row, self.known))
        if self.row["pay_status"] == "held" and self.row["method"] != "hold":
            yield from self._withheld("amount")

    def _withheld(self, name: str, missed: bool = False) -> Iterator[Clause]:
        """The clauses of the choices that leave a column without a value: no line is there to carry them.

        ``missed``: a test found the column empty, so all that should have made it is told.
        """
        step = self.steps[name]
        open_ = [settle(step.expr, self.row, self.known)]
        if missed:
            yield from self._cited(open_[0])
        for test in tests(step.expr, self.row):
            for column in empty_tested(test):
                if column in self.steps and self.row.get(column) is None:
                    yield from self._withheld(column, True)
        while open_:
            settled = open_.pop()
            bare = settled.bare()
            if isinstance(bare, Field):
                if bare.name in self.steps and self.row.get(bare.name) is None:
                    yield from self._withheld(bare.name)
            elif isinstance(bare, Null) or (bare.parts() and bare.value(self.row) is None):
                for parameter in choices(settled):
                    yield from self._parameter(parameter, True)
                open_ += bare.parts()

    def lines(self) -> Iterator[Line]:
        """The steps that the amounts come from, in order."""
        wanted = self._reached()
        for name, step in self.steps.items():
            if name in _WORDED:
                yield from self._worded(step)
            elif name in wanted and name in self.settled:
                yield self._line(step)

    def _reached(self) -> set[str]:
        """The columns that the amounts and the outlier class rest on."""
        self._inline("fund_raw", "fund_due")
        open_ = [name for name in _ENDS if name in self.settled]
        if self.row.get("outlier") is not None:
            open_.append("cost_ratio")
        for name in _WORDED:
            if self.row.get(name) is not None:
                open_ += (n for test in self._tests(name) for n in names_in(test))
        found: set[str] = set()
        while open_:
            name = open_.pop()
            if name in self.settled and name not in found:
                found.add(name)
                open_ += names_in(self.settled[name])
        if not any("base" in names_in(self.settled[n]) for n in found - {"standard"}) and "base" in found:
            self._inline("base", "standard")
            found.discard("base")
        return found

    def _inline(self, inner: str, outer: str) -> None:
        """Tell two columns in one formula, where nothing is rounded between them."""
        if inner not in self.settled or outer not in self.settled:
            return
        formula = self.settled[inner]
        if not isinstance(formula, Lookup) and formula.value(self.row) == self.row[inner]:
            same = lambda part: formula if isinstance(part, Field) and part.name == inner else part  # noqa: E731
            self.settled[outer] = words.mapped(self.settled[outer], same)

    def _line(self, step: Step) -> Line:
        expr = self.settled[step.name]
        value = fraction(self.row[step.name])
        assert value is not None and step.digits is not None
        exact = None if isinstance(expr, Lookup) else expr.value(self.row)
        money = step.unit == "yuan" and step.digits == 2
        result = format(half_up(value, 2), "f") if money else plain(value)
        return Line(
            step.name,
            {"zh": step.zh, "en": step.en},
            {lang: self._names(expr, lang) for lang in LANGS},
            {lang: self._numbers(expr, lang) for lang in LANGS},
            dict.fromkeys(LANGS, result),
            step.unit,
            exact is not None and exact != value,
            tuple(self._clauses(expr)),
        )

    def _names(self, expr: Expr, lang: str) -> str:
        return "" if isinstance(expr, Lookup | Rank) else self._labelled(expr).show(lang)

    def _numbers(self, expr: Expr, lang: str) -> str:
        return "" if isinstance(expr, Lookup | Rank) else expr.show(lang, self.row)

    def _labelled(self, expr: Expr) -> Expr:
        """Columns by the labels of their steps."""

        def rename(part: Any) -> Any:
            if not isinstance(part, Field):
                return part
            step = self.steps.get(part.name)
            zh, en = (step.zh, step.en) if step else words.COLUMNS.get(part.name, (part.zh, part.en))
            return replace(part, zh=zh, en=en)

        return words.mapped(expr, rename)

    def _worded(self, step: Step) -> Iterator[Line]:
        """A class of the case, or what became of its review, with the comparisons that made it."""
        value, tests = self.row.get(step.name), self._tests(step.name)
        if value is None or not tests:
            return
        told = _WORDED[step.name][0]
        yield Line(
            step.name,
            {"zh": step.zh, "en": step.en},
            {lang: _joined([self._labelled(t).show(lang) for t in tests], lang) for lang in LANGS},
            {lang: _joined([t.show(lang, self.row) for t in tests], lang) for lang in LANGS},
            {lang: words.pick(told.get(value, (value, value)), lang) for lang in LANGS},
            "",
            False,
            tuple(c for test in tests for c in self._clauses(test)),
        )

    def _tests(self, name: str) -> list[Expr]:
        """The comparisons that made a word; of an outlier before and after the cap on high cases."""
        steps = [self.steps[n] for n in _WORDED[name][1] if n in self.steps]
        return [settle(test, self.row, self.known) for s in steps for test in deciding(s.expr, self.row)]

    def _clauses(self, expr: Expr) -> Iterator[Clause]:
        """The clauses of a formula, each told once."""
        if isinstance(expr, Lookup):
            table = self.policy.means if expr.table == "means" else self.policy.weights
            if table and table.path.stem not in self.told:
                self.told.add(table.path.stem)
                label = {"zh": f"表 {table.path.stem}", "en": f"table {table.path.stem}"}
                yield Clause(table.path.stem, label, "", table.source, "", table.verified)
            return
        yield from self._cited(expr)

    def _cited(self, expr: Expr) -> Iterator[Clause]:
        """The clauses of the numbers of a settled formula, then of the choices that made it."""
        numbers = [p.parameter for p in walk(expr) if isinstance(p, Number) and p.parameter]
        for name in numbers:
            yield from self._parameter(name, False)
        for part in walk(expr):
            if isinstance(part, Cited):
                yield from self._parameter(part.parameter, True)

    def _parameter(self, name: str, shown: bool) -> Iterator[Clause]:
        parameter = self.policy.parameters.get(name)
        dated: Dated | None = parameter.on(self.day) if parameter else None
        if dated is None or name in self.told:
            return
        self.told.add(name)
        spec = PARAMETERS[name]
        value = _plain(dated.value) if shown else ""
        label = {"zh": spec.zh.split("：")[0], "en": spec.en.split(":")[0]}
        for key in parameter.by if parameter else ():
            column = KEYS[key]
            at = plain(self.row.get(column))
            label = {
                "zh": f"{label['zh']}（{words.column(column, 'zh')} {at}）",
                "en": f"{label['en']} ({words.column(column, 'en')} {at})",
            }
        yield Clause(name, label, value, dated.source, dated.article, dated.verified)


def _plain(value: Any) -> str:
    """What a parameter says, as policy files write it; tables and tiers say nothing in a word."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple) and all(isinstance(word, str) for word in value):
        return ", ".join(value)
    return plain(value) if isinstance(value, str | int | Decimal) else ""


def _joined(texts: Sequence[str], lang: str) -> str:
    return ("，" if lang == "zh" else ", ").join(texts)
