"""The names of areas (``tables/policies/areas.csv``): what people read where files have ids; and the codes
of their regions (GB/T 2260), by which the insured of an area and its hospitals are known."""

from __future__ import annotations

from functools import cache

from grouper.base.errors import TableError
from grouper.base.paths import tables_dir
from grouper.base.tables_in import read_table


def area_name(area: str) -> tuple[str, str]:
    """Chinese and English name; the id itself for an area that is not listed, such as a user's own."""
    return _names().get(area, (area, area))


def area_regions(area: str) -> tuple[str, ...]:
    """The beginnings of the region codes of an area; none where they are not listed."""
    code = _rows().get(area, ("", "", ""))[2]
    return (code,) if code else ()


def _names() -> dict[str, tuple[str, str]]:
    return {area: (zh, en) for area, (zh, en, _) in _rows().items()}


@cache
def _rows() -> dict[str, tuple[str, str, str]]:
    columns = ("area", "zh", "en", "region")
    table = read_table(tables_dir() / "policies" / "areas.csv", needed=columns, kind=TableError)
    return {row.text("area"): (row.text("zh"), row.text("en"), row.text("region")) for row in table}
