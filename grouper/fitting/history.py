"""Grouped discharges of some years as the table ``cases``; what is left out is counted by reason."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from grouper.base.errors import DataError, UsageError
from grouper.base.leftovers import tag
from grouper.base.money import cost_columns, refuse
from grouper.base.paths import local_path
from grouper.base.provenance import read as read_provenance
from grouper.base.sql import quote, rows_of, scan
from grouper.fitting.sums import CASES
from grouper.grouping.drg.family import GROUP
from grouper.records.gate import REASONS as GATE_REASONS
from grouper.records.stays import Gate, given_columns, pass_gate, rows_sql

if TYPE_CHECKING:
    import duckdb

STRAY = 10  # a year of less than a tenth of the fullest year's cases has to be named
LEFT_OUT: dict[str, tuple[str, str]] = {
    "ambiguous": ("歧义组", "ambiguous"),
    "ungrouped": ("未入组", "ungrouped"),
    "needs-data": ("缺数据", "lacking data"),
    "invalid": ("无效", "invalid"),
    "no-status": ("没有分组状态", "without a status of grouping"),
    "no-group": ("没有病组编码", "without a group"),
    **GATE_REASONS,
    "no-year": ("缺出院年份", "year of discharge missing"),
    "other-year": ("不属于 --years 指定的年份", "of a year that --years does not name"),
    "principal-missing": ("缺主要诊断", "principal diagnosis missing"),
    "principal-unknown": ("主要诊断编码不在编码版本中", "principal diagnosis not in the code edition"),
    "procedure-unknown": ("手术操作编码不在编码版本中", "a procedure not in the code edition"),
    "lost-zero": (
        "手术操作编码疑似丢失零；核实后用 --repair-codes",
        "a procedure that seems to have lost zeros; --repair-codes accepts the repair",
    ),
}


@dataclass(frozen=True)
class HistoryOptions:
    """Which columns of the files say what.

    ``prefix`` stands before the result columns of grouping. ``year_column`` holds whole years;
    without it the year is that of ``discharge_date``. ``round_cost``: amounts with parts of a
    fen are rounded, halves away from zero, instead of refused. ``years``: those that count, where they are
    named; records of others are left out.
    """

    prefix: str = ""
    cost_column: str = "total_cost"
    year_column: str | None = None
    round_cost: bool = False
    years: tuple[int, ...] = ()

    def other_year(self, column: str) -> str:
        """SQL of a case: the year in ``column`` is none of ``years``; nothing where none is named."""
        listed = ", ".join(str(int(year)) for year in self.years)
        return f"WHEN {column} NOT IN ({listed}) THEN 'other-year'" if listed else ""


def read_history(
    connection: duckdb.DuckDBPyConnection,
    paths: Sequence[str],
    scheme: str,
    options: HistoryOptions,
) -> Counter[str]:
    """Fill ``cases`` from the files; give the number of records left out, by reason.

    Files without the column of groups are grouped first by ``scheme``. Only stays count: refunds leave with
    what they take back, in whichever file it is. Raises UsageError for a missing column or a file grouped
    by another scheme, DataError for an amount that is none.
    """
    connection.execute(CASES)
    left: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix=f"grouper.{tag()}.") as folder:
        files: list[_File] = []
        for number, path in enumerate(paths):
            schema = _schema(path)
            ready = path
            if schema is None or options.prefix + GROUP not in schema.names:
                ready = _grouped(path, scheme, options.prefix, Path(folder) / f"grouped-{number}.parquet")
                schema = _schema(ready)
            assert schema is not None
            _check_scheme(path, schema, scheme)
            _check_columns(path, schema, options)
            files.append(_File(ready, path, schema, sum(rows_of(file.ready) for file in files)))
        _ask_gate(connection, files, options)
        for file in files:
            left += _read_file(connection, file, options)
    return left


@dataclass(frozen=True)
class _File:
    """A grouped file, as what it was given, and how many rows came before it."""

    ready: str
    shown: str
    schema: pa.Schema
    before: int

    def row(self, number: int) -> tuple[str, int]:
        """The name of the file, and the number there of a row of all files."""
        return self.shown, number - self.before + 1


def _ask_gate(connection: duckdb.DuckDBPyConnection, files: Sequence[_File], options: HistoryOptions) -> None:
    """Table ``gate_left`` of all files together."""
    parts: list[str] = []
    has: set[str] = set()
    for file in files:
        given = {**given_columns(file.schema.names), "total_cost": options.cost_column}
        number = f"t.file_row_number + {file.before}"
        source = scan(file.ready, numbered=True)
        rows, found = rows_sql(
            connection, source, file.schema, given, number=number, file=len(parts), at=file.row
        )
        parts.append(rows)
        has |= found
    pass_gate(connection, " UNION ALL ".join(parts), has, Gate())


def _schema(path: str) -> pa.Schema | None:
    """The schema of a Parquet file; None for a file of another kind."""
    import pyarrow.parquet as pq

    try:
        return pq.read_schema(local_path(path))
    except pa.ArrowInvalid:
        return None
    except OSError as error:
        raise UsageError(zh=f"无法读取 {path}：{error}", en=f"cannot read {path}: {error}") from error


def _grouped(path: str, scheme: str, prefix: str, target: Path) -> str:
    from grouper.grouping.api import load_scheme
    from grouper.grouping.files import group_files

    group_files(load_scheme(scheme, prefix=prefix), [path], target)
    return str(target)


def _check_scheme(path: str, schema: pa.Schema, scheme: str) -> None:
    """A file that says which scheme grouped it must say this one."""
    from grouper.grouping.drg.tables import store

    made_by = read_provenance(schema.metadata, path).get("scheme", {})
    wanted = store.load(scheme)
    if made_by and (made_by.get("id"), made_by.get("sha256")) != (wanted.id, wanted.digest):
        other = made_by.get("id")
        zh, en = ("的另一版本", "another state of ") if other == wanted.id else ("", "")
        raise UsageError(
            zh=f"{path} 由方案 {other}{zh} 分组，不是 --scheme {wanted.id}；请用同一方案重新分组",
            en=f"{path} was grouped by {en}{other}, not by --scheme {wanted.id}; "
            "group it again by that scheme",
        )


def _check_columns(shown: str, schema: pa.Schema, options: HistoryOptions) -> None:
    status, cost = options.prefix + "status", options.cost_column
    year = options.year_column or "discharge_date"
    for column, flag in ((status, "--prefix"), (cost, "--cost-column"), (year, "--year-column")):
        if column not in schema.names:
            raise UsageError(
                zh=f"{shown} 缺少列 {column}；请用 {flag} 指明",
                en=f"{shown} has no column {column}; name it with {flag}",
            )


def _read_file(connection: duckdb.DuckDBPyConnection, file: _File, options: HistoryOptions) -> Counter[str]:
    drg, status, cost = options.prefix + GROUP, options.prefix + "status", options.cost_column
    path, schema, year = file.ready, file.schema, options.year_column or "discharge_date"
    gate = f"(SELECT f.reason FROM gate_left AS f WHERE f.n = file_row_number + {file.before})"
    amount = cost_columns(quote(cost), schema.field(cost).type, "fen", options.round_cost)
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE staged AS
        WITH read AS (
            SELECT {quote(drg)} AS g, {quote(status)} AS status, {amount},
                   {year_sql(year, schema, bool(options.year_column))} AS y, file_row_number AS row,
                   {gate} AS gate
            FROM {scan(path, numbered=True)}
        )
        SELECT g, y, fen, CASE
            WHEN status IS NULL THEN 'no-status' WHEN status <> 'grouped' THEN status
            WHEN coalesce(g, '') = '' THEN 'no-group'
            WHEN fen_fault IS NOT NULL THEN 'fault' WHEN gate IS NOT NULL THEN gate
            WHEN y IS NULL THEN 'no-year' {options.other_year("y")} END AS reason,
            CASE WHEN fen_fault IS NOT NULL THEN row END AS row, fen_fault
        FROM read"""
    )
    left = left_out(connection)
    if left.pop("fault", 0):
        _refuse_first(connection, path, file.shown, cost)
    connection.execute("INSERT INTO cases SELECT g, y, fen, NULL, NULL FROM staged WHERE reason IS NULL")
    return left


def left_out(connection: duckdb.DuckDBPyConnection) -> Counter[str]:
    """Rows of ``staged`` by the reason that keeps them out of ``cases``."""
    query = "SELECT reason, count(*) FROM staged WHERE reason IS NOT NULL GROUP BY reason"
    return Counter(dict(connection.execute(query).fetchall()))


def _refuse_first(connection: duckdb.DuckDBPyConnection, path: str, shown: str, column: str) -> None:
    first = connection.execute(
        "SELECT row, fen_fault FROM staged WHERE reason = 'fault' ORDER BY row LIMIT 1"
    ).fetchone()
    assert first is not None
    value = connection.execute(
        f"SELECT {quote(column)} FROM {scan(path, numbered=True)} WHERE file_row_number = ?",
        [first[0]],
    ).fetchone()
    raise refuse(first[1], shown, first[0] + 1, column, value[0] if value else None)


def year_sql(column: str, schema: pa.Schema, whole: bool) -> str:
    """SQL for the year (INTEGER, null when it is missing) that a column gives.

    ``whole``: the column holds years. Raises UsageError for a type that does not fit.
    """
    type_, name = schema.field(column).type, quote(column)
    if whole and (pa.types.is_integer(type_) or _is_text(type_)):
        return f"TRY_CAST({name} AS INTEGER)"
    if not whole and (pa.types.is_date(type_) or pa.types.is_timestamp(type_)):
        return f"CAST(year({name}) AS INTEGER)"
    if not whole and _is_text(type_):
        return f"CAST(year(TRY_CAST({name} AS TIMESTAMP)) AS INTEGER)"
    raise UsageError(
        zh=f"列 {column} 的类型 {type_} 不能给出年份；请用 --year-column 指定整数年份列",
        en=f"the column {column} of type {type_} gives no year; name a column of whole years with "
        "--year-column",
    )


def _is_text(type_: pa.DataType) -> bool:
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_dictionary(type_))


def years_present(
    connection: duckdb.DuckDBPyConnection, options: HistoryOptions, table: str = "cases"
) -> dict[int, int]:
    """The years of a table in order, with their cases.

    Raises DataError when there are no cases, UsageError for a year that is named and has none, and for one
    that nobody named and that has few cases beside the others: its weight would be that of a whole year.
    """
    rows = connection.execute(f"SELECT y, count(*) FROM {table} GROUP BY y ORDER BY y").fetchall()
    years = {int(year): int(cases) for year, cases in rows}
    if not years:
        raise DataError(
            zh="没有可用的病例：全部记录都被排除，请看各原因的数目和 --cost-column、--year-column、--years",
            en="there are no cases to use: every record is left out; check the codes, --cost-column, "
            "--year-column and --years",
        )
    zh, en = (
        "、".join(f"{y} 年 {n:,} 例" for y, n in years.items()),
        ", ".join(f"{y}: {n:,} cases" for y, n in years.items()),
    )
    empty = [str(year) for year in options.years if year not in years]
    if empty:
        raise UsageError(
            zh=f"--years 中的 {'、'.join(empty)} 年没有病例；数据有 {zh}",
            en=f"--years names {', '.join(empty)}, of which there are no cases; the data have {en}",
        )
    most = max(years.values())
    stray = [str(year) for year, cases in years.items() if cases * STRAY < most]
    if stray and not options.years:
        whole = ",".join(str(year) for year in years if str(year) not in stray)
        raise UsageError(
            zh=f"{'、'.join(stray)} 年的病例不到最多年份的 1/{STRAY}（{zh}），却会占一整年的权重；"
            f"只用其余年份请写 --years {whole}，全部都用请写 --years {','.join(map(str, years))}",
            en=f"{', '.join(stray)} has less than 1/{STRAY} of the cases of the fullest year ({en}), but "
            f"would weigh as a whole one; --years {whole} takes the others alone, "
            f"--years {','.join(map(str, years))} takes all",
        )
    return years
