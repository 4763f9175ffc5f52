"""``grouper catalogue``: a DIP catalogue from years of discharges with costs."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grouper.base.errors import UsageError
from grouper.base.exact import decimal_of
from grouper.base.whole import refuse_existing
from grouper.commands.options.reading import codes_options
from grouper.commands.options.shared import BilingualCommand, BilingualGroup, both, lang_option, option, say
from grouper.commands.weights import left_out_lines, method_lines, shown_riv, statistics_options

if TYPE_CHECKING:
    from grouper.fitting.catalogue import Built


@click.group(
    cls=BilingualGroup,
    help=both(
        "由历史数据建立 DIP 目录库。\n\n"
        "示例：grouper catalogue build 2024.parquet 2025.parquet -o dip --id my-dip --name 某市 --area a",
        "DIP catalogues from history.\n\n"
        "Example: grouper catalogue build 2024.parquet 2025.parquet -o dip --id my-dip --name 'My city' "
        "--area a",
    ),
)
@lang_option
def catalogue() -> None:
    pass


@catalogue.command(
    "build",
    cls=BilingualCommand,
    help=both(
        "由若干年的出院记录（任一已知格式，含费用）建立 DIP 目录库：病种、分值和质量报告。\n\n"
        "示例：grouper catalogue build 2024.parquet 2025.parquet -o dip --id my-dip --name 某市 --area a",
        "A DIP catalogue from years of discharges with costs (any known layout): core packets, mixed groups, "
        "scores, and a report on their quality.\n\n"
        "Example: grouper catalogue build 2024.parquet 2025.parquet -o dip --id my-dip --name 'My city' "
        "--area a",
    ),
)
@click.argument("history", nargs=-1, required=True, metavar="HISTORY...")
@option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help=both("目录库目录", "Folder to write"),
)
@option("--id", "catalogue_id", required=True, help=both("目录库 id", "Id of the catalogue"))
@option("--name", required=True, help=both("目录库名称", "Name of the catalogue"))
@option("--area", required=True, help=both("地区代号", "Area that the catalogue is for"))
@option(
    "--on",
    metavar="SCHEME",
    help=both(
        "为此目录（如 dip-3.0）的病种测算分值，并为其未入组病例建立本地综合病种",
        "Fit scores to the packets of this catalogue (dip-3.0), and local mixed groups for what none takes",
    ),
)
@option(
    "--allow-missing",
    multiple=True,
    metavar="FIELD",
    help=both("与 --on 同用：分组所需而数据没有的字段", "With --on: a field of grouping that the data lack"),
)
@statistics_options
@option(
    "--core",
    type=click.IntRange(1),
    default=15,
    show_default=True,
    help=both(
        "核心病种的临界值：年均病例数（按年度权重）", "Cases a year (weighted) that make a core packet"
    ),
)
@option(
    "--mixed-min",
    type=click.IntRange(1),
    default=15,
    show_default=True,
    help=both(
        "综合病种的临界值：不足时由 3 位类目并为 2 位、1 位",
        "Cases a year of a mixed group; below it 3 characters become 2, then 1",
    ),
)
@option(
    "--related",
    type=click.Choice(["all", "none"]),
    default="all",
    show_default=True,
    help=both(
        "病种要求：all 主要手术操作加全部其他操作，none 只看主要手术操作",
        "What packets ask for: all = the main operation and all others, none = the main one only",
    ),
)
@option(
    "--method",
    type=click.Choice(["mean", "base-disease", "quota"]),
    default="mean",
    show_default=True,
    help=both(
        "分值计算：平均费用法、基准病种法（--base）、标准定额法（--quota）",
        "Scores: against the mean of all, of a base packet (--base), or an amount (--quota)",
    ),
)
@option("--base", metavar="CODE", help=both("基准病种编码", "Code of the base packet"))
@option("--quota", metavar="YUAN", help=both("标准定额（元）", "Amount in yuan"))
@option(
    "--points",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help=both("基准对应的分值", "Points of the base"),
)
@option(
    "--digits",
    type=click.IntRange(0, 6),
    default=4,
    show_default=True,
    help=both("分值的小数位数", "Decimals of a score"),
)
@option(
    "--interventional-as",
    type=click.Choice(["therapeutic", "surgical"]),
    default="therapeutic",
    show_default=True,
    help=both("介入治疗的类别", "Class of interventional operations"),
)
@codes_options
@option(
    "--force",
    is_flag=True,
    help=both(
        "覆盖已有目录库（仅限本程序写出且之后未改动的）",
        "Replace a catalogue that this program wrote and nobody changed",
    ),
)
@lang_option
def build_command(
    history: tuple[str, ...], output: Path, catalogue_id: str, name: str, area: str, **given: Any
) -> None:
    from grouper.fitting.catalogue import build, scheme_meta, write

    refuse_existing(output, given["force"], folder=True)
    built = build(history, _options(given))
    write(built, output, scheme_meta(built, catalogue_id, name, area), given["force"])
    _report(built)
    say(f"目录库：{output}", f"Catalogue: {output}")


def _options(given: dict[str, Any]) -> Any:
    """The options of the library from those of the command line."""
    from grouper.fitting.catalogue import CatalogueOptions
    from grouper.fitting.history import HistoryOptions
    from grouper.fitting.trim import parse_year_weights, parse_years

    same = ("trim", "small", "unstable", "core", "mixed_min", "method", "base", "points", "digits",
            "interventional_as", "repair_codes", "memory", "threads", "on",
            "ratio", "untrimmed", "confidence")  # fmt: skip
    return CatalogueOptions(
        year_weights=parse_year_weights(given["year_weights"]),
        related=given["related"] == "all",
        allow_missing=tuple(given["allow_missing"]),
        quota=_amount(given["quota"]),
        clinical=given["codes"] == "clinical",
        history=HistoryOptions(
            cost_column=given["cost_column"] or "total_cost",
            year_column=given["year_column"],
            round_cost=given["round_cost"],
            years=parse_years(given["years"]),
        ),
        **{key: given[key] for key in same},
    )


def _amount(text: str | None) -> Decimal | None:
    if text is None:
        return None
    amount = decimal_of(text)
    if amount is None:
        raise UsageError(
            zh=f"--quota 不能是 {text!r}；应为金额（元）", en=f"--quota cannot be {text!r}: give yuan"
        )
    return amount


def _report(built: Built) -> None:
    """The summary on stderr."""
    from grouper.base.exact import half_up

    kept = sum(entry.sums.kept for entry in built.entries)
    left = built.counts.left_out
    share = half_up(built.core_share.scaleb(2), 2)
    by_year = built.cases_by_year
    years = [f"{year}×{weight} ({by_year[year]:,})" for year, weight in sorted(built.year_weights.items())]
    core, mixed = built.number("core") + built.number("national"), built.number("mixed")
    if built.options.on:
        say(
            f"{built.options.on} 中有病例的病种得到分值，其余没有分值",
            f"packets of {built.options.on} with cases get scores, the others have none",
        )
    say(
        f"核心病种 {core:,}，综合病种 {mixed:,}；年份×权重（病例） {'、'.join(years)}",
        f"{core:,} core packets, {mixed:,} mixed groups; year×weight (cases) {', '.join(years)}",
    )
    say(
        f"  使用病例 {built.cases:,}，裁剪 {built.cases - kept:,}；未使用记录 {left.total():,}",
        f"  cases used {built.cases:,}, trimmed {built.cases - kept:,}; records left out {left.total():,}",
    )
    for zh, en in zip(left_out_lines(left, True), left_out_lines(left, False), strict=True):
        say(zh, en)
    say(*method_lines(built.options.ratio, built.options.untrimmed, built.trim_share, built.left_whole))
    say(
        f"  核心病种覆盖病例 {share}%；RIV：裁剪后 {shown_riv(built.riv)}，"
        f"全部病例 {shown_riv(built.riv_all)}；"
        f"CV > 1 的病种：裁剪后 {built.cv_above_1:,}，全部病例 {built.cv_all_above_1:,}",
        f"  core packets cover {share}% of the cases; RIV: {shown_riv(built.riv)} after trimming, "
        f"{shown_riv(built.riv_all)} of all cases; CV > 1: {built.cv_above_1:,} after trimming, "
        f"{built.cv_all_above_1:,} of all cases",
    )
    say(
        f"  不稳定病种 {built.unstable:,}；有效例数不足 5 的 {built.few:,}；"
        f"标准误超过分值 20% 的 {built.wide:,}",
        f"  unstable: {built.unstable:,}; fewer than 5 effective cases: {built.few:,}; standard error above "
        f"20% of the score: {built.wide:,}",
    )
    if built.options.related and not built.options.on:
        say(
            "  相关手术操作按编码计入，没有检验资源消耗占比（数据没有按手术操作的费用）",
            "  related operations count by their codes: no costs by operation are there to test their share",
        )
