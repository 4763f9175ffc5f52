"""The case page: what it shows is what the library answers, in the language that was asked for."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest

import grouper

from ..report.test_words import CODE, NAMES, WORD
from .served import EXAMPLE, RECORD, ask, client, texts

FORM = {"dx": ["K80.000x002", "I50.900"], "proc": ["51.2300"], "sex": "1", "age_years": "60"}
MONEY = {"los_days": "6", "total_cost": "12000", "hospital_level": "3", "insurance_type": "310",
         "discharge_date": "2025-06-10"}  # fmt: skip
# Short names of the field, keys and names of policies; ids of pools and tables of weights go by GROUPS.
FIELD = NAMES | {"ECMO", "CRRT", "MCC", "CC", "CHS", "API", "Alt", "ZJ"}
GROUPS = re.compile(r"表 [\w-]+|基金池 \w+|\bMDC[A-Z]\b|\b[A-Z]QY\b|\b[A-Z]_(?=歧义组)")


def read(page: str) -> str:
    return "\n".join(texts(page))


def foreign(said: str) -> set[str]:
    return set(WORD.findall(GROUPS.sub("", CODE.sub("", said)))) - FIELD


@pytest.mark.parametrize("page", ["/", EXAMPLE, "/login", "/nothing"])
def test_a_chinese_page_is_chinese(page: str) -> None:
    said = read(client(lang="zh").get(page).text)
    assert not foreign(said)
    assert (
        read(client().get(page + ("&" if "?" in page else "?") + "lang=en").text).isascii() or page == EXAMPLE
    )


def test_an_answer_with_money_is_chinese() -> None:
    said = read(ask(client(), FORM | MONEY | {"a": "lishui/2022", "b": "yulin/2024"}))
    assert "应付总额" in said and "8,655.99" in said and "11,154.45" in said
    assert not foreign(said)


def test_two_editions_stand_side_by_side() -> None:
    page = client().get(EXAMPLE).text
    for scheme in ("chs-drg-2.0", "chs-drg-3.0"):
        (found,) = grouper.case(RECORD, scheme, alternatives=False).schemes
        assert f'<b class="code">{found["group"]}</b> <span>{found["group_name"]}' in page


def test_the_order_of_codes_is_that_of_the_form() -> None:
    turned = ask(client(), FORM | {"dx": ["I50.900", "K80.000x002"], "a": "chs-drg-2.0"})
    (found,) = grouper.case(RECORD | {"diagnoses": ["I50.900", "K80.000x002"]}, "chs-drg-2.0").schemes
    assert f'<b class="code">{found["group"]}</b>' in turned and found["group"] == "FQY"


def test_a_blank_principal_diagnosis_is_missing_and_no_other_moves_up() -> None:
    page = ask(client(), FORM | {"dx": ["", "I50.900"], "a": "chs-drg-2.0"})
    assert "FT" not in page and "主要诊断" in read(page)
    assert '<span class="tag error">' in page or '"tag invalid"' in page


def test_checks_are_those_of_the_library() -> None:
    """A grey principal diagnosis (I10.x00 is none of the list) is found by its rule."""
    from grouper.checks import checked

    record = {"diagnoses": ["C34.900"], "sex": 1, "age_years": 60}
    wanted = [finding.text for finding in checked(record, "chs-drg-2.0").findings]
    page = ask(client(), {"dx": ["C34.900"], "sex": "1", "age_years": "60", "a": "chs-drg-2.0"})
    assert wanted and all(text in read(page) for text in wanted)


def test_the_label_of_alternatives_stands_with_them() -> None:
    page = read(client().get(EXAMPLE).text)
    assert page.index("不是调高编码的建议") < page.index("以 I50.900 心力衰竭 为主要诊断")


def test_a_link_holds_codes_sex_age_and_columns_only() -> None:
    page = ask(
        client(), FORM | MONEY | {"department": "DEP", "more": "hospital_kind=中医", "a": "lishui/2022"}
    )
    (link,) = re.findall(r'class="share" href="([^"]+)"', page)
    query = parse_qs(urlsplit(link.replace("&amp;", "&")).query)
    assert query == {
        "dx": FORM["dx"],
        "proc": ["51.2300"],
        "sex": ["1"],
        "age_years": ["60"],
        "a": ["lishui/2022"],
    }


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"a": "passwd"}, "没有方案"),
        ({"a": "../../etc/passwd"}, "没有政策"),
        ({"a": "chs-drg-2"}, "chs-drg-2.0"),
        ({"more": "no sign"}, "列名=值"),
        ({"pool_share": "0.6"}, "来源"),
        ({"pool_share": "6", "share_source": "x"}, "0 至 1"),
        ({"sex": "7"}, "性别取值无法识别"),
        ({"age_years": "-3"}, "年龄"),
        ({"total_cost": "abc", "a": "lishui/2022", "discharge_date": "2025-06-10"}, "total_cost"),
        ({"discharge_date": "2025-99-10", "a": "lishui/2022"}, "缺出院日期"),
        ({"dx": ["nonsense"]}, "nonsense"),
    ],
)  # fmt: skip
def test_wrong_input_is_told_and_nothing_breaks(form: dict[str, str], said: str) -> None:
    assert said in ask(client(), FORM | form)


def test_names_and_identity_numbers_never_come_back() -> None:
    page = ask(client(), FORM | {"more": "psn_name=王小明\nmdtrt_sn=11010519491231002X\nhospital_code=H1"})
    assert "王小明" not in page and "11010519491231002X" not in page


def test_what_is_typed_is_escaped() -> None:
    page = ask(client(), FORM | {"dx": ['<script>alert(1)</script>"'], "department": "<b>x</b>"})
    assert "<script>alert" not in page and "<b>x</b>" not in page


def test_codes_are_found_as_one_types() -> None:
    found = client().get("/codes", params={"q": "ngs", "of": "dx", "scheme": "chs-drg-2.0"}).text
    assert 'data-code="I63.900"' in found
    assert 'data-code="51.2300"' in client().get("/codes", params={"q": "51.23", "of": "proc"}).text
    assert "没有找到" in client().get("/codes", params={"q": "zzzzzz"}).text


def test_language_stays_with_the_session() -> None:
    browser = client()
    assert "Diagnoses" in browser.get("/?lang=en").text
    assert "Diagnoses" in browser.get("/").text
    assert "诊断" in browser.get("/?lang=zh").text and "Diagnoses" not in browser.get("/").text


def test_two_browsers_know_nothing_of_each_other() -> None:
    first, second = client(), client()
    first.get("/?lang=en")
    assert "Diagnoses" in first.get("/").text and "Diagnoses" not in second.get("/").text
