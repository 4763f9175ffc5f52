"""A small policy and a small grouped file for the tests of commands; numbers of a textbook case.

Base rate 10,000, weight 1.20, coefficient 1.05 at level 3: the standard is 12,600.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..in_process import call
from ..support import canonical
from .policy_text import drg_head, identity

POLICY = (
    drg_head("rate", "drg_rate", "chs-drg-2.0")
    + """
[parameters]
coefficient_rule = { value = "level", source = "试验办法", article = "第五条", verified = true }
ratio_denominator = { value = "standard", source = "试验办法", verified = true }
high_formula = { value = "excess_over_standard", source = "试验办法", verified = true }
low_threshold = { value = "0.3", source = "试验办法", verified = true }
low_formula = { value = "cost", source = "试验办法", verified = true }
ungrouped_rule = { value = "hold", source = "试验办法", verified = true }
fund_formula = { value = "F1", source = "试验办法", verified = true }
fund_floor = { value = "zero", source = "试验办法", verified = true }

[parameters.base_rate]
source = "费率通知"
article = "第二条"
verified = false
[[parameters.base_rate.values]]
to = 2025-06-30
value = "10000"
[[parameters.base_rate.values]]
from = 2025-07-01
value = "11000"

[parameters.level_coefficient]
by = ["level"]
value = { "3" = "1.05", "2" = "1" }
source = "试验办法"
verified = true

[parameters.high_threshold]
by = ["level"]
value = { "3" = "3", "2" = "2.5" }
source = "试验办法"
verified = true
"""
)
WEIGHTS = "drg,name,weight,mean_cost,basic,unstable\nGE19,阑尾,1.20,,,\nES33,肺炎,0.70,,,\n"
DIP = (
    identity("dip", "dip", "dip-taian-2025")
    + """
[pools]
all = ["*"]

[parameters]
points_digits = { value = 4, source = "s", verified = true }
point_value = { value = "9.5", source = "s", verified = true }
coefficient_rule = { value = "level", source = "s", verified = true }
level_coefficient = { by = ["level"], value = { "3" = "1.08" }, source = "s", verified = true }
ratio_denominator = { value = "standard", source = "s", verified = true }
high_threshold = { value = "2", source = "s", verified = true }
high_formula = { value = "multiple_without_coefficient", source = "s", verified = true }
extreme_threshold = { value = "5", source = "s", verified = true }
extreme_rule = { value = "standard", source = "s", verified = true }
low_threshold = { value = "0.5", source = "s", verified = true }
low_formula = { value = "share_of_base", source = "s", verified = true }
fund_formula = { value = "F3", source = "s", verified = true }
fund_floor = { value = "zero", source = "s", verified = true }
"""
)
SCHEMA = canonical(
    ["record_id", "hospital_code", "hospital_level", "insurance_type", "drg", "status", "reason",
     "total_cost", "pool_paid", "fund_paid", "discharge_date", "los_days"],
    drg=pa.string(), status=pa.string(), reason=pa.string(),
)  # fmt: skip


def case(record_id: str, cost: str, **other: Any) -> dict[str, Any]:
    """A grouped case at hospital A, level 3; of the cost the pool pays 73.1 %, as in the textbook case."""
    paid = (Decimal(cost) * Decimal("0.731")).quantize(Decimal("0.01"))
    row = {
        "record_id": record_id,
        "hospital_code": "A",
        "hospital_level": "3",
        "insurance_type": "310",
        "drg": "GE19",
        "status": "grouped",
        "reason": "grouped",
        "total_cost": Decimal(cost),
        "pool_paid": paid,
        "fund_paid": paid,
        "discharge_date": dt.datetime(2025, 6, 10),
        "los_days": 6,
    }
    return row | other


CASES = [
    case("normal", "15000.00"),
    case("high", "45000.00"),
    case("low", "3500.00"),
    case("long", "20000.00", los_days=61, hospital_code="B"),
    case("lost", "8000.00", status="ungrouped", drg="0000", hospital_code="B"),
    case(
        "later", "15000.00", discharge_date=dt.datetime(2025, 7, 1), hospital_code="B", insurance_type="390"
    ),
]


def write_policy(folder: Path, text: str = POLICY, name: str = "policy.toml") -> Path:
    """The policy file with its weights beside it."""
    (folder / "weights.csv").write_text(WEIGHTS, encoding="utf-8")
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def write_cases(folder: Path, cases: list[dict[str, Any]] = CASES, name: str = "grouped.parquet") -> Path:
    """The grouped file."""
    pq.write_table(pa.Table.from_pylist(cases, schema=SCHEMA), folder / name)
    return folder / name


def grouper(
    *arguments: object, lang: str = "zh", cwd: Path | None = None, stdin: bytes = b""
) -> tuple[int, str, str]:
    """The command as a user calls it: exit code, stdout, stderr."""
    code, out, err = call(*arguments, stdin=stdin, lang=lang, cwd=cwd)
    return code, out.decode(), err.decode()
