"""A case of a day on which the policy does not apply is held and counted; the others are priced."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from grouper.base.errors import UsageError
from grouper.payment.policy.describe import applying
from grouper.payment.policy.policy import find_policy

from .pay_support import POLICY, grouper, write_policy
from .test_gate import bill, paid

BEFORE = {"discharge_date": dt.datetime(2024, 12, 30), "admission_date": dt.date(2024, 12, 24)}
AFTER = {"discharge_date": dt.datetime(2026, 1, 2)}
MONTH = [bill("a", "15000"), bill("late", "9000", **BEFORE), bill("b", "45000"), bill("soon", "700", **AFTER)]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_policy(tmp_path)
    return tmp_path


def told(rows: list[dict[str, Any]]) -> list[tuple[str, str, str, Decimal | None]]:
    return [(row["record_id"], row["pay_status"], row["pay_reason"], row["amount"]) for row in rows]


def test_the_rest_of_the_file_is_priced_as_without_them(place: Path) -> None:
    _, alone = paid(place, [MONTH[0], MONTH[2]])
    done, rows = paid(place, MONTH)
    assert told(rows) == [
        ("a", "paid", "group", Decimal("12600.00")), ("late", "held", "not-in-force", None),
        ("b", "paid", "high", alone[1]["amount"]), ("soon", "held", "not-in-force", None),
    ]  # fmt: skip
    assert done.priced.statuses == {"paid": 2, "held": 2, "outside": 0, "left": 0}
    assert done.priced.costs["held:not-in-force"] == Decimal("9700.00")
    assert done.priced.outside == (dt.date(2024, 12, 30), dt.date(2026, 1, 2))
    assert [rows[0][n] for n in alone[0]] == list(alone[0].values())


def test_a_file_of_other_years_only_is_refused(place: Path) -> None:
    with pytest.raises(UsageError, match="does not apply on 2024-12-30"):
        paid(place, [MONTH[1]])
    with pytest.raises(UsageError, match="does not apply on 2024-06-01"):
        paid(place, MONTH, as_of=dt.date(2024, 6, 1))


def test_refunds_repeats_and_joined_bills_of_another_year_add_up(place: Path) -> None:
    """What the gate takes out leaves first; a stay that is held has the money of all its bills."""
    first = bill("f", "4000", visit_id="V", interim_flag=True, admission_date=dt.date(2024, 10, 1),
                 discharge_date=dt.datetime(2024, 11, 30))  # fmt: skip
    last = bill("l", "1000", visit_id="V", **BEFORE | {"admission_date": dt.date(2024, 12, 1)})
    refunded = bill("r", "8000", **BEFORE)
    back = bill("x", "-8000", refund_of="Sr", refund_flag=True)
    done, rows = paid(place, [*MONTH, first, last, refunded, back], interim="join")
    reasons = {row["record_id"]: row["pay_reason"] for row in rows}
    assert [reasons[key] for key in "flrx"] == [
        "interim-joined", "not-in-force", "refund-netted", "refund-netted",
    ]  # fmt: skip
    assert done.priced.costs["held:not-in-force"] == Decimal("14700.00")
    assert rows[5]["total_cost"] == Decimal("5000.00")


def test_a_decision_about_one_of_them_waits_with_it(place: Path) -> None:
    (place / "decisions.csv").write_text("record_id,unreasonable_cost\nlate,100\n", encoding="utf-8")
    _, rows = paid(place, MONTH, decisions=str(place / "decisions.csv"))
    assert rows[1]["pay_reason"] == "not-in-force"


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("zh", "  注意：2 例的日期（2024-12-30 – 2026-01-02）不在政策 test/rate 的有效期"),
        ("en", "  note: 2 of 2024-12-30 – 2026-01-02, outside the validity of test/rate"),
    ],
)
def test_the_summary_and_the_explanation_say_so(place: Path, lang: str, words: str) -> None:
    paid(place, MONTH)
    code, _, err = grouper(
        "pay",
        place / "grouped.parquet",
        "--policy",
        place / "policy.toml",
        "-o",
        place / "o.parquet",
        lang=lang,
    )
    assert code == 0 and words in err, err
    assert "[not-in-force]  9,700.00" in err
    code, out, err = grouper(
        "explain", place / "o.parquet", "--record-id", "late", "--policy", place / "policy.toml", lang=lang
    )
    assert code == 0 and "[not-in-force]" in out, err


def test_policies_of_the_area_that_apply_are_named() -> None:
    """A late case of December 2026 among those of 2027; of an area with a policy a year, the year's."""
    december = dt.date(2026, 12, 1), dt.date(2026, 12, 31)
    found = applying(find_policy("national/drg-rate-3.0"), *december)
    assert [(policy.id, policy.scheme) for policy in found] == [("national/drg-rate", "chs-drg-2.0")]
    found = applying(find_policy("yulin/2024"), dt.date(2023, 12, 30), dt.date(2023, 12, 31))
    assert [policy.id for policy in found] == ["yulin/2022"]


def test_a_budget_is_shared_among_the_cases_of_its_policy_only(place: Path) -> None:
    more = 'pool_method = { value = "standard", source = "s", verified = true }\n'
    write_policy(place, POLICY.replace("[parameters]\n", f"[parameters]\n{more}"))
    (place / "budget.toml").write_text(
        'period = "2025-06"\n[pools.employee]\nbudget = "30000.00"\nsource = "试验"\n', encoding="utf-8"
    )
    alone, first = paid(place, [MONTH[0], MONTH[2]], budget=str(place / "budget.toml"))
    done, rows = paid(place, MONTH, budget=str(place / "budget.toml"))
    assert done.settlement is not None and alone.settlement is not None
    assert [row["amount"] for row in rows if row["pay_status"] == "paid"] == [r["amount"] for r in first]
    assert [row["fund_due"] for row in rows if row["pay_status"] == "paid"] == [r["fund_due"] for r in first]
    held = [row for row in rows if row["pay_status"] == "held"]
    assert len(held) == 2 and all(row["amount"] is None for row in held)
