"""``/v1``: the same answers as the library, errors of one shape, a schema that says so."""

from __future__ import annotations

import json

import pytest

import grouper
from grouper.checks import checked

from .served import RECORD, client

BOTH = ["chs-drg-2.0", "chs-drg-3.0"]
PAID = {"record": RECORD, "policies": ["lishui/2022"], "when": "2025-06-10"}


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_case_is_that_of_the_library(lang: str) -> None:
    from datetime import date

    asked = PAID | {"schemes": BOTH, "lang": lang, "funds": {"pool": "0.62", "source": "own"}}
    wanted = grouper.case(
        RECORD, BOTH, "lishui/2022", date(2025, 6, 10), lang=lang, funds={"pool": "0.62", "source": "own"}
    ).as_dict()
    answer = client().post("/v1/case", json=asked)
    assert answer.status_code == 200 and answer.json() == json.loads(json.dumps(wanted))


def test_group_explain_and_price_are_parts_of_it() -> None:
    browser = client()
    whole = browser.post("/v1/case", json={"record": RECORD, "schemes": BOTH}).json()
    explained = browser.post("/v1/explain", json={"record": RECORD, "schemes": BOTH}).json()
    grouped = browser.post("/v1/group", json={"record": RECORD, "schemes": BOTH}).json()
    assert explained["schemes"] == whole["schemes"]
    assert [one["group"] for one in grouped["schemes"]] == [one["group"] for one in whole["schemes"]]
    assert not any("explanation" in one for one in grouped["schemes"])
    priced = browser.post("/v1/price", json=PAID).json()
    assert priced["prices"] == browser.post("/v1/case", json=PAID).json()["prices"]
    assert priced["prices"][0]["amounts"]["amount"] == "8655.99"


def test_check_is_that_of_the_library() -> None:
    record = {"diagnoses": ["C34.900"], "sex": 1, "age_years": 60}
    done = checked(record, "chs-drg-2.0", lang="en")
    told = client().post("/v1/check", json={"record": record, "scheme": "chs-drg-2.0", "lang": "en"}).json()
    wanted = json.loads(json.dumps([finding.as_dict() for finding in done.findings]))
    assert told["findings"] == wanted and wanted
    assert (told["passed"], told["not_evaluated"]) == (len(done.passed), len(done.not_evaluated))


def test_search_and_leads_are_those_of_the_library() -> None:
    found = client().get("/v1/search", params={"q": "ngs", "scheme": "chs-drg-2.0", "limit": 3}).json()
    assert found == grouper.search("ngs", "chs-drg-2.0", limit=3)
    led = client().get("/v1/leads", params={"code": "I63.900", "scheme": "chs-drg-2.0"}).json()
    assert led == json.loads(json.dumps(grouper.leads("I63.900", "chs-drg-2.0")))


def test_schemes_and_policies_are_listed() -> None:
    assert {"chs-drg-2.0", "dip-3.0"} <= {row["id"] for row in client().get("/v1/schemes").json()}
    assert {"lishui/2022", "tianmen/2025"} <= {row["id"] for row in client().get("/v1/policies").json()}


@pytest.mark.parametrize(
    ("call", "question", "status"),
    [
        ("case", {"record": RECORD}, 422),
        ("case", {"record": RECORD, "schemes": ["chs-drg-2"]}, 404),
        ("case", {"record": RECORD, "schemes": "chs-drg-2.0"}, 422),
        ("case", {"record": [RECORD], "schemes": BOTH}, 422),
        ("case", {"record": RECORD, "schemes": BOTH, "unknown": 1}, 422),
        ("case", {"record": RECORD, "schemes": BOTH, "when": "2025-13-01"}, 422),
        ("case", PAID | {"funds": {"pool": "2", "source": "x"}}, 422),
        ("case", PAID | {"what_if": {"nothing": "1"}}, 422),
        ("price", PAID | {"policies": ["nowhere"]}, 404),
        ("group", {"record": RECORD, "schemes": []}, 422),
        ("check", {"record": RECORD, "scheme": "x"}, 404),
    ],
)
def test_a_wrong_question_has_an_answer_in_both_languages(call: str, question: object, status: int) -> None:
    answer = client().post(f"/v1/{call}", json=question)
    assert answer.status_code == status
    told = answer.json()
    assert told["error"] == told["zh"] and told["en"] and told["zh"] != told["en"]


def test_what_is_no_json_is_told() -> None:
    answer = client().post("/v1/case", content=b"{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 422 and "JSON" in answer.json()["zh"]


def test_the_schema_names_every_call() -> None:
    schema = client().get("/v1/openapi.json").json()
    calls = {"case", "group", "explain", "price", "check", "search", "leads", "schemes", "policies"}
    assert {f"/v1/{call}" for call in calls} <= set(schema["paths"])
    assert all(path.startswith("/v1/") for path in schema["paths"])  # pages are no part of it
