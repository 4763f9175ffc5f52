"""The second pass over priced cases: from the dues of hospitals to settled amounts of every case.

The first pass adds up hospital × pool; ``pool.settle`` makes the point value and the dues; then each case
gets the whole fen of points · PV - covered, and the fen that are left over within a hospital go by
largest remainder. The pass that writes streams: all it needs of the other cases is one row per hospital
and pool, so its memory does not grow with the number of cases.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from grouper.base.errors import DataError, ReconciliationError
from grouper.base.money import Fen, fen_of
from grouper.base.output import SCRATCH, Output
from grouper.base.paths import local_path
from grouper.base.provenance import FORMAT as PROVENANCE
from grouper.base.provenance import read as read_provenance
from grouper.base.sql import literal
from grouper.payment.policy.terms import Terms
from grouper.payment.pool.apportion import FLOOR_MACRO, cuts_sql
from grouper.payment.pool.basis import (
    FUND_POINT_DIGITS,
    OWN,
    by_points,
    check_period,
    check_unique,
    counted,
    make_basis,
    open_priced,
    scaled,
)
from grouper.payment.pool.budget import Budget
from grouper.payment.pool.pool import STAYS, Settled, Volume, describe, settle_pools
from grouper.payment.pool.unused import check_pools
from grouper.payment.price.pricing import connect

if TYPE_CHECKING:
    import duckdb

    from grouper.payment.policy.policy import Policy

_BATCH = 131_072
_BETWEEN = "\x1f"  # between hospital and pool in the key of a part
_WINDOW_ROWS = 4_000_000  # cases whose remainders are ranked at a time


@dataclass
class Run:
    """What a settlement did. ``counts``: cases by pay_status; amounts of ``pools`` in fen."""

    pools: dict[str, Settled]
    terms: Terms
    rows: int
    counts: dict[str, int]
    value: str
    output: str
    seconds: float = 0.0


@dataclass(frozen=True)
class _Part:
    """A hospital in a pool, as the database numbers it; ``cases`` follow the point value."""

    number: int
    hospital: str
    pool: str
    cases: int


def settle_cases(
    policy: Policy,
    priced: Sequence[str],
    budget: Budget,
    output: str,
    *,
    value: str = "settlement",
    threads: int | None = None,
    memory: str | None = None,
    extra: dict[str, Any] | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    shared: bool = False,
    surplus: str = STAYS,
    scratch: bool = False,
) -> Run:
    """Settle priced Parquet files into one that adds settled_points, settled_fund, settled_amount and
    settled_income; it appears whole or not at all, and others may read it only with ``shared``.

    ``value``: "settlement" pays out the pools, "budget" pays at the budget value or the standards.
    ``surplus``: what a policy without ``surplus_rule`` means by it.
    ``scratch``: the file goes when the run is over, and is not made small.
    ``progress`` is told rows written and rows in all, from where the writing begins.
    Raises UsageError or DataError before anything is written, ReconciliationError when sums do not agree.
    """
    begin = time.perf_counter()
    with (
        settling(
            policy, priced, budget, value=value, threads=threads, memory=memory, output=output,
            surplus=surplus,
        ) as work,
        Output(output, SCRATCH if scratch else "parquet", private=not shared) as out,
    ):  # fmt: skip
        writer = out.open(work.schema)
        for batch in work.batches(progress):
            writer.write(batch)
        counts = dict(sorted(work.tally.counts.items()))
        run = Run(work.pools, work.terms, work.tally.rows, counts, value, output)
        run.seconds = time.perf_counter() - begin
        writer.provenance = _provenance(priced, budget, run) | (extra or {})
    return run


@dataclass(frozen=True)
class Settling:
    """Pools that are settled, and their cases on the way: ``batches`` gives these once, in ``schema``."""

    pools: dict[str, Settled]
    terms: Terms
    schema: pa.Schema
    tally: _Tally
    _connection: duckdb.DuckDBPyConnection
    _priced: pa.Schema
    _parts: Sequence[_Part]

    def batches(self, progress: Callable[[int, int | None], None] | None = None) -> Iterator[pa.RecordBatch]:
        """The priced cases in their order, with what their pools pay; ``progress`` as of ``settle_cases``.

        Raises ReconciliationError after the last where sums do not agree.
        """
        total, _ = self.tally.read
        if progress:
            progress(0, total)
        for batch in _settled(self._connection, self._priced, self.terms):
            self.tally.add(batch)
            yield batch
            if progress:
                progress(self.tally.rows, total)
        self.tally.check(self._parts, self.pools)


@contextmanager
def settling(
    policy: Policy,
    priced: Sequence[str],
    budget: Budget,
    *,
    value: str = "settlement",
    threads: int | None = None,
    memory: str | None = None,
    output: str = "",
    surplus: str = STAYS,
) -> Iterator[Settling]:
    """Settle the pools of priced Parquet files, for whoever writes the cases: ``settle_cases`` into a file
    of their own. Raises as that does; ``output``: where they will be written."""
    with connect(threads, memory, output) as connection:
        connection.execute(FLOOR_MACRO)
        check_pools(policy, budget)
        terms = Terms(policy.on(budget.last))
        schema = open_priced(connection, priced)
        check_period(connection, policy, budget)
        check_unique(connection)
        digits = make_basis(connection, schema, budget, terms)
        parts, volumes = _volumes(connection, digits)
        pools = settle_pools(terms, budget, volumes, value, surplus)
        _quotas(connection, parts, pools, digits)
        _cuts(connection, parts, pools)
        tally = _Tally(connection, budget)
        yield Settling(pools, terms, _schema(schema, terms), tally, connection, schema, parts)


def _volumes(
    connection: duckdb.DuckDBPyConnection, digits: int
) -> tuple[list[_Part], dict[str, dict[str, Volume]]]:
    """The first pass: sums by hospital and pool.

    Raises DataError where a paid case lacks an amount that the sums need.
    """
    fixed = "FILTER (NOT scalable)"
    rows = connection.execute(
        f"""SELECT hospital_code, budget_pool, count(*), count(*) FILTER (scalable),
          [count(points), count(covered), count(fund_due) {fixed}, count(pool_paid), count(hospital_code)],
          count(fund_due) = count(*),
          sum(points)::HUGEINT, sum(covered)::HUGEINT, (sum(fund_due) {fixed})::HUGEINT,
          sum(pool_paid)::HUGEINT, (sum(pool_paid) {fixed})::HUGEINT, sum(fund_due)::HUGEINT
        FROM basis WHERE pay_status = 'paid' GROUP BY 1, 2 ORDER BY 1, 2"""
    ).fetchall()
    parts: list[_Part] = []
    volumes: dict[str, dict[str, Volume]] = {}
    for hospital, pool, cases, scalable, counts, has_due, *sums in rows:
        _complete(hospital, pool, counts, (scalable, scalable, cases - scalable, cases, cases))
        points, covered, fixed_fund, by_item, fixed_by_item, due = (int(amount or 0) for amount in sums)
        parts.append(_Part(len(parts), hospital, pool, scalable))
        volumes.setdefault(pool, {})[hospital] = Volume(
            Fraction(points, 10**digits),
            covered,
            fixed_fund,
            by_item,
            fixed_by_item,
            due if has_due else None,
        )
    return parts, volumes


def _complete(hospital: str, pool: str, counts: Sequence[int], wanted: Sequence[int]) -> None:
    names = ("case_value", "person_paid", "fund_due", "pool_paid", "hospital_code")
    for name, found, needed in zip(names, counts, wanted, strict=True):
        if found != needed:
            raise DataError(
                zh=f"医院 {hospital}、基金池 {pool}：{needed - found} 例已付病例缺 {name}，"
                "无法结算；请核对计价输入",
                en=f"hospital {hospital}, pool {pool}: {needed - found} paid cases have no {name} "
                "and cannot be settled; check what was priced",
            )


def _quotas(
    connection: duckdb.DuckDBPyConnection, parts: Sequence[_Part], pools: dict[str, Settled], digits: int
) -> None:
    """View ``quotas``: the cases with their part and the whole fen of their points; part null: not by points.

    What the cases of a part share stands in lists by its number, which an enum finds: joins would not keep
    the order of the cases. A last digit of points is worth ``over`` / ``under`` fen.
    """
    keys = [literal(f"{part.hospital}{_BETWEEN}{part.pool}") for part in parts]
    connection.execute(f"CREATE TYPE part_key AS ENUM ({', '.join([*keys, literal(_BETWEEN)])})")
    units = [(pools[part.pool].value or Fraction(0)) * 100 / 10**digits for part in parts]
    _list(connection, "overs", "HUGEINT", [unit.numerator for unit in units])
    _list(connection, "unders", "HUGEINT", [unit.denominator for unit in units])
    own = f"enum_code(TRY_CAST(hospital_code || {literal(_BETWEEN)} || budget_pool AS part_key))::INTEGER"
    connection.execute(
        "CREATE OR REPLACE TEMP VIEW quotas AS SELECT *, points * over - under * quota AS rest FROM ("
        "SELECT *, floor_div(points * over, under) AS quota FROM ("
        f"SELECT *, {_of_part('overs')} AS over, {_of_part('unders')} AS under FROM ("
        f"SELECT *, CASE WHEN scalable THEN {own} END AS part FROM basis)))"
    )


def _list(
    connection: duckdb.DuckDBPyConnection, name: str, kind: str, values: Sequence[int | str | None]
) -> None:
    """A list by the numbers of parts, as a variable of the connection."""
    told = ", ".join("NULL" if value is None else literal(str(value)) for value in values)
    connection.execute(f"SET VARIABLE {name} = [{told}]::{kind}[]")


def _of_part(name: str) -> str:
    return f"list_extract(getvariable('{name}'), part + 1)"


def _cuts(connection: duckdb.DuckDBPyConnection, parts: Sequence[_Part], pools: dict[str, Settled]) -> None:
    """Lists ``cut_rests`` and ``cut_keys``: per part the last case that gets one of the fen left over.

    Raises ReconciliationError when the cases cannot add up to their hospital.
    """
    sums = dict(
        connection.execute(
            "SELECT part, sum(quota - covered)::HUGEINT FROM quotas WHERE part IS NOT NULL GROUP BY 1"
        ).fetchall()
    )
    connection.execute("CREATE TEMP TABLE extras (part INTEGER, extra BIGINT)")
    for part in parts:
        extra = pools[part.pool].dues[part.hospital].by_points - int(sums.get(part.number, 0))
        if not 0 <= extra <= part.cases:
            raise ReconciliationError(
                zh=f"医院 {part.hospital}、基金池 {part.pool}：病例之和与应付对不上，没有写出结果",
                en=f"hospital {part.hospital}, pool {part.pool}: the cases do not add up to the due; "
                "nothing was written",
            )
        connection.execute("INSERT INTO extras VALUES (?, ?)", [part.number, extra])
    cuts: dict[int, tuple[int, str]] = {}
    for chunk in _chunks(parts):
        numbers = ", ".join(str(part.number) for part in chunk)
        first, last = literal(chunk[0].hospital), literal(chunk[-1].hospital)
        within = f"hospital_code BETWEEN {first} AND {last}"  # so that files in order are read in part only
        sized = f'(SELECT part, rest, record_id AS "key" FROM quotas WHERE {within} AND part IN ({numbers}))'
        rows = connection.execute(cuts_sql(sized, "extras")).fetchall()
        cuts |= {part: (int(rest), key) for part, rest, key in rows}
    found = [cuts.get(part.number, (None, None)) for part in parts]
    _list(connection, "cut_rests", "HUGEINT", [rest for rest, _ in found])
    _list(connection, "cut_keys", "VARCHAR", [key for _, key in found])


def _chunks(parts: Sequence[_Part]) -> Iterator[list[_Part]]:
    """Hospitals of together at most ``_WINDOW_ROWS`` cases, or one larger."""
    chunk: list[_Part] = []
    size = 0
    for part in parts:
        if chunk and size + part.cases > _WINDOW_ROWS:
            yield chunk
            chunk, size = [], 0
        chunk.append(part)
        size += part.cases
    if chunk:
        yield chunk


def _settled(
    connection: duckdb.DuckDBPyConnection, schema: pa.Schema, terms: Terms
) -> Iterator[pa.RecordBatch]:
    """The priced cases with the settled columns, in their order."""
    connection.execute("SET preserve_insertion_order = true")
    fund = (
        "CASE WHEN scalable THEN quota - covered + CASE WHEN rest > cut_rest OR "
        "(rest = cut_rest AND record_id <= cut_key) THEN 1 ELSE 0 END "
        "WHEN pay_status <> 'held' THEN fund_due END"
    )
    source = f"SELECT *, {_of_part('cut_rests')} AS cut_rest, {_of_part('cut_keys')} AS cut_key FROM quotas"
    own = [f'"{OWN}{item.name}" AS "{item.name}"' for item in schema]
    added = [
        f"{_points(schema, terms)} AS settled_points",
        f"{scaled('fund', 2, 18)} AS settled_fund",
        f"{scaled(_amount(schema, terms), 2, 18)} AS settled_amount",
        f"{scaled('fund + person_paid + other_funds', 2, 18)} AS settled_income",
    ]
    query = f"SELECT {', '.join(own + added)} FROM (SELECT *, ({fund})::HUGEINT AS fund FROM ({source}))"
    wanted = _schema(schema, terms)
    for batch in connection.sql(query).to_arrow_reader(_BATCH):
        if batch.num_rows:
            yield batch.cast(wanted) if batch.schema != wanted else batch


def _points(schema: pa.Schema, terms: Terms) -> str:
    if not by_points(terms):
        return "CAST(NULL AS DECIMAL(18,0))"
    number = counted(schema).number()
    return f"CASE WHEN scalable THEN {scaled(number.over, number.digits, 18)} END"


def _amount(schema: pa.Schema, terms: Terms) -> str:
    """Fen of the whole amount: what the points are worth, or as priced with what the settlement changed."""
    if not by_points(terms):
        return "amount + fund - fund_due"
    formula = terms.choice("fund_formula")
    if formula == "F1":
        whole = "fund + person_paid + other_funds"
    elif formula == "points":
        whole = "fund"
    else:
        number = counted(schema).number()
        worth = f"{number.over} * over * {10**FUND_POINT_DIGITS}::HUGEINT"
        whole = f"half_up({worth}, under * {10**number.digits}::HUGEINT)"
        if "new_technology_amount" in schema.names:
            whole += " + new_technology_amount"
    return f"CASE WHEN scalable THEN {whole} WHEN pay_status <> 'held' THEN amount END"


def _schema(schema: pa.Schema, terms: Terms) -> pa.Schema:
    digits = counted(schema).number().digits if by_points(terms) else 0
    money = pa.decimal128(18, 2)
    added = [pa.field("settled_points", pa.decimal128(18, digits))]
    added += [pa.field(name, money) for name in ("settled_fund", "settled_amount", "settled_income")]
    return pa.schema([*schema, *added])


class _Tally:
    """Sums of what is written, kept by hospital and pool, to hold against the dues."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, budget: Budget) -> None:
        row = connection.execute("SELECT count(*), sum(total_cost)::HUGEINT FROM whole").fetchone()
        assert row is not None
        self.read = (row[0], int(row[1] or 0))
        self._budget = budget
        self._cost = self._unequal = self.rows = 0
        self._funds: dict[tuple[str, str], Fen] = {}
        self.counts: dict[str, int] = {}

    def add(self, batch: pa.RecordBatch) -> None:
        import pyarrow.compute as pc

        keys = ["hospital_code", "pool", "pay_status"]
        names = [*keys, "settled_fund", "total_cost"]
        sums = [("settled_fund", "sum"), ("total_cost", "sum"), ([], "count_all")]
        grouped = pa.table([batch[name] for name in names], names).group_by(keys).aggregate(sums)
        for row in grouped.to_pylist():
            self.rows += row["count_all"]
            self._cost += _fen(row["total_cost_sum"])
            self.counts[row["pay_status"]] = self.counts.get(row["pay_status"], 0) + row["count_all"]
            if row["pay_status"] == "paid":
                key = (row["hospital_code"], self._budget.pool_of(row["pool"]))
                self._funds[key] = self._funds.get(key, 0) + _fen(row["settled_fund_sum"])
        income = pc.add(pc.add(batch["settled_fund"], batch["person_paid"]), batch["other_funds"])
        self._unequal += pc.sum(pc.not_equal(income, batch["settled_income"])).as_py() or 0

    def check(self, parts: Sequence[_Part], pools: dict[str, Settled]) -> None:
        """Rows and costs as read, fund + person + others = income, Σ cases = hospital, Σ hospitals = pool.

        Raises ReconciliationError; nothing is then written.
        """
        due = {(p.hospital, p.pool): pools[p.pool].dues[p.hospital].total for p in parts}
        off = sorted(key for key in due.keys() | self._funds.keys() if due.get(key) != self._funds.get(key))
        for settled in pools.values():
            settled.check()
        if off or self._unequal or (self.rows, self._cost) != self.read:
            raise ReconciliationError(
                zh=f"结算对不上，没有写出结果：读入（例数、分）{self.read}，写出 {(self.rows, self._cost)}；"
                f"{self._unequal} 例三方之和不等；{len(off)} 家医院不等 {off[:1]}",
                en=f"the settlement does not add up, nothing was written: {self.read} cases and fen read, "
                f"{(self.rows, self._cost)} written; payers of {self._unequal} cases and {len(off)} "
                f"hospitals differ {off[:1]}",
            )


def _fen(amount: Decimal | None) -> Fen:
    return 0 if amount is None else fen_of(amount)


def _provenance(priced: Sequence[str], budget: Budget, run: Run) -> dict[str, Any]:
    """The provenance of the priced file, and what the settlement added."""
    import pyarrow.parquet as pq

    return {
        **read_provenance(pq.read_metadata(local_path(priced[0])).metadata, priced[0]),
        "settlement": {
            "format": PROVENANCE,
            "period": budget.period,
            "budget_sha256": budget.digest,
            "value": run.value,
            "parameters": [run.terms.cited[key] for key in sorted(run.terms.cited)],
            "assumed": run.terms.assumed,
            "rows": run.rows,
            "counts": run.counts,
            "pools": {name: describe(settled) for name, settled in run.pools.items()},
        },
    }
