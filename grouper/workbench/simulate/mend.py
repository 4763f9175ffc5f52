"""Rows that are not grouped: what mends them, and what that is worth by what the record itself holds.

The dearest are looked at one by one, through ``grouper.case``; a bounded number of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa

from grouper.base.exact import decimal_of
from grouper.base.sql import scan
from grouper.grouping.find import named_row
from grouper.report.names import group_name
from grouper.report.numbers import Lang, yuan
from grouper.workbench.case import case
from grouper.workbench.simulate.cases import ungrouped_sql
from grouper.workbench.simulate.tables import Column, Reader, Table

MOST = 100  # rows that are looked at, the dearest first
_FINDINGS = 2  # findings of the checks that are told of a row


def mend(reader: Reader, grouped: str, asked: Mapping[str, Any], columns: Any, made: frozenset[str]) -> Table:
    """The rows without a good group. ``asked``: arguments of ``grouper.case`` (schemes, policy);
    ``columns``: the column map of the input; ``made``: columns that grouping made."""
    t, where = reader.t, ungrouped_sql()
    [whole] = reader.rows(
        f"SELECT count(*) AS n, coalesce(sum(total_cost), 0) AS cost FROM cases WHERE {where}"
    )
    found = reader.rows(f"SELECT * FROM cases WHERE {where} ORDER BY total_cost DESC, row LIMIT {MOST}")
    records = dict(_records(reader, grouped, [r["row"] for r in found], columns, made))
    rows, worth = [], Decimal(0)
    for r in found:
        how, group, difference = _mended(records[r["row"]], r, asked, t.code)
        worth += difference or 0
        rows.append(
            [
                r["record_id"] or "",
                *reader.places(r),
                reader.status_words(r),
                r["total_cost"],
                r["expected"],
                how
                or t(
                    "病历中没有可改正的内容，请查编码是否漏填、错填",
                    "the record holds nothing that mends it; look for codes that are left out or wrong",
                ),
                group,
                difference,
            ]
        )
    heads = [
        Column(t("记录号", "record"), width=20),
        *reader.places_columns(),
        Column(t("分组状态和原因", "status and reason"), width=30),
        Column(t("总费用（元）", "total cost (yuan)"), "money", 14),
        Column(t("现应得（元）", "income now (yuan)"), "money", 14),
        Column(t("如何改正", "what mends it"), width=60),
        Column(t("改正后病组", "group then"), width=26),
        Column(t("差额（元）", "difference (yuan)"), "money", 14),
    ]
    note = t(
        f"未入组、歧义组、缺数据和无效共 {whole['n']:,} 行，费用 {whole['cost']:,.2f} 元；逐例核查"
        f"其中费用最大的 {len(rows)} 行，"
        f"只重排记录中已有的编码，差额合计 {yuan(worth, True)} 元。这是核查线索，不是调高编码的建议"
        "，怎样编码以病历为准。",
        f"{whole['n']:,} rows of {whole['cost']:,.2f} yuan have no good group; the {len(rows)} dearest were "
        f"looked at. Only codes of the record are rearranged, {yuan(worth, True)} yuan in all. Thes"
        "e are leads for a "
        "check, never advice to code higher.",
    )
    return Table(
        t("待改正", "to mend"),
        t("未入组、歧义、缺数据的病例", "Rows without a good group"),
        heads,
        rows,
        None,
        note,
    )


def _records(
    reader: Reader, grouped: str, rows: list[int], columns: Any, made: frozenset[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows as records that ``grouper.case`` takes, by their number."""
    if not rows:
        return
    listed = ", ".join(str(row - 1) for row in rows)
    table = reader.connection.sql(
        f"SELECT * FROM {scan(grouped, numbered=True)} WHERE file_row_number IN ({listed})"
    ).to_arrow_table()
    numbers = table["file_row_number"].to_pylist()
    table = table.drop_columns([name for name in table.column_names if name in made | {"file_row_number"}])
    bound = columns.bind(table.column_names) if columns is not None else None
    for place, number in enumerate(numbers):
        batch: pa.RecordBatch = table.slice(place, 1).combine_chunks().to_batches()[0]
        yield number + 1, named_row(bound, batch) if bound is not None else batch.to_pylist()[0]


def _mended(
    record: Mapping[str, Any], r: Mapping[str, Any], asked: Mapping[str, Any], lang: str
) -> tuple[str, str, Decimal | None]:
    """What mends a row in words, the group that gives, and the difference of its amount in yuan."""
    told = case(record, when=r["pay_date"], lang=lang, **asked).as_dict()
    colon, semicolon = ("：", "；") if lang == "zh" else (": ", "; ")
    parts = [
        f"{lack['why']}{colon}{'请补填' if lang == 'zh' else 'fill in '}{lack['label']}"
        for lack in told["missing"]
        if any(name.startswith("scheme:") for name in lack["wanted_by"])
    ]
    for item in told["checks"]["items"][:1]:
        errors = [f for f in item["findings"] if f["severity"] == "error"]
        parts += [
            f"{f['text']}{semicolon}{f['mend']}" if f["mend"] else f["text"] for f in errors[:_FINDINGS]
        ]
    for item in told["alternatives"]["items"]:
        [group, *_] = item["schemes"]
        if item["kind"] in ("principal", "main") and group["status"] == "grouped":
            difference = next((p["difference"] for p in item["prices"] if p["difference"]), None)
            named = f"{group['group']} {group_name(group['group_name'], Lang(lang))}"
            return semicolon.join([*parts, _asking(item["text"], lang)]), named, decimal_of(difference)
    return semicolon.join(parts), "", None


def _asking(text: str, lang: str) -> str:
    return f"请核对是否应{text}" if lang == "zh" else f"check whether it should be: {text}"
