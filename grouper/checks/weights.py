"""Weights of a scheme's groups as they are shipped, for rules that compare groups; never for an amount."""

from __future__ import annotations

from functools import lru_cache

from grouper.base.errors import TableError
from grouper.base.exact import decimal_of
from grouper.base.paths import tables_dir
from grouper.base.tables_in import read_table


@lru_cache(maxsize=64)
def weights_of(scheme: str) -> dict[str, float]:
    """Weight by group of ``tables/weights/<scheme>.csv``; empty where none are shipped."""
    path = tables_dir() / "weights" / f"{scheme}.csv"
    if not path.is_file():
        return {}
    table = read_table(path, needed=("drg", "weight"), kind=TableError)
    found = {row.text("drg"): decimal_of(row.text("weight")) for row in table}
    return {group: float(weight) for group, weight in found.items() if weight is not None}
