"""``grouper synth``: a synthetic city of settled discharges, month by month."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grouper.base.money import yuan_of
from grouper.commands.options.shared import BilingualCommand, both, lang_option, language, option, say

if TYPE_CHECKING:
    from grouper.synth.city import City
    from grouper.synth.city.write import Written

_KINDS = {
    "plain": ("普通结算", "ordinary settlements"),
    "refund": ("退费（负数）", "refunds (negative)"),
    "resettled": ("退费后重新结算", "settled again after a refund"),
    "readmission": ("1–30 天内再入院", "readmissions within 1 to 30 days"),
    "transfer": ("转院后入院", "arrivals by transfer"),
    "duplicate": ("重复的结算 ID", "repeated settlement ids"),
}


@click.command(
    cls=BilingualCommand,
    help=both(
        "生成一座模拟城市一年的住院结算数据（非真实病人），每月一个 Parquet 文件。\n\n"
        "目录中还有 hospitals.csv（医院）、budget.toml（基金预算）和 city.toml（全部参数）。"
        "参数相同则数据相同。\n\n"
        "示例：grouper synth -o 城市 --rows 1000000 --year 2025",
        "Generate a year of settled discharges of an invented city (no patients): a Parquet file a month.\n\n"
        "The folder also gets hospitals.csv, budget.toml (fund budgets) and city.toml (all options). "
        "The same options give the same data.\n\n"
        "Example: grouper synth -o city --rows 1000000 --year 2025",
    ),
)
@option(
    "-o",
    "--output",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help=both("输出目录", "Folder for the files"),
)
@option(
    "--city",
    "path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=both(
        "城市参数 TOML（例如已有的 city.toml）；命令行选项优先",
        "TOML of options, such as a city.toml; options of the command line win",
    ),
)
@option(
    "--rows",
    type=click.IntRange(0, 1_000_000_000),
    help=both("全年行数，含退费等（默认 1000000）", "Rows of the year, refunds included (default: 1000000)"),
)
@option("--year", type=int, help=both("年份（默认 2025）", "Year (default: 2025)"))
@option(
    "--months",
    default="1-12",
    show_default=True,
    help=both("要写出的月份，如 1-3,12", "Months to write, such as 1-3,12"),
)
@option("--seed", type=int, help=both("随机种子（默认 1）", "Seed (default: 1)"))
@option("--hospitals", type=int, help=both("市内医院数（默认 120）", "Hospitals of the city (default: 120)"))
@option("--refunds", type=float, help=both("退费行的比例（默认 0.05）", "Share of refunds (default: 0.05)"))
@option(
    "--readmissions",
    type=float,
    help=both("再入院的比例（默认 0.04）", "Share of readmissions (default: 0.04)"),
)
@option(
    "--dirty",
    type=float,
    help=both("有差错的行的比例（默认 0.01）", "Share of rows with a fault (default: 0.01)"),
)
@option(
    "--scheme",
    metavar="ID|PATH",
    help=both(
        "按此方案分组并用 --weights 的权重决定平均费用（默认用自带的费用表）",
        "Group by this scheme and take mean costs from --weights (default: the shipped table of costs)",
    ),
)
@option(
    "--weights",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=both("--scheme 的权重表 CSV（病组列和 weight）", "Weights of --scheme: CSV with groups and weight"),
)
@lang_option
def synth(
    folder: Path, path: Path | None, months: str, scheme: str | None, weights: Path | None, **given: Any
) -> None:
    from dataclasses import replace

    from grouper.base.errors import UsageError
    from grouper.commands.text.progress import progress_line
    from grouper.synth.city import City, write_city

    if (scheme is None) != (weights is None):
        raise UsageError(
            zh="--scheme 和 --weights 须同时给出", en="--scheme and --weights must be given together"
        )
    wanted = parse_months(months)
    city = City.read(path) if path else City()
    city = replace(city, **{name: value for name, value in given.items() if value is not None})
    own = None
    if scheme and weights:
        from grouper.synth.city.costs import case_weights

        own = case_weights(scheme, weights)
    with progress_line() as show:
        written = write_city(folder, city, show, months=wanted, weights=own)
    _report(city, written, folder)


def parse_months(text: str) -> list[int]:
    """Months of "1-3,12", sorted. Raises UsageError when it is not of that form."""
    from grouper.base.errors import UsageError

    months: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,2})(?:-(\d{1,2}))?\s*", part)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 1 <= first <= last <= 12:
            raise UsageError(
                zh=f"--months 应如 1-12 或 1-3,12，而不是 {text}",
                en=f"--months must be like 1-12 or 1-3,12, not {text}",
            )
        months.update(range(first, last + 1))
    return sorted(months)


def _report(city: City, written: Written, folder: Path) -> None:
    """The summary on stdout."""
    say(
        f"{city.year} 年 {written.rows:,} 行（模拟数据，非真实病人）：",
        f"{written.rows:,} rows of {city.year} (invented, no patients):",
        err=False,
    )
    for kind, words in _KINDS.items():
        number = written.kinds[kind]
        click.echo(f"  {number:>13,}  {words[language() == 'en']}")
    faulty = written.faults.total()
    say(f"  其中有意写错的行 {faulty:,}", f"  of these with a fault put in: {faulty:,}", err=False)
    for insurance, fen in sorted(written.pool_fen.items()):
        budget = written.budget[insurance]
        say(
            f"险种 {insurance}：所写月份统筹支付 {yuan_of(fen):,.2f} 元；全年基金预算 {budget:,} 元",
            f"insurance {insurance}: pool paid {yuan_of(fen):,.2f} yuan in these months; "
            f"budget of the year {budget:,} yuan",
            err=False,
        )
    say(f"目录：{folder}", f"Folder: {folder}", err=False)
