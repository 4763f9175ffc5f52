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
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import grouper
from grouper.base.errors import UsageError
from grouper.payment import find_policy, pay
from grouper.records.schema import CANONICAL
from grouper.workbench.door import PAID

AREAS = ("lishui/2022", "liaocheng/2025", "qingyang/2025", "tianmen/2025", "yulin/2024")
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


@settings(max_examples=250, deadline=None)
@given(
    record=JSON
    | st.dictionaries(st.sampled_from(KEYS), JSON | WORDS | st.lists(WORDS, max_size=3), max_size=12),
    policy=st.sampled_from(["lishui", "tianmen/2025", "liaocheng"]),
    lang=st.sampled_from(["zh", "en"]),
)
def test_nothing_that_json_holds_raises(record: Any, policy: str, lang: str) -> None:
    answer = grouper.case(record, ["chs-drg-2.0"], policy, lang=lang, hospital=HOSPITAL, funds=FUNDS)
    json.dumps(answer.as_dict(), allow_nan=False)
    assert answer.text()
