"""``grouper group``: files of discharges in, the same rows with their groups out."""

from __future__ import annotations

from typing import Any

import click

from grouper.commands.options.reading import column_map, load_grouper, reading_options
from grouper.commands.options.shared import (
    BilingualCommand,
    both,
    lang_option,
    language,
    option,
    shared_option,
    to_option,
)
from grouper.commands.text.progress import progress_line


@click.command(
    cls=BilingualCommand,
    help=both(
        "给出院记录分组：每行加上 MDC、ADRG、DRG、状态和原因，行数和顺序不变。\n\n"
        "输入可以是 Parquet、CSV、JSONL、XLSX、结算清单 JSON 或目录，- 为标准输入。\n\n"
        "示例：grouper group 六月.parquet -o 六月分组.parquet --scheme zhejiang-2024",
        "Group discharges: every row comes back with MDC, ADRG, DRG, a status and a reason, in order.\n\n"
        "Inputs are Parquet, CSV, JSONL, XLSX, settlement-list JSON, or folders; - is standard input.\n\n"
        "Example: grouper group june.parquet -o june-grouped.parquet --scheme zhejiang-2024",
    ),
)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@option(
    "-o",
    "--output",
    required=True,
    metavar="OUT",
    help=both(
        "输出文件；按扩展名决定格式，- 为标准输出",
        "Output; its extension tells the format, - is standard output",
    ),
)
@to_option
@reading_options
@option("--prefix", default="", help=both("结果列名的前缀", "Prefix for the names of the result columns"))
@option(
    "--keep-personal",
    is_flag=True,
    help=both(
        "保留姓名、证件号等个人信息列（默认不载入）", "Keep columns with personal data (default: not loaded)"
    ),
)
@option(
    "--keep",
    multiple=True,
    metavar="COLUMN",
    help=both(
        "保留看起来含个人信息的这一列，可重复", "Keep this column although it looks personal; repeatable"
    ),
)
@option(
    "--drop",
    multiple=True,
    metavar="COLUMN",
    help=both("不载入这一列，可重复", "Leave this column out; repeatable"),
)
@option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help=both("分组线程数", "Threads that group"),
)
@shared_option
@lang_option
def group(inputs: tuple[str, ...], output: str, to: str | None, prefix: str, **options: Any) -> None:
    from grouper.commands.text.summary import summary_lines
    from grouper.grouping.files import group_files

    lang = language()
    grouper = load_grouper(options, lang, prefix)
    with progress_line() as progress:
        summary = group_files(
            grouper,
            inputs,
            output,
            layout=options["layout"],
            columns=column_map(options["column_map"]),
            input_format=options["input_format"],
            to=to,
            encoding=options["encoding"],
            sheet=options["sheet"],
            keep_personal=options["keep_personal"],
            keep=options["keep"],
            drop=options["drop"],
            workers=options["workers"],
            shared=options["shared"],
            progress=progress,
        )
    for line in summary_lines(summary, lang):
        click.echo(line, err=True)
