"""``grouper check``: coding quality of records by rules, of a file or a lake."""

from __future__ import annotations

from typing import Any

import click

from grouper.base.errors import UsageError
from grouper.commands.options.reading import column_map, load_named, parse_date, record_options
from grouper.commands.options.shared import (
    BilingualCommand,
    both,
    database_options,
    emit,
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
        "按质控规则核查病案：逐份的规则，以及一段时间住院的规则（分解住院、再入院、严重并发症占比等）。"
        "先写各规则的发现数、未评估数和通过数；-o 写出每条发现，含涉及的编码和如何改正。\n\n"
        "输入为任何格式的病案文件，或一个结算湖（其分组和金额以结算的为准）。"
        "规则都未经核实，见 docs/zh/checks.md；发现是核查线索，不是高编的建议。\n\n"
        "示例：grouper check 六月.parquet --scheme chs-drg-2.0 -o 发现.xlsx",
        "Check records by rules of coding quality: rules of one record, and rules over all stays (split "
        "stays, readmission, shares of major complications). First how often each rule was found, passed and "
        "could not be evaluated; -o writes every finding, with its codes and what mends it.\n\n"
        "Input is a file of records in any layout, or a lake (whose groups and amounts are those that were "
        "settled). No rule is verified, see docs/checks.md; findings are leads for a check, never advice to "
        "code higher.\n\n"
        "Example: grouper check june.parquet --scheme chs-drg-2.0 -o findings.xlsx",
    ),
)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...|LAKE")
@option(
    "--scheme",
    metavar="ID|PATH|AREA",
    help=both(
        "分组方案（默认为 --policy 的，结算湖为其运行所用的）",
        "Scheme (default: that of --policy, of a lake that of its runs)",
    ),
)
@option(
    "--policy",
    metavar="ID|AREA|FILE",
    help=both(
        "支付政策：估算改正的金额差，并按其界限核查",
        "Payment policy: the yuan that corrections are worth, and limits",
    ),
)
@option(
    "--area", default="", help=both("用哪个地区的规则开关和界值", "The area whose switches and limits apply")
)
@option(
    "--date",
    "when",
    metavar="YYYY-MM-DD",
    help=both("规则、方案和政策按哪一天（默认全部现行）", "The day of rules, scheme and policy"),
)
@option(
    "--month",
    "months",
    multiple=True,
    metavar="YYYY-MM",
    help=both("结算湖中的月份，可重复（默认全部）", "Months of a lake, repeatable (default: all)"),
)
@option(
    "-o", "--output", metavar="OUT", help=both("写出发现（Parquet、CSV、JSONL、XLSX）", "Write the findings")
)
@to_option
@option(
    "--rank",
    is_flag=True,
    help=both(
        "按病例汇总，可疑的在前（严重程度、涉及金额），供稽核",
        "By case, the suspicious first (by severity and money at stake), for audit",
    ),
)
@record_options
@database_options
@shared_option
@lang_option
def check(inputs: tuple[str, ...], output: str | None, months: tuple[str, ...], **options: Any) -> None:
    from grouper.checks import check_files, check_lake
    from grouper.checks.lake import is_lake
    from grouper.commands.text.checks import summary_lines

    lang, when = language(), parse_date(options["when"])
    how = {name: options[name] for name in ("area", "to", "memory", "threads", "shared", "rank")}
    with progress_line() as progress:
        if is_lake(inputs[0]):
            _only_lake(inputs, options)
            summary = check_lake(
                inputs[0], output, scheme=options["scheme"] or "", months=months, when=when, lang=lang,
                progress=progress, **how,
            )  # fmt: skip
        else:
            if months:
                raise UsageError(
                    zh="--month 用于结算湖；文件请先按月分开",
                    en="--month is for lakes; split files by month first",
                )
            policy = _policy(options["policy"], when)
            named = options["scheme"] or (policy.scheme if policy else "")
            if not named:
                raise UsageError(
                    zh="请用 --scheme 指明分组方案（或用 --policy 指明带方案的政策）",
                    en="name the scheme with --scheme, or a --policy that has one",
                )
            how["area"] = how["area"] or (policy.area if policy else "")
            summary = check_files(
                load_named(named, options, lang, when=when), inputs, output, when=when, policy=policy,
                lang=lang,
                layout=options["layout"], columns=column_map(options["column_map"]),
                input_format=options["input_format"], encoding=options["encoding"], sheet=options["sheet"],
                progress=progress, **how,
            )  # fmt: skip
    emit(summary_lines(summary, lang))


def _only_lake(inputs: tuple[str, ...], options: dict[str, Any]) -> None:
    """Refuse what means nothing to a lake."""
    if len(inputs) > 1:
        raise UsageError(zh="一次只核查一个结算湖", en="one lake at a time")
    if options["policy"]:
        raise UsageError(
            zh="结算湖的金额以结算的为准，不用 --policy", en="a lake has its amounts; leave --policy out"
        )


def _policy(name: str | None, when: Any) -> Any:
    if name is None:
        return None
    from grouper.payment.policy.policy import find_policy

    return find_policy(name, when)
