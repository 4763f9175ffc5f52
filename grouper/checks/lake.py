"""The current records of a lake as a source of checks, with the groups and amounts that were settled."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from grouper.base.errors import UsageError
from grouper.base.sql import literal, quote
from grouper.grouping.family import families
from grouper.lake.layout import LEDGER, Lake
from grouper.lake.views import connect
from grouper.records.columns import ColumnMap, detect_layout
from grouper.records.schema import CANONICAL

if TYPE_CHECKING:
    import duckdb

PRICED = ("amount", "cost_ratio", "high_limit")
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_BATCH = 100_000
_ORDER = "year, month, run, record_id, input_file, input_row"


def is_lake(path: str | Path) -> bool:
    """Whether a path is the folder of a lake."""
    return (Path(path) / LEDGER).is_file()


@dataclass(frozen=True)
class LakeRecords:
    """Rows of ``records_effective`` in the order of months and runs, with what their cases were settled at
    (null where they have no case)."""

    connection: duckdb.DuckDBPyConnection
    columns: ColumnMap
    schema: pa.Schema
    rows: int
    where: str
    names: tuple[str, ...]
    scheme: str
    policy: str
    area: str

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The records, in batches."""
        yield from self.connection.sql(self._sql(self.names)).to_arrow_reader(_BATCH)

    def priced(self, target: duckdb.DuckDBPyConnection) -> None:
        """Fill the table ``priced`` of another database: row from 1, amount, cost_ratio, high_limit, cost."""
        target.execute(
            "CREATE TABLE priced (row BIGINT, amount DECIMAL(18,2), cost_ratio DECIMAL(18,6), "
            "high_limit DECIMAL(18,6), "
            "cost DECIMAL(18,2))"
        )
        have = {name for name, *_ in self.connection.execute("DESCRIBE cases_effective").fetchall()}
        own = [f"c.{name}" if name in have else f"NULL AS {name}" for name in PRICED]
        reader = self.connection.sql(
            f"SELECT r.row, {', '.join(own)}, cost FROM (SELECT record_id, run, row_number() OVER (ORDER BY "
            f"{_ORDER}) AS row FROM records_effective WHERE {self.where}) AS r LEFT JOIN "
            "(SELECT *, total_cost AS cost FROM cases_effective) AS c USING (record_id, run)"
        )
        for batch in reader.to_arrow_reader(_BATCH):
            target.register("_priced", pa.Table.from_batches([batch]))
            target.execute("INSERT INTO priced SELECT * FROM _priced")
            target.unregister("_priced")

    def _sql(self, names: Sequence[str]) -> str:
        told = ", ".join(quote(name) for name in names)
        return f"SELECT {told} FROM records_effective WHERE {self.where} ORDER BY {_ORDER}"


def open_records_of(path: str | Path, area: str, months: Sequence[str]) -> LakeRecords:
    """The current cases of a lake, of one area and of some months ("2025-06"; none: all).

    Raises UsageError for an area or a month that the lake has not, and where its runs differ in scheme.
    """
    connection = connect(Lake(Path(path)), kinds=("current",))
    chosen = _area(connection, path, area)
    where = f"area = {literal(chosen)} AND row_kind = 'case'"
    parts = []
    for month in months:
        found = _MONTH.fullmatch(month)
        if not found:
            raise UsageError(
                zh=f"--month {month}：应为 2025-06 的写法", en=f"--month {month}: write it as 2025-06"
            )
        parts.append(f"(year = {int(found[1])} AND month = {int(found[2])})")
    where += f" AND ({' OR '.join(parts)})" if parts else ""
    [(rows,)] = connection.execute(f"SELECT count(*) FROM records_effective WHERE {where}").fetchall()
    if not rows:
        raise UsageError(
            zh=f"{path} 中没有 {chosen} {'、'.join(months)} 的病例",
            en=f"{path} has no cases of {chosen} {', '.join(months)}",
        )
    schema = connection.sql("SELECT * FROM records_effective LIMIT 0").to_arrow_table().schema
    wanted = [*CANONICAL, "mdc", *(each.GROUP for each in families()), "status", "reason"]
    names = tuple(name for name in schema.names if name in wanted)
    scheme, policy = _made_by(connection, where)
    kept = pa.schema([schema.field(name) for name in names])
    return LakeRecords(connection, detect_layout(names), kept, rows, where, names, scheme, policy, chosen)


def _area(connection: duckdb.DuckDBPyConnection, path: str | Path, area: str) -> str:
    views = connection.execute(
        "SELECT 1 FROM duckdb_views() WHERE view_name = 'records_effective'"
    ).fetchall()
    sql = "SELECT DISTINCT area FROM records_effective ORDER BY 1"
    areas = [name for (name,) in connection.execute(sql).fetchall()] if views else []
    if area in areas or (not area and len(areas) == 1):
        return area or areas[0]
    there = "、".join(areas)
    raise UsageError(
        zh=f"{path}：请用 --area 指明地区；结算湖中有 {there or '（没有病例）'}",
        en=f"{path}: name the area with --area; the lake has {', '.join(areas) or 'no cases'}",
    )


def _made_by(connection: duckdb.DuckDBPyConnection, where: str) -> tuple[str, str]:
    """Scheme and policy of the runs; the one scheme of all, the policy of the last."""
    found = connection.execute(
        "SELECT scheme_id, policy_id FROM runs WHERE run IN "
        f"(SELECT DISTINCT run FROM records_effective WHERE {where}) ORDER BY period, run"
    ).fetchall()
    schemes = list(dict.fromkeys(scheme for scheme, _ in found))
    if len(schemes) > 1:
        raise UsageError(
            zh=f"所选月份用了不同的分组方案：{'、'.join(schemes)}；请用 --month 分开核查",
            en=f"the months were grouped by several schemes: {', '.join(schemes)}; check them apart "
            "with --month",
        )
    return schemes[0], found[-1][1]
