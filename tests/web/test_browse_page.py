"""Schemes, codes, changes and policies as pages: what the command line says of them."""

from __future__ import annotations

from html import unescape

import pytest

from ..in_process import call
from .served import client
from .test_case_page import foreign, read


def said(*arguments: str) -> list[str]:
    code, out, _ = call(*arguments)
    assert code == 0
    return out.decode().splitlines()


@pytest.mark.parametrize(
    ("query", "flags"),
    [
        ("scheme=chs-drg-2.0", ()),
        ("scheme=chs-drg-2.0&part=mdc&value=MDCB", ("--mdc", "MDCB")),
        ("scheme=chs-drg-2.0&part=adrg&value=BR1", ("--adrg", "BR1")),
        ("scheme=chs-drg-2.0&part=drg&value=BR11", ("--drg", "BR11")),
        ("scheme=chs-drg-2.0&part=list&value=BR1.dx", ("--list", "BR1.dx")),
        ("scheme=dip-3.0-example&part=code&value=I63.900", ("--code", "I63.900")),
    ],
)
def test_a_part_of_a_scheme_is_what_tables_show_says(query: str, flags: tuple[str, ...]) -> None:
    scheme = query.removeprefix("scheme=").partition("&")[0]
    page = unescape(client().get(f"/browse?{query}").text)
    lines = said("tables", "show", scheme, *flags)
    assert lines and "\n".join(lines) in page


def test_a_group_leads_to_its_lists() -> None:
    assert "part=list&amp;value=BR1.dx" in client().get("/browse?part=adrg&value=BR1").text


def test_codes_and_groups_are_found_and_lead_on() -> None:
    page = client().get("/browse?scheme=chs-drg-2.0&q=ngs").text
    assert "I63.900" in page and "part=code&amp;value=I63.900" in page
    led = read(client().get("/browse?scheme=chs-drg-2.0&part=code&value=I63.900").text)
    assert "BR21" in led and "主要诊断" in led


def test_two_schemes_are_compared() -> None:
    page = unescape(client().get("/compare?a=zhejiang-2022&b=zhejiang-2022").text)
    assert "没有差别" in page
    changed = said("tables", "diff", "yunnan-2022", "yunnan-2023")
    page = unescape(client().get("/compare?a=yunnan-2022&b=yunnan-2023").text)
    assert changed and changed[0] in page and changed[-1] in page
    assert client().get("/compare?a=chs-drg-2.0&b=dip-3.0-example").status_code == 422


def test_policies_stand_with_their_sources() -> None:
    assert "/policies/lishui/2022" in client().get("/policies").text
    page = unescape(client().get("/policies/lishui/2022").text)
    assert all(line in page for line in said("policy", "show", "lishui/2022"))
    assert "来源" in page


@pytest.mark.parametrize(
    "path",
    ["/browse?scheme=/etc", "/browse?scheme=chs-drg-2.0&part=adrg&value=XXX", "/browse?part=x&value=y",
     "/browse?part=code&value=nonsense", "/compare?a=x", "/policies/x/y", "/policies/../x"],
)  # fmt: skip
def test_what_is_not_there_is_told(path: str) -> None:
    answer = client().get(path)
    assert answer.status_code in (404, 422) and 'role="alert"' in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/browse",
        "/browse?q=51.23",
        "/compare?a=yunnan-2022&b=yunnan-2023",
        "/policies",
        "/policies/lishui/2022",
        "/api",
    ],
)
def test_they_are_chinese(path: str) -> None:
    assert not foreign(read(client(lang="zh").get(path).text)) - {"JSON"}
