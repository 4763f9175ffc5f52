"""The documents (文号) that order deductions: each takes from a hospital and pool once, in whatever month."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from grouper.lake.views import scan_parts

if TYPE_CHECKING:
    import duckdb

    from grouper.lake.layout import Lake
    from grouper.settlement.corrections import Item

Deducted = tuple[str, str, str]  # document, hospital, pool


def check_documents(
    connection: duckdb.DuckDBPyConnection, lake: Lake, items: Sequence[Item], area: str, own: tuple[str, str]
) -> None:
    """No deduction of ``items`` was taken before, by a run that is valid; ``own``: kind and period of the run
    at work, which takes the place of an earlier one. Numbers of before format 3 are not known.

    Raises DataError that names file and row, and where it was taken.
    """
    asked = {item.document for item in items if item.kind == "audit_deduction"}
    if not asked or not lake.ledger.is_file():
        return
    before = _taken(connection, lake, asked, area, own)
    for item in items:
        place = before.get((item.document, item.hospital, item.pool))
        if item.kind == "audit_deduction" and place:
            run, period = place
            raise item.place.error(
                "document",
                f"文号 {item.document} 对 {item.hospital} 的扣款已在 {period}（运行 {run}）扣过",
                f"document {item.document} has been deducted from {item.hospital} in {period} (run {run})",
            )


def _taken(
    connection: duckdb.DuckDBPyConnection, lake: Lake, asked: set[str], area: str, own: tuple[str, str]
) -> dict[Deducted, tuple[str, str]]:
    """Document, hospital and pool to the run and the period that took it."""
    rows = connection.execute(
        "SELECT o.path, r.run, r.period FROM outputs AS o JOIN runs_current AS r USING (run) "
        "WHERE o.table_name = 'adjustments' AND r.area = ? AND NOT (r.kind = ? AND r.period = ?) ORDER BY 2",
        [area, *own],
    ).fetchall()
    periods = {run: period for _, run, period in rows}
    if not rows:
        return {}
    table = scan_parts([str(lake.root / path) for path, _, _ in rows])
    if "document" not in connection.sql(f"SELECT * FROM {table} LIMIT 0").columns:
        return {}
    found = connection.execute(
        f"SELECT document, hospital_code, pool, run FROM {table} WHERE list_contains(?, document)",
        [sorted(asked)],
    ).fetchall()
    return {(document, hospital, pool): (run, periods[run]) for document, hospital, pool, run in found}
