"""``grouper columns``: what a file's header is taken for, as a column map to edit."""

from __future__ import annotations

import click

from grouper.commands.options.reading import INPUT_FORMATS
from grouper.commands.options.shared import BilingualCommand, both, lang_option, option


@click.command(
    cls=BilingualCommand,
    help=both(
        "读取文件表头，提出一份列映射（TOML），修改后用 --columns 使用。\n\n"
        "示例：grouper columns 出院.csv > map.toml",
        "Read the header of a file and propose a column map (TOML) to edit and use with --columns.\n\n"
        "Example: grouper columns discharges.csv > map.toml",
    ),
)
@click.argument("file", metavar="FILE")
@option(
    "--format", "input_format", type=click.Choice(INPUT_FORMATS), help=both("文件格式", "Format of the file")
)
@option("--encoding", help=both("文本编码", "Text encoding"))
@option("--sheet", help=both("Excel 工作表名", "Name of the Excel sheet"))
@lang_option
def columns(file: str, input_format: str | None, encoding: str | None, sheet: str | None) -> None:
    from grouper.records import propose_map
    from grouper.records.source import read_header

    click.echo(propose_map(read_header(file, input_format, encoding, sheet)), nl=False)
