"""The names of areas (``tables/policies/areas.csv``): what people read where files have ids."""

from __future__ import annotations

import csv
from functools import cache

from grouper.base.paths import tables_dir


def area_name(area: str) -> tuple[str, str]:
    """Chinese and English name; the id itself for an area that is not listed, such as a user's own."""
    return _names().get(area, (area, area))


@cache
def _names() -> dict[str, tuple[str, str]]:
    with (tables_dir() / "policies" / "areas.csv").open(encoding="utf-8", newline="") as file:
        return {row["area"]: (row["zh"], row["en"]) for row in csv.DictReader(file)}
