"""What is no stay is not paid: refunds leave with their originals, and so does whatever else is no case.

Every row comes out of ``pay``, in its place, with a status and a reason; only cases have amounts.
"""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest

from grouper.base.errors import DataError, UsageError
from grouper.base.output import PROVENANCE_KEY
from grouper.base.provenance import read as read_provenance
from grouper.grouping.api import load_scheme
from grouper.payment import pay
from grouper.payment.api import Paid

from ..support import canonical
from .pay_support import SCHEMA, case, grouper, write_cases, write_policy

GATED = pa.schema(
    [
        *SCHEMA,
        *canonical(("settlement_id", "visit_id", "person_id", "refund_of"), refund_of=pa.string()),
        *canonical(
            ("refund_flag", "valid_flag", "interim_flag", "admission_date"), admission_date=pa.date32()
        ),
    ]
)


def bill(record_id: str, cost: str, **other: Any) -> dict[str, Any]:
    """A case whose settlement has the id of its record, with S before it."""
    return case(record_id, cost, **{"settlement_id": f"S{record_id}", **other})


def paid(place: Path, cases: list[dict[str, Any]], **options: Any) -> tuple[Paid, list[dict[str, Any]]]:
    pq.write_table(pa.Table.from_pylist(cases, schema=GATED), place / "grouped.parquet")
    done = pay(
        str(place / "grouped.parquet"), str(place / "policy.toml"), str(place / "o.parquet"), **options
    )
    return done, pq.read_table(place / "o.parquet").to_pylist()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_policy(tmp_path)
    return tmp_path


LEAVE = {
    "refunded by the id of the settlement": (
        [bill("a", "15000"), bill("b", "-15000", refund_of="Sa", refund_flag=True)],
        {"a": "refund-netted", "b": "refund-netted"},
    ),
    "refunded by visit and amount": (
        [bill("a", "15000", visit_id="V"), bill("b", "-15000", visit_id="V")],
        {"a": "refund-netted", "b": "refund-netted"},
    ),
    "refunded by person, day and amount": (
        [bill("a", "15000", person_id="P"), bill("b", "-15000", person_id="P")],
        {"a": "refund-netted", "b": "refund-netted"},
    ),
    "a refund of another hospital is none": (
        [bill("a", "15000", visit_id="V"), bill("b", "-15000", visit_id="V", hospital_code="B")],
        {"a": None, "b": "negative-cost"},
    ),
    "billed again after the refund": (
        [
            bill("a", "15000", visit_id="V"),
            bill("b", "-15000", visit_id="V"),
            bill("c", "15000", visit_id="V"),
        ],
        {"a": "refund-netted", "b": "refund-netted", "c": None},
    ),
    "of a settlement that is not in the files": (
        [bill("a", "15000"), bill("b", "-15000", refund_of="X", refund_flag=True)],
        {"a": None, "b": "refund-unmatched"},
    ),
    "refunded whole in two parts": (
        [bill("a", "15000"), bill("b", "-5000", refund_of="Sa"), bill("c", "-10000", refund_of="Sa")],
        {"a": "refund-netted", "b": "refund-netted", "c": "refund-netted"},
    ),
    "refunded for more than it cost": (
        [bill("a", "15000"), bill("b", "-15001", refund_of="Sa")],
        {"a": "refund-partial", "b": "refund-partial"},
    ),
    "a part of the visit that names no settlement": (
        [bill("a", "15000", visit_id="V"), bill("b", "-500", visit_id="V")],
        {"a": "refund-partial", "b": "refund-partial"},
    ),
    "a part of what is not valid": (
        [bill("a", "15000", admission_date=dt.date(2025, 6, 11)), bill("b", "-500", refund_of="Sa")],
        {"a": "dates-out-of-order", "b": "refund-partial"},
    ),
    "a stay given twice, and its refund": (
        [bill("a", "15000"), bill("b", "15000", settlement_id="Sa"), bill("c", "-15000", refund_of="Sa")],
        {"a": "refund-netted", "b": "duplicate", "c": "refund-netted"},
    ),
    "a stay given twice, and its refund with its own id": (
        [
            bill("a", "15000"),
            bill("b", "15000", settlement_id="Sa"),
            bill("a", "-15000", refund_of="Sa", refund_flag=True) | {"record_id": "c"},
        ],
        {"a": "refund-netted", "b": "duplicate", "c": "refund-netted"},
    ),
    "a refund given twice": (
        [
            bill("a", "15000"),
            bill("b", "-15000", refund_of="Sa"),
            bill("c", "-15000", refund_of="Sa", settlement_id="Sb"),
        ],
        {"a": "refund-netted", "b": "refund-netted", "c": "duplicate"},
    ),
    "refunded a second time": (
        [bill("a", "15000"), bill("b", "-15000", refund_of="Sa"), bill("c", "-15000", refund_of="Sa")],
        {"a": "refund-netted", "b": "refund-netted", "c": "refund-again"},
    ),
    "negative without being called a refund": (
        [bill("a", "15000"), bill("b", "-6561.63")],
        {"a": None, "b": "negative-cost"},
    ),
    "called a refund and positive": (
        [bill("a", "15000"), bill("b", "20", refund_flag=True)],
        {"a": None, "b": "refund-positive"},
    ),
    "not valid": (
        [bill("a", "15000"), bill("b", "16000", valid_flag=False)],
        {"a": None, "b": "invalid-flag"},
    ),
    "nothing, or no amount": (
        [bill("a", "15000"), bill("b", "0"), bill("c", "1") | {"total_cost": None}],
        {"a": None, "b": "zero-cost", "c": "no-amount"},
    ),
    "the same settlement twice": (
        [bill("a", "15000"), bill("b", "15000", settlement_id="Sa")],
        {"a": None, "b": "duplicate"},
    ),
    "one id, two contents": (
        [bill("a", "15000"), bill("b", "16000", settlement_id="Sa"), bill("c", "1")],
        {"a": "duplicate-conflict", "b": "duplicate-conflict", "c": None},
    ),
    "one id, two contents, and the refund of one": (
        [
            bill("a", "15000"),
            bill("b", "16000", settlement_id="Sa"),
            bill("c", "-15000", refund_of="Sa", refund_flag=True),
            bill("d", "1"),
        ],
        {"a": "duplicate-conflict", "b": "duplicate-conflict", "c": "refund-conflict", "d": None},
    ),
    "one id, two contents, and a refund that names none": (
        [
            bill("a", "15000"),
            bill("b", "16000", settlement_id="Sa"),
            bill("a", "-15000", refund_flag=True) | {"record_id": "c"},
            bill("d", "1"),
        ],
        {"a": "duplicate-conflict", "b": "duplicate-conflict", "c": "refund-conflict", "d": None},
    ),
    "admitted after discharge": (
        [bill("a", "15000"), bill("b", "15000", admission_date=dt.date(2025, 6, 11))],
        {"a": None, "b": "dates-out-of-order"},
    ),
    "no day of discharge": (
        [bill("a", "15000"), bill("b", "15000") | {"discharge_date": None}],
        {"a": None, "b": "no-date"},
    ),
}


@pytest.mark.parametrize("what", LEAVE)
def test_a_row_that_is_no_stay_has_a_reason_and_no_amount(place: Path, what: str) -> None:
    cases, reasons = LEAVE[what]
    stays = {name for name, reason in reasons.items() if reason is None}
    if not stays:
        cases = [*cases, bill("z", "15000")]
        stays, reasons = {"z"}, {**reasons, "z": None}
    done, rows = paid(place, cases)
    assert [row["record_id"] for row in rows] == [row["record_id"] for row in cases]  # all, in their order
    for row in rows:
        reason = reasons[row["record_id"]]
        if reason is None:
            assert (row["pay_status"], row["amount"] is not None) == ("paid", True), row["record_id"]
        else:
            waits = reason in ("dates-out-of-order", "refund-partial")
            assert (row["pay_status"], row["pay_reason"]) == ("held" if waits else "left", reason)
            assert row["amount"] is None and row["fund_due"] is None and row["pool"] is None
    gate = read_provenance(pq.read_schema(place / "o.parquet").metadata, "o")["gate"]
    assert (gate["rows"], gate["cases"]) == (len(cases), len(stays))
    assert sum(entry["rows"] for entry in gate["left"].values()) == len(cases) - len(stays)
    assert sum(done.hospitals["paid"].to_pylist()) == len(stays)


def test_a_refunded_stay_is_no_readmission_and_no_discharge_of_its_hospital(place: Path) -> None:
    """The last of three stays is refunded: the second was not followed by any other."""
    done, rows = paid(place, [bill("a", "15000"), bill("b", "45000"), bill("c", "-45000", refund_of="Sb")])
    assert done.priced.statuses == {"paid": 1, "held": 0, "outside": 0, "left": 2}
    assert done.priced.costs["left:refund-netted"] == 0
    assert sum(row["fund_due"] or 0 for row in rows) == Decimal("8565.00")


def test_what_left_is_told_with_its_yuan(place: Path) -> None:
    paid(place, [bill("a", "15000"), bill("b", "-15000", refund_of="Sa"), bill("c", "20000"), bill("d", "0")])
    call = ("pay", "grouped.parquet", "--policy", "policy.toml", "-o", "p.parquet")
    code, _, err = grouper(*call, cwd=place)
    assert code == 0 and "1 例（共 4 行）" in err, err
    assert "不作病例  3 (75.00%)  0.00 元" in err and "2  与同批的冲正行相抵 [refund-netted]  0.00 元" in err
    code, _, err = grouper(*call, lang="en", cwd=place)
    assert "1 cases of 4 rows" in err and "no case  3 (75.00%)  0.00 yuan" in err


def test_without_any_case_nothing_is_written(place: Path) -> None:
    with pytest.raises(DataError, match="refund-netted 2"):
        paid(place, [bill("a", "15000"), bill("b", "-15000", refund_of="Sa")])
    assert not (place / "o.parquet").exists()


BILLS = [
    bill("first", "9000", visit_id="V", interim_flag=True, admission_date=dt.date(2025, 3, 1),
         discharge_date=dt.datetime(2025, 3, 31), los_days=30),
    bill("other", "15000", visit_id="W"),
    bill("last", "6000", visit_id="V", admission_date=dt.date(2025, 4, 1), los_days=70),
]  # fmt: skip


def test_bills_of_one_stay_are_held_unless_they_are_joined(place: Path) -> None:
    done, rows = paid(place, BILLS)
    assert [(r["record_id"], r["pay_status"], r["pay_reason"]) for r in rows] == [
        ("first", "held", "interim"), ("other", "paid", "group"), ("last", "held", "interim"),
    ]  # fmt: skip
    assert done.priced.costs["held:interim"] == Decimal("15000.00")


def test_joined_bills_are_one_stay_with_all_its_money_and_days(place: Path) -> None:
    """15,000 in all, 101 days from 1 March to 10 June: by item, as a stay of more than 60 days."""
    done, rows = paid(place, BILLS, interim="join")
    first, other, last = rows
    assert (first["pay_status"], first["pay_reason"], first["amount"]) == ("left", "interim-joined", None)
    assert (last["total_cost"], last["los_days"], last["method"]) == (Decimal("15000.00"), 101, "by_item")
    assert last["pool_paid"] == Decimal("9000") * Decimal("0.731") + Decimal("6000") * Decimal("0.731")
    assert last["amount"] == Decimal("15000.00") and other["amount"] == Decimal("12600.00")
    assert done.priced.statuses == {"paid": 2, "held": 0, "outside": 0, "left": 1}


def test_two_bills_of_a_visit_are_one_stay_even_where_nobody_marked_them(place: Path) -> None:
    cases = [bill("a", "3000", visit_id="V"), bill("b", "2000", visit_id="V"), bill("c", "9000")]
    _, rows = paid(place, cases)
    assert [row["pay_reason"] for row in rows] == ["interim", "interim", "group"]
    _, rows = paid(place, cases, interim="join")
    assert [row["pay_reason"] for row in rows] == ["interim-joined", "group", "group"]
    assert rows[1]["total_cost"] == Decimal("5000.00")


def test_bills_without_a_last_one_wait_even_when_joined(place: Path) -> None:
    cases = [bill("a", "3000", visit_id="V", interim_flag=True), bill("c", "9000")]
    _, rows = paid(place, cases, interim="join")
    assert [(r["pay_status"], r["pay_reason"]) for r in rows] == [("held", "interim"), ("paid", "group")]


def test_rows_keep_their_order_where_parameters_change_between_them(place: Path) -> None:
    """The base rate changes on 1 July; files are taken one after the other."""
    days = [
        dt.datetime(2025, 7, 5),
        dt.datetime(2025, 6, 30),
        dt.datetime(2025, 8, 1),
        dt.datetime(2025, 1, 2),
    ]
    cases = [bill(f"r{n}", "15000", discharge_date=day) for n, day in enumerate(days)]
    cases.insert(2, bill("refund", "-1"))
    for number, part in enumerate((cases[:3], cases[3:])):
        pq.write_table(pa.Table.from_pylist(part, schema=GATED), place / f"{number}.parquet")
    pay([str(place / f"{n}.parquet") for n in (1, 0)], str(place / "policy.toml"), str(place / "o.parquet"))
    rows = pq.read_table(place / "o.parquet").to_pylist()
    assert [row["record_id"] for row in rows] == ["r2", "r3", "r0", "r1", "refund"]
    assert [row["amount"] for row in rows] == [
        Decimal("13860.00"), Decimal("12600.00"), Decimal("13860.00"), Decimal("12600.00"), None,
    ]  # fmt: skip


def test_a_csv_gives_the_same_as_parquet(place: Path) -> None:
    """Codes are joined in one cell, flags and amounts are texts."""
    (place / "policy.toml").write_text(
        (place / "policy.toml").read_text(encoding="utf-8")
        + '\n[[routes]]\nname = "chemo"\nmethod = "by_item"\nwhen = { principal_prefix = ["Z51"] }\n'
        'zh = "化疗"\nen = "chemotherapy"\nsource = "s"\nverified = true\n',
        encoding="utf-8",
    )
    head = "record_id,settlement_id,hospital_code,hospital_level,insurance_type,drg,status,reason,total_cost,"
    head += "pool_paid,fund_paid,discharge_date,los_days,diagnoses,procedures,有效标志,refund_flag,refund_of"
    rest = "2025-06-10,6"
    lines = [
        f"a,Sa,A,3,310,GE19,grouped,grouped,15000,10965,10965,{rest},Z51.100|C34.900,99.2500|38.9300,true,0,",
        f"b,Sb,A,3,310,GE19,grouped,grouped,15000,10965,10965,{rest},K35.900,,true,0,",
        f"c,Sc,A,3,310,GE19,grouped,grouped,-15000,-10965,-10965,{rest},K35.900,,true,退费,Sb",
    ]
    (place / "g.csv").write_text("\n".join([head, *lines]), encoding="utf-8")
    pay(str(place / "g.csv"), str(place / "policy.toml"), str(place / "o.parquet"))
    rows = pq.read_table(place / "o.parquet").to_pylist()
    assert [row["pay_reason"] for row in rows] == ["by_item", "refund-netted", "refund-netted"]
    assert rows[0]["route"] == "chemo"


def test_decisions_and_rows_of_files_without_ids_or_flags_are_as_before(place: Path) -> None:
    write_cases(place)
    done = pay(str(place / "grouped.parquet"), str(place / "policy.toml"), str(place / "o.parquet"))
    assert done.priced.statuses["left"] == 0 and done.priced.gated is not None
    assert done.priced.gated.as_dict() == {"rows": 6, "cases": 6, "left": {}}


@pytest.mark.slow
def test_the_refunds_of_the_readmes_june_are_no_patients(tmp_path: Path) -> None:
    """1,951 rows: 55 refunds with their originals, 45 of earlier months, one settlement twice, one of
    nothing. Six readmissions; two more were transfers by order. Refunds as stays would make 77 of them."""
    code, _, err = grouper("synth", "-o", "city", "--rows", "24000", "--year", "2025", "--months", "6",
                           cwd=tmp_path)  # fmt: skip
    assert code == 0, err
    code, _, err = grouper("group", "city/2025-06.parquet", "-o", "g.parquet", "--scheme", "zhejiang-2022",
                           cwd=tmp_path)  # fmt: skip
    assert code == 0, err
    done = pay(str(tmp_path / "g.parquet"), "lishui/2022", str(tmp_path / "p.parquet"),
               hospitals=str(tmp_path / "city" / "hospitals.csv"))  # fmt: skip
    rows = pq.read_table(tmp_path / "p.parquet").to_pylist()
    assert len(rows) == 1951 and sum(row["total_cost"] < 0 for row in rows) == 100
    assert not any(row["fund_due"] for row in rows if row["total_cost"] < 0)
    gate = done.priced.gated
    assert gate is not None
    assert {reason: number for reason, (number, _) in gate.left.items()} == {
        "refund-netted": 110, "refund-unmatched": 42, "negative-cost": 3, "duplicate": 1, "zero-cost": 1,
    }  # fmt: skip
    netted = [row for row in rows if row["pay_reason"] == "refund-netted"]
    assert sum(row["total_cost"] for row in netted) == 0 and not any(row["fund_due"] for row in netted)
    assert sum(row["readmission_factor"] == Decimal("0.5") for row in rows) == 6


def test_explain_says_of_a_row_that_is_no_stay_why(place: Path) -> None:
    cases = [bill("a", "15000"), bill("b", "-15000", refund_of="Sa"), bill("c", "15000")]
    paid(place, cases)
    call = ("--policy", "policy.toml", "--lang", "en")
    code, out, err = grouper("explain", "o.parquet", "--record", "a", *call, cwd=place)
    assert code == 0 and "no case (netted with its refund in the same input) [refund-netted]" in out, err
    table = pq.read_table(place / "grouped.parquet").drop_columns(["drg", "status", "reason"])
    for name, value in (("diagnoses", ["K35.900"]), ("procedures", []), ("sex", 1), ("age_years", 40)):
        kind = pa.list_(pa.string()) if isinstance(value, list) else None
        table = table.append_column(name, pa.array([value] * 3, kind))
    pq.write_table(table, place / "records.parquet")
    missing = [f"--allow-missing={name}" for name in ("discharge_way", "icu_hours", "department")]
    for record, text in (("a", "[refund-netted]"), ("b", "[refund-netted]"), ("c", "status: ")):
        code, out, err = grouper("explain", "records.parquet", "--record", record, *call, *missing, cwd=place)
        assert code == 0 and text in out, (out, err)


def grouped_by(place: Path, scheme: dict[str, str]) -> Path:
    table = pa.Table.from_pylist([case("a", "15000.00")], schema=SCHEMA)
    told = {PROVENANCE_KEY: json.dumps({"scheme": scheme})}
    pq.write_table(table.replace_schema_metadata(told), place / "grouped.parquet")
    return place / "grouped.parquet"


def test_a_file_of_another_scheme_is_refused_unless_it_is_meant(place: Path) -> None:
    """The policy is of chs-drg-2.0; 445 codes of groups mean something else in 3.0."""
    own = load_scheme("chs-drg-2.0").engine.scheme.digest
    policy, output = str(place / "policy.toml"), str(place / "o.parquet")
    pay(str(grouped_by(place, {"id": "chs-drg-2.0", "sha256": own})), policy, output)
    for other, said in (
        ({"id": "chs-drg-3.0", "sha256": "0"}, "grouped by chs-drg-3.0"),
        ({"id": "chs-drg-2.0", "sha256": "0"}, "another state of chs-drg-2.0"),
    ):
        path = str(grouped_by(place, other))
        with pytest.raises(UsageError, match=rf"{said}.*scheme_differs=True"):
            pay(path, policy, output)
        pay(path, policy, output, scheme_differs=True)
        assert read_provenance(pq.read_schema(output).metadata, output)["scheme_differs"] == {
            "policy": "chs-drg-2.0", "files": other["id"], "sha256": "0",
        }  # fmt: skip


def test_a_column_may_say_the_scheme_of_a_csv(place: Path) -> None:
    head = "record_id,hospital_code,hospital_level,insurance_type,drg,status,reason,total_cost,pool_paid,"
    row = "a,A,3,310,GE19,grouped,grouped,15000,10965,10965,2025-06-10,6,chs-drg-3.0"
    (place / "g.csv").write_text(f"{head}fund_paid,discharge_date,los_days,scheme\n{row}", encoding="utf-8")
    with pytest.raises(UsageError, match=r"chs-drg-3\.0"):
        pay(str(place / "g.csv"), str(place / "policy.toml"), str(place / "o.parquet"))


def test_explain_refuses_another_scheme_too(place: Path) -> None:
    call = (
        "explain",
        "--dx",
        "K35.900",
        "--scheme",
        "chs-drg-3.0",
        "--policy",
        "policy.toml",
        "--lang",
        "en",
    )
    code, _, err = grouper(*call, cwd=place)
    assert code == 1 and "--scheme-differs" in err


def test_without_what_funds_paid_the_amount_is_there_and_the_fund_is_not(place: Path) -> None:
    table = pa.Table.from_pylist([case("a", "15000.00")], schema=SCHEMA)
    pq.write_table(table.drop_columns(["pool_paid", "fund_paid"]), place / "g.parquet")
    done = pay(str(place / "g.parquet"), str(place / "policy.toml"), str(place / "o.parquet"))
    row = pq.read_table(place / "o.parquet").to_pylist()[0]
    assert (row["amount"], row["fund_due"]) == (Decimal("12600.00"), None)
    assert (row["pay_status"], row["pay_reason"]) == ("held", "no-settlement")
    assert done.priced.assumed["pool_paid"] == done.priced.assumed["fund_paid"] == "NULL"


def test_money_that_cannot_be_is_said(place: Path) -> None:
    wrong = case("wrong", "5000.00", pool_paid=Decimal("5000.00"), fund_paid=Decimal("4900.00"))
    done, _ = paid(place, [case("right", "15000.00"), wrong])
    assert [(odd.kind, odd.cases, odd.where) for odd in done.odd] == [("pool-above-fund", 1, "wrong")]
    code, _, err = grouper("pay", "grouped.parquet", "--policy", "policy.toml", "-o", "p.parquet", cwd=place)
    assert code == 0 and "注意：统筹基金支付超过基金合计 [pool-above-fund]：1 例，费用 5,000.00 元" in err


def test_a_case_of_which_funds_paid_more_than_it_cost_is_held(place: Path) -> None:
    """8,600 yuan of which all funds paid 8,600.01; as much as it cost may be."""
    some = {
        name: case(name, "8600.00", pool_paid=Decimal(fund), fund_paid=Decimal(fund))
        for name, fund in (("all", "8600.00"), ("more", "8600.01"))
    }
    done, rows = paid(place, [case("right", "15000.00"), *some.values()])
    assert [(row["pay_status"], row["pay_reason"]) for row in rows] == [
        ("paid", "group"), ("paid", "group"), ("held", "fund-above-cost"),
    ]  # fmt: skip
    assert done.priced.costs["held:fund-above-cost"] == Decimal("8600.00")
    code, _, err = grouper("pay", "grouped.parquet", "--policy", "policy.toml", "-o", "p.parquet", cwd=place)
    assert code == 0 and "基金合计支付超过总费用，待核对" in err, err


def test_refunds_of_a_part_are_taken_off_the_stay(place: Path) -> None:
    """20,000 less 2,000 and 3,000 is priced as 15,000; its days are its own."""
    parts = [
        bill("a", "20000", los_days=9),
        bill("b", "-2000", refund_of="Sa", refund_flag=True, los_days=None),
        bill("c", "-3000", refund_of="Sa", los_days=1),
    ]
    done, (row, *refunds) = paid(place, parts)
    _, (plain,) = paid(place, [bill("a", "15000", los_days=9)])
    assert row == plain | {name: row[name] for name in row if name not in plain}
    assert [(r["pay_status"], r["pay_reason"], r["amount"]) for r in refunds] == [
        ("left", "refund-joined", None)
    ] * 2
    assert done.priced.costs["left:refund-joined"] == Decimal("-5000.00")
    assert done.hospitals["total_cost"].to_pylist() == [Decimal("15000.00")]


@pytest.mark.parametrize("twice", ["a", "b"])
def test_a_refund_of_a_part_is_taken_off_once(place: Path, twice: str) -> None:
    """Whether the stay or its refund is given twice: 15,000 less 2,000."""
    rows = [bill("a", "15000"), bill("b", "-2000", refund_of="Sa", refund_flag=True)]
    rows.append(next(row for row in rows if row["record_id"] == twice) | {"record_id": "again"})
    done, found = paid(place, rows)
    assert [row["pay_reason"] for row in found] == ["group", "refund-joined", "duplicate"]
    assert found[0]["total_cost"] == Decimal("13000.00") and done.priced.statuses["paid"] == 1


def test_a_bill_of_several_with_a_refund_of_a_part_is_joined_with_the_others(place: Path) -> None:
    cases = [*BILLS, bill("part", "-1000", refund_of="Sfirst")]
    _, rows = paid(place, cases, interim="join")
    assert [row["pay_reason"] for row in rows][0::3] == ["interim-joined", "refund-joined"]
    assert (rows[2]["total_cost"], rows[2]["los_days"]) == (Decimal("14000.00"), 101)
    _, rows = paid(place, cases)
    assert [row["pay_reason"] for row in rows] == ["interim", "group", "interim", "refund-partial"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_files_that_lack_a_column_of_another_are_refused(place: Path, kind: str) -> None:
    """A column that one file calls otherwise would be empty in it: what was paid, or that it is a refund."""
    for number, column in enumerate(("pool_paid", "refund_flag")):
        whole = pa.Table.from_pylist([bill("a", "15000", refund_flag=False)], schema=GATED)
        other = pa.Table.from_pylist([bill("b", "15000")], schema=GATED)
        other = other.rename_columns({column: "other_name"})
        names = [f"{number}-{name}.{kind}" for name in ("whole", "other")]
        for name, table in zip(names, (whole, other), strict=True):
            if kind == "csv":
                csv.write_csv(table, place / name)
            else:
                pq.write_table(table, place / name)
        code, _, err = grouper("pay", *names, "--policy", "policy.toml", "-o", "p.parquet", cwd=place)
        assert code == 1, err
        assert f"{names[1]} 没有列 '{column}'" in err and f"{names[0]} 有" in err and "--columns" in err
        assert not (place / "p.parquet").exists()


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("los_days", "不详", "los_days 列（los_days）：'不详' 应为整数"),
        ("status", "grouped?", "status 列（status）：'grouped?' 应为grouped、ambiguous"),
        ("discharge_date", "2025-13-45", "2025-13-45"),
    ],
)
def test_a_cell_that_is_none_of_its_kind_is_told_with_its_row(
    place: Path, column: str, cell: str, said: str
) -> None:
    """A status that nobody knows was paid as a group."""
    table = pa.Table.from_pylist([bill("a", "15000"), bill("b", "15000")], schema=GATED)
    texts = [str(value) for value in table[column].to_pylist()]
    column_of = table.column_names.index(column)
    table = table.set_column(column_of, column, pa.array([texts[0], cell]))
    csv.write_csv(table, place / "g.csv")
    code, _, err = grouper("pay", "g.csv", "--policy", "policy.toml", "-o", "p.parquet", cwd=place)
    assert code == 2 and said in err, err
    assert column == "discharge_date" or "第 2 行" in err


@pytest.mark.slow
def test_a_million_rows_keep_their_order(tmp_path: Path) -> None:
    """Rows that are no cases come from a look-up of their own, which keeps no order once they are many."""
    city, grouped, priced = tmp_path / "city", tmp_path / "grouped.parquet", tmp_path / "priced.parquet"
    grouper("synth", "-o", city, "--rows", 1_000_000)
    months = sorted(city.glob("2025-*.parquet"))
    grouper("group", *months, "-o", grouped, "--scheme", "zhejiang-2022")
    grouper("pay", grouped, "--policy", "lishui", "--hospitals", city / "hospitals.csv", "-o", priced)
    before, after = (pq.read_table(path, columns=["record_id"]) for path in (grouped, priced))
    assert before.equals(after.cast(before.schema)) and len(before) >= 1_000_000
