"""``grouper statement``: one hospital's statement of a month or a year."""

from __future__ import annotations

import json
from pathlib import Path

import click

from grouper.commands.options.shared import BilingualCommand, both, lang_option, language, option


@click.command(
    cls=BilingualCommand,
    writes=("folder",),
    help=both(
        "显示一家医院某月（默认最近一个月）或某年的对账单：金额、调整及其原因和条款。\n\n"
        "示例：grouper statement 结算湖 --hospital H33990100001 --month 2025-06 --xlsx 对账单.xlsx",
        "Show a hospital's statement of a month (default: the last) or a year: amounts, and what adjustments "
        "changed for whom and why.\n\n"
        "Example: grouper statement LAKE --hospital H33990100001 --month 2025-06 --xlsx statement.xlsx",
    ),
)
@click.argument("lake", type=click.Path(file_okay=False))
@option("--hospital", required=True, metavar="CODE", help=both("医院编码", "Code of the hospital"))
@option("--area", default="", help=both("地区（湖中有多个时）", "Area, where the lake holds several"))
@option("--month", default="", metavar="YYYY-MM", help=both("月份", "Month"))
@option("--year", default="", metavar="YYYY", help=both("年度（清算）", "Year, as cleared"))
@option("--json", "as_json", is_flag=True, help=both("以 JSON 输出", "Write JSON"))
@option(
    "--xlsx",
    "--html",
    "folder",
    type=click.Path(file_okay=False),
    metavar="FOLDER",
    help=both("把 Excel 和可打印网页写入目录", "Write the Excel file and the printable page into a folder"),
)
@lang_option
def statement(
    lake: str, hospital: str, area: str, month: str, year: str, as_json: bool, folder: str | None
) -> None:
    from grouper.commands.text.ledger import statement_lines
    from grouper.lake import Lake
    from grouper.settlement.show import statement_of, write_statement

    place = Lake(Path(lake))
    found = statement_of(place, hospital, area=area, period=month or year, yearly=bool(year))
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=1, default=str))
    else:
        for line in statement_lines(found, language()):
            click.echo(line)
    if folder:
        for path in write_statement(place, found["run"], hospital, Path(folder)):
            click.echo(str(path), err=True)
