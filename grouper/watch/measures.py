"""The measures: each gives numerator, denominator and value of an indicator for a period, exact.

Sums are of decimals, quotients are fractions; only the table rounds what it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from grouper.watch import said
from grouper.watch.definitions import UNITS, Indicator
from grouper.watch.lake import FUND, Current, Lacking, one_of
from grouper.watch.payments import FLAGS, of_cases
from grouper.watch.periods import Period

Note = tuple[str, str]  # Chinese, English
Number = Decimal | int


@dataclass(frozen=True)
class Outcome:
    """``value`` in the indicator's unit; ``denominator`` None: an amount; ``notes``: what was left out."""

    numerator: Number
    denominator: Number | None
    value: Fraction
    notes: tuple[Note, ...] = ()


def compute(lake: Current, indicator: Indicator, period: Period) -> Outcome:
    """An indicator for a period. Raises Lacking where it cannot be computed."""
    return _MEASURES[indicator.measure](lake, indicator, period)


def _quotient(
    indicator: Indicator, over: Number | None, under: Number | None, notes: Sequence[Note] = ()
) -> Outcome:
    """``over`` ÷ ``under`` in the indicator's unit. Raises Lacking where ``under`` is not above 0."""
    if under is None or under <= 0:
        raise Lacking("作比较的数为零，不能计算", f"the denominator is {under or 0}")
    over = over or 0
    scale = UNITS[indicator.unit][0]
    return Outcome(over, under, Fraction(over) / Fraction(under) * scale, tuple(notes))


def _paid_share(lake: Current, indicator: Indicator, period: Period) -> Outcome:
    """Cost, fund or number of the cases paid by some methods over that of all."""
    given = indicator.values
    column, chosen = given["of"], one_of("method", given["methods"])
    if column == "cases":
        cases = lake.cases(period, ["method"], given["statuses"])
        return _quotient(indicator, *lake.row(f"SELECT count(*) FILTER ({chosen}), count(*) FROM {cases}"))
    cases = lake.cases(period, ["method", column], given["statuses"])
    over, under, empty = lake.row(
        f"SELECT sum({column}) FILTER ({chosen}), sum({column}), count(*) - count({column}) FROM {cases}"
    )
    return _quotient(indicator, over, under, _left_out(empty, column))


def _paid_distinct(lake: Current, indicator: Indicator, period: Period) -> Outcome:
    """Hospitals or groups with a case that is paid by some methods, over those with any case."""
    given = indicator.values
    column, chosen = given["of"], one_of("method", given["methods"])
    grouped = ["status"] if column == "group" else []
    cases = lake.cases(period, ["method", column, *grouped], given["statuses"])
    test = "WHERE status = 'grouped'" if grouped else ""
    return _quotient(
        indicator,
        *lake.row(
            f'SELECT count(DISTINCT "{column}") FILTER ({chosen}), count(DISTINCT "{column}") '
            f"FROM {cases} {test}"
        ),
    )


def _grouped_share(lake: Current, indicator: Indicator, period: Period) -> Outcome:
    """Cases that came into a group over all."""
    cases = lake.cases(period, ["status"], indicator.values["statuses"])
    return _quotient(
        indicator, *lake.row(f"SELECT count(*) FILTER (status = 'grouped'), count(*) FROM {cases}")
    )


def _case_ratio(lake: Current, indicator: Indicator, period: Period) -> Outcome:
    """Sum of columns over sum of columns; a case that lacks one of them counts in neither."""
    given = indicator.values
    needed = sorted({name.removeprefix("-") for name in (*given["over"], *given["under"])})
    extra = [name for name in given["optional"] if lake.has(name)]
    absent = [name for name in given["optional"] if not lake.has(name)]
    cases = lake.cases(period, [*needed, *extra], given["statuses"], given["insurance"])
    full = " AND ".join(f"{name} IS NOT NULL" for name in needed)
    over = " + ".join([_sum(given["over"]), *(f"coalesce(sum({name}), 0)" for name in extra)])
    totals = f"SELECT {over}, {_sum(given['under'])} FROM {cases} WHERE {full}"
    empty = lake.row(f"SELECT count(*) FROM {cases} WHERE NOT ({full})")[0]
    notes = _left_out(empty, *needed)
    if absent:
        zh, en = said.columns(absent)
        notes.append((f"结算数据中没有{zh}，未计入", f"without {en}, which the lake does not have"))
    total, scope = lake.row(totals)
    return _quotient(indicator, total, scope, notes)


def _case_mean(lake: Current, indicator: Indicator, period: Period) -> Outcome:
    """Sum of a column over the number of cases that have it."""
    column = indicator.values["of"]
    cases = lake.cases(period, [column], indicator.values["statuses"])
    total, number, rows = lake.row(f"SELECT sum({column}), count({column}), count(*) FROM {cases}")
    return _quotient(indicator, total, number, _left_out(rows - number, column))


def _sum(names: Sequence[str]) -> str:
    """SQL of the sum of columns; those with a minus are taken off."""
    parts = [f"{'-' if name.startswith('-') else '+'} sum({name.removeprefix('-')})" for name in names]
    return " ".join(parts).removeprefix("+ ")


def _left_out(number: int, *columns: str) -> list[Note]:
    if not number:
        return []
    zh, en = said.columns(columns)
    return [(f"{number} 例缺{zh}，未计入", f"{number} cases without {en} are left out")]


def _fund_growth(lake: Current, indicator: Indicator, period: Period) -> Outcome:
    """Inpatient fund of a period over that of the earlier one, less 1; the earlier from lake or facts."""
    before = _earlier(indicator, period)
    now, notes = _fund(lake, indicator, period), []
    try:
        past = _fund(lake, indicator, before)
    except Lacking as lacking:
        told = lake.facts.value("inpatient_fund", before)
        if told is None:
            raise Lacking(
                f"没有 {before} 的住院基金支出：该期没有在本系统结算；请基金财务部门提供，填入外部数据文件",
                f"{lacking.en}, and there is no fact inpatient_fund for {before}",
            ) from lacking
        past = told
        notes = [
            (
                f"{before} 的数据来自外部文件：{lake.facts.source}",
                f"{before} from the facts: {lake.facts.source}",
            )
        ]
    return _growth(indicator, now, past, notes)


def _fund(lake: Current, indicator: Indicator, period: Period) -> Decimal:
    cases = lake.cases(period, [FUND], indicator.values["statuses"])
    total: Decimal = lake.row(f"SELECT coalesce(sum({FUND}), 0) FROM {cases}")[0]
    return total


def _earlier(indicator: Indicator, period: Period) -> Period:
    return period.before() if indicator.values["against"] == "period_before" else period.year_before()


def _growth(indicator: Indicator, now: Decimal, past: Decimal, notes: Sequence[Note] = ()) -> Outcome:
    found = _quotient(indicator, now, past, notes)
    return Outcome(now, past, found.value - UNITS[indicator.unit][0], found.notes)


def _budget_use(lake: Current, indicator: Indicator, period: Period) -> Outcome:
    """An amount of the pools over their budgets of the same period."""
    amount = indicator.values["amount"]
    pools = lake.pools(period, [amount, "budget"])
    return _quotient(indicator, *lake.row(f"SELECT sum({amount}), sum(budget) FROM {pools}"))


def _budget_pace(lake: Current, indicator: Indicator, period: Period) -> Outcome:
    """What the pools used since January over the year's budget, less the share of the year gone by."""
    amount = indicator.values["amount"]
    since = Period(period.year, 1, period.last)
    pools = lake.pools(since, [amount])
    budget = lake.fact(indicator.values["budget"], Period(period.year, 1, 12))
    used = _quotient(indicator, lake.row(f"SELECT sum({amount}) FROM {pools}")[0], budget)
    gone = Fraction(period.last, 12) * UNITS[indicator.unit][0]
    return Outcome(used.numerator, budget, used.value - gone)


def _reserve_months(lake: Current, indicator: Indicator, period: Period) -> Outcome:
    """The accumulated balance at the end of the period over the mean monthly expenditure in it."""
    given = indicator.values
    balance = lake.fact(given["balance"], period, given["insurance"])
    spent = lake.fact(given["expenditure"], period, given["insurance"])
    found = _quotient(indicator, balance, spent)
    return Outcome(balance, spent, found.value * period.length)


def _facts_ratio(lake: Current, indicator: Indicator, period: Period) -> Outcome:
    given = indicator.values
    return _quotient(
        indicator,
        _facts(lake, given["over"], period, given["insurance"]),
        _facts(lake, given["under"], period, given["insurance"]),
    )


def _facts(lake: Current, names: Sequence[str], period: Period, insurance: Sequence[str] = ()) -> Decimal:
    total = Decimal(0)
    for name in names:
        amount = lake.fact(name.removeprefix("-"), period, insurance)
        total += -amount if name.startswith("-") else amount
    return total


def _facts_growth(lake: Current, indicator: Indicator, period: Period) -> Outcome:
    name = indicator.values["of"]
    return _growth(indicator, lake.fact(name, period), lake.fact(name, _earlier(indicator, period)))


def _facts_amount(lake: Current, indicator: Indicator, period: Period) -> Outcome:
    amount = _facts(lake, indicator.values["of"], period)
    return Outcome(amount, None, Fraction(amount))


def _payments(lake: Current, indicator: Indicator, period: Period) -> Outcome:
    """The records that a rule for payments flags, over the cases that it looks at."""
    sql = FLAGS[indicator.measure](lake, indicator, period)
    cases, columns = of_cases(lake, indicator, period)
    empty = " OR ".join(f"{name} IS NULL" for name in columns)
    number, lacking = lake.row(f"SELECT count(*), count(*) FILTER ({empty}) FROM {cases}")
    flagged = lake.row(f"SELECT count(*) FROM ({sql})")[0]
    return _quotient(indicator, flagged, number - lacking, _left_out(lacking, *columns))


def _top_payments(lake: Current, indicator: Indicator, period: Period) -> Outcome:
    """The share of the dearest per mille of the cases in the amount of all."""
    amount = indicator.values["amount"]
    sql = FLAGS["top_payments"](lake, indicator, period)
    cases, columns = of_cases(lake, indicator, period)
    assert columns == [amount]
    total, empty = lake.row(f"SELECT sum({amount}), count(*) - count({amount}) FROM {cases}")
    top = lake.row(f"SELECT sum({amount}) FROM ({sql})")[0]
    return _quotient(indicator, top, total, _left_out(empty, amount))


_MEASURES: dict[str, Callable[[Current, Indicator, Period], Outcome]] = {
    "paid_share": _paid_share,
    "paid_distinct": _paid_distinct,
    "grouped_share": _grouped_share,
    "case_ratio": _case_ratio,
    "case_mean": _case_mean,
    "fund_growth": _fund_growth,
    "budget_use": _budget_use,
    "budget_pace": _budget_pace,
    "reserve_months": _reserve_months,
    "facts_ratio": _facts_ratio,
    "facts_growth": _facts_growth,
    "facts_amount": _facts_amount,
    "large_payments": _payments,
    "top_payments": _top_payments,
    "repeated_payments": _payments,
    "many_stays": _payments,
    "overlapping_stays": _payments,
}
