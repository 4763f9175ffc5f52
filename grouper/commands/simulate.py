"""``grouper simulate``: a hospital's file priced before submission, in one workbook and one page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grouper.base.errors import UsageError
from grouper.commands.options.reading import column_map, load_named, parse_date, record_options
from grouper.commands.options.shared import (
    BilingualCommand,
    both,
    database_options,
    emit,
    interim_option,
    lang_option,
    language,
    option,
    scheme_differs_option,
    shared_option,
)
from grouper.commands.text.progress import progress_line

if TYPE_CHECKING:
    from grouper.workbench.simulate.result import Simulation

_SAME = (  # options that the library has by the same names
    "lake", "area", "hospitals", "ward", "layout", "input_format", "encoding", "sheet", "interim",
    "scheme_differs", "memory", "threads", "shared",
)  # fmt: skip


@click.command(
    cls=BilingualCommand,
    help=both(
        "结算前测算一个文件：按科室、医师、病组、病区的收益，亏损最大的 50 例，临近倍率界限的病例，"
        "未入组、歧义、缺数据的病例如何改正，CMI 和特例单议名额，与同业比较。写出一个工作簿、一个可打印的网页"
        "和全部病例的清单，不需要网络。\n\n"
        "输入为任何格式的病案文件，分组与 grouper group 相同，计价与 grouper pay 相同。"
        "还没有结算、没有统筹和基金支付列时，应得收入按应付总额估计并标明；"
        "其他缺的列用 --set 或 --hospitals 给出。\n\n"
        "示例：grouper simulate 六月.xlsx --policy lishui --set hospital_level=3 -o 六月测算",
        "Simulate a file before settlement: profit and loss by department, doctor, group and ward, the 50 "
        "dearest losses, cases near a limit, what mends rows without a good group, CMI and the quota of "
        "reviews, peers. One workbook, one page that prints and the list of all rows; no network.\n\n"
        "Input is a file of records in any layout, grouped as by grouper group and priced as by grouper pay. "
        "Without the columns of the funds the income is estimated by the amount due, and told so; other "
        "columns that are missing are given by --set or --hospitals.\n\n"
        "Example: grouper simulate june.xlsx --policy lishui --set hospital_level=3 -o june-simulation",
    ),
)
@click.argument("inputs", nargs=-1, required=True, metavar="FILE...")
@option(
    "--policy",
    required=True,
    metavar="ID|AREA|FILE",
    help=both("支付政策：id、地区或文件", "Policy: its id, an area, or a file"),
)
@option(
    "-o",
    "--output",
    metavar="FOLDER",
    help=both("输出目录（默认为输入文件名加“-测算”）", "Folder of the results (default: FILE-simulation)"),
)
@option(
    "--scheme",
    metavar="ID|PATH|AREA",
    help=both("分组方案（默认为政策的）", "Scheme (default: that of the policy)"),
)
@option(
    "--as-of",
    "when",
    metavar="YYYY-MM-DD",
    help=both(
        "全部病例按这一天的参数（默认各按出院日期）",
        "All cases take the parameters of this day (default: of their discharge)",
    ),
)
@option(
    "--hospitals",
    type=click.Path(exists=True, dir_okay=False),
    metavar="CSV",
    help=both("医院属性，同 grouper pay", "Properties of hospitals, as in grouper pay"),
)
@option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help=both(
        "输入没有的列，全部行取一个值，例如 insurance_type=310，可重复",
        "A column that the input lacks, one value for all rows, such as insurance_type=310; repeatable",
    ),
)
@option("--ward", metavar="COLUMN", help=both("病区所在的列", "The column of wards"))
@option("--lake", metavar="LAKE", help=both("与此结算湖中的同业比较", "Compare with the peers of this lake"))
@option(
    "--area",
    default="",
    help=both("结算湖中的地区（默认为政策的）", "The area of the lake (default: the policy's)"),
)
@interim_option
@scheme_differs_option
@record_options
@database_options
@shared_option
@lang_option
def simulate(inputs: tuple[str, ...], policy: str, output: str | None, **options: Any) -> None:
    from grouper.payment.explain.row import parse_settings
    from grouper.payment.policy.policy import find_policy
    from grouper.records.schema import GROUPING_FIELDS
    from grouper.workbench.simulate.run import simulate as run

    lang, when = language(), parse_date(options["when"], "--as-of")
    chosen = find_policy(policy, when)
    named = options["scheme"] or chosen.scheme
    if not named:
        raise UsageError(
            zh=f"政策 {chosen.id} 没有写明方案；请用 --scheme 指明",
            en=f"policy {chosen.id} names no scheme; name it with --scheme",
        )
    options["allow_missing"] = options["allow_missing"] or GROUPING_FIELDS
    folder = output or f"{Path(inputs[0]).stem}-{'simulation' if lang == 'en' else '测算'}"
    given: dict[str, Any] = {name: options[name] for name in _SAME}
    with progress_line() as progress:
        done = run(
            load_named(named, options, lang, when=when),
            inputs,
            chosen,
            folder,
            as_of=when,
            constants=parse_settings(options["settings"]),
            columns=column_map(options["column_map"]),
            lang=lang,
            progress=progress,
            scheme=options["scheme"] or "",
            **given,
        )
    emit(_lines(done, lang))


def _lines(done: Simulation, lang: str) -> Iterator[str]:
    """The result in a few lines; what is not in the profit as loud as what is."""
    from grouper.payment.policy import words
    from grouper.report.numbers import Lang, number, yuan
    from grouper.workbench.simulate.tables import STANDINGS

    t, whole = Lang(lang), done.whole
    yield t(
        f"{done.policy.id}：计入 {whole['cases']:,} 例，总费用 {yuan(whole['cost'])} 元，"
        f"应得收入 {yuan(whole['expected'])} 元，收益 {yuan(whole['result'], True)} 元",
        f"{done.policy.id}: {whole['cases']:,} cases, cost {yuan(whole['cost'])}, income due "
        f"{yuan(whole['expected'])}, profit {yuan(whole['result'], True)} yuan",
    )
    for name, pair in STANDINGS.items():
        rows, cost, *_ = done.totals.of(name)
        if rows:
            yield f"  {t(*pair)}  {number(rows)} {t('行，费用', 'rows,')} {yuan(cost)} {t.yuan}"
    for reason, rows in sorted(done.priced.reasons.items()):
        status, _, cause = reason.partition(":")
        if status in ("held", "outside", "left"):
            told = f"{t.pair(words.STATUSES, status)}{t('：', ': ')}{words.reason(cause, lang)}"
            yield f"    {told}  {number(rows)}"
    for pair, path in zip(
        (("工作簿", "workbook"), ("网页", "page"), ("全部病例", "all rows")), done.paths.values(), strict=True
    ):
        yield f"{t(*pair)}{t('：', ': ')}{path}"
