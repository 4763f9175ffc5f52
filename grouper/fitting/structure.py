"""Factors that shift weight between groups (结构调整), by group, ADRG, MDC or kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from grouper.base.errors import TableError
from grouper.base.exact import decimal_of
from grouper.base.tables_in import read_table
from grouper.grouping.drg.tables.model import Scheme

LEVELS = ("drg", "adrg", "mdc", "kind")  # the first that names a group decides
KINDS = ("surgical", "procedure", "medical")
_HEADER = ["by", "key", "factor"]


@dataclass(frozen=True)
class Structure:
    """Factors by level and key; groups that none names have the factor 1."""

    factors: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)

    def factor(self, keys: Mapping[str, str]) -> Decimal:
        """The factor of a group, ``keys`` being its name at each level."""
        for level in LEVELS:
            found = self.factors.get((level, keys[level]))
            if found is not None:
                return found
        return Decimal(1)


def keys_of_groups(scheme: Scheme) -> dict[str, dict[str, str]]:
    """For each group of the scheme its name at each level."""
    return {
        drg.drg: {"drg": drg.drg, "adrg": adrg.adrg, "mdc": adrg.mdc, "kind": adrg.kind}
        for adrg, drg in scheme.groups()
    }


def read_structure(path: str | Path, groups: Mapping[str, Mapping[str, str]]) -> Structure:
    """A CSV with the columns by (drg, adrg, mdc, kind), key, factor (above 0).

    Raises TableError naming file, line and column; a key that no group has is an error too.
    """
    table = read_table(path, needed=_HEADER, known=(), flag="--structure", kind=TableError)
    known = {(level, keys[level]) for keys in groups.values() for level in LEVELS}
    factors: dict[tuple[str, str], Decimal] = {}
    for row in table:
        number = row.row
        by, key, text = (row.text(name) for name in _HEADER)
        if (by, key) not in known or (by, key) in factors:
            raise _wrong(path, number, "key" if by in LEVELS else "by", key if by in LEVELS else by)
        factors[by, key] = _factor(path, number, text)
    return Structure(factors)


def _factor(path: str | Path, line: int, text: str) -> Decimal:
    value = decimal_of(text)
    if value is None or value <= 0:
        raise _wrong(path, line, "factor", text)
    return value


def _wrong(path: str | Path, line: int, column: str, value: str) -> TableError:
    return TableError(
        zh=f"{path} 第 {line} 行 {column} 列（--structure）：{value!r} 不可用、方案中没有或重复",
        en=f"{path}, line {line}, column {column} (--structure): {value!r} is not valid, not in the scheme, "
        "or repeated",
    )
