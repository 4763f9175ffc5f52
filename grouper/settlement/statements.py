"""The statement of hospitals and the summary of pools of a month, with what is paid out for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from grouper.base.errors import ReconciliationError, UsageError
from grouper.base.money import Fen, fen_of, yuan_of
from grouper.base.sql import scan
from grouper.payment.policy.sharing import fen as fen_of_share
from grouper.payment.pool.budget import LAST_YEAR, Budget, Entry
from grouper.payment.pool.clearing import Monthly, clear_month, dues, months_paid
from grouper.payment.pool.statement import hospital_statement, pool_summary
from grouper.settlement import funds, offsite, tables
from grouper.settlement.adjust import amounts as adjustment_amounts
from grouper.settlement.funds import Key
from grouper.settlement.funds import amounts_of as run_amounts
from grouper.settlement.plan.job import Plan

if TYPE_CHECKING:
    import duckdb

    from grouper.payment.pool.settle import Settling

_MONEY = pa.decimal128(38, 2)
_PAID = (
    "deposit", "prepaid", "deferred", "earlier_years", "advanced", "advance", "audit", "payable", "carried",
)  # fmt: skip
AMOUNTS = ("fund_due", "fund_by_item", "total_cost", "adjustments", "due_total", "carried_in", *_PAID)


def month_statements(
    connection: duckdb.DuckDBPyConnection, plan: Plan, settled: Settling, staged: Path,
    accounts: Sequence[offsite.Account],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:  # fmt: skip
    """Write tables hospitals and pools; returns the rows of pools, and of the ledger's ``amounts``.

    due_total = fund_due + adjustments is what deposit, prepaid and deferred share out; adjustments of earlier
    years are paid beside it. What earlier months could not yet take back (``carried_in``) is taken first.
    Where prepayment goes by quarters, the last month of one pays for its three from the money of its three;
    in the others there are deductions and adjustments of earlier years only. ``accounts``: of people treated
    elsewhere, and of others treated here.
    """
    added, apart = adjustment_amounts(connection, plan)
    due = _sum(dues(settled.pools), added)
    months = months_paid(settled.terms, plan.month.first.month)
    runs = [
        run for number in months[:-1] if (run := plan.closed.get(f"{plan.month.first.year}-{number:02d}"))
    ]
    covered = _sum(due, run_amounts(connection, runs, "due_total")) if months else {}
    _known_pools(plan, covered)
    carried, paid = _carried(connection, plan), _paid(connection, plan)
    carried = _sum(carried, paid)
    budget = _entries(plan, carried, last_year_dues(connection, plan))
    clearing = clear_month(
        settled.terms, budget, covered, more=_distributable(connection, runs), earlier_years=apart
    )
    statement = hospital_statement(
        [str(staged / "cases.parquet")], settled.pools, plan.budget, clearing, threads=plan.job.threads,
        own=settled.schema,
    )  # fmt: skip
    table = _with_hospitals(connection, statement, added, apart, carried, months)
    if plan.format > 3:
        table = offsite.with_hospitals(table, accounts)
    tables.write(staged / "hospitals.parquet", table.schema, table.to_batches(), plan.about("hospitals"))
    pools = with_members(pool_summary(statement, settled.pools), plan.budget)
    if plan.format > 3:
        pools = offsite.with_pools(pools, accounts, plan.budget)
    tables.write(staged / "pools.parquet", pools.schema, pools.to_batches(), plan.about("pools"))
    rows = ledger_amounts(table) + [
        {"hospital_code": hospital, "pool": pool, "name": funds.DIFFERENCE, "fen": fen}
        for (hospital, pool), fen in sorted(paid.items())
    ]
    rows += offsite.amounts(accounts)
    if plan.format > 2:
        rows += _others(connection, plan, staged)
    _check(clearing, covered)
    return pools.to_pylist(), rows


def offsite_accounts(
    connection: duckdb.DuckDBPyConnection, plan: Plan, staged: Path
) -> list[offsite.Account]:
    """Of the month's own cases. Raises UsageError where the same money is there twice."""
    if plan.format < 4:
        return []
    found = offsite.accounts(connection, scan(staged / "cases.parquet"), plan.budget, "row_kind = 'case'")
    offsite.check_once(found, plan.budget)
    return found


def _sum(*parts: Mapping[Key, Fen]) -> dict[Key, Fen]:
    total: dict[Key, Fen] = {}
    for part in parts:
        for key, fen in part.items():
            total[key] = total.get(key, 0) + fen
    return total


def _distributable(connection: duckdb.DuckDBPyConnection, runs: Sequence[str]) -> dict[str, Fen]:
    """Fen that the pools had to spend in other months of the quarter, whatever budget file said so."""
    if not runs:
        return {}
    rows = connection.execute(
        "SELECT pool, (sum(distributable) * 100)::BIGINT FROM pools_current WHERE list_contains(?, run) "
        "GROUP BY 1",
        [list(runs)],
    ).fetchall()
    return dict(rows)


def _known_pools(plan: Plan, covered: Mapping[Key, Fen]) -> None:
    """Raises UsageError where an earlier month of the quarter, or a clearing whose payment differed, has a
    pool that the budget lacks."""
    for pool in sorted({pool for _, pool in covered} - plan.budget.pools.keys()):
        raise UsageError(
            zh=f"{plan.job.budget}（--budget）：本季前几个月（或清算款的差额）有基金池 {pool}，而该预算没有；"
            f"请补 [pools.{pool}]",
            en=f"{plan.job.budget} (--budget): earlier months of the quarter (or the payment of a clearing) "
            f"have the pool {pool}, which it lacks; add [pools.{pool}]",
        )


def with_members(pools: pa.Table, budget: Budget) -> pa.Table:
    """The pools with what a later adjustment must know of them: the policy's pools that each pays, and the
    payment ratio of its budget."""
    own = [budget.pools[name] for name in pools["pool"].to_pylist()]
    members = pa.array([",".join(pool.members) for pool in own], pa.string())
    ratios = [None if pool.pay_ratio is None else str(pool.pay_ratio) for pool in own]
    return pools.append_column("members", members).append_column("pay_ratio", pa.array(ratios, pa.string()))


def _year(plan: Plan) -> dict[str, str]:
    """The closed months of the year, period to run."""
    return {p: run for p, run in sorted(plan.closed.items()) if p[:4] == plan.month.period[:4]}


def _paid(connection: duckdb.DuckDBPyConnection, plan: Plan) -> dict[Key, Fen]:
    """What was paid from the pools otherwise than ordered (fen, over-paid positive)."""
    if not plan.closed:
        return {}
    own = funds.differences(connection, plan.month.area, _year(plan), funds.POOL)
    if plan.format < 4:
        return own
    cleared = funds.clearing_differences(connection, plan.month.area)
    _known_pools(plan, cleared)
    return {key: fen for key, fen in _sum(own, cleared).items() if fen}


def _others(connection: duckdb.DuckDBPyConnection, plan: Plan, staged: Path) -> list[dict[str, Any]]:
    """The rows of the ledger for the other funds."""
    found = funds.read_others(connection, funds.staged_sql(connection, staged), plan.budget.owners)
    rows = []
    for fund, due in found.items():
        carried: dict[Key, Fen] = {}
        paid: dict[Key, Fen] = {}
        if plan.closed:
            months = _year(plan)
            if months:
                last = run_amounts(connection, [months[max(months)]], funds.name_of(fund, "carried"))
                carried = {key: -fen for key, fen in last.items()}
            paid = funds.differences(connection, plan.month.area, months, fund)
        rows += funds.others_due(due, carried, paid, fund)
    return rows


def _carried(connection: duckdb.DuckDBPyConnection, plan: Plan) -> dict[Key, Fen]:
    """What offsets and deductions of earlier months exceeded their payments by (fen, positive)."""
    last: dict[Key, Fen] = {}
    for run in _year(plan).values():
        for key, fen in run_amounts(connection, [run], "carried").items():
            last[key] = -fen
    return {key: fen for key, fen in last.items() if fen}


def last_year_dues(connection: duckdb.DuckDBPyConnection, plan: Plan) -> dict[Key, Fen]:
    """What a hospital was due a month of last year on average, where the budget's advances go by that.

    Over the months of last year that the lake has, adjustments among them. Raises UsageError where there is
    none, or where the budget lacks the pool of such a hospital.
    """
    if plan.budget.advance_base != LAST_YEAR:
        return {}
    year = str(plan.month.first.year - 1)
    runs = [run for period, run in plan.closed.items() if period[:4] == year]
    if not runs:
        raise UsageError(
            zh=f"{plan.job.budget}（--budget）：advance_base 按上年月均应付计，而本湖没有 {year} 年的月份；"
            "请在 hospitals 中逐家写明 advance_base",
            en=f"{plan.job.budget} (--budget): advance_base goes by last year's monthly dues, but this lake "
            f"has no month of {year}; give advance_base of each hospital in hospitals",
        )
    found = run_amounts(connection, runs, "due_total")
    for pool in sorted({pool for _, pool in found} - plan.budget.pools.keys()):
        raise UsageError(
            zh=f"{plan.job.budget}（--budget）：advance_base：{year} 年有基金池 {pool}，而该预算没有；"
            f"请补 [pools.{pool}]，或在 hospitals 中逐家写明 advance_base",
            en=f"{plan.job.budget} (--budget): advance_base: {year} has the pool {pool}, which it lacks; "
            f"add [pools.{pool}], or give advance_base of each hospital in hospitals",
        )
    return {key: fen_of_share(Fraction(due, len(runs))) for key, due in found.items() if due > 0}


def _entries(plan: Plan, carried: Mapping[Key, Fen], last_year: Mapping[Key, Fen]) -> Budget:
    """The budget with audit deductions of corrections, with what earlier months left to take, and with the
    monthly dues of last year where its advances go by them and the file does not say."""
    hospitals = dict(plan.budget.hospitals)
    for key, due in last_year.items():
        entry = hospitals.get(key, Entry())
        if entry.advance_base is None:
            hospitals[key] = replace(entry, advance_base=due)
    extra = dict(carried)
    for item in plan.corrections.of("audit_deduction"):
        key = (item.hospital, item.pool)
        extra[key] = extra.get(key, 0) + item.amount_fen
    for key, fen in extra.items():
        entry = hospitals.get(key, Entry())
        hospitals[key] = replace(entry, audit=entry.audit + fen)
    return replace(plan.budget, hospitals=hospitals)


def _with_hospitals(
    connection: duckdb.DuckDBPyConnection, statement: pa.Table, added: Mapping[Key, Fen],
    apart: Mapping[Key, Fen], carried: Mapping[Key, Fen], months: Sequence[int],
) -> pa.Table:  # fmt: skip
    """The statement with who the hospital is, and how its cases and adjustments come to what is paid."""
    known = {row[0]: row[1:] for row in connection.execute(
        "SELECT hospital_code, hospital_name, hospital_level, county FROM hospitals"
    ).fetchall()}  # fmt: skip
    rows = {(row["hospital_code"], row["pool"]): row for row in statement.to_pylist()}
    for key in (added.keys() | apart.keys()) - rows.keys():
        rows[key] = blank(statement.schema, *key) | dict.fromkeys(_PAID)
    made = []
    for key in sorted(rows, key=lambda key: (key[0], key[1] or "")):
        row = rows[key]
        name, level, county = known.get(key[0], (None, None, None))
        extra = yuan_of(added.get(key, 0))
        made.append(
            row | {"hospital_name": name, "hospital_level": level, "county": county, "adjustments": extra}
            | {"due_total": row["fund_due"] + extra, "carried_in": yuan_of(carried.get(key, 0))}
            | {"earlier_years": yuan_of(apart.get(key, 0))}
            | {"paid_months": ",".join(str(m) for m in months)}
        )  # fmt: skip
    texts = [pa.field(n, pa.string()) for n in ("hospital_name", "hospital_level", "county")]
    money = [pa.field(n, _MONEY) for n in ("adjustments", "due_total", "carried_in")]
    fields = [*statement.schema, *texts, *money, pa.field("paid_months", pa.string())]
    have = {item.name for item in fields}
    fields += [pa.field(n, _MONEY) for n in _PAID if n not in have]
    if "clauses" not in have:
        fields.append(pa.field("clauses", pa.string()))
    return pa.Table.from_pylist(made, schema=pa.schema(fields))


def blank(schema: pa.Schema, hospital: str, pool: str) -> dict[str, Any]:
    """A row of a hospital that has only adjustments."""
    zeros = {
        item.name: 0 if pa.types.is_integer(item.type) else Decimal(0)
        for item in schema
        if item.name != "cmi" and (pa.types.is_integer(item.type) or pa.types.is_decimal(item.type))
    }
    return {**zeros, "cmi": None, "hospital_code": hospital, "pool": pool}


def ledger_amounts(table: pa.Table, names: Sequence[str] = AMOUNTS) -> list[dict[str, Any]]:
    """The amounts of a statement as rows of the ledger, in fen."""
    return [
        {
            "hospital_code": row["hospital_code"],
            "pool": row["pool"],
            "name": name,
            "fen": fen_of(row[name]),
        }
        for row in table.to_pylist()
        for name in names
        if row.get(name) is not None
    ]


def _check(clearing: Sequence[Monthly], covered: Mapping[Key, Fen]) -> None:
    """What is paid, withheld and deferred is what is due. Raises ReconciliationError."""
    shared = sum(row.deposit + row.prepaid + row.deferred for row in clearing)
    if clearing and shared != sum(covered.values()):
        raise ReconciliationError(
            zh=f"月度拨付对不上：应付 {sum(covered.values())} 分，拨付、保证金与待清算合计 {shared} 分",
            en=f"the month's payments do not add up: {sum(covered.values())} fen due, {shared} shared out",
        )
