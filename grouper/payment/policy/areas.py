"""The names of areas (``tables/policies/areas.csv``): what people read where files have ids."""

from __future__ import annotations

from functools import cache

from grouper.base.errors import TableError
from grouper.base.paths import tables_dir
from grouper.base.tables_in import read_table


def area_name(area: str) -> tuple[str, str]:
    """Chinese and English name; the id itself for an area that is not listed, such as a user's own."""
    return _names().get(area, (area, area))


@cache
def _names() -> dict[str, tuple[str, str]]:
    table = read_table(tables_dir() / "policies" / "areas.csv", needed=("area", "zh", "en"), kind=TableError)
    return {row.text("area"): (row.text("zh"), row.text("en")) for row in table}
