"""Chinese headings of the small tables beside the records: hospitals, decisions, corrections, packages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from grouper.base.errors import TableError
from grouper.base.paths import tables_dir
from grouper.base.tables_in import read_table


@cache
def headings() -> Mapping[str, str]:
    """Heading -> column; for ``read_table``, which takes those whose column a table may have."""
    path = tables_dir() / "records" / "headings.csv"
    table = read_table(path, needed=("heading", "column"), known=(), kind=TableError)
    return {row.text("heading"): row.text("column") for row in table}
