"""``grouper watch``: the indicators of the reform plans from a lake, with their warning lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import click

from grouper.base.whole import write_text
from grouper.commands.options.shared import (
    BilingualCommand,
    both,
    database_options,
    lang_option,
    language,
    option,
    say,
)
from grouper.commands.text.aligned import aligned
from grouper.watch import said

if TYPE_CHECKING:
    import pyarrow as pa

_FILE = click.Path(exists=True, dir_okay=False)
_HEAD = {
    "zh": ("状态", "指标", "数值", "单位", "目标", "警戒线", "核实"),
    "en": ("state", "indicator", "value", "unit", "target", "lines", "verified"),
}


@click.command(
    cls=BilingualCommand,
    writes=("flagged_output",),
    help=both(
        "基金监测：由结算湖的当前数据计算改革方案所定的指标，按月、季、半年，并与警戒线比较。\n\n"
        "已过年度尚未清算的，按国家规定的期限提醒（90天内关注，30天内或逾期预警）。\n\n"
        "湖中没有的数据（收入、累计结余、基金总支出等）由 --facts 给出；缺数据的指标注明“未计算”和所缺。"
        "定义见 docs/watch.md。\n\n"
        "示例：grouper watch 湖 --area lishui --period 2025Q2 --facts 基金月报.toml -o 监测.csv",
        "Fund watch: the indicators that the reform plans set, from the current tables of a lake, by month, "
        "quarter and half-year, held against their warning lines.\n\n"
        "A year that is over and not cleared is warned of by the national deadline (watch from 90 days, "
        "alarm from 30 days before).\n\n"
        "What the lake cannot know (income, accumulated balance, whole expenditure) comes from --facts; an "
        "indicator that lacks something says so and is not computed. docs/watch.md has the definitions.\n\n"
        "Example: grouper watch LAKE --area lishui --period 2025Q2 --facts fund.toml -o watch.csv",
    ),
)
@click.argument("lake", type=click.Path(), metavar="LAKE")
@option("--area", required=True, metavar="AREA", help=both("地区", "Area"))
@option(
    "--period",
    multiple=True,
    metavar="PERIOD",
    help=both(
        "期间：2025-06、2025Q2、2025H1 或 2025，可重复（默认湖中各月及完整的季、半年、年）",
        "2025-06, 2025Q2, 2025H1 or 2025; repeatable (default: every month, and what they make up in whole)",
    ),
)
@option(
    "--indicators",
    type=_FILE,
    metavar="FILE.toml",
    help=both("指标文件（默认该地区随附的，否则通用的）", "Indicators (default: those shipped for the area)"),
)
@option(
    "--facts", type=_FILE, metavar="FILE.toml", help=both("外部数据", "Figures that the lake cannot know")
)
@option(
    "-o",
    "--output",
    metavar="OUT",
    help=both(
        "写入 CSV、JSON、JSONL、Parquet 或 XLSX（- 为标准输出的 JSON）",
        "CSV, JSON, JSONL, Parquet or XLSX; - is JSON",
    ),
)
@option(
    "--flagged",
    "flagged_output",
    metavar="OUT",
    help=both("另写可疑支付的记录号", "Also write the record ids of suspicious payments"),
)
@option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help=both(
        "按此日计清算期限的剩余天数（默认今天）", "Day from which the days to clearing deadlines count"
    ),
)
@database_options
@lang_option
def watch(
    lake: str,
    area: str,
    period: tuple[str, ...],
    indicators: str | None,
    facts: str | None,
    output: str | None,
    flagged_output: str | None,
    as_of: datetime | None,
    memory: str,
    threads: int,
) -> None:
    from grouper.fitting.sums import workspace
    from grouper.watch import deadlines, definitions, table
    from grouper.watch.lake import open_lake
    from grouper.watch.table import STATES

    chosen = definitions.load(area, indicators)
    with workspace(memory, threads) as connection:
        open_lake(lake, connection)
        rows = table.watch(connection, area, period or None, indicators=chosen, facts=facts)
        if flagged_output:
            found = table.flagged(connection, area, period or None, indicators=chosen)
            number = _write(flagged_output, found.schema, found, private=True)
            say(f"可疑记录 {number:,} 条，写入 {flagged_output}", f"{number:,} flags in {flagged_output}")
        day = as_of.date() if as_of else date.today()
        clearings = deadlines.open_clearings(connection, area, day)
    for clearing in clearings:
        mark = STATES[clearing.state]
        say(f"{mark[0]}：{clearing.text('zh')}", f"{mark[1]}: {clearing.text('en')}")
    if not chosen.own:
        say(
            f"{area} 没有自己的指标文件，用通用指标；可用 --indicators 指定",
            f"{area} has no indicators of its own: the common ones serve; --indicators names others",
        )
    if output == "-":
        click.echo(_json(rows))
        return
    if output and output.lower().endswith(".json"):
        _write_json(output, rows)
    elif output:
        _write(output, rows.schema, rows.to_batches())
    for line in report(rows, language()):
        click.echo(line)


def report(rows: pa.Table, lang: str) -> Iterator[str]:
    """The rows as aligned lines, one table for each period, in one language."""
    from grouper.watch.definitions import KINDS, UNITS
    from grouper.watch.table import STATES

    zh = lang != "en"
    which = 0 if zh else 1
    for period in dict.fromkeys(rows["period"].to_pylist()):
        own = [row for row in rows.to_pylist() if row["period"] == period]
        yield f"{own[0]['area']} {period}"
        table: list[tuple[str, ...]] = [_HEAD["zh" if zh else "en"]]
        for row in own:
            kind = f" {KINDS[row['kind']][which]}" if row["kind"] else ""
            table.append(
                (
                    STATES[row["state"]][which],
                    row["zh" if zh else "en"],
                    "—" if row["value"] is None else f"{row['value']:,.{row['digits']}f}",
                    UNITS[row["unit"]][1:][which],
                    f"{said.target(row['target'], UNITS[row['unit']][1], zh)}{kind}"
                    if row["target"]
                    else "—",
                    _lines(row, zh),
                    _verified(row, zh),
                )
            )
        yield from aligned(table, right={2}, indent="  ")
        yield from _notes(own, zh)


def _lines(row: dict[str, Any], zh: bool) -> str:
    from grouper.watch.definitions import UNITS

    told = said.lines(row["watch_line"], row["alarm_line"], UNITS[row["unit"]][1:])
    return told[not zh] if told else ("无" if zh else "none")


def _verified(row: dict[str, Any], zh: bool) -> str:
    """Empty where all is verified, else what is not."""
    words = {"definition": "定义", "base": "基期", "target": "目标", "lines": "警戒线"}
    parts = [part for part in row["unverified"].split(", ") if part]
    if not parts:
        return "已核实" if zh else "yes"
    return f"未核实：{'、'.join(words[part] for part in parts)}" if zh else f"not: {', '.join(parts)}"


def _notes(rows: list[dict[str, Any]], zh: bool) -> Iterator[str]:
    """What lacks, and what was left out: by text, with the indicators that it concerns."""
    found: dict[str, list[str]] = {}
    for row in rows:
        note = row["note_zh" if zh else "note_en"]
        if note:
            found.setdefault(note, []).append(row["zh" if zh else "en"])
    for note, names in found.items():
        yield f"  * {note}{'：' if zh else ': '}{('、' if zh else ', ').join(names)}"


def _json(rows: pa.Table) -> str:
    return json.dumps(rows.to_pylist(), ensure_ascii=False, indent=1, default=str)


def _write_json(path: str, rows: pa.Table) -> None:
    """One JSON list; the file appears when it is whole."""
    write_text(path, _json(rows) + "\n")


def _write(path: str, schema: pa.Schema, batches: Any, private: bool = False) -> int:
    """Write batches in the format that the name tells; returns the rows."""
    from grouper.base.output import Output, output_format

    number = 0
    with Output(path, output_format(path, None), private=private) as out:
        writer = out.open(schema)
        for batch in batches:
            writer.write(batch)
            number += batch.num_rows
    return number
