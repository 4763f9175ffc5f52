"""The records that moved most, each with why it is where it is under both schemes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grouper.base.errors import GrouperError
from grouper.base.money import yuan_of
from grouper.base.sql import quote, scan
from grouper.compare import tables
from grouper.compare.compared import Moved

if TYPE_CHECKING:
    import duckdb

    from grouper.compare.compared import Compared
    from grouper.compare.sides import Side


def explained(connection: duckdb.DuckDBPyConnection, done: Compared, number: int, lang: str) -> list[Moved]:
    """The ``number`` records that moved most, the largest first."""
    found = connection.execute(tables.most_moved(number, done.priced)).fetchall()
    if not found:
        return []
    chosen = [int(n) for n, _ in found]
    told = _told(connection, done, chosen)
    lines = {side.name: _lines(connection, side, chosen, lang) for side in (done.old, done.new)}
    return [
        Moved(
            n + 1, told[n]["record_id"] or "", told[n]["hospital"] or "",
            yuan_of(told[n]["before"]) if done.priced else None,
            yuan_of(told[n]["after"]) if done.priced else None,
            lines["old"][n], lines["new"][n],
        )
        for n in chosen
    ]  # fmt: skip


def _told(
    connection: duckdb.DuckDBPyConnection, done: Compared, chosen: list[int]
) -> dict[int, dict[str, Any]]:
    own = "record_id, hospital" + (", before, after" if done.priced else "")
    joined = "cases JOIN moved USING (n)" if done.priced else "cases"
    rows = connection.sql(f"SELECT n, {own} FROM {joined} WHERE n IN ({_listed(chosen)})").to_arrow_table()
    return {row["n"]: row for row in rows.to_pylist()}


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


def _lines(
    connection: duckdb.DuckDBPyConnection, side: Side, chosen: list[int], lang: str
) -> dict[int, tuple[str, ...]]:
    """The summary of each record under a side, from its row as it came in."""
    made = {field.name for field in side.grouper.engine.result_fields}
    source = scan(side.grouped, numbered=True)
    names = [c for c in connection.sql(f"SELECT * FROM {source} LIMIT 0").columns if c not in made]
    columns = ", ".join(quote(name) for name in names)
    rows = connection.sql(
        f"SELECT {columns} FROM {source} WHERE file_row_number IN ({_listed(chosen)})"
    ).to_arrow_table()
    found = {}
    for row in rows.to_pylist():
        n = row.pop("file_row_number")
        record = {name: value for name, value in row.items() if value is not None}
        try:
            text = side.grouper.explain(record).summary(lang)
        except GrouperError as error:
            text = error.text(lang)
        found[n] = tuple(text.splitlines())
    return found
