"""Grouped files as the table ``cases`` of a database on disk: only what the indices ask, checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import pyarrow as pa

from grouper.base.errors import DataError, UsageError
from grouper.base.provenance import read as read_provenance
from grouper.base.sql import parquet_schema, quote, scan
from grouper.grouping.family import families
from grouper.indices.parameters import Parameters
from grouper.records.stays import FIELDS, Gate, given_columns, pass_gate, rows_sql

if TYPE_CHECKING:
    import duckdb

# Canonical column -> the flag that names another one.
FLAGS = {
    "hospital_code": "--hospital-column",
    "person_id": "--person-column",
    "admission_date": "--admission-column",
    "discharge_date": "--discharge-column",
    "los_days": "--stay-column",
    "discharge_way": "--way-column",
    "diagnoses": "--diagnosis-column",
}
_NEEDED = {
    "record_quality": (),
    "readmission": ("person_id", "admission_date", "discharge_date", "discharge_way", "diagnoses"),
    "low_standard": ("diagnoses",),
    "overlong": ("los_days",),
    "low_risk_death": ("discharge_way",),
}
_AT_GATE = frozenset(FIELDS) - {"admission_date", "discharge_date"}
# h hospital, p person, g packet or DRG of grouped cases, clean: grouped without warning.
_CASES = """CREATE TABLE cases (row BIGINT, h VARCHAR, p VARCHAR, g VARCHAR, clean BOOLEAN,
    admitted DATE, discharged DATE, stay INTEGER, way INTEGER, dx VARCHAR)"""
_FORMATS = "['%Y-%m-%d', '%Y/%m/%d', '%Y%m%d', '%Y-%m-%d %H:%M:%S', '%Y/%m/%d %H:%M:%S', '%Y-%m-%dT%H:%M:%S']"


@dataclass(frozen=True)
class Columns:
    """Which columns of the grouped files say what; ``named`` by canonical name, else found by layout.

    ``group``: the column of packets or DRGs (else ``packet``, else ``drg``). ``stay``: "given" takes the
    column of stays, "nights" and "days" derive it as grouping does. ``prefix`` of the result columns.
    """

    named: dict[str, str]
    group: str | None = None
    stay: Literal["given", "nights", "days"] = "given"
    prefix: str = ""


def read_cases(
    connection: duckdb.DuckDBPyConnection, paths: Sequence[str], parameters: Parameters, columns: Columns
) -> tuple[Counter[str], dict[str, Any]]:
    """Fill ``cases``; give the counts of records left out of some index, and what grouped the files.

    Raises UsageError for a missing column, naming the flag that maps it, and for files of different
    schemes; DataError for a value that cannot be read, naming its row and column.
    """
    connection.execute(_CASES)
    counts: Counter[str] = Counter()
    scheme: dict[str, Any] | None = None
    parts: list[str] = []
    has: set[str] = set()
    for path in paths:
        schema = _schema(path)
        made_by = read_provenance(schema.metadata, str(path)).get("scheme", {})
        if scheme is not None and scheme.get("sha256") != made_by.get("sha256"):
            raise UsageError(
                zh=f"{path} 由方案 {made_by.get('id')} 分组，前面的文件是 {scheme.get('id')}；"
                "请用同一方案分组",
                en=f"{path} was grouped by {made_by.get('id')}, the files before it by {scheme.get('id')}; "
                "group them by one scheme",
            )
        scheme = made_by
        before = _read(connection, path, schema, parameters, columns)
        given = given_columns(schema.names) | {n: c for n, c in columns.named.items() if n in _AT_GATE}
        rows, found_here = rows_sql(
            connection, scan(path, numbered=True), schema, given, number=f"t.file_row_number + {before}",
            file=len(parts), at=partial(_row, path, before),
        )  # fmt: skip
        parts.append(rows)
        has |= found_here
    gated = pass_gate(connection, " UNION ALL ".join(parts), has, Gate(amounts=False, ordered=False))
    if gated.left:
        connection.execute("DELETE FROM cases WHERE row IN (SELECT n FROM gate_left)")
        counts |= Counter({reason: rows for reason, (rows, _) in gated.left.items()})
    for name, test in (
        ("records", "true"),
        ("no-hospital", "h IS NULL"),
        ("not-grouped", "g IS NULL"),
        ("no-person", "p IS NULL"),
        ("no-dates", "admitted IS NULL OR discharged IS NULL"),
        ("dates-reversed", "discharged < admitted"),
        ("no-stay", "stay IS NULL"),
        ("no-way", "way IS NULL"),
        ("no-diagnosis", "dx IS NULL"),
    ):
        found = connection.execute(f"SELECT count(*) FROM cases WHERE {test}").fetchone()
        counts[name] = found[0] if found else 0
    connection.execute("DELETE FROM cases WHERE h IS NULL")
    if not counts["records"] - counts["no-hospital"]:
        raise DataError(
            zh="没有可用的病例：没有记录或机构列全为空；请检查 --hospital-column",
            en="there are no cases to use: no records, or no hospital; check --hospital-column",
        )
    return counts, scheme or {}


def _row(path: str, before: int, number: int) -> tuple[str, int]:
    """The file and the number there of a row of all files."""
    return path, number - before + 1


def _schema(path: str) -> pa.Schema:
    return parquet_schema(
        path,
        hint_zh="；请将分组结果输出为 Parquet（grouper group … -o 分组.parquet）",
        hint_en="; write the groups as Parquet (grouper group … -o grouped.parquet)",
    )


def _read(
    connection: duckdb.DuckDBPyConnection,
    path: str,
    schema: pa.Schema,
    parameters: Parameters,
    columns: Columns,
) -> int:
    """Put a file into ``cases``; returns the rows that were there before it."""
    needed = _needed(parameters, columns)
    found = {field: _column(path, schema, field, columns) for field in needed}
    counted = [columns.prefix + each.COUNTED for each in reversed(list(families()))]
    group = columns.group or next(
        (name for name in counted if name in schema.names),
        counted[0],
    )
    status, warnings = columns.prefix + "status", columns.prefix + "warnings"
    for name, flag in ((group, "--group-column / --prefix"), (status, "--prefix"), (warnings, "--prefix")):
        if name not in schema.names:
            _missing(path, name, flag)
    values = {
        "h": _text_sql(found["hospital_code"]),
        "p": _text_sql(found.get("person_id")),
        "g": f"CASE WHEN {quote(status)} = 'grouped' THEN {_text_sql(group)} END",
        "clean": f"{quote(status)} IS NOT DISTINCT FROM 'grouped' "
        f"AND NOT contains(coalesce({quote(warnings)}, ''), 'unknown')",
        "admitted": _day_sql(schema, found.get("admission_date")),
        "discharged": _day_sql(schema, found.get("discharge_date")),
        "stay": _whole_sql(found.get("los_days")),
        "way": _whole_sql(found.get("discharge_way")),
        "dx": _principal_sql(schema, found.get("diagnoses")),
    }
    if columns.stay != "given" and "overlong" in {index.name for index in parameters.indices}:
        days = f"date_diff('day', {values['admitted']}, {values['discharged']})"
        values["stay"] = f"greatest({days}, 1)" if columns.stay == "nights" else f"{days} + 1"
        values["stay"] = f"CASE WHEN {days} >= 0 THEN {values['stay']} END"
    checked = (("admission_date", "admitted"), ("discharge_date", "discharged"), ("discharge_way", "way"),
               ("los_days", "stay"))  # fmt: skip
    for field, name in checked:
        if field in found:
            _refuse_unreadable(connection, path, found[field], values[name], FLAGS[field])
    first = connection.execute("SELECT count(*) FROM cases").fetchone()
    before, listed = first[0] if first else 0, ", ".join(values.values())
    connection.execute(
        f"INSERT INTO cases SELECT file_row_number + {before}, {listed} FROM {scan(path, numbered=True)}"
    )
    return int(before)


def _needed(parameters: Parameters, columns: Columns) -> list[str]:
    fields = {"hospital_code": None}
    for index in parameters.indices:
        if index.name == "low_standard" and not index.values["diagnoses"]:
            continue
        asked: tuple[str, ...] = _NEEDED[index.name]
        if index.name == "overlong" and columns.stay != "given":
            asked = ("admission_date", "discharge_date")
        if index.name == "readmission" and not index.values["exempt_diagnoses"]:
            asked = tuple(field for field in asked if field != "diagnoses")
        fields |= dict.fromkeys(asked)
    return list(fields)


def _column(path: str, schema: pa.Schema, field: str, columns: Columns) -> str:
    """The column that gives a canonical field: named, of this name, or that of a known layout."""
    from grouper.records import detect_layout

    if field in columns.named:
        name = columns.named[field]
    elif field in schema.names:
        name = field
    else:
        try:
            source = detect_layout(schema.names).fields.get(field)
        except UsageError:
            source = None
        name = source.columns[0] if source else field
    if name not in schema.names:
        _missing(path, name, FLAGS[field])
    return name


def _missing(path: str, column: str, flag: str) -> NoReturn:
    zh, en = "", ""
    if flag == "--stay-column":
        zh, en = (
            "，或用 --stay nights / days 由日期推算",
            ", or derive it from the dates with --stay nights or days",
        )
    raise UsageError(
        zh=f"{path} 缺少列 {column}；请用 {flag} 指明{zh}；不需要的指数可从 --parameters 文件中去掉",
        en=f"{path} has no column {column}; name it with {flag}{en}. An index that is not wanted can be left "
        "out of the --parameters file",
    )


def _text_sql(column: str | None) -> str:
    return f"nullif(trim(CAST({quote(column)} AS VARCHAR)), '')" if column else "NULL"


def _whole_sql(column: str | None) -> str:
    return f"TRY_CAST({_text_sql(column)} AS INTEGER)" if column else "NULL"


def _day_sql(schema: pa.Schema, column: str | None) -> str:
    if column is None:
        return "NULL"
    type_ = schema.field(column).type
    if pa.types.is_date(type_) or pa.types.is_timestamp(type_):
        return f"CAST({quote(column)} AS DATE)"
    return f"CAST(try_strptime({_text_sql(column)}, {_FORMATS}) AS DATE)"


def _principal_sql(schema: pa.Schema, column: str | None) -> str:
    if column is None:
        return "NULL"
    type_ = schema.field(column).type
    lists = pa.types.is_list(type_) or pa.types.is_large_list(type_)
    first = f"{quote(column)}[1]" if lists else f"split_part(CAST({quote(column)} AS VARCHAR), '|', 1)"
    return f"nullif(upper(trim({first})), '')"


def _refuse_unreadable(
    connection: duckdb.DuckDBPyConnection, path: str, column: str, value: str, flag: str
) -> None:
    """Raise DataError for the first value that is there and gives nothing."""
    if value.startswith(('CAST("', "CASE ")):  # dates as such; stays that come from dates
        return
    row = connection.execute(
        f"SELECT file_row_number + 1, {_text_sql(column)} FROM {scan(path, numbered=True)} "
        f"WHERE {_text_sql(column)} IS NOT NULL AND {value} IS NULL ORDER BY 1 LIMIT 1"
    ).fetchone()
    if row is not None:
        raise DataError(
            zh=f"{path} 第 {row[0]} 行列 {column}：取值 {row[1]!r} 无法读取；请更正，或用 {flag} 换一列",
            en=f"{path}, row {row[0]}, column {column}: {row[1]!r} cannot be read; mend it, or name another "
            f"column with {flag}",
        )
