"""``grouper compare``: what a reform would do, by the cases of files or of a lake."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from grouper.commands.options.reading import column_map, record_options
from grouper.commands.options.shared import (
    DATE,
    BilingualCommand,
    both,
    database_options,
    day,
    lang_option,
    language,
    option,
)

if TYPE_CHECKING:
    from grouper.compare.compared import Compared

_OF_SCHEME = ("codes", "repair_codes", "stay", "age_from", "age_days_unit", "allow_missing")
_OF_FILES = ("layout", "input_format", "encoding", "sheet")


@click.command(
    cls=BilingualCommand,
    help=both(
        "换方案或换政策会怎样：同一批病例按原来和新的方案分组、按两个政策计价，写出去向表、状态变化、"
        "权重与组内差异、各医院各县区各病组的金额及其分解，以及变化最大的记录，并有可打印的页面。\n\n"
        "INPUT 为记录文件，或一个结算湖（原方案和原政策即湖中所用）。未给 --policy 的，新的一侧沿用原政策，"
        "权重由本次病例测算。编码相同不表示是同一病组。\n\n"
        "示例：grouper compare 结算湖 --scheme chs-drg-3.0 --budget-neutral -o 对比",
        "What another scheme or policy would do: the same cases grouped and priced as they are and as they "
        "would be. Writes migration, statuses, weights and homogeneity, money by hospital, county and group "
        "with its parts, the records that move most, and a page to print.\n\n"
        "INPUT is files of records, or one lake, whose scheme and policy are then the old side. Without "
        "--policy the new side keeps the old policy, with weights fitted on these cases. Equal codes of two "
        "schemes are not taken for the same group.\n\n"
        "Example: grouper compare LAKE --scheme chs-drg-3.0 --budget-neutral -o reform",
    ),
)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...|LAKE")
@option(
    "--scheme",
    default="",
    metavar="ID|PATH",
    help=both(
        "新方案（默认为 --policy 的方案，否则同原方案）",
        "The new scheme (default: that of --policy, else the old one)",
    ),
)
@option(
    "--policy",
    default="",
    metavar="ID|AREA|FILE",
    help=both("新政策（默认沿用原政策）", "The new policy (default: the old one)"),
)
@option(
    "--from-scheme",
    default="",
    metavar="ID|PATH",
    help=both(
        "原方案（结算湖自带；默认为 --from-policy 的方案）",
        "The old scheme (a lake has it; default: that of --from-policy)",
    ),
)
@option(
    "--from-policy",
    default="",
    metavar="ID|AREA|FILE",
    help=both(
        "原政策（结算湖自带；没有则不算金额）",
        "The old policy (a lake has it; without one there is no money)",
    ),
)
@option(
    "-o",
    "--output",
    required=True,
    metavar="FOLDER",
    help=both("输出目录；只替换无人改动的旧结果", "Folder; an older one that nobody changed is replaced"),
)
@option(
    "--weights",
    type=click.Choice(["taken", "fit", "both"]),
    default="taken",
    show_default=True,
    help=both(
        "权重：taken 取自政策（新方案没有政策的一侧测算），fit 测算新的一侧，both 两侧都测算；"
        "测算的权重与原权重总量相同",
        "Weights: taken from the policies (fitted where none of the scheme is named), fit: those of the new "
        "side, both: of both; fitted ones have the total weight of the old ones",
    ),
)
@option(
    "--budget-neutral",
    "neutral",
    is_flag=True,
    help=both(
        "总额不变：求出使各基金池金额到分相等的点值（费率）",
        "Solve the value of a point (the rate) with which each pool pays what it paid, to the fen",
    ),
)
@option(
    "--as-of",
    type=DATE,
    metavar="YYYY-MM-DD",
    help=both(
        "新政策全部病例按这一天的参数（默认各按出院日期）",
        "All cases take the new policy's parameters of this day (default: of their discharge)",
    ),
)
@option(
    "--hospitals",
    type=click.Path(exists=True, dir_okay=False),
    metavar="CSV",
    help=both(
        "医院属性，见 grouper pay（结算湖自带）", "Properties of hospitals, see grouper pay (a lake has them)"
    ),
)
@option(
    "--decisions",
    type=click.Path(exists=True, dir_okay=False),
    metavar="CSV",
    help=both(
        "逐例决定，见 grouper pay（结算湖自带）", "Decisions by case, see grouper pay (a lake has them)"
    ),
)
@option(
    "--period",
    metavar="YYYY|YYYY-MM",
    help=both("只取结算湖的这一年或这一月", "Of a lake: this year or month only"),
)
@option("--area", metavar="AREA", help=both("只取结算湖的这个地区", "Of a lake: this area only"))
@option(
    "--moved",
    type=click.IntRange(0, 200),
    default=20,
    show_default=True,
    help=both("列出并说明多少条变化最大的记录", "How many of the records that move most are explained"),
)
@record_options
@database_options
@lang_option
def compare(inputs: tuple[str, ...], output: str, as_of: datetime | None, **given: Any) -> None:
    from grouper.commands.text.progress import progress_line
    from grouper.compare.compared import Settings
    from grouper.compare.run import compare as make

    columns = column_map(given.pop("column_map"))
    reading = {name: given.pop(name) for name in _OF_FILES}
    options = {name: given.pop(name) for name in _OF_SCHEME if name in given}
    options["age"] = options.pop("age_from", "dates")
    with progress_line() as progress:
        done = make(
            inputs,
            output,
            Settings(as_of=day(as_of), **given),
            reading=reading,
            options=options,
            columns=columns,
            lang=language(),
            progress=progress,
        )
    for line in _summary(done, language() != "en"):
        click.echo(line, err=True)


def _summary(done: Compared, zh: bool) -> Iterator[str]:
    """Rows, both sides, statuses, money with its parts, and where the page is."""
    from grouper.compare.words import lines

    yield from lines(done, zh)
    page = done.folder / ("report.html" if zh else "report.en.html")
    yield f"页面：{page}" if zh else f"page: {page}"
