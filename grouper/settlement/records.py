"""The records of a month as they are priced: canonical, grouped, with their hospital and what was decided."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from grouper.base.arrow import in_lots
from grouper.base.errors import DataError, ReconciliationError
from grouper.base.paths import local_path
from grouper.grouping.family import families
from grouper.payment.price.inputs import DECIDED
from grouper.settlement import relations, tables
from grouper.settlement.corrections import Item
from grouper.settlement.intake import AMOUNTS, DATES, GROUPED_BY, NUMBERS, TEXTS, grouped_columns, row_schema

if TYPE_CHECKING:
    import duckdb

ORDER = "hospital_code, discharge_date, record_id"
OF_HOSPITAL = ("hospital_level", "hospital_kind", "county", "hospital_coefficient", "alliance")
# What stands for a decision where others have one and a case has none.
UNDECIDED = {"auxiliary_coefficient": "1", "unreasonable_cost": "0", "new_technology_cost": "0"}


def decide(connection: duckdb.DuckDBPyConnection, items: Sequence[Item]) -> list[str]:
    """Table ``decided`` (id, kind, file, row, reason, clause, DECIDED columns); returns the columns given."""
    relations.make(connection, relations.DECIDED_CASES)
    if items:
        marks = ", ".join("?" * len(relations.DECIDED_CASES.names))
        connection.executemany(
            f"INSERT INTO decided VALUES ({marks})",
            [[i.id, i.kind, i.file, i.row, i.reason, i.clause, *(i.values.get(n) for n in DECIDED)]
             for i in items],
        )  # fmt: skip
    return [name for name in DECIDED if any(name in item.values for item in items)]


def named(by: str) -> str:
    """SQL: a judged row that table ``by`` names by its record or settlement. They are few, the rows many."""
    return f"rid IS NOT NULL AND (rid IN (SELECT id FROM {by}) OR sid IN (SELECT id FROM {by}))"


def resolve(connection: duckdb.DuckDBPyConnection) -> None:
    """Table ``decisions``: ``decided`` by record_id, of this input or of the lake (``period``).

    Raises DataError for a decision about a settlement that is not known.
    """
    relations.make(
        connection,
        relations.DECISIONS,
        "SELECT d.*, o.record_id, o.period FROM decided AS d JOIN ("
        "SELECT rid AS record_id, NULL::VARCHAR AS period, unnest([rid, sid]) AS id FROM left_rows "
        f"WHERE {named('decided')} UNION "
        "SELECT record_id, period, unnest([record_id, settlement_id]) AS id FROM known) AS o ON o.id = d.id",
    )
    row = connection.execute(
        "SELECT file, row, id FROM decided WHERE id NOT IN (SELECT id FROM decisions) "
        f"AND id NOT IN (SELECT unnest([rid, sid]) FROM judged WHERE {named('decided')}) "
        "ORDER BY 1, 2 LIMIT 1"
    ).fetchone()
    if row:
        raise DataError(
            zh=f"{row[0]} 第 {row[1]} 行：{row[2]} 不在本次输入中，也没有在本湖结算过",
            en=f"{row[0]}, row {row[1]}: {row[2]} is not in the input, nor was it settled in this lake",
        )


def records_sql(
    present: Collection[str], hospital_columns: Collection[str], decided: Sequence[str],
    missing: Sequence[str], *, where: str, rows: str = "rows", offsite: str = "",
) -> str:  # fmt: skip
    """SQL of rows as records; only columns that an input has, so that nothing missing looks like nothing.

    ``missing``: those that the user lets be missing; they are empty. ``where`` may use r (``rows``)
    and f (fate). ``offsite``: SQL of the column of that name, over r and h (its hospital).
    """
    columns = [
        "CASE coalesce(f.fate, 'case') WHEN 'case' THEN 'case' ELSE f.fate END AS row_kind",
        "r.input_file", "r.input_row",
        "coalesce(f.partner, r.record_id, r.settlement_id) AS record_id",
        "coalesce(r.settlement_id, r.record_id) AS settlement_id",
    ]  # fmt: skip
    given = [
        *TEXTS[2:],
        *DATES,
        *NUMBERS,
        *GROUPED_BY,
        "discharge_way",
        "interim_flag",
        "diagnoses",
        "procedures",
    ]
    for name in (*given, *AMOUNTS, *grouped_columns()):
        if name in present and name not in OF_HOSPITAL:
            joined = name in (*relations.SUMMED, "admission_date", "los_days")
            whole = f'CASE WHEN j.n IS NULL THEN r."{name}" ELSE j."{name}" END AS "{name}"'
            columns.append(whole if joined else f'r."{name}"')
    for name in OF_HOSPITAL:
        own = name == "hospital_level" and name in present
        if name in hospital_columns:
            columns.append(f"coalesce(h.{name}, r.{name}) AS {name}" if own else f"h.{name}")
        elif own:
            columns.append(f"r.{name}")
    columns += [f'r."{name}"' for name in missing if name in row_schema().names and name not in present]
    columns += [f"{offsite} AS offsite"] if offsite else []
    columns += [f"coalesce(d.{name}, {UNDECIDED.get(name, 'NULL')}) AS {name}" for name in decided]
    joins = "LEFT JOIN fate AS f ON f.n = r.n LEFT JOIN hospitals AS h ON h.hospital_code = r.hospital_code"
    joins += " LEFT JOIN joined_bills AS j ON j.n = r.n"
    if decided:
        joins += (
            " LEFT JOIN decisions AS d ON d.period IS NULL AND "
            "d.record_id = coalesce(r.record_id, r.settlement_id)"
        )
    return f"SELECT {', '.join(columns)} FROM {rows} AS r {joins} WHERE {where}"


def columns_of(connection: duckdb.DuckDBPyConnection, source: str) -> list[str]:
    """The names of the columns of a view, a table or a file."""
    return list(connection.sql(f"SELECT * FROM {source} LIMIT 0").columns)


def beside(own: Collection[str], known: Collection[str]) -> dict[str, str | None]:
    """What a case gets of its record beside its ``own`` columns: who, when, which group, from which row. Name
    to the column of the record; None where the record has none."""
    wanted = ["settlement_id", "person_id", "visit_id", "admission_date", "discharge_date", "group_name",
              "mdc", "status", "reason", "region_code", "region_of_treatment", "offsite", "row_kind",
              "input_file", "input_row"]  # fmt: skip
    of_groups = (each.GROUP_NAME for each in families())
    names = {"group_name": next((n for n in of_groups if n in known), "")}
    columns = {name: names.get(name, name) for name in wanted if name not in own}
    return {name: column if column in known else None for name, column in columns.items()}


def cases_sql(connection: duckdb.DuckDBPyConnection, settled: str, records: str) -> str:
    """SQL of settled cases with what their records know beside."""
    more = beside(columns_of(connection, settled), columns_of(connection, records))
    told = [
        f"{'NULL::VARCHAR' if column is None else f'r.{column}'} AS {name}" for name, column in more.items()
    ]
    return f"SELECT s.*, {', '.join(told)} FROM {settled} AS s JOIN {records} AS r USING (record_id)"


def widened(
    settled: Iterable[pa.RecordBatch], records: Path, schema: pa.Schema
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Settled cases of ``schema`` with what their records know beside; they stand in the same order, and meet
    by place. Raises ReconciliationError where a case stands beside the record of another."""
    known = pq.read_schema(local_path(records))
    more = beside(schema.names, known.names)
    kinds = [pa.string() if column is None else known.field(column).type for column in more.values()]
    whole = pa.schema([*schema, *(pa.field(name, kind) for name, kind in zip(more, kinds, strict=True))])
    read = list(dict.fromkeys(["record_id", *(column for column in more.values() if column)]))

    def batches() -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(local_path(records)) as file:
            kept = pa.schema([known.field(name) for name in read])
            coming = in_lots(kept, file.iter_batches(tables.GROUP_ROWS, columns=read))
            for batch in settled:
                found = coming(batch.num_rows)
                if found.num_rows != batch.num_rows or not found["record_id"].equals(batch["record_id"]):
                    raise ReconciliationError(
                        zh="程序内部错误：病例与其记录次序不同；没有写入湖，请报告此错误",
                        en="internal error: cases stand in another order than their records; nothing was "
                        "written to the lake, please report this",
                    )
                added = [
                    pa.nulls(batch.num_rows, pa.string()) if column is None else found[column]
                    for column in more.values()
                ]
                yield pa.RecordBatch.from_arrays([*batch.columns, *added], schema=whole)

    return whole, batches()
