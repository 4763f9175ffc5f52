"""The cases of a hospital as a workbook of their own, written from columns: half of a month's work otherwise.

The statement (workbook.py) is laid out cell by cell, which is right for a page and eight times too slow for
a hundred thousand rows.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from grouper.base.output import FORMULA_SIGNS
from grouper.base.whole import whole_file
from grouper.payment.policy import words
from grouper.report.cells import neutral
from grouper.report.data import CAUSE, Query, RunInfo
from grouper.report.feeds import PERSONAL
from grouper.report.names import group_name
from grouper.report.numbers import Lang
from grouper.report.statement_rows import among

if TYPE_CHECKING:
    from rustpy_xlsxwriter import Format

_PROPERTIES, _MADE = "docProps/core.xml", b"2000-01-01T00:00:00Z"
ROWS = 1_048_575  # of a sheet below its header
_DOUBTFUL = r"^\s*[" + re.escape("".join(FORMULA_SIGNS)) + "]"
_PATTERNS = {"money": "#,##0.00", "points": "#,##0.0000", "count": "#,##0", "index": "0.0000", "text": "@"}

# Columns: name in the table, words, number format, width.
CASES: tuple[tuple[str, tuple[str, str], str, int], ...] = (
    ("record_id", ("记录号", "record"), "text", 20),
    ("settlement_id", ("结算号", "settlement"), "text", 20),
    ("record_no", ("病案号", "chart"), "text", 14),
    ("person_id", ("人员（假名）", "person (pseudonym)"), "text", 20),
    ("pool", ("基金池", "pool"), "text", 10),
    ("admission_date", ("入院", "admission"), "text", 11),
    ("discharge_date", ("出院", "discharge"), "text", 11),
    ("los_days", ("天数", "days"), "count", 6),
    ("group", ("病组", "group"), "text", 10),
    ("group_name", ("病组名称", "name of the group"), "text", 28),
    ("price_group", ("计价病组", "group priced"), "text", 10),
    ("row_kind", ("记录种类", "kind of row"), "text", 10),
    ("route", ("支付路径", "route"), "text", 16),
    ("method", ("方式", "method"), "text", 10),
    ("outlier", ("倍率", "outlier"), "text", 10),
    ("cost_ratio", ("费用倍率", "multiple"), "index", 10),
    ("total_cost", ("总费用（元）", "cost (yuan)"), "money", 14),
    ("case_value", ("病例价值（点或元）", "value (points or yuan)"), "points", 16),
    ("settled_points", ("结算点数", "points"), "points", 14),
    ("person_paid", ("个人支付（元）", "patients (yuan)"), "money", 14),
    ("other_funds", ("其他基金（元）", "other funds (yuan)"), "money", 14),
    ("pool_paid", ("按项目统筹（元）", "fund by item (yuan)"), "money", 14),
    ("settled_fund", ("统筹应付（元）", "fund due (yuan)"), "money", 14),
    ("settled_income", ("支付（元）", "payment (yuan)"), "money", 14),
    ("pay_status", ("状态", "status"), "text", 12),
    ("pay_reason", ("原因", "reason"), "text", 20),
)
ROW_KINDS: dict[str, words.Pair] = {
    "case": ("本期病例", "case of the period"),
    "late": ("迟报病例", "late case"),
    "corrected": ("更正病例", "corrected case"),
}
_WORDS = {
    "method": words.METHODS,
    "outlier": words.OUTLIERS,
    "pay_status": words.STATUSES,
    "row_kind": ROW_KINDS,
}


class Listed(NamedTuple):
    """Cases of several hospitals in words, each with its own: ``columns`` as in CASES."""

    columns: list[tuple[str, tuple[str, str], str, int]]
    tables: dict[str, pa.Table]


def list_cases(query: Query, codes: Sequence[str], info: RunInfo, t: Lang) -> Listed:
    """All cases of the hospitals; without the person unless person ids are keyed hashes."""
    charted = query.one("SELECT count(*) AS n FROM charts")["n"]
    shown = [
        column for column in CASES
        if (info.pseudonymised or column[0] not in PERSONAL) and (charted or column[0] != "record_no")
    ]  # fmt: skip
    names = ", ".join(f"{CAUSE} AS {name}" if name == "pay_reason" else f'"{name}"' for name, *_ in shown)
    found = query.table(
        f"SELECT hospital_code AS owner, {names} FROM all_cases LEFT JOIN charts USING (record_id) "
        f"WHERE {among(codes)} ORDER BY owner, coalesce(row_kind, 'case'), record_id"
    )
    table, place = _told(found, shown, info, t), 0
    tables = {code: table.slice(0, 0) for code in codes}
    for entry in pc.value_counts(found["owner"]).to_pylist():
        tables[entry["values"]] = table.slice(place, entry["counts"])
        place += entry["counts"]
    return Listed(shown, tables)


def write_case_book(path: Path, title: str, listed: Listed, code: str, info: RunInfo, t: Lang) -> None:
    """The cases of one of the hospitals as a workbook."""
    run = f"{info.run} {info.policy.get('id', '')} {info.seal}"
    kinds, widths = [kind for _, _, kind, _ in listed.columns], [width for *_, width in listed.columns]
    write_list(path, listed.tables[code], t("病例", "cases"), kinds, widths, title, run, t)


def write_list(
    path: Path,
    table: pa.Table,
    name: str,
    kinds: Sequence[str],
    widths: Sequence[int],
    title: str,
    footer: str,
    t: Lang,
) -> None:
    """A long list as a workbook, a second sheet where the first is full. ``table``: columns by their
    headings, texts as they may stand in a cell; ``kinds``: money, points, count, index or text of each.
    The same table gives the same bytes."""
    from rustpy_xlsxwriter import write_worksheets

    pieces = [table.slice(start, ROWS) for start in range(0, max(table.num_rows, 1), ROWS)]
    sheets = [(name if n == 1 else f"{name} {n}", piece) for n, piece in enumerate(pieces, 1)]
    names = [name for name, _ in sheets]
    header = _format("text", t).set_bold().set_background_color("#e5f0f4").set_text_wrap()
    with whole_file(path) as part:
        write_worksheets(
            sheets,
            str(part),
            freeze_panes={"general": {"row": 1, "col": 1}},
            column_widths={name: [float(width) for width in widths] for name in names},
            column_formats={name: [_format(kind, t) for kind in kinds] for name in names},
            header_format=dict.fromkeys(names, header),
            row_heights={name: {0: 30.0} for name in names},
            page_setup=dict.fromkeys(names, _page(title, footer)),
            autofilter=dict.fromkeys(names, table.num_rows > 0),
        )
        _dated(part)


def _dated(path: Path) -> None:
    """The date of making that all workbooks have: the clock would change the bytes. What lies before the
    properties, nearly the whole file, stays where it is."""
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as book:
        parts = sorted(book.infolist(), key=lambda part: part.header_offset)
        place = next(n for n, part in enumerate(parts) if part.filename == _PROPERTIES)
        texts = {part.filename: book.read(part) for part in parts[place:]}
        texts[_PROPERTIES] = re.sub(rb"\d{4}-\d\d-\d\dT[\d:]+Z", _MADE, texts[_PROPERTIES])
        book.filelist[:] = parts[:place]
        for name in texts:
            del book.NameToInfo[name]
        book.start_dir = parts[place].header_offset  # from here on the file is written anew
        for name, text in texts.items():
            book.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)


def _format(kind: str, t: Lang) -> Format:
    from rustpy_xlsxwriter import Format

    font = Format().set_font_name(t("微软雅黑", "Arial")).set_font_size(10)
    return font.set_num_format(_PATTERNS[kind])


def _page(title: str, run: str) -> dict[str, Any]:
    """A4 across, the width of two pages so that it can be read, with the header row, the record and the run
    on each."""
    return {
        "landscape": True, "paper_size": 9, "fit_to_pages": (2, 0), "repeat_rows": 0,
        "repeat_columns": 0,
        "margins": {"left": 0.5, "right": 0.5, "top": 0.6, "bottom": 0.6},
        "header": "&L" + title.replace("&", "&&")[:200], "footer": f"&L{run.replace('&', '&&')}&R&P / &N",
    }  # fmt: skip


def _told(
    table: pa.Table, shown: list[tuple[str, tuple[str, str], str, int]], info: RunInfo, t: Lang
) -> pa.Table:
    """The columns in words, by their headings; amounts as the numbers that a cell can hold."""
    routes = {name: (zh, en) for name, (zh, en) in info.routes.items()}
    columns = []
    for name, _, kind, _ in shown:
        column = table[name].combine_chunks()
        if kind != "text":
            columns.append(pc.cast(column, pa.int64() if kind == "count" else pa.float64()))
        elif name in ("pay_reason", "route"):
            columns.append(each_text(column, lambda text: t.own(words.reason(text, t.code, routes))))
        elif name == "group_name":
            columns.append(each_text(column, lambda text: neutral(group_name(text, t))))
        elif name == "pool":
            columns.append(each_text(column, t.pool))
        elif name in _WORDS:
            columns.append(each_text(column, partial(t.pair, _WORDS[name])))
        else:
            columns.append(neutral_column(pc.cast(column, pa.string())))
    return pa.table(columns, names=[t(*pair) for _, pair, _, _ in shown])


def each_text(column: pa.Array, said: Callable[[str], str]) -> pa.Array:
    """The texts of a column changed, each different one once."""
    coded = pc.dictionary_encode(column)
    told = [None if text is None else said(text) for text in coded.dictionary.to_pylist()]
    return pc.take(pa.array(told, pa.string()), coded.indices)


def neutral_column(column: pa.Array) -> pa.Array:
    """Texts as they may stand in a cell; few need to be looked at one by one."""
    doubtful = pc.match_substring_regex(column, _DOUBTFUL)
    return each_text(column, neutral) if pc.any(doubtful).as_py() else column
