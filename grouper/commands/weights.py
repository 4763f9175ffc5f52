"""``grouper weights``: relative weights of a scheme from years of grouped discharges."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grouper.commands.options.shared import (
    BilingualCommand,
    BilingualGroup,
    both,
    database_options,
    grouped_prefix_option,
    lang_option,
    option,
    say,
    with_options,
)

if TYPE_CHECKING:
    from decimal import Decimal

    from grouper.fitting.weights import Fitted

# what weights and catalogues share
statistics_options = with_options(
    option(
        "--year-weights",
        default="1,2,7",
        show_default=True,
        help=both(
            "各年权重，由远到近；年份较少时取后面几个",
            "Weights of the years, oldest first; fewer years take the last ones",
        ),
    ),
    option(
        "--trim",
        default="p2.5-p97.5",
        show_default=True,
        metavar="pA-pB|iqr|none",
        help=both("组内裁剪规则", "How the costs of each group are trimmed"),
    ),
    option(
        "--small",
        type=click.IntRange(0),
        default=30,
        show_default=True,
        help=both("病例数少于此数的组不裁剪", "Groups of fewer cases are not trimmed"),
    ),
    option(
        "--untrimmed",
        type=click.Choice(["scaled", "as-is"]),
        default="scaled",
        show_default=True,
        help=both(
            "未裁剪的小组：scaled 乘以裁剪后均费与全部均费之比（与其他组同一口径），as-is 不调整",
            "Groups too small to trim: scaled = times what trimming leaves of the others' means, as-is = as "
            "they are",
        ),
    ),
    option(
        "--ratio",
        type=click.Choice(["by-year", "of-means"]),
        default="by-year",
        show_default=True,
        help=both(
            "by-year 各年组均费与当年总均费之比按年份权重平均（不受价格上涨影响）；of-means 多年均费之比",
            "by-year = mean of the years' ratios to all cases (a rise of prices changes nothing); of-means = "
            "ratio of the means over the years",
        ),
    ),
    option(
        "--confidence",
        type=click.FloatRange(50, 99.99),
        default=95.0,
        show_default=True,
        metavar="PERCENT",
        help=both("置信区间的水平（%）", "Level of the confidence intervals, in per cent"),
    ),
    option(
        "--unstable",
        type=click.IntRange(0),
        default=5,
        show_default=True,
        help=both("病例数少于此数的组标为不稳定", "Groups of fewer cases are flagged as unstable"),
    ),
    option(
        "--cost-column",
        help=both("总费用列（元；默认 total_cost）", "Column of total costs in yuan (default: total_cost)"),
    ),
    option(
        "--year-column",
        help=both(
            "年份列（默认取 discharge_date 的年份）", "Column of years (default: the year of discharge_date)"
        ),
    ),
    option(
        "--years",
        metavar="YEARS",
        help=both(
            "只用这些年份的病例，如 2024,2025（默认数据中的全部年份；病例过少的年份须在此写明）",
            "Take the cases of these years only, such as 2024,2025 (default: all years of the data; one with "
            "few cases must be named here)",
        ),
    ),
    option(
        "--round-cost",
        is_flag=True,
        help=both(
            "费用不是整分时四舍五入到分（默认报错）", "Round costs to fen (default: refuse parts of a fen)"
        ),
    ),
    database_options,
)


def left_out_lines(left: Counter[str], zh: bool) -> list[str]:
    """The records left out, by reason, the most frequent first."""
    from grouper.fitting.history import LEFT_OUT

    lines = []
    for reason, number in sorted(left.items(), key=lambda item: (-item[1], item[0])):
        words = LEFT_OUT.get(reason, (reason, reason))
        lines.append(f"    {number:,}  {words[0 if zh else 1]} [{reason}]")
    return lines


@click.group(
    cls=BilingualGroup,
    help=both(
        "由历史数据测算 DRG 相对权重。\n\n"
        "示例：grouper weights fit 2024.parquet 2025.parquet --scheme chs-drg-2.0 -o weights.csv",
        "Relative weights of DRGs from history.\n\n"
        "Example: grouper weights fit 2024.parquet 2025.parquet --scheme chs-drg-2.0 -o weights.csv",
    ),
)
@lang_option
def weights() -> None:
    pass


@weights.command(
    "fit",
    cls=BilingualCommand,
    beside=(".json",),
    help=both(
        "由若干年的分组结果测算权重；未分组的文件先按 --scheme 分组。\n\n"
        "输出每个病组一行的 CSV，旁边的 .json 说明来源、选项、RIV 和总权重。\n\n"
        "示例：grouper weights fit 2024.parquet 2025.parquet --scheme chs-drg-2.0 -o weights.csv",
        "Weights from years of grouped discharges; other files are grouped by --scheme first.\n\n"
        "Writes a CSV with one row per group; the .json beside it has provenance, options, RIV and total "
        "weights.\n\n"
        "Example: grouper weights fit 2024.parquet 2025.parquet --scheme chs-drg-2.0 -o weights.csv",
    ),
)
@click.argument("history", nargs=-1, required=True, metavar="HISTORY...")
@option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help=both("权重表（CSV）", "Table of weights (CSV)"),
)
@option(
    "--scheme",
    required=True,
    metavar="ID|PATH",
    help=both("分组方案：方案 id 或方案目录", "Scheme: its id or the path of its folder"),
)
@statistics_options
@option(
    "--digits",
    type=click.IntRange(0, 12),
    default=4,
    show_default=True,
    help=both("权重的小数位数", "Decimals of a weight"),
)
@option(
    "--structure",
    type=click.Path(exists=True, dir_okay=False),
    help=both(
        "结构调整系数 CSV（by,key,factor；by 为 drg、adrg、mdc 或 kind），总权重不变",
        "CSV of factors (by,key,factor; by is drg, adrg, mdc or kind); the total weight is kept",
    ),
)
@option(
    "--shrink",
    type=click.Choice(["none", "adrg"]),
    default="none",
    show_default=True,
    help=both(
        "adrg 将例数少的病组按可信度向其 ADRG 的均值收缩，收缩比例逐组列出",
        "adrg = draw small groups towards their ADRG by credibility; each group's amount is a column",
    ),
)
@option(
    "--published",
    metavar="NAME|FILE",
    help=both(
        "与公布的权重比较：随附权重表的名称（如 lishui）或 CSV（drg,weight）",
        "Compare with published weights: the name of a shipped table (lishui) or a CSV (drg,weight)",
    ),
)
@grouped_prefix_option
@lang_option
def fit_command(history: tuple[str, ...], output: Path, scheme: str, **given: Any) -> None:
    from grouper.fitting.history import HistoryOptions
    from grouper.fitting.trim import parse_year_weights, parse_years
    from grouper.fitting.weights import WeightOptions, fit, sidecar, write

    beside = sidecar(output)
    options = WeightOptions(
        year_weights=parse_year_weights(given["year_weights"]),
        trim=given["trim"],
        small=given["small"],
        unstable=given["unstable"],
        digits=given["digits"],
        structure=given["structure"],
        **{key: given[key] for key in ("ratio", "untrimmed", "confidence", "shrink", "published")},
        history=HistoryOptions(
            given["prefix"],
            given["cost_column"] or "total_cost",
            given["year_column"],
            given["round_cost"],
            parse_years(given["years"]),
        ),
        memory=given["memory"],
        threads=given["threads"],
    )
    fitted = fit(history, scheme, options)
    write(fitted, output)
    _report(fitted)
    say(f"权重：{output}；来源说明：{beside}", f"Weights: {output}; provenance: {beside}")


def _report(fitted: Fitted) -> None:
    """The summary on stderr."""
    from grouper.base.exact import half_up

    kept = sum(group.kept for group in fitted.groups)
    filled = sum(group.cases > 0 for group in fitted.groups)
    by_year = fitted.cases_by_year
    years = [f"{year}×{weight} ({by_year[year]:,})" for year, weight in sorted(fitted.year_weights.items())]
    say(
        f"方案 {fitted.scheme.id}：{filled:,} 个病组有病例（共 {len(fitted.groups):,} 个）；"
        f"年份×权重（病例） {'、'.join(years)}",
        f"{fitted.scheme.id}: {filled:,} of {len(fitted.groups):,} groups have cases; "
        f"year×weight (cases) {', '.join(years)}",
    )
    left = fitted.left_out
    say(
        f"  使用病例 {fitted.cases:,}，裁剪 {fitted.cases - kept:,}；未使用记录 {left.total():,}",
        f"  cases used {fitted.cases:,}, trimmed {fitted.cases - kept:,}; records left out {left.total():,}",
    )
    for zh, en in zip(left_out_lines(left, True), left_out_lines(left, False), strict=True):
        say(zh, en)
    say(*method_lines(fitted.options.ratio, fitted.options.untrimmed, fitted.trim_share, fitted.left_whole))
    say(
        f"  RIV：裁剪后 {shown_riv(fitted.riv)}，全部病例 {shown_riv(fitted.riv_all)}；"
        f"CV > 1 的病组：裁剪后 {fitted.cv_above_1:,}，全部病例 {fitted.cv_all_above_1:,}",
        f"  RIV: {shown_riv(fitted.riv)} after trimming, {shown_riv(fitted.riv_all)} of all cases; groups "
        f"with CV > 1: {fitted.cv_above_1:,} after trimming, {fitted.cv_all_above_1:,} of all cases",
    )
    say(
        f"  不稳定病组 {fitted.unstable:,}；有效例数不足 5 的 {fitted.few:,}；"
        f"标准误超过权重 20% 的 {fitted.wide:,}",
        f"  unstable groups: {fitted.unstable:,}; fewer than 5 effective cases: {fitted.few:,}; standard "
        f"error above 20% of the weight: {fitted.wide:,}",
    )
    _report_shrinkage(fitted)
    _report_published(fitted)
    say(
        f"  {fitted.latest_year} 年总权重：调整前 {half_up(fitted.total_raw, 4)}，"
        f"调整后 {half_up(fitted.total_exact, 4)}，按写出的权重 {fitted.total_rounded}",
        f"  total weight of {fitted.latest_year}: {half_up(fitted.total_raw, 4)} before scaling, "
        f"{half_up(fitted.total_exact, 4)} after, {fitted.total_rounded} with the weights as written",
    )


def shown_riv(riv: Decimal | None) -> str:
    """Four decimals; a dash where all costs are equal."""
    from grouper.base.exact import half_up

    return "–" if riv is None else str(half_up(riv, 4))


def method_lines(ratio: str, untrimmed: str, share: Decimal, left_whole: int) -> tuple[str, str]:
    """How years and small groups are taken: Chinese and English."""
    from grouper.base.exact import half_up

    zh, en = {
        "by-year": ("各年比值的加权平均", "the mean of the years' ratios"),
        "of-means": ("多年均费之比", "the ratio of the means over the years"),
    }[ratio]
    scale = half_up(share, 4)
    zh_small, en_small = {
        "scaled": (f"乘以 {scale}，与裁剪的组同一口径", f"times {scale}, as trimming lowers the others"),
        "as-is": ("不调整", "as they are"),
    }[untrimmed]
    return (
        f"  方法：{zh}（--ratio {ratio}）；未裁剪的小组 {left_whole:,} 个，{zh_small}"
        f"（--untrimmed {untrimmed}）",
        f"  method: {en} (--ratio {ratio}); {left_whole:,} groups too small to trim: {en_small} "
        f"(--untrimmed {untrimmed})",
    )


def _report_shrinkage(fitted: Fitted) -> None:
    from grouper.fitting.precision import shown

    drawn = fitted.shrinkage
    if not drawn:
        return
    half = sum(one.shrinkage >= 0.5 for one in drawn.groups.values())
    within, between = shown(drawn.within, 4), shown(drawn.between, 4)
    say(
        f"  向 ADRG 收缩 {len(drawn.groups):,} 个病组，其中一半以上取自 ADRG 的 {half:,} 个；"
        f"相对方差：病例 {within}，ADRG 内病组之间 {between}",
        f"  {len(drawn.groups):,} groups drawn towards their ADRG, {half:,} by a half and more; relative "
        f"variance: of a case {within}, between the groups of an ADRG {between}",
    )


def _report_published(fitted: Fitted) -> None:
    from grouper.base.exact import half_up

    found = fitted.comparison
    if not found:
        return
    name, groups, scale = found.published.file["name"], len(found.differences), half_up(found.scale, 4)
    middle, near = half_up(found.median.scaleb(2), 1), half_up(found.near.scaleb(2), 1)
    marked, ones = len(found.published.placeholders), found.published.unmarked_ones
    say(
        f"  与 {name} 比较 {groups:,} 个病组（公布值×{scale}）：差异中位数 {middle}%；"
        f"{near}% 的病例所在组相差不超过 10%；"
        f"公布值在置信区间内的 {found.inside:,}/{found.intervals:,}；占位值 {marked:,} 个不比较，"
        f"另有 {ones:,} 个恰为 1 而未标明",
        f"  against {name}, {groups:,} groups (published × {scale}): median difference {middle}%; "
        f"{near}% of the cases are in groups within 10%; published weight within the interval: "
        f"{found.inside:,} of {found.intervals:,}; {marked:,} placeholders left aside, "
        f"{ones:,} more are exactly 1 without a mark",
    )
