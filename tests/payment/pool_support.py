"""Small policies, grouped cases and budgets for tests of settlement."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from grouper.payment.policy.policy import Policy, load_policy
from grouper.payment.price.inputs import Files
from grouper.payment.price.pricing import price_files

from .policy_text import drg_head

_WEIGHTS = "drg,weight,mean_cost\nAA11,0.8,8000\nBB13,1.2501,12501\nCC15,2.7,27000\n"
POINTS = {
    "coefficient_rule": "level",
    "points_scale": "100",
    "mean_cost": "10000",
    "points_digits": 4,
    "ratio_denominator": "group_mean",
    "high_threshold": "3",
    "high_formula": "excess_by_group_mean",
    "low_threshold": "0.4",
    "low_formula": "share_by_group_mean",
    "ungrouped_rule": "by_cost",
    "ambiguous_rule": "by_item",
    "unweighted_rule": "by_item",
    "fund_formula": "F1",
    "fund_floor": "carry",
    "pool_method": "points_total",
    "outside_points": "inside",
    "reserve_rate": "0.05",
}
RATE = {
    **{k: v for k, v in POINTS.items() if k not in ("points_scale", "points_digits", "mean_cost")},
    "base_rate": "10000",
    "ratio_denominator": "standard",
    "high_formula": "excess_over_standard",
    "low_formula": "cost",
    "ungrouped_rule": "by_item",
    "pool_method": "standard",
}
LEVELS = '{ "3" = "1.05", "2" = "1", "1" = "0.9" }'


def write_policy(
    folder: Path, parameters: Mapping[str, Any], method: str = "drg_points", extra: str = ""
) -> Policy:
    """A policy of ``parameters``; a value that begins with a bracket is TOML as it stands."""
    lines = [drg_head(method, method)]
    for name, value in parameters.items():
        text = value if isinstance(value, int) or str(value)[:1] in "[{" else f'"{value}"'
        lines.append(f'[parameters.{name}]\nvalue = {text}\nsource = "test"\nverified = true\n')
    level = f'by = ["level"]\nvalue = {LEVELS}\nsource = "test"\nverified = true\n'
    lines.append(f"[parameters.level_coefficient]\n{level}")
    (folder / "weights.csv").write_text(_WEIGHTS)
    path = folder / "policy.toml"
    path.write_text("\n".join(lines) + extra)
    return load_policy(path)


def make_cases(number: int, seed: int = 1, hospitals: int = 4) -> list[dict[str, Any]]:
    """Cases of a year, by a fixed seed: grouped, ungrouped, invalid, long stays, two insurance types."""
    rng = random.Random(seed)
    rows = []
    for n in range(number):
        total = rng.choice([90_000, 800_000, 1_250_100, 4_000_000, 9_000_000]) + rng.randrange(100_000)
        fund = total * rng.randrange(40, 90) // 100
        hospital = rng.randrange(hospitals)
        status = rng.choices(["grouped", "ungrouped", "ambiguous", "invalid"], [16, 2, 1, 1])[0]
        rows.append(
            {
                "record_id": f"R{n:05d}",
                "hospital_code": f"H{hospital}",
                "hospital_level": str(1 + hospital % 3),
                "insurance_type": rng.choice(["310", "390"]),
                "region_code": rng.choice(["330001", "330002", "330003"]),
                "status": status,
                "reason": status,
                "drg": rng.choice(["AA11", "BB13", "CC15"]) if status == "grouped" else None,
                "los_days": rng.choice([3, 7, 12, 75]),
                "discharge_date": date(2025, 1, 1) + timedelta(days=rng.randrange(365)),
                "total_cost": _yuan(total),
                "own_expense": _yuan(total // 50),
                "self_pay_first": _yuan(total // 70),
                "deductible": _yuan(30_000),
                "pool_paid": _yuan(fund),
                "fund_paid": _yuan(fund + rng.choice([0, 12_345])),
            }
        )
    return rows


def _yuan(fen: int) -> Decimal:
    return Decimal(fen).scaleb(-2)


def write_cases(path: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    """Grouped cases as Parquet."""
    schema = pa.Table.from_pylist(list(rows[:1])).schema
    fields = []
    for item in schema:
        money = pa.types.is_decimal(item.type)
        text = pa.types.is_null(item.type)
        fields.append(
            pa.field(item.name, pa.decimal128(18, 2) if money else pa.string() if text else item.type)
        )
    pq.write_table(pa.Table.from_pylist(list(rows), schema=pa.schema(fields)), path)
    return str(path)


def price(policy: Policy, folder: Path, rows: Sequence[Mapping[str, Any]], name: str = "priced") -> str:
    """Price cases into ``folder``; returns the path."""
    source = write_cases(folder / f"{name}.grouped.parquet", rows)
    output = str(folder / f"{name}.parquet")
    price_files(policy, Files([source]), output, threads=1)
    return output


def budget_tables(**pools: str) -> dict[str, Any]:
    """A year's budget by pool."""
    return {"period": "2025", "pools": {name: {"budget": amount} for name, amount in pools.items()}}
