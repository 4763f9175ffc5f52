"""Decisions by case: words that are understood, amounts that a policy can use, and what became of each."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grouper.base.errors import DataError
from grouper.payment import pay

from ..support import canonical
from .pay_support import POLICY, SCHEMA, case, write_policy

QUOTA = """
special_review_quota = { value = "0.5", source = "s", verified = true }
readmission_days = { value = 15, source = "s", verified = true }
readmission_factor = { value = "0.5", source = "s", verified = true }
readmission_same = { value = "group", source = "s", verified = true }
"""
REVIEWS = POLICY.replace("[parameters.base_rate]", QUOTA + "[parameters.base_rate]", 1)
STAYS = pa.schema(
    [
        *SCHEMA,
        *canonical(
            ("person_id", "admission_date", "discharge_way", "diagnoses"), admission_date=pa.date32()
        ),
    ]
)  # fmt: skip


def stay(record_id: str, first: int, last: int, **other: Any) -> dict[str, Any]:
    """A stay of person P in June."""
    days = {"admission_date": dt.date(2025, 6, first), "discharge_date": dt.datetime(2025, 6, last)}
    return case(record_id, "15000", **{**days, "person_id": "P", "diagnoses": ["K35.900"], **other})


def priced(
    place: Path, cases: list[dict[str, Any]], decisions: str = "", policy: str = REVIEWS
) -> dict[str, dict[str, Any]]:
    path = write_policy(place, policy)
    pq.write_table(pa.Table.from_pylist(cases, schema=STAYS), place / "g.parquet")
    if decisions:
        (place / "d.csv").write_text(decisions, encoding="utf-8")
    pay(str(place / "g.parquet"), str(path), str(place / "o.parquet"),
        decisions=str(place / "d.csv") if decisions else None)  # fmt: skip
    return {row["record_id"]: row for row in pq.read_table(place / "o.parquet").to_pylist()}


def others(number: int) -> list[dict[str, Any]]:
    return [stay(f"o{n}", 1, 5, person_id=f"Q{n}") for n in range(number)]


@pytest.mark.parametrize("word", ["adjust", "调整", "ADJUST "])
def test_a_decision_may_be_in_chinese(tmp_path: Path, word: str) -> None:
    text = f"record_id,special_review,special_review_amount\na,{word},9000\n"
    row = priced(tmp_path, [stay("a", 1, 5), *others(3)], text)["a"]
    assert (row["review_result"], row["amount"]) == ("taken", Decimal("9000.00"))


@pytest.mark.parametrize("word", ["yes", "true", "approved", "通过"])
def test_a_word_that_nobody_knows_stops_the_run(tmp_path: Path, word: str) -> None:
    text = f"record_id,special_review,special_review_amount\na,{word},9000\n"
    with pytest.raises(DataError, match=r"a, special_review.*by_item 按项目、adjust 调整、keep 维持"):
        priced(tmp_path, [stay("a", 1, 5), *others(3)], text)


@pytest.mark.parametrize(
    ("text", "policy", "message"),
    [
        ("record_id,special_review\na,adjust\n", REVIEWS, "adjust needs special_review_amount"),
        ("record_id,special_review,special_review_points\na,adjust,90\n", REVIEWS, "pays in yuan"),
        ("record_id,special_review\na,by_item\n", POLICY, "knows no special review"),
    ],
)
def test_a_decision_that_the_policy_cannot_carry_out_is_refused(
    tmp_path: Path, text: str, policy: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        priced(tmp_path, [stay("a", 1, 5), *others(3)], text, policy)


def test_each_decision_ends_as_something(tmp_path: Path) -> None:
    """Of four cases two may be reviewed: the dearest two; a long stay by item is none that is reviewed."""
    text = "record_id,special_review\n" + "".join(f"{name},按项目\n" for name in ("a", "b", "c", "long"))
    cases = [
        stay("a", 1, 5, total_cost=Decimal(30000)), stay("b", 1, 5, person_id="R"),
        stay("c", 1, 5, person_id="S", total_cost=Decimal(20000)),
        stay("long", 1, 5, person_id="T", los_days=61),
    ]  # fmt: skip
    found = priced(tmp_path, cases, text)
    assert {name: row["review_result"] for name, row in found.items()} == {
        "a": "taken", "b": "over-quota", "c": "taken", "long": "not-reviewed",
    }  # fmt: skip


TWICE = [stay("first", 1, 5), stay("again", 8, 12)]


def test_a_readmission_may_be_justified_on_either_stay(tmp_path: Path) -> None:
    """12,600 halved without a reason; the clerk has the reason with the second stay."""
    assert priced(tmp_path, TWICE)["first"]["amount"] == Decimal("6300.00")
    for name in ("first", "again"):
        text = f"record_id,readmission_justified\n{name},是\n"
        assert priced(tmp_path, TWICE, text)["first"]["amount"] == Decimal("12600.00"), name


@pytest.mark.parametrize(
    ("way", "hospital", "day", "amount"),
    [
        (2, "B", 5, "12600.00"),  # sent on by order, taken in the same day
        (2, "A", 5, "6300.00"),  # back in the same hospital
        (1, "B", 5, "6300.00"),  # left as cured, and came back elsewhere
        (2, "B", 8, "6300.00"),  # not taken in by the next day
    ],
)
def test_an_ordered_transfer_is_no_readmission(
    tmp_path: Path, way: int, hospital: str, day: int, amount: str
) -> None:
    cases = [stay("first", 1, 5, discharge_way=way), stay("next", day, 12, hospital_code=hospital)]
    assert priced(tmp_path, cases)["first"]["amount"] == Decimal(amount)
