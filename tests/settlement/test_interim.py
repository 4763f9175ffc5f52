"""Bills of one stay: held unless they are joined; and what stops a month that pays too little."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grouper.base.errors import DataError
from grouper.lake import Lake
from grouper.settlement.audit import audit
from grouper.settlement.replay import replay

from . import settle_support as support

MONTH = "2025-06"


def settled(folder: Path, rows: Sequence[Mapping[str, Any]], **options: Any) -> tuple[Lake, Any]:
    place = support.city(2400, 0.0)
    path = support.write(folder / "in.parquet", rows, place / f"{MONTH}.parquet")
    lake = Lake(folder / "lake")
    options = {"allow_missing": ("payment_method",), **options}
    return lake, support.settle(lake, place, MONTH, path, area="yulin", **options)


def two_bills(rows: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The last stay is billed twice: a first part of a quarter of its amounts, and the rest."""
    last = rows[-1]
    first = dict(last) | {
        "record_id": "first", "settlement_id": "first", "los_days": 1,
        "discharge_date": last["admission_date"] + dt.timedelta(days=1),
    }  # fmt: skip
    for name, value in last.items():
        if isinstance(value, Decimal) and (name.endswith(("_cost", "_paid")) or name in MORE):
            first[name] = (value / 4).quantize(Decimal("0.01"))
            last[name] = value - first[name]
    return first, last


MORE = ("own_expense", "self_pay_first", "deductible", "in_scope_amount")


def test_bills_of_one_stay_are_held_and_told(tmp_path: Path) -> None:
    rows = support.take(support.city(2400, 0.0), MONTH, 30)
    first, last = two_bills(rows)
    lake, done = settled(tmp_path, [*rows, first])
    assert done.record.run["cases"] == 29 and done.rejected == {"interim": 2}
    left = support.rows(lake, "SELECT record_id, reason, treatment FROM rejected_all ORDER BY 1")
    assert {row["record_id"] for row in left} == {"first", last["record_id"]}
    assert {(row["reason"], row["treatment"]) for row in left} == {("interim", "held")}


def test_joined_bills_are_paid_as_the_stay_that_they_are(tmp_path: Path) -> None:
    """The same amounts, to the fen, as if the stay had been billed at once."""
    whole = support.take(support.city(2400, 0.0), MONTH, 30)
    (tmp_path / "whole").mkdir()
    lake, _ = settled(tmp_path / "whole", whole)
    rows = support.take(support.city(2400, 0.0), MONTH, 30)
    first, _ = two_bills(rows)
    (tmp_path / "two").mkdir()
    joined, done = settled(tmp_path / "two", [first, *rows], interim="join")
    assert done.rejected == {} and done.record.run["cases"] == 30
    assert done.record.run["rows_in"] == 31 and done.record.run["netted"] == 1
    sql = (
        'SELECT record_id, total_cost, los_days, "group", amount, settled_fund FROM cases_current ORDER BY 1'
    )
    assert support.rows(joined, sql) == support.rows(lake, sql)
    left = support.rows(joined, "SELECT record_id, reason, treatment FROM rejected_all")
    assert left == [{"record_id": "first", "reason": "interim-joined", "treatment": "joined"}]


def test_a_month_that_holds_too_much_is_stopped(tmp_path: Path) -> None:
    """Half of the cases have an insurance type of no pool: they would be held, and the month look normal."""
    rows = support.take(support.city(2400, 0.0), MONTH, 30)
    for row in rows[::2]:
        row["insurance_type"] = "340"
    with pytest.raises(
        DataError, match=r"(?s)are held, more than --max-held 0.05.*15 cases, .*no-pool"
    ) as caught:
        settled(tmp_path, rows)
    assert "no-pool" in caught.value.zh and "暂不支付" in caught.value.zh
    _, done = settled(tmp_path, rows, max_held="1")
    counts = {row["reason"]: row for row in done.record.rows["counts"] if row["status"] == "case"}
    assert counts["held:no-pool"]["rows"] == 15
    assert counts["held:no-pool"]["cost_fen"] == sum(int(row["total_cost"] * 100) for row in rows[::2])


def test_a_month_of_codes_that_nobody_knows_is_stopped(tmp_path: Path) -> None:
    """Other diagnoses joined in one cell are lost, one by one: 18 % of a month, without a word."""
    rows = support.take(support.city(2400, 0.0), MONTH, 30)
    for row in rows:
        row["diagnoses"] = [row["diagnoses"][0], "I10.x00;E11.900"]
    with pytest.raises(DataError, match=r"codes are not known, more than --max-unknown-codes 0.05"):
        settled(tmp_path, rows)
    _, done = settled(tmp_path, rows, max_unknown_codes="1")
    codes = {row["reason"]: row["rows"] for row in done.record.rows["counts"] if row["status"] == "codes"}
    assert codes["diagnosis:joined"] == 30


def test_the_stay_that_grouping_took_is_the_one_that_is_paid(tmp_path: Path) -> None:
    rows = support.take(support.city(2400, 0.0), MONTH, 10)
    nights = {r["record_id"]: max((r["discharge_date"] - r["admission_date"]).days, 1) for r in rows}
    for row in rows:
        row["los_days"] = None
    lake, _ = settled(tmp_path, rows, stay="nights")
    found = support.rows(lake, "SELECT record_id, los_days FROM cases_current")
    assert {row["record_id"]: row["los_days"] for row in found} == nights


def part_of(row: Mapping[str, Any], share: int, name: str, **other: Any) -> dict[str, Any]:
    """A refund of a ``share``-th of a stay, that names its settlement."""
    refund = dict(row) | {
        "record_id": name, "settlement_id": name, "refund_flag": True, "refund_of": row["settlement_id"],
        "visit_id": name,
    }  # fmt: skip
    for key, value in row.items():
        if isinstance(value, Decimal) and (key.endswith(("_cost", "_paid")) or key in MORE):
            refund[key] = -(value / share).quantize(Decimal("0.01"))
    return refund | other


def with_refund_of(folder: Path, rows: Sequence[Mapping[str, Any]]) -> tuple[Lake, Any]:
    place = support.city(2400, 0.0)
    path = support.write(folder / "in.parquet", rows, place / f"{MONTH}.parquet")
    lake = Lake(folder / "lake")
    return lake, support.settle(
        lake, place, MONTH, path, area="yulin", allow_missing=("payment_method",), max_held="1"
    )


SQL = 'SELECT record_id, total_cost, pool_paid, los_days, "group", settled_fund FROM cases_current ORDER BY 1'


@pytest.mark.slow
def test_refunds_of_a_part_leave_a_stay_of_the_rest(tmp_path: Path) -> None:
    """The stay less two refunds of parts is priced as one that cost that much from the beginning."""
    rows = support.take(support.city(2400, 0.0), MONTH, 12)
    refunds = [part_of(rows[-1], 4, "one"), part_of(rows[-1], 10, "two")]
    less = [dict(row) for row in rows]
    for refund in refunds:
        for key, value in refund.items():
            if isinstance(value, Decimal) and (key.endswith(("_cost", "_paid")) or key in MORE):
                less[-1][key] += value
    for name in ("parts", "less"):
        (tmp_path / name).mkdir()
    parts, done = with_refund_of(tmp_path / "parts", [*rows, *refunds])
    plain, _ = with_refund_of(tmp_path / "less", less)
    assert support.rows(parts, SQL) == support.rows(plain, SQL)
    run = done.record.run
    assert (run["rows_in"], run["cases"], run["rejected"], run["netted"]) == (14, 12, 0, 2)
    assert run["cost_in_fen"] == run["cases_cost_fen"]
    left = support.rows(parts, "SELECT record_id, reason, treatment FROM rejected_all ORDER BY 1")
    assert left == [
        {"record_id": name, "reason": "refund-joined", "treatment": "joined"} for name in ("one", "two")
    ]


@pytest.mark.parametrize(
    "what", ["all of it in two parts", "more than it cost", "a part of the visit", "late"]
)
def test_refunds_of_a_part_that_do_not_settle_are_held_with_their_original(tmp_path: Path, what: str) -> None:
    rows = support.take(support.city(2400, 0.0), MONTH, 8)
    last = rows[-1]
    whole = {name: last[name] for name in ("settlement_id", "record_id", "visit_id")}
    refunds = {
        "all of it in two parts": [
            part_of(last, 4, "one"),
            part_of(last, 4, "two", total_cost=last["total_cost"] / 4 - last["total_cost"]),
        ],
        "more than it cost": [part_of(last, 1, "one", total_cost=-last["total_cost"] - 1)],
        "a part of the visit": [part_of(last, 4, "one", refund_of=None, visit_id=whole["visit_id"])],
        "late": [part_of(last, 4, "one")],
    }[what]
    if what == "all of it in two parts":
        quarter = (last["total_cost"] / 4).quantize(Decimal("0.01"))
        refunds[0]["total_cost"], refunds[1]["total_cost"] = -quarter, quarter - last["total_cost"]
    if what == "late":
        last["discharge_date"] = last["discharge_date"].replace(month=7)
    lake, done = with_refund_of(tmp_path, [*rows, *refunds])
    left = {r["record_id"]: r for r in support.rows(lake, "SELECT * FROM rejected_all")}
    found = {name: row["reason"] for name, row in left.items()}
    assert done.record.run["cases"] == 7
    if what == "all of it in two parts":
        assert set(found.values()) == {"refund-netted"} and len(found) == 3
    elif what == "late":
        assert found == {last["record_id"]: "future-date", "one": "refund-partial"}
    else:
        assert found == {last["record_id"]: "refund-partial", "one": "refund-partial"}
        assert {row["treatment"] for row in left.values()} == {"held"}
        assert left["one"]["reason_text_zh"].endswith(f"（{whole['settlement_id']}）")
        assert left[last["record_id"]]["reason_text_en"].endswith("(one)")
    assert done.record.run["cost_in_fen"] == sum(
        int(r["total_cost"] * 100) for r in [*rows, *refunds]
    )  # and the run checked that cases and the rest add up to it


@pytest.mark.slow
def test_a_refund_of_a_part_of_a_closed_month_waits_with_its_name(tmp_path: Path) -> None:
    place = support.city(2400, 0.0)
    may, june = support.take(place, "2025-05", 6), support.take(place, MONTH, 6)
    lake = months(tmp_path, may, [*june, part_of(may[0], 4, "part")])
    (row,) = support.rows(lake, "SELECT * FROM rejected_all WHERE record_id = 'part'")
    assert (row["reason"], row["treatment"]) == ("refund-partial", "held")
    assert row["reason_text_zh"].endswith(f"（{may[0]['settlement_id']}）")


@pytest.mark.slow
@pytest.mark.parametrize("share", [1, 4])
@pytest.mark.parametrize("twice", ["stay", "refund"])
def test_what_is_given_twice_is_one_before_refunds_are_taken(tmp_path: Path, twice: str, share: int) -> None:
    """The figures of the month with each row once; the second of the two is a duplicate."""
    rows = support.take(support.city(2400, 0.0), MONTH, 8)
    once = [*rows, part_of(rows[-1], share, "part")]
    for name in ("once", "twice"):
        (tmp_path / name).mkdir()
    plain, _ = with_refund_of(tmp_path / "once", once)
    lake, done = with_refund_of(tmp_path / "twice", [*once, dict(once[7 if twice == "stay" else 8])])
    assert support.rows(lake, SQL) == support.rows(plain, SQL)
    left = sorted(row["reason"] for row in support.rows(lake, "SELECT reason FROM rejected_all"))
    assert left == ["duplicate", *(["refund-netted"] * 2 if share == 1 else ["refund-joined"])]
    run = done.record.run
    assert run["rows_in"] == 10 == run["cases"] + run["rejected"] + run["netted"]


def test_a_refund_with_the_id_of_its_original_is_not_that_row_again(tmp_path: Path) -> None:
    rows = support.take(support.city(2400, 0.0), MONTH, 8)
    own = {name: rows[-1][name] for name in ("record_id", "settlement_id", "visit_id")}
    _, done = with_refund_of(tmp_path, [*rows, dict(rows[-1]), part_of(rows[-1], 1, "", **own)])
    assert done.rejected == {"duplicate": 1}
    assert (done.record.run["cases"], done.record.run["netted"]) == (7, 2)


def test_no_refund_chooses_which_of_two_rows_of_a_settlement_is_the_case(tmp_path: Path) -> None:
    rows = support.take(support.city(2400, 0.0), MONTH, 8)
    other = dict(rows[-1]) | {"total_cost": rows[-1]["total_cost"] + 1}
    _, done = with_refund_of(tmp_path, [*rows, other, part_of(rows[-1], 1, "refund")])
    assert done.rejected == {"duplicate-conflict": 2, "refund-conflict": 1}
    assert (done.record.run["cases"], done.record.run["netted"]) == (7, 0)


@pytest.mark.slow
@pytest.mark.parametrize("first", ["netted in May", "taken back in June", "a part in May"])
def test_a_refund_that_was_given_before_says_so(tmp_path: Path, first: str) -> None:
    """Of a settlement that was taken back: again. The refund itself, given again: settled already."""
    place, lake = support.city(2400, 0.0), Lake(tmp_path / "lake")
    may, june, july = (support.take(place, f"2025-0{m}", 6) for m in (5, 6, 7))
    refund = part_of(may[0], 4 if first == "a part in May" else 1, "part")
    (june if first == "taken back in June" else may).append(refund)
    july.append(refund)
    if first != "a part in May":
        july.append(part_of(may[0], 1, "other"))
    for month, rows in (("2025-05", may), (MONTH, june), ("2025-07", july)):
        path = support.write(tmp_path / f"{month}.parquet", rows, place / f"{MONTH}.parquet")
        options = {"allow_missing": ("payment_method",), "max_held": "1", "max_rejected": "0.5"}
        done = support.settle(lake, place, month, path, area="yulin", **options)
    assert (
        done.rejected
        == {
            "netted in May": {"already-settled": 1, "refund-again": 1},
            "taken back in June": {"refund-again": 2},
            "a part in May": {"already-settled": 1},
        }[first]
    )


def months(
    folder: Path, may: Sequence[Mapping[str, Any]], june: Sequence[Mapping[str, Any]], **more: Any
) -> Lake:
    """May settled and then June, whose options ``more`` are."""
    place, lake = support.city(2400, 0.0), Lake(folder / "lake")
    for month, rows, options in (("2025-05", may, {}), (MONTH, june, more)):
        schema = pq.read_schema(place / f"{month}.parquet").append(pa.field("interim_flag", pa.bool_()))
        path = folder / f"{month}.parquet"
        pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path)
        options = {"allow_missing": ("payment_method",), "max_held": "1", **options}
        support.settle(lake, place, month, path, area="yulin", **options)
    return lake


def a_stay_of_two_months() -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]:
    """Cases of May and of June, and the last of June's by two bills, the first of which ends in May."""
    place = support.city(2400, 0.0)
    may, june = support.take(place, "2025-05", 6), support.take(place, MONTH, 6)
    june[-1]["admission_date"] = dt.date(2025, 5, 20)
    first, _ = two_bills(june)
    first["discharge_date"] = dt.date(2025, 5, 31)
    return may, june, first


def test_the_last_bill_of_a_stay_that_was_paid_in_an_earlier_month_is_held(tmp_path: Path) -> None:
    """Nobody marked May's bill as interim: it was priced as a stay. June's is not priced as a second one."""
    may, june, first = a_stay_of_two_months()
    lake = months(tmp_path, [*may, first], june)
    (left,) = support.rows(lake, "SELECT * FROM rejected_all")
    assert (left["record_id"], left["reason"], left["treatment"]) == (
        june[-1]["record_id"], "interim-settled", "held",
    )  # fmt: skip
    assert left["reason_text_zh"].endswith("（first）")
    assert "first" in {
        row["record_id"] for row in support.rows(lake, "SELECT record_id FROM cases_effective")
    }


@pytest.mark.slow
def test_bills_of_two_months_are_joined_when_the_earlier_one_is_withdrawn(tmp_path: Path) -> None:
    may, june, first = a_stay_of_two_months()
    told = support.corrections(
        tmp_path / "c.csv", [{"kind": "withdrawal", "settlement_id": "first", "reason": "one stay"}]
    )
    again = first | {"settlement_id": "first-again", "record_id": "first-again"}
    lake = months(tmp_path, [*may, first], [*june, again], corrections=(str(told),), interim="join")
    paid = support.rows(lake, "SELECT record_id, total_cost FROM cases_effective WHERE pay_status = 'paid'")
    found = {row["record_id"]: row["total_cost"] for row in paid}
    assert "first" not in found and "first-again" not in found
    assert found[june[-1]["record_id"]] == june[-1]["total_cost"] + first["total_cost"]


@pytest.mark.slow
def test_the_last_bill_is_not_paid_without_the_one_that_waits(tmp_path: Path) -> None:
    """May held the marked interim bill. June has the last one: alone it is held, with the other joined."""
    may, june, first = a_stay_of_two_months()
    first["interim_flag"] = True
    (tmp_path / "alone").mkdir()
    lake = months(tmp_path / "alone", [*may, first], june, interim="join")
    left = {r["record_id"]: r["reason"] for r in support.rows(lake, "SELECT * FROM rejected_all")}
    assert left == {"first": "interim", june[-1]["record_id"]: "interim-waiting"}
    (tmp_path / "both").mkdir()
    lake = months(tmp_path / "both", [*may, first], [*june, first], interim="join")
    paid = support.rows(lake, "SELECT record_id, total_cost FROM cases_effective WHERE month = 6")
    found = {row["record_id"]: row["total_cost"] for row in paid}
    assert found[june[-1]["record_id"]] == june[-1]["total_cost"] + first["total_cost"]


@pytest.mark.parametrize("above", [0, 1])
def test_a_decision_takes_no_more_off_a_case_than_it_costs(tmp_path: Path, above: int) -> None:
    """All of it may go; one fen more is refused with record, file and row before any pool is settled."""
    rows = support.take(support.city(2400, 0.0), MONTH, 8)
    last = rows[-1]
    taken = last["total_cost"] + Decimal(above) / 100
    path = tmp_path / "d.csv"
    path.write_text(f"record_id,unreasonable_cost\n{last['record_id']},{taken}\n", encoding="utf-8")
    if not above:
        assert settled(tmp_path, rows, decisions=str(path), max_held="1")[1].record.run["cases"] == 8
        return
    with pytest.raises(DataError, match=r"d\.csv, row 2: unreasonable and carved-out") as caught:
        settled(tmp_path, rows, decisions=str(path), max_held="1")
    assert f"第 2 行：{last['record_id']} 的不合理费用" in caught.value.zh
    assert f"超过总费用 {last['total_cost']:,.2f} 元" in caught.value.zh


def test_a_case_of_which_funds_paid_more_than_it_cost_waits(tmp_path: Path) -> None:
    rows = support.take(support.city(2400, 0.0), MONTH, 8)
    rows[-1]["fund_paid"] = rows[-1]["total_cost"] + Decimal("0.01")
    lake, done = settled(tmp_path, rows, max_held="1")
    (held,) = support.rows(
        lake, "SELECT record_id, pay_reason, settled_fund FROM cases_current WHERE pay_status = 'held'"
    )
    assert held == {"record_id": rows[-1]["record_id"], "pay_reason": "fund-above-cost", "settled_fund": None}
    counts = {r["reason"]: r["rows"] for r in done.record.rows["counts"] if r["status"] == "case"}
    assert counts["held:fund-above-cost"] == 1
    assert not audit(lake).findings and replay(lake, done.run).same
