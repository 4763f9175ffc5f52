"""The server in the process of the test, and what people read of its pages."""

from __future__ import annotations

import re
import warnings
from html import unescape
from typing import Any

from grouper.web.app import create_app
from grouper.web.settings import Settings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # httpx is what the lowest version allowed takes, too
    from starlette.testclient import TestClient

BASE = "http://127.0.0.1:8321"
EXAMPLE = "/?dx=K80.000x002&dx=I50.900&proc=51.2300&sex=1&age_years=60&a=chs-drg-2.0&b=chs-drg-3.0"
RECORD: dict[str, Any] = {
    "diagnoses": ["K80.000x002", "I50.900"], "procedures": ["51.2300"], "sex": "1", "age_years": 60,
    "los_days": 6, "total_cost": "12000", "hospital_level": "3", "insurance_type": "310",
}  # fmt: skip
TOKEN = "a-token-of-more-than-twenty-signs"


def client(base: str = BASE, **settings: Any) -> TestClient:
    """A browser before a server with these settings; nothing is loaded before it is asked for."""
    settings = {"rate": 10_000.0, "burst": 10_000, **settings}
    app = create_app(Settings(**settings), warm=False)
    return TestClient(app, base, follow_redirects=False, raise_server_exceptions=False)


def sign(browser: TestClient, page: str = "/") -> str:
    """What the forms of this browser's session bring along."""
    return re.search(r'X-CSRF-Token": "([^"]+)"', browser.get(page).text)[1]  # type: ignore[index]


def ask(browser: TestClient, form: dict[str, Any], lang: str = "zh") -> str:
    """The answer of the case page to a form."""
    headers = {"X-CSRF-Token": sign(browser), "HX-Request": "true"}
    answer = browser.post(f"/case?lang={lang}", data=form, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.text


def texts(page: str) -> list[str]:
    """What people read of a page: not codes and ids in ``code``, not what is said to be English."""
    page = re.sub(r"<(script|style|code)\b.*?</\1>", "", page, flags=re.DOTALL)
    page = re.sub(r'<(\w+)[^>]*\blang="en".*?</\1>', "", page, flags=re.DOTALL)
    words = re.findall(r">([^<]+)<", page)
    words += re.findall(r'\b(?:aria-label|placeholder|title|data-first|data-other)="([^"]*)"', page)
    return [unescape(text).strip() for text in words if text.strip()]
