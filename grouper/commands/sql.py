"""``grouper sql``: ask a lake in SQL, with the standard measures and the grouper as a function."""

from __future__ import annotations

from pathlib import Path

import click

from grouper.base.output import FORMATS
from grouper.commands.options.shared import (
    BilingualCommand,
    both,
    lang_option,
    language,
    option,
)


@click.command(
    cls=BilingualCommand,
    help=both(
        "用 SQL 查询结算湖：有效病例、医院、基金池、名称表，标准指标，以及分组函数 drg(…)、dip(…)。"
        "不给出 QUERY 时列出全部表、视图和函数。\n\n"
        '示例：grouper sql 结算湖 "SELECT * FROM measures(hospital_code)" -o 指标.xlsx',
        "Ask a lake in SQL: cases as they stand, hospitals, pools, tables of names, the standard measures, "
        "and the grouper as drg(…) and dip(…). Without QUERY all tables, views and functions are listed.\n\n"
        'Example: grouper sql LAKE "SELECT * FROM measures(hospital_code)" -o measures.xlsx',
    ),
)
@click.argument("lake", type=click.Path(file_okay=False, path_type=Path))
@click.argument("query", required=False)
@option(
    "-o", "--output", default="-", metavar="FILE",
    help=both("结果文件：.parquet、.csv、.jsonl 或 .xlsx（默认 CSV 到标准输出）",
              "File of the result: .parquet, .csv, .jsonl or .xlsx (default: CSV on standard output)"),
)  # fmt: skip
@option(
    "--to",
    type=click.Choice(FORMATS),
    help=both("输出格式（默认由扩展名判断）", "Output format (default: by the extension)"),
)
@option(
    "--scheme", default="", metavar="SCHEME",
    help=both("drg(…)、dip(…) 所用方案（默认湖中最近一个月的方案）",
              "Scheme of drg(…) and dip(…) (default: that of the lake's last month)"),
)  # fmt: skip
@lang_option
def sql(lake: Path, query: str | None, output: str, to: str | None, scheme: str) -> None:
    from grouper.research.open import listing
    from grouper.research.query import write

    if query is None:
        width = max(len(name) for name, _ in listing("en"))
        for name, about in listing(language()):
            click.echo(f"{name:<{width}}  {about}")
        return
    write(lake, query, output, to or ("csv" if output == "-" else None), scheme=scheme)
