"""The tables that pricing looks values up in: weights, coefficients by group and level, means."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.errors import TableError
from grouper.payment.formula import keyed
from grouper.payment.price.steps import COEFFICIENT_DIGITS, DIFFERENCE_DIGITS

if TYPE_CHECKING:
    import duckdb

    from grouper.payment.policy.policy import Policy

_TRUE = {"true": True, "false": False, "": None}
_NUMBERS = frozenset({"weight", "mean_cost", "last_year_mean_cost", "coefficient", "difference"})
_DIGITS = {
    "mean_cost": 2,
    "last_year_mean_cost": 2,
    "coefficient": COEFFICIENT_DIGITS,
    "difference": DIFFERENCE_DIGITS,
}


@dataclass
class Lookups:
    """Rows by key, per table: {"weights": {("AA19",): {"weight": Fraction, …}}}; keys are texts."""

    weight_digits: int = 0
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    rows: dict[str, dict[tuple[str, ...], dict[str, Any]]] = field(default_factory=dict)

    def get(self, table: str, key: tuple[str | None, ...], column: str) -> Any:
        """A value, or None where the table has no such row."""
        if None in key:
            return None
        return self.rows.get(table, {}).get(tuple(map(str, key)), {}).get(column)

    def create(self, connection: duckdb.DuckDBPyConnection) -> None:
        """The tables in DuckDB, as lists ``lookup_NAME``; numbers are whole numbers of their last digits."""
        import pyarrow as pa

        for table, rows in self.rows.items():
            columns = list(next(iter(rows.values()), {}))
            values = {"key": pa.array([keyed.BETWEEN.join(key) for key in rows], pa.string())}
            for column in columns:
                kind = pa.int64() if column in _NUMBERS else pa.bool_()
                values[column] = pa.array([self._scaled(column, row[column]) for row in rows.values()], kind)
            name = f"lookup_{table}"
            connection.register(name, pa.table(values))
            keyed.create(connection, name, name, "key", columns)
            connection.unregister(name)

    def _scaled(self, column: str, value: Any) -> Any:
        digits = self.weight_digits if column == "weight" else _DIGITS.get(column)
        return value if digits is None or value is None else int(value * 10**digits)


def decimals(path: Path, column: str) -> int:
    """The most decimals that a column of a table has."""
    texts = (row.get(column, "") for _, row in _read(path, (column,)))
    return max((len(text.partition(".")[2].rstrip("0")) for text in texts), default=0)


def load_lookups(policy: Policy) -> Lookups:
    """The tables that a policy names.

    Raises TableError that names file, row and column.
    """
    found = Lookups(policy.weight_digits)
    if policy.weights:
        _weights(found, policy.weights.path)
    if policy.means:
        _means(found, policy.means.path)
    return found


def _weights(found: Lookups, path: Path) -> None:
    weights: dict[tuple[str, ...], dict[str, Any]] = {}
    levels: dict[tuple[str, ...], dict[str, Any]] = {}
    hospitals: dict[tuple[str, ...], dict[str, Any]] = {}
    for number, row in _read(path, ("drg", "weight")):
        key = (row["drg"],)
        if key in weights:
            raise _error(path, number, "drg", f"{row['drg']} 重复", f"{row['drg']} is there twice")
        weights[key] = {
            "weight": _number(row, "weight", path, number, found.weight_digits),
            "basic": _flag(row, "basic", path, number),
            "unstable": _flag(row, "unstable", path, number),
            "mean_cost": _number(row, "mean_cost", path, number, 2),
        }
        for column in row:
            if column.startswith("coefficient_") and row[column]:
                of = column.removeprefix("coefficient_")
                if of.startswith("hospital_"):
                    hospital = (row["drg"], of.removeprefix("hospital_"))
                    own = _number(row, column, path, number, DIFFERENCE_DIGITS)
                    hospitals[hospital] = {"difference": own}
                else:
                    value = _number(row, column, path, number, COEFFICIENT_DIGITS)
                    levels[(row["drg"], of)] = {"coefficient": value}
    found.keys |= {"weights": ("price_group",)}
    found.rows |= {"weights": weights}
    if levels:
        found.keys |= {"level_coefficients": ("price_group", "hospital_level")}
        found.rows |= {"level_coefficients": levels}
    if hospitals:
        found.keys |= {"hospital_coefficients": ("price_group", "hospital_code")}
        found.rows |= {"hospital_coefficients": hospitals}


def _means(found: Lookups, path: Path) -> None:
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for number, row in _read(path, ("group", "hospital_level", "mean_cost")):
        key = (row["group"], row["hospital_level"])
        if key in rows:
            raise _error(path, number, "group", f"{key} 重复", f"{key} is there twice")
        rows[key] = {
            column: _number(row, column, path, number, 2) for column in ("mean_cost", "last_year_mean_cost")
        }
    found.keys |= {"means": ("price_group", "hospital_level")}
    found.rows |= {"means": rows}


def _read(path: Path, needed: tuple[str, ...]) -> list[tuple[int, Mapping[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            for name in needed:
                if name not in (reader.fieldnames or ()):
                    raise TableError(zh=f"{path} 缺少列 {name}", en=f"{path} lacks the column {name}")
            return [
                (n, {k: (v or "").strip() for k, v in row.items() if k}) for n, row in enumerate(reader, 2)
            ]
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(zh=f"无法读取 {path}：{error}", en=f"cannot read {path}: {error}") from error


def _number(row: Mapping[str, str], column: str, path: Path, number: int, digits: int) -> Fraction | None:
    text = row.get(column, "")
    if not text:
        return None
    try:
        value = Fraction(Decimal(text))
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise _error(path, number, column, f"{text!r} 不是数", f"{text!r} is no number") from error
    if value < 0 or (value * 10**digits).denominator != 1:
        raise _error(
            path,
            number,
            column,
            f"{text} 为负或小数多于 {digits} 位",
            f"{text} is negative or has more than {digits} decimals",
        )
    return value


def _flag(row: Mapping[str, str], column: str, path: Path, number: int) -> bool | None:
    text = row.get(column, "").lower()
    if text not in _TRUE:
        raise _error(path, number, column, f"{text!r} 应为 true 或 false", f"{text!r} is not true or false")
    return _TRUE[text]


def _error(path: Path, row: int, column: str, zh: str, en: str) -> TableError:
    return TableError(
        zh=f"{path} 第 {row} 行 {column} 列：{zh}", en=f"{path}, row {row}, column {column}: {en}"
    )
