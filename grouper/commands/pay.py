"""``grouper pay``: grouped cases in, priced cases and statements out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from grouper.commands.options.reading import column_map, stay_option
from grouper.commands.options.shared import (
    DATE,
    BilingualCommand,
    both,
    day,
    interim_option,
    lang_option,
    language,
    memory_of,
    option,
    scheme_differs_option,
    shared_option,
)
from grouper.commands.text.progress import progress_line


@click.command(
    cls=BilingualCommand,
    beside=("-hospitals.csv", "-pools.csv", "-what-if.csv"),
    help=both(
        "按支付政策给已分组的病例计价：每例写出各步骤的列，另写医院结算表 STEM-hospitals.csv 和基金池汇总 "
        "STEM-pools.csv；给出 --budget 时按总额预算结算。\n\n"
        "GROUPED 为 grouper group 的结果（Parquet 或 CSV）。\n\n"
        "示例：grouper pay 六月分组.parquet --policy national/drg-rate -o 六月支付.parquet "
        "--what-if base_rate=11000",
        "Price grouped cases by a payment policy: every case gets the columns of its steps; beside it go the "
        "statement of hospitals STEM-hospitals.csv and the summary of pools STEM-pools.csv. With --budget "
        "the pools are settled.\n\n"
        "GROUPED is what grouper group wrote (Parquet or CSV).\n\n"
        "Example: grouper pay june-grouped.parquet --policy national/drg-rate -o june-paid.parquet "
        "--what-if base_rate=11000",
    ),
)
@click.argument("grouped", nargs=-1, required=True, metavar="GROUPED...")
@option(
    "--policy",
    required=True,
    metavar="ID|AREA|FILE",
    help=both("支付政策：id、地区或文件", "Policy: its id, an area, or a file"),
)
@option("-o", "--output", required=True, metavar="OUT.parquet", help=both("输出文件", "Output"))
@option(
    "--as-of",
    type=DATE,
    metavar="YYYY-MM-DD",
    help=both(
        "全部病例按这一天的参数（默认各按其日期）",
        "All cases take the parameters of this day (default: of their own)",
    ),
)
@option(
    "--date",
    type=click.Choice(["discharge_date", "settlement_date"]),
    default="discharge_date",
    show_default=True,
    help=both("按哪一列日期取参数", "The column of the day that chooses the parameters of a case"),
)
@option(
    "--hospitals",
    type=click.Path(exists=True, dir_okay=False),
    metavar="CSV",
    help=both(
        "医院属性：hospital_code 及 hospital_level、hospital_kind、county、alliance、hospital_coefficient",
        "Properties of hospitals: hospital_code with hospital_level, hospital_kind, county, alliance, "
        "hospital_coefficient",
    ),
)
@option(
    "--decisions",
    type=click.Path(exists=True, dir_okay=False),
    metavar="CSV",
    help=both(
        "逐例决定：record_id 及 special_review、unreasonable_cost、tcm_outcome 等",
        "Decisions by case: record_id with special_review, unreasonable_cost, tcm_outcome and others",
    ),
)
@option(
    "--columns",
    "columns_file",
    type=click.Path(exists=True, dir_okay=False),
    metavar="MAP.toml",
    help=both("列映射文件；grouper columns FILE 可生成", "Column map; `grouper columns FILE` proposes one"),
)
@option(
    "--budget",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE.toml",
    help=both("预算文件；按总额预算结算", "Budget file; the pools are then settled"),
)
@option(
    "--value",
    type=click.Choice(["settlement", "budget"]),
    default="settlement",
    show_default=True,
    help=both(
        "按结算点值或预算点值（用于 --budget）",
        "Settle at the settlement or the budget point value (with --budget)",
    ),
)
@scheme_differs_option
@stay_option(
    "住院天数的来源（默认与分组时相同），见 grouper group",
    "Where the stay comes from (default: as the files were grouped), see grouper group",
    default=None,
)
@interim_option
@option(
    "--what-if",
    "what_if",
    multiple=True,
    metavar="NAME=VALUE",
    help=both(
        "改变一个参数并与原政策按医院对比，可重复；按键取值的写 NAME.KEY=VALUE",
        "Change a parameter and compare by hospital with the policy as it is; repeatable; "
        "NAME.KEY=VALUE for one key",
    ),
)
@option("--threads", type=click.IntRange(1, 256), help=both("线程数（默认全部）", "Threads (default: all)"))
@option(
    "--memory",
    metavar="SIZE",
    callback=memory_of,
    help=both(
        "数据库内存上限，例如 4GB（默认：合计不超过可用内存的一半）",
        "Limit of memory of the database, such as 4GB (default: half of what is free, in all)",
    ),
)
@shared_option
@lang_option
def pay(
    grouped: tuple[str, ...],
    policy: str,
    output: str,
    as_of: datetime | None,
    columns_file: str | None,
    what_if: tuple[str, ...],
    stay: str | None,
    **given: Any,
) -> None:
    from grouper.commands.text.pay import report
    from grouper.payment.api import pay as run
    from grouper.payment.explain.row import parse_settings

    with progress_line() as progress:
        done = run(
            grouped,
            policy,
            output,
            as_of=day(as_of),
            columns=column_map(columns_file),
            stay=stay or "",
            what_if=parse_settings(what_if, "--what-if"),
            progress=progress,
            **given,
        )
    for line in report(done, language()):
        click.echo(line, err=True)
