"""The pages in Chromium, by keyboard and mouse, and what axe finds in them."""

from __future__ import annotations

import base64
import importlib.util
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from grouper.commands.serve import free_port
from grouper.web.app import create_app
from grouper.web.settings import Settings

from .served import EXAMPLE

pytestmark = pytest.mark.slow
PAID = EXAMPLE.partition("&a=")[0] + (
    "&los_days=6&total_cost=12000&discharge_date=2025-06-10&insurance_type=310&hospital_level=3"
    "&a=lishui/2022&b=yulin/2024"
)
# What keeps people out of a page, and what only bothers them: the first two must not be.
SERIOUS = ("critical", "serious")


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    port = free_port("127.0.0.1")
    server = uvicorn.Server(
        uvicorn.Config(create_app(Settings(port=port, rate=1_000, burst=5_000)), port=port, log_level="error")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


def chromium() -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1366,768"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = shutil.which("chromedriver")
    assert driver, "chromedriver is missing: install Debian's chromium-driver"
    return webdriver.Chrome(options, webdriver.ChromeService(driver))


@pytest.fixture(scope="module")
def shared() -> Iterator[webdriver.Chrome]:
    driver = chromium()
    yield driver
    driver.quit()


@pytest.fixture
def browser(shared: webdriver.Chrome, site: str) -> webdriver.Chrome:
    shared.get(site + "/?lang=zh")
    shared.get_log("browser")
    return shared


def until(browser: webdriver.Chrome, holds: Callable[[], Any]) -> Any:
    def tried(_: object) -> Any:
        try:
            return holds()
        except Exception:  # noqa: BLE001 (what was swapped meanwhile)
            return False

    return WebDriverWait(browser, 20, 0.05).until(tried)


def groups(browser: webdriver.Chrome) -> list[str]:
    return [found.text for found in browser.find_elements(By.CSS_SELECTOR, ".group .code")]


def inputs(browser: webdriver.Chrome, name: str) -> list[Any]:
    return browser.find_elements(By.CSS_SELECTOR, f'input[name="{name}"]')


def values(browser: webdriver.Chrome, name: str) -> list[str]:
    return [found.get_attribute("value") for found in inputs(browser, name)]


def test_a_case_is_typed_with_the_keyboard_alone(browser: webdriver.Chrome) -> None:
    field = inputs(browser, "dx")[0]
    field.send_keys("dnjs")  # 胆囊结石, by its initials
    until(browser, lambda: browser.find_element(By.CSS_SELECTOR, "#options [role=option]").is_displayed())
    field.send_keys(Keys.ARROW_DOWN, Keys.ENTER)
    until(browser, lambda: groups(browser))
    assert values(browser, "dx")[0].startswith("K80")
    field.clear()
    field.send_keys("K80.000x002", Keys.ENTER)
    until(browser, lambda: len(inputs(browser, "dx")) == 2)
    browser.switch_to.active_element.send_keys("I50.900", Keys.ENTER)
    proc = inputs(browser, "proc")[0]
    proc.send_keys("51.2300", Keys.ENTER)
    until(browser, lambda: groups(browser) == ["HC23", "HC43"])
    assert "腹腔镜下胆囊切除术" in browser.find_element(By.CSS_SELECTOR, '[data-list="proc"] output').text


DRAG = """
const [to, from] = arguments, data = new DataTransfer(), top = to.getBoundingClientRect().top + 1;
const send = (at, type) => at.dispatchEvent(
  new DragEvent(type, {dataTransfer: data, bubbles: true, cancelable: true, clientY: top}));
send(from, "dragstart"); send(to, "dragover"); send(from, "drop"); send(from, "dragend");
"""


def test_rows_are_moved_by_keys_and_by_hand(browser: webdriver.Chrome, site: str) -> None:
    browser.get(site + EXAMPLE)
    until(browser, lambda: groups(browser) == ["HC23", "HC43"])
    inputs(browser, "dx")[1].send_keys(Keys.ALT, Keys.ARROW_UP)
    until(browser, lambda: groups(browser)[0] == "FQY")
    assert values(browser, "dx") == ["I50.900", "K80.000x002"]
    browser.execute_script(DRAG, *browser.find_elements(By.CSS_SELECTOR, '[data-list="dx"] li[draggable]'))
    until(browser, lambda: groups(browser)[0] == "HC23")


def test_several_codes_are_pasted_and_dropped(browser: webdriver.Chrome) -> None:
    browser.execute_script(
        "const d = new DataTransfer(); d.setData('text', arguments[1]);"
        "arguments[0].dispatchEvent("
        "new ClipboardEvent('paste', {clipboardData: d, bubbles: true, cancelable: true}))",
        inputs(browser, "dx")[0],
        "K80.000x002 胆囊结石伴急性胆囊炎\nI50.900\tE11.900",
    )
    until(browser, lambda: groups(browser))
    assert values(browser, "dx") == ["K80.000x002", "I50.900", "E11.900"]
    browser.find_elements(By.CSS_SELECTOR, '[data-list="dx"] .drop')[2].click()
    assert values(browser, "dx") == ["K80.000x002", "I50.900"]


def test_two_areas_are_compared_with_their_money(browser: webdriver.Chrome, site: str) -> None:
    browser.get(site + PAID)
    said = browser.find_element(By.ID, "answer").text
    assert "8,655.99" in said and "11,154.45" in said
    cost = browser.find_element(By.ID, "f-total_cost")
    cost.clear()
    cost.send_keys("20000", Keys.TAB)
    until(browser, lambda: "20,000" in browser.find_element(By.CSS_SELECTOR, ".total_cost td").text)


def test_the_language_is_switched_and_stays(browser: webdriver.Chrome) -> None:
    browser.find_element(By.CSS_SELECTOR, ".lang").click()
    until(browser, lambda: "Diagnoses" in browser.find_element(By.ID, "ask").text)
    inputs(browser, "dx")[0].send_keys("I63.900", Keys.ENTER)
    until(browser, lambda: "Checks" in browser.find_element(By.ID, "answer").text)


@pytest.mark.parametrize("code", ["nonsense", "I63.9", "C34.900", "ＫＫ", "' OR 1=1 --", "K80.000x002;I10"])
def test_wrong_codes_are_told(browser: webdriver.Chrome, code: str) -> None:
    inputs(browser, "dx")[0].send_keys(code, Keys.ENTER)
    until(browser, lambda: browser.find_element(By.CSS_SELECTOR, ".result .summary").text)
    assert "bad" not in browser.find_element(By.CSS_SELECTOR, "#answer > *").get_attribute("class").split()


def test_a_lost_session_is_told(browser: webdriver.Chrome) -> None:
    browser.delete_all_cookies()
    inputs(browser, "dx")[0].send_keys("I63.900", Keys.ENTER)
    until(browser, lambda: "重新打开页面" in browser.find_element(By.ID, "answer").text)


def test_it_prints(browser: webdriver.Chrome, site: str) -> None:
    browser.get(site + EXAMPLE)
    printed = base64.b64decode(browser.print_page())
    assert printed.startswith(b"%PDF") and len(printed) > 20_000


def test_two_at_once_see_their_own(browser: webdriver.Chrome, site: str) -> None:
    other = chromium()
    try:
        other.get(site + "/?lang=en")
        for each, code in ((browser, "I63.900"), (other, "J18.900")):
            inputs(each, "dx")[0].send_keys(code, Keys.ENTER)
        until(browser, lambda: groups(browser)[0].startswith("B"))
        until(other, lambda: groups(other)[0].startswith("E"))
        assert "Checks" in other.find_element(By.ID, "answer").text
    finally:
        other.quit()


PAGES = ["/", EXAMPLE, PAID, "/?lang=en&dx=C34.900", "/login", "/api", "/policies", "/policies/lishui/2022",
         "/browse?part=adrg&value=BR1", "/browse?q=ngs", "/compare?a=yunnan-2022&b=yunnan-2023"]  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_no_page_keeps_people_out(browser: webdriver.Chrome, site: str, page: str) -> None:
    browser.get(site + page)
    found = importlib.util.find_spec("axe_core_python")
    assert found and found.origin, "axe is missing: pip install 'grouper[slow]'"
    script = Path(found.origin).parent / "axe.min.js"
    browser.execute_script(script.read_text("utf-8"))
    browser.execute_script("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    told = browser.execute_async_script("axe.run(document, {}).then(arguments[arguments.length - 1])")
    serious = [
        (each["id"], [node["target"] for node in each["nodes"]])
        for each in told["violations"]
        if each["impact"] in SERIOUS
    ]
    assert told["passes"] and serious == []


@pytest.mark.parametrize("page", PAGES)
def test_pages_fit_the_screen_and_the_console_is_quiet(
    browser: webdriver.Chrome, site: str, page: str
) -> None:
    browser.get(site + page)
    wide = browser.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
    assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []
