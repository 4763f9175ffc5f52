"""``grouper coefficients``: grouped DIP cases in, the same rows with their auxiliary coefficients out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from grouper.commands.options.reading import column_map, file_options, parse_date, stay_option
from grouper.commands.options.shared import (
    BilingualCommand,
    both,
    lang_option,
    option,
    output_option,
    say,
    shared_option,
    to_option,
    with_options,
)
from grouper.commands.text.progress import progress_line

if TYPE_CHECKING:
    from grouper.coefficients.files import Summary


def _grouped(zh: str, en: str) -> str:
    """A help text of an option whose default is what the grouping says."""
    return both(f"{zh}（默认与分组时相同）", f"{en} (default: as the file was grouped)")


_reading = with_options(
    file_options,
    option("--prefix", help=_grouped("结果列名的前缀", "Prefix of the result columns")),
    option(
        "--codes",
        type=click.Choice(["insurance", "clinical"]),
        help=_grouped("编码版本", "Code edition of the input"),
    ),
    option(
        "--repair-codes/--no-repair-codes",
        default=None,
        help=_grouped("是否接受编码修复", "Whether repairs of codes are accepted"),
    ),
    stay_option(
        "住院天数的取法（默认与分组时相同）",
        "Where stays come from (default: as the file was grouped)",
        default=None,
    ),
    option(
        "--age-from",
        "age",
        type=click.Choice(["dates", "given"]),
        help=_grouped("年龄的取法", "Where ages come from"),
    ),
    option(
        "--age-days-unit",
        type=click.Choice(["days", "months"]),
        help=_grouped("不足一周岁年龄列的单位", "Unit of the column of ages under one year"),
    ),
    option(
        "--allow-missing",
        multiple=True,
        metavar="FIELD",
        help=_grouped(
            "可以没有的列；相应工具在 auxiliary_missing 中注明",
            "A column that may be missing; auxiliary_missing names the tools that lack it",
        ),
    ),
)


@click.command(
    cls=BilingualCommand,
    help=both(
        "DIP 辅助目录：给分组结果的每行加上所取的系数，多个命中只取最高者，按出院日期取当日的系数。\n\n"
        "增加的列：auxiliary_tool、auxiliary_class、auxiliary_coefficient、auxiliary_hits、"
        "auxiliary_missing。\n\n"
        "示例：grouper coefficients 分组.parquet -o 系数.parquet --parameters 本市辅助目录.toml",
        "The DIP auxiliary catalogue: every grouped row gets the coefficient that applies, the highest of "
        "those that hit, as of its day of discharge.\n\n"
        "Adds auxiliary_tool, auxiliary_class, auxiliary_coefficient, auxiliary_hits, "
        "auxiliary_missing.\n\n"
        "Example: grouper coefficients grouped.parquet -o cases.parquet --parameters city.toml",
    ),
)
@click.argument("inputs", nargs=-1, required=True, metavar="GROUPED...")
@output_option
@to_option
@option(
    "--parameters",
    required=True,
    metavar="NAME|PATH",
    help=both(
        "辅助目录参数（TOML，见 docs/coefficients.md）；内置的 coefficients-example 为虚构示例",
        "Parameters (TOML, docs/coefficients.md); the shipped coefficients-example is invented",
    ),
)
@option("--date-column", help=both("取系数的日期列（默认出院日期）", "Column of days (default: discharge)"))
@option("--as-of", metavar="YYYY-MM-DD", help=both("所有行用同一日期的系数", "One day for all rows instead"))
@option(
    "--variant-rows",
    type=click.Choice(["refuse", "one"]),
    default="refuse",
    show_default=True,
    help=both(
        "分值已含辅助分型的行：报错，或系数取 1",
        "Rows whose score already has an auxiliary class: refuse, or give them 1",
    ),
)
@_reading
@shared_option
@lang_option
def coefficients(inputs: tuple[str, ...], output: str, parameters: str, **given: Any) -> None:
    from grouper.coefficients.files import apply_files

    given["as_of"] = parse_date(given["as_of"], "--as-of")
    given["allow_missing"] = given["allow_missing"] or None
    columns = column_map(given.pop("column_map"))
    with progress_line() as progress:
        summary = apply_files(inputs, output, parameters, columns=columns, progress=progress, **given)
    _report(summary)


def _report(summary: Summary) -> None:
    """The summary on stderr."""
    whole = summary.parameters
    say(
        f"参数 {whole.id}（{whole.valid_from} 至 {whole.valid_to}），{summary.rows:,} 条记录",
        f"{whole.id} ({whole.valid_from} to {whole.valid_to}): {summary.rows:,} records",
    )
    for name, number in sorted(summary.counts.items(), key=lambda item: (-item[1], item[0])):
        tool = name.removeprefix("missing:")
        if tool != name:
            say(
                f"  {tool}  {number:,} 条缺少判断所需的数据（见 auxiliary_missing）",
                f"  {tool}  {number:,} lack what it asks (see auxiliary_missing)",
            )
        else:
            say(f"  {name or '未命中'}  {number:,}", f"  {name or 'none'}  {number:,}")
    without = summary.rows - sum(n for name, n in summary.counts.items() if not name.startswith("missing:"))
    if without:
        say(f"  无病种，不取系数  {without:,}", f"  without packet, no coefficient  {without:,}")
    if whole.unverified:
        names = ", ".join(whole.unverified)
        say(f"未核实的参数：{names}", f"Parameters not verified: {names}")
