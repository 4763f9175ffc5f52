"""Questions made up from the schema of the API: none is a fault, every answer is one that the schema names."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
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


@cache
def schema() -> Any:
    app: Any = client(rate=1e9, burst=10**9).app
    return schemathesis.openapi.from_asgi("/v1/openapi.json", app, headers=HOST)


@pytest.mark.parametrize("call", CALLS)
def test_no_question_is_a_fault(call: str) -> None:
    (operation,) = [found.ok() for found in schema().get_all_operations() if found.ok().path == f"/v1/{call}"]
    seen: Counter[int] = Counter()

    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy())
    def asked(case: Any) -> None:
        answer = case.call(headers=HOST)
        seen[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)
        assert answer.status_code < 500

    asked()
    print(call, dict(seen))
    assert seen
