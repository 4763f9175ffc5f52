"""Decisions by case: words that are understood, amounts that a policy can use, and what became of each."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from grouper.base.errors import DataError, GrouperError
from grouper.payment import pay
from grouper.payment.policy.policy import load_policy
from grouper.records.values import money_text
from grouper.settlement.corrections import check_decided, read_corrections, read_decisions
from grouper.settlement.hospitals import load_hospitals

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
    with pytest.raises(DataError, match=r"row 2, column special_review: .*by_item 按项目、adjust 调整、keep"):
        priced(tmp_path, [stay("a", 1, 5), *others(3)], text)


WRONG = [  # text of the file, its place in the message, and what is said of it
    ("record_id,special_reveiw\na,by_item\n", "row 1, column special_reveiw", "did you mean special_review?"),
    ("record_id,special_review\n\na,maybe\n", "row 3, column special_review", "keep 维持"),
    ("record_id,unreasonable_cost\na,十元\n", "row 2, column unreasonable_cost", "at most two decimals"),
    ("record_id,unreasonable_cost\na,1.005\n", "row 2, column unreasonable_cost", "at most two decimals"),
    ("record_id,unreasonable_cost\na,1_0\n", "row 2, column unreasonable_cost", "at most two decimals"),
    ("record_id,unreasonable_cost\na,1e17\n", "row 2, column unreasonable_cost", "at most two decimals"),
    ("record_id,tcm_outcome\na,met\nb,\na,met\n", "row 4, column record_id", "first row 2"),
    ("record_id,tcm_outcome\n,met\n", "row 2, column record_id", "is missing"),
]


@pytest.mark.parametrize(("text", "where", "said"), WRONG)
def test_pay_and_settle_refuse_the_same_of_a_file_of_decisions(
    tmp_path: Path, text: str, where: str, said: str
) -> None:
    """By the flag that gave it, its row and its column; the lists of --corrections are not meant."""
    path = tmp_path / "d.csv"
    path.write_text(text, encoding="utf-8")
    told = []
    for read in (lambda: priced(tmp_path, [stay("a", 1, 5), *others(3)], text),
                 lambda: read_decisions(str(path))):  # fmt: skip
        with pytest.raises(DataError) as caught:
            read()
        told.append((caught.value.zh, caught.value.en))
    assert told[0] == told[1]
    assert f"d.csv (--decisions), {where}: " in told[0][1] and said in told[0][1]


OUTSIDE = [  # column, value, and what is said of it
    ("unreasonable_cost", "-20000", "不能为负"),
    ("new_technology_cost", "-0.01", "不能为负"),
    ("special_review_amount", "-9000", "不能为负"),
    ("special_review_points", "-1", "不能为负"),
    ("auxiliary_coefficient", "0", "应大于 0"),
    ("auxiliary_coefficient", "-1.2", "应大于 0"),
    ("tcm_share", "-0.1", "应在 0 与 1 之间"),
    ("tcm_share", "1.01", "应在 0 与 1 之间"),
]


@pytest.mark.parametrize(("column", "value", "said"), OUTSIDE)
def test_a_decision_outside_its_range_is_refused(tmp_path: Path, column: str, value: str, said: str) -> None:
    """In a file of decisions of pay and of settle, in corrections, and as a column of the grouped file."""
    text, policy = f"record_id,{column}\na,{value}\n", load_policy(write_policy(tmp_path, REVIEWS))
    (tmp_path / "c.csv").write_text(f"kind,record_id,{column}\ndecision,a,{value}\n", encoding="utf-8")
    cases = [stay("o", 1, 5), stay("a", 1, 5)]
    column_of = pa.array([None, value], pa.string())

    def as_column() -> None:
        made = pa.Table.from_pylist(cases, schema=STAYS).append_column(column, column_of)
        pq.write_table(made, tmp_path / "own.parquet")
        pay(str(tmp_path / "own.parquet"), str(tmp_path / "policy.toml"), str(tmp_path / "o.parquet"))

    for way in (
        lambda: priced(tmp_path, cases, text),
        lambda: check_decided(policy, read_decisions(str(tmp_path / "d.csv"))),
        lambda: check_decided(policy, read_corrections([str(tmp_path / "c.csv")], ()).of("decision")),
        as_column,
    ):
        with pytest.raises(DataError) as caught:
            way()
        assert f"第 2 行 {column} 列" in caught.value.zh and f"{value} {said}" in caught.value.zh


@pytest.mark.parametrize(
    "given", ["unreasonable_cost,0", "tcm_share,1", "tcm_share,0", "auxiliary_coefficient,0.8"]
)
def test_the_ends_of_a_range_are_in_it(tmp_path: Path, given: str) -> None:
    column, value = given.split(",")
    assert priced(tmp_path, [stay("a", 1, 5)], f"record_id,{column}\na,{value}\n")["a"]["amount"]


def test_full_width_digits_of_a_decision_are_understood(tmp_path: Path) -> None:
    text = "record_id,special_review,special_review_amount,reason\na,ａｄｊｕｓｔ,９０００.５０,专家评审\n"
    row = priced(tmp_path, [stay("a", 1, 5), *others(3)], text)["a"]
    assert row["amount"] == Decimal("9000.50")
    (item,) = read_decisions(str(tmp_path / "d.csv"))
    assert item.values == {"special_review": "adjust", "special_review_amount": "9000.50"}


def test_a_decision_about_no_case_is_told_with_its_row(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"d\.csv \(decisions=\), row 3, column record_id: x is not among"):
        priced(tmp_path, [stay("a", 1, 5), *others(3)], "record_id,special_review\na,keep\nx,keep\n")


HOSPITALS = [["hospital_code", "county", "名称"], ["A", "甲县", "甲"], ["B", "乙县", "乙"]]


@pytest.mark.parametrize("name", ["h.csv", "gb.csv", "bare.csv", "h.xlsx"])
def test_the_table_of_hospitals_comes_in_any_form_of_a_small_table(tmp_path: Path, name: str) -> None:
    """UTF-8 or GB18030, a header without line end behind it, a workbook."""
    path, text = tmp_path / name, "\n".join(",".join(row) for row in HOSPITALS)
    if path.suffix == ".xlsx":
        with xlsxwriter.Workbook(path) as book:
            sheet = book.add_worksheet()
            for number, row in enumerate(HOSPITALS):
                sheet.write_row(number, 0, row)
    else:
        text = text.splitlines()[0] if name == "bare.csv" else text
        path.write_bytes(text.encode("gb18030" if name == "gb.csv" else "utf-8"))
    pq.write_table(pa.Table.from_pylist([stay("a", 1, 5)], schema=STAYS), tmp_path / "g.parquet")
    pay(str(tmp_path / "g.parquet"), str(write_policy(tmp_path, REVIEWS)), str(tmp_path / "o.parquet"),
        hospitals=str(path))  # fmt: skip
    with duckdb.connect() as connection:
        assert load_hospitals(connection, str(path)) == ["hospital_code", "county"]
        counties = connection.execute("SELECT county FROM hospitals ORDER BY 1").fetchall()
    assert counties == ([] if name == "bare.csv" else [("乙县",), ("甲县",)])


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("hospital,county\nA,X\n", 1, "lacks the column hospital_code"),
        ("hospital_code,county,county\nA,X,Y\n", 1, "the column name county is there twice"),
        ("hospital_code,county\nA,X\nB\n", 1, "row 3: 1 columns instead of 2"),
        ("hospital_code,county\nA,X\n\nA,Y\n", 2, "row 4, column hospital_code: A is there twice or blank"),
        ("hospital_code,county\n,X\n", 2, "row 2, column hospital_code: (blank)"),
        (
            "hospital_code,hospital_level\nA,顶级\n",
            2,
            "row 2, column hospital_level: '顶级' is not",
        ),
        (
            "hospital_code,hospital_coefficient\nA,高\n",
            2,
            "row 2, column hospital_coefficient: '高'",
        ),
    ],
)
def test_pay_and_settle_refuse_the_same_of_a_table_of_hospitals(
    tmp_path: Path, text: str, code: int, said: str
) -> None:
    (tmp_path / "h.csv").write_text(text, encoding="utf-8")
    pq.write_table(pa.Table.from_pylist([stay("a", 1, 5)], schema=STAYS), tmp_path / "g.parquet")
    policy, told = str(write_policy(tmp_path, REVIEWS)), []
    with duckdb.connect() as connection:
        for read in (
            lambda: pay(str(tmp_path / "g.parquet"), policy, str(tmp_path / "o.parquet"),
                        hospitals=str(tmp_path / "h.csv")),
            lambda: load_hospitals(connection, str(tmp_path / "h.csv"), ("2", "3")),
        ):  # fmt: skip
            with pytest.raises(GrouperError) as caught:
                read()
            told.append((caught.value.exit_code, caught.value.zh, caught.value.en))
    assert told[0] == told[1]
    assert told[0][0] == code and "h.csv (--hospitals)" in told[0][2] and said in told[0][2]


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


DECIDED = pa.schema(
    [
        *STAYS,
        ("special_review", pa.string()),
        ("special_review_amount", pa.string()),
        ("readmission_justified", pa.string()),
    ]
)


def with_columns(
    place: Path, cases: list[dict[str, Any]], policy: str = REVIEWS
) -> dict[str, dict[str, Any]]:
    """Priced by decisions that stand as columns in the grouped file."""
    path = write_policy(place, policy)
    pq.write_table(pa.Table.from_pylist(cases, schema=DECIDED), place / "g.parquet")
    pay(str(place / "g.parquet"), str(path), str(place / "o.parquet"))
    return {row["record_id"]: row for row in pq.read_table(place / "o.parquet").to_pylist()}


def test_decisions_as_columns_are_those_of_a_file(tmp_path: Path) -> None:
    """The same words, Chinese ones among them, and the same amounts."""
    (tmp_path / "file").mkdir()
    text = "record_id,special_review,special_review_amount\na,adjust,9000\nb,by_item,\n"
    stays = [stay("a", 1, 5), stay("b", 1, 5, person_id="R"), *others(4)]
    one = priced(tmp_path / "file", stays, text)
    given = [dict(row) for row in stays]
    given[0] |= {"special_review": "调整", "special_review_amount": "9000"}
    given[1] |= {"special_review": " 按项目付费"}
    given[2] |= {"special_review": ""}
    other = with_columns(tmp_path, given)
    assert {k: (r["amount"], r["review_result"]) for k, r in one.items()} == {
        k: (r["amount"], r["review_result"]) for k, r in other.items()
    }
    again = [stay("a", 1, 5), stay("b", 8, 12) | {"readmission_justified": "合理"}]
    assert with_columns(tmp_path, again)["a"]["readmission_factor"] == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"special_review": "通过"},
         r"g\.parquet, row 2, column special_review .*: '通过' is not understood; known are by_item"),
        ({"readmission_justified": "maybe"},
         r"row 2, column readmission_justified .*'maybe' is not understood"),
        ({"special_review": "adjust"},
         r"row 2, column special_review: adjust needs special_review_amount"),
    ],
)  # fmt: skip
def test_a_decision_in_a_column_that_cannot_be_carried_out_is_refused(
    tmp_path: Path, given: dict[str, str], told: str
) -> None:
    with pytest.raises(DataError, match=told):
        with_columns(tmp_path, [stay("o", 1, 5, person_id="Q"), stay("a", 1, 5) | given])


def test_a_review_in_a_column_needs_a_policy_that_knows_reviews(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"row 1, column special_review: policy .* knows no special review"):
        with_columns(tmp_path, [stay("a", 1, 5) | {"special_review": "by_item"}], POLICY)


@pytest.mark.parametrize(
    ("cell", "amount"),
    [
        ("￥8,600.00", "8600.00"), ("¥ 8600", "8600"), ("8,600.00", "8600.00"), ("600元", "600"),
        ("600.00 元", "600.00"), ("８，６００．００", "8600.00"),
        ("RMB 600.5", "600.5"), ("人民币600元整", "600"),
        ("-￥5.00", "-5.00"), ("600.00", "600.00"), (".50", ".50"), ("1,234,567.89元", "1234567.89"),
    ],
)  # fmt: skip
def test_an_amount_may_have_its_sign_its_unit_and_groups(cell: str, amount: str) -> None:
    assert money_text(cell) == amount


@pytest.mark.parametrize(
    "cell",
    [
        "5000,00",
        "1,2",
        "1,23,456",
        "1e3",
        "万元",
        "1.2万",
        "6.001",
        "￥",
        "元",
        "$5",
        "￥￥5",
        "5 000",
        "--5",
    ],
)
def test_what_is_no_amount_is_told_with_row_and_form(tmp_path: Path, cell: str) -> None:
    with pytest.raises(DataError, match=r"row 2.*unreasonable_cost.*\[bad-amount\].*8,600\.00"):
        priced(tmp_path, [stay("a", 1, 3)], f'record_id,unreasonable_cost\na,"{cell}"\n')


def by_settlement(place: Path, text: str) -> dict[str, dict[str, Any]]:
    """Cases a, b and c of the settlements S1, S2 and S2, with decisions."""
    schema = STAYS.append(pa.field("settlement_id", pa.string()))
    cases = [stay("a", 1, 3), stay("b", 8, 9), stay("c", 20, 22)]
    rows = [row | {"settlement_id": sid} for row, sid in zip(cases, ("S1", "S2", "S2"), strict=True)]
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), place / "g.parquet")
    (place / "d.csv").write_text(text, encoding="utf-8")
    path = write_policy(place, REVIEWS)
    pay(str(place / "g.parquet"), str(path), str(place / "o.parquet"), decisions=str(place / "d.csv"))
    return {row["record_id"]: row for row in pq.read_table(place / "o.parquet").to_pylist()}


def test_pay_finds_a_case_by_its_settlement_id(tmp_path: Path) -> None:
    for text in ("settlement_id,unreasonable_cost\nS1,￥600.00\n", "record_id,unreasonable_cost\nS1,600元\n"):
        found = by_settlement(tmp_path, text)
        assert [found[n]["unreasonable_cost"] for n in "abc"] == [Decimal("600.00"), Decimal(0), Decimal(0)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("settlement_id,unreasonable_cost\nS2,1\n", r"row 2.*S2 names 2 records \(b, c\)"),
        ("record_id,settlement_id,unreasonable_cost\na,S2,1\n", "row 2.*S2 is of the record b, not of a"),
        ("record_id,unreasonable_cost\na,1\nS1,2\n", "row 3.*a is there twice"),
        ("settlement_id,unreasonable_cost\nS9,1\n", "row 2.*settlement_id.*S9 is not among the cases"),
    ],
)
def test_a_settlement_id_that_names_no_one_case_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        by_settlement(tmp_path, text)
