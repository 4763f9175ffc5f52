"""Chinese papers of all areas are Chinese: no word of the program, of another language, or of a file."""

from __future__ import annotations

import re
import zipfile
from html import unescape
from pathlib import Path

import pytest

from grouper.lake import Lake
from grouper.report import write_month, write_statements, write_year
from grouper.report.publication import write_publication
from grouper.settlement.month import settle_month
from grouper.settlement.orders import pay_order
from grouper.settlement.plan.year_job import YearJob
from grouper.settlement.sending import send_statements
from grouper.settlement.show import write_published
from grouper.settlement.year import clear_year

from ..settlement import settle_support as support
from .report_support import Sample

# Names of the field that have no Chinese form in use, and short names of operations in names of groups.
NAMES = {
    "ADRG", "CMI", "DIP", "DRG", "DRGs", "HIV", "MDC",
    "BAL", "CPAP", "CRT", "EMR", "ERCP", "ESD", "IMRT", "IVUS", "MDT", "PCNL", "TAPP", "TEVAP", "TULIP",
}  # fmt: skip
# Codes of groups, diagnoses, operations and hospitals; tokens of forms.
CODE = re.compile(
    r"\b[0-9a-f]{12,}\b|\b[A-Z]{1,4}\d[\w.+:/-]*|\b[A-Z]{2}[A-Z0-9]{1,2}\b(?=[ ,，、]|$)|\bR?QY\b"
)
WORD = re.compile(r"[A-Za-z][A-Za-z_]+|--\w+|[<>]=? \d|\bper_mille\b")
AREAS = ("tianmen", "lishui", "yulin", "liaocheng", "qingyang")


def texts_of(path: Path) -> list[str]:
    """What people read of a page (drawings too) or a workbook (names of sheets too); not what names files and
    digests: ``code`` of pages, the sheet 来历 of workbooks."""
    if path.suffix == ".html":
        page = re.sub(r"<(style|code)\b.*?</\1>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        return [unescape(text) for text in re.findall(r">([^<]+)<", page)]
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name).decode("utf-8") for name in book.namelist() if name.endswith(".xml")}
    sheets = re.findall(r'<sheet name="([^"]*)"', parts["xl/workbook.xml"])
    shared = re.findall(r"<si>.*?</si>", parts.get("xl/sharedStrings.xml", ""), re.DOTALL)
    found = list(sheets)
    for number, name in enumerate(sheets, 1):
        sheet = parts[f"xl/worksheets/sheet{number}.xml"]
        if name == "来历":
            continue
        cells = [shared[int(n)] for n in re.findall(r't="s"[^>]*><v>(\d+)</v>', sheet)]
        cells += re.findall(r"<is>.*?</is>", sheet, re.DOTALL)
        found += [unescape(re.sub(r"<[^>]*>", "", cell)) for cell in cells]
    return found


def foreign(path: Path) -> list[str]:
    """Words that no officer should have to read, each with its text."""
    return [
        f"{word}: {text.strip()[:80]}"
        for text in texts_of(path)
        for word in WORD.findall(CODE.sub(" ", text))
        if word not in NAMES
    ]


@pytest.mark.parametrize("kind", ["month", "year", "scores"])
def test_the_papers_of_a_run_are_chinese(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    sample: Sample = request.getfixturevalue(kind)
    data = sample.data()
    with data.open() as query:
        code = query.one("SELECT max(hospital_code) AS code FROM adjustments")["code"]
    (write_year if kind == "year" else write_month)(data, sample.run_info, tmp_path, "zh")
    write_statements(data, tmp_path, hospitals=[code])
    write_publication(data, tmp_path)
    papers = [path for path in tmp_path.iterdir() if path.suffix in (".html", ".xlsx")]
    assert len(papers) == 6
    assert [f"{path.name} {told}" for path in papers for told in foreign(path)] == []


@pytest.mark.slow
@pytest.mark.parametrize("area", AREAS)
def test_no_paper_has_a_word_that_is_not_chinese(area: str, tmp_path: Path) -> None:
    place = support.city(900, 0.03, (1, 2))
    lake = Lake(tmp_path / "lake")
    common = {"area": area, "allow_missing": ("payment_method",), "max_held": "0.5", "who": "李明"}
    for month in ("2025-01", "2025-02"):
        settle_month(lake, support.job(place, month, **common), reports=month == "2025-02")
    codes = [line.partition(",")[0] for line in (place / "hospitals.csv").read_text("utf-8").splitlines()[1:]]
    scores = support.corrections(
        tmp_path / "scores.csv",
        [{"kind": "quality", "hospital_code": code, "pool": "*", "score": "92"} for code in codes],
    )
    budget, given = str(place / "budget.toml"), (str(scores),)
    year = YearJob("2025", budget, area, corrections=given, partial=True, held_remain=True, who="李明")
    done = clear_year(lake, year)
    for run in ("000002", done.run):
        write_published(lake, run, tmp_path / "公示")
    send_statements(lake, "2025-02", tmp_path / "对账", who="李明", deadline="2025-05-01")
    pay_order(lake, "2025", tmp_path / "拨付", who="李明")
    papers = [path for path in tmp_path.rglob("*") if path.suffix in (".html", ".xlsx")
              and not path.name.endswith(".en.html")]  # fmt: skip
    assert len(papers) > 100
    assert [f"{path.name} {told}" for path in papers for told in foreign(path)] == []
