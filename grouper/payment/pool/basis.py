"""Priced cases as the settlement sees them: what counts as points, and what points pay beside the fund."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from grouper.base.errors import DataError, UsageError
from grouper.base.sql import scan
from grouper.payment.formula.expression import ZERO, Case, Expr, Field, Number, Ratio, Rounded
from grouper.payment.formula.predicates import OneOf
from grouper.payment.policy import pool_names
from grouper.payment.policy.terms import Terms
from grouper.payment.pool.budget import Budget
from grouper.payment.price.gated import LEFT, NOT_IN_FORCE
from grouper.payment.price.steps import POOL_PAID, TOTAL

if TYPE_CHECKING:
    import duckdb

    from grouper.payment.policy.policy import Policy

FUND_POINT_DIGITS = 8  # decimals of points times fund share (F2, F3): a place of rounding
NEEDED = (
    "record_id", "hospital_code", "pool", "method", "pay_status", "pay_reason", "pay_date", "total_cost",
    "pool_paid", "amount", "person_paid", "other_funds", "fund_due",
)  # fmt: skip
SETTLED = ("settled_points", "settled_fund", "settled_amount", "settled_income")
_SLICE = 4_000_000  # record_ids compared at a time
OWN = "priced_"  # before the name of a priced column that is kept as it is


def open_priced(connection: duckdb.DuckDBPyConnection, priced: Sequence[str]) -> pa.Schema:
    """View ``whole``: the priced cases with decimals as whole numbers of their last digits.

    Beside them every column as it was, its name after ``OWN``. Returns the schema of the priced files,
    without columns of an earlier settlement. Raises UsageError for missing files and columns.
    """
    for path in priced:
        if not Path(path).is_file():
            raise UsageError(zh=f"没有文件 {path}", en=f"there is no file {path}")
    source = scan(*priced)
    found = connection.sql(f"SELECT * FROM {source} LIMIT 0").to_arrow_table().schema
    schema = pa.schema([item for item in found if item.name not in SETTLED])
    for name in NEEDED:
        need(schema, name)
    columns = []
    for item in schema:
        columns.append(f'"{item.name}" AS "{OWN}{item.name}"')
        if pa.types.is_decimal(item.type):
            columns.append(f'CAST("{item.name}" * {10**item.type.scale} AS HUGEINT) AS "{item.name}"')
        else:
            columns.append(f'"{item.name}"')
    connection.execute(f"CREATE OR REPLACE TEMP VIEW whole AS SELECT {', '.join(columns)} FROM {source}")
    return schema


def need(schema: pa.Schema, name: str) -> None:
    """Raises UsageError when the priced files lack a column."""
    if name not in schema.names:
        raise UsageError(
            zh=f"已计价文件缺少列 {name}，结算需要它；请先用 grouper pay 按同一政策计价",
            en=f"the priced file lacks the column {name}, which the settlement reads; price it "
            "with grouper pay under the same policy",
        )


def check_period(connection: duckdb.DuckDBPyConnection, policy: Policy, budget: Budget) -> None:
    """Cases of the budget's period only, under one formula; those of days of another policy wait apart.

    Raises DataError or UsageError that names the dates.
    """
    row = connection.execute(
        f"SELECT min(pay_date), max(pay_date) FROM whole WHERE pay_status <> '{LEFT}' "
        f"AND pay_reason IS DISTINCT FROM '{NOT_IN_FORCE}'"
    ).fetchone()
    assert row is not None
    first, last = row
    if first is None:
        raise DataError(zh="没有病例可结算", en="there are no cases to settle")
    if first < budget.first or last > budget.last:
        raise DataError(
            zh=f"病例日期 {first} 至 {last} 超出预算期间 {budget.period}（{budget.where} 的 period）",
            en=f"cases from {first} to {last} are outside {budget.period} (period in {budget.where})",
        )
    for name in ("pool_method", "fund_formula", "policy_ratio"):
        parameter = policy.parameters.get(name)
        if parameter and parameter.on(first) is not parameter.on(last):
            raise UsageError(
                zh=f"{policy.where}：参数 {name} 在 {first} 至 {last} 之间有变化，请分段结算",
                en=f"{policy.where}: parameter {name} changes from {first} to {last}; settle each time apart",
            )


def check_unique(connection: duckdb.DuckDBPyConnection) -> None:
    """No case twice, as when a month is given in two files; in slices, so that memory stays bounded.

    Raises DataError that names the case.
    """
    row = connection.execute("SELECT count(*) FROM whole").fetchone()
    assert row is not None
    slices = row[0] // _SLICE + 1
    for number in range(slices):
        twice = connection.execute(
            f"SELECT record_id FROM whole WHERE hash(record_id) % {slices} = {number} "
            f"AND pay_status <> '{LEFT}' "
            "GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT 1"
        ).fetchone()
        if twice:
            raise DataError(
                zh=f"record_id {twice[0]} 出现多次；请检查是否重复给出了同一批已计价文件",
                en=f"record_id {twice[0]} is there more than once; was a priced file given twice?",
            )


def make_basis(connection: duckdb.DuckDBPyConnection, schema: pa.Schema, budget: Budget, terms: Terms) -> int:
    """View ``basis``: ``whole`` with budget_pool, scalable, points and covered.

    A case is scalable when its fund follows the point value (or at standards the sharing); ``points`` is
    a whole number of last digits, whose number is returned, ``covered`` fen. Raises UsageError for a pool
    without budget.
    """
    pools = connection.execute(
        "SELECT DISTINCT pool FROM whole WHERE pay_status = 'paid' ORDER BY 1"
    ).fetchall()
    owner = pool_names.owner_sql({pool: budget.pool_of(pool) for (pool,) in pools})
    points, covered = _formula(schema, budget, terms)
    number = points.number()
    assert not number.under
    if by_points(terms):
        scalable = "pay_status = 'paid' AND case_value IS NOT NULL"
    else:
        scalable = "pay_status = 'paid' AND method IN ('group', 'tcm', 'by_cost')"
    connection.execute(
        "CREATE OR REPLACE TEMP VIEW basis AS "
        f"SELECT *, CASE WHEN scalable THEN ({number.over})::HUGEINT END AS points, "
        f"CASE WHEN scalable THEN ({covered})::HUGEINT END AS covered "
        f"FROM (SELECT *, {owner} AS budget_pool, coalesce({scalable}, FALSE) AS scalable FROM whole)"
    )
    return number.digits


def by_points(terms: Terms) -> bool:
    """The pool has a point value; else cases are paid at standards."""
    return bool(terms.choice("pool_method") != "standard")


def _formula(schema: pa.Schema, budget: Budget, terms: Terms) -> tuple[Expr, str]:
    """Points as the fund formula counts them, and SQL of the fen that they pay beside the fund."""
    if not by_points(terms):
        return Field("fund_due", 2), "0"
    points, carved = counted(schema), ZERO if "new_technology_amount" not in schema.names else _CARVED
    formula = terms.choice("fund_formula")
    if formula == "points":
        return points, Rounded(ZERO - carved, 2).sql()
    if formula == "F1":
        return points, Rounded(Field("person_paid", 2) + Field("other_funds", 2) - carved, 2).sql()
    if formula == "F2":
        share = terms.values.need_number("policy_ratio")
        for name in ("own_expense", "self_pay_first", "deductible"):
            need(schema, name)
        own = Field("own_expense", 2) + Field("self_pay_first", 2) + Field("deductible", 2) - carved
        return Rounded(points * share, FUND_POINT_DIGITS), Rounded(own * share, 2).sql()
    share = _pay_share(budget)
    return Rounded(points * share, FUND_POINT_DIGITS), Rounded((ZERO - carved) * share, 2).sql()


_CARVED = Field("new_technology_amount", 2)


def counted(schema: pa.Schema) -> Expr:
    """The points of a case that count: a first instalment counts with its share."""
    need(schema, "case_value")
    points: Expr = Field("case_value", schema.field("case_value").type.scale)
    if "tcm_payable_share" in schema.names:
        points = points * Field("tcm_payable_share", schema.field("tcm_payable_share").type.scale)
    return points


def _pay_share(budget: Budget) -> Expr:
    """F3: the pool's payment ratio where the budget gives one, else the case's own fund share."""
    branches = tuple(
        (OneOf("budget_pool", (p.name,)), Number(_decimal(p.pay_ratio), "pay_ratio"))
        for p in budget.pools.values()
        if p.pay_ratio is not None
    )
    own = Ratio(POOL_PAID, TOTAL)
    return Case(branches, own) if branches else own


def _decimal(value: Fraction) -> Decimal:
    """The decimal that a ratio from a budget file is."""
    return Decimal(value.numerator) / Decimal(value.denominator)


def scaled(sql: str, digits: int, precision: int) -> str:
    """SQL of a whole number of last digits as an exact DECIMAL(precision, digits)."""
    whole = min(precision, 37 - digits)
    unit = f"CAST('{Decimal(1).scaleb(-digits):f}' AS DECIMAL({digits + 1},{digits}))"
    return f"CAST(CAST({sql} AS DECIMAL({whole},0)) * {unit} AS DECIMAL({precision},{digits}))"
