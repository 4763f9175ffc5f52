"""What is told of amounts that pass between years: pages, statements, the terminal, the fund watch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastexcel

from grouper.commands.text.ledger import month_summary, statement_lines, year_summary
from grouper.lake import Lake
from grouper.lake.views import connect
from grouper.payment.policy.policy import find_policy
from grouper.report import ReportData, write_feeds
from grouper.report.measures import measure
from grouper.report.pages.page import page
from grouper.settlement.reports import paths, run_info
from grouper.settlement.show import read_run, statement_of, write_statement
from grouper.watch import watch

from . import settle_support as support

if TYPE_CHECKING:
    from .test_year_end import Files, World

APART = {"zh": "往年调整（不在应付内）", "en": "of earlier years (not in what is due)"}
LATER = {"zh": "其中以后年度已付", "en": "of it paid by later years"}


def total(lake: Lake, sql: str) -> Decimal:
    (row,) = support.rows(lake, f"SELECT coalesce({sql}, 0) AS n")
    return row["n"]  # type: ignore[no-any-return]


def _apart(lake: Lake) -> Decimal:
    """What January adjusted, all of it of December."""
    return total(lake, "(SELECT sum(difference) FROM adjustments_current WHERE year = 2026)")


def _data(lake: Lake, run: str, assumed: Mapping[str, str] | None = None) -> ReportData:
    record = read_run(lake, run)
    info = run_info(record, find_policy(record.run["policy_id"]), assumed or {})
    return ReportData.from_paths(paths(lake, record), info)


def page_of(lake: Lake, run: str, lang: str, assumed: Mapping[str, str] | None = None) -> str:
    """The page of a run."""
    data = _data(lake, run, assumed)
    return page(measure(data), data.info, lang)


def _paid(lake: Lake, run: str, lang: str) -> tuple[str, list[dict[str, Decimal]]]:
    """What the page says of payment, and its table: a row a hospital, their sums last."""
    part = page_of(lake, run, lang).split('id="clearing"')[1].split("</section>")[0]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr.*?</tr>", part)]
    header, *rows = cells
    numbers = [[_number(cell) for cell in row[1:]] for row in rows]
    return part, [dict(zip(header[1:], row, strict=True)) for row in numbers]


def _number(cell: str) -> Decimal:
    """A cell's number; the sum of all hospitals has no score."""
    return Decimal(cell.replace(",", "").replace("\u2212", "-")) if cell not in ("", "—") else Decimal("NaN")


def the_page_explains_what_is_paid(files: Files, world: World) -> None:
    for lang, told, prepaid, *parts in (
        ("zh", "应拨 = 本期预拨 + 往年调整 − ", "本期预拨", "本期应拨", "冲抵预付金", "稽核扣款",
         "结转下期（负为待扣）"),
        ("en", "payable = prepaid + earlier years − ", "prepaid", "payable", "advance offset",
         "audit deductions", "carried on (negative: to be taken)"),
    ):  # fmt: skip
        text, rows = _paid(world.before, "000002", lang)
        assert told in text and rows[-1][APART[lang]] == _apart(world.before) != 0
        for row in rows:
            assert row[prepaid] + row[APART[lang]] == sum(row.get(name, Decimal(0)) for name in parts)
        for lake, run in ((world.december, "000001"), (world.after, "000002")):
            text, rows = _paid(lake, run, lang)
            assert {APART[lang], LATER[lang]}.isdisjoint(rows[0])
            assert "往年" not in text and "earlier years" not in text
        text, rows = _paid(world.before, "000003", lang)
        assert rows[-1][LATER[lang]] == _apart(world.before) and APART[lang] not in rows[0]
        assert ("以后年度各月已付的本年调整" if lang == "zh" else "months of later years paid for") in text


def _hospital(lake: Lake, test: str) -> str:
    sql = f"SELECT hospital_code AS code FROM hospitals_current WHERE year = 2026 GROUP BY 1 HAVING {test}"
    return str(support.rows(lake, f"{sql} ORDER BY 1")[0]["code"])


def _statement(lake: Lake, hospital: str, folder: Path) -> tuple[str, dict[str, Any]]:
    """A hospital's statement of January as a page, and the workbook's first sheet: its lines' last value."""
    web, book, _ = write_statement(lake, "000002", hospital, folder)
    rows = fastexcel.read_excel(book).load_sheet(0, header_row=None).to_polars().rows()
    return web.read_text("utf-8"), {row[0]: row[-1] for row in rows if row[0]}


def the_statements_of_hospitals_explain_it(files: Files, world: World) -> None:
    lake, folder, label = world.before, files.folder / "statements", f"{APART['zh']}（元）"
    some = _hospital(lake, "sum(earlier_years) <> 0")
    for hospital in (some, _hospital(lake, "bool_and(earlier_years = 0)")):
        text, lines = _statement(lake, hospital, folder)
        rule = f"本期应拨 = 本期预拨{' + 往年调整' if hospital == some else ''} − 冲抵预付金"
        assert rule in text and any(rule in name for name in lines)
        assert (label in lines) == (label in text) == (hospital == some)
    own = f"(SELECT sum(earlier_years) FROM hospitals_current WHERE year = 2026 AND hospital_code = '{some}')"
    told = _statement(lake, some, folder)[1][label]
    assert Decimal(str(told)).quantize(Decimal("0.01")) == total(lake, own)
    feed = write_feeds(_data(lake, "000002"), files.folder / "feeds")[0]
    header, *rows = (line.split(",") for line in feed.read_text("utf-8-sig").splitlines())
    assert sum(Decimal(row[header.index("earlier_years")]) for row in rows) == _apart(lake)


def the_commands_tell_it(files: Files, world: World) -> None:
    apart = f"{_apart(world.before):,.2f}"
    zh, en = ("\n".join(month_summary(world.settled, lang)) for lang in ("zh", "en"))
    assert f"，其中往年 {apart} 元\n" in zh and f", {apart} of them of earlier years\n" in en
    some = _hospital(world.before, "sum(earlier_years) <> 0")
    for lang in ("zh", "en"):
        year = list(year_summary(world.cleared, lang))
        assert f"  {LATER[lang]} {apart}" in year and APART[lang] not in "\n".join(year)
        for yearly, period, words in ((False, "2026-01", APART), (True, "2025", LATER)):
            found = statement_of(world.before, some, period=period, yearly=yearly)
            assert words[lang] in "\n".join(statement_lines(found, lang))
        text = "\n".join(statement_lines(statement_of(world.december, some, period="2025-12"), lang))
        assert APART[lang] not in text and LATER[lang] not in text


def the_fund_watch_counts_dues(files: Files, world: World) -> None:
    """A case of December counts in December, as January left it; January has its own cases, and pools."""
    with connect(world.before) as connection:
        rows = watch(connection, "lishui", ["2025-12", "2026-01"]).to_pylist()
    found = {row["period"]: row["denominator"] for row in rows if row["indicator"] == "drg_fund_share"}
    used = {row["period"]: row["numerator"] for row in rows if row["indicator"] == "budget_use"}
    of_december = "pay_status = 'paid' AND record_id IN (SELECT record_id FROM cases_cleared)"
    now = total(world.before, f"(SELECT sum(settled_fund) FROM cases_effective WHERE {of_december})")
    assert found["2025-12"] == now != used["2025-12"]
    own = "pay_status = 'paid' AND year = 2026 AND row_kind = 'case'"
    january = total(world.before, f"(SELECT sum(settled_fund) FROM cases_current WHERE {own})")
    assert found["2026-01"] == january == used["2026-01"]
