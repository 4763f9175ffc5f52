"""The indices as SQL over ``cases``, and their comparison with the region.

Each query gives (h, g, days, num, den) with whole numbers for every hospital and packet. The region
is all hospitals of the files together. docs/indices.md has the definitions in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from grouper.indices.parameters import INDICES, Index, Parameters

if TYPE_CHECKING:
    import duckdb

BY = ("hospital", "hospital-packet")
_PLACES = 6
_BATCH_ROWS = 100_000


def measure(connection: duckdb.DuckDBPyConnection, parameters: Parameters) -> list[str]:
    """Fill ``measured`` with all indices; gives those not computed for lack of a list."""
    connection.execute(
        "CREATE TABLE measured (name VARCHAR, days INTEGER, h VARCHAR, g VARCHAR, num BIGINT, den BIGINT)"
    )
    skipped = []
    for index in parameters.indices:
        if index.name == "low_standard" and not index.values["diagnoses"]:
            skipped.append(index.name)
            continue
        query = _QUERIES[index.name](connection, index)
        connection.execute(f"INSERT INTO measured SELECT '{index.name}', days, h, g, num, den FROM ({query})")
    return skipped


def schema_of(by: str) -> pa.Schema:
    """The columns of the result."""
    rate = pa.decimal128(18, _PLACES)
    fields = [("hospital", pa.string()), ("index", pa.string()), ("days", pa.int32())]
    fields += [("packet", pa.string())] if by == "hospital-packet" else []
    fields += [("numerator", pa.int64()), ("denominator", pa.int64()), ("rate", rate)]
    fields += [("region_numerator", pa.int64()), ("region_denominator", pa.int64()), ("region_rate", rate)]
    return pa.schema([*fields, ("ratio", rate), ("verified", pa.bool_())])


def results(
    connection: duckdb.DuckDBPyConnection, parameters: Parameters, by: str
) -> Iterator[pa.RecordBatch]:
    """The rows of the result by hospital, index, days and packet, in batches of the schema above."""
    packet = by == "hospital-packet"
    keys = "name, days, g" if packet else "name, days"
    where = "WHERE g IS NOT NULL" if packet else ""
    order = ", ".join(f"'{name}'" for name in INDICES)
    verified = [index.name for index in parameters.indices if index.verified]
    shown = schema_of(by)
    reader = connection.sql(
        f"""WITH mine AS (
            SELECT {keys}, h, CAST(sum(num) AS HUGEINT) AS n, CAST(sum(den) AS HUGEINT) AS d
            FROM measured {where} GROUP BY {keys}, h HAVING sum(den) > 0
        ), whole AS (
            SELECT *, CAST(sum(n) OVER (PARTITION BY {keys}) AS HUGEINT) AS rn,
                   CAST(sum(d) OVER (PARTITION BY {keys}) AS HUGEINT) AS rd
            FROM mine
        )
        SELECT h AS hospital, name AS index, days, {"g AS packet," if packet else ""}
               CAST(n AS BIGINT) AS numerator, CAST(d AS BIGINT) AS denominator, {_decimal("n", "d")} AS rate,
               CAST(rn AS BIGINT) AS region_numerator, CAST(rd AS BIGINT) AS region_denominator,
               {_decimal("rn", "rd")} AS region_rate,
               CASE WHEN rn > 0 THEN {_decimal("(n * rd)", "(d * rn)")} END AS ratio,
               name IN ({", ".join(f"'{name}'" for name in ["", *verified])}) AS verified
        FROM whole ORDER BY h, list_position([{order}], name), days, {"g" if packet else "n"}"""
    ).to_arrow_reader(_BATCH_ROWS)
    for batch in reader:
        arrays = [column.cast(field.type) for column, field in zip(batch.columns, shown, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=shown)


def _decimal(above: str, below: str) -> str:
    """above / below of whole numbers (HUGEINT) with six places, halves away from zero; exact."""
    scaled = f"(2 * {above} * {10**_PLACES} + {below}) // (2 * {below})"
    return f"CAST({scaled} AS DECIMAL(18, 0)) * CAST(0.000001 AS DECIMAL(7, 6))"


# --- queries ----------------------------------------------------------------------------------


def _record_quality(_: duckdb.DuckDBPyConnection, __: Index) -> str:
    return (
        "SELECT h, g, NULL AS days, count(*) FILTER (clean) AS num, count(*) AS den FROM cases GROUP BY h, g"
    )


def _readmission(connection: duckdb.DuckDBPyConnection, index: Index) -> str:
    """Stays that begin 0 to n days after the discharge from one of the same person and packet."""
    packets = _listed("upper(g)", index.values["exempt_packets"])
    diagnoses = _listed("dx", index.values["exempt_diagnoses"])
    exempt = f"{packets} OR coalesce({diagnoses}, false)"
    windows: Sequence[int] = index.values["windows"]
    connection.execute(
        f"""CREATE OR REPLACE TABLE stays AS
        SELECT row, h, p, g, admitted, discharged, coalesce(way = 5, false) AS died FROM cases
        WHERE g IS NOT NULL AND p IS NOT NULL AND admitted <= discharged AND NOT ({exempt})"""
    )
    same = "AND a.h = b.h" if index.values["same_hospital"] else ""
    connection.execute(
        f"""CREATE OR REPLACE TABLE gaps AS
        SELECT a.row, min(b.admitted - a.discharged) AS gap FROM stays a JOIN stays b
        ON a.p = b.p AND a.g = b.g {same} AND b.admitted >= a.discharged
           AND b.admitted - a.discharged <= {max(windows)}
           -- of stays of one and the same day, one follows the other in the order of the rows
           AND (b.admitted > a.admitted OR b.discharged > a.discharged OR b.row > a.row)
        WHERE NOT a.died GROUP BY a.row"""
    )
    days = ", ".join(f"({n})" for n in windows)
    return f"""SELECT h, g, days, count(*) FILTER (gap <= days) AS num, count(*) AS den
        FROM stays LEFT JOIN gaps USING (row) CROSS JOIN (VALUES {days}) AS windows(days)
        WHERE NOT died GROUP BY h, g, days"""


def _low_standard(connection: duckdb.DuckDBPyConnection, index: Index) -> str:
    low = _listed("dx", index.values["diagnoses"])
    connection.execute(
        f"CREATE OR REPLACE TABLE low AS SELECT dx FROM (SELECT DISTINCT dx FROM cases) WHERE {low}"
    )
    return """SELECT h, g, NULL AS days, count(*) FILTER (dx IN (SELECT dx FROM low)) AS num, count(*) AS den
        FROM cases WHERE dx IS NOT NULL GROUP BY h, g"""


def _overlong(_: duckdb.DuckDBPyConnection, index: Index) -> str:
    """Stays above k times the mean, in whole numbers: stay · n · under(k) > sum · over(k)."""
    k = index.fraction("factor")
    return f"""WITH packets AS (
            SELECT g, CAST(count(*) AS HUGEINT) AS n, CAST(sum(stay) AS HUGEINT) AS total FROM cases
            WHERE g IS NOT NULL AND stay IS NOT NULL GROUP BY g HAVING count(*) >= {index.values["min_cases"]}
        )
        SELECT h, g, NULL AS days,
               count(*) FILTER (stay * n * {k.denominator} > total * {k.numerator}) AS num, count(*) AS den
        FROM cases JOIN packets USING (g) WHERE stay IS NOT NULL GROUP BY h, g"""


def _low_risk_death(_: duckdb.DuckDBPyConnection, index: Index) -> str:
    bound = index.fraction("mortality_below")
    return f"""WITH packets AS (
            SELECT g FROM cases WHERE g IS NOT NULL AND way IS NOT NULL GROUP BY g
            HAVING count(*) >= {index.values["min_cases"]}
               AND count(*) FILTER (way = 5) * {bound.denominator} < count(*) * {bound.numerator}
        )
        SELECT h, g, NULL AS days, count(*) FILTER (way = 5) AS num, count(*) AS den
        FROM cases JOIN packets USING (g) WHERE way IS NOT NULL GROUP BY h, g"""


def _listed(column: str, codes: Sequence[str]) -> str:
    """Whether a column is one of the codes, or begins as one that ends with ``*``."""
    texts = sorted({code.strip().upper().replace("'", "''") for code in codes})
    whole = [f"'{code}'" for code in texts if not code.endswith("*")]
    begins = [f"starts_with({column}, '{code[:-1]}')" for code in texts if code.endswith("*")]
    tests = ([f"{column} IN ({', '.join(whole)})"] if whole else []) + begins
    return f"({' OR '.join(tests)})" if tests else "false"


_QUERIES = {
    "record_quality": _record_quality,
    "readmission": _readmission,
    "low_standard": _low_standard,
    "overlong": _overlong,
    "low_risk_death": _low_risk_death,
}
