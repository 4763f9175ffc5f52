"""``grouper columns``: what a file's header is taken for, as a column map to edit."""

from __future__ import annotations

import click

from grouper.commands.options.reading import INPUT_FORMATS
from grouper.commands.options.shared import BilingualCommand, both, lang_option, language, option, say


@click.command(
    cls=BilingualCommand,
    help=both(
        "读取文件的表头和前面的数据，提出一份列映射（TOML），修改后用 --columns 使用；"
        "没有找到的列和需要核对之处另写到屏幕。\n\n"
        "示例：grouper columns 出院.csv > map.toml",
        "Read the header of a file and its first rows, and propose a column map (TOML) to edit and use with "
        "--columns; what was not found and what to check goes to the screen, too.\n\n"
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
    from grouper.records.propose import draft, known_layout
    from grouper.records.sample import read_sample

    zh = language() != "en"
    sample = read_sample(file, input_format, encoding, sheet)
    if layout := known_layout(sample.header):
        say(f"记录格式已知：{layout}，不用列映射即可读取；下面的映射只在需要改动时使用",
            f"The layout of the file is known: {layout}. It is read without a column map; the one below is "
            "for changes only")  # fmt: skip
    made = draft(sample, "zh" if zh else "en")
    click.echo(made.text, nl=False)
    for chinese, english in made.notes:
        click.echo(chinese if zh else english, err=True)
    if made.missing:
        names = ("、" if zh else ", ").join(made.missing)
        click.echo(f"没有找到的列：{names}" if zh else f"Not found: {names}", err=True)
