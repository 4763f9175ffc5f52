"""The threats of docs/serve.md, one by one."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest

from grouper.base.errors import UsageError
from grouper.web.app import create_app
from grouper.web.door import hashed
from grouper.web.sessions import Buckets, Sessions
from grouper.web.settings import Settings

from .served import EXAMPLE, RECORD, TOKEN, TestClient, client, sign

QUESTION = {"record": RECORD, "schemes": ["chs-drg-2.0"]}


# --- who may reach it ---


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.20", "::", "hospital.example"])
def test_other_machines_reach_it_only_with_a_secret(host: str) -> None:
    with pytest.raises(UsageError, match="--token-file"):
        Settings(host=host)
    assert Settings(host=host, token=TOKEN).locked


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.53"])
def test_this_machine_reaches_it_without(host: str) -> None:
    assert not Settings(host=host).locked


@pytest.mark.parametrize("wrong", [{"token": "short"}, {"password": "plain"}, {"password": "$argon2i$x"}])
def test_a_weak_secret_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        Settings(**wrong)  # type: ignore[arg-type]


def test_secrets_are_in_no_text_of_the_settings() -> None:
    assert TOKEN not in repr(Settings(token=TOKEN))


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "10.0.0.1"])
def test_another_name_is_refused(host: str) -> None:
    """A page of another site whose name was made to point here (DNS rebinding)."""
    assert client().get("/", headers={"Host": host}).status_code == 421


def test_further_names_and_addresses_are_answered_where_it_listens_everywhere() -> None:
    settings = Settings(host="0.0.0.0", token=TOKEN, names=("Drg.hospital.lan",))
    assert settings.answers_to("10.0.0.1") and settings.answers_to("drg.hospital.lan")
    assert not settings.answers_to("evil.example")


@pytest.mark.parametrize(
    "path", ["/", "/codes?q=i", "/v1/schemes", "/v1/openapi.json", "/browse", "/lake", "/nothing"]
)
def test_nothing_but_the_login_is_open_when_locked(path: str) -> None:
    locked = client(token=TOKEN)
    answer = locked.get(path)
    assert answer.status_code == (401 if path.startswith("/v1/") else 303)
    assert "K80" not in answer.text
    assert locked.get("/login").status_code == locked.get("/static/grouper.css").status_code == 200


def test_a_token_opens_the_api() -> None:
    locked = client(token=TOKEN)
    assert locked.get("/v1/schemes", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    for wrong in (f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer ", "", "Bearer \xe9"):
        assert (
            locked.get("/v1/schemes", headers={"Authorization": wrong.encode("latin-1")}).status_code == 401
        )


@pytest.mark.parametrize("how", ["token", "password"])
def test_a_secret_opens_a_session_of_its_own(how: str) -> None:
    settings: dict[str, Any] = {"token": TOKEN} if how == "token" else {"password": hashed(TOKEN)}
    browser = client(**settings)
    form = {"csrf": sign(browser, "/login"), "secret": TOKEN}
    before = browser.cookies["grouper_8321"]
    assert browser.post("/login", data=form | {"secret": "wrong"}).status_code == 403
    answer = browser.post("/login", data=form)
    assert answer.status_code == 303 and browser.get("/").status_code == 200
    assert browser.cookies["grouper_8321"] != before  # what somebody else may have put there is worth nothing
    browser.post("/logout", data={"csrf": sign(browser)})
    assert browser.get("/").status_code == 303


def test_passwords_cannot_be_tried_without_end() -> None:
    browser = client(password=hashed(TOKEN))
    form = {"csrf": sign(browser, "/login"), "secret": "wrong"}
    assert [browser.post("/login", data=form).status_code for _ in range(6)].count(429) >= 1


def test_the_cookie_is_for_no_script_and_no_other_site() -> None:
    (cookie,) = client().get("/").headers.get_list("set-cookie")
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie
    assert "Secure" in client("https://127.0.0.1:8321", tls=True).get("/").headers["set-cookie"]


def test_sessions_end_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    held = Sessions()
    key, _ = held.begin()
    monkeypatch.setattr("grouper.web.sessions._MOST", 3)
    for _ in range(3):
        held.begin()
    assert held.get(key) is None
    key, session = held.begin()
    session.seen -= 9 * 3600
    assert held.get(key) is None


# --- forms and calls of other sites ---


def page_posts() -> list[str]:
    """Every route of a page that changes something or computes."""
    app: Any = create_app(Settings(), warm=False)
    found = re.findall(r'@router\.post\("([^"]+)"', "".join(
        path.read_text("utf-8") for path in Path(str(__import__("grouper.web").web.__path__[0])).glob("*.py")
        if path.name not in ("api.py", "streams.py")
    ))  # fmt: skip
    assert app is not None
    return sorted(set(found))


def test_the_routes_are_found() -> None:
    assert {"/case", "/login", "/logout"} <= set(page_posts())


@pytest.mark.parametrize("route", page_posts())
def test_a_form_without_its_sign_is_refused(route: str) -> None:
    path = re.sub(r"\{\w+\}", "x", route)
    browser = client()
    assert browser.post(path, data={"dx": "I10"}).status_code == 403
    browser.get("/")
    assert browser.post(path, data={"dx": "I10", "csrf": "x"}).status_code == 403
    other = sign(client())
    assert browser.post(path, data={"dx": "I10"}, headers={"X-CSRF-Token": other}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
     {"Origin": "null"}],
)  # fmt: skip
def test_a_call_of_another_site_is_refused(headers: dict[str, str]) -> None:
    assert client().post("/v1/group", json=QUESTION, headers=headers).status_code == 403
    own = {"Origin": "http://127.0.0.1:8321", "Sec-Fetch-Site": "same-origin"}
    assert client().post("/v1/group", json=QUESTION, headers=own).status_code == 200


def test_json_in_disguise_is_refused() -> None:
    """What a form of another site can send without asking first is no JSON to the API."""
    import json

    answer = client().post("/v1/group", content=json.dumps(QUESTION), headers={"Content-Type": "text/plain"})
    assert answer.status_code == 422


# --- what comes in ---


def test_a_large_body_is_refused_by_its_length_and_as_it_comes() -> None:
    browser = client(body=1_000)
    assert browser.post("/v1/group", json=QUESTION | {"x": "y" * 2_000}).status_code == 413

    def parts() -> Any:
        yield from (b" " * 600 for _ in range(3))

    headers = {"Content-Type": "application/json"}
    assert browser.post("/v1/group", content=parts(), headers=headers).status_code == 413


def test_too_many_requests_are_refused_and_come_back() -> None:
    answers = [client_.status_code for client_ in _many(client(rate=1.0, burst=5), 8)]
    assert answers == [200] * 5 + [429] * 3
    bucket = Buckets(1_000_000.0, 1)
    assert bucket.take("a") and bucket.take("a")


def _many(browser: TestClient, number: int) -> list[Any]:
    return [browser.get("/static/icon.svg") for _ in range(number)]


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../drg/chs-drg-2.0", "tables/drg/chs-drg-2.0", "chs-drg-2.0/../chs-drg-3.0", "\x00"],
)
def test_no_path_of_a_request_reaches_the_disk(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("grouper.web.api.case", never)
    answer = client().post("/v1/case", json={"record": RECORD, "schemes": [name]})
    assert answer.status_code == 404
    policy = client().post("/v1/price", json={"record": RECORD, "policies": [name]})
    assert policy.status_code == 404


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/app.py", "/static//etc/passwd"]
)
def test_no_file_but_those_of_the_pages_is_served(path: str) -> None:
    assert client().get(path).status_code == 404


def test_personal_fields_are_dropped_at_the_door() -> None:
    record = RECORD | {
        "psn_name": "王小明",
        "certno": "11010519491231002X",
        "tel": "13812345678",
        "note": "11010519491231002X",
    }
    for call in ("case", "explain", "group", "check"):
        question = {"record": record} | (
            {"scheme": "chs-drg-2.0"} if call == "check" else {"schemes": ["chs-drg-2.0"]}
        )
        told = client().post(f"/v1/{call}", json=question)
        assert told.status_code == 200
        assert not re.search("王小明|11010519491231002X|13812345678", told.text)


# --- what goes out ---


def test_every_answer_has_the_headers() -> None:
    browser = client()
    for path in ("/", "/nothing", "/static/grouper.js", "/v1/schemes", "/v1/nothing"):
        headers = browser.get(path).headers
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "script-src 'self'" in policy
    assert browser.get(EXAMPLE).headers["cache-control"] == "no-store"
    assert "strict-transport-security" in client("https://127.0.0.1:8321", tls=True).get("/").headers


def test_pages_have_nothing_that_the_policy_forbids() -> None:
    page = client().get(EXAMPLE).text
    assert not re.search(r"<script(?![^>]*\bsrc=)|\bstyle=|\bon\w+=|javascript:|<style", page)
    assert not re.search(
        r'(?:src|href|action)="(?:https?:)?//', page
    )  # nothing from elsewhere: it works offline


def test_the_log_has_no_case(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        client().get(EXAMPLE)
        client().post("/v1/case", json=QUESTION)
        client().get("/K80.000x002")
    mine = [record.getMessage() for record in caplog.records if record.name.startswith("grouper")]
    assert len(mine) >= 3 and not any("K80" in line or "I50" in line for line in mine)


def test_a_fault_says_nothing_of_the_case(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("K80.000x002 of a person")

    monkeypatch.setattr("grouper.web.api.case", broken)
    with caplog.at_level(logging.DEBUG):
        answer = client().post("/v1/case", json=QUESTION)
    assert answer.status_code == 500 and "K80" not in answer.text and "软件缺陷" in answer.json()["zh"]
    assert "ValueError at" in caplog.text and "K80" not in caplog.text


def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    browser = client()
    browser.get(EXAMPLE)
    browser.post("/v1/case", json=QUESTION)
    assert list(tmp_path.iterdir()) == []
