"""``grouper indices``: the supervisory indices of institutions, from grouped files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from grouper.commands.options.reading import stay_option
from grouper.commands.options.shared import (
    BilingualCommand,
    both,
    database_options,
    grouped_prefix_option,
    lang_option,
    option,
    output_option,
    say,
    to_option,
    with_options,
)
from grouper.records.gate import REASONS

if TYPE_CHECKING:
    from grouper.indices.run import Summary

_LEFT_OUT = {
    **REASONS,
    "no-hospital": ("缺机构编码，不计入任何指数", "without hospital, in no index"),
    "not-grouped": ("未入组，不计入按病种的指数", "not grouped, in no index by packet"),
    "no-person": ("缺人员编号", "without person"),
    "no-dates": ("缺入院或出院日期", "without admission or discharge date"),
    "dates-reversed": ("出院早于入院", "discharged before admission"),
    "no-stay": ("缺住院天数", "without stay"),
    "no-way": ("缺离院方式", "without way of discharge"),
    "no-diagnosis": ("缺主要诊断", "without principal diagnosis"),
}
_COLUMNS = {
    "hospital_code": ("hospital", "机构编码列", "Column of hospitals"),
    "person_id": ("person", "人员编号列", "Column of persons"),
    "admission_date": ("admission", "入院日期列", "Column of admission dates"),
    "discharge_date": ("discharge", "出院日期列", "Column of discharge dates"),
    "los_days": ("stay", "住院天数列", "Column of stays in days"),
    "discharge_way": ("way", "离院方式列（5 为死亡）", "Column of ways of discharge (5 = died)"),
    "diagnoses": ("diagnosis", "诊断列（取第一个）", "Column of diagnoses (the first counts)"),
}


_columns = with_options(
    *(
        option(
            f"--{word}-column",
            field,
            help=both(f"{zh}（默认 {field} 或按表头识别）", f"{en} (default: {field} or that of the layout)"),
        )
        for field, (word, zh, en) in _COLUMNS.items()
    )
)


@click.command(
    cls=BilingualCommand,
    help=both(
        "违规行为监管指数：病案质量、二次入院、低标入院、超长住院、低风险死亡，按机构与全区域比较。\n\n"
        "输入为分组后的 Parquet（DIP 或 DRG）；定义和公式见 docs/indices.md。\n\n"
        "示例：grouper indices 2025分组.parquet -o 指数.csv",
        "Supervisory indices of institutions against the region: record quality, readmission, low-standard "
        "admission, overlong stays, deaths in packets of low risk.\n\n"
        "Inputs are grouped Parquet files (DIP or DRG); docs/indices.md has the definitions.\n\n"
        "Example: grouper indices 2025-grouped.parquet -o indices.csv",
    ),
)
@click.argument("inputs", nargs=-1, required=True, metavar="GROUPED...")
@output_option
@to_option
@option(
    "--by",
    type=click.Choice(["hospital", "hospital-packet"]),
    default="hospital",
    show_default=True,
    help=both("按机构，或按机构和病种", "By hospital, or by hospital and packet"),
)
@option(
    "--parameters",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help=both("参数文件（TOML；默认内置，未核实）", "Parameters (TOML; default: shipped, not verified)"),
)
@_columns
@option("--group-column", help=both("病种或病组列（默认 packet 或 drg）", "Column of groups (packet or drg)"))
@stay_option("住院天数：所给的列，或由日期推算", "Stay: the column given, or derived from the dates")
@grouped_prefix_option
@database_options
@lang_option
def indices(inputs: tuple[str, ...], output: str, **given: Any) -> None:
    from grouper.indices.cases import Columns
    from grouper.indices.run import compute

    columns = Columns(
        {field: given[field] for field in _COLUMNS if given[field]},
        given["group_column"],
        given["stay"],
        given["prefix"],
    )
    summary = compute(
        inputs,
        output,
        by=given["by"],
        parameters=given["parameters"],
        columns=columns,
        to=given["to"],
        memory=given["memory"],
        threads=given["threads"],
    )
    _report(summary)


def _report(summary: Summary) -> None:
    """The summary on stderr."""
    from grouper.indices.parameters import NAMES

    counts = summary.counts
    say(
        f"{counts['records']:,} 条记录，写出 {summary.rows:,} 行",
        f"{counts['records']:,} records, {summary.rows:,} rows written",
    )
    for name, (zh, en) in _LEFT_OUT.items():
        if counts[name] and counts[name] < counts["records"]:
            say(f"  {counts[name]:,}  {zh} [{name}]", f"  {counts[name]:,}  {en} [{name}]")
    for name in summary.skipped:
        say(
            f"未计算{NAMES[name][0]} [{name}]：--parameters 文件中没有病种目录（diagnoses）",
            f"Not computed: {NAMES[name][1]} [{name}], for the --parameters file lists no diagnoses",
        )
    unverified = [name for name in summary.parameters.unverified if name not in summary.skipped]
    if unverified:
        zh, en = (", ".join(f"{NAMES[name][lang]} [{name}]" for name in unverified) for lang in (0, 1))
        say(f"公式或参数未核实：{zh}", f"Formula or parameters not verified: {en}")
