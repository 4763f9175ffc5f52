"""Cases for audit, the suspicious first: by the severity of their findings and the money at stake."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from grouper.checks.rules import Rank

if TYPE_CHECKING:
    import duckdb

SCHEMA = pa.schema(
    [
        ("rank", pa.int64()), ("score", pa.int64()), ("row", pa.int64()), ("record_id", pa.string()),
        ("hospital_code", pa.string()), ("department", pa.string()), ("group", pa.string()),
        ("errors", pa.int64()), ("warnings", pa.int64()), ("hints", pa.int64()),
        ("money", pa.decimal128(18, 2)), ("rules", pa.string()), ("texts", pa.string()),
    ]
)  # fmt: skip
_BATCH = 100_000


def ranked(connection: duckdb.DuckDBPyConnection, rank: Rank) -> Iterator[pa.RecordBatch]:
    """One row per record (or hospital, or doctor) with findings.

    The score is points by severity, and one more for each so many yuan that the dearest correction moves.
    """
    points = " + ".join(
        f"{number} * count(*) FILTER (severity = '{severity}')" for severity, number in rank.points.items()
    )
    counts = ", ".join(
        f"count(*) FILTER (severity = '{severity}') AS {name}"
        for severity, name in (("error", "errors"), ("warn", "warnings"), ("hint", "hints"))
    )
    first = ", ".join(f'any_value("{name}") AS "{name}"' for name in ("hospital_code", "department", "group"))
    yuan = f"CAST(coalesce(max(abs(money)), 0) * 100 AS BIGINT) // {rank.yuan_per_point * 100}"
    reader = connection.sql(
        f"""WITH cases AS (
            SELECT {points} + {yuan} AS score, row, record_id, {first}, {counts},
                   arg_max(money, abs(money)) AS money, string_agg(rule, '|' ORDER BY place) AS rules,
                   string_agg("text", '；' ORDER BY place) AS texts
            FROM findings JOIN rules USING (rule) GROUP BY row, record_id)
        SELECT row_number() OVER (ORDER BY score DESC, row NULLS LAST, record_id) AS rank, *
        FROM cases ORDER BY rank"""
    ).to_arrow_reader(_BATCH)
    for batch in reader:
        yield batch.cast(SCHEMA)
