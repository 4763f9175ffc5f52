"""The measures: by hand on a few rows, and the same figures in SQL and over polars frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grouper.base.errors import UsageError
from grouper.research import measures
from grouper.research.open import OpenLake

# hospital, group, cost, stay, way, person, admitted, status of payment
SMALL: Sequence[tuple[Any, ...]] = (
    ("A", "G1", 100, 2, 1, "p1", date(2025, 1, 1), "paid"),
    ("A", "G1", 300, 4, 5, "p2", date(2025, 1, 1), "paid"),
    ("B", "G1", 200, 6, 1, "p1", date(2025, 1, 10), "paid"),
    ("B", "G2", 900, 9, 1, "p3", date(2025, 2, 1), "held"),
    ("B", None, 50, 1, 1, "p1", date(2025, 1, 16), "paid"),
)


@pytest.fixture(scope="module")
def few() -> pl.LazyFrame:
    rows = [
        {
            "area": "a", "scheme_id": "s", "record_id": str(n), "hospital_code": hospital,
            "group_code": group, "group_name": group, "mdc": None,
            "status": "grouped" if group else "ungrouped",
            "total_cost": Decimal(cost), "los_days": stay, "discharge_way": way, "person_id": person,
            "admission_date": first, "discharge_date": first.replace(day=first.day + stay),
            "pay_status": paid,
            "method": "group" if group else "by_cost", "outlier": None,
            "weight": Decimal(2) if group else None, "drug_cost": Decimal(cost) / 4, "consumable_cost": None,
            "settled_income": Decimal(cost) / 2, "settled_fund": Decimal(cost) / 4,
        }
        for n, (hospital, group, cost, stay, way, person, first, paid) in enumerate(SMALL)
    ]  # fmt: skip
    return pl.LazyFrame(rows, schema_overrides={"outlier": pl.String, "mdc": pl.String,
                                                "consumable_cost": pl.Decimal(18, 2)})  # fmt: skip


def test_measures_by_hand(few: pl.LazyFrame) -> None:
    a, b = measures.measures(measures.with_groups(few), "hospital_code").collect().to_dicts()
    # G1: mean cost 200, mean stay 4
    assert a["cost_index"] == pytest.approx((100 / 200 + 300 / 200) / 2)
    assert a["time_index"] == pytest.approx((2 / 4 + 4 / 4) / 2)
    assert b["cost_index"] == pytest.approx((200 / 200 + 900 / 900) / 2)
    assert (a["cases"], b["cases"], b["groups"]) == (2, 3, 2)
    assert b["grouped_rate"] == pytest.approx(2 / 3) and b["held_rate"] == pytest.approx(1 / 3)
    assert a["weight_sum"] == 4 and a["cmi"] == 2 and b["weighted_cases"] == 1  # one is held
    assert a["drug_share"] == 0.25 and a["consumable_share"] is None and b["payment_to_cost"] == 0.5
    assert b["coverage"] == pytest.approx(1 / 3)
    groups = {row["group_code"]: row for row in measures.group_measures(few).collect().to_dicts()}
    assert groups["G1"]["mortality"] == pytest.approx(1 / 3) and groups["G2"]["risk"] == "zero"
    assert groups["G1"]["cost_cv"] == pytest.approx(math.sqrt(20000 / 3) / 200)


def test_riv_by_hand(few: pl.LazyFrame) -> None:
    costs = [100, 300, 200, 900]
    mean = sum(costs) / 4
    whole = sum((cost - mean) ** 2 for cost in costs)
    (row,) = measures.riv(few).collect().to_dicts()
    assert row["riv"] == pytest.approx(1 - 20000 / whole) and row["cases"] == 4


def test_readmissions_by_hand(few: pl.LazyFrame) -> None:
    """p1 leaves A on the 3rd and comes again on the 10th; leaves B on the 16th and comes the same day."""
    a, b = measures.readmissions(few, "hospital_code", 30).collect().to_dicts()
    assert (a["discharges"], a["readmitted"], a["same_day"], a["readmission_rate"]) == (1, 1, 0, 1.0)
    assert (b["discharges"], b["readmitted"], b["same_day"]) == (3, 0, 1)
    assert measures.readmissions(few, None, 6).collect()["readmitted"].to_list() == [0]


def test_a_frame_without_its_groups_is_refused(few: pl.LazyFrame) -> None:
    with pytest.raises(UsageError, match="with_groups"):
        measures.measures(few, "hospital_code")


def _same(one: pl.DataFrame, other: pl.DataFrame) -> None:
    """Counts and amounts exactly, quotients of floats to twelve digits."""
    assert one.columns == other.columns and one.height == other.height > 0
    for name in one.columns:
        for a, b in zip(one[name], other[name], strict=True):
            if isinstance(a, float):
                assert math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-12), name
            else:
                assert a == b, name


def _sql(lake: OpenLake, query: str) -> pl.DataFrame:
    return pl.DataFrame(lake.sql(query).to_arrow_table())


@pytest.mark.parametrize("key", ["hospital_code", "insurance_type", "mdc", None])
def test_sql_and_polars_give_the_same(opened: OpenLake, key: str | None) -> None:
    cases = opened.cases(kind="polars")
    unit = key or "'all'"
    by = measures.measures(measures.with_groups(cases), key).collect()
    _same(_sql(opened, f"FROM measures({unit}) ORDER BY unit NULLS FIRST"), by)
    _same(_sql(opened, f"FROM riv({unit}) ORDER BY unit NULLS FIRST"), measures.riv(cases, key).collect())
    _same(_sql(opened, f"FROM readmissions({unit}, 30) ORDER BY unit NULLS FIRST"),
          measures.readmissions(cases, key, 30).collect())  # fmt: skip


def test_groups_are_the_same_in_sql_and_polars(opened: OpenLake) -> None:
    made = measures.group_measures(opened.cases(kind="polars")).sort("group_code").collect()
    _same(_sql(opened, "FROM group_measures ORDER BY group_code").select(made.columns), made)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("AB"), st.integers(1, 9), st.sampled_from([1, 5])), min_size=1, max_size=20
    )
)
def test_risk_classes_leave_no_case_out(rows: list[tuple[str, int, int]]) -> None:
    frame = pl.LazyFrame(
        [{"area": "a", "scheme_id": "s", "group_code": group, "group_name": group, "mdc": "m",
          "status": "grouped",
          "total_cost": Decimal(cost), "los_days": cost, "discharge_way": way} for group, cost, way in rows]
    )  # fmt: skip
    made = measures.group_measures(frame).collect()
    assert made["cases"].sum() == len(rows) and made["risk"].null_count() == 0
    assert made.filter(pl.col("deaths") == 0)["risk"].unique().to_list() in ([], ["zero"])
