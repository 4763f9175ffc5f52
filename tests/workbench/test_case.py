"""``grouper.case``: the same as explain, group and pay; never raises for data; lets no personal data out."""

from __future__ import annotations

import json
import random
import threading
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import grouper
from grouper.base.errors import UsageError
from grouper.checks import checked
from grouper.payment import find_policy, pay
from grouper.records.schema import CANONICAL
from grouper.records.schema import GROUPING_FIELDS as PREPARED
from grouper.workbench.door import PAID

from ..support import loaded

AREAS = ("lishui/2022", "liaocheng/2025", "qingyang/2025", "tianmen/2025", "yulin/2024")
QUICK = ("lishui/2022", "tianmen/2025")  # the other areas run with the slow tests
EACH = [pytest.param(area, marks=() if area in QUICK else pytest.mark.slow) for area in AREAS]
RECORD: dict[str, Any] = {
    "record_id": "a1", "diagnoses": ["K80.000x002", "I50.900", "K83.100"],
    "procedures": ["51.2300", "51.1104"], "sex": "男", "age_years": 60, "total_cost": "25000",
    "discharge_date": "2025-06-10", "admission_date": "2025-06-01", "los_days": 9,
}  # fmt: skip
HOSPITAL = {
    "hospital_code": "H1", "hospital_level": "三级", "insurance_type": "职工", "hospital_coefficient": "1.02",
    "admission_type": "21", "payment_method": "4", "department": "普通外科",
}  # fmt: skip
FUNDS = {"pool": "0.6", "funds": "0.65", "source": "本院上年"}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
KEYS = [
    *CANONICAL, *PAID, "setlinfo", "diseinfo", "oprninfo", "JBDM", "JBDM1", "gend", "姓名", "主要诊断", "Sex",
    "medfee_sumamt", "setl_id", "birth_weight", "flags", "group", "status", "input", "ZYZD_JBBM", "RYSJ",
]  # fmt: skip
WORDS = st.sampled_from(
    [
        "K35.300",
        "47.0100",
        "男",
        "1",
        "0",
        "-5",
        "2025-06-10",
        "2025-13-40",
        "60岁",
        "310",
        "三级",
        "1e999",
        "nan",
    ]
)


@settings(max_examples=60, deadline=None)
@given(
    record=JSON
    | st.dictionaries(st.sampled_from(KEYS), JSON | WORDS | st.lists(WORDS, max_size=3), max_size=12),
    policy=st.sampled_from(["lishui", "tianmen/2025", "liaocheng"]),
    lang=st.sampled_from(["zh", "en"]),
)
def test_nothing_that_json_holds_raises(record: Any, policy: str, lang: str) -> None:
    answer = grouper.case(record, ["chs-drg-2.0"], policy, lang=lang, hospital=HOSPITAL, funds=FUNDS)
    json.dumps(answer.as_dict(), allow_nan=False, ensure_ascii=False).encode()
    assert answer.text()


def drawn(scheme: str, number: int, seed: int) -> list[dict[str, Any]]:
    """Records of the conformance sample with money and a hospital; every group is within reach."""
    file = "dip_conformance" if scheme.startswith("dip") else "drg_conformance"
    table = pq.read_table(Path(__file__).parent.parent / "data" / f"{file}.parquet")
    if "scheme" in table.column_names and not scheme.startswith("dip"):
        table = table.filter(pa.compute.equal(table["scheme"], scheme))
    rng = random.Random(seed)
    several = pa.compute.greater(pa.compute.list_value_length(table["diagnoses"]), 1)
    table = table.filter(several)
    rows = table.take(sorted(rng.sample(range(table.num_rows), min(number, table.num_rows)))).to_pylist()
    found = []
    for place, row in enumerate(rows):
        own = {name: value for name, value in row.items() if name in CANONICAL and value is not None}
        paid = Decimal(rng.randrange(100, 3_000_000)).scaleb(-2)
        found.append(
            own
            | HOSPITAL
            | {
                "record_id": f"R{place:04}", "person_id": f"P{place}", "admission_date": "2025-06-01",
                "discharge_date": "2025-06-10", "total_cost": str(paid * 2),
                "pool_paid": str(paid), "fund_paid": str(paid + Decimal("1.5")), "own_expense": "10",
                "self_pay_first": "20", "deductible": "300", "hospital_level": "3", "insurance_type": "310",
                "los_days": own.get("los_days", rng.choice([1, 7, 61])), "hospital_coefficient": "1.02",
            }
        )  # fmt: skip
    return found


def paid_by_files(records: list[dict[str, Any]], policy: str, folder: Path) -> dict[str, dict[str, Any]]:
    """The same records grouped and priced as files: what ``group`` and ``pay`` make of them."""
    found = find_policy(policy)
    drg = grouper.load_scheme(found.scheme, allow_missing=PREPARED)
    names = list(dict.fromkeys(name for record in records for name in record))
    lists = {"diagnoses": pa.list_(pa.string()), "procedures": pa.list_(pa.string())}
    columns = {
        name: pa.array(
            [r.get(name) if name in lists or r.get(name) is None else str(r[name]) for r in records],
            lists.get(name, pa.string()),
        )
        for name in names
    }
    grouped = drg.group(pa.table(columns))
    whole = {name: CANONICAL.get(name) for name in grouped.column_names}
    for place, (name, kind) in enumerate(whole.items()):
        if kind is not None and (pa.types.is_decimal(kind) or pa.types.is_integer(kind)):
            grouped = grouped.set_column(place, name, grouped[name].cast(kind))
    place = grouped.column_names.index("discharge_date")
    grouped = grouped.set_column(place, "discharge_date", grouped["discharge_date"].cast(pa.date32()))
    place = grouped.column_names.index("hospital_coefficient")
    grouped = grouped.set_column(
        place, "hospital_coefficient", grouped["hospital_coefficient"].cast(pa.decimal128(18, 8))
    )
    pq.write_table(grouped, folder / "g.parquet")
    pay(str(folder / "g.parquet"), found, str(folder / "p.parquet"), scheme_differs=True)
    groups = {row["record_id"]: row for row in grouped.to_pylist()}
    priced = {row["record_id"]: row for row in pq.read_table(folder / "p.parquet").to_pylist()}
    return {id_: groups[id_] | priced[id_] for id_ in groups}


@pytest.mark.parametrize("area", EACH)
def test_case_is_explain_is_group_is_pay(area: str, tmp_path: Path) -> None:
    policy = find_policy(area)
    records = drawn(policy.scheme, 25, seed=len(area))
    files = paid_by_files(records, area, tmp_path)
    for record in records:
        answer = grouper.case(record, policy=area, alternatives=False)
        (scheme,), (price,), file = answer.schemes, answer.prices, files[record["record_id"]]
        explained = loaded(policy.scheme).explain(record).result
        for name in ("status", "reason", "drg", "dip_code", "mdc", "warnings", "complication"):
            if name in explained:
                assert scheme["result"][name] == explained[name] == file[name], record
        if file["pay_status"] == "left":
            assert price["status"] == "left" and price["reason"] == file["pay_reason"]
            continue
        assert (price["status"], price["reason"]) == (file["pay_status"], file["pay_reason"]), record
        for name in ("amount", "fund_due", "person_paid", "other_funds", "income"):
            told = price["amounts"][name]
            assert (None if told is None else Decimal(told)) == file[name], (name, record)
        if file["pay_status"] == "paid":
            assert Decimal(price["amounts"]["profit"]) == file["income"] - file["total_cost"]


@pytest.mark.parametrize("area", EACH)
def test_an_alternative_is_paid_as_the_record_arranged_so(area: str, tmp_path: Path) -> None:
    policy = find_policy(area)
    arranged: list[dict[str, Any]] = []
    told: list[dict[str, Any]] = []
    for record in drawn(policy.scheme, 12, seed=7):
        answer = grouper.case(record, policy=area)
        assert answer.alternatives is not None
        for item in answer.alternatives["items"]:
            (group,), (price,) = item["schemes"], item["prices"]
            if item["kind"] not in ("principal", "main"):
                assert price["amount"] is None and price["difference"] is None
                continue
            name = "diagnoses" if item["kind"] == "principal" else "procedures"
            rest = list(record[name])
            rest.remove(item["code"])
            own = {"record_id": f"A{len(arranged):04}", "person_id": f"P{len(arranged)}"}
            arranged.append(record | {name: [item["code"], *rest]} | own)
            told.append({**group, **price})
    files = paid_by_files(arranged, area, tmp_path)
    assert len(told) >= 5
    for record, one in zip(arranged, told, strict=True):
        file = files[record["record_id"]]
        if file["pay_status"] == "left":
            continue
        assert one["status"] == file["status"]
        assert one["group"] == (file.get("drg") or file.get("dip_code"))
        assert (None if one["amount"] is None else Decimal(one["amount"])) == file["amount"], record


SECRETS = {
    "姓名": "赵钱孙", "psn_name": "Zhao Qian", "certno": "110101199003078515", "联系电话": "13912345678",
    "XM": "孙李", "home_addr": "长乐路三号", "person_id": "P-77-88", "record_no": "B-0099",
    "birth_date": "1990-03-07", "remark": "病人李周住在长乐路",
}  # fmt: skip


def test_personal_fields_do_not_come_back() -> None:
    answer = grouper.case(RECORD | SECRETS, ["chs-drg-2.0"], "lishui", hospital=HOSPITAL, funds=FUNDS)
    text = json.dumps(answer.as_dict(), ensure_ascii=False) + answer.text()
    assert not [value for value in SECRETS.values() if value in text]
    named = {note["field"] for note in answer.record["dropped"]}
    assert {"姓名", "psn_name", "certno", "联系电话", "remark"} <= named
    hidden = grouper.case(RECORD | {"department": "110101199003078515"}, ["chs-drg-2.0"])
    assert "110101199003078515" not in json.dumps(hidden.as_dict())


def test_a_message_is_a_record() -> None:
    message = {
        "setlinfo": {
            "setl_id": "1",
            "psn_name": "赵钱孙",
            "gend": "1",
            "age": "60",
            "medfee_sumamt": "25000",
        },
        "diseinfo": [{"diag_code": "K80.000x002", "maindiag_flag": "1", "diag_type": "1"}],
        "oprninfo": [{"oprn_oprt_code": "51.2300", "main_oprn_flag": "1"}],
    }
    answer = grouper.case(message, ["chs-drg-2.0"])
    assert answer.schemes[0]["group"] == "HC25"
    assert "赵钱孙" not in json.dumps(answer.as_dict(), ensure_ascii=False)


def test_what_is_missing_is_listed_and_never_silently_assumed() -> None:
    bare = {"diagnoses": ["K80.000x002"], "procedures": ["51.2300"], "sex": 1, "age_years": 60, "los_days": 6}
    answer = grouper.case(bare, policy="liaocheng/2025", when=date(2025, 6, 10))
    (price,) = answer.prices
    assert set(price["amounts"].values()) == {None} and price["estimates"] == []
    lacks = {lack["field"]: lack for lack in answer.missing}
    assert {"total_cost", "pool_paid", "fund_paid", "hospital_level", "insurance_type"} <= lacks.keys()
    assert all(lack["mend"] and lack["why"] and lack["wanted_by"] for lack in lacks.values())
    known = grouper.case(
        bare | HOSPITAL | {"total_cost": "12000"}, policy="liaocheng/2025", when=date(2025, 6, 10)
    )
    (price,) = known.prices
    assert price["status"] == "partial" and price["amounts"]["fund_due"] is None
    assert Decimal(price["amounts"]["margin"]) == Decimal(price["amounts"]["amount"]) - 12000
    told = grouper.case(
        bare | HOSPITAL | {"total_cost": "12000"},
        policy="liaocheng/2025",
        when=date(2025, 6, 10),
        funds=FUNDS,
    )
    (price,) = told.prices
    assert [estimate["field"] for estimate in price["estimates"]] == ["pool_paid", "fund_paid"]
    assert price["estimates"][0]["value"] == "7200.00" and "本院上年" in price["estimates"][0]["text"]
    assert price["status"] == "paid" and price["amounts"]["profit"] is not None


def test_a_missing_word_tells_what_hangs_on_it() -> None:
    record = RECORD | {name: value for name, value in HOSPITAL.items() if name != "admission_type"}
    answer = grouper.case(record, policy="lishui", funds=FUNDS)
    (lack,) = [lack for lack in answer.missing if lack["field"] == "admission_type"]
    assert answer.prices[0]["hangs_on"] == ["admission_type"]
    assert [(value["value"], value["method"]) for value in lack["values"]] == [("2105", "per_diem")]


def test_the_day_comes_from_the_caller_or_the_record() -> None:
    bare = {name: value for name, value in RECORD.items() if name != "discharge_date"}
    (price,) = grouper.case(bare, policy="lishui").prices
    assert price["reason"] == "no-date" and price["status"] == "held"
    (price,) = grouper.case(bare | {"discharge_date": "2035-01-01"}, policy="lishui").prices
    assert price["reason"] == "not-in-force"


def test_limits_are_where_the_class_changes() -> None:
    record = RECORD | HOSPITAL
    for area in AREAS:
        (price,) = grouper.case(record, policy=area, funds=FUNDS).prices
        for limit in price["limits"]:
            edge = Decimal(limit["yuan"])
            assert Decimal(limit["distance"]) == edge - Decimal("25000")
            beside = {
                step: grouper.case(record | {"total_cost": str(edge + step)}, policy=area, alternatives=False)
                for step in (Decimal("-0.02"), Decimal("0.02"))
            }
            below, above = (beside[step].prices[0]["outlier"] for step in sorted(beside))
            assert below != above and limit["kind"] in (below, above), (area, limit)


def test_a_refund_is_no_case() -> None:
    answer = grouper.case(RECORD | HOSPITAL | {"total_cost": "-25000"}, policy="lishui", funds=FUNDS)
    assert answer.record["stay"]["reason"] == "negative-cost" and answer.prices[0]["status"] == "left"
    assert answer.prices[0]["amounts"]["amount"] is None


@pytest.mark.parametrize(
    "arguments",
    [
        {"schemes": ["chs-drg-2.1"]}, {"policy": "lishuu"}, {}, {"schemes": "chs-drg-2.0", "lang": "fr"},
        {"policy": "lishui", "funds": {"pool": "0.6"}},
        {"policy": "lishui", "funds": {"pool": "2", "source": "x"}},
        {"policy": "lishui", "what_if": {"nothing": "1"}}, {"schemes": "chs-drg-2.0", "stay": "weeks"},
    ],
)  # fmt: skip
def test_a_wrong_call_raises(arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        grouper.case(RECORD, **arguments)


def test_near_names_are_told() -> None:
    with pytest.raises(UsageError, match=r"chs-drg-2\.0"):
        grouper.case(RECORD, schemes=["chs-drg-2.1"])
    with pytest.raises(UsageError, match="lishui"):
        grouper.case(RECORD, policy="lishuu")


@pytest.mark.slow
def test_two_threads_say_the_same() -> None:
    records = [RECORD | {"age_years": age, "record_id": str(age)} for age in range(20, 32)]

    def ask(record: dict[str, Any]) -> dict[str, Any]:
        policies = ["lishui", "tianmen"]
        return grouper.case(record, ["chs-drg-2.0"], policies, hospital=HOSPITAL, funds=FUNDS).as_dict()

    alone = [ask(record) for record in records]
    found: dict[int, list[Any]] = {}
    threads = [
        threading.Thread(target=lambda n=number: found.update({n: [ask(r) for r in records]}))
        for number in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {0: alone, 1: alone}


def test_two_schemes_and_policies_stand_side_by_side() -> None:
    answer = grouper.case(
        RECORD, ["chs-drg-2.0", "chs-drg-3.0"], ["lishui", "yulin"], hospital=HOSPITAL, funds=FUNDS
    )
    assert [s["scheme"]["id"] for s in answer.schemes] == [
        "chs-drg-2.0", "chs-drg-3.0", "zhejiang-2022", "guangxi-2024",
    ]  # fmt: skip
    assert [p["policy"]["id"] for p in answer.prices] == ["lishui/2022", "yulin/2024"]
    assert answer.as_dict()["format"] == "grouper.case/1"
    assert {p["id"] for p in answer.provenance["policies"]} == {"lishui/2022", "yulin/2024"}
    assert answer.alternatives is not None
    assert all(
        len(item["schemes"]) == 4 for item in answer.alternatives["items"] if item["kind"] == "principal"
    )


def test_checks_are_those_of_grouper_check_and_their_money_that_of_the_alternative() -> None:
    record = {**RECORD, **HOSPITAL, "diagnoses": ["R55.x00x012", "K29.500"], "procedures": []}
    told = grouper.case(record, policy="lishui/2022").as_dict()
    [item] = told["checks"]["items"]
    done = checked(record, loaded("zhejiang-2022"), find_policy("lishui/2022"))
    assert [f["id"] for f in item["findings"]] == [f.id for f in done.findings]
    assert (item["passed"], item["not_evaluated"]) == (list(done.passed), list(done.not_evaluated))
    [finding] = [f for f in item["findings"] if f["id"] == "symptom-principal"]
    [own] = [f for f in done.findings if f.id == "symptom-principal"]
    assert own.money and finding["money"] == [
        {"policy": "lishui/2022", "difference": format(own.money, ".2f")}
    ]
    assert finding["correction"] == "principal=K29.500"
    [quick] = grouper.case(record, policy="lishui/2022", alternatives=False).as_dict()["checks"]["items"]
    assert [f["id"] for f in quick["findings"]] == [f["id"] for f in item["findings"]]
    assert all(f["money"] == [] for f in quick["findings"])


def test_a_record_that_cannot_be_checked_says_so_and_no_rule_passes() -> None:
    record = {**RECORD, "diagnosis_names": 5, "procedure_dates": {"a": 1}, "person_id": "p1"}
    [item] = grouper.case(record, "zhejiang-2022").as_dict()["checks"]["items"]
    assert item["error"] is None or not item["passed"]
    [item] = grouper.case({}, "zhejiang-2022").as_dict()["checks"]["items"]
    assert item["error"] is not None or "principal-missing" in {f["id"] for f in item["findings"]}
