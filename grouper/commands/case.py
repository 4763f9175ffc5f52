"""``grouper case``: everything that can be told of one record before it is submitted."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from grouper.base.errors import UsageError
from grouper.commands.options.reading import column_map, file_options, stay_option
from grouper.commands.options.record import from_options, record_options
from grouper.commands.options.shared import DATE, BilingualCommand, both, day, lang_option, language, option


@click.command(
    cls=BilingualCommand,
    help=both(
        "提交前问一条记录：入哪个组、为什么、支付多少、离各界限多远、缺什么，以及同一记录换主要诊断、"
        "换主要手术操作等的核对。可同时问几个方案和几个政策。\n\n"
        "记录用选项给出，或从标准输入读 JSON（SOURCE 为 -），或取 JSON 文件（一条记录），"
        "或取表格文件中的一行（加 --record-id）。"
        "个人信息不会进入，也不会输出；金额不齐时列出缺什么，只有用 --pool-share 写明占比和来源才估计。\n\n"
        "示例：grouper case --dx K80.000x002 --proc 51.2300 --sex 1 --age 60 --los 6 --policy lishui "
        "--when 2025-06-10 --set total_cost=12000 --set hospital_level=3 --set insurance_type=310",
        "Ask about one record before it is submitted: which group, why, what would be paid, how far each "
        "limit is, what is missing; and the same record with another principal diagnosis or main procedure, "
        "to check it. Several schemes and policies may be asked at once.\n\n"
        "The record comes from options, as JSON from standard input (SOURCE is -), from a JSON file of "
        "one record, or from a row of a table (with --record-id). Personal data stop at the door. What is "
        "missing is listed; amounts of the funds are estimated only with --pool-share and its source.\n\n"
        "Example: grouper case --dx K80.000x002 --proc 51.2300 --sex 1 --age 60 --los 6 --policy lishui "
        "--when 2025-06-10 --set total_cost=12000 --set hospital_level=3 --set insurance_type=310",
    ),
)
@click.argument("source", required=False, metavar="[SOURCE]")
@option(
    "--record-id",
    "--record",
    help=both("文件中的记录号（或结算号、就诊号、病案号）", "Id of the record in the file"),
)
@option(
    "--scheme",
    "schemes",
    multiple=True,
    metavar="ID|AREA|FOLDER",
    help=both("分组方案，可重复；--policy 自带其方案", "Scheme; repeatable. A --policy brings its own"),
)
@option(
    "--policy",
    "policies",
    multiple=True,
    metavar="ID|AREA|FILE",
    help=both("支付政策，可重复", "Policy; repeatable"),
)
@option(
    "--when",
    type=DATE,
    metavar="YYYY-MM-DD",
    help=both("支付参数的日期（默认出院日期）", "The day of the parameters (default: of discharge)"),
)
@record_options
@file_options
@option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help=both(
        "记录的其他列，例如 total_cost=15000，可重复", "Another column, such as total_cost=15000; repeatable"
    ),
)
@option(
    "--pool-share",
    metavar="SHARE",
    help=both(
        "未结算时统筹基金占总费用的比例（0 至 1），须写明 --share-source；由它估计的列会标明",
        "What the pool mostly pays of the total cost (0 to 1), for a case that is not settled yet; needs "
        "--share-source, and what it estimates is marked",
    ),
)
@option(
    "--fund-share",
    metavar="SHARE",
    help=both(
        "基金合计占总费用的比例（默认同 --pool-share）", "The same of all funds (default: as --pool-share)"
    ),
)
@option("--share-source", metavar="TEXT", help=both("上述占比的来源", "Where these shares come from"))
@option(
    "--what-if",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    help=both(
        "改变政策参数，例如 base_rate=11000，可重复",
        "Change a parameter, such as base_rate=11000; repeatable",
    ),
)
@stay_option(
    "住院天数：按列，或由日期推算（nights 出院减入院，days 再加 1）",
    "Stay: as given, or from the dates (nights: discharge minus admission; days: one more)",
)
@option(
    "--no-alternatives",
    is_flag=True,
    help=both("不列换主要诊断、主要手术操作等的核对", "Leave out the record arranged otherwise"),
)
@option(
    "--json", "as_json", is_flag=True, help=both("输出 JSON（docs/case.md）", "Write JSON (docs/case.md)")
)
@lang_option
def case(
    source: str | None,
    schemes: tuple[str, ...],
    policies: tuple[str, ...],
    when: datetime | None,
    settings: tuple[str, ...],
    changes: tuple[str, ...],
    no_alternatives: bool,
    as_json: bool,
    stay: str,
    **options: Any,
) -> None:
    from grouper.payment.explain.row import parse_settings
    from grouper.workbench.case import case as ask

    record = _record(source, options)
    if isinstance(record, Mapping):
        record = {**record, **parse_settings(settings)}
    answer = ask(
        record,
        schemes,
        policies,
        day(when),
        lang=language(),
        funds=_funds(options),
        what_if=parse_settings(changes, "--what-if") or None,
        stay=stay,
        alternatives=not no_alternatives,
    )
    click.echo(json.dumps(answer.as_dict(), ensure_ascii=False, indent=1) if as_json else answer.text())


def _record(source: str | None, options: dict[str, Any]) -> Any:
    from grouper.records.jsonfile import one_value

    record_id, table = options["record_id"], source not in (None, "-") and Path(str(source))
    if source is None:
        return from_options(options)
    if table and record_id is not None:
        from grouper.grouping.find import find_row

        names = {"layout": "layout", "input_format": "file_format", "encoding": "encoding", "sheet": "sheet"}
        reading = {given: options[name] for name, given in names.items()}
        return find_row(source, record_id, columns=column_map(options["column_map"]), **reading)
    if table and table.suffix.lower() in (".csv", ".xlsx", ".xls", ".parquet"):
        raise UsageError(
            zh=f"从 {source} 取记录时请用 --record-id 指明哪一条",
            en=f"name the record of {source} with --record-id",
        )
    if source == "-":
        return one_value(sys.stdin.read())
    try:
        return one_value(Path(source).read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            zh=f"无法读取 {source}；应为 UTF-8 的 JSON 文件（一条记录）。表格中的记录加 --record-id",
            en=f"cannot read {source}: it should be a JSON file of one record, in UTF-8. For a record of a "
            "table name it with --record-id",
        ) from error


def _funds(options: dict[str, Any]) -> dict[str, Any] | None:
    """The shares of the funds; a share without --pool-share is an error of its own."""
    given = {"pool": options["pool_share"], "funds": options["fund_share"], "source": options["share_source"]}
    found = {name: value for name, value in given.items() if value is not None}
    return found or None
