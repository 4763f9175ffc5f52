"""Steps of a policy as one SQL query over the table of cases, and as numbers for one case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from grouper.base.sql import literal
from grouper.payment.formula import keyed
from grouper.payment.formula.expression import WORDS, Lookup, Rounded, Word, walk
from grouper.payment.formula.predicates import OneOf
from grouper.payment.formula.window import Rank
from grouper.payment.policy import pool_names
from grouper.payment.price.inputs import names_in
from grouper.payment.price.lookups import Lookups
from grouper.payment.price.steps import Step

if TYPE_CHECKING:
    import duckdb

BARRIER = "CREATE OR REPLACE TEMP TABLE single_row AS SELECT 1 AS single"


def word_type(plans: Sequence[Sequence[Step]]) -> str:
    """SQL that makes the ENUM of all words in the steps of a run."""
    words = set()
    for step in (step for plan in plans for step in plan):
        for part in walk(step.expr):
            if isinstance(part, Word):
                words.add(part.text)
            elif isinstance(part, OneOf) and not part.prefix and part.name in WORDS:
                words.update(part.words)
    return f"CREATE OR REPLACE TEMP TYPE word AS ENUM ({', '.join(map(literal, sorted(words)))})"


def levels(steps: Sequence[Step]) -> list[list[Step]]:
    """The steps in runs of which none reads a column that the same run makes; a rank runs alone."""
    found: list[list[Step]] = [[]]
    made: set[str] = set()
    for step in steps:
        ranks = _rank(step) is not None
        if names_in(step.expr) & made or ranks:
            found.append([])
            made = set()
        found[-1].append(step)
        made.add(step.name)
        if ranks:
            found.append([])
    return [run for run in found if run]


def query(
    steps: Sequence[Step],
    source: str,
    connection: duckdb.DuckDBPyConnection | None = None,
    name: str = "rank",
) -> str:
    """SQL: the columns of ``source`` and one for each step, numbers as whole numbers of last digits.

    DuckDB writes formulas of one level into the next, where a column that is read twice is computed
    twice, and so on to the power; the product with one row now and then stops it. Needs the table
    ``BARRIER``, the lists of Lookups.create, the type of ``word_type`` and the macros of ``MACROS``.
    With a ``connection`` ranks are made at once, as lists ``name``_N, and one thread keeps the order of
    ``source``; without, they are joined.
    """
    sql = f"SELECT * FROM {source}"
    for number, run in enumerate(levels(steps), 1):
        rank = _rank(run[0])
        if rank is not None:
            sql = _ranked(run[0].name, rank, sql, connection, f"{name}_{number}")
            continue
        columns = ", ".join(f'{_column(step)} AS "{step.name}"' for step in run)
        sql = f"SELECT *, {columns} FROM ({sql})"
        if number % 2 == 0:
            sql = f"SELECT * EXCLUDE (single) FROM (SELECT * FROM ({sql}), single_row)"
    return sql


def _rank(step: Step) -> Rank | None:
    inner = step.expr.inner if isinstance(step.expr, Rounded) else None
    return inner if isinstance(inner, Rank) else None


def _ranked(
    column: str, rank: Rank, sql: str, connection: duckdb.DuckDBPyConnection | None, name: str
) -> str:
    """A rank among the rows that pass its test; only they are sorted."""
    keys = ", ".join(f'"{key}"' for key in rank.within)
    within = f"PARTITION BY {keys} " if keys else ""
    order = f'"{rank.order.name}" DESC NULLS LAST, record_id'
    ranks = (
        f"SELECT record_id, row_number() OVER ({within}ORDER BY {order}) AS place "
        f"FROM ({sql}) WHERE {rank.test.sql()}"
    )
    if connection is None:
        joined = f"({sql}) AS c LEFT JOIN ({ranks}) AS k USING (record_id)"
        return f'SELECT c.*, k.place AS "{column}" FROM {joined}'
    connection.execute(f"CREATE TEMP TABLE {name} AS {ranks}")
    keyed.create(connection, name, name, "record_id", ["place"])
    place = keyed.found(name, "record_id", "place")
    return f'SELECT *, CASE WHEN {rank.test.sql()} THEN {place} END AS "{column}" FROM ({sql})'


def _column(step: Step) -> str:
    expr = step.expr
    if isinstance(expr, Lookup):
        key = keyed.joined([f'"{name}"' for name in expr.keys])
        return keyed.found(f"lookup_{expr.table}", key, expr.column)
    if isinstance(expr, Rounded):
        return f"({expr.sql()})::BIGINT"
    return expr.sql()


def evaluate(steps: Sequence[Step], row: Mapping[str, Any], lookups: Lookups) -> dict[str, Any]:
    """The columns of one case: the same as the SQL, in exact numbers.

    ``row`` has the input columns: amounts as Decimal in yuan, texts, ints, lists.
    """
    known: dict[str, Any] = dict(row)
    for step in steps:
        expr = step.expr
        if isinstance(expr, Lookup):
            key = tuple(known.get(name) for name in expr.keys)
            known[step.name] = lookups.get(expr.table, key, expr.column)
        else:
            known[step.name] = expr.value(known)
    made = {step.name: known[step.name] for step in steps}
    return pool_names.named(made)


def whole(step: Step, value: Any) -> Any:
    """A value as the SQL column has it: a number as a whole number of its last digits."""
    if isinstance(value, Fraction) and step.digits is not None and step.digits >= 0:
        return int(value * 10**step.digits)
    return value
