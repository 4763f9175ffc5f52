"""Settlement lists as messages and as flat tables: what is joined, what is refused."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from grouper.base.errors import DataError, UsageError
from grouper.records import open_records

from . import record_files as layouts
from .record_files import FIELDS, RECORDS, write_csv


def settlement(**changes):
    return layouts.message(RECORDS[0]) | changes


@pytest.mark.parametrize(
    ("diseases", "expected", "count"),
    [
        ([("1", "A", "0"), ("1", "B", "1")], ["B", "A"], {}),
        ([("1", "A", "0"), ("1", "B", "0")], [None, "A", "B"], {"no-principal-diagnosis": 1}),
        ([("1", "A", "1"), ("1", "B", "1")], [None, "A", "B"], {"several-principal-diagnoses": 1}),
        ([("2", "T", "1"), ("3", "U", "0"), ("1", "B", "1")], ["B"], {"other-than-western-diagnosis": 2}),
        (
            [("2", "T", "1"), ("1", "B", "0")],
            [None, "B"],
            {"other-than-western-diagnosis": 1, "no-principal-diagnosis": 1},
        ),
        ([("1", "-", "1"), ("1", "B", "0")], [None, "B"], {"no-principal-diagnosis": 1}),
        ([("西医诊断", "A", "否"), (None, "B", "是")], ["B", "A"], {}),
        ([], [], {}),
    ],
)
def test_principal_of_a_settlement_list(tmp_path, read, diseases, expected, count):
    names = ("diag_type", "diag_code", "maindiag_flag")
    entries = [dict(zip(names, entry, strict=True)) for entry in diseases]
    path = tmp_path / "r.json"
    path.write_text(json.dumps([settlement(diseinfo=entries), settlement()]), "utf-8")
    result = read(path, [])
    assert [row["diagnoses"] for row in result.rows] == [expected, RECORDS[0]["diagnoses"]]
    count = count | {"other-than-western-diagnosis": count.get("other-than-western-diagnosis", 0) + 1}
    assert result.counts == count


@pytest.mark.parametrize(
    ("stays", "hours", "flag"),
    [
        ([], 0, 0),
        (None, None, 0),
        (["1/0/0", "0/12/30"], 36.5, 0),
        (["x"], None, 32),
        (["1/0/0", "x"], None, 32),
        (["1/0/0", ""], None, 0),
    ],
)
def test_icu_stays(tmp_path, read, stays, hours, flag):
    entries = None if stays is None else [{"scs_cutd_sum_dura": stay} for stay in stays]
    path = tmp_path / "r.json"
    path.write_text(json.dumps([settlement(icuinfo=entries), settlement()]), "utf-8")
    result = read(path, ["icu_hours"])
    assert [row["icu_hours"] for row in result.rows] == [hours, 0]
    assert result.flags == [flag, 0]


def test_settlement_list_that_is_refused(tmp_path):
    path = tmp_path / "r.json"
    path.write_text(json.dumps([settlement(), {"nothing": 1}]), "utf-8")
    with pytest.raises(DataError, match=r"object 2.*setlinfo"):
        open_records(path)
    entry = [{"oprn_oprt_code": 6.31, "oprn_oprt_type": "1"}]
    path.write_text(json.dumps([settlement(), settlement(oprninfo=entry)]), "utf-8")
    with (
        open_records(path) as source,
        pytest.raises(DataError, match=r"object 2, oprninfo\.oprn_oprt_code.*number"),
    ):
        list(source.batches())


def test_amounts_that_are_not_understood(tmp_path, read):
    path = tmp_path / "r.json"
    path.write_text(
        json.dumps([settlement(iteminfo=[{"amt": "1.005"}, {"amt": "2"}]), settlement()]), "utf-8"
    )
    result = read(path, [])
    assert [str(cost) for cost in result.kept["total_cost"].to_pylist()] == ["None", "123.55"]
    assert result.counts["amt-not-understood"] == 1


def tables(tmp_path, **files):
    for name, rows in files.items():
        write_csv(tmp_path / f"{name}.csv", rows[0], rows[1:])
    return tmp_path


SETTLEMENTS = [["setl_id", "gend", "adm_time"], ["S1", "1", "2025-01-01"], ["S2", "2", "2025-01-01"]]
DISEASES = [["setl_id", "diag_code", "maindiag_flag"], ["S2", "B", "1"], ["S1", "A", "1"], ["S9", "Z", "1"]]
OPERATIONS = [["setl_id", "oprn_oprt_code"], ["S2", "38.93"]]


def test_flat_tables_are_joined(tmp_path, read):
    folder = tables(tmp_path, setlinfo=SETTLEMENTS, diseinfo=DISEASES, oprninfo=OPERATIONS)
    result = read(folder, ["sex"])
    assert result.rows == [
        {"diagnoses": ["A"], "procedures": [], "sex": 1},
        {"diagnoses": ["B"], "procedures": ["38.93"], "sex": 2},
    ]
    assert result.counts["diseinfo-without-settlement"] == 1


@pytest.mark.parametrize(
    ("files", "error", "message"),
    [
        ({"diseinfo": DISEASES, "oprninfo": OPERATIONS}, UsageError, "lack setlinfo"),
        ({"setlinfo": SETTLEMENTS}, UsageError, "lack diseinfo"),
        ({"setlinfo": [*SETTLEMENTS, ["S1", "1", ""]], "diseinfo": DISEASES}, DataError, "repeated.*S1"),
        (
            {"setlinfo": SETTLEMENTS, "diseinfo": [["mdtrt_id", *DISEASES[0][1:]]]},
            DataError,
            "no key in common",
        ),
        ({"setlinfo": SETTLEMENTS, "diseinfo": [row[:2] for row in DISEASES]}, UsageError, "maindiag_flag"),
        (
            {"setlinfo": SETTLEMENTS, "diseinfo": [DISEASES[0], ["X", "A", "1"]]},
            DataError,
            "no setl_id is found",
        ),
    ],
)
def test_flat_tables_that_are_refused(tmp_path, files, error, message):
    with pytest.raises(error, match=message), open_records(tables(tmp_path, **files)) as source:
        list(source.batches())


def test_flat_tables_without_operations(tmp_path, read):
    folder = tables(tmp_path, setlinfo=SETTLEMENTS, diseinfo=DISEASES)
    with pytest.raises(UsageError, match=r'allow_missing=\[.*"procedures"'):
        read(folder, [])
    assert len(read(folder, [], allow_missing=["procedures"]).rows) == 2


def test_json_files_may_leave_out_fields(tmp_path, read):
    first, second = settlement(), layouts.message(RECORDS[1])
    del first["icuinfo"], first["iteminfo"], second["setlinfo"]["dscg_caty"]
    paths = [tmp_path / "1.json", tmp_path / "2.json"]
    for path, message in zip(paths, (first, second), strict=True):
        path.write_text(json.dumps(message), "utf-8")
    for order in (paths, paths[::-1]):
        result = read(order, [*FIELDS, "icu_hours"])
        rows = sorted(result.rows, key=lambda row: row["sex"])
        assert [row["age_days"] for row in rows] == [None, 5]
        assert [row["icu_hours"] for row in rows] == [None, 0]
        assert [row["department"] for row in rows] == ["心内科", None]
    (tmp_path / "1.jsonl").write_text('{"diagnoses":["I10"],"procedures":[]}')
    (tmp_path / "2.jsonl").write_text('{"diagnoses":["J18"],"procedures":["38.93"],"sex":2}')
    result = read([tmp_path / "1.jsonl", tmp_path / "2.jsonl"], ["sex"])
    assert [row["sex"] for row in result.rows] == [None, 2]
    assert [row["procedures"] for row in result.rows] == [[], ["38.93"]]


FUNDS = [
    {"fund_pay_type": "310100", "fund_payamt": "80.00"},
    {"fund_pay_type": "390200", "fund_payamt": 7.5},
    {"fund_pay_type": "610100", "fund_payamt": "3"},
    {"fund_pay_type": "320100", "fund_payamt": "2"},
    {"fund_pay_type": "330100", "fund_payamt": "1"},
    {"fund_pay_type": "310200", "fund_payamt": "50"},
]
CHARGES = [
    {"med_chrgitm": "01", "amt": "10"},
    {"med_chrgitm": "9", "amt": "20.50"},
    {"med_chrgitm": "中成药费", "amt": "1"},
    {"med_chrgitm": "08", "amt": "30"},
]


def test_funds_and_charges_of_a_message_are_told_apart(tmp_path, read):
    odd = [{"fund_pay_type": "888888", "fund_payamt": "1"}, *FUNDS]
    messages = [settlement(payinfo=FUNDS, iteminfo=CHARGES), settlement(payinfo=odd, iteminfo=CHARGES)]
    (tmp_path / "r.json").write_text(json.dumps(messages), "utf-8")
    result = read(tmp_path / "r.json", [])
    first, second = result.kept.to_pylist()
    paid = {
        "fund_paid": "93.50",
        "pool_paid": "80.00",
        "serious_illness_paid": "7.50",
        "medical_aid_paid": "3.00",
        "civil_servant_paid": "2.00",
        "large_amount_paid": "1.00",
        "account_paid": "50.00",
        "total_cost": "61.50",
        "drug_cost": "21.50",
        "consumable_cost": "30.00",
    }
    assert {name: str(first[name]) for name in paid} == paid
    assert str(second["fund_paid"]) == "94.50" and second["pool_paid"] is None
    assert result.counts["fund-pay-type-unknown"] == 1


def test_lists_are_joined_to_the_settlement_rows_of_an_agency(tmp_path, read):
    messages = [settlement(), settlement()]
    messages[0]["setlinfo"] |= {"setl_id": "S1", "hi_no": "card-1"}
    messages[1]["setlinfo"] |= {"setl_id": "S9", "hi_no": "card-9"}
    (tmp_path / "4101.json").write_text(json.dumps(messages, ensure_ascii=False), "utf-8")
    header = ["setl_id", "psn_no", "insutype", "hifp_pay", "medfee_sumamt", "refd_setl_flag", "orig_setl_id"]
    rows = [
        ["S1", "P1", "310", "70.00", "100.00", "0", ""],
        ["S2", "P1", "310", "-70.00", "-100.00", "1", "S1"],
    ]
    write_csv(tmp_path / "setl_d.csv", header, rows)
    with open_records(tmp_path) as source:
        fields = source.columns.fields
        table = pa.Table.from_batches(source.batches())
        assert source.counts["settlement-without-list"] == source.counts["list-without-settlement"] == 1
    assert [fields[f].columns for f in ("person_id", "pool_paid", "refund_of", "diagnoses")] == [
        ("psn_no",), ("hifp_pay",), ("orig_setl_id",), ("diagnoses",),
    ]  # fmt: skip
    assert table["setl_id"].to_pylist() == ["S1", "S2"]
    assert table["diagnoses"].to_pylist() == [RECORDS[0]["diagnoses"], None]


def test_the_persons_number_stands_before_the_insurance_number(tmp_path, read):
    message = settlement()
    message["setlinfo"] |= {"hi_no": "card", "psn_no": "P1"}
    (tmp_path / "r.json").write_text(json.dumps(message, ensure_ascii=False), "utf-8")
    with open_records(tmp_path / "r.json") as source:
        assert source.columns.fields["person_id"].columns == ("psn_no",)
