"""The page of a run: all its parts are there, its sums are those of the tables, texts stay texts."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from grouper.base.errors import UsageError
from grouper.payment.policy.areas import area_name
from grouper.payment.policy.policy import policy_files
from grouper.report import Paths, ReportData, write_month, write_year
from grouper.report.measures import measure
from grouper.report.numbers import Lang, number, yuan
from grouper.report.pages.sources import named
from grouper.report.statement import statement_page
from grouper.report.statement_rows import hospitals_of, read_statement

from .report_support import Sample

CHARTS = {
    "bridge-1", "bridge-2", "volume-cmi", "payment-cost", "payment-scatter", "hospital-gain", "group-gain",
    "ratios", "outlier-hospitals", "payable", "rejected",
}  # fmt: skip
PARTS = {
    "pools", "hospitals", "groups", "methods", "outliers", "clearing", "adjustments", "quality", "unverified",
    "checks", "provenance",
}  # fmt: skip
HOSTILE = "<script>alert(1)</script>\"'&医院"


class Page(HTMLParser):
    """The ids of a page, its tables by the section they stand in, and whether its tags match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.tags: Counter[str] = Counter()
        self.open: list[str] = []
        self.section = ""
        self.cells: dict[str, list[list[str]]] = {}
        self._cell: list[str] | None = None
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags[tag] += 1
        if found.get("id"):
            self.ids.append(str(found["id"]))
        if tag in ("section", "footer"):
            self.section = str(found["id"])
        if tag == "tr":
            self.cells.setdefault(self.section, []).append([])
        if tag in ("td", "th"):
            self._cell = []
        if tag != "meta" and not self.get_starttag_text().endswith("/>"):  # type: ignore[union-attr]
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open and tag not in ("rect", "line", "circle"):
            assert self.open.pop() == tag
        if tag in ("td", "th") and self._cell is not None:
            self.cells[self.section][-1].append("".join(self._cell))
            self._cell = None

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)


def pages(sample: Sample, folder: Path, **changes: Any) -> dict[str, str]:
    data = sample.data(**changes)
    write = write_year if data.info.yearly else write_month
    written = write(data, sample.run_info, folder)
    assert [p.name for p in written] == ["report.html", "report.en.html"]
    return {"zh": written[0].read_text("utf-8"), "en": written[1].read_text("utf-8")}


def decimal(text: str) -> Decimal:
    return Decimal(text.replace(",", "").replace("\u2212", "-"))


def column(page: Page, section: str, header: str) -> list[str]:
    """The cells below the first header of this name in a section, to the end of its table."""
    rows = page.cells[section]
    at = next(n for n, row in enumerate(rows) if header in row)
    place, width = rows[at].index(header), len(rows[at])
    found = []
    for row in rows[at + 1 :]:
        if len(row) != width:
            break
        found.append(row[place])
        if row[0] == "合计":
            break
    return found


@pytest.mark.parametrize("kind", ["month", "year", "scores"])
def test_every_part_and_chart_is_there(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    sample: Sample = request.getfixturevalue(kind)
    for text in pages(sample, tmp_path).values():
        page = Page(text)
        assert set(page.ids) >= PARTS | CHARTS
        assert ("months-cost" in page.ids) == (kind == "year")
        assert len(page.ids) == len(set(page.ids))
        assert page.tags["svg"] == page.tags["figure"]
        assert not {"script", "img", "link", "iframe", "object"} & set(page.tags)
        assert not re.search(r"(src|href)=\"(?!#)", text), "the page loads nothing"


@pytest.mark.parametrize("kind", ["month", "year", "scores"])
def test_charts_are_sound_and_keep_within_their_frame(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    for text in pages(request.getfixturevalue(kind), tmp_path).values():
        for drawing in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
            root = ElementTree.fromstring(drawing)
            width, height = (float(n) for n in root.attrib["viewBox"].split()[2:])
            for item in root.iter():
                box = item.attrib
                for name, most in (("x", width), ("cx", width), ("x1", width), ("y", height), ("cy", height)):
                    assert -0.01 <= float(box.get(name, 0)) <= most + 0.01, (name, box)
                if "width" in box:
                    assert float(box["width"]) >= 0 and float(box["x"]) + float(box["width"]) <= width + 0.01


def test_sums_of_the_page_are_the_sums_of_the_tables(month: Sample, tmp_path: Path) -> None:
    tables = month.tables()
    page = Page(pages(month, tmp_path)["zh"])
    *rows, total = column(page, "hospitals", "统筹应付（元）")
    whole = pc.sum(tables["hospitals"]["fund_due"]).as_py()
    assert sum(map(decimal, rows)) == decimal(total) == whole
    paid = tables["cases"].filter(pc.equal(tables["cases"]["pay_status"], "paid"))
    *rows, total = column(page, "hospitals", "总费用（元）")
    assert sum(map(decimal, rows)) == decimal(total) == pc.sum(paid["total_cost"]).as_py()
    *rows, total = column(page, "hospitals", "差额（元）")
    gain = pc.sum(paid["settled_income"]).as_py() - pc.sum(paid["total_cost"]).as_py()
    assert sum(map(decimal, rows)) == decimal(total) == gain
    assert sum(map(decimal, column(page, "methods", "支付（元）"))) == pc.sum(paid["settled_income"]).as_py()
    assert sum(map(decimal, column(page, "methods", "例数"))) == paid.num_rows
    *rows, total = column(page, "clearing", "本期应拨")
    assert sum(map(decimal, rows)) == decimal(total) == pc.sum(tables["hospitals"]["payable"]).as_py()
    *rows, total = column(page, "quality", "行数")
    assert sum(map(decimal, rows)) == decimal(total) == tables["rejected"].num_rows > 0
    assert (
        sum(map(decimal, column(page, "adjustments", "净额（元）")))
        == pc.sum(tables["adjustments"]["difference"]).as_py()
    )


def test_the_bridge_leads_from_the_budget_to_the_value(month: Sample, tmp_path: Path) -> None:
    text = pages(month, tmp_path)["en"]
    for pool in month.tables()["pools"].to_pylist():
        worth = pool["by_points"] + pool["person_paid"] + pool["other_funds"]
        told = f"value = {yuan(worth)} yuan ÷ {number(pool['points'], 4)} points = {pool['point_value']}"
        assert told in text
        assert yuan(pool["budget"]) in text and yuan(pool["distributable"]) in text


def test_the_ratio_bins_hold_every_case_with_a_ratio(month: Sample) -> None:
    figures = measure(month.data())
    rows = month.tables()["cases"].to_pylist()
    counted = [r for r in rows if r["pay_status"] == "paid" and r["outlier"] and r["cost_ratio"] is not None]
    assert sum(sum(parts.values()) for parts in figures.ratios) == len(counted) > 0
    assert figures.ratios[-1].get("high", 0) == sum(
        r["cost_ratio"] >= 3 and r["outlier"] == "high" for r in counted
    )
    low = sum(r["cost_ratio"] < Decimal("0.05") for r in counted)
    assert sum(figures.ratios[0].values()) == low


def test_a_table_that_disagrees_is_told_at_the_top(month: Sample, tmp_path: Path) -> None:
    table = month.tables()["hospitals"]
    place = table.column_names.index("fund_due")
    first, *others = table["fund_due"].to_pylist()
    raised = pa.array([first + Decimal("0.01"), *others], table["fund_due"].type)
    wrong = tmp_path / "hospitals.parquet"
    pq.write_table(table.set_column(place, "fund_due", raised), wrong)
    paths = Paths(**{**dict(month.paths.items()), "hospitals": [str(wrong)]})
    (path,) = write_month(paths, month.run_info, tmp_path, "en")
    text = path.read_text("utf-8")
    assert 'class="state bad"' in text and "DIFFERS" in text
    assert 'class="state bad"' not in pages(month, tmp_path)["en"]


def test_the_area_goes_by_its_name(month: Sample, tmp_path: Path) -> None:
    texts = pages(month, tmp_path)
    assert "<h1>月度结算报告 · 丽水市 · 2025-06</h1>" in texts["zh"]
    assert "<h1>Monthly settlement · Lishui · 2025-06</h1>" in texts["en"]
    assert "丽水市 <code>lishui</code> 2025-06" in texts["zh"]
    assert "Lishui <code>lishui</code> 2025-06" in texts["en"]
    with month.data().open() as query:
        statement = read_statement(query, hospitals_of(query)[0], month.data().info)
    assert "<dd>丽水市 2025-06</dd>" in statement_page(statement, month.data().info, "zh")


def test_large_runs_are_read_from_their_files(
    month: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept in memory for a small run changes nothing in what is told."""
    small = pages(month, tmp_path / "small")
    monkeypatch.setattr("grouper.report.data._SMALL", 0)
    assert pages(month, tmp_path / "large") == small


def test_every_area_with_a_policy_has_a_name() -> None:
    areas = {name.split("/")[0] for name in policy_files()} - {"base"}
    assert {area for area in areas if area_name(area) == (area, area)} == set()
    assert area_name("my-county") == ("my-county", "my-county")


def hostile(sample: Sample, folder: Path) -> Sample:
    """The sample with one hospital, one group, one reason and the note named by somebody who means harm."""
    paths = dict(sample.paths.items())
    spoilt = {"hospitals": "hospital_name", "cases": "group_name", "rejected": "reason_text_zh",
              "adjustments": "reason"}  # fmt: skip
    for name, column_ in spoilt.items():
        table = pa.concat_tables(map(pq.read_table, paths[name]))
        values = pa.array([HOSTILE] * table.num_rows)
        paths[name] = [str(folder / f"{name}.parquet")]
        place = table.column_names.index(column_)
        pq.write_table(table.set_column(place, column_, values), paths[name][0])
    info = {**sample.run_info, "note": HOSTILE, "who": HOSTILE, "area": HOSTILE}
    info["area_name"] = (HOSTILE, HOSTILE)
    info["inputs"] = [{"role": HOSTILE, "path": HOSTILE, "bytes": 1, "sha256": HOSTILE}]
    return Sample(Paths(**paths), info)


def test_hostile_texts_stay_texts(month: Sample, tmp_path: Path) -> None:
    sample = hostile(month, tmp_path)
    texts = list(pages(sample, tmp_path / "out").values())
    with sample.data().open() as query:
        code = hospitals_of(query)[0]
        statement = read_statement(query, code, sample.data().info)
    texts += [statement_page(statement, sample.data().info, lang) for lang in ("zh", "en")]
    for text in texts:
        assert "<script" not in text.lower()
        assert "&lt;script&gt;" in text
        Page(text)  # the tags still match
        for drawing in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
            ElementTree.fromstring(drawing)


def test_the_same_run_gives_the_same_bytes(month: Sample, tmp_path: Path) -> None:
    assert pages(month, tmp_path / "a") == pages(month, tmp_path / "b")


def test_languages_say_the_same(month: Sample, tmp_path: Path) -> None:
    found = {lang: Page(text) for lang, text in pages(month, tmp_path).items()}
    assert found["zh"].ids == found["en"].ids
    for tag in ("td", "th", "h3", "dd", "circle"):
        assert found["zh"].tags[tag] == found["en"].tags[tag] > 0


def test_persons_are_nowhere(month: Sample, tmp_path: Path) -> None:
    persons = set(month.tables()["cases"]["person_id"].to_pylist())
    for text in pages(month, tmp_path, pseudonymised=True).values():
        assert not persons & set(re.findall(r"\d{16}", text))


def test_unverified_parameters_are_listed_with_their_source(month: Sample, tmp_path: Path) -> None:
    page = Page(pages(month, tmp_path)["zh"])
    wanted = {named(p["name"], Lang("zh")) for p in month.run_info["parameters"] if not p["verified"]}
    assert set(column(page, "unverified", "参数")) == wanted != set()
    assert all(column(page, "unverified", "来源、条款"))


def test_a_run_without_more_than_it_needs(month: Sample, tmp_path: Path) -> None:
    """No rejected rows, no adjustments, no clearing, one pool's worth of columns."""
    paths = dict(month.paths.items())
    table = pq.read_table(paths["hospitals"][0])
    cleared = ("deposit", "prepaid", "deferred", "advance", "audit", "payable", "carried", "clauses")
    slim = tmp_path / "hospitals.parquet"
    pq.write_table(table.drop_columns([*cleared, "cmi", "county"]), slim)
    info = {name: month.run_info[name] for name in ("run", "kind", "area", "period", "software", "policy")}
    made = Paths(paths["cases"], [str(slim)], paths["pools"])
    for path in write_month(made, info, tmp_path):
        ids = Page(path.read_text("utf-8")).ids
        assert "clearing" not in ids and "rejected" not in ids and "adjustments" in ids


def test_what_cannot_be_reported_is_refused(month: Sample, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a year"):
        write_year(month.paths, month.run_info, tmp_path)
    with pytest.raises(UsageError, match="there is no file"):
        ReportData.from_paths(Paths(["none.parquet"], [], []), month.run_info)
    with pytest.raises(UsageError, match="run_info has no policy"):
        month.data(policy=None)


def test_a_page_tells_what_became_of_reviews(month: Sample, tmp_path: Path) -> None:
    paths = Paths(**dict(month.paths.items()))
    info = {**month.run_info, "reviews": {"over-quota": (3, 1_234_500), "taken": (2, 900_000)}}
    (path,) = write_month(paths, info, tmp_path, "zh")
    page = path.read_text(encoding="utf-8")
    assert "特例单议" in page and "超过上限，不按评审" in page and "12,345.00" in page
    (plain,) = write_month(paths, month.run_info, tmp_path, "zh")
    assert "超过上限，不按评审" not in plain.read_text(encoding="utf-8")


def test_a_page_tells_a_budget_far_from_the_standards(month: Sample, tmp_path: Path) -> None:
    """A pool at standards whose month has more than half as much again as they come to."""
    table = month.tables()["pools"]
    rows = table.to_pylist()
    rows[0] |= {
        "method": "standard", "bound": "budget", "point_value": "1.0000", "point_value_exact": "1",
        "by_points": Decimal("100.00"), "residual": Decimal("80.00"), "fund_balance": Decimal("0.00"),
    }  # fmt: skip
    changed = tmp_path / "pools.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), changed)
    paths = Paths(**{**dict(month.paths.items()), "pools": [str(changed)]})
    (path,) = write_month(paths, month.run_info, tmp_path, "zh")
    assert "1.8000 倍（不在 0.5 至 1.5 之间）" in path.read_text(encoding="utf-8")
