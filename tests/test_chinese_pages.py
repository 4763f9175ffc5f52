"""The pages for officers, docs/zh: complete by what the program knows, in Chinese, with links that hold."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

from grouper.payment.price.inputs import DECIDED
from grouper.records.gate import REASONS as GATE_REASONS
from grouper.records.schema import CANONICAL
from grouper.settlement.corrections import KINDS
from grouper.settlement.reasons import REASONS

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "zh"
PAGES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.md"))
# Names of the field and of software that have no Chinese form in use.
NAMES = {
    "ADRG", "Arrow", "BE", "CB", "CHS", "CMI", "CSV", "CV", "DIP", "DRG", "DRGs", "English", "Excel", "GB",
    "GBK", "HQMS", "IB", "ID", "IJ", "JSON", "LF", "MDC", "OpenDRG", "PDF", "Parquet", "QR", "QY", "RE", "RG",
    "UTF",
}  # fmt: skip


@cache
def text(page: str) -> str:
    return (FOLDER / page).read_text(encoding="utf-8")


def prose(page: str) -> str:
    """What is read as Chinese: no code, no addresses, no formulas, no letters of a formula."""
    found = re.sub(r"^```.*?^```$|^    .*?$|<!--.*?-->", "", text(page), flags=re.DOTALL | re.MULTILINE)
    found = re.sub(r"``?[^`\n]*``?", "", found)
    return re.sub(r"\]\([^)]*\)|https?://\S+", "]", found)


def slug(heading: str) -> str:
    """The anchor that a heading gets: lower case, marks left out, blanks as hyphens."""
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", heading.strip().lower()))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_pages_and_headings(page: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", text(page)):
        name, _, anchor = target.partition("#")
        path = (FOLDER / page).parent / name if name else FOLDER / page
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(slug, headings), target


@pytest.mark.parametrize("page", PAGES)
def test_what_is_read_is_chinese(page: str) -> None:
    words = set(re.findall(r"[A-Za-z]{2,}", prose(page)))
    if page == "payment.md":  # tables of the registry: their words are told in tests/payment
        words -= {
            "kind",
            "mark",
            "primary",
            "care",
            "pool",
            "hospital",
            "tcm",
            "points",
            "day",
            "surgery",
            "death",
            "transfer",
            "min",
        }
    assert words <= NAMES, sorted(words - NAMES)


@pytest.mark.parametrize("page", [page for page in PAGES if page != "month.md"])
def test_the_english_page_and_the_chinese_page_lead_to_each_other(page: str) -> None:
    english = ROOT / "docs" / page
    up = "../" * page.count("/")
    assert f"[中文]({up}zh/{page})" in english.read_text(encoding="utf-8")
    assert f"[English](../{up}{page})" in text(page)


def test_the_readme_leads_to_every_page() -> None:
    readme = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")
    assert [page for page in PAGES if f"(docs/zh/{page})" not in readme] == []


def test_every_reason_of_a_row_is_told() -> None:
    for page, reasons in (("settlement.md", REASONS), ("records.md", GATE_REASONS)):
        assert [code for code in reasons if f"`{code}`" not in text(page)] == []


def test_words_of_a_statement_are_those_that_it_prints() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "grouper" / "report").rglob("*.py"))
    (said,) = re.findall(r"^## 医院怎样核对对账单\n(.*?)^## ", text("reports.md"), re.DOTALL | re.MULTILINE)
    printed = {"应付合计", "各月已预拨", "稽核扣款", "调整", "往年调整"}
    assert set(re.findall("“(.*?)”", said)) == printed
    assert [word for word in printed if word not in source] == []


def test_every_column_of_a_decision_is_told() -> None:
    assert [name for name in DECIDED if f"`{name}`" not in text("payment.md")] == []


def test_every_kind_of_correction_is_told() -> None:
    assert [kind for kind in KINDS if f"| `{kind}`" not in text("settlement.md")] == []


def test_every_canonical_column_is_told() -> None:
    assert [name for name in CANONICAL if f"`{name}`" not in text("records.md")] == []


@pytest.mark.parametrize("page", PAGES)
def test_files_in_toml_can_be_read(page: str) -> None:
    for block in re.findall(r"```toml\n(.*?)```", text(page), re.DOTALL):
        tomllib.loads(block)
