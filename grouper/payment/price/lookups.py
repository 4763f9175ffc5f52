"""The tables that pricing looks values up in: weights, coefficients by group and level, means."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grouper.base.kept import Kept
from grouper.payment.formula import keyed
from grouper.payment.policy.digits import COEFFICIENT_DIGITS, DIFFERENCE_DIGITS
from grouper.payment.policy.tables import cell_error, flag_of, number_of, read_rows

if TYPE_CHECKING:
    import duckdb

    from grouper.payment.policy.policy import Policy

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


_KEPT: Kept[tuple[object, ...], Lookups] = Kept(64)


def lookups_of(policy: Policy) -> Lookups:
    """The tables that a policy names, read once for each of their contents. Do not change them.

    Raises TableError that names file, row and column.
    """
    return _KEPT.get((policy.tables_digest, policy.weight_digits), lambda: load_lookups(policy))


def load_lookups(policy: Policy) -> Lookups:
    """The tables that a policy names, read from their files.

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
    for number, row in read_rows(path, ("drg", "weight")):
        key = (row["drg"],)
        if key in weights:
            raise cell_error(path, number, "drg", f"{row['drg']} 重复", f"{row['drg']} is there twice")
        weights[key] = {
            "weight": number_of(row, "weight", path, number, found.weight_digits),
            "basic": flag_of(row, "basic", path, number),
            "unstable": flag_of(row, "unstable", path, number),
            "mean_cost": number_of(row, "mean_cost", path, number, 2),
        }
        for column in row:
            if column.startswith("coefficient_") and row[column]:
                of = column.removeprefix("coefficient_")
                if of.startswith("hospital_"):
                    hospital = (row["drg"], of.removeprefix("hospital_"))
                    own = number_of(row, column, path, number, DIFFERENCE_DIGITS)
                    hospitals[hospital] = {"difference": own}
                else:
                    value = number_of(row, column, path, number, COEFFICIENT_DIGITS)
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
    for number, row in read_rows(path, ("group", "hospital_level", "mean_cost")):
        key = (row["group"], row["hospital_level"])
        if key in rows:
            raise cell_error(path, number, "group", f"{key} 重复", f"{key} is there twice")
        rows[key] = {
            column: number_of(row, column, path, number, 2) for column in ("mean_cost", "last_year_mean_cost")
        }
    found.keys |= {"means": ("price_group", "hospital_level")}
    found.rows |= {"means": rows}
