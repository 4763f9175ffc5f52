"""Where the money moves, case by case: the difference of a case in parts that add up to the fen.

What a case is paid by units is V·(G + X): the value of a unit, the units of its group, and those that outlier
class and adjustments add or take. From the old side to the new, with W the units of the group to which most
cases of its old group went (the dominant successor), by the new side's weights:

    point value      (V₁ − V₀)·(U₀ + U₁)/2         U = G + X
    weight           (V₀ + V₁)/2·(W − G₀)          the old group as a whole is worth more or less
    group change     (V₀ + V₁)/2·(G₁ − W)          this case went elsewhere than most of its old group
    outlier class    (V₀ + V₁)/2·(X₁ − X₀)
    other            what is not paid by units: carved-out amounts, cases held or paid by item on both sides

The first four are the Shapley values of the product: the mean over all orders in which the factors may
change. Where a side does not pay a case by units and the way of payment differs, all of it is group change.
Each part is cut to the fen below, and the fen that lack go to the largest remainders, so that parts add up to
the difference of each case, and thereby of every hospital, county and group.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from grouper.base.errors import ReconciliationError, UsageError
from grouper.base.exact import half_up, quotient
from grouper.base.sql import literal
from grouper.compare.rows import FEN, UNITS, VALUE, paid_by_units, whole

if TYPE_CHECKING:
    import duckdb

PARTS = ("value", "weight", "group", "outlier", "other")
_SHARED = ("value", "weight", "group", "outlier")
_FLOOR = "CREATE OR REPLACE MACRO rest(n, d) AS ((n % d) + d) % d"


@dataclass(frozen=True)
class Neutral:
    """A pool of the new side ("": all in one): the value of a unit as the policy has it, and as solved; where
    its cases have several, ``before`` is None and ``solved`` the factor that all take."""

    pool: str
    before: Decimal | None
    solved: Decimal
    cases: int

    @property
    def sql(self) -> str:
        """SQL of the solved value of a case."""
        solved = f"{int(self.solved.scaleb(VALUE))}::HUGEINT"
        if self.before is None:
            solved = f"half_up(c.value_1 * {solved}, {10**VALUE}::HUGEINT)"
        return f"WHEN {literal(self.pool)} THEN {solved}"


def make_neutral(connection: duckdb.DuckDBPyConnection) -> list[Neutral]:
    """Have the new side pay what the old side does, pool by pool, by the value of a unit alone.

    Amounts that are not by units stay; the others keep their proportions, cut to the fen, and the fen that
    lack go to the largest remainders. Pools that are not the same on both sides count as one. Raises
    UsageError where nothing is paid by units, or what is not takes more than the old side paid.
    """
    ((differ,),) = connection.execute(
        "SELECT count(*) FROM cases WHERE kind = 'case' AND pool_0 IS DISTINCT FROM pool_1"
    ).fetchall()
    pool = "''" if differ else "coalesce(pool_1, '')"
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE neutral AS
        SELECT n, {pool} AS pool, units_1, value_1, amount_1, amount_0,
          {paid_by_units(1)} AS paid, (units_1 * value_1) // 1000000 AS share
        FROM cases WHERE kind = 'case'"""
    )
    rows = connection.execute(
        "SELECT pool, coalesce(sum(amount_0), 0) - coalesce(sum(amount_1), 0) + coalesce(sum(paid), 0), "
        "coalesce(sum(share), 0), coalesce(sum(paid), 0), count(share), any_value(value_1), "
        "max(value_1) = min(value_1) FROM neutral GROUP BY 1 ORDER BY 1"
    ).fetchall()
    found = []
    for name, target, shares, paid, number, value, single in rows:
        if not shares and not target:
            continue
        if not shares or target < 0:
            raise UsageError(
                zh=f"基金池 {name or '全部'} 无法以点值保持总额不变：按点值支付的金额为 {paid} 分，应为 "
                f"{target} 分",
                en=f"pool {name or 'all'} cannot keep its total by the point value: {paid} fen are paid by "
                f"points, {target} would have to be",
            )
        factor = quotient(int(target), int(shares))
        # share is units·value without its last 6 decimals: what factor 1 would be in fen
        factor *= Decimal(FEN // 10**6)
        before = Decimal(int(value)).scaleb(-VALUE) if single else None
        solved = half_up(factor if before is None else before * factor, VALUE)
        found.append(Neutral(str(name), before, solved, int(number)))
    connection.execute(
        """CREATE OR REPLACE TEMP TABLE neutral_paid AS
        WITH pools AS (
          SELECT pool, CAST(coalesce(sum(amount_0), 0) - coalesce(sum(amount_1), 0) + coalesce(sum(paid), 0)
            AS HUGEINT) AS target, CAST(sum(share) AS HUGEINT) AS shares FROM neutral GROUP BY 1),
        cut AS (
          SELECT n, pool, target, amount_1 - paid AS fixed, (share * target) // shares AS fen,
            (share * target) % shares AS remainder FROM neutral JOIN pools USING (pool)
          WHERE share IS NOT NULL),
        ranked AS (
          SELECT *, row_number() OVER (PARTITION BY pool ORDER BY remainder DESC, n) AS place,
            target - sum(fen) OVER (PARTITION BY pool) AS lacking FROM cut)
        SELECT n, pool, CAST(fixed + fen + CASE WHEN place <= lacking THEN 1 ELSE 0 END AS BIGINT) AS amount
        FROM ranked"""
    )
    if found:
        cases = " ".join(each.sql for each in found)
        connection.execute(
            f"UPDATE cases AS c SET amount_1 = p.amount, value_1 = CASE p.pool {cases} END "
            "FROM neutral_paid AS p WHERE p.n = c.n"
        )
    connection.execute("DROP TABLE neutral; DROP TABLE neutral_paid")
    return found


def decompose(connection: duckdb.DuckDBPyConnection, methods: tuple[str, str]) -> Decimal:
    """Add ``before``, ``after`` and ``part_…`` to ``cases``, in fen; returns by how much units of the new
    side are divided to be units of the old one: 1 where both methods are the same.

    Raises ReconciliationError where parts do not add up.
    """
    unit = Decimal(1) if methods[0] == methods[1] else _unit(connection)
    connection.execute(_FLOOR)
    divisor = int(unit.scaleb(UNITS))
    if divisor != 10**UNITS:
        connection.execute(
            "UPDATE cases SET "
            + ", ".join(
                f"{name}_1 = half_up({name}_1 * {10**UNITS}, {divisor}::HUGEINT)"
                for name in ("units", "standard")
            )
            + f", value_1 = half_up(value_1 * {divisor}::HUGEINT, {10**UNITS})"
        )
    connection.execute(_main_weights())
    d = 2 * FEN
    both = "(value_0 + value_1)"
    exact = {
        "value": "(value_1 - value_0) * (units_0 + units_1)",
        "weight": f"{both} * (middle - standard_0)",
        "group": f"{both} * (standard_1 - middle)",
        "outlier": f"{both} * ((units_1 - standard_1) - (units_0 - standard_0))",
    }
    by_units = "value_0 IS NOT NULL AND value_1 IS NOT NULL"
    remainders = ", ".join(f"rest({sql}, {d}::HUGEINT) AS rest_{name}" for name, sql in exact.items())
    floors = ", ".join(
        f"({sql} - rest({sql}, {d}::HUGEINT)) // {d}::HUGEINT AS floor_{name}" for name, sql in exact.items()
    )
    places = ", ".join(f"1 + {_before(name)} AS place_{name}" for name in _SHARED)
    cut = {name: f"floor_{name} + CASE WHEN place_{name} <= lacking THEN 1 ELSE 0 END" for name in _SHARED}
    cut["value"] += " + CASE WHEN lacking > 4 THEN lacking - 4 WHEN lacking < 0 THEN lacking ELSE 0 END"
    otherwise = "status_0 = status_1 AND way_0 IS NOT DISTINCT FROM way_1"
    group = f"CASE WHEN by_units THEN {cut['group']} WHEN {otherwise} THEN 0 ELSE difference END"
    other = f"CASE WHEN by_units THEN fixed WHEN {otherwise} THEN difference ELSE 0 END"
    made = {
        **{n: f"CASE WHEN by_units THEN {cut[n]} ELSE 0 END" for n in ("value", "weight", "outlier")},
        "group": group, "other": other,
    }  # fmt: skip
    told = ", ".join(f"CAST({made[name]} AS BIGINT) AS part_{name}" for name in PARTS)
    connection.execute(
        f"""CREATE OR REPLACE TABLE moved AS
        WITH amounts AS (
          SELECT c.*, coalesce(amount_0, 0) AS before, coalesce(amount_1, 0) AS after, {by_units} AS by_units,
            CASE WHEN m.weight > 0 AND weight_1 > 0 AND way_1 = 'group' AND way_0 = 'group'
              THEN half_up(standard_1 * {whole("m.weight", 9)},
                {whole("weight_1", 9)}) ELSE standard_0 END AS middle
          FROM cases AS c LEFT JOIN main_weights AS m ON m.group_0 = c.group_0
          WHERE kind = 'case'),
        cut AS (
          SELECT *, after - before AS difference,
            extra_1 - extra_0 AS fixed, {remainders}, {floors}
          FROM amounts),
        placed AS (
          SELECT *, difference - fixed - floor_value - floor_weight - floor_group - floor_outlier AS lacking,
            {places} FROM cut)
        SELECT n, before, after, CAST(difference AS BIGINT) AS difference, {told} FROM placed"""
    )
    ((wrong,),) = connection.execute(
        f"SELECT count(*) FROM moved WHERE difference IS DISTINCT FROM "
        f"{' + '.join(f'part_{p}' for p in PARTS)}"
    ).fetchall()
    if wrong:
        raise ReconciliationError(
            zh=f"{wrong} 例的分解之和不等于差额；没有写出结果",
            en=f"the parts of {wrong} cases do not add up to their difference; nothing was written",
        )
    return unit


def _before(name: str) -> str:
    """SQL: how many other parts have a larger remainder, or the same and come first."""
    mine = _SHARED.index(name)
    tests = [
        f"CAST(rest_{other} {'>=' if place < mine else '>'} rest_{name} AS INTEGER)"
        for place, other in enumerate(_SHARED)
        if other != name
    ]
    return " + ".join(tests)


def _unit(connection: duckdb.DuckDBPyConnection) -> Decimal:
    """Methods that differ count in units of their own; the mean case of both is worth the same number."""
    ((old, new),) = connection.execute(
        "SELECT sum(units_0), sum(units_1) FROM cases WHERE units_0 IS NOT NULL AND units_1 IS NOT NULL"
    ).fetchall()
    return half_up(quotient(int(new), int(old)), UNITS) if old and new else Decimal(1)


def _main_weights() -> str:
    """Table ``main_weights``: old group to the weight of its dominant successor on the new side."""
    return """CREATE OR REPLACE TEMP TABLE main_weights AS
    WITH pairs AS (
      SELECT group_0, group_1, count(*) AS cases, max(weight_1) AS weight FROM cases
      WHERE kind = 'case' AND status_0 = 'grouped' AND status_1 = 'grouped' GROUP BY 1, 2)
    SELECT group_0, weight FROM pairs
    QUALIFY row_number() OVER (PARTITION BY group_0 ORDER BY cases DESC, group_1) = 1"""
