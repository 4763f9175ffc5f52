"""Small lakes for tests: views over rows written by hand, as grouper.lake.views gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from grouper.records.schema import CANONICAL
from grouper.watch import Facts, watch

from ..support import canonical

_PLACE = {"area": pa.string(), "year": pa.int32(), "month": pa.int32(), "run": pa.string()}
_YUAN = CANONICAL["total_cost"]
CASES = canonical(
    [*_PLACE, "record_id", "person_id", "hospital_code", "insurance_type", "group", "status", "method",
     "pay_status", "admission_date", "discharge_date", "los_days", "total_cost", "settled_fund",
     "person_paid", "pool_paid", "serious_illness_paid", "own_expense", "self_pay_first"],
    **_PLACE, **dict.fromkeys(("group", "status", "method", "pay_status"), pa.string()),
    **dict.fromkeys(("admission_date", "discharge_date"), pa.date32()),
    **dict.fromkeys(("settled_fund", "person_paid"), _YUAN),
)  # fmt: skip
_MONEY = [item.name for item in CASES if item.type == _YUAN]
POOLS = pa.schema(
    [("area", pa.string()), ("year", pa.int32()), ("month", pa.int32()), ("run", pa.string()),
     ("pool", pa.string()), ("budget", pa.decimal128(38, 2)), ("fund_due", pa.decimal128(38, 2)),
     ("fund_by_item", pa.decimal128(38, 2))]
)  # fmt: skip


def case(number: int, **given: Any) -> dict[str, Any]:
    """A settled case of June 2025, every person another, with what the test says of it."""
    row: dict[str, Any] = {
        "area": "lishui", "year": 2025, "month": 6, "run": "000001", "record_id": f"r{number:03}",
        "person_id": f"p{number}", "hospital_code": "H1", "insurance_type": "310", "group": "AA1",
        "status": "grouped", "method": "group", "pay_status": "paid", "admission_date": date(2025, 6, 1),
        "discharge_date": date(2025, 6, 4), "los_days": 3, "total_cost": 1000,
        "settled_fund": 600, "person_paid": 400, "pool_paid": 600,
        "serious_illness_paid": 0, "own_expense": 0, "self_pay_first": 0,
    }  # fmt: skip
    row |= given
    return row | {name: None if row[name] is None else Decimal(str(row[name])) for name in _MONEY}


def pool(month: int, budget: str, due: str, by_item: str = "0", year: int = 2025) -> dict[str, Any]:
    return {
        "area": "lishui", "year": year, "month": month, "run": "000001", "pool": "employee",
        "budget": Decimal(budget), "fund_due": Decimal(due), "fund_by_item": Decimal(by_item),
    }  # fmt: skip


def lake(
    cases: Iterable[Mapping[str, Any]], pools: Iterable[Mapping[str, Any]] = (), without: tuple[str, ...] = ()
) -> duckdb.DuckDBPyConnection:
    """The current tables as views; ``without``: columns of the cases that this lake does not have."""
    connection = duckdb.connect()
    made = pa.Table.from_pylist(list(cases), schema=CASES).drop_columns(list(without))
    connection.register("cases_current", made)
    connection.register("pools_current", pa.Table.from_pylist(list(pools), schema=POOLS))
    return connection


def indicators(folder: Path, text: str) -> Path:
    """A file with one indicator ``x``; ``text`` gives its measure, unit, parameters and lines."""
    path = folder / "indicators.toml"
    path.write_text(
        'id = "t"\nname = "试"\nname_en = "test"\n[[indicators]]\nid = "x"\nzh = "指标"\nen = "indicator"\n'
        'definition_zh = "定义"\ndefinition_en = "definition"\nformula = "f"\nsource = "s"\nverified = true\n'
        + text,
        encoding="utf-8",
    )
    return path


def one(
    connection: duckdb.DuckDBPyConnection, path: Path, period: str = "2025-06", facts: Facts | None = None
) -> dict[str, Any]:
    """The one row of a file with one indicator."""
    (row,) = watch(connection, "lishui", period, indicators=path, facts=facts).to_pylist()
    return row


def figures(row: Mapping[str, Any]) -> tuple[str | None, str | None, str]:
    """Numerator, denominator and value as texts."""
    return tuple(None if row[k] is None else str(row[k].normalize().__format__("f"))
                 for k in ("numerator", "denominator", "value"))  # fmt: skip
