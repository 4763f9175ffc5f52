"""Questions made up from the schema of the API: none is a fault, and the schema names every answer."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from .served import client

pytestmark = pytest.mark.slow
CALLS = ("case", "group", "explain", "price", "check", "search", "leads", "schemes", "policies")
HOST = {"Host": "127.0.0.1:8321"}
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
PLAIN = ("K80.000x002", "I50.900", "51.2300", "1", "60", "2025-06-10", "12000", "310")
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
ANY = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=12) | st.sampled_from(PLAIN),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = (
    "diagnoses", "procedures", "sex", "age_years", "age_days", "birth_weight_g", "los_days", "total_cost",
    "discharge_date", "hospital_level", "insurance_type", "admission_type", "setlinfo", "psn_name",
)  # fmt: skip
RECORDS = st.dictionaries(st.sampled_from(FIELDS), ANY)
NAMED = {"schemes": ["chs-drg-2.0"], "policies": ["lishui/2022"], "scheme": "chs-drg-2.0"}


@cache
def schema() -> Any:
    app: Any = client(rate=1e9, burst=10**9).app
    return schemathesis.openapi.from_asgi("/v1/openapi.json", app, headers=HOST)


@pytest.mark.parametrize("call", CALLS)
def test_no_question_is_a_fault(call: str) -> None:
    (operation,) = [found.ok() for found in schema().get_all_operations() if found.ok().path == f"/v1/{call}"]
    seen: Counter[int] = Counter()

    @settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy(), record=RECORDS, known=st.booleans())
    def asked(case: Any, record: dict[str, Any], known: bool) -> None:
        """Half of them name what there is, and have fields that records have."""
        for place in (case.body, case.query) if known else ():
            if isinstance(place, dict):
                place |= {name: value for name, value in NAMED.items() if name in place}
                place |= {"record": {**place["record"], **record}} if "record" in place else {}
        answer = case.call(headers=HOST)
        seen[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)
        assert answer.status_code < 500

    asked()
    print(call, dict(seen))
    assert seen
